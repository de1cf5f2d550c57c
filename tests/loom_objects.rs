//! Every interleaving of a few threads around events, semaphores, mutexes and waits on several of them,
//! under the model checker.
//!
//! Run with `RUSTFLAGS="--cfg batons_loom" cargo test --release --test loom_objects`. Each model names a change
//! of the engine under which it was seen failing.
#![cfg(batons_loom)]

use batons::{
    AutoResetEvent, ManualResetEvent, Mutex, Owner, Semaphore, signal_and_wait, wait_all, wait_any,
};
use loom::future::block_on;
use loom::thread;
use std::future::Future;
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

fn setting(event: &AutoResetEvent) -> thread::JoinHandle<bool> {
    let event = event.clone();
    thread::spawn(move || event.set())
}

// ===== one object =====

/// Fails if a signal does not serve the line.
#[test]
fn a_wait_that_arrives_during_the_set_is_released() {
    model(4, || {
        let event = AutoResetEvent::new(false);
        let setter = setting(&event);
        block_on(event.wait());
        setter.join().unwrap();
        assert!(!event.is_set());
    });
}

/// Fails if a pulse leaves the flag set, or if records of answers are lost.
#[test]
fn a_pulse_releases_who_stood_in_line_and_nobody_later() {
    model(3, || {
        let event = ManualResetEvent::new(false);
        let mut before = event.wait();
        assert!(poll(&mut before).is_pending());
        let pulser = {
            let event = event.clone();
            thread::spawn(move || event.pulse())
        };
        // It registers before or after the pulse; either way nobody ever finds the event set.
        let mut during = event.wait();
        let _ = poll(&mut during);
        assert!(!event.is_set());
        pulser.join().unwrap();
        assert!(poll(&mut before).is_ready());
        assert!(!event.try_wait());
    });
}

/// Fails if a signal does not serve the line.
#[test]
fn a_set_for_many_survives_a_wait_that_is_dropped_meanwhile() {
    model(3, || {
        let event = ManualResetEvent::new(false);
        let (mut stays, mut goes) = (event.wait(), event.wait());
        assert!(poll(&mut goes).is_pending());
        assert!(poll(&mut stays).is_pending());
        let setter = {
            let event = event.clone();
            thread::spawn(move || event.set())
        };
        drop(goes);
        setter.join().unwrap();
        assert!(poll(&mut stays).is_ready());
    });
}

/// Fails without the give-back of a grant that was not seen (R4).
#[test]
fn a_permit_granted_to_a_dropped_wait_is_not_lost() {
    model(4, || {
        let semaphore = Semaphore::new(0, 1);
        let mut waiter = semaphore.acquire();
        assert!(poll(&mut waiter).is_pending());
        let releaser = {
            let semaphore = semaphore.clone();
            thread::spawn(move || semaphore.release(1))
        };
        drop(waiter);
        assert_eq!(releaser.join().unwrap(), Ok(0));
        assert_eq!(semaphore.available(), 1);
    });
}

/// Fails if the end of an owner frees its mutexes without the mark, or without serving the line.
#[test]
fn an_owner_that_ends_hands_its_mutex_on_as_abandoned() {
    model(3, || {
        let mutex = Mutex::new();
        let (gone, next) = (Owner::new(), Owner::new());
        let Poll::Ready(Ok(guard)) = poll(&mut mutex.lock(&gone)) else { panic!("it was free") };
        guard.forget();
        let ending = thread::spawn(move || drop(gone));
        let told = block_on(mutex.lock(&next));
        assert!(told.is_err(), "the end of the owner was not told");
        drop(told.unwrap_err().into_inner());
        ending.join().unwrap();
        assert!(!mutex.is_locked());
    });
}

// ===== any =====

/// Fails if the claim is no exchange: then both signals are consumed.
#[test]
fn of_two_signals_a_wait_on_any_takes_one() {
    model(3, || {
        let (left, right) = (AutoResetEvent::new(false), AutoResetEvent::new(false));
        let mut any = wait_any([left.wait(), right.wait()]);
        assert!(poll(&mut any).is_pending());
        let setters = [setting(&left), setting(&right)];
        for setter in setters {
            setter.join().unwrap();
        }
        assert!(left.is_set() != right.is_set(), "one is taken before the wait has run");
        let Poll::Ready(Ok((index, ()))) = poll(&mut any) else { panic!("both were set") };
        assert_eq!((left.is_set(), right.is_set()), (index != 0, index != 1));
    });
}

