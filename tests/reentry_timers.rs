//! Nothing foreign runs under a lock (R3): a waker of a wait for a timer, a call, a packet or an operation whose `wake`,
//! `clone` or `drop` sets, advances, queues, posts, cancels, polls or drops neither hangs nor harms them.

mod common;

use batons::{
    Alertable, ApcQueue, AutoResetEvent, BoxedWait, CompletionPort, Due, ManualClock, Operation,
    OperationTask, Waitable, WaitableTimer, blocking, wait_all, wait_any,
};
use common::must_end;
use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Waker},
    time::{Duration, Instant},
};

#[path = "reentry/hook.rs"]
mod hook;

use hook::{Hook, Op};

const SECOND: Duration = Duration::from_secs(1);

type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

fn poll(wait: &mut Wait, waker: &Waker) -> bool {
    wait.as_mut().poll(&mut Context::from_waker(waker)).is_ready()
}

/// Whatever the answer is.
fn ended<F: Future<Output: Send> + Send + 'static>(wait: F) -> Wait {
    Box::pin(async {
        let _ = wait.await;
    })
}

// ===== the objects =====

#[derive(Debug, Clone, Copy, PartialEq)]
enum Object {
    Auto,
    Manual,
    Calls,
    /// A call of a timer.
    Routine,
    Port,
    Operation,
}

const OBJECTS: [Object; 6] =
    [Object::Auto, Object::Manual, Object::Calls, Object::Routine, Object::Port, Object::Operation];

#[derive(Debug, Clone, Copy)]
enum Shape {
    Single,
    Any,
    All,
    Alertable,
}

/// One of each, leaked so that waits and callbacks may borrow it.
struct World {
    clock: ManualClock,
    auto: WaitableTimer,
    manual: WaitableTimer,
    /// Only its calls count.
    caller: WaitableTimer,
    queue: ApcQueue,
    /// For waits that are alertable besides.
    quiet: ApcQueue,
    port: CompletionPort<u8>,
    operation: Operation<()>,
    /// Until it is run.
    task: Mutex<Option<OperationTask<Ready<()>>>>,
    /// Beside the object of a wait.
    beside: AutoResetEvent,
}

impl World {
    /// Nothing can be had, and both timers are due in a second.
    fn new() -> &'static Self {
        let clock = ManualClock::new();
        let (operation, task) = Operation::new(ready(()));
        let world = Box::leak(Box::new(Self {
            auto: WaitableTimer::auto_on(&clock.clock()),
            manual: WaitableTimer::manual_on(&clock.clock()),
            caller: WaitableTimer::auto_on(&clock.clock()),
            clock,
            queue: ApcQueue::new(),
            quiet: ApcQueue::new(),
            port: CompletionPort::new(100),
            operation,
            task: Mutex::new(Some(task)),
            beside: AutoResetEvent::new(false),
        }));
        world.set(Due::after(SECOND));
        world.call(Due::after(SECOND));
        world
    }

    fn set(&self, due: Due) {
        self.auto.set(due, Some(SECOND));
        self.manual.set(due, Some(SECOND));
    }

    fn call(&self, due: Due) {
        self.caller.set_with(due, Some(SECOND), self.queue.handle().routine(|_: Instant| {}));
    }

    fn member(&'static self, object: Object) -> BoxedWait<'static, ()> {
        match object {
            Object::Auto => self.auto.wait().boxed(|()| ()),
            Object::Manual => self.manual.wait().boxed(|()| ()),
            Object::Calls | Object::Routine => self.beside.wait().boxed(|()| ()),
            Object::Port => self.port.next().boxed(drop),
            Object::Operation => self.operation.wait().boxed(|()| ()),
        }
    }

    fn single(&'static self, object: Object) -> Wait {
        match object {
            Object::Auto => Box::pin(self.auto.wait()),
            Object::Manual => Box::pin(self.manual.wait()),
            Object::Calls | Object::Routine => self.alertable(self.beside.wait()),
            Object::Port => Box::pin(async { drop(self.port.next().await) }),
            Object::Operation => Box::pin(self.operation.wait()),
        }
    }

    fn alertable(&'static self, wait: impl Future<Output: Send> + Send + 'static) -> Wait {
        ended(self.queue.alertable(wait))
    }

    /// A wait that a signal of `object` completes.
    fn wait(&'static self, shape: Shape, object: Object) -> Wait {
        let waits = move |first: AutoResetEvent| {
            vec![self.member(object), Box::leak(Box::new(first)).wait().boxed(|()| ())]
        };
        match (shape, object) {
            (Shape::Single, _) => self.single(object),
            (Shape::Any, Object::Calls | Object::Routine) => {
                self.alertable(wait_any(waits(AutoResetEvent::new(false))))
            }
            (Shape::All, Object::Calls | Object::Routine) => {
                self.alertable(wait_all(waits(AutoResetEvent::new(false))))
            }
            (Shape::Any, _) => ended(wait_any(waits(AutoResetEvent::new(false)))),
            (Shape::All, _) => ended(wait_all(waits(AutoResetEvent::new(true)))),
            (Shape::Alertable, _) => ended(self.quiet.alertable(self.single(object))),
        }
    }

    fn signal(&self, object: Object) {
        match object {
            Object::Auto | Object::Manual | Object::Routine => self.clock.advance(SECOND),
            Object::Calls => drop(self.queue.handle().queue(|| {})),
            Object::Port => drop(self.port.post(7)),
            Object::Operation => self.run_task(),
        }
    }

    fn run_task(&self) {
        let task = self.task.lock().expect("nobody panics inside").take();
        if let Some(mut task) = task {
            assert!(Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop())).is_ready());
        }
    }
}

