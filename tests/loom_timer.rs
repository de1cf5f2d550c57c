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

/// Fails if the alarm is not armed anew when something changed while it was armed.
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

/// Fails if a wait is announced only while it stands in line.
#[test]
fn a_wait_on_any_that_arrives_during_the_tick_is_released_by_this_or_the_next() {
    model(2, || {
        let (clock, timer) = auto();
        let ticker = ticking(&clock, &timer);
        let event = ManualResetEvent::new(false);
        let mut any = wait_any((event.wait(), timer.wait()));
        let first = poll(&mut any).is_ready();
        ticker.join().unwrap();
        if !first {
            assert!(poll(&mut any).is_ready());
        }
        drop(any);
        assert!(!timer.is_set());
    });
}

/// Fails if an alarm that is being armed is not looked at again after a change.
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
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(Arc::clone(&woken));
        let mut wait = timer.wait();
        assert!(Pin::new(&mut wait).poll(&mut Context::from_waker(&waker)).is_pending());
        setter.join().unwrap();
        clock.advance(SECOND);
        // By the alarm alone: nobody has looked.
        assert!(woken.0.load(Ordering::SeqCst));
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