/// Fails if a dropped wait on any does not give back the one it was granted, or leaves a place in a line.
#[test]
fn a_wait_on_any_that_is_dropped_loses_no_signal() {
    model(3, || {
        let (left, right) = (AutoResetEvent::new(false), AutoResetEvent::new(false));
        let mut any = wait_any([left.wait(), right.wait()]);
        assert!(poll(&mut any).is_pending());
        let setters = [setting(&left), setting(&right)];
        drop(any);
        for setter in setters {
            setter.join().unwrap();
        }
        assert!(left.is_set() && right.is_set());
    });
}

/// Fails if the places are entered without asking again.
#[test]
fn a_wait_on_any_that_arrives_during_a_set_is_released() {
    model(3, || {
        let (left, right) = (AutoResetEvent::new(false), AutoResetEvent::new(false));
        let setter = setting(&right);
        let (index, ()) = block_on(wait_any([left.wait(), right.wait()])).unwrap();
        assert_eq!(index, 1);
        setter.join().unwrap();
        assert!(!left.is_set() && !right.is_set());
    });
}

// ===== all =====

/// Fails if a wait on all is tested object by object.
#[test]
fn a_wait_on_all_and_a_thief_share_one_signal_without_a_loss() {
    model(2, || {
        let (left, right) = (AutoResetEvent::new(true), AutoResetEvent::new(false));
        let mut all = wait_all([left.wait(), right.wait()]);
        assert!(poll(&mut all).is_pending());
        let setter = setting(&right);
        let thief = {
            let left = left.clone();
            thread::spawn(move || left.try_wait())
        };
        setter.join().unwrap();
        let stolen = thief.join().unwrap();
        let completed = poll(&mut all).is_ready();
        assert_eq!((stolen, right.is_set()), (!completed, !completed));
        assert!(!left.is_set());
    });
}

/// Fails if the wait does not try once it stands in all its lines, or if a signal does not reach the other objects.
#[test]
fn a_wait_on_all_that_arrives_during_the_last_set_completes() {
    model(2, || {
        let (left, right) = (AutoResetEvent::new(true), AutoResetEvent::new(false));
        let setter = setting(&right);
        block_on(wait_all([left.wait(), right.wait()])).unwrap();
        setter.join().unwrap();
        assert!(!left.is_set() && !right.is_set());
    });
}

/// Fails (as a dead-lock) if locks are taken in the order of the lists.
#[test]
fn waits_on_all_in_opposite_orders_do_not_lock_each_other_out() {
    model(2, || {
        let (left, right) = (Semaphore::new(1, 1), Semaphore::new(1, 1));
        let other = {
            let (left, right) = (left.clone(), right.clone());
            thread::spawn(move || block_on(wait_all([right.acquire(), left.acquire()])).map(drop).is_ok())
        };
        drop(block_on(wait_all([left.acquire(), right.acquire()])).unwrap());
        assert!(other.join().unwrap());
        assert_eq!((left.available(), right.available()), (1, 1));
    });
}

/// Fails if the wait is granted when only one of its objects can be had.
#[test]
fn a_wait_on_all_that_is_dropped_loses_nothing() {
    model(2, || {
        let (left, right) = (AutoResetEvent::new(true), AutoResetEvent::new(false));
        let mut all = wait_all([left.wait(), right.wait()]);
        assert!(poll(&mut all).is_pending());
        let setter = setting(&right);
        drop(all);
        setter.join().unwrap();
        assert!(left.is_set() && right.is_set());
    });
}

// ===== signal and wait =====

/// Fails if the signal is given before the wait stands in line: then the pulse is missed.
#[test]
fn a_pulse_that_answers_the_signal_is_not_missed() {
    model(2, || {
        let (go, done) = (AutoResetEvent::new(false), ManualResetEvent::new(false));
        let answerer = {
            let (go, done) = (go.clone(), done.clone());
            thread::spawn(move || {
                block_on(go.wait());
                done.pulse()
            })
        };
        block_on(signal_and_wait(&go, done.wait())).unwrap_or_else(|never| match never {});
        answerer.join().unwrap();
    });
}
