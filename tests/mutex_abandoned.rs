//! What becomes of a mutex whose owner is gone, or leaves it in disorder: the next owner is told, once.

mod common;

use batons::{Abandoned, HeldMutex, Mutex, MutexGuard, OwnedMutexGuard, Owner, wait_any};
use common::{Counted, calling_waker, counted, must_end, panic_of, poll_with, wakes_of};
use std::{error::Error, future::Future, panic::AssertUnwindSafe, sync::Arc, thread, time::Duration};
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok};

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

/// The word of a mutex that can be had at once and that was abandoned.
#[track_caller]
fn told<'a>(mutex: &'a Mutex, owner: &Owner) -> Abandoned<MutexGuard<'a>> {
    mutex.try_lock(owner).expect("it is free").expect_err("it is abandoned")
}

/// A mutex whose owner is gone.
fn abandoned() -> Mutex {
    let (mutex, gone) = (Mutex::new(), Owner::new());
    lock(&mutex, &gone).forget();
    drop(gone);
    mutex
}

/// Depth, and whether the next owner will be told.
fn of(mutex: &Mutex) -> (u32, bool) {
    (mutex.depth(), mutex.is_abandoned())
}

// ===== told once =====

// cases: MX-22, MX-23, MX-24
#[test]
fn an_owner_that_is_gone_leaves_all_levels_at_once_and_the_next_is_told() {
    for depth in [1, 2, 40] {
        let (mutex, gone, me) = (Mutex::new(), Owner::new(), Owner::new());
        (0..depth).for_each(|_| lock(&mutex, &gone).forget());
        drop(gone);
        assert_eq!([of(&mutex), of(&mutex)], [(0, true); 2], "looking does not change it");
        assert_eq!(format!("{mutex:?}"), "Mutex { depth: 0, abandoned: true, .. }");
        let word = told(&mutex, &me);
        assert_eq!((of(&mutex), mutex.is_owned_by(&me)), ((1, false), true));
        drop(word.into_inner());
        assert_eq!(of(&mutex), (0, false));
    }
}

// cases: MX-25, MX-27
#[test]
fn only_the_first_owner_is_told_and_it_owns_the_mutex_alone() {
    let (mutex, me, other) = (abandoned(), Owner::new(), Owner::new());
    let guard = told(&mutex, &me).into_inner();
    assert!(mutex.try_lock(&other).is_none());
    drop(lock(&mutex, &me));
    drop(guard);
    drop(lock(&mutex, &me));
    drop(lock(&mutex, &other));
}

#[test]
fn every_form_of_lock_tells() {
    must_end(|| {
        let me = Owner::new();
        let zero = Duration::ZERO;
        drop(told(&abandoned(), &me).into_inner());
        drop(abandoned().blocking_lock(&me).expect_err("abandoned").into_inner());
        drop(
            abandoned()
                .blocking_lock_timeout(&me, zero)
                .expect("in time")
                .expect_err("abandoned")
                .into_inner(),
        );
        let mutex = abandoned();
        drop(assert_ready_err!(counted(mutex.lock(&me)).poll()).into_inner());
        let owned: OwnedMutexGuard =
            assert_ready_err!(counted(abandoned().lock_owned(&me)).poll()).into_inner();
        drop(owned);
    });
}

// cases: MX-26
#[test]
fn whoever_was_told_and_is_gone_as_well_is_told_of_again() {
    let (mutex, me) = (abandoned(), Owner::new());
    for _ in 0..3 {
        let next = Owner::new();
        told(&mutex, &next).into_inner().forget();
        assert_eq!(of(&mutex), (1, false));
        drop(next);
        assert_eq!(of(&mutex), (0, true));
    }
    drop(told(&mutex, &me).into_inner());
    assert_eq!(of(&mutex), (0, false));
}

#[test]
fn a_word_that_is_never_opened_is_told_again() {
    let (mutex, me, other) = (abandoned(), Owner::new(), Owner::new());
    for owner in [&me, &other, &me] {
        let word = told(&mutex, owner);
        assert_eq!(of(word_mutex(&word, &mutex)), (1, false));
        drop(word);
        assert_eq!(of(&mutex), (0, true));
    }
    let mut wait = {
        let _word = told(&mutex, &me);
        stands(mutex.lock(&other))
    };
    assert_eq!((wait.wakes(), mutex.is_owned_by(&other)), (1, true));
    drop(assert_ready_err!(wait.poll()).into_inner());
    assert_eq!(of(&mutex), (0, false));
}

