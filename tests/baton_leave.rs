//! How a turn ends: a guard let go, a wait dropped at any stage, a number skipped, a baton closed.

mod common;

use batons::{AcquireError, Baton, BatonGuard, OwnedBatonGuard, SkipError, TryAcquireError};
use common::{calling_waker, counted, line_up, must_end, panic_of, poll_with, refusal, unchanged, wakes_of};
use std::{
    mem,
    panic::AssertUnwindSafe,
    sync::{Arc, Weak},
    task::{Poll, Wake, Waker},
    thread,
};
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};

// ===== guards =====

// cases: B-38, B-39, BB-13
#[test]
fn a_guard_releases_once_by_name_or_by_drop() {
    for by_name in [true, false] {
        let baton = Baton::new(0);
        let guard = baton.try_acquire(0).unwrap();
        let mut waits = line_up(&baton, [1, 2]);
        let end = if by_name { BatonGuard::release } else { drop };
        end(guard);
        assert_eq!((baton.next(), wakes_of(&waits)), (2, vec![1, 0]));
        let guard = assert_ready_ok!(waits[0].poll());
        assert_pending!(waits[1].poll());
        drop(guard);
        drop(assert_ready_ok!(waits[1].poll()));
        assert_eq!((baton.next(), baton.snapshot().is_held()), (3, false));
    }
}

// cases: B-40
#[test]
fn a_guard_may_be_dropped_on_another_thread_or_task() {
    let baton = Baton::new(0);
    let guard: OwnedBatonGuard = assert_ready_ok!(task::spawn(baton.acquire_owned(0)).poll());
    let mut waits = line_up(&baton, [1, 2]);
    thread::spawn(move || drop(guard)).join().unwrap();
    assert_eq!(wakes_of(&waits), [1, 0]);
    let guard = assert_ready_ok!(waits[0].poll());
    thread::scope(|scope| scope.spawn(move || drop(guard)).join().unwrap());
    assert_eq!(wakes_of(&waits), [1, 1]);
}

// cases: B-41, BB-16
#[test]
fn a_holder_that_panics_releases() {
    let baton = Baton::new(0);
    let mut waits = line_up(&baton, [1]);
    let panic = panic_of(AssertUnwindSafe(|| {
        let _guard = baton.try_acquire(0).unwrap();
        panic!("the holder fails");
    }));
    assert_eq!(panic.unwrap().message, "the holder fails");
    assert_eq!(wakes_of(&waits), [1]);
    assert_eq!(assert_ready_ok!(waits[0].poll()).seq(), 1);
}

// cases: B-42
#[test]
fn a_leaked_guard_keeps_its_turn_until_the_baton_is_closed() {
    let baton = Baton::new(0);
    mem::forget(baton.try_acquire(0).unwrap());
    let mut waits = line_up(&baton, [1, 2]);
    for wait in &mut waits {
        assert_pending!(wait.poll());
    }
    assert_eq!(baton.snapshot().holder(), Some(0));
    baton.close();
    assert_eq!(wakes_of(&waits), [1, 1]);
    for wait in &mut waits {
        assert_eq!(assert_ready_err!(wait.poll()), AcquireError::Closed);
    }
}

// ===== waits dropped before their turn =====

// cases: B-45
#[test]
fn a_dropped_wait_makes_its_number_acquirable_again() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    for _ in 0..3 {
        unchanged(&baton, || drop(line_up(&baton, [1, 7])));
    }
    let mut waits = line_up(&baton, [7, 1]);
    drop(guard);
    assert_eq!(assert_ready_ok!(waits[1].poll()).seq(), 1);
}

// cases: B-46
#[test]
fn a_dropped_wait_is_a_gap_until_someone_acquires_or_skips_its_number() {
    for by_skip in [true, false] {
        let baton = Baton::new(0);
        let guard = baton.try_acquire(0).unwrap();
        let mut waits = line_up(&baton, [1, 2]);
        drop(waits.remove(0));
        guard.release();
        assert_eq!((baton.next(), baton.snapshot().is_held(), wakes_of(&waits)), (1, false, vec![0]));
        if by_skip {
            baton.skip(1).unwrap();
        } else {
            drop(assert_ready_ok!(task::spawn(baton.acquire(1)).poll()));
        }
        assert_eq!(wakes_of(&waits), [1]);
        assert_eq!(assert_ready_ok!(waits[0].poll()).seq(), 2);
    }
}

