//! Every interleaving of a few threads around one baton, under the model checker.
//!
//! Run with `RUSTFLAGS="--cfg batons_loom" cargo test --release --test loom_baton`. Models name changes of the
//! engine under which they fail. They were tried on the engine that served one object at a time; since then only the models have been run.
#![cfg(batons_loom)]

use batons::{AcquireError, Baton, OwnedBatonGuard, SkipError, TryAcquireError, blocking};
use loom::future::block_on;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Explores the interleavings with at most `preemptions` forced switches.
fn model(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(body);
}

fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_with(future, Waker::noop())
}

/// Takes a turn that has come.
fn hold(baton: &Baton, seq: u64) -> OwnedBatonGuard {
    match poll(&mut baton.acquire_owned(seq)) {
        Poll::Ready(Ok(guard)) => guard,
        other => panic!("not {seq}'s turn: {other:?}"),
    }
}

/// A waker that counts.
struct Count(AtomicUsize);

impl Count {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(0)))
    }

    fn get(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

// ===== acquire against release =====

/// Fails if `enter` stands in line without judging again under the lock (R7).
#[test]
fn a_waiter_that_arrives_during_the_release_gets_its_turn() {
    model(4, || {
        let baton = Baton::new(0);
        let first = hold(&baton, 0);
        let releaser = thread::spawn(move || drop(first));
        let guard = block_on(baton.acquire(1)).expect("its own number");
        assert_eq!(guard.seq(), 1);
        drop(guard);
        releaser.join().unwrap();
        assert_eq!(baton.next(), 2);
    });
}

/// Fails if the exchange of `release` is relaxed. (Relaxing the other side was not seen to fail: the checker's clock
/// of a thread stands still until that thread synchronizes, so here the stale value is never offered.)
#[test]
fn what_the_holder_did_is_visible_to_the_next_one() {
    model(4, || {
        let baton = Baton::new(0);
        let data = Arc::new(AtomicUsize::new(0));
        let holder = {
            let (baton, data) = (baton.clone(), data.clone());
            thread::spawn(move || {
                let _guard = hold(&baton, 0);
                // Relaxed, so that nothing but the baton orders the two.
                data.store(1, Relaxed);
            })
        };
        if let Ok(_guard) = baton.try_acquire(1) {
            assert_eq!(data.load(Relaxed), 1);
        }
        holder.join().unwrap();
    });
}

#[test]
fn nobody_gets_in_between_release_and_the_next_owner() {
    model(4, || {
        let baton = Baton::new(0);
        let first = hold(&baton, 0);
        let mut waiter = baton.acquire(1);
        assert!(poll(&mut waiter).is_pending());
        let thief = {
            let baton = baton.clone();
            thread::spawn(move || baton.try_acquire(1).map(drop).unwrap_err())
        };
        drop(first);
        assert!(matches!(poll(&mut waiter), Poll::Ready(Ok(_))));
        let refused = thief.join().unwrap();
        assert!(matches!(refused, TryAcquireError::Duplicate | TryAcquireError::Passed));
    });
}

// ===== cancel against grant =====

/// Fails without the give-back in `cancel` (R4), and if `cancel` leaves the entry in the line (R6).
#[test]
fn a_wait_dropped_during_the_grant_loses_no_turn() {
    model(4, || {
        let baton = Baton::new(0);
        let first = hold(&baton, 0);
        let mut waiter = baton.acquire_owned(1);
        assert!(poll(&mut waiter).is_pending());
        let releaser = thread::spawn(move || drop(first));
        drop(waiter);
        releaser.join().unwrap();
        match baton.next() {
            // Dropped first: the number is free again.
            1 => drop(hold(&baton, 1)),
            // Granted first: used up, and given on.
            next => assert_eq!(next, 2),
        }
        drop(hold(&baton, 2));
        assert!(baton.snapshot().waiting().is_empty());
    });
}

/// Fails if a ticket's wait gives its turn away like an ordinary one.
#[test]
fn a_ticket_keeps_its_turn_when_its_wait_is_dropped_during_the_grant() {
    model(4, || {
        let baton = Baton::new(0);
        let first = hold(&baton, 0);
        let mut ticket = baton.ticket();
        let releaser = thread::spawn(move || drop(first));
        let used = poll(&mut ticket.acquire()).is_ready();
        releaser.join().unwrap();
        match ticket.try_acquire() {
            Ok(guard) => assert_eq!((guard.seq(), used), (1, false)),
            Err(error) => assert_eq!((error, used), (TryAcquireError::Passed, true)),
        }
        assert_eq!(baton.next(), 2);
    });
}

/// Fails if the last poll looks for the grant and leaves the line in two steps.
#[test]
fn a_deadline_loses_no_turn() {
    model(4, || {
        let baton = Baton::new(0);
        let first = hold(&baton, 0);
        let mut waiter = baton.acquire(1);
        assert!(poll(&mut waiter).is_pending());
        let releaser = thread::spawn(move || drop(first));
        let outcome = blocking::wait_timeout(&mut waiter, Duration::ZERO);
        drop(waiter);
        releaser.join().unwrap();
        match outcome {
            Ok(guard) => assert_eq!(guard.expect("its own number").seq(), 1),
            Err(_) => assert_eq!(baton.next(), 1),
        }
    });
}

/// Fails if `renew` stores the waker without looking whether the grant has come.
#[test]
fn a_changed_waker_is_the_one_that_is_woken() {
    model(4, || {
        let baton = Baton::new(0);
        let first = hold(&baton, 0);
        let (old, new) = (Count::new(), Count::new());
        let mut waiter = baton.acquire(1);
        assert!(poll_with(&mut waiter, &old.clone().into()).is_pending());
        let releaser = thread::spawn(move || drop(first));
        let seen = poll_with(&mut waiter, &new.clone().into()).is_ready();
        releaser.join().unwrap();
        assert_eq!(old.get() + new.get(), 1, "one grant, one wake");
        assert!(seen || new.get() == 1, "the grant came later and woke the old waker");
    });
}

// ===== close against grant =====

/// Fails if `close` wakes nobody, or if `release` grants after a close.
#[test]
fn a_close_during_the_release_answers_the_waiter_once() {
    model(3, || {
        let baton = Baton::new(0);
        let first = hold(&baton, 0);
        let releaser = thread::spawn(move || drop(first));
        let closer = {
            let baton = baton.clone();
            thread::spawn(move || baton.close())
        };
        match block_on(baton.acquire(1)) {
            Ok(guard) => assert_eq!(guard.seq(), 1),
            Err(error) => assert_eq!(error, AcquireError::Closed),
        }
        releaser.join().unwrap();
        closer.join().unwrap();
        assert_eq!(baton.try_acquire(2).unwrap_err(), TryAcquireError::Closed);
    });
}

// ===== skip against acquire =====

/// Fails if `skip` does not serve the line after it has passed the number over.
#[test]
fn of_a_skip_and_an_acquire_of_one_number_one_wins() {
    model(3, || {
        let baton = Baton::new(0);
        let mut later = baton.acquire(1);
        assert!(poll(&mut later).is_pending());
        let skipper = {
            let baton = baton.clone();
            thread::spawn(move || baton.skip(0))
        };
        let acquired = baton.try_acquire(0).map(drop);
        match (skipper.join().unwrap(), acquired) {
            (Ok(()), Err(TryAcquireError::Passed)) | (Err(SkipError::Passed), Ok(())) => {}
            other => panic!("{other:?}"),
        }
        assert!(matches!(poll(&mut later), Poll::Ready(Ok(_))));
    });
}

/// Fails if `forfeit` does not serve the line.
#[test]
fn a_ticket_dropped_during_the_release_is_passed_over() {
    model(3, || {
        let baton = Baton::new(0);
        let first = hold(&baton, 0);
        let ticket = baton.ticket();
        let releaser = thread::spawn(move || drop(first));
        let dropper = thread::spawn(move || drop(ticket));
        assert_eq!(block_on(baton.acquire(2)).expect("its own number").seq(), 2);
        releaser.join().unwrap();
        dropper.join().unwrap();
    });
}

/// Fails if `reserve` takes its number outside the lock.
#[test]
fn two_tickets_never_share_a_number() {
    model(4, || {
        let baton = Baton::new(0);
        let other = {
            let baton = baton.clone();
            thread::spawn(move || block_on(baton.ticket().acquire_owned()).map(|guard| guard.seq()))
        };
        let mine = block_on(baton.ticket().acquire_owned()).map(|guard| guard.seq());
        let theirs = other.join().unwrap();
        let mut both = [mine.expect("a ticket's number"), theirs.expect("a ticket's number")];
        both.sort_unstable();
        assert_eq!(both, [0, 1]);
    });
}

// ===== two batons and re-entry =====

/// A waker that lets go of one baton and calls the other, as an executor may that runs tasks inside `wake`.
struct Relay {
    turn: Mutex<Option<OwnedBatonGuard>>,
    skips: Baton,
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        let turn = self.turn.lock().expect("nobody panics with it").take();
        drop(turn);
        self.skips.skip(2).expect("nobody asks for it");
    }
}

