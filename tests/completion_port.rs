//! What a completion port does: packets in order, a bound on how many are running, its end, and what becomes of a
//! packet that was granted and never seen.

mod common;

use batons::{
    AutoResetEvent, CompletionPort, NextTimeoutError, OperationError, PortClosed, TryNextError,
    TryResultError, wait_any,
};
use common::{Counted, calling_waker, counted, must_end, panic_of, poll_with, wakes_of};
use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};
use tokio_test::{assert_pending, assert_ready};

fn posted<T: Clone>(concurrency: u32, packets: &[T]) -> CompletionPort<T> {
    let port = CompletionPort::new(concurrency);
    for packet in packets {
        assert!(port.post(packet.clone()).is_ok());
    }
    port
}

fn take<T>(port: &CompletionPort<T>) -> T {
    port.try_next().expect("there is a packet").into_inner()
}

fn line_up<F: Future>(count: usize, wait: impl Fn() -> F) -> Vec<Counted<F>> {
    (0..count)
        .map(|_| {
            let mut wait = counted(wait());
            assert!(wait.poll().is_pending(), "it was answered at once");
            wait
        })
        .collect()
}

// ===== order =====

// cases: OV-16, OV-18
#[test]
fn packets_come_back_in_order_and_unchanged() {
    let port = CompletionPort::new(1);
    let key = Arc::new(7);
    for n in 0..3_u32 {
        port.post((Arc::clone(&key), n, None::<&u8>)).unwrap();
    }
    for n in 0..3 {
        let (back, count, pointer) = take(&port);
        assert!(Arc::ptr_eq(&back, &key) && count == n && pointer.is_none());
    }
    assert!(port.is_empty());
}

// cases: OV-17, OV-33
#[test]
fn waiters_are_served_in_the_order_of_their_first_polls() {
    let port = CompletionPort::new(3);
    let mut waits = line_up(3, || port.next());
    for n in 0..2 {
        port.post(n).unwrap();
    }
    assert_eq!(wakes_of(&waits), [1, 1, 0], "the first and not the last, as ruled");
    assert_pending!(counted(port.next()).poll(), "a newcomer overtakes nobody");
    port.post(2).unwrap();
    let packets = waits.iter_mut().map(|wait| *assert_ready!(wait.poll()).unwrap()).collect::<Vec<_>>();
    assert_eq!(packets, [0, 1, 2]);
}

// cases: OV-19
#[test]
fn an_empty_port_keeps_nobody_whose_time_is_over() {
    let port = CompletionPort::<u8>::new(1);
    assert_eq!(port.try_next().unwrap_err(), TryNextError::WouldBlock);
    for duration in [Duration::ZERO, Duration::from_millis(1)] {
        assert_eq!(port.blocking_next_timeout(duration).unwrap_err(), NextTimeoutError::TimedOut);
    }
    assert_eq!((port.len(), port.running()), (0, 0));
    port.post(1).unwrap();
    assert_eq!(*port.blocking_next_timeout(Duration::ZERO).unwrap(), 1, "a packet beats any deadline");
}

// cases: OV-22
#[test]
fn many_are_taken_at_once_and_count_as_one() {
    let port = posted(2, &[1, 2, 3]);
    let two = assert_ready!(counted(port.next_many(2)).poll()).unwrap();
    assert_eq!((&*two, port.running(), port.len()), (&vec![1, 2], 1, 1));
    let rest = assert_ready!(counted(port.next_many_owned(9)).poll()).unwrap();
    assert_eq!((&*rest, port.running()), (&vec![3], 2));
    drop((two, rest));
    let mut waits = line_up(1, || port.next_many(9));
    port.post(4).unwrap();
    assert_eq!(*assert_ready!(waits[0].poll()).unwrap(), [4], "one is enough");
    assert_eq!(port.running(), 0);
    assert!(panic_of(AssertUnwindSafe(|| port.next_many(0))).is_some());
}

// ===== how many run =====

// cases: OV-27
#[test]
fn no_more_run_at_once_than_the_concurrency() {
    let port = posted(2, &[1, 2, 3, 4]);
    let first = port.try_next().unwrap();
    let second = port.try_next().unwrap();
    assert_eq!(port.try_next().unwrap_err(), TryNextError::WouldBlock);
    let mut waits = line_up(2, || port.next());
    assert_eq!((port.running(), port.len()), (2, 2));
    drop(second);
    assert_eq!(wakes_of(&waits), [1, 0], "the end of one lets one in");
    assert_eq!((port.running(), port.len()), (2, 1));
    assert_eq!(first.into_inner(), 1);
    assert_eq!(wakes_of(&waits), [1, 1], "whoever blocks with its packet taken out lets one in");
    let packets = waits.iter_mut().map(|wait| *assert_ready!(wait.poll()).unwrap()).collect::<Vec<_>>();
    assert_eq!(packets, [3, 4]);
    assert_eq!(port.running(), 0);
}

