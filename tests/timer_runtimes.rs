//! Timers in tokio runtimes, in none, and in several: who rings, and that nobody hangs.

use batons::{Due, WaitableTimer, blocking, wait_any};
use common::{counted, must_end};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::{Builder, Runtime};
use tokio::time;

mod common;

const SECOND: Duration = Duration::from_secs(1);
/// A due time for tests on the true clock.
const SOON: Duration = Duration::from_millis(5);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}

fn due_soon() -> WaitableTimer {
    let timer = WaitableTimer::auto();
    timer.set(Due::after(SOON), None);
    timer
}

// ===== tokio's clock =====

// cases: TM-04, TM-44
#[tokio::test(start_paused = true)]
async fn it_follows_the_paused_clock_and_is_never_early() {
    let begin = time::Instant::now();
    let timer = WaitableTimer::auto();
    let period = Duration::from_micros(7_300);
    timer.set(Due::after(SECOND), Some(period));
    for tick in 0..1000 {
        timer.wait().await;
        let late = begin.elapsed().checked_sub(SECOND + period * tick);
        assert!(late.is_some_and(|late| late <= Duration::from_millis(1)), "tick {tick}: {late:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn advance_is_seen_by_who_looks_and_by_who_waits() {
    let timer = WaitableTimer::manual();
    timer.set(Due::after(SECOND), None);
    let waiter = tokio::spawn({
        let timer = timer.clone();
        async move { timer.wait().await }
    });
    tokio::task::yield_now().await;
    time::advance(SECOND - Duration::from_millis(1)).await;
    assert!(!timer.is_set() && !waiter.is_finished());
    time::advance(Duration::from_millis(1)).await;
    assert!(timer.is_set());
    waiter.await.unwrap();
}

// cases: TM-03
#[tokio::test(start_paused = true)]
async fn a_timeout_around_it_leaves_no_alarm() {
    let timer = WaitableTimer::auto();
    timer.set(Due::after(Duration::from_millis(150)), None);
    assert!(time::timeout(SECOND, timer.wait()).await.is_ok());
    assert!(time::timeout(Duration::from_millis(200), timer.wait()).await.is_err());
    timer.set(Due::after(SECOND * 10), None);
    assert!(time::timeout(SECOND, timer.wait()).await.is_err());
    // The clock goes to whatever is due next: nothing of the timer is.
    let begin = time::Instant::now();
    time::sleep(SECOND * 20).await;
    assert_eq!(begin.elapsed(), SECOND * 20);
}

#[tokio::test(start_paused = true)]
async fn a_busy_task_is_rung_for() {
    // The budget of the task does not hold the alarm back.
    let timer = WaitableTimer::auto();
    timer.set(Due::after(Duration::from_millis(1)), Some(Duration::from_millis(1)));
    for _ in 0..1000 {
        timer.wait().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_set_from_another_task_rings_for_who_waits_already() {
    let timer = WaitableTimer::auto();
    let waiter = tokio::spawn({
        let timer = timer.clone();
        async move { timer.wait().await }
    });
    tokio::task::yield_now().await;
    timer.set(Due::after(SECOND), None);
    timer.set(Due::after(SECOND * 2), None);
    let begin = time::Instant::now();
    waiter.await.unwrap();
    assert_eq!(begin.elapsed(), SECOND * 2);
}

// ===== no runtime, and the wall clock =====

// cases: TM-53
#[test]
fn a_thread_waits_without_any_runtime() {
    must_end(|| {
        let begin = Instant::now();
        let timer = due_soon();
        timer.blocking_wait();
        assert!(begin.elapsed() >= SOON);
        timer.set(Due::after(SOON), Some(SOON));
        let never = WaitableTimer::manual();
        for _ in 0..3 {
            let waits = [never.wait(), timer.wait()];
            assert_eq!(blocking::wait_any(waits).unwrap().0, 1);
        }
        assert!(!never.blocking_wait_timeout(SOON));
    });
}

#[test]
fn another_executor_waits_without_any_runtime() {
    must_end(|| {
        smol::block_on(due_soon().wait());
        futures::executor::block_on(due_soon().wait());
    });
}

#[test]
fn a_due_time_of_the_wall_clock_comes() {
    must_end(|| {
        let timer = WaitableTimer::auto();
        let due = SystemTime::now() + SOON;
        timer.set(Due::at(due), None);
        timer.blocking_wait();
        assert!(SystemTime::now() >= due);
        runtime().block_on(async {
            let due = SystemTime::now() + SOON;
            timer.set(Due::at(due), Some(SOON));
            timer.wait().await;
            assert!(SystemTime::now() >= due);
            timer.wait().await;
        });
    });
}

#[test]
fn many_short_periods_do_not_keep_a_thread_from_going_on() {
    must_end(|| {
        let timer = WaitableTimer::auto();
        timer.set(Due::after(Duration::from_nanos(1)), Some(Duration::from_nanos(1)));
        for _ in 0..20 {
            timer.blocking_wait();
        }
    });
}

#[test]
fn a_thread_that_has_only_entered_a_runtime_is_rung_for() {
    must_end(|| {
        let runtime = runtime();
        let _entered = runtime.enter();
        due_soon().blocking_wait();
        blocking::wait(due_soon().wait());
    });
}

// cases: TM-53
#[test]
fn a_runtime_without_time_will_do() {
    must_end(|| {
        let runtime = Builder::new_current_thread().build().unwrap();
        // tokio can only be asked by a panic, which the crate catches.
        let panicked = common::panic_of(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(async {
                due_soon().wait().await;
                due_soon().wait().await;
            });
        }));
        assert!(panicked.is_none());
    });
}

// ===== several runtimes =====

/// Polls `future` once within `runtime`.
fn poll_in<F: Future + Unpin>(runtime: &Runtime, future: &mut F) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    runtime.block_on(async { std::pin::Pin::new(&mut *future).poll(&mut cx).is_ready() })
}

#[test]
fn a_wait_goes_on_in_another_runtime_while_the_first_one_rests() {
    must_end(|| {
        let (first, second) = (runtime(), runtime());
        let timer = due_soon();
        let mut wait = timer.wait();
        assert!(!poll_in(&first, &mut wait));
        second.block_on(wait);
        timer.set(Due::after(SOON), None);
        let mut wait = timer.wait();
        assert!(!poll_in(&first, &mut wait));
        blocking::wait(wait);
        drop(first);
    });
}

#[test]
fn a_waiter_in_a_runtime_that_rests_does_not_keep_another_waiting() {
    must_end(|| {
        let (first, second) = (runtime(), runtime());
        let timer = WaitableTimer::manual();
        timer.set(Due::after(SOON), None);
        let mut resting = timer.wait();
        assert!(!poll_in(&first, &mut resting));
        second.block_on(timer.wait());
        assert!(poll_in(&first, &mut resting));
    });
}

#[test]
fn a_runtime_that_is_dropped_takes_nothing_with_it() {
    must_end(|| {
        for multi in [false, true] {
            let gone = if multi {
                Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap()
            } else {
                runtime()
            };
            let [new, queued, granted, stays] = [(); 4].map(|()| WaitableTimer::auto());
            for timer in [&queued, &stays, &new] {
                timer.set(Due::after(SOON * 4), Some(SOON));
            }
            granted.set(Due::after(SECOND * 1000), None);
            // Tasks of the runtime, one of them granted and not polled since.
            for timer in [&queued, &granted] {
                let timer = timer.clone();
                let mut wait = counted_owned(timer.clone());
                gone.block_on(async { assert!(wait.poll()) });
                gone.spawn(async move {
                    timer.wait().await;
                    std::future::pending::<()>().await;
                });
                gone.block_on(tokio::task::yield_now());
                drop(wait);
            }
            let unpolled = new.wait();
            // And a wait that outlives the runtime it was polled in.
            let mut wait = stays.wait();
            assert!(!poll_in(&gone, &mut wait));
            granted.set(Due::after(Duration::ZERO), None);
            drop(gone);
            let another = runtime();
            another.block_on(wait);
            another.block_on(unpolled);
            another.block_on(queued.wait());
            queued.blocking_wait();
            granted.set(Due::after(SOON), None);
            another.block_on(granted.wait());
        }
    });
}

/// A wait that owns its timer, polled by hand.
fn counted_owned(timer: WaitableTimer) -> Owned {
    let wait = Box::pin(async move { timer.wait().await });
    Owned(counted(wait as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>))
}

struct Owned(common::Counted<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Owned {
    /// Whether it is pending.
    fn poll(&mut self) -> bool {
        self.0.poll().is_pending()
    }
}

#[test]
fn who_is_polled_while_its_runtime_shuts_down_still_gets_its_release() {
    must_end(|| {
        // A blocking thread of the runtime polls the wait in the context of the runtime, after that is gone.
        let gone = runtime();
        let timer = Arc::new(due_soon());
        let context = gone.handle().clone();
        let mut wait = Box::pin({
            let timer = Arc::clone(&timer);
            async move { timer.wait().await }
        });
        assert!(!poll_in(&gone, &mut wait));
        gone.shutdown_background();
        let _entered = context.enter();
        let mut polled = pin!(wait);
        assert!(counted(polled.as_mut()).poll().is_pending());
        blocking::wait(polled);
        timer.set(Due::after(SOON), None);
        futures::executor::block_on(timer.wait());
    });
}

#[test]
fn threads_and_tasks_of_several_runtimes_share_the_ticks() {
    must_end(|| {
        let timer = WaitableTimer::auto();
        timer.set(Due::after(Duration::ZERO), Some(Duration::from_millis(1)));
        std::thread::scope(|scope| {
            for kind in 0..4 {
                let timer = &timer;
                scope.spawn(move || {
                    let runtime = runtime();
                    for _ in 0..25 {
                        match kind {
                            0 => timer.blocking_wait(),
                            1 => smol::block_on(timer.wait()),
                            2 => runtime.block_on(timer.wait()),
                            _ => drop(runtime.block_on(wait_any([timer.wait()])).unwrap()),
                        }
                    }
                });
            }
        });
    });
}
