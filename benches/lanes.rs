//! What does it cost to bring concurrent results into order, how much is begun behind a slow head, and what becomes of a panic?
//!
//! ```text
//! cargo bench --features futures --bench lanes               # tables and bars, about a minute
//! cargo bench --features futures --bench lanes -- --quick    # does it still work?
//! ```
//!
//! Nanoseconds per item; in brackets how many times `buffered`. Two threads share one machine with everything else, so ratios count.
//! The window is 16 and the crews are 8 strong wherever they can be told.

#![allow(clippy::cast_precision_loss, reason = "counts are small")]

mod common;
#[path = "lanes/contenders.rs"]
mod contenders;

use batons::lane::LaneStreamExt;
use common::{
    Mode,
    harness::{Case, Effort, Series, interleave},
    report::{Bars, count, figure, table},
};
use contenders::{
    BUFFERED, CONTENDERS, Contender, DEPOSIT, IN_LANE, PAR_STREAM, PIPELINE, SPAWNED, TURN, Work,
};
use futures::stream::{self, Stream, StreamExt};
use futures_buffered::BufferedStreamExt;
use par_stream::prelude::ParStreamExt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

const COLUMNS: [&str; 4] = [
    "ready, one thread",
    "out of order, one thread",
    "out of order, two threads",
    "some µs of work, two threads",
];

fn runtime(threads: usize) -> Runtime {
    let mut builder = if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.worker_threads(threads).build().expect("a runtime")
}

fn case<'a>(contender: &'a Contender, runtimes: &'a [Runtime; 2], mode: Mode) -> Case<'a, 4> {
    let measure = move |runtime: &Runtime, work, items: u64| {
        let run = contender.run;
        let start = Instant::now();
        // As a task, for the thread that blocks here is no worker.
        runtime.block_on(runtime.spawn(async move { run(items, work).await })).expect("no panic");
        start.elapsed().as_secs_f64() * 1e9 / items as f64
    };
    let items = mode.pick(20_000, 500);
    let [one, two] = runtimes;
    Case::new(contender.name, move || {
        [
            measure(one, Work::Ready, items),
            measure(one, Work::Yields, items),
            measure(two, Work::Yields, items),
            measure(two, Work::Computes, items / 4),
        ]
    })
}

fn costs(mode: Mode, bars: &mut Bars) {
    let runtimes = [runtime(1), runtime(2)];
    let mut cases: Vec<_> = CONTENDERS.iter().map(|contender| case(contender, &runtimes, mode)).collect();
    let effort = Effort { repetitions: mode.pick(31, 3), time: Duration::from_secs(6) };
    let results = interleave(&mut cases, effort);
    let find = |name| &results[cases.iter().position(|case| case.name == name).expect("a case")];
    let theirs = find(BUFFERED);

    let header: Vec<_> = [""].into_iter().chain(COLUMNS).map(str::to_owned).collect();
    let rows: Vec<Vec<_>> = cases
        .iter()
        .zip(&results)
        .map(|(case, figures)| {
            let cell = |(figures, theirs): (&Series, &Series)| {
                format!("{} ({:.2})", figure(figures.median()), figures.ratio_to(theirs))
            };
            [case.name.to_owned()].into_iter().chain(figures.iter().zip(theirs).map(cell)).collect()
        })
        .collect();
    table("**results in order**: ns per item (times `buffered`)", &header, &rows);

    let (deposit, turn, in_lane, pipeline) = (find(DEPOSIT), find(TURN), find(IN_LANE), find(PIPELINE));
    let (spawned, par_stream) = (find(SPAWNED), find(PAR_STREAM));
    bars.at_most("deposit, ready: ns", deposit[0].median(), 120.0);
    bars.at_most("turn, ready: ns", turn[0].median(), 300.0);
    bars.at_most("deposit / `buffered`, ready", deposit[0].ratio_to(&theirs[0]), 1.3);
    bars.at_most(
        "`in_lane` / spawn + `buffered`, out of order, two threads",
        in_lane[2].ratio_to(&spawned[2]),
        1.0,
    );
    bars.at_most(
        "`in_lane` / par-stream, out of order, two threads",
        in_lane[2].ratio_to(&par_stream[2]),
        1.0,
    );
    bars.at_most(
        "pipeline / spawn + `buffered`, out of order, two threads",
        pipeline[2].ratio_to(&spawned[2]),
        1.0,
    );
    bars.at_most(
        "`in_lane` / `buffered`, some µs of work on two threads",
        in_lane[3].ratio_to(&theirs[3]),
        0.75,
    );
}

