//! A wait on any of several objects takes the one that it answers, and no other.

mod common;

use batons::{
    AcquireError, AutoResetEvent, Baton, ManualResetEvent, Mutex, Owner, Semaphore, WaitError, Waitable,
    blocking, wait_any,
};
use common::{counted, counting_waker, line_up, panic_of, poll_with, wakes_of};
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio_test::{assert_pending, assert_ready, assert_ready_ok, task};

// ===== alone =====

// cases: WA-01, WA-02, WA-03, WA-05
#[test]
fn an_object_that_is_ready_beats_any_deadline_and_one_that_is_not_never_answers() {
    let event = AutoResetEvent::new(true);
    assert!(event.try_wait() && !event.try_wait());
    assert!(blocking::wait_timeout(event.wait(), Duration::ZERO).is_err());
    event.set();
    assert!(blocking::wait_timeout(event.wait(), Duration::ZERO).is_ok());
    let mut wait = counted(event.wait());
    assert!((0..100).all(|_| wait.poll().is_pending()) && wait.wakes() == 0);
}

// cases: WA-04
#[test]
fn a_deadline_is_not_over_before_its_time() {
    let (event, semaphore) = (AutoResetEvent::new(false), Semaphore::new(0, 1));
    let (time, begun) = (Duration::from_millis(20), std::time::Instant::now());
    let answer = blocking::wait_any_timeout((event.wait(), semaphore.acquire()), time);
    assert!(matches!(answer, Err(WaitError::TimedOut)) && begun.elapsed() >= time);
}

// cases: WA-41
#[test]
fn a_try_finds_nothing_while_somebody_who_could_have_it_stands_in_line() {
    let (semaphore, event) = (Semaphore::new(1, 3), AutoResetEvent::new(false));
    let mut any = counted(wait_any((semaphore.acquire_many(2), event.wait())));
    assert_pending!(any.poll());
    assert!(semaphore.try_acquire().is_err(), "it would overtake");
    semaphore.release(1).unwrap();
    assert!(semaphore.try_acquire().is_err() && semaphore.available() == 0);
    drop(any);
    let mut any = counted(wait_any((event.wait(), semaphore.acquire_many(3))));
    assert_pending!(any.poll());
    event.set();
    assert!(semaphore.try_acquire().is_ok(), "the wait was answered, though it has not looked yet");
}

// ===== ready at once =====

// cases: WA-11, WA-27, WA-28
#[test]
fn of_a_hundred_set_events_the_lowest_index_is_taken_and_no_other() {
    let first = ManualResetEvent::new(true);
    let others: Vec<_> = (1..100).map(|_| AutoResetEvent::new(true)).collect();
    let take = || {
        let mut waits = vec![first.wait().boxed(|()| ())];
        waits.extend(others.iter().map(|event| event.wait().boxed(|()| ())));
        assert_ready_ok!(task::spawn(wait_any(waits)).poll()).0
    };
    assert_eq!((take(), take()), (0, 0));
    first.reset();
    for index in 1..100 {
        assert_eq!(take(), index);
        let set: Vec<_> = others.iter().map(AutoResetEvent::is_set).collect();
        assert_eq!(set.iter().filter(|set| **set).count(), 99 - index);
    }
}

// cases: WA-12, WA-13, WA-14, WA-15
#[test]
fn a_semaphore_before_a_mutex_is_used_up_first() {
    let (semaphore, mutex) = (Semaphore::new(2, 3), Mutex::new());
    let (a, b) = (Owner::new(), Owner::new());
    let take = |owner: &Owner| {
        let waits = (semaphore.acquire(), mutex.lock(owner));
        let (index, (permit, lock)) = blocking::wait_any_timeout(waits, Duration::ZERO)?;
        if let Some(permit) = permit {
            permit.unwrap().forget();
        }
        let mut abandoned = false;
        if let Some(lock) = lock {
            abandoned = lock.is_err();
            lock.unwrap_or_else(batons::Abandoned::into_inner).forget();
        }
        Ok::<_, WaitError>((index, abandoned, semaphore.available(), mutex.depth()))
    };
    assert_eq!(take(&a).unwrap(), (0, false, 1, 0));
    assert_eq!(take(&a).unwrap(), (0, false, 0, 0));
    assert_eq!(take(&a).unwrap(), (1, false, 0, 1));
    semaphore.release(1).unwrap();
    assert_eq!(take(&a).unwrap(), (0, false, 0, 1));
    assert_eq!(take(&a).unwrap(), (1, false, 0, 2));
    assert!(matches!(take(&b), Err(WaitError::TimedOut)));
    assert_eq!((semaphore.available(), mutex.depth(), mutex.is_owned_by(&a)), (0, 2, true));
    drop(a);
    assert_eq!(take(&b).unwrap(), (1, true, 0, 1));
    assert_eq!(take(&b).unwrap(), (1, false, 0, 2));
}

