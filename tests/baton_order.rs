//! The order of the grants, and how a turn passes from one number to the next.

mod common;

use batons::{AcquireError, Baton, TryAcquireError};
use common::{
    Random, counted, counting_waker, line_up, must_end, poll_with, refusal, shuffled, unchanged, wakes_of,
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};

// ===== the hand-over =====

// cases: B-09
#[test]
fn the_next_waiter_owns_the_baton_before_release_returns() {
    for first in [1, u64::MAX] {
        let next = first.wrapping_add(1);
        let baton = Baton::new(first);
        let guard = baton.try_acquire(first).unwrap();
        let mut waits = line_up(&baton, [next]);
        guard.release();
        assert_eq!(baton.snapshot().holder(), Some(next));
        assert_eq!(baton.next(), next.wrapping_add(1));
        assert!(baton.snapshot().waiting().is_empty());
        assert_eq!(wakes_of(&waits), [1]);
        let guard = assert_ready_ok!(waits[0].poll());
        assert_eq!(guard.seq(), next);
        assert_eq!(wakes_of(&waits), [1], "one hand-over is one wake");
    }
}

// cases: B-10
#[test]
fn nobody_can_slip_in_between_a_release_and_the_poll_of_the_next_waiter() {
    let baton = Baton::new(1);
    let guard = baton.try_acquire(1).unwrap();
    let mut waits = line_up(&baton, [2]);
    guard.release();
    let third = || baton.try_acquire(2).unwrap_err();
    assert_eq!(unchanged(&baton, third), TryAcquireError::Passed);
    assert_eq!(unchanged(&baton, || refusal(&baton, 2)), AcquireError::Passed);
    let third = || baton.try_acquire(3).unwrap_err();
    assert_eq!(unchanged(&baton, third), TryAcquireError::WouldBlock);
    drop(assert_ready_ok!(waits[0].poll()));
}

// cases: B-11, B-12
#[test]
fn a_gap_keeps_the_baton_free_until_its_number_comes() {
    let baton = Baton::new(1);
    let guard = baton.try_acquire(1).unwrap();
    let mut waits = line_up(&baton, [3, 4]);
    guard.release();
    assert_eq!(wakes_of(&waits), [0, 0]);
    assert_eq!((baton.next(), baton.snapshot().is_held()), (2, false));
    let gap = assert_ready_ok!(task::spawn(baton.acquire(2)).poll());
    assert_eq!(wakes_of(&waits), [0, 0]);
    gap.release();
    assert_eq!(wakes_of(&waits), [1, 0], "only the next one is woken");
    drop(assert_ready_ok!(waits[0].poll()));
    assert_eq!(wakes_of(&waits), [1, 1]);
}

// cases: B-13
#[test]
fn the_order_is_that_of_the_numbers_and_not_that_of_the_calls() {
    let baton = Baton::new(1);
    let mut waits = line_up(&baton, [3, 2]);
    let mut seen = vec![assert_ready_ok!(task::spawn(baton.acquire(1)).poll()).seq()];
    waits.reverse();
    for wait in &mut waits {
        seen.push(assert_ready_ok!(wait.poll()).seq());
    }
    assert_eq!(seen, [1, 2, 3]);
}

// cases: B-62
#[test]
fn a_release_wakes_exactly_one_of_a_hundred() {
    let baton = Baton::new(0);
    let mut guard = baton.try_acquire(0).unwrap();
    let mut waits = line_up(&baton, 1..=100);
    for now in 0..100 {
        guard.release();
        let woken: Vec<_> = (0..100).map(|other| usize::from(other <= now)).collect();
        assert_eq!(wakes_of(&waits), woken);
        guard = assert_ready_ok!(waits[now].poll());
    }
}

// cases: B-65
#[test]
fn a_grant_between_two_polls_is_kept_until_the_second() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let mut wait = baton.acquire(1);
    // No task stands behind the waker, so its wake is lost; the grant must not be.
    assert_pending!(poll_with(&mut wait, std::task::Waker::noop()));
    drop(guard);
    drop(assert_ready_ok!(poll_with(&mut wait, std::task::Waker::noop())));
}

// cases: B-60
#[test]
fn a_poll_in_vain_keeps_the_place() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let mut waits = line_up(&baton, [2, 1]);
    for _ in 0..3 {
        for wait in &mut waits {
            assert_pending!(unchanged(&baton, || wait.poll()));
        }
    }
    drop(guard);
    assert_eq!(wakes_of(&waits), [0, 1]);
    drop(assert_ready_ok!(waits[1].poll()));
    drop(assert_ready_ok!(waits[0].poll()));
}

