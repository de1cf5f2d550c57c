//! Turn-taking by sequence number.
//!
//! The whole behaviour is this table; the [`Policy`] of the file is its code. `n` is the next number
//! to be granted, `d(s) = s - n` (modulo 2^64), and `W` the window. A number is consumed when it is
//! granted, not when it is released.
//!
//! | state          | `acquire(s)`, `d = 0` | `0 < d < W` | `d ≥ W`                    | `release`            | `skip(s)`            | `close`   |
//! |----------------|-----------------------|-------------|----------------------------|----------------------|----------------------|-----------|
//! | free, next `n` | held, next `n + 1`    | stands in line | refused: `Passed` or `TooFar` | cannot be called  | `n`: next `n + 1`; else remembered | closed |
//! | held, next `n` | stands in line        | stands in line | refused: `Passed` or `TooFar` | free; then who stands at `n` is granted | remembered | closed, still held |
//! | closed         | refused: `Closed`     | `Closed`    | `Closed`                   | nothing              | `Closed`             | nothing   |
//!
//! A number at which somebody stands, or for which somebody holds a ticket, refuses everyone else.

mod acquire;
mod builder;
mod snapshot;
#[cfg(test)]
mod tests;
mod ticket;

pub use acquire::{Acquire, BatonGuard, HeldBaton, OwnedBatonGuard};
pub use builder::BatonBuilder;
pub use snapshot::BatonSnapshot;
pub use ticket::Ticket;

use crate::dispatch::{Due, Header, Leave, Offer, Policy, Standing, Verdict, Wait};
use crate::error::{AcquireError, SkipError, TryAcquireError};
use std::fmt;
use std::sync::Arc;

// ===== policy: pure, knows no waiter =====

/// The rules of a baton. Numbers inside the engine count from 0; `first` is what the user calls 0,
/// so that the wrap from `u64::MAX` to 0 happens here and nowhere else.
#[derive(Debug)]
pub struct Turns {
    first: u64,
    window: u64,
}

/// The 63 bits of a baton's state: bit 0 held, bit 1 closed, above them the next number.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Turn(u64);

impl Turn {
    const HELD: u64 = 1;
    const CLOSED: u64 = 2;
    const ONE: u64 = 4;

    fn is_held(self) -> bool {
        self.0 & Self::HELD != 0
    }

    fn is_closed(self) -> bool {
        self.0 & Self::CLOSED != 0
    }

    /// 2^61 grants take centuries.
    fn next(self) -> u64 {
        self.0 / Self::ONE
    }
}

impl Turns {
    fn number(&self, seq: u64) -> u64 {
        seq.wrapping_sub(self.first)
    }

    fn seq(&self, number: u64) -> u64 {
        self.first.wrapping_add(number)
    }

    /// The state after the holder let go.
    fn release(state: u64) -> u64 {
        state & !Turn::HELD
    }
}

impl Policy for Turns {
    type Request = ();
    type Grant = ();
    type Refusal = AcquireError;

    const RECORDS: bool = false;
    const NUMBERED: bool = true;

    fn judge(&self, state: u64, (): (), number: u64) -> Verdict<(), AcquireError> {
        let turn = Turn(state);
        if turn.is_closed() {
            return Verdict::Refuse(AcquireError::Closed);
        }
        let distance = number.wrapping_sub(turn.next());
        if distance == 0 && !turn.is_held() {
            Verdict::Take(state + Turn::ONE + Turn::HELD, ())
        } else if distance < self.window {
            Verdict::Queue
        } else if distance > u64::MAX / 2 {
            Verdict::Refuse(AcquireError::Passed)
        } else {
            Verdict::Refuse(AcquireError::TooFar { limit: self.seq(turn.next() + self.window - 1) })
        }
    }

    fn give_back(&self, state: u64, (): (), (): ()) -> Offer {
        Offer::Anybody(Self::release(state))
    }

    fn due(&self, state: u64) -> Due {
        let turn = Turn(state);
        if turn.is_held() || turn.is_closed() { Due::Nobody } else { Due::Number(turn.next()) }
    }

