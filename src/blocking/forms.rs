//! The blocking forms of the objects, each of them [`wait`] or [`wait_timeout`] on the object's future.

use super::{refuse_on_runtime_worker, wait, wait_timeout};
use crate::baton::{Baton, BatonGuard, Ticket};
use crate::error::{Abandoned, AcquireError, AcquireTimeoutError, TimedOut, WaitError};
use crate::event::{Event, Kind};
use crate::multi_wait::{self, WaitList};
use crate::mutex::{CriticalSection, CriticalSectionGuard, Mutex, MutexGuard, Owner};
use crate::semaphore::{Permit, Semaphore};
use std::time::Duration;

// ===== baton =====

impl Baton {
    /// [`acquire`](Baton::acquire) for a thread.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Baton::acquire).
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::Baton;
    ///
    /// let baton = Baton::new(1);
    /// std::thread::scope(|scope| {
    ///     for n in [3, 2, 1] {
    ///         let baton = &baton;
    ///         scope.spawn(move || {
    ///             let _guard = baton.blocking_acquire(n).expect("each number is acquired once");
    ///             println!("{n}"); // prints 1, 2, 3
    ///         });
    ///     }
    /// });
    /// ```
    #[track_caller]
    #[doc(alias = "acquire_blocking")]
    pub fn blocking_acquire(&self, seq: u64) -> Result<BatonGuard<'_>, AcquireError> {
        wait(self.acquire(seq))
    }

    /// [`acquire`](Baton::acquire) for a thread that waits for `duration` at most; see [`wait_timeout`].
    ///
    /// # Errors
    ///
    /// [`TimedOut`](AcquireTimeoutError::TimedOut), otherwise as [`acquire`](Baton::acquire).
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::{AcquireTimeoutError, Baton};
    /// use std::time::Duration;
    ///
    /// let baton = Baton::new(1);
    /// let refused = baton.blocking_acquire_timeout(2, Duration::from_millis(1));
    /// assert_eq!(refused.unwrap_err(), AcquireTimeoutError::TimedOut);
    /// ```
    #[track_caller]
    #[doc(alias = "acquire_timeout")]
    pub fn blocking_acquire_timeout(
        &self,
        seq: u64,
        duration: Duration,
    ) -> Result<BatonGuard<'_>, AcquireTimeoutError> {
        Ok(wait_timeout(self.acquire(seq), duration)??)
    }
}

impl Ticket {
    /// [`acquire`](Ticket::acquire) for a thread.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Ticket::acquire).
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Baton;
    /// let mut ticket = Baton::new(5).ticket();
    /// assert_eq!(ticket.blocking_acquire()?.seq(), 5);
    /// # Ok::<_, batons::AcquireError>(())
    /// ```
    #[track_caller]
    pub fn blocking_acquire(&mut self) -> Result<BatonGuard<'_>, AcquireError> {
        wait(self.acquire())
    }

    /// [`acquire`](Ticket::acquire) for a thread that waits for `duration` at most; a time-out keeps the
    /// ticket's place. See [`wait_timeout`].
    ///
    /// # Errors
    ///
    /// [`TimedOut`](AcquireTimeoutError::TimedOut), otherwise as [`acquire`](Ticket::acquire).
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{AcquireTimeoutError, Baton};
    /// # use std::time::Duration;
    /// let baton = Baton::new(5);
    /// let (first, mut second) = (baton.ticket(), baton.ticket());
    /// let refused = second.blocking_acquire_timeout(Duration::from_millis(1));
    /// assert_eq!(refused.unwrap_err(), AcquireTimeoutError::TimedOut);
    /// drop(first);
    /// assert_eq!(second.blocking_acquire()?.seq(), 6);
    /// # Ok::<_, batons::AcquireError>(())
    /// ```
    #[track_caller]
    pub fn blocking_acquire_timeout(
        &mut self,
        duration: Duration,
    ) -> Result<BatonGuard<'_>, AcquireTimeoutError> {
        Ok(wait_timeout(self.acquire(), duration)??)
    }
}

// ===== event =====

impl<K: Kind> Event<K> {
    /// [`wait`](Event::wait) for a thread. Win32 `WaitForSingleObject`.
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ManualResetEvent;
    /// let ready = ManualResetEvent::new(false);
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| ready.blocking_wait());
    ///     ready.set();
    /// });
    /// ```
    #[track_caller]
    pub fn blocking_wait(&self) {
        wait(self.wait());
    }

    /// [`wait`](Event::wait) for a thread that waits for `duration` at most; false if the time was over
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
    /// # use batons::AutoResetEvent;
    /// # use std::time::Duration;
    /// let event = AutoResetEvent::new(true);
    /// assert!(event.blocking_wait_timeout(Duration::ZERO)); // what is set beats any deadline
    /// assert!(!event.blocking_wait_timeout(Duration::ZERO));
    /// ```
    #[track_caller]
    #[must_use]
    pub fn blocking_wait_timeout(&self, duration: Duration) -> bool {
        wait_timeout(self.wait(), duration).is_ok()
    }
}

