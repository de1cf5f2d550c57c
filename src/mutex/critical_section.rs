//! The light sibling of the mutex: for threads, which have an identity of their own.

use super::{Owned, Ownership, unlock};
use crate::dispatch::{Answer, Halves, Header, Leave, Part, Wait, drop_part, poll_part};
use crate::sync::{Setting, calling_party};
use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// A recursive lock without data for the threads of this process, with a spin count. Win32
/// `CRITICAL_SECTION`.
///
/// [`enter`](CriticalSection::enter) it, and leave it by dropping the guard. Clones are handles to one
/// section, which frees itself with the last of them. For tasks, or with a time limit, take a
/// [`Mutex`](crate::Mutex).
///
/// The owner is the thread, so no token is needed, and the guard cannot leave the thread. It may enter up to
/// 65,535 times at once; one more waits for ever. It knows no abandonment, as in Win32: a panic leaves it
/// like any other end of the guard's scope, and a thread that ends with its guard leaked keeps it.
///
/// # Order
///
/// Threads that sleep are served in the order in which they went to sleep, and a newcomer never overtakes
/// them; those that still spin have no place yet. Win32 promises no order: there a woken thread competes
/// with newcomers.
///
/// # Memory ordering
///
/// What a thread did before it left is visible to the next one that enters.
///
/// # Examples
///
/// ```
/// use batons::CriticalSection;
///
/// let section = CriticalSection::with_spin_count(100);
/// let outer = section.enter();
/// let inner = section.try_enter().expect("the owner may enter again");
/// drop((inner, outer));
/// ```
#[derive(Clone)]
pub struct CriticalSection {
    inner: Arc<Inner>,
}

struct Inner {
    header: Arc<Header<Ownership>>,
    spins: Setting,
}

impl CriticalSection {
    /// Creates a free section that does not spin. Win32 `InitializeCriticalSection`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CriticalSection;
    /// assert!(CriticalSection::new().try_enter().is_some());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::with_spin_count(0)
    }

    /// Creates a free section whose threads try `spins` times more before they sleep. Win32
    /// `InitializeCriticalSectionAndSpinCount`, which ignores the count on a single processor.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CriticalSection;
    /// let section = CriticalSection::with_spin_count(4_000);
    /// let _guard = section.enter();
    /// ```
    #[must_use]
    pub fn with_spin_count(spins: u32) -> Self {
        let header = Arc::new(Header::new(Ownership, 0));
        Self { inner: Arc::new(Inner { header, spins: Setting::new(spins.into()) }) }
    }

    /// Changes the spin count and returns the one before. Win32 `SetCriticalSectionSpinCount`.
    ///
    /// Threads that already spin keep the count they began with.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CriticalSection;
    /// assert_eq!(CriticalSection::with_spin_count(100).set_spin_count(4_000), 100);
    /// ```
    #[allow(clippy::must_use_candidate)] // the count before is of use to some
    pub fn set_spin_count(&self, spins: u32) -> u32 {
        u32::try_from(self.inner.spins.replace(spins.into())).unwrap_or(u32::MAX)
    }

    /// Enters if the section is free or the calling thread's own; never waits, nor spins. Win32
    /// `TryEnterCriticalSection`.
    ///
    /// `None` also if it has been entered 65,535 times. A task may call it; the
    /// compiler keeps a `Send` future from holding the guard across an `.await`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CriticalSection;
    /// let section = CriticalSection::new();
    /// let _guard = section.enter();
    /// let elsewhere = section.clone();
    /// std::thread::spawn(move || assert!(elsewhere.try_enter().is_none())).join().unwrap();
    /// ```
    #[must_use]
    pub fn try_enter(&self) -> Option<CriticalSectionGuard<'_>> {
        let Ok(_) = Wait::new(calling_party(), 0, Leave::Vacant).now(&self.inner.header)?;
        Some(CriticalSectionGuard { section: self, bound: PhantomData })
    }

    /// Enters within the spin count.
    pub(crate) fn spin(&self) -> Option<CriticalSectionGuard<'_>> {
        (0..=self.inner.spins.get()).find_map(|_| {
            std::hint::spin_loop();
            self.try_enter()
        })
    }

    /// The calling thread's wait.
    pub(crate) fn entering(&self) -> Entering<'_> {
        Entering { section: Some(self), wait: Wait::new(calling_party(), 0, Leave::Vacant) }
    }
}

impl Default for CriticalSection {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CriticalSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let depth = Owned(self.inner.header.state()).depth();
        f.debug_struct("CriticalSection").field("depth", &depth).finish_non_exhaustive()
    }
}

/// One level of an entered section; dropping it leaves the level. Win32 `LeaveCriticalSection`, which nobody
/// else can call here.
///
/// # Examples
///
/// See [`CriticalSection`].
#[must_use = "the section is left as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct CriticalSectionGuard<'a> {
    section: &'a CriticalSection,
    /// It stays in the thread that entered.
    bound: PhantomData<*const ()>,
}

impl Drop for CriticalSectionGuard<'_> {
    fn drop(&mut self) {
        let left = |_: &Ownership, state| unlock(state, calling_party(), false);
        let _ = self.section.inner.header.signal(left, |_, state| state);
    }
}

impl fmt::Debug for CriticalSectionGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CriticalSectionGuard").finish_non_exhaustive()
    }
}

/// A thread's wait for a section.
pub(crate) struct Entering<'a> {
    section: Option<&'a CriticalSection>,
    wait: Wait<Ownership>,
}

impl<'a> Part for Entering<'a> {
    type Policy = Ownership;

    fn wait(&mut self) -> Option<Halves<'_, Ownership>> {
        Some((&self.section?.inner.header, &mut self.wait))
    }

    fn finish(&mut self, _: Answer<Ownership>) -> CriticalSectionGuard<'a> {
        let section = self.section.take().expect("a wait is answered once");
        CriticalSectionGuard { section, bound: PhantomData }
    }
}

impl<'a> Future for Entering<'a> {
    type Output = CriticalSectionGuard<'a>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CriticalSectionGuard<'a>> {
        poll_part(&mut *self, cx, "Entering")
    }
}

impl Drop for Entering<'_> {
    fn drop(&mut self) {
        drop_part(self);
    }
}
