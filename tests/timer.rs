//! Waitable timers on a manual clock: the cases of the conformance table, one by one.

use batons::{Due, ManualClock, WaitableTimer};
use common::counted;
use std::task::Poll;
use std::time::{Duration, SystemTime};

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

// ===== once =====

// cases: TM-01
#[test]
fn a_new_timer_is_neither_set_nor_running() {
    each(|clock, timer| {
        clock.advance(seconds(1_000_000));
        assert!(!timer.is_set() && !timer.try_wait());
    });
}

// cases: TM-03, TM-15
#[test]
fn without_a_period_it_expires_once() {
    let (clock, timer) = auto();
    timer.set(after(1), None);
    let mut wait = counted(timer.wait());
    assert!(wait.poll().is_pending());
    clock.advance(seconds(1));
    assert_eq!((wait.wakes(), wait.poll()), (1, Poll::Ready(())));
    let mut next = counted(timer.wait());
    assert!(next.poll().is_pending());
    clock.advance(seconds(100));
    assert_eq!((next.wakes(), next.poll()), (0, Poll::Pending));
}

// cases: TM-15, TM-16, TM-18
#[test]
fn a_manual_timer_releases_all_and_stays_set() {
    let (clock, timer) = manual();
    timer.set(after(1), None);
    let mut waits: Vec<_> = (0..3).map(|_| counted(timer.wait())).collect();
    assert!(waits.iter_mut().all(|wait| wait.poll().is_pending()));
    clock.advance(SECOND);
    assert!(waits.iter_mut().all(|wait| wait.wakes() == 1 && wait.poll().is_ready()));
    clock.advance(seconds(100));
    assert!(timer.try_wait() && timer.try_wait());
}

// cases: TM-17
#[test]
fn an_automatic_timer_releases_one_in_the_order_of_their_polls() {
    let (clock, timer) = auto();
    timer.set(after(1), Some(SECOND));
    let mut waits: Vec<_> = (0..3).map(|_| counted(timer.wait())).collect();
    assert!(waits.iter_mut().all(|wait| wait.poll().is_pending()));
    for tick in 0..3 {
        clock.advance(SECOND);
        let wakes: Vec<_> = waits.iter().map(common::Counted::wakes).collect();
        assert_eq!(wakes, [1, usize::from(tick > 0), usize::from(tick > 1)]);
        assert!(!timer.is_set());
    }
    assert!(waits.iter_mut().all(|wait| wait.poll().is_ready()));
}

// cases: TM-04, TM-12
#[test]
fn a_due_time_of_zero_signals_at_once_and_then_every_period() {
    each(|_, timer| {
        timer.set(Due::after(Duration::ZERO), None);
        assert!(timer.is_set());
    });
    let (clock, timer) = auto();
    timer.set(Due::after(Duration::ZERO), Some(Duration::from_millis(120)));
    for _ in 0..3 {
        assert!(timer.try_wait() && !timer.try_wait());
        clock.advance(Duration::from_millis(119));
        assert!(!timer.try_wait());
        clock.advance(Duration::from_millis(1));
    }
}

// cases: TM-11
#[test]
fn a_due_time_in_the_past_signals_at_once() {
    each(|clock, timer| {
        timer.set(Due::at(clock.clock().wall() - seconds(3)), None);
        assert!(timer.is_set());
        timer.set(Due::at_instant(clock.now()), None);
        assert!(timer.is_set());
        timer.set(Due::at(SystemTime::UNIX_EPOCH), None);
        assert!(timer.is_set());
    });
}

// cases: TM-11, TM-21
#[test]
fn the_periods_of_a_date_in_the_past_count_from_the_setting() {
    let (clock, timer) = auto();
    timer.set(Due::at(SystemTime::UNIX_EPOCH + Duration::from_millis(7)), Some(Duration::from_millis(120)));
    for _ in 0..3 {
        assert!(timer.try_wait() && !timer.try_wait());
        clock.advance(Duration::from_millis(119));
        assert!(!timer.try_wait());
        clock.advance(Duration::from_millis(1));
    }
}

// cases: TM-13
#[test]
fn who_waits_is_released_before_set_returns_if_it_is_due_by_then() {
    each(|_, timer| {
        let mut wait = counted(timer.wait());
        assert!(wait.poll().is_pending());
        timer.set(Due::after(Duration::ZERO), None);
        assert_eq!((wait.wakes(), wait.poll()), (1, Poll::Ready(())));
    });
}