// ===== the trials =====

/// What a callback does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    SignalTheSame,
    SignalOthers,
    Set,
    SetWithRoutine,
    CancelTimers,
    SetWall,
    LookAtTimers,
    Drain,
    CloseQueues,
    CancelOperation,
    DropTask,
    ClosePort,
    WaitForAny,
    WaitForAll,
    BlockNoTime,
    DropOther,
    PollOther,
}

const CALLS: [Call; 17] = [
    Call::SignalTheSame,
    Call::SignalOthers,
    Call::Set,
    Call::SetWithRoutine,
    Call::CancelTimers,
    Call::SetWall,
    Call::LookAtTimers,
    Call::Drain,
    Call::CloseQueues,
    Call::CancelOperation,
    Call::DropTask,
    Call::ClosePort,
    Call::WaitForAny,
    Call::WaitForAll,
    Call::BlockNoTime,
    Call::DropOther,
    Call::PollOther,
];

fn call_back(call: Call, world: &'static World, object: Object, mut other: Wait) {
    let every = move || OBJECTS.map(|object| world.member(object)).into_iter().collect::<Vec<_>>();
    let timers = [&world.auto, &world.manual, &world.caller];
    let once = |mut wait: Wait| poll(&mut wait, &Arc::<Hook>::default().waker());
    match call {
        Call::SignalTheSame => world.signal(object),
        Call::SignalOthers => {
            OBJECTS.into_iter().filter(|other| *other != object).for_each(|other| world.signal(other));
        }
        Call::Set => {
            world.set(Due::after(SECOND));
            world.set(Due::after(Duration::ZERO));
        }
        Call::SetWithRoutine => {
            world.call(Due::after(SECOND));
            world.call(Due::after(Duration::ZERO));
        }
        Call::CancelTimers => {
            let _ = timers.map(WaitableTimer::cancel);
        }
        Call::SetWall => {
            let tomorrow = world.clock.clock().wall() + SECOND * 86_400;
            world.set(Due::at(tomorrow));
            world.clock.set_wall(tomorrow);
        }
        Call::LookAtTimers => {
            let _ = (timers.map(WaitableTimer::is_set), timers.map(WaitableTimer::try_wait));
        }
        Call::Drain => {
            once(ended(world.queue.drain()));
        }
        Call::CloseQueues => drop((world.queue.close(), world.quiet.close())),
        Call::CancelOperation => {
            world.operation.cancel();
        }
        Call::DropTask => drop(world.task.lock().expect("nobody panics inside").take()),
        Call::ClosePort => {
            world.port.close();
        }
        Call::WaitForAny => {
            once(Box::pin(async move { drop(wait_any(every()).await) }));
        }
        Call::WaitForAll => {
            once(Box::pin(async move { drop(wait_all(every()).await) }));
        }
        Call::BlockNoTime => {
            let _ = blocking::wait_any_timeout(every(), Duration::ZERO);
            let _ = blocking::wait_all_timeout(every(), Duration::ZERO);
            let _ = world.queue.blocking_alertable_timeout(world.beside.wait(), Duration::ZERO);
        }
        Call::DropOther => drop(other),
        Call::PollOther => {
            poll(&mut other, &Arc::<Hook>::default().waker());
        }
    }
}

/// What makes the crate run foreign code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    FirstPollClones,
    RepollClones,
    RepollDropsTheOld,
    CancelDrops,
    LastCallDrops,
    SignalWakes,
    GiveBackWakes,
}

const CAUSES: [(Cause, Op); 7] = [
    (Cause::FirstPollClones, Op::Clone),
    (Cause::RepollClones, Op::Clone),
    (Cause::RepollDropsTheOld, Op::Drop),
    (Cause::CancelDrops, Op::Drop),
    (Cause::LastCallDrops, Op::Drop),
    (Cause::SignalWakes, Op::Wake),
    (Cause::GiveBackWakes, Op::Wake),
];

