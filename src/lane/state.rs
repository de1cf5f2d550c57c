//! What a lane knows: which numbers are out, who has the turn, what was deposited, what failed. No
//! waiting in here: whoever must be woken is handed out, to be woken without the lock. [`losses`](super::losses) has
//! the other half, what failures mean.

use super::losses::Failed;
use super::snapshot::{Counters, Times};
use super::{OnFailure, trace::Notes};
use crate::{Cause, Clock, Failure, ManualResetEvent};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One number that was issued, until it has passed.
#[derive(Debug)]
pub(super) struct Slot<D> {
    pub(super) stand: Stand<D>,
    /// What whoever wants its turn waits for; set when that has come, or never will.
    pub(super) ready: Option<ManualResetEvent>,
    /// How many wait for it at this moment. Whoever was handed the event itself counts for good.
    pub(super) asking: u32,
    pub(super) weight: u32,
    pub(super) label: Option<Arc<str>>,
    /// When it came to stand as it does, if time is kept: issued, asked for, deposited.
    pub(super) since: Option<Instant>,
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
    pub(super) fn new(stand: Stand<D>, since: Option<Instant>) -> Self {
        Self { stand, ready: None, asking: 0, weight: 0, label: None, since }
    }

    /// Whether its holder has done its part: it waits, or has deposited.
    pub(super) fn is_waiting(&self) -> bool {
        self.asking > 0 || matches!(self.stand, Stand::Deposited(_))
    }

    /// What to wait for until it may be worth to ask again. Never one that is set: the turn had come, and
    /// somebody else looks at the value meanwhile.
    pub(super) fn event(&mut self) -> ManualResetEvent {
        if self.ready.as_ref().is_some_and(ManualResetEvent::is_set) {
            self.ready = None;
        }
        self.ready.get_or_insert_with(|| ManualResetEvent::new(false)).clone()
    }

    /// Its number will never be committed: whoever waits is told, what was deposited is dropped.
    pub(super) fn refuse(&mut self, after: &mut After<D>) {
        after.wake.extend(self.ready.take());
        if matches!(self.stand, Stand::Deposited(_)) {
            if let Stand::Deposited(value) = std::mem::replace(&mut self.stand, Stand::Lost) {
                after.rare().dropped.push(value);
            }
        }
    }
}

/// Who has what the lane protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    Nobody,
    /// The turn of the head.
    Turn,
    /// A run of so many deposits that is being committed.
    Run(u64),
    /// Somebody who looks at it, whatever the number.
    Look,
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
    /// The number that comes to no station any more.
    pub(super) over: Option<u64>,
    /// What is to be told to whoever traces.
    pub(super) notes: Notes,
    /// What is there seldom, so that the rest is small to carry around.
    pub(super) rare: Option<Box<Rare<D>>>,
}

#[derive(Debug)]
pub(super) struct Rare<D> {
    /// What the stations must hear of as well: more numbers that come no more, numbers that failed, and that the lane
    /// was cancelled.
    pub(super) over_too: Vec<u64>,
    pub(super) failures: Vec<Failure>,
    pub(super) cancels: bool,
    /// Deposits that nobody will commit, to be dropped.
    pub(super) dropped: Vec<D>,
    /// Causes of failures that are of no consequence, to be dropped.
    pub(super) causes: Vec<Cause>,
}

// Not derived: that would ask it of `D`.
impl<D> Default for Rare<D> {
    fn default() -> Self {
        Self {
            over_too: Vec::new(),
            failures: Vec::new(),
            cancels: false,
            dropped: Vec::new(),
            causes: Vec::new(),
        }
    }
}

impl<D> Default for After<D> {
    #[inline]
    fn default() -> Self {
        Self {
            wake: Vec::new(),
            passed: 0,
            weight: 0,
            ends: false,
            over: None,
            notes: Notes::default(),
            rare: None,
        }
    }
}

impl<D> After<D> {
    /// `seq` comes to no station any more.
    pub(super) fn over(&mut self, seq: u64) {
        if let Some(before) = self.over.replace(seq) {
            self.rare().over_too.push(before);
        }
    }

    pub(super) fn rare(&mut self) -> &mut Rare<D> {
        self.rare.get_or_insert_default()
    }

    /// Whether nobody has to be told anything; stations apart.
    #[inline]
    pub(super) fn is_quiet(&self) -> bool {
        let quiet = self.wake.is_empty() && self.passed == 0 && self.weight == 0;
        quiet && !self.ends && self.rare.is_none() && self.notes.is_empty()
    }
}

