//! Order for each key, and none among keys.

mod line;
mod wait;

pub use wait::TakeKeyTurn;

use super::{PassTurn, by_deadline};
use crate::{LaneError, ManualResetEvent, blocking};
use line::Lines;
use std::borrow::{Borrow, BorrowMut};
use std::hash::{BuildHasher, Hash, RandomState};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, mem, slice, time::Duration};

/// Order for each key: those who take tickets of one key have their turns one at a time, in the order in which the tickets were
/// taken; those of different keys have nothing to do with one another.
///
/// Take the ticket where the order is decided, for example where a command is read, and wait for its turn where the
/// work is done. A ticket of [several keys](Keyed::tickets) stands in all their lines from one moment on, so
/// that tickets of overlapping keys cannot wait for each other in a ring.
///
/// Nothing is kept of a key that has no ticket out, nor of its value: only its hash (64 bits, keyed at random) is looked at. Two keys
/// of the same hash share a line; that keeps more order than was asked for, and never less.
///
/// A ticket that is dropped, by an early return, an abort or a panic, leaves its lines, and the next of each key goes on. There is
/// no value here that could be half changed: what a panic means to the work of a key is told by whoever joins that work.
///
/// Clones are handles to one object. The order is that of the calls, so it can be no better than that of the callers: two tasks that
/// race for tickets of one key get them in either order.
///
/// # Examples
///
/// Of each account the bookings are made in order, and accounts do not wait for each other:
///
/// ```
/// use batons::lane::Keyed;
/// use std::sync::{Arc, Mutex};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let accounts: Keyed<str> = Keyed::new();
/// let log = Arc::new(Mutex::new(Vec::new()));
/// let mut tasks = Vec::new();
/// for (account, booking, takes) in [("ann", 1, 30), ("bob", 2, 20), ("ann", 3, 0), ("bob", 4, 0)] {
///     let mut ticket = accounts.ticket(account);
///     let log = log.clone();
///     tasks.push(tokio::spawn(async move {
///         let _turn = ticket.turn().await.unwrap();
///         tokio::time::sleep(Duration::from_millis(takes)).await;
///         log.lock().unwrap().push(booking);
///     }));
/// }
/// for task in tasks {
///     task.await.unwrap();
/// }
/// assert_eq!(*log.lock().unwrap(), [2, 4, 1, 3]);
/// assert_eq!(accounts.keys(), 0); // all idle, nothing kept
/// # }
/// ```
pub struct Keyed<K: ?Sized> {
    inner: Arc<Inner>,
    keys: PhantomData<fn(&K)>,
}

struct Inner {
    hashes: RandomState,
    lines: Mutex<Lines>,
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        // Nothing foreign runs under it, not even the equality of keys, so nothing is half done.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: ?Sized> Keyed<K> {
    /// No tickets are out.
    #[must_use]
    pub fn new() -> Self {
        Self {
            inner: Arc::new(Inner { hashes: RandomState::new(), lines: Mutex::default() }),
            keys: PhantomData,
        }
    }

    /// Stands in the line of `key`, behind all tickets of it that are out. Never waits.
    ///
    /// `key` may be any borrowed form of `K`, as in a [`HashMap`](std::collections::HashMap).
    pub fn ticket<Q>(&self, key: &Q) -> KeyTicket
    where
        K: Borrow<Q>,
        Q: Hash + ?Sized,
    {
        self.join(Keys::One(self.inner.hashes.hash_one(key)))
    }

    /// One ticket of several keys: it stands in all their lines in one step, and has its turn when it is at the front of all
    /// of them. Never waits. A key that is named twice counts once; with no key at all the turn has come.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::lane::Keyed;
    ///
    /// let files: Keyed<String> = Keyed::new();
    /// let mut copy = files.tickets(["from", "to"]);
    /// let mut back = files.tickets(["to", "from"]); // no deadlock: it comes second in both
    /// let mut other = files.ticket("other");
    /// assert!(back.try_turn().is_err());
    /// drop(other.try_turn()?);
    /// drop(copy.try_turn()?);
    /// drop(back.try_turn()?);
    /// # Ok::<(), batons::LaneError>(())
    /// ```
    pub fn tickets<'a, Q>(&self, keys: impl IntoIterator<Item = &'a Q>) -> KeyTicket
    where
        K: Borrow<Q>,
        Q: Hash + ?Sized + 'a,
    {
        let mut hashes: Vec<u64> = keys.into_iter().map(|key| self.inner.hashes.hash_one(key)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        self.join(match hashes[..] {
            [hash] => Keys::One(hash),
            _ => Keys::Several(hashes.into_boxed_slice()),
        })
    }

    fn join(&self, keys: Keys) -> KeyTicket {
        let (number, ready) = self.inner.lock().join(keys.as_slice());
        KeyTicket { inner: Arc::clone(&self.inner), number, keys, ready, over: false }
    }

    /// Of how many keys tickets are out; this is all that is kept.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.inner.lock().keys()
    }

    /// How many tickets are out whose turns have not come.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.inner.lock().waiting()
    }
}

impl<K: ?Sized> Clone for Keyed<K> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), keys: PhantomData }
    }
}

impl<K: ?Sized> Default for Keyed<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: ?Sized> fmt::Debug for Keyed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.inner.lock();
        f.debug_struct("Keyed")
            .field("keys", &lines.keys())
            .field("waiting", &lines.waiting())
            .finish_non_exhaustive()
    }
}

enum Keys {
    One(u64),
    Several(Box<[u64]>),
}

