//! A condition variable made of a critical section and a pulsed event (Hart and Tucker).
//!
//! As [`pulsed_mutex`](super::pulsed_mutex), with a lock whose owner is the thread.
//!
//! # Faults of the idea
//!
//! * A pulse between a waiter's leaving and its waiting is missed, so it looks again every 50 ms (BB-18). A
//!   critical section is not an object, so it cannot be left and waited for in one step.
//! * Every release makes everybody look (BB-20).
//! * The section is recursive and is the turn: who has a turn and asks for the next one gets it too
//!   (BB-25), and who asks for a later one looks again and again and lets nobody else in (BB-26).
//! * A second waiter of a number learns it only when the turn is over (B-17).
//! * The turn must end on the thread on which it began.
//!
//! # Mended
//!
//! A refusal leaves the section (BB-21); the section goes when its last user is gone (BB-22, BB-23); the
//! numbers wrap (BB-24); an owner that panics hands on (BB-16).

use super::{Duplicates, OldBaton, Refusal, ahead};
use batons::{CriticalSection, CriticalSectionGuard, ManualResetEvent};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What the original waits for before it looks again.
const EVENT_TIMEOUT: Duration = Duration::from_millis(50);

/// The numbers are touched by the thread in the section alone, which orders them.
pub(crate) struct PulsedSection {
    section: CriticalSection,
    changed: ManualResetEvent,
    next: AtomicU64,
    looks: AtomicU64,
}

/// The section is left after the pulse.
pub(crate) struct Turn<'a> {
    changed: &'a ManualResetEvent,
    _inside: CriticalSectionGuard<'a>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.changed.pulse();
    }
}

impl PulsedSection {
    fn look(&self, seq: u64) -> Result<bool, Refusal> {
        self.looks.fetch_add(1, Relaxed);
        Ok(ahead(self.next.load(Relaxed), seq)? == 0)
    }
}

impl OldBaton for PulsedSection {
    const NAME: &'static str = "critical section and pulsed event";
    const DUPLICATES: Duplicates = Duplicates::Late;
    const HERD: bool = true;

    type Turn<'a> = Turn<'a>;

    fn new(first: u64) -> Self {
        Self {
            section: CriticalSection::new(),
            changed: ManualResetEvent::new(false),
            next: AtomicU64::new(first),
            looks: AtomicU64::new(0),
        }
    }

    fn acquire(&self, seq: u64) -> Result<Turn<'_>, Refusal> {
        let mut inside = self.section.enter();
        while !self.look(seq)? {
            drop(inside);
            // A pulse that comes here is missed.
            let _ = self.changed.blocking_wait_timeout(EVENT_TIMEOUT);
            inside = self.section.enter();
        }
        self.next.store(seq.wrapping_add(1), Relaxed);
        Ok(Turn { changed: &self.changed, _inside: inside })
    }

    fn looks(&self) -> u64 {
        self.looks.load(Relaxed)
    }
}
