//! A thread that looks whether a lane stands still.

use super::{After, Inner, Lane, OnFailure, Stall, go_on, state::State, trace};
use crate::{Due, ManualResetEvent, WaitableTimer, blocking};
use std::fmt;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// What a [deadline](Lane::head_deadline) does with the head.
///
/// # Examples
///
/// See [`Lane::head_deadline`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overdue {
    /// Nothing: it was looked at.
    Report,
    /// It is passed over, and what its holder does with its ticket from then on is refused as
    /// [`Passed`](crate::LaneError::Passed).
    Skip,
    /// It fails, with the cause [`Lost::Overdue`](crate::Lost::Overdue).
    Poison,
}

/// A lane that is watched, until this is dropped; made by [`Lane::watch`] and [`Lane::head_deadline`].
///
/// A call that has begun when it is dropped is finished, and is the last.
///
/// # Examples
///
/// See [`Lane::watch`].
#[must_use = "a watch that is dropped is over"]
pub struct Watch {
    over: ManualResetEvent,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.set();
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl<T: Send + 'static, D: Send + 'static> Lane<T, D> {
    /// Calls `report` when one number has been the head, and out, for `patience`: once for each number, on a thread of the
    /// watch's own, which ends with it or with the lane. It looks four times in that time, so the report is up to a
    /// quarter late. An idle lane is no stall.
    ///
    /// Time is that of the [clock](super::LaneBuilder::timed_by) of the lane, or else the machine's.
    ///
    /// # Panics
    ///
    /// If `patience` is zero, or no thread can be started. A panic of `report` ends the watch.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::{ManualClock, lane::Lane};
    /// use std::{sync::mpsc, time::Duration};
    ///
    /// let manual = ManualClock::new();
    /// let lane: Lane<()> = Lane::builder().timed_by(&manual.clock()).build(());
    /// let (reports, told) = mpsc::channel();
    /// let _watch = lane.watch(Duration::from_secs(4), move |stall| reports.send(stall.to_string()).unwrap());
    /// let _ticket = lane.try_ticket()?;
    /// let report = loop {
    ///     manual.advance(Duration::from_secs(1)); // in a program, time does so
    ///     if let Ok(report) = told.try_recv() {
    ///         break report;
    ///     }
    /// };
    /// assert!(report.starts_with("stalled at 0: ticket alive for "));
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[track_caller]
    pub fn watch(&self, patience: Duration, mut report: impl FnMut(&Stall) + Send + 'static) -> Watch {
        self.head_deadline(patience, move |stall| {
            report(stall);
            Overdue::Report
        })
    }

    /// Calls `decide` when one number has been the head, and out, for `patience`, and does with it what that says. For the rest
    /// it is a [`watch`](Lane::watch).
    ///
    /// Nobody takes the value from whoever has it, nor a result that was deposited: where the number is
    /// [held](super::StallCause::Held), committed or deposited, nothing is done.
    ///
    /// # Panics
    ///
    /// If `patience` is zero, or no thread can be started. A panic of `decide` ends the watch.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::{LaneError, ManualClock, lane::{Lane, Overdue}};
    /// use std::time::Duration;
    ///
    /// let manual = ManualClock::new();
    /// let lane: Lane<()> = Lane::builder().timed_by(&manual.clock()).build(());
    /// let _watch = lane.head_deadline(Duration::from_secs(4), |_| Overdue::Skip);
    /// let mut late = lane.try_ticket()?;
    /// while lane.frontier() == 0 {
    ///     manual.advance(Duration::from_secs(1)); // in a program, time does so
    /// }
    /// assert!(matches!(late.try_turn(), Err(LaneError::Passed)));
    /// # Ok::<_, LaneError>(())
    /// ```
    #[track_caller]
    pub fn head_deadline(
        &self,
        patience: Duration,
        mut decide: impl FnMut(&Stall) -> Overdue + Send + 'static,
    ) -> Watch {
        assert!(!patience.is_zero(), "a watch of no patience would look all the time");
        let clock = self.lock().state.clock.clone().unwrap_or_default();
        let over = ManualResetEvent::new(false);
        let mut watcher = Watcher::new(self, patience, clock.now());
        // Armed before this returns, so that no time passes unseen.
        let timer = WaitableTimer::auto_on(&clock);
        let period = (patience / 4).max(Duration::from_micros(100));
        timer.set(Due::after(period), Some(period));
        thread::Builder::new()
            .name("batons-lane-watch".to_owned())
            .spawn({
                let over = over.clone();
                move || {
                    while goes_on(&over, &timer) && watcher.check(clock.now(), &mut decide) {}
                }
            })
            .expect("a thread can be started");
        Watch { over }
    }
}

/// Waits for the next look. False if the watch is over.
fn goes_on(over: &ManualResetEvent, timer: &WaitableTimer) -> bool {
    let due = blocking::wait_any((over.wait(), timer.wait()));
    matches!(due, Ok((1, _))) && !over.is_set()
}

/// What a look saw, to be compared with the next.
#[derive(Debug)]
struct Seen {
    /// The head, if it was out.
    head: Option<u64>,
    since: Instant,
    told: bool,
}

impl Seen {
    fn new(now: Instant) -> Self {
        Self { head: None, since: now, told: false }
    }

    /// The stall that is to be told of, if there is one.
    fn look<D>(&mut self, state: &State<D>, now: Instant, patience: Duration) -> Option<Stall> {
        let stall = state.stall(Some(now));
        let head = stall.as_ref().map(Stall::seq);
        if self.head != head {
            // A lane that keeps time knows better since when.
            let since = state.head_since.filter(|_| head.is_some()).unwrap_or(now);
            *self = Self { head, since, told: false };
        }
        let age = now.saturating_duration_since(self.since);
        let mut stall = stall.filter(|_| age >= patience && !self.told)?;
        self.told = true;
        stall.seen_for(age);
        Some(stall)
    }
}

/// Who watches: it holds no lane.
pub(super) struct Watcher<T, D> {
    lane: Weak<Inner<T, D>>,
    patience: Duration,
    seen: Seen,
}

impl<T, D> Watcher<T, D> {
    pub(super) fn new(lane: &Lane<T, D>, patience: Duration, now: Instant) -> Self {
        Self { lane: Arc::downgrade(&lane.inner), patience, seen: Seen::new(now) }
    }

    /// Looks, and tells. False if the lane is gone.
    pub(super) fn check(&mut self, now: Instant, decide: &mut dyn FnMut(&Stall) -> Overdue) -> bool {
        let Some(inner) = self.lane.upgrade() else { return false };
        let lane = Lane { inner };
        let stall = self.seen.look(&lane.lock().state, now, self.patience);
        if let Some(stall) = stall.map(|stall| lane.placed(stall)) {
            trace::stalled(&stall);
            match decide(&stall) {
                Overdue::Report => {}
                Overdue::Skip => lane.overdue(stall.seq(), OnFailure::Skip),
                Overdue::Poison => lane.overdue(stall.seq(), OnFailure::Poison),
            }
        }
        true
    }
}

impl<T, D> Lane<T, D> {
    fn overdue(&self, seq: u64, policy: OnFailure) {
        let mut after = After::default();
        let mut locked = self.lock();
        if locked.state.overdue(seq, policy, &mut after) {
            self.settle(locked, after);
        } else {
            drop(locked);
            go_on(self.follow(after));
        }
    }
}