// cases: B-44
#[tokio::test(start_paused = true)]
async fn a_wait_whose_time_is_over_is_withdrawn() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let before = baton.snapshot();
    let second = std::time::Duration::from_secs(1);
    assert!(tokio::time::timeout(second, baton.acquire(1)).await.is_err());
    assert_eq!(baton.snapshot(), before);
    let mut again = task::spawn(baton.acquire(1));
    assert_pending!(again.poll());
    drop(guard);
    drop(assert_ready_ok!(again.poll()));
}

// cases: B-50
#[tokio::test(start_paused = true)]
async fn a_grant_that_came_in_time_is_answered_after_the_time() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let second = std::time::Duration::from_secs(1);
    let mut wait = task::spawn(tokio::time::timeout(second, baton.acquire(1)));
    assert_pending!(wait.poll());
    drop(guard);
    tokio::time::advance(2 * second).await;
    let answer = tokio_test::assert_ready!(wait.poll());
    assert_eq!(answer.expect("the grant beats the time-out").unwrap().seq(), 1);
}

#[test]
fn a_hundred_thousand_dropped_waits_leave_nothing_behind() {
    let baton = Baton::builder().window(1 << 20).build();
    let fresh = baton.snapshot();
    for number in 0..100_000 {
        drop(line_up(&baton, [1 + number * 7 % 1_000_000]));
    }
    assert_eq!(baton.snapshot(), fresh);
}

// ===== grants that are never seen =====

// cases: B-49, BB-36
#[test]
fn a_grant_that_is_dropped_unseen_passes_the_turn_on() {
    for owned in [true, false] {
        let baton = Baton::new(0);
        let guard = baton.try_acquire(0).unwrap();
        let mut waits = line_up(&baton, [2, 3]);
        let (mut one, mut one_owned) = (counted(baton.acquire(1)), counted(baton.acquire_owned(1)));
        assert!(if owned { one_owned.poll().is_pending() } else { one.poll().is_pending() });
        drop(guard);
        assert_eq!((baton.snapshot().holder(), one.wakes() + one_owned.wakes()), (Some(1), 1));
        drop((one, one_owned));
        assert_eq!((baton.snapshot().holder(), wakes_of(&waits)), (Some(2), vec![1, 0]));
        assert_eq!(refusal(&baton, 1), AcquireError::Passed, "the number is used up");
        drop(assert_ready_ok!(waits[0].poll()));
        drop(assert_ready_ok!(waits[1].poll()));
    }
}

#[test]
fn a_grant_that_is_dropped_unseen_frees_the_baton_if_nobody_is_next() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let waits = line_up(&baton, [1, 3]);
    drop(guard);
    drop(waits);
    assert_eq!((baton.next(), baton.snapshot().is_held()), (2, false));
    assert!(baton.snapshot().waiting().is_empty());
    assert!(baton.try_acquire(2).is_ok());
}

#[test]
fn grants_that_are_all_dropped_unseen_run_through_the_line() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let waits = line_up(&baton, 1..=100);
    drop(guard);
    drop(waits); // in turn: each drop grants the next one, which is dropped then
    assert_eq!((baton.next(), baton.snapshot().is_held()), (101, false));
}

// ===== numbers passed over =====

// cases: B-47
#[test]
fn skipping_the_number_that_is_missing_wakes_the_next_waiter() {
    let baton = Baton::new(1);
    let mut waits = line_up(&baton, [2, 3]);
    baton.skip(1).unwrap();
    assert_eq!((baton.snapshot().holder(), wakes_of(&waits)), (Some(2), vec![1, 0]));
    assert_eq!(assert_ready_ok!(waits[0].poll()).seq(), 2);
}

