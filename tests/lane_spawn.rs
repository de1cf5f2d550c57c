//! `Ticket::spawn`: done in place if it can be, in a task if it must wait; in order either way.

#![cfg(feature = "tokio")]

use batons::lane::{Lane, OnFailure, Run};
use batons::{LaneError, ManualResetEvent, WorkPanic};
use std::error::Error;
use std::future::{pending, poll_fn, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::task::Poll;
use tokio::runtime::Handle;

type Committed = Result<(), Box<dyn Error + Send + Sync>>;

#[allow(clippy::unnecessary_wraps, reason = "the lane wants to know")]
fn collect(all: &mut Vec<u64>, run: &mut Run<u64>) -> Committed {
    all.extend(run);
    Ok(())
}

fn lane() -> Lane<Vec<u64>, u64> {
    Lane::builder().committer(Vec::new(), collect)
}

fn committed(lane: &Lane<Vec<u64>, u64>) -> Vec<u64> {
    lane.with_value(|all| all.clone())
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test]
async fn what_is_ready_is_committed_before_the_call_returns_and_without_a_task() {
    let lane = lane();
    lane.ticket().await.unwrap().spawn(ready(7)).unwrap();
    assert_eq!((committed(&lane), tasks()), (vec![7], 0));
}

#[tokio::test]
async fn what_waits_becomes_a_task_and_keeps_its_place() {
    let (lane, go) = (lane(), ManualResetEvent::new(false));
    let waits = go.wait_owned();
    let slow = async move {
        waits.await;
        1
    };
    lane.ticket().await.unwrap().spawn(slow).unwrap();
    lane.ticket().await.unwrap().spawn(ready(2)).unwrap();
    assert_eq!((lane.frontier(), tasks()), (0, 1));
    go.set();
    lane.reached(2).await.unwrap();
    assert_eq!(committed(&lane), [1, 2]);
}

#[tokio::test]
async fn a_wake_between_the_first_poll_and_the_task_is_not_missed() {
    let (lane, polls) = (lane(), Arc::new(AtomicU32::new(0)));
    let counted = Arc::clone(&polls);
    // Is woken in its first poll only, and by a waker that wakes nobody.
    let work = poll_fn(move |cx| match counted.fetch_add(1, SeqCst) {
        0 => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        polls => Poll::Ready(u64::from(polls)),
    });
    lane.ticket().await.unwrap().spawn(work).unwrap();
    assert_eq!(polls.load(SeqCst), 1);
    lane.reached(1).await.unwrap();
    assert_eq!(committed(&lane), [1]);
}

/// Panics in place, or as a task.
async fn panics(later: bool) -> u64 {
    if later {
        tokio::task::yield_now().await;
    }
    panic!("no luck");
}

#[tokio::test]
async fn a_panic_fails_the_number_and_not_the_caller() {
    for later in [false, true] {
        let lane = lane();
        lane.ticket().await.unwrap().spawn(ready(1)).unwrap();
        lane.ticket().await.unwrap().spawn(panics(later)).unwrap();
        let Err(LaneError::Poisoned(failure)) = lane.reached(2).await else { panic!("it failed") };
        let cause = failure.cause().downcast_ref::<WorkPanic>().expect("the panic");
        assert_eq!((failure.seq(), cause.message(), committed(&lane)), (1, "no luck", vec![1]));
    }
}

#[tokio::test]
async fn a_panic_means_what_the_lane_says() {
    for later in [false, true] {
        let lane = Lane::builder().on_panic(OnFailure::Skip).committer(Vec::new(), collect);
        lane.ticket().await.unwrap().spawn(panics(later)).unwrap();
        lane.ticket().await.unwrap().spawn(ready(2)).unwrap();
        lane.reached(2).await.unwrap();
        assert_eq!((committed(&lane), lane.failure().is_none()), (vec![2], true));
    }
}

#[tokio::test]
async fn a_refusal_is_told_where_it_is_known() {
    let lane = lane();
    let (first, second, third) =
        (lane.try_ticket().unwrap(), lane.try_ticket().unwrap(), lane.try_ticket().unwrap());
    first.fail("no such file");
    assert!(matches!(second.spawn(ready(2)), Err(LaneError::Poisoned(_))));
    // The work goes on all the same, and what comes of it is dropped.
    let done = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&done);
    let work = async move {
        tokio::task::yield_now().await;
        counted.fetch_add(1, SeqCst);
        3
    };
    third.spawn(work).unwrap();
    while done.load(SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    assert!(committed(&lane).is_empty());
}

#[test]
fn a_runtime_that_is_shut_down_loses_the_number_and_says_so() {
    let lane = lane();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { lane.ticket().await.unwrap().spawn(pending()).unwrap() });
    assert!(lane.failure().is_none());
    drop(runtime);
    assert_eq!(lane.failure().expect("its ticket was dropped").seq(), 0);
}

#[test]
fn outside_a_runtime_it_panics_and_the_number_is_lost() {
    let lane = lane();
    let ticket = lane.try_ticket().unwrap();
    std::thread::spawn(move || ticket.spawn(ready(1))).join().unwrap_err();
    assert_eq!(lane.failure().expect("a panic is a loss").seq(), 0);
}
