//! Threads that wait: in one line with the tasks, with and without a deadline.

mod common;

use batons::{AcquireError, AcquireTimeoutError, Baton, TryAcquireError, blocking};
use common::{counted, line_up, must_end, refusal, unchanged, until};
use std::{
    cell::RefCell,
    future::{Future, pending, poll_fn, ready},
    pin::Pin,
    sync::{Barrier, Mutex},
    task::{Context, Poll},
    thread,
    time::Duration,
};
use tokio_test::{assert_pending, assert_ready_ok};

/// Long enough for a thread to be parked, and as short as can be.
const SHORT: Duration = Duration::from_millis(1);

// ===== waiting =====

#[test]
fn threads_and_tasks_wait_in_one_line() {
    must_end(|| {
        let (baton, order) = (Baton::new(0), Mutex::new(Vec::new()));
        let holder = baton.try_acquire(0).unwrap();
        thread::scope(|scope| {
            let (baton, order) = (&baton, &order);
            for number in (1..16).rev() {
                scope.spawn(move || {
                    let guard = if number % 2 == 0 {
                        baton.blocking_acquire(number)
                    } else {
                        futures::executor::block_on(baton.acquire(number))
                    };
                    order.lock().unwrap().push(guard.unwrap().seq());
                });
            }
            until(&(1..16).collect(), || baton.snapshot().waiting().to_vec());
            drop(holder);
        });
        assert!(order.into_inner().unwrap().into_iter().eq(1..16));
    });
}

#[test]
fn a_thread_is_refused_at_once() {
    must_end(|| {
        let baton = Baton::builder().first(1).window(4).build();
        let waits = line_up(&baton, [2]);
        let refused =
            [(0, AcquireError::Passed), (2, AcquireError::Duplicate), (5, AcquireError::TooFar { limit: 4 })];
        for (number, error) in refused {
            assert_eq!(unchanged(&baton, || baton.blocking_acquire(number).unwrap_err()), error);
            let timed = || baton.blocking_acquire_timeout(number, Duration::MAX).unwrap_err();
            assert_eq!(unchanged(&baton, timed), error.into());
        }
        drop(waits);
    });
}

#[test]
fn a_thread_that_waits_is_freed_by_close() {
    must_end(|| {
        let baton = Baton::new(0);
        thread::scope(|scope| {
            let baton = &baton;
            scope.spawn(|| assert_eq!(baton.blocking_acquire(1).unwrap_err(), AcquireError::Closed));
            scope.spawn(|| {
                let hour = Duration::from_secs(3600);
                let refused = baton.blocking_acquire_timeout(2, hour).unwrap_err();
                assert_eq!(refused, AcquireTimeoutError::Closed);
            });
            until(&vec![1, 2], || baton.snapshot().waiting().to_vec());
            baton.close();
        });
    });
}

#[test]
fn any_future_can_be_waited_for() {
    assert_eq!(blocking::wait(ready(7)), 7);
    assert_eq!(blocking::wait_timeout(ready(7), Duration::ZERO), Ok(7));
    assert!(blocking::wait_timeout(pending::<()>(), SHORT).is_err());
    let mut left = 3;
    let countdown = poll_fn(move |cx| {
        left -= 1;
        cx.waker().wake_by_ref();
        if left == 0 { Poll::Ready("woken by itself") } else { Poll::Pending }
    });
    assert_eq!(must_end(|| blocking::wait(countdown)), "woken by itself");
}

// cases: BB-11
#[test]
fn a_wait_inside_the_poll_of_another_wait_takes_none_of_its_wakes() {
    must_end(|| {
        let (outer, inner) = (Baton::new(0), Baton::new(0));
        let (outer_guard, inner_guard) = (outer.try_acquire(0).unwrap(), inner.try_acquire(0).unwrap());
        thread::scope(|scope| {
            let (outer, inner) = (&outer, &inner);
            scope.spawn(move || {
                blocking::wait(ready(())); // the thread has its parker from before
                let mut wait = outer.acquire(1);
                let mut nested = Some(inner);
                let guard = blocking::wait(poll_fn(|cx| {
                    let answer = Pin::new(&mut wait).poll(cx);
                    if let Some(inner) = nested.take() {
                        assert!(answer.is_pending());
                        drop(inner.blocking_acquire(1).unwrap());
                    }
                    answer
                }));
                assert_eq!(guard.unwrap().seq(), 1);
            });
            until(&vec![1], || inner.snapshot().waiting().to_vec());
            drop(outer_guard); // wakes the outer wait while the thread is parked in the inner one
            drop(inner_guard);
        });
        assert_eq!((outer.next(), inner.next()), (2, 2));
    });
}

