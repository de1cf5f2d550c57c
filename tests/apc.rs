//! Calls queued to one task or thread: when they are made, in which order, and what becomes of the wait.

mod common;

#[path = "apc/journal.rs"]
mod journal;

use batons::{
    Alertable::{Alerted, Done},
    AutoResetEvent, ManualResetEvent, Semaphore, Waitable, blocking, signal_and_wait, wait_all, wait_any,
};
use common::{counted, must_end};
use journal::start;
use std::{future::pending, thread, time::Duration};
use tokio_test::{assert_pending, assert_ready, assert_ready_eq};

// ===== what a wait answers =====

// cases: AP-01, AP-07, AP-09
#[test]
fn calls_that_come_during_the_wait_are_made_by_the_waiter_and_end_the_wait() {
    let (queue, handle, journal) = start();
    let event = AutoResetEvent::new(false);
    let mut wait = counted(queue.alertable(event.wait()));
    assert_pending!(wait.poll());
    let sender = thread::spawn({
        let journal = journal.clone();
        move || journal.queue_all(&handle, ["one", "two"])
    });
    sender.join().unwrap();
    assert_eq!(wait.wakes(), 1, "two calls before the poll are one wake");
    assert!(journal.take().is_empty(), "the sender makes no calls");
    assert_ready_eq!(wait.poll(), Alerted);
    assert_eq!(journal.take(), ["one", "two"]);
    event.set();
    assert!(event.is_set(), "the wait is over and stands in no line");
}

// cases: AP-01
#[test]
fn a_thread_makes_its_calls_itself() {
    must_end(|| {
        let (queue, handle, _) = start();
        let (event, me) = (AutoResetEvent::new(false), thread::current().id());
        let sender =
            thread::spawn(move || handle.queue(move || assert_eq!(thread::current().id(), me)).unwrap());
        assert_eq!(queue.blocking_alertable(event.wait()), Alerted);
        sender.join().unwrap();
    });
}

// cases: AP-02
#[test]
fn a_wait_that_is_not_alertable_is_not_interrupted() {
    let (queue, handle, journal) = start();
    let event = AutoResetEvent::new(false);
    let mut wait = counted(event.wait());
    assert_pending!(wait.poll());
    journal.queue(&handle, "call");
    assert_eq!(wait.wakes(), 0);
    assert_pending!(wait.poll());
    event.set();
    assert_ready!(wait.poll());
    assert!(!event.blocking_wait_timeout(Duration::ZERO));
    assert_eq!((queue.pending(), journal.take().len()), (1, 0));
}

// cases: AP-04, AP-11
#[test]
fn a_call_queued_before_the_wait_is_made_at_once_also_with_no_time() {
    let event = AutoResetEvent::new(false);
    let (queue, handle, journal) = start();
    journal.queue(&handle, "task");
    assert_ready_eq!(counted(queue.alertable(event.wait())).poll(), Alerted);
    journal.queue(&handle, "zero");
    assert_eq!(queue.blocking_alertable_timeout(event.wait(), Duration::ZERO), Ok(Alerted));
    journal.queue(&handle, "sleep");
    assert_eq!(queue.blocking_sleep(Duration::ZERO), Alerted);
    journal.queue(&handle, "long");
    assert_eq!(queue.blocking_sleep(Duration::MAX), Alerted);
    assert_eq!(journal.take(), ["task", "zero", "sleep", "long"]);
    assert!(queue.blocking_alertable_timeout(event.wait(), Duration::ZERO).is_err());
    assert_eq!(queue.blocking_sleep(Duration::ZERO), Done(()));
}

