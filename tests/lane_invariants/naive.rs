//! A lane for one thread, written from the documentation: a table of what became of each number, gone through from
//! the start at every question. It knows no windows of permits, runs, events or forgetting.

use batons::LaneError;
use batons::lane::OnFailure;
use std::collections::{BTreeMap, BTreeSet};

/// What became of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Vacant,
    Out,
    Token,
    Deposited(Deposit),
    Lost,
    Stopped,
}

/// What the committer does with a deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deposit {
    Good,
    Fails,
    Panics,
}

/// An answer, without what differs from run to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum No {
    Poisoned(u64),
    Cancelled,
    Closed,
    Passed,
    Duplicate,
    TooFar(u64),
    TooMany,
    WouldBlock,
    Gap(u64),
}

pub(crate) fn no(error: &LaneError) -> No {
    match error {
        LaneError::Poisoned(failure) => No::Poisoned(failure.seq()),
        LaneError::Cancelled => No::Cancelled,
        LaneError::Closed => No::Closed,
        LaneError::Passed => No::Passed,
        LaneError::Duplicate => No::Duplicate,
        LaneError::TooFar { limit } => No::TooFar(*limit),
        LaneError::TooMany { .. } => No::TooMany,
        LaneError::WouldBlock => No::WouldBlock,
        LaneError::Gap { lost } => No::Gap(*lost),
        other => panic!("no answer of a lane: {other}"),
    }
}

#[derive(Debug)]
pub(crate) struct Naive {
    policy: OnFailure,
    on_panic: OnFailure,
    pub(crate) window: u64,
    pub(crate) head: u64,
    pub(crate) fates: BTreeMap<u64, Fate>,
    pub(crate) failed: BTreeSet<u64>,
    syncs: BTreeSet<u64>,
    /// Declared by their holders, or by a failure that they are behind.
    pub(crate) gaps: BTreeSet<u64>,
    pub(crate) log: Vec<u64>,
    gap: u64,
    accepted: bool,
    closed: bool,
    pub(crate) cancelled: bool,
}

impl Naive {
    pub(crate) fn new(policy: OnFailure, on_panic: OnFailure, window: u64) -> Self {
        Self {
            policy,
            on_panic,
            window,
            head: 0,
            fates: BTreeMap::new(),
            failed: BTreeSet::new(),
            syncs: BTreeSet::new(),
            gaps: BTreeSet::new(),
            log: Vec::new(),
            gap: 0,
            accepted: false,
            closed: false,
            cancelled: false,
        }
    }

    pub(crate) fn next(&self) -> u64 {
        self.fates.last_key_value().map_or(0, |(last, _)| last + 1).max(self.head)
    }

    pub(crate) fn room(&self) -> u64 {
        self.window.saturating_sub(self.next() - self.head)
    }

    /// The lowest failure because of which `seq` is not committed, its own among them if `own`.
    fn root(&self, seq: u64, own: bool) -> Option<u64> {
        let until_sync = self.policy == OnFailure::UntilSync;
        let synced =
            |failed: u64| until_sync && failed < seq && self.syncs.range(failed + 1..=seq).next().is_some();
        let concerns = |failed: u64| failed < seq || own && failed == seq;
        self.failed.iter().copied().find(|&failed| concerns(failed) && !synced(failed))
    }

    pub(crate) fn refusal(&self, seq: u64) -> Option<No> {
        if let Some(root) = self.root(seq, true) {
            return Some(No::Poisoned(root));
        }
        if self.cancelled {
            return Some(No::Cancelled);
        }
        (seq < self.head).then_some(No::Passed)
    }

    pub(crate) fn issues(&self) -> Option<No> {
        match self.failed.first() {
            Some(&root) if self.policy != OnFailure::UntilSync => Some(No::Poisoned(root)),
            _ if self.cancelled => Some(No::Cancelled),
            _ => self.closed.then_some(No::Closed),
        }
    }

    /// To be settled afterwards, unless it is one of several or a synchronization point.
    pub(crate) fn issue(&mut self) -> Result<u64, No> {
        if let Some(no) = self.issues() {
            return Err(no);
        }
        if self.room() == 0 {
            return Err(No::WouldBlock);
        }
        let seq = self.next();
        self.fates.insert(seq, Fate::Out);
        Ok(seq)
    }

