//! The header of an object: one word, one line, and the few ways to change them.
//!
//! ```text
//!  word:  63 ............................................ 1 │ 0
//!         the policy's state                                │ FROZEN: somebody stands in line or is
//!                                                           │ inside; only the holder of the lock writes
//! ```

use super::line::Line;
use super::place::{Given, Leave, Place, Queue, wake_all};
use super::record::Record;
use super::still::Still;
use super::{Policy, Verdict};
use crate::sync::{AtomicU64, Lock, Ordering};
use std::sync::Arc;
use std::task::Waker;

/// While this bit is set nobody changes the word without the lock.
pub(super) const FROZEN: u64 = 1;

/// The answer to a request: a grant or a refusal.
pub(crate) type Answer<P> = Result<<P as Policy>::Grant, <P as Policy>::Refusal>;

/// What every object consists of, whatever its rules.
#[derive(Debug)]
pub struct Header<P: Policy> {
    pub(super) id: u64,
    pub(super) policy: P,
    pub(super) word: AtomicU64,
    pub(super) queue: Lock<Queue<P>>,
}

/// What a wait asks for.
#[derive(Debug)]
pub(crate) struct Ask<P: Policy> {
    pub(crate) request: P::Request,
    /// The place that it names or where it stands; without meaning as long as it has none.
    pub(crate) number: u64,
    /// Whether the place is reserved for it.
    pub(crate) own: bool,
}

impl<P: Policy> Clone for Ask<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Policy> Copy for Ask<P> {}

/// How a request fared.
pub(crate) enum Entered<P: Policy> {
    Answered(Answer<P>),
    /// It stands in line at this number.
    Stands(u64),
    /// It was only asked, and would have to wait.
    WouldWait,
}

/// How a request fared without the lock.
pub(crate) enum Quick<P: Policy> {
    Answered(Answer<P>),
    WouldWait,
    /// That takes a look at the line.
    Look,
}

impl<P: Policy> Header<P> {
    pub(crate) fn new(policy: P, state: u64) -> Self {
        Self {
            id: crate::sync::unique_id(),
            policy,
            word: AtomicU64::new(state << 1),
            queue: Lock::new(Queue::new()),
        }
    }

    /// Which object this is.
    pub(crate) fn id(&self) -> u64 {
        self.id
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
    pub(crate) fn inspect<R>(&self, look: impl FnOnce(u64, &Line<Place<P>>) -> R) -> R {
        let still = self.hold_still();
        look(still.state, &still.queue.line)
    }

    // ===== without the lock =====

    /// Answers without the lock, if nobody stands in line.
    #[inline]
    pub(crate) fn quick(&self, ask: Ask<P>) -> Quick<P> {
        // Ordering: only a guess, made good by the exchange.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & FROZEN == 0 {
            match self.policy.judge(word >> 1, ask.request, ask.number) {
                Verdict::Take(state, grant) => match self.exchange(word, state) {
                    Ok(()) => return Quick::Answered(Ok(grant)),
                    Err(now) => word = now,
                },
                Verdict::Refuse(refusal) => return Quick::Answered(Err(refusal)),
                Verdict::Queue => return Quick::WouldWait,
            }
        }
        Quick::Look
    }