// ===== behaviour =====

/// Makes the stream that is looked at.
type Make<'a, R> = Box<dyn FnOnce() -> stream::BoxStream<'a, R> + 'a>;

/// The streams of the results of `work` over 0 to `items`, by name, not made yet.
fn each_stream<'a, F, Fut>(items: u64, work: F) -> Vec<(&'static str, Make<'a, Fut::Output>)>
where
    F: FnMut(u64) -> Fut + Clone + Send + 'static,
    Fut: Future<Output: Send + 'static> + Send + 'static,
{
    let source = move || stream::iter(0..items);
    let mut works = [(); 5].map(|()| work.clone()).into_iter();
    let mut work = move || works.next().expect("five are needed");
    let (ours, plain, cheap, mut spawned, theirs) = (work(), work(), work(), work(), work());
    vec![
        (IN_LANE, Box::new(move || source().in_lane(16, 8, ours).boxed())),
        (BUFFERED, Box::new(move || source().map(plain).buffered(16).boxed())),
        ("futures-buffered", Box::new(move || source().map(cheap).buffered_ordered(16).boxed())),
        (
            SPAWNED,
            Box::new(move || {
                let spawned = source().map(move |n| tokio::spawn(spawned(n))).buffered(16);
                spawned.map(|joined| joined.unwrap_or_else(|error| panic!("{error}"))).boxed()
            }),
        ),
        (PAR_STREAM, Box::new(move || ParStreamExt::par_then(source(), 8, theirs).boxed())),
    ]
}

/// How many items are begun while the first is not done.
async fn begun_behind_a_slow_head(items: u64) -> Vec<(&'static str, u64)> {
    let begun = Arc::new(AtomicU64::new(0));
    let counts = Arc::clone(&begun);
    let work = move |n: u64| {
        counts.fetch_add(1, SeqCst);
        async move {
            if n == 0 {
                std::future::pending::<()>().await;
            }
        }
    };
    let mut figures = Vec::new();
    for (name, make) in each_stream(items, work) {
        begun.store(0, SeqCst);
        let mut results = make();
        // Polled whenever it likes, until nothing more happens.
        for _ in 0..items * 4 {
            assert!(futures::poll!(results.next()).is_pending());
            tokio::task::yield_now().await;
        }
        figures.push((name, begun.load(SeqCst)));
    }
    figures
}

/// What a consumer sees of a panic at item 5.
async fn seen_of_a_panic() -> Vec<(&'static str, String)> {
    async fn see(mut results: impl Stream<Item = u64> + Unpin) -> String {
        let mut seen = Vec::new();
        loop {
            match futures::FutureExt::catch_unwind(AssertUnwindSafe(results.next())).await {
                Ok(Some(n)) => seen.push(n),
                Ok(None) => return format!("{seen:?}, then the end"),
                Err(panic) => {
                    let text = panic.downcast_ref::<String>().cloned();
                    let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                    return format!("{seen:?}, then: {}", text.unwrap_or_default());
                }
            }
        }
    }
    let work = |n: u64| async move {
        tokio::task::yield_now().await;
        assert!(n != 5, "item 5 is bad");
        n
    };
    let mut seen = Vec::new();
    for (name, make) in each_stream(12, work) {
        seen.push((name, see(make()).await));
    }
    seen
}

fn behaviour(mode: Mode, bars: &mut Bars) {
    let items = mode.pick(10_000, 500);
    let runtime = runtime(1);
    let begun = runtime.block_on(begun_behind_a_slow_head(items));
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let seen = runtime.block_on(seen_of_a_panic());
    panic::set_hook(hook);

    let title = format!("**behaviour**: of {} items, window 16", count(items));
    let header = ["", "begun behind a slow head", "seen of a panic at item 5"].map(str::to_owned);
    let rows: Vec<Vec<_>> = begun
        .iter()
        .zip(seen)
        .map(|(&(name, begun), (_, seen))| vec![name.into(), count(begun), seen])
        .collect();
    table(&title, &header, &rows);
    bars.at_most("`in_lane`: begun behind a slow head", begun[0].1 as f64, 16.0);
}

fn main() {
    let mode = Mode::from_args();
    let mut bars = Bars::default();
    costs(mode, &mut bars);
    behaviour(mode, &mut bars);
    bars.print();
}
