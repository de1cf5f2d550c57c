//! A list of numbers and a wake for exactly the next one (Brooks, "PAS").
//!
//! Who waits puts its number and an event at the head of a list. The release looks through the list for the
//! next number, makes whoever has it the owner, and sets its event.
//!
//! # Faults of the idea
//!
//! * A release walks along the list under the lock, to its end if the next number is not there (BB-39).
//! * Of two waiters of one number only the later one is ever woken (BB-32).
//! * Each wait makes a synchronization object (B-63), where the original queued an APC to the thread and
//!   left its place in the list behind when something else woke it (BB-34).
//!
//! # Mended
//!
//! A number that is over is refused (BB-33). The owner is a flag of its own and not the largest number
//! (BB-31), set before its thread wakes (BB-37). The numbers wrap (BB-38). The places belong to the list,
//! not to stacks (BB-34, BB-35). Only the guard releases, also when its owner panics (BB-16).

use super::{Duplicates, OldBaton, Refusal, ahead};
use batons::AutoResetEvent;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) struct LinkedList(Mutex<State>);

struct State {
    next: u64,
    held: bool,
    looks: u64,
    list: List,
}

type List = Option<Box<Waiter>>;

struct Waiter {
    seq: u64,
    turn: AutoResetEvent,
    rest: List,
}

pub(crate) struct Turn<'a>(&'a LinkedList);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let next = self.0.lock().release();
        if let Some(waiter) = next {
            waiter.turn.set();
        }
    }
}

impl State {
    fn take(&mut self) {
        self.held = true;
        self.next = self.next.wrapping_add(1);
    }

    /// `None` if it is the turn of `seq` now, else the event that will say so.
    fn request(&mut self, seq: u64) -> Result<Option<AutoResetEvent>, Refusal> {
        self.looks += 1;
        if ahead(self.next, seq)? == 0 && !self.held {
            self.take();
            return Ok(None);
        }
        let turn = AutoResetEvent::new(false);
        self.list = Some(Box::new(Waiter { seq, turn: turn.clone(), rest: self.list.take() }));
        Ok(Some(turn))
    }

    /// The one who owns the baton now.
    fn release(&mut self) -> Option<Box<Waiter>> {
        self.held = false;
        let waiter = unlink(&mut self.list, self.next)?;
        self.take();
        Some(waiter)
    }
}

fn unlink(mut list: &mut List, seq: u64) -> List {
    while list.as_ref()?.seq != seq {
        list = &mut list.as_mut()?.rest;
    }
    let mut waiter = list.take()?;
    *list = waiter.rest.take();
    Some(waiter)
}

impl LinkedList {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OldBaton for LinkedList {
    const NAME: &'static str = "list of events";
    const DUPLICATES: Duplicates = Duplicates::Never;
    const HERD: bool = false;

    type Turn<'a> = Turn<'a>;

    fn new(first: u64) -> Self {
        Self(Mutex::new(State { next: first, held: false, looks: 0, list: None }))
    }

    fn acquire(&self, seq: u64) -> Result<Turn<'_>, Refusal> {
        let waits = self.lock().request(seq)?;
        if let Some(turn) = waits {
            turn.blocking_wait();
        }
        Ok(Turn(self))
    }

    fn looks(&self) -> u64 {
        self.lock().looks
    }
}
