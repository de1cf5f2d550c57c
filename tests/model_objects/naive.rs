//! The sequential model of all objects: every place in one vector in order of arrival, no locks, no
//! wakers, nothing clever.

use super::things::{Due, Thing, Verdict};
use super::time::Queue;
use super::words::{Act, Grant, How, Outcome, Signal, Told, Want};
use batons::AcquireError;

/// What the clock shows first: due times may be a little before it.
pub(crate) const BEGIN: u64 = 100;

// ===== parties and places =====

/// One place in an object's line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// When it came.
    stamp: u64,
    party: usize,
    index: usize,
    pub(super) want: Want,
}

#[derive(Debug, Clone)]
enum Stage {
    New,
    Standing,
    /// All members for a wait on all, else the one at the index.
    Granted(Vec<(usize, Grant)>),
    Refused(usize, AcquireError),
    /// What it holds, and nothing is left of the wait.
    Holding(Vec<Want>),
    Gone,
}

#[derive(Debug)]
struct Party {
    how: How,
    wants: Vec<Want>,
    stage: Stage,
    waker: usize,
    /// Whose calls it makes.
    queue: Option<usize>,
    /// Whether a call that is queued wakes it.
    listens: bool,
}

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) things: Vec<Thing>,
    pub(super) line: Vec<Place>,
    parties: Vec<Party>,
    pub(crate) wakes: Vec<[u32; 2]>,
    now: u64,
    /// An object offered only to those who came before a time.
    limits: Vec<(usize, u64)>,
    /// What the clock shows.
    pub(crate) time: u64,
    pub(crate) queues: [Queue; 2],
    pub(super) numbers: u64,
}

impl Model {
    pub(crate) fn new(things: Vec<Thing>) -> Self {
        Self {
            things,
            line: Vec::new(),
            parties: Vec::new(),
            wakes: Vec::new(),
            now: 0,
            limits: Vec::new(),
            time: BEGIN,
            queues: Default::default(),
            numbers: 0,
        }
    }

    pub(crate) fn join(&mut self, how: How, wants: Vec<Want>, queue: Option<usize>) {
        self.parties.push(Party { how, wants, stage: Stage::New, waker: 0, queue, listens: false });
        self.wakes.push([0, 0]);
    }

    pub(crate) fn allows(&self, id: usize, act: Act) -> bool {
        match self.parties[id].stage {
            Stage::Gone => false,
            Stage::Holding(_) => matches!(act, Act::Drop | Act::Abandon),
            _ => act != Act::Abandon,
        }
    }

    /// Who waits alertably and makes the calls of the queue, if anybody does.
    pub(crate) fn caller(&self, queue: usize) -> Option<usize> {
        let waits = |id: &usize| self.parties[*id].queue == Some(queue) && self.allows(*id, Act::NoTime);
        (0..self.parties.len()).find(waits)
    }

    /// Wakes who is to make the calls of the queue.
    pub(super) fn alert(&mut self, queue: usize) {
        if let Some(party) = self.caller(queue).filter(|id| self.parties[*id].listens) {
            self.parties[party].listens = false;
            self.wake(party);
        }
    }

    fn is_all(&self, place: &Place) -> bool {
        matches!(self.parties[place.party].how, How::All | How::SignalAnd(..))
    }

    /// Whether others may pass it: a wait on several that takes more than this object, or one that was
    /// answered and has not looked yet.
    fn is_passed(&self, place: &Place) -> bool {
        let takes_more = self.is_all(place) && self.parties[place.party].wants.len() > 1;
        takes_more || !self.stands(place.party)
    }

    fn stands(&self, party: usize) -> bool {
        matches!(self.parties[party].stage, Stage::Standing)
    }

    /// The numbers of a baton that somebody waits for.
    pub(crate) fn waiting(&self, object: usize) -> Vec<u64> {
        let here = self.line.iter().filter(|place| place.want.object == object);
        let mut numbers: Vec<_> = here.map(|place| place.want.what).collect();
        numbers.sort_unstable();
        numbers
    }

    fn limit(&self, object: usize) -> u64 {
        self.limits.iter().find(|(limited, _)| *limited == object).map_or(u64::MAX, |(_, before)| *before)
    }

