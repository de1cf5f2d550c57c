//! The contenders: all work on the items 0 to `items` and add them up in order.

use batons::lane::{Lane, LaneStreamExt, Run, pipeline};
use futures::stream::{self, Stream, StreamExt};
use futures_buffered::BufferedStreamExt;
use par_stream::prelude::*;
use std::collections::HashMap;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use tokio::task::JoinSet;

pub(crate) const WINDOW: u32 = 16;
pub(crate) const WORKERS: usize = 8;

/// What is done with an item.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Work {
    /// Nothing.
    Ready,
    /// It is pending 0 to 4 times, so that items complete out of order.
    Yields,
    /// Some microseconds of the processor.
    Computes,
}

impl Work {
    pub(crate) async fn on(self, n: u64) -> u64 {
        match self {
            Self::Ready => {}
            Self::Yields => {
                for _ in 0..n * 7 % 5 {
                    tokio::task::yield_now().await;
                }
            }
            Self::Computes => {
                let mut x = n;
                for _ in 0..5_000 {
                    x = black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
                }
            }
        }
        n
    }
}

/// Takes items in, and sees that they are in order.
#[derive(Default)]
pub(crate) struct Sum(u64);

impl Sum {
    fn add(&mut self, n: u64) {
        assert_eq!(self.0, n, "they are in order");
        self.0 += 1;
    }
}

pub(crate) type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) run: fn(u64, Work) -> Running,
}

pub(crate) const DEPOSIT: &str = "batons: 8 tasks deposit";
pub(crate) const TURN: &str = "batons: 8 tasks take turns";
pub(crate) const IN_LANE: &str = "batons: `in_lane(16, 8)`";
pub(crate) const PIPELINE: &str = "batons: `pipeline`, 8 workers";
pub(crate) const BUFFERED: &str = "`buffered(16)`";
pub(crate) const SPAWNED: &str = "spawn + `buffered(16)`";
pub(crate) const PAR_STREAM: &str = "par-stream `par_then(8)`";

pub(crate) const CONTENDERS: &[Contender] = &[
    Contender { name: "8 tasks and no order", run: |items, work| Box::pin(unordered(items, work)) },
    Contender { name: DEPOSIT, run: |items, work| Box::pin(deposit(items, work)) },
    Contender { name: TURN, run: |items, work| Box::pin(turn(items, work)) },
    Contender { name: IN_LANE, run: |items, work| Box::pin(consume(in_lane(items, work))) },
    Contender { name: PIPELINE, run: |items, work| Box::pin(through_pipeline(items, work)) },
    Contender { name: "8 tasks, a map of wakers", run: |items, work| Box::pin(naive(items, work)) },
    Contender { name: BUFFERED, run: |items, work| Box::pin(consume(buffered(items, work))) },
    Contender {
        name: "futures-buffered",
        run: |items, work| Box::pin(consume(futures_buffered(items, work))),
    },
    Contender { name: SPAWNED, run: |items, work| Box::pin(consume(spawned(items, work))) },
    Contender { name: PAR_STREAM, run: |items, work| Box::pin(consume(par_then(items, work))) },
];

async fn consume(results: impl Stream<Item = u64>) {
    let mut results = std::pin::pin!(results);
    let mut sum = Sum::default();
    while let Some(n) = results.next().await {
        sum.add(n);
    }
}

async fn crew<Fut: Future<Output = ()> + Send + 'static>(worker: impl Fn() -> Fut) {
    let mut crew = JoinSet::new();
    for _ in 0..WORKERS {
        crew.spawn(worker());
    }
    crew.join_all().await;
}

// ===== streams, which the tables of behaviour look at as well =====

pub(crate) fn in_lane(items: u64, work: Work) -> impl Stream<Item = u64> + Send {
    stream::iter(0..items).in_lane(WINDOW, WORKERS, move |n| work.on(n))
}

pub(crate) fn buffered(items: u64, work: Work) -> impl Stream<Item = u64> + Send {
    stream::iter(0..items).map(move |n| work.on(n)).buffered(WINDOW as usize)
}

