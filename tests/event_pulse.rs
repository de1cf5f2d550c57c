//! What a pulse does; events in waits for several objects, and between threads.

mod common;

use batons::{AutoResetEvent, ManualResetEvent, Semaphore, wait_all, wait_any};
use common::{Counted, calling_waker, counted, counting_waker, must_end, poll_with, wakes_of};
use std::{
    future::Future,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    task::Waker,
    thread,
    time::Duration,
};
use tokio_test::{assert_pending, assert_ready, assert_ready_ok};

/// Lets `wait` stand in line.
fn stands<F: Future>(wait: F) -> Counted<F> {
    let mut wait = counted(wait);
    assert!(wait.poll().is_pending(), "it was answered at once");
    wait
}

// ===== what is left of a pulse =====

// cases: PU-01, PU-02, PU-03, PU-04, PU-10, PU-15
#[test]
fn a_pulse_that_nobody_waits_for_only_clears_the_event() {
    for set in [true, false] {
        let (manual, auto) = (ManualResetEvent::new(set), AutoResetEvent::new(set));
        assert_eq!([manual.pulse(), auto.pulse()], [set, set]);
        assert_eq!([manual.is_set(), auto.is_set()], [false, false]);
        assert_eq!([manual.pulse(), auto.pulse()], [false, false]);
        assert_eq!([manual.try_wait(), auto.try_wait()], [false, false]);
        assert_pending!(counted(manual.wait()).poll());
        assert_pending!(counted(auto.wait()).poll());
    }
    let event = ManualResetEvent::new(false);
    event.set();
    event.pulse();
    assert!(!event.is_set());
}

// cases: PU-05, PU-08, PU-14
#[test]
fn a_pulse_of_an_automatic_event_releases_the_first_in_line() {
    let event = AutoResetEvent::new(false);
    let mut waits: Vec<_> = (0..3).map(|_| stands(event.wait())).collect();
    for released in [vec![1, 0, 0], vec![1, 1, 0], vec![1, 1, 1]] {
        assert!(!event.pulse());
        assert!(!event.is_set());
        assert_eq!(wakes_of(&waits), released);
    }
    let mut late = stands(event.wait());
    for wait in &mut waits {
        assert_ready!(wait.poll());
    }
    assert_pending!(late.poll());
}

// cases: PU-06, PU-07, PU-14
#[test]
fn a_pulse_of_a_manual_event_releases_everybody_in_line_and_nobody_later() {
    for count in [1, 7] {
        let event = ManualResetEvent::new(false);
        let mut waits: Vec<_> = (0..count).map(|_| stands(event.wait())).collect();
        assert!(!event.pulse());
        assert!(!event.is_set());
        let mut late = stands(event.wait());
        assert_eq!(wakes_of(&waits), vec![1; count]);
        for wait in &mut waits {
            assert_ready!(wait.poll());
        }
        assert_pending!(late.poll());
        assert_eq!(late.wakes(), 0);
    }
}

// cases: PU-17
#[test]
fn a_future_that_was_never_polled_does_not_wait_for_a_pulse() {
    let (manual, auto) = (ManualResetEvent::new(false), AutoResetEvent::new(false));
    let (mut at_manual, mut at_auto) = (counted(manual.wait()), counted(auto.wait()));
    manual.pulse();
    auto.pulse();
    assert_pending!(at_manual.poll());
    assert_pending!(at_auto.poll());
}

// cases: PU-16, PU-18
#[test]
fn whoever_stands_in_line_is_not_away_while_it_is_polled_again() {
    let event = AutoResetEvent::new(false);
    let mut first = event.wait();
    let (old, _) = counting_waker();
    assert_pending!(poll_with(&mut first, &old));
    let second = stands(event.wait());
    let (new, woken) = counting_waker();
    assert_pending!(poll_with(&mut first, &new));
    assert_pending!(poll_with(&mut first, &new));
    event.pulse();
    assert_eq!((woken.count(), second.wakes()), (1, 0), "it kept its place");
    assert_ready!(poll_with(&mut first, &new));
}

