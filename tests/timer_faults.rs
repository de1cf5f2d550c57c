//! Timers whose users panic: in a waker, or in the drop of a completion call. Nobody else may suffer.

use batons::{ApcQueue, Due, ManualClock, WaitableTimer};
use common::{calling_waker, counted, must_end, panic_of, poll_with};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

mod common;

const SECOND: Duration = Duration::from_secs(1);

fn after(seconds: u64) -> Due {
    Due::after(SECOND * u32::try_from(seconds).expect("a small number"))
}

fn auto() -> (ManualClock, WaitableTimer) {
    let clock = ManualClock::new();
    let timer = WaitableTimer::auto_on(&clock.clock());
    (clock, timer)
}

fn panicking() -> Waker {
    calling_waker(|| panic!("a waker of a user"))
}

/// Calls `f`, which panics as the waker does.
#[track_caller]
fn panics<R>(f: impl FnOnce() -> R) {
    let panicked = panic_of(AssertUnwindSafe(f)).expect("the panic of the waker comes out");
    assert_eq!(panicked.message, "a waker of a user");
}

#[test]
fn a_waker_that_panics_at_one_tick_does_not_end_the_ticks() {
    let (clock, timer) = auto();
    timer.set(after(1), Some(SECOND));
    let mut first = timer.wait();
    assert!(poll_with(&mut first, &panicking()).is_pending());
    let mut second = counted(timer.wait());
    assert!(second.poll().is_pending());
    panic_of(AssertUnwindSafe(|| clock.advance(SECOND)));
    assert_eq!(second.wakes(), 0, "the tick was the first one's");
    clock.advance(SECOND);
    assert_eq!((second.wakes(), second.poll()), (1, Poll::Ready(())));
}

#[test]
fn a_waker_that_panics_in_a_set_does_not_keep_the_timer_from_being_set() {
    let (clock, timer) = auto();
    let mut first = timer.wait();
    assert!(poll_with(&mut first, &panicking()).is_pending());
    let mut second = counted(timer.wait());
    assert!(second.poll().is_pending());
    panics(|| timer.set(Due::after(Duration::ZERO), Some(SECOND)));
    clock.advance(SECOND);
    assert_eq!((second.wakes(), second.poll()), (1, Poll::Ready(())), "it is rung for who waits");
}

#[test]
fn a_waker_that_panics_by_the_old_setting_does_not_keep_a_set_or_a_cancel_away() {
    for change in [|timer: &WaitableTimer| timer.set(after(5), None), WaitableTimer::cancel] {
        let (clock, timer) = auto();
        let early = WaitableTimer::auto_on(&clock.clock());
        early.set(after(1), None);
        timer.set(after(1), Some(SECOND));
        // Rung for first, while the other one is due and was not told.
        let mut changing = early.wait();
        let changed = Arc::<Mutex<bool>>::default();
        let waker = calling_waker({
            let (timer, changed) = (timer.clone(), Arc::clone(&changed));
            move || {
                *changed.lock().unwrap() = true;
                change(&timer);
            }
        });
        assert!(poll_with(&mut changing, &waker).is_pending());
        let mut first = timer.wait();
        assert!(poll_with(&mut first, &panicking()).is_pending());
        let mut second = counted(timer.wait());
        assert!(second.poll().is_pending());
        panic_of(AssertUnwindSafe(|| clock.advance(SECOND)));
        assert!(*changed.lock().unwrap());
        clock.advance(SECOND * 3);
        assert_eq!(second.wakes(), 0, "the old setting is over");
        assert!(poll_with(&mut first, Waker::noop()).is_ready(), "what was signaled stays signaled");
    }
}

/// A future on the heap, which its own waker drops.
type Shared = Arc<Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>>;

#[test]
fn a_call_that_panics_as_it_goes_with_its_timer_harms_nobody_who_rings() {
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a call of a user");
        }
    }

    let (clock, timer) = auto();
    let queue = ApcQueue::new();
    let bomb = Bomb;
    let routine = queue.handle().routine(move |_| {
        let _ = &bomb;
    });
    timer.set_with(after(1), None, routine);
    let wait: Shared = Arc::new(Mutex::new(Some(Box::pin(async move { timer.wait().await }))));
    let waker = calling_waker({
        let wait = Arc::clone(&wait);
        move || drop(wait.lock().unwrap().take())
    });
    let polled = wait.lock().unwrap().as_mut().map(|wait| poll_with(wait, &waker));
    assert_eq!(polled, Some(Poll::Pending));

    let other = WaitableTimer::auto_on(&clock.clock());
    other.set(after(1), None);
    let mut second = counted(other.wait());
    assert!(second.poll().is_pending());
    let panicked = panic_of(AssertUnwindSafe(|| clock.advance(SECOND)));
    assert!(wait.lock().unwrap().is_none(), "the last handle went as its timer rang");
    assert!(panicked.is_none());
    assert_eq!((second.wakes(), second.poll()), (1, Poll::Ready(())));
}

#[test]
fn a_waker_may_poll_another_wait_while_the_last_expiry_is_told() {
    must_end(|| {
        let (clock, timer) = auto();
        timer.set(after(1), None);
        let wait = |timer: WaitableTimer| -> Shared {
            Arc::new(Mutex::new(Some(Box::pin(async move { timer.wait().await }))))
        };
        let poll = |wait: &Shared, waker: &Waker| {
            wait.lock().unwrap().as_mut().map(|wait| poll_with(wait, waker)).expect("it is there")
        };
        let (first, second) = (wait(timer.clone()), wait(timer.clone()));
        let waker = calling_waker({
            let second = Arc::clone(&second);
            move || assert!(poll(&second, Waker::noop()).is_pending())
        });
        assert!(poll(&first, &waker).is_pending() && poll(&second, Waker::noop()).is_pending());
        clock.advance(SECOND);
        assert!(poll(&first, &waker).is_ready() && poll(&second, &waker).is_pending());
    });
}
