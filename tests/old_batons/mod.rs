//! The batons that came before ours, made of this crate's other objects.
//!
//! A magazine asked its readers in 2001 for an object that grants turns by number; these are the ideas of
//! their answers, for threads. They show that the objects can be built with, and are baselines: a bench
//! includes this file by its path. Faults that would spoil the comparison (a turn lost or granted twice)
//! are mended, those that belong to the idea are kept; each module tells which. The faults have their numbers
//! from the table of cases that `tests/cases.rs` checks.
//!
//! | module | idea | a release wakes | a waiter waits in |
//! |---|---|---|---|
//! | [`pulsed_mutex`] | condition variable: mutex and pulsed event (Hart, Tucker) | everybody | time-outs, or one step |
//! | [`pulsed_section`] | the same with a critical section (Hart, Tucker) | everybody | time-outs |
//! | [`two_events`] | a gate and an acknowledgement (Tucker) | everybody | the gate |
//! | [`keyed_table`] | a slot for each number (Currie) | the next | an event of its own |
//! | [`linked_list`] | a list of numbers (Brooks) | the next | an event of its own |
//! | [`ours`] | [`batons::Baton`] | the next | the baton |

#![allow(dead_code, reason = "each test and bench uses its own part")]

pub(crate) mod keyed_table;
pub(crate) mod linked_list;
pub(crate) mod ours;
pub(crate) mod pulsed_mutex;
pub(crate) mod pulsed_section;
pub(crate) mod two_events;

/// A baton for threads.
pub(crate) trait OldBaton: Send + Sync + 'static {
    const NAME: &'static str;
    /// What a second waiter of a number learns.
    const DUPLICATES: Duplicates;
    /// Whether a release makes everybody in line look whose turn it is.
    const HERD: bool;

    /// Dropping it is the release.
    type Turn<'a>
    where
        Self: 'a;

    /// A free baton whose first turn is `first`.
    fn new(first: u64) -> Self;

    /// Waits for the turn of `seq`.
    fn acquire(&self, seq: u64) -> Result<Self::Turn<'_>, Refusal>;

    /// How often anybody has looked whose turn it is.
    fn looks(&self) -> u64;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duplicates {
    /// It is refused at once.
    AtOnce,
    /// It waits, and learns it when the turn is over.
    Late,
    /// It waits for ever.
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Duplicate,
    Passed,
    TooFar,
}

/// How many turns `seq` has to wait for when `next` is the next; the numbers wrap.
pub(crate) fn ahead(next: u64, seq: u64) -> Result<u64, Refusal> {
    let distance = seq.wrapping_sub(next);
    if distance > u64::MAX / 2 { Err(Refusal::Passed) } else { Ok(distance) }
}
