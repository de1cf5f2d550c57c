//! Who is missing.

use super::{Baton, Turn};
use crate::dispatch::Place;
use std::fmt;

/// Who held a baton, who waited and who was missing, at one moment; made by [`Baton::snapshot`].
///
/// Its `Display` is a line for people: the next number and why it is not running, then who waits, at most 16 numbers of a kind.
///
/// It is true of one moment, which is over when it is read: report it, do not act on it. Win32 tells what an owner waits for
/// (`GetThreadWaitChain`); that a number was never asked for, nobody there knows.
///
/// # Examples
///
/// ```
/// use batons::Baton;
/// use tokio_test::task;
///
/// let baton = Baton::new(17);
/// let mut waits: Vec<_> = [25, 18, 19].map(|n| task::spawn(baton.acquire(n))).into();
/// for wait in &mut waits {
///     assert!(wait.poll().is_pending());
/// }
/// assert_eq!(
///     baton.snapshot().to_string(),
///     "next 17: never requested; waiting: 18, 19, 25",
/// );
/// ```
///
/// And one by one:
///
/// ```
/// # use batons::Baton;
/// let baton = Baton::new(5);
/// let _held = baton.try_acquire(5)?;
/// let _ticket = baton.ticket();
/// let mut wait = tokio_test::task::spawn(baton.acquire(7));
/// assert!(wait.poll().is_pending());
/// baton.skip(8).expect("nobody has asked for it");
/// let snapshot = baton.snapshot();
/// assert_eq!((snapshot.next(), snapshot.holder()), (6, Some(5)));
/// assert!(snapshot.is_held() && !snapshot.is_closed());
/// assert_eq!((snapshot.tickets(), snapshot.waiting(), snapshot.skipped()), (&[6][..], &[7][..], &[8][..]));
/// # Ok::<_, batons::TryAcquireError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatonSnapshot {
    next: u64,
    held: bool,
    closed: bool,
    waiting: Vec<u64>,
    tickets: Vec<u64>,
    skipped: Vec<u64>,
}

impl BatonSnapshot {
    pub(super) fn take(baton: &Baton) -> Self {
        let (turn, mut waiting, mut tickets, mut skipped) = baton.header.inspect(|state, line| {
            let (mut waiting, mut tickets, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
            for (number, place) in line.iter() {
                match place {
                    Place::Waiting(..) | Place::Shared(..) => waiting.push(number),
                    Place::Reserved => tickets.push(number),
                    Place::Forfeit => skipped.push(number),
                    Place::Given(_) => {}
                }
            }
            (Turn(state), waiting, tickets, skipped)
        });
        let turns = baton.turns();
        for numbers in [&mut waiting, &mut tickets, &mut skipped] {
            // Sorted in the order of turns, which the names of the numbers lose at the wrap.
            numbers.sort_unstable();
            for number in numbers.iter_mut() {
                *number = turns.seq(*number);
            }
        }
        let (held, closed) = (turn.is_held(), turn.is_closed());
        Self { next: turns.seq(turn.next()), held, closed, waiting, tickets, skipped }
    }

    /// The number that is granted next.
    ///
    /// # Examples
    ///
    /// See [`BatonSnapshot`].
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The number that holds the baton, or whose grant its waiter has not yet seen.
    ///
    /// # Examples
    ///
    /// See [`BatonSnapshot`].
    #[must_use]
    pub fn holder(&self) -> Option<u64> {
        self.held.then(|| self.next.wrapping_sub(1))
    }

    /// Whether somebody holds the baton.
    ///
    /// # Examples
    ///
    /// See [`BatonSnapshot`].
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Whether the baton was closed.
    ///
    /// # Examples
    ///
    /// See [`BatonSnapshot`].
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The numbers that wait, in the order of their turns.
    ///
    /// # Examples
    ///
    /// See [`BatonSnapshot`].
    #[must_use]
    pub fn waiting(&self) -> &[u64] {
        &self.waiting
    }

    /// The numbers of tickets that nobody waits on yet, in the order of their turns.
    ///
    /// # Examples
    ///
    /// See [`BatonSnapshot`].
    #[must_use]
    pub fn tickets(&self) -> &[u64] {
        &self.tickets
    }

    /// The numbers skipped ahead of time, in the order of their turns.
    ///
    /// # Examples
    ///
    /// See [`BatonSnapshot`].
    #[must_use]
    pub fn skipped(&self) -> &[u64] {
        &self.skipped
    }
}

/// As many numbers of a kind as a line for people shows.
const SHOWN: usize = 16;

impl fmt::Display for BatonSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "next {}: ", self.next)?;
        match self.holder() {
            _ if self.closed => f.write_str("closed")?,
            Some(holder) => write!(f, "held by {holder}")?,
            None if self.tickets.contains(&self.next) => f.write_str("ticket out, not waiting yet")?,
            None => f.write_str("never requested")?,
        }
        let lists = [("waiting", &self.waiting), ("tickets", &self.tickets), ("skipped", &self.skipped)];
        for (name, numbers) in lists.into_iter().filter(|(_, numbers)| !numbers.is_empty()) {
            write!(f, "; {name}: {}", numbers[0])?;
            for number in numbers.iter().take(SHOWN).skip(1) {
                write!(f, ", {number}")?;
            }
            if numbers.len() > SHOWN {
                write!(f, " and {} more", numbers.len() - SHOWN)?;
            }
        }
        Ok(())
    }
}
