//! Waits for timers: alone, with others, dropped at every stage.

use batons::{Clock, Due, ManualClock, ManualResetEvent, WaitableTimer, signal_and_wait, wait_all, wait_any};
use common::counted;
use std::task::Poll;
use std::time::Duration;

mod common;

const SECOND: Duration = Duration::from_secs(1);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn after(count: u64) -> Due {
    Due::after(seconds(count))
}

fn auto() -> (ManualClock, WaitableTimer) {
    let clock = ManualClock::new();
    let timer = WaitableTimer::auto_on(&clock.clock());
    (clock, timer)
}

fn manual() -> (ManualClock, WaitableTimer) {
    let clock = ManualClock::new();
    let timer = WaitableTimer::manual_on(&clock.clock());
    (clock, timer)
}

/// Both kinds.
fn each(test: impl Fn(ManualClock, WaitableTimer)) {
    for (clock, timer) in [auto(), manual()] {
        test(clock, timer);
    }
}

// ===== a release that nobody saw =====

// cases: TM-50
#[test]
fn a_release_that_was_not_seen_goes_to_the_next_or_sets_the_timer() {
    let (clock, timer) = auto();
    timer.set(after(1), None);
    let [mut first, mut second] = [counted(timer.wait()), counted(timer.wait())];
    assert!(first.poll().is_pending() && second.poll().is_pending());
    clock.advance(SECOND);
    drop(first);
    assert_eq!(second.wakes(), 1);
    drop(second);
    assert!(timer.try_wait());
}

// cases: TM-50
#[test]
fn a_release_that_was_not_seen_survives_a_cancel_but_not_a_set() {
    for (set, survives) in [(false, true), (true, false)] {
        let (clock, timer) = auto();
        timer.set(after(1), None);
        let [mut first, mut second] = [counted(timer.wait()), counted(timer.wait())];
        assert!(first.poll().is_pending() && second.poll().is_pending());
        clock.advance(SECOND);
        assert_eq!(first.wakes(), 1);
        timer.cancel();
        if set {
            timer.set(after(1), None);
        }
        drop(first);
        assert_eq!(second.wakes(), usize::from(survives));
        assert!(!timer.is_set());
        assert_eq!(second.poll().is_ready(), survives);
    }
}

#[test]
fn who_was_released_before_a_set_stays_released() {
    let (clock, timer) = auto();
    timer.set(after(1), None);
    let mut wait = counted(timer.wait());
    assert!(wait.poll().is_pending());
    clock.advance(SECOND);
    timer.set(after(1), None);
    assert!(wait.poll().is_ready());
}

// ===== with others =====

// cases: TM-49
#[test]
fn it_takes_part_in_a_wait_on_any() {
    each(|clock, timer| {
        let event = ManualResetEvent::new(false);
        timer.set(after(1), None);
        let mut any = counted(wait_any((event.wait(), timer.wait())));
        assert!(any.poll().is_pending());
        clock.advance(SECOND);
        assert_eq!(any.wakes(), 1);
        assert!(matches!(any.poll(), Poll::Ready(Ok((1, (None, Some(())))))));
    });
}

// cases: TM-49
#[test]
fn it_takes_part_in_a_wait_on_all() {
    each(|clock, timer| {
        let event = ManualResetEvent::new(false);
        timer.set(after(1), Some(SECOND));
        let mut all = counted(wait_all((timer.wait(), event.wait())));
        assert!(all.poll().is_pending());
        clock.advance(SECOND);
        assert_eq!((all.wakes(), timer.is_set()), (0, true));
        // Taken by another: the wait needs the next period.
        let taken = timer.try_wait();
        event.set();
        clock.advance(SECOND);
        assert!(taken && all.poll().is_ready());
    });
}

// cases: TM-49
#[test]
fn it_is_waited_for_in_one_step_with_a_signal() {
    each(|clock, timer| {
        let event = ManualResetEvent::new(false);
        timer.set(after(1), None);
        let mut both = counted(signal_and_wait(&event, timer.wait()));
        assert!(both.poll().is_pending() && event.is_set());
        clock.advance(SECOND);
        assert_eq!((both.wakes(), both.poll()), (1, Poll::Ready(Ok(()))));
    });
}

#[test]
fn who_lost_a_wait_on_any_leaves_no_alarm() {
    let (clock, timer) = auto();
    let (stop, begin) = (ManualResetEvent::new(false), clock.now());
    timer.set(after(1), Some(SECOND));
    let mut any = counted(wait_any((stop.wait(), timer.wait())));
    assert!(any.poll().is_pending());
    stop.set();
    assert!(any.poll().is_ready());
    drop(any);
    // Without an alarm three periods are one.
    clock.advance(seconds(3));
    assert_eq!(clock.now() - begin, seconds(3));
    assert!(timer.try_wait() && !timer.try_wait());
}

// ===== the future =====

#[test]
fn a_wait_that_was_not_polled_is_none() {
    let (clock, timer) = auto();
    timer.set(after(1), None);
    let wait = timer.wait();
    clock.advance(SECOND);
    assert!(timer.try_wait());
    drop(wait);
    assert!(!timer.is_set());
}

#[test]
fn a_wait_that_has_answered_panics_with_its_name() {
    let timer = WaitableTimer::manual();
    timer.set(Due::after(Duration::ZERO), None);
    let panicked = common::panic_of(move || {
        let mut wait = counted(timer.wait());
        assert!(wait.poll().is_ready());
        let _ = wait.poll();
    });
    assert_eq!(panicked.unwrap().message, "`WaitTimer` polled after completion");
}

#[test]
fn a_waker_that_panics_keeps_no_other_from_its_release() {
    let (clock, timer) = manual();
    timer.set(after(1), Some(SECOND));
    let mut first = timer.wait();
    let waker = common::calling_waker(|| panic!("a waker of a user"));
    assert!(common::poll_with(&mut first, &waker).is_pending());
    let mut second = counted(timer.wait());
    assert!(second.poll().is_pending());
    let _ = common::panic_of(std::panic::AssertUnwindSafe(|| clock.advance(SECOND)));
    assert_eq!((second.wakes(), second.poll()), (1, Poll::Ready(())));
}

#[test]
fn debug_names_the_types() {
    let (clock, timer) = auto();
    assert_eq!(format!("{timer:?}"), "WaitableTimer { auto: true, set: false, .. }");
    assert!(format!("{:?}", timer.wait()).starts_with("WaitTimer { timer: Some("));
    assert!(format!("{clock:?}").starts_with("ManualClock { now:"));
    assert_eq!(format!("{:?}", clock.clock()), "Clock { source: \"manual\", .. }");
    assert_eq!(format!("{:?}", Clock::default()), "Clock { source: \"system\", .. }");
}
