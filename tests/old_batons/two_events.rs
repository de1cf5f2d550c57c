//! A monitor of a mutex and two events (Tucker).
//!
//! The turn is the mutex. Whoever finds that it is not its turn counts itself, unlocks, and waits at a gate.
//! Who ends its turn opens the gate, waits until the last of those counted has come through and said so, and
//! closes it before it unlocks. No wake can be missed and nobody comes through twice.
//!
//! # Faults of the idea
//!
//! * Every release makes everybody look (BB-20), and the releaser waits until all of them have woken.
//! * A counted waiter that never comes through keeps the releaser for ever (BB-29). A thread that is blocked
//!   cannot die here; a wait with a time-out or a task that is aborted could not be had.
//! * A second waiter of a number learns it only when the turn is over (B-17).
//! * A release blocks, and so may not be done by a task.
//!
//! # Mended
//!
//! The acknowledgement is taken by the one release that it is meant for, because its event resets itself:
//! there is none left over for the next one (BB-28). The numbers wrap (BB-24); each wait is an owner of
//! its own (BB-25); only the guard releases (BB-30); an owner that panics hands on (BB-16).

use super::{Duplicates, OldBaton, Refusal, ahead};
use batons::{Abandoned, AutoResetEvent, ManualResetEvent, Mutex, MutexGuard, Owner};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};

/// The numbers are touched by the owner of the mutex alone, which orders them.
pub(crate) struct TwoEvents {
    mutex: Mutex,
    gate: ManualResetEvent,
    /// The last one is through.
    through: AutoResetEvent,
    /// How many stand at the gate; counted up by the owner of the mutex, and down by those who come through.
    standing: AtomicUsize,
    next: AtomicU64,
    looks: AtomicU64,
}

/// After the handshake the fields go in their order: the mutex is unlocked before its owner is gone.
pub(crate) struct Turn<'a> {
    baton: &'a TwoEvents,
    _lock: MutexGuard<'a>,
    _me: Owner,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let TwoEvents { gate, through, standing, .. } = self.baton;
        // Nobody joins them: that needs the mutex.
        if standing.load(SeqCst) > 0 {
            gate.set();
            through.blocking_wait();
            gate.reset();
        }
    }
}

impl TwoEvents {
    fn lock(&self, me: &Owner) -> MutexGuard<'_> {
        self.mutex.blocking_lock(me).unwrap_or_else(Abandoned::into_inner)
    }

    fn unlock_and_wait(&self, lock: MutexGuard<'_>) {
        self.standing.fetch_add(1, SeqCst);
        drop(lock);
        self.gate.blocking_wait();
        if self.standing.fetch_sub(1, SeqCst) == 1 {
            self.through.set();
        }
    }

    fn look(&self, seq: u64) -> Result<bool, Refusal> {
        self.looks.fetch_add(1, Relaxed);
        Ok(ahead(self.next.load(Relaxed), seq)? == 0)
    }
}

impl OldBaton for TwoEvents {
    const NAME: &'static str = "mutex and two events";
    const DUPLICATES: Duplicates = Duplicates::Late;
    const HERD: bool = true;

    type Turn<'a> = Turn<'a>;

    fn new(first: u64) -> Self {
        Self {
            mutex: Mutex::new(),
            gate: ManualResetEvent::new(false),
            through: AutoResetEvent::new(false),
            standing: AtomicUsize::new(0),
            next: AtomicU64::new(first),
            looks: AtomicU64::new(0),
        }
    }

    fn acquire(&self, seq: u64) -> Result<Turn<'_>, Refusal> {
        let me = Owner::new();
        let mut lock = self.lock(&me);
        while !self.look(seq)? {
            self.unlock_and_wait(lock);
            lock = self.lock(&me);
        }
        self.next.store(seq.wrapping_add(1), Relaxed);
        Ok(Turn { baton: self, _lock: lock, _me: me })
    }

    fn looks(&self) -> u64 {
        self.looks.load(Relaxed)
    }
}
