//! Nothing foreign runs under a lock (R3): a waker whose `wake`, `clone` or `drop` calls back into the
//! baton it waits for neither hangs nor harms it. (One that panics: `panics.rs`.)

use batons::{AcquireError, Baton, OwnedBatonGuard, Ticket, blocking, futures::Acquire};
use std::{
    borrow::Borrow,
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed, mpsc},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

#[path = "reentry/hook.rs"]
mod hook;

use hook::{Hook, Op};

fn poll<H: Borrow<Baton>>(wait: &mut Acquire<H>, waker: &Waker) -> Poll<<Acquire<H> as Future>::Output> {
    Pin::new(wait).poll(&mut Context::from_waker(waker))
}

// ===== the trials =====

/// What a callback does to the baton.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Release,
    AcquireAndPoll,
    TryAcquire,
    BlockNoTime,
    Skip,
    Ticket,
    Snapshot,
    DropOther,
    PollOther,
    Close,
}

const CALLS: [Call; 10] = [
    Call::Release,
    Call::AcquireAndPoll,
    Call::TryAcquire,
    Call::BlockNoTime,
    Call::Skip,
    Call::Ticket,
    Call::Snapshot,
    Call::DropOther,
    Call::PollOther,
    Call::Close,
];

/// What makes the crate run foreign code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    FirstPollClones,
    RepollClones,
    RepollDropsTheOld,
    CancelDrops,
    LastCallDrops,
    AnswerDropsTheUnused,
    ReleaseWakes,
    SkipWakes,
    GiveBackWakes,
    TicketDropWakes,
    CloseWakes,
}

const CAUSES: [(Cause, Op); 11] = [
    (Cause::FirstPollClones, Op::Clone),
    (Cause::RepollClones, Op::Clone),
    (Cause::RepollDropsTheOld, Op::Drop),
    (Cause::CancelDrops, Op::Drop),
    (Cause::LastCallDrops, Op::Drop),
    (Cause::AnswerDropsTheUnused, Op::Drop),
    (Cause::ReleaseWakes, Op::Wake),
    (Cause::SkipWakes, Op::Wake),
    (Cause::GiveBackWakes, Op::Wake),
    (Cause::TicketDropWakes, Op::Wake),
    (Cause::CloseWakes, Op::Wake),
];

/// Number 0 is held, 1 waits or is about to, 2 is the hooked one's number, 5 is another wait.
struct Scene {
    baton: Baton,
    guard: Option<OwnedBatonGuard>,
    first: Option<Acquire<Baton>>,
    ticket: Option<Ticket>,
    hook: Arc<Hook>,
    hooked: Acquire<Baton>,
    waker: Waker,
}

impl Scene {
    /// What is on the stage when `cause` is about to come, and a callback armed for it.
    fn set(cause: Cause, op: Op, call: Call) -> Self {
        let baton = Baton::new(0);
        let guard = blocking::wait(baton.acquire_owned(0)).expect("the first number of a free baton");
        let mut other = baton.acquire_owned(5);
        assert!(poll(&mut other, Waker::noop()).is_pending());
        let hook = Arc::<Hook>::default();
        let mut scene = Self {
            guard: Some(guard),
            first: None,
            ticket: None,
            hooked: baton.acquire_owned(2),
            waker: hook.waker(),
            hook,
            baton,
        };
        scene.prepare(cause);
        let lent = if matches!(cause, Cause::ReleaseWakes) { None } else { scene.guard.take() };
        let baton = scene.baton.clone();
        scene.hook.arm(op, move || call_back(call, &baton, lent, other));
        scene
    }

