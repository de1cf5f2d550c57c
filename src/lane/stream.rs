//! Streams whose items are worked on by several tasks and come out in order.

use super::crew::{Crew, caught};
use super::{Commits, Lane, Ticket, builder::check_window};
use crate::Manual;
use crate::futures::WaitOwnedEvent;
use futures::stream::{FusedStream, Stream};
use std::collections::VecDeque;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{fmt, thread};
use tokio::task::{JoinSet, coop};

/// What lanes add to each `futures::Stream`.
///
/// # Examples
///
/// See [`in_lane`](LaneStreamExt::in_lane).
pub trait LaneStreamExt: Stream + Sized {
    /// The results of the futures that `work` makes of the items, in the order of the items: what `.map(work).buffered(window)`
    /// is, but on all cores.
    ///
    /// The futures are run by at most `workers` tasks of the current tokio runtime, which are started as they are needed. At most
    /// `window` items are between the source and the consumer, however slow the first of them or the consumer
    /// is. The source is polled and `work` is called when the stream is polled; what was begun goes on whether
    /// it is polled or not, so a consumer that waits for something else never keeps a lock or a connection
    /// from being released.
    ///
    /// A panic of a future is raised in its place: everything before it comes out first, and nothing after it.
    /// Dropping the stream aborts the tasks.
    ///
    /// # Panics
    ///
    /// If `window` is 0 or more than `i32::MAX` or `workers` is 0. When it is polled: outside a tokio
    /// runtime, if that was shut down, and if a future panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::lane::LaneStreamExt;
    /// use futures::stream::{self, StreamExt};
    ///
    /// # #[tokio::main]
    /// # async fn main() {
    /// let squares = stream::iter(1..=5_u32).in_lane(16, 4, |n| async move { n * n });
    /// assert_eq!(squares.collect::<Vec<_>>().await, [1, 4, 9, 16, 25]);
    /// # }
    /// ```
    #[track_caller]
    fn in_lane<F, Fut>(self, window: u32, workers: usize, work: F) -> InLane<Self, F, Fut>
    where
        F: FnMut(Self::Item) -> Fut,
        Fut: Future<Output: Send + 'static> + Send + 'static,
    {
        check_window(window);
        assert!(workers > 0, "a crew has at least one worker");
        let lane = Lane::builder().window(window).build(());
        InLane {
            source: Some(Box::pin(self)),
            work,
            crew: Crew::new(),
            commits: lane.commits(),
            lane,
            wait: None,
            ready: VecDeque::new(),
            over: false,
            window: u64::from(window),
            workers,
            tasks: JoinSet::new(),
            out: 0,
        }
    }
}

impl<S: Stream> LaneStreamExt for S {}

type Caught<Fut> = thread::Result<<Fut as Future>::Output>;

/// The results of [`LaneStreamExt::in_lane`].
///
/// # Examples
///
/// See [`LaneStreamExt::in_lane`].
#[must_use = "streams do nothing unless polled"]
pub struct InLane<S, F, Fut: Future> {
    /// Absent once it has ended.
    source: Option<Pin<Box<S>>>,
    work: F,
    crew: Crew<(Ticket<(), Caught<Fut>>, Fut)>,
    lane: Lane<(), Caught<Fut>>,
    commits: Commits<(), Caught<Fut>>,
    /// The wait for results, if there were none when they were last looked for.
    wait: Option<WaitOwnedEvent<Manual>>,
    /// Results in their order.
    ready: VecDeque<Caught<Fut>>,
    over: bool,
    window: u64,
    workers: usize,
    tasks: JoinSet<()>,
    /// How many items are between the source and the consumer.
    out: u64,
}

// Nothing in it is pinned but the source, which has a box of its own.
impl<S, F, Fut: Future> Unpin for InLane<S, F, Fut> {}

impl<S, F, Fut> InLane<S, F, Fut>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future<Output: Send + 'static> + Send + 'static,
{
    /// Takes from the source what there is room for.
    fn feed(&mut self, cx: &mut Context<'_>) {
        // A quarter of the window at a time, unless somebody may have nothing to do.
        if self.window - self.out < (self.window / 4).max(1) && !self.crew.is_hungry() {
            return;
        }
        while self.out < self.window {
            let Some(source) = &mut self.source else { return };
            match source.as_mut().poll_next(cx) {
                Poll::Pending => return,
                Poll::Ready(None) => {
                    self.source = None;
                    self.lane.close();
                    self.crew.finish();
                }
                Poll::Ready(Some(item)) => {
                    let future = (self.work)(item);
                    // Nobody else takes tickets, so there is room.
                    let Ok(ticket) = self.lane.try_ticket() else { return };
                    self.crew.push((ticket, future));
                    self.out += 1;
                    if self.tasks.len() < self.workers {
                        self.tasks.spawn(work(self.crew.clone()));
                    }
                }
            }
        }
    }
}

async fn work<Fut: Future>(crew: Crew<(Ticket<(), Caught<Fut>>, Fut)>) {
    while let Some((ticket, future)) = crew.next().await {
        if ticket.deposit(caught(future).await).is_err() {
            return;
        }
        coop::consume_budget().await;
    }
}

impl<S, F, Fut: Future> InLane<S, F, Fut> {
    fn stop(&mut self) {
        self.source = None;
        self.lane.cancel();
        self.tasks.abort_all();
        self.crew.cancel();
    }
}

impl<S, F, Fut> Stream for InLane<S, F, Fut>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future<Output: Send + 'static> + Send + 'static,
{
    type Item = Fut::Output;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        this.feed(cx);
        if this.ready.is_empty() {
            // All that are ready, under one lock; those behind the first one still count as out.
            let Some(mut run) = ready!(this.commits.poll_run(&mut this.wait, cx)) else {
                this.over = true;
                // An end that is none must not look like one.
                let failure = this.lane.failure();
                if let Some(failure) = failure {
                    panic!("the runtime of `in_lane` was shut down: {failure}");
                }
                return Poll::Ready(None);
            };
            this.ready.extend(run.by_ref());
            run.done();
        }
        let Some(result) = this.ready.pop_front() else { return Poll::Ready(None) };
        this.out -= 1;
        Poll::Ready(Some(result.unwrap_or_else(|panic| {
            this.over = true;
            this.stop();
            resume_unwind(panic)
        })))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let out = usize::try_from(self.out).unwrap_or(usize::MAX);
        let (least, most) = self.source.as_ref().map_or((0, Some(0)), Stream::size_hint);
        (least.saturating_add(out), most.and_then(|most| most.checked_add(out)))
    }
}

impl<S, F, Fut> FusedStream for InLane<S, F, Fut>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future<Output: Send + 'static> + Send + 'static,
{
    fn is_terminated(&self) -> bool {
        self.over
    }
}

impl<S, F, Fut: Future> Drop for InLane<S, F, Fut> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl<S, F, Fut: Future> fmt::Debug for InLane<S, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InLane")
            .field("lane", &self.lane)
            .field("workers", &self.workers)
            .field("out", &self.out)
            .finish_non_exhaustive()
    }
}
