//! Pipelines whose commit is async code: in order, one at a time, failures in their places, and nothing left running.
#![allow(clippy::unwrap_used, reason = "a test ends with it")]
#![cfg(feature = "tokio")]

use batons::WorkPanic;
use batons::lane::{Stage, pipeline};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;
use tokio::task::yield_now;

type Seen = Arc<Mutex<Vec<u64>>>;

fn seen(all: &Seen) -> Vec<u64> {
    all.lock().expect("nobody panicked").clone()
}

/// Lets others go first, so that items complete out of order.
async fn dawdle(n: u64) {
    for _ in 0..n * 7 % 5 {
        yield_now().await;
    }
}

/// A commit that dawdles, notices whether another one is at it, and fails or panics at some item.
#[derive(Clone, Default)]
struct Commit {
    all: Seen,
    busy: Arc<AtomicBool>,
    fails_at: Option<u64>,
    panics_at: Option<u64>,
}

impl Commit {
    async fn items(self, items: Vec<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        assert!(!self.busy.swap(true, SeqCst), "two commits at once");
        for n in items {
            dawdle(n).await;
            assert_ne!(self.panics_at, Some(n), "no luck");
            if self.fails_at == Some(n) {
                return Err("disk full".into());
            }
            self.all.lock().expect("nobody panicked").push(n);
        }
        self.busy.store(false, SeqCst);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn async_commits_are_in_the_order_of_the_source_and_one_at_a_time() {
    let commit = Commit::default();
    let work = pipeline(0..500).window(16).workers(5).work(|n| async move {
        dawdle(n).await;
        Ok(n)
    });
    let each = {
        let commit = commit.clone();
        move |n| commit.clone().items(vec![n])
    };
    // A run can be spawned.
    let report = tokio::spawn(work.commit_async(each).run()).await.unwrap().unwrap();
    assert_eq!((report.items, report.committed), (500, 500));
    assert!(report.most_out <= 16);
    assert!(seen(&commit.all).into_iter().eq(0..500));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_runs_are_committed_at_once() {
    let (commit, calls) = (Commit::default(), Arc::new(AtomicU64::new(0)));
    let runs = {
        let (commit, calls) = (commit.clone(), Arc::clone(&calls));
        move |items| {
            calls.fetch_add(1, SeqCst);
            commit.clone().items(items)
        }
    };
    let work = pipeline(0..500).window(16).workers(5).work(|n| async move { Ok(n) });
    let report = work.commit_run_async(runs).run().await.unwrap();
    assert_eq!((report.committed, report.runs), (500, calls.load(SeqCst)));
    assert!(seen(&commit.all).into_iter().eq(0..500));
}

#[tokio::test]
async fn an_async_commit_that_fails_or_panics_ends_it_there() {
    for (fails_at, panics_at) in [(Some(5), None), (None, Some(5))] {
        let commit = Commit { fails_at, panics_at, ..Commit::default() };
        let each = {
            let commit = commit.clone();
            move |n| commit.clone().items(vec![n])
        };
        let work = pipeline(0..).window(8).work(|n| async move { Ok(n) });
        let failed = work.commit_async(each).run().await.unwrap_err();
        assert_eq!((failed.item(), failed.stage(), failed.report().committed), (5, Some(Stage::Commit), 5));
        assert_eq!(seen(&commit.all), [0, 1, 2, 3, 4]);
        match failed.cause().downcast_ref::<WorkPanic>() {
            Some(panic) => assert!(panic.message().contains("no luck") && panics_at.is_some()),
            None => assert_eq!((failed.cause().to_string(), panics_at), ("disk full".to_owned(), None)),
        }
    }
}

#[tokio::test]
async fn a_run_that_fails_fails_as_a_whole() {
    let commit = Commit { fails_at: Some(6), ..Commit::default() };
    let runs = {
        let commit = commit.clone();
        move |items| commit.clone().items(items)
    };
    // The first run is one item, and the others are complete behind it.
    let go = Arc::new(tokio::sync::Semaphore::new(0));
    let gate = Arc::clone(&go);
    let work = pipeline(0..8_u64).window(8).workers(8).work(move |n| {
        let gate = Arc::clone(&gate);
        async move {
            if n == 1 {
                gate.acquire().await?.forget();
            }
            if n == 7 {
                gate.add_permits(1);
            }
            Ok(n)
        }
    });
    let failed = work.commit_run_async(runs).run().await.unwrap_err();
    assert_eq!((failed.item(), failed.report().committed), (1, 1));
}

#[test]
fn threads_commit_by_async_code_too() {
    let commit = Commit { fails_at: Some(30), ..Commit::default() };
    let each = {
        let commit = commit.clone();
        move |n| commit.clone().items(vec![n])
    };
    let work = pipeline(0..).window(16).workers(3).work_blocking(Ok);
    let failed = work.commit_async(each).blocking_run().unwrap_err();
    assert_eq!((failed.item(), failed.stage(), failed.report().committed), (30, Some(Stage::Commit), 30));
    assert!(seen(&commit.all).into_iter().eq(0..30));
}

#[tokio::test]
async fn a_run_that_is_dropped_ends_its_commit() {
    let begun = Arc::new(tokio::sync::Notify::new());
    let each = {
        let begun = Arc::clone(&begun);
        move |_: u64| {
            begun.notify_one();
            std::future::pending()
        }
    };
    let run = pipeline(0..).window(4).work(|n| async move { Ok(n) }).commit_async(each).run();
    tokio::select! {
        _ = run => unreachable!("its commit never ends"),
        () = begun.notified() => {}
    }
    while Handle::current().metrics().num_alive_tasks() > 0 {
        yield_now().await; // they are aborted
    }
}
