//! A waker or a call that panics harms nobody else, whether it is a timer, a queue or a port that ran it.

mod common;

use batons::{
    Alertable::Alerted, ApcHandle, ApcQueue, CompletionPort, Due, ManualClock, ManualResetEvent,
    WaitableTimer, blocking,
};
use common::{calling_waker, counted, must_end, panic_of, poll_with, until};
use std::{
    any::Any,
    future::{Future, pending},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};
use tokio_test::{assert_pending, assert_ready, assert_ready_eq, assert_ready_ok};

const SECOND: Duration = Duration::from_secs(1);

fn after(seconds: u64) -> Due {
    Due::after(Duration::from_secs(seconds))
}

fn panicking() -> Waker {
    calling_waker(|| panic!("the waker fails"))
}

fn fails<R>(action: impl FnOnce() -> R) {
    let panic = panic_of(AssertUnwindSafe(action)).expect("the panic goes on");
    assert_eq!(panic.message, "the waker fails");
}

fn auto() -> (ManualClock, WaitableTimer) {
    let clock = ManualClock::new();
    let timer = WaitableTimer::auto_on(&clock.clock());
    (clock, timer)
}

// ===== timers =====

#[test]
fn a_waker_that_panics_when_the_alarm_rings_does_not_silence_it_for_the_others() {
    let (clock, timer) = auto();
    timer.set(after(1), Some(SECOND));
    let (mut bad, mut next) = (timer.wait(), counted(timer.wait()));
    assert_pending!(poll_with(&mut bad, &panicking()));
    assert_pending!(next.poll());
    clock.advance(SECOND);
    assert_eq!(next.wakes(), 0, "one expiry, one release");
    clock.advance(SECOND);
    assert_eq!(next.wakes(), 1, "the second is rung for as well");
    assert_ready!(next.poll());
    assert_ready!(poll_with(&mut bad, Waker::noop()));
}

#[test]
fn a_waker_that_panics_in_set_leaves_the_timer_set_and_rung_for() {
    let (clock, timer) = auto();
    let (mut bad, mut next) = (timer.wait(), counted(timer.wait()));
    assert_pending!(poll_with(&mut bad, &panicking()));
    assert_pending!(next.poll());
    fails(|| timer.set(after(0), Some(SECOND)));
    clock.advance(SECOND);
    assert_eq!(next.wakes(), 1);
    assert_ready!(next.poll());
    assert_ready!(poll_with(&mut bad, Waker::noop()));
}

#[test]
fn a_waker_that_panics_at_a_look_does_not_keep_a_timer_from_being_set_or_cancelled() {
    for cancel in [true, false] {
        let (clock, timer) = auto();
        // Is rung for before the timer, since it was waited for before it.
        let early = WaitableTimer::auto_on(&clock.clock());
        early.set(after(1), None);
        timer.set(after(1), Some(SECOND));
        let mut first = early.wait();
        let other = timer.clone();
        let act = calling_waker(move || {
            fails(|| if cancel { other.cancel() } else { other.set(after(5), None) });
        });
        assert_pending!(poll_with(&mut first, &act));
        let (mut bad, mut next) = (timer.wait(), counted(timer.wait()));
        assert_pending!(poll_with(&mut bad, &panicking()));
        assert_pending!(next.poll());
        clock.advance(SECOND * 4);
        assert_eq!(next.wakes(), 0, "the old setting is over");
        assert_ready!(poll_with(&mut first, Waker::noop()));
        clock.advance(SECOND * 2);
        assert_eq!(next.wakes(), usize::from(!cancel), "the new one is not");
    }
}

#[test]
fn a_call_is_queued_also_if_the_waker_of_who_waits_for_the_timer_panics() {
    let (clock, timer) = auto();
    let (queue, count) = (ApcQueue::new(), Arc::<AtomicU32>::default());
    let calls = Arc::clone(&count);
    let routine = queue.handle().routine(move |_: Instant| {
        calls.fetch_add(1, Relaxed);
    });
    let mut bad = timer.wait();
    assert_pending!(poll_with(&mut bad, &panicking()));
    let mut sleep = counted(queue.alertable(pending::<()>()));
    assert_pending!(sleep.poll());
    fails(|| timer.set_with(after(0), Some(SECOND), routine));
    assert_eq!(sleep.wakes(), 1);
    assert_ready_eq!(sleep.poll(), Alerted);
    clock.advance(SECOND);
    assert_eq!((blocking::wait(queue.drain()), count.load(Relaxed)), (1, 2));
}

#[test]
fn a_waker_that_panics_at_an_alert_does_not_end_the_setting() {
    let (clock, timer) = auto();
    let queue = ApcQueue::new();
    let mut bad = queue.alertable(pending::<()>());
    assert_pending!(poll_with(&mut bad, &panicking()));
    fails(|| timer.set_with(after(0), Some(SECOND), queue.handle().routine(|_: Instant| {})));
    assert_eq!(blocking::wait(queue.drain()), 1);
    clock.advance(SECOND);
    assert_eq!(queue.pending(), 1);
}

