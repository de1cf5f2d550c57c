//! Permits of a semaphore in hand, requests for several at once, and a maximum that changes.

mod common;

use batons::{AcquireError, OwnedPermit, Permit, ReleaseError, Semaphore, TryAcquireError};
use common::{Counted, counted, panic_of, wakes_of};
use std::{future::Future, mem, panic::AssertUnwindSafe, thread};
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok};

const HUGE: u32 = i32::MAX as u32;

fn stands<F: Future>(wait: F) -> Counted<F> {
    let mut wait = counted(wait);
    assert!(wait.poll().is_pending(), "it was answered at once");
    wait
}

/// Count and maximum.
fn of(semaphore: &Semaphore) -> (u32, u32) {
    (semaphore.available(), semaphore.max())
}

// ===== permits in hand =====

// cases: SE-23
#[test]
fn a_dropped_permit_goes_back_and_a_forgotten_one_does_not() {
    let semaphore = Semaphore::new(3, 3);
    let permits = semaphore.try_acquire_many(3).unwrap();
    assert_eq!((permits.num_permits(), of(&semaphore)), (3, (0, 3)));
    drop(permits);
    assert_eq!(of(&semaphore), (3, 3));
    semaphore.try_acquire_many(2).unwrap().forget();
    assert_eq!(of(&semaphore), (1, 3));
    assert_eq!((semaphore.release(2), of(&semaphore)), (Ok(1), (3, 3)));
}

// cases: SE-22, SE-23
#[test]
fn a_permit_is_not_a_handle() {
    let semaphore = Semaphore::new(5, 5);
    let clone = semaphore.clone();
    let permits = assert_ready_ok!(counted(clone.acquire_many_owned(2)).poll());
    drop(clone);
    assert_eq!(of(&semaphore), (3, 5), "the handle returns nothing");
    thread::spawn(move || drop(permits)).join().unwrap();
    assert_eq!(of(&semaphore), (5, 5), "the permits do, from wherever they are");
    mem::forget(semaphore.try_acquire().unwrap());
    assert_eq!(of(&semaphore), (4, 5));
    let lasting = assert_ready_ok!(counted(semaphore.acquire_owned()).poll());
    drop(semaphore);
    drop(lasting);
}

// cases: SE-23
#[test]
fn a_permit_dropped_by_a_panic_goes_back() {
    let semaphore = Semaphore::new(1, 1);
    let panic = panic_of(AssertUnwindSafe(|| {
        let _permit = semaphore.try_acquire().unwrap();
        panic!("the holder fails");
    }));
    assert_eq!((panic.unwrap().message.as_str(), of(&semaphore)), ("the holder fails", (1, 1)));
}

// cases: SE-24
#[test]
fn a_permit_that_does_not_fit_any_more_is_dropped_quietly() {
    let semaphore = Semaphore::new(3, 3);
    let permits = semaphore.try_acquire_many(2).unwrap();
    semaphore.release(1).unwrap();
    let full = ReleaseError::OverMaximum { available: 2, max: 3 };
    assert_eq!(semaphore.release(2), Err(full));
    drop(permits);
    assert_eq!(of(&semaphore), (3, 3));
}

#[test]
fn permits_split_and_merge_without_a_change_of_the_count() {
    let semaphore = Semaphore::new(5, 5);
    let mut permits = semaphore.try_acquire_many(5).unwrap();
    assert!(permits.split(6).is_none());
    assert_eq!(permits.num_permits(), 5);
    let mut two = permits.split(2).unwrap();
    let none = two.split(0).unwrap();
    assert_eq!([permits.num_permits(), two.num_permits(), none.num_permits()], [3, 2, 0]);
    drop(none);
    assert_eq!(of(&semaphore), (0, 5));
    drop(two.split(1).unwrap());
    assert_eq!(of(&semaphore), (1, 5));
    permits.merge(two);
    assert_eq!((permits.num_permits(), of(&semaphore)), (4, (1, 5)));
    drop(permits);
    assert_eq!(of(&semaphore), (5, 5));

    let mut owned: OwnedPermit = assert_ready_ok!(counted(semaphore.acquire_many_owned(2)).poll());
    let half = owned.split(1).unwrap();
    let other_handle = assert_ready_ok!(counted(semaphore.clone().acquire_owned()).poll());
    owned.merge(other_handle);
    assert_eq!([owned.num_permits(), half.num_permits()], [2, 1]);
    drop((owned, half));
    assert_eq!(of(&semaphore), (5, 5));
}