    pub(crate) fn issue_many(&mut self, count: u64) -> Result<Vec<u64>, No> {
        if count > self.window {
            return Err(No::TooMany);
        }
        if self.issues().is_none() && self.room() < count {
            return Err(No::WouldBlock);
        }
        let numbers = (0..count).map(|_| self.issue()).collect();
        self.settle();
        numbers
    }

    pub(crate) fn issue_at(&mut self, seq: u64, others_wait: bool) -> Result<(), No> {
        if seq < self.head {
            return Err(No::Passed);
        }
        match self.refusal(seq) {
            Some(No::Poisoned(_)) if self.policy == OnFailure::UntilSync => {}
            Some(no) => return Err(no),
            None => {}
        }
        if self.cancelled || self.closed {
            return Err(if self.cancelled { No::Cancelled } else { No::Closed });
        }
        match self.fates.get(&seq) {
            Some(Fate::Vacant) => {}
            Some(_) => return Err(No::Duplicate),
            None if seq >= self.head + self.window || others_wait => {
                return Err(No::TooFar(self.head + self.window - 1));
            }
            None => {}
        }
        for vacant in self.next()..seq {
            self.fates.insert(vacant, Fate::Vacant);
        }
        self.fates.insert(seq, Fate::Out);
        self.settle();
        Ok(())
    }

    pub(crate) fn sync(&mut self, seq: u64) {
        self.syncs.insert(seq);
        self.settle();
    }

    /// What whoever asks for the turn is told, if it is told anything.
    pub(crate) fn turn(&self, seq: u64) -> Option<Result<(), No>> {
        if let Some(no) = self.refusal(seq) {
            return Some(Err(no));
        }
        if self.head != seq {
            return None;
        }
        let untold = self.policy == OnFailure::Tell && self.gap > 0 && !self.accepted;
        Some(if untold { Err(No::Gap(self.gap)) } else { Ok(()) })
    }

    pub(crate) fn accept(&mut self, seq: u64) {
        self.accepted |= self.head == seq;
    }

    pub(crate) fn commit(&mut self) {
        self.log.push(self.head);
        self.pass(false);
        self.settle();
    }

    /// A failure that was told.
    pub(crate) fn fail(&mut self, seq: u64) {
        let policy = match self.policy {
            policy @ (OnFailure::Stop | OnFailure::UntilSync) => policy,
            _ => OnFailure::Poison,
        };
        self.lose(seq, policy);
    }

    pub(crate) fn drop(&mut self, seq: u64) {
        self.lose(seq, self.policy);
    }

    pub(crate) fn panic(&mut self, seq: u64) {
        self.lose(seq, self.on_panic);
    }

    pub(crate) fn lose(&mut self, seq: u64, policy: OnFailure) {
        if seq >= self.head {
            let of_consequence = !self.cancelled && self.root(seq, true).is_none();
            let stops = of_consequence && policy == OnFailure::Stop;
            self.fates.insert(seq, if stops { Fate::Stopped } else { Fate::Lost });
            if of_consequence && matches!(policy, OnFailure::Poison | OnFailure::UntilSync) {
                self.failed.insert(seq);
            }
        }
        self.settle();
    }

    pub(crate) fn close(&mut self) {
        self.closed = true;
        let vacant: Vec<_> =
            self.fates.iter().filter(|(_, fate)| **fate == Fate::Vacant).map(|(&seq, _)| seq).collect();
        for seq in vacant {
            if self.fates.get(&seq) == Some(&Fate::Vacant) {
                self.lose(seq, self.policy);
            }
        }
    }

    fn pass(&mut self, lost: bool) {
        self.gap = if lost { self.gap + 1 } else { 0 };
        self.accepted = false;
        if lost {
            self.gaps.insert(self.head);
        }
        self.fates.insert(self.head, Fate::Lost);
        self.head += 1;
    }

    pub(crate) fn settle(&mut self) {
        while !self.cancelled && self.head < self.next() {
            let failed = self.root(self.head, true).is_some();
            match self.fates.get(&self.head) {
                _ if failed && self.policy == OnFailure::UntilSync => self.pass(true),
                _ if failed => return,
                Some(Fate::Lost) => self.pass(true),
                Some(Fate::Deposited(Deposit::Good)) => {
                    self.log.push(self.head);
                    self.pass(false);
                }
                Some(Fate::Deposited(_)) => return self.fail(self.head),
                _ => return,
            }
        }
    }
}
