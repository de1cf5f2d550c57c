//! A counting semaphore with a maximum.
//!
//! The whole behaviour is this table; the [`Policy`] of the file is its code. `c` is the count, `m` the
//! maximum.
//!
//! | state   | `acquire_many(n)`                                  | `release(n)`                                  | `resize(k)`             | `close`      |
//! |---------|----------------------------------------------------|-----------------------------------------------|-------------------------|--------------|
//! | open    | refused if `n > m`; takes `n` if `n ≤ c` and nobody is in line; else stands in line | refused if `n = 0` or `c + n > m`; else `c + n`, then the line is served in order | `m = k`, `c = min(c, k)` | closed, everybody in line is refused |
//! | closed  | refused                                            | as if open                                    | as if open              | nothing      |
//!
//! Permits that nobody saw or wants come back up to the maximum.

mod acquire;
mod resize;

pub use acquire::{AcquirePermits, HeldPermits, OwnedPermit, Permit};

use crate::dispatch::{Header, Leave, Offer, Policy, Signals, Verdict, Wait};
use crate::error::{AcquireError, ReleaseError, TryAcquireError};
use std::fmt;
use std::sync::Arc;

// ===== policy: pure, knows no waiter =====

/// The rules of a semaphore.
#[derive(Debug)]
pub struct Permits;

/// The largest maximum, that of Win32.
const MAX: u32 = i32::MAX as u32;

/// A state: bits 0 to 30 the count, 31 to 61 the maximum, bit 62 closed.
#[derive(Clone, Copy)]
struct Count(u64);

impl Count {
    const CLOSED: u64 = 1 << 62;

    fn new(count: u32, max: u32) -> Self {
        Self(u64::from(count) | u64::from(max) << 31)
    }

    #[allow(clippy::cast_possible_truncation)] // 31 bits
    #[inline]
    fn count(self) -> u32 {
        (self.0 & u64::from(MAX)) as u32
    }

    #[allow(clippy::cast_possible_truncation)] // 31 bits
    #[inline]
    fn max(self) -> u32 {
        (self.0 >> 31 & u64::from(MAX)) as u32
    }

    #[inline]
    fn is_closed(self) -> bool {
        self.0 & Self::CLOSED != 0
    }

    /// The same with another count.
    #[inline]
    fn with(self, count: u32) -> u64 {
        self.0 & !u64::from(MAX) | u64::from(count)
    }

    /// The state after `n` permits came back; what exceeds the maximum is gone.
    #[inline]
    fn returned(self, n: u64) -> u64 {
        let count = u64::from(self.count()).saturating_add(n).min(self.max().into());
        self.0 & !u64::from(MAX) | count
    }
}

impl Policy for Permits {
    // As wide as the words around it: mixed widths are slow to copy.
    type Request = u64;
    type Grant = ();
    type Refusal = AcquireError;

    #[inline]
    fn judge(&self, state: u64, n: u64, _: u64) -> Verdict<(), AcquireError> {
        let state = Count(state);
        if state.is_closed() {
            Verdict::Refuse(AcquireError::Closed)
        } else if n > state.max().into() {
            Verdict::Refuse(AcquireError::TooMany { max: state.max() })
        } else if n <= state.count().into() {
            Verdict::Take(state.0 - n, ())
        } else {
            Verdict::Queue
        }
    }

    #[inline]
    fn give_back(&self, state: u64, n: u64, (): ()) -> Offer {
        Offer::Anybody(Count(state).returned(n))
    }

    #[inline]
    fn closed(&self, state: u64) -> Option<AcquireError> {
        Count(state).is_closed().then_some(AcquireError::Closed)
    }
}

#[inline]
fn release(state: u64, n: u32) -> Result<(u64, u32), ReleaseError> {
    let state = Count(state);
    let (count, max) = (state.count(), state.max());
    match count.checked_add(n) {
        _ if n == 0 => Err(ReleaseError::Zero),
        Some(sum) if sum <= max => Ok((state.with(sum), count)),
        _ => Err(ReleaseError::OverMaximum { available: count, max }),
    }
}

// ===== the object =====

