//! What calls may do, and what becomes of those that are not made: nested and endless queueing, waits and panics
//! inside of calls, dropped waits and queues, calls that are taken back.

mod common;
#[path = "apc/journal.rs"]
mod journal;

use batons::{
    Alertable::{Alerted, Done},
    ApcHandle, ApcQueue, AutoResetEvent, Baton, Semaphore, blocking,
    futures::AlertableWait,
};
use common::{Counted, calling_waker, counted, must_end, panic_of, poll_with};
use journal::start;
use std::{
    future::{Future, Pending, pending},
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};
use tokio_test::{assert_pending, assert_ready, assert_ready_eq};

/// An alertable wait that only calls can end.
fn sleeping(queue: &ApcQueue) -> Counted<AlertableWait<'_, Pending<()>>> {
    counted(queue.alertable(pending()))
}

// ===== calls that queue calls =====

// cases: AP-13
#[test]
fn a_call_that_is_queued_by_a_call_is_made_by_the_same_wait() {
    let (queue, handle, journal) = start();
    let (inner, log) = (handle.clone(), journal.clone());
    handle
        .queue(move || {
            log.write("outer");
            log.queue(&inner, "inner");
        })
        .unwrap();
    journal.queue(&handle, "second");
    assert_ready_eq!(sleeping(&queue).poll(), Alerted);
    assert_eq!(journal.take(), ["outer", "second", "inner"]);
}

fn endless(handle: ApcHandle, count: Arc<AtomicUsize>) -> impl FnOnce() + Send + 'static {
    move || {
        count.fetch_add(1, SeqCst);
        let next: Box<dyn FnOnce() + Send> = Box::new(endless(handle.clone(), count));
        handle.queue(next).expect("the queue is there");
    }
}

// cases: AP-13
#[test]
fn calls_that_queue_themselves_for_ever_do_not_hold_the_wait_for_ever() {
    must_end(|| {
        let (queue, handle, _) = start();
        let count = Arc::new(AtomicUsize::new(0));
        handle.queue(endless(handle.clone(), Arc::clone(&count))).unwrap();
        let mut other = sleeping(&queue);
        assert_ready_eq!(sleeping(&queue).poll(), Alerted);
        assert_eq!((count.load(SeqCst), queue.pending()), (1 + 1_024, 1));
        assert_ready_eq!(other.poll(), Alerted);
        assert_eq!(blocking::wait(queue.drain()), 1 + 1_024);
        assert_eq!(count.load(SeqCst), 3 * (1 + 1_024));
    });
}

#[test]
fn what_the_bound_left_wakes_another_wait() {
    let (queue, handle, _) = start();
    let mut waits = [sleeping(&queue), sleeping(&queue)];
    for wait in &mut waits {
        assert_pending!(wait.poll());
    }
    handle.queue(endless(handle.clone(), Arc::default())).unwrap();
    let [first, second] = &mut waits;
    assert_eq!([first.wakes(), second.wakes()], [1, 0]);
    assert_ready_eq!(first.poll(), Alerted);
    assert_eq!(second.wakes(), 1);
}

// cases: AP-14
#[test]
fn a_call_may_wait_alertably_and_the_rest_is_made_inside() {
    let (_, _, journal) = start();
    let queue = Arc::new(ApcQueue::new());
    let (inner, log) = (Arc::clone(&queue), journal.clone());
    let call = move || {
        log.write("begin");
        assert_eq!(blocking::wait(inner.alertable(pending::<()>())), Alerted);
        log.write("end");
    };
    queue.handle().queue(call).unwrap();
    journal.queue_all(&queue.handle(), ["second", "third"]);
    assert_ready_eq!(sleeping(&queue).poll(), Alerted);
    assert_eq!(journal.take(), ["begin", "second", "third", "end"]);
}

// cases: AP-14
#[test]
fn a_call_that_waits_may_itself_be_alerted() {
    let (_, _, journal) = start();
    let queue = Arc::new(ApcQueue::new());
    let (inner, log) = (Arc::clone(&queue), journal.clone());
    let call = async move {
        assert_eq!(inner.alertable(pending::<()>()).await, Alerted);
        log.write("end");
    };
    queue.handle().queue_async(call).unwrap();
    let mut wait = sleeping(&queue);
    assert_pending!(wait.poll());
    journal.queue(&queue.handle(), "inside");
    assert_eq!(wait.wakes(), 1);
    assert_ready_eq!(wait.poll(), Alerted);
    assert_eq!(journal.take(), ["inside", "end"]);
}

// ===== calls that wait =====