#[test]
fn a_thread_that_is_ending_may_still_wait() {
    struct AtTheEnd(RefCell<Option<Baton>>);

    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            let baton = self.0.take().expect("set below");
            drop(baton.blocking_acquire(1).expect("its turn will come"));
        }
    }

    thread_local!(static END: AtTheEnd = const { AtTheEnd(RefCell::new(None)) });

    must_end(|| {
        let baton = Baton::new(0);
        let guard = baton.try_acquire(0).unwrap();
        thread::scope(|scope| {
            let handle = baton.clone();
            scope.spawn(move || {
                END.with(|end| *end.0.borrow_mut() = Some(handle.clone()));
                // The parker is made after that and so is gone before it.
                drop(handle.blocking_acquire_timeout(2, SHORT));
            });
            until(&vec![1], || baton.snapshot().waiting().to_vec());
            drop(guard);
        });
        until(&2, || baton.next());
    });
}

// ===== waiting with a deadline =====

#[test]
fn no_time_at_all_is_enough_for_a_baton_that_is_free() {
    let baton = Baton::new(0);
    assert_eq!(baton.blocking_acquire_timeout(0, Duration::ZERO).unwrap().seq(), 0);
    let waits = line_up(&baton, [2]);
    assert_eq!(blocking::wait_timeout(baton.acquire(1), Duration::ZERO).unwrap().unwrap().seq(), 1);
    drop(waits);
    let mut ticket = baton.ticket();
    assert_eq!(ticket.blocking_acquire_timeout(Duration::ZERO).unwrap().seq(), 3);
}

// cases: B-44
#[test]
fn a_wait_that_timed_out_has_changed_nothing() {
    for time in [Duration::ZERO, SHORT] {
        let baton = Baton::new(0);
        let guard = baton.try_acquire(0).unwrap();
        let late = unchanged(&baton, || baton.blocking_acquire_timeout(1, time).unwrap_err());
        assert_eq!(late, AcquireTimeoutError::TimedOut);
        assert!(unchanged(&baton, || blocking::wait_timeout(baton.acquire(1), time).is_err()));
        let mut again = counted(baton.acquire(1));
        assert_pending!(again.poll());
        drop(guard);
        drop(assert_ready_ok!(again.poll()));
    }
}

// cases: B-50
#[test]
fn a_grant_beats_a_deadline_that_is_over() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let mut wait = counted(baton.acquire(1));
    assert_pending!(wait.poll());
    drop(guard);
    let answer = blocking::wait_timeout(poll_fn(|_| wait.poll()), Duration::ZERO);
    assert_eq!(answer.expect("granted before").unwrap().seq(), 1);
}

/// A wait during which `then` happens right after a poll in vain, with a drop still to come.
struct Meanwhile<F, T> {
    wait: F,
    then: Option<T>,
}

impl<F: Future + Unpin, T: FnOnce() + Unpin> Future for Meanwhile<F, T> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let answer = Pin::new(&mut self.wait).poll(cx);
        if let Some(then) = self.then.take() {
            assert!(answer.is_pending());
            then();
        }
        answer
    }
}

#[test]
fn a_release_between_the_last_poll_and_the_drop_grants_nothing() {
    for polled_before in [false, true] {
        for in_a_block in [false, true] {
            let baton = Baton::new(0);
            let guard = baton.try_acquire(0).unwrap();
            let mut wait: Pin<Box<dyn Future<Output = u64> + '_>> = if in_a_block {
                Box::pin(async { async { baton.acquire(1).await.unwrap().seq() }.await })
            } else {
                let acquire = baton.acquire(1);
                Box::pin(async move { acquire.await.unwrap().seq() })
            };
            if polled_before {
                assert!(wait.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending());
            }
            let wait = Meanwhile { wait, then: Some(|| drop(guard)) };
            assert!(blocking::wait_timeout(wait, Duration::ZERO).is_err());
            assert_eq!((baton.next(), baton.snapshot().is_held()), (1, false), "1 is not used up");
            assert_eq!(baton.try_acquire(1).unwrap().seq(), 1);
        }
    }
}

