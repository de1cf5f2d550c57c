//! What a mutex does for its owner and for those in line. What becomes of it when its owner is gone is in
//! `mutex_abandoned.rs`.

mod common;

use batons::{HeldMutex, Mutex, MutexGuard, NotOwner, Owner, wait_any};
use common::{Counted, calling_waker, counted, must_end, panic_of, poll_with, wakes_of};
use std::{
    future::Future,
    mem,
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicU64, Ordering},
    task::Waker,
    thread,
    time::Duration,
};
use tokio_test::{assert_pending, assert_ready_ok};

const DEEPEST: u32 = 0xFFFF;

fn stands<F: Future>(wait: F) -> Counted<F> {
    let mut wait = counted(wait);
    assert!(wait.poll().is_pending(), "it was answered at once");
    wait
}

/// The guard of a mutex that can be had at once and that nobody has abandoned.
#[track_caller]
fn lock<'a>(mutex: &'a Mutex, owner: &Owner) -> MutexGuard<'a> {
    mutex.try_lock(owner).expect("it is free").expect("it is in order")
}

/// Locks a level that no guard holds.
#[track_caller]
fn lock_by_hand(mutex: &Mutex, owner: &Owner) {
    lock(mutex, owner).forget();
}

// ===== owner and depth =====

// cases: MX-02, MX-03, MX-11
#[test]
fn a_mutex_is_owned_by_one() {
    let (mutex, one, two) = (Mutex::new(), Owner::new(), Owner::new());
    assert_eq!((mutex.depth(), mutex.is_locked(), mutex.is_owned_by(&one)), (0, false, false));
    let guard = lock(&mutex, &one);
    assert_eq!((mutex.depth(), mutex.is_locked(), mutex.is_owned_by(&one)), (1, true, true));
    assert!(!mutex.is_owned_by(&two));
    assert!(mutex.try_lock(&two).is_none());
    assert!(mutex.blocking_lock_timeout(&two, Duration::ZERO).is_err());
    assert!(mutex.blocking_lock_timeout(&two, Duration::from_millis(1)).is_err());
    assert_eq!((mutex.depth(), mutex.is_owned_by(&one), mutex.is_abandoned()), (1, true, false));
    assert_eq!(format!("{mutex:?}"), "Mutex { depth: 1, abandoned: false, .. }");
    drop(guard);
    drop(lock(&mutex, &two));
    assert!(!mutex.is_locked());
}

// cases: MX-04, MX-08, MX-09, MX-10, MX-14, MX-33
#[test]
fn each_level_is_unlocked_by_itself_and_tells_the_depth_before() {
    let (mutex, me) = (Mutex::new(), Owner::new());
    for depth in 1..=3 {
        lock_by_hand(&mutex, &me);
        assert_eq!(mutex.depth(), depth);
    }
    for depth in [3, 2, 1] {
        assert!(mutex.is_owned_by(&me));
        assert_eq!((mutex.unlock(&me), mutex.depth()), (Ok(depth), depth - 1));
    }
    assert_eq!((mutex.unlock(&me), mutex.is_abandoned()), (Err(not_owner()), false));
}

fn not_owner() -> NotOwner {
    Mutex::new().unlock(&Owner::new()).expect_err("nobody owns it")
}

// cases: MX-05, MX-06
#[test]
fn whoever_does_not_own_it_cannot_unlock_it() {
    let (mutex, one, two) = (Mutex::new(), Owner::new(), Owner::default());
    assert_eq!(mutex.unlock(&one), Err(not_owner()));
    lock_by_hand(&mutex, &one);
    lock_by_hand(&mutex, &one);
    let wait = stands(mutex.lock(&two));
    assert_eq!(mutex.unlock(&two), Err(not_owner()));
    assert_eq!((mutex.depth(), mutex.is_owned_by(&one), wait.wakes()), (2, true, 0));
    assert!(!mutex.is_abandoned());
}

