//! The rules of a timer, and its completion calls, made by a party of these tests.

use super::*;
use crate::clock::ManualClock;
use crate::sync::Lock;
use proptest::prelude::*;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

const SECOND: Duration = Duration::from_secs(1);

// ===== completion calls =====

/// Whoever is to make the calls.
#[derive(Debug, Default)]
struct Party {
    noted: Option<Instant>,
    alerts: usize,
    over: bool,
    /// The timer, to look whether it was set at each post.
    timer: Option<WaitableTimer>,
    early: bool,
}

#[derive(Debug, Clone, Default)]
struct Call(Arc<Lock<Party>>);

impl Call {
    fn noted(&self) -> Option<Instant> {
        self.0.lock().noted
    }

    /// Makes the call.
    fn take(&self) -> Option<Instant> {
        self.0.lock().noted.take()
    }
}

impl Routine<Instant> for Call {
    fn post(&self, told: Instant) -> bool {
        let mut party = self.0.lock();
        party.noted.get_or_insert(told);
        party.early |= party.timer.as_ref().is_some_and(|timer| !is_set(timer.core.header.state()));
        !party.over
    }

    fn alert(&self) {
        self.0.lock().alerts += 1;
    }

    fn withdraw(&self) {
        self.0.lock().noted = None;
    }

    fn is_over(&self) -> bool {
        self.0.lock().over
    }
}

fn timers() -> [(ManualClock, WaitableTimer, Call); 2] {
    [WaitableTimer::auto_on, WaitableTimer::manual_on].map(|make| {
        let clock = ManualClock::new();
        let timer = make(&clock.clock());
        (clock, timer, Call::default())
    })
}

fn after(seconds: u64) -> Due {
    Due::after(Duration::from_secs(seconds))
}

// cases: TM-36, TM-37
#[test]
fn a_call_is_noted_once_and_told_when_it_was_due() {
    for (clock, timer, call) in timers() {
        let begin = clock.now();
        timer.set_with(after(1), Some(SECOND), call.clone());
        clock.advance(SECOND * 3 + SECOND / 2);
        assert_eq!(call.take(), Some(begin + SECOND));
        assert_eq!(call.0.lock().alerts, 3, "it is called though nobody waits or looks");
        clock.advance(SECOND / 2);
        assert_eq!(call.take(), Some(begin + SECOND * 4));
    }
}

// cases: TM-33
#[test]
fn the_timer_is_set_before_its_call_is_noted() {
    for (clock, timer, call) in timers() {
        call.0.lock().timer = Some(timer.clone());
        timer.set_with(after(1), None, call.clone());
        clock.advance(SECOND);
        assert!(call.noted().is_some() && !call.0.lock().early);
        call.0.lock().timer = None;
    }
}

// cases: TM-33
#[test]
fn who_waits_for_the_timer_is_released_and_the_call_stays_noted() {
    for (clock, timer, call) in timers() {
        timer.set_with(after(1), None, call.clone());
        let mut wait = timer.wait();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut wait).poll(&mut cx).is_pending());
        clock.advance(SECOND);
        assert!(Pin::new(&mut wait).poll(&mut cx).is_ready());
        assert!(call.noted().is_some());
    }
}

// cases: TM-34
#[test]
fn a_new_setting_takes_the_noted_call_back() {
    for (clock, timer, call) in timers() {
        timer.set_with(after(1), None, call.clone());
        clock.advance(SECOND);
        assert!(call.noted().is_some());
        timer.set(after(1), None);
        assert_eq!(call.noted(), None);
        clock.advance(SECOND);
        assert_eq!(call.noted(), None);
    }
}

// cases: TM-35
#[test]
fn a_cancel_takes_the_noted_call_back() {
    for (clock, timer, call) in timers() {
        timer.set_with(after(1), Some(SECOND), call.clone());
        clock.advance(SECOND);
        assert!(timer.cancel(), "cancel never changes the state");
        assert_eq!(call.noted(), None);
        clock.advance(SECOND * 10);
        assert_eq!(call.noted(), None);
    }
}

// cases: TM-40
#[test]
fn the_end_of_the_last_handle_takes_the_noted_call_back() {
    for (clock, timer, call) in timers() {
        timer.set_with(after(1), Some(SECOND), call.clone());
        clock.advance(SECOND);
        assert!(call.noted().is_some());
        drop(timer);
        assert_eq!(call.noted(), None);
        clock.advance(SECOND);
        assert_eq!((call.noted(), Arc::strong_count(&call.0)), (None, 1));
    }
}

// cases: TM-38, TM-39
#[test]
fn a_timer_goes_with_the_party_to_be_called_and_keeps_its_state() {
    for (clock, timer, call) in timers() {
        timer.set_with(after(1), Some(SECOND), call.clone());
        clock.advance(SECOND);
        assert!(timer.try_wait());
        call.0.lock().over = true;
        clock.advance(SECOND * 10);
        assert_eq!(timer.is_set(), !timer.core.header.policy().auto, "no period came after the end");
        assert_eq!(Arc::strong_count(&call.0), 1);
        timer.set(after(1), None);
        clock.advance(SECOND);
        assert!(timer.is_set(), "without a call it goes with nobody");
    }
}

