//! Pipelines: a source, work by a fixed crew, and a commit in the order of the source.

mod drive;
mod report;
mod source;
mod stage;

pub use report::{Failed, Report, Stage};
pub use source::{FromIter, FromTryIter, Source};
#[cfg(feature = "futures")]
pub use source::{FromStream, FromTryStream};
pub use stage::{Nothing, Then, ThenBlocking, Work};

use super::crew::{Crew, caught};
use super::{Lane, LaneBuilder, Run, Ticket, builder::check_window};
use crate::{LaneError, ManualResetEvent, WorkPanic, blocking};
use drive::Driver;
use report::At;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use std::{error::Error, fmt, future::Future, future::poll_fn, io, num::NonZero, thread};

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A pipeline over the items of an iterator. It is asked by whoever runs the pipeline, one item after the other.
///
/// # Examples
///
/// ```
/// use batons::lane::pipeline;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (send, lines) = std::sync::mpsc::channel();
/// let report = pipeline(["1", "2", "3"])
///     .window(64)
///     .workers(8)
///     .work(|text| async move { Ok(text.parse::<u32>()?) })
///     .work(|n| async move { Ok(n * n) })
///     .commit(move |square| Ok(send.send(square)?))
///     .run()
///     .await?;
/// assert_eq!((report.items, report.committed), (3, 3));
/// assert_eq!(lines.iter().collect::<Vec<_>>(), [1, 4, 9]);
/// # Ok(())
/// # }
/// ```
///
/// A failure, and a panic as well, has its place:
///
/// ```
/// # use batons::lane::{Stage, pipeline};
/// let failed = pipeline(0..100)
///     .work_blocking(|n| if n == 5 { Err("no five".into()) } else { Ok(n) })
///     .commit(|_| Ok(()))
///     .blocking_run()
///     .unwrap_err();
/// assert_eq!((failed.item(), failed.stage(), failed.report().committed), (5, Some(Stage::Work(0)), 5));
/// assert_eq!(failed.cause().to_string(), "no five");
/// ```
pub fn pipeline<I: IntoIterator>(source: I) -> Pipeline<FromIter<I::IntoIter>, Nothing> {
    Pipeline::new(FromIter(source.into_iter()))
}

/// A pipeline over an iterator that can fail: what is before the error is committed.
///
/// # Examples
///
/// ```
/// use batons::lane::{Stage, try_pipeline};
///
/// let text: &[u8] = b"one\ntwo\n\xff\n";
/// let failed = try_pipeline(std::io::BufRead::lines(text))
///     .work_blocking(|line| Ok(line.len()))
///     .commit(|_| Ok(()))
///     .blocking_run()
///     .unwrap_err();
/// assert_eq!((failed.item(), failed.stage()), (2, Some(Stage::Source)));
/// ```
pub fn try_pipeline<T, E, I>(source: I) -> Pipeline<FromTryIter<I::IntoIter>, Nothing>
where
    E: Into<Box<dyn Error + Send + Sync>>,
    I: IntoIterator<Item = Result<T, E>>,
{
    Pipeline::new(FromTryIter(source.into_iter()))
}

/// A pipeline over the items of a stream.
#[cfg(feature = "futures")]
#[cfg_attr(docsrs, doc(cfg(feature = "futures")))]
pub fn stream_pipeline<S: futures::Stream>(source: S) -> Pipeline<FromStream<S>, Nothing> {
    Pipeline::new(FromStream(Box::pin(source)))
}

/// A pipeline over a stream that can fail: what is before the error is committed.
#[cfg(feature = "futures")]
#[cfg_attr(docsrs, doc(cfg(feature = "futures")))]
pub fn try_stream_pipeline<T, E, S>(source: S) -> Pipeline<FromTryStream<S>, Nothing>
where
    E: Into<Box<dyn Error + Send + Sync>>,
    S: futures::Stream<Item = Result<T, E>>,
{
    Pipeline::new(FromTryStream(Box::pin(source)))
}

