//! Clocks: what the time is, and who rings when it comes.
//!
//! Two kinds of time are told. The monotonic one, an [`Instant`], only goes forward; the wall clock, a
//! [`SystemTime`], may be set. A [`ManualClock`] has both in the hands of a test.

mod alarm;
mod home;
mod manual;
mod wall;

pub use manual::ManualClock;

pub(crate) use alarm::{Alarm, Arming};
pub(crate) use home::{Home, Homes, Parked};

use manual::Hands;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// What a [`WaitableTimer`](crate::WaitableTimer) tells the time by: the machine's clocks, or a
/// [`ManualClock`] in a test. Cheap to clone; clones are the same clock.
///
/// # Examples
///
/// ```
/// use batons::{Clock, ManualClock};
/// use std::time::Duration;
///
/// let manual = ManualClock::new();
/// let clock = manual.clock();
/// let before = clock.now();
/// manual.advance(Duration::from_secs(3600));
/// assert_eq!(clock.now() - before, Duration::from_secs(3600));
/// assert!(Clock::system().now() < clock.now());
/// ```
#[derive(Clone, Default)]
pub struct Clock(Source);

#[derive(Clone, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<Hands>),
}

impl Clock {
    /// The machine's clocks.
    ///
    /// The monotonic one is tokio's in a tokio runtime, so that a test that pauses it sees timers follow
    /// (feature `tokio`), and [`Instant`] elsewhere; the two agree unless tokio's is paused. A paused clock is seen only inside its
    /// runtime.
    ///
    /// The wall clock is [`SystemTime`], and where tokio's clock was paused or advanced it is off by as much: an hour there is an hour
    /// of both clocks. A test on a paused clock counts from [`wall`](Clock::wall), and not from `SystemTime::now`, which tokio does
    /// not pause. What it shows then is exact to the time that it takes to read the machine's clocks; a [`ManualClock`] is exact.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Clock;
    /// let clock = Clock::system();
    /// assert!(clock.now() <= clock.now());
    /// ```
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// The monotonic time.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ManualClock;
    /// let manual = ManualClock::new();
    /// assert_eq!(manual.clock().now(), manual.now());
    /// ```
    #[must_use]
    pub fn now(&self) -> Instant {
        match &self.0 {
            Source::System => home::now(),
            Source::Manual(hands) => hands.now(),
        }
    }

    /// The time of the wall clock.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ManualClock;
    /// use std::time::SystemTime;
    ///
    /// let manual = ManualClock::new();
    /// manual.set_wall(SystemTime::UNIX_EPOCH);
    /// assert_eq!(manual.clock().wall(), SystemTime::UNIX_EPOCH);
    /// ```
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        match &self.0 {
            Source::System => home::wall(),
            Source::Manual(hands) => hands.wall(),
        }
    }

    /// Who turns this clock for the calling task or thread.
    pub(crate) fn home(&self) -> Home {
        match &self.0 {
            Source::System => Home::here(),
            Source::Manual(_) => Home::Anywhere,
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.0 {
            Source::System => "system",
            Source::Manual(_) => "manual",
        };
        f.debug_struct("Clock").field("source", &source).finish_non_exhaustive()
    }
}

// ===== moments =====

/// A point in time by one of the two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Monotonic(Instant),
    Wall(SystemTime),
}

/// A look at a clock, which is read once for each kind of time that is asked for.
#[derive(Debug)]
pub(crate) struct Look<'a> {
    clock: &'a Clock,
    now: Option<Instant>,
    wall: Option<SystemTime>,
}

impl Clock {
    pub(crate) fn look(&self) -> Look<'_> {
        Look { clock: self, now: None, wall: None }
    }
}

impl Look<'_> {
    pub(crate) fn now(&mut self) -> Instant {
        *self.now.get_or_insert_with(|| self.clock.now())
    }

    fn wall(&mut self) -> SystemTime {
        *self.wall.get_or_insert_with(|| self.clock.wall())
    }
}

impl Moment {
    /// How long ago it was; `None` if it is yet to come.
    pub(crate) fn passed(self, look: &mut Look<'_>) -> Option<Duration> {
        match self {
            Self::Monotonic(at) => look.now().checked_duration_since(at),
            Self::Wall(at) => look.wall().duration_since(at).ok(),
        }
    }

    /// How long it is until then; zero if it has passed.
    pub(crate) fn remaining(self, look: &mut Look<'_>) -> Duration {
        match self {
            Self::Monotonic(at) => at.saturating_duration_since(look.now()),
            Self::Wall(at) => at.duration_since(look.wall()).unwrap_or_default(),
        }
    }
}