    /// Changes the state by a signal, and serves whoever can be served then. A `settle` follows in the
    /// same step: a pulse sets, serves and clears. If `change` refuses nothing is changed.
    #[inline]
    pub(crate) fn signal<T, E>(
        &self,
        change: impl Fn(&P, u64) -> Result<(u64, T), E>,
        settle: impl Fn(&P, u64) -> u64,
    ) -> Result<T, E> {
        // Ordering: only a guess, made good by the exchange.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & FROZEN == 0 {
            let (state, told) = change(&self.policy, word >> 1)?;
            match self.exchange(word, settle(&self.policy, state)) {
                Ok(()) => return Ok(told),
                Err(now) => word = now,
            }
        }
        self.inside(|still, reach| {
            let (state, told) = change(&still.header.policy, still.state)?;
            still.state = state;
            reach.serve(still);
            still.state = settle(&still.header.policy, still.state);
            Ok(told)
        })
    }

    /// [`signal`](Header::signal) by a change that is never refused.
    #[inline]
    pub(crate) fn change<T>(&self, change: impl Fn(u64) -> (u64, T)) -> T {
        let Ok(told) =
            self.signal(|_, state| Ok::<_, std::convert::Infallible>(change(state)), |_, state| state);
        told
    }

    #[inline]
    fn exchange(&self, word: u64, state: u64) -> Result<(), u64> {
        // Ordering: Acquire shows a new holder what the previous one did before its Release, which is
        // this same exchange. A failed exchange is a new guess.
        let exchanged =
            self.word.compare_exchange_weak(word, state << 1, Ordering::AcqRel, Ordering::Relaxed);
        exchanged.map(drop)
    }

    // ===== standing in line =====

    /// Answers, or else puts `waker` in line; without a waker it only asks. A waker that is not needed stays
    /// where it is, to die where the lock is not held (R3).
    #[inline]
    pub(crate) fn enter(&self, ask: Ask<P>, waker: &mut Option<Waker>) -> Entered<P> {
        let mut still = self.hold_still();
        match still.ask(ask) {
            Some(answer) => Entered::Answered(answer),
            None => match waker.take() {
                Some(waker) => Entered::Stands(still.stand(ask, Place::Waiting(waker, ask.request))),
                None => Entered::WouldWait,
            },
        }
    }

    /// The same for one of the objects of a wait on several: if the answer is a grant, the wait is
    /// claimed for it. `None` if the wait was claimed for another object meanwhile.
    #[inline]
    pub(crate) fn join(&self, ask: Ask<P>, record: &Arc<Record>, index: usize) -> Option<Entered<P>> {
        let mut still = self.hold_still();
        if P::NUMBERED && still.is_place_of(record, ask.number) {
            // The same place twice in one list: the first one stands for both.
            return None;
        }
        if !record.is_all() {
            match still.consider(ask) {
                Verdict::Queue => {}
                _ if !record.claim(index) => return None,
                _ => return still.ask(ask).map(Entered::Answered),
            }
        } else if let Verdict::Refuse(refusal) = still.consider(ask) {
            return Some(Entered::Answered(Err(refusal)));
        }
        let place = Place::Shared(Arc::clone(record), index, ask.request);
        Some(Entered::Stands(still.stand(ask, place)))
    }

    /// The answer to a waiter that stood in line; if there is none, `waker` becomes the one to wake and
    /// the place is kept (R9).
    #[inline]
    pub(crate) fn again(&self, ask: Ask<P>, waker: &Waker) -> Option<Given<P>> {
        if P::RECORDS {
            let given = self.queue.lock().collect(ask.number);
            if given.is_some() {
                return given;
            }
        } else if let Some(given) = self.told(ask) {
            return Some(given);
        }
        self.renew(ask, waker)
    }

    /// [`again`](Header::again) for one who had no answer a moment ago.
    fn renew(&self, ask: Ask<P>, waker: &Waker) -> Option<Given<P>> {
        let mut fresh = None;
        loop {
            let mut queue = self.queue.lock();
            match queue.line.get_mut(ask.number) {
                Some(Place::Waiting(old, _)) if old.will_wake(waker) => return None,
                Some(Place::Waiting(old, _)) => {
                    if let Some(fresh) = fresh.take() {
                        // Dropped outside the lock (R3).
                        let _old = std::mem::replace(old, fresh);
                        drop(queue);
                        return None;
                    }
                }
                // A waker that is not needed goes before the grant is taken: its panic leaves the grant to be
                // given back.
                _ if fresh.is_none() => return self.collect_from(&mut queue, ask),
                _ => {}
            }
            drop(queue);
            // Cloned outside the lock (R3), then looked again: the clone may have called us.
            fresh = if fresh.is_some() { None } else { Some(waker.clone()) };
        }
    }

    /// The answer that the state alone gives to one who stood in line.
    #[inline]
    fn told(&self, ask: Ask<P>) -> Option<Given<P>> {
        if P::RECORDS { None } else { self.read(self.state(), ask) }
    }

    pub(super) fn read(&self, state: u64, ask: Ask<P>) -> Option<Given<P>> {
        if self.policy.tells(state, ask.number) {
            return Some(Given::unrecorded(ask.request, P::Grant::default()));
        }
        let refusal = self.policy.closed(state)?;
        Some(Given { request: ask.request, answer: Err(refusal), tail: 0 })
    }

    /// The answer to one who stood in line and does no more.
    pub(crate) fn collect(&self, ask: Ask<P>) -> Option<Given<P>> {
        self.told(ask).or_else(|| self.collect_from(&mut self.queue.lock(), ask))
    }

    /// The same under the lock. Taking an answer out of the line changes nothing for those who wait, so the word
    /// need not stand still for it.
    fn collect_from(&self, queue: &mut Queue<P>, ask: Ask<P>) -> Option<Given<P>> {
        if let Some(given) = queue.collect(ask.number) {
            return Some(given);
        }
        match queue.line.get_mut(ask.number) {
            Some(_) => None,
            None => self.read(self.state(), ask),
        }
    }

    /// Ends a wait that stands in line: leaves the line, or takes the answer that has come.
    pub(crate) fn leave(&self, ask: Ask<P>, leave: Leave) -> Option<Given<P>> {
        let mut still = self.hold_still();
        let waits =
            matches!(still.queue.line.get_mut(ask.number), Some(Place::Waiting(..) | Place::Shared(..)));
        if !waits || leave != Leave::Vacant || still.queue.waiting() > 1 {
            return self.leave_others(still, ask, leave);
        }
        // Nobody is left to be served.
        let left = still.replace(ask.number, leave);
        drop(still);
        drop(left);
        None
    }

    #[inline(never)]
    fn leave_others(&self, still: Still<'_, P>, ask: Ask<P>, leave: Leave) -> Option<Given<P>> {
        let mut left = None;
        still.widen(|still, reach| match still.queue.line.get_mut(ask.number) {
            Some(Place::Waiting(..) | Place::Shared(..)) => {
                left = still.replace(ask.number, leave);
                // One who could not be served may have stood before one who can.
                reach.serve(still);
                None
            }
            _ => self.collect_from(&mut still.queue, ask),
        })
    }

    /// Gives back a grant that its waiter never saw (R4).
    pub(crate) fn give_back(&self, given: &Given<P>) {
        self.inside(|still, reach| {
            let offered = still.offer(given);
            reach.serve(still);
            still.withdraw(offered);
        });
    }

    /// Moves to the state that `change` makes, and answers everyone in line with its refusal.
    pub(crate) fn close(&self, change: impl FnOnce(u64) -> u64) {
        let everyone = {
            let mut still = self.hold_still();
            still.state = change(still.state);
            still.queue.drain()
        };
        wake_all(everyone);
    }
}