#[allow(clippy::struct_excessive_bools)] // they are independent of one another
#[derive(Debug)]
pub(super) struct State<D> {
    pub(super) on_failure: OnFailure,
    pub(super) on_panic: OnFailure,
    /// The number whose turn it is.
    pub(super) head: u64,
    /// When the head came to be waited for.
    pub(super) head_since: Option<Instant>,
    pub(super) slots: VecDeque<Slot<D>>,
    pub(super) holder: Holder,
    pub(super) held_since: Option<Instant>,
    /// How many right before the head were lost.
    pub(super) gap: u64,
    /// Whether the gap was accepted, under [`OnFailure::Tell`].
    pub(super) gap_accepted: bool,
    pub(super) failures: BTreeMap<u64, Failed>,
    /// The failure with the lowest number that there ever was.
    pub(super) root: Option<Failure>,
    /// Synchronization points that were issued and not passed, and the last one that was.
    pub(super) syncs: BTreeSet<u64>,
    pub(super) closed: bool,
    pub(super) cancelled: bool,
    pub(super) window: u32,
    /// Numbers that may be issued at once. None while somebody is [`queued`](State::queued): all room is his then.
    pub(super) spare: u32,
    /// How many wait for room.
    pub(super) queued: u32,
    /// By how much the window was made smaller and room was not: so much room that comes back, or is granted, is gone.
    pub(super) debt: u32,
    /// Set when the window becomes smaller, for those who ask for many numbers at once.
    pub(super) shrunk: Option<ManualResetEvent>,
    /// Who waits for a ticket, by the order of coming, and since when.
    pub(super) queue: BTreeMap<u64, Option<Instant>>,
    pub(super) places: u64,
    /// Who waits for the head to reach a number.
    pub(super) reached: BTreeMap<u64, ManualResetEvent>,
    /// Who waits for the value, whatever the number.
    pub(super) lookers: Vec<ManualResetEvent>,
    /// Set while there is a run for whoever drives the commits.
    pub(super) driver: Option<ManualResetEvent>,
    /// By what time is kept, if it is.
    pub(super) clock: Option<Clock>,
    pub(super) times: Option<Box<Times>>,
    pub(super) counters: Counters,
}

impl<D> State<D> {
    /// The number that is issued next.
    pub(super) fn next(&self) -> u64 {
        self.head + self.slots.len() as u64
    }

    pub(super) fn now(&self) -> Option<Instant> {
        self.clock.as_ref().map(Clock::now)
    }

    pub(super) fn slot(&mut self, seq: u64) -> Option<&mut Slot<D>> {
        self.slots.get_mut(usize::try_from(seq.checked_sub(self.head)?).ok()?)
    }

    /// Issues the next number.
    pub(super) fn push(&mut self, stand: Stand<D>, weight: u32) -> u64 {
        let (seq, now) = (self.next(), self.now());
        if self.slots.is_empty() {
            self.head_since = now;
        }
        self.counters.issued += u64::from(!matches!(stand, Stand::Vacant));
        self.slots.push_back(Slot { weight, ..Slot::new(stand, now) });
        self.counters.most_out = self.counters.most_out.max(self.slots.len() as u64);
        seq
    }

    /// The value goes to `holder`.
    #[inline]
    pub(super) fn hold(&mut self, holder: Holder) {
        self.holder = holder;
        self.held_since = self.now();
    }

    /// The value comes back.
    #[inline]
    pub(super) fn let_go(&mut self) {
        let (since, now) = (self.held_since.take(), self.now());
        if let (Some(times), Some(since), Some(now)) = (&mut self.times, since, now) {
            if self.holder != Holder::Look {
                times.hold.note(now.saturating_duration_since(since));
            }
        }
        self.holder = Holder::Nobody;
    }

    /// Whether nothing will ever be committed any more.
    pub(super) fn is_over(&self) -> bool {
        let failed = self.failures.contains_key(&self.head) && self.on_failure != OnFailure::UntilSync;
        self.cancelled || failed || self.closed && self.slots.is_empty()
    }

    /// Whether the head will never reach `seq`.
    pub(super) fn never_reaches(&self, seq: u64) -> bool {
        self.head < seq
            && (self.cancelled
                || self.on_failure != OnFailure::UntilSync && self.poisoned(seq).is_some()
                || self.closed && seq > self.next())
    }

