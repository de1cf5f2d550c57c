//! The locked section: an object held still, judged, changed and served.

use super::header::{Answer, Ask, FROZEN, Header};
use super::place::{Given, Leave, Place, Queue, Woken};
use super::record::{Held, Object, Offered, Reach, Record};
use super::{Due, Offer, Policy, Standing, Verdict};
use crate::sync::{LockGuard, Ordering};
use std::sync::Arc;

/// The object held still: its lock is held and its word frozen. The state is stored when it is dropped.
///
/// Nothing foreign may run while one exists (R3): wakers go out through [`Woken`].
pub(crate) struct Still<'a, P: Policy> {
    pub(super) header: &'a Header<P>,
    pub(super) state: u64,
    pub(super) queue: LockGuard<'a, Queue<P>>,
    /// Whom the state is for: those with lower numbers. Everybody, but while an offer stands.
    before: u64,
}

impl<P: Policy> Header<P> {
    /// Takes the lock and freezes the word.
    #[inline]
    pub(super) fn hold_still(&self) -> Still<'_, P> {
        let queue = self.queue.lock();
        // Ordering: under the lock, so the bit stands still; Acquire as for `state`.
        let mut word = self.word.load(Ordering::Acquire);
        if word & FROZEN == 0 {
            // Ordering: Acquire pairs with the Release of the last lock-free `signal`. Release keeps
            // the chain from there to whoever reads the word next.
            word = self.word.fetch_or(FROZEN, Ordering::AcqRel);
        }
        Still { header: self, state: word >> 1, queue, before: u64::MAX }
    }

    /// Runs `inside` on the object held still, together with every object on which a wait-all in its
    /// line depends, and wakes whom it has served.
    #[inline]
    pub(super) fn inside<T>(&self, inside: impl FnOnce(&mut Still<'_, P>, &mut Reach<'_, '_>) -> T) -> T {
        self.hold_still().widen(inside)
    }
}

