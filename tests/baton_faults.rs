//! The faults of the batons that ours is modelled after, one test for each: none of them may come back.
//!
//! Some of these batons kept their waiters in a table with a slot per number, some woke everybody at each
//! release, one took the largest number for a mark of its own.

mod common;

use batons::{AcquireError, Baton};
use common::{counted, counting_waker, line_up, must_end, poll_with, refusal, unchanged, until, wakes_of};
use std::{sync::Arc, thread};
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok};

/// Hands the baton through `waits` in their order and checks that each is woken once, in its turn.
fn run_in_order(waits: &mut [common::Waiting<'_>]) {
    for turn in 0..waits.len() {
        let woken: Vec<_> = (0..waits.len()).map(|other| usize::from(other <= turn)).collect();
        assert_eq!(wakes_of(waits), woken);
        drop(assert_ready_ok!(waits[turn].poll()));
    }
}

/// Acquires and releases each of `numbers`.
fn pass(baton: &Baton, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        drop(baton.try_acquire(number).expect("its turn"));
    }
}

// ===== places mixed up =====

// cases: BB-01, BB-02
#[test]
fn a_line_that_grows_keeps_everyone_in_place() {
    // Wherever the line begins, and however far the one who makes it grow stands behind the next.
    for first in [1023, 1024, 1025, 1500, 2047, 2048, u64::MAX - 1024] {
        for far in [1023, 1024, 1025, 2048, 4096, 60_000] {
            let baton = Baton::new(first);
            let guard = baton.try_acquire(first).unwrap();
            let number = |ahead: u64| first.wrapping_add(ahead);
            let mut waits = line_up(&baton, [number(1), number(far)]);
            drop(guard);
            assert_eq!(wakes_of(&waits), [1, 0], "{first} {far}");
            drop(assert_ready_ok!(waits[0].poll()));
            pass(&baton, (2..far).map(number));
            assert_eq!(wakes_of(&waits), [1, 1], "{first} {far}");
            drop(assert_ready_ok!(waits[1].poll()));
        }
    }
}

// cases: BB-03
#[test]
fn a_window_that_is_no_multiple_of_anything_is_filled_to_its_end() {
    let baton = Baton::builder().first(2).window(6).build();
    let guard = baton.try_acquire(2).unwrap();
    let mut waits = line_up(&baton, 3..=8);
    assert_eq!(refusal(&baton, 9), AcquireError::TooFar { limit: 8 });
    drop(guard);
    run_in_order(&mut waits);
}

// cases: BB-05
#[test]
fn a_window_that_is_no_power_of_two_has_no_false_duplicates_at_the_wrap() {
    let baton = Baton::builder().first(u64::MAX - 2).window(6).build();
    let guard = baton.try_acquire(u64::MAX - 2).unwrap();
    let mut waits = line_up(&baton, [u64::MAX - 1, u64::MAX, 0, 1, 2, 3]);
    drop(guard);
    run_in_order(&mut waits);
}

// cases: BB-06
#[test]
fn a_line_that_has_grown_still_knows_who_stands_where() {
    let baton = Baton::new(0);
    let mut waits = line_up(&baton, (1..100).chain([5000, 40_000]));
    for number in (1..100).chain([5000, 40_000]) {
        assert_eq!(unchanged(&baton, || refusal(&baton, number)), AcquireError::Duplicate, "{number}");
    }
    pass(&baton, [0]);
    run_in_order(&mut waits[..99]);
}

// ===== a wake taken for a grant, and a waiter for its thread =====

// cases: BB-07
#[test]
fn a_wake_from_elsewhere_is_not_taken_for_the_grant() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let (waker, woken) = counting_waker();
    let mut wait = baton.acquire(1);
    assert_pending!(poll_with(&mut wait, &waker));
    waker.wake_by_ref();
    assert_pending!(poll_with(&mut wait, &waker));
    assert_eq!((baton.snapshot().holder(), woken.count()), (Some(0), 1));
    drop(guard);
    assert_eq!(woken.count(), 2);
    drop(assert_ready_ok!(poll_with(&mut wait, &waker)));
}

