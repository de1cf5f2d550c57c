//! Panics come out where they belong and harm nobody else: a waker's, a holder's, and our own.

use batons::{AcquireError, Baton, futures::Acquire};
use std::{
    borrow::Borrow,
    cell::RefCell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Once,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
};

#[path = "reentry/hook.rs"]
mod hook;

use hook::{Hook, Op};

// ===== helpers =====

/// Counts its wakes, then panics if it is told to.
#[derive(Default)]
struct Alarm {
    wakes: AtomicUsize,
    panics: bool,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Relaxed);
        assert!(!self.panics, "of a waker");
    }
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// A wait in line, with a waker that panics or not.
fn stand(baton: &Baton, seq: u64, panics: bool) -> (Acquire<&Baton>, Arc<Alarm>) {
    let alarm = Arc::new(Alarm { panics, ..Alarm::default() });
    let mut wait = baton.acquire(seq);
    assert!(poll(&mut wait, &Waker::from(Arc::clone(&alarm))).is_pending());
    (wait, alarm)
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).expect("a panic with a text")
}

thread_local! {
    static PLACE: RefCell<Option<(String, u32)>> = const { RefCell::new(None) };
}

/// The message of the panic that `action` ends with, and the place it names.
fn panic_of(action: impl FnOnce()) -> (String, String, u32) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let place = info.location().map(|place| (place.file().to_owned(), place.line()));
            PLACE.with(|kept| *kept.borrow_mut() = place);
            usual(info);
        }));
    });
    let panic = catch_unwind(AssertUnwindSafe(action)).expect_err("it panics");
    let (file, line) = PLACE.with(|kept| kept.borrow_mut().take()).expect("the hook ran in this thread");
    (message(&*panic).to_owned(), file, line)
}

// ===== a waker panics =====

#[test]
fn a_waker_that_panics_in_close_keeps_nobody_from_being_woken_and_its_panic_comes_out() {
    const WAITERS: u64 = 100;
    for bad in [1, 50, WAITERS] {
        let baton = Baton::new(0);
        let mut waits: Vec<_> = (1..=WAITERS).map(|seq| stand(&baton, seq, seq == bad)).collect();
        let (text, ..) = panic_of(|| baton.close());
        assert_eq!(text, "of a waker");
        assert!(baton.is_closed() && baton.snapshot().waiting().is_empty());
        for (wait, alarm) in &mut waits {
            assert_eq!(alarm.wakes.load(Relaxed), 1);
            assert!(matches!(poll(wait, Waker::noop()), Poll::Ready(Err(AcquireError::Closed))));
        }
    }
}

#[test]
fn of_several_panics_in_close_one_comes_out() {
    let baton = Baton::new(0);
    let waits: Vec<_> = (1..=10).map(|seq| stand(&baton, seq, true)).collect();
    assert!(catch_unwind(AssertUnwindSafe(|| baton.close())).is_err());
    assert!(waits.iter().all(|(_, alarm)| alarm.wakes.load(Relaxed) == 1));
}

#[test]
fn a_waker_that_panics_in_release_owns_the_baton_all_the_same() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let ((mut one, _), (mut two, _)) = (stand(&baton, 1, true), stand(&baton, 2, false));
    assert!(catch_unwind(AssertUnwindSafe(|| guard.release())).is_err());
    assert_eq!(baton.snapshot().holder(), Some(1));
    assert!(poll(&mut two, Waker::noop()).is_pending());
    let Poll::Ready(Ok(guard)) = poll(&mut one, Waker::noop()) else { panic!("1 owns the baton") };
    guard.release();
    assert!(poll(&mut two, Waker::noop()).is_ready());
}

#[test]
fn a_waker_that_panics_in_skip_or_in_a_ticket_s_drop_owns_the_baton_all_the_same() {
    let baton = Baton::new(0);
    let (mut one, _) = stand(&baton, 1, true);
    assert!(catch_unwind(AssertUnwindSafe(|| baton.skip(0))).is_err());
    let Poll::Ready(Ok(guard)) = poll(&mut one, Waker::noop()) else { panic!("1 owns the baton") };
    let ticket = baton.ticket();
    let (mut three, _) = stand(&baton, 3, true);
    guard.release();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(ticket))).is_err());
    assert!(matches!(poll(&mut three, Waker::noop()), Poll::Ready(Ok(_))));
}