// cases: OV-27
#[test]
fn a_concurrency_of_0_is_the_number_of_processors() {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    assert_eq!(CompletionPort::<()>::new(0).concurrency() as usize, processors);
    assert_eq!(CompletionPort::<()>::new(5).concurrency(), 5);
    let refused = panic_of(|| CompletionPort::<()>::new(1 << 31)).expect("too many");
    assert!(refused.file.ends_with("completion_port.rs"), "the caller's place: {refused:?}");
}

#[test]
fn a_worker_that_panics_ends_its_running() {
    let port = posted(1, &[1, 2]);
    let panic = panic_of(AssertUnwindSafe(|| {
        let _packet = port.try_next().unwrap();
        panic!("on the job");
    }));
    assert_eq!(panic.unwrap().message, "on the job");
    assert_eq!((port.running(), take(&port)), (0, 2));
}

#[test]
fn a_packet_can_be_worked_on_in_place_and_elsewhere() {
    let port = posted(1, &[String::from("a")]);
    let mut packet = assert_ready!(counted(port.next_owned()).poll()).unwrap();
    packet.push('b');
    drop(port.clone());
    let worked = std::thread::spawn(move || {
        assert_eq!(*packet, "ab");
        drop(packet);
    });
    worked.join().unwrap();
    assert_eq!(port.running(), 0);
}

// ===== close =====

// cases: OV-21
#[test]
fn a_close_refuses_who_waits_and_who_posts() {
    let port = CompletionPort::new(1);
    let mut waits = line_up(2, || port.next());
    assert!(!port.close() && port.close() && port.is_closed());
    assert_eq!(wakes_of(&waits), [1, 1]);
    for wait in &mut waits {
        assert_eq!(assert_ready!(wait.poll()).unwrap_err(), PortClosed(()));
    }
    assert_eq!(port.post("late").unwrap_err(), PortClosed("late"));
    assert_eq!(port.try_next().unwrap_err(), TryNextError::Closed);
    assert_eq!(port.blocking_next().unwrap_err(), PortClosed(()));
    assert_eq!(port.blocking_next_timeout(Duration::ZERO).unwrap_err(), NextTimeoutError::Closed);
}

// cases: OV-21
#[test]
fn what_was_queued_before_a_close_is_still_taken() {
    let port = posted(1, &[1, 2, 3]);
    let first = port.try_next().unwrap();
    let mut waits = line_up(3, || port.next());
    port.close();
    assert_eq!(wakes_of(&waits), [0, 0, 0], "packets are left for two of them");
    drop(first);
    assert_eq!(*assert_ready!(waits[0].poll()).unwrap(), 2);
    assert_eq!(wakes_of(&waits), [1, 1, 1], "the last packet is out, and nobody else gets one");
    assert_eq!(*assert_ready!(waits[1].poll()).unwrap(), 3);
    assert!(assert_ready!(waits[2].poll()).is_err());
}

#[test]
fn a_packet_granted_before_a_close_is_answered_or_can_be_taken_again() {
    let port = CompletionPort::new(2);
    let mut waits = line_up(2, || port.next());
    port.post(1).unwrap();
    port.post(2).unwrap();
    port.close();
    let (second, first) = (waits.pop().unwrap(), waits.pop().unwrap());
    drop(first);
    assert_eq!(port.len(), 1);
    let mut second = second;
    assert_eq!(assert_ready!(second.poll()).unwrap().into_inner(), 1, "at the head again");
    assert_eq!(take(&port), 2);
    assert_eq!(port.try_next().unwrap_err(), TryNextError::Closed);
}

// ===== what is dropped =====

// cases: OV-32
#[test]
fn a_packet_that_was_granted_and_not_seen_is_at_the_head_again() {
    let port = CompletionPort::new(1);
    let mut waits = line_up(2, || port.next());
    port.post(1).unwrap();
    port.post(2).unwrap();
    assert_eq!((wakes_of(&waits), port.len(), port.running()), (vec![1, 0], 1, 1));
    drop(waits.remove(0));
    assert_eq!(wakes_of(&waits), [1], "it goes to the next in line");
    assert_eq!(*assert_ready!(waits[0].poll()).unwrap(), 1);
    assert_eq!((take(&port), port.len(), port.running()), (2, 0, 0));
    // With nobody in line it waits for the next who comes.
    let waits = line_up(1, || port.next_many(2));
    port.post(3).unwrap();
    port.post(4).unwrap();
    drop(waits);
    assert_eq!((port.running(), port.len()), (0, 2));
    assert_eq!([take(&port), take(&port)], [3, 4]);
}

#[test]
fn waits_that_were_not_granted_leave_nothing() {
    let port = CompletionPort::new(1);
    drop(port.next());
    let waits = line_up(3, || port.next());
    drop(waits);
    port.post(1).unwrap();
    assert_eq!((port.len(), port.running(), take(&port)), (1, 0, 1));
}

/// Tells of its drop, and uses the port there.
struct Nosy(Arc<AtomicUsize>, Option<CompletionPort<Nosy>>);