// cases: PU-16, PU-18
#[test]
fn a_pulse_during_a_poll_is_never_missed() {
    must_end(|| {
        for _ in 0..300 {
            let event = ManualResetEvent::new(false);
            let mut wait = event.wait();
            assert_pending!(poll_with(&mut wait, Waker::noop()));
            let pulsed = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    event.pulse();
                    pulsed.store(true, Ordering::SeqCst);
                });
                // Polled with a new waker each time, until the pulse is certainly over.
                while !pulsed.load(Ordering::SeqCst) {
                    let (waker, _) = counting_waker();
                    if poll_with(&mut wait, &waker).is_ready() {
                        return;
                    }
                }
                assert_ready!(poll_with(&mut wait, Waker::noop()), "the pulse was missed");
            });
        }
    });
}

// cases: PU-09
#[test]
fn nobody_ever_sees_the_event_set_by_a_pulse() {
    must_end(|| {
        let (manual, auto) = (ManualResetEvent::new(false), AutoResetEvent::new(false));
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let waits = (stands(manual.wait()), stands(auto.wait()));
                    manual.pulse();
                    auto.pulse();
                    assert_eq!((waits.0.wakes(), waits.1.wakes()), (1, 1));
                    manual.pulse();
                    auto.pulse();
                }
                over.store(true, Ordering::SeqCst);
            });
            while !over.load(Ordering::SeqCst) {
                assert!(!manual.is_set() && !auto.is_set() && !manual.try_wait() && !auto.try_wait());
            }
        });
    });
}

// ===== a pulse that is never seen =====

// cases: PU-19
#[test]
fn a_pulse_that_is_never_seen_goes_down_the_line_of_its_time_and_is_never_stored() {
    let event = AutoResetEvent::new(false);
    let mut waits: Vec<_> = (0..3).map(|_| stands(event.wait())).collect();
    event.pulse();
    let mut late = stands(event.wait());
    for left in [vec![1, 0], vec![1], vec![]] {
        drop(waits.remove(0));
        assert_eq!((wakes_of(&waits), late.wakes(), event.is_set()), (left, 0, false));
    }
    assert_pending!(late.poll());
    assert!(!event.try_wait());
}

// cases: PU-19
#[test]
fn a_pulse_that_is_never_seen_leaves_a_set_event_alone() {
    let event = AutoResetEvent::new(false);
    let unseen = stands(event.wait());
    event.pulse();
    assert!(!event.set());
    drop(unseen);
    assert_eq!([event.try_wait(), event.try_wait()], [true, false]);
    let event = ManualResetEvent::new(false);
    let unseen = stands(event.wait());
    event.pulse();
    drop(unseen);
    assert!(!event.is_set());
}

// cases: PU-19
#[test]
fn a_set_that_releases_after_a_pulse_is_no_pulse() {
    let event = AutoResetEvent::new(false);
    let waits: Vec<_> = (0..2).map(|_| stands(event.wait())).collect();
    event.pulse();
    event.set();
    drop(waits);
    assert!(event.is_set(), "the set is given back, the pulse is not");
}

#[test]
fn a_waker_may_use_the_event_that_pulses_it() {
    must_end(|| {
        let event = ManualResetEvent::new(false);
        let inner = event.clone();
        let waker = calling_waker(move || assert!(!inner.pulse() && !inner.is_set() && !inner.set()));
        let mut wait = event.wait();
        assert_pending!(poll_with(&mut wait, &waker));
        event.pulse();
        assert_ready!(poll_with(&mut wait, &waker));
        assert!(event.is_set(), "the waker has set it");
    });
}

// ===== several objects =====

