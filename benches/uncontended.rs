//! What do acquire and release cost when nobody else is there?
//!
//! ```text
//! cargo bench --bench uncontended
//! ```
//!
//! Nanoseconds for the pair, against two atomic operations and the locks that people use today. The
//! async forms are polled in a task that runs already, without the runtime's cooperative budget, which
//! would count against tokio's own locks.

mod common;

use batons::Baton;
use common::{
    Mode,
    harness::{Case, Effort, Series, interleave, ns_each},
    report::{Bars, figure, table},
};
use std::{
    cell::Cell,
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};
use tokio::{runtime, task};

const FLOOR: &str = "floor: two compare-exchanges";
const OURS_TRY: &str = "batons: try_acquire";
const OURS: &str = "batons: acquire().await";
const OURS_BLOCKING: &str = "batons: blocking_acquire";
const TOKIO_MUTEX: &str = "tokio Mutex: lock().await";
const TOKIO_SEMAPHORE: &str = "tokio Semaphore: acquire().await";

/// Times `rounds` calls of a plain function.
fn plain<'a>(name: &'static str, rounds: u64, mut pair: impl FnMut() + 'a) -> Case<'a, 1> {
    Case::new(name, move || {
        let start = Instant::now();
        for _ in 0..rounds {
            pair();
        }
        [ns_each(start.elapsed(), rounds)]
    })
}

/// Times `rounds` calls of an async function in a running task.
fn awaited<'a>(
    name: &'static str,
    rounds: u64,
    runtime: &'a runtime::Runtime,
    pair: impl AsyncFn() + 'a,
) -> Case<'a, 1> {
    Case::new(name, move || {
        let start = Instant::now();
        runtime.block_on(task::unconstrained(async {
            for _ in 0..rounds {
                pair().await;
            }
        }));
        [ns_each(start.elapsed(), rounds)]
    })
}

/// Counts up from 0: whose turn it is.
#[derive(Default)]
struct Turn(Cell<u64>);

impl Turn {
    fn next(&self) -> u64 {
        self.0.replace(self.0.get() + 1)
    }
}

fn floors<'a>(rounds: u64) -> Vec<Case<'a, 1>> {
    let word = AtomicU64::new(0);
    let exchange =
        move |from, to, order| black_box(&word).compare_exchange(from, to, order, Ordering::Relaxed);
    let turn = Turn::default();
    let std_mutex = std::sync::Mutex::new(0_u64);
    let parking_lot = parking_lot::Mutex::new(0_u64);
    vec![
        plain(FLOOR, rounds, move || {
            let held = 2 * turn.next() + 1;
            exchange(held - 1, held, Ordering::Acquire).expect("nobody else is here");
            exchange(held, held + 1, Ordering::Release).expect("nobody else is here");
        }),
        plain("std Mutex", rounds, move || {
            drop(black_box(black_box(&std_mutex).lock().expect("no panic under the lock")));
        }),
        plain("parking_lot Mutex", rounds, move || drop(black_box(black_box(&parking_lot).lock()))),
    ]
}

fn ours(rounds: u64, runtime: &runtime::Runtime) -> Vec<Case<'_, 1>> {
    let (tried, awaited_one, owned, blocking) = (Baton::new(0), Baton::new(0), Baton::new(0), Baton::new(0));
    let [turn_a, turn_b, turn_c, turn_d] = std::array::from_fn(|_| Turn::default());
    vec![
        plain(OURS_TRY, rounds, move || {
            drop(black_box(tried.try_acquire(turn_a.next()).expect("nobody else is here")));
        }),
        awaited(OURS, rounds, runtime, async move || {
            drop(black_box(awaited_one.acquire(turn_b.next()).await.expect("nobody else is here")));
        }),
        awaited("batons: acquire_owned().await", rounds, runtime, async move || {
            drop(black_box(owned.acquire_owned(turn_c.next()).await.expect("nobody else is here")));
        }),
        plain(OURS_BLOCKING, rounds, move || {
            drop(black_box(blocking.blocking_acquire(turn_d.next()).expect("nobody else is here")));
        }),
    ]
}

