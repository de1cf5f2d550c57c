//! A mutex with an explicit owner, recursion, and word of an owner that is gone.
//!
//! The whole behaviour is this table; the [`Policy`] of the file is its code. `o` is the asking owner.
//!
//! | state            | `lock` by `o`                           | `unlock` by `o`                  | `o` is gone                     |
//! |------------------|-----------------------------------------|----------------------------------|---------------------------------|
//! | free             | owned by `o`, depth 1                   | refused                          | nothing                         |
//! | free, abandoned  | owned by `o`, depth 1; told `Abandoned`; the mark is gone | refused        | nothing                         |
//! | owned by `o`     | depth + 1, whoever is in line           | depth − 1; at 0 the next in line owns it | free, abandoned; the next in line owns it and is told |
//! | owned by another | stands in line                          | refused                          | nothing                         |
//!
//! A grant that nobody saw gives one level back, and the mark if it came with one.

mod critical_section;
mod lock;

pub use critical_section::{CriticalSection, CriticalSectionGuard};
pub use lock::{HeldMutex, LockMutex, MutexGuard, OwnedMutexGuard};

use crate::dispatch::{Header, Holdings, Leave, Offer, Policy, Signals, Verdict, Wait, call_each};
use crate::error::{Abandoned, NotOwner};
use crate::sync::{Setting, unique_id};
use std::convert::Infallible;
use std::{fmt, sync::Arc};

// ===== policy: pure, knows no waiter =====

/// The rules of a mutex. A request is the owner's number, never 0.
#[derive(Debug)]
pub struct Ownership;

/// What a new owner is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    abandoned: bool,
}

/// A state: bit 0 abandoned, bits 1 to 16 the depth, above them the owner.
#[derive(Clone, Copy)]
struct Owned(u64);

impl Owned {
    const ABANDONED: u64 = 1;
    const LEVEL: u64 = 2;
    /// The deepest recursion.
    const DEEPEST: u32 = 0xFFFF;

    fn state(owner: u64, depth: u32, abandoned: bool) -> u64 {
        owner << 17 | u64::from(depth) << 1 | u64::from(abandoned)
    }

    fn owner(self) -> u64 {
        self.0 >> 17
    }

    #[allow(clippy::cast_possible_truncation)] // 16 bits
    fn depth(self) -> u32 {
        (self.0 >> 1) as u32 & Self::DEEPEST
    }

    fn is_abandoned(self) -> bool {
        self.0 & Self::ABANDONED != 0
    }

    /// The state with one level less.
    fn up(self) -> u64 {
        match self.depth() {
            0 | 1 => Self::state(0, 0, self.is_abandoned()),
            _ => self.0 - Self::LEVEL,
        }
    }
}

impl Policy for Ownership {
    type Request = u64;
    type Grant = Told;
    type Refusal = Infallible;

    fn judge(&self, state: u64, owner: u64, _: u64) -> Verdict<Told, Infallible> {
        let state = Owned(state);
        if state.depth() == 0 {
            Verdict::Take(Owned::state(owner, 1, false), Told { abandoned: state.is_abandoned() })
        } else if state.owner() == owner && state.depth() < Owned::DEEPEST {
            Verdict::Take(state.0 + Owned::LEVEL, Told { abandoned: false })
        } else {
            Verdict::Queue
        }
    }

    fn give_back(&self, state: u64, owner: u64, told: Told) -> Offer {
        if Owned(state).owner() != owner {
            // The owner is gone, and the mutex with it.
            return Offer::Nothing;
        }
        Offer::Anybody(Owned(state).up() | u64::from(told.abandoned))
    }

    fn overtakes(&self, state: u64, owner: u64) -> bool {
        Owned(state).owner() == owner
    }
}

/// A change by which `owner` lets one level go, leaving a mark if it is abandoned; tells the depth before.
fn unlock(state: u64, owner: u64, abandoned: bool) -> Result<(u64, u32), NotOwner> {
    let state = Owned(state);
    if state.depth() == 0 || state.owner() != owner {
        return Err(NotOwner(()));
    }
    Ok((state.up() | u64::from(abandoned), state.depth()))
}

/// A change by which `owner` is gone.
fn abandon(state: u64, owner: u64) -> Result<(u64, ()), NotOwner> {
    unlock(state, owner, true).map(|_| (Owned::state(0, 0, true), ()))
}

// ===== the owner =====

/// Who owns a [`Mutex`]: an explicit token.
///
/// Tasks have no identity of their own: many waits run in one task, and a task moves between threads. So the
/// token is the identity: equal token, same owner, and recursion. Dropping the token while it still
/// owns mutexes abandons them, at whatever depth, as the end of a thread does in Win32; keep the token
/// longer than the guards. A wait of it that is still out is answered [`Abandoned`] with a guard that
/// holds nothing.
///
/// # Examples
///
/// ```
/// use batons::{Mutex, Owner};
///
/// let (mutex, me) = (Mutex::new(), Owner::new());
/// mutex.blocking_lock(&me).unwrap().forget();
/// drop(me);
/// assert!(mutex.is_abandoned() && !mutex.is_locked());
/// ```
#[derive(Debug)]
pub struct Owner {
    inner: Arc<OwnerInner>,
}

