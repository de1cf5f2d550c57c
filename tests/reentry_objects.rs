//! Nothing foreign runs under a lock (R3), whatever the object: a waker whose `wake`, `clone` or `drop` signals,
//! waits for, polls or drops the same object or another neither hangs nor harms them; and a waker
//! that panics keeps nobody else from being woken.

mod common;

use batons::{
    AutoResetEvent, Baton, BoxedWait, ManualResetEvent, Mutex, Owner, Semaphore, Waitable, blocking,
    signal_and_wait, wait_all, wait_any,
};
use common::{calling_waker, counted, must_end, panic_of, poll_with, wakes_of};
use std::{
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};
use tokio_test::{assert_pending, assert_ready, assert_ready_ok};

#[path = "reentry/hook.rs"]
mod hook;

use hook::{Hook, Op};

type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

fn poll(wait: &mut Wait, waker: &Waker) -> bool {
    wait.as_mut().poll(&mut Context::from_waker(waker)).is_ready()
}

// ===== the objects =====

/// One of each, leaked so that waits and callbacks may borrow it.
struct World {
    manual: ManualResetEvent,
    auto: AutoResetEvent,
    semaphore: Semaphore,
    mutex: Mutex,
    baton: Baton,
    /// Beside the object of a wait.
    beside: AutoResetEvent,
    holder: Owner,
    me: Owner,
}

const OBJECTS: usize = 5;

#[derive(Debug, Clone, Copy)]
enum Shape {
    Single,
    Any,
    All,
    SignalAnd,
}

impl World {
    /// Nothing can be had.
    fn new() -> &'static Self {
        let world = Box::leak(Box::new(Self {
            manual: ManualResetEvent::new(false),
            auto: AutoResetEvent::new(false),
            semaphore: Semaphore::new(0, 100),
            mutex: Mutex::new(),
            baton: Baton::new(0),
            beside: AutoResetEvent::new(false),
            holder: Owner::new(),
            me: Owner::new(),
        }));
        world.mutex.try_lock(&world.holder).expect("free").expect("not abandoned").forget();
        world
    }

    fn member(&'static self, object: usize, number: u64) -> BoxedWait<'static, ()> {
        match object {
            0 => self.manual.wait().boxed(|()| ()),
            1 => self.auto.wait().boxed(|()| ()),
            2 => self.semaphore.acquire().boxed(drop),
            3 => self.mutex.lock(&self.me).boxed(drop),
            _ => self.baton.acquire(number).boxed(drop),
        }
    }

    fn single(&'static self, object: usize, number: u64) -> Wait {
        match object {
            0 => Box::pin(self.manual.wait()),
            1 => Box::pin(self.auto.wait()),
            2 => Box::pin(async move { drop(self.semaphore.acquire().await) }),
            3 => Box::pin(async move { drop(self.mutex.lock(&self.me).await) }),
            _ => Box::pin(async move { drop(self.baton.acquire(number).await) }),
        }
    }

    /// A wait that a signal of `object` completes.
    fn wait(&'static self, shape: Shape, object: usize, number: u64) -> Wait {
        let beside = self.beside.wait().boxed(|()| ());
        let signal = &self.beside;
        match (shape, object) {
            (Shape::Single, _) => self.single(object, number),
            (Shape::Any, _) => {
                let waits = vec![beside, self.member(object, number)];
                Box::pin(async move { drop(wait_any(waits).await) })
            }
            (Shape::All, _) => {
                self.beside.set();
                let waits = vec![self.member(object, number), beside];
                Box::pin(async move { drop(wait_all(waits).await) })
            }
            (Shape::SignalAnd, 0) => {
                Box::pin(async move { signal_and_wait(signal, self.manual.wait()).await.unwrap() })
            }
            (Shape::SignalAnd, 1) => {
                Box::pin(async move { signal_and_wait(signal, self.auto.wait()).await.unwrap() })
            }
            (Shape::SignalAnd, 2) => {
                Box::pin(async move { drop(signal_and_wait(signal, self.semaphore.acquire()).await) })
            }
            (Shape::SignalAnd, 3) => {
                Box::pin(async move { drop(signal_and_wait(signal, self.mutex.lock(&self.me)).await) })
            }
            (Shape::SignalAnd, _) => {
                Box::pin(async move { drop(signal_and_wait(signal, self.baton.acquire(number)).await) })
            }
        }
    }

    fn signal(&self, object: usize) {
        match object {
            0 => {
                self.manual.set();
            }
            1 => {
                self.auto.set();
            }
            2 => drop(self.semaphore.release(1)),
            3 => drop(self.mutex.unlock(&self.holder)),
            _ => drop(self.baton.skip(0)),
        }
    }
}

// ===== the trials =====

/// What a callback does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    SignalTheSame,
    SignalOthers,
    PulseAndReset,
    Close,
    Resize,
    WaitForAny,
    WaitForAll,
    BlockNoTime,
    DropOther,
    PollOther,
}

const CALLS: [Call; 10] = [
    Call::SignalTheSame,
    Call::SignalOthers,
    Call::PulseAndReset,
    Call::Close,
    Call::Resize,
    Call::WaitForAny,
    Call::WaitForAll,
    Call::BlockNoTime,
    Call::DropOther,
    Call::PollOther,
];

