//! Who rings for a timer that is set and awaited in several places: nobody is left to a clock that does not go on.

#![cfg(feature = "tokio")]

use batons::{Alertable, ApcQueue, Due, WaitableTimer};
use common::counted;
use std::future::pending;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::time;

mod common;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// A runtime whose clock goes on only while it is run and has nothing else to do.
fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

#[test]
fn a_call_set_for_the_same_time_in_another_runtime_is_rung_for_there() {
    let (here, there) = (paused(), paused());
    let queue = ApcQueue::new();
    let timer = WaitableTimer::auto();
    let due = Due::at_instant(Instant::now() + HOUR);
    here.block_on(async { timer.set_with(due, None, queue.handle().routine(|_| {})) });
    there.block_on(async {
        timer.set_with(due, None, queue.handle().routine(|_| {}));
        let called = time::timeout(HOUR * 2, queue.alertable(pending::<()>())).await;
        assert_eq!(called, Ok(Alertable::Alerted));
    });
}

#[test]
fn a_due_time_at_the_end_of_the_clock_does_not_keep_a_runtime_from_ringing() {
    // The last second that an `Instant` can tell.
    let mut last = Instant::now();
    for shift in (0..63).rev() {
        last = last.checked_add(Duration::from_secs(1 << shift)).unwrap_or(last);
    }
    assert!(last.checked_add(SECOND).is_none());
    let last = (0..30)
        .rev()
        .fold(last, |last, shift| last.checked_add(Duration::from_nanos(1 << shift)).unwrap_or(last));
    paused().block_on(async {
        let never = WaitableTimer::auto();
        never.set(Due::at_instant(last), None);
        let mut wait = counted(never.wait());
        assert!(wait.poll().is_pending());
        let (timer, begin) = (WaitableTimer::auto(), time::Instant::now());
        timer.set(Due::after(HOUR), None);
        time::timeout(HOUR * 2, timer.wait()).await.expect("what is due beats the deadline");
        assert!(begin.elapsed() < HOUR + SECOND, "the deadline rang, and not the timer");
    });
}

#[test]
fn a_runtime_that_is_run_within_a_blocked_wait_rings_for_its_own() {
    let queue = ApcQueue::new();
    let call = || {
        paused().block_on(async {
            let (timer, begin) = (WaitableTimer::auto(), time::Instant::now());
            timer.set(Due::after(HOUR), None);
            time::timeout(HOUR * 2, timer.wait()).await.expect("what is due beats the deadline");
            assert!(begin.elapsed() < HOUR + SECOND, "the deadline rang, and not the timer");
        });
    };
    queue.handle().queue(call).expect("the queue is there");
    assert_eq!(queue.blocking_sleep(Duration::ZERO), Alertable::Alerted);
}
