//! What losses and failures mean for the numbers above.

use super::OnFailure;
use super::state::{After, Holder, Stand, State};
use crate::{Cause, Failure, LaneError, Lost};
use std::sync::Arc;

/// Why a number is lost. What somebody else made is made, and dropped, under no lock.
#[derive(Debug, Clone)]
pub(super) enum Why {
    /// Its holder says so: nothing was lost.
    Declared,
    Lost(Lost),
    Told(Cause),
}

/// A failure, and whom it concerns: the numbers above it, up to a synchronization point. There is one for each such
/// stretch, the lowest, which is the root of the others.
#[derive(Debug, Clone)]
pub(super) struct Failed {
    pub(super) failure: Failure,
    /// The synchronization point, if there is one.
    until: Option<u64>,
    /// How many tickets are out whose numbers were passed over because of it.
    owed: u64,
}

impl Failed {
    fn concerns(&self, seq: u64) -> bool {
        self.until.is_none_or(|until| seq < until)
    }
}

impl<D> State<D> {
    /// The failure because of which `seq` is never committed.
    pub(super) fn poisoned(&self, seq: u64) -> Option<&Failure> {
        let (_, failed) = self.failures.range(..seq).next_back()?;
        failed.concerns(seq).then_some(&failed.failure)
    }

    /// Why `seq` cannot have its turn, if that is known.
    #[inline]
    pub(super) fn refusal(&self, seq: u64) -> Option<LaneError> {
        let well = self.failures.is_empty() && !self.cancelled && seq >= self.head;
        if well { None } else { self.refused(seq) }
    }

    #[cold]
    fn refused(&self, seq: u64) -> Option<LaneError> {
        let failed = self.failures.get(&seq).map(|failed| &failed.failure);
        if let Some(failure) = failed.or_else(|| self.poisoned(seq)) {
            return Some(LaneError::Poisoned(failure.clone()));
        }
        if self.cancelled {
            return Some(LaneError::Cancelled);
        }
        (seq < self.head).then_some(LaneError::Passed)
    }

    /// Why no ticket is issued, if none is.
    pub(super) fn issues(&self) -> Result<(), LaneError> {
        if !self.failures.is_empty() && self.on_failure != OnFailure::UntilSync {
            if let Some(failed) = self.failures.values().next() {
                return Err(LaneError::Poisoned(failed.failure.clone()));
            }
        }
        match (self.cancelled, self.closed) {
            (true, _) => Err(LaneError::Cancelled),
            (_, true) => Err(LaneError::Closed),
            _ => Ok(()),
        }
    }

    /// What `policy` makes of a failure that was told: one that goes on goes on for losses only.
    pub(super) fn failing(&self) -> OnFailure {
        match self.on_failure {
            policy @ (OnFailure::Stop | OnFailure::UntilSync) => policy,
            _ => OnFailure::Poison,
        }
    }

    /// `seq` ends without a result, and `policy` says what that means.
    pub(super) fn lose(&mut self, seq: u64, policy: OnFailure, why: Why, after: &mut After<D>) {
        if seq < self.head {
            after.over(seq);
            self.owe_less(seq, after);
        } else if self.cancelled || self.failures.contains_key(&seq) || self.poisoned(seq).is_some() {
            after.over(seq);
            // Its place is of no consequence any more, but it must not block whom a synchronization point lets on.
            if let Some(slot) = self.slot(seq) {
                slot.stand = Stand::Lost;
            }
        } else {
            self.counters.lost += 1;
            after.notes.lost(seq, policy, matches!(why, Why::Declared));
            let now = self.now();
            let Some(slot) = self.slot(seq) else { return };
            slot.stand = match policy {
                OnFailure::Stop => Stand::Stopped,
                _ => Stand::Lost,
            };
            (slot.since, slot.asking) = (now, 0);
            if matches!(policy, OnFailure::Poison | OnFailure::UntilSync) {
                let label = slot.label.clone();
                let cause = match why {
                    Why::Declared => Arc::new(Lost::Abandoned),
                    Why::Lost(lost) => Arc::new(lost),
                    Why::Told(cause) => cause,
                };
                return self.fail(Failure { seq, label, cause }, after);
            }
            if policy != OnFailure::Stop {
                after.over(seq);
            }
        }
        if let Why::Told(cause) = why {
            after.rare().causes.push(cause);
        }
    }