// cases: TM-52
#[test]
fn a_time_out_of_range_never_comes() {
    each(|clock, timer| {
        let mut wait = counted(timer.wait());
        timer.set(Due::after(Duration::MAX), Some(Duration::MAX));
        assert!(wait.poll().is_pending());
        timer.set(Due::after(Duration::ZERO), Some(Duration::MAX)); // the second expiry is out of range
        assert!(wait.poll().is_ready());
        let _ = timer.try_wait();
        clock.advance(seconds(1_000_000_000));
        timer.set(after(1), None);
        assert!(!timer.is_set());
        if let Some(far) = SystemTime::UNIX_EPOCH.checked_add(seconds(i64::MAX as u64 / 2)) {
            timer.set(Due::at(far), None);
            assert!(!timer.is_set() && counted(timer.wait()).poll().is_pending());
        }
    });
}

// ===== the two clocks =====

// cases: TM-05, TM-06, TM-10
#[test]
fn a_relative_due_time_does_not_follow_the_wall_clock() {
    each(|clock, timer| {
        timer.set(after(3), None);
        let mut wait = counted(timer.wait());
        assert!(wait.poll().is_pending());
        clock.advance(SECOND / 2);
        clock.set_wall(clock.clock().wall() + seconds(10));
        assert_eq!((wait.wakes(), wait.poll()), (0, Poll::Pending));
        clock.advance(seconds(2) + SECOND / 2);
        assert_eq!((wait.wakes(), wait.poll()), (1, Poll::Ready(())));
    });
}

// cases: TM-07
#[test]
fn an_absolute_due_time_comes_earlier_if_the_wall_clock_is_set_forward() {
    each(|clock, timer| {
        timer.set(Due::at(clock.clock().wall() + seconds(3)), None);
        let mut wait = counted(timer.wait());
        assert!(wait.poll().is_pending());
        clock.advance(SECOND / 2);
        clock.set_wall(clock.clock().wall() + seconds(10));
        assert_eq!((wait.wakes(), wait.poll()), (1, Poll::Ready(())));
    });
}

// cases: TM-08
#[test]
fn an_absolute_due_time_comes_later_if_the_wall_clock_is_set_back() {
    each(|clock, timer| {
        let due = clock.clock().wall() + seconds(3);
        timer.set(Due::at(due), None);
        let mut wait = counted(timer.wait());
        assert!(wait.poll().is_pending());
        clock.set_wall(due - seconds(10));
        clock.advance(seconds(9));
        assert_eq!((wait.wakes(), wait.poll()), (0, Poll::Pending));
        clock.advance(seconds(1));
        assert_eq!((wait.wakes(), wait.poll()), (1, Poll::Ready(())));
    });
}

// cases: TM-09
#[test]
fn a_period_does_not_follow_the_wall_clock() {
    for jump in [seconds(10), seconds(0)] {
        let (clock, timer) = auto();
        timer.set(Due::at(clock.clock().wall() + seconds(3)), Some(seconds(3)));
        let mut first = counted(timer.wait());
        assert!(first.poll().is_pending());
        clock.advance(seconds(3));
        assert!(first.poll().is_ready());
        let mut second = counted(timer.wait());
        assert!(second.poll().is_pending());
        clock.set_wall(SystemTime::UNIX_EPOCH + jump);
        clock.advance(seconds(2));
        clock.set_wall(clock.clock().wall() + jump);
        assert_eq!((second.wakes(), second.poll()), (0, Poll::Pending));
        clock.advance(seconds(1));
        assert_eq!((second.wakes(), second.poll()), (1, Poll::Ready(())));
    }
}

// ===== periods =====

// cases: TM-19
#[test]
fn a_period_does_not_clear_a_manual_timer() {
    let (clock, timer) = manual();
    timer.set(after(1), Some(SECOND));
    clock.advance(SECOND);
    for _ in 0..10 {
        assert!(timer.try_wait());
        clock.advance(SECOND / 3);
    }
}

// cases: TM-20
#[test]
fn missed_periods_are_one() {
    let (clock, timer) = auto();
    timer.set(after(1), Some(SECOND));
    clock.advance(seconds(3) + SECOND / 2);
    assert!(timer.try_wait());
    assert!(!timer.try_wait());
    clock.advance(SECOND / 2);
    assert!(timer.try_wait());
}

// cases: TM-21
#[test]
fn the_phase_is_kept_over_a_million_periods() {
    let (clock, timer) = auto();
    let period = Duration::from_nanos(1_234_567);
    let begin = clock.now();
    timer.set(Due::after(period), Some(period));
    for tick in 1..=1_000_000_u32 {
        // Noticed late, each time differently.
        let late = Duration::from_nanos(u64::from(tick) % 1_234_567);
        clock.advance(begin + period * tick + late - clock.now());
        assert!(timer.try_wait(), "{tick}");
    }
    clock.advance(begin + period * 1_000_000 + Duration::from_nanos(1_234_566) - clock.now());
    assert!(!timer.try_wait());
    clock.advance(Duration::from_nanos(1));
    assert!(timer.try_wait());
}

