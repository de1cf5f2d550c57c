//! Every interleaving of a few threads around operations and completion ports, under the model checker.
//!
//! Run with `RUSTFLAGS="--cfg batons_loom" cargo test --release --test loom_operation`. Each model names a
//! change under which it was seen failing.
#![cfg(batons_loom)]

use batons::{CompletionPort, Operation, OperationError, TryNextError};
use loom::future::block_on;
use loom::thread;
use std::future::{Future, pending};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Explores the interleavings with at most `preemptions` forced switches.
fn model(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(body);
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

// ===== operations =====

/// Fails if the result is stored after the signal.
#[test]
fn whoever_waits_during_the_completion_gets_the_result() {
    model(3, || {
        let (operation, task) = Operation::new(async { 7 });
        let worker = thread::spawn(move || block_on(task));
        assert_eq!(block_on(operation.result()).unwrap(), 7);
        worker.join().unwrap();
    });
}

/// Fails if the task does not decide before it completes.
#[test]
fn a_cancellation_and_the_end_of_the_work_agree_on_who_won() {
    model(3, || {
        let (operation, task) = Operation::new(async { 7 });
        let worker = thread::spawn(move || block_on(task));
        let cancelled = operation.cancel();
        match block_on(operation.result()) {
            Ok(7) => assert!(!cancelled),
            Err(OperationError::Cancelled) => assert!(cancelled),
            other => panic!("{other:?}"),
        }
        worker.join().unwrap();
    });
}

/// Fails if the task does not stand in line for its cancellation.
#[test]
fn a_cancellation_reaches_work_that_never_ends() {
    model(3, || {
        let (operation, task) = Operation::new(pending::<()>());
        let worker = thread::spawn(move || block_on(task));
        assert!(operation.cancel());
        assert!(matches!(block_on(operation.result()), Err(OperationError::Cancelled)));
        worker.join().unwrap();
    });
}

/// Fails if the last handle does not cancel.
#[test]
fn the_last_of_two_handles_ends_the_task() {
    model(3, || {
        let (operation, task) = Operation::new(pending::<()>());
        let other = operation.clone();
        let worker = thread::spawn(move || block_on(task));
        let dropper = thread::spawn(move || drop(other));
        drop(operation);
        dropper.join().unwrap();
        worker.join().unwrap();
    });
}

// ===== completion ports =====

/// Fails if the packet is put in its row after it was counted.
#[test]
fn a_packet_is_there_when_it_is_counted() {
    model(3, || {
        let port = CompletionPort::new(2);
        let poster = {
            let port = port.clone();
            thread::spawn(move || port.post(1).unwrap())
        };
        let packet = block_on(port.next()).unwrap().into_inner();
        assert_eq!(packet, 1);
        poster.join().unwrap();
        assert_eq!((port.len(), port.running()), (0, 0));
    });
}

/// Fails if a post looks for the close before it is counted, and not in the same section.
#[test]
fn what_was_accepted_before_a_close_is_seen_before_the_end() {
    model(3, || {
        let port = CompletionPort::new(1);
        let poster = {
            let port = port.clone();
            thread::spawn(move || port.post(1).is_ok())
        };
        let closer = {
            let port = port.clone();
            thread::spawn(move || port.close())
        };
        let mut taken = 0;
        while block_on(port.next()).is_ok() {
            taken += 1;
        }
        assert_eq!(poster.join().unwrap(), taken == 1, "accepted and taken are the same");
        closer.join().unwrap();
    });
}

/// Fails without the give-back of a packet that was not seen (R4).
#[test]
fn a_packet_granted_to_a_dropped_wait_is_not_lost() {
    model(4, || {
        let port = CompletionPort::new(1);
        let mut wait = port.next();
        assert!(poll(&mut wait).is_pending());
        let poster = {
            let port = port.clone();
            thread::spawn(move || port.post(1).unwrap())
        };
        drop(wait);
        poster.join().unwrap();
        assert_eq!(port.running(), 0);
        assert_eq!(port.try_next().unwrap().into_inner(), 1);
    });
}

/// Fails if the end of a guard is not counted.
#[test]
fn the_end_of_a_guard_lets_the_next_in() {
    model(3, || {
        let port = CompletionPort::new(1);
        port.post(1).unwrap();
        port.post(2).unwrap();
        let first = port.next_owned();
        let first = block_on(first).unwrap();
        let worker = thread::spawn(move || drop(first));
        assert_eq!(*block_on(port.next()).unwrap(), 2);
        worker.join().unwrap();
        assert_eq!(port.try_next().unwrap_err(), TryNextError::WouldBlock);
    });
}
