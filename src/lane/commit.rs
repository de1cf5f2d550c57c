//! Committing what was deposited, by whoever completes the head, or by one who drives.

use super::losses::Why;
use super::{After, Lane, Locked, Means, Owned, Panic, go_on, state::Stand};
use crate::futures::WaitOwnedEvent;
use crate::{Cause, LaneError, Lost, Manual, ManualResetEvent, blocking};
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{error::Error, fmt, ops::Deref, ops::DerefMut};

type Commit<T, D> = dyn FnMut(&mut T, &mut Run<D>) -> Result<(), Box<dyn Error + Send + Sync>> + Send;

/// How deposits are committed.
pub(super) struct Committer<T, D>(pub(super) Box<Commit<T, D>>);

/// Deposits whose numbers follow one another, to be committed at once: an iterator over them, in order.
///
/// Who writes, flushes and synchronizes once for each run does so once for many numbers when many are ready.
///
/// # Examples
///
/// ```
/// # use batons::lane::Lane;
/// let lane = Lane::builder().committer(Vec::new(), |file: &mut Vec<u8>, run| {
///     let text: Vec<&str> = run.collect(); // as many as are ready
///     file.extend(text.concat().as_bytes()); // one write
///     Ok(())
/// });
/// lane.try_ticket()?.deposit("line\n")?;
/// # Ok::<_, batons::LaneError>(())
/// ```
pub struct Run<D> {
    /// The number of the first that is still in there.
    next: u64,
    gap: u64,
    /// The number that fails if the commit does, where it is not the one that was taken last.
    failed: Option<u64>,
    deposits: VecDeque<D>,
}

impl<D> Run<D> {
    /// The number that the next deposit has.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane = Lane::builder().first(17).committer(Vec::new(), |all, run| {
    ///     let (seq, gap) = (run.next_seq(), run.gap());
    ///     all.extend(run.map(|deposit: char| (seq, gap, deposit)));
    ///     Ok(())
    /// });
    /// lane.try_ticket()?.skip();
    /// lane.try_ticket()?.deposit('a')?;
    /// assert_eq!(lane.with_value(|all| all.clone()), [(18, 1, 'a')]);
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next
    }

    /// How many numbers right before the run were lost.
    ///
    /// # Examples
    ///
    /// See [`next_seq`](Run::next_seq).
    #[must_use]
    pub fn gap(&self) -> u64 {
        self.gap
    }

    /// If the commit fails, it is `seq` that fails, and those below are committed; unless this is called it is the number that was
    /// taken last. Who writes many at once and cannot tell which of them arrived names the first. Those that were taken
    /// above it are gone with it; one that was not taken stands for the last that was.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{LaneError, lane::Lane};
    /// let lane = Lane::builder().committer((), |(), run| {
    ///     let first = run.next_seq();
    ///     let _text: String = run.collect();
    ///     run.fail_at(first); // written as a whole, and failed as a whole
    ///     Err("disk full".into())
    /// });
    /// let (one, two) = (lane.try_ticket()?, lane.try_ticket()?);
    /// two.deposit('2')?;
    /// one.deposit('1')?;
    /// assert_eq!(lane.failure().expect("it failed").seq(), 0);
    /// # Ok::<_, LaneError>(())
    /// ```
    pub fn fail_at(&mut self, seq: u64) {
        self.failed = Some(seq);
    }
}

impl<D> Iterator for Run<D> {
    type Item = D;

    fn next(&mut self) -> Option<D> {
        let deposit = self.deposits.pop_front()?;
        self.next += 1;
        Some(deposit)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.deposits.len(), Some(self.deposits.len()))
    }
}

impl<D> ExactSizeIterator for Run<D> {}

impl<D> fmt::Debug for Run<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("next_seq", &self.next)
            .field("len", &self.deposits.len())
            .finish_non_exhaustive()
    }
}

/// A run that was begun, and what it is committed to.
pub(super) struct Begun<T, D> {
    owned: Box<Owned<T, D>>,
    first: u64,
    length: u64,
    run: Run<D>,
}

impl<T, D> Lane<T, D> {
    /// Takes the run at the head.
    pub(super) fn take_run(&self, locked: &mut Locked<T, D>) -> Option<Begun<T, D>> {
        let mut owned = locked.owned.take()?;
        let (first, gap) = (locked.state.head, locked.state.gap);
        let spare = std::mem::take(&mut owned.parts().1.spare);
        let deposits = locked.state.take_run(self.inner.longest_run, spare);
        let length = deposits.len() as u64;
        Some(Begun { owned, first, length, run: Run { next: first, gap, failed: None, deposits } })
    }