/// What a panic carries, and panics in its turn when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("dropped"));
    }
}

/// Without a runtime one thread rings for the whole process.
#[test]
fn a_waker_that_panics_on_the_thread_that_rings_for_all_does_not_end_it() {
    let soon = Duration::from_millis(1);
    let payloads: [fn() -> Box<dyn Any + Send>; 2] = [|| Box::new("a waker"), || Box::new(Bomb)];
    for payload in payloads {
        must_end(move || {
            let there = Arc::<AtomicBool>::default();
            while !there.load(Relaxed) {
                let (timer, woken) = (WaitableTimer::auto(), Arc::<AtomicBool>::default());
                let waker = calling_waker({
                    let (there, woken) = (Arc::clone(&there), Arc::clone(&woken));
                    let here = thread::current().id();
                    move || {
                        // A thread that is late finds the timer due itself.
                        there.store(thread::current().id() != here, Relaxed);
                        woken.store(true, Relaxed);
                        resume_unwind(payload());
                    }
                });
                let mut wait = timer.wait();
                assert_pending!(poll_with(&mut wait, &waker));
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| timer.set(Due::after(soon), None))) {
                    std::mem::forget(panic);
                }
                until(&true, || woken.load(Relaxed));
            }
            for _ in 0..3 {
                let timer = WaitableTimer::auto();
                timer.set(Due::after(soon), None);
                timer.blocking_wait();
            }
        });
    }
}

#[test]
fn a_panic_that_panics_when_it_is_dropped_keeps_nobody_from_being_woken() {
    let event = ManualResetEvent::new(false);
    let mut bad = [event.wait(), event.wait()];
    for wait in &mut bad {
        assert_pending!(poll_with(wait, &calling_waker(|| resume_unwind(Box::new(Bomb)))));
    }
    let mut next = counted(event.wait());
    assert_pending!(next.poll());
    let panic = catch_unwind(AssertUnwindSafe(|| event.set())).expect_err("the first panic goes on");
    std::mem::forget(panic);
    assert_eq!(next.wakes(), 1);
}

// ===== queues =====

#[test]
fn a_call_is_queued_also_if_the_waker_panics() {
    let queue = ApcQueue::new();
    let mut bad = queue.alertable(pending::<()>());
    assert_pending!(poll_with(&mut bad, &panicking()));
    let mut next = counted(queue.alertable(pending::<()>()));
    assert_pending!(next.poll());
    fails(|| queue.handle().queue(|| {}));
    assert_eq!((queue.pending(), next.wakes()), (1, 0), "one call, one alert");
    drop(bad);
    assert_eq!(next.wakes(), 1, "the alert is given on");
    assert_ready_eq!(next.poll(), Alerted);
}

/// A wait that queues a call at its second poll, and panics at its third.
struct Failing(ApcHandle, u8);

impl Future for Failing {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.1 += 1;
        match self.1 {
            1 => {}
            2 => self.0.queue(|| {}).expect("it is open"),
            _ => resume_unwind(Box::new("the wait fails")),
        }
        Poll::Pending
    }
}

#[test]
fn a_wait_that_panics_after_it_took_the_alert_gives_it_on() {
    let queue = ApcQueue::new();
    let mut bad = queue.alertable(Failing(queue.handle(), 0));
    assert_pending!(poll_with(&mut bad, Waker::noop()));
    let mut next = counted(queue.alertable(pending::<()>()));
    assert_pending!(next.poll());
    assert!(catch_unwind(AssertUnwindSafe(|| poll_with(&mut bad, Waker::noop()))).is_err());
    drop(bad);
    assert_eq!((queue.pending(), next.wakes()), (1, 1));
    assert_ready_eq!(next.poll(), Alerted);
}

// ===== ports =====

#[test]
fn a_packet_is_posted_also_if_the_waker_panics() {
    let port = CompletionPort::new(1);
    let mut bad = port.next();
    assert_pending!(poll_with(&mut bad, &panicking()));
    let mut next = counted(port.next());
    assert_pending!(next.poll());
    fails(|| port.post(7));
    assert_eq!((port.running(), next.wakes()), (1, 0));
    drop(bad);
    assert_eq!((next.wakes(), *assert_ready_ok!(next.poll())), (1, 7));
}

#[test]
fn a_waker_that_panics_in_a_close_keeps_nobody_from_being_refused() {
    let port = CompletionPort::<u8>::new(1);
    let mut bad = port.next();
    assert_pending!(poll_with(&mut bad, &panicking()));
    let mut next = counted(port.next());
    assert_pending!(next.poll());
    fails(|| port.close());
    assert_eq!(next.wakes(), 1);
    assert!(
        assert_ready!(next.poll()).is_err() && assert_ready!(poll_with(&mut bad, Waker::noop())).is_err()
    );
}
