//! The permits, and the wait for them.

use super::{Count, Permits, Semaphore};
use crate::dispatch::{Answer, Halves, Leave, Part, Wait, drop_part, poll_part};
use crate::error::AcquireError;
use std::{
    borrow::Borrow,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

// ===== permit =====

/// Permits held through a reference: what [`Semaphore::acquire`] answers.
///
/// # Examples
///
/// See [`Semaphore::acquire`].
pub type Permit<'a> = HeldPermits<&'a Semaphore>;

/// Permits held through a handle of their own: what [`Semaphore::acquire_owned`] answers.
///
/// # Examples
///
/// See [`Semaphore::acquire_owned`].
pub type OwnedPermit = HeldPermits<Semaphore>;

/// One or several permits; dropping them puts them back. Used by its names [`Permit`] and [`OwnedPermit`].
///
/// If others have filled the semaphore up to its maximum meanwhile, what does not fit any more is gone. That they go back by
/// themselves is the manner of tokio; a unit of Win32 stays away until somebody releases one, see
/// [`forget`](HeldPermits::forget).
///
/// # Examples
///
/// See [`Semaphore::acquire`].
#[must_use = "the permits go back as soon as they are dropped"]
#[clippy::has_significant_drop]
pub struct HeldPermits<H: Borrow<Semaphore>> {
    semaphore: H,
    n: u64,
}

impl<H: Borrow<Semaphore>> HeldPermits<H> {
    #[inline]
    pub(super) fn new(semaphore: H, n: u32) -> Self {
        Self { semaphore, n: n.into() }
    }

    /// How many permits these are.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Semaphore;
    /// assert_eq!(Semaphore::new(3, 3).try_acquire_many(2)?.num_permits(), 2);
    /// # Ok::<_, batons::TryAcquireError>(())
    /// ```
    #[must_use]
    pub fn num_permits(&self) -> u32 {
        u32::try_from(self.n).unwrap_or(u32::MAX)
    }

    /// Drops the permits without putting them back; an explicit [`Semaphore::release`] can. That is how a
    /// unit taken in Win32 behaves.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Semaphore;
    /// let semaphore = Semaphore::new(1, 1);
    /// semaphore.try_acquire()?.forget();
    /// assert_eq!(semaphore.available(), 0);
    /// assert_eq!(semaphore.release(1), Ok(0));
    /// # Ok::<_, batons::TryAcquireError>(())
    /// ```
    pub fn forget(mut self) {
        self.n = 0;
    }

    /// Splits `n` permits off, or changes nothing if there are not as many.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Semaphore;
    /// let semaphore = Semaphore::new(3, 3);
    /// let mut permits = semaphore.try_acquire_many(3)?;
    /// drop(permits.split(2).expect("there are three"));
    /// assert_eq!((permits.num_permits(), semaphore.available()), (1, 2));
    /// # Ok::<_, batons::TryAcquireError>(())
    /// ```
    #[must_use = "the permits split off go back as soon as they are dropped"]
    pub fn split(&mut self, n: u32) -> Option<Self>
    where
        H: Clone,
    {
        self.n = self.n.checked_sub(n.into())?;
        Some(Self { semaphore: self.semaphore.clone(), n: n.into() })
    }

    /// Adds the permits of `other` to these.
    ///
    /// # Panics
    ///
    /// If they are of another semaphore; both go back then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Semaphore;
    /// let semaphore = Semaphore::new(3, 3);
    /// let mut permits = semaphore.try_acquire()?;
    /// permits.merge(semaphore.try_acquire()?);
    /// assert_eq!(permits.num_permits(), 2);
    /// # Ok::<_, batons::TryAcquireError>(())
    /// ```
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        let same = Arc::ptr_eq(&self.semaphore.borrow().header, &other.semaphore.borrow().header);
        assert!(same, "permits of two semaphores cannot be merged");
        self.n = self.n.saturating_add(std::mem::take(&mut other.n));
    }
}

impl<H: Borrow<Semaphore>> Drop for HeldPermits<H> {
    #[inline]
    fn drop(&mut self) {
        if self.n > 0 {
            self.semaphore.borrow().header.change(|state| (Count(state).returned(self.n), ()));
        }
    }
}

impl<H: Borrow<Semaphore>> fmt::Debug for HeldPermits<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldPermits").field("n", &self.n).finish_non_exhaustive()
    }
}

// ===== future =====

/// Future of [`Semaphore::acquire`] and its variants.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct AcquirePermits<H: Borrow<Semaphore>> {
    /// Leaves with the answer.
    semaphore: Option<H>,
    wait: Wait<Permits>,
}

impl<H: Borrow<Semaphore>> AcquirePermits<H> {
    #[inline]
    pub(super) fn new(semaphore: H, n: u32) -> Self {
        Self { semaphore: Some(semaphore), wait: Wait::new(n.into(), 0, Leave::Vacant) }
    }
}

// Nothing in here is ever pinned.
impl<H: Borrow<Semaphore>> Unpin for AcquirePermits<H> {}

impl<H: Borrow<Semaphore>> Part for AcquirePermits<H> {
    type Policy = Permits;

    #[inline]
    fn wait(&mut self) -> Option<Halves<'_, Permits>> {
        Some((&self.semaphore.as_ref()?.borrow().header, &mut self.wait))
    }

    #[inline]
    fn finish(&mut self, answer: Answer<Permits>) -> Self::Output {
        let semaphore = self.semaphore.take().expect("a wait is answered once");
        answer.map(|()| HeldPermits { semaphore, n: self.wait.request() })
    }
}

impl<H: Borrow<Semaphore>> Future for AcquirePermits<H> {
    type Output = Result<HeldPermits<H>, AcquireError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        poll_part(&mut *self, cx, "AcquirePermits")
    }
}

impl<H: Borrow<Semaphore>> Drop for AcquirePermits<H> {
    #[inline]
    fn drop(&mut self) {
        drop_part(self);
    }
}

impl<H: Borrow<Semaphore>> fmt::Debug for AcquirePermits<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcquirePermits").field("n", &self.wait.request()).finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<H: Borrow<Semaphore>> futures::future::FusedFuture for AcquirePermits<H> {
    fn is_terminated(&self) -> bool {
        self.semaphore.is_none()
    }
}