    /// Commits a run, and whatever has become ready meanwhile. Only the head leads, so nobody waits for
    /// itself here. The first panic on the way is answered: what is behind it must not be left lying.
    pub(super) fn commit(&self, mut begun: Begun<T, D>) -> Panic {
        let mut panic: Panic = None;
        loop {
            let Begun { owned, run, .. } = &mut begun;
            let (value, Means { committer, .. }) = owned.parts();
            let Some(Committer(commit)) = committer else { return panic };
            let outcome = match catch_unwind(AssertUnwindSafe(|| commit(value, run))) {
                Ok(outcome) => outcome.map_err(|cause| Why::Told(cause.into())),
                Err(unwound) => {
                    panic.get_or_insert(unwound);
                    Err(Why::Lost(Lost::Panicked))
                }
            };
            let (next, woken) = self.end_run(begun, outcome);
            panic = panic.or(woken);
            match next {
                Some(next) => begun = next,
                None => return panic,
            }
        }
    }

    /// Gives back what a run was committed to. The next run, if there is one, and the panic of a waker.
    fn end_run(&self, begun: Begun<T, D>, outcome: Result<(), Why>) -> (Option<Begun<T, D>>, Panic) {
        let Begun { mut owned, first, length, mut run } = begun;
        let mut after = After::default();
        let taken = run.next - first;
        // Unless it was told otherwise, the one that was taken last is the one that failed; those before it are committed,
        // those behind it that were not taken go back.
        let last = run.next.saturating_sub(1);
        let failed = run.failed.map_or(last, |told| told.min(last));
        let done = if outcome.is_ok() { length } else { failed.saturating_sub(first) };
        match &outcome {
            Ok(()) if run.deposits.is_empty() => {}
            Ok(()) => after.rare().dropped.extend(run.deposits.drain(..)),
            Err(_) if taken == 0 => after.rare().dropped.extend(run.deposits.pop_front()),
            Err(_) => {}
        }
        let mut locked = self.lock();
        let state = &mut locked.state;
        state.let_go();
        for _ in 0..done {
            state.pass(0, &mut after);
        }
        state.counters.committed += done;
        state.counters.deposited += done;
        if let Err(why) = outcome {
            let gone = taken.max(1) - done;
            let behind = usize::try_from(gone).unwrap_or(usize::MAX);
            for (slot, deposit) in state.slots.iter_mut().skip(behind).zip(run.deposits.drain(..)) {
                slot.stand = Stand::Deposited(deposit);
                if state.cancelled {
                    slot.refuse(&mut after);
                }
            }
            let policy = state.failing();
            for seq in (first + done..).take(behind) {
                state.lose(seq, policy, why.clone(), &mut after);
            }
        }
        if done > 0 {
            after.notes.committed(first, done);
        }
        owned.parts().1.spare = run.deposits;
        locked.owned = Some(owned);
        self.advance(locked, after)
    }
}

// ===== driven =====

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

    /// A run, or `None` at the end; pending as long as there is neither.
    fn look(&self) -> Poll<Option<CommitRun<T, D>>> {
        let mut after = After::default();
        let mut locked = self.lane.lock();
        let begun = if locked.state.settle(&mut after) { self.lane.take_run(&mut locked) } else { None };
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
        loop {
            if let Some(wait) = &mut this.wait {
                ready!(Pin::new(wait).poll(cx));
                this.wait = None;
            }
            commits.event.reset();
            // Looked at after the reset: who deposits later sets it again.
            if let Poll::Ready(run) = commits.look() {
                if run.is_none() {
                    commits.event.set(); // for the others who drive
                }
                this.commits = None;
                return Poll::Ready(run);
            }
            this.wait = Some(commits.event.wait_owned());
        }
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
        &mut self.begun.as_mut().expect("it has not ended").run
    }

    fn end(&mut self, outcome: Result<(), Why>) {
        if let Some(begun) = self.begun.take() {
            let (next, woken) = self.lane.end_run(begun, outcome);
            let committed = next.and_then(|next| self.lane.commit(next));
            go_on(woken.or(committed));
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
            .field("run", &self.begun.as_ref().map(|begun| &begun.run))
            .finish_non_exhaustive()
    }
}
