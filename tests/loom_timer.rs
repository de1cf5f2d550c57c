//! Every interleaving of a few threads around a timer, under the model checker, on a manual clock.
//!
//! Run with `RUSTFLAGS="--cfg batons_loom" cargo test --release --test loom_timer`. Each model names a change
//! under which it was seen failing.
#![cfg(batons_loom)]

use batons::{Due, ManualClock, ManualResetEvent, WaitableTimer, wait_any};
use loom::future::block_on;
use loom::thread;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Explores the interleavings with at most `preemptions` forced switches.
fn model(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(body);
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A waker of no model: whether it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Polls once, and tells what came and whether it is woken then.
fn poll_watched<F: Future + Unpin>(future: &mut F) -> (Poll<F::Output>, Arc<Woken>) {
    let woken = Arc::<Woken>::default();
    let waker = Waker::from(Arc::clone(&woken));
    (Pin::new(future).poll(&mut Context::from_waker(&waker)), woken)
}

fn auto() -> (ManualClock, WaitableTimer) {
    let clock = ManualClock::new();
    let timer = WaitableTimer::auto_on(&clock.clock());
    timer.set(Due::after(SECOND), Some(SECOND));
    (clock, timer)
}

/// Lets a second pass, and whoever waits be released.
fn ticking(clock: &ManualClock, timer: &WaitableTimer) -> thread::JoinHandle<()> {
    let (clock, timer) = (clock.clone(), timer.clone());
    thread::spawn(move || {
        clock.advance(SECOND);
        let _ = timer.is_set();
    })
}

/// Fails if an expiry does not compare its setting.
#[test]
fn an_expiry_never_signals_after_a_new_setting() {
    model(3, || {
        let (clock, timer) = auto();
        let ticker = ticking(&clock, &timer);
        timer.set(Due::after(SECOND * 100), None);
        assert!(!timer.is_set());
        ticker.join().unwrap();
        assert!(!timer.is_set());
    });
}

/// Fails if a cancel leaves the state armed.
#[test]
fn an_expiry_never_signals_after_a_cancel() {
    model(3, || {
        let (clock, timer) = auto();
        let ticker = ticking(&clock, &timer);
        let set = timer.cancel();
        ticker.join().unwrap();
        assert_eq!(timer.is_set(), set);
    });
}

/// Fails if an expiry does not compare how many came before.
#[test]
fn a_tick_that_two_notice_is_one() {
    model(3, || {
        let (clock, timer) = auto();
        clock.advance(SECOND);
        let other = {
            let timer = timer.clone();
            thread::spawn(move || timer.try_wait())
        };
        let took = timer.try_wait();
        assert!(took != other.join().unwrap());
        assert!(!timer.is_set());
    });
}

/// Fails if an expiry does not compare how many came before.
#[test]
fn a_wait_that_arrives_during_the_tick_is_released() {
    model(3, || {
        let (clock, timer) = auto();
        let ticker = ticking(&clock, &timer);
        block_on(timer.wait());
        ticker.join().unwrap();
        assert!(!timer.is_set());
    });
}

/// Fails if the members of a wait on several do not see to an alarm. By the alarm alone: nobody looks.
#[test]
fn a_wait_on_any_that_arrives_during_the_tick_is_rung_for() {
    model(2, || {
        let (clock, timer) = auto();
        let ticker = {
            let clock = clock.clone();
            thread::spawn(move || clock.advance(SECOND))
        };
        let event = ManualResetEvent::new(false);
        let mut any = wait_any((event.wait(), timer.wait()));
        let (first, woken) = poll_watched(&mut any);
        ticker.join().unwrap();
        assert!(first.is_ready() || woken.0.load(Ordering::SeqCst));
        drop(first);
        drop(any);
    });
}

/// Fails if nobody sees to an alarm once the wait stands in line. By the alarm alone: nobody looks.
#[test]
fn a_nearer_setting_during_the_first_poll_rings() {
    model(2, || {
        let clock = ManualClock::new();
        let timer = WaitableTimer::auto_on(&clock.clock());
        timer.set(Due::after(SECOND * 100), None);
        let setter = {
            let timer = timer.clone();
            thread::spawn(move || timer.set(Due::after(SECOND), None))
        };
        let mut wait = timer.wait();
        let (first, woken) = poll_watched(&mut wait);
        setter.join().unwrap();
        clock.advance(SECOND);
        assert!(first.is_pending() && woken.0.load(Ordering::SeqCst));
    });
}

/// Fails if what happens while an alarm is being armed is forgotten. By the alarm alone: nobody looks.
#[test]
fn a_step_of_the_wall_clock_during_the_first_poll_rings() {
    model(2, || {
        let clock = ManualClock::new();
        let timer = WaitableTimer::auto_on(&clock.clock());
        let wall = clock.clock().wall();
        timer.set(Due::at(wall + SECOND * 100), None);
        let stepper = {
            let clock = clock.clone();
            thread::spawn(move || clock.set_wall(wall + SECOND * 99))
        };
        let mut wait = timer.wait();
        let (first, woken) = poll_watched(&mut wait);
        stepper.join().unwrap();
        clock.advance(SECOND);
        assert!(first.is_pending() && woken.0.load(Ordering::SeqCst));
    });
}

/// Fails without the give-back of a grant that was not seen (R4).
#[test]
fn a_tick_granted_to_a_dropped_wait_is_not_lost() {
    model(3, || {
        let (clock, timer) = auto();
        let mut wait = timer.wait();
        assert!(poll(&mut wait).is_pending());
        let ticker = ticking(&clock, &timer);
        drop(wait);
        ticker.join().unwrap();
        assert!(timer.is_set());
    });
}