#[test]
fn only_the_last_waker_of_a_wait_is_woken() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let mut wait = baton.acquire(1);
    let wakers: Vec<_> = (0..3).map(|_| counting_waker()).collect();
    for (waker, _) in &wakers {
        assert_pending!(poll_with(&mut wait, waker));
        assert_eq!(baton.snapshot().waiting(), [1]);
    }
    let held: Vec<_> = wakers.iter().map(|(_, wakes)| Arc::strong_count(wakes)).collect();
    assert_eq!(held, [2, 2, 3], "a replaced waker is let go");
    drop(guard);
    let counts: Vec<_> = wakers.iter().map(|(_, wakes)| wakes.count()).collect();
    assert_eq!(counts, [0, 0, 1]);
}

// cases: B-61
#[test]
fn one_task_may_wait_for_two_numbers() {
    let baton = Baton::new(4);
    let guard = baton.try_acquire(4).unwrap();
    let mut both = task::spawn(async { tokio::join!(baton.acquire_owned(5), baton.acquire_owned(9)) });
    assert_pending!(both.poll());
    drop(guard);
    assert!(both.is_woken());
    assert_pending!(both.poll());
    assert_eq!((baton.snapshot().holder(), baton.snapshot().waiting()), (Some(5), [9].as_slice()));

    // The same without a `join!`, which keeps the first guard until the second comes.
    let baton = Baton::new(4);
    let (waker, count) = counting_waker();
    let (mut five, mut nine) = (baton.acquire(5), baton.acquire(9));
    assert_pending!(poll_with(&mut five, &waker));
    assert_pending!(poll_with(&mut nine, &waker));
    drop(baton.try_acquire(4).unwrap());
    assert_eq!(count.count(), 1);
    drop(assert_ready_ok!(poll_with(&mut five, &waker)));
    assert_pending!(poll_with(&mut nine, &waker));
    for number in 6..9 {
        drop(baton.try_acquire(number).unwrap());
    }
    drop(assert_ready_ok!(poll_with(&mut nine, &waker)));
}

// ===== around the wrap =====

// cases: B-25, B-26
#[test]
fn after_the_largest_number_comes_zero() {
    let baton = Baton::new(u64::MAX - 1);
    drop(baton.try_acquire(u64::MAX - 1).unwrap());
    for number in [u64::MAX, 0, 1] {
        let guard = assert_ready_ok!(task::spawn(baton.acquire(number)).poll());
        assert_eq!(guard.seq(), number);
    }
}

// cases: B-27
#[test]
fn before_zero_lie_the_passed_numbers() {
    let baton = Baton::new(u64::MAX);
    let guard = baton.try_acquire(u64::MAX).unwrap();
    for number in [u64::MAX, u64::MAX - 255] {
        assert_eq!(unchanged(&baton, || refusal(&baton, number)), AcquireError::Passed);
    }
    guard.release();
    assert_eq!(baton.next(), 0);
    assert_eq!(refusal(&baton, u64::MAX), AcquireError::Passed);
}

// cases: B-28
#[test]
fn the_window_reaches_across_the_wrap() {
    let baton = Baton::new(u64::MAX - 0xF);
    drop(baton.try_acquire(u64::MAX - 0xF).unwrap());
    let limit = 0xFFF0;
    assert_eq!(unchanged(&baton, || refusal(&baton, limit + 1)), AcquireError::TooFar { limit });
    let edge = line_up(&baton, [limit]);
    assert_eq!(baton.snapshot().waiting(), [limit]);
    drop(edge);
}

// cases: B-29, B-30
#[test]
fn waiters_on_both_sides_of_the_wrap_are_woken_in_order() {
    let (first, rest) = (u64::MAX - 2, [u64::MAX - 1, u64::MAX, 0, 1, 2]);
    let baton = Baton::new(first);
    let mut guard = baton.try_acquire(first).unwrap();
    let mut waits = line_up(&baton, [2, u64::MAX, 0, u64::MAX - 1, 1]);
    let places = [3, 1, 2, 4, 0];
    for (turn, place) in places.into_iter().enumerate() {
        assert_eq!(waits.iter().map(common::Counted::wakes).sum::<usize>(), turn);
        guard.release();
        assert_eq!(waits[place].wakes(), 1);
        guard = assert_ready_ok!(waits[place].poll());
        assert_eq!(guard.seq(), rest[turn]);
    }
}

// ===== many =====

/// Lets `count` tasks acquire shuffled numbers from `first` on, and checks the order and that they are alone.
async fn run_shuffled(first: u64, count: u64, seed: u64) {
    let baton = Baton::new(first);
    let (order, alone) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(true)));
    let task = |offset| {
        let (baton, order, alone) = (baton.clone(), Arc::clone(&order), Arc::clone(&alone));
        tokio::spawn(async move {
            let guard = baton.acquire(first.wrapping_add(offset)).await.expect("each is acquired once");
            assert!(alone.swap(false, Ordering::SeqCst), "two own the baton");
            order.lock().expect("no panic").push(offset);
            tokio::task::yield_now().await;
            assert!(!alone.swap(true, Ordering::SeqCst));
            drop(guard);
        })
    };
    for task in shuffled(count, seed).into_iter().map(task).collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
    assert!(order.lock().expect("no panic").iter().copied().eq(0..count));
    assert_eq!(baton.next(), first.wrapping_add(count));
}

