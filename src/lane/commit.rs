//! Committing what was deposited, by whoever completes the head, or by one who drives.

use super::{After, Lane, Locked, Owned, state::Holder, state::Stand};
use crate::{Cause, Failure, LaneError, Lost, ManualResetEvent, blocking};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::{error::Error, fmt, ops::Deref, ops::DerefMut};

type Commit<T, D> = dyn FnMut(&mut T, &mut Run<D>) -> Result<(), Box<dyn Error + Send + Sync>> + Send;

/// How deposits are committed.
pub(super) struct Committer<T, D>(pub(super) Box<Commit<T, D>>);

/// Deposits whose numbers follow one another, to be committed at once: an iterator over them, in order.
///
/// Who writes, flushes and synchronizes once for each run does so once for many numbers when many are ready.
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
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next
    }

    /// How many numbers right before the run were lost.
    #[must_use]
    pub fn gap(&self) -> u64 {
        self.gap
    }

    /// If the commit fails, it is `seq` that fails, and those below are committed; unless this is called it is the number that was
    /// taken last. Who writes many at once and cannot tell which of them arrived names the first.
    ///
    /// A number that was not taken is as good as the one that was taken last.
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
    /// Takes the run at the head, if depositors commit here.
    pub(super) fn begin_run(&self, locked: &mut Locked<T, D>) -> Option<Begun<T, D>> {
        let commits = locked.owned.as_ref().is_some_and(|owned| owned.committer.is_some());
        if commits { self.take_run(locked) } else { None }
    }

    fn take_run(&self, locked: &mut Locked<T, D>) -> Option<Begun<T, D>> {
        let mut owned = locked.owned.take()?;
        let (first, gap) = (locked.state.head, locked.state.gap);
        let deposits = locked.state.take_run(self.inner.longest_run, std::mem::take(&mut owned.spare));
        let length = deposits.len() as u64;
        Some(Begun { owned, first, length, run: Run { next: first, gap, failed: None, deposits } })
    }

    /// Commits a run, and whatever has become ready meanwhile. Only the head leads, so nobody waits for
    /// itself here.
    pub(super) fn commit(&self, mut begun: Begun<T, D>) {
        loop {
            let Begun { owned, run, .. } = &mut begun;
            let Owned { value, committer, .. } = &mut **owned;
            let Some(Committer(commit)) = committer else { return };
            let committed = catch_unwind(AssertUnwindSafe(|| commit(value, run)));
            let (outcome, panic) = match committed {
                Ok(outcome) => (outcome.map_err(Cause::from), None),
                Err(panic) => (Err(Arc::new(Lost::Panicked) as Cause), Some(panic)),
            };
            let next = self.end_run(begun, outcome, panic.is_none());
            if let Some(panic) = panic {
                if let Some(next) = next {
                    self.commit(next);
                }
                resume_unwind(panic);
            }
            match next {
                Some(next) => begun = next,
                None => return,
            }
        }
    }

    /// Gives back what a run was committed to. The next run, if there is one.
    fn end_run(&self, begun: Begun<T, D>, outcome: Result<(), Cause>, goes_on: bool) -> Option<Begun<T, D>> {
        let Begun { mut owned, first, length, mut run } = begun;
        let mut after = After::default();
        after.dropped.extend(run.deposits.drain(..));
        owned.spare = run.deposits;
        let mut locked = self.lock();
        locked.owned = Some(owned);
        let state = &mut locked.state;
        state.holder = Holder::Nobody;
        // Unless it was told otherwise, the one that was taken last failed; those before it are committed.
        let last = run.next.saturating_sub(1);
        let failed = run.failed.map_or(last, |told| told.min(last));
        let done = if outcome.is_ok() { length } else { failed.saturating_sub(first) };
        for _ in 0..done {
            state.pass(0, &mut after);
        }
        state.counters.committed += done;
        state.counters.deposited += done;
        if let Err(cause) = outcome {
            let rest = usize::try_from(length - done).unwrap_or(usize::MAX);
            for slot in state.slots.iter_mut().take(rest) {
                slot.stand = Stand::Lost;
            }
            let seq = first + done;
            let label = state.slot(seq).and_then(|slot| slot.label.clone());
            state.fail(Failure { seq, label, cause }, &mut after);
        }
        let more = state.settle(&mut after);
        let next = if more && goes_on { self.begin_run(&mut locked) } else { None };
        drop(locked);
        self.follow(after);
        next
    }
}

// ===== driven =====

impl<T, D> Lane<T, D> {
    /// Takes over the commits of a lane that was built without a committer: deposits wait here until they are asked
    /// for, and can be committed by async code. One at a time; a second one shares the runs with the first.
    #[must_use]
    pub fn commits(&self) -> Commits<T, D> {
        let mut locked = self.lock();
        let event = locked.state.driver.get_or_insert_with(|| ManualResetEvent::new(false)).clone();
        drop(locked);
        Commits { lane: self.clone(), event }
    }
}

/// The runs of a lane, one after the other; made by [`Lane::commits`].
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
    pub async fn next_run(&mut self) -> Option<CommitRun<T, D>> {
        loop {
            self.event.reset();
            // Looked at after the reset: who deposits later sets it again.
            if let Poll::Ready(ready) = self.look() {
                return ready;
            }
            self.event.wait().await;
        }
    }

    /// [`next_run`](Commits::next_run) for a thread.
    ///
    /// # Panics
    ///
    /// On a worker thread of a tokio runtime; see [`blocking`].
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
        self.lane.follow(after);
        match begun {
            Some(begun) => Poll::Ready(Some(CommitRun { lane: self.lane.clone(), begun: Some(begun) })),
            None if over => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl<T, D> fmt::Debug for Commits<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commits").field("lane", &self.lane).finish_non_exhaustive()
    }
}

/// A run in the hands of who drives the commits: an iterator over its deposits, which derefs to the lane's value.
///
/// Dropping it without [`done`](CommitRun::done) fails the number that was taken from it last, or its first.
#[must_use = "a run that is dropped fails"]
pub struct CommitRun<T, D> {
    lane: Lane<T, D>,
    /// Absent once it has ended.
    begun: Option<Begun<T, D>>,
}

impl<T, D> CommitRun<T, D> {
    /// The run is committed.
    pub fn done(mut self) {
        self.end(Ok(()));
    }

    /// The number that was taken last failed, or the one that was [told](Run::fail_at); those before it are committed.
    ///
    /// # Errors
    ///
    /// Always: what the lane says from now on, for a `?`.
    pub fn fail(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Result<(), LaneError> {
        self.end(Err(Arc::from(cause.into())));
        match self.lane.failure() {
            Some(failure) => Err(LaneError::Poisoned(failure)),
            None => Ok(()),
        }
    }

    /// The deposits.
    #[allow(clippy::missing_panics_doc)] // only what consumes the run ends it
    pub fn run(&mut self) -> &mut Run<D> {
        &mut self.begun.as_mut().expect("it has not ended").run
    }

    fn end(&mut self, outcome: Result<(), Cause>) {
        if let Some(begun) = self.begun.take() {
            if let Some(next) = self.lane.end_run(begun, outcome, true) {
                self.lane.commit(next);
            }
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
        self.end(Err(Arc::new(lost)));
    }
}

impl<T, D> fmt::Debug for CommitRun<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommitRun")
            .field("run", &self.begun.as_ref().map(|begun| &begun.run))
            .finish_non_exhaustive()
    }
}