/// A pipeline without an end yet; from [`pipeline`] and its sisters.
#[derive(Debug)]
#[must_use = "a pipeline does nothing until it is run"]
pub struct Pipeline<S, W> {
    source: S,
    work: W,
    lane: LaneBuilder,
    window: u32,
    workers: usize,
}

impl<S: Source> Pipeline<S, Nothing> {
    fn new(source: S) -> Self {
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        Self { source, work: Nothing(()), lane: LaneBuilder::new(), window: 1024, workers }
    }
}

impl<S: Source, W: Work<S::Item>> Pipeline<S, W> {
    /// How many items are between source and commit at most, from 1 to `i32::MAX`; 1,024 unless it is set.
    ///
    /// # Panics
    ///
    /// If it is out of range.
    #[track_caller]
    pub fn window(mut self, window: u32) -> Self {
        check_window(window);
        self.window = window;
        self
    }

    /// How many items are worked on at once at most; as many as there are processors unless it is set.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[track_caller]
    pub fn workers(mut self, workers: usize) -> Self {
        assert!(workers > 0, "a crew has at least one worker");
        self.workers = workers;
        self
    }

    /// How many items are committed in one call at most; 1,024 unless it is set.
    pub fn longest_run(mut self, items: usize) -> Self {
        self.lane = self.lane.longest_run(items);
        self
    }

    /// A further stage. A worker takes one item through all stages before it takes the next.
    pub fn work<F, Fut, U>(self, work: F) -> Pipeline<S, Then<W, F>>
    where
        F: Fn(W::Out) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Fallible<U>> + Send,
        U: Send + 'static,
    {
        self.then(|before| Then(before, work))
    }

    /// A further stage that computes for long or blocks its thread. All workers are threads then (with [`run`](Runnable::run)
    /// those of `tokio::task::spawn_blocking`), and other stages are driven on them.
    pub fn work_blocking<F, U>(self, work: F) -> Pipeline<S, ThenBlocking<W, F>>
    where
        F: Fn(W::Out) -> Fallible<U> + Send + Sync + 'static,
        U: Send + 'static,
    {
        self.then(|before| ThenBlocking(before, work))
    }

    fn then<V>(self, then: impl FnOnce(W) -> V) -> Pipeline<S, V> {
        let Self { source, work, lane, window, workers } = self;
        Pipeline { source, work: then(work), lane, window, workers }
    }

    /// Where items go, each in its turn. Called by whichever worker completes the head, never by two at once. For async code,
    /// [`commit_async`](Pipeline::commit_async).
    pub fn commit<C>(self, mut commit: C) -> Runnable<S, W, W::Out>
    where
        C: FnMut(W::Out) -> Fallible<()> + Send + 'static,
    {
        self.commit_run(move |run| run.try_for_each(&mut commit))
    }

    /// Where items go, all that are ready in one call: for one write, one flush or one `fsync` for many. If it fails, the item that it took
    /// last fails.
    pub fn commit_run<C>(self, mut commit: C) -> Runnable<S, W, W::Out>
    where
        C: FnMut(&mut Run<W::Out>) -> Fallible<()> + Send + 'static,
    {
        let lane = self.lane.clone().window(self.window).committer((), move |(), run| {
            // A panic is told like an error, and does not end the worker.
            let committed = catch_unwind(AssertUnwindSafe(|| commit(run)));
            let committed = committed.unwrap_or_else(|panic| Err(WorkPanic::new(panic).into()));
            Ok(At::in_stage(Stage::Commit, committed)?)
        });
        Runnable { pipeline: self, lane, driver: None }
    }
}

type Job<T, U> = (Ticket<(), U>, T);

/// A pipeline from end to end, that can be run; from [`Pipeline::commit`].
#[must_use = "a pipeline does nothing until it is run"]
pub struct Runnable<S, W, U> {
    pipeline: Pipeline<S, W>,
    lane: Lane<(), U>,
    /// Absent where whoever completes the head commits.
    driver: Option<Driver<U>>,
}

