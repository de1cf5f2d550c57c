//! What can be set before a lane is built.

use super::{
    Inner, Lane, Locked, OnFailure, Owned, Run, commit::Committer, snapshot::Counters, state,
    station::Stations,
};
use crate::Semaphore;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::error::Error;
use std::sync::{Arc, Mutex};

/// The settings of a [`Lane`]; from [`Lane::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct LaneBuilder {
    first: u64,
    window: u32,
    max_weight: u32,
    longest_run: usize,
    on_failure: OnFailure,
    on_panic: Option<OnFailure>,
    timed: bool,
}

/// # Panics
///
/// If no semaphore can have as many permits, or none.
#[track_caller]
pub(super) fn check_window(window: u32) {
    assert!(
        window > 0 && i32::try_from(window).is_ok(),
        "a window holds from 1 to {} numbers, not {window}",
        i32::MAX
    );
}

impl LaneBuilder {
    pub(super) fn new() -> Self {
        Self {
            first: 0,
            window: 1024,
            max_weight: i32::MAX as u32,
            longest_run: 1024,
            on_failure: OnFailure::default(),
            on_panic: None,
            timed: false,
        }
    }

    /// The first number; 0 unless it is set.
    pub fn first(mut self, first: u64) -> Self {
        self.first = first;
        self
    }

    /// How many numbers may be out at once, from 1 to `i32::MAX`; 1,024 unless it is set.
    ///
    /// # Panics
    ///
    /// If it is out of range.
    #[track_caller]
    pub fn window(mut self, window: u32) -> Self {
        check_window(window);
        self.window = window;
        self
    }

    /// How much weight may be out at once, from 1 to `i32::MAX`, which it is unless it is set.
    ///
    /// # Panics
    ///
    /// If it is out of range.
    #[track_caller]
    pub fn max_weight(mut self, weight: u32) -> Self {
        check_window(weight);
        self.max_weight = weight;
        self
    }

    /// How many deposits are committed in one call at most; 1,024 unless it is set. At least 1.
    pub fn longest_run(mut self, deposits: usize) -> Self {
        self.longest_run = deposits.max(1);
        self
    }

    /// What the loss of a number means; [`OnFailure::Poison`] unless it is set.
    pub fn on_failure(mut self, policy: OnFailure) -> Self {
        self.on_failure = policy;
        self
    }

    /// What a panic of a holder means. Unless it is set, what any other loss does; but under [`OnFailure::Skip`] and
    /// [`OnFailure::Tell`] it poisons, since a panic is never silent.
    pub fn on_panic(mut self, policy: OnFailure) -> Self {
        self.on_panic = Some(policy);
        self
    }

    /// Keeps the time of each ticket and of the head, so that the stall report tells ages. Costs a look at the clock for each.
    pub fn timed(mut self) -> Self {
        self.timed = true;
        self
    }

    /// A lane over `value` with turns; deposits are for whoever takes [`Lane::commits`].
    pub fn build<T, D>(self, value: T) -> Lane<T, D> {
        self.finish(Owned { value, committer: None, spare: VecDeque::new() })
    }

    /// A lane over `value` whose deposits are committed by `commit`, called with each run of them, in order, by whoever
    /// completes the head. If it fails or panics, the number that it took from the run last fails, or the one that it told by [`Run::fail_at`].
    pub fn committer<T, D>(
        self,
        value: T,
        commit: impl FnMut(&mut T, &mut Run<D>) -> Result<(), Box<dyn Error + Send + Sync>> + Send + 'static,
    ) -> Lane<T, D> {
        self.finish(Owned { value, committer: Some(Committer(Box::new(commit))), spare: VecDeque::new() })
    }

    fn finish<T, D>(self, owned: Owned<T, D>) -> Lane<T, D> {
        let on_panic = self.on_panic.unwrap_or(match self.on_failure {
            OnFailure::Skip | OnFailure::Tell => OnFailure::Poison,
            policy => policy,
        });
        let state = state::State {
            on_failure: self.on_failure,
            on_panic,
            head: self.first,
            head_since: None,
            slots: VecDeque::new(),
            holder: state::Holder::Nobody,
            gap: 0,
            gap_accepted: false,
            failures: BTreeMap::new(),
            syncs: BTreeSet::new(),
            window: self.window,
            spare: self.window,
            queued: 0,
            owed: 0,
            closed: false,
            cancelled: false,
            reached: BTreeMap::new(),
            lookers: Vec::new(),
            driver: None,
            timed: self.timed,
            counters: Counters::default(),
        };
        Lane {
            inner: Arc::new(Inner {
                room: Semaphore::new(0, i32::MAX as u32),
                weight: Semaphore::new(self.max_weight, self.max_weight),
                longest_run: self.longest_run,
                stations: Stations::default(),
                locked: Mutex::new(Locked { state, owned: Some(Box::new(owned)) }),
            }),
        }
    }
}
