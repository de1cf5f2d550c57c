//! A clock in the hands of a test.

use super::{Arming, Clock, Source};
use crate::sync::Lock;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime};

/// A clock that stands still until it is told to go on. For tests: no timer on it ever sleeps.
///
/// Clones are the same clock. It begins with the machine's time.
///
/// # Examples
///
/// ```
/// use batons::{Due, ManualClock, WaitableTimer};
/// use std::time::Duration;
///
/// let clock = ManualClock::new();
/// let timer = WaitableTimer::auto_on(&clock.clock());
/// timer.set(Due::after(Duration::from_secs(60)), None);
/// clock.advance(Duration::from_secs(59));
/// assert!(!timer.try_wait());
/// clock.advance(Duration::from_secs(1));
/// assert!(timer.try_wait());
/// ```
#[derive(Clone)]
pub struct ManualClock {
    hands: Arc<Hands>,
}

impl ManualClock {
    /// A clock that shows the machine's time and stands still.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ManualClock;
    /// let clock = ManualClock::new();
    /// assert_eq!(clock.now(), clock.now());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        let now = Instant::now();
        let time = Time::new(now, SystemTime::now());
        Self { hands: Arc::new(Hands(Lock::new(time))) }
    }

    /// What timers are made [on](crate::WaitableTimer::auto_on).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{ManualClock, WaitableTimer};
    /// let timer = WaitableTimer::manual_on(&ManualClock::new().clock());
    /// assert!(!timer.is_set());
    /// ```
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock(Source::Manual(Arc::clone(&self.hands)))
    }

    /// The monotonic time that it shows.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Due, ManualClock, WaitableTimer};
    /// let clock = ManualClock::new();
    /// let timer = WaitableTimer::auto_on(&clock.clock());
    /// timer.set(Due::at_instant(clock.now()), None);
    /// assert!(timer.try_wait());
    /// ```
    #[must_use]
    pub fn now(&self) -> Instant {
        self.hands.now()
    }

    /// Lets `duration` pass, on both clocks.
    ///
    /// The timers that somebody waits for, or that have a completion call, expire one after the other in the order of
    /// their due times; at each the clock shows that very time. Those of equal due times expire in the order in which
    /// they were begun to be waited for. A timer that nobody waits for notices when it is asked, and its
    /// missed periods are one.
    ///
    /// # Panics
    ///
    /// If the time is beyond the range of [`Instant`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ManualClock;
    /// # use std::time::Duration;
    /// let clock = ManualClock::new();
    /// let before = clock.now();
    /// clock.advance(Duration::from_millis(1));
    /// assert_eq!(clock.now() - before, Duration::from_millis(1));
    /// ```
    #[track_caller]
    pub fn advance(&self, duration: Duration) {
        let reached = self.hands.aim(duration);
        assert!(reached, "a manual clock was advanced beyond the range of `Instant`");
        while let Some(waker) = self.hands.strike() {
            waker.wake();
        }
    }

    /// Sets the wall clock, forward or back; the monotonic clock stays. Timers that are due at a `SystemTime`
    /// notice before this returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::{Due, ManualClock, WaitableTimer};
    /// use std::time::{Duration, SystemTime};
    ///
    /// let clock = ManualClock::new();
    /// let timer = WaitableTimer::auto_on(&clock.clock());
    /// let tomorrow = clock.clock().wall() + Duration::from_secs(86_400);
    /// timer.set(Due::at(tomorrow), None);
    /// clock.set_wall(tomorrow);
    /// assert!(timer.try_wait());
    /// ```
    pub fn set_wall(&self, wall: SystemTime) {
        let watchers: Vec<Waker> = {
            let mut time = self.hands.0.lock();
            (time.wall, time.since) = (wall, time.now);
            time.watchers.values().cloned().collect()
        };
        for watcher in watchers {
            watcher.wake();
        }
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualClock").field("now", &self.now()).finish_non_exhaustive()
    }
}

// ===== what it shows, and for whom it rings =====

pub(super) struct Hands(Lock<Time>);

struct Time {
    now: Instant,
    /// What it is advanced to; behind it only while it is ringing on the way.
    goal: Instant,
    /// What the wall clock showed when it was set last, and when that was.
    wall: SystemTime,
    since: Instant,
    entered: u64,
    due: BTreeMap<Place, Waker>,
    watchers: BTreeMap<u64, Waker>,
}

/// When, and which of those.
type Place = (Instant, u64);

impl Time {
    fn new(now: Instant, wall: SystemTime) -> Self {
        Self { now, goal: now, wall, since: now, entered: 0, due: BTreeMap::new(), watchers: BTreeMap::new() }
    }

    fn number(&mut self) -> u64 {
        self.entered += 1;
        self.entered
    }
}

impl Hands {
    pub(super) fn now(&self) -> Instant {
        self.0.lock().now
    }

    pub(super) fn wall(&self) -> SystemTime {
        let time = self.0.lock();
        time.wall.checked_add(time.now - time.since).unwrap_or(time.wall)
    }

    /// Moves the goal; false if there is no such time.
    fn aim(&self, duration: Duration) -> bool {
        let mut time = self.0.lock();
        let goal = time.goal.checked_add(duration);
        goal.map(|goal| time.goal = goal).is_some()
    }

    /// Goes on to whoever is due next, or else to the goal.
    fn strike(&self) -> Option<Waker> {
        let mut time = self.0.lock();
        let goal = time.goal;
        let Some(first) = time.due.first_entry().filter(|first| first.key().0 <= goal) else {
            time.now = time.goal;
            return None;
        };
        let ((at, _), waker) = first.remove_entry();
        time.now = time.now.max(at);
        Some(waker)
    }

    /// Rings at `at`, or says that it is past.
    pub(super) fn enter(self: &Arc<Self>, at: Instant, waker: Waker) -> Result<Entry, Arming> {
        let mut time = self.0.lock();
        if at <= time.now {
            drop(time);
            return Err(Arming::Due);
        }
        let place = (at, time.number());
        time.due.insert(place, waker);
        Ok(Entry { hands: Arc::clone(self), place })
    }

    /// Rings whenever the wall clock is set.
    pub(super) fn watch(self: &Arc<Self>, waker: Waker) -> Watching {
        let mut time = self.0.lock();
        let number = time.number();
        time.watchers.insert(number, waker);
        Watching { hands: Arc::clone(self), number }
    }
}

/// Somebody for whom it will ring.
pub(super) struct Entry {
    hands: Arc<Hands>,
    place: Place,
}

impl Drop for Entry {
    fn drop(&mut self) {
        // Dropped after the lock.
        let _waker = self.hands.0.lock().due.remove(&self.place);
    }
}

/// Somebody who is told when the wall clock is set.
pub(super) struct Watching {
    hands: Arc<Hands>,
    number: u64,
}

impl Drop for Watching {
    fn drop(&mut self) {
        // Dropped after the lock.
        let _waker = self.hands.0.lock().watchers.remove(&self.number);
    }
}