    fn closed(&self, state: u64) -> Option<AcquireError> {
        Turn(state).is_closed().then_some(AcquireError::Closed)
    }

    fn tells(&self, state: u64, number: u64) -> bool {
        Turn(state).is_held() && Turn(state).next() == number.wrapping_add(1)
    }

    fn pass(&self, state: u64) -> u64 {
        state + Turn::ONE
    }

    fn occupied(&self, standing: Standing) -> Option<AcquireError> {
        Some(match standing {
            Standing::Requested => AcquireError::Duplicate,
            Standing::Forfeited => AcquireError::Passed,
        })
    }

    fn floor(&self, state: u64) -> u64 {
        Turn(state).next()
    }

    fn undo(&self, state: u64) -> u64 {
        state - Turn::ONE - Turn::HELD
    }
}

// ===== the object =====

/// Turn-taking by sequence number: [`acquire(seq)`](Baton::acquire) is granted strictly in the order of
/// the numbers, and whoever releases wakes exactly the waiter of the next one.
///
/// Clones are handles to one baton (Win32 `DuplicateHandle`). The numbers begin with the one given at
/// construction and go on, one by one, from `u64::MAX` to 0. A number is granted once. When the baton
/// is released the turn passes to the next number: if somebody waits for it, that one owns the baton
/// before `release` returns and is the only one woken; if not, the baton stays free until the number is
/// acquired or [skipped](Baton::skip).
///
/// If you do not care for the order, use a mutex. If the numbers are only an order of arrival, let
/// [`ticket`](Baton::ticket) hand them out: nobody can then forget one.
///
/// This is not folly's `Baton`, which is a one-shot event.
///
/// # Order
///
/// By number alone; it does not matter when anybody arrives, and tasks and threads wait in one line.
/// Nobody can get a number that another party waits for, holds or has had.
///
/// # Memory ordering
///
/// What was done before a release is visible after the next grant, and so to every later holder.
///
/// # What can stall it
///
/// A number that nobody acquires, skips or holds a ticket for; a guard that is leaked; a granted
/// future that is neither polled nor dropped. [`snapshot`](Baton::snapshot) tells which number is
/// missing, and [`close`](Baton::close) frees everyone.
///
/// # Origin
///
/// The object is the baton of the *Windows Developer's Journal* (2001), which its readers built from a
/// table of thread ids and targeted APCs (Currie), from a mutex or two events (Hart and Tucker), and from a
/// list (Brooks). Theirs are: turns by number, the number used up by the grant, the window measured from
/// the last number granted, one targeted wake. Ours are: every refusal at once, hand-over to the wait
/// rather than to its thread, cancellation, `skip`, tickets, and that any number may be the first.
///
/// # Cost
///
/// Uncontended, `acquire` and release are one compare-exchange each. A hand-over costs the same with
/// two waiters and with a hundred thousand. A waiter takes memory for its waker and a few words, and no
/// allocation of its own. A baton itself is one allocation.
///
/// # Examples
///
/// ```
/// use batons::Baton;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let baton = Baton::new(1);
/// let tasks: Vec<_> = [3, 1, 2]
///     .into_iter()
///     .map(|n| {
///         let baton = baton.clone();
///         tokio::spawn(async move {
///             let _guard = baton.acquire(n).await.expect("each number is acquired once");
///             println!("{n}"); // prints 1, 2, 3
///         })
///     })
///     .collect();
/// for task in tasks {
///     task.await.unwrap();
/// }
/// assert_eq!(baton.next(), 4);
/// # }
/// ```
#[derive(Clone)]
pub struct Baton {
    header: Arc<Header<Turns>>,
}

impl Baton {
    /// Creates a free baton whose first turn is `first`; any number will do.
    ///
    /// The window is 65,536; see [`builder`](Baton::builder) to choose another.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::Baton;
    ///
    /// let baton = Baton::new(u64::MAX);
    /// drop(baton.try_acquire(u64::MAX)?);
    /// drop(baton.try_acquire(0)?); // the numbers wrap
    /// # Ok::<_, batons::TryAcquireError>(())
    /// ```
    #[must_use]
    pub fn new(first: u64) -> Self {
        Self::builder().first(first).build()
    }