// cases: BB-08
#[test]
fn a_wait_that_ends_without_a_grant_leaves_no_entry() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    drop(line_up(&baton, [1]));
    drop(guard);
    assert!(!baton.snapshot().is_held(), "the baton was given to nobody");
    assert_eq!(baton.try_acquire(1).unwrap().seq(), 1);
}

// cases: BB-09
#[tokio::test]
async fn a_task_aborted_in_line_does_not_get_the_baton() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let aborted = tokio::spawn({
        let baton = baton.clone();
        async move { baton.acquire(1).await.map(|guard| guard.seq()) }
    });
    while baton.snapshot().waiting() != [1] {
        tokio::task::yield_now().await;
    }
    aborted.abort();
    assert!(aborted.await.unwrap_err().is_cancelled());
    drop(guard);
    assert_eq!(baton.try_acquire(1).unwrap().seq(), 1);
}

// cases: BB-10
#[test]
fn a_wait_that_moves_to_another_thread_is_woken_there() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let (old_waker, old) = counting_waker();
    let (new_waker, new) = counting_waker();
    let mut wait = baton.acquire(1);
    assert_pending!(poll_with(&mut wait, &old_waker));
    thread::scope(|scope| {
        scope.spawn(|| assert_pending!(poll_with(&mut wait, &new_waker)));
    });
    drop(guard);
    assert_eq!((old.count(), new.count()), (0, 1));
    drop(assert_ready_ok!(poll_with(&mut wait, &new_waker)));
}

// ===== limits that are told wrong =====

// cases: BB-17
#[test]
fn the_limit_that_an_error_tells_is_accepted() {
    for (first, window) in [(0, 1), (1, 2), (7, 100), (u64::MAX, 65_536), (u64::MAX - 3, 6)] {
        let baton = Baton::builder().first(first).window(window).build();
        let AcquireError::TooFar { limit } = refusal(&baton, first.wrapping_add(window)) else {
            panic!("{window} ahead is not too far");
        };
        assert_eq!(limit, first.wrapping_add(window - 1));
        assert!(!matches!(counted(baton.acquire(limit)).poll(), std::task::Poll::Ready(Err(_))));
    }
}

// ===== wakes lost, and wakes for everybody =====

// cases: BB-18
#[test]
fn threads_without_a_timer_lose_no_wake() {
    must_end(|| {
        let baton = Baton::new(u64::MAX - 3000);
        thread::scope(|scope| {
            for thread in 0..6 {
                let baton = &baton;
                scope.spawn(move || {
                    for turn in (thread..6000).step_by(6) {
                        drop(baton.blocking_acquire((u64::MAX - 3000).wrapping_add(turn)).unwrap());
                    }
                });
            }
        });
    });
}

// cases: BB-19
#[test]
fn a_waiter_that_is_away_when_its_turn_comes_finds_the_grant() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let mut waits = line_up(&baton, [1, 2]);
    drop(guard); // nobody looks
    assert_pending!(waits[1].poll());
    assert_pending!(waits[1].poll());
    drop(assert_ready_ok!(waits[0].poll()));
    drop(assert_ready_ok!(waits[1].poll()));
}

// cases: BB-20
#[test]
fn nobody_is_woken_in_vain() {
    let baton = Baton::new(0);
    let mut waits = line_up(&baton, 10..110);
    pass(&baton, 0..9);
    assert!(wakes_of(&waits).iter().all(|&wakes| wakes == 0), "ten turns were not theirs");
    pass(&baton, [9]);
    run_in_order(&mut waits);
    assert_eq!(wakes_of(&waits).iter().sum::<usize>(), 100);
}

// cases: BB-28, BB-29
#[test]
fn a_release_waits_for_no_waiter() {
    let baton = Baton::new(0);
    let mut guard = baton.try_acquire(0).unwrap();
    for round in 0..100 {
        // The later ones are never polled again, and leave when they like.
        let mut waits = line_up(&baton, [round + 1, round + 2, round + 3]);
        guard.release();
        assert_eq!(wakes_of(&waits), [1, 0, 0]);
        guard = assert_ready_ok!(waits[0].poll());
    }
}

// ===== a refusal or a close that leaves others stuck =====