/// Fails (as a dead-lock) if `release` wakes inside the locked section (R3).
#[test]
fn a_wake_may_call_the_other_baton_and_the_same_one() {
    model(3, || {
        let (left, right) = (Baton::new(0), Baton::new(0));
        let (left_turn, right_turn) = (hold(&left, 0), hold(&right, 0));
        let relay = Relay { turn: Mutex::new(Some(right_turn)), skips: left.clone() };
        let mut on_left = left.acquire(1);
        assert!(poll_with(&mut on_left, &Arc::new(relay).into()).is_pending());
        let releaser = thread::spawn(move || drop(left_turn));
        assert_eq!(block_on(right.acquire(1)).expect("its own number").seq(), 1);
        releaser.join().unwrap();
        assert!(matches!(poll(&mut on_left), Poll::Ready(Ok(_))));
        assert_eq!(left.next(), 3);
    });
}

// ===== threads =====

/// Fails if the parker takes its notification before it polls, or parks without looking at it.
#[test]
fn a_thread_that_goes_to_sleep_during_the_release_is_woken() {
    model(3, || {
        let baton = Baton::new(0);
        let first = hold(&baton, 0);
        let sleeper = {
            let baton = baton.clone();
            thread::spawn(move || baton.blocking_acquire(1).map(|guard| guard.seq()))
        };
        drop(first);
        assert_eq!(sleeper.join().unwrap(), Ok(1));
    });
}