fn tokios(rounds: u64, runtime: &runtime::Runtime) -> Vec<Case<'_, 1>> {
    let [try_mutex, mutex] = std::array::from_fn(|_| tokio::sync::Mutex::new(0_u64));
    let [try_semaphore, semaphore] = std::array::from_fn(|_| tokio::sync::Semaphore::new(1));
    let notify = tokio::sync::Notify::new();
    vec![
        plain("tokio Mutex: try_lock", rounds, move || {
            drop(black_box(try_mutex.try_lock().expect("nobody else is here")));
        }),
        awaited(TOKIO_MUTEX, rounds, runtime, async move || drop(black_box(mutex.lock().await))),
        plain("tokio Semaphore: try_acquire", rounds, move || {
            drop(black_box(try_semaphore.try_acquire().expect("nobody else is here")));
        }),
        awaited(TOKIO_SEMAPHORE, rounds, runtime, async move || {
            drop(black_box(semaphore.acquire().await.expect("it is not closed")));
        }),
        awaited("tokio Notify: notify_one, notified().await", rounds, runtime, async move || {
            notify.notify_one();
            notify.notified().await;
        }),
    ]
}

fn others(rounds: u64, runtime: &runtime::Runtime) -> Vec<Case<'_, 1>> {
    let async_mutex = async_lock::Mutex::new(0_u64);
    let async_semaphore = async_lock::Semaphore::new(1);
    let maitake_mutex = maitake_sync::Mutex::new(0_u64);
    let maitake_semaphore = maitake_sync::Semaphore::new(1);
    vec![
        awaited("async-lock Mutex: lock().await", rounds, runtime, async move || {
            drop(black_box(async_mutex.lock().await));
        }),
        awaited("async-lock Semaphore: acquire().await", rounds, runtime, async move || {
            drop(black_box(async_semaphore.acquire().await));
        }),
        awaited("maitake Mutex: lock().await", rounds, runtime, async move || {
            drop(black_box(maitake_mutex.lock().await));
        }),
        awaited("maitake Semaphore: acquire().await", rounds, runtime, async move || {
            drop(black_box(maitake_semaphore.acquire(1).await.expect("it is not closed")));
        }),
    ]
}

fn main() {
    let mode = Mode::from_args();
    let rounds = mode.pick(100_000, 1_000);
    let runtime = runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut cases = floors(rounds);
    cases.extend(ours(rounds, &runtime));
    cases.extend(tokios(rounds, &runtime));
    cases.extend(others(rounds, &runtime));
    let effort = Effort { repetitions: mode.pick(51, 3), time: Duration::from_secs(10) };
    let results: Vec<Series> = interleave(&mut cases, effort).into_iter().map(|[series]| series).collect();

    let find = |name| &results[cases.iter().position(|case| case.name == name).expect("a case")];
    let rows: Vec<_> = cases
        .iter()
        .zip(&results)
        .map(|(case, series)| {
            let to_floor = series.ratio_to(find(FLOOR));
            let to_ours = series.ratio_to(find(OURS));
            vec![case.name.into(), figure(series.median()), format!("{to_floor:.2}"), format!("{to_ours:.2}")]
        })
        .collect();
    let header = ["acquire and release", "ns", "/ floor", "/ batons"].map(String::from);
    table("**uncontended**", &header, &rows);

    let mut bars = Bars::default();
    for ours in [OURS_TRY, OURS] {
        bars.at_most(format!("{ours} / floor"), find(ours).ratio_to(find(FLOOR)), 1.3);
    }
    for peer in [TOKIO_MUTEX, TOKIO_SEMAPHORE] {
        bars.at_least(format!("{peer} / {OURS}"), find(peer).ratio_to(find(OURS)), 1.8);
    }
    bars.print();
}
