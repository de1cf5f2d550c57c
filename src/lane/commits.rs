//! Committing what was deposited, by one who drives.

use super::commit::{Begun, Run};
use super::losses::Why;
use super::wait::poll_wait;
use super::{After, Lane, go_on};
use crate::futures::WaitOwnedEvent;
use crate::{Cause, LaneError, Lost, Manual, ManualResetEvent, blocking};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{error::Error, fmt, ops::Deref, ops::DerefMut};

impl<T, D> Lane<T, D> {
    /// Takes over the commits of a lane that was built without a committer: deposits wait here until they are asked
    /// for, and can be committed by async code. One at a time; a second one shares the runs with the first.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::lane::Lane;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::LaneError> {
    /// let lane: Lane<Vec<&str>, &str> = Lane::builder().build(Vec::new());
    /// let mut commits = lane.commits();
    /// let driver = tokio::spawn(async move {
    ///     while let Some(mut run) = commits.next_run().await {
    ///         while let Some(word) = run.next() {
    ///             tokio::task::yield_now().await; // a write, a flush
    ///             run.push(word);
    ///         }
    ///         run.done();
    ///     }
    /// });
    /// for word in ["one", "two"] {
    ///     lane.ticket().await?.deposit(word)?;
    /// }
    /// lane.close();
    /// driver.await.unwrap();
    /// assert_eq!(lane.with_value(|words| words.clone()), ["one", "two"]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn commits(&self) -> Commits<T, D> {
        let mut locked = self.lock();
        let event = locked.state.driver.get_or_insert_with(|| ManualResetEvent::new(false)).clone();
        drop(locked);
        Commits { lane: self.clone(), event }
    }
}

/// The runs of a lane, one after the other; made by [`Lane::commits`].
///
/// # Examples
///
/// See [`Lane::commits`].
pub struct Commits<T, D> {
    lane: Lane<T, D>,
    event: ManualResetEvent,
}

impl<T, D> Commits<T, D> {
    /// The next run, as soon as the head was deposited. `None` when the lane was closed and everything has passed, and when
    /// nothing will ever be committed any more.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a run is taken only when it is answered.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// See [`Lane::commits`].
    pub fn next_run(&mut self) -> NextRun<'_, T, D> {
        NextRun { commits: Some(self), wait: None }
    }

    /// [`next_run`](Commits::next_run) for a thread.
    ///
    /// # Panics
    ///
    /// With feature `tokio`, on a worker thread of a tokio runtime; see [`blocking`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane: Lane<u64, u64> = Lane::builder().build(0);
    /// let mut commits = lane.commits();
    /// let driver = std::thread::spawn(move || {
    ///     while let Some(mut run) = commits.blocking_next_run() {
    ///         *run += run.run().sum::<u64>();
    ///         run.done();
    ///     }
    /// });
    /// for number in 1..=4 {
    ///     lane.blocking_ticket()?.deposit(number)?;
    /// }
    /// lane.close();
    /// driver.join().unwrap();
    /// assert_eq!(lane.with_value(|sum| *sum), 10);
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[track_caller]
    pub fn blocking_next_run(&mut self) -> Option<CommitRun<T, D>> {
        blocking::wait(self.next_run())
    }

    pub(super) fn lane(&self) -> &Lane<T, D> {
        &self.lane
    }

    /// Set when there may be something to look at.
    pub(super) fn event(&self) -> &ManualResetEvent {
        &self.event
    }

    /// The next run, or `None` at the end; `wait` is what whoever polls waits with.
    pub(super) fn poll_run(
        &self,
        wait: &mut Option<WaitOwnedEvent<Manual>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<CommitRun<T, D>>> {
        loop {
            ready!(poll_wait(wait, cx));
            self.event.reset();
            // Looked at after the reset: who deposits later sets it again.
            if let Poll::Ready(run) = self.look() {
                if run.is_none() {
                    self.event.set(); // for the others who drive
                }
                return Poll::Ready(run);
            }
            *wait = Some(self.event.wait_owned());
        }
    }

    /// A run, or `None` at the end; pending as long as there is neither.
    fn look(&self) -> Poll<Option<CommitRun<T, D>>> {
        let mut after = After::default();
        let mut locked = self.lane.lock();
        let begun =
            if locked.state.settle(&mut after) { self.lane.take_run(&mut locked, None) } else { None };
        let over = begun.is_none() && locked.state.is_over();
        drop(locked);
        let run = begun.map(|begun| CommitRun { lane: self.lane.clone(), begun: Some(begun) });
        go_on(self.lane.follow(after));
        if run.is_some() || over { Poll::Ready(run) } else { Poll::Pending }
    }
}