// cases: MX-12, MX-13
#[test]
fn the_owner_never_waits_for_itself_in_whatever_form_it_asks() {
    must_end(|| {
        let (mutex, me) = (Mutex::new(), Owner::new());
        let hour = Duration::from_secs(3600);
        for round in 1..=17 {
            let now = mutex.blocking_lock_timeout(&me, Duration::ZERO).expect("no time is needed");
            now.expect("in order").forget();
            mutex.blocking_lock_timeout(&me, hour).expect("in time").expect("in order").forget();
            mutex.blocking_lock(&me).expect("in order").forget();
            assert_eq!(mutex.depth(), 3 * round);
        }
        for depth in (1..=51).rev() {
            assert_eq!(mutex.unlock(&me), Ok(depth));
        }
        assert_eq!(mutex.unlock(&me), Err(not_owner()));
    });
}

// cases: MX-34, MX-35
#[test]
fn clones_are_one_mutex_and_a_handle_holds_no_level() {
    let (mutex, me) = (Mutex::default(), Owner::new());
    let clone = mutex.clone();
    for _ in 0..16 {
        lock_by_hand(&mutex, &me);
        lock_by_hand(&clone, &me);
    }
    drop(mutex);
    for depth in (1..=32).rev() {
        assert_eq!(clone.unlock(&me), Ok(depth));
    }
    assert_eq!(clone.unlock(&me), Err(not_owner()));
}

// cases: MX-18, MX-19
#[test]
fn at_the_deepest_level_the_owner_waits_for_one_of_its_own() {
    let (mutex, me, other) = (Mutex::new(), Owner::new(), Owner::new());
    (0..DEEPEST).for_each(|_| lock_by_hand(&mutex, &me));
    assert_eq!((mutex.depth(), mutex.is_owned_by(&me)), (DEEPEST, true));
    assert!(mutex.try_lock(&me).is_none());
    let mut wait = stands(mutex.lock(&me));
    assert!(mutex.try_lock(&other).is_none());
    assert_eq!((mutex.depth(), mutex.is_owned_by(&me), mutex.is_abandoned()), (DEEPEST, true, false));
    assert_eq!((mutex.unlock(&me), wait.wakes(), mutex.depth()), (Ok(DEEPEST), 1, DEEPEST));
    drop(assert_ready_ok!(wait.poll()));
    assert_eq!(mutex.depth(), DEEPEST - 1);
}

// ===== guards =====

// cases: MX-04, MX-25
#[test]
fn guards_are_levels_in_whatever_order_they_go() {
    let (mutex, me) = (Mutex::new(), Owner::new());
    let (outer, inner) = (lock(&mutex, &me), lock(&mutex, &me));
    drop(outer);
    assert_eq!((mutex.depth(), mutex.is_owned_by(&me)), (1, true));
    drop(inner);
    assert_eq!((mutex.depth(), mutex.is_abandoned()), (0, false));
    let owned = assert_ready_ok!(counted(mutex.lock_owned(&me)).poll());
    thread::spawn(move || drop(owned)).join().unwrap();
    assert_eq!((mutex.depth(), mutex.is_abandoned()), (0, false));
}

#[test]
fn a_forgotten_level_is_unlocked_by_hand() {
    let (mutex, me) = (Mutex::new(), Owner::new());
    lock(&mutex, &me).forget();
    assert_eq!(mutex.depth(), 1);
    let guard = lock(&mutex, &me);
    assert_eq!((mutex.unlock(&me), mutex.depth()), (Ok(2), 1));
    drop(guard); // no level of the guard's own is marked: the last one goes
    assert_eq!((mutex.depth(), mutex.unlock(&me)), (0, Err(not_owner())));
}

// cases: MX-42
#[test]
fn a_leaked_guard_keeps_the_mutex_locked() {
    let (mutex, me, other) = (Mutex::new(), Owner::new(), Owner::new());
    mem::forget(lock(&mutex, &me));
    let mut wait = stands(mutex.lock(&other));
    assert_eq!((mutex.depth(), mutex.is_abandoned(), wait.wakes()), (1, false, 0));
    assert_pending!(wait.poll());
}

// ===== the line =====

// cases: MX-16, MX-17
#[test]
fn an_unlock_hands_over_to_the_first_in_line_before_it_runs() {
    let (mutex, owners) = (Mutex::new(), [(); 4].map(|()| Owner::new()));
    let guard = lock(&mutex, &owners[0]);
    let mut waits: Vec<_> = owners[1..].iter().map(|owner| stands(mutex.lock(owner))).collect();
    drop(guard);
    for next in 0..3 {
        assert!(mutex.is_owned_by(&owners[next + 1]));
        assert_eq!((mutex.depth(), wakes_of(&waits[..=next])), (1, vec![1; next + 1]));
        assert!(waits[next + 1..].iter().all(|wait| wait.wakes() == 0));
        assert!(mutex.try_lock(&Owner::new()).is_none(), "a newcomer does not overtake");
        drop(assert_ready_ok!(waits[next].poll()));
    }
    assert!(!mutex.is_locked());
}