/// A count of permits with a maximum: [`acquire`](Semaphore::acquire) takes one or waits, and
/// [`release`](Semaphore::release), or dropping the permit, puts it back. Win32 `CreateSemaphore`.
///
/// Clones are handles to one semaphore. Anybody may release, whether it has acquired or not. In Win32 a
/// unit has no guard; [`forget`](HeldPermits::forget) the permit to have it so. If a permit should have a
/// number and its turn, take a [`Baton`](crate::Baton).
///
/// # Order
///
/// Strictly that of the first polls, also for [`acquire_many`](Semaphore::acquire_many): a large request at
/// the head makes smaller ones behind it wait. A newcomer overtakes none but [waits on
/// all](crate::wait_all) and a [`signal_and_wait`](crate::signal_and_wait) that cannot be granted yet.
/// Win32 promises no order.
///
/// # Memory ordering
///
/// What was done before a release is visible to whoever gets its permits.
///
/// # Examples
///
/// ```
/// use batons::Semaphore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), batons::AcquireError> {
/// let semaphore = Semaphore::new(2, 2);
/// let (first, _second) = (semaphore.acquire().await?, semaphore.acquire().await?);
/// assert_eq!(semaphore.available(), 0);
/// drop(first);
/// assert_eq!(semaphore.available(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Semaphore {
    header: Arc<Header<Permits>>,
}