// cases: B-48
#[test]
fn a_number_skipped_ahead_of_time_is_passed_over_when_its_turn_comes() {
    for first in [0, u64::MAX - 1] {
        let number = |ahead| first.wrapping_add(ahead);
        let baton = Baton::new(first);
        baton.skip(number(3)).unwrap();
        baton.skip(number(2)).unwrap();
        assert_eq!(baton.snapshot().skipped(), [number(2), number(3)]);
        let mut waits = line_up(&baton, [number(1), number(4)]);
        drop(baton.try_acquire(first).unwrap());
        assert_eq!(wakes_of(&waits), [1, 0]);
        drop(assert_ready_ok!(waits[0].poll()));
        assert_eq!((baton.snapshot().holder(), wakes_of(&waits)), (Some(number(4)), vec![1, 1]));
        assert!(baton.snapshot().skipped().is_empty());
    }
}

#[test]
fn a_skip_while_the_baton_is_held_waits_for_the_release() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    baton.skip(1).unwrap();
    assert_eq!(baton.next(), 1);
    guard.release();
    assert_eq!((baton.next(), baton.snapshot().is_held()), (2, false));
}

#[test]
fn a_skipped_number_is_passed_for_everybody() {
    let baton = Baton::new(0);
    baton.skip(2).unwrap();
    assert_eq!(unchanged(&baton, || refusal(&baton, 2)), AcquireError::Passed);
    assert_eq!(unchanged(&baton, || baton.try_acquire(2).unwrap_err()), TryAcquireError::Passed);
    assert_eq!(unchanged(&baton, || baton.skip(2).unwrap_err()), SkipError::Passed);
}

#[test]
fn a_number_that_somebody_wants_cannot_be_skipped() {
    let baton = Baton::builder().window(8).build();
    let mut waits = line_up(&baton, [1]);
    assert_eq!(unchanged(&baton, || baton.skip(1).unwrap_err()), SkipError::Requested);
    drop(baton.try_acquire(0).unwrap());
    assert_eq!(unchanged(&baton, || baton.skip(0).unwrap_err()), SkipError::Passed);
    assert_eq!(unchanged(&baton, || baton.skip(1).unwrap_err()), SkipError::Passed, "it holds");
    assert_eq!(unchanged(&baton, || baton.skip(10).unwrap_err()), SkipError::TooFar { limit: 9 });
    drop(assert_ready_ok!(waits[0].poll()));
    baton.close();
    assert_eq!(unchanged(&baton, || baton.skip(2).unwrap_err()), SkipError::Closed);
}

// ===== closing =====

// cases: B-54, B-57
#[test]
fn a_closed_baton_refuses_everybody_and_stays_closed() {
    let baton = Baton::new(1);
    assert!(!baton.is_closed());
    baton.close();
    for number in [0, 1, 2, 70_000] {
        assert_eq!(unchanged(&baton, || refusal(&baton, number)), AcquireError::Closed);
    }
    unchanged(&baton, || baton.close());
    assert!(baton.is_closed());
    assert_eq!(baton.next(), 1);
}

// cases: B-55, BB-14
#[test]
fn closing_a_held_baton_frees_the_line_and_leaves_the_holder_its_turn() {
    let baton = Baton::new(1);
    let guard = baton.try_acquire(1).unwrap();
    let mut waits = line_up(&baton, [2, 3]);
    baton.close();
    assert_eq!(wakes_of(&waits), [1, 1]);
    for wait in &mut waits {
        assert_eq!(assert_ready_err!(wait.poll()), AcquireError::Closed);
    }
    assert_eq!((guard.seq(), baton.snapshot().holder()), (1, Some(1)));
    guard.release();
    assert_eq!((baton.snapshot().holder(), baton.is_closed()), (None, true));
    assert_eq!(wakes_of(&waits), [1, 1]);
}

// cases: B-56, BB-15, BB-35
#[test]
fn closing_a_free_baton_frees_everyone_who_waits_behind_a_gap() {
    let baton = Baton::new(1);
    let mut waits = line_up(&baton, [2, 3, 60_000]);
    baton.close();
    assert_eq!(wakes_of(&waits), [1, 1, 1]);
    assert!(baton.snapshot().waiting().is_empty());
    for wait in &mut waits {
        assert_eq!(assert_ready_err!(wait.poll()), AcquireError::Closed);
    }
}

