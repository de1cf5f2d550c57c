//! What became of a pipeline.

use crate::{Failure, lane::Counters};
use std::time::Duration;
use std::{error::Error, fmt};

/// What a [`Pipeline`](super::Pipeline) did.
///
/// Its `Display` is a line for people.
///
/// # Examples
///
/// ```
/// use batons::lane::pipeline;
///
/// let report = pipeline(0..3).commit_run(|_| Ok(())).blocking_run()?;
/// assert_eq!((report.items, report.committed), (3, 3));
/// assert!(report.runs <= 3 && report.most_out <= 3);
/// assert!(report.to_string().starts_with("3 items, 3 committed in "));
/// # Ok::<_, batons::lane::Failed>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Items that came from the source.
    pub items: u64,
    /// Items that were committed: the first so many.
    pub committed: u64,
    /// Runs in which they were committed.
    pub runs: u64,
    /// The most items that were out at once.
    pub most_out: u64,
    /// How long it took, from the call of [`blocking_run`](super::Runnable::blocking_run) or the first poll of
    /// [`run`](super::Runnable::run).
    pub wall: Duration,
}

impl Report {
    pub(super) fn new(counters: &Counters, wall: Duration) -> Self {
        let Counters { issued: items, committed, runs, most_out, .. } = *counters;
        Self { items, committed, runs, most_out, wall }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { items, committed, runs, most_out, wall } = self;
        write!(f, "{items} items, {committed} committed in {runs} runs, at most {most_out} out, {wall:.3?}")
    }
}

/// A part of a [`Pipeline`](super::Pipeline).
///
/// # Examples
///
/// ```
/// use batons::lane::{Stage, pipeline};
///
/// let failed = pipeline(["1", "x"])
///     .work_blocking(|text| Ok(text.trim()))
///     .work_blocking(|text| Ok(text.parse::<u8>()?))
///     .commit(|_| Ok(()))
///     .blocking_run()
///     .unwrap_err();
/// assert_eq!(failed.stage(), Some(Stage::Work(1)));
/// assert_eq!(Stage::Work(1).to_string(), "stage 1 of the work");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Where items come from.
    Source,
    /// What is done with them; 0 is the first stage.
    Work(usize),
    /// Where they go.
    Commit,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => f.write_str("the source"),
            Self::Work(stage) => write!(f, "stage {stage} of the work"),
            Self::Commit => f.write_str("the commit"),
        }
    }
}

/// A cause, and where it arose: the cause of the lane's failure.
#[derive(Debug)]
pub struct At {
    stage: Stage,
    cause: Box<dyn Error + Send + Sync>,
}

impl At {
    pub(super) fn in_stage<U>(
        stage: Stage,
        worked: Result<U, Box<dyn Error + Send + Sync>>,
    ) -> Result<U, Self> {
        worked.map_err(|cause| Self { stage, cause })
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in {}: {}", self.stage, self.cause)
    }
}

impl Error for At {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}

/// Why a [`Pipeline`](super::Pipeline) did not come to its end: the failure of the lowest item that failed.
///
/// Every item below it was committed, and none above it.
///
/// # Examples
///
/// ```
/// use batons::lane::pipeline;
/// use std::error::Error;
///
/// let failed = pipeline([10, 5, 0, 2])
///     .work_blocking(|n: u32| Ok(100_u32.checked_div(n).ok_or("division by zero")?))
///     .commit(|_| Ok(()))
///     .blocking_run()
///     .unwrap_err();
/// assert_eq!((failed.item(), failed.report().committed), (2, 2));
/// assert_eq!(failed.cause().to_string(), "division by zero");
/// assert!(failed.source().is_some(), "the same, for who prints chains of errors");
/// assert_eq!(
///     failed.to_string(),
///     "item 2 failed in stage 0 of the work: division by zero; 2 items before it are committed",
/// );
/// ```
#[derive(Debug, Clone)]
pub struct Failed {
    failure: Failure,
    report: Report,
}

impl Failed {
    pub(super) fn new(failure: Failure, report: Report) -> Self {
        Self { failure, report }
    }

    /// The item that failed; 0 is the first of the source.
    ///
    /// # Examples
    ///
    /// See [`Failed`].
    #[must_use]
    pub fn item(&self) -> u64 {
        self.failure.seq()
    }

    /// Where it failed. `None` if its worker was ended from outside, by the end of its runtime.
    ///
    /// # Examples
    ///
    /// See [`Stage`].
    #[must_use]
    pub fn stage(&self) -> Option<Stage> {
        self.at().map(|at| at.stage)
    }

    /// Why: the error of the source, of the work or of the commit, or a [`WorkPanic`](crate::WorkPanic).
    ///
    /// # Examples
    ///
    /// See [`Failed`].
    #[must_use]
    pub fn cause(&self) -> &(dyn Error + Send + Sync + 'static) {
        self.at().map_or(&**self.failure.cause(), |at| &*at.cause)
    }

    /// What was done until then.
    ///
    /// # Examples
    ///
    /// See [`Failed`].
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    fn at(&self) -> Option<&At> {
        self.failure.cause().downcast_ref()
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (item, committed) = (self.item(), self.report.committed);
        write!(f, "item {item} failed {}; {committed} items before it are committed", self.failure.cause())
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.cause())
    }
}
