//! The header of an object: one word, one line, and the few ways to change them.
//!
//! ```text
//!  word:  63 ............................................ 1 │ 0
//!         the policy's state                                │ FROZEN: the line is not empty, or somebody is
//!                                                           │ inside; only the holder of the lock writes
//! ```

use super::line::Line;
use super::waiter::{Leave, Place, Woken, wake_all};
use super::{Policy, Standing, Verdict};
use crate::sync::{AtomicU64, Lock, Ordering};
use std::task::Waker;

/// While this bit is set nobody changes the word without the lock.
const FROZEN: u64 = 1;

/// What every object consists of, whatever its rules.
#[derive(Debug)]
pub(crate) struct Header<P> {
    policy: P,
    word: AtomicU64,
    line: Lock<Line<Place>>,
}

/// The object held still: its lock is held and its word frozen.
struct Still<'a, P> {
    policy: &'a P,
    state: u64,
    line: &'a mut Line<Place>,
}

impl<P: Policy> Header<P> {
    pub(crate) fn new(policy: P, state: u64) -> Self {
        Self { policy, word: AtomicU64::new(state << 1), line: Lock::new(Line::new()) }
    }

    pub(crate) fn policy(&self) -> &P {
        &self.policy
    }

    /// The state at some moment during the call.
    #[inline]
    pub(crate) fn state(&self) -> u64 {
        // Ordering: pairs with the Release of whoever wrote the word, so that a caller who sees a
        // grant or a release also sees what was done before it.
        self.word.load(Ordering::Acquire) >> 1
    }

    /// State and line at one moment, as `look` sees them.
    pub(crate) fn inspect<R>(&self, look: impl FnOnce(u64, &Line<Place>) -> R) -> R {
        self.hold_still(|still| look(still.state, still.line))
    }

    // ===== asking =====

