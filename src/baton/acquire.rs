//! The wait for a turn, and the turn itself.

use super::{Baton, Turns};
use crate::dispatch::{Answer, Halves, Part, Wait, drop_part, poll_part};
use crate::error::AcquireError;
use std::{
    borrow::Borrow,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

// ===== future =====

/// Future of [`Baton::acquire`] and [`Baton::acquire_owned`], and of the same on a [`Ticket`](super::Ticket).
///
/// `H` is how it refers to the baton: `&Baton`, or `Baton` in the owned form. The method that made it
/// says what a drop gives up.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Acquire<H: Borrow<Baton>> {
    /// Leaves with the answer.
    baton: Option<H>,
    wait: Wait<Turns>,
}

impl<H: Borrow<Baton>> Acquire<H> {
    pub(super) fn new(baton: H, wait: Wait<Turns>) -> Self {
        Self { baton: Some(baton), wait }
    }
}

// Nothing in here is ever pinned.
impl<H: Borrow<Baton>> Unpin for Acquire<H> {}

impl<H: Borrow<Baton>> Part for Acquire<H> {
    type Policy = Turns;

    #[inline]
    fn wait(&mut self) -> Option<Halves<'_, Turns>> {
        Some((&self.baton.as_ref()?.borrow().header, &mut self.wait))
    }

    #[inline]
    fn finish(&mut self, answer: Answer<Turns>) -> Self::Output {
        let baton = self.baton.take().expect("a wait is answered once");
        answer.map(|()| HeldBaton::new(baton, self.wait.number()))
    }
}

impl<H: Borrow<Baton>> Future for Acquire<H> {
    type Output = Result<HeldBaton<H>, AcquireError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        poll_part(&mut *self, cx, "Acquire")
    }
}

impl<H: Borrow<Baton>> Drop for Acquire<H> {
    #[inline]
    fn drop(&mut self) {
        drop_part(self);
    }
}

impl<H: Borrow<Baton>> fmt::Debug for Acquire<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seq = self.baton.as_ref().map(|baton| baton.borrow().turns().seq(self.wait.number()));
        f.debug_struct("Acquire").field("seq", &seq).finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<H: Borrow<Baton>> futures::future::FusedFuture for Acquire<H> {
    fn is_terminated(&self) -> bool {
        self.baton.is_none()
    }
}

// ===== guard =====

/// The baton held through a reference: what [`Baton::acquire`] answers.
///
/// # Examples
///
/// See [`Baton::acquire`].
pub type BatonGuard<'a> = HeldBaton<&'a Baton>;

/// The baton held through a handle of its own: what [`Baton::acquire_owned`] answers.
///
/// # Examples
///
/// See [`Baton::acquire_owned`].
pub type OwnedBatonGuard = HeldBaton<Baton>;

/// A turn. While it exists nobody else has one; dropping it hands the baton to the next number.
///
/// It is used by its two names, [`BatonGuard`] and [`OwnedBatonGuard`]. The guard is what owns the
/// turn, not the task or thread that got it: it may be sent elsewhere and dropped there. It releases
/// also when it is dropped by a panic. A guard that is leaked keeps its turn until the
/// baton is [closed](Baton::close).
///
/// # Examples
///
/// See [`release`](HeldBaton::release).
#[must_use = "the baton goes to the next number as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct HeldBaton<H: Borrow<Baton>> {
    baton: H,
    number: u64,
}

impl<H: Borrow<Baton>> HeldBaton<H> {
    pub(super) fn new(baton: H, number: u64) -> Self {
        Self { baton, number }
    }

    /// The number whose turn this is.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Baton;
    /// assert_eq!(Baton::new(5).try_acquire(5)?.seq(), 5);
    /// # Ok::<_, batons::TryAcquireError>(())
    /// ```
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.baton.borrow().turns().seq(self.number)
    }

    /// Hands the baton to the next number; the same as dropping the guard.
    ///
    /// If somebody waits for that number, it owns the baton when this returns, and its waker was called
    /// by the calling thread, under no lock. Win32 has no owner to check here: a guard cannot be
    /// released by another party, or twice.
    ///
    /// # Panics
    ///
    /// Only if that waker does; the turn has been handed over then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Baton;
    /// let baton = Baton::new(5);
    /// baton.try_acquire(5)?.release();
    /// assert!(baton.try_acquire(6).is_ok());
    /// # Ok::<_, batons::TryAcquireError>(())
    /// ```
    pub fn release(self) {
        drop(self);
    }
}

impl<H: Borrow<Baton>> Drop for HeldBaton<H> {
    #[inline]
    fn drop(&mut self) {
        self.baton.borrow().header.change(|state| (Turns::release(state), ()));
    }
}

impl<H: Borrow<Baton>> fmt::Debug for HeldBaton<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldBaton").field("seq", &self.seq()).finish_non_exhaustive()
    }
}
