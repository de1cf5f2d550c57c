//! Pipelines whose commit is async code.

use super::report::At;
use super::stage::Work;
use super::{Fallible, Pipeline, Runnable, Source, Stage};
use crate::WorkPanic;
use crate::lane::crew::caught;
use crate::lane::{CommitRun, Lane};
use std::future::Future;
use std::pin::Pin;
use std::thread;

/// Commits what a pipeline deposits, to its end.
pub(super) type Driver<U> = Box<dyn FnOnce(Lane<(), U>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

impl<S: Source, W: Work<S::Item>> Pipeline<S, W> {
    /// [`commit`](Pipeline::commit) by async code, in a task of its own: a request for each item, for example. One after the other; whoever
    /// completes the head only wakes it, and works on.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::lane::pipeline;
    /// use tokio::sync::mpsc;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (send, mut receive) = mpsc::channel(1);
    /// let all = tokio::spawn(async move {
    ///     let mut all = Vec::new();
    ///     while let Some(n) = receive.recv().await {
    ///         all.push(n);
    ///     }
    ///     all
    /// });
    /// let commit = move |n| {
    ///     let send = send.clone();
    ///     async move { Ok(send.send(n).await?) } // waits while the channel is full, and the window bounds what is behind it
    /// };
    /// pipeline(0..5).work(|n| async move { Ok(n * n) }).commit_async(commit).run().await?;
    /// assert_eq!(all.await?, [0, 1, 4, 9, 16]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn commit_async<C, Fut>(self, commit: C) -> Runnable<S, W, W::Out>
    where
        C: FnMut(W::Out) -> Fut + Send + 'static,
        Fut: Future<Output = Fallible<()>> + Send + 'static,
    {
        self.driven(|lane| Box::pin(each(lane, commit)))
    }

    /// [`commit_run`](Pipeline::commit_run) by async code, in a task of its own: one request, or one flush, for all that are ready. If it
    /// fails, none of them is committed, and the first one has failed.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::lane::pipeline;
    /// use tokio::sync::mpsc;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (send, mut receive) = mpsc::channel(100);
    /// let commit = move |squares: Vec<u32>| {
    ///     let send = send.clone();
    ///     async move { Ok(send.send(squares).await?) } // one message for all that are ready
    /// };
    /// let report = pipeline(0..5).work(|n| async move { Ok(n * n) }).commit_run_async(commit).run().await?;
    /// let (mut all, mut runs) = (Vec::new(), 0);
    /// while let Some(squares) = receive.recv().await {
    ///     all.extend(squares);
    ///     runs += 1;
    /// }
    /// assert_eq!((all, runs), (vec![0, 1, 4, 9, 16], report.runs));
    /// # Ok(())
    /// # }
    /// ```
    pub fn commit_run_async<C, Fut>(self, commit: C) -> Runnable<S, W, W::Out>
    where
        C: FnMut(Vec<W::Out>) -> Fut + Send + 'static,
        Fut: Future<Output = Fallible<()>> + Send + 'static,
    {
        self.driven(|lane| Box::pin(whole(lane, commit)))
    }

    fn driven<F>(self, driver: F) -> Runnable<S, W, W::Out>
    where
        F: FnOnce(Lane<(), W::Out>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + 'static,
    {
        let lane = self.lane.clone().window(self.window).build(());
        Runnable { pipeline: self, lane, driver: Some(Box::new(driver)) }
    }
}

async fn each<U, C, Fut>(lane: Lane<(), U>, mut commit: C)
where
    C: FnMut(U) -> Fut,
    Fut: Future<Output = Fallible<()>>,
{
    let mut commits = lane.commits();
    while let Some(mut run) = commits.next_run().await {
        let committed = caught(async {
            for item in run.by_ref() {
                commit(item).await?;
            }
            Ok(())
        });
        let committed = committed.await;
        end(run, committed);
    }
}

async fn whole<U, C, Fut>(lane: Lane<(), U>, mut commit: C)
where
    C: FnMut(Vec<U>) -> Fut,
    Fut: Future<Output = Fallible<()>>,
{
    let mut commits = lane.commits();
    while let Some(mut run) = commits.next_run().await {
        let first = run.run().next_seq();
        run.run().fail_at(first);
        let items = run.by_ref().collect();
        let committed = caught(async { commit(items).await }).await;
        end(run, committed);
    }
}

fn end<U>(run: CommitRun<(), U>, committed: thread::Result<Fallible<()>>) {
    // A panic is told like an error.
    let committed = committed.unwrap_or_else(|panic| Err(WorkPanic::new(panic).into()));
    match At::in_stage(Stage::Commit, committed) {
        Ok(()) => run.done(),
        // The lane says it to whoever runs the pipeline.
        Err(at) => drop(run.fail(at)),
    }
}
