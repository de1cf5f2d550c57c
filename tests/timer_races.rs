//! Timers set, cancelled and waited for while they expire, on threads and many times.

use batons::{Due, ManualClock, WaitableTimer};
use common::{Random, must_end};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

mod common;

const ROUNDS: u64 = 100_000;
const SECOND: Duration = Duration::from_secs(1);

// cases: TM-51
#[test]
fn after_set_has_returned_the_old_setting_never_signals() {
    must_end(|| {
        for timer in [WaitableTimer::auto(), WaitableTimer::manual()] {
            // Odd while the timer is set to what is far away.
            let (far, over) = (AtomicU64::new(1), AtomicBool::new(false));
            thread::scope(|scope| {
                scope.spawn(|| {
                    while !over.load(Ordering::SeqCst) {
                        let before = far.load(Ordering::SeqCst);
                        let taken = timer.try_wait();
                        let after = far.load(Ordering::SeqCst);
                        assert!(!(taken && before % 2 == 1 && before == after), "an old setting signaled");
                    }
                });
                let mut random = Random(7);
                for _ in 0..ROUNDS / 2 {
                    far.fetch_add(1, Ordering::SeqCst);
                    let near = Duration::from_nanos(random.below(3_000) as u64);
                    timer.set(Due::after(near), Some(near));
                    timer.set(Due::after(SECOND * 100_000), None);
                    far.fetch_add(1, Ordering::SeqCst);
                    assert!(!timer.is_set());
                }
                over.store(true, Ordering::SeqCst);
            });
        }
    });
}

// cases: TM-51
#[test]
fn after_cancel_has_returned_the_state_is_as_it_was_told() {
    must_end(|| {
        let clock = ManualClock::new();
        let timer = WaitableTimer::manual_on(&clock.clock());
        let round = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..ROUNDS / 10 {
                    round.wait();
                    clock.advance(SECOND);
                    let _ = timer.is_set();
                    round.wait();
                }
            });
            for _ in 0..ROUNDS / 10 {
                timer.set(Due::after(SECOND), Some(SECOND));
                round.wait();
                let set = timer.cancel();
                round.wait();
                clock.advance(SECOND * 10);
                assert_eq!(timer.is_set(), set);
            }
        });
    });
}

#[test]
fn every_tick_is_taken_once_by_those_who_wait_and_those_who_look() {
    const TICKS: u64 = ROUNDS / 20;
    must_end(|| {
        let clock = ManualClock::new();
        let timer = WaitableTimer::auto_on(&clock.clock());
        timer.set(Due::after(SECOND), Some(SECOND));
        let taken = AtomicU64::new(0);
        thread::scope(|scope| {
            let (timer, taken) = (&timer, &taken);
            for waits in [true, true, false] {
                scope.spawn(move || {
                    while taken.load(Ordering::SeqCst) < TICKS {
                        let took =
                            if waits { timer.blocking_wait_timeout(SECOND / 1000) } else { timer.try_wait() };
                        taken.fetch_add(u64::from(took), Ordering::SeqCst);
                    }
                });
            }
            for tick in 1..=TICKS {
                clock.advance(SECOND);
                common::until(&tick, || taken.load(Ordering::SeqCst));
            }
        });
        assert!(!timer.try_wait());
    });
}

#[test]
fn a_wait_that_is_dropped_while_its_timer_expires_loses_nothing() {
    must_end(|| {
        let clock = ManualClock::new();
        let timer = WaitableTimer::auto_on(&clock.clock());
        let round = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..ROUNDS / 10 {
                    round.wait();
                    clock.advance(SECOND);
                    round.wait();
                }
            });
            for _ in 0..ROUNDS / 10 {
                timer.set(Due::after(SECOND), None);
                let mut goes = common::counted(timer.wait());
                assert!(goes.poll().is_pending());
                round.wait();
                drop(goes);
                round.wait();
                assert!(timer.try_wait());
            }
        });
    });
}

#[cfg(feature = "tokio")]
#[test]
fn a_hundred_thousand_armed_timers_all_expire() {
    must_end(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let timers: Vec<_> = (0..ROUNDS).map(|_| WaitableTimer::auto()).collect();
            for (index, timer) in (1..).zip(&timers) {
                timer.set(Due::after(Duration::from_millis(index)), None);
            }
            let mut waits: Vec<_> = timers.iter().map(|timer| common::counted(timer.wait())).collect();
            assert!(waits.iter_mut().all(|wait| wait.poll().is_pending()));
            tokio::time::sleep(Duration::from_millis(ROUNDS / 2)).await;
            assert!(
                waits.iter().enumerate().all(|(index, wait)| wait.wakes() == usize::from(index < 50_000))
            );
            tokio::time::sleep(Duration::from_millis(ROUNDS / 2)).await;
            assert!(waits.iter_mut().all(|wait| wait.wakes() == 1 && wait.poll().is_ready()));
        });
    });
}
