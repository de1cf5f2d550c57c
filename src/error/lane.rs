//! Errors of lanes.

use std::{error::Error, fmt, sync::Arc};

/// Why something failed, as it was told: by [`Ticket::fail`](crate::lane::Ticket::fail), by a committer, by the panic of a holder (a
/// [`Lost`] or a [`WorkPanic`](crate::WorkPanic)). Shared, since everybody above a failure is told the same.
///
/// # Examples
///
/// See [`Failure`].
pub type Cause = Arc<dyn Error + Send + Sync>;

/// The failure that stops a lane: the lowest-numbered one, which is the root of all others.
///
/// Everything below [`seq`](Failure::seq) is committed, nothing above it ever is. Its
/// [`source`](Error::source) is the cause.
///
/// # Examples
///
/// ```
/// use batons::{LaneError, lane::Lane};
/// use std::error::Error;
///
/// let lane = Lane::new((), 4);
/// let (first, mut second) = (lane.try_ticket()?, lane.try_ticket()?);
/// first.label("block 0").fail("disk full");
/// let error = second.try_turn().unwrap_err();
/// assert_eq!(error.to_string(), "the lane ends before this number: number 0 failed (\"block 0\"): disk full");
/// let LaneError::Poisoned(failure) = error else { unreachable!() };
/// assert_eq!((failure.seq(), failure.label()), (0, Some("block 0")));
/// assert_eq!(failure.cause().to_string(), "disk full");
/// assert!(failure.source().is_some(), "the same, for who prints chains of errors");
/// # Ok::<_, LaneError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Failure {
    pub(crate) seq: u64,
    pub(crate) label: Option<Arc<str>>,
    pub(crate) cause: Cause,
}

impl Failure {
    /// The number that failed.
    ///
    /// # Examples
    ///
    /// See [`Failure`].
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// What its ticket was labelled, if it was.
    ///
    /// # Examples
    ///
    /// See [`Failure`].
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// Why.
    ///
    /// # Examples
    ///
    /// See [`Failure`].
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number {} failed", self.seq)?;
        if let Some(label) = &self.label {
            write!(f, " (\"{label}\")")?;
        }
        write!(f, ": {}", self.cause)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}

/// What became of a ticket whose holder told no better reason.
///
/// # Examples
///
/// ```
/// use batons::{Lost, lane::Lane};
///
/// let lane = Lane::new((), 4);
/// drop(lane.try_ticket()?);
/// let failure = lane.failure().expect("the ticket was lost");
/// assert_eq!(failure.cause().downcast_ref::<Lost>(), Some(&Lost::Abandoned));
/// # Ok::<_, batons::LaneError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lost {
    /// The ticket was dropped unused: an early return, an aborted task.
    Abandoned,
    /// Its holder panicked.
    Panicked,
    /// The head of the lane was older than its deadline.
    Overdue,
    /// Nobody asked for the number before the lane was closed, and a later one was [named](crate::lane::Lane::ticket_at).
    NeverIssued,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Abandoned => "its ticket was dropped unused",
            Self::Panicked => "its holder panicked",
            Self::Overdue => "it was at the head for too long",
            Self::NeverIssued => "nobody asked for it before the lane was closed",
        })
    }
}

impl Error for Lost {}

/// Why a lane hands out no ticket, or a ticket gets no turn.
///
/// Nothing was changed, unless a variant says so.
///
/// # Examples
///
/// ```
/// use batons::{LaneError, lane::Lane};
///
/// let lane = Lane::new((), 1);
/// let _ticket = lane.try_ticket()?;
/// match lane.try_ticket() {
///     Err(LaneError::WouldBlock) => {} // later
///     Err(ended) => return Err(ended),
///     Ok(_) => unreachable!("the window is full"),
/// }
/// assert_eq!(LaneError::WouldBlock.to_string(), "that would have to wait, nothing was changed");
/// # Ok::<_, LaneError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum LaneError {
    /// An earlier number failed; nothing above it is ever committed.
    Poisoned(Failure),
    /// The lane was closed: there are no new tickets.
    Closed,
    /// The lane was cancelled.
    Cancelled,
    /// The number is or was somebody else's.
    Duplicate,
    /// The number has passed.
    Passed,
    /// The number is further ahead than the window allows.
    TooFar {
        /// The largest number that is accepted at this moment.
        limit: u64,
    },
    /// More is asked for at once than there can ever be.
    TooMany {
        /// The largest number that can be asked for.
        max: u32,
    },
    /// Only by the forms that do not wait: it would have to.
    WouldBlock,
    /// The time was over first. A ticket keeps its place.
    TimedOut,
    /// Numbers right before this one were lost, under [`OnFailure::Tell`](crate::lane::OnFailure::Tell). Told until it is accepted:
    /// [`accept_gap`](crate::lane::Ticket::accept_gap) and ask again, or [`fail`](crate::lane::Ticket::fail).
    Gap {
        /// How many.
        lost: u64,
    },
}

impl fmt::Display for LaneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poisoned(failure) => write!(f, "the lane ends before this number: {failure}"),
            Self::Closed => f.write_str("the lane is closed, nothing was issued"),
            Self::Cancelled => f.write_str("the lane was cancelled"),
            Self::Duplicate => f.write_str("the number is somebody else's, nothing was changed"),
            Self::Passed => f.write_str("the number has passed, nothing was changed"),
            Self::TooFar { limit } => {
                write!(f, "the number is beyond the window, which ends at {limit}; nothing was changed")
            }
            Self::TooMany { max } => {
                write!(f, "more than {max} can never be had at once, nothing was changed")
            }
            Self::WouldBlock => f.write_str("that would have to wait, nothing was changed"),
            Self::TimedOut => f.write_str("the time was over first, the place is kept"),
            Self::Gap { lost } => write!(f, "{lost} numbers right before this one were lost"),
        }
    }
}

impl Error for LaneError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Poisoned(failure) => Some(failure),
            _ => None,
        }
    }
}
