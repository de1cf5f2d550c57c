//! What does it cost to signal an event to one task, or to all that wait?
//!
//! ```text
//! cargo bench --bench events
//! ```
//!
//! Nanoseconds on one thread. Nobody waits: `set`, then `wait` in a task that runs already. Ping-pong: two
//! tasks that signal each other in turn, for each signal. Broadcast: a signal to all of W waiting tasks, for each
//! waiter, from the signal until the last of them stands in line again and has said so. tokio's cooperative
//! budget is off, which would count against tokio's own objects.

mod common;

use batons::{AutoResetEvent, ManualResetEvent};
use common::{
    Mode,
    broadcasts::{Broadcast, Pulsed, Wakers},
    harness::{Case, Effort, Series, interleave, ns_each},
    report::{Bars, count, figure, table},
    signals::{Flag, Listened, Signal},
};
use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{runtime, sync::Notify, task};

fn runtime() -> runtime::Runtime {
    runtime::Builder::new_current_thread().build().expect("a runtime")
}

// ===== one waiter =====

/// Nanoseconds of `set` and `wait` by one task.
fn alone<T: Signal>(rounds: u64) -> f64 {
    let event = T::new();
    let time = runtime().block_on(task::unconstrained(async {
        let start = Instant::now();
        for _ in 0..rounds {
            event.set();
            event.wait().await;
        }
        start.elapsed()
    }));
    ns_each(time, rounds)
}

/// Nanoseconds per signal between two tasks.
fn ping_pong<T: Signal>(rounds: u64) -> f64 {
    let (question, answer) = (T::new(), T::new());
    let answers = {
        let (question, answer) = (question.clone(), answer.clone());
        async move {
            for _ in 0..rounds {
                question.wait().await;
                answer.set();
            }
        }
    };
    let asks = async move {
        let start = Instant::now();
        for _ in 0..rounds {
            question.set();
            answer.wait().await;
        }
        start.elapsed()
    };
    let time = runtime().block_on(async {
        let answers = task::spawn(task::unconstrained(answers));
        let asks = task::spawn(task::unconstrained(asks));
        answers.await.expect("no panic");
        asks.await.expect("no panic")
    });
    ns_each(time, 2 * rounds)
}

fn signal<T: Signal>(rounds: u64) -> Case<'static, 2> {
    Case::new(T::NAME, move || [alone::<T>(rounds), ping_pong::<T>(rounds)])
}

fn signals(mode: Mode) -> Vec<(&'static str, [Series; 2])> {
    let rounds = mode.pick(20_000, 500);
    let mut cases = vec![
        signal::<Flag>(rounds),
        signal::<AutoResetEvent>(rounds),
        signal::<Arc<Notify>>(rounds),
        signal::<Arc<asyncband::event::AutoResetEvent>>(rounds),
        signal::<Arc<maitake_sync::WaitQueue>>(rounds),
        signal::<Arc<futures_intrusive::sync::Semaphore>>(rounds),
        signal::<Arc<tokio::sync::Semaphore>>(rounds),
        signal::<Arc<async_lock::Semaphore>>(rounds),
        signal::<Listened>(rounds),
    ];
    let effort = Effort { repetitions: mode.pick(51, 3), time: Duration::from_secs(10) };
    let results = interleave(&mut cases, effort);
    cases.iter().map(|case| case.name).zip(results).collect()
}

// ===== all who wait =====

/// What the waiting tasks tell.
struct Standing {
    waiters: u64,
    arrived: AtomicU64,
    all: Notify,
}

impl Standing {
    fn arrive(&self) {
        if (self.arrived.fetch_add(1, Relaxed) + 1) % self.waiters == 0 {
            self.all.notify_one();
        }
    }
}

