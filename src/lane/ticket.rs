//! The right to one number.

use super::{After, Lane, OnFailure, by_deadline, state::Stand, turn::HeldTurn, turn::OwnedTurn, turn::Turn};
use crate::{Cause, LaneError, Lost, ManualResetEvent, blocking};
use std::sync::Arc;
use std::{error::Error, fmt, mem, time::Duration};

/// The right to one number of a [`Lane`].
///
/// A wait for its turn may be dropped at any time, by a time-out or a `select!`; the ticket keeps its place. Dropping the ticket
/// gives the place up, and [`OnFailure`] says what that means.
#[must_use = "a ticket that is dropped is a lost number"]
pub struct Ticket<T, D = ()> {
    lane: Lane<T, D>,
    seq: u64,
    /// Whether its number is settled, and a drop means nothing.
    over: bool,
    on_failure: Option<OnFailure>,
}

impl<T, D> Ticket<T, D> {
    pub(super) fn new(lane: Lane<T, D>, seq: u64) -> Self {
        Self { lane, seq, over: false, on_failure: None }
    }

    /// Its number.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Its lane.
    #[must_use]
    pub fn lane(&self) -> &Lane<T, D> {
        &self.lane
    }

    /// Names it in stall reports and failures.
    pub fn label(self, label: impl Into<Arc<str>>) -> Self {
        if let Some(slot) = self.lane.lock().state.slot(self.seq) {
            slot.label = Some(label.into());
        }
        self
    }

    /// What its loss means, other than for the rest of the lane.
    pub fn on_failure(mut self, policy: OnFailure) -> Self {
        self.on_failure = Some(policy);
        self
    }

    /// An event that is set for good as soon as the turn has come, or never will: a member for
    /// [`wait_any`](crate::wait_any) and [`wait_all`](crate::wait_all). [`try_turn`](Ticket::try_turn) does not wait then,
    /// since nobody else can have the number.
    #[must_use]
    pub fn ready(&self) -> ManualResetEvent {
        match self.lane.awaits_turn(self.seq) {
            Ok(Some(event)) => event,
            Ok(None) | Err(_) => ManualResetEvent::new(true),
        }
    }

