//! What a semaphore does: its count and maximum, its line, and permits that are never seen. The
//! permits themselves and requests for several are in `semaphore_permits.rs`.

mod common;

use batons::{
    AcquireError, AcquireTimeoutError, AutoResetEvent, ReleaseError, Semaphore, TryAcquireError, wait_all,
    wait_any,
};
use common::{Counted, calling_waker, counted, must_end, panic_of, poll_with, wakes_of};
use std::{
    collections::VecDeque,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::Waker,
    thread,
    time::Duration,
};
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

/// Takes a permit for good, if one is free.
fn take(semaphore: &Semaphore) -> bool {
    semaphore.try_acquire().map(batons::Permit::forget).is_ok()
}

// ===== creation =====

// cases: SE-01, SE-02, SE-03
#[test]
fn a_semaphore_cannot_begin_beyond_its_maximum_or_with_an_impossible_one() {
    #[allow(clippy::cast_sign_loss, reason = "what Win32 would be given")]
    let negative = -1_i32 as u32;
    for (initial, max) in [(3, 2), (0, 0), (1, 0), (negative, 1), (1, negative), (negative, negative)] {
        let panic = panic_of(|| Semaphore::new(initial, max)).expect("it was refused");
        assert_eq!(panic.file, file!(), "the caller is to blame");
        let told = if max == 0 || max > HUGE { max } else { initial };
        assert!(panic.message.contains(&told.to_string()), "{}", panic.message);
    }
}

// cases: SE-04, SE-31
#[test]
fn a_semaphore_begins_as_it_was_asked_to() {
    for (initial, max) in [(0, 1), (1, 1), (1, 2), (0, HUGE), (HUGE, HUGE)] {
        let semaphore = Semaphore::new(initial, max);
        assert_eq!([of(&semaphore), of(&semaphore)], [(initial, max); 2]);
        assert_eq!(take(&semaphore), initial > 0);
        let told =
            format!("Semaphore {{ available: {}, max: {max}, closed: false, .. }}", semaphore.available());
        assert_eq!(format!("{semaphore:?}"), told);
    }
}

// ===== releasing =====

// cases: SE-05, SE-06, SE-07, SE-08, SE-09, SE-10
#[test]
fn a_release_of_nothing_or_beyond_the_maximum_changes_nothing() {
    for (initial, max, n) in [
        (2, 2, 1),
        (0, 2, 3),
        (0, 10, 11),
        (1, 2, u32::MAX),
        (1, 2, u32::MAX - 1),
        (HUGE - 1, HUGE, 10),
        (HUGE, HUGE, u32::MAX),
        (HUGE, HUGE, HUGE),
    ] {
        let semaphore = Semaphore::new(initial, max);
        let over = ReleaseError::OverMaximum { available: initial, max };
        assert_eq!(semaphore.release(n), Err(over), "{initial}/{max} + {n}");
        assert_eq!(of(&semaphore), (initial, max));
        assert_eq!(semaphore.release(0), Err(ReleaseError::Zero));
        assert_eq!(of(&semaphore), (initial, max));
    }
}

// cases: SE-11, SE-12, SE-21
#[test]
fn a_release_adds_and_tells_the_count_before() {
    let semaphore = Semaphore::new(0, 10);
    for before in 0..10 {
        assert_eq!(semaphore.release(1), Ok(before));
    }
    assert_eq!(semaphore.release(1), Err(ReleaseError::OverMaximum { available: 10, max: 10 }));
    let semaphore = Semaphore::new(0, 2);
    assert_eq!((semaphore.release(2), of(&semaphore)), (Ok(0), (2, 2)));
}

// cases: SE-13, SE-14
#[test]
fn exactly_as_many_can_be_taken_as_are_there() {
    let semaphore = Semaphore::new(2, 2);
    assert_eq!([take(&semaphore), take(&semaphore), take(&semaphore)], [true, true, false]);
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::WouldBlock);
    let semaphore = Semaphore::new(0, 100);
    for count in 1..=4 {
        for singly in [true, false] {
            let (times, n) = if singly { (count, 1) } else { (1, count) };
            (0..times).for_each(|_| assert!(semaphore.release(n).is_ok()));
            (0..count).for_each(|_| assert!(take(&semaphore)));
            assert!(!take(&semaphore));
        }
    }
}