#[test]
fn a_waker_that_panics_when_a_grant_is_given_back_owns_the_baton_all_the_same() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let ((unseen, _), (mut two, _)) = (stand(&baton, 1, false), stand(&baton, 2, true));
    guard.release();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(unseen))).is_err());
    assert!(matches!(poll(&mut two, Waker::noop()), Poll::Ready(Ok(_))));
}

// ===== a waker panics when it is cloned or dropped =====

/// Polls with a waker that panics at `op`; the panic must come out.
fn poll_and_panic<H: Borrow<Baton>>(wait: &mut Acquire<H>, hook: &Arc<Hook>, op: Op) {
    let waker = hook.waker();
    hook.arm(op, || panic!("of the waker"));
    let polled = catch_unwind(AssertUnwindSafe(|| poll(wait, &waker)));
    assert!(polled.is_err() && !hook.is_armed(), "the panic comes out");
}

#[test]
fn a_panicking_clone_at_the_first_poll_leaves_nothing() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let mut wait = baton.acquire(1);
    poll_and_panic(&mut wait, &Arc::default(), Op::Clone);
    assert!(baton.snapshot().waiting().is_empty());
    drop(wait);
    guard.release();
    assert!(baton.try_acquire(1).is_ok(), "the number is anybody's");
}

#[test]
fn a_panicking_clone_at_the_first_poll_of_an_owned_ticket_does_not_lose_the_ticket() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let mut wait = baton.ticket().acquire_owned();
    poll_and_panic(&mut wait, &Arc::default(), Op::Clone);
    drop(wait);
    assert_eq!(baton.snapshot().skipped(), [1], "dropped, it is passed over");
    guard.release();
    assert!(baton.try_acquire(2).is_ok());
}

#[test]
fn a_panicking_clone_at_a_later_poll_keeps_the_place_until_the_wait_is_dropped() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let mut wait = baton.acquire(1);
    assert!(poll(&mut wait, Waker::noop()).is_pending());
    poll_and_panic(&mut wait, &Arc::default(), Op::Clone);
    assert_eq!(baton.snapshot().waiting(), [1]);
    drop(wait);
    assert!(baton.snapshot().waiting().is_empty(), "nothing is left of a dropped wait");
    guard.release();
    assert!(baton.try_acquire(1).is_ok());
}

#[test]
fn a_wait_that_saw_a_panicking_waker_may_be_polled_on() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let (mut later, mut first) = (baton.acquire(1), baton.acquire(2));
    assert!(poll(&mut later, Waker::noop()).is_pending());
    poll_and_panic(&mut later, &Arc::default(), Op::Clone);
    poll_and_panic(&mut first, &Arc::default(), Op::Clone);
    assert!(poll(&mut later, Waker::noop()).is_pending());
    assert!(poll(&mut first, Waker::noop()).is_pending());
    guard.release();
    assert!(matches!(poll(&mut later, Waker::noop()), Poll::Ready(Ok(_))));
    assert!(matches!(poll(&mut first, Waker::noop()), Poll::Ready(Ok(_))));
}

#[test]
fn a_panicking_drop_of_the_unused_waker_does_not_lose_the_turn() {
    let baton = Baton::new(0);
    let mut far = baton.acquire(5);
    assert!(poll(&mut far, Waker::noop()).is_pending());
    let mut wait = baton.acquire(0);
    poll_and_panic(&mut wait, &Arc::default(), Op::Drop);
    drop(wait);
    let shot = baton.snapshot();
    assert!(!shot.is_held(), "nobody got a guard, so nobody holds: {shot}");
}

#[test]
fn a_panicking_drop_of_a_waker_in_line_leaves_the_line_in_order() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let (mut renewed, mut cancelled) = (baton.acquire(1), baton.acquire(2));
    let (one, two) = (Arc::<Hook>::default(), Arc::<Hook>::default());
    assert!(poll(&mut renewed, &one.waker()).is_pending());
    assert!(poll(&mut cancelled, &two.waker()).is_pending());
    one.arm(Op::Drop, || panic!("of the replaced waker"));
    two.arm(Op::Drop, || panic!("of the cancelled waker"));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut renewed, Waker::noop()))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(cancelled))).is_err());
    assert_eq!(baton.snapshot().waiting(), [1]);
    drop(renewed);
    assert!(baton.snapshot().waiting().is_empty());
    guard.release();
    assert!(baton.try_acquire(1).is_ok());
}

// ===== a holder panics, a task is aborted =====