    // ===== going on =====

    /// Passes over what is to be passed over. True if there is a run to commit.
    #[inline]
    pub(super) fn settle(&mut self, after: &mut After<D>) -> bool {
        if self.holder != Holder::Nobody {
            return false;
        }
        if !self.lookers.is_empty() {
            after.wake.append(&mut self.lookers);
        }
        loop {
            let failed = !self.failures.is_empty()
                && (self.failures.contains_key(&self.head) || self.poisoned(self.head).is_some());
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
                _ if failed => {
                    if matches!(slot.stand, Stand::Issued) {
                        self.owe(self.head);
                    }
                    self.pass(1, after);
                }
                Stand::Lost => {
                    self.counters.skipped += 1;
                    self.pass(1, after);
                }
                Stand::Deposited(_) => {
                    // One that is set was not looked at since.
                    if let Some(driver) = self.driver.as_ref().filter(|driver| !driver.is_set()) {
                        after.wake.push(driver.clone());
                    }
                    return true;
                }
                Stand::Issued => {
                    if let Some(ready) = &slot.ready {
                        after.wake.push(ready.clone());
                    }
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
        after.weight = after.weight.saturating_add(slot.weight);
        if let Some(ready) = slot.ready {
            after.wake.push(ready);
        }
        if let Stand::Deposited(value) = slot.stand {
            after.rare().dropped.push(value);
        }
        self.head += 1;
        if !self.syncs.is_empty() && self.syncs.contains(&(self.head - 1)) {
            // A station may hear of a failure before the point only after it.
            self.syncs = self.syncs.split_off(&(self.head - 1));
            self.forget_failures(after);
        }
        self.gap = if lost > 0 { self.gap + lost } else { 0 };
        self.gap_accepted = false;
        self.head_since = self.now();
        if self.reached.is_empty() {
            return;
        }
        while let Some(first) = self.reached.first_entry().filter(|first| *first.key() <= self.head) {
            after.wake.push(first.remove());
        }
    }

    // ===== room =====

    /// One number more may be issued.
    pub(super) fn room_back(&mut self, after: &mut After<D>) {
        if self.debt > 0 {
            self.debt -= 1;
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

    /// Whether `room` of the semaphore may be used for as many numbers. What is left of it, if some of it pays the debt.
    pub(super) fn admit(&mut self, room: u32) -> Result<(), u32> {
        if self.debt == 0 {
            return Ok(());
        }
        let paid = room.min(self.debt);
        self.debt -= paid;
        Err(room - paid)
    }

    /// Somebody waits for room from here on.
    pub(super) fn queue_for_room(&mut self, after: &mut After<D>) {
        self.queued += 1;
        after.passed += std::mem::take(&mut self.spare);
    }

    // ===== runs =====

    /// Takes the deposits from the head on, `most` of them, into `run`, in which that of the head may be already.
    pub(super) fn take_run(&mut self, most: usize, run: &mut VecDeque<D>) {
        let now = self.now();
        if let Some(times) = self.times.as_mut().filter(|_| !run.is_empty()) {
            times.wait.note(Duration::ZERO);
        }
        while run.len() < most {
            let Some(slot) = self.slots.get_mut(run.len()) else { break };
            if !matches!(slot.stand, Stand::Deposited(_)) {
                break;
            }
            if let Stand::Deposited(value) = std::mem::replace(&mut slot.stand, Stand::Issued) {
                run.push_back(value);
            }
            if let (Some(times), Some(since), Some(now)) = (&mut self.times, slot.since, now) {
                times.wait.note(now.saturating_duration_since(since));
            }
        }
        self.hold(Holder::Run(run.len() as u64));
        self.counters.run(run.len() as u64);
    }

    /// Takes the deposit of the head, which passes.
    pub(super) fn take_head(&mut self, after: &mut After<D>) -> Option<D> {
        let now = self.now();
        let slot = self.slots.front_mut()?;
        let Stand::Deposited(value) = std::mem::replace(&mut slot.stand, Stand::Issued) else { return None };
        if let (Some(times), Some(since), Some(now)) = (&mut self.times, slot.since, now) {
            times.wait.note(now.saturating_duration_since(since));
        }
        self.counters.committed += 1;
        self.counters.deposited += 1;
        after.notes.committed(self.head, 1);
        self.pass(0, after);
        Some(value)
    }
}