// ===== semaphore =====

impl Semaphore {
    /// [`acquire`](Semaphore::acquire) for a thread.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Semaphore::acquire).
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Semaphore;
    /// let semaphore = Semaphore::new(1, 1);
    /// let permit = semaphore.blocking_acquire()?;
    /// assert_eq!(semaphore.available(), 0);
    /// # drop(permit);
    /// # Ok::<_, batons::AcquireError>(())
    /// ```
    #[track_caller]
    pub fn blocking_acquire(&self) -> Result<Permit<'_>, AcquireError> {
        wait(self.acquire())
    }

    /// [`acquire_many`](Semaphore::acquire_many) for a thread.
    ///
    /// # Errors
    ///
    /// As [`acquire_many`](Semaphore::acquire_many).
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Semaphore;
    /// let semaphore = Semaphore::new(3, 3);
    /// assert_eq!(semaphore.blocking_acquire_many(2)?.num_permits(), 2);
    /// # Ok::<_, batons::AcquireError>(())
    /// ```
    #[track_caller]
    pub fn blocking_acquire_many(&self, n: u32) -> Result<Permit<'_>, AcquireError> {
        wait(self.acquire_many(n))
    }

    /// [`acquire`](Semaphore::acquire) for a thread that waits for `duration` at most; see [`wait_timeout`].
    ///
    /// # Errors
    ///
    /// [`TimedOut`](AcquireTimeoutError::TimedOut), otherwise as [`acquire`](Semaphore::acquire).
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{AcquireTimeoutError, Semaphore};
    /// # use std::time::Duration;
    /// let refused = Semaphore::new(0, 1).blocking_acquire_timeout(Duration::from_millis(1)).unwrap_err();
    /// assert_eq!(refused, AcquireTimeoutError::TimedOut);
    /// ```
    #[track_caller]
    pub fn blocking_acquire_timeout(&self, duration: Duration) -> Result<Permit<'_>, AcquireTimeoutError> {
        Ok(wait_timeout(self.acquire(), duration)??)
    }

    /// [`acquire_many`](Semaphore::acquire_many) for a thread that waits for `duration` at most; see
    /// [`wait_timeout`].
    ///
    /// # Errors
    ///
    /// [`TimedOut`](AcquireTimeoutError::TimedOut), otherwise as [`acquire_many`](Semaphore::acquire_many).
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{AcquireTimeoutError, Semaphore};
    /// # use std::time::Duration;
    /// let refused = Semaphore::new(1, 1).blocking_acquire_many_timeout(2, Duration::ZERO).unwrap_err();
    /// assert_eq!(refused, AcquireTimeoutError::TooMany { max: 1 });
    /// ```
    #[track_caller]
    pub fn blocking_acquire_many_timeout(
        &self,
        n: u32,
        duration: Duration,
    ) -> Result<Permit<'_>, AcquireTimeoutError> {
        Ok(wait_timeout(self.acquire_many(n), duration)??)
    }
}

// ===== mutex =====

impl Mutex {
    /// [`lock`](Mutex::lock) for a thread.
    ///
    /// # Errors
    ///
    /// As [`lock`](Mutex::lock).
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Mutex, Owner};
    /// let (mutex, me) = (Mutex::new(), Owner::new());
    /// let guard = mutex.blocking_lock(&me).expect("nobody has abandoned it");
    /// assert!(mutex.is_owned_by(&me));
    /// # drop(guard);
    /// ```
    #[track_caller]
    pub fn blocking_lock(&self, owner: &Owner) -> Result<MutexGuard<'_>, Abandoned<MutexGuard<'_>>> {
        wait(self.lock(owner))
    }

    /// [`lock`](Mutex::lock) for a thread that waits for `duration` at most; see [`wait_timeout`].
    ///
    /// # Errors
    ///
    /// [`TimedOut`], and then the mutex is not owned; within, as [`lock`](Mutex::lock).
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Mutex, Owner};
    /// # use std::time::Duration;
    /// let (mutex, me, you) = (Mutex::new(), Owner::new(), Owner::new());
    /// let guard = mutex.blocking_lock(&me).unwrap();
    /// assert!(mutex.blocking_lock_timeout(&you, Duration::from_millis(1)).is_err());
    /// # drop(guard);
    /// ```
    #[track_caller]
    pub fn blocking_lock_timeout(
        &self,
        owner: &Owner,
        duration: Duration,
    ) -> Result<Result<MutexGuard<'_>, Abandoned<MutexGuard<'_>>>, TimedOut> {
        wait_timeout(self.lock(owner), duration)
    }
}