impl Semaphore {
    /// Creates a semaphore with `initial` permits available, and never more than `max`.
    ///
    /// # Panics
    ///
    /// If `max` is 0 or more than 2,147,483,647, or if `initial` exceeds it; Win32 fails there.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Semaphore;
    /// let semaphore = Semaphore::new(0, 3);
    /// assert_eq!((semaphore.available(), semaphore.max()), (0, 3));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn new(initial: u32, max: u32) -> Self {
        check_max(max);
        assert!(
            initial <= max,
            "a semaphore cannot begin with {initial} of at most {max} permits; none was made"
        );
        Self { header: Arc::new(Header::new(Permits, Count::new(initial, max).0)) }
    }

    /// Waits for a permit. Win32 `WaitForSingleObject`.
    ///
    /// The first poll takes a permit if one is free and nobody is in line, or stands in line. Whoever
    /// releases takes the permit off the count for the first in line before waking it. The thread's form is
    /// [`blocking_acquire`](Semaphore::blocking_acquire).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. Dropping the future gives up the place in line and changes nothing else; a permit that
    /// was granted and not seen goes to the next in line or back to the count, up to the maximum.
    ///
    /// # Errors
    ///
    /// [`Closed`](AcquireError::Closed), at any time; nothing is changed.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Semaphore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::AcquireError> {
    /// let semaphore = Semaphore::new(1, 1);
    /// let permit = semaphore.acquire().await?;
    /// assert_eq!(semaphore.available(), 0);
    /// # drop(permit);
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn acquire(&self) -> AcquirePermits<&Self> {
        AcquirePermits::new(self, 1)
    }

    /// Waits for `n` permits at once: all or none. For 0 it waits its turn and takes nothing. Ours; in
    /// Win32 a wait takes one.
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Semaphore::acquire).
    ///
    /// # Errors
    ///
    /// [`TooMany`](AcquireError::TooMany) if `n` exceeds the maximum, at once, or when a
    /// [`resize`](Semaphore::resize) makes it so; [`Closed`](AcquireError::Closed). Nothing is changed.
    ///
    /// # Panics
    ///
    /// As [`acquire`](Semaphore::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Semaphore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::AcquireError> {
    /// let semaphore = Semaphore::new(3, 3);
    /// let _two = semaphore.acquire_many(2).await?;
    /// assert_eq!(semaphore.available(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn acquire_many(&self, n: u32) -> AcquirePermits<&Self> {
        AcquirePermits::new(self, n)
    }

    /// [`acquire`](Semaphore::acquire) with a future and a permit that may leave the scope.
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Semaphore::acquire).
    ///
    /// # Errors
    ///
    /// As [`acquire`](Semaphore::acquire).
    ///
    /// # Panics
    ///
    /// As [`acquire`](Semaphore::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{OwnedPermit, Semaphore};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::AcquireError> {
    /// let permit: OwnedPermit = Semaphore::new(1, 1).acquire_owned().await?;
    /// std::thread::spawn(move || drop(permit)).join().unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn acquire_owned(&self) -> AcquirePermits<Self> {
        AcquirePermits::new(self.clone(), 1)
    }

    /// [`acquire_many`](Semaphore::acquire_many) with a future and a permit that may leave the scope.
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Semaphore::acquire).
    ///
    /// # Errors
    ///
    /// As [`acquire_many`](Semaphore::acquire_many).
    ///
    /// # Panics
    ///
    /// As [`acquire`](Semaphore::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Semaphore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::AcquireError> {
    /// let permits = Semaphore::new(3, 3).acquire_many_owned(2).await?;
    /// assert_eq!(permits.num_permits(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn acquire_many_owned(&self, n: u32) -> AcquirePermits<Self> {
        AcquirePermits::new(self.clone(), n)
    }

    /// Takes a permit if one is free and nobody is in line for it; never waits.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](TryAcquireError::WouldBlock), [`Closed`](TryAcquireError::Closed). Nothing is changed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Semaphore, TryAcquireError};
    /// let semaphore = Semaphore::new(1, 1);
    /// let _permit = semaphore.try_acquire()?;
    /// assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::WouldBlock);
    /// # Ok::<_, TryAcquireError>(())
    /// ```
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `n` permits if they are free and nobody is in line; never waits.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](TryAcquireError::WouldBlock), [`TooMany`](TryAcquireError::TooMany),
    /// [`Closed`](TryAcquireError::Closed). Nothing is changed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Semaphore, TryAcquireError};
    /// let refused = Semaphore::new(1, 1).try_acquire_many(2).unwrap_err();
    /// assert_eq!(refused, TryAcquireError::TooMany { max: 1 });
    /// ```
    #[inline]
    pub fn try_acquire_many(&self, n: u32) -> Result<Permit<'_>, TryAcquireError> {
        match Wait::new(n.into(), 0, Leave::Vacant).now(&self.header) {
            Some(granted) => Ok(granted.map(|()| HeldPermits::new(self, n))?),
            None => Err(TryAcquireError::WouldBlock),
        }
    }

    /// Adds `n` permits, serves the line, and returns the count before. Win32 `ReleaseSemaphore`.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`] if `n` is 0 or the count would exceed the maximum. The limit is tested before
    /// anybody is served, so it does not help that somebody waits (Windows and ntsync). Nothing is changed.
    ///
    /// # Panics
    ///
    /// Only if a waker does; the permits have been added then, and the others woken.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{ReleaseError, Semaphore};
    /// let semaphore = Semaphore::new(0, 2);
    /// assert_eq!(semaphore.release(2), Ok(0));
    /// assert_eq!(semaphore.release(1), Err(ReleaseError::OverMaximum { available: 2, max: 2 }));
    /// ```
    #[inline]
    pub fn release(&self, n: u32) -> Result<u32, ReleaseError> {
        self.header.signal(|_, state| release(state, n), |_, state| state)
    }

    /// How many permits are free. Stale as soon as it is read: report it, do not act on it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Semaphore;
    /// assert_eq!(Semaphore::new(1, 2).available(), 1);
    /// ```
    #[must_use]
    pub fn available(&self) -> u32 {
        Count(self.header.state()).count()
    }

    /// How many permits may be free at most.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Semaphore;
    /// assert_eq!(Semaphore::new(1, 2).max(), 2);
    /// ```
    #[must_use]
    #[inline]
    pub fn max(&self) -> u32 {
        Count(self.header.state()).max()
    }

    /// Ends the semaphore: everyone in line gets [`Closed`](AcquireError::Closed), and so does everyone who
    /// comes later. A grant that was made and not yet seen is still answered, and permits that are out may
    /// be kept and dropped. Win32 would leave the waiters waiting.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{AcquireError, Semaphore};
    /// let semaphore = Semaphore::new(1, 1);
    /// semaphore.close();
    /// assert_eq!(semaphore.blocking_acquire().unwrap_err(), AcquireError::Closed);
    /// ```
    pub fn close(&self) {
        self.header.close(|state| state | Count::CLOSED);
    }

    /// Whether the semaphore was closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Semaphore;
    /// assert!(!Semaphore::new(1, 1).is_closed());
    /// ```
    #[must_use]
    #[inline]
    pub fn is_closed(&self) -> bool {
        Count(self.header.state()).is_closed()
    }
}

#[track_caller]
fn check_max(max: u32) {
    assert!(
        (1..=MAX).contains(&max),
        "the maximum of a semaphore must be 1 to 2^31 - 1, not {max}; nothing was changed"
    );
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = Count(self.header.state());
        f.debug_struct("Semaphore")
            .field("available", &state.count())
            .field("max", &state.max())
            .field("closed", &state.is_closed())
            .finish_non_exhaustive()
    }
}

impl Signals for &Semaphore {
    type Policy = Permits;
    type Error = ReleaseError;

    fn header(&self) -> &Arc<Header<Permits>> {
        &self.header
    }

    fn change(&self, state: u64) -> Result<(u64, ()), ReleaseError> {
        release(state, 1).map(|(state, _)| (state, ()))
    }

    fn signaled(self) {}
}