// cases: PU-11
#[test]
fn a_pulse_reaches_a_wait_for_any() {
    let events: [_; 4] = std::array::from_fn(|_| AutoResetEvent::new(false));
    let mut any = stands(wait_any(events.each_ref().map(AutoResetEvent::wait)));
    events[2].pulse();
    assert_eq!(any.wakes(), 1);
    assert_eq!(assert_ready_ok!(any.poll()), (2, ()));
}

// cases: PU-12, PU-13
#[test]
fn a_pulse_completes_a_wait_for_all_that_misses_only_it_and_leaves_no_trace_otherwise() {
    let (manual, auto) = (ManualResetEvent::new(false), AutoResetEvent::new(false));
    let permits = Semaphore::new(0, 1);
    let mut all = stands(wait_all((manual.wait(), auto.wait(), permits.acquire())));
    manual.pulse();
    auto.set();
    permits.release(1).unwrap();
    assert_pending!(all.poll());
    assert_eq!((all.wakes(), auto.is_set(), permits.available()), (0, true, 1));
    manual.pulse();
    assert_eq!((all.wakes(), manual.is_set(), auto.is_set(), permits.available()), (1, false, false, 0));
    assert!(assert_ready_ok!(all.poll()).2.is_ok());
}

// cases: EV-40, PU-13
#[test]
fn a_release_of_a_manual_event_that_is_never_seen_completes_no_wait_for_all() {
    for pulsed in [true, false] {
        let (manual, other) = (ManualResetEvent::new(false), AutoResetEvent::new(false));
        let mut all = stands(wait_all((manual.wait(), other.wait())));
        let unseen = stands(manual.wait());
        if pulsed {
            manual.pulse();
        } else {
            manual.set();
            manual.reset();
        }
        other.set();
        drop(unseen);
        assert_pending!(all.poll());
        assert_eq!((all.wakes(), manual.is_set(), other.is_set()), (0, false, true));
    }
}

// cases: EV-20, EV-21
#[test]
fn a_wait_for_all_neither_takes_an_event_alone_nor_blocks_those_behind_it() {
    let (event, other) = (AutoResetEvent::new(false), AutoResetEvent::new(false));
    let mut all = stands(wait_all([event.wait(), other.wait()]));
    assert!(!event.set());
    assert!(event.is_set(), "nobody took it");
    assert!(event.try_wait());
    let mut plain = stands(event.wait());
    event.set();
    assert_eq!((plain.wakes(), all.wakes(), event.is_set()), (1, 0, false));
    assert_ready!(plain.poll());
    assert_pending!(all.poll());
    event.set();
    other.set();
    assert_ready_ok!(all.poll());
    assert!(!event.is_set() && !other.is_set());
}

// cases: EV-33
#[test]
fn a_wait_for_any_takes_the_one_event_that_was_set() {
    let events: [_; 10] = std::array::from_fn(|_| AutoResetEvent::new(false));
    let mut any = stands(wait_any(events.each_ref().map(AutoResetEvent::wait)));
    events[5].set();
    assert_eq!(assert_ready_ok!(any.poll()), (5, ()));
    assert!(events.iter().all(|event| !event.try_wait()));
}

// cases: EV-34
#[test]
fn a_wait_for_any_leaves_a_manual_event_set() {
    let events: [_; 10] = std::array::from_fn(|_| ManualResetEvent::new(false));
    events[5].set();
    for _ in 0..2 {
        let mut any = counted(wait_any(events.each_ref().map(ManualResetEvent::wait)));
        assert_eq!(assert_ready_ok!(any.poll()), (5, ()));
    }
    assert!(events[5].is_set());
}

// ===== threads =====

/// Waits for `ours` and signals `theirs`, ten times.
macro_rules! side {
    ($ours:expr, $theirs:expr, $parity:expr, $turns:expr, $after:expr) => {
        for round in 0..10 {
            $ours.blocking_wait();
            $after(&$ours);
            assert_eq!($turns.fetch_add(1, Ordering::Relaxed), 2 * round + $parity);
            $theirs.set();
        }
    };
}

