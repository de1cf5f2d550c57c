//! What a lane knows: which numbers are out, who has the turn, what was deposited, what failed. No
//! waiting in here: whoever must be woken is handed out, to be woken without the lock.

use super::{OnFailure, snapshot::Counters};
use crate::{Cause, Failure, LaneError, ManualResetEvent};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// One number that was issued, until it has passed.
#[derive(Debug)]
pub(super) struct Slot<D> {
    pub(super) stand: Stand<D>,
    /// Whoever waits for its turn; set for good when that has come, or never will.
    pub(super) ready: Option<ManualResetEvent>,
    pub(super) weight: u32,
    pub(super) label: Option<Arc<str>>,
}

/// How far a number has come.
#[derive(Debug)]
pub(super) enum Stand<D> {
    /// Nobody has asked for it; a later one was named explicitly.
    Vacant,
    /// Its ticket is out.
    Issued,
    /// Its ticket is out as a bare number.
    Token,
    /// Its holder has handed its result in.
    Deposited(D),
    /// It is passed over.
    Lost,
    /// It failed, and the lane waits for it to be repaired.
    Stopped,
}

impl<D> Slot<D> {
    pub(super) fn new(stand: Stand<D>) -> Self {
        Self { stand, ready: None, weight: 0, label: None }
    }
}

/// Who has what the lane protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    Nobody,
    /// A turn, or a run of so many deposits that is being committed.
    Turn,
    Run(u64),
}

/// What is to be done after the lock is released.
#[derive(Debug)]
#[must_use]
pub(super) struct After<D> {
    pub(super) wake: Vec<ManualResetEvent>,
    /// So much room is for those who wait for it, and so much weight has passed.
    pub(super) passed: u32,
    pub(super) weight: u32,
    /// No tickets will be issued any more.
    pub(super) ends: bool,
    /// Deposits that nobody will commit, to be dropped.
    pub(super) dropped: Vec<D>,
    /// What the stations must hear of: a number that ended, and one that failed.
    pub(super) lost: Option<u64>,
    pub(super) failure: Option<Failure>,
}

impl<D> Default for After<D> {
    fn default() -> Self {
        Self {
            wake: Vec::new(),
            passed: 0,
            weight: 0,
            ends: false,
            dropped: Vec::new(),
            lost: None,
            failure: None,
        }
    }
}

#[allow(clippy::struct_excessive_bools)] // they are independent of one another
#[derive(Debug)]
pub(super) struct State<D> {
    pub(super) on_failure: OnFailure,
    pub(super) on_panic: OnFailure,
    /// The number whose turn it is.
    pub(super) head: u64,
    pub(super) head_since: Option<Instant>,
    pub(super) slots: VecDeque<Slot<D>>,
    pub(super) holder: Holder,
    /// How many right before the head were lost.
    pub(super) gap: u64,
    /// Whether the gap was accepted, under [`OnFailure::Tell`].
    pub(super) gap_accepted: bool,
    /// By number; only the lowest matters, unless there are synchronization points.
    pub(super) failures: BTreeMap<u64, Failure>,
    /// Synchronization points that were issued and not passed, and the last one that was.
    pub(super) syncs: BTreeSet<u64>,
    pub(super) window: u32,
    /// Numbers that may be issued at once. None while somebody is [`queued`](State::queued): all room is his then.
    pub(super) spare: u32,
    /// How many wait for room.
    pub(super) queued: u32,
    /// Numbers that are out beyond a window that was made smaller.
    pub(super) owed: u32,
    pub(super) closed: bool,
    pub(super) cancelled: bool,
    /// Who waits for the head to reach a number.
    pub(super) reached: BTreeMap<u64, ManualResetEvent>,
    /// Who waits for the value, whatever the number.
    pub(super) lookers: Vec<ManualResetEvent>,
    /// Set while there is a run for whoever drives the commits.
    pub(super) driver: Option<ManualResetEvent>,
    pub(super) timed: bool,
    pub(super) counters: Counters,
}

impl<D> State<D> {
    /// The number that is issued next.
    pub(super) fn next(&self) -> u64 {
        self.head + self.slots.len() as u64
    }

    pub(super) fn now(&self) -> Option<Instant> {
        self.timed.then(Instant::now)
    }

