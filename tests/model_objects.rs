//! Random operations on all objects, alone and in waits on several, compared step by step with a
//! sequential model that is too simple to be wrong: one vector, written from the documentation.

use batons::blocking;
use proptest::{prelude::*, sample::Index};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

#[path = "model_objects/choose.rs"]
mod choose;
#[path = "model_objects/clock.rs"]
mod clock;
#[path = "model_objects/naive.rs"]
mod naive;
#[path = "model_objects/real.rs"]
mod real;
#[path = "model_objects/signals.rs"]
mod signals;
#[path = "model_objects/tell.rs"]
mod tell;
#[path = "model_objects/things.rs"]
mod things;
#[path = "model_objects/time.rs"]
mod time;
#[path = "model_objects/words.rs"]
mod words;

use naive::Model;
use real::{Answer, Held, OWNERS, Wait, World};
use things::Thing;
use words::{Act, Call, How, Outcome, Signal, Want};

// ===== steps =====

#[derive(Debug, Clone)]
enum Step {
    /// Alertably, if it names a queue and nobody else makes its calls at the time.
    Wait(Form, Vec<(Index, u64)>, Option<usize>),
    /// To one of the parties that are there.
    To(Index, Act),
    /// To one of the objects, whatever its kind can be told.
    Tell(Index, Order),
    /// Lets time pass.
    Advance(u64),
    /// Queues a call, which queues another if that is true.
    Queue(usize, bool),
    CloseQueue(usize),
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Single,
    Any,
    All,
    SignalAnd,
}

/// Only what the object can be told; the rest becomes something that it can.
#[derive(Debug, Clone, Copy)]
struct Order {
    which: u64,
    what: u64,
}

// ===== both sides =====

#[derive(Default)]
struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

struct Actor {
    wait: Option<Wait>,
    held: Vec<Held>,
    counts: [Arc<Count>; 2],
    wakers: [Waker; 2],
}

impl Actor {
    fn new(wait: Wait) -> Self {
        let counts = [Arc::<Count>::default(), Arc::default()];
        let wakers = counts.each_ref().map(|count| Waker::from(Arc::clone(count)));
        Self { wait: Some(wait), held: Vec::new(), counts, wakers }
    }

    fn act(&mut self, act: Act) -> Outcome {
        let answer = match (act, &mut self.wait) {
            (Act::Poll(which), Some(wait)) => {
                match wait.as_mut().poll(&mut Context::from_waker(&self.wakers[which])) {
                    Poll::Ready(answer) => answer,
                    Poll::Pending => return Outcome::Pending,
                }
            }
            (Act::NoTime, Some(wait)) => match blocking::wait_timeout(wait, Duration::ZERO) {
                Ok(answer) => answer,
                Err(_) => return Outcome::TimedOut,
            },
            _ => return self.drop_all(act == Act::Abandon),
        };
        self.wait = None;
        let (outcome, held): Answer = answer;
        self.held = held;
        outcome
    }

    fn drop_all(&mut self, disorder: bool) -> Outcome {
        self.wait = None;
        for held in self.held.drain(..) {
            match held {
                Held::Lock(guard) if disorder => guard.abandon(),
                held => drop(held),
            }
        }
        Outcome::Done
    }
}

struct Both {
    world: World,
    model: Model,
    actors: Vec<Actor>,
}

impl Both {
    fn new(things: Vec<Thing>) -> Self {
        Self { world: World::new(&things), model: Model::new(things), actors: Vec::new() }
    }

    fn want(&self, object: usize, what: u64) -> Want {
        let what = match &self.model.things[object] {
            Thing::Event { .. } | Thing::Timer { .. } => 0,
            Thing::Semaphore { .. } => [1, 1, 1, 1, 2, 2, 3, 0][index(what) % 8],
            Thing::Mutex { .. } => what % OWNERS as u64,
            Thing::Baton { next, .. } => next + what % 6 - 1,
        };
        Want { object, what }
    }

