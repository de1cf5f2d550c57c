//! A condition variable made of a mutex and a pulsed event (Hart and Tucker).
//!
//! The turn is the mutex. Whoever locks it and finds that it is not its turn unlocks, waits for the event,
//! locks and looks again; who ends its turn pulses the event and unlocks.
//!
//! # Faults of the idea
//!
//! * A pulse between a waiter's unlocking and its waiting is missed, so it looks again every 50 ms
//!   (BB-18). `IN_ONE_STEP` unlocks and stands in line by [`signal_and_wait`], which needs no time-out; in Win32
//!   even `SignalObjectAndWait` could miss it (BB-19).
//! * Every release makes everybody look (BB-20).
//! * A second waiter of a number learns it only when the turn is over (B-17).
//! * While a turn is on a newcomer stands at the mutex: not even a wrong number is refused before it ends.
//!
//! # Mended
//!
//! The numbers wrap (BB-24); each wait is an owner of its own, so nobody enters the next turn by recursion
//! (BB-25, BB-26); only the guard releases (BB-27); an owner that panics hands on (BB-16).

use super::{Duplicates, OldBaton, Refusal, ahead};
use batons::{Abandoned, ManualResetEvent, Mutex, MutexGuard, Owner, blocking, signal_and_wait};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What the original waits for before it looks again.
const EVENT_TIMEOUT: Duration = Duration::from_millis(50);

/// The numbers are touched by the owner of the mutex alone, which orders them.
pub(crate) struct PulsedMutex<const IN_ONE_STEP: bool> {
    mutex: Mutex,
    changed: ManualResetEvent,
    next: AtomicU64,
    looks: AtomicU64,
}

/// After the pulse the fields go in their order: the mutex is unlocked before its owner is gone.
pub(crate) struct Turn<'a> {
    changed: &'a ManualResetEvent,
    _lock: MutexGuard<'a>,
    _me: Owner,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.changed.pulse();
    }
}

impl<const IN_ONE_STEP: bool> PulsedMutex<IN_ONE_STEP> {
    fn lock(&self, me: &Owner) -> MutexGuard<'_> {
        self.mutex.blocking_lock(me).unwrap_or_else(Abandoned::into_inner)
    }

    fn unlock_and_wait(&self, me: &Owner, lock: MutexGuard<'_>) {
        if IN_ONE_STEP {
            lock.forget();
            let waited = blocking::wait(signal_and_wait(self.mutex.unlocking(me), self.changed.wait()));
            waited.expect("it was locked by this owner");
        } else {
            drop(lock);
            // A pulse that comes here is missed.
            let _ = self.changed.blocking_wait_timeout(EVENT_TIMEOUT);
        }
    }

    fn look(&self, seq: u64) -> Result<bool, Refusal> {
        self.looks.fetch_add(1, Relaxed);
        Ok(ahead(self.next.load(Relaxed), seq)? == 0)
    }
}

impl<const IN_ONE_STEP: bool> OldBaton for PulsedMutex<IN_ONE_STEP> {
    const NAME: &'static str = if IN_ONE_STEP { "mutex, signal and wait" } else { "mutex and pulsed event" };
    const DUPLICATES: Duplicates = Duplicates::Late;
    const HERD: bool = true;

    type Turn<'a> = Turn<'a>;

    fn new(first: u64) -> Self {
        Self {
            mutex: Mutex::new(),
            changed: ManualResetEvent::new(false),
            next: AtomicU64::new(first),
            looks: AtomicU64::new(0),
        }
    }

    fn acquire(&self, seq: u64) -> Result<Turn<'_>, Refusal> {
        let me = Owner::new();
        let mut lock = self.lock(&me);
        while !self.look(seq)? {
            self.unlock_and_wait(&me, lock);
            lock = self.lock(&me);
        }
        self.next.store(seq.wrapping_add(1), Relaxed);
        Ok(Turn { changed: &self.changed, _lock: lock, _me: me })
    }

    fn looks(&self) -> u64 {
        self.looks.load(Relaxed)
    }
}