#[derive(Debug)]
struct OwnerInner {
    number: u64,
    holdings: Holdings<Ownership>,
    /// 1 once the token is gone.
    gone: Setting,
}

impl Owner {
    /// Makes an owner that is nobody else.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Mutex, Owner};
    /// let mutex = Mutex::new();
    /// let _guard = mutex.blocking_lock(&Owner::new()).unwrap();
    /// assert!(!mutex.is_owned_by(&Owner::new()));
    /// ```
    #[must_use]
    pub fn new() -> Self {
        // 0 is nobody; 2^46 owners and objects take centuries.
        let number = unique_id() + 1;
        Self { inner: Arc::new(OwnerInner { number, holdings: Holdings::new(), gone: Setting::new(0) }) }
    }
}

impl Default for Owner {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.inner.gone.replace(1);
        let number = self.inner.number;
        // Refused for those that it does not own, or not any more.
        call_each(self.inner.holdings.take().map(|header| {
            move || {
                let _ = header.signal(|_, state| abandon(state, number), |_, state| state);
            }
        }));
    }
}

// ===== the object =====

/// A mutex without data, owned by an [`Owner`]. Win32 `CreateMutex`.
///
/// Clones are handles to one mutex. An owner may lock it again and again, 65,535 levels deep; it is free when
/// all its guards are gone. If an owner goes away with the mutex locked (its guard is dropped by a panic, its
/// token is dropped, or it says so), the next owner gets it as [`Abandoned`], once. A task that is aborted
/// drops its guards like any that ends, and abandons nothing.
///
/// For data behind a lock, take tokio's or std's mutex; among threads, a [`CriticalSection`] is lighter.
///
/// # Order
///
/// That of the first polls, tasks and threads in one line; only the present owner may pass it, and everybody
/// the [waits on all](crate::wait_all). Win32 promises no order.
///
/// # Memory ordering
///
/// What an owner did before it unlocked is visible to the next one.
///
/// # Examples
///
/// ```
/// use batons::{Mutex, Owner};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (mutex, me) = (Mutex::new(), Owner::new());
/// let outer = mutex.lock(&me).await.expect("nobody has abandoned it");
/// let inner = mutex.lock(&me).await.expect("recursion");
/// assert_eq!(mutex.depth(), 2);
/// drop((inner, outer));
/// assert!(!mutex.is_locked());
/// # }
/// ```
#[derive(Clone)]
pub struct Mutex {
    header: Arc<Header<Ownership>>,
}