/// The word shows its guard while it is closed.
fn word_mutex<'a>(word: &Abandoned<MutexGuard<'a>>, mutex: &'a Mutex) -> &'a Mutex {
    assert_eq!(format!("{:?}", word.get_ref()), "HeldMutex { .. }");
    mutex
}

#[test]
fn the_word_says_what_it_is() {
    let (mutex, me) = (abandoned(), Owner::new());
    let word: Box<dyn Error + '_> = Box::new(told(&mutex, &me));
    assert_eq!(word.to_string(), "the last owner abandoned the mutex; it is owned all the same");
    assert_eq!(format!("{word:?}"), "Abandoned { .. }");
}

// ===== who abandons =====

// cases: MX-28, MX-29
#[test]
fn whoever_waits_when_the_owner_is_gone_owns_it_and_is_told() {
    let (mutex, gone) = (Mutex::new(), Owner::new());
    let (one, two) = (Owner::new(), Owner::new());
    lock(&mutex, &gone).forget();
    lock(&mutex, &gone).forget();
    let mut waits = [counted(mutex.lock_owned(&one)), counted(mutex.lock_owned(&two))];
    for wait in &mut waits {
        assert_pending!(wait.poll());
    }
    drop(mutex); // the waits keep it alive
    assert_eq!(wakes_of(&waits), [0, 0]);
    drop(gone);
    assert_eq!(wakes_of(&waits), [1, 0]);
    drop(assert_ready_err!(waits[0].poll()).into_inner());
    assert_eq!(wakes_of(&waits), [1, 1]);
    drop(assert_ready_ok!(waits[1].poll()));
}

// cases: MX-30
#[test]
fn an_owner_abandons_each_mutex_that_it_still_owns_and_no_other() {
    let mutexes = [(); 5].map(|()| Mutex::new());
    let (gone, me) = (Owner::new(), Owner::new());
    lock(&mutexes[0], &gone).forget();
    lock(&mutexes[1], &gone).forget();
    lock(&mutexes[1], &gone).forget();
    drop(lock(&mutexes[2], &gone)); // unlocked by its guard
    lock(&mutexes[3], &gone).forget();
    mutexes[3].unlock(&gone).unwrap();
    drop(lock(&mutexes[4], &gone));
    let guard = lock(&mutexes[4], &me);
    let mut wait = stands(mutexes[1].lock(&me));
    drop(gone);
    let states = mutexes.each_ref().map(of);
    assert_eq!(states, [(0, true), (1, false), (0, false), (0, false), (1, false)]);
    drop(assert_ready_err!(wait.poll()).into_inner());
    drop(told(&mutexes[0], &me).into_inner());
    drop(guard);
    assert_eq!(mutexes.each_ref().map(of), [(0, false); 5]);
}

// cases: MX-37, MX-38
#[test]
fn a_mutex_without_a_handle_is_abandoned_by_nobody_until_its_owner_is_gone() {
    let (mutex, gone, me) = (Mutex::new(), Owner::new(), Owner::new());
    let other = mutex.clone();
    lock(&mutex, &gone).forget();
    drop(mutex);
    assert!(other.try_lock(&me).is_none());
    drop(gone);
    drop(told(&other, &me).into_inner());
    let (lost, gone) = (Mutex::new(), Owner::new());
    lock(&lost, &gone).forget();
    drop(lost);
    drop(gone);
}

// cases: MX-43
#[test]
fn a_guard_dropped_by_a_panic_abandons_the_mutex() {
    for waiting in [true, false] {
        let (mutex, me, other) = (Mutex::new(), Owner::new(), Owner::new());
        let mut wait = counted(mutex.lock(&other));
        let panic = panic_of(AssertUnwindSafe(|| {
            let _guard = lock(&mutex, &me);
            assert!(!waiting || wait.poll().is_pending());
            panic!("the owner fails");
        }));
        assert_eq!(panic.unwrap().message, "the owner fails");
        assert_eq!((of(&mutex), wait.wakes()), if waiting { ((1, false), 1) } else { ((0, true), 0) });
        drop(assert_ready_err!(wait.poll()).into_inner());
        drop(lock(&mutex, &me)); // the owner itself goes on
    }
}