    fn wake(&mut self, party: usize) {
        self.wakes[party][self.parties[party].waker] += 1;
    }

    // ===== serving =====

    /// What a newcomer would be answered.
    pub(super) fn ask(&self, want: Want) -> Verdict {
        let thing = &self.things[want.object];
        let mut here = self.line.iter().filter(|place| place.want.object == want.object);
        if let Thing::Baton { .. } = thing {
            let taken = here.any(|place| place.want.what == want.what);
            return if taken { Verdict::Refuse(AcquireError::Duplicate) } else { thing.judge(want.what) };
        }
        match thing.judge(want.what) {
            Verdict::Take if here.any(|place| !self.is_passed(place)) && !thing.is_owned_by(want.what) => {
                Verdict::Later
            }
            verdict => verdict,
        }
    }

    fn take(&mut self, want: Want) -> Grant {
        let grant = self.things[want.object].take(want.what);
        Grant { before: self.now.min(self.limit(want.object)), ..grant }
    }

    /// Could the wait on all at this place have the object?
    fn can(&self, place: &Place) -> bool {
        let thing = &self.things[place.want.object];
        let others = self.line.iter().filter(|other| other.want.object == place.want.object);
        let first = others.filter(|other| other.stamp < place.stamp).all(|other| self.is_passed(other));
        (first || thing.is_owned_by(place.want.what) || matches!(thing, Thing::Baton { .. }))
            && place.stamp < self.limit(place.want.object)
            && thing.judge(place.want.what) == Verdict::Take
    }

    fn attempt(&mut self, party: usize) {
        let places: Vec<_> = self.line.iter().filter(|place| place.party == party).copied().collect();
        if !self.stands(party) || !places.iter().all(|place| self.can(place)) {
            return;
        }
        self.line.retain(|place| place.party != party);
        let grants = places.iter().map(|place| (place.index, self.take(place.want))).collect();
        self.parties[party].stage = Stage::Granted(grants);
        self.wake(party);
    }

    pub(super) fn refuse(&mut self, place: &Place, refusal: AcquireError) {
        self.remove(place);
        if self.stands(place.party) {
            self.parties[place.party].stage = Stage::Refused(place.index, refusal);
            self.wake(place.party);
        }
    }

    fn remove(&mut self, place: &Place) {
        self.line.retain(|other| other.stamp != place.stamp);
    }

    /// Those in line for the object get it, in their order, as far as it goes.
    pub(super) fn serve(&mut self, object: usize) {
        let mut from = 0;
        loop {
            let due = self.things[object].due();
            let before = self.limit(object);
            let next = self.line.iter().find(|place| {
                place.want.object == object
                    && (from..before).contains(&place.stamp)
                    && (due == Due::First || due == Due::Number(place.want.what))
            });
            let Some(place) = next.copied() else { return };
            from = place.stamp + 1;
            match self.things[object].judge(place.want.what) {
                Verdict::Refuse(refusal) => self.refuse(&place, refusal),
                Verdict::Later if !self.is_passed(&place) => return,
                Verdict::Later => {}
                Verdict::Take if self.is_all(&place) => self.attempt(place.party),
                Verdict::Take if self.stands(place.party) => {
                    self.remove(&place);
                    let grant = self.take(place.want);
                    self.parties[place.party].stage = Stage::Granted(vec![(place.index, grant)]);
                    self.wake(place.party);
                }
                // Granted elsewhere and not seen yet: its number of a baton stays its own until then.
                Verdict::Take if due != Due::First => return,
                Verdict::Take => self.remove(&place),
            }
        }
    }

    /// The party leaves all lines.
    fn leave(&mut self, party: usize) {
        while let Some(place) = self.line.iter().find(|place| place.party == party).copied() {
            self.remove(&place);
            self.serve(place.want.object);
        }
    }

    /// What was granted and never seen goes to others, all of it in one step.
    fn give_back(&mut self, granted: &[(Want, Grant)]) {
        let mut offers = Vec::new();
        for (want, grant) in granted {
            let before = self.things[want.object].clone();
            let earlier = self.things[want.object].give_back(want.what, *grant);
            if earlier {
                self.limits.push((want.object, grant.before));
            }
            offers.push((want.object, earlier.then_some(before)));
        }
        for (object, revert) in offers {
            self.serve(object);
            if let Some(before) = revert {
                self.limits.retain(|(limited, _)| *limited != object);
                self.things[object].withdraw(before);
            }
        }
    }

