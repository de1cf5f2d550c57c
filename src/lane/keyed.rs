//! Order for each key, and none among keys.

mod line;
mod ticket;
mod wait;

pub use ticket::{HeldKeyTurn, KeyTicket, KeyTurn, OwnedKeyTurn};
pub use wait::TakeKeyTurn;

use line::Lines;
use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, RandomState};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, slice};

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
/// Order by key, and none beyond it, is what Kafka consumers that work in parallel keep; several keys in one step are from the
/// sequencer of Bloomberg's `quantum`. Win32 has neither: there it takes a mutex for each key, in some fixed order.
///
/// # Memory ordering
///
/// What was done before the end of a turn, or the drop of a ticket, is visible in every later turn of its keys.
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
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Keyed;
    /// let keyed: Keyed<(u32, &str)> = Keyed::new();
    /// assert_eq!((keyed.keys(), keyed.waiting()), (0, 0));
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Keyed;
    /// let keyed: Keyed<String> = Keyed::new();
    /// let first = keyed.ticket("k"); // as `HashMap<String, _>::get` takes a `&str`
    /// let (mut second, mut other) = (keyed.ticket("k"), keyed.ticket("l"));
    /// assert!(other.try_turn().is_ok());
    /// assert!(second.try_turn().is_err());
    /// drop(first);
    /// assert!(second.try_turn().is_ok());
    /// ```
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
        KeyTicket::new(Arc::clone(&self.inner), number, keys, ready)
    }

    /// Of how many keys tickets are out; this is all that is kept.
    ///
    /// # Examples
    ///
    /// See [`waiting`](Keyed::waiting).
    #[must_use]
    pub fn keys(&self) -> usize {
        self.inner.lock().keys()
    }

    /// How many tickets are out whose turns have not come.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Keyed;
    /// let keyed: Keyed<u8> = Keyed::new();
    /// let tickets = [keyed.ticket(&1), keyed.ticket(&1), keyed.ticket(&2)];
    /// assert_eq!((keyed.keys(), keyed.waiting()), (2, 1)); // the second of key 1
    /// drop(tickets);
    /// assert_eq!(keyed.keys(), 0);
    /// ```
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