    /// Nothing above the failed number is committed from here on, or up to a synchronization point.
    pub(super) fn fail(&mut self, failure: Failure, after: &mut After<D>) {
        let seq = failure.seq;
        let forever = self.on_failure != OnFailure::UntilSync;
        let until = if forever { None } else { self.syncs.range(seq + 1..).next().copied() };
        self.counters.failed += 1;
        after.notes.failed(&failure);
        after.rare().failures.push(failure.clone());
        // Those that it is the root of.
        let above: Vec<u64> =
            self.failures.range(seq..until.unwrap_or(u64::MAX)).map(|(&above, _)| above).collect();
        let mut owed = 0;
        for failed in above.iter().filter_map(|above| self.failures.remove(above)) {
            owed += failed.owed;
            after.rare().causes.push(failed.failure.cause);
        }
        if self.root.as_ref().is_none_or(|root| seq < root.seq) {
            after.rare().causes.extend(self.root.replace(failure.clone()).map(|root| root.cause));
        }
        self.failures.insert(seq, Failed { failure, until, owed });
        after.ends |= forever;
        // At a station the number may have passed.
        let from = self.head.max(seq + 1);
        let below = usize::try_from(from - self.head).unwrap_or(usize::MAX);
        let concerned = until
            .map_or(usize::MAX, |until| usize::try_from(until.saturating_sub(from)).unwrap_or(usize::MAX));
        for slot in self.slots.iter_mut().skip(below).take(concerned) {
            slot.refuse(after);
        }
        if forever {
            after.wake.extend(self.reached.split_off(&(seq + 1)).into_values());
            after.wake.extend(self.driver.clone());
        }
    }

    /// `seq` is a synchronization point.
    pub(super) fn sync(&mut self, seq: u64) {
        if self.on_failure == OnFailure::UntilSync {
            self.syncs.insert(seq);
            for failed in self.failures.values_mut().filter(|failed| failed.until.is_none()) {
                failed.until = Some(seq);
            }
        }
    }

    // Under `UntilSync` a lane goes on, and what failed must be known to whoever has a ticket for a number that was passed
    // over because of it, and to nobody else.

    /// `seq` is passed over because of a failure, and its ticket is out.
    pub(super) fn owe(&mut self, seq: u64) {
        if let Some((_, failed)) = self.failures.range_mut(..=seq).next_back() {
            failed.owed += 1;
        }
    }

    /// The ticket of `seq`, which has passed, is gone.
    pub(super) fn owe_less(&mut self, seq: u64, after: &mut After<D>) {
        let Some((_, failed)) = self.failures.range_mut(..=seq).next_back() else { return };
        if failed.concerns(seq) && failed.owed > 0 {
            failed.owed -= 1;
            if failed.owed == 0 {
                self.forget_failures(after);
            }
        }
    }

    /// Forgets the failures that concern nobody any more.
    pub(super) fn forget_failures(&mut self, after: &mut After<D>) {
        let head = self.head;
        let is_past = |failed: &Failed| failed.owed == 0 && failed.until.is_some_and(|until| until < head);
        let past: Vec<u64> =
            self.failures.iter().filter(|(_, failed)| is_past(failed)).map(|(&seq, _)| seq).collect();
        for failed in past.iter().filter_map(|seq| self.failures.remove(seq)) {
            after.rare().causes.push(failed.failure.cause);
        }
    }

    /// The failures and synchronization points of the lane that a station is made for.
    pub(super) fn inherit<E>(&mut self, from: &State<E>) {
        self.failures = from.failures.clone();
        self.failures.values_mut().for_each(|failed| failed.owed = 0);
        (self.root, self.syncs, self.cancelled) = (from.root.clone(), from.syncs.clone(), from.cancelled);
    }

    // ===== ending =====

    /// Issues no more numbers; those that nobody has named never will be, so they are lost.
    pub(super) fn close(&mut self, after: &mut After<D>) -> bool {
        let before = std::mem::replace(&mut self.closed, true);
        after.ends = true;
        let head = self.head;
        let vacant = |slot: &super::Slot<D>| matches!(slot.stand, Stand::Vacant);
        for seq in
            (head..).zip(&self.slots).filter(|(_, slot)| vacant(slot)).map(|(seq, _)| seq).collect::<Vec<_>>()
        {
            self.lose(seq, self.on_failure, Why::Lost(Lost::NeverIssued), after);
        }
        let next = self.next();
        after.wake.extend(self.reached.split_off(&(next + 1)).into_values());
        after.wake.extend(self.driver.clone());
        before
    }

    /// Nothing is committed any more but what is in somebody's hands.
    pub(super) fn cancel(&mut self, after: &mut After<D>) {
        self.cancelled = true;
        after.ends = true;
        after.rare().cancels = true;
        let busy = match self.holder {
            Holder::Run(length) => usize::try_from(length).unwrap_or(usize::MAX),
            _ => 0,
        };
        for slot in self.slots.iter_mut().skip(busy) {
            slot.refuse(after);
        }
        after.wake.extend(std::mem::take(&mut self.reached).into_values());
        after.wake.extend(self.driver.clone());
    }

    /// The head has been there for too long: `policy` ends it without a result, if it is still `seq` and waits for its
    /// ticket. Nobody takes the value from who has it, or a result that was handed in.
    pub(super) fn overdue(&mut self, seq: u64, policy: OnFailure, after: &mut After<D>) -> bool {
        if seq != self.head || self.holder != Holder::Nobody || self.is_over() {
            return false;
        }
        let Some(slot) = self.slots.front_mut() else { return false };
        if matches!(slot.stand, Stand::Deposited(_)) {
            return false;
        }
        slot.refuse(after);
        self.counters.overdue += 1;
        self.lose(seq, policy, Why::Lost(Lost::Overdue), after);
        true
    }
}