    // ===== waits =====

    fn hold(&mut self, id: usize, index: Option<usize>, granted: &[(Want, Grant)]) -> Outcome {
        self.parties[id].stage = Stage::Holding(granted.iter().map(|(want, _)| *want).collect());
        let told = |(_, grant): &(Want, Grant)| if grant.abandoned { Told::Abandoned } else { Told::Taken };
        Outcome::Answered(index, granted.iter().map(told).collect())
    }

    fn stand(&mut self, id: usize) {
        for (index, want) in self.parties[id].wants.clone().into_iter().enumerate() {
            self.line.push(Place { stamp: self.now, party: id, index, want });
            self.now += 1;
        }
        self.parties[id].stage = Stage::Standing;
    }

    fn first_of_any(&mut self, id: usize, may_stand: bool) -> Outcome {
        let any = self.parties[id].how == How::Any;
        for (index, want) in self.parties[id].wants.clone().into_iter().enumerate() {
            let index = any.then_some(index);
            match self.ask(want) {
                Verdict::Take => {
                    let grant = self.take(want);
                    return self.hold(id, index, &[(want, grant)]);
                }
                Verdict::Refuse(refusal) => {
                    self.parties[id].stage = Stage::Gone;
                    return Outcome::Answered(index, vec![Told::Refused(refusal)]);
                }
                Verdict::Later => {}
            }
        }
        if may_stand {
            self.stand(id);
            return Outcome::Pending;
        }
        Outcome::TimedOut
    }

    /// Of a wait on all: it stands in line, and then it is seen whether it can have them.
    fn first_of_all(&mut self, id: usize, may_stand: bool) -> Outcome {
        let wants = self.parties[id].wants.clone();
        let twice = |want: &&Want| wants.iter().filter(|other| other.object == want.object).count() > 1;
        // Of several objects that are listed twice the oldest is told.
        if let Some(oldest) = wants.iter().filter(twice).map(|want| want.object).min() {
            self.parties[id].stage = Stage::Gone;
            let mut at = wants.iter().enumerate().filter(|(_, want)| want.object == oldest).map(|(at, _)| at);
            return Outcome::SameObject(at.next().expect("once"), at.next().expect("twice"));
        }
        for (index, want) in wants.iter().enumerate() {
            if let Verdict::Refuse(refusal) = self.ask(*want) {
                self.parties[id].stage = Stage::Gone;
                return match self.parties[id].how {
                    How::All => Outcome::RefusedAll(index, refusal),
                    _ => Outcome::Answered(None, vec![Told::Refused(refusal)]),
                };
            }
        }
        self.stand(id);
        let wakes = self.wakes[id];
        match self.parties[id].how {
            How::SignalAnd(object, signal) => {
                let given = match signal {
                    Signal::Set => Some(self.things[object].set().into()),
                    Signal::Release => self.things[object].release(1),
                    Signal::Unlock(owner) => self.things[object].unlock(owner, false),
                };
                if given.is_none() {
                    self.parties[id].stage = Stage::Gone;
                    self.leave(id);
                    return Outcome::SignalRefused;
                }
                self.serve(object);
                self.serve(wants[0].object);
                // The owner of a mutex passes those before it.
                self.attempt(id);
            }
            _ => self.attempt(id),
        }
        if !self.stands(id) {
            // Whoever is answered by its own poll is not woken.
            self.wakes[id] = wakes;
        }
        self.look(id, may_stand)
    }

    /// Of members that are refused by the time it looks, the first one is told.
    fn refused_all(&self, wants: &[Want], index: usize, refusal: AcquireError) -> Outcome {
        let closed = |want: &Want| self.things[want.object].is_closed();
        match wants[..index].iter().position(closed) {
            Some(first) => Outcome::RefusedAll(first, AcquireError::Closed),
            None => Outcome::RefusedAll(index, refusal),
        }
    }

