//! A wait on all of several objects takes them in one step, and reserves none before.

mod common;

use batons::{
    Abandoned, AcquireError, AutoResetEvent, Baton, ManualResetEvent, Mutex, Owner, Semaphore, WaitError,
    blocking, wait_all, wait_any,
};
use common::{counted, counting_waker, line_up, panic_of, poll_with};
use std::{panic::AssertUnwindSafe, time::Duration};
use tokio_test::{assert_pending, assert_ready, assert_ready_ok, task};

fn set_of<const N: usize>(events: &[AutoResetEvent; N]) -> [bool; N] {
    events.each_ref().map(AutoResetEvent::is_set)
}

/// The refusal, its index and what it says.
fn refused<T>(answer: Result<T, WaitError>) -> (usize, AcquireError) {
    match answer {
        Err(WaitError::Refused { index, refusal }) => {
            (index, *refusal.downcast_ref().expect("what it refuses"))
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was granted"),
    }
}

// ===== ready at once =====

// cases: WL-01, WL-02, WL-03, WL-04, WL-05, WL-06, WL-25
#[test]
fn a_semaphore_and_a_mutex_are_taken_together_or_not_at_all() {
    let (semaphore, mutex) = (Semaphore::new(2, 3), Mutex::new());
    let (a, b) = (Owner::new(), Owner::new());
    let take = |owner: &Owner| {
        let waits = (semaphore.acquire(), mutex.lock(owner));
        let answer = blocking::wait_all_timeout(waits, Duration::ZERO).map(|(permit, lock)| {
            permit.unwrap().forget();
            let abandoned = lock.is_err();
            lock.unwrap_or_else(Abandoned::into_inner).forget();
            abandoned
        });
        (answer.ok(), semaphore.available(), mutex.depth(), mutex.is_owned_by(owner))
    };
    assert_eq!(take(&a), (Some(false), 1, 1, true));
    assert_eq!(take(&b), (None, 1, 1, false));
    assert_eq!(take(&a), (Some(false), 0, 2, true));
    assert_eq!(take(&a), (None, 0, 2, true));
    semaphore.release(3).unwrap();
    assert_eq!(take(&a), (Some(false), 2, 3, true));
    drop(a);
    assert_eq!(take(&b), (Some(true), 1, 1, true));
    assert_eq!(take(&b), (Some(false), 0, 2, true), "it is told once");
}

// cases: WL-07, WL-10, WL-17
#[test]
fn objects_that_are_ready_together_beat_a_deadline() {
    let (semaphore, event) = (Semaphore::new(1, 3), ManualResetEvent::new(true));
    let (permit, ()) =
        blocking::wait_all_timeout((semaphore.acquire(), event.wait()), Duration::ZERO).unwrap();
    permit.unwrap().forget();
    assert_eq!((semaphore.available(), event.is_set()), (0, true));
}

// cases: WL-18, WL-19
#[test]
fn some_that_are_ready_are_left_to_others() {
    let events = [false, true, true, false].map(AutoResetEvent::new);
    let answer = blocking::wait_all_timeout(events.each_ref().map(AutoResetEvent::wait), Duration::ZERO);
    assert!(matches!(answer, Err(WaitError::TimedOut)));
    assert_eq!(set_of(&events), [false, true, true, false]);
    let mut all = counted(wait_all(events.each_ref().map(AutoResetEvent::wait)));
    assert_pending!(all.poll());
    assert!(events[1].try_wait() && events[2].try_wait());
    assert_pending!(all.poll());
}

// cases: WL-24
#[test]
fn mutexes_that_the_owner_has_already_are_taken_once_more() {
    let (mutexes, me) = ([(); 4].map(|()| Mutex::new()), Owner::new());
    let outer = [0, 3].map(|index: usize| mutexes[index].try_lock(&me).unwrap().unwrap());
    let all = blocking::wait_all(mutexes.each_ref().map(|mutex| mutex.lock(&me))).unwrap();
    assert_eq!(mutexes.each_ref().map(Mutex::depth), [2, 1, 1, 2]);
    drop(all);
    assert_eq!(mutexes.each_ref().map(Mutex::depth), [1, 0, 0, 1]);
    drop(outer);
}

// cases: WL-27
#[test]
fn of_one_object_it_is_the_single_wait() {
    let event = AutoResetEvent::new(true);
    assert_ready_ok!(task::spawn(wait_all([event.wait()])).poll());
    let (mut first, mut all, mut last) =
        (counted(event.wait()), counted(wait_all([event.wait()])), counted(event.wait()));
    assert_pending!(first.poll());
    assert_pending!(all.poll());
    assert_pending!(last.poll());
    for expected in [(1, 0, 0), (1, 1, 0), (1, 1, 1)] {
        event.set();
        assert_eq!((first.wakes(), all.wakes(), last.wakes()), expected);
    }
}

// cases: WL-28
#[test]
fn a_mutex_at_its_deepest_is_not_ready_for_its_owner() {
    let (mutex, event, me) = (Mutex::new(), AutoResetEvent::new(true), Owner::new());
    for _ in 0..0xFFFF {
        mutex.try_lock(&me).unwrap().unwrap().forget();
    }
    let mut all = counted(wait_all((mutex.lock(&me), event.wait())));
    assert_pending!(all.poll());
    assert!(event.is_set());
    mutex.unlock(&me).unwrap();
    assert_eq!((all.wakes(), event.is_set(), mutex.depth()), (1, false, 0xFFFF));
    let _ = assert_ready_ok!(all.poll()).0.map(batons::MutexGuard::forget);
}

// ===== refusals =====

// cases: WL-08, WL-09
#[test]
fn an_object_that_is_listed_twice_is_refused_through_whatever_handle() {
    let (semaphore, event, me, mutex) =
        (Semaphore::new(3, 3), AutoResetEvent::new(true), Owner::new(), Mutex::new());
    let (semaphore2, mutex2) = (semaphore.clone(), mutex.clone());
    let mut wait = counted(wait_all((semaphore.acquire(), event.wait(), semaphore2.acquire())));
    assert!(matches!(assert_ready!(wait.poll()), Err(WaitError::SameObject { first: 0, second: 2 })));
    let mut wait = counted(wait_all([mutex.lock(&me), mutex2.lock(&me)]));
    assert!(matches!(assert_ready!(wait.poll()), Err(WaitError::SameObject { first: 0, second: 1 })));
    let baton = Baton::new(0);
    let mut wait = counted(wait_all([baton.acquire(0), baton.acquire(1)]));
    assert!(matches!(assert_ready!(wait.poll()), Err(WaitError::SameObject { .. })));
    assert_eq!((semaphore.available(), event.is_set(), mutex.is_locked(), baton.next()), (3, true, false, 0));
}

#[test]
fn an_empty_list_is_refused() {
    let none: [batons::futures::LockMutex<Mutex>; 0] = [];
    assert!(matches!(blocking::wait_all(none), Err(WaitError::Empty)));
}

// cases: WL-31
#[test]
fn there_may_be_any_number_of_members() {
    let events: Vec<_> = (0..100).map(|_| AutoResetEvent::new(false)).collect();
    let mut all = counted(wait_all(events.iter().map(AutoResetEvent::wait).collect::<Vec<_>>()));
    for event in &events {
        assert_pending!(all.poll());
        event.set();
    }
    assert_eq!(assert_ready_ok!(all.poll()).len(), 100);
}

#[test]
fn a_member_that_is_refused_ends_it_with_nothing_taken() {
    let (event, closed, baton) = (AutoResetEvent::new(true), Semaphore::new(1, 1), Baton::new(5));
    closed.close();
    let mut at_once = counted(wait_all((baton.acquire(5), event.wait(), closed.acquire())));
    let (index, refusal) = refused(assert_ready!(at_once.poll()));
    assert_eq!((index, refusal), (2, AcquireError::Closed));
    let mut passed = counted(wait_all((event.wait(), baton.acquire(4))));
    assert_eq!(refused(assert_ready!(passed.poll())), (1, AcquireError::Passed));
    assert!(event.is_set() && baton.snapshot() == Baton::new(5).snapshot());
}

#[test]
fn a_member_that_is_refused_later_ends_it_as_well() {
    for by_close in [true, false] {
        let (event, semaphore, baton) = (AutoResetEvent::new(true), Semaphore::new(0, 3), Baton::new(5));
        let mut all = counted(wait_all((baton.acquire(5), semaphore.acquire_many(3), event.wait())));
        assert_pending!(all.poll());
        if by_close {
            semaphore.close();
        } else {
            semaphore.resize(2);
            semaphore.release(1).unwrap();
        }
        assert_eq!((all.wakes(), event.is_set(), baton.next()), (1, true, 5));
        let (index, refusal) = refused(assert_ready!(all.poll()));
        assert_eq!(index, 1);
        let expected = if by_close { AcquireError::Closed } else { AcquireError::TooMany { max: 2 } };
        assert_eq!((refusal, event.is_set(), baton.snapshot().waiting()), (expected, true, &[][..]));
    }
}

// ===== after sleeping =====

// cases: WL-11, WL-12, WL-13, WL-14, WL-22, WL-23
#[test]
fn all_must_be_ready_at_one_instant_and_nothing_is_reserved_before() {
    let (semaphore, mutex) = (Semaphore::new(0, 3), Mutex::new());
    let (manual, auto) = (ManualResetEvent::new(true), AutoResetEvent::new(true));
    let (a, b) = (Owner::new(), Owner::new());
    mutex.try_lock(&a).unwrap().unwrap().forget();
    let mut all = counted(wait_all((semaphore.acquire(), mutex.lock(&b), manual.wait(), auto.wait())));
    assert_pending!(all.poll());
    semaphore.release(1).unwrap();
    assert_eq!(semaphore.available(), 1);
    semaphore.try_acquire().expect("it is not reserved").forget();
    mutex.unlock(&a).unwrap();
    assert_eq!((mutex.is_locked(), all.wakes()), (false, 0));
    assert!(manual.reset());
    semaphore.release(2).unwrap();
    assert!(auto.reset());
    manual.set();
    assert_eq!((all.wakes(), semaphore.available(), mutex.is_locked()), (0, 2, false));
    auto.set();
    assert_eq!((all.wakes(), semaphore.available(), mutex.is_owned_by(&b)), (1, 1, true));
    assert_eq!((manual.is_set(), auto.is_set()), (true, false));
    let _held = assert_ready_ok!(all.poll());
}

// cases: WL-15, WL-16, WL-35
#[test]
fn the_last_of_ten_events_completes_it_be_it_by_a_pulse() {
    for by_pulse in [false, true] {
        let (autos, manuals) = ([(); 10].map(|()| AutoResetEvent::new(false)), ManualResetEvent::new(false));
        let mut all = counted(wait_all(autos.each_ref().map(AutoResetEvent::wait)));
        let mut both = counted(wait_all((manuals.wait(), autos[0].wait())));
        for event in &autos[1..] {
            assert_pending!(all.poll());
            event.set();
        }
        if by_pulse {
            autos[0].pulse();
        } else {
            autos[0].set();
        }
        assert_eq!((all.wakes(), set_of(&autos)), (1, [false; 10]));
        assert_ready_ok!(all.poll());
        autos[0].set();
        assert_pending!(both.poll());
        if by_pulse {
            manuals.pulse();
        } else {
            manuals.set();
        }
        assert_ready_ok!(both.poll());
        assert_eq!((manuals.is_set(), autos[0].is_set()), (!by_pulse, false));
    }
}

#[test]
fn a_pulse_of_one_while_another_is_missing_is_gone() {
    let events = [AutoResetEvent::new(false), AutoResetEvent::new(false)];
    let mut all = counted(wait_all(events.each_ref().map(AutoResetEvent::wait)));
    assert_pending!(all.poll());
    events[0].pulse();
    events[1].set();
    assert_eq!((all.wakes(), set_of(&events)), (0, [false, true]));
}

// cases: WL-26
#[test]
fn an_abandonment_outlives_a_wait_that_times_out() {
    let (mutex, event, me) = (Mutex::new(), AutoResetEvent::new(false), Owner::new());
    mutex.try_lock(&Owner::new()).unwrap().unwrap().abandon();
    let both = || blocking::wait_all_timeout((mutex.lock(&me), event.wait()), Duration::ZERO);
    assert!(matches!(both(), Err(WaitError::TimedOut)));
    assert!(mutex.is_abandoned() && !mutex.is_locked());
    event.set();
    assert!(both().unwrap().0.is_err());
}

// cases: WL-29, WL-30
#[test]
fn it_stands_in_each_line_by_its_arrival_and_makes_nobody_wait() {
    let (event, other) = (AutoResetEvent::new(false), AutoResetEvent::new(true));
    let mut first = counted(event.wait());
    let mut all = counted(wait_all([event.wait(), other.wait()]));
    let mut any = counted(wait_any([event.wait()]));
    assert_pending!(first.poll());
    assert_pending!(all.poll());
    assert_pending!(any.poll());
    event.set();
    assert_eq!((first.wakes(), all.wakes(), any.wakes(), other.is_set()), (1, 0, 0, true));
    event.set();
    assert_eq!((first.wakes(), all.wakes(), any.wakes(), other.is_set()), (1, 1, 0, false));
    // One that cannot be served is passed, again and again, also by newcomers.
    let mut all = counted(wait_all([event.wait(), other.wait()]));
    assert_pending!(all.poll());
    event.set();
    assert_eq!((all.wakes(), any.wakes()), (0, 1));
    for _ in 0..100 {
        event.set();
        assert!(event.try_wait());
    }
    assert_pending!(all.poll());
}

// cases: WL-20
#[test]
fn of_two_in_opposite_order_exactly_one_is_granted() {
    let events = [AutoResetEvent::new(false), AutoResetEvent::new(false)];
    let [a, b] = &events;
    let mut waits = [counted(wait_all([a.wait(), b.wait()])), counted(wait_all([b.wait(), a.wait()]))];
    for wait in &mut waits {
        assert_pending!(wait.poll());
    }
    a.set();
    b.set();
    assert_eq!((waits[0].wakes(), waits[1].wakes(), set_of(&events)), (1, 0, [false, false]));
    b.set();
    a.set();
    assert_eq!((waits[0].wakes(), waits[1].wakes(), set_of(&events)), (1, 1, [false, false]));
}

// ===== drops =====

// cases: WL-33
#[test]
fn a_drop_before_the_grant_changes_nothing() {
    let (events, baton) = ([true, false].map(AutoResetEvent::new), Baton::new(0));
    let [set, unset] = &events;
    let mut all = counted(wait_all((set.wait(), baton.acquire(0), unset.wait())));
    assert_pending!(all.poll());
    drop(all);
    assert!(set_of(&events) == [true, false] && baton.snapshot() == Baton::new(0).snapshot());
    unset.set();
    assert_eq!(set_of(&events), [true, true]);
}

// cases: WL-34
#[test]
fn a_grant_that_is_dropped_unseen_is_given_back_in_one_step() {
    let (semaphore, mutex, event, baton) =
        (Semaphore::new(3, 3), Mutex::new(), AutoResetEvent::new(false), Baton::new(0));
    let (a, b) = (Owner::new(), Owner::new());
    let begin = |owner, number| {
        wait_all((semaphore.acquire_many(2), mutex.lock(owner), event.wait(), baton.acquire(number)))
    };
    let (mut first, mut second) = (counted(begin(&a, 0)), counted(begin(&b, 1)));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    event.set();
    let state = || (semaphore.available(), event.is_set(), baton.snapshot().holder());
    assert_eq!((first.wakes(), mutex.is_owned_by(&a), state()), (1, true, (1, false, Some(0))));
    drop(first);
    assert_eq!((second.wakes(), mutex.is_owned_by(&b), state()), (1, true, (1, false, Some(1))));
    drop(second);
    assert_eq!((mutex.is_locked(), state()), (false, (3, true, None)));
    // A wait behind another one must not see what comes back piece by piece.
    let [one, two] = [(); 2].map(|()| AutoResetEvent::new(false));
    let [mut first, mut second] = [(); 2].map(|()| counted(wait_all([one.wait(), two.wait()])));
    let mut behind = counted(one.wait());
    assert!(first.poll().is_pending() && second.poll().is_pending());
    two.set();
    one.set();
    assert_pending!(behind.poll());
    drop(first);
    assert_eq!((second.wakes(), behind.wakes()), (1, 0));
}

// cases: WL-34
#[test]
fn what_is_given_back_of_a_pulse_goes_only_to_those_who_stood_in_line() {
    for swap in [false, true] {
        let (pulsed, other) = (AutoResetEvent::new(false), AutoResetEvent::new(true));
        let (one, two) = if swap { (&other, &pulsed) } else { (&pulsed, &other) };
        let (mut all, mut late_pair) =
            (counted(wait_all([one.wait(), two.wait()])), counted(wait_all([one.wait(), two.wait()])));
        assert_pending!(all.poll());
        pulsed.pulse();
        assert_pending!(late_pair.poll());
        drop(all);
        assert_eq!((late_pair.wakes(), pulsed.is_set(), other.is_set()), (0, false, true));
    }
    let event = AutoResetEvent::new(false);
    let (mut first, mut all, mut late) =
        (counted(event.wait()), counted(wait_all([event.wait()])), counted(event.wait()));
    assert_pending!(first.poll());
    assert_pending!(all.poll());
    event.pulse();
    assert_pending!(late.poll());
    drop(first);
    assert_eq!((all.wakes(), late.wakes()), (1, 0));
    drop(all);
    assert_eq!((late.wakes(), event.is_set()), (0, false));
}

#[test]
fn a_deadline_withdraws_it_and_a_grant_beats_the_deadline() {
    let events = [AutoResetEvent::new(false), AutoResetEvent::new(false)];
    let mut all = wait_all(events.each_ref().map(AutoResetEvent::wait));
    assert_pending!(poll_with(&mut all, &counting_waker().0));
    assert!(blocking::wait_timeout(&mut all, Duration::ZERO).is_err());
    for event in &events {
        assert!(!event.set());
    }
    assert_eq!(set_of(&events), [true, true], "it did not stand in line");
    events[0].reset();
    assert_pending!(poll_with(&mut all, &counting_waker().0));
    events[0].set();
    blocking::wait_timeout(&mut all, Duration::ZERO).expect("granted in time").unwrap();
}

#[test]
fn a_poll_after_the_answer_panics_with_the_name() {
    let event = ManualResetEvent::new(true);
    let mut wait = counted(wait_all([event.wait()]));
    assert_ready_ok!(wait.poll());
    let panic = panic_of(AssertUnwindSafe(|| wait.poll())).unwrap();
    assert_eq!(panic.message, "`WaitAll` polled after completion");
}

// ===== batons =====

// cases: B-71
#[test]
fn a_baton_whose_turn_has_come_stays_free_while_another_member_is_missing() {
    let (baton, event) = (Baton::new(0), AutoResetEvent::new(false));
    let mut all = counted(wait_all((baton.acquire(0), event.wait())));
    assert_pending!(all.poll());
    assert_eq!((baton.next(), baton.snapshot().is_held(), baton.snapshot().waiting()), (0, false, &[0][..]));
    assert_eq!(common::refusal(&baton, 0), AcquireError::Duplicate);
    let behind = line_up(&baton, [1]);
    drop(all);
    drop(baton.try_acquire(0).expect("the number is free again"));
    assert_eq!(behind[0].wakes(), 1);
}

// cases: B-72, WL-36
#[test]
fn the_last_member_that_is_signaled_completes_it_with_a_turn_a_permit_and_a_lock() {
    let (baton, event, semaphore, mutex, me) =
        (Baton::new(0), AutoResetEvent::new(false), Semaphore::new(1, 1), Mutex::new(), Owner::new());
    for last in [true, false] {
        let turn = baton.try_acquire(baton.next()).unwrap();
        let number = baton.next();
        let waits = (event.wait(), baton.acquire(number), semaphore.acquire(), mutex.lock(&me));
        let mut all = counted(wait_all(waits));
        assert_pending!(all.poll());
        if last {
            event.set();
            drop(turn);
        } else {
            drop(turn);
            event.set();
        }
        assert_eq!((all.wakes(), baton.snapshot().holder()), (1, Some(number)));
        assert_eq!((event.is_set(), semaphore.available(), mutex.depth()), (false, 0, 1));
        let ((), turn, permit, lock) = assert_ready_ok!(all.poll());
        assert_eq!((turn.unwrap().seq(), permit.unwrap().num_permits(), lock.is_ok()), (number, 1, true));
    }
}
