//! What does a timer cost, beside a sleep of tokio's?
//!
//! ```text
//! cargo bench --bench timers
//! ```
//!
//! Nanoseconds for each of N timers on one thread, in a current-thread runtime. Arm: make it, set it, and poll the wait once, so that it is
//! rung for. Fire: from the moment when all are due, on tokio's paused clock, until each has woken its task's waker and was polled again.
//! Drop: make, set, poll, and drop the wait before it is due. Set again: move the due time of one that is waited for. Look: set it, and
//! look at it, while nobody waits; a sleep has no such thing. tokio's cooperative budget is off.

mod common;

use batons::{Due, WaitableTimer, futures::WaitTimer};
use common::{
    Mode,
    harness::{Case, Effort, Series, interleave, ns_each},
    report::{count, figure, table},
};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Waker},
    time::{Duration, Instant},
};
use tokio::{
    runtime, task,
    time::{self, Sleep},
};

/// When they are due: not all at once.
fn due(index: u64) -> Duration {
    Duration::from_millis(1_000 + index % 1_000)
}

fn poll<F: Future>(future: Pin<&mut F>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// Runs `bench` on a runtime whose clock is paused.
fn paused<F: Future>(bench: F) -> F::Output {
    let runtime = runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(task::unconstrained(bench))
}

/// Figures of one contender: arm, fire, drop, set again, look.
type Figures = [f64; 5];

/// What a contender cannot do; the harness takes NaN for giving up.
const NONE: f64 = 0.0;

fn of_timers(count: u64) -> Figures {
    paused(async {
        let start = Instant::now();
        let timers: Vec<_> = (0..count).map(|_| WaitableTimer::auto()).collect();
        let mut waits: Vec<WaitTimer<'_>> = timers.iter().map(WaitableTimer::wait).collect();
        for ((index, timer), wait) in (0..).zip(&timers).zip(&mut waits) {
            timer.set(Due::after(due(index)), None);
            assert!(!poll(Pin::new(wait)));
        }
        let arm = start.elapsed();
        let start = Instant::now();
        for (index, timer) in (0..).zip(&timers) {
            timer.set(Due::after(due(index + 500)), None);
        }
        let again = start.elapsed();
        let start = Instant::now();
        time::advance(Duration::from_secs(10)).await;
        time::sleep(Duration::from_secs(1)).await;
        assert!(waits.iter_mut().all(|wait| poll(Pin::new(wait))));
        let fire = start.elapsed();
        let start = Instant::now();
        for (index, timer) in (0..).zip(&timers) {
            timer.set(Due::after(due(index)), None);
            assert!(!poll(Pin::new(&mut timer.wait())));
        }
        let dropped = start.elapsed();
        let start = Instant::now();
        for (index, timer) in (0..).zip(&timers) {
            timer.set(Due::after(due(index)), None);
            assert!(!timer.try_wait());
        }
        [arm, fire, dropped, again, start.elapsed()].map(|time| ns_each(time, count))
    })
}

fn of_sleeps(count: u64) -> Figures {
    paused(async {
        let start = Instant::now();
        let mut sleeps: Vec<Pin<Box<Sleep>>> =
            (0..count).map(|index| Box::pin(time::sleep(due(index)))).collect();
        assert!(sleeps.iter_mut().all(|sleep| !poll(sleep.as_mut())));
        let arm = start.elapsed();
        let start = Instant::now();
        for (index, sleep) in (0..).zip(&mut sleeps) {
            sleep.as_mut().reset(time::Instant::now() + due(index + 500));
        }
        let again = start.elapsed();
        let start = Instant::now();
        time::advance(Duration::from_secs(10)).await;
        time::sleep(Duration::from_secs(1)).await;
        assert!(sleeps.iter_mut().all(|sleep| poll(sleep.as_mut())));
        let fire = start.elapsed();
        let start = Instant::now();
        for index in 0..count {
            assert!(!poll(Box::pin(time::sleep(due(index))).as_mut()));
        }
        let dropped = start.elapsed();
        let [arm, fire, dropped, again] = [arm, fire, dropped, again].map(|time| ns_each(time, count));
        [arm, fire, dropped, again, NONE]
    })
}

fn with_ratio(series: &Series, other: &Series) -> String {
    match (series.median(), other.median()) {
        (NONE, _) => "–".to_owned(),
        (ours, NONE) => figure(ours),
        (ours, _) => format!("{} ({:.2})", figure(ours), series.ratio_to(other)),
    }
}

fn main() {
    let mode = Mode::from_args();
    let sizes: &[u64] = mode.pick(&[1_000, 100_000], &[100]);
    let header = ["", "arm", "fire", "drop", "set again", "look"].map(String::from);
    for &size in sizes {
        let mut cases = [
            Case::new("tokio sleep, boxed", || of_sleeps(size)),
            Case::new("WaitableTimer", || of_timers(size)),
        ];
        let effort = Effort { repetitions: mode.pick(31, 3), time: Duration::from_secs(5) };
        let results = interleave(&mut cases, effort);
        let row = |(case, series): (&Case<'_, 5>, &[Series; 5])| {
            let cells = series.iter().zip(&results[0]).map(|(ours, floor)| with_ratio(ours, floor));
            [case.name.to_owned()].into_iter().chain(cells).collect()
        };
        let rows: Vec<Vec<_>> = cases.iter().zip(&results).map(row).collect();
        table(&format!("**{} timers**: ns each (times a sleep)", count(size)), &header, &rows);
    }
}