// cases: MX-43
#[test]
fn an_inner_level_dropped_by_a_panic_leaves_its_mark_for_the_next_owner() {
    let (mutex, me, other) = (Mutex::new(), Owner::new(), Owner::new());
    let outer = lock(&mutex, &me);
    let panic = panic_of(AssertUnwindSafe(|| {
        let _inner = lock(&mutex, &me);
        panic!("the owner fails");
    }));
    assert!(panic.is_some());
    assert_eq!(of(&mutex), (1, true));
    drop(lock(&mutex, &me)); // not told: it never lost it
    drop(outer);
    drop(told(&mutex, &other).into_inner());
}

#[test]
fn an_owner_may_say_that_it_leaves_the_mutex_in_disorder() {
    let (mutex, me, other) = (Mutex::new(), Owner::new(), Owner::new());
    lock(&mutex, &me).abandon();
    assert_eq!(of(&mutex), (0, true));
    let guard = told(&mutex, &me).into_inner();
    let mut wait = stands(mutex.lock(&other));
    guard.abandon();
    drop(assert_ready_err!(wait.poll()).into_inner());
    let (outer, inner) = (lock(&mutex, &me), lock(&mutex, &me));
    inner.abandon();
    assert_eq!(of(&mutex), (1, true), "one level, and the mark");
    drop(outer);
    drop(told(&mutex, &other).into_inner());
    assert_eq!(of(&mutex), (0, false));
}

// cases: MX-39
#[test]
fn a_guard_that_outlives_its_owner_does_nothing() {
    let (mutex, gone, me) = (Mutex::new(), Owner::new(), Owner::new());
    let guards = (
        assert_ready_ok!(counted(mutex.lock_owned(&gone)).poll()),
        assert_ready_ok!(counted(mutex.lock_owned(&gone)).poll()),
    );
    drop(gone);
    let mine = told(&mutex, &me).into_inner();
    drop(guards.0);
    assert_eq!((of(&mutex), mutex.is_owned_by(&me)), ((1, false), true));
    drop(mine);
    guards.1.abandon();
    assert_eq!(of(&mutex), (0, false));
}

// cases: MX-20
#[test]
fn an_owner_that_owns_nothing_abandons_nothing() {
    let (mutex, me) = (Mutex::new(), Owner::new());
    let guard = lock(&mutex, &me);
    let other = Owner::new();
    let wait = stands(mutex.lock(&other));
    drop(other);
    drop(Owner::new());
    assert_eq!((of(&mutex), mutex.is_owned_by(&me)), ((1, false), true));
    drop(wait);
    drop(guard);
    assert_eq!(of(&mutex), (0, false));
}

// ===== words that are never seen =====

// cases: MX-41
#[test]
fn a_word_that_came_with_a_grant_that_is_never_seen_is_told_to_the_next() {
    let (mutex, gone) = (Mutex::new(), Owner::new());
    let owners = [(); 3].map(|()| Owner::new());
    lock(&mutex, &gone).forget();
    let mut waits: Vec<_> = owners.iter().map(|owner| stands(mutex.lock(owner))).collect();
    drop(gone);
    drop(waits.remove(0));
    drop(waits.remove(0)); // granted by the drop, and dropped again
    assert_eq!((wakes_of(&waits), of(&mutex), mutex.is_owned_by(&owners[2])), (vec![1], (1, false), true));
    drop(waits);
    assert_eq!(of(&mutex), (0, true));
    drop(told(&mutex, &owners[0]).into_inner());
}

// cases: MX-41
#[test]
fn a_word_that_is_never_seen_is_kept_while_its_owner_has_another_level() {
    let (mutex, gone, me, other) = (Mutex::new(), Owner::new(), Owner::new(), Owner::new());
    lock(&mutex, &gone).forget();
    let mut waits = [stands(mutex.lock(&me)), stands(mutex.lock(&me))];
    drop(gone);
    assert_eq!(of(&mutex), (2, false));
    let seen = assert_ready_ok!(waits[1].poll());
    let [unseen, done] = waits;
    drop((unseen, done));
    assert_eq!(of(&mutex), (1, true), "exactly one level, and the word");
    drop(seen);
    drop(told(&mutex, &other).into_inner());
}

#[test]
fn a_wait_for_any_is_told_as_well() {
    let (one, two, me) = (Mutex::new(), abandoned(), Owner::new());
    let other = Owner::new();
    let _held = lock(&one, &other);
    let (index, word) = assert_ready_ok!(counted(wait_any([one.lock(&me), two.lock(&me)])).poll());
    drop(word.expect_err("abandoned").into_inner());
    assert_eq!((index, of(&two)), (1, (0, false)));
}

// ===== owners, waits and wakers that get in each other's way =====

