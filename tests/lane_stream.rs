//! Streams in lanes: a drop-in for `buffered` that works on all cores and is never snoozed.
#![cfg(all(feature = "futures", feature = "tokio"))]

use batons::lane::{Lane, LaneStreamExt};
use batons::{LaneError, ManualResetEvent};
use futures::stream::{self, FusedStream, StreamExt};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use tokio_test::{assert_pending, assert_ready, assert_ready_eq, task::spawn};

async fn dawdle(n: u64) -> u64 {
    for _ in 0..n * 7 % 5 {
        tokio::task::yield_now().await;
    }
    n
}

async fn let_others_run() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_yields_what_buffered_yields() {
    let ours: Vec<_> = stream::iter(0..1000).in_lane(16, 5, dawdle).collect().await;
    let theirs: Vec<_> = stream::iter(0..1000).map(dawdle).buffered(16).collect().await;
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn the_source_may_borrow_and_be_pending() {
    let (send, receive) = tokio::sync::mpsc::unbounded_channel();
    let mut receive = receive;
    let source = stream::poll_fn(|cx| receive.poll_recv(cx));
    let mut results = spawn(source.in_lane(4, 2, dawdle));
    assert_pending!(results.poll_next());
    send.send(7).unwrap();
    assert!(results.is_woken());
    assert_pending!(results.poll_next());
    let_others_run().await;
    assert!(results.is_woken());
    assert_ready_eq!(results.poll_next(), Some(7));
    drop(send);
    assert_ready_eq!(results.poll_next(), None);
    assert!(results.is_terminated());
}

#[tokio::test]
async fn window_and_workers_are_two_bounds() {
    let (begun, at_once, most) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let counts = Arc::new((begun, at_once, most));
    let gate = ManualResetEvent::new(false);
    let (all, waits) = (Arc::clone(&counts), gate.clone());
    let mut results = spawn(stream::iter(0..100).in_lane(16, 3, move |n| {
        let (all, waits) = (Arc::clone(&all), waits.clone());
        async move {
            all.0.fetch_add(1, SeqCst);
            all.2.fetch_max(all.1.fetch_add(1, SeqCst) + 1, SeqCst);
            if n == 0 {
                waits.wait().await;
            }
            dawdle(n).await;
            all.1.fetch_sub(1, SeqCst);
            n
        }
    }));
    assert_pending!(results.poll_next());
    let_others_run().await;
    assert_eq!(counts.0.load(SeqCst), 16, "the head is slow, and the window is full");
    assert_eq!(counts.2.load(SeqCst), 3);
    gate.set();
    let_others_run().await;
    for n in 0..16 {
        assert_ready_eq!(results.poll_next(), Some(n));
    }
    assert!(counts.0.load(SeqCst) <= 32);
}

#[tokio::test]
async fn a_consumer_that_waits_for_what_the_work_holds_is_no_deadlock() {
    let lock = Arc::new(tokio::sync::Mutex::new(()));
    let shared = Arc::clone(&lock);
    let mut results = std::pin::pin!(stream::iter(0..20).in_lane(2, 2, move |n| {
        let shared = Arc::clone(&shared);
        async move {
            let _held = shared.lock().await;
            dawdle(n).await
        }
    }));
    let mut sum = 0;
    while let Some(n) = results.next().await {
        let _held = lock.lock().await; // `buffered` would never poll whoever holds it
        sum += n;
    }
    assert_eq!(sum, 190);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_runs_on_all_cores() {
    let both = Arc::new(Barrier::new(2));
    let results = stream::iter(0..8).in_lane(8, 2, move |n| {
        let both = Arc::clone(&both);
        async move {
            both.wait();
            n
        }
    });
    // On a worker, so that the two that are there are all.
    assert_eq!(tokio::spawn(results.count()).await.unwrap(), 8);
}

#[tokio::test]
async fn a_panic_is_raised_in_its_place() {
    let mut results = stream::iter(0..).in_lane(8, 3, |n| async move {
        dawdle(n).await;
        assert_ne!(n, 5, "five is right out");
        n
    });
    assert_eq!(results.by_ref().take(5).collect::<Vec<_>>().await, [0, 1, 2, 3, 4]);
    let panic = futures::FutureExt::catch_unwind(AssertUnwindSafe(results.next())).await.unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("five is right out"));
    assert_eq!(results.next().await, None);
}

#[tokio::test]
async fn a_stream_that_is_dropped_aborts_its_tasks() {
    let held = Arc::new(());
    let also = Arc::clone(&held);
    let mut results = spawn(stream::iter(0..).in_lane(8, 3, move |_: u64| {
        let also = Arc::clone(&also);
        async move {
            std::future::pending::<()>().await;
            drop(also);
        }
    }));
    assert_pending!(results.poll_next());
    let_others_run().await;
    drop(results);
    let_others_run().await;
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn an_end_of_its_runtime_is_not_taken_for_the_end() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut results = stream::iter(0..9).in_lane(8, 3, |_: u64| std::future::pending::<u64>());
    runtime.block_on(async {
        assert_pending!(spawn(results.next()).poll());
        let_others_run().await;
    });
    drop(runtime);
    let panic = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let _entered = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _ = spawn(results.next()).poll();
    }));
    assert!(panic.unwrap_err().downcast_ref::<String>().unwrap().contains("was shut down"));
}