    fn prepare(&mut self, cause: Cause) {
        match cause {
            Cause::FirstPollClones => {}
            Cause::AnswerDropsTheUnused => {
                self.guard = None;
                self.baton.skip(1).expect("nobody asked for it");
            }
            Cause::ReleaseWakes => {
                self.baton.skip(1).expect("nobody asked for it");
                assert!(poll(&mut self.hooked, &self.waker).is_pending());
            }
            Cause::SkipWakes => {
                self.guard = None;
                assert!(poll(&mut self.hooked, &self.waker).is_pending());
            }
            Cause::GiveBackWakes => {
                let mut first = self.baton.acquire_owned(1);
                assert!(poll(&mut first, Waker::noop()).is_pending());
                assert!(poll(&mut self.hooked, &self.waker).is_pending());
                self.first = Some(first);
                self.guard = None;
            }
            Cause::TicketDropWakes => {
                self.ticket = Some(self.baton.ticket());
                assert!(poll(&mut self.hooked, &self.waker).is_pending());
                self.guard = None;
            }
            _ => assert!(poll(&mut self.hooked, &self.waker).is_pending()),
        }
    }

    /// Makes `cause` come; its callback runs inside.
    fn play(mut self, cause: Cause) {
        let other = Arc::<Hook>::default().waker();
        match cause {
            Cause::FirstPollClones | Cause::AnswerDropsTheUnused => {
                let _ = poll(&mut self.hooked, &self.waker);
            }
            Cause::RepollDropsTheOld => drop(poll(&mut self.hooked, &other)),
            Cause::RepollClones => {
                // Its old waker is another one, so that the hooked one is cloned.
                let mut wait = self.baton.acquire_owned(3);
                if poll(&mut wait, &other).is_pending() {
                    drop(poll(&mut wait, &self.waker));
                }
            }
            Cause::CancelDrops => drop(self.hooked),
            Cause::LastCallDrops => drop(blocking::wait_timeout(&mut self.hooked, Duration::ZERO)),
            Cause::ReleaseWakes => drop(self.guard),
            Cause::SkipWakes => self.baton.skip(1).expect("nobody asked for it"),
            Cause::GiveBackWakes => drop(self.first),
            Cause::TicketDropWakes => drop(self.ticket),
            Cause::CloseWakes => self.baton.close(),
        }
        assert!(!self.hook.is_armed(), "the callback ran");
    }
}

fn call_back(call: Call, baton: &Baton, guard: Option<OwnedBatonGuard>, mut other: Acquire<Baton>) {
    match call {
        Call::Release => drop(guard),
        Call::AcquireAndPoll => drop(poll(&mut baton.acquire(9), Waker::noop())),
        Call::TryAcquire => drop(baton.try_acquire(baton.next())),
        Call::BlockNoTime => drop(baton.blocking_acquire_timeout(9, Duration::ZERO)),
        Call::Skip => assert_eq!(baton.skip(7).is_err(), baton.is_closed()),
        Call::Ticket => drop(baton.ticket()),
        Call::Snapshot => drop(baton.snapshot()),
        Call::DropOther => drop(other),
        Call::PollOther => drop(poll(&mut other, &Arc::<Hook>::default().waker())),
        Call::Close => baton.close(),
    }
}

/// Runs `trial` in a thread of its own; a deadlock is a panic here. The time is no measure of speed.
fn must_end(what: &str, trial: impl FnOnce() + Send + 'static) {
    let (ended, end) = mpsc::channel();
    let thread = thread::spawn(move || {
        trial();
        let _ = ended.send(());
    });
    match end.recv_timeout(Duration::from_secs(300)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("hangs: {what}"),
        _ => thread.join().unwrap_or_else(|_| panic!("fails: {what}")),
    }
}

/// Everyone is gone: nothing may be left, and the baton still goes on from number to number.
fn check_usable(baton: &Baton) {
    let shot = baton.snapshot();
    assert_eq!((shot.waiting(), shot.tickets(), shot.holder()), (&[][..], &[][..], None), "{shot}");
    for seq in baton.next()..=20 {
        match blocking::wait(baton.acquire(seq)) {
            Ok(guard) => guard.release(),
            Err(AcquireError::Passed) => assert!(shot.skipped().contains(&seq), "{seq} in {shot}"),
            Err(refusal) => assert_eq!((refusal, shot.is_closed()), (AcquireError::Closed, true)),
        }
    }
}

