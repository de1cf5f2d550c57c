//! What a baton costs in memory and in work, counted and not timed.

mod common;

use allocation_counter::measure;
use batons::Baton;
use common::{counting_waker, line_up, must_end, poll_with, shuffled, wakes_of};
use std::{collections::VecDeque, hint::black_box, task::Waker};
use tokio_test::{assert_pending, assert_ready_ok};

// cases: B-35
#[test]
fn a_waiter_far_away_costs_no_more_than_one_nearby() {
    for ahead in [1, 1000, 65_535, (1 << 40) - 1] {
        let baton = Baton::builder().window(1 << 40).build();
        let mut wait = baton.acquire(ahead);
        let cost = measure(|| assert_pending!(poll_with(&mut wait, Waker::noop())));
        assert!(cost.bytes_max <= 1024, "{ahead} ahead: {cost:?}");
    }
}

// cases: B-63
#[test]
fn a_wait_allocates_nothing_once_the_line_has_its_room() {
    let baton = Baton::new(0);
    let (waker, _) = counting_waker();
    let mut first = 0;
    let mut round = || {
        let guard = baton.try_acquire(first).unwrap();
        let mut waits: [_; 100] = std::array::from_fn(|place| baton.acquire(first + 1 + place as u64));
        for wait in &mut waits {
            assert_pending!(poll_with(wait, &waker));
        }
        drop(guard);
        for wait in &mut waits {
            drop(assert_ready_ok!(poll_with(wait, &waker)));
        }
        first += 101;
    };
    round();
    assert_eq!(measure(round).count_total, 0);
}

#[test]
fn nothing_is_allocated_while_nobody_waits() {
    let baton = Baton::new(0);
    let cost = measure(|| {
        for number in 0..100 {
            drop(baton.try_acquire(number).unwrap());
        }
    });
    assert_eq!(cost.count_total, 0);
    assert_eq!(measure(|| drop(black_box(Baton::new(0)))).count_total, 1, "a baton is one allocation");
}

// cases: B-64, BB-39
#[test]
fn a_hand_over_costs_the_same_with_a_hundred_thousand_waiters() {
    // A release that looked at every waiter would take the test far beyond its limit.
    must_end(|| {
        const COUNT: u64 = 100_000;
        let baton = Baton::builder().window(COUNT + 1).build();
        let mut guard = Some(baton.try_acquire(0).unwrap());
        let mut waits = line_up(&baton, 1..=COUNT);
        for (turn, wait) in waits.iter_mut().enumerate() {
            let mut release = || drop(guard.take());
            if turn < 100 {
                assert_eq!(measure(release).count_total, 0);
            } else {
                release();
            }
            guard = Some(assert_ready_ok!(wait.poll()));
        }
        drop(guard);
        assert!(wakes_of(&waits).iter().all(|&wakes| wakes == 1));
    });
}

// cases: BB-04
#[test]
fn memory_that_a_long_line_needed_is_given_back() {
    let numbers = shuffled(20_000, 7);
    let cost = measure(|| {
        let baton = Baton::new(0);
        let line = || {
            let mut waits = Vec::with_capacity(numbers.len());
            for &number in &numbers {
                let mut wait = baton.acquire(baton.next() + 1 + number);
                assert_pending!(poll_with(&mut wait, Waker::noop()));
                waits.push(wait);
            }
        };
        for _ in 0..3 {
            let kept = measure(line);
            assert!(kept.bytes_current <= 64 * 1024, "after all have left: {kept:?}");
        }
    });
    assert_eq!((cost.count_current, cost.bytes_current), (0, 0), "after the baton is gone");
}

#[test]
fn waits_that_came_and_went_leave_no_memory_behind() {
    let baton = Baton::builder().window(1 << 40).build();
    let cost = measure(|| {
        for round in 0..100_000 {
            let mut wait = baton.acquire(1 + round * 1_000_003 % (1 << 39));
            assert_pending!(poll_with(&mut wait, Waker::noop()));
        }
    });
    assert!(cost.bytes_max <= 64 * 1024, "{cost:?}");
}

#[test]
fn one_who_stays_behind_does_not_make_the_line_remember_those_who_left() {
    let baton = Baton::builder().window(1 << 40).build();
    let cost = measure(|| {
        let mut waits = VecDeque::new();
        let _straggler = line_up(&baton, [1]);
        for number in 2..200_000 {
            let mut wait = baton.acquire(number);
            assert_pending!(poll_with(&mut wait, Waker::noop()));
            waits.push_back(wait);
            if waits.len() > 3 {
                waits.pop_front();
            }
        }
    });
    assert!(cost.bytes_max <= 64 * 1024, "{cost:?}");
}

#[test]
fn two_who_stay_at_the_ends_do_not_keep_the_room_of_those_between() {
    let baton = Baton::builder().window(1 << 40).build();
    let mut stay = None;
    let cost = measure(|| {
        let mut waits: Vec<_> = (1..100_000).map(|number| baton.acquire(number)).collect();
        for wait in &mut waits {
            assert_pending!(poll_with(wait, Waker::noop()));
        }
        let last = waits.pop();
        stay = Some((waits.swap_remove(0), last));
    });
    assert_eq!(baton.snapshot().waiting(), [1, 99_999]);
    assert!(cost.bytes_current <= 64 * 1024, "{cost:?}");
    drop(stay);
}