// cases: EV-31
#[test]
fn two_automatic_events_pass_a_turn_to_and_fro() {
    must_end(|| {
        let (first, second) = (AutoResetEvent::new(true), AutoResetEvent::new(false));
        let turns = AtomicUsize::new(0);
        let after = |event: &AutoResetEvent| assert!(!event.is_set());
        thread::scope(|scope| {
            scope.spawn(|| side!(second, first, 1, turns, after));
            side!(first, second, 0, turns, after);
        });
        assert_eq!((turns.into_inner(), first.is_set(), second.is_set()), (20, true, false));
    });
}

// cases: EV-32
#[test]
fn two_manual_events_pass_a_turn_to_and_fro_if_each_is_reset_in_time() {
    must_end(|| {
        let (first, second) = (ManualResetEvent::new(true), ManualResetEvent::new(false));
        let turns = AtomicUsize::new(0);
        let after = |event: &ManualResetEvent| assert!(event.reset());
        thread::scope(|scope| {
            scope.spawn(|| side!(second, first, 1, turns, after));
            side!(first, second, 0, turns, after);
        });
        assert_eq!(turns.into_inner(), 20);
    });
}

// cases: EV-22
#[test]
fn of_two_that_try_at_the_same_time_one_takes_it() {
    must_end(|| {
        for _ in 0..300 {
            let event = AutoResetEvent::new(true);
            let taken = thread::scope(|scope| {
                let other = scope.spawn(|| event.try_wait());
                usize::from(event.try_wait()) + usize::from(other.join().unwrap())
            });
            assert_eq!((taken, event.is_set()), (1, false));
        }
    });
}

// cases: EV-23
#[test]
fn an_event_that_is_set_is_never_missed_while_it_is_set_again() {
    must_end(|| {
        let event = ManualResetEvent::new(true);
        thread::scope(|scope| {
            scope.spawn(|| (0..2_000).for_each(|_| assert!(event.set())));
            for _ in 0..2 {
                scope.spawn(|| (0..1_000).for_each(|_| assert!(event.blocking_wait_timeout(Duration::ZERO))));
            }
        });
    });
}

// cases: EV-35
#[test]
fn whoever_is_released_sees_what_was_done_before_the_set() {
    must_end(|| {
        for round in 1..=300 {
            let (event, data) = (AutoResetEvent::new(false), AtomicU64::new(0));
            thread::scope(|scope| {
                scope.spawn(|| {
                    data.store(round, Ordering::Relaxed);
                    event.set();
                });
                if round % 2 == 0 {
                    event.blocking_wait();
                } else {
                    while !event.try_wait() {
                        thread::yield_now();
                    }
                }
                assert_eq!(data.load(Ordering::Relaxed), round);
            });
        }
    });
}

// cases: EV-36
#[test]
fn a_set_that_meets_the_end_of_the_time_is_had_or_is_still_there() {
    must_end(|| {
        for _ in 0..300 {
            let event = AutoResetEvent::new(false);
            let had = thread::scope(|scope| {
                scope.spawn(|| event.set());
                event.blocking_wait_timeout(Duration::from_micros(20))
            });
            assert_eq!(event.is_set(), !had);
        }
    });
}

// cases: EV-42
#[test]
fn as_many_waits_end_as_there_were_sets_that_found_the_event_unset() {
    const WAITS: usize = 500;
    must_end(|| {
        let event = AutoResetEvent::new(false);
        let left = AtomicUsize::new(4 * WAITS);
        let effective = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..WAITS {
                        event.blocking_wait();
                        left.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
            while left.load(Ordering::SeqCst) > 0 {
                effective.fetch_add(usize::from(!event.set()), Ordering::SeqCst);
                thread::yield_now();
            }
        });
        let stored = usize::from(event.is_set());
        assert_eq!(effective.into_inner(), 4 * WAITS + stored);
    });
}