pub(crate) fn futures_buffered(items: u64, work: Work) -> impl Stream<Item = u64> + Send {
    stream::iter(0..items).map(move |n| work.on(n)).buffered_ordered(WINDOW as usize)
}

pub(crate) fn spawned(items: u64, work: Work) -> impl Stream<Item = u64> + Send {
    let spawned = stream::iter(0..items).map(move |n| tokio::spawn(work.on(n)));
    spawned.buffered(WINDOW as usize).map(|joined| joined.expect("nothing panics"))
}

pub(crate) fn par_then(items: u64, work: Work) -> impl Stream<Item = u64> + Send {
    ParStreamExt::par_then(stream::iter(0..items), WORKERS, move |n| work.on(n))
}

// ===== crews =====

async fn unordered(items: u64, work: Work) {
    let next = Arc::new(AtomicU64::new(0));
    crew(move || {
        let next = Arc::clone(&next);
        async move {
            loop {
                let n = next.fetch_add(1, Relaxed);
                if n >= items {
                    return;
                }
                black_box(work.on(n).await);
                tokio::task::coop::consume_budget().await;
            }
        }
    })
    .await;
}

#[allow(clippy::unnecessary_wraps, reason = "the lane wants to know")]
fn commit(sum: &mut Sum, run: &mut Run<u64>) -> Result<(), Box<dyn Error + Send + Sync>> {
    run.for_each(|n| sum.add(n));
    Ok(())
}

async fn deposit(items: u64, work: Work) {
    let lane = Lane::builder().window(WINDOW).committer(Sum::default(), commit);
    let all = lane.clone();
    crew(move || {
        let lane = lane.clone();
        async move {
            while let Ok(ticket) = lane.ticket().await {
                let n = ticket.seq();
                if n >= items {
                    lane.close();
                    return ticket.skip();
                }
                ticket.deposit(work.on(n).await).expect("no failure");
                tokio::task::coop::consume_budget().await;
            }
        }
    })
    .await;
    assert_eq!(all.counters().committed, items);
}

async fn turn(items: u64, work: Work) {
    let lane = Lane::new(Sum::default(), WINDOW);
    crew(move || {
        let lane = lane.clone();
        async move {
            while let Ok(mut ticket) = lane.ticket().await {
                let n = ticket.seq();
                if n >= items {
                    lane.close();
                    return ticket.skip();
                }
                let result = work.on(n).await;
                let mut turn = ticket.turn().await.expect("no failure");
                turn.add(result);
                // As its documentation says: whoever computes after a turn lets the next one run first.
                turn.pass().await;
            }
        }
    })
    .await;
}

async fn through_pipeline(items: u64, work: Work) {
    let mut sum = Sum::default();
    let work =
        pipeline(0..items).window(WINDOW).workers(WORKERS).work(move |n| async move { Ok(work.on(n).await) });
    let commit = move |n| {
        sum.add(n);
        Ok(())
    };
    assert_eq!(work.commit(commit).run().await.expect("no failure").committed, items);
}

/// What one writes oneself.
#[derive(Default)]
struct Naive {
    next: u64,
    sum: Sum,
    waits: HashMap<u64, Waker>,
}

async fn naive(items: u64, work: Work) {
    let next = Arc::new(AtomicU64::new(0));
    let all = Arc::new(Mutex::new(Naive::default()));
    crew(move || {
        let (next, all) = (Arc::clone(&next), Arc::clone(&all));
        async move {
            loop {
                let n = next.fetch_add(1, Relaxed);
                if n >= items {
                    return;
                }
                let result = work.on(n).await;
                poll_fn(|cx| {
                    let mut all = all.lock().expect("nothing panics");
                    if all.next == n {
                        return Poll::Ready(());
                    }
                    all.waits.insert(n, cx.waker().clone());
                    Poll::Pending
                })
                .await;
                let wake = {
                    let mut all = all.lock().expect("nothing panics");
                    all.sum.add(result);
                    all.next = n + 1;
                    all.waits.remove(&(n + 1))
                };
                if let Some(waker) = wake {
                    waker.wake();
                }
                tokio::task::coop::consume_budget().await;
            }
        }
    })
    .await;
}