// cases: B-14
#[test]
fn a_thousand_tasks_in_any_order_run_in_the_order_of_their_numbers() {
    must_end(|| {
        let one_thread = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
        for (seed, first) in [(1, 1), (2, u64::MAX - 500), (3, u64::MAX)] {
            one_thread.block_on(run_shuffled(first, 1000, seed));
            threads.block_on(run_shuffled(first, 1000, seed));
        }
    });
}

// cases: B-32
#[test]
fn five_thousand_waiters_are_all_served_wherever_the_line_begins() {
    for first in [0, 1, 1023, 1024, 1500, 2048, 65_535, u64::MAX - 2500] {
        for seed in [None, Some(first)] {
            let baton = Baton::new(first);
            let guard = baton.try_acquire(first).unwrap();
            let offsets = seed.map_or_else(|| (0..5000).collect(), |seed| shuffled(5000, seed));
            let number = |offset: u64| first.wrapping_add(1).wrapping_add(offset);
            let mut waits = line_up(&baton, offsets.iter().map(|&offset| number(offset)));
            drop(guard);
            let mut by_turn: Vec<_> = (0..5000).collect();
            by_turn.sort_by_key(|&index| offsets[index]);
            for index in by_turn {
                assert_eq!(waits[index].wakes(), 1);
                drop(assert_ready_ok!(waits[index].poll()));
            }
        }
    }
}

// cases: B-33
#[test]
fn a_waiter_far_behind_does_not_disturb_the_next_one() {
    let baton = Baton::new(1024);
    let guard = baton.try_acquire(1024).unwrap();
    let mut waits = line_up(&baton, [1025, 2049]);
    drop(guard);
    assert_eq!(wakes_of(&waits), [1, 0]);
    drop(assert_ready_ok!(waits[0].poll()));
    for number in 1026..2049 {
        drop(baton.try_acquire(number).unwrap());
    }
    assert_eq!(wakes_of(&waits), [1, 1]);
    drop(assert_ready_ok!(waits[1].poll()));
}

#[test]
fn waits_that_come_and_go_at_random_lose_no_turn() {
    for first in [0, u64::MAX - 0xFF] {
        let mut random = Random(first);
        let baton = Baton::new(first);
        let mut line: Vec<Option<common::Waiting<'_>>> = (0..1000).map(|_| None).collect();
        let mut used = 0;
        while used < 1000 {
            assert_eq!(baton.next(), first.wrapping_add(used));
            let offset = (usize::try_from(used).unwrap() + random.below(40)).min(999);
            let number = first.wrapping_add(offset as u64);
            if line[offset].take().is_some() {
                continue; // dropped in line: the number is as it was
            }
            let mut wait = counted(baton.acquire(number));
            if wait.poll().is_pending() {
                line[offset] = Some(wait);
                continue;
            }
            // It was its turn, and the guard was dropped at once. Those behind it follow while they wait.
            used += 1;
            while let Some(mut next) = line.get_mut(usize::try_from(used).unwrap()).and_then(Option::take) {
                assert_eq!(next.wakes(), 1);
                if random.below(2) == 0 {
                    drop(assert_ready_ok!(next.poll()));
                }
                drop(next); // perhaps granted and never seen: the same as used
                used += 1;
            }
        }
        let late = assert_ready_err!(task::spawn(baton.acquire(first)).poll());
        assert_eq!(late, AcquireError::Passed);
    }
}

// ===== threads =====

// cases: B-66
#[test]
fn a_wait_that_begins_while_the_baton_is_released_is_never_stranded() {
    must_end(|| {
        let baton = Baton::new(0);
        thread::scope(|scope| {
            for parity in 0..2 {
                let baton = &baton;
                scope.spawn(move || {
                    for number in (parity..20_000).step_by(2) {
                        drop(baton.blocking_acquire(number).unwrap());
                    }
                });
            }
        });
        assert_eq!(baton.next(), 20_000);
    });
}

// cases: B-67
#[test]
fn what_a_holder_did_is_visible_to_all_later_holders() {
    must_end(|| {
        let baton = Baton::new(0);
        // Plain memory, as far as safe code can have it: nothing here orders anything.
        let sum = AtomicU64::new(0);
        thread::scope(|scope| {
            for thread in 0..4 {
                let (baton, sum) = (&baton, &sum);
                scope.spawn(move || {
                    for number in (thread..4000).step_by(4) {
                        let _guard = baton.blocking_acquire(number).unwrap();
                        let before = sum.load(Ordering::Relaxed);
                        assert_eq!(before, number);
                        sum.store(before + 1, Ordering::Relaxed);
                    }
                });
            }
        });
    });
}