fn call_back(call: Call, world: &'static World, object: usize, mut other: Wait) {
    let every = move || (0..OBJECTS).map(|object| world.member(object, 7)).collect::<Vec<_>>();
    let once = |mut wait: Wait| poll(&mut wait, &Arc::<Hook>::default().waker());
    match call {
        Call::SignalTheSame => world.signal(object),
        Call::SignalOthers => {
            (0..OBJECTS).filter(|other| *other != object).for_each(|other| world.signal(other));
        }
        Call::PulseAndReset => {
            world.manual.pulse();
            world.auto.pulse();
            world.beside.reset();
        }
        Call::Close => {
            world.semaphore.close();
            world.baton.close();
        }
        Call::Resize => {
            world.semaphore.resize(50);
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

fn play(cause: Cause, op: Op, call: Call, shape: Shape, object: usize) -> &'static World {
    let world = World::new();
    let mut first = world.single(object, 0);
    if cause == Cause::GiveBackWakes {
        assert!(object == 4 || !poll(&mut first, Waker::noop()));
    }
    let mut hooked = world.wait(shape, object, 1);
    let mut other = world.wait(shape, object, 2);
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
        Cause::LastCallDrops => assert!(blocking::wait_timeout(hooked.as_mut(), Duration::ZERO).is_err()),
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
    world.auto.reset();
    world.auto.set();
    assert!(world.auto.try_wait() && !world.auto.try_wait());
    world.manual.set();
    blocking::wait(world.manual.wait());
    let free = Semaphore::clone(&world.semaphore);
    let _ = free.release(1);
    assert!(free.is_closed() || free.try_acquire().is_ok());
    let _ = world.mutex.unlock(&world.holder);
    drop(blocking::wait(world.mutex.lock(&world.me)));
    assert!(!world.mutex.is_locked() && !world.baton.snapshot().is_held());
}

fn trials(shape: Shape) {
    for object in 0..OBJECTS {
        for (cause, op) in CAUSES {
            // A manual event gives nothing back.
            if cause == Cause::GiveBackWakes && object == 0 {
                continue;
            }
            for call in CALLS {
                must_end(move || {
                    // Named if it fails.
                    let name = format!("{call:?} when {cause:?}, {shape:?}, object {object}");
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
fn every_call_may_be_made_from_the_waker_of_a_signal_and_wait() {
    trials(Shape::SignalAnd);
}

// ===== wakers that panic =====

fn panicking() -> Waker {
    calling_waker(|| panic!("the waker fails"))
}

#[test]
fn a_waker_that_panics_in_a_set_keeps_nobody_from_being_woken() {
    let event = ManualResetEvent::new(false);
    let mut before = [(); 5].map(|()| counted(event.wait()));
    let mut bad = [event.wait(), event.wait()];
    let mut after = [(); 5].map(|()| counted(event.wait()));
    for wait in &mut before {
        assert_pending!(wait.poll());
    }
    for wait in &mut bad {
        assert_pending!(poll_with(wait, &panicking()));
    }
    for wait in &mut after {
        assert_pending!(wait.poll());
    }
    let panic = panic_of(AssertUnwindSafe(|| event.set())).expect("the panic goes on");
    assert_eq!(panic.message, "the waker fails");
    assert!(event.is_set());
    assert_eq!((wakes_of(&before), wakes_of(&after)), (vec![1; 5], vec![1; 5]));
    for wait in &mut bad {
        assert_ready!(poll_with(wait, Waker::noop()));
    }
}

#[test]
fn a_waker_that_panics_in_a_release_keeps_nobody_from_being_woken() {
    let (semaphore, beside) = (Semaphore::new(0, 9), AutoResetEvent::new(true));
    let mut bad = wait_any([semaphore.acquire(), semaphore.acquire()]);
    assert_pending!(poll_with(&mut bad, &panicking()));
    let mut single = counted(semaphore.acquire());
    let mut all = counted(wait_all((semaphore.acquire_many(2), beside.wait())));
    assert_pending!(single.poll());
    assert_pending!(all.poll());
    let panic = panic_of(AssertUnwindSafe(|| semaphore.release(5))).expect("the panic goes on");
    assert_eq!(panic.message, "the waker fails");
    assert_eq!((single.wakes(), all.wakes(), semaphore.available(), beside.is_set()), (1, 1, 1, false));
    drop(bad);
    assert_eq!(semaphore.available(), 2, "its grant is given back");
    let _held = (assert_ready_ok!(single.poll()), assert_ready_ok!(all.poll()));
}

#[test]
fn a_waker_that_panics_in_a_close_keeps_nobody_from_being_refused() {
    let (semaphore, beside) = (Semaphore::new(0, 9), AutoResetEvent::new(false));
    let mut bad = wait_all((semaphore.acquire(), beside.wait()));
    assert_pending!(poll_with(&mut bad, &panicking()));
    let mut any = counted(wait_any((semaphore.acquire(), beside.wait())));
    assert_pending!(any.poll());
    assert!(panic_of(AssertUnwindSafe(|| semaphore.close())).is_some());
    assert_eq!(any.wakes(), 1);
    assert!(assert_ready_ok!(any.poll()).1.0.unwrap().is_err());
    assert!(assert_ready!(poll_with(&mut bad, Waker::noop())).is_err());
}