    /// A baton with other settings than the usual ones; see [`BatonBuilder`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Baton;
    /// let baton = Baton::builder().first(1).window(65_536).build();
    /// assert_eq!(baton.next(), 1);
    /// ```
    pub fn builder() -> BatonBuilder {
        BatonBuilder::new()
    }

    /// Waits for the turn of `seq`.
    ///
    /// The future does nothing before its first poll. The first poll takes the baton if it is free and
    /// the turn is `seq`'s, refuses a wrong number, or stands in line. It answers the guard when all
    /// numbers before `seq` have been acquired and released, or skipped. The thread's form is
    /// [`blocking_acquire`](Baton::blocking_acquire).
    ///
    /// To acquire `n + 1` while holding the guard of `n` in the same task waits for ever.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. Dropping the future before the grant makes the number acquirable again, by
    /// anybody; until someone acquires or skips it, later numbers wait. Dropping it after the grant and
    /// before the poll that would have shown it counts as acquire and release: the number is used up and
    /// the next one has its turn.
    ///
    /// # Errors
    ///
    /// At the first poll, changing nothing: [`Duplicate`](AcquireError::Duplicate) if somebody waits for the
    /// number or holds its ticket, [`Passed`](AcquireError::Passed) if its turn is over, on or skipped,
    /// [`TooFar`](AcquireError::TooFar) beyond the window. At any time [`Closed`](AcquireError::Closed).
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{AcquireError, Baton};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), AcquireError> {
    /// let baton = Baton::new(0);
    /// let guard = baton.acquire(0).await?;
    /// assert_eq!(guard.seq(), 0);
    /// guard.release();
    /// assert_eq!(baton.acquire(0).await.unwrap_err(), AcquireError::Passed);
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn acquire(&self, seq: u64) -> Acquire<&Self> {
        Acquire::new(self, Wait::new((), self.turns().number(seq), Leave::Vacant))
    }

    /// The same as [`acquire`](Baton::acquire), with a future and a guard that keep the baton alive
    /// themselves and so may leave the scope.
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Baton::acquire).
    ///
    /// # Errors
    ///
    /// As [`acquire`](Baton::acquire).
    ///
    /// # Panics
    ///
    /// As [`acquire`](Baton::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{AcquireError, Baton, OwnedBatonGuard};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), AcquireError> {
    /// let guard: OwnedBatonGuard = Baton::new(0).acquire_owned(0).await?;
    /// std::thread::spawn(move || drop(guard)).join().unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn acquire_owned(&self, seq: u64) -> Acquire<Self> {
        Acquire::new(self.clone(), Wait::new((), self.turns().number(seq), Leave::Vacant))
    }

    /// Takes the baton if it is free and the turn is `seq`'s; never waits.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](TryAcquireError::WouldBlock) if the turn is still to come, otherwise as
    /// [`acquire`](Baton::acquire). Nothing is changed.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::{Baton, TryAcquireError};
    ///
    /// let baton = Baton::new(0);
    /// let guard = baton.try_acquire(0)?;
    /// assert_eq!(baton.try_acquire(1).unwrap_err(), TryAcquireError::WouldBlock);
    /// drop(guard);
    /// assert!(baton.try_acquire(1).is_ok());
    /// # Ok::<_, TryAcquireError>(())
    /// ```
    #[inline]
    pub fn try_acquire(&self, seq: u64) -> Result<BatonGuard<'_>, TryAcquireError> {
        let number = self.turns().number(seq);
        match Wait::new((), number, Leave::Vacant).now(&self.header) {
            Some(granted) => Ok(granted.map(|()| HeldBaton::new(self, number))?),
            None => Err(TryAcquireError::WouldBlock),
        }
    }

    /// Passes `seq` over: at once if it is its turn and the baton is free, otherwise when its turn comes.
    ///
    /// Meant for a number whose owner is gone for good. A [ticket](Baton::ticket) that is dropped does
    /// the same by itself.
    ///
    /// # Errors
    ///
    /// [`Requested`](SkipError::Requested) if somebody waits for the number or holds its ticket,
    /// [`Passed`](SkipError::Passed), [`TooFar`](SkipError::TooFar), [`Closed`](SkipError::Closed).
    /// Nothing is changed.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::Baton;
    ///
    /// let baton = Baton::new(1);
    /// baton.skip(2)?; // ahead of time
    /// baton.skip(1)?; // at once
    /// assert_eq!(baton.next(), 3);
    /// # Ok::<_, batons::SkipError>(())
    /// ```
    pub fn skip(&self, seq: u64) -> Result<(), SkipError> {
        self.header.skip((), self.turns().number(seq)).map_err(SkipError::from)
    }

    /// Hands out the next number that nobody has asked for, and holds its place from this call on.
    ///
    /// The place is taken at the call, not at the first poll, so the order of the tickets is the order of
    /// the calls. The window does not bind tickets: their number is bounded by who holds them.
    /// A ticket of a closed baton can be made; it answers [`Closed`](AcquireError::Closed).
    ///
    /// Numbers may also be acquired by hand on the same baton: tickets step over numbers that somebody
    /// waits for or has skipped, and a ticket's number refuses everyone else.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{AcquireError, Baton};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), AcquireError> {
    /// let baton = Baton::new(0);
    /// let (first, mut second) = (baton.ticket(), baton.ticket());
    /// drop(first); // never used: passed over
    /// assert_eq!(second.acquire().await?.seq(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn ticket(&self) -> Ticket {
        Ticket::new(self.clone(), self.header.reserve())
    }

    /// Ends the baton: everyone in line gets [`Closed`](AcquireError::Closed), and so does everyone who
    /// comes later. Closing it again does nothing.
    ///
    /// A guard that is out keeps its turn; its release is quiet. A grant that was made before and not yet
    /// seen is still answered. If the waker of one of the waiters panics, all the others are woken
    /// first. Win32 would leave the waiters of a closed handle waiting.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::{AcquireError, Baton};
    ///
    /// let baton = Baton::new(0);
    /// baton.close();
    /// assert!(baton.is_closed());
    /// assert_eq!(baton.blocking_acquire(0).unwrap_err(), AcquireError::Closed);
    /// ```
    pub fn close(&self) {
        self.header.close(|state| state | Turn::CLOSED);
    }

    /// Whether the baton was closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Baton;
    /// assert!(!Baton::new(0).is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.turn().is_closed()
    }

    /// The number that is granted next. Stale as soon as it is read: report it, do not act on it.
    ///
    /// A number is consumed when it is granted, so while `n` is held this is `n + 1`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Baton;
    /// let baton = Baton::new(5);
    /// let _guard = baton.try_acquire(5)?;
    /// assert_eq!(baton.next(), 6);
    /// # Ok::<_, batons::TryAcquireError>(())
    /// ```
    #[must_use]
    pub fn next(&self) -> u64 {
        self.turns().seq(self.turn().next())
    }

    /// Who holds, who waits and who is missing, at one moment during the call.
    ///
    /// Costs time and memory in proportion to the waiters.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Baton;
    /// let baton = Baton::new(17);
    /// assert_eq!(baton.snapshot().to_string(), "next 17: never requested");
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> BatonSnapshot {
        BatonSnapshot::take(self)
    }

    #[inline]
    fn turns(&self) -> &Turns {
        self.header.policy()
    }

    fn turn(&self) -> Turn {
        Turn(self.header.state())
    }
}

impl fmt::Debug for Baton {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turn = self.turn();
        f.debug_struct("Baton")
            .field("next", &self.turns().seq(turn.next()))
            .field("held", &turn.is_held())
            .field("closed", &turn.is_closed())
            .finish_non_exhaustive()
    }
}