    /// Grants or refuses `number` without the lock; `None` if that takes a look at the line.
    #[inline]
    pub(crate) fn quick(&self, number: u64) -> Option<Result<(), P::Refusal>> {
        // Ordering: only a guess, made good by the exchange.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & FROZEN == 0 {
            match self.policy.judge(word >> 1, number) {
                Verdict::Take(state) => {
                    // Ordering: Acquire pairs with the Release of the previous holder's `release`, so
                    // what it did is visible to the new one. A failed exchange is a new guess.
                    let taken = self.word.compare_exchange_weak(
                        word,
                        state << 1,
                        Ordering::Acquire,
                        Ordering::Relaxed,
                    );
                    match taken {
                        Ok(_) => return Some(Ok(())),
                        Err(now) => word = now,
                    }
                }
                Verdict::Refuse(refusal) => return Some(Err(refusal)),
                Verdict::Queue => return None,
            }
        }
        None
    }

    /// Grants or refuses `number`, or else puts `waker` in line for it; without a waker it only asks.
    /// `reserved` says that the place at `number`, if there is one, is the caller's own. A waker that was
    /// not needed comes back, to die where the lock is not held (R3).
    pub(crate) fn enter(
        &self,
        number: u64,
        reserved: bool,
        waker: Option<Waker>,
    ) -> (Option<Result<(), P::Refusal>>, Option<Waker>) {
        self.hold_still(|still| {
            let answer = still.ask(number, reserved);
            match waker {
                Some(waker) if answer.is_none() => {
                    let place = Place::Waiting(waker);
                    if reserved {
                        still.line.insert(number, place);
                    } else {
                        still.line.enter(number, place);
                    }
                    (answer, None)
                }
                unused => (answer, unused),
            }
        })
    }

    /// The answer to a waiter that stood in line at `number`, once there is one.
    pub(crate) fn answer(&self, number: u64) -> Option<Result<(), P::Refusal>> {
        let state = self.state();
        if self.policy.holds(state, number) {
            return Some(Ok(()));
        }
        self.policy.closed(state).map(Err)
    }

    /// Makes `waker` the one to wake at `number`, keeping the place (R9); false if nobody waits there any more.
    pub(crate) fn renew(&self, number: u64, waker: &Waker) -> bool {
        let mut fresh = None;
        loop {
            let (waiting, replaced) = self.hold_still(|still| match still.line.get_mut(number) {
                Some(Place::Waiting(old)) if old.will_wake(waker) => (Some(true), None),
                Some(Place::Waiting(old)) => match fresh.take() {
                    Some(new) => (Some(true), Some(std::mem::replace(old, new))),
                    None => (None, None),
                },
                _ => (Some(false), None),
            });
            drop(replaced);
            if let Some(waiting) = waiting {
                return waiting;
            }
            // Cloned outside the lock (R3), then looked again: the clone may have called us.
            fresh = Some(waker.clone());
        }
    }

    // ===== letting go =====

    /// The holder lets go; the next one is woken as the owner.
    #[inline]
    pub(crate) fn release(&self) {
        // Ordering: only a guess, made good by the exchange.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & FROZEN == 0 {
            let free = self.policy.release(word >> 1) << 1;
            // Ordering: Release hands what the holder did to the Acquire of the next one. A failed
            // exchange is a new guess.
            match self.word.compare_exchange_weak(word, free, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
        self.hand_over();
    }

    /// `release` when somebody stands in line.
    fn hand_over(&self) {
        let woken = self.hold_still(|still| {
            still.state = still.policy.release(still.state);
            still.serve()
        });
        woken.wake();
    }

    /// Takes a waiter out of the line, leaving `place` at its number; false if it was answered before.
    pub(crate) fn leave(&self, number: u64, leave: Leave) -> bool {
        // The waker inside is dropped at the end of this function, after the lock (R3).
        let left = self.hold_still(|still| match (still.line.get_mut(number), leave) {
            (Some(Place::Waiting(_)), Leave::Vacant) => still.line.remove(number),
            (Some(Place::Waiting(_)), Leave::Reserved) => still.line.insert(number, Place::Reserved),
            (Some(Place::Waiting(_)), Leave::Forfeit) => still.line.insert(number, Place::Forfeit),
            _ => None,
        });
        left.is_some()
    }

    /// Gives back a grant that its waiter never saw (R4).
    pub(crate) fn give_back(&self, number: u64, leave: Leave) {
        let woken = self.hold_still(|still| {
            if !still.policy.holds(still.state, number) {
                return Woken(None);
            }
            if leave == Leave::Reserved && still.policy.closed(still.state).is_none() {
                still.state = still.policy.undo(still.state);
                still.line.insert(number, Place::Reserved);
                return Woken(None);
            }
            still.state = still.policy.release(still.state);
            still.serve()
        });
        woken.wake();
    }

    // ===== numbers without a waiter =====

    /// Holds the next number that nobody has asked for, and tells it.
    pub(crate) fn reserve(&self) -> u64 {
        self.hold_still(|still| {
            let floor = still.policy.floor(still.state);
            match still.policy.closed(still.state) {
                Some(_) => floor,
                None => still.line.reserve(floor, Place::Reserved),
            }
        })
    }

    /// Gives up a reserved number, if it still is one: the line passes it over.
    pub(crate) fn forfeit(&self, number: u64) {
        if number < self.policy.floor(self.state()) {
            return;
        }
        let woken = self.hold_still(|still| match still.line.get_mut(number) {
            Some(place @ Place::Reserved) => {
                *place = Place::Forfeit;
                still.serve()
            }
            _ => Woken(None),
        });
        woken.wake();
    }

    /// Passes over a number that nobody asks for, now or when its turn comes.
    pub(crate) fn skip(&self, number: u64) -> Result<(), P::Refusal> {
        let woken = self.hold_still(|still| {
            match still.ask(number, false) {
                Some(Ok(())) => still.state = still.policy.release(still.state),
                Some(Err(refusal)) => return Err(refusal),
                None => {
                    still.line.insert(number, Place::Forfeit);
                }
            }
            Ok(still.serve())
        })?;
        woken.wake();
        Ok(())
    }

    /// Moves to the state that `change` makes, and wakes everyone in line to be refused by it.
    pub(crate) fn close(&self, change: impl FnOnce(u64) -> u64) {
        let everyone = self.hold_still(|still| {
            still.state = change(still.state);
            still.line.drain()
        });
        wake_all(everyone);
    }

    // ===== the locked section =====

    /// Runs `inside` with the lock held and the word frozen, and stores the state it leaves.
    ///
    /// Nothing foreign may run inside: wakers go out through the result.
    fn hold_still<R>(&self, inside: impl FnOnce(&mut Still<'_, P>) -> R) -> R {
        let mut line = self.line.lock();
        // Ordering: under the lock, so the bit stands still; Acquire as for `state`.
        let mut word = self.word.load(Ordering::Acquire);
        if word & FROZEN == 0 {
            // Ordering: Acquire pairs with the Release of the last lock-free `release`. Release keeps
            // the chain from there to whoever reads the word next.
            word = self.word.fetch_or(FROZEN, Ordering::AcqRel);
        }
        let mut still = Still { policy: &self.policy, state: word >> 1, line: &mut line };
        let result = inside(&mut still);
        let thawed = still.state << 1 | if still.line.is_empty() { 0 } else { FROZEN };
        // Ordering: Release publishes the state, and all that came before it, to `state` and `quick`.
        self.word.store(thawed, Ordering::Release);
        drop(line);
        result
    }
}

impl<P: Policy> Still<'_, P> {
    /// Grants or refuses `number`; `None` if it may stand in line.
    fn ask(&mut self, number: u64, reserved: bool) -> Option<Result<(), P::Refusal>> {
        match self.line.get_mut(number) {
            Some(Place::Reserved) if reserved => {
                if self.policy.due(self.state) != Some(number) {
                    return None;
                }
                self.line.remove(number);
                self.state = self.policy.grant(self.state);
                Some(Ok(()))
            }
            Some(Place::Forfeit) => Some(Err(self.policy.occupied(Standing::Forfeited))),
            Some(_) => Some(Err(self.policy.occupied(Standing::Requested))),
            None => match self.policy.judge(self.state, number) {
                Verdict::Take(state) => {
                    self.state = state;
                    Some(Ok(()))
                }
                Verdict::Refuse(refusal) => Some(Err(refusal)),
                Verdict::Queue => None,
            },
        }
    }

    /// Grants the object to whoever is due, passing over numbers that were given up.
    fn serve(&mut self) -> Woken {
        while let Some(number) = self.policy.due(self.state) {
            match self.line.remove_if(number, |place| !matches!(place, Place::Reserved)) {
                Some(Place::Forfeit) => {
                    self.state = self.policy.release(self.policy.grant(self.state));
                }
                Some(Place::Waiting(waker)) => {
                    self.state = self.policy.grant(self.state);
                    return Woken(Some(waker));
                }
                None | Some(Place::Reserved) => break,
            }
        }
        Woken(None)
    }
}