// cases: AP-15
#[test]
fn calls_that_wait_are_served_one_after_the_other() {
    let (queue, handle, journal) = start();
    let semaphore = Semaphore::new(0, 2);
    for line in ["one", "two"] {
        let (semaphore, log) = (semaphore.clone(), journal.clone());
        let call = async move {
            semaphore.acquire().await.unwrap().forget();
            log.write(line);
        };
        handle.queue_async(call).unwrap();
    }
    let mut wait = sleeping(&queue);
    assert_pending!(wait.poll());
    for (wakes, line) in [(1, "one"), (2, "two")] {
        assert_eq!(semaphore.release(1), Ok(0));
        assert_eq!(wait.wakes(), wakes);
        assert_eq!(wait.poll().is_ready(), line == "two");
        assert_eq!(journal.take(), [line]);
    }
}

// cases: AP-15
#[test]
fn a_thread_makes_calls_that_block() {
    must_end(|| {
        let (queue, handle, journal) = start();
        let event = AutoResetEvent::new(false);
        for line in ["one", "two"] {
            let (event, log) = (event.clone(), journal.clone());
            handle
                .queue(move || {
                    event.blocking_wait();
                    log.write(line);
                })
                .unwrap();
        }
        let setter = thread::spawn(move || {
            for _ in 0..2 {
                event.set();
                common::until(&false, || event.is_set());
            }
        });
        assert_eq!(queue.blocking_sleep(Duration::MAX), Alerted);
        setter.join().unwrap();
        assert_eq!(journal.take(), ["one", "two"]);
    });
}

#[test]
fn a_call_whose_wait_is_dropped_keeps_its_place_and_goes_on_in_the_next() {
    let (queue, handle, journal) = start();
    let (baton, log) = (Baton::new(0), journal.clone());
    let held = baton.try_acquire(0).unwrap();
    let inner = baton.clone();
    let call = async move {
        log.write("begin");
        drop(inner.acquire(1).await.unwrap());
        log.write("end");
    };
    handle.queue_async(call).unwrap();
    journal.queue(&handle, "second");
    let mut wait = sleeping(&queue);
    assert_pending!(wait.poll());
    assert_eq!(queue.pending(), 1, "it is not in the queue while it runs");
    drop(wait);
    assert_eq!((queue.pending(), baton.snapshot().waiting().len()), (2, 1));
    // A time-out leaves it as well, and its place in line.
    assert!(queue.blocking_alertable_timeout(pending::<()>(), Duration::ZERO).is_err());
    assert_eq!((queue.pending(), baton.snapshot().waiting().len()), (2, 1));
    drop(held);
    assert_ready_eq!(sleeping(&queue).poll(), Alerted);
    assert_eq!(journal.take(), ["begin", "end", "second"]);
}

#[test]
fn a_deadline_that_finds_a_call_waiting_tells_whether_others_were_made() {
    let (queue, handle, journal) = start();
    let event = AutoResetEvent::new(false);
    journal.queue(&handle, "first");
    let inner = event.clone();
    handle.queue_async(async move { inner.wait().await }).unwrap();
    let timed = || queue.blocking_alertable_timeout(pending::<()>(), Duration::ZERO);
    assert_eq!((timed(), journal.take().len(), queue.pending()), (Ok(Alerted), 1, 1));
    assert!(timed().is_err());
    event.set();
    assert!(!event.is_set(), "it kept its place in line");
    assert_eq!((timed(), queue.pending()), (Ok(Alerted), 0));
}

#[test]
fn a_call_whose_wait_is_dropped_wakes_another_wait() {
    let (queue, handle, _) = start();
    let event = AutoResetEvent::new(false);
    let inner = event.clone();
    handle.queue_async(async move { inner.wait().await }).unwrap();
    let (mut one, mut two) = (sleeping(&queue), sleeping(&queue));
    assert_pending!(one.poll());
    assert_pending!(two.poll());
    event.set();
    assert_eq!((one.wakes(), two.wakes(), queue.pending()), (1, 0, 0));
    drop(one);
    assert_eq!((two.wakes(), queue.pending()), (1, 1));
    assert_ready_eq!(two.poll(), Alerted);
}

// ===== calls that panic =====

// cases: AP-35
#[test]
fn a_panic_goes_through_and_leaves_the_rest_queued() {
    let (queue, handle, journal) = start();
    journal.queue(&handle, "before");
    handle.queue(|| panic!("on purpose")).unwrap();
    journal.queue(&handle, "after");
    let mut other = sleeping(&queue);
    let mut wait = sleeping(&queue);
    assert_eq!(panic_of(AssertUnwindSafe(|| wait.poll())).unwrap().message, "on purpose");
    assert_eq!((queue.pending(), journal.take().len()), (1, 1));
    assert_ready_eq!(other.poll(), Alerted);
    assert_eq!(journal.take(), ["after"]);
    journal.queue(&handle, "usable");
    assert_eq!(blocking::wait(queue.drain()), 1);
}

