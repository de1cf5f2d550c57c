//! A table with a slot for each number and a wake for exactly the next one (Currie, "MHEAP").
//!
//! A number's slot is its remainder by the size; who waits leaves an event there. The release looks into one
//! slot, makes whoever is in it the owner, and sets its event. The table doubles when a number is too far.
//!
//! # Faults of the idea
//!
//! * Memory is taken for the distance to the furthest number, not for the waiters (B-35), and is kept.
//! * Each wait makes a synchronization object (B-63), where the original queued an APC to the thread and
//!   so could wake one that had ended (BB-09), another of the same id (BB-10), or the wrong wait (BB-11).
//!
//! # Mended
//!
//! Growing puts every waiter into its new slot, where the original lost some (BB-01, BB-02), wrote past the end
//! (BB-03) and forgot the old table (BB-04) and who was there (BB-06). The size is a power of two, for the
//! wrap (BB-05), and the window ends where it says (BB-17). Only the guard releases (BB-12, BB-13, BB-16).

use super::{Duplicates, OldBaton, Refusal, ahead};
use batons::AutoResetEvent;
use std::sync::Mutex;

/// How far ahead a number may be.
const WINDOW: u64 = 0x1_0000;
const UNBROKEN: &str = "turns may panic, but not under the lock";

pub(crate) struct KeyedTable(Mutex<Table>);

struct Table {
    next: u64,
    held: bool,
    looks: u64,
    /// A power of two of them, and all waiting numbers are less than that ahead of the next.
    slots: Vec<Option<Waiter>>,
}

/// A number and what tells that its turn has come.
type Waiter = (u64, AutoResetEvent);

pub(crate) struct Turn<'a>(&'a KeyedTable);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let next = self.0.0.lock().expect(UNBROKEN).release();
        if let Some((_, turn)) = next {
            turn.set();
        }
    }
}

impl Table {
    fn slot(&mut self, seq: u64) -> &mut Option<Waiter> {
        let slot = usize::try_from(seq % self.slots.len() as u64).expect("less than a length");
        &mut self.slots[slot]
    }

    fn take(&mut self) {
        self.held = true;
        self.next = self.next.wrapping_add(1);
    }

    /// `None` if it is the turn of `seq` now, else the event that will say so.
    fn request(&mut self, seq: u64) -> Result<Option<AutoResetEvent>, Refusal> {
        self.looks += 1;
        match ahead(self.next, seq)? {
            0 if !self.held => {
                self.take();
                return Ok(None);
            }
            WINDOW.. => return Err(Refusal::TooFar),
            distance => self.grow(distance),
        }
        match self.slot(seq) {
            Some(_) => Err(Refusal::Duplicate),
            vacant => Ok(Some(vacant.insert((seq, AutoResetEvent::new(false))).1.clone())),
        }
    }

    fn grow(&mut self, distance: u64) {
        while self.slots.len() as u64 <= distance {
            let old = std::mem::take(&mut self.slots);
            self.slots.resize_with(2 * old.len(), || None);
            for (seq, turn) in old.into_iter().flatten() {
                *self.slot(seq) = Some((seq, turn));
            }
        }
    }

    /// The one who owns the baton now.
    fn release(&mut self) -> Option<Waiter> {
        self.held = false;
        let waiter = self.slot(self.next).take()?;
        self.take();
        Some(waiter)
    }
}

impl OldBaton for KeyedTable {
    const NAME: &'static str = "table of events";
    const DUPLICATES: Duplicates = Duplicates::AtOnce;
    const HERD: bool = false;

    type Turn<'a> = Turn<'a>;

    fn new(first: u64) -> Self {
        Self(Mutex::new(Table { next: first, held: false, looks: 0, slots: vec![None, None] }))
    }

    fn acquire(&self, seq: u64) -> Result<Turn<'_>, Refusal> {
        let waits = self.0.lock().expect(UNBROKEN).request(seq)?;
        if let Some(turn) = waits {
            turn.blocking_wait();
        }
        Ok(Turn(self))
    }

    fn looks(&self) -> u64 {
        self.0.lock().expect(UNBROKEN).looks
    }
}