impl Keys {
    fn as_slice(&self) -> &[u64] {
        match self {
            Self::One(key) => slice::from_ref(key),
            Self::Several(keys) => keys,
        }
    }
}

// ===== tickets =====

/// A place in the line of one key or several; from [`Keyed::ticket`] and [`Keyed::tickets`].
///
/// A wait for its turn may be dropped at any time, by a time-out or a `select!`; the ticket keeps its place. Dropping the ticket gives
/// the place up, and the next of each key goes on.
#[must_use = "a ticket that is dropped has given up its place"]
pub struct KeyTicket {
    inner: Arc<Inner>,
    number: u64,
    keys: Keys,
    /// Whether its turn is known to have come; it does not go away again.
    ready: bool,
    /// Whether it has left its lines.
    over: bool,
}

impl KeyTicket {
    /// An event that is set for good as soon as the turn has come, or the ticket is gone: a member for
    /// [`wait_any`](crate::wait_any) and [`wait_all`](crate::wait_all). [`try_turn`](KeyTicket::try_turn) does not wait then.
    #[must_use]
    pub fn ready(&self) -> ManualResetEvent {
        self.awaited().unwrap_or_else(|| ManualResetEvent::new(true))
    }

    /// Waits for the turn: all tickets of its keys that were taken before are gone.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the ticket keeps its place, and a turn that came meanwhile is still there.
    ///
    /// # Errors
    ///
    /// [`LaneError::Passed`] after a turn; nothing else.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    pub fn turn(&mut self) -> TakeKeyTurn<&mut Self> {
        TakeKeyTurn::new(self)
    }

    /// [`turn`](KeyTicket::turn) that takes the ticket with it.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready it gives the place up; keep the ticket, and use `turn`, where that may happen.
    ///
    /// # Errors
    ///
    /// As `turn`.
    ///
    /// # Panics
    ///
    /// As `turn`.
    pub fn turn_owned(self) -> TakeKeyTurn<Self> {
        TakeKeyTurn::new(self)
    }

    /// [`turn`](KeyTicket::turn) for a thread.
    ///
    /// # Errors
    ///
    /// As `turn`.
    ///
    /// # Panics
    ///
    /// On a worker thread of a tokio runtime; see [`blocking`].
    #[track_caller]
    pub fn blocking_turn(&mut self) -> Result<KeyTurn<'_>, LaneError> {
        blocking::wait(self.turn())
    }

    /// [`blocking_turn`](KeyTicket::blocking_turn) for `duration` at most.
    ///
    /// # Errors
    ///
    /// As `turn`, and [`LaneError::TimedOut`]; the place is kept.
    ///
    /// # Panics
    ///
    /// As `blocking_turn`.
    #[track_caller]
    pub fn blocking_turn_timeout(&mut self, duration: Duration) -> Result<KeyTurn<'_>, LaneError> {
        by_deadline(blocking::wait_timeout(self.turn(), duration))
    }

    /// The turn, if it has come.
    ///
    /// # Errors
    ///
    /// As [`turn`](KeyTicket::turn), and [`LaneError::WouldBlock`].
    pub fn try_turn(&mut self) -> Result<KeyTurn<'_>, LaneError> {
        HeldKeyTurn::begin(self)
    }

    /// What to wait for, unless the turn has come or is over.
    fn awaited(&self) -> Option<ManualResetEvent> {
        if self.ready || self.over { None } else { self.inner.lock().awaited(self.number) }
    }

    fn leave(&mut self) {
        if mem::replace(&mut self.over, true) {
            return;
        }
        let mut wake = Vec::new();
        self.inner.lock().leave(self.number, self.keys.as_slice(), &mut wake);
        for event in wake {
            event.set();
        }
    }
}

impl Drop for KeyTicket {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for KeyTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyTicket").field("over", &self.over).finish_non_exhaustive()
    }
}

// ===== turns =====

/// A turn that borrows its ticket.
pub type KeyTurn<'a> = HeldKeyTurn<&'a mut KeyTicket>;

/// A turn that has its ticket with it.
pub type OwnedKeyTurn = HeldKeyTurn<KeyTicket>;

/// The turn of a ticket: nobody else has one of any of its keys. Dropping it lets the next of each key go on. Used by its names
/// [`KeyTurn`] and [`OwnedKeyTurn`].
#[must_use = "a turn that is dropped is over"]
#[clippy::has_significant_drop]
pub struct HeldKeyTurn<B: BorrowMut<KeyTicket>> {
    ticket: B,
}

impl<B: BorrowMut<KeyTicket>> HeldKeyTurn<B> {
    fn begin(mut ticket: B) -> Result<Self, LaneError> {
        let KeyTicket { inner, number, ready, over, .. } = ticket.borrow_mut();
        if *over {
            return Err(LaneError::Passed);
        }
        if !*ready && inner.lock().is_waiting(*number) {
            return Err(LaneError::WouldBlock);
        }
        *ready = true;
        Ok(Self { ticket })
    }

    /// Lets the next of each key go on, and others run: a worker of tokio runs next whom it woke last, and nobody else can, so whoever
    /// goes on computing keeps the next one from it. This yields once.
    ///
    /// # Cancel safety
    ///
    /// The turn is over at the first poll; dropped before that it is over as well.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    pub fn pass(self) -> PassTurn<Self> {
        PassTurn::new(self)
    }
}

impl<B: BorrowMut<KeyTicket>> Drop for HeldKeyTurn<B> {
    fn drop(&mut self) {
        self.ticket.borrow_mut().leave();
    }
}

impl<B: BorrowMut<KeyTicket>> fmt::Debug for HeldKeyTurn<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyTurn").finish_non_exhaustive()
    }
}