impl<S, W> Runnable<S, W, W::Out>
where
    S: Source<Item: Send + 'static>,
    W: Work<S::Item>,
{
    /// Runs it with workers that are tasks of the current tokio runtime, or threads of it if a stage
    /// [blocks](Pipeline::work_blocking). When it is over nothing of it is left running.
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends the pipeline: what was committed is what came first. Tasks are aborted; threads end after the item that
    /// they are at.
    ///
    /// # Errors
    ///
    /// [`Failed`] if the source, the work or the commit failed or panicked: everything below that item is
    /// committed, nothing above it.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[cfg(feature = "tokio")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    // Not an `async fn`: that it is `Send` is proven here, where it is easy, and not again by each caller.
    #[allow(clippy::manual_async_fn, reason = "told above")]
    pub fn run(self) -> impl Future<Output = Result<Report, Failed>> + Send
    where
        S: Send,
    {
        async move {
            let begun = Instant::now();
            let (mut plant, lane, driver) = self.begin();
            let mut tasks = tokio::task::JoinSet::new();
            if let Some(driver) = driver {
                tasks.spawn(driver(lane.clone()));
            }
            let (crew, work) = (plant.ends.crew.clone(), plant.work.clone());
            let mut start = || {
                let (crew, work) = (crew.clone(), work.clone());
                if W::BLOCKS {
                    tasks.spawn_blocking(move || blocking::wait(labour(crew, work)));
                } else {
                    tasks.spawn(labour(crew, work));
                }
            };
            plant.feed(&lane, &mut start).await;
            let drained = lane.drain().await;
            if drained.is_err() {
                plant.ends.crew.cancel();
                tasks.abort_all();
            }
            while tasks.join_next().await.is_some() {}
            outcome(drained, &lane, begun)
        }
    }

    /// Runs it with workers that are threads of its own. When it is over nothing of it is left running.
    ///
    /// # Errors
    ///
    /// As [`run`](Runnable::run).
    ///
    /// # Panics
    ///
    /// On a worker thread of a tokio runtime, see [`blocking`]; and if no thread can be started.
    #[track_caller]
    #[allow(clippy::missing_panics_doc, reason = "they are told")]
    pub fn blocking_run(self) -> Result<Report, Failed> {
        let begun = Instant::now();
        let (mut plant, lane, driver) = self.begin();
        let (crew, work) = (plant.ends.crew.clone(), plant.work.clone());
        let driver = driver.map(|driver| {
            let driver = driver(lane.clone());
            start_thread(|| blocking::wait(driver)).unwrap_or_else(|error| no_thread(&error))
        });
        let mut threads = Vec::new();
        let mut start = || {
            let (crew, work) = (crew.clone(), work.clone());
            match start_thread(move || blocking::wait(labour(crew, work))) {
                Ok(thread) => threads.push(thread),
                Err(error) if threads.is_empty() => no_thread(&error),
                // The others do it.
                Err(_) => {}
            }
        };
        blocking::wait(plant.feed(&lane, &mut start));
        let drained = lane.blocking_drain();
        if drained.is_err() {
            plant.ends.crew.cancel();
        }
        for thread in threads.into_iter().chain(driver) {
            let _ = thread.join();
        }
        outcome(drained, &lane, begun)
    }

    #[allow(clippy::type_complexity, reason = "the parts of one thing")]
    fn begin(self) -> (Plant<S, W, W::Out>, Lane<(), W::Out>, Option<Driver<W::Out>>) {
        let Self { pipeline: Pipeline { source, work, window, workers, .. }, lane, driver } = self;
        let ends = Ends { crew: Crew::new(), lane: lane.clone() };
        (Plant { source, work: Arc::new(work), window, workers, ends }, lane, driver)
    }
}

/// A pipeline that runs.
struct Plant<S: Source, W, U> {
    source: S,
    work: Arc<W>,
    window: u32,
    workers: usize,
    ends: Ends<S::Item, U>,
}

