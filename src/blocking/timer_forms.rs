//! The blocking forms of timers.

use super::{wait, wait_timeout};
use crate::timer::WaitableTimer;
use std::time::Duration;

impl WaitableTimer {
    /// [`wait`](WaitableTimer::wait) for a thread. Needs no runtime. Win32 `WaitForSingleObject`.
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Due, WaitableTimer};
    /// # use std::time::Duration;
    /// let timer = WaitableTimer::auto();
    /// timer.set(Due::after(Duration::from_millis(1)), None);
    /// timer.blocking_wait();
    /// ```
    #[track_caller]
    pub fn blocking_wait(&self) {
        wait(self.wait());
    }

    /// [`wait`](WaitableTimer::wait) for a thread that waits for `duration` at most; false if the time was over
    /// first. See [`wait_timeout`].
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Due, WaitableTimer};
    /// # use std::time::Duration;
    /// let timer = WaitableTimer::auto();
    /// timer.set(Due::after(Duration::ZERO), None);
    /// assert!(timer.blocking_wait_timeout(Duration::ZERO)); // what is set beats any deadline
    /// assert!(!timer.blocking_wait_timeout(Duration::ZERO));
    /// ```
    #[track_caller]
    #[must_use]
    pub fn blocking_wait_timeout(&self, duration: Duration) -> bool {
        wait_timeout(self.wait(), duration).is_ok()
    }
}