#[test]
fn a_panic_wakes_another_wait_for_the_rest() {
    let (queue, handle, journal) = start();
    let (mut one, mut two) = (sleeping(&queue), sleeping(&queue));
    assert_pending!(one.poll());
    assert_pending!(two.poll());
    handle.queue(|| panic!("on purpose")).unwrap();
    journal.queue(&handle, "rest");
    // The second alert, which is for anybody, goes to the other one and finds nothing yet to complain of.
    assert_eq!((one.wakes(), two.wakes()), (1, 1));
    assert!(panic_of(AssertUnwindSafe(|| one.poll())).is_some());
    drop(one);
    assert_ready_eq!(two.poll(), Alerted);
    assert_eq!(journal.take(), ["rest"]);
}

// ===== the wait is dropped =====

// cases: AP-37
#[test]
fn a_wait_that_is_dropped_after_its_wake_has_taken_no_call() {
    let (queue, handle, journal) = start();
    let event = AutoResetEvent::new(false);
    let (mut gone, mut stays) = (counted(queue.alertable(event.wait())), sleeping(&queue));
    assert_pending!(gone.poll());
    assert_pending!(stays.poll());
    journal.queue(&handle, "call");
    assert_eq!((gone.wakes(), stays.wakes()), (1, 0));
    drop(gone);
    assert_eq!((queue.pending(), stays.wakes()), (1, 1), "the alert goes to the next");
    assert_ready_eq!(stays.poll(), Alerted);
    assert_eq!(journal.take(), ["call"]);
}

#[test]
fn a_call_wakes_one_wait_and_no_other_in_vain() {
    let (queue, handle, journal) = start();
    let mut waits = [sleeping(&queue), sleeping(&queue)];
    for wait in &mut waits {
        assert_pending!(wait.poll());
    }
    journal.queue(&handle, "call");
    assert_ready_eq!(waits[0].poll(), Alerted);
    assert_eq!((waits[1].wakes(), queue.pending()), (0, 0));
}

#[test]
fn a_wait_that_its_object_ended_passes_its_alert_on() {
    let (queue, handle, journal) = start();
    let event = AutoResetEvent::new(false);
    let (mut done, mut stays) = (counted(queue.alertable(event.wait())), sleeping(&queue));
    assert_pending!(done.poll());
    assert_pending!(stays.poll());
    journal.queue(&handle, "call");
    event.set();
    assert_ready_eq!(done.poll(), Done(()));
    assert_eq!((queue.pending(), stays.wakes()), (1, 1));
}

#[test]
fn a_wait_that_was_never_polled_does_nothing() {
    let (queue, handle, journal) = start();
    journal.queue(&handle, "call");
    drop((queue.alertable(pending::<()>()), queue.drain()));
    assert_eq!((queue.pending(), journal.take().len()), (1, 0));
}

#[test]
fn an_answer_is_given_once() {
    let (queue, handle, journal) = start();
    let mut wait = sleeping(&queue);
    journal.queue(&handle, "call");
    assert_ready_eq!(wait.poll(), Alerted);
    let told = panic_of(AssertUnwindSafe(|| wait.poll())).unwrap();
    assert_eq!(told.message, "`AlertableWait` polled after completion");
    let mut drain = counted(queue.drain());
    assert_ready_eq!(drain.poll(), 0);
    let told = panic_of(AssertUnwindSafe(|| drain.poll())).unwrap();
    assert_eq!(told.message, "`DrainApcs` polled after completion");
    journal.queue(&handle, "call");
    let mut call = counted(queue.close().remove(0));
    assert_ready!(call.poll());
    let told = panic_of(AssertUnwindSafe(|| call.poll())).unwrap();
    assert_eq!(told.message, "`Apc` polled after completion");
}

// ===== the queue is gone =====

// cases: AP-16
#[test]
fn a_queue_that_is_gone_refuses_and_gives_the_call_back() {
    let (queue, handle, journal) = start();
    drop(queue);
    let log = journal.clone();
    let refused = handle.queue(move || log.write("call")).unwrap_err();
    assert_eq!(refused.to_string(), "the APC queue is closed; nothing was queued");
    refused.into_inner()();
    assert_eq!(journal.take(), ["call"]);
    let log = journal.clone();
    let future = handle.queue_async(async move { log.write("future") }).unwrap_err().into_inner();
    blocking::wait(future);
    assert_eq!(journal.take(), ["future"]);
    assert!(handle.is_closed());
}

/// Notes its drop, and queues from within it.
struct Tell(ApcHandle, Arc<AtomicUsize>);

impl Drop for Tell {
    fn drop(&mut self) {
        assert!(self.0.queue(|| {}).is_err());
        self.1.fetch_add(1, SeqCst);
    }
}