impl<P: Policy> Still<'_, P> {
    /// [`inside`](Header::inside) for an object that is held still already, and not changed yet.
    #[inline]
    pub(super) fn widen<T>(mut self, inside: impl FnOnce(&mut Still<'_, P>, &mut Reach<'_, '_>) -> T) -> T {
        let mut woken = Woken::default();
        let result = if self.queue.alls == 0 {
            let result = inside(&mut self, &mut Reach::alone(&mut woken));
            drop(self);
            result
        } else {
            Reach::wide(self, &mut woken, inside)
        };
        woken.wake();
        result
    }

    /// What would be answered now.
    #[inline]
    pub(super) fn consider(&mut self, ask: Ask<P>) -> Verdict<P::Grant, P::Refusal> {
        let policy = &self.header.policy;
        let verdict = policy.judge(self.state, ask.request, ask.number);
        if !P::NUMBERED {
            // A newcomer never overtakes (R8).
            let overtakes = !matches!(verdict, Verdict::Take(..))
                || policy.overtakes(self.state, ask.request)
                || !self.queue.is_waited_for(u64::MAX);
            return if overtakes { verdict } else { Verdict::Queue };
        }
        let standing = match self.queue.line.get_mut(ask.number) {
            None => return verdict,
            Some(Place::Reserved) if ask.own => {
                let due = policy.due(self.state) == Due::Number(ask.number);
                return if due { verdict } else { Verdict::Queue };
            }
            Some(Place::Forfeit) => Standing::Forfeited,
            Some(_) => Standing::Requested,
        };
        policy.occupied(standing).map_or(verdict, Verdict::Refuse)
    }

    /// Whether the place at `number` belongs to `record`.
    pub(super) fn is_place_of(&mut self, record: &Arc<Record>, number: u64) -> bool {
        matches!(self.queue.line.get_mut(number), Some(Place::Shared(other, ..)) if Arc::ptr_eq(other, record))
    }

    /// Answers if that is possible now.
    #[inline]
    pub(super) fn ask(&mut self, ask: Ask<P>) -> Option<Answer<P>> {
        match self.consider(ask) {
            Verdict::Take(state, grant) => {
                if ask.own {
                    self.queue.line.remove(ask.number);
                }
                self.state = state;
                Some(Ok(grant))
            }
            Verdict::Refuse(refusal) => Some(Err(refusal)),
            Verdict::Queue => None,
        }
    }

    /// Puts `place` where it belongs, and tells the number.
    #[inline]
    pub(super) fn stand(&mut self, ask: Ask<P>, place: Place<P>) -> u64 {
        self.queue.alls += usize::from(place.is_all());
        if !P::NUMBERED {
            return self.queue.line.push(place);
        }
        if ask.own {
            self.queue.line.insert(ask.number, place);
        } else {
            self.queue.line.enter(ask.number, place);
        }
        ask.number
    }

    /// Takes out whoever stands at `number`, leaving there what `leave` says.
    #[inline]
    pub(super) fn replace(&mut self, number: u64, leave: Leave) -> Option<Place<P>> {
        let line = &mut self.queue.line;
        let left = match leave {
            Leave::Vacant => line.remove(number),
            Leave::Reserved => line.insert(number, Place::Reserved),
            Leave::Forfeit => line.insert(number, Place::Forfeit),
        };
        self.queue.alls -= usize::from(left.as_ref().is_some_and(Place::is_all));
        left
    }

    /// Answers the one who stands at `number`.
    #[inline]
    fn answer(&mut self, number: u64, request: P::Request, answer: Answer<P>) -> Option<Place<P>> {
        let tail = self.before.min(self.queue.line.tail());
        self.queue.answer(number, Given { request, answer, tail })
    }

    /// Moves to the state that a grant given back leads to, for whom it may be.
    pub(super) fn offer(&mut self, given: &Given<P>) -> Offered {
        let grant = given.answer.ok()?;
        let before = self.state;
        match self.header.policy.give_back(before, given.request, grant) {
            Offer::Nothing => None,
            Offer::Anybody(state) => {
                self.state = state;
                None
            }
            Offer::Earlier(state) => {
                (self.state, self.before) = (state, given.tail);
                Some((state, before))
            }
        }
    }

    /// Takes an offer back that nobody took up.
    pub(super) fn withdraw(&mut self, offered: Offered) {
        self.before = u64::MAX;
        if let Some((_, before)) = offered.filter(|&(state, _)| state == self.state) {
            self.state = before;
        }
    }

    /// Serves those from number `from` on as far as the state goes. Stops at a wait on all, which takes
    /// more than this object.
    #[inline]
    pub(super) fn serve(&mut self, from: u64, woken: &mut Woken) -> Option<(u64, Arc<Record>)> {
        let policy = &self.header.policy;
        loop {
            let (number, place) = match policy.due(self.state) {
                Due::First => self.queue.first_from(from)?,
                Due::Number(number) if number >= from => (number, self.queue.line.get_mut(number)?),
                Due::Number(_) | Due::Nobody => return None,
            };
            if number >= self.before {
                return None;
            }
            match place {
                Place::Reserved | Place::Given(_) => return None,
                Place::Forfeit => {
                    self.queue.line.remove(number);
                    self.state = policy.pass(self.state);
                }
                Place::Waiting(_, request) => {
                    let request = *request;
                    let answer = match policy.judge(self.state, request, number) {
                        // Whoever stands first and must wait makes the others wait (R8).
                        Verdict::Queue => return None,
                        Verdict::Refuse(refusal) => Err(refusal),
                        Verdict::Take(state, grant) => {
                            self.state = state;
                            Ok(grant)
                        }
                    };
                    if let Some(Place::Waiting(waker, _)) = self.answer(number, request, answer) {
                        woken.push(waker);
                    }
                }
                Place::Shared(..) => match self.serve_shared(number, woken) {
                    Shared::Served => {}
                    Shared::Stop => return None,
                    Shared::All(record) => return Some((number, record)),
                },
            }
        }
    }

    /// [`serve`](Still::serve) for a place of a wait on several objects.
    #[inline(never)]
    fn serve_shared(&mut self, number: u64, woken: &mut Woken) -> Shared {
        let Some(Place::Shared(record, index, request)) = self.queue.line.get_mut(number) else {
            return Shared::Stop;
        };
        let (request, index, record) = (*request, *index, Arc::clone(record));
        let verdict = self.header.policy.judge(self.state, request, number);
        let takes_more = record.is_all() && !matches!(verdict, Verdict::Refuse(_));
        if takes_more && record.is_open() && !(record.keeps_place() && verdict_is_queue(&verdict)) {
            return Shared::All(record);
        }
        let answer = match verdict {
            Verdict::Refuse(refusal) => Err(refusal),
            Verdict::Take(state, grant) => Ok((state, grant)),
            // Whoever stands first and must wait makes the others wait (R8).
            Verdict::Queue if record.is_open() => return Shared::Stop,
            Verdict::Queue => return self.pass_dead(number),
        };
        if !record.claim(index) {
            return self.pass_dead(number);
        }
        woken.extend(record.take_waker());
        let answer = answer.map(|(state, grant)| {
            self.state = state;
            grant
        });
        self.queue.alls -= usize::from(record.is_all());
        // The future of the wait still holds the record, so no waker is dropped here (R3).
        self.answer(number, request, answer);
        Shared::Served
    }

    /// Passes a place whose wait was claimed elsewhere: it takes nothing here.
    fn pass_dead(&mut self, number: u64) -> Shared {
        // One that the wait named itself is left to the wait to remove, since nothing would tell it from one
        // that somebody else takes there later.
        if P::NUMBERED {
            return Shared::Stop;
        }
        self.replace(number, Leave::Vacant);
        Shared::Served
    }
}