    fn wait(&mut self, form: Form, members: &[(Index, u64)], queue: Option<usize>) {
        let len = self.model.things.len();
        let mut wants: Vec<Want> = Vec::new();
        for (object, what) in members {
            let want = self.want(object.index(len), *what);
            // A baton refuses a number that is asked for already, be it by the same wait.
            if !(matches!(self.model.things[want.object], Thing::Baton { .. }) && wants.contains(&want)) {
                wants.push(want);
            }
        }
        let how = match form {
            Form::Any => How::Any,
            Form::All => How::All,
            Form::Single => How::Single,
            Form::SignalAnd => self.signal(wants.get(1).copied()),
        };
        match how {
            How::Any | How::All => {}
            _ if wants.is_empty() => return,
            _ => wants.truncate(1),
        }
        let queue = queue.filter(|queue| self.model.caller(*queue).is_none());
        self.actors.push(Actor::new(self.world.wait(how, &wants, queue)));
        self.model.join(how, wants, queue);
    }

    /// What is signaled before a wait, if it is something that can be.
    fn signal(&self, want: Option<Want>) -> How {
        let Some(Want { object, what }) = want else { return How::Single };
        match self.model.things[object] {
            Thing::Event { .. } => How::SignalAnd(object, Signal::Set),
            Thing::Semaphore { .. } => How::SignalAnd(object, Signal::Release),
            Thing::Mutex { .. } => How::SignalAnd(object, Signal::Unlock(what)),
            Thing::Baton { .. } | Thing::Timer { .. } => How::Single,
        }
    }

    fn act(&mut self, id: usize, act: Act) -> Result<(), TestCaseError> {
        let (done, expected) = (self.actors[id].act(act), self.model.act(id, act));
        prop_assert_eq!(done, expected, "party {}", id);
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Wait(form, members, queue) => self.wait(*form, members, *queue),
            Step::Tell(object, order) => self.tell(object.index(self.model.things.len()), *order)?,
            Step::To(whom, act) => {
                let able: Vec<_> = (0..self.actors.len()).filter(|&id| self.model.allows(id, *act)).collect();
                if !able.is_empty() {
                    self.act(able[whom.index(able.len())], *act)?;
                }
            }
            Step::Advance(by) => {
                self.world.hands.advance(*by);
                self.model.advance(*by);
            }
            Step::Queue(queue, again) => {
                let call = self.model.queue(*queue, *again);
                let queued =
                    self.world.hands.queue(*queue, call.unwrap_or(Call::Plain { number: 0, again: false }));
                prop_assert_eq!(queued, call.is_some());
            }
            Step::CloseQueue(queue) => {
                let left = self.world.hands.queues[*queue].close().len();
                prop_assert_eq!(left, self.model.close_queue(*queue));
            }
        }
        self.compare()
    }

    fn compare(&self) -> Result<(), TestCaseError> {
        for (id, actor) in self.actors.iter().enumerate() {
            let wakes = actor.counts.each_ref().map(|count| count.0.load(Relaxed));
            prop_assert_eq!(wakes, self.model.wakes[id], "wakes of party {}", id);
        }
        for (object, thing) in self.model.things.iter().enumerate() {
            self.same(object, thing)?;
        }
        for (real, model) in self.world.hands.queues.iter().zip(&self.model.queues) {
            prop_assert_eq!((real.pending(), real.is_closed()), (model.calls.len(), model.closed));
        }
        prop_assert_eq!(self.world.hands.untold(), [], "only an alertable wait makes calls");
        Ok(())
    }

    /// Everyone leaves; nothing may be left of them.
    fn finish(mut self) -> Result<(), TestCaseError> {
        for id in 0..self.actors.len() {
            if self.model.allows(id, Act::Drop) {
                self.act(id, Act::Drop)?;
                self.compare()?;
            }
            for (count, waker) in self.actors[id].counts.iter().zip(&self.actors[id].wakers) {
                prop_assert_eq!(Arc::strong_count(count), 2, "somebody keeps {:?}", waker);
            }
        }
        self.same_timers()
    }
}

fn index(what: u64) -> usize {
    usize::try_from(what % 64).expect("a small number")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_objects_do_what_the_model_does(
        things in prop::collection::vec(choose::thing(), 1..5),
        steps in prop::collection::vec(choose::step(), 1..60),
    ) {
        let mut both = Both::new(things);
        for step in &steps {
            both.step(step)?;
        }
        both.finish()?;
    }
}
