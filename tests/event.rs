//! What an event does, manual and automatic: its state, whom a set releases, and what becomes of a release
//! that its waiter never saw. Pulses, waits for several events, and threads are in `event_pulse.rs`.

mod common;

use batons::{AutoResetEvent, ManualResetEvent};
use common::{Counted, calling_waker, counted, must_end, panic_of, poll_with, wakes_of};
use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    task::Waker,
    time::Duration,
};
use tokio_test::{assert_pending, assert_ready};

/// Lets `count` wait, one after the other.
fn line_up<F: Future>(count: usize, wait: impl Fn() -> F) -> Vec<Counted<F>> {
    (0..count).map(|_| stands(wait())).collect()
}

/// Lets `wait` stand in line.
fn stands<F: Future>(wait: F) -> Counted<F> {
    let mut wait = counted(wait);
    assert!(wait.poll().is_pending(), "it was answered at once");
    wait
}

// ===== the state =====

// cases: EV-01, EV-07, EV-08
#[test]
fn an_event_begins_as_it_was_asked_to() {
    for set in [true, false] {
        let (manual, auto) = (ManualResetEvent::new(set), AutoResetEvent::new(set));
        assert_eq!((manual.is_set(), auto.is_set()), (set, set));
        assert_eq!((manual.try_wait(), auto.try_wait()), (set, set));
        assert_eq!((manual.is_set(), auto.is_set()), (set, false), "a wait clears the automatic one");
        assert_eq!((manual.try_wait(), auto.try_wait()), (set, false));
    }
    let auto = AutoResetEvent::new(true);
    assert!(auto.set(), "it was set before");
    assert_eq!([auto.try_wait(), auto.try_wait()], [true, false]);
}

// cases: EV-02, EV-03, EV-04, EV-05, EV-06
#[test]
fn a_manual_event_stays_as_it_was_left() {
    let event = ManualResetEvent::new(false);
    assert_eq!([event.set(), event.set()], [false, true]);
    for _ in 0..3 {
        assert!(event.try_wait());
        assert_ready!(counted(event.wait()).poll());
        assert!(event.is_set());
    }
    assert_eq!([event.reset(), event.reset()], [true, false]);
    assert!(!event.try_wait() && !event.is_set());
    assert_pending!(counted(event.wait()).poll());
}

// cases: EV-09, EV-10, EV-11, EV-19
#[test]
fn an_automatic_event_remembers_one_set_until_it_is_reset() {
    let event = AutoResetEvent::new(false);
    assert_eq!([event.set(), event.set(), event.set()], [false, true, true]);
    assert_ready!(counted(event.wait()).poll());
    assert_pending!(counted(event.wait()).poll());
    event.set();
    assert_eq!([event.reset(), event.reset()], [true, false]);
    assert!(!event.try_wait());
}

// cases: EV-12
#[test]
fn a_wait_whose_time_is_over_leaves_the_event_as_it_was() {
    let (manual, auto) = (ManualResetEvent::new(false), AutoResetEvent::new(false));
    for duration in [Duration::ZERO, Duration::from_millis(1)] {
        assert!(!manual.blocking_wait_timeout(duration));
        assert!(!auto.blocking_wait_timeout(duration));
    }
    assert!(!manual.is_set() && !auto.is_set());
    assert!(!auto.set(), "nobody is left in line to take it");
    assert!(auto.is_set());
    assert!(auto.blocking_wait_timeout(Duration::ZERO), "what is set beats any deadline");
    assert!(!auto.is_set());
}

// cases: EV-24, EV-25
#[test]
fn clones_are_one_event_that_outlives_each_of_them() {
    let manual = ManualResetEvent::new(true);
    let clone = manual.clone();
    assert!(clone.reset());
    assert!(!manual.try_wait());
    drop(manual);
    assert!(!clone.set());
    assert!(clone.try_wait());
    let auto = AutoResetEvent::new(false);
    let clone = auto.clone();
    let mut wait = stands(clone.wait());
    auto.set();
    drop(auto);
    assert_ready!(wait.poll());
    assert!(!clone.is_set());
}

// cases: EV-28
#[test]
fn looking_at_an_event_does_not_consume_it() {
    let auto = AutoResetEvent::new(true);
    assert_eq!([auto.is_set(), auto.is_set()], [true, true]);
    assert_eq!(format!("{auto:?}"), "AutoResetEvent { set: true, .. }");
    assert!(auto.try_wait());
    assert_eq!(format!("{:?}", ManualResetEvent::new(false)), "ManualResetEvent { set: false, .. }");
}

// ===== whom a set releases =====

// cases: EV-13, EV-14
#[test]
fn a_set_is_consumed_on_behalf_of_the_waiter_of_an_automatic_event_only() {
    let (manual, auto) = (ManualResetEvent::new(false), AutoResetEvent::new(false));
    let (mut at_manual, mut at_auto) = (stands(manual.wait()), stands(auto.wait()));
    assert_eq!([manual.set(), auto.set()], [false, false]);
    assert_eq!([manual.is_set(), auto.is_set()], [true, false]);
    assert!(!auto.try_wait(), "a newcomer does not overtake");
    assert_eq!([at_manual.wakes(), at_auto.wakes()], [1, 1]);
    assert_ready!(at_manual.poll());
    assert_ready!(at_auto.poll());
}