#[test]
fn permits_of_two_semaphores_do_not_merge_and_both_go_back() {
    let (one, two) = (Semaphore::new(2, 2), Semaphore::new(3, 3));
    let panic = panic_of(AssertUnwindSafe(|| {
        let mut permits = one.try_acquire_many(2).unwrap();
        permits.merge(two.try_acquire_many(3).unwrap());
    }))
    .expect("it was refused");
    assert_eq!((panic.file.as_str(), of(&one), of(&two)), (file!(), (2, 2), (3, 3)));
    assert_eq!(panic.message, "permits of two semaphores cannot be merged");
}

#[test]
fn more_permits_than_a_number_holds_are_merged_without_a_panic() {
    let semaphore = Semaphore::new(HUGE, HUGE);
    let mut permits = semaphore.try_acquire_many(HUGE).unwrap();
    for _ in 0..2 {
        semaphore.release(HUGE).unwrap();
        permits.merge(semaphore.try_acquire_many(HUGE).unwrap());
    }
    drop(permits);
    assert_eq!(of(&semaphore), (HUGE, HUGE), "what does not fit is gone, and no more");
}

// ===== several at once =====

// cases: SE-27
#[test]
fn more_than_the_maximum_is_refused_at_once() {
    let semaphore = Semaphore::new(0, 2);
    let _line = stands(semaphore.acquire());
    for n in [3, HUGE, HUGE + 1, u32::MAX] {
        let refused = AcquireError::TooMany { max: 2 };
        assert_eq!(assert_ready_err!(counted(semaphore.acquire_many(n)).poll()), refused);
        assert_eq!(assert_ready_err!(counted(semaphore.acquire_many_owned(n)).poll()), refused);
        assert_eq!(semaphore.try_acquire_many(n).unwrap_err(), TryAcquireError::TooMany { max: 2 });
    }
    assert_eq!(of(&semaphore), (0, 2));
}

// cases: SE-28
#[test]
fn a_large_request_at_the_head_makes_the_small_ones_wait_until_it_is_served_or_dropped() {
    for dropped in [true, false] {
        let semaphore = Semaphore::new(2, 5);
        let mut large = stands(semaphore.acquire_many(3));
        let mut small: Vec<_> = [1, 1, 2].map(|n| stands(semaphore.acquire_many(n))).into();
        assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::WouldBlock);
        assert_eq!((of(&semaphore), wakes_of(&small)), ((2, 5), vec![0, 0, 0]));
        if dropped {
            drop(large);
        } else {
            semaphore.release(3).unwrap();
            assert_ready_ok!(large.poll()).forget();
        }
        assert_eq!((wakes_of(&small), of(&semaphore)), (vec![1, 1, 0], (0, 5)));
        semaphore.release(2).unwrap();
        for wait in &mut small {
            assert_ready_ok!(wait.poll()).forget();
        }
        assert_eq!(of(&semaphore), (0, 5));
    }
}

// cases: SE-25
#[test]
fn several_permits_that_are_never_seen_serve_as_many_as_they_suffice_for() {
    let semaphore = Semaphore::new(0, 4);
    let unseen = stands(semaphore.acquire_many(4));
    let mut waits: Vec<_> = [1, 2, 2].map(|n| stands(semaphore.acquire_many(n))).into();
    semaphore.release(4).unwrap();
    drop(unseen);
    assert_eq!((wakes_of(&waits), of(&semaphore)), (vec![1, 1, 0], (1, 4)));
    drop(assert_ready_ok!(waits[0].poll()));
    assert_eq!(waits[2].wakes(), 1);
    drop(waits);
    assert_eq!(of(&semaphore), (4, 4));
}

#[test]
fn a_permit_that_comes_back_serves_the_line() {
    let semaphore = Semaphore::new(2, 2);
    let (one, two) = (semaphore.try_acquire().unwrap(), semaphore.try_acquire().unwrap());
    let mut both = stands(semaphore.acquire_many(2));
    drop(one);
    assert_eq!(both.wakes(), 0);
    drop(two);
    assert_eq!((both.wakes(), of(&semaphore)), (1, (0, 2)));
    assert_eq!(assert_ready_ok!(both.poll()).num_permits(), 2);
}