    /// After the first poll.
    fn look(&mut self, id: usize, may_stand: bool) -> Outcome {
        let Party { how, wants, stage, .. } = &self.parties[id];
        let (how, wants, stage) = (*how, wants.clone(), stage.clone());
        match stage {
            Stage::Granted(grants) => {
                self.leave(id);
                let index = (how == How::Any).then(|| grants[0].0);
                let granted: Vec<_> = grants.iter().map(|(index, grant)| (wants[*index], *grant)).collect();
                self.hold(id, index, &granted)
            }
            Stage::Refused(index, refusal) => {
                self.leave(id);
                self.parties[id].stage = Stage::Gone;
                match how {
                    How::All => self.refused_all(&wants, index, refusal),
                    How::Any => Outcome::Answered(Some(index), vec![Told::Refused(refusal)]),
                    _ => Outcome::Answered(None, vec![Told::Refused(refusal)]),
                }
            }
            _ if may_stand => Outcome::Pending,
            _ => {
                self.parties[id].stage = Stage::New;
                if let How::SignalAnd(..) = how {
                    // The signal was given; what is left is a single wait.
                    self.parties[id].how = How::Single;
                }
                self.leave(id);
                Outcome::TimedOut
            }
        }
    }

    fn poll(&mut self, id: usize, may_stand: bool) -> Outcome {
        let Party { how, wants, stage, .. } = &self.parties[id];
        match (stage, how) {
            (Stage::New, How::Any | How::All) if wants.is_empty() => {
                self.parties[id].stage = Stage::Gone;
                Outcome::Empty
            }
            (Stage::New, How::Single | How::Any) => self.first_of_any(id, may_stand),
            (Stage::New, _) => self.first_of_all(id, may_stand),
            _ => self.look(id, may_stand),
        }
    }

    /// Of an alertable wait: what it waits for comes first, then the calls.
    fn poll_alertable(&mut self, id: usize, queue: usize, may_stand: bool) -> Outcome {
        let is_called = !self.queues[queue].calls.is_empty();
        let outcome = self.poll(id, may_stand && !is_called);
        self.parties[id].listens = outcome == Outcome::Pending;
        if outcome != Outcome::TimedOut || !is_called {
            return outcome;
        }
        self.parties[id].stage = Stage::Gone;
        Outcome::Alerted(self.queues[queue].make())
    }

    fn poll_any(&mut self, id: usize, may_stand: bool) -> Outcome {
        match self.parties[id].queue {
            Some(queue) => self.poll_alertable(id, queue, may_stand),
            None => self.poll(id, may_stand),
        }
    }

    fn drop_party(&mut self, id: usize, disorder: bool) {
        let stage = std::mem::replace(&mut self.parties[id].stage, Stage::Gone);
        let wants = self.parties[id].wants.clone();
        match stage {
            Stage::Holding(wants) => {
                for want in wants {
                    self.things[want.object].put_down(want.what, disorder);
                    // No permits that are put down are no signal.
                    if !matches!(self.things[want.object], Thing::Semaphore { .. }) || want.what > 0 {
                        self.serve(want.object);
                    }
                }
            }
            Stage::Granted(grants) => {
                let granted: Vec<_> = grants.iter().map(|(index, grant)| (wants[*index], *grant)).collect();
                self.give_back_and_leave(id, &grants, &granted);
            }
            _ => self.leave(id),
        }
    }

    /// A wait on any goes through its members in their order.
    fn give_back_and_leave(&mut self, id: usize, grants: &[(usize, Grant)], granted: &[(Want, Grant)]) {
        let before: Vec<_> = self
            .line
            .iter()
            .filter(|place| place.party == id && place.index < grants[0].0)
            .copied()
            .collect();
        for place in before {
            self.remove(&place);
            self.serve(place.want.object);
        }
        self.give_back(granted);
        self.leave(id);
    }

    pub(crate) fn act(&mut self, id: usize, act: Act) -> Outcome {
        match act {
            Act::Poll(waker) => {
                if matches!(self.parties[id].stage, Stage::New | Stage::Standing) {
                    self.parties[id].waker = waker;
                }
                self.poll_any(id, true)
            }
            Act::NoTime => self.poll_any(id, false),
            Act::Drop | Act::Abandon => {
                self.drop_party(id, act == Act::Abandon);
                Outcome::Done
            }
        }
    }
}