// cases: WA-16, WA-17
#[test]
fn of_four_mutexes_only_the_first_is_locked() {
    let (mutexes, me) = ([(); 4].map(|()| Mutex::new()), Owner::new());
    for time in [Some(Duration::ZERO), Some(Duration::from_secs(30)), None] {
        let waits = mutexes.each_ref().map(|mutex| mutex.lock(&me));
        let (index, guard) = match time {
            Some(time) => blocking::wait_any_timeout(waits, time).unwrap(),
            None => blocking::wait_any(waits).unwrap(),
        };
        assert_eq!((index, mutexes.each_ref().map(Mutex::depth)), (0, [1, 0, 0, 0]));
        drop(guard);
    }
    let held = mutexes.each_ref().map(|mutex| mutex.try_lock(&me).unwrap().unwrap());
    let (index, again) = blocking::wait_any(mutexes.each_ref().map(|mutex| mutex.lock(&me))).unwrap();
    assert_eq!((index, mutexes.each_ref().map(Mutex::depth)), (0, [2, 1, 1, 1]));
    drop((held, again));
    assert!(!mutexes.iter().any(Mutex::is_locked));
}

// cases: WA-18, WA-19
#[test]
fn it_answers_the_index_of_the_one_that_is_set() {
    let events = [false, true, true, false].map(ManualResetEvent::new);
    let wait = || task::spawn(wait_any(events.each_ref().map(ManualResetEvent::wait)));
    assert_eq!(assert_ready_ok!(wait().poll()).0, 1);
    assert_eq!(events.each_ref().map(ManualResetEvent::is_set), [false, true, true, false]);
    for one in 0..4 {
        let _ = events.each_ref().map(ManualResetEvent::reset);
        events[one].set();
        assert_eq!(assert_ready_ok!(wait().poll()).0, one);
    }
}

// cases: WA-22, WA-23
#[test]
fn an_abandoned_mutex_is_ready_and_stays_abandoned_if_it_is_not_the_one() {
    let (event, mutexes, me) = (AutoResetEvent::new(true), [Mutex::new(), Mutex::new()], Owner::new());
    for mutex in &mutexes {
        let owner = Owner::new();
        mutex.try_lock(&owner).unwrap().unwrap().forget();
    }
    let [one, two] = &mutexes;
    let waits = (event.wait(), one.lock(&me), two.lock(&me));
    let (index, (set, ..)) = assert_ready_ok!(task::spawn(wait_any(waits)).poll());
    assert_eq!((index, set, event.is_set()), (0, Some(()), false));
    assert!(one.is_abandoned() && two.is_abandoned() && !one.is_locked());
    event.set();
    let (index, (lock, set)) = assert_ready_ok!(task::spawn(wait_any((one.lock(&me), event.wait()))).poll());
    assert_eq!((index, set, event.is_set()), (0, None, true));
    assert!(lock.unwrap().is_err() && two.is_abandoned());
}

#[test]
fn a_member_that_is_refused_answers_for_itself() {
    let (closed, open) = (Semaphore::new(1, 1), Semaphore::new(0, 1));
    closed.close();
    let (index, answer) = assert_ready_ok!(task::spawn(wait_any([open.acquire(), closed.acquire()])).poll());
    assert_eq!((index, answer.map(drop)), (1, Err(AcquireError::Closed)));
    let (index, (never, too_many)) =
        assert_ready_ok!(task::spawn(wait_any((open.acquire_many(1), open.acquire_many(2)))).poll());
    assert_eq!((index, never.is_none()), (1, true));
    assert_eq!(too_many.unwrap().map(drop), Err(AcquireError::TooMany { max: 1 }));
    open.release(1).unwrap();
    assert_eq!(open.available(), 1, "nobody stands in line");
}