/// Nanoseconds for each waiter.
fn broadcast<T: Broadcast>(waiters: u64, rounds: u64) -> f64 {
    let everybody = T::new();
    let standing = Arc::new(Standing { waiters, arrived: AtomicU64::new(0), all: Notify::new() });
    let time = runtime().block_on(task::unconstrained(async {
        for _ in 0..waiters {
            let (mut everybody, standing) = (everybody.clone(), Arc::clone(&standing));
            task::spawn(task::unconstrained(async move {
                for _ in 0..=rounds {
                    let (mut wait, mut stands) = (pin!(everybody.wait()), false);
                    poll_fn(|cx| {
                        let polled = wait.as_mut().poll(cx);
                        if !std::mem::replace(&mut stands, true) {
                            assert!(polled.is_pending(), "nothing was signaled");
                            standing.arrive();
                        }
                        polled
                    })
                    .await;
                }
            }));
        }
        standing.all.notified().await;
        let start = Instant::now();
        for _ in 0..rounds {
            everybody.fire();
            standing.all.notified().await;
        }
        start.elapsed()
    }));
    // The tasks that wait for one more round go with the runtime.
    ns_each(time, waiters * rounds)
}

type Contender = (&'static str, fn(u64, u64) -> f64);

fn contender<T: Broadcast>() -> Contender {
    (T::NAME, broadcast::<T>)
}

fn contenders() -> Vec<Contender> {
    vec![
        contender::<Wakers>(),
        contender::<ManualResetEvent>(),
        contender::<Pulsed>(),
        contender::<Arc<Notify>>(),
        contender::<common::broadcasts::Watched>(),
        contender::<Arc<event_listener::Event>>(),
        contender::<Arc<maitake_sync::WaitQueue>>(),
        contender::<Arc<asyncband::event::ManualResetEvent>>(),
        contender::<Arc<futures_intrusive::sync::ManualResetEvent>>(),
    ]
}

/// The figures of all contenders for a number of waiters.
fn broadcasts(mode: Mode, waiters: u64) -> Vec<Series> {
    let rounds = (mode.pick(20_000, 500) / waiters).max(3);
    let case = |&(name, sample): &Contender| Case::new(name, move || [sample(waiters, rounds)]);
    let mut cases: Vec<_> = contenders().iter().map(case).collect();
    let effort = Effort { repetitions: mode.pick(31, 3), time: Duration::from_secs(5) };
    interleave(&mut cases, effort).into_iter().map(|[series]| series).collect()
}

// ===== main =====

fn with_ratio(series: &Series, floor: &Series) -> String {
    format!("{} ({:.2})", figure(series.median()), series.ratio_to(floor))
}

fn main() {
    let mode = Mode::from_args();
    let signals = signals(mode);
    let floor = &signals[0].1;
    let row = |(name, [alone, pair]): &(&str, [Series; 2])| {
        vec![(*name).to_string(), with_ratio(alone, &floor[0]), with_ratio(pair, &floor[1])]
    };
    let rows: Vec<_> = signals.iter().map(row).collect();
    let header = ["", "nobody waits: set, wait", "ping-pong, per signal"].map(String::from);
    table("**automatic event, one thread**: ns (times the floor)", &header, &rows);

    let sizes: &[u64] = mode.pick(&[1, 100, 10_000], &[1, 100]);
    let columns: Vec<_> = sizes.iter().map(|&waiters| broadcasts(mode, waiters)).collect();
    let header = sizes.iter().map(|&size| format!("W = {}", count(size)));
    let header: Vec<_> = [String::new()].into_iter().chain(header).collect();
    let row = |(row, (name, _)): (usize, &Contender)| {
        let cells = columns.iter().map(|column| with_ratio(&column[row], &column[0]));
        [(*name).to_string()].into_iter().chain(cells).collect()
    };
    let rows: Vec<Vec<_>> = contenders().iter().enumerate().map(row).collect();
    table("**broadcast, one thread**: ns per waiter (times the floor)", &header, &rows);

    let mut bars = Bars::default();
    let ours = &signals[1].1;
    bars.at_most("AutoResetEvent / floor, ping-pong", ours[1].ratio_to(&floor[1]), 1.2);
    bars.print();
}
