//! What a timer costs: no allocation but itself, no thread and no task while nobody waits, little memory.

use batons::{Due, ManualResetEvent, WaitableTimer, blocking};
use std::time::{Duration, SystemTime};

const MANY: usize = 100_000;
const FAR: Duration = Duration::from_secs(100_000);

/// How many bytes are held at the end of `make`, of what it returns.
fn bytes<T>(make: impl FnOnce() -> T) -> (usize, T) {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(make()));
    (usize::try_from(info.bytes_current).expect("it frees no more than it takes"), result.expect("it ran"))
}

#[cfg(target_os = "linux")]
fn threads_named(name: &str) -> usize {
    let threads = std::fs::read_dir("/proc/self/task").expect("the threads of the process");
    let names =
        threads.flatten().filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok());
    names.filter(|thread| thread.trim().starts_with(name)).count()
}

/// All in one test: the thread that rings is the process's, once it is there.
#[test]
fn a_timer_that_nobody_waits_for_costs_its_memory_and_nothing_else() {
    let (size, timers) = bytes(|| (0..MANY).map(|_| WaitableTimer::auto()).collect::<Vec<_>>());
    println!("{} bytes for a timer", size / MANY);
    assert!(size / MANY <= 320, "{} bytes for a timer", size / MANY);
    let info = allocation_counter::measure(|| {
        for timer in &timers {
            timer.set(Due::after(FAR), Some(FAR));
            assert!(!timer.try_wait());
            timer.set(Due::after(Duration::ZERO), None);
            assert!(timer.try_wait());
            timer.set(Due::after(FAR), Some(FAR));
            timer.cancel();
            timer.set(Due::after(FAR), Some(FAR));
        }
    });
    assert_eq!(info.count_total, 0, "allocations by set, cancel and try_wait");
    let (ready, wall) = (ManualResetEvent::new(true), WaitableTimer::auto());
    wall.set(Due::at(SystemTime::now() + FAR), None);
    ready.blocking_wait(); // what a thread waits by is there from now on
    let info = allocation_counter::measure(|| {
        for timer in &timers[..100] {
            let answered = blocking::wait_any((timer.wait(), wall.wait(), ready.wait()));
            assert_eq!(answered.expect("nothing is refused").0, 2);
        }
    });
    assert_eq!(info.count_total, 0, "allocations by waits that another member answers at once");
    #[cfg(target_os = "linux")]
    assert_eq!(threads_named("futures-timer") + threads_named("batons-wall"), 0);
}

#[cfg(feature = "tokio")]
#[test]
fn a_timer_that_is_waited_for_takes_little_more_and_nothing_for_each_tick() {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Waker};

    fn poll<F: Future + Unpin>(future: &mut F) -> bool {
        Pin::new(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(tokio::task::unconstrained(async {
        let timers: Vec<_> = (0..MANY).map(|_| WaitableTimer::auto()).collect();
        for timer in &timers {
            timer.set(Due::after(FAR), None);
        }
        let (size, waits) = bytes(|| {
            let mut waits: Vec<_> = timers.iter().map(WaitableTimer::wait).collect();
            assert!(!waits.iter_mut().any(poll));
            waits
        });
        println!("{} bytes for one that is waited for, in addition", size / MANY);
        assert!(size / MANY <= 480, "{} bytes", size / MANY);
        drop(waits);
        let timer = &timers[0];
        timer.set(Due::after(Duration::from_millis(1)), Some(Duration::from_millis(1)));
        for _ in 0..10 {
            timer.wait().await;
        }
        let mut ticks = Box::pin(async {
            for _ in 0..100 {
                timer.wait().await;
            }
        });
        let waker = Waker::noop();
        let mut allocations = 0;
        loop {
            let mut over = false;
            let info = allocation_counter::measure(|| {
                over = ticks.as_mut().poll(&mut Context::from_waker(waker)).is_ready();
            });
            allocations += info.count_total;
            if over {
                break;
            }
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(allocations, 0, "for a hundred ticks");
    }));
}
