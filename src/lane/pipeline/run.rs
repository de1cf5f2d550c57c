//! How a pipeline is run: who gives its items to whom, and how it ends.

use super::drive::Driver;
use super::report::{At, Failed, Report, Stage};
use super::{Pipeline, Source, Work};
use crate::lane::crew::{Crew, caught};
use crate::lane::{Lane, Ticket};
use crate::{LaneError, ManualResetEvent, WorkPanic, blocking};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use std::{fmt, future::Future, future::poll_fn, io, thread};

type Job<T, U> = (Ticket<(), U>, T);

/// A pipeline from end to end, that can be run; from [`Pipeline::commit`].
///
/// # Examples
///
/// See [`pipeline`](super::pipeline()).
#[must_use = "a pipeline does nothing until it is run"]
pub struct Runnable<S, W, U> {
    pub(super) pipeline: Pipeline<S, W>,
    pub(super) lane: Lane<(), U>,
    /// Absent where whoever completes the head commits.
    pub(super) driver: Option<Driver<U>>,
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
    /// Dropping it ends the pipeline: what was committed is what came first. Tasks are aborted, and are gone
    /// when their runtime has seen to it; threads end after the item that they are at.
    ///
    /// # Errors
    ///
    /// [`Failed`] if the source, the work or the commit failed or panicked: everything below that item is
    /// committed, nothing above it.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::lane::pipeline;
    /// use std::{sync::mpsc, time::Duration};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (send, committed) = mpsc::channel();
    /// let work = |n: u64| async move {
    ///     tokio::time::sleep(Duration::from_millis(n)).await;
    ///     Ok(n)
    /// };
    /// let run = pipeline([30, 20, 10, 5_000]).workers(4).work(work).commit(move |n| Ok(send.send(n)?)).run();
    /// // The last one takes too long; the others have been committed, in their order.
    /// assert!(tokio::time::timeout(Duration::from_secs(1), run).await.is_err());
    /// assert_eq!(committed.try_iter().collect::<Vec<_>>(), [30, 20, 10]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Otherwise see [`pipeline`](super::pipeline()).
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
    ///
    /// # Examples
    ///
    /// See [`pipeline`](super::pipeline()).
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