// cases: AP-05
#[tokio::test(start_paused = true)]
async fn a_plain_sleep_keeps_the_call_for_the_alertable_one() {
    let (queue, handle, journal) = start();
    let hundred = Duration::from_millis(100);
    journal.queue(&handle, "call");
    let begin = tokio::time::Instant::now();
    tokio::time::sleep(hundred).await;
    assert_eq!((begin.elapsed() >= hundred, journal.take().len()), (true, 0));
    let begin = tokio::time::Instant::now();
    assert_eq!(queue.alertable(tokio::time::sleep(hundred)).await, Alerted);
    assert_eq!((begin.elapsed(), journal.take().len()), (Duration::ZERO, 1));
    assert_eq!(queue.alertable(tokio::time::sleep(hundred)).await, Done(()));
}

// cases: AP-06
#[test]
fn sixteen_calls_are_made_in_their_order_by_one_wait() {
    let (queue, handle, journal) = start();
    let lines: Vec<_> = (0..4).flat_map(|n| ["A", "B", "C", "D"].map(|who| format!("{who}{n}"))).collect();
    for line in &lines {
        journal.queue(&handle, line);
    }
    assert_eq!(blocking::wait(queue.alertable(pending::<()>())), Alerted);
    assert_eq!(journal.take(), lines);
    assert_pending!(counted(queue.alertable(pending::<()>())).poll());
}

// cases: AP-08
#[test]
fn a_call_that_releases_the_very_object_leaves_it_for_the_next_wait() {
    let (queue, handle, _) = start();
    let semaphore = Semaphore::new(0, 1);
    let release = semaphore.clone();
    handle.queue(move || assert_eq!(release.release(1), Ok(0))).unwrap();
    let answer = blocking::wait(queue.alertable(wait_all([semaphore.acquire()])));
    assert!(answer.is_alerted());
    assert_eq!(semaphore.available(), 1);
    let answer = blocking::wait(queue.alertable(wait_all([semaphore.acquire()])));
    let permits = answer.done().unwrap().unwrap();
    assert!(permits[0].is_ok());
    assert_eq!(semaphore.available(), 0);
}

// cases: AP-10
#[test]
fn the_object_comes_before_the_calls_and_leaves_them_queued() {
    // Microsoft's own emulation makes the calls first and its test says so; its kernel does not, nor do we.
    let (queue, handle, journal) = start();
    let event = AutoResetEvent::new(true);
    journal.queue(&handle, "call");
    assert_ready_eq!(counted(queue.alertable(event.wait())).poll(), Done(()));
    // Both come while it waits, in either order.
    for call_first in [true, false] {
        let _ = blocking::wait(queue.drain());
        let mut wait = counted(queue.alertable(event.wait()));
        assert_pending!(wait.poll());
        if call_first {
            journal.queue(&handle, "call");
        }
        event.set();
        if !call_first {
            journal.queue(&handle, "call");
        }
        assert_ready_eq!(wait.poll(), Done(()));
        assert_eq!((queue.pending(), event.is_set()), (1, false));
    }
    event.set();
    let answer = queue.blocking_alertable_timeout(event.wait(), Duration::ZERO);
    assert_eq!((answer, queue.pending()), (Ok(Done(())), 1));
    assert_ready_eq!(counted(queue.alertable(event.wait())).poll(), Alerted);
    assert_eq!(journal.take().len(), 3);
}