// cases: BB-21
#[test]
fn a_refused_thread_shuts_nobody_out() {
    must_end(|| {
        let baton = Baton::new(5);
        thread::scope(|scope| {
            let _waits = line_up(&baton, [9]);
            let baton = &baton;
            for wrong in [4, 9, 70_000, 0] {
                scope.spawn(move || baton.blocking_acquire(wrong).unwrap_err()).join().unwrap();
            }
            scope.spawn(move || baton.blocking_acquire(5).unwrap().release());
        });
        assert_eq!(baton.next(), 6);
    });
}

// cases: BB-22
#[test]
fn closing_one_handle_closes_the_baton_and_not_a_copy() {
    let baton = Baton::new(0);
    let mut waits = line_up(&baton, [1]);
    let handle = baton.clone();
    handle.close();
    drop(handle);
    assert!(baton.is_closed());
    assert_eq!(assert_ready_err!(waits[0].poll()), AcquireError::Closed);
}

// cases: BB-32, BB-33
#[test]
fn no_refusal_comes_late() {
    let baton = Baton::new(0);
    let mut waits = line_up(&baton, [1]);
    assert_eq!(refusal(&baton, 1), AcquireError::Duplicate);
    pass(&baton, [0]);
    drop(assert_ready_ok!(waits[0].poll()));
    assert_eq!(refusal(&baton, 1), AcquireError::Passed);
    assert_eq!(refusal(&baton, 0), AcquireError::Passed);
}

// cases: BB-34
#[test]
fn a_wait_that_is_gone_is_referred_to_by_nothing() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let (waker, woken) = counting_waker();
    let mut waits: Vec<_> = [1, 2, 50_000, 3].map(|number| baton.acquire(number)).into();
    for wait in &mut waits {
        assert_pending!(poll_with(wait, &waker));
    }
    let mine = 2; // the waker and its count
    assert_eq!(Arc::strong_count(&woken), mine + 4);
    drop(waits.pop()); // gone before its turn
    drop(waits.pop());
    assert_eq!(Arc::strong_count(&woken), mine + 2);
    drop(guard); // granted
    assert_eq!(Arc::strong_count(&woken), mine + 1);
    baton.close(); // refused
    assert_eq!((Arc::strong_count(&woken), woken.count()), (mine, 2));
}

// ===== numbers that are not like the others =====

// cases: BB-24, BB-38
#[test]
fn the_turn_after_the_largest_number_is_that_of_zero() {
    let baton = Baton::new(u64::MAX);
    let guard = baton.try_acquire(u64::MAX).unwrap();
    let mut waits = line_up(&baton, [1, 0]);
    guard.release();
    assert_eq!(wakes_of(&waits), [0, 1]);
    drop(assert_ready_ok!(waits[1].poll()));
    drop(assert_ready_ok!(waits[0].poll()));
    pass(&baton, 2..100);
}

// cases: BB-31
#[test]
fn the_largest_number_is_an_ordinary_number() {
    let baton = Baton::new(u64::MAX - 1);
    let guard = baton.try_acquire(u64::MAX - 1).unwrap();
    let mut waits = line_up(&baton, [u64::MAX]);
    drop(guard);
    let guard = assert_ready_ok!(waits[0].poll());
    assert_eq!((guard.seq(), baton.snapshot().holder()), (u64::MAX, Some(u64::MAX)));
    let next = line_up(&baton, [0]);
    drop(guard);
    assert_eq!((baton.snapshot().holder(), wakes_of(&next)), (Some(0), vec![1]));
}

// ===== the holder's own later numbers =====

// cases: BB-25, BB-26
#[test]
fn the_holder_gets_no_second_turn_and_keeps_nobody_out() {
    must_end(|| {
        let baton = Baton::new(0);
        let guard = baton.try_acquire(0).unwrap();
        let mut own = line_up(&baton, [2]);
        thread::scope(|scope| {
            let (baton, other) = (&baton, 1);
            scope.spawn(move || baton.blocking_acquire(other).unwrap().release());
            until(&vec![1, 2], || baton.snapshot().waiting().to_vec());
            assert_pending!(own[0].poll());
            assert_eq!(baton.snapshot().holder(), Some(0));
            guard.release();
        });
        assert_eq!(own[0].wakes(), 1);
        drop(assert_ready_ok!(own[0].poll()));
    });
}