#[test]
fn a_grant_made_before_the_close_is_still_answered() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let mut waits = line_up(&baton, [1]);
    guard.release();
    baton.close();
    let guard = assert_ready_ok!(waits[0].poll());
    assert_eq!(guard.seq(), 1);
    drop(guard);
    assert!(!baton.snapshot().is_held());
}

#[test]
fn waits_that_are_dropped_after_the_close_are_quiet() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let waits = line_up(&baton, [1, 2]);
    guard.release();
    baton.close();
    let closed = baton.snapshot();
    assert_eq!(closed.holder(), Some(1));
    drop(waits);
    assert_eq!((baton.next(), baton.snapshot().is_held()), (2, false));
}

// cases: B-58, BB-23
#[test]
fn a_wait_keeps_its_baton_alive() {
    let baton = Baton::new(0);
    let guard = assert_ready_ok!(task::spawn(baton.acquire_owned(0)).poll());
    let mut wait = counted(baton.acquire_owned(1));
    assert_pending!(wait.poll());
    drop(baton);
    drop(guard);
    assert_eq!(wait.wakes(), 1);
    drop(assert_ready_ok!(wait.poll()));
}

// ===== wakers that misbehave =====

#[test]
fn a_waker_may_use_the_baton_it_is_woken_by() {
    must_end(|| {
        let baton = Baton::new(0);
        let guard = baton.try_acquire(0).unwrap();
        let inner = baton.clone();
        let waker = calling_waker(move || {
            assert_eq!(inner.snapshot().holder(), Some(1));
            assert_eq!(inner.try_acquire(2).unwrap_err(), TryAcquireError::WouldBlock);
            inner.skip(2).unwrap();
            inner.close();
        });
        let mut wait = baton.acquire(1);
        assert_pending!(poll_with(&mut wait, &waker));
        drop(guard);
        assert!(baton.is_closed());
    });
}

#[test]
fn a_waker_may_use_the_baton_when_it_is_dropped() {
    struct Dropped(Weak<Baton>);

    impl Wake for Dropped {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Dropped {
        fn drop(&mut self) {
            drop(self.0.upgrade().map(|baton| baton.snapshot()));
        }
    }

    must_end(|| {
        let baton = Arc::new(Baton::new(0));
        let waker = || Waker::from(Arc::new(Dropped(Arc::downgrade(&baton))));
        let mut replaced = baton.acquire(1);
        assert_pending!(poll_with(&mut replaced, &waker()));
        assert_pending!(poll_with(&mut replaced, &waker()));
        let mut closed = baton.acquire(2);
        assert_pending!(poll_with(&mut closed, &waker()));
        drop(replaced);
        baton.close();
        assert_eq!(assert_ready_err!(poll_with(&mut closed, &waker())), AcquireError::Closed);
    });
}

#[test]
fn a_waker_that_panics_has_not_kept_the_baton_from_its_waiter() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let mut wait = baton.acquire(1);
    assert_pending!(poll_with(&mut wait, &calling_waker(|| panic!("the waker fails"))));
    let panic = panic_of(AssertUnwindSafe(|| guard.release())).unwrap();
    assert_eq!(panic.message, "the waker fails");
    drop(assert_ready_ok!(poll_with(&mut wait, Waker::noop())));
    assert!(baton.try_acquire(2).is_ok());
}

#[test]
fn a_waker_that_panics_does_not_keep_the_others_from_hearing_of_the_close() {
    let baton = Baton::new(0);
    let others = line_up(&baton, [1, 3, 65_000]);
    let mut failing = baton.acquire(2);
    assert_pending!(poll_with(&mut failing, &calling_waker(|| panic!("the waker fails"))));
    let panic = panic_of(AssertUnwindSafe(|| baton.close())).unwrap();
    assert_eq!(panic.message, "the waker fails");
    assert_eq!(wakes_of(&others), [1, 1, 1]);
    let answer = poll_with(&mut failing, Waker::noop());
    assert_eq!(answer.map(Result::unwrap_err), Poll::Ready(AcquireError::Closed));
}