// cases: SE-35
#[test]
fn clones_are_one_semaphore() {
    let semaphore = Semaphore::new(0, 1);
    let clone = semaphore.clone();
    semaphore.release(1).unwrap();
    assert!(take(&clone));
    assert!(!take(&semaphore));
    let mut wait = counted(clone.acquire_owned());
    assert_pending!(wait.poll());
    drop(clone);
    semaphore.release(1).unwrap();
    drop(semaphore);
    assert_eq!(assert_ready_ok!(wait.poll()).num_permits(), 1);
}

#[test]
fn a_blocking_acquire_takes_what_is_there_and_withdraws_when_its_time_is_over() {
    must_end(|| {
        let semaphore = Semaphore::new(2, 2);
        let both = semaphore.blocking_acquire_many_timeout(2, Duration::ZERO).expect("it beats any deadline");
        let late = semaphore.blocking_acquire_timeout(Duration::ZERO).unwrap_err();
        assert_eq!(late, AcquireTimeoutError::TimedOut);
        let late = semaphore.blocking_acquire_many_timeout(2, Duration::from_millis(1)).unwrap_err();
        assert_eq!(late, AcquireTimeoutError::TimedOut);
        drop(both);
        assert_eq!(of(&semaphore), (2, 2), "nobody is left in line to take them");
        assert_eq!(semaphore.blocking_acquire().unwrap().num_permits(), 1);
        assert_eq!(semaphore.blocking_acquire_many(2).unwrap().num_permits(), 2);
        assert_eq!(semaphore.blocking_acquire_many(3).unwrap_err(), AcquireError::TooMany { max: 2 });
    });
}

// ===== the line =====

// cases: SE-15, SE-16, SE-17
#[test]
fn a_release_serves_the_line_in_order_and_keeps_the_rest() {
    for (waiters, n, served, left) in [(1, 1, 1, 0), (2, 3, 2, 1), (5, 2, 2, 0)] {
        let semaphore = Semaphore::new(0, 3);
        let mut waits: Vec<_> = (0..waiters).map(|_| stands(semaphore.acquire())).collect();
        assert_eq!(semaphore.release(n), Ok(0));
        assert_eq!(of(&semaphore), (left, 3), "taken before they run");
        for (index, wait) in waits.iter_mut().enumerate() {
            assert_eq!(wait.wakes(), usize::from(index < served));
            match wait.poll() {
                std::task::Poll::Ready(permit) => permit.unwrap().forget(),
                std::task::Poll::Pending => assert!(index >= served),
            }
        }
        assert_eq!(of(&semaphore), (left, 3));
    }
}

// cases: SE-18
#[test]
fn the_limit_is_tested_before_anybody_is_served() {
    let semaphore = Semaphore::new(0, 1);
    let mut waits = [stands(semaphore.acquire()), stands(semaphore.acquire())];
    assert_eq!(semaphore.release(2), Err(ReleaseError::OverMaximum { available: 0, max: 1 }));
    assert_eq!((wakes_of(&waits), of(&semaphore)), (vec![0, 0], (0, 1)));
    for wait in &mut waits {
        assert_pending!(wait.poll());
        semaphore.release(1).unwrap();
        assert_ready_ok!(wait.poll()).forget();
    }
}

#[test]
fn a_newcomer_does_not_overtake() {
    let semaphore = Semaphore::new(1, 2);
    let mut both = stands(semaphore.acquire_many(2));
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::WouldBlock);
    let late = semaphore.blocking_acquire_timeout(Duration::ZERO).unwrap_err();
    assert_eq!(late, AcquireTimeoutError::TimedOut);
    let mut newcomer = stands(semaphore.acquire());
    semaphore.release(1).unwrap();
    drop(assert_ready_ok!(both.poll()));
    drop(assert_ready_ok!(newcomer.poll()));
    assert_eq!(of(&semaphore), (2, 2));
}