#[test]
fn a_thread_that_panics_with_the_guard_hands_the_baton_on() {
    let baton = Baton::new(0);
    std::thread::scope(|scope| {
        let next = scope.spawn(|| baton.blocking_acquire(1).map(|guard| guard.seq()));
        let holder = scope.spawn(|| {
            let _guard = baton.blocking_acquire(0);
            panic!("of the holder");
        });
        assert!(holder.join().is_err());
        assert_eq!(next.join().unwrap(), Ok(1));
    });
}

#[tokio::test]
async fn a_task_that_panics_with_the_guard_or_the_ticket_hands_the_baton_on() {
    let baton = Baton::new(0);
    let (lost, mut third) = (baton.ticket(), {
        let _second = baton.ticket();
        baton.ticket()
    });
    let holder = tokio::spawn(async move {
        let _guard = lost.acquire_owned().await;
        panic!("of the holder");
    });
    assert!(holder.await.unwrap_err().is_panic());
    assert_eq!(third.acquire().await.unwrap().seq(), 2);
}

#[tokio::test]
async fn an_aborted_task_hands_on_what_it_has_and_leaves_no_trace() {
    let baton = Baton::new(0);
    let guard = baton.acquire(0).await.unwrap();
    let spawn = |seq| {
        let wait = baton.acquire_owned(seq);
        tokio::spawn(async move {
            let _guard = wait.await;
            std::future::pending::<()>().await;
        })
    };
    let (unseen, holding, pending) = (spawn(1), spawn(2), spawn(4));
    tokio::task::yield_now().await;
    assert_eq!(baton.snapshot().waiting(), [1, 2, 4]);

    pending.abort();
    assert!(pending.await.unwrap_err().is_cancelled());
    assert_eq!(baton.snapshot().waiting(), [1, 2]);

    guard.release();
    unseen.abort(); // granted, and not polled since: this thread has not let it run
    assert!(unseen.await.unwrap_err().is_cancelled());
    assert_eq!(baton.snapshot().holder(), Some(2), "1 is used up, 2 has its turn");

    holding.abort();
    assert!(holding.await.unwrap_err().is_cancelled());
    assert_eq!(baton.acquire(3).await.unwrap().seq(), 3);
    assert_eq!(baton.acquire(4).await.unwrap().seq(), 4);
}

// ===== our own =====

#[test]
fn a_wait_polled_after_it_answered_panics_with_its_name() {
    let baton = Baton::new(0);
    let mut granted = baton.acquire(0);
    let Poll::Ready(Ok(guard)) = poll(&mut granted, Waker::noop()) else { panic!("free") };
    let mut refused = baton.acquire_owned(0);
    assert!(matches!(poll(&mut refused, Waker::noop()), Poll::Ready(Err(AcquireError::Passed))));
    for again in [
        panic_of(|| drop(poll(&mut granted, Waker::noop()))),
        panic_of(|| drop(poll(&mut refused, Waker::noop()))),
    ] {
        assert!(again.0.contains("`Acquire` polled after completion"), "{}", again.0);
    }
    assert_eq!((guard.seq(), baton.next()), (0, 1), "a second look changes nothing");
}

#[test]
fn a_wrong_window_panics_in_the_caller_s_name() {
    for window in [0, (1 << 60) + 1, u64::MAX] {
        let (text, file, line) = panic_of(|| drop(Baton::builder().window(window).build()));
        assert_eq!((&*file, line), (file!(), line!() - 1));
        assert!(text.contains("1 to 2^60") && text.contains(&window.to_string()), "{text}");
    }
    let _ = Baton::builder().window(1 << 60).build();
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn blocking_a_runtime_worker_panics_in_the_caller_s_name_and_changes_nothing() {
    let baton = Baton::new(0);
    let zero = std::time::Duration::ZERO;
    let places = [
        (panic_of(|| drop(baton.blocking_acquire(0))), line!()),
        (panic_of(|| drop(baton.blocking_acquire_timeout(0, zero))), line!()),
        (panic_of(|| drop(batons::blocking::wait(baton.acquire(0)))), line!()),
        (panic_of(|| drop(batons::blocking::wait_timeout(baton.acquire(0), zero))), line!()),
        (panic_of(|| drop(baton.ticket().blocking_acquire())), line!()),
        (panic_of(|| drop(baton.ticket().blocking_acquire_timeout(zero))), line!()),
    ];
    for ((text, file, line), expected) in places {
        assert_eq!((&*file, line), (file!(), expected), "{text}");
    }
    assert_eq!(baton.next(), 2, "the two tickets were passed over, nothing was acquired");
}
