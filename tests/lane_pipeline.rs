//! Pipelines over lanes: order, windows, failures in their places, and nothing left running.
#![allow(clippy::unwrap_used, reason = "a test ends with it")]
#![cfg(feature = "tokio")]

use batons::WorkPanic;
use batons::lane::{Failed, LaneIteratorExt, Report, Stage, pipeline, try_pipeline};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, mpsc};

type Seen = Arc<Mutex<Vec<u64>>>;

fn seen(all: &Seen) -> Vec<u64> {
    all.lock().expect("nobody panicked").clone()
}

fn collect(all: &Seen) -> impl FnMut(u64) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + use<> {
    let all = Arc::clone(all);
    move |n| {
        all.lock().expect("nobody panicked").push(n);
        Ok(())
    }
}

/// Lets others go first, so that items complete out of order.
async fn dawdle(n: u64) {
    for _ in 0..n * 7 % 5 {
        tokio::task::yield_now().await;
    }
}

/// Runs a pipeline of each kind, in which item 5 does `odd`.
async fn each_kind(
    odd: fn() -> Result<u64, Box<dyn std::error::Error + Send + Sync>>,
) -> Vec<(Seen, Failed)> {
    let mut outcomes = Vec::new();
    let all = Seen::default();
    let tasks = pipeline(0..)
        .window(4)
        .workers(3)
        .work(move |n: u64| async move {
            dawdle(n).await;
            if n == 5 { odd() } else { Ok(n) }
        })
        .commit(collect(&all));
    outcomes.push((all, tasks.run().await.expect_err("item 5 failed")));
    let all = Seen::default();
    let threads = pipeline(0..)
        .window(4)
        .workers(3)
        .work_blocking(move |n: u64| if n == 5 { odd() } else { Ok(n) })
        .commit(collect(&all));
    outcomes.push((all, threads.run().await.expect_err("item 5 failed")));
    let all = Seen::default();
    let own = pipeline(0..)
        .window(4)
        .workers(3)
        .work_blocking(move |n: u64| if n == 5 { odd() } else { Ok(n) })
        .commit(collect(&all));
    let own = tokio::task::spawn_blocking(move || own.blocking_run().expect_err("item 5 failed"));
    outcomes.push((all, own.await.expect("no panic")));
    outcomes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_are_committed_in_the_order_of_the_source() {
    let all = Seen::default();
    let work = pipeline(0..1000).window(16).workers(5).work(|n| async move {
        dawdle(n).await;
        Ok(n)
    });
    // A run can be spawned.
    let report = tokio::spawn(work.work(|n| async move { Ok(n * 2) }).commit(collect(&all)).run());
    let Report { items, committed, runs, most_out, .. } = report.await.unwrap().unwrap();
    assert_eq!((items, committed), (1000, 1000));
    assert!(runs <= 1000 && most_out <= 16);
    assert!(seen(&all).into_iter().eq((0..1000).map(|n| n * 2)));
}

#[test]
fn threads_do_the_same_without_a_runtime() {
    let all = Seen::default();
    let report = pipeline(0..1000)
        .window(16)
        .workers(4)
        .work_blocking(Ok)
        .commit(collect(&all))
        .blocking_run()
        .unwrap();
    assert_eq!((report.items, report.committed), (1000, 1000));
    assert!(seen(&all).into_iter().eq(0..1000));
}

#[tokio::test]
async fn an_error_of_an_item_ends_it_there_and_names_it() {
    for (all, failed) in each_kind(|| Err("no five".into())).await {
        assert_eq!((failed.item(), failed.stage()), (5, Some(Stage::Work(0))));
        assert_eq!(failed.cause().to_string(), "no five");
        assert_eq!(failed.report().committed, 5);
        assert_eq!(seen(&all), [0, 1, 2, 3, 4]);
        let told = "item 5 failed in stage 0 of the work: no five; 5 items before it are committed";
        assert_eq!(failed.to_string(), told);
    }
}

#[tokio::test]
async fn a_panic_of_an_item_does_too() {
    for (all, failed) in each_kind(|| panic!("five is right out")).await {
        assert_eq!((failed.item(), failed.stage()), (5, Some(Stage::Work(0))));
        let panic: &WorkPanic = failed.cause().downcast_ref().expect("it is told as a panic");
        assert_eq!(panic.message(), "five is right out");
        assert_eq!(seen(&all), [0, 1, 2, 3, 4]);
    }
}

#[tokio::test]
async fn the_second_stage_and_the_source_and_the_commit_are_told_apart() {
    let all = Seen::default();
    let second = pipeline(0..9)
        .work(|n| async move { Ok(n) })
        .work_blocking(|n| if n == 3 { Err("second".into()) } else { Ok(n) })
        .commit(collect(&all));
    let failed = second.run().await.unwrap_err();
    assert_eq!((failed.item(), failed.stage(), seen(&all).len()), (3, Some(Stage::Work(1)), 3));

    let all = Seen::default();
    let items = (0..9).map(|n| if n == 4 { Err("source") } else { Ok(n) });
    let failed = try_pipeline(items).commit(collect(&all)).run().await.unwrap_err();
    assert_eq!((failed.item(), failed.stage(), seen(&all).len()), (4, Some(Stage::Source), 4));

    let items = (0..9).inspect(|&n| assert_ne!(n, 4, "the source panics"));
    let failed = pipeline(items).commit(|_| Ok(())).run().await.unwrap_err();
    assert_eq!((failed.item(), failed.stage(), failed.report().committed), (4, Some(Stage::Source), 4));

    for panics in [false, true] {
        let commit = move |n: u64| match (n, panics) {
            (6, false) => Err("commit".into()),
            (6, true) => panic!("commit"),
            _ => Ok(()),
        };
        let failed = pipeline(0..9).commit(commit).run().await.unwrap_err();
        assert_eq!((failed.item(), failed.stage(), failed.report().committed), (6, Some(Stage::Commit), 6));
        assert!(failed.cause().to_string().contains("commit"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_run_on_all_cores() {
    // Each waits for the other without letting its thread go.
    let both = Arc::new(Barrier::new(2));
    let work = pipeline(0..8).workers(2).work(move |n| {
        let both = Arc::clone(&both);
        async move {
            both.wait();
            Ok(n)
        }
    });
    assert_eq!(tokio::spawn(work.commit(|_| Ok(())).run()).await.unwrap().unwrap().committed, 8);
}

#[tokio::test]
async fn behind_a_slow_head_no_more_than_the_window_is_begun() {
    let begun = Arc::new(AtomicU64::new(0));
    let gate = batons::ManualResetEvent::new(false);
    let (counts, waits) = (Arc::clone(&begun), gate.clone());
    let work = pipeline(0..1000).window(16).workers(4).work(move |n| {
        counts.fetch_add(1, SeqCst);
        let waits = waits.clone();
        async move {
            if n == 0 {
                waits.wait().await;
            }
            Ok(n)
        }
    });
    let run = tokio::spawn(work.commit(|_| Ok(())).run());
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(begun.load(SeqCst), 16);
    gate.set();
    assert_eq!(run.await.unwrap().unwrap().committed, 1000);
}

#[tokio::test]
async fn a_run_that_is_dropped_leaves_nothing_running() {
    let (send, ended) = mpsc::channel::<()>();
    let send = Mutex::new(send);
    let work = pipeline(0..).workers(3).work(move |n: u64| {
        let _send = send.lock().unwrap().clone();
        std::future::pending::<Result<u64, _>>().inspect(n)
    });
    let mut run = tokio_test::task::spawn(work.commit(|_| Ok(())).run());
    assert!(run.poll().is_pending());
    tokio::task::yield_now().await;
    drop(run);
    while ended.try_recv() != Err(mpsc::TryRecvError::Disconnected) {
        tokio::task::yield_now().await;
    }
}

/// Names the number in a future, so that its type has one.
trait Inspect: Sized {
    fn inspect(self, _: u64) -> Self {
        self
    }
}
impl<F: Future> Inspect for F {}

// ===== iterators =====

#[test]
fn an_iterator_yields_in_order() {
    let results = (0..1000_u64).in_lane(16, 3, |n| n * n);
    assert_eq!(results.size_hint(), (1000, Some(1000)));
    assert!(results.eq((0..1000).map(|n| n * n)));
}

#[test]
fn threads_work_at_once_and_behind_a_slow_head_no_more_than_the_window_is_begun() {
    let both = Barrier::new(2);
    assert_eq!((0..8).in_lane(8, 2, move |_| both.wait()).count(), 8);

    let asked = AtomicU64::new(0);
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let source = (0..100).inspect(|_| {
        // The seventeenth is asked for when the first has come out, and not before.
        if asked.fetch_add(1, SeqCst) == 15 {
            open.send(()).unwrap();
        }
    });
    let mut results = source.in_lane(16, 4, move |n| {
        if n == 0 {
            gate.lock().unwrap().recv().unwrap();
        }
    });
    results.next();
    assert_eq!(asked.load(SeqCst), 16);
}

#[test]
fn a_panic_is_raised_in_its_place() {
    let mut results = (0..).in_lane(8, 3, |n| {
        assert_ne!(n, 5, "five is right out");
        n
    });
    assert_eq!(results.by_ref().take(5).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    let panic = catch_unwind(AssertUnwindSafe(|| results.next())).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("five is right out"));
    assert_eq!(results.next(), None);
}

#[test]
fn an_iterator_that_is_dropped_ends_its_threads() {
    let (send, ended) = mpsc::channel::<()>();
    let mut results = (0..).in_lane(8, 3, move |n| {
        let _all = &send;
        n
    });
    assert_eq!(results.next(), Some(0));
    drop(results);
    // Comes when the last thread has ended.
    assert!(ended.recv().is_err());
}