#[test]
fn a_wait_does_nothing_before_its_first_poll_and_panics_after_its_answer() {
    let semaphore = Semaphore::new(1, 1);
    let mut wait = semaphore.acquire();
    assert_eq!(of(&semaphore), (1, 1));
    let permit = assert_ready_ok!(poll_with(&mut wait, Waker::noop()));
    let panic = panic_of(AssertUnwindSafe(|| drop(poll_with(&mut wait, Waker::noop())))).unwrap();
    assert_eq!(panic.message, "`AcquirePermits` polled after completion");
    drop((wait, permit));
    assert_eq!(of(&semaphore), (1, 1));
}

// ===== permits that are never seen =====

// cases: SE-25
#[test]
fn a_permit_that_is_never_seen_goes_to_the_next_or_back_to_the_count() {
    let semaphore = Semaphore::new(0, 2);
    let mut waits: Vec<_> = (0..3).map(|_| stands(semaphore.acquire())).collect();
    semaphore.release(1).unwrap();
    for left in [vec![1, 0], vec![1], vec![]] {
        assert_eq!(of(&semaphore), (0, 2));
        drop(waits.remove(0));
        assert_eq!(wakes_of(&waits), left);
    }
    assert_eq!(of(&semaphore), (1, 2));
}

// cases: SE-24, SE-25
#[test]
fn a_permit_that_does_not_fit_any_more_is_gone() {
    let semaphore = Semaphore::new(0, 3);
    let unseen = stands(semaphore.acquire_many(2));
    semaphore.release(2).unwrap();
    semaphore.release(2).unwrap();
    drop(unseen);
    assert_eq!(of(&semaphore), (3, 3));
    let held = semaphore.try_acquire_many(2).unwrap();
    semaphore.release(2).unwrap();
    drop(held);
    assert_eq!(of(&semaphore), (3, 3));
}

// ===== closing =====

#[test]
fn a_closed_semaphore_refuses_everybody_and_takes_permits_back() {
    let semaphore = Semaphore::new(1, 3);
    let permit = semaphore.try_acquire().unwrap();
    let mut waits = [stands(semaphore.acquire_many(3)), stands(semaphore.acquire_many(1))];
    assert!(!semaphore.is_closed());
    semaphore.close();
    semaphore.close();
    assert!(semaphore.is_closed());
    assert_eq!(wakes_of(&waits), [1, 1]);
    for wait in &mut waits {
        assert_eq!(assert_ready_err!(wait.poll()), AcquireError::Closed);
    }
    drop(permit);
    assert_eq!((semaphore.release(1), of(&semaphore)), (Ok(1), (2, 3)));
    assert_eq!((semaphore.resize(2), of(&semaphore), semaphore.is_closed()), (3, (2, 2), true));
    assert_eq!(assert_ready_err!(counted(semaphore.acquire()).poll()), AcquireError::Closed);
    assert_eq!(assert_ready_err!(counted(semaphore.acquire_many(9)).poll()), AcquireError::Closed);
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::Closed);
}

#[test]
fn permits_are_forgotten_from_under_those_in_line() {
    let semaphore = Semaphore::new(3, 5);
    let waits = [stands(semaphore.acquire_many(4)), stands(semaphore.acquire())];
    assert_eq!((semaphore.forget_permits(2), of(&semaphore)), (2, (1, 5)));
    assert_eq!((semaphore.forget_permits(9), of(&semaphore)), (1, (0, 5)));
    assert_eq!((semaphore.forget_permits(1), semaphore.release(4)), (0, Ok(0)));
    assert_eq!(wakes_of(&waits), [1, 0]);
}

#[test]
fn a_permit_granted_before_the_close_is_still_answered_or_given_back() {
    let semaphore = Semaphore::new(0, 2);
    let (mut seen, unseen) = (stands(semaphore.acquire()), stands(semaphore.acquire()));
    semaphore.release(2).unwrap();
    semaphore.close();
    drop(assert_ready_ok!(seen.poll()));
    drop(unseen);
    assert_eq!(of(&semaphore), (2, 2));
}

// ===== wakers, several objects =====