#[test]
fn a_party_that_ends_between_the_signal_and_the_note_ends_the_setting() {
    #[derive(Debug)]
    struct Refusing;

    impl Routine<Instant> for Refusing {
        fn post(&self, _: Instant) -> bool {
            false
        }
        fn alert(&self) {
            unreachable!("it was not noted");
        }
        fn withdraw(&self) {}
        fn is_over(&self) -> bool {
            false
        }
    }

    let [(clock, timer, _), _] = timers();
    timer.set_with(after(1), Some(SECOND), Refusing);
    clock.advance(SECOND);
    assert!(timer.try_wait());
    clock.advance(SECOND * 10);
    assert!(!timer.is_set());
}

// cases: TM-42
#[test]
fn a_call_may_set_its_own_timer_again() {
    for (clock, timer, call) in timers() {
        timer.set_with(after(1), None, call.clone());
        clock.advance(SECOND);
        assert!(call.take().is_some());
        timer.set_with(after(2), None, call.clone());
        clock.advance(SECOND);
        assert_eq!(call.noted(), None);
        clock.advance(SECOND);
        assert!(call.take().is_some());
    }
}

#[test]
fn a_release_that_is_given_back_notes_no_call() {
    let [(clock, timer, call), _] = timers();
    timer.set_with(after(1), None, call.clone());
    let mut wait = timer.wait();
    assert!(Pin::new(&mut wait).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    clock.advance(SECOND);
    assert!(call.take().is_some());
    drop(wait);
    assert!(timer.is_set());
    assert_eq!(call.noted(), None);
}

// ===== the rules =====

#[test]
fn an_expiry_of_another_setting_is_refused() {
    let (state, (was, stamp)) = start(0, true);
    assert!(!was);
    let (set, ()) = expire(state, stamp, true).unwrap();
    assert!(is_set(set));
    assert!(expire(set, stamp, true).is_err(), "it came already");
    assert!(expire(set, stamp.next(), true).is_ok());
    let (stopped, was) = stop(set);
    assert!(was && is_set(stopped));
    assert!(expire(stopped, stamp.next(), true).is_err());
    let (again, (was, later)) = start(stopped, true);
    assert!(was && !is_set(again));
    assert!(expire(again, stamp, true).is_err() && expire(again, stamp.next(), true).is_err());
    assert!(expire(again, later, false).is_ok_and(|(state, ())| !is_armed(state)));
}

#[test]
fn the_counts_wrap_within_63_bits() {
    let last = Stamp { setting: SETTINGS, tick: SETTING / TICK - 1 };
    let state = last.state() | SET | ARMED;
    assert_eq!(state, u64::MAX >> 1);
    assert_eq!(Stamp::of(state), last);
    let (ticked, ()) = expire(state, last, true).unwrap();
    assert_eq!(Stamp::of(ticked), Stamp { tick: 0, ..last });
    let (started, (_, stamp)) = start(state, true);
    assert_eq!((stamp, started), (Stamp::default(), ARMED));
}

proptest! {
    #[test]
    fn a_stamp_is_kept_in_the_state(state in 0..u64::MAX >> 1) {
        prop_assert_eq!(Stamp::of(state).state() | state & (SET | ARMED), state);
    }
}

// ===== the alarm =====

fn poll(wait: &mut WaitTimer<'_>) -> bool {
    Pin::new(wait).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn an_alarm_is_armed_only_for_who_waits_or_is_to_be_called() {
    for (clock, timer, call) in timers() {
        timer.set(after(10), Some(SECOND));
        assert!(!timer.core.is_rung_for());
        let mut wait = timer.wait();
        assert!(!timer.core.is_rung_for());
        assert!(!poll(&mut wait) && timer.core.is_rung_for());
        drop(wait);
        assert!(!timer.core.is_rung_for(), "a dropped wait leaves nothing");
        timer.set_with(after(10), Some(SECOND), call);
        assert!(timer.core.is_rung_for());
        timer.cancel();
        assert!(!timer.core.is_rung_for());
        let mut waits = [timer.wait(), timer.wait()];
        assert!(!waits.iter_mut().any(poll) && !timer.core.is_rung_for(), "nothing is to come");
        timer.set(after(1), None);
        assert!(timer.core.is_rung_for());
        clock.advance(SECOND);
        assert!(!timer.core.is_rung_for());
    }
}

#[test]
fn a_manual_timer_that_is_set_is_not_rung_for() {
    let [_, (clock, timer, _)] = timers();
    timer.set(after(1), Some(SECOND));
    let mut wait = timer.wait();
    assert!(!poll(&mut wait));
    clock.advance(SECOND);
    assert!(!timer.core.is_rung_for());
    timer.set(after(1), None);
    assert!(timer.core.is_rung_for(), "whoever was released and has not looked still counts");
}

#[test]
fn a_waker_that_panics_in_the_drop_of_a_wait_leaves_no_alarm() {
    struct Panicking;

    impl std::task::Wake for Panicking {
        fn wake(self: Arc<Self>) {
            panic!("a waker of a user");
        }
    }

    let [(clock, timer, _), _] = timers();
    timer.set(after(1), Some(SECOND));
    let mut first = timer.wait();
    assert!(!poll(&mut first));
    let mut second = timer.wait();
    let waker = Waker::from(Arc::new(Panicking));
    assert!(Pin::new(&mut second).poll(&mut Context::from_waker(&waker)).is_pending());
    clock.advance(SECOND);
    // The release that was not seen goes to the second.
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(first)));
    assert!(dropped.is_err());
    assert!(poll(&mut second));
    drop(second);
    clock.advance(SECOND);
    assert!(!timer.core.is_rung_for(), "nobody waits");
}