// cases: AP-12
#[test]
fn a_call_and_the_end_of_the_time_leave_one_answer_and_no_call_lost() {
    must_end(|| {
        let (queue, handle, journal) = start();
        for round in 0..200 {
            let sender = {
                let (handle, journal) = (handle.clone(), journal.clone());
                thread::spawn(move || journal.queue(&handle, "call"))
            };
            let answer = queue.blocking_sleep(Duration::from_micros(round % 80));
            sender.join().unwrap();
            assert_eq!(queue.pending(), usize::from(answer == Done(())));
            let left = blocking::wait(queue.drain());
            assert_eq!((left == 1, journal.take().len()), (answer == Done(()), 1));
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_deadline_around_the_wait_comes_last() {
    let (queue, handle, journal) = start();
    let event = AutoResetEvent::new(true);
    let timed = |wait| tokio::time::timeout(Duration::ZERO, wait);
    journal.queue(&handle, "call");
    assert_eq!(timed(queue.alertable(event.wait())).await, Ok(Done(())));
    assert_eq!(timed(queue.alertable(event.wait())).await, Ok(Alerted));
    assert!(timed(queue.alertable(event.wait())).await.is_err());
}

// cases: AP-21, AP-22
#[tokio::test(start_paused = true)]
async fn each_call_ends_one_wait() {
    let (queue, handle, journal) = start();
    let event = AutoResetEvent::new(false);
    for n in 0..3 {
        let sleep = async {
            if n == 1 {
                event.wait().await;
            } else {
                tokio::time::sleep(Duration::MAX).await;
            }
        };
        let mut wait = counted(queue.alertable(sleep));
        assert_pending!(wait.poll());
        journal.write("queue");
        journal.queue(&handle, "run");
        assert_ready_eq!(wait.poll(), Alerted);
        journal.write("return");
        assert_eq!(wait.wakes(), 1);
    }
    assert_eq!(journal.take(), ["queue", "run", "return"].repeat(3));
}

// cases: AP-19, AP-20
#[tokio::test]
async fn a_drain_makes_what_is_queued_and_waits_for_nothing() {
    let (queue, handle, journal) = start();
    journal.queue_all(&handle, ["one", "two"]);
    let task = tokio::spawn({
        let journal = journal.clone();
        async move {
            // A task that begins so has made what was queued before it ran.
            let made = [queue.drain().await, queue.drain().await];
            journal.write("task");
            made
        }
    });
    assert_eq!(task.await.unwrap(), [2, 0]);
    assert_eq!(journal.take(), ["one", "two", "task"]);
}

// ===== waits on several =====

#[test]
fn a_wait_on_several_is_withdrawn_from_all_of_them() {
    let (queue, handle, journal) = start();
    let events = [AutoResetEvent::new(false), AutoResetEvent::new(false)];
    let waits = || events.each_ref().map(|event| event.wait());
    let mut any = counted(queue.alertable(wait_any(waits())));
    let mut all = counted(queue.alertable(wait_all(waits())));
    assert_pending!(any.poll());
    assert_pending!(all.poll());
    journal.queue(&handle, "call");
    assert!(assert_ready!(any.poll()).is_alerted());
    journal.queue(&handle, "call");
    assert!(assert_ready!(all.poll()).is_alerted());
    assert_eq!(events.each_ref().map(|event| (event.set(), event.is_set())), [(false, true); 2]);
    journal.queue(&handle, "call");
    assert_eq!(
        assert_ready!(counted(queue.alertable(wait_any(waits()))).poll()).done().unwrap().unwrap().0,
        0
    );
    events[0].set();
    assert!(!assert_ready!(counted(queue.alertable(wait_all(waits()))).poll()).is_alerted());
    assert_eq!(queue.pending(), 1);
}

// cases: SW-18
#[test]
fn signal_and_wait_that_is_not_alertable_leaves_the_call() {
    let (queue, handle, journal) = start();
    let (signal, object) = (AutoResetEvent::new(false), AutoResetEvent::new(true));
    journal.queue(&handle, "call");
    assert!(assert_ready!(counted(signal_and_wait(&signal, object.wait())).poll()).is_ok());
    assert_eq!((queue.pending(), signal.is_set()), (1, true));
}

// cases: SW-19
#[test]
fn signal_and_wait_gives_the_signal_before_the_calls_and_takes_nothing() {
    let (queue, handle, journal) = start();
    let (signal, object) = (AutoResetEvent::new(false), AutoResetEvent::new(false));
    let (seen, set) = (signal.clone(), object.clone());
    handle
        .queue(move || {
            assert!(seen.is_set());
            set.set();
        })
        .unwrap();
    journal.queue(&handle, "call");
    let wait = queue.alertable(signal_and_wait(&signal, object.wait()));
    assert!(assert_ready!(counted(wait).poll()).is_alerted());
    assert_eq!((signal.is_set(), object.is_set(), journal.take().len()), (true, true, 1));
}

// cases: SW-20
#[test]
fn signal_and_wait_finds_its_object_before_the_calls() {
    let (queue, handle, journal) = start();
    let (signal, object) = (AutoResetEvent::new(false), AutoResetEvent::new(true));
    journal.queue(&handle, "call");
    let wait = queue.alertable(signal_and_wait(&signal, object.wait()));
    assert_eq!(assert_ready!(counted(wait).poll()).done(), Some(Ok(())));
    assert_eq!((signal.is_set(), object.is_set(), queue.pending()), (true, false, 1));
}

// ===== an event as the alert, as ntsync does it =====

// cases: AP-24, AP-25
#[test]
fn an_alert_alone_is_waited_for_as_any_event() {
    let alert = ManualResetEvent::new(true);
    let none = Duration::ZERO;
    assert_eq!(blocking::wait_any_timeout([alert.wait()], none).unwrap().0, 0);
    assert!(alert.reset(), "a manual one is not consumed");
    assert!(blocking::wait_any_timeout([alert.wait()], none).is_err());
}

/// A wait on one of three that takes no time; a permit that it gets is used up.
fn any<A: Waitable>([left, right]: &[Semaphore; 2], alert: A) -> Option<usize> {
    let waits = (left.acquire(), right.acquire(), alert);
    let (index, (left, right, _)) = blocking::wait_any_timeout(waits, Duration::ZERO).ok()?;
    left.or(right).into_iter().for_each(|permit| permit.expect("it is open").forget());
    Some(index)
}

/// The same for both semaphores together, or the alert.
fn all<A: Waitable>(semaphores: &[Semaphore; 2], alert: A) -> Option<usize> {
    let both = wait_all(semaphores.each_ref().map(|semaphore| semaphore.acquire()));
    let waits = (batons::until(both), alert);
    let (index, (both, _)) = blocking::wait_any_timeout(waits, Duration::ZERO).ok()?;
    both.into_iter().flat_map(Result::unwrap).for_each(|permit| permit.expect("it is open").forget());
    Some(index)
}

// cases: AP-26, AP-28
#[test]
fn an_alert_that_is_listed_last_comes_after_the_objects() {
    let (manual, auto) = (ManualResetEvent::new(true), AutoResetEvent::new(true));
    let objects = [Semaphore::new(0, 2), Semaphore::new(1, 2)];
    assert_eq!([any(&objects, manual.wait()), any(&objects, manual.wait())], [Some(1), Some(2)]);
    let objects = [Semaphore::new(1, 2), Semaphore::new(0, 2)];
    assert_eq!([(); 3].map(|()| any(&objects, auto.wait())), [Some(0), Some(2), None]);
}

// cases: AP-29, AP-30
#[test]
fn an_alert_comes_after_all_of_the_objects() {
    let (manual, auto) = (ManualResetEvent::new(true), AutoResetEvent::new(true));
    let objects = || [Semaphore::new(2, 2), Semaphore::new(1, 2)];
    let two = objects();
    assert_eq!([(); 2].map(|()| all(&two, manual.wait())), [Some(0), Some(1)]);
    let two = objects();
    assert_eq!([(); 3].map(|()| all(&two, auto.wait())), [Some(0), Some(1), None]);
    assert_eq!(two.map(|semaphore| semaphore.available()), [1, 0]);
}

// cases: AP-27
#[test]
fn an_alert_ends_a_wait_that_stands_in_line() {
    let (alert, event) = (ManualResetEvent::new(false), AutoResetEvent::new(false));
    let mut any = counted(wait_any((event.wait(), alert.wait())));
    let mut all = counted(wait_any((batons::until(wait_all([event.wait()])), alert.wait())));
    assert_pending!(any.poll());
    assert_pending!(all.poll());
    alert.set();
    assert_eq!((assert_ready!(any.poll()).unwrap().0, assert_ready!(all.poll()).unwrap().0), (1, 1));
}