    pub(super) fn slot(&mut self, seq: u64) -> Option<&mut Slot<D>> {
        self.slots.get_mut(usize::try_from(seq.checked_sub(self.head)?).ok()?)
    }

    // ===== failures =====

    /// The failure because of which `seq` is never committed.
    pub(super) fn poisoned(&self, seq: u64) -> Option<&Failure> {
        let (&failed, failure) = match self.on_failure {
            OnFailure::UntilSync => self.failures.range(..seq).next_back()?,
            _ => self.failures.first_key_value().filter(|&(&failed, _)| failed < seq)?,
        };
        let synced =
            self.on_failure == OnFailure::UntilSync && self.syncs.range(failed + 1..=seq).next().is_some();
        (!synced).then_some(failure)
    }

    /// Why `seq` cannot have its turn, if that is known.
    pub(super) fn refusal(&self, seq: u64) -> Option<LaneError> {
        if let Some(failure) = self.poisoned(seq).or_else(|| self.failures.get(&seq)) {
            return Some(LaneError::Poisoned(failure.clone()));
        }
        if self.cancelled {
            return Some(LaneError::Cancelled);
        }
        (seq < self.head).then_some(LaneError::Passed)
    }

    /// Why no ticket is issued, if none is.
    pub(super) fn issues(&self) -> Result<(), LaneError> {
        if self.on_failure != OnFailure::UntilSync {
            if let Some(failure) = self.failures.values().next() {
                return Err(LaneError::Poisoned(failure.clone()));
            }
        }
        match (self.cancelled, self.closed) {
            (true, _) => Err(LaneError::Cancelled),
            (_, true) => Err(LaneError::Closed),
            _ => Ok(()),
        }
    }

    /// `seq` ends without a result, and `policy` says what that means.
    pub(super) fn lose(
        &mut self,
        seq: u64,
        policy: OnFailure,
        cause: impl FnOnce() -> Cause,
        after: &mut After<D>,
    ) {
        if seq < self.head || self.poisoned(seq).is_some() || self.cancelled {
            after.lost = Some(seq);
            // Its place is of no consequence any more, but it must not block whom a synchronization point lets on.
            if let Some(slot) = self.slot(seq) {
                slot.stand = Stand::Lost;
            }
            return;
        }
        self.counters.lost += 1;
        let Some(slot) = self.slot(seq) else { return };
        slot.stand = match policy {
            OnFailure::Stop => Stand::Stopped,
            _ => Stand::Lost,
        };
        if matches!(policy, OnFailure::Poison | OnFailure::UntilSync) {
            let label = slot.label.clone();
            self.fail(Failure { seq, label, cause: cause() }, after);
        } else if policy != OnFailure::Stop {
            after.lost = Some(seq);
        }
    }

    /// Nothing above the failed number is committed from here on.
    pub(super) fn fail(&mut self, failure: Failure, after: &mut After<D>) {
        let seq = failure.seq;
        after.failure = Some(failure.clone());
        self.counters.failed += 1;
        self.failures.entry(seq).or_insert(failure);
        after.ends |= self.on_failure != OnFailure::UntilSync;
        let head = self.head;
        for index in usize::try_from(seq + 1 - head.min(seq + 1)).unwrap_or(usize::MAX)..self.slots.len() {
            if self.poisoned(head + index as u64).is_some() {
                self.slots[index].refuse(after);
            }
        }
        let later: Vec<_> = self.reached.range(seq + 1..).map(|(&number, _)| number).collect();
        if self.on_failure != OnFailure::UntilSync {
            after.wake.extend(later.into_iter().filter_map(|number| self.reached.remove(&number)));
            after.wake.extend(self.driver.clone());
        }
    }

    /// Whether nothing will ever be committed any more.
    pub(super) fn is_over(&self) -> bool {
        let failed = self.failures.contains_key(&self.head) && self.on_failure != OnFailure::UntilSync;
        self.cancelled || failed || self.closed && self.slots.is_empty()
    }

    // ===== going on =====