// ===== the same object twice; none =====

// cases: WA-24, WA-25
#[test]
fn an_object_that_is_listed_twice_is_taken_once() {
    let semaphore = Semaphore::new(2, 3);
    let (index, permit) =
        assert_ready_ok!(task::spawn(wait_any([semaphore.acquire(), semaphore.acquire()])).poll());
    assert_eq!((index, semaphore.available()), (0, 1));
    drop(permit);
    let event = ManualResetEvent::new(true);
    assert_eq!(assert_ready_ok!(task::spawn(wait_any([event.wait(), event.wait()])).poll()).0, 0);
}

// cases: WA-26
#[test]
fn an_object_that_is_listed_twice_grants_once_after_sleeping() {
    for seen in [true, false] {
        let event = AutoResetEvent::new(false);
        let mut wait = counted(wait_any([event.wait(), event.wait()]));
        assert_pending!(wait.poll());
        event.set();
        assert_eq!((wait.wakes(), event.is_set()), (1, false));
        if seen {
            assert_eq!(assert_ready_ok!(wait.poll()).0, 0);
        }
        drop(wait);
        assert_eq!(event.is_set(), !seen, "a grant not seen sets it again");
        event.set();
        assert!(event.try_wait() && !event.try_wait());
    }
}

// cases: WA-29
#[test]
fn an_empty_list_is_refused() {
    assert!(matches!(
        blocking::wait_any(Vec::<batons::futures::LockMutex<Mutex>>::new()),
        Err(WaitError::Empty)
    ));
    let none: [batons::futures::WaitEvent<'_, batons::Auto>; 0] = [];
    assert!(matches!(blocking::wait_any_timeout(none, Duration::ZERO), Err(WaitError::Empty)));
}

// ===== after sleeping =====

// cases: WA-20, WA-21, WA-34
#[test]
fn whoever_is_signaled_first_wins_and_the_others_forget_the_wait() {
    for released in [true, false] {
        let (semaphore, mutex) = (Semaphore::new(0, 3), Mutex::new());
        let (a, b) = (Owner::new(), Owner::new());
        mutex.try_lock(&a).unwrap().unwrap().forget();
        let mut wait = counted(wait_any((semaphore.acquire(), mutex.lock(&b))));
        assert_pending!(wait.poll());
        if released {
            semaphore.release(1).unwrap();
        } else {
            mutex.unlock(&a).unwrap();
        }
        assert_eq!((wait.wakes(), semaphore.available()), (1, 0));
        assert_eq!((mutex.is_owned_by(&a), mutex.is_owned_by(&b)), (released, !released));
        let (index, (permit, lock)) = assert_ready_ok!(wait.poll());
        assert_eq!((index, permit.is_some(), lock.is_some()), (usize::from(!released), released, !released));
        // The loser has no trace of it: what comes now is nobody's.
        if released {
            mutex.unlock(&a).unwrap();
            assert!(!mutex.is_locked());
        } else {
            semaphore.release(1).unwrap();
            assert_eq!(semaphore.available(), 1);
        }
        assert_eq!(wait.wakes(), 1);
    }
}

// cases: WA-32
#[test]
fn an_object_that_is_signaled_after_the_claim_stays_signaled() {
    let events = [AutoResetEvent::new(false), AutoResetEvent::new(false)];
    let mut wait = counted(wait_any(events.each_ref().map(AutoResetEvent::wait)));
    assert_pending!(wait.poll());
    events[1].set();
    events[0].set();
    assert_eq!(events.each_ref().map(AutoResetEvent::is_set), [true, false]);
    assert_eq!((wait.wakes(), assert_ready_ok!(wait.poll()).0), (1, 1));
    assert_eq!(events.each_ref().map(AutoResetEvent::is_set), [true, false]);
}

// cases: WA-40
#[test]
fn it_stands_in_each_line_by_its_arrival() {
    let (event, other) = (AutoResetEvent::new(false), AutoResetEvent::new(false));
    let mut before = counted(event.wait());
    let mut any = counted(wait_any([event.wait(), other.wait()]));
    let mut after = counted(event.wait());
    assert_pending!(before.poll());
    assert_pending!(any.poll());
    assert_pending!(after.poll());
    for expected in [(1, 0, 0), (1, 1, 0), (1, 1, 1)] {
        event.set();
        assert_eq!((before.wakes(), any.wakes(), after.wakes()), expected);
    }
    assert_eq!(assert_ready_ok!(any.poll()).0, 0);
}

// cases: WA-42
#[test]
fn the_newest_waker_is_woken_and_the_place_is_kept() {
    let (event, other) = (AutoResetEvent::new(false), AutoResetEvent::new(false));
    let ((old, old_wakes), (new, new_wakes)) = (counting_waker(), counting_waker());
    let mut any = wait_any([other.wait(), event.wait()]);
    assert_pending!(poll_with(&mut any, &old));
    let mut after = counted(event.wait());
    assert_pending!(after.poll());
    assert_pending!(poll_with(&mut any, &new));
    drop(old);
    assert_eq!(Arc::strong_count(&old_wakes), 1, "the old waker is gone");
    event.set();
    assert_eq!((old_wakes.count(), new_wakes.count(), after.wakes()), (0, 1, 0));
    assert_eq!(assert_ready_ok!(poll_with(&mut any, &new)).0, 1);
}

// cases: WA-35
#[test]
fn a_wait_keeps_its_objects_alive() {
    let (semaphore, mutex, holder, me) = (Semaphore::new(0, 1), Mutex::new(), Owner::new(), Owner::new());
    mutex.try_lock(&holder).unwrap().unwrap().forget();
    let mut wait = task::spawn(wait_any((semaphore.acquire_owned(), mutex.lock_owned(&me))));
    assert_pending!(wait.poll());
    drop((semaphore, mutex));
    assert_pending!(wait.poll());
    drop(holder);
    let (index, (_, lock)) = assert_ready_ok!(wait.poll());
    assert!(index == 1 && lock.unwrap().is_err());
}

// ===== drops and deadlines =====

// cases: WA-39
#[test]
fn deadlines_that_pass_leave_nothing_behind() {
    let (event, semaphore) = (AutoResetEvent::new(false), Semaphore::new(0, 1));
    let answer = blocking::wait_any_timeout((event.wait(), semaphore.acquire()), Duration::ZERO);
    assert!(matches!(answer, Err(WaitError::TimedOut)));
    let mut wait = wait_any((event.wait(), semaphore.acquire()));
    for _ in 0..24 {
        assert_pending!(poll_with(&mut wait, &counting_waker().0));
        assert!(blocking::wait_timeout(&mut wait, Duration::ZERO).is_err());
        event.set();
        assert!(event.try_wait(), "it did not stand in line");
    }
    semaphore.release(1).unwrap();
    assert_eq!(assert_ready_ok!(poll_with(&mut wait, &counting_waker().0)).0, 1);
}

// cases: WA-31
#[test]
fn a_grant_beats_a_deadline_that_is_over() {
    let events = [AutoResetEvent::new(false), AutoResetEvent::new(false)];
    let mut wait = wait_any(events.each_ref().map(AutoResetEvent::wait));
    assert_pending!(poll_with(&mut wait, &counting_waker().0));
    events[1].set();
    assert_eq!(blocking::wait_timeout(&mut wait, Duration::ZERO).unwrap().unwrap().0, 1);
    events[0].set();
    let waits = events.each_ref().map(AutoResetEvent::wait);
    assert_eq!(blocking::wait_any_timeout(waits, Duration::ZERO).unwrap().0, 0);
}

#[test]
fn a_drop_at_any_stage_gives_back_the_one_that_was_granted() {
    let baton = Baton::new(0);
    let (semaphore, mutex, event) = (Semaphore::new(3, 3), Mutex::new(), AutoResetEvent::new(false));
    let (a, b) = (Owner::new(), Owner::new());
    let turn = baton.try_acquire(0).unwrap();
    let permits = semaphore.try_acquire_many(3).unwrap();
    let lock = mutex.try_lock(&a).unwrap().unwrap();
    let begin = || {
        let mut wait =
            counted(wait_any((semaphore.acquire_many(2), mutex.lock(&b), event.wait(), baton.acquire(1))));
        assert_pending!(wait.poll());
        wait
    };
    drop(wait_any([event.wait()]));
    drop(begin());
    event.set();
    assert!(event.is_set() && event.try_wait(), "a drop before the grant changes nothing");
    let wait = begin();
    event.set();
    assert!(!event.is_set());
    drop(wait);
    assert!(event.try_wait());
    let wait = begin();
    drop(permits);
    assert_eq!(semaphore.available(), 1);
    drop(wait);
    let permits = semaphore.try_acquire_many(3).unwrap();
    let wait = begin();
    drop(lock);
    assert!(mutex.is_owned_by(&b));
    drop(wait);
    assert!(!mutex.is_locked());
    let lock = mutex.try_lock(&a).unwrap().unwrap();
    let wait = begin();
    drop(turn);
    assert_eq!(baton.snapshot().holder(), Some(1));
    drop((wait, permits, lock));
    assert_eq!((baton.next(), baton.snapshot().is_held()), (2, false), "the turn is used up");
    assert_eq!((semaphore.available(), mutex.is_locked(), event.is_set()), (3, false, false));
}

#[test]
fn a_grant_that_is_dropped_unseen_goes_to_the_next_in_line() {
    let (event, other) = (AutoResetEvent::new(false), AutoResetEvent::new(false));
    let mut any = counted(wait_any([other.wait(), event.wait()]));
    let mut next = counted(event.wait());
    assert_pending!(any.poll());
    assert_pending!(next.poll());
    event.set();
    assert_eq!((any.wakes(), next.wakes()), (1, 0));
    drop(any);
    assert_eq!((next.wakes(), event.is_set(), other.is_set()), (1, false, false));
    assert_ready!(next.poll());
}

// cases: WA-43
#[test]
fn a_poll_after_the_answer_panics_with_the_name() {
    let event = AutoResetEvent::new(true);
    let mut wait = counted(wait_any([event.wait()]));
    let _ = assert_ready_ok!(wait.poll());
    event.set();
    let panic = panic_of(AssertUnwindSafe(|| wait.poll())).unwrap().message;
    assert_eq!(panic, "`WaitAny` polled after completion");
    assert!(event.is_set(), "nothing is taken twice");
}

// ===== batons =====

// cases: B-70
#[test]
fn a_number_that_lost_is_acquirable_again() {
    let (baton, event) = (Baton::new(0), AutoResetEvent::new(false));
    let turn = baton.try_acquire(0).unwrap();
    let mut any = counted(wait_any((baton.acquire(1), event.wait())));
    assert_pending!(any.poll());
    let mut waits = line_up(&baton, [2]);
    event.set();
    assert_eq!(assert_ready_ok!(any.poll()).0, 1);
    assert!(baton.snapshot().waiting() == [2]);
    drop(turn);
    assert_eq!((baton.next(), wakes_of(&waits)), (1, vec![0]));
    drop(baton.try_acquire(1).expect("nobody has it"));
    assert_eq!(assert_ready_ok!(waits[0].poll()).seq(), 2);
}

#[test]
fn a_ticket_that_lost_keeps_its_number() {
    let (baton, event) = (Baton::new(0), AutoResetEvent::new(true));
    let turn = baton.try_acquire(0).unwrap();
    let mut ticket = baton.ticket();
    for first in [true, false] {
        let mut any = counted(wait_any((ticket.acquire(), event.wait())));
        if !first {
            assert_pending!(any.poll());
            event.set();
        }
        assert_eq!(assert_ready_ok!(any.poll()).0, 1);
    }
    assert_eq!(baton.snapshot().tickets(), [1]);
    let mut any = counted(wait_any((event.wait(), ticket.acquire())));
    assert_pending!(any.poll());
    drop(turn);
    assert_eq!(baton.snapshot().holder(), Some(1));
    drop(any);
    assert_eq!((baton.snapshot().tickets(), baton.next()), (&[1][..], 1), "an unseen turn goes back to it");
    assert_eq!(ticket.try_acquire().unwrap().seq(), 1);
}
