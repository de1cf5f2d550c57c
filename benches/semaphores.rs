//! What does a permit cost, when it is free and when a thousand tasks want it?
//!
//! ```text
//! cargo bench --bench semaphores
//! ```
//!
//! Nanoseconds on one thread for acquiring and giving back. With many tasks each holds its permits while the
//! others run once, so that a newcomer finds none free and who overtakes makes others wait in vain; the clock
//! starts when all stand in line. tokio's cooperative budget is off, which would count against tokio's
//! own semaphore.

mod common;

use batons::Semaphore;
use common::{
    Mode,
    harness::{Case, Effort, Series, interleave, ns_each},
    permits::{Fair, Permits, Unfair, Wakers},
    report::{Bars, count, figure, table},
};
use futures::poll;
use std::{
    hint::black_box,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{runtime, task};

const TOKIO: &str = <Arc<tokio::sync::Semaphore> as Permits>::NAME;

fn runtime() -> runtime::Runtime {
    runtime::Builder::new_current_thread().build().expect("a runtime")
}

/// Nobody else is there.
fn uncontended<T: Permits>(n: u32, rounds: u64) -> f64 {
    let semaphore = T::new(4);
    let time = runtime().block_on(task::unconstrained(async {
        let start = Instant::now();
        for _ in 0..rounds {
            drop(black_box(semaphore.acquire(n).await));
        }
        start.elapsed()
    }));
    ns_each(time, rounds)
}

/// `tasks` want `wants` of the `permits`, each again and again.
fn contended<T: Permits>(permits: u32, wants: fn(u64) -> u32, tasks: u64, rounds: u64) -> f64 {
    let semaphore = T::new(permits);
    let arrived = Arc::new(AtomicU64::new(0));
    let time = runtime().block_on(task::unconstrained(async {
        // The floor knows one permit only, and is run with one.
        let all = semaphore.acquire(permits).await;
        let handles: Vec<_> = (0..tasks)
            .map(|task| {
                let (semaphore, arrived) = (semaphore.clone(), Arc::clone(&arrived));
                task::spawn(task::unconstrained(async move {
                    {
                        let mut first = pin!(semaphore.turn(wants(task)));
                        assert!(poll!(first.as_mut()).is_pending(), "no permit is free");
                        arrived.fetch_add(1, Relaxed);
                        first.await;
                    }
                    for _ in 1..rounds {
                        semaphore.turn(wants(task)).await;
                    }
                }))
            })
            .collect();
        while arrived.load(Relaxed) < tasks {
            task::yield_now().await;
        }
        let start = Instant::now();
        drop(all);
        for handle in handles {
            handle.await.expect("no panic");
        }
        start.elapsed()
    }));
    ns_each(time, tasks * rounds)
}

/// The columns of the table.
const COLUMNS: [&str; 4] =
    ["free, 1 of 4", "free, 3 of 4", "tasks on 1 permit", "tasks, each 1 to 4 of 4 permits"];

fn contender<T: Permits>(mode: Mode, tasks: u64) -> Case<'static, 4> {
    let (alone, rounds) = (mode.pick(50_000, 1_000), mode.pick(20, 3));
    Case::new(T::NAME, move || {
        let many = |figure: &dyn Fn() -> f64| if T::MANY { figure() } else { 0.0 };
        [
            uncontended::<T>(1, alone),
            many(&|| uncontended::<T>(3, alone)),
            contended::<T>(1, |_| 1, tasks, rounds),
            many(&|| contended::<T>(4, |task| u32::try_from(task % 4 + 1).expect("1 to 4"), tasks, rounds)),
        ]
    })
}

fn cell(series: &Series, ours: &Series) -> String {
    let median = series.median();
    // A contender that cannot do it says 0.
    if median == 0.0 { "-".into() } else { format!("{} ({:.2})", figure(median), series.ratio_to(ours)) }
}

fn main() {
    let mode = Mode::from_args();
    let tasks = mode.pick(1_000, 50);
    let mut cases = vec![
        contender::<Wakers>(mode, tasks),
        contender::<Semaphore>(mode, tasks),
        contender::<Arc<tokio::sync::Semaphore>>(mode, tasks),
        contender::<Fair>(mode, tasks),
        contender::<Unfair>(mode, tasks),
        contender::<Arc<maitake_sync::Semaphore>>(mode, tasks),
        contender::<Arc<asyncband::semaphore::Semaphore>>(mode, tasks),
        contender::<Arc<async_lock::Semaphore>>(mode, tasks),
    ];
    let effort = Effort { repetitions: mode.pick(31, 3), time: Duration::from_secs(10) };
    let results = interleave(&mut cases, effort);
    let find = |name| &results[cases.iter().position(|case| case.name == name).expect("a case")];
    let ours = find(Semaphore::NAME);

    let header = COLUMNS.map(|name| name.replace("tasks", &format!("{} tasks", count(tasks))));
    let header: Vec<_> = [String::new()].into_iter().chain(header).collect();
    let rows: Vec<Vec<_>> = cases
        .iter()
        .zip(&results)
        .map(|(case, figures)| {
            let cells = figures.iter().zip(ours).map(|(figure, ours)| cell(figure, ours));
            [case.name.to_string()].into_iter().chain(cells).collect()
        })
        .collect();
    table("**semaphores, one thread**: ns to acquire and give back (times batons)", &header, &rows);

    let mut bars = Bars::default();
    let (tokio, fair) = (find(TOKIO), find(Fair::NAME));
    bars.at_least("tokio / batons, free", tokio[0].ratio_to(&ours[0]), 1.5);
    let what = format!("batons / futures-intrusive fair, {} tasks on 1 permit", count(tasks));
    bars.at_most(what, ours[2].ratio_to(&fair[2]), 1.0);
    bars.print();
}