impl<T, D> fmt::Debug for Commits<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commits").field("lane", &self.lane).finish_non_exhaustive()
    }
}

/// Future of [`Commits::next_run`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct NextRun<'a, T, D> {
    /// Leaves with the answer.
    commits: Option<&'a mut Commits<T, D>>,
    wait: Option<WaitOwnedEvent<Manual>>,
}

impl<T, D> Future for NextRun<'_, T, D> {
    type Output = Option<CommitRun<T, D>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let commits = this.commits.as_ref().expect("`NextRun` polled after completion");
        let run = ready!(commits.poll_run(&mut this.wait, cx));
        this.commits = None;
        Poll::Ready(run)
    }
}

impl<T, D> fmt::Debug for NextRun<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextRun").field("commits", &self.commits).finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<T, D> futures::future::FusedFuture for NextRun<'_, T, D> {
    fn is_terminated(&self) -> bool {
        self.commits.is_none()
    }
}

/// A run in the hands of who drives the commits: an iterator over its deposits, which derefs to the lane's value.
///
/// Dropping it without [`done`](CommitRun::done) fails the number that was taken from it last, or its first.
///
/// # Examples
///
/// See [`Lane::commits`].
#[must_use = "a run that is dropped fails"]
pub struct CommitRun<T, D> {
    lane: Lane<T, D>,
    /// Absent once it has ended.
    begun: Option<Begun<T, D>>,
}

impl<T, D> CommitRun<T, D> {
    /// The run is committed, all of it.
    ///
    /// # Examples
    ///
    /// See [`Lane::commits`].
    pub fn done(mut self) {
        self.end(Ok(()));
    }

    /// The number that was taken last failed, or the first if none was taken, or the one that was [told](Run::fail_at); those
    /// before it are committed, and
    /// [`OnFailure`](super::OnFailure) says what becomes of those behind it.
    ///
    /// # Errors
    ///
    /// What the lane says from now on, for a `?`: [`LaneError::Poisoned`] or [`Cancelled`](LaneError::Cancelled), and nothing
    /// where it goes on after failures.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{LaneError, lane::Lane};
    /// let lane: Lane<u64, u64> = Lane::builder().build(0);
    /// lane.try_ticket()?.deposit(1)?;
    /// let mut run = lane.commits().blocking_next_run().expect("one was deposited");
    /// assert_eq!(run.next(), Some(1));
    /// let Err(LaneError::Poisoned(failure)) = run.fail("disk full") else { unreachable!() };
    /// assert_eq!(failure.seq(), 0);
    /// # Ok::<_, LaneError>(())
    /// ```
    pub fn fail(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Result<(), LaneError> {
        self.end(Err(Why::Told(Cause::from(cause.into()))));
        match self.lane.lock().state.issues() {
            Err(LaneError::Closed) | Ok(()) => Ok(()),
            ended => ended,
        }
    }

    /// The deposits.
    ///
    /// # Examples
    ///
    /// See [`Commits::blocking_next_run`].
    #[allow(clippy::missing_panics_doc)] // only what consumes the run ends it
    pub fn run(&mut self) -> &mut Run<D> {
        self.begun.as_mut().expect("it has not ended").owned.run()
    }

    fn end(&mut self, outcome: Result<(), Why>) {
        if let Some(begun) = self.begun.take() {
            let (next, woken) = self.lane.end_run(begun, outcome);
            self.lane.commit_after(next, woken);
        }
    }
}

impl<T, D> Iterator for CommitRun<T, D> {
    type Item = D;

    fn next(&mut self) -> Option<D> {
        self.run().next()
    }
}

impl<T, D> Deref for CommitRun<T, D> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.begun.as_ref().expect("it has not ended").owned.value
    }
}

impl<T, D> DerefMut for CommitRun<T, D> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.begun.as_mut().expect("it has not ended").owned.value
    }
}

impl<T, D> Drop for CommitRun<T, D> {
    fn drop(&mut self) {
        let lost = if std::thread::panicking() { Lost::Panicked } else { Lost::Abandoned };
        self.end(Err(Why::Lost(lost)));
    }
}

impl<T, D> fmt::Debug for CommitRun<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommitRun")
            .field("numbers", &self.begun.as_ref().map(Begun::numbers))
            .finish_non_exhaustive()
    }
}
