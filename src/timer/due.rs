//! When a timer is due.

use crate::clock::{Look, Moment};
use std::time::{Duration, Instant, SystemTime};

/// When a [`WaitableTimer`](crate::WaitableTimer) is due first.
///
/// A due time in the past is due at once. One beyond the range of its clock never comes; it is accepted all the same.
///
/// # Examples
///
/// ```
/// use batons::{Due, ManualClock, WaitableTimer};
/// use std::time::{Duration, SystemTime};
///
/// let timer = WaitableTimer::manual_on(&ManualClock::new().clock());
/// timer.set(Due::after(Duration::MAX), None);
/// assert!(!timer.is_set()); // and never will be
/// timer.set(Due::at(SystemTime::UNIX_EPOCH), None);
/// assert!(timer.is_set());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due(When);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    After(Duration),
    At(Moment),
}

impl Due {
    /// `duration` after the call of [`set`](crate::WaitableTimer::set), by the monotonic clock. Win32 a negative due time, there in units
    /// of 100 ns.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Due, WaitableTimer};
    /// # use std::time::Duration;
    /// let timer = WaitableTimer::auto();
    /// timer.set(Due::after(Duration::ZERO), None);
    /// assert!(timer.try_wait());
    /// ```
    #[must_use]
    pub fn after(duration: Duration) -> Self {
        Self(When::After(duration))
    }

    /// When the wall clock shows `time`, whatever it is set to meanwhile. Win32 a positive due time.
    ///
    /// If the clock is set forward beyond `time` the timer expires at once, if it is set back it expires later. On
    /// Linux, with feature `wall-clock` (on by default), who waits notices at once; elsewhere within a second. A
    /// timer that nobody waits for looks at the clock when it is asked: if the clock has passed `time` and
    /// was set back since, `time` is still to come. A `time` in the past is the time of the [setting](crate::WaitableTimer::set): periods are counted from there,
    /// and a completion call is told that.
    ///
    /// Under a paused clock of tokio count from [`Clock::wall`](crate::Clock::wall); see [`Clock::system`](crate::Clock::system).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Due, WaitableTimer};
    /// # use std::time::SystemTime;
    /// let timer = WaitableTimer::auto();
    /// timer.set(Due::at(SystemTime::now()), None);
    /// assert!(timer.try_wait());
    /// ```
    #[must_use]
    pub fn at(time: SystemTime) -> Self {
        Self(When::At(Moment::Wall(time)))
    }

    /// At a time of the monotonic clock. Win32 has none.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Due, WaitableTimer};
    /// # use std::time::Instant;
    /// let timer = WaitableTimer::auto();
    /// timer.set(Due::at_instant(Instant::now()), None);
    /// assert!(timer.try_wait());
    /// ```
    #[must_use]
    pub fn at_instant(instant: Instant) -> Self {
        Self(When::At(Moment::Monotonic(instant)))
    }

    /// The moment meant by whoever sets it now; `None` for never.
    pub(super) fn moment(self, look: &mut Look<'_>) -> Option<Moment> {
        match self.0 {
            When::After(duration) => look.now().checked_add(duration).map(Moment::Monotonic),
            // Long ago is now: what counts periods must not be a date.
            When::At(moment @ Moment::Wall(_)) if moment.passed(look).is_some() => {
                Some(Moment::Monotonic(look.now()))
            }
            When::At(moment) => Some(moment),
        }
    }
}
