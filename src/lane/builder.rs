//! What can be set before a lane is built.

use super::snapshot::{Counters, Times};
use super::{Inner, Lane, Locked, OnFailure, Owned, Run, commit::Committer, state, station::Stations};
use crate::{Clock, Semaphore};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::error::Error;
use std::sync::{Arc, Mutex};

/// The settings of a [`Lane`]; from [`Lane::builder`].
///
/// # Examples
///
/// See [`Lane::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct LaneBuilder {
    first: u64,
    window: u32,
    max_weight: u32,
    longest_run: usize,
    on_failure: OnFailure,
    on_panic: Option<OnFailure>,
    clock: Option<Clock>,
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
            clock: None,
        }
    }

    /// The first number; 0 unless it is set.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane: Lane<()> = Lane::builder().first(17).build(());
    /// assert_eq!(lane.frontier(), 17);
    /// ```
    pub fn first(mut self, first: u64) -> Self {
        self.first = first;
        self
    }

    /// How many numbers may be out at once, from the head to the newest: from 1 to `i32::MAX`; 1,024 unless it is set.
    ///
    /// # Panics
    ///
    /// If it is out of range.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{LaneError, lane::Lane};
    /// let lane: Lane<()> = Lane::builder().window(1).build(());
    /// let ticket = lane.try_ticket()?;
    /// assert!(matches!(lane.try_ticket(), Err(LaneError::WouldBlock)));
    /// # Ok::<_, LaneError>(())
    /// ```
    #[track_caller]
    pub fn window(mut self, window: u32) -> Self {
        check_window(window);
        self.window = window;
        self
    }

    /// How much weight may be out at once, in the units of [`ticket_weighted`](Lane::ticket_weighted): from 1 to `i32::MAX`, which
    /// it is unless it is set.
    ///
    /// # Panics
    ///
    /// If it is out of range.
    ///
    /// # Examples
    ///
    /// See [`Lane::ticket_weighted`].
    #[track_caller]
    pub fn max_weight(mut self, weight: u32) -> Self {
        check_window(weight);
        self.max_weight = weight;
        self
    }

    /// How many deposits are committed in one call at most, from 1; 1,024 unless it is set. 0 is taken for 1.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{LaneError, lane::Lane};
    /// let lane = Lane::builder().longest_run(2).committer(Vec::new(), |lengths, run| {
    ///     lengths.push(run.len());
    ///     Ok(())
    /// });
    /// let tickets = [lane.try_ticket()?, lane.try_ticket()?, lane.try_ticket()?];
    /// for ticket in tickets.into_iter().rev() {
    ///     ticket.deposit(())?;
    /// }
    /// assert_eq!(lane.with_value(|lengths| lengths.clone()), [2, 1]);
    /// # Ok::<_, LaneError>(())
    /// ```
    pub fn longest_run(mut self, deposits: usize) -> Self {
        self.longest_run = deposits.max(1);
        self
    }

    /// What the loss of a number means; [`OnFailure::Poison`] unless it is set.
    ///
    /// # Examples
    ///
    /// See [`OnFailure`].
    pub fn on_failure(mut self, policy: OnFailure) -> Self {
        self.on_failure = policy;
        self
    }

    /// What a panic of a holder means. Unless it is set, what any other loss does; but under [`OnFailure::Skip`] and
    /// [`OnFailure::Tell`] it poisons, since a panic is never silent.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::{Lane, OnFailure};
    /// let lane: Lane<()> = Lane::builder().on_failure(OnFailure::Skip).on_panic(OnFailure::Skip).build(());
    /// let ticket = lane.try_ticket()?;
    /// std::thread::spawn(move || {
    ///     let _ticket = ticket;
    ///     panic!("as declared");
    /// }).join().unwrap_err();
    /// assert_eq!(lane.try_ticket()?.try_turn()?.gap(), 1);
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    pub fn on_panic(mut self, policy: OnFailure) -> Self {
        self.on_panic = Some(policy);
        self
    }

    /// Keeps the times of tickets and turns, so that the [stall report](Lane::stall) tells ages and the
    /// [snapshot](Lane::snapshot) has histograms. Costs a few looks at the clock for each number.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane: Lane<()> = Lane::builder().timed().build(());
    /// let _ticket = lane.try_ticket()?;
    /// assert!(lane.stall().expect("a ticket is out").age().is_some());
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    pub fn timed(self) -> Self {
        self.timed_by(&Clock::system())
    }

    /// [`timed`](LaneBuilder::timed) by another clock, which also drives [`watch`](Lane::watch) and
    /// [`head_deadline`](Lane::head_deadline).
    ///
    /// # Examples
    ///
    /// See [`Histogram`](super::Histogram).
    pub fn timed_by(mut self, clock: &Clock) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    /// A lane over `value` with turns; deposits are for whoever takes [`Lane::commits`].
    ///
    /// # Examples
    ///
    /// See [`Lane::commits`].
    pub fn build<T, D>(self, value: T) -> Lane<T, D> {
        self.finish(Owned::new(value, None), false)
    }

    /// A lane over `value` whose deposits are committed by `commit`, called with each run of them, in order, by whoever
    /// completes the head, on its thread and under no lock. What it leaves in the run is committed as well. If it fails or
    /// panics, the number that it took from the run last fails (its first, if it took none), or the one that it told by
    /// [`Run::fail_at`]: those before it are committed, and [`OnFailure`] says what becomes of those behind it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{LaneError, lane::Lane};
    /// let lane = Lane::builder().committer(0, |sum, run| {
    ///     for number in run {
    ///         *sum += u64::from(u8::try_from(number)?);
    ///     }
    ///     Ok(())
    /// });
    /// for number in [1, 2, 300] {
    ///     lane.try_ticket()?.deposit(number)?;
    /// }
    /// assert_eq!(lane.with_value(|sum| *sum), 3);
    /// assert_eq!(lane.failure().expect("300 is too much").seq(), 2);
    /// # Ok::<_, LaneError>(())
    /// ```
    pub fn committer<T, D>(
        self,
        value: T,
        commit: impl FnMut(&mut T, &mut Run<D>) -> Result<(), Box<dyn Error + Send + Sync>> + Send + 'static,
    ) -> Lane<T, D> {
        self.finish(Owned::new(value, Some(Committer(Box::new(commit)))), true)
    }

    fn finish<T, D>(self, owned: Owned<T, D>, commits: bool) -> Lane<T, D> {
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
            held_since: None,
            gap: 0,
            gap_accepted: false,
            failures: BTreeMap::new(),
            root: None,
            syncs: BTreeSet::new(),
            closed: false,
            cancelled: false,
            window: self.window,
            spare: self.window,
            queued: 0,
            debt: 0,
            shrunk: None,
            queue: BTreeMap::new(),
            places: 0,
            reached: BTreeMap::new(),
            lookers: Vec::new(),
            driver: None,
            times: self.clock.is_some().then(|| Box::new(Times::new())),
            clock: self.clock,
            counters: Counters::default(),
        };
        Lane {
            inner: Arc::new(Inner {
                room: Semaphore::new(0, i32::MAX as u32),
                weight: Semaphore::new(self.max_weight, self.max_weight),
                longest_run: self.longest_run,
                commits,
                stations: Stations::default(),
                locked: Mutex::new(Locked { state, owned: Some(Box::new(owned)) }),
            }),
        }
    }
}