    /// Passes over what is to be passed over. True if there is a run to commit.
    pub(super) fn settle(&mut self, after: &mut After<D>) -> bool {
        if self.holder != Holder::Nobody {
            return false;
        }
        after.wake.append(&mut self.lookers);
        loop {
            let failed = self.failures.contains_key(&self.head) || self.poisoned(self.head).is_some();
            if self.cancelled || failed && self.on_failure != OnFailure::UntilSync {
                return false;
            }
            let Some(slot) = self.slots.front_mut() else {
                if self.closed {
                    after.wake.extend(self.driver.clone());
                }
                return false;
            };
            match slot.stand {
                _ if failed => self.pass(1, after),
                Stand::Lost => {
                    self.counters.skipped += 1;
                    self.pass(1, after);
                }
                Stand::Deposited(_) => {
                    // One that is set was not looked at since.
                    after.wake.extend(self.driver.as_ref().filter(|driver| !driver.is_set()).cloned());
                    return true;
                }
                Stand::Issued => {
                    after.wake.extend(slot.ready.clone());
                    return false;
                }
                Stand::Vacant | Stand::Token | Stand::Stopped => return false,
            }
        }
    }

    /// The head has passed, as a loss or not.
    pub(super) fn pass(&mut self, lost: u64, after: &mut After<D>) {
        let Some(slot) = self.slots.pop_front() else { return };
        self.room_back(after);
        after.weight += slot.weight;
        after.wake.extend(slot.ready);
        if let Stand::Deposited(value) = slot.stand {
            after.dropped.push(value);
        }
        if self.syncs.contains(&self.head) {
            self.pass_sync();
        }
        self.head += 1;
        self.gap = if lost > 0 { self.gap + lost } else { 0 };
        self.gap_accepted = false;
        self.head_since = self.now();
        while let Some(first) = self.reached.first_entry().filter(|first| *first.key() <= self.head) {
            after.wake.push(first.remove());
        }
    }

    /// The head is a synchronization point: it parts what comes after it from all failures before it.
    fn pass_sync(&mut self) {
        self.syncs = self.syncs.split_off(&self.head);
        let root = self.failures.keys().next().copied();
        self.failures.retain(|&failed, _| Some(failed) == root || failed >= self.head);
    }

    /// One number more may be issued.
    pub(super) fn room_back(&mut self, after: &mut After<D>) {
        if self.owed > 0 {
            self.owed -= 1;
        } else if self.queued == 0 {
            self.spare += 1;
        } else {
            after.passed += 1;
        }
    }

    /// Takes room for `count` numbers, if it is there and nobody waits for it.
    pub(super) fn take_room(&mut self, count: u32) -> bool {
        let fits = self.queued == 0 && self.spare >= count;
        if fits {
            self.spare -= count;
        }
        fits
    }

    /// Somebody waits for room from here on.
    pub(super) fn queue(&mut self, after: &mut After<D>) {
        self.queued += 1;
        after.passed += std::mem::take(&mut self.spare);
    }

    /// Takes the deposits from the head on, `most` of them, into `run`.
    pub(super) fn take_run(&mut self, most: usize, mut run: VecDeque<D>) -> VecDeque<D> {
        for slot in self.slots.iter_mut().take(most) {
            if !matches!(slot.stand, Stand::Deposited(_)) {
                break;
            }
            if let Stand::Deposited(value) = std::mem::replace(&mut slot.stand, Stand::Issued) {
                run.push_back(value);
            }
        }
        self.holder = Holder::Run(run.len() as u64);
        self.counters.run(run.len() as u64);
        run
    }
}

impl<D> State<D> {
    /// Takes the deposit of the head, which passes.
    pub(super) fn take_head(&mut self, after: &mut After<D>) -> Option<D> {
        let slot = self.slots.front_mut()?;
        let Stand::Deposited(value) = std::mem::replace(&mut slot.stand, Stand::Issued) else { return None };
        self.counters.committed += 1;
        self.counters.deposited += 1;
        self.pass(0, after);
        Some(value)
    }
}

impl<D> Slot<D> {
    /// Its number will never be committed: whoever waits is told, what was deposited is dropped.
    pub(super) fn refuse(&mut self, after: &mut After<D>) {
        after.wake.extend(self.ready.take());
        if matches!(self.stand, Stand::Deposited(_)) {
            if let Stand::Deposited(value) = std::mem::replace(&mut self.stand, Stand::Lost) {
                after.dropped.push(value);
            }
        }
    }
}