impl Mutex {
    /// Creates a mutex that nobody owns.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Mutex;
    /// assert!(!Mutex::new().is_locked());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self { header: Arc::new(Header::new(Ownership, 0)) }
    }

    /// Waits until `owner` owns the mutex. Win32 `WaitForSingleObject`.
    ///
    /// The first poll takes the mutex if it is free, goes one level deeper if it is `owner`'s, or stands in
    /// line. Whoever unlocks it makes the first in line its owner before waking it. Beyond the deepest
    /// level the owner waits. A wait that stands in line keeps its place even if its owner gets the mutex
    /// by another wait, so one owner should not stand in line twice. The thread's form is
    /// [`blocking_lock`](Mutex::blocking_lock).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. Dropping the future gives up the place in line and changes nothing. A grant that was
    /// not seen is given back, one level, and an abandonment that came with it is told to the next owner
    /// instead.
    ///
    /// # Errors
    ///
    /// [`Abandoned`] holds the guard: the mutex is owned all the same.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Mutex, Owner};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (mutex, me) = (Mutex::new(), Owner::new());
    /// let guard = mutex.lock(&me).await.unwrap_or_else(|abandoned| abandoned.into_inner());
    /// assert!(mutex.is_owned_by(&me));
    /// # drop(guard);
    /// # }
    /// ```
    pub fn lock<'a>(&'a self, owner: &Owner) -> LockMutex<&'a Self> {
        LockMutex::new(self, owner)
    }

    /// [`lock`](Mutex::lock) with a future and a guard that may leave the scope.
    ///
    /// # Cancel safety
    ///
    /// As [`lock`](Mutex::lock).
    ///
    /// # Errors
    ///
    /// As [`lock`](Mutex::lock).
    ///
    /// # Panics
    ///
    /// As [`lock`](Mutex::lock).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Mutex, Owner, OwnedMutexGuard};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let me = Owner::new();
    /// let guard: OwnedMutexGuard = Mutex::new().lock_owned(&me).await.unwrap();
    /// std::thread::spawn(move || drop(guard)).join().unwrap();
    /// # }
    /// ```
    pub fn lock_owned(&self, owner: &Owner) -> LockMutex<Self> {
        LockMutex::new(self.clone(), owner)
    }

    /// Locks the mutex if that is possible at once; `None` if another one owns it, or at the
    /// deepest level.
    ///
    /// # Errors
    ///
    /// As [`lock`](Mutex::lock).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Mutex, Owner};
    /// let (mutex, me, you) = (Mutex::new(), Owner::new(), Owner::new());
    /// let _guard = mutex.try_lock(&me).expect("it is free").expect("nobody has abandoned it");
    /// assert!(mutex.try_lock(&you).is_none());
    /// ```
    #[must_use]
    pub fn try_lock(&self, owner: &Owner) -> Option<Result<MutexGuard<'_>, Abandoned<MutexGuard<'_>>>> {
        owner.inner.holdings.add(&self.header);
        let Ok(told) = Wait::new(owner.inner.number, 0, Leave::Vacant).now(&self.header)?;
        Some(HeldMutex::new(self, &owner.inner, told))
    }

    /// How deep the present owner has locked it; 0 if it is free. Stale as soon as it is read.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Mutex, Owner};
    /// let (mutex, me) = (Mutex::new(), Owner::new());
    /// let _guards = [mutex.blocking_lock(&me).unwrap(), mutex.blocking_lock(&me).unwrap()];
    /// assert_eq!(mutex.depth(), 2);
    /// ```
    #[must_use]
    pub fn depth(&self) -> u32 {
        Owned(self.header.state()).depth()
    }

    /// Whether somebody owns it. Stale as soon as it is read.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Mutex;
    /// assert!(!Mutex::new().is_locked());
    /// ```
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.depth() > 0
    }

    /// Whether `owner` owns it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Mutex, Owner};
    /// let (mutex, me) = (Mutex::new(), Owner::new());
    /// let _guard = mutex.blocking_lock(&me).unwrap();
    /// assert!(mutex.is_owned_by(&me));
    /// ```
    #[must_use]
    pub fn is_owned_by(&self, owner: &Owner) -> bool {
        let state = Owned(self.header.state());
        state.depth() > 0 && state.owner() == owner.inner.number
    }

    /// Whether the next owner will be told that one before it is gone. Looking does not change it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Mutex, Owner};
    /// let (mutex, me) = (Mutex::new(), Owner::new());
    /// mutex.blocking_lock(&me).unwrap().abandon();
    /// assert!(mutex.is_abandoned() && mutex.is_abandoned());
    /// ```
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        Owned(self.header.state()).is_abandoned()
    }

    /// Unlocks one level for `owner` and returns the depth before. Win32 `ReleaseMutex`, for owners whose
    /// guards were [forgotten](HeldMutex::forget): a guard left over releases nothing, or a level locked
    /// since.
    ///
    /// # Errors
    ///
    /// [`NotOwner`] if `owner` does not own it; nothing is changed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Mutex, Owner};
    /// let (mutex, me) = (Mutex::new(), Owner::new());
    /// mutex.blocking_lock(&me).unwrap().forget();
    /// assert_eq!(mutex.unlock(&me), Ok(1));
    /// assert!(mutex.unlock(&me).is_err());
    /// ```
    pub fn unlock(&self, owner: &Owner) -> Result<u32, NotOwner> {
        let number = owner.inner.number;
        self.header.signal(|_, state| unlock(state, number, false), |_, state| state)
    }

    /// The signal "unlock one level for `owner`", for [`signal_and_wait`](crate::signal_and_wait). The
    /// guard of the level must be [forgotten](HeldMutex::forget) first.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{ManualResetEvent, Mutex, Owner, blocking, signal_and_wait};
    /// let (mutex, me, event) = (Mutex::new(), Owner::new(), ManualResetEvent::new(true));
    /// mutex.blocking_lock(&me).unwrap().forget();
    /// blocking::wait(signal_and_wait(mutex.unlocking(&me), event.wait()))?;
    /// assert!(!mutex.is_locked());
    /// # Ok::<_, batons::NotOwner>(())
    /// ```
    #[must_use]
    pub fn unlocking<'a>(&'a self, owner: &'a Owner) -> Unlocking<'a> {
        Unlocking { mutex: self, owner }
    }
}

impl Default for Mutex {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Mutex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = Owned(self.header.state());
        f.debug_struct("Mutex")
            .field("depth", &state.depth())
            .field("abandoned", &state.is_abandoned())
            .finish_non_exhaustive()
    }
}

/// One level of a mutex to be unlocked by [`signal_and_wait`](crate::signal_and_wait); made by
/// [`Mutex::unlocking`].
///
/// # Examples
///
/// See [`Mutex::unlocking`].
#[derive(Debug)]
pub struct Unlocking<'a> {
    mutex: &'a Mutex,
    owner: &'a Owner,
}

impl Signals for Unlocking<'_> {
    type Policy = Ownership;
    type Error = NotOwner;

    fn header(&self) -> &Arc<Header<Ownership>> {
        &self.mutex.header
    }

    fn change(&self, state: u64) -> Result<(u64, ()), NotOwner> {
        unlock(state, self.owner.inner.number, false).map(|(state, _)| (state, ()))
    }

    fn signaled(self) {}
}