// cases: SE-36
#[test]
fn a_waker_may_use_the_semaphore_that_wakes_it() {
    must_end(|| {
        let semaphore = Semaphore::new(0, 2);
        let inner = semaphore.clone();
        let waker = calling_waker(move || {
            assert_eq!((inner.try_acquire().unwrap_err(), inner.max()), (TryAcquireError::WouldBlock, 2));
            assert_eq!((inner.release(1), inner.resize(1)), (Ok(0), 2));
            inner.close();
        });
        let (mut first, mut second) = (semaphore.acquire(), semaphore.acquire());
        assert_pending!(poll_with(&mut first, &waker));
        assert_pending!(poll_with(&mut second, Waker::noop()));
        semaphore.release(1).unwrap();
        drop(assert_ready_ok!(poll_with(&mut first, &waker)));
        drop(assert_ready_ok!(poll_with(&mut second, &waker)));
        assert!(semaphore.is_closed());
    });
}

// cases: SE-19, SE-20
#[test]
fn a_wait_for_all_neither_takes_a_permit_alone_nor_blocks_those_behind_it() {
    let (semaphore, event) = (Semaphore::new(0, 3), AutoResetEvent::new(false));
    let mut all = stands(wait_all((semaphore.acquire(), event.wait())));
    semaphore.release(1).unwrap();
    assert_eq!(of(&semaphore), (1, 3));
    assert!(take(&semaphore));
    let mut plain = stands(semaphore.acquire());
    semaphore.release(1).unwrap();
    assert_eq!((plain.wakes(), all.wakes(), of(&semaphore)), (1, 0, (0, 3)));
    assert_ready_ok!(plain.poll()).forget();
    assert_pending!(all.poll());
}

// cases: SE-26
#[test]
fn a_semaphore_listed_twice_in_a_wait_for_any_is_taken_once() {
    let semaphore = Semaphore::new(0, 3);
    let clone = semaphore.clone();
    let mut any = stands(wait_any([semaphore.acquire(), clone.acquire()]));
    semaphore.release(2).unwrap();
    let (index, permit) = assert_ready_ok!(any.poll());
    assert_eq!((index, permit.unwrap().num_permits(), semaphore.available()), (0, 1, 1));
    assert_eq!(of(&semaphore), (2, 3));
}

// ===== threads =====

// cases: SE-33
#[test]
fn a_bounded_queue_of_three_semaphores_keeps_order_and_loses_nothing() {
    must_end(|| {
        let (lock, empty, full) = (Semaphore::new(1, 1), Semaphore::new(10, 10), Semaphore::new(0, 10));
        let queue = Mutex::new(VecDeque::new());
        let received: Vec<_> = thread::scope(|scope| {
            scope.spawn(|| {
                for letter in 'a'..='z' {
                    empty.blocking_acquire().unwrap().forget();
                    let _locked = lock.blocking_acquire().unwrap();
                    queue.try_lock().expect("locked by one").push_back(letter);
                    full.release(1).unwrap();
                }
            });
            let receive = |_| {
                full.blocking_acquire().unwrap().forget();
                let _locked = lock.blocking_acquire().unwrap();
                empty.release(1).unwrap();
                queue.try_lock().expect("locked by one").pop_front().expect("counted")
            };
            (0..26).map(receive).collect()
        });
        assert!(received.into_iter().eq('a'..='z'));
    });
}

// cases: SE-34
#[test]
fn permits_are_conserved_among_many_threads() {
    must_end(|| {
        for (initial, releases, expected) in [(5, 50, 5), (0, 25, 0)] {
            let semaphore = Semaphore::new(initial, 1000);
            let waiting = AtomicUsize::new(0);
            let got = thread::scope(|scope| {
                let waits = [(); 50].map(|()| {
                    scope.spawn(|| {
                        waiting.fetch_add(1, Ordering::SeqCst);
                        semaphore.blocking_acquire().map(batons::Permit::forget)
                    })
                });
                common::until(&50, || waiting.load(Ordering::SeqCst));
                for _ in 0..releases {
                    scope.spawn(|| semaphore.release(1).unwrap());
                }
                if releases < 50 {
                    common::until(&releases, || waits.iter().filter(|wait| wait.is_finished()).count());
                    semaphore.close();
                }
                waits.map(|wait| wait.join().unwrap()).into_iter().flatten().count()
            });
            assert_eq!((got, semaphore.available()), (releases, expected));
        }
    });
}
