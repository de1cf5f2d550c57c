//! Tickets with keys, and their turns.

use super::{Inner, Keys, TakeKeyTurn};
use crate::lane::{PassTurn, by_deadline};
use crate::{LaneError, ManualResetEvent, blocking};
use std::borrow::BorrowMut;
use std::sync::Arc;
use std::{fmt, mem, time::Duration};

/// A place in the line of one key or several; from [`Keyed::ticket`](super::Keyed::ticket) and [`Keyed::tickets`](super::Keyed::tickets).
///
/// A wait for its turn may be dropped at any time, by a time-out or a `select!`; the ticket keeps its place. Dropping the ticket gives
/// the place up, and the next of each key goes on.
///
/// # Examples
///
/// ```
/// use batons::{LaneError, lane::Keyed};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), LaneError> {
/// let keyed: Keyed<u8> = Keyed::new();
/// let (first, mut second, mut third) = (keyed.ticket(&1), keyed.ticket(&1), keyed.ticket(&1));
/// assert!(tokio::time::timeout(Duration::from_secs(1), second.turn()).await.is_err());
/// drop(first); // gives its place up
/// assert!(third.try_turn().is_err()); // the second has kept its own
/// drop(second.turn().await?);
/// assert!(third.try_turn().is_ok());
/// # Ok(())
/// # }
/// ```
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
    pub(super) fn new(inner: Arc<Inner>, number: u64, keys: Keys, ready: bool) -> Self {
        Self { inner, number, keys, ready, over: false }
    }

    /// An event that is set for good as soon as the turn has come, or the ticket is gone: a member for
    /// [`wait_any`](crate::wait_any) and [`wait_all`](crate::wait_all). [`try_turn`](KeyTicket::try_turn) does not wait then.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::{ManualResetEvent, blocking, lane::Keyed};
    ///
    /// let (keyed, stop) = (Keyed::<u8>::new(), ManualResetEvent::new(false));
    /// let (first, mut second) = (keyed.ticket(&1), keyed.ticket(&1));
    /// let ready = second.ready();
    /// assert!(!ready.is_set());
    /// drop(first);
    /// let (which, ()) = blocking::wait_any([stop.wait(), ready.wait()])?;
    /// assert_eq!(which, 1);
    /// assert!(second.try_turn().is_ok());
    /// # Ok::<_, batons::WaitError>(())
    /// ```
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
    ///
    /// # Examples
    ///
    /// See [`Keyed`](super::Keyed).
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
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Keyed;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::LaneError> {
    /// let keyed: Keyed<u8> = Keyed::new();
    /// let turn = keyed.ticket(&1).turn_owned().await?;
    /// let mut next = keyed.ticket(&1);
    /// let work = tokio::task::spawn_blocking(move || drop(turn)); // the turn goes there
    /// next.turn().await?;
    /// work.await.unwrap();
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Keyed;
    /// # use std::sync::mpsc;
    /// let keyed: Keyed<u8> = Keyed::new();
    /// let (mut first, mut second) = (keyed.ticket(&1), keyed.ticket(&1));
    /// let (say, said) = mpsc::channel();
    /// let then = say.clone();
    /// let thread = std::thread::spawn(move || {
    ///     let _turn = second.blocking_turn().unwrap();
    ///     then.send("second").unwrap();
    /// });
    /// let turn = first.blocking_turn()?;
    /// say.send("first").unwrap();
    /// drop(turn);
    /// thread.join().unwrap();
    /// drop(say);
    /// assert_eq!(said.iter().collect::<Vec<_>>(), ["first", "second"]);
    /// # Ok::<_, batons::LaneError>(())
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{LaneError, lane::Keyed};
    /// # use std::time::Duration;
    /// let keyed: Keyed<u8> = Keyed::new();
    /// let (_first, mut second) = (keyed.ticket(&1), keyed.ticket(&1));
    /// let waited = second.blocking_turn_timeout(Duration::from_millis(1));
    /// assert!(matches!(waited, Err(LaneError::TimedOut)));
    /// ```
    #[track_caller]
    pub fn blocking_turn_timeout(&mut self, duration: Duration) -> Result<KeyTurn<'_>, LaneError> {
        by_deadline(blocking::wait_timeout(self.turn(), duration))
    }

    /// The turn, if it has come.
    ///
    /// # Errors
    ///
    /// As [`turn`](KeyTicket::turn), and [`LaneError::WouldBlock`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{LaneError, lane::Keyed};
    /// let keyed: Keyed<u8> = Keyed::new();
    /// let (mut first, mut second) = (keyed.ticket(&1), keyed.ticket(&1));
    /// assert!(matches!(second.try_turn(), Err(LaneError::WouldBlock)));
    /// drop(first.try_turn()?);
    /// assert!(matches!(first.try_turn(), Err(LaneError::Passed))); // one turn for each ticket
    /// assert!(second.try_turn().is_ok());
    /// # Ok::<_, LaneError>(())
    /// ```
    pub fn try_turn(&mut self) -> Result<KeyTurn<'_>, LaneError> {
        HeldKeyTurn::begin(self)
    }

    /// What to wait for, unless the turn has come or is over.
    pub(super) fn awaited(&self) -> Option<ManualResetEvent> {
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
///
/// # Examples
///
/// See [`KeyTicket::turn`].
pub type KeyTurn<'a> = HeldKeyTurn<&'a mut KeyTicket>;

/// A turn that has its ticket with it.
///
/// # Examples
///
/// See [`KeyTicket::turn_owned`].
pub type OwnedKeyTurn = HeldKeyTurn<KeyTicket>;

/// The turn of a ticket: nobody else has one of any of its keys. Dropping it lets the next of each key go on. Used by its names
/// [`KeyTurn`] and [`OwnedKeyTurn`].
///
/// # Examples
///
/// See [`KeyTicket::try_turn`].
#[must_use = "a turn that is dropped is over"]
#[clippy::has_significant_drop]
pub struct HeldKeyTurn<B: BorrowMut<KeyTicket>> {
    ticket: B,
}

impl<B: BorrowMut<KeyTicket>> HeldKeyTurn<B> {
    pub(super) fn begin(mut ticket: B) -> Result<Self, LaneError> {
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
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Keyed;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::LaneError> {
    /// let keyed: Keyed<u8> = Keyed::new();
    /// let (mut first, mut second) = (keyed.ticket(&1), keyed.ticket(&1));
    /// let later = tokio::spawn(async move { second.turn().await.map(drop) });
    /// first.turn().await?.pass().await; // the second runs while this one goes on
    /// later.await.unwrap()?;
    /// # Ok(())
    /// # }
    /// ```
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