fn play(cause: Cause, op: Op, call: Call, shape: Shape, object: Object) -> &'static World {
    let world = World::new();
    let mut first = world.single(object);
    if cause == Cause::GiveBackWakes {
        assert!(!poll(&mut first, Waker::noop()));
    }
    let mut hooked = world.wait(shape, object);
    let mut other = world.wait(shape, object);
    let hook = Arc::<Hook>::default();
    let (waker, plain) = (hook.waker(), Arc::<Hook>::default().waker());
    match cause {
        Cause::FirstPollClones => {}
        Cause::RepollClones => assert!(!poll(&mut hooked, &plain)),
        _ => assert!(!poll(&mut hooked, &waker)),
    }
    assert!(!poll(&mut other, &plain));
    hook.arm(op, move || call_back(call, world, object, other));
    match cause {
        Cause::FirstPollClones | Cause::RepollClones => {
            poll(&mut hooked, &waker);
        }
        Cause::RepollDropsTheOld => {
            poll(&mut hooked, &plain);
        }
        Cause::CancelDrops => drop(hooked),
        // A call that is queued meanwhile is made by it.
        Cause::LastCallDrops => drop(blocking::wait_timeout(hooked.as_mut(), Duration::ZERO)),
        Cause::SignalWakes => world.signal(object),
        Cause::GiveBackWakes => {
            world.signal(object);
            drop(first);
        }
    }
    assert!(!hook.is_armed(), "the callback ran");
    world
}

/// Whatever has happened, each object still does what it is for.
fn check_usable(world: &'static World) {
    world.caller.cancel();
    let mut waits = [&world.auto, &world.manual].map(|timer| {
        timer.set(Due::after(SECOND), None);
        assert!(!timer.is_set());
        let mut wait: Wait = Box::pin(timer.wait());
        assert!(!poll(&mut wait, Waker::noop()));
        wait
    });
    world.clock.advance(SECOND);
    assert!(waits.iter_mut().all(|wait| poll(wait, Waker::noop())));
    assert!(!world.auto.is_set() && world.manual.is_set());

    while world.queue.pending() > 0 {
        blocking::wait(world.queue.drain());
    }
    let queued = world.queue.handle().queue(|| {}).is_ok();
    assert_ne!(queued, world.queue.is_closed());
    let never = world.queue.alertable(std::future::pending::<()>());
    assert_eq!(blocking::wait_timeout(never, Duration::ZERO).ok(), queued.then_some(Alertable::Alerted));

    while !world.port.is_empty() {
        drop(world.port.try_next().expect("it is not empty, and few are running"));
    }
    assert_ne!(world.port.post(1).is_ok(), world.port.is_closed());
    assert_eq!(world.port.try_next().is_ok(), !world.port.is_closed());
    assert_eq!(world.port.running(), 0);

    world.run_task();
    blocking::wait(world.operation.wait());
}

fn trials(shape: Shape) {
    for object in OBJECTS {
        for (cause, op) in CAUSES {
            // Those of which a release is nobody's give nothing back.
            if cause == Cause::GiveBackWakes && matches!(object, Object::Manual | Object::Operation) {
                continue;
            }
            for call in CALLS {
                must_end(move || {
                    // Named if it fails.
                    let name = format!("{call:?} when {cause:?}, {shape:?}, {object:?}");
                    let trial =
                        std::panic::catch_unwind(|| check_usable(play(cause, op, call, shape, object)));
                    assert!(trial.is_ok(), "{name}");
                });
            }
        }
    }
}

#[test]
fn every_call_may_be_made_from_the_waker_of_a_single_wait() {
    trials(Shape::Single);
}

#[test]
fn every_call_may_be_made_from_the_waker_of_a_wait_on_any() {
    trials(Shape::Any);
}

#[test]
fn every_call_may_be_made_from_the_waker_of_a_wait_on_all() {
    trials(Shape::All);
}

#[test]
fn every_call_may_be_made_from_the_waker_of_an_alertable_wait() {
    trials(Shape::Alertable);
}

/// Each of them is told by a call, too: it runs under no lock.
#[test]
fn every_call_may_be_made_from_a_call_of_a_queue() {
    for object in OBJECTS {
        for call in CALLS {
            must_end(move || {
                let world = World::new();
                let mut other = world.wait(Shape::Any, object);
                assert!(!poll(&mut other, Waker::noop()));
                let calls = world.queue.handle().queue(move || call_back(call, world, object, other));
                assert!(calls.is_ok());
                assert!(blocking::wait(world.queue.alertable(std::future::pending::<()>())).is_alerted());
                check_usable(world);
            });
        }
    }
}