    /// Waits for the turn: all numbers before have passed, and nobody else has what the lane owns.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the ticket keeps its place, and a turn that came meanwhile is still there.
    ///
    /// # Errors
    ///
    /// [`LaneError::Poisoned`], [`Cancelled`](LaneError::Cancelled), [`Gap`](LaneError::Gap), and
    /// [`Passed`](LaneError::Passed) after a turn.
    pub async fn turn(&mut self) -> Result<Turn<'_, T, D>, LaneError> {
        self.wait_for_turn().await?;
        HeldTurn::begin(self)
    }

    /// [`turn`](Ticket::turn) that takes the ticket with it. If it is dropped or refused the ticket is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready it loses the number; keep the ticket, and use `turn`, where that may happen.
    ///
    /// # Errors
    ///
    /// As `turn`.
    pub async fn turn_owned(self) -> Result<OwnedTurn<T, D>, LaneError> {
        self.wait_for_turn().await?;
        HeldTurn::begin(self)
    }

    /// [`turn`](Ticket::turn) for a thread.
    ///
    /// # Errors
    ///
    /// As `turn`.
    ///
    /// # Panics
    ///
    /// On a worker thread of a tokio runtime; see [`blocking`].
    #[track_caller]
    pub fn blocking_turn(&mut self) -> Result<Turn<'_, T, D>, LaneError> {
        blocking::wait(self.turn())
    }

    /// [`blocking_turn`](Ticket::blocking_turn) for `duration` at most.
    ///
    /// # Errors
    ///
    /// As `turn`, and [`LaneError::TimedOut`]; the place is kept.
    ///
    /// # Panics
    ///
    /// As `blocking_turn`.
    #[track_caller]
    pub fn blocking_turn_timeout(&mut self, duration: Duration) -> Result<Turn<'_, T, D>, LaneError> {
        by_deadline(blocking::wait_timeout(self.turn(), duration))
    }

    /// The turn, if it has come.
    ///
    /// # Errors
    ///
    /// As [`turn`](Ticket::turn), and [`LaneError::WouldBlock`].
    pub fn try_turn(&mut self) -> Result<Turn<'_, T, D>, LaneError> {
        HeldTurn::begin(self)
    }

    async fn wait_for_turn(&self) -> Result<(), LaneError> {
        let mut waits = false;
        while let Some(event) = self.lane.awaits_turn(self.seq)? {
            waits = true;
            event.wait().await;
        }
        self.lane.lock().state.counters.turn(waits);
        Ok(())
    }

    /// Hands the result in and goes on: whoever completes the head commits it, and that may be this call. Never waits.
    ///
    /// # Errors
    ///
    /// [`LaneError::Poisoned`] or [`Cancelled`](LaneError::Cancelled): it will never be committed, and is dropped.
    ///
    /// # Panics
    ///
    /// Only if the committer does, in this call; the number fails then.
    pub fn deposit(mut self, result: D) -> Result<(), LaneError> {
        self.lane.inner.stations.pass_over(self.seq);
        let mut locked = self.lane.lock();
        if let Some(refusal) = locked.state.refusal(self.seq) {
            drop(locked);
            return Err(refusal);
        }
        let Some(slot) = locked.state.slot(self.seq) else { return Err(LaneError::Passed) };
        slot.stand = Stand::Deposited(result);
        self.over = true;
        if locked.state.head == self.seq {
            self.lane.settle(locked, After::default());
        }
        Ok(())
    }

    /// The number ends without a result and everybody knows: it is passed over, whatever the policy.
    pub fn skip(mut self) {
        self.lose(OnFailure::Skip, || Arc::new(Lost::Abandoned));
    }

    /// The number fails, and this is why. Everything below is committed, nothing above ever is; under [`OnFailure::Stop`] the lane
    /// stops here.
    pub fn fail(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) {
        self.fail_now(cause.into());
    }

    pub(super) fn fail_now(&mut self, cause: Box<dyn Error + Send + Sync>) {
        let policy = match self.lane.policy() {
            policy @ (OnFailure::Stop | OnFailure::UntilSync) => policy,
            _ => OnFailure::Poison,
        };
        self.lose(policy, || Cause::from(cause));
    }

    /// Accepts that numbers right before this one were lost, after [`LaneError::Gap`].
    pub fn accept_gap(&mut self) {
        let mut locked = self.lane.lock();
        if locked.state.head == self.seq {
            locked.state.gap_accepted = true;
        }
    }

    /// Turns it into its bare number, to travel through what carries only numbers; [`Lane::ticket_of`] makes it a ticket again.
    /// One that never comes back stops the lane, and the stall report says so.
    #[must_use]
    pub fn into_token(mut self) -> u64 {
        if let Some(slot) = self.lane.lock().state.slot(self.seq) {
            slot.stand = Stand::Token;
        }
        self.over = true;
        self.seq
    }

    pub(super) fn lose(&mut self, policy: OnFailure, cause: impl FnOnce() -> Cause) {
        if mem::replace(&mut self.over, true) {
            return;
        }
        let mut after = After::default();
        let mut locked = self.lane.lock();
        locked.state.lose(self.seq, policy, cause, &mut after);
        self.lane.settle(locked, after);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Its number was committed by a turn.
    pub(super) fn committed(&mut self) {
        self.over = true;
    }
}

impl<T, D> Lane<T, D> {
    fn policy(&self) -> OnFailure {
        self.lock().state.on_failure
    }
}

impl<T, D> Drop for Ticket<T, D> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let (on_failure, on_panic) = {
            let locked = self.lane.lock();
            (locked.state.on_failure, locked.state.on_panic)
        };
        if std::thread::panicking() {
            self.lose(on_panic, || Arc::new(Lost::Panicked));
        } else {
            self.lose(self.on_failure.unwrap_or(on_failure), || Arc::new(Lost::Abandoned));
        }
    }
}

impl<T, D> fmt::Debug for Ticket<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("seq", &self.seq).finish_non_exhaustive()
    }
}