#[test]
fn none_can_be_asked_for_and_waits_only_for_those_in_line() {
    let semaphore = Semaphore::new(0, 1);
    assert_eq!(assert_ready_ok!(counted(semaphore.acquire_many(0)).poll()).num_permits(), 0);
    let mut first = stands(semaphore.acquire());
    let mut none = stands(semaphore.acquire_many(0));
    semaphore.release(1).unwrap();
    assert_ready_ok!(none.poll()).forget();
    assert_ready_ok!(first.poll()).forget();
    assert_eq!(of(&semaphore), (0, 1));
}

// ===== another maximum =====

#[test]
fn a_smaller_maximum_bites_at_once_and_as_permits_come_back() {
    let semaphore = Semaphore::new(5, 5);
    assert_eq!((semaphore.resize(3), of(&semaphore)), (5, (3, 3)));
    let semaphore = Semaphore::new(5, 5);
    let permits: Vec<_> = (0..5).map(|_| semaphore.try_acquire().unwrap()).collect();
    assert_eq!((semaphore.resize(2), of(&semaphore)), (5, (0, 2)));
    let counts: Vec<_> = permits
        .into_iter()
        .map(|permit| {
            drop(permit);
            semaphore.available()
        })
        .collect();
    assert_eq!(counts, [1, 2, 2, 2, 2]);
    assert_eq!(semaphore.release(1), Err(ReleaseError::OverMaximum { available: 2, max: 2 }));
}

#[test]
fn a_larger_maximum_adds_no_permits_but_room_for_them() {
    let semaphore = Semaphore::new(1, 1);
    let mut two = counted(semaphore.acquire_many(2));
    assert_eq!((semaphore.resize(HUGE), of(&semaphore)), (1, (1, HUGE)));
    assert_pending!(two.poll());
    semaphore.release(HUGE - 1).unwrap();
    assert_eq!(assert_ready_ok!(two.poll()).num_permits(), 2);
}

#[test]
fn a_smaller_maximum_refuses_those_in_line_who_can_never_be_satisfied() {
    let semaphore = Semaphore::new(1, 5);
    let mut large = stands(semaphore.acquire_many(3));
    let mut small = stands(semaphore.acquire());
    let mut larger = stands(semaphore.acquire_many(4));
    semaphore.resize(2);
    assert_eq!([large.wakes(), small.wakes(), larger.wakes()], [1, 1, 1]);
    assert_eq!(assert_ready_err!(large.poll()), AcquireError::TooMany { max: 2 });
    assert_eq!(assert_ready_err!(larger.poll()), AcquireError::TooMany { max: 2 });
    assert_ready_ok!(small.poll()).forget();
    assert_eq!(of(&semaphore), (0, 2));
}

#[test]
fn whoever_can_never_be_satisfied_is_refused_when_its_turn_comes() {
    let semaphore = Semaphore::new(0, 5);
    let mut first = stands(semaphore.acquire());
    let mut large = stands(semaphore.acquire_many(3));
    let mut last = stands(semaphore.acquire());
    semaphore.resize(2);
    assert_eq!([first.wakes(), large.wakes(), last.wakes()], [0, 0, 0]);
    semaphore.release(1).unwrap();
    assert_eq!([first.wakes(), large.wakes(), last.wakes()], [1, 1, 0]);
    assert_eq!(assert_ready_err!(large.poll()), AcquireError::TooMany { max: 2 });
    drop(assert_ready_ok!(first.poll()));
    assert_ready_ok!(last.poll()).forget();
}

#[test]
fn permits_of_a_larger_time_that_are_never_seen_come_back_up_to_the_maximum() {
    let semaphore = Semaphore::new(0, 5);
    let unseen = stands(semaphore.acquire_many(5));
    semaphore.release(5).unwrap();
    semaphore.resize(2);
    let mut waits: Vec<_> = (0..3).map(|_| stands(semaphore.acquire())).collect();
    drop(unseen);
    assert_eq!((wakes_of(&waits), of(&semaphore)), (vec![1, 1, 0], (0, 2)));
    waits.drain(..2).for_each(|mut wait| Permit::forget(assert_ready_ok!(wait.poll())));
}

// cases: SE-02
#[test]
fn a_maximum_cannot_be_changed_to_an_impossible_one() {
    let semaphore = Semaphore::new(2, 2);
    for max in [0, HUGE + 1, u32::MAX] {
        let panic = panic_of(AssertUnwindSafe(|| semaphore.resize(max))).expect("it was refused");
        assert_eq!((panic.file.as_str(), of(&semaphore)), (file!(), (2, 2)));
        assert!(panic.message.contains(&max.to_string()), "{}", panic.message);
    }
    assert_eq!([semaphore.resize(1), semaphore.resize(1)], [2, 1]);
}