/// Ends a pipeline when it is dropped.
struct Ends<T, U> {
    crew: Crew<Job<T, U>>,
    lane: Lane<(), U>,
}

impl<T, U> Drop for Ends<T, U> {
    fn drop(&mut self) {
        self.lane.cancel();
        self.crew.cancel();
    }
}

impl<S: Source, W, U> Plant<S, W, U> {
    /// Gives all items to the crew, for which `start` starts workers as they are needed; up to the first failure.
    async fn feed(&mut self, lane: &Lane<(), U>, start: &mut impl FnMut()) {
        let over = lane.reached_event(u64::MAX);
        let mut started = 0;
        while let Some(item) = self.next_item(&over).await {
            let Some(ticket) = self.ticket(lane).await else { return };
            match item {
                Ok(item) => {
                    self.ends.crew.push((ticket, item));
                    if started < self.workers {
                        started += 1;
                        start();
                    }
                }
                Err(at) => {
                    ticket.fail(at);
                    return;
                }
            }
        }
        lane.close();
        self.ends.crew.finish();
    }

    /// The next item, a failure of the source, or nothing because it has ended or some item has failed.
    async fn next_item(&mut self, over: &ManualResetEvent) -> Option<Result<S::Item, At>> {
        let mut over = pin!(over.wait());
        let mut poll = |cx: &mut Context<'_>| match self.source.poll_item(cx) {
            Poll::Pending => over.as_mut().poll(cx).map(|()| None),
            item @ Poll::Ready(_) => item,
        };
        let polled = caught(poll_fn(|cx| poll(cx))).await;
        let polled = polled.unwrap_or_else(|panic| Some(Err(WorkPanic::new(panic).into())));
        polled.map(|item| At::in_stage(Stage::Source, item))
    }

    /// A ticket, or `None` after a failure.
    async fn ticket(&mut self, lane: &Lane<(), U>) -> Option<Ticket<(), U>> {
        match lane.try_ticket() {
            Err(LaneError::WouldBlock) => {}
            ticket => return ticket.ok(),
        }
        // The window is full. Waits for room for many, if all workers have enough to do meanwhile.
        let workers = u32::try_from(self.workers).unwrap_or(u32::MAX);
        let many = u64::from(self.window.saturating_sub(workers).min(self.window / 2).max(1));
        let full = lane.counters().issued;
        lane.reached(full + many - u64::from(self.window)).await.ok()?;
        lane.ticket().await.ok()
    }
}

/// The loop of a worker.
async fn labour<T, W: Work<T>>(crew: Crew<Job<T, W::Out>>, work: Arc<W>) {
    while let Some((ticket, item)) = crew.next().await {
        match work.work(item).await {
            // Refused after an earlier failure.
            Ok(result) => drop(ticket.deposit(result)),
            Err(at) => ticket.fail(at),
        }
        #[cfg(feature = "tokio")]
        if !W::BLOCKS && tokio::runtime::Handle::try_current().is_ok() {
            tokio::task::coop::consume_budget().await;
        }
    }
}

fn start_thread(run: impl FnOnce() + Send + 'static) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("pipeline".to_owned()).spawn(run)
}

#[track_caller]
fn no_thread<R>(error: &io::Error) -> R {
    panic!("no thread can be started: {error}")
}

fn outcome<U>(drained: Result<(), LaneError>, lane: &Lane<(), U>, begun: Instant) -> Result<Report, Failed> {
    let report = Report::new(&lane.counters(), begun.elapsed());
    match (drained, lane.failure()) {
        (Err(LaneError::Poisoned(failure)), _) | (Err(_), Some(failure)) => Err(Failed::new(failure, report)),
        (Ok(()) | Err(_), _) => Ok(report),
    }
}

impl<S: fmt::Debug, W: fmt::Debug, U> fmt::Debug for Runnable<S, W, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runnable")
            .field("pipeline", &self.pipeline)
            .field("lane", &self.lane)
            .finish_non_exhaustive()
    }
}