// cases: EV-15, EV-16
#[test]
fn each_set_of_an_automatic_event_releases_the_first_in_line() {
    let event = AutoResetEvent::new(false);
    let mut waits = line_up(4, || event.wait());
    for set in 0..4 {
        assert!(!event.set());
        assert!(!event.is_set());
        let expected: Vec<_> = (0..4).map(|wait| usize::from(wait <= set)).collect();
        assert_eq!(wakes_of(&waits), expected);
        for wait in &mut waits[set + 1..] {
            assert_pending!(wait.poll());
        }
    }
    for wait in &mut waits {
        assert_ready!(wait.poll());
    }
    assert!(!event.set());
    assert!(event.is_set());
}

// cases: EV-17
#[test]
fn a_set_of_a_manual_event_releases_everybody_once() {
    let event = ManualResetEvent::new(false);
    let mut waits = line_up(5, || event.wait());
    event.set();
    assert_eq!((wakes_of(&waits), event.set()), (vec![1; 5], true));
    assert_eq!(wakes_of(&waits), [1; 5]);
    for wait in &mut waits {
        assert_ready!(wait.poll());
    }
    assert!(event.is_set());
}

// cases: EV-18
#[test]
fn a_reset_that_follows_at_once_does_not_take_a_release_back() {
    let event = ManualResetEvent::new(false);
    let mut waits = line_up(3, || event.wait());
    event.set();
    assert!(event.reset());
    let mut late = stands(event.wait());
    for wait in &mut waits {
        assert_ready!(wait.poll());
    }
    assert_pending!(late.poll());
    assert!(!event.is_set());

    let event = AutoResetEvent::new(false);
    let mut wait = stands(event.wait());
    event.set();
    assert!(!event.reset());
    assert_ready!(wait.poll());
}

// cases: EV-16, EV-37
#[test]
fn a_wait_that_was_dropped_absorbs_no_set() {
    let event = AutoResetEvent::new(false);
    let mut waits = line_up(4, || event.wait());
    drop(waits.remove(0));
    drop(waits.remove(1)); // the third that came
    event.set();
    event.set();
    assert_eq!((wakes_of(&waits), event.is_set()), (vec![1, 1], false));
    for wait in &mut waits {
        assert_ready!(wait.poll());
    }
    drop(line_up(3, || event.wait()));
    event.set();
    assert!(event.try_wait());
}

#[test]
fn a_wait_that_is_polled_again_keeps_its_place_and_its_last_waker() {
    let event = AutoResetEvent::new(false);
    let mut first = event.wait();
    let (waker, old) = common::counting_waker();
    assert_pending!(poll_with(&mut first, &waker));
    let second = stands(event.wait());
    let (waker, new) = common::counting_waker();
    for _ in 0..3 {
        assert_pending!(poll_with(&mut first, &waker));
    }
    event.set();
    assert_eq!((old.count(), new.count(), second.wakes()), (0, 1, 0));
    assert_ready!(poll_with(&mut first, &waker));
}

#[test]
fn a_wait_does_nothing_before_its_first_poll_and_panics_after_its_answer() {
    let event = AutoResetEvent::new(false);
    let mut wait = event.wait();
    event.set();
    assert!(event.try_wait(), "the future is in nobody's way");
    event.set();
    assert_ready!(poll_with(&mut wait, Waker::noop()));
    event.set();
    let panic = panic_of(AssertUnwindSafe(|| poll_with(&mut wait, Waker::noop()))).unwrap();
    assert_eq!(panic.message, "`WaitEvent` polled after completion");
    drop(wait);
    assert!(event.is_set(), "nothing was consumed twice");
}

// ===== releases that are never seen =====

// cases: EV-38
#[test]
fn a_release_that_is_never_seen_goes_to_the_next_or_sets_the_event() {
    let event = AutoResetEvent::new(false);
    let mut waits = line_up(3, || event.wait());
    event.set();
    drop(waits.remove(0));
    assert_eq!((wakes_of(&waits), event.is_set()), (vec![1, 0], false));
    drop(waits.remove(0)); // granted by the drop, and dropped again
    assert_eq!((wakes_of(&waits), event.is_set()), (vec![1], false));
    drop(waits);
    assert!(event.is_set());
    assert_eq!([event.try_wait(), event.try_wait()], [true, false]);
}

#[test]
fn a_release_that_is_never_seen_may_go_to_somebody_who_came_after_the_set() {
    let event = AutoResetEvent::new(false);
    let unseen = stands(event.wait());
    event.set();
    let mut late = stands(event.wait());
    drop(unseen);
    assert_eq!((late.wakes(), event.is_set()), (1, false));
    assert_ready!(late.poll());
}

#[test]
fn a_release_that_is_never_seen_vanishes_in_an_event_that_is_set_again() {
    let event = AutoResetEvent::new(false);
    let unseen = stands(event.wait());
    assert!(!event.set());
    assert!(!event.set());
    drop(unseen);
    assert_eq!([event.try_wait(), event.try_wait()], [true, false]);
}