// ===== into_stream =====

#[test]
fn deposits_are_a_stream_in_order_that_ends_with_the_lane() {
    let lane: Lane<(), u64> = Lane::builder().window(3).build(());
    let mut deposits = spawn(lane.clone().into_stream());
    let [a, b, c] = [(); 3].map(|()| lane.try_ticket().unwrap());
    c.deposit(2).unwrap();
    assert_pending!(deposits.poll_next());
    a.deposit(0).unwrap();
    assert!(deposits.is_woken());
    assert!(lane.try_ticket().is_err(), "what nobody took is in the window");
    assert_eq!(assert_ready!(deposits.poll_next()).unwrap().unwrap(), 0);
    assert_eq!((lane.frontier(), lane.room()), (1, 1));
    assert_pending!(deposits.poll_next());
    b.skip();
    assert!(deposits.is_woken());
    assert_eq!(assert_ready!(deposits.poll_next()).unwrap().unwrap(), 2);
    assert_pending!(deposits.poll_next());
    lane.close();
    assert!(deposits.is_woken());
    assert!(assert_ready!(deposits.poll_next()).is_none());
    assert!(assert_ready!(deposits.poll_next()).is_none());
}

#[test]
fn a_failure_is_the_last_item_in_its_place() {
    let lane: Lane<(), u64> = Lane::builder().build(());
    let mut deposits = spawn(lane.clone().into_stream());
    let [a, b, c] = [(); 3].map(|()| lane.try_ticket().unwrap());
    c.deposit(2).unwrap();
    assert_pending!(deposits.poll_next());
    b.fail("no");
    assert_pending!(deposits.poll_next());
    a.deposit(0).unwrap();
    assert_eq!(assert_ready!(deposits.poll_next()).unwrap().unwrap(), 0);
    let Some(Err(LaneError::Poisoned(failure))) = assert_ready!(deposits.poll_next()) else {
        panic!("it failed")
    };
    assert_eq!(failure.seq(), 1);
    assert!(assert_ready!(deposits.poll_next()).is_none());
}

#[test]
fn turns_and_a_stream_mix() {
    let lane: Lane<u64, u64> = Lane::builder().build(0);
    let mut deposits = spawn(lane.clone().into_stream());
    let [a, mut b, c] = [(); 3].map(|()| lane.try_ticket().unwrap());
    a.deposit(0).unwrap();
    c.deposit(2).unwrap();
    let mut turn = spawn(b.turn());
    assert_pending!(turn.poll());
    assert_eq!(assert_ready!(deposits.poll_next()).unwrap().unwrap(), 0);
    assert!(turn.is_woken());
    assert_pending!(deposits.poll_next());
    *assert_ready!(turn.poll()).unwrap() += 1;
    assert!(deposits.is_woken());
    assert_eq!(assert_ready!(deposits.poll_next()).unwrap().unwrap(), 2);
}