impl Drop for Nosy {
    fn drop(&mut self) {
        if let Some(port) = self.1.take() {
            assert!(port.post(Nosy(Arc::clone(&self.0), None)).is_ok());
        }
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

// cases: OV-31
#[test]
fn packets_are_dropped_under_no_lock_and_with_the_port() {
    must_end(|| {
        let drops = Arc::<AtomicUsize>::default();
        let other = CompletionPort::new(1);
        let port = CompletionPort::new(1);
        let nosy = |port| Nosy(Arc::clone(&drops), port);
        port.post(nosy(Some(port.clone()))).ok().unwrap();
        drop(port.try_next().unwrap());
        assert_eq!((drops.load(Ordering::SeqCst), port.len()), (1, 1));
        port.post(nosy(Some(other.clone()))).ok().unwrap();
        drop(port);
        assert_eq!(drops.load(Ordering::SeqCst), 3, "what was queued went with the port");
        assert_eq!(other.len(), 1);
    });
}

#[test]
fn wakers_may_use_the_port() {
    must_end(|| {
        let port = CompletionPort::new(4);
        let (tell, told) = mpsc::channel();
        let inside = port.clone();
        let waker = calling_waker(move || {
            inside.post(2).unwrap();
            let _ = tell.send((inside.len(), inside.running()));
        });
        let mut wait = port.next();
        assert_pending!(poll_with(&mut wait, &waker));
        port.post(1).unwrap();
        assert_eq!(told.recv().unwrap(), (1, 1));
        assert_eq!(*assert_ready!(poll_with(&mut wait, &waker)).unwrap(), 1);
        assert_eq!(take(&port), 2);
    });
}

#[test]
fn a_wait_for_a_packet_takes_part_in_waits_on_several() {
    let (port, stop) = (CompletionPort::new(1), AutoResetEvent::new(false));
    let mut any = counted(wait_any((stop.wait(), port.next())));
    assert_pending!(any.poll());
    stop.set();
    port.post(1).unwrap();
    assert_eq!(assert_ready!(any.poll()).unwrap().0, 0);
    assert_eq!((port.running(), take(&port)), (0, 1), "the loser took nothing");
    let mut any = counted(wait_any((stop.wait(), port.next())));
    assert_pending!(any.poll());
    port.post(2).unwrap();
    let (index, (_, packet)) = assert_ready!(any.poll()).unwrap();
    assert_eq!((index, packet.unwrap().unwrap().into_inner()), (1, 2));
}

#[test]
fn a_wait_that_is_polled_after_its_end_says_who_it_is() {
    let port = posted(1, &[1]);
    let mut wait = counted(port.next());
    drop(assert_ready!(wait.poll()));
    let panic = panic_of(AssertUnwindSafe(|| drop(wait.poll()))).expect("polled again");
    assert_eq!(panic.message, "`NextPacket` polled after completion");
}

// ===== operations whose results are posted =====

// cases: OV-07, OV-20
#[test]
fn every_end_of_an_operation_is_one_packet() {
    let port = CompletionPort::new(1);
    let at_once = port.operation(async { 1 }, |result| ("value", result));
    let panics = port.operation(async { panic!("no luck") }, |result| ("panic", result));
    let cancelled = port.operation(std::future::pending::<i32>(), |result| ("cancelled", result));
    let dropped = port.operation(std::future::pending::<i32>(), |result| ("dropped", result));
    assert_ready!(counted(at_once.1).poll());
    assert!(panic_of(AssertUnwindSafe(|| assert_ready!(counted(panics.1).poll()))).is_none());
    let mut task = counted(cancelled.1);
    assert_pending!(task.poll());
    assert!(cancelled.0.cancel());
    assert_ready!(task.poll());
    drop(dropped.1);
    let operations = [at_once.0, panics.0, cancelled.0, dropped.0];
    for operation in &operations {
        let result = operation.try_result();
        assert!(matches!(result, Err(TryResultError::Ended(OperationError::Taken))), "the port has it");
    }
    assert!(matches!(take(&port), ("value", Ok(1))));
    assert!(matches!(take(&port), ("panic", Err(OperationError::Panicked(_)))));
    assert!(matches!(take(&port), ("cancelled", Err(OperationError::Cancelled))));
    assert!(matches!(take(&port), ("dropped", Err(OperationError::Cancelled))));
    assert_eq!((port.len(), port.running()), (0, 0));
}

#[test]
fn an_operation_of_a_port_needs_no_handle() {
    let port = CompletionPort::new(1);
    let (operation, task) = port.operation(async { 1 }, Result::unwrap);
    drop(operation);
    assert_ready!(counted(task).poll());
    assert_eq!(take(&port), 1);
    let (operation, task) = port.operation(async { 2 }, Result::unwrap);
    port.close();
    assert_ready!(counted(task).poll());
    assert!(operation.is_complete(), "also if nobody will see the packet");
}

#[test]
fn a_packet_that_cannot_be_made_keeps_nothing_from_the_completion() {
    let port = CompletionPort::<i32>::new(1);
    let (operation, task) = port.operation(async { 1 }, |_| panic!("no packet"));
    let panic = panic_of(AssertUnwindSafe(|| counted(task).poll())).expect("it goes on");
    assert_eq!(panic.message, "no packet");
    assert!(operation.is_complete() && port.is_empty());
}