// cases: EV-39
#[test]
fn after_a_reset_a_release_that_is_never_seen_goes_only_to_those_who_stood_in_line_at_the_set() {
    let event = AutoResetEvent::new(false);
    let mut waits = line_up(3, || event.wait());
    event.set();
    event.reset();
    let mut late = stands(event.wait());
    drop(waits.remove(0));
    assert_eq!((wakes_of(&waits), late.wakes()), (vec![1, 0], 0));
    drop(waits.remove(0)); // and so on down the line
    assert_eq!((wakes_of(&waits), late.wakes()), (vec![1], 0));
    drop(waits);
    assert_pending!(late.poll());
    assert_eq!((late.wakes(), event.is_set()), (0, false), "the reset has erased it");
    event.set();
    assert_ready!(late.poll());
}

// cases: EV-39
#[test]
fn after_a_reset_and_another_set_the_older_release_is_still_erased() {
    let event = AutoResetEvent::new(false);
    let mut unseen = line_up(2, || event.wait());
    event.set();
    event.reset();
    event.set();
    let mut late = line_up(2, || event.wait());
    drop(unseen.remove(0));
    assert_eq!((wakes_of(&late), event.is_set()), (vec![0, 0], false));
    drop(unseen); // released after the reset: this one is anybody's
    assert_eq!((wakes_of(&late), event.is_set()), (vec![1, 0], false));
    assert_ready!(late[0].poll());
    drop(late);
    assert!(!event.is_set());
}

// cases: EV-40
#[test]
fn a_release_of_a_manual_event_that_is_never_seen_is_nobodys() {
    let event = ManualResetEvent::new(false);
    let unseen = line_up(2, || event.wait());
    event.set();
    event.reset();
    let mut late = stands(event.wait());
    drop(unseen);
    assert!(!event.is_set());
    assert_pending!(late.poll());
    assert_eq!(late.wakes(), 0);
}

// ===== wakers that use the event =====

// cases: EV-41
#[test]
fn a_waker_may_use_the_event_that_wakes_it() {
    must_end(|| {
        let event = AutoResetEvent::new(false);
        let inner = event.clone();
        let waker = calling_waker(move || {
            assert!(!inner.is_set() && !inner.try_wait());
            inner.reset();
            inner.set();
        });
        let mut first = event.wait();
        assert_pending!(poll_with(&mut first, &waker));
        let mut second = stands(event.wait());
        event.set();
        assert_eq!(second.wakes(), 1, "the set inside the waker released the next");
        assert_ready!(second.poll());
        assert_ready!(poll_with(&mut first, &waker));
        assert!(!event.is_set());

        let event = ManualResetEvent::new(false);
        let inner = event.clone();
        let waker = calling_waker(move || {
            assert!(inner.try_wait() && inner.set() && inner.reset());
        });
        let mut first = event.wait();
        assert_pending!(poll_with(&mut first, &waker));
        event.set();
        assert!(!event.is_set());
        assert_ready!(poll_with(&mut first, &waker));
    });
}

// cases: EV-41
#[test]
fn a_broadcast_releases_ten_thousand_and_none_of_those_who_come_while_they_are_woken() {
    const WAITERS: usize = 10_000;
    must_end(|| {
        let event: &'static _ = Box::leak(Box::new(ManualResetEvent::new(false)));
        let newcomers = Arc::new(Mutex::new(Vec::new()));
        let waker = calling_waker({
            let newcomers = Arc::clone(&newcomers);
            move || {
                event.reset();
                let mut newcomer = event.wait();
                assert!(poll_with(&mut newcomer, Waker::noop()).is_pending(), "released by accident");
                newcomers.lock().unwrap().push(newcomer);
            }
        });
        let mut waits: Vec<_> = (0..WAITERS).map(|_| event.wait()).collect();
        for wait in &mut waits {
            assert_pending!(poll_with(wait, &waker));
        }
        event.set();
        for wait in &mut waits {
            assert_ready!(poll_with(wait, Waker::noop()));
        }
        let mut newcomers = newcomers.lock().unwrap();
        assert_eq!((newcomers.len(), event.is_set()), (WAITERS, false));
        for newcomer in newcomers.iter_mut() {
            assert_pending!(poll_with(newcomer, Waker::noop()));
        }
        event.set();
        for newcomer in newcomers.iter_mut() {
            assert_ready!(poll_with(newcomer, Waker::noop()));
        }
    });
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_being_woken() {
    let event = ManualResetEvent::new(false);
    let mut failing = event.wait();
    let before = line_up(2, || event.wait());
    assert_pending!(poll_with(&mut failing, &calling_waker(|| panic!("the waker fails"))));
    let after = line_up(2, || event.wait());
    let panic = panic_of(AssertUnwindSafe(|| event.set())).unwrap();
    assert_eq!(panic.message, "the waker fails");
    assert_eq!((wakes_of(&before), wakes_of(&after)), (vec![1, 1], vec![1, 1]));
    assert_ready!(poll_with(&mut failing, Waker::noop()));
    assert!(event.is_set());
}