// cases: MX-10
#[test]
fn the_owner_passes_the_line() {
    let (mutex, me, other) = (Mutex::new(), Owner::new(), Owner::new());
    let guard = lock(&mutex, &me);
    let mut wait = stands(mutex.lock(&other));
    let again = lock(&mutex, &me);
    let third = assert_ready_ok!(counted(mutex.lock(&me)).poll());
    assert_eq!(mutex.depth(), 3);
    drop((guard, again));
    assert_eq!((mutex.depth(), wait.wakes()), (1, 0));
    drop(third);
    assert!(mutex.is_owned_by(&other));
    drop(assert_ready_ok!(wait.poll()));
}

// cases: MX-15
#[test]
fn a_wait_for_any_is_served_when_the_last_level_is_unlocked() {
    let (mutex, other, me, it) = (Mutex::new(), Mutex::new(), Owner::new(), Owner::new());
    let _held = lock(&other, &me);
    let (outer, inner) = (lock(&mutex, &me), lock(&mutex, &me));
    let mut any = stands(wait_any([other.lock(&it), mutex.lock(&it)]));
    drop(inner);
    assert_eq!(any.wakes(), 0);
    drop(outer);
    assert_eq!((any.wakes(), mutex.is_owned_by(&it)), (1, true));
    let (index, guard) = assert_ready_ok!(any.poll());
    assert_eq!((index, guard.is_ok(), mutex.depth()), (1, true, 1));
}

// cases: MX-44
#[test]
fn a_second_future_of_a_task_waits_unless_it_has_the_same_owner() {
    let (mutex, me, other) = (Mutex::new(), Owner::new(), Owner::new());
    let first = assert_ready_ok!(counted(mutex.lock(&me)).poll());
    let mut foreign = stands(mutex.lock(&other));
    let second = assert_ready_ok!(counted(mutex.lock(&me)).poll());
    drop((first, second));
    drop(assert_ready_ok!(foreign.poll()));
}

// cases: MX-44
#[test]
fn two_futures_of_an_owner_that_stand_together_are_granted_together() {
    let (mutex, me, other) = (Mutex::new(), Owner::new(), Owner::new());
    let guard = lock(&mutex, &other);
    let mut waits = [stands(mutex.lock(&me)), stands(mutex.lock(&me))];
    drop(guard);
    assert_eq!((wakes_of(&waits), mutex.depth(), mutex.is_owned_by(&me)), (vec![1, 1], 2, true));
    let second = assert_ready_ok!(waits[1].poll());
    let first = assert_ready_ok!(waits[0].poll());
    drop((first, second));
    assert!(!mutex.is_locked());
}

// cases: MX-44
#[test]
fn a_wait_in_line_keeps_its_place_if_its_owner_gets_the_mutex_by_another() {
    let (mutex, me, other, third) = (Mutex::new(), Owner::new(), Owner::new(), Owner::new());
    let guard = lock(&mutex, &other);
    let mut first = stands(mutex.lock(&me));
    let mut between = stands(mutex.lock(&third));
    let mut second = stands(mutex.lock(&me));
    drop(guard);
    let guard = assert_ready_ok!(first.poll());
    assert_pending!(second.poll());
    drop(lock(&mutex, &me)); // a new one passes the line
    drop(guard);
    assert_eq!((mutex.is_owned_by(&third), second.wakes()), (true, 0));
    drop(assert_ready_ok!(between.poll()));
    assert_eq!((mutex.is_owned_by(&me), second.wakes()), (true, 1));
    drop(assert_ready_ok!(second.poll()));
}

#[test]
fn a_wait_does_nothing_before_its_first_poll_and_panics_after_its_answer() {
    let (mutex, me) = (Mutex::new(), Owner::new());
    let mut wait = mutex.lock(&me);
    assert!(!mutex.is_locked());
    let guard = assert_ready_ok!(poll_with(&mut wait, Waker::noop()));
    let panic = panic_of(AssertUnwindSafe(|| drop(poll_with(&mut wait, Waker::noop())))).unwrap();
    assert_eq!(panic.message, "`LockMutex` polled after completion");
    drop(wait);
    assert_eq!(mutex.depth(), 1);
    drop(guard);
}

