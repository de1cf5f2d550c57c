//! Timers in tokio runtimes, in none, and in several: who rings, and that nobody hangs.

#[cfg(feature = "tokio")]
use batons::Clock;
use batons::{Due, WaitableTimer, blocking, wait_any};
use common::{counted, must_end};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::{Builder, Runtime};
#[cfg(feature = "tokio")]
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
#[cfg(feature = "tokio")]
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

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn advance_is_seen_by_who_looks_and_by_who_waits() {
    let timer = WaitableTimer::manual();
    timer.set(Due::after(SECOND), None);
    let waiter = tokio::spawn({
        let timer = timer.clone();
        async move { timer.wait().await }
    });
    tokio::task::yield_now().await;
    time::advance(Duration::from_millis(999)).await;
    assert!(!timer.is_set() && !waiter.is_finished());
    time::advance(Duration::from_millis(1)).await;
    assert!(timer.is_set());
    waiter.await.unwrap();
}

// cases: TM-03
#[cfg(feature = "tokio")]
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

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn a_busy_task_is_rung_for() {
    // The budget of the task does not hold the alarm back.
    let timer = WaitableTimer::auto();
    timer.set(Due::after(Duration::from_millis(1)), Some(Duration::from_millis(1)));
    for _ in 0..1000 {
        timer.wait().await;
    }
}

#[cfg(feature = "tokio")]
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

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn a_due_time_of_the_wall_clock_follows_the_paused_clock() {
    const HOUR: Duration = Duration::from_secs(3600);
    time::advance(HOUR * 24).await;
    let clock = Clock::system();
    for due in [clock.wall() + HOUR, clock.wall() + HOUR * 2] {
        let (timer, begin) = (WaitableTimer::auto(), time::Instant::now());
        timer.set(Due::at(due), None);
        assert!(!timer.try_wait());
        time::timeout(HOUR * 3, timer.wait()).await.expect("it is due before");
        // The clocks of the machine cannot be read at one instant.
        let off = begin.elapsed().abs_diff(HOUR);
        assert!(off < SECOND, "{off:?}");
        assert!(clock.wall() + SECOND > due);
    }
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
            // The first look at the alarm finds it due again.
            assert!(blocking::wait_any([timer.wait()]).is_ok());
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
    runtime.block_on(async { Pin::new(&mut *future).poll(&mut cx).is_ready() })
}

#[test]
fn a_wait_goes_on_in_another_runtime_while_the_first_one_rests() {
    must_end(|| {
        let (first, second) = (runtime(), runtime());
        let timer = WaitableTimer::auto();
        for thread in [false, true] {
            let mut wait = timer.wait();
            assert!(!poll_in(&first, &mut wait));
            timer.set(Due::after(SOON), None);
            if thread {
                blocking::wait(wait);
            } else {
                second.block_on(wait);
            }
        }
    });
}

#[test]
fn a_waiter_in_a_runtime_that_rests_does_not_keep_another_waiting() {
    must_end(|| {
        let (first, second) = (runtime(), runtime());
        let timer = WaitableTimer::manual();
        let mut resting = timer.wait();
        assert!(!poll_in(&first, &mut resting));
        timer.set(Due::after(SOON), None);
        second.block_on(timer.wait());
        assert!(poll_in(&first, &mut resting));
    });
}

/// A wait that owns its timer.
fn owned(timer: &WaitableTimer) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let timer = timer.clone();
    Box::pin(async move { timer.wait().await })
}

fn drop_with_waits_in_all_stages(gone: Runtime) {
    let timers = [(); 5].map(|()| WaitableTimer::auto());
    let [new, queued, granted, answered, outlives] = &timers;
    // Tasks of the runtime, that go with it.
    let mut waits = [queued, granted, answered].map(owned);
    assert!(waits.iter_mut().all(|wait| !poll_in(&gone, wait)));
    answered.set(Due::after(Duration::ZERO), None);
    assert!(poll_in(&gone, &mut waits[2]));
    gone.spawn(owned(new));
    for wait in waits {
        gone.spawn(async move {
            let _wait = wait;
            std::future::pending::<()>().await;
        });
    }
    // And a wait that was polled in it, and goes on elsewhere.
    let mut wait = outlives.wait();
    assert!(!poll_in(&gone, &mut wait));
    for timer in [queued, outlives, new] {
        timer.set(Due::after(SOON), Some(SOON));
    }
    granted.set(Due::after(Duration::ZERO), None);
    drop(gone);
    assert!(granted.try_wait(), "its release was given back");
    runtime().block_on(async {
        wait.await;
        queued.wait().await;
        new.wait().await;
        granted.set(Due::after(SOON), None);
        granted.wait().await;
    });
    queued.blocking_wait();
}

#[test]
fn a_runtime_that_is_dropped_takes_nothing_with_it() {
    must_end(|| {
        drop_with_waits_in_all_stages(runtime());
        let workers = Builder::new_multi_thread().worker_threads(1).enable_time().build();
        drop_with_waits_in_all_stages(workers.expect("a runtime"));
    });
}

#[test]
fn who_waits_in_the_context_of_a_runtime_that_is_gone_is_rung_for() {
    must_end(|| {
        let gone = runtime();
        let timer = WaitableTimer::auto();
        let context = gone.handle().clone();
        let mut wait = owned(&timer);
        assert!(!poll_in(&gone, &mut wait));
        timer.set(Due::after(SECOND * 1000), None);
        drop(gone);
        let _entered = context.enter();
        assert!(counted(wait.as_mut()).poll().is_pending());
        timer.set(Due::after(SOON), None);
        futures::executor::block_on(wait);
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