#[test]
fn a_wait_that_was_polled_for_the_last_time_can_wait_again() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let mut wait = baton.acquire(1);
    for time in [SHORT, Duration::ZERO] {
        assert!(unchanged(&baton, || blocking::wait_timeout(&mut wait, time).is_err()));
    }
    assert_eq!(baton.try_acquire(1).unwrap_err(), TryAcquireError::WouldBlock, "not Duplicate");
    let mut wait = counted(wait);
    assert_pending!(wait.poll());
    assert_eq!(refusal(&baton, 1), AcquireError::Duplicate);
    drop(guard);
    assert_eq!(wait.wakes(), 1);
    drop(assert_ready_ok!(wait.poll()));
}

#[test]
fn a_time_out_inside_an_async_block_withdraws_the_inner_wait() {
    let baton = Baton::new(0);
    let other = Baton::new(0);
    let both = async {
        let first = other.acquire(0).await.unwrap();
        let second = baton.acquire(1).await.unwrap();
        (first.seq(), second.seq())
    };
    assert!(unchanged(&baton, || blocking::wait_timeout(both, SHORT).is_err()));
    assert_eq!((other.next(), other.snapshot().is_held()), (1, false), "what was granted is let go");
}

#[test]
fn a_wait_without_end_and_one_with_a_far_end_wait() {
    must_end(|| {
        let baton = Baton::new(0);
        let guard = baton.try_acquire(0).unwrap();
        thread::scope(|scope| {
            for (number, time) in [(1, Duration::MAX), (2, Duration::from_secs(3600))] {
                let baton = &baton;
                scope.spawn(move || {
                    assert_eq!(baton.blocking_acquire_timeout(number, time).unwrap().seq(), number);
                });
            }
            until(&vec![1, 2], || baton.snapshot().waiting().to_vec());
            drop(guard);
        });
        assert_eq!(baton.next(), 3);
    });
}

#[test]
fn a_release_that_races_with_a_deadline_is_taken_or_left_whole() {
    must_end(|| {
        let (baton, start) = (Baton::new(0), Barrier::new(2));
        thread::scope(|scope| {
            let (baton, start) = (&baton, &start);
            scope.spawn(move || {
                for round in 0..2000 {
                    let guard = baton.blocking_acquire(2 * round).unwrap();
                    start.wait();
                    drop(guard);
                }
            });
            for round in 0..2000 {
                let odd = 2 * round + 1;
                start.wait();
                match baton.blocking_acquire_timeout(odd, Duration::from_micros(round % 20)) {
                    Ok(guard) => assert_eq!(guard.seq(), odd),
                    Err(late) => {
                        assert_eq!(late, AcquireTimeoutError::TimedOut);
                        drop(baton.blocking_acquire(odd).expect("neither Duplicate nor Passed"));
                    }
                }
            }
        });
        assert_eq!(baton.next(), 4000);
    });
}

// ===== tickets =====

#[test]
fn a_thread_waits_with_its_ticket() {
    must_end(|| {
        let baton = Baton::new(0);
        let tickets: Vec<_> = (0..8).map(|_| baton.ticket()).collect();
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for mut ticket in tickets.into_iter().rev() {
                let order = &order;
                scope.spawn(move || {
                    let guard = ticket.blocking_acquire().unwrap();
                    order.lock().unwrap().push(guard.seq());
                });
            }
        });
        assert!(order.into_inner().unwrap().into_iter().eq(0..8));
    });
}

#[test]
fn a_time_out_keeps_the_place_of_the_ticket() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let mut ticket = baton.ticket();
    for time in [Duration::ZERO, SHORT] {
        let late = unchanged(&baton, || ticket.blocking_acquire_timeout(time).unwrap_err());
        assert_eq!(late, AcquireTimeoutError::TimedOut);
        assert_eq!(baton.snapshot().tickets(), [1]);
    }
    drop(guard);
    assert_eq!(ticket.blocking_acquire_timeout(Duration::ZERO).unwrap().seq(), 1);
    assert_eq!(ticket.blocking_acquire().unwrap_err(), AcquireError::Passed);
}

#[test]
fn an_owned_ticket_that_times_out_is_passed_over() {
    let baton = Baton::new(0);
    let guard = baton.try_acquire(0).unwrap();
    let waits = line_up(&baton, [2]);
    for time in [Duration::ZERO, SHORT] {
        assert!(blocking::wait_timeout(baton.ticket().acquire_owned(), time).is_err());
    }
    assert_eq!(baton.snapshot().skipped(), [1, 3]);
    drop(guard);
    assert_eq!((baton.snapshot().holder(), common::wakes_of(&waits)), (Some(2), vec![1]));
}