#[test]
fn a_wait_that_was_granted_before_its_token_was_dropped_is_not_told_that_it_owns() {
    let (mutex, gone, other) = (Mutex::new(), Owner::new(), Owner::new());
    let guard = lock(&mutex, &other);
    let mut waits = [counted(mutex.lock_owned(&gone)), counted(mutex.lock_owned(&gone))];
    for wait in &mut waits {
        assert_pending!(wait.poll());
    }
    drop(guard);
    let first = assert_ready_ok!(waits[0].poll());
    drop(gone); // takes both levels
    let mine = told(&mutex, &other).into_inner();
    // The second grant was taken back with the first one: it must not be shown as a lock.
    assert!(!matches!(waits[1].poll(), std::task::Poll::Ready(Ok(_))), "two guards of two owners");
    drop((first, mine));
}

#[test]
fn a_grant_of_a_gone_owner_that_is_never_seen_takes_nothing_from_the_next() {
    let (mutex, gone, other) = (Mutex::new(), Owner::new(), Owner::new());
    let guard = lock(&mutex, &other);
    let mut waits = [stands(mutex.lock(&gone)), stands(mutex.lock(&gone))];
    drop(guard);
    assert_ready_ok!(waits[0].poll()).forget();
    drop(gone);
    let mine = told(&mutex, &other).into_inner();
    drop(waits);
    assert_eq!((of(&mutex), mutex.is_owned_by(&other)), ((1, false), true));
    drop(mine);
}

#[test]
fn a_level_locked_while_the_last_one_is_unlocked_is_abandoned_as_well() {
    for by_guard in [true, false] {
        let (mutex, me, other) = (Mutex::new(), Arc::new(Owner::new()), Owner::new());
        let first = lock(&mutex, &me);
        let next = Arc::new(std::sync::Mutex::new(Some(mutex.lock_owned(&other))));
        let waker = calling_waker({
            let (mutex, me, next) = (mutex.clone(), Arc::clone(&me), Arc::clone(&next));
            move || {
                // The next one goes without a look, and the owner comes again.
                drop(next.lock().unwrap().take());
                lock(&mutex, &me).forget();
            }
        });
        assert_pending!(poll_with(next.lock().unwrap().as_mut().unwrap(), &waker));
        if by_guard {
            drop(first);
        } else {
            first.forget();
            mutex.unlock(&me).unwrap();
        }
        assert!(mutex.is_owned_by(&me));
        drop(waker);
        drop(Arc::into_inner(me).expect("the last handle of the owner"));
        assert_eq!(of(&mutex), (0, true));
    }
}

#[test]
fn a_waker_that_panics_keeps_no_mutex_of_a_gone_owner_locked() {
    let mutexes = [(); 3].map(|()| Mutex::new());
    let (gone, me) = (Owner::new(), Owner::new());
    for mutex in &mutexes {
        lock(mutex, &gone).forget();
    }
    let mut waits = mutexes[1..].iter().map(|mutex| mutex.lock(&me)).collect::<Vec<_>>();
    for wait in &mut waits {
        assert_pending!(poll_with(wait, &calling_waker(|| panic!("the waker fails"))));
    }
    let panic = panic_of(AssertUnwindSafe(|| drop(gone))).expect("it goes on");
    assert_eq!(panic.message, "the waker fails");
    assert_eq!(
        (of(&mutexes[0]), mutexes[1].is_owned_by(&me), mutexes[2].is_owned_by(&me)),
        ((0, true), true, true)
    );
}

// ===== threads =====

// cases: MX-38, MX-39
#[test]
fn owners_that_go_away_all_the_time_lose_no_grant_and_no_word() {
    must_end(|| {
        let mutex = Mutex::new();
        let abandonments = thread::scope(|scope| {
            let threads = [(); 4].map(|()| {
                scope.spawn(|| {
                    let mut words = 0_i32;
                    for round in 0..1_000 {
                        let me = Owner::new();
                        let locked = mutex.blocking_lock(&me).or_else(|word| {
                            words -= 1;
                            Ok::<_, ()>(word.into_inner())
                        });
                        let guard = locked.unwrap();
                        match round % 3 {
                            0 => drop(guard),
                            1 => {
                                words += 1;
                                HeldMutex::forget(guard);
                            }
                            _ => {
                                words += 1;
                                guard.abandon();
                            }
                        }
                    }
                    words
                })
            });
            threads.map(|thread| thread.join().unwrap()).iter().sum::<i32>()
        });
        assert_eq!((mutex.depth(), i32::from(mutex.is_abandoned())), (0, abandonments));
    });
}