#[test]
fn every_call_may_be_made_from_every_operation_of_a_waker() {
    for (cause, op) in CAUSES {
        for call in CALLS {
            must_end(&format!("{call:?} when {cause:?}"), move || {
                let scene = Scene::set(cause, op, call);
                let baton = scene.baton.clone();
                scene.play(cause);
                check_usable(&baton);
            });
        }
    }
}

#[test]
fn two_batons_may_wake_each_other() {
    must_end("a waker of one baton that releases another", || {
        let (one, two) = (Baton::new(0), Baton::new(0));
        let (of_one, of_two) = (Arc::<Hook>::default(), Arc::<Hook>::default());
        let mut waits = [one.acquire_owned(1), two.acquire_owned(1)];
        let guards = [&one, &two].map(|baton| blocking::wait(baton.acquire_owned(0)).unwrap());
        assert!(poll(&mut waits[0], &of_one.waker()).is_pending());
        assert!(poll(&mut waits[1], &of_two.waker()).is_pending());
        let [first, second] = guards;
        of_one.arm(Op::Wake, move || drop(second));
        of_two.arm(Op::Wake, move || assert!(one.skip(5).is_ok()));
        first.release();
        assert!(waits.iter_mut().all(|wait| poll(wait, Waker::noop()).is_ready()));
    });
}

#[test]
fn an_executor_may_run_the_next_task_inside_the_wake() {
    const TASKS: u64 = 200;
    must_end("wakers that poll", || {
        let baton = Baton::new(0);
        let guard = baton.try_acquire(0).unwrap();
        for seq in 1..=TASKS {
            let hook = Arc::<Hook>::default();
            let mut wait = baton.acquire_owned(seq);
            assert!(poll(&mut wait, &hook.waker()).is_pending());
            hook.arm(Op::Wake, move || drop(poll(&mut wait, Waker::noop())));
        }
        guard.release();
        assert_eq!(baton.next(), TASKS + 1);
    });
}

// ===== no foreign code that is not needed =====

#[test]
fn a_waker_is_cloned_once_to_stand_in_line_and_not_by_polls_in_vain() {
    let baton = Baton::new(0);
    let (hook, other) = (Arc::<Hook>::default(), Arc::<Hook>::default());
    let (waker, other_waker) = (hook.waker(), other.waker());
    let Poll::Ready(Ok(guard)) = poll(&mut baton.acquire(0), &waker) else { panic!("free") };
    assert_eq!(hook.clones.load(Relaxed), 0, "an answer at once needs no waker");
    let mut wait = baton.acquire(1);
    for _ in 0..5 {
        assert!(poll(&mut wait, &waker).is_pending());
    }
    assert_eq!(hook.clones.load(Relaxed), 1);
    for _ in 0..5 {
        assert!(poll(&mut wait, &other_waker).is_pending());
    }
    assert_eq!(other.clones.load(Relaxed), 1);
    guard.release();
    assert!(poll(&mut wait, &waker).is_ready());
    assert_eq!((hook.clones.load(Relaxed), other.clones.load(Relaxed)), (1, 1));
    assert_eq!((hook.wakes.load(Relaxed), other.wakes.load(Relaxed)), (0, 1));
    assert_eq!((Arc::strong_count(&hook), Arc::strong_count(&other)), (2, 2), "nothing is kept");
}

#[test]
fn when_the_line_is_empty_again_a_free_baton_is_taken_without_looking_at_it() {
    // The way through the line clones the waker beforehand; the way past it has no use for one.
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let (mut served, mut cancelled) = (baton.acquire(1), baton.acquire(60_000));
    assert!(poll(&mut served, Waker::noop()).is_pending());
    assert!(poll(&mut cancelled, Waker::noop()).is_pending());
    guard.release();
    drop((poll(&mut served, Waker::noop()), cancelled, baton.ticket()));
    let hook = Arc::<Hook>::default();
    for seq in [3, 4] {
        assert!(poll(&mut baton.acquire(seq), &hook.waker()).is_ready());
    }
    assert_eq!(hook.clones.load(Relaxed), 0);
}
