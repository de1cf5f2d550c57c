//! Random operations on all objects, alone and in waits on several, compared step by step with a
//! sequential model that is too simple to be wrong: one vector, written from the documentation.

use batons::{SkipError, blocking};
use proptest::{prelude::*, sample::Index};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

#[path = "model_objects/naive.rs"]
mod naive;
#[path = "model_objects/real.rs"]
mod real;
#[path = "model_objects/signals.rs"]
mod signals;
#[path = "model_objects/things.rs"]
mod things;
#[path = "model_objects/words.rs"]
mod words;

use naive::Model;
use real::{Answer, Held, OWNERS, Object, Wait, World};
use things::{Thing, Verdict};
use words::{Act, How, Outcome, Signal, Want};

// ===== steps =====

#[derive(Debug, Clone)]
enum Step {
    Wait(Form, Vec<(Index, u64)>),
    /// To one of the parties that are there.
    To(Index, Act),
    /// To one of the objects, whatever its kind can be told.
    Tell(Index, Order),
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
            Thing::Event { .. } => 0,
            Thing::Semaphore { .. } => [1, 1, 1, 1, 2, 2, 3, 0][index(what) % 8],
            Thing::Mutex { .. } => what % OWNERS as u64,
            Thing::Baton { next, .. } => next + what % 6 - 1,
        };
        Want { object, what }
    }

    fn wait(&mut self, form: Form, members: &[(Index, u64)]) {
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
        self.actors.push(Actor::new(self.world.wait(how, &wants)));
        self.model.join(how, wants);
    }

    /// What is signaled before a wait, if it is something that can be.
    fn signal(&self, want: Option<Want>) -> How {
        let Some(Want { object, what }) = want else { return How::Single };
        match self.model.things[object] {
            Thing::Event { .. } => How::SignalAnd(object, Signal::Set),
            Thing::Semaphore { .. } => How::SignalAnd(object, Signal::Release),
            Thing::Mutex { .. } => How::SignalAnd(object, Signal::Unlock(what)),
            Thing::Baton { .. } => How::Single,
        }
    }

    fn act(&mut self, id: usize, act: Act) -> Result<(), TestCaseError> {
        let (done, expected) = (self.actors[id].act(act), self.model.act(id, act));
        prop_assert_eq!(done, expected, "party {}", id);
        Ok(())
    }

    fn tell(&mut self, object: usize, order: Order) -> Result<(), TestCaseError> {
        let Order { which, what } = order;
        let small = u32::try_from(what % 4).expect("a small number");
        macro_rules! event {
            ($event:expr) => {
                match which {
                    0..=5 => prop_assert_eq!($event.set(), self.model.set(object)),
                    6..=8 => prop_assert_eq!($event.pulse(), self.model.pulse(object)),
                    _ => prop_assert_eq!($event.reset(), self.model.things[object].reset()),
                }
            };
        }
        match self.world.objects[object] {
            Object::Manual(event) => event!(event),
            Object::Auto(event) => event!(event),
            Object::Semaphore(semaphore) => match which {
                0..=7 => prop_assert_eq!(semaphore.release(small).ok(), self.model.release(object, small)),
                8..=10 => {
                    let max = small.max(1);
                    prop_assert_eq!(semaphore.resize(max), self.model.resize(object, max));
                }
                _ => {
                    semaphore.close();
                    self.model.close(object);
                }
            },
            Object::Mutex(mutex) => {
                let by = what % OWNERS as u64;
                let unlocked = mutex.unlock(self.world.owner(by)).ok();
                prop_assert_eq!(unlocked, self.model.unlock(object, by, false));
            }
            Object::Baton(baton) => {
                let number = self.want(object, what).what;
                if which > 10 {
                    baton.close();
                    self.model.close(object);
                } else {
                    let expected = match self.model.skip(object, number) {
                        Verdict::Refuse(refusal) => Err(SkipError::from(refusal)),
                        _ => Ok(()),
                    };
                    prop_assert_eq!(baton.skip(number), expected);
                }
            }
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Wait(form, members) => self.wait(*form, members),
            Step::Tell(object, order) => self.tell(object.index(self.model.things.len()), *order)?,
            Step::To(whom, act) => {
                let able: Vec<_> = (0..self.actors.len()).filter(|&id| self.model.allows(id, *act)).collect();
                if !able.is_empty() {
                    self.act(able[whom.index(able.len())], *act)?;
                }
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
        Ok(())
    }

    fn same(&self, object: usize, thing: &Thing) -> Result<(), TestCaseError> {
        let is_set = match self.world.objects[object] {
            Object::Manual(event) => event.is_set(),
            Object::Auto(event) => event.is_set(),
            Object::Semaphore(semaphore) => {
                let told = (semaphore.available(), semaphore.max(), semaphore.is_closed());
                let &Thing::Semaphore { count, max, closed } = thing else { unreachable!() };
                prop_assert_eq!(told, (count, max, closed), "semaphore {}", object);
                return Ok(());
            }
            Object::Mutex(mutex) => {
                let owner = (0..OWNERS as u64).find(|&by| mutex.is_owned_by(self.world.owner(by)));
                let &Thing::Mutex { owner: expected, depth, abandoned } = thing else { unreachable!() };
                let expected = (depth > 0).then_some(expected);
                let told = (owner, mutex.depth(), mutex.is_abandoned());
                prop_assert_eq!(told, (expected, depth, abandoned), "mutex {}", object);
                return Ok(());
            }
            Object::Baton(baton) => {
                let shot = baton.snapshot();
                let Thing::Baton { next, held, closed, skipped } = thing else { unreachable!() };
                let told = (shot.next(), shot.is_held(), shot.is_closed());
                prop_assert_eq!(told, (*next, *held, *closed), "baton {}", object);
                prop_assert_eq!(shot.waiting(), self.model.waiting(object), "baton {}", object);
                prop_assert!(skipped.iter().eq(shot.skipped()), "baton {}: {}", object, shot);
                return Ok(());
            }
        };
        let &Thing::Event { set, .. } = thing else { unreachable!() };
        prop_assert_eq!(is_set, set, "event {}", object);
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
        Ok(())
    }
}

fn index(what: u64) -> usize {
    usize::try_from(what % 64).expect("a small number")
}

// ===== choosing =====

fn thing() -> impl Strategy<Value = Thing> {
    let event = (any::<bool>(), any::<bool>()).prop_map(|(auto, set)| Thing::Event {
        auto,
        set,
        pulsed: false,
        resets: 0,
    });
    let semaphore = (0..4_u32, 1..4_u32).prop_map(|(count, max)| Thing::Semaphore {
        count: count.min(max),
        max,
        closed: false,
    });
    prop_oneof![
        4 => event,
        3 => semaphore,
        2 => Just(Thing::Mutex { owner: 0, depth: 0, abandoned: false }),
        2 => Just(Thing::Baton { next: 10, held: false, closed: false, skipped: BTreeSet::new() }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let form = prop_oneof![
        3 => Just(Form::Single),
        4 => Just(Form::Any),
        4 => Just(Form::All),
        2 => Just(Form::SignalAnd),
    ];
    let act = prop_oneof![
        14 => (0..2_usize).prop_map(Act::Poll),
        2 => Just(Act::NoTime),
        6 => Just(Act::Drop),
        1 => Just(Act::Abandon),
    ];
    let members = prop::collection::vec((any::<Index>(), 0..64_u64), 0..5);
    prop_oneof![
        3 => (form, members).prop_map(|(form, members)| Step::Wait(form, members)),
        8 => (any::<Index>(), act).prop_map(|(whom, act)| Step::To(whom, act)),
        3 => (any::<Index>(), 0..12_u64, 0..64_u64)
            .prop_map(|(object, which, what)| Step::Tell(object, Order { which, what })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_objects_do_what_the_model_does(
        things in prop::collection::vec(thing(), 1..5),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut both = Both::new(things);
        for step in &steps {
            both.step(step)?;
        }
        both.finish()?;
    }
}