// ===== critical section =====

impl CriticalSection {
    /// Enters the section, waiting as long as another thread is inside. Win32 `EnterCriticalSection`.
    ///
    /// Spins as often as the section says, then sleeps in line. There is no form with a deadline, nor has
    /// Win32 one.
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime, even if the section is
    /// free; see [the module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CriticalSection;
    /// let section = CriticalSection::new();
    /// let guard = section.enter();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| assert!(section.try_enter().is_none()));
    /// });
    /// # drop(guard);
    /// ```
    #[track_caller]
    pub fn enter(&self) -> CriticalSectionGuard<'_> {
        refuse_on_runtime_worker();
        self.spin().unwrap_or_else(|| wait(self.entering()))
    }
}

// ===== several at once =====

/// [`wait_any`](crate::wait_any) for a thread.
///
/// # Errors
///
/// As [`wait_any`](crate::wait_any).
///
/// # Panics
///
/// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
/// module](crate::blocking).
///
/// # Examples
///
/// ```
/// use batons::{AutoResetEvent, blocking};
///
/// let (one, two) = (AutoResetEvent::new(false), AutoResetEvent::new(true));
/// assert_eq!(blocking::wait_any([one.wait(), two.wait()])?.0, 1);
/// # Ok::<_, batons::WaitError>(())
/// ```
#[track_caller]
pub fn wait_any<L: WaitList>(waits: L) -> Result<(usize, L::Any), WaitError> {
    wait(multi_wait::wait_any(waits))
}

/// [`wait_any`](crate::wait_any) for a thread that waits for `duration` at most. An object that is ready
/// beats any deadline.
///
/// # Errors
///
/// [`WaitError::TimedOut`], with nothing taken; otherwise as [`wait_any`](crate::wait_any).
///
/// # Panics
///
/// As [`wait_any`].
///
/// # Examples
///
/// ```
/// # use batons::{AutoResetEvent, WaitError, blocking};
/// # use std::time::Duration;
/// let event = AutoResetEvent::new(false);
/// let refused = blocking::wait_any_timeout([event.wait()], Duration::from_millis(1));
/// assert!(matches!(refused, Err(WaitError::TimedOut)));
/// ```
#[track_caller]
pub fn wait_any_timeout<L: WaitList>(waits: L, duration: Duration) -> Result<(usize, L::Any), WaitError> {
    wait_timeout(multi_wait::wait_any(waits), duration)?
}

/// [`wait_all`](crate::wait_all) for a thread.
///
/// # Errors
///
/// As [`wait_all`](crate::wait_all).
///
/// # Panics
///
/// As [`wait_any`].
///
/// # Examples
///
/// ```
/// # use batons::{AutoResetEvent, Semaphore, blocking};
/// let (event, semaphore) = (AutoResetEvent::new(true), Semaphore::new(1, 1));
/// let ((), _permit) = blocking::wait_all((event.wait(), semaphore.acquire()))?;
/// # Ok::<_, batons::WaitError>(())
/// ```
#[track_caller]
pub fn wait_all<L: WaitList>(waits: L) -> Result<L::All, WaitError> {
    wait(multi_wait::wait_all(waits))
}

/// [`wait_all`](crate::wait_all) for a thread that waits for `duration` at most. Objects that are ready
/// together beat any deadline.
///
/// # Errors
///
/// [`WaitError::TimedOut`], with nothing taken; otherwise as [`wait_all`](crate::wait_all).
///
/// # Panics
///
/// As [`wait_any`].
///
/// # Examples
///
/// ```
/// # use batons::{AutoResetEvent, blocking};
/// # use std::time::Duration;
/// let (set, unset) = (AutoResetEvent::new(true), AutoResetEvent::new(false));
/// assert!(blocking::wait_all_timeout([set.wait(), unset.wait()], Duration::from_millis(1)).is_err());
/// assert!(set.is_set()); // nothing was taken
/// ```
#[track_caller]
pub fn wait_all_timeout<L: WaitList>(waits: L, duration: Duration) -> Result<L::All, WaitError> {
    wait_timeout(multi_wait::wait_all(waits), duration)?
}