// cases: AP-03, AP-36
#[test]
fn a_dropped_queue_drops_its_calls_unmade_and_under_no_lock() {
    must_end(|| {
        let (queue, handle, _) = start();
        let dropped = Arc::new(AtomicUsize::new(0));
        for _ in 0..3 {
            let tell = Tell(handle.clone(), Arc::clone(&dropped));
            handle.queue(move || unreachable!("{:?}", tell.1)).unwrap();
        }
        let tell = Tell(handle.clone(), Arc::clone(&dropped));
        handle.queue_async(async move { unreachable!("{:?}", tell.1) }).unwrap();
        drop(queue);
        assert_eq!(dropped.load(SeqCst), 4);
    });
}

// cases: AP-36
#[test]
fn a_closed_queue_gives_its_calls_back_in_order() {
    let (queue, handle, journal) = start();
    journal.queue_all(&handle, ["made", "dropped", "made later"]);
    let mut calls = queue.close().into_iter();
    assert!(queue.is_closed() && queue.pending() == 0 && queue.close().is_empty());
    blocking::wait(calls.next().unwrap());
    drop(calls.next());
    blocking::wait(calls.next().unwrap());
    assert_eq!(journal.take(), ["made", "made later"]);
    let event = AutoResetEvent::new(true);
    assert_ready_eq!(counted(queue.alertable(event.wait())).poll(), Done(()));
    assert_pending!(counted(queue.alertable(event.wait())).poll());
}

#[test]
fn a_call_that_closes_its_queue_is_still_ended() {
    let queue = Arc::new(ApcQueue::new());
    let event = AutoResetEvent::new(false);
    let (inner, ended) = (Arc::clone(&queue), Arc::new(AtomicBool::new(false)));
    let (wait, end) = (event.clone(), Arc::clone(&ended));
    let call = async move {
        assert_eq!(inner.close().len(), 1);
        wait.wait().await;
        end.store(true, SeqCst);
    };
    queue.handle().queue_async(call).unwrap();
    queue.handle().queue(|| unreachable!()).unwrap();
    let mut wait = sleeping(&queue);
    assert_pending!(wait.poll());
    event.set();
    assert_ready_eq!(wait.poll(), Alerted);
    assert!(ended.load(SeqCst));
}

// ===== foreign code =====

#[test]
fn a_waker_that_queues_a_call_does_not_hang() {
    must_end(|| {
        let queue = Box::leak(Box::new(ApcQueue::new()));
        let handle = queue.handle();
        let waker = calling_waker({
            let once = AtomicBool::new(true);
            move || {
                if once.swap(false, SeqCst) {
                    handle.queue(|| {}).unwrap();
                }
            }
        });
        let mut wait = queue.alertable(pending::<()>());
        assert!(poll_with(&mut wait, &waker).is_pending());
        queue.handle().queue(|| {}).unwrap();
        assert_eq!(queue.pending(), 2);
        assert!(poll_with(&mut wait, &waker).is_ready());
    });
}

/// A wait that closes the queue when it is dropped.
struct Closing(Arc<ApcQueue>);

impl Future for Closing {
    type Output = ();

    fn poll(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        std::task::Poll::Pending
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        drop(self.0.close());
    }
}

#[test]
fn a_call_that_has_begun_is_made_though_the_wait_closes_the_queue_as_it_goes() {
    let (queue, journal) = (Arc::new(ApcQueue::new()), start().2);
    journal.queue_all(&queue.handle(), ["begun", "dropped"]);
    assert_ready_eq!(counted(queue.alertable(Closing(Arc::clone(&queue)))).poll(), Alerted);
    assert_eq!(journal.take(), ["begun"]);
}

// ===== many =====

// cases: AP-34
#[test]
fn a_sender_and_a_waiter_that_comes_and_goes_lose_no_call() {
    const CALLS: usize = 1_000;
    must_end(|| {
        let (queue, handle, _) = start();
        let (made, event) = (Arc::new(AtomicUsize::new(0)), AutoResetEvent::new(false));
        let sender = {
            let (made, event) = (Arc::clone(&made), event.clone());
            thread::spawn(move || {
                for n in 0..CALLS {
                    let made = Arc::clone(&made);
                    handle.queue(move || assert_eq!(made.fetch_add(1, SeqCst), n)).unwrap();
                    event.set();
                }
            })
        };
        while made.load(SeqCst) < CALLS {
            let mut wait = counted(queue.alertable(event.wait()));
            let _ = wait.poll();
            drop(wait);
            let _ = queue.blocking_sleep(Duration::from_micros(1));
        }
        sender.join().unwrap();
        assert_eq!(queue.pending(), 0);
    });
}