fn verdict_is_queue<G, R>(verdict: &Verdict<G, R>) -> bool {
    matches!(verdict, Verdict::Queue)
}

/// How a place of a wait on several objects was served.
enum Shared {
    /// It was answered, or removed.
    Served,
    /// It makes the others wait.
    Stop,
    /// It takes more than this object.
    All(Arc<Record>),
}

impl<P: Policy> Held for Still<'_, P> {
    fn id(&self) -> u64 {
        self.header.id
    }

    fn serve(&mut self, from: u64, woken: &mut Woken) -> Option<(u64, Arc<Record>)> {
        self.serve(from, woken)
    }

    fn can(&mut self, number: u64) -> bool {
        let policy = &self.header.policy;
        let Some(&mut Place::Shared(_, _, request)) = self.queue.line.get_mut(number) else { return false };
        let alone = match policy.due(self.state) {
            Due::Nobody => false,
            Due::Number(due) => due == number,
            Due::First => policy.overtakes(self.state, request) || !self.queue.is_waited_for(number),
        };
        alone
            && number < self.before
            && matches!(policy.judge(self.state, request, number), Verdict::Take(..))
    }

    fn grant(&mut self, number: u64) {
        let Some(&mut Place::Shared(_, _, request)) = self.queue.line.get_mut(number) else { return };
        if let Verdict::Take(state, grant) = self.header.policy.judge(self.state, request, number) {
            self.state = state;
            self.queue.alls -= 1;
            self.answer(number, request, Ok(grant));
        }
    }

    fn offer(&mut self, number: u64, leave: Leave) -> Offered {
        let policy = &self.header.policy;
        let given = match self.queue.collect(number) {
            Some(given) => given,
            None if !P::RECORDS && policy.tells(self.state, number) => {
                Given::unrecorded(P::Request::default(), P::Grant::default())
            }
            None => return None,
        };
        if leave == Leave::Reserved && policy.closed(self.state).is_none() {
            self.state = policy.undo(self.state);
            self.queue.line.enter(number, Place::Reserved);
            return None;
        }
        self.offer(&given)
    }

    fn state_mut(&mut self) -> &mut u64 {
        &mut self.state
    }

    fn withdraw(&mut self, offered: Offered) {
        self.withdraw(offered);
    }

    fn reached(&self) -> Vec<Arc<dyn Object>> {
        let line = self.queue.line.iter();
        let alls = line.filter_map(|(_, place)| match place {
            Place::Shared(record, ..) if record.is_all() => Some(record),
            _ => None,
        });
        alls.flat_map(|record| record.members()).map(|member| Arc::clone(&member.object)).collect()
    }
}

impl<P: Policy> Object for Header<P> {
    fn id(&self) -> u64 {
        self.id
    }

    fn hold(&self) -> Box<dyn Held + '_> {
        Box::new(self.hold_still())
    }
}

impl<P: Policy> Drop for Still<'_, P> {
    fn drop(&mut self) {
        let thawed = self.state << 1 | if self.queue.is_idle() { 0 } else { FROZEN };
        // Ordering: Release publishes the state, and all that came before it, to `state` and `quick`.
        self.header.word.store(thawed, Ordering::Release);
    }
}
