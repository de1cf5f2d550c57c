//! The objects and futures of the crate, driven by the same words as the model.

use super::clock::Hands;
use super::things::{Thing, WINDOW};
use super::words::{How, Outcome, Signal, Told, Want};
use batons::{
    Abandoned, AcquireError, AutoResetEvent, Baton, BoxedWait, ManualResetEvent, Mutex, OwnedBatonGuard,
    OwnedMutexGuard, OwnedPermit, Owner, Semaphore, WaitError, WaitList, Waitable, WaitableTimer,
    signal_and_wait, wait_all, wait_any,
};
use futures::FutureExt;
use std::{future::Future, pin::Pin};

pub(crate) const OWNERS: usize = 3;

/// The objects outlive the futures that borrow them by not being freed.
#[derive(Clone, Copy)]
pub(crate) enum Object {
    Manual(&'static ManualResetEvent),
    Auto(&'static AutoResetEvent),
    Semaphore(&'static Semaphore),
    Mutex(&'static Mutex),
    Baton(&'static Baton),
    Timer(&'static WaitableTimer),
}

pub(super) fn keep<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

impl Object {
    fn new(thing: &Thing, hands: &Hands) -> Self {
        match thing {
            Thing::Event { auto: false, set, .. } => Self::Manual(keep(ManualResetEvent::new(*set))),
            Thing::Event { set, .. } => Self::Auto(keep(AutoResetEvent::new(*set))),
            Thing::Semaphore { count, max, .. } => Self::Semaphore(keep(Semaphore::new(*count, *max))),
            Thing::Mutex { .. } => Self::Mutex(keep(Mutex::new())),
            Thing::Baton { next, .. } => {
                Self::Baton(keep(Baton::builder().first(*next).window(WINDOW).build()))
            }
            Thing::Timer { auto, .. } => Self::Timer(keep(hands.timer(*auto))),
        }
    }
}

// ===== answers =====

/// What a party holds after its wait.
pub(crate) enum Held {
    Nothing,
    Permits(#[allow(dead_code)] OwnedPermit),
    Lock(OwnedMutexGuard),
    Turn(#[allow(dead_code)] OwnedBatonGuard),
}

pub(crate) type Answer = (Outcome, Vec<Held>);

trait Tell {
    fn tell(self) -> (Told, Held);
}

impl Tell for () {
    fn tell(self) -> (Told, Held) {
        (Told::Taken, Held::Nothing)
    }
}

impl Tell for Result<OwnedPermit, AcquireError> {
    fn tell(self) -> (Told, Held) {
        self.map_or_else(
            |refusal| (Told::Refused(refusal), Held::Nothing),
            |p| (Told::Taken, Held::Permits(p)),
        )
    }
}

impl Tell for Result<OwnedBatonGuard, AcquireError> {
    fn tell(self) -> (Told, Held) {
        self.map_or_else(|refusal| (Told::Refused(refusal), Held::Nothing), |g| (Told::Taken, Held::Turn(g)))
    }
}

impl Tell for Result<OwnedMutexGuard, Abandoned<OwnedMutexGuard>> {
    fn tell(self) -> (Told, Held) {
        match self {
            Ok(guard) => (Told::Taken, Held::Lock(guard)),
            Err(error) => (Told::Abandoned, Held::Lock(error.into_inner())),
        }
    }
}

/// The answers of a list, in order.
trait Flat {
    fn flat(self) -> Vec<(Told, Held)>;
}

impl<T: Tell> Flat for Vec<T> {
    fn flat(self) -> Vec<(Told, Held)> {
        self.into_iter().map(T::tell).collect()
    }
}

/// Of an array of one, and of a single wait.
impl<T: Tell> Flat for [T; 1] {
    fn flat(self) -> Vec<(Told, Held)> {
        self.map(T::tell).into()
    }
}

impl<A: Tell, B: Tell> Flat for (A, B) {
    fn flat(self) -> Vec<(Told, Held)> {
        vec![self.0.tell(), self.1.tell()]
    }
}

/// The one answer among those of a list.
struct One<T>(T);

impl<T: Tell> Flat for One<T> {
    fn flat(self) -> Vec<(Told, Held)> {
        vec![self.0.tell()]
    }
}

impl<A: Tell, B: Tell> Flat for One<(Option<A>, Option<B>)> {
    fn flat(self) -> Vec<(Told, Held)> {
        let (a, b) = self.0;
        a.map(A::tell).into_iter().chain(b.map(B::tell)).collect()
    }
}

fn answered(index: Option<usize>, answers: impl Flat) -> Answer {
    let (told, held) = answers.flat().into_iter().unzip();
    (Outcome::Answered(index, told), held)
}

fn refused(error: &WaitError) -> Answer {
    let outcome = match error {
        WaitError::Empty => Outcome::Empty,
        WaitError::SameObject { first, second } => Outcome::SameObject(*first, *second),
        WaitError::Refused { index, refusal } => {
            Outcome::RefusedAll(*index, *refusal.downcast_ref().expect("what a semaphore or a baton refuses"))
        }
        other => panic!("no deadline was given: {other}"),
    };
    (outcome, Vec::new())
}

// ===== futures =====

pub(crate) type Wait = Pin<Box<dyn Future<Output = Answer>>>;

fn any<L: WaitList + 'static>(waits: L) -> Wait
where
    One<L::Any>: Flat,
{
    Box::pin(wait_any(waits).map(|answer| match answer {
        Ok((index, answer)) => answered(Some(index), One(answer)),
        Err(error) => refused(&error),
    }))
}

fn all<L: WaitList<All: Flat> + 'static>(waits: L) -> Wait {
    Box::pin(wait_all(waits).map(|answer| match answer {
        Ok(answers) => answered(None, answers),
        Err(error) => refused(&error),
    }))
}

/// A wait for any of the objects.
trait Waits: Waitable<Output: Tell + Send + Sync> + Send + Sync + 'static {}

impl<T: Waitable<Output: Tell + Send + Sync> + Send + Sync + 'static> Waits for T {}

/// Goes on with a wait, whatever its type.
trait Then {
    type Out;
    fn then<T: Waits>(self, wait: T) -> Self::Out;
}

/// The objects of a run, who may own its mutexes, and what moves its timers.
pub(crate) struct World {
    pub(crate) objects: Vec<Object>,
    pub(crate) owners: &'static [Owner; OWNERS],
    pub(crate) hands: Hands,
}

impl World {
    pub(crate) fn new(things: &[Thing]) -> Self {
        let owners = keep(std::array::from_fn(|_| Owner::new()));
        let hands = Hands::new();
        Self { objects: things.iter().map(|thing| Object::new(thing, &hands)).collect(), owners, hands }
    }

    pub(crate) fn owner(&self, what: u64) -> &'static Owner {
        &self.owners[usize::try_from(what).expect("a small number")]
    }

    fn one<K: Then>(&self, want: Want, k: K) -> K::Out {
        match self.objects[want.object] {
            Object::Manual(event) => k.then(event.wait()),
            Object::Auto(event) => k.then(event.wait()),
            Object::Semaphore(semaphore) => {
                k.then(semaphore.acquire_many_owned(u32::try_from(want.what).expect("few permits")))
            }
            Object::Mutex(mutex) => k.then(mutex.lock_owned(self.owner(want.what))),
            Object::Baton(baton) => k.then(baton.acquire_owned(want.what)),
            Object::Timer(timer) => k.then(timer.wait()),
        }
    }

    /// Alertably, if it is to make the calls of a queue.
    pub(crate) fn wait(&self, how: How, wants: &[Want], queue: Option<usize>) -> Wait {
        let wait = self.plain(how, wants);
        match queue {
            Some(queue) => self.hands.alertable(queue, wait),
            None => wait,
        }
    }

    fn plain(&self, how: How, wants: &[Want]) -> Wait {
        match (how, wants) {
            (How::SignalAnd(object, signal), _) => self.one(wants[0], Signaling(self, object, signal)),
            (_, [want]) => self.one(*want, Alone(how)),
            (_, [first, second]) => self.one(*first, First(self, how, *second)),
            _ => {
                let boxed: Vec<BoxedWait<'_, _>> = wants.iter().map(|want| self.one(*want, Boxed)).collect();
                if how == How::Any { any(boxed) } else { all(boxed) }
            }
        }
    }
}

struct Boxed;

impl Then for Boxed {
    type Out = BoxedWait<'static, (Told, Held)>;

    fn then<T: Waits>(self, wait: T) -> Self::Out {
        wait.boxed(Tell::tell)
    }
}

impl Tell for (Told, Held) {
    fn tell(self) -> (Told, Held) {
        self
    }
}

struct Alone(How);

impl Then for Alone {
    type Out = Wait;

    fn then<T: Waits>(self, wait: T) -> Wait {
        match self.0 {
            How::Any => Box::pin(wait_any([wait]).map(|answer| match answer {
                Ok((index, answer)) => answered(Some(index), One(answer)),
                Err(error) => refused(&error),
            })),
            How::All => all([wait]),
            _ => Box::pin(wait.map(|answer| answered(None, [answer]))),
        }
    }
}

struct Signaling<'w>(&'w World, usize, Signal);

impl Then for Signaling<'_> {
    type Out = Wait;

    fn then<T: Waits>(self, wait: T) -> Wait {
        macro_rules! and_wait {
            ($signal:expr) => {
                Box::pin(signal_and_wait($signal, wait).map(|answer| match answer {
                    Ok(answer) => answered(None, [answer]),
                    Err(_) => (Outcome::SignalRefused, Vec::new()),
                }))
            };
        }
        let Self(world, object, signal) = self;
        match (world.objects[object], signal) {
            (Object::Manual(event), _) => and_wait!(event),
            (Object::Auto(event), _) => and_wait!(event),
            (Object::Semaphore(semaphore), _) => and_wait!(semaphore),
            (Object::Mutex(mutex), Signal::Unlock(by)) => and_wait!(mutex.unlocking(world.owner(by))),
            _ => panic!("it cannot be signaled"),
        }
    }
}

struct First<'w>(&'w World, How, Want);

impl Then for First<'_> {
    type Out = Wait;

    fn then<T: Waits>(self, wait: T) -> Wait {
        self.0.one(self.2, Second(wait, self.1))
    }
}

struct Second<A>(A, How);

impl<A: Waits> Then for Second<A> {
    type Out = Wait;

    fn then<B: Waits>(self, wait: B) -> Wait {
        if self.1 == How::Any { any((self.0, wait)) } else { all((self.0, wait)) }
    }
}
