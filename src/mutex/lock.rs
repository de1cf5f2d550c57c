//! The wait for a mutex, and a level of it.

use super::{Mutex, Owner, OwnerInner, Ownership, Told, abandon, unlock};
use crate::dispatch::{Answer, Halves, Leave, Part, Wait, drop_part, poll_part};
use crate::error::Abandoned;
use crate::sync::panicking;
use std::{
    borrow::Borrow,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

// ===== guard =====

/// A level of a mutex held through a reference: what [`Mutex::lock`] answers.
///
/// # Examples
///
/// See [`Mutex::lock`].
pub type MutexGuard<'a> = HeldMutex<&'a Mutex>;

/// A level of a mutex held through a handle of its own: what [`Mutex::lock_owned`] answers.
///
/// # Examples
///
/// See [`Mutex::lock_owned`].
pub type OwnedMutexGuard = HeldMutex<Mutex>;

/// One level of a locked mutex; dropping it unlocks the level. Used by its names [`MutexGuard`] and
/// [`OwnedMutexGuard`].
///
/// Dropped by a panic it marks the mutex as abandoned (our rule, and that of std). If the mutex was taken
/// from it with its owner's token it does nothing. If it is leaked the mutex stays locked until the token is
/// dropped.
///
/// # Examples
///
/// ```
/// use batons::{Mutex, Owner};
///
/// let (mutex, me) = (Mutex::new(), Owner::new());
/// let outer = mutex.blocking_lock(&me).unwrap();
/// let inner = mutex.blocking_lock(&me).unwrap(); // the same owner: recursion
/// assert_eq!(mutex.depth(), 2);
/// drop((inner, outer));
/// assert!(!mutex.is_locked());
/// ```
#[must_use = "the mutex is unlocked as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct HeldMutex<H: Borrow<Mutex>> {
    mutex: H,
    /// Absent once the guard has been forgotten.
    owner: Option<Arc<OwnerInner>>,
    /// Whether the next owner is to be told that this one left the mutex in disorder.
    disorder: bool,
}

impl<H: Borrow<Mutex>> HeldMutex<H> {
    pub(super) fn new(mutex: H, owner: &Arc<OwnerInner>, told: Told) -> Result<Self, Abandoned<Self>> {
        if owner.gone.get() != 0 {
            // The owner ended while it waited: what it was granted was taken from it, or is now.
            let number = owner.number;
            let _ = mutex.borrow().header.signal(|_, state| abandon(state, number), |_, state| state);
            return Err(Abandoned::new(Self { mutex, owner: None, disorder: false }, |_| ()));
        }
        let guard = Self { mutex, owner: Some(Arc::clone(owner)), disorder: told.abandoned };
        // Whoever drops the error without opening it has not put the disorder right.
        if told.abandoned { Err(Abandoned::new(guard, |guard| guard.disorder = false)) } else { Ok(guard) }
    }

    /// Unlocks the level and marks the mutex: the next owner is told that this one left it in disorder.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Mutex, Owner};
    /// let (mutex, me) = (Mutex::new(), Owner::new());
    /// mutex.blocking_lock(&me).unwrap().abandon();
    /// assert!(mutex.blocking_lock(&me).is_err());
    /// ```
    pub fn abandon(mut self) {
        self.disorder = true;
    }

    /// Keeps the level locked without a guard; [`Mutex::unlock`] unlocks it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Mutex, Owner};
    /// let (mutex, me) = (Mutex::new(), Owner::new());
    /// mutex.blocking_lock(&me).unwrap().forget();
    /// assert_eq!(mutex.depth(), 1);
    /// ```
    pub fn forget(mut self) {
        self.owner = None;
    }
}

impl<H: Borrow<Mutex>> Drop for HeldMutex<H> {
    fn drop(&mut self) {
        let Some(owner) = &self.owner else { return };
        let disorder = self.disorder || panicking();
        let header = &self.mutex.borrow().header;
        // Refused if the owner's token is gone: the mutex was taken from it then.
        let _ = header.signal(|_, state| unlock(state, owner.number, disorder), |_, state| state);
    }
}

impl<H: Borrow<Mutex>> fmt::Debug for HeldMutex<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldMutex").finish_non_exhaustive()
    }
}

// ===== future =====

/// Future of [`Mutex::lock`] and [`Mutex::lock_owned`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct LockMutex<H: Borrow<Mutex>> {
    /// Leaves with the answer.
    mutex: Option<H>,
    owner: Arc<OwnerInner>,
    wait: Wait<Ownership>,
}

impl<H: Borrow<Mutex>> LockMutex<H> {
    pub(super) fn new(mutex: H, owner: &Owner) -> Self {
        let owner = Arc::clone(&owner.inner);
        owner.holdings.add(&mutex.borrow().header);
        Self { mutex: Some(mutex), wait: Wait::new(owner.number, 0, Leave::Vacant), owner }
    }
}

// Nothing in here is ever pinned.
impl<H: Borrow<Mutex>> Unpin for LockMutex<H> {}

impl<H: Borrow<Mutex>> Part for LockMutex<H> {
    type Policy = Ownership;

    fn wait(&mut self) -> Option<Halves<'_, Ownership>> {
        Some((&self.mutex.as_ref()?.borrow().header, &mut self.wait))
    }

    fn finish(&mut self, answer: Answer<Ownership>) -> Self::Output {
        let mutex = self.mutex.take().expect("a wait is answered once");
        let Ok(told) = answer;
        HeldMutex::new(mutex, &self.owner, told)
    }
}

impl<H: Borrow<Mutex>> Future for LockMutex<H> {
    type Output = Result<HeldMutex<H>, Abandoned<HeldMutex<H>>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        poll_part(&mut *self, cx, "LockMutex")
    }
}

impl<H: Borrow<Mutex>> Drop for LockMutex<H> {
    fn drop(&mut self) {
        drop_part(self);
    }
}

impl<H: Borrow<Mutex>> fmt::Debug for LockMutex<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockMutex").finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<H: Borrow<Mutex>> futures::future::FusedFuture for LockMutex<H> {
    fn is_terminated(&self) -> bool {
        self.mutex.is_none()
    }
}
