//! The policies as the tables say, and calls at a completion.

use super::load::{Desk, Load};
use super::{Latch, Operation, SET};
use crate::dispatch::{Offer, Policy, Routine, Verdict};
use crate::error::PortClosed;
use crate::sync::Lock;
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

// ===== policies =====

#[test]
fn a_latch_answers_once_set_and_takes_nothing() {
    assert_eq!(Latch.judge(0, (), 0), Verdict::Queue);
    assert_eq!(Latch.judge(super::FINISHED | super::DETACHED, (), 0), Verdict::Queue);
    for state in [SET, SET | super::DETACHED] {
        assert_eq!(Latch.judge(state, (), 0), Verdict::Take(state, ()));
        assert_eq!(Latch.give_back(state, (), ()), Offer::Nothing);
    }
}

fn load(queued: u64, running: u64, closed: bool) -> u64 {
    queued * Load::QUEUED + running * Load::RUNNING + if closed { Load::CLOSED } else { 0 }
}

#[test]
fn a_desk_gives_what_is_queued_as_long_as_not_too_many_run() {
    let desk = Desk { concurrency: 2 };
    for closed in [false, true] {
        assert_eq!(desk.judge(load(3, 1, closed), 1, 0), Verdict::Take(load(2, 2, closed), 1));
        assert_eq!(desk.judge(load(3, 0, closed), 9, 0), Verdict::Take(load(0, 1, closed), 3));
        assert_eq!(desk.judge(load(3, 2, closed), 1, 0), Verdict::Queue);
        assert_eq!(desk.closed(load(3, 2, closed)), None);
    }
    for running in 0..=2 {
        assert_eq!(desk.judge(load(0, running, false), 1, 0), Verdict::Queue);
        assert_eq!(desk.judge(load(0, running, true), 1, 0), Verdict::Refuse(PortClosed(())));
        assert_eq!(desk.closed(load(0, running, true)), Some(PortClosed(())));
    }
}

#[test]
fn what_a_desk_gave_goes_back_whole() {
    let desk = Desk { concurrency: 1 };
    let full = load(Load::MOST.into(), 0, true);
    for most in [1, 5, u32::MAX] {
        let Verdict::Take(state, n) = desk.judge(full, most, 0) else { panic!("there is something") };
        assert_eq!(n, most.min(Load::MOST));
        assert_eq!(desk.give_back(state, most, n), Offer::Anybody(full));
    }
}

// ===== calls at a completion =====

/// Notes what it is told, and whether the operation was complete then.
#[derive(Debug, Default)]
struct Notes {
    operation: Lock<Option<Operation<u8>>>,
    told: Lock<Vec<(&'static str, bool)>>,
}

impl Notes {
    fn note(&self, what: &'static str) {
        let complete = self.operation.lock().as_ref().is_some_and(Operation::is_complete);
        self.told.lock().push((what, complete));
    }
}

#[derive(Debug)]
struct Noting {
    notes: Arc<Notes>,
    /// Whether somebody will make the call.
    live: bool,
}

impl Routine<()> for Noting {
    fn post(&self, (): ()) -> bool {
        self.notes.note("post");
        self.live
    }

    fn alert(&self) {
        self.notes.note("alert");
    }

    fn withdraw(&self) {
        self.notes.note("withdraw");
    }

    fn is_over(&self) -> bool {
        !self.live
    }
}

/// The notes of an operation after `run` has had its task.
fn notes_of<F, R>(
    work: F,
    live: bool,
    run: impl FnOnce(super::OperationTask<F>) -> R,
) -> Vec<(&'static str, bool)>
where
    F: Future<Output = u8>,
{
    let notes = Arc::<Notes>::default();
    let routine = Noting { notes: Arc::clone(&notes), live };
    let (operation, task) = Operation::with_routine(work, routine);
    *notes.operation.lock() = Some(operation.clone());
    run(task);
    assert!(operation.is_complete());
    let told = notes.told.lock().clone();
    // The notes hold a handle of what holds them.
    notes.operation.lock().take();
    told
}

fn poll<F: Future>(task: F) {
    assert!(pin!(task).poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

/// OV-07 and OV-14, as far as they are up to the operation.
#[test]
fn a_call_is_due_once_after_the_signal_however_the_operation_ends() {
    let once = [("post", true), ("alert", true)];
    assert_eq!(notes_of(async { 1 }, true, poll), once, "also if it completes at once");
    assert_eq!(notes_of(async { std::panic::resume_unwind(Box::new(())) }, true, poll), once);
    assert_eq!(notes_of(pending(), true, drop), once);
}

#[test]
fn nobody_is_woken_for_a_call_that_nobody_will_make() {
    assert_eq!(notes_of(async { 1 }, false, poll), [("post", true)]);
}

#[test]
fn a_result_that_panics_as_nobody_takes_it_adds_nothing_to_another_panic() {
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }

    struct Work;

    impl Future for Work {
        type Output = Bomb;

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Bomb> {
            Poll::Ready(Bomb)
        }
    }

    impl Drop for Work {
        fn drop(&mut self) {
            panic!("first");
        }
    }

    let (operation, mut task) = Operation::new(Work);
    operation.detach();
    drop(operation);
    let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop()))
    }));
    assert_eq!(polled.unwrap_err().downcast_ref(), Some(&"first"));
}