// cases: TM-21
#[test]
fn who_is_rung_for_sees_every_tick_at_its_own_time() {
    let (clock, timer) = auto();
    let begin = clock.now();
    timer.set(after(1), Some(seconds(2)));
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let waker = {
        let (told, clock) = (told.clone(), clock.clone());
        common::calling_waker(move || told.lock().unwrap().push(clock.now() - begin))
    };
    let mut waits: Vec<_> = (0..3).map(|_| timer.wait()).collect();
    assert!(waits.iter_mut().all(|wait| common::poll_with(wait, &waker).is_pending()));
    clock.advance(seconds(100));
    let told = std::mem::take(&mut *told.lock().unwrap());
    assert_eq!(told, [seconds(1), seconds(3), seconds(5)]);
}

#[test]
fn timers_expire_in_the_order_of_their_due_times() {
    let clock = ManualClock::new();
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let timers: Vec<_> = (0..5).map(|_| WaitableTimer::auto_on(&clock.clock())).collect();
    let mut waits: Vec<_> = timers.iter().map(WaitableTimer::wait).collect();
    for (index, due) in [5, 2, 4, 2, 1].into_iter().enumerate() {
        timers[index].set(after(due), None);
        let told = told.clone();
        let waker = common::calling_waker(move || told.lock().unwrap().push(index));
        assert!(common::poll_with(&mut waits[index], &waker).is_pending());
    }
    clock.advance(seconds(4));
    let told = std::mem::take(&mut *told.lock().unwrap());
    assert_eq!(told, [4, 1, 3, 2]);
}

// ===== set again =====

// cases: TM-22
#[test]
fn a_new_setting_replaces_the_old_one() {
    each(|clock, timer| {
        timer.set(after(1), Some(SECOND));
        let mut wait = counted(timer.wait());
        assert!(wait.poll().is_pending());
        timer.set(after(10), None);
        clock.advance(seconds(9));
        assert_eq!((wait.wakes(), wait.poll()), (0, Poll::Pending));
        clock.advance(seconds(1));
        assert_eq!((wait.wakes(), wait.poll()), (1, Poll::Ready(())));
    });
}

#[test]
fn a_nearer_setting_rings_earlier() {
    each(|clock, timer| {
        timer.set(after(10), None);
        let mut wait = counted(timer.wait());
        assert!(wait.poll().is_pending());
        timer.set(after(1), None);
        clock.advance(seconds(1));
        assert_eq!((wait.wakes(), wait.poll()), (1, Poll::Ready(())));
    });
}

// cases: TM-23, TM-24, TM-25
#[test]
fn set_clears_and_tells_the_state_before() {
    each(|clock, timer| {
        assert!(!timer.set(after(1), None));
        assert!(!timer.set(after(1), None));
        clock.advance(SECOND);
        assert!(timer.set(after(1), None), "it expired, though nobody looked");
        assert!(!timer.is_set() && !timer.try_wait());
        clock.advance(SECOND);
        assert!(timer.is_set());
    });
}

// ===== cancel =====

// cases: TM-26, TM-30
#[test]
fn a_cancelled_timer_leaves_who_waits_waiting_until_it_is_set_again() {
    each(|clock, timer| {
        timer.set(after(1), Some(SECOND));
        let mut waits: Vec<_> = (0..2).map(|_| counted(timer.wait())).collect();
        assert!(waits.iter_mut().all(|wait| wait.poll().is_pending()));
        assert!(!timer.cancel());
        clock.advance(seconds(100));
        assert!(!timer.is_set());
        assert!(waits.iter_mut().all(|wait| wait.wakes() == 0 && wait.poll().is_pending()));
        timer.set(after(1), Some(SECOND));
        clock.advance(seconds(2));
        assert!(waits.iter_mut().all(|wait| wait.wakes() == 1 && wait.poll().is_ready()));
    });
}

// cases: TM-27, TM-28, TM-29
#[test]
fn cancel_never_changes_the_state() {
    each(|clock, timer| {
        assert!(!timer.cancel(), "nothing was running");
        timer.set(after(1), Some(SECOND));
        clock.advance(SECOND);
        assert!(timer.cancel(), "it had expired by then");
        assert!(timer.cancel() && timer.is_set());
        clock.advance(seconds(100));
        assert!(timer.try_wait());
        timer.set(after(1), None);
        assert!(!timer.is_set());
        clock.advance(SECOND);
        assert!(timer.is_set());
    });
}

// cases: TM-45, TM-46
#[test]
fn the_last_handle_takes_the_alarm_with_it_and_a_clone_keeps_it() {
    let (clock, timer) = auto();
    timer.set(after(1), None);
    let other = timer.clone();
    drop(timer);
    let mut wait = counted(other.wait());
    assert!(wait.poll().is_pending());
    clock.advance(SECOND);
    assert_eq!(wait.wakes(), 1);
    drop(wait);
    assert!(other.is_set());
    other.set(after(1), None);
    drop(other);
    clock.advance(SECOND);
}
