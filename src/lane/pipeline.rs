//! Pipelines: a source, work by a fixed crew, and a commit in the order of the source.

mod drive;
mod report;
mod run;
mod source;
mod stage;

pub use report::{Failed, Report, Stage};
pub use run::Runnable;
pub use source::{FromIter, FromTryIter, Source};
#[cfg(feature = "futures")]
pub use source::{FromStream, FromTryStream};
pub use stage::{Nothing, Then, ThenBlocking, Work};

use super::{LaneBuilder, Run, builder::check_window};
use crate::WorkPanic;
use report::At;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{error::Error, future::Future, num::NonZero, thread};

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A pipeline over the items of an iterator. It is asked by whoever runs the pipeline, one item after the other.
///
/// After oneTBB's `parallel_pipeline`: what bounds it is how many items are between source and commit, counted where they enter, and
/// the crew is fixed. Errors come in their places, as with `buffered` of the futures crate. Win32 has nothing of the kind.
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
///
/// # Examples
///
/// ```
/// use batons::lane::stream_pipeline;
/// use futures::stream;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), batons::lane::Failed> {
/// let (send, squares) = std::sync::mpsc::channel();
/// let report = stream_pipeline(stream::iter(1..=3))
///     .work(|n| async move { Ok(n * n) })
///     .commit(move |square| Ok(send.send(square)?))
///     .run()
///     .await?;
/// assert_eq!(report.committed, 3);
/// assert_eq!(squares.iter().collect::<Vec<i32>>(), [1, 4, 9]);
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "futures")]
#[cfg_attr(docsrs, doc(cfg(feature = "futures")))]
pub fn stream_pipeline<S: futures::Stream>(source: S) -> Pipeline<FromStream<S>, Nothing> {
    Pipeline::new(FromStream(Box::pin(source)))
}

/// A pipeline over a stream that can fail: what is before the error is committed.
///
/// # Examples
///
/// ```
/// use batons::lane::{Stage, try_stream_pipeline};
/// use futures::stream;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let source = stream::iter([Ok(1), Ok(2), Err("connection reset"), Ok(4)]);
/// let failed = try_stream_pipeline(source).commit(|_| Ok(())).run().await.unwrap_err();
/// assert_eq!((failed.item(), failed.stage(), failed.report().committed), (2, Some(Stage::Source), 2));
/// assert_eq!(failed.cause().to_string(), "connection reset");
/// # }
/// ```
#[cfg(feature = "futures")]
#[cfg_attr(docsrs, doc(cfg(feature = "futures")))]
pub fn try_stream_pipeline<T, E, S>(source: S) -> Pipeline<FromTryStream<S>, Nothing>
where
    E: Into<Box<dyn Error + Send + Sync>>,
    S: futures::Stream<Item = Result<T, E>>,
{
    Pipeline::new(FromTryStream(Box::pin(source)))
}

/// A pipeline without an end yet; from [`pipeline`](pipeline()), [`try_pipeline`], and `stream_pipeline` and `try_stream_pipeline` (feature
/// `futures`).
///
/// # Examples
///
/// See [`pipeline`](pipeline()).
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
    /// This bounds the memory, however long one item takes; [`workers`](Pipeline::workers) bounds how many are worked on. `buffered`
    /// has one number for both.
    ///
    /// # Panics
    ///
    /// If it is out of range.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::pipeline;
    /// let report = pipeline(0..100).window(8).commit(|_| Ok(())).blocking_run()?;
    /// assert!((1..=8).contains(&report.most_out));
    /// # Ok::<_, batons::lane::Failed>(())
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::pipeline;
    /// use std::{sync::mpsc, thread};
    ///
    /// let (send, threads) = mpsc::channel();
    /// pipeline(0..100)
    ///     .workers(1)
    ///     .work_blocking(|_| Ok(thread::current().id()))
    ///     .commit(move |thread| Ok(send.send(thread)?))
    ///     .blocking_run()?;
    /// let first = threads.recv()?;
    /// assert!(threads.iter().all(|thread| thread == first));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn workers(mut self, workers: usize) -> Self {
        assert!(workers > 0, "a crew has at least one worker");
        self.workers = workers;
        self
    }

    /// How many items are committed in one call at most, from 1; 1,024 unless it is set. 0 is taken for 1.
    ///
    /// # Examples
    ///
    /// See [`commit_run`](Pipeline::commit_run).
    pub fn longest_run(mut self, items: usize) -> Self {
        self.lane = self.lane.longest_run(items);
        self
    }

    /// A further stage. A worker takes one item through all stages before it takes the next.
    ///
    /// An error, and a panic as well, fails the item at this stage; the items before it are committed all the same.
    ///
    /// # Examples
    ///
    /// See [`pipeline`](pipeline()).
    pub fn work<F, Fut, U>(self, work: F) -> Pipeline<S, Then<W, F>>
    where
        F: Fn(W::Out) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Fallible<U>> + Send,
        U: Send + 'static,
    {
        self.then(|before| Then(before, work))
    }

    /// A further stage that computes for long or blocks its thread. All workers are threads then (with [`run`](Runnable::run)
    /// those of `tokio::task::spawn_blocking`), and other stages are driven on them. For the rest it is as [`work`](Pipeline::work).
    ///
    /// # Examples
    ///
    /// See [`pipeline`](pipeline()).
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
    ///
    /// An error, and a panic as well, fails the item; what the call has done by then stays done.
    ///
    /// # Examples
    ///
    /// See [`pipeline`](pipeline()).
    pub fn commit<C>(self, mut commit: C) -> Runnable<S, W, W::Out>
    where
        C: FnMut(W::Out) -> Fallible<()> + Send + 'static,
    {
        self.commit_run(move |run| run.try_for_each(&mut commit))
    }

    /// Where items go, all that are ready in one call: for one write, one flush or one `fsync` for many. If it fails, the item that it took
    /// last fails.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::pipeline;
    /// use std::sync::mpsc;
    ///
    /// let (write, written) = mpsc::channel();
    /// pipeline(["a", "b", "c", "d", "e"])
    ///     .longest_run(2)
    ///     .commit_run(move |run| Ok(write.send(run.collect::<String>())?)) // one write for those that are ready
    ///     .blocking_run()?;
    /// let writes: Vec<String> = written.iter().collect();
    /// assert!(writes.iter().all(|write| write.len() <= 2));
    /// assert_eq!(writes.concat(), "abcde");
    /// # Ok::<_, batons::lane::Failed>(())
    /// ```
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