// ===== grants that are never seen =====

// cases: MX-41
#[test]
fn a_grant_that_is_never_seen_hands_over_or_frees_the_mutex() {
    let (mutex, owners) = (Mutex::new(), [(); 4].map(|()| Owner::new()));
    let guard = lock(&mutex, &owners[0]);
    let mut waits: Vec<_> = owners[1..].iter().map(|owner| stands(mutex.lock(owner))).collect();
    drop(guard);
    drop(waits.remove(0));
    assert!(mutex.is_owned_by(&owners[2]));
    drop(waits.remove(0)); // granted by the drop, and dropped again
    assert!(mutex.is_owned_by(&owners[3]));
    assert_eq!(wakes_of(&waits), [1]);
    drop(waits);
    assert_eq!((mutex.depth(), mutex.is_abandoned()), (0, false));
}

// cases: MX-41
#[test]
fn of_several_levels_the_one_that_is_never_seen_is_given_back() {
    let (mutex, me, other, first) = (Mutex::new(), Owner::new(), Owner::new(), Owner::new());
    let guard = lock(&mutex, &first);
    let mut seen = stands(mutex.lock(&me));
    let unseen = [stands(mutex.lock(&me)), stands(mutex.lock(&me))];
    let last = stands(mutex.lock(&other));
    drop(guard);
    assert_eq!(mutex.depth(), 3);
    let guard = assert_ready_ok!(seen.poll());
    for (wait, left) in unseen.into_iter().zip([2, 1]) {
        drop(wait);
        assert_eq!((mutex.depth(), mutex.is_owned_by(&me), last.wakes()), (left, true, 0));
    }
    drop(guard);
    assert_eq!((mutex.is_owned_by(&other), mutex.is_abandoned()), (true, false));
}

// cases: MX-45
#[test]
fn whoever_waits_in_vain_is_never_left_as_the_owner() {
    must_end(|| {
        for _ in 0..300 {
            let (mutex, one, two) = (Mutex::new(), Owner::new(), Owner::new());
            let guard = lock(&mutex, &one);
            let (start, begun) = std::sync::mpsc::channel();
            let got = thread::scope(|scope| {
                scope.spawn(move || {
                    begun.recv().unwrap();
                    drop(guard);
                });
                start.send(()).unwrap();
                let got = mutex.blocking_lock_timeout(&two, Duration::from_micros(20));
                got.map(|locked| HeldMutex::forget(locked.expect("in order"))).is_ok()
            });
            assert_eq!((mutex.is_owned_by(&two), mutex.is_locked()), (got, got));
        }
    });
}

// ===== wakers and threads =====

#[test]
fn a_waker_may_use_the_mutex_that_wakes_it() {
    must_end(|| {
        let (mutex, me) = (Mutex::new(), Owner::new());
        let inner = mutex.clone();
        let waker = calling_waker(move || {
            let other = Owner::new();
            assert!(inner.try_lock(&other).is_none() && inner.unlock(&other).is_err());
            assert_eq!(inner.depth(), 1);
            drop(stands(inner.lock(&other)));
        });
        let first = Owner::new();
        let guard = lock(&mutex, &first);
        let mut wait = mutex.lock(&me);
        assert_pending!(poll_with(&mut wait, &waker));
        drop(guard);
        assert!(mutex.is_owned_by(&me));
        drop(assert_ready_ok!(poll_with(&mut wait, &waker)));
    });
}

// cases: MX-40
#[test]
fn four_threads_count_to_forty_thousand() {
    must_end(|| {
        let (mutex, count) = (Mutex::new(), AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let me = Owner::new();
                    for _ in 0..10_000 {
                        let _guard = mutex.blocking_lock(&me).expect("in order");
                        // Not one step on purpose: the mutex makes it one.
                        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!((count.into_inner(), mutex.depth(), mutex.is_abandoned()), (40_000, 0, false));
    });
}

#[test]
fn a_refused_unlock_says_so() {
    assert_eq!(not_owner().to_string(), "the mutex is not owned by this owner; nothing was changed");
}
