//! Committing what was deposited, by whoever completes the head.

use super::losses::Why;
use super::{After, Lane, Locked, Means, Owned, Panic, state::Stand};
use crate::Lost;
use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{error::Error, fmt};

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
    pub(super) fn new() -> Self {
        Self { next: 0, gap: 0, failed: None, deposits: VecDeque::new() }
    }

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

/// A run that was begun; it is with what it is committed to.
pub(super) struct Begun<T, D> {
    pub(super) owned: Box<Owned<T, D>>,
    first: u64,
    length: u64,
}

impl<T, D> Begun<T, D> {
    pub(super) fn numbers(&self) -> Range<u64> {
        self.first..self.first + self.length
    }
}

impl<T, D> Lane<T, D> {
    /// Takes the run at the head, which begins with what the head deposits just now, if it does.
    pub(super) fn take_run(&self, locked: &mut Locked<T, D>, head: Option<D>) -> Option<Begun<T, D>> {
        let mut owned = locked.owned.take()?;
        let (first, state) = (locked.state.head, &mut locked.state);
        let run = owned.run();
        (run.next, run.gap, run.failed) = (first, state.gap, None);
        if let Some(head) = head {
            run.deposits.push_back(head);
        }
        state.take_run(self.inner.longest_run, &mut run.deposits);
        let length = run.deposits.len() as u64;
        Some(Begun { owned, first, length })
    }

    /// Commits a run, and whatever has become ready meanwhile. Only the head leads, so nobody waits for
    /// itself here. The first panic on the way is answered: what is behind it must not be left lying.
    pub(super) fn commit(&self, mut begun: Begun<T, D>) -> Panic {
        let mut panic: Panic = None;
        loop {
            let (value, Means { committer, run }) = begun.owned.parts();
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
    pub(super) fn end_run(
        &self,
        begun: Begun<T, D>,
        outcome: Result<(), Why>,
    ) -> (Option<Begun<T, D>>, Panic) {
        let Begun { mut owned, first, length } = begun;
        let mut after = After::default();
        let run = owned.run();
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
        locked.owned = Some(owned);
        self.advance(locked, after)
    }
}
