//! Calls that are queued again and again, as the completion calls of timers and operations are: at most one
//! is outstanding, and its owner can take it back until it begins.

mod common;
#[path = "apc/journal.rs"]
mod journal;

use batons::{
    Alertable::{Alerted, Done},
    ApcRoutine, AutoResetEvent, blocking,
};
use common::{counted, must_end, panic_of};
use journal::start;
use std::{
    future::pending,
    panic::AssertUnwindSafe,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};
use tokio_test::{assert_pending, assert_ready_eq};

// cases: AP-32
#[test]
fn a_routine_stands_in_the_same_line_as_the_other_calls_and_wakes_the_waiter() {
    let (queue, handle, journal) = start();
    let log = journal.clone();
    let routine = handle.routine(move |n: u8| log.write(format!("routine {n}")));
    let mut wait = counted(queue.alertable(pending::<()>()));
    assert_pending!(wait.poll());
    journal.queue(&handle, "before");
    assert!(routine.queue(1));
    journal.queue(&handle, "after");
    assert_eq!(wait.wakes(), 1);
    assert_ready_eq!(wait.poll(), Alerted);
    assert_eq!(journal.take(), ["before", "routine 1", "after"]);
    let event = AutoResetEvent::new(true);
    assert!(routine.queue(2));
    assert_ready_eq!(counted(queue.alertable(event.wait())).poll(), Done(()));
    assert_eq!(queue.blocking_sleep(Duration::ZERO), Alerted);
    assert_eq!(journal.take(), ["routine 2"]);
}

#[test]
fn a_routine_is_outstanding_once_and_told_what_it_was_told_first() {
    let (queue, handle, journal) = start();
    let log = journal.clone();
    let routine = handle.routine(move |n: u8| log.write(n.to_string()));
    let same = routine.clone();
    assert!(routine.queue(1) && same.queue(2) && routine.queue(3));
    assert_eq!(queue.pending(), 1);
    assert_eq!(blocking::wait(queue.drain()), 1);
    assert!(same.queue(4));
    assert_eq!(blocking::wait(queue.drain()), 1);
    assert_eq!(journal.take(), ["1", "4"]);
}

// cases: AP-18, AP-33
#[test]
fn a_routine_that_is_taken_back_is_not_made_and_does_not_count() {
    let (queue, handle, journal) = start();
    let routine = handle.routine(|()| unreachable!());
    assert!(!routine.withdraw());
    routine.queue(());
    let mut wait = counted(queue.alertable(pending::<()>()));
    assert!(routine.withdraw() && !routine.withdraw());
    assert_pending!(wait.poll());
    routine.queue(());
    assert!(routine.withdraw());
    // It was woken in vain, and sleeps on.
    assert_eq!(wait.wakes(), 1);
    assert_pending!(wait.poll());
    assert_eq!(queue.blocking_sleep(Duration::ZERO), Done(()));
    journal.queue(&handle, "call");
    assert_ready_eq!(wait.poll(), Alerted);
    assert_eq!(journal.take(), ["call"]);
}

#[test]
fn a_routine_that_is_taken_back_and_queued_anew_comes_last() {
    let (queue, handle, journal) = start();
    let log = journal.clone();
    let routine = handle.routine(move |n: u8| log.write(n.to_string()));
    routine.queue(1);
    journal.queue(&handle, "between");
    routine.withdraw();
    routine.queue(2);
    assert_eq!(blocking::wait(queue.drain()), 2);
    assert_eq!(journal.take(), ["between", "2"]);
}

/// A routine that knows itself.
fn knowing(
    handle: &batons::ApcHandle,
    mut call: impl FnMut(&ApcRoutine<u8>, u8) + Send + 'static,
) -> ApcRoutine<u8> {
    let own = Arc::new(OnceLock::<ApcRoutine<u8>>::new());
    let routine = handle.routine({
        let own = Arc::clone(&own);
        move |n| call(own.get().expect("it is set before it is queued"), n)
    });
    own.set(routine.clone()).expect("it is set once");
    routine
}

#[test]
fn a_routine_may_queue_itself_and_take_that_back() {
    let (queue, handle, journal) = start();
    let log = journal.clone();
    let routine = knowing(&handle, move |own, n| {
        log.write(n.to_string());
        match n {
            0 => assert!(own.queue(1) && own.queue(9)),
            1 => {
                assert!(own.queue(8) && own.withdraw() && !own.withdraw());
                assert!(own.queue(2));
            }
            _ => assert!(own.queue(7) && own.withdraw()),
        }
    });
    routine.queue(0);
    journal.queue(&handle, "call");
    assert_eq!(blocking::wait(queue.drain()), 4);
    assert_eq!((queue.pending(), journal.take()), (0, ["0", "call", "1", "2"].map(String::from).into()));
}

#[test]
fn a_routine_that_waits_alertably_is_not_made_inside_itself() {
    let (_, _, journal) = start();
    let queue = Arc::new(batons::ApcQueue::new());
    let (inner, log) = (Arc::clone(&queue), journal.clone());
    let routine = knowing(&queue.handle(), move |own, n| {
        log.write(format!("begin {n}"));
        if n == 0 {
            own.queue(1);
            log.queue(&inner.handle(), "inside");
            assert_eq!(blocking::wait(inner.drain()), 1);
        }
        log.write(format!("end {n}"));
    });
    routine.queue(0);
    assert_eq!(blocking::wait(queue.drain()), 2);
    assert_eq!(journal.take(), ["begin 0", "inside", "end 0", "begin 1", "end 1"]);
}

#[test]
fn a_routine_that_panicked_can_be_queued_again() {
    let (queue, handle, journal) = start();
    let log = journal.clone();
    let routine = knowing(&handle, move |own, n| {
        if n == 0 {
            own.queue(1);
            panic!("on purpose");
        }
        log.write(n.to_string());
    });
    routine.queue(0);
    assert!(panic_of(AssertUnwindSafe(|| blocking::wait(queue.drain()))).is_some());
    assert_eq!(blocking::wait(queue.drain()), 1);
    assert!(routine.queue(2));
    assert_eq!(blocking::wait(queue.drain()), 1);
    assert_eq!(journal.take(), ["1", "2"]);
}

#[test]
fn a_routine_of_a_closed_queue_says_so_and_can_be_made_once_more() {
    let (queue, handle, journal) = start();
    let log = journal.clone();
    let routine = knowing(&handle, move |own, n| {
        assert!(!own.queue(n));
        log.write(n.to_string());
    });
    routine.queue(1);
    let call = queue.close().remove(0);
    assert!(!routine.queue(2));
    blocking::wait(call);
    assert_eq!(journal.take(), ["1"]);
    assert!(!routine.queue(3) && !routine.withdraw());

    let (queue, handle, _) = start();
    let routine = handle.routine(|()| unreachable!());
    routine.queue(());
    let call = queue.close().remove(0);
    assert!(routine.withdraw(), "given back and not begun");
    blocking::wait(call);
}

// cases: AP-33
#[test]
fn a_routine_is_made_or_taken_back_and_never_both() {
    must_end(|| {
        let (queue, handle, _) = start();
        let made = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&made);
        let routine = handle.routine(move |()| {
            counting.fetch_add(1, SeqCst);
        });
        let owner =
            thread::spawn(move || (0..2_000).filter(|_| routine.queue(()) && routine.withdraw()).count());
        while !owner.is_finished() {
            let _ = queue.blocking_sleep(Duration::ZERO);
        }
        let withdrawn = owner.join().unwrap();
        let _ = blocking::wait(queue.drain());
        assert_eq!(withdrawn + made.load(SeqCst), 2_000);
    });
}
