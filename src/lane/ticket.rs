//! The right to one number.

use super::losses::Why;
use super::state::{Holder, Stand};
use super::turn::{Asked, HeldTurn, Turn};
use super::{After, Lane, OnFailure, TakeTurn, by_deadline};
use crate::{Cause, LaneError, Lost, ManualResetEvent, blocking};
use std::sync::Arc;
use std::{error::Error, fmt, mem, time::Duration};

/// The right to one number of a [`Lane`].
///
/// A wait for its turn may be dropped at any time, by a time-out or a `select!`; the ticket keeps its place. Dropping the ticket
/// gives the place up, and [`OnFailure`] says what that means.
///
/// # Examples
///
/// ```
/// use batons::{LaneError, lane::Lane};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), LaneError> {
/// let lane = Lane::new((), 4);
/// let (mut first, mut second) = (lane.ticket().await?, lane.ticket().await?);
/// assert!(tokio::time::timeout(Duration::from_secs(1), second.turn()).await.is_err());
/// drop(first.turn().await?);
/// assert_eq!(second.turn().await?.seq(), 1); // its place was kept
/// # Ok(())
/// # }
/// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// assert_eq!(Lane::new((), 4).try_ticket()?.seq(), 0);
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Its lane.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let ticket = Lane::new((), 4).try_ticket()?;
    /// assert_eq!(ticket.lane().frontier(), ticket.seq());
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[must_use]
    pub fn lane(&self) -> &Lane<T, D> {
        &self.lane
    }

    /// Names it in stall reports and failures.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane = Lane::new((), 4);
    /// drop(lane.try_ticket()?.label("GET /"));
    /// let failure = lane.failure().expect("a ticket was dropped");
    /// assert_eq!(failure.to_string(), "number 0 failed (\"GET /\"): its ticket was dropped unused");
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    pub fn label(self, label: impl Into<Arc<str>>) -> Self {
        let label = label.into();
        if let Some(slot) = self.lane.lock().state.slot(self.seq) {
            slot.label = Some(label);
        }
        self
    }

    /// What its loss means, other than for the rest of the lane.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::{Lane, OnFailure};
    /// let lane = Lane::new((), 4); // a loss poisons it
    /// drop(lane.try_ticket()?.on_failure(OnFailure::Skip));
    /// assert_eq!(lane.frontier(), 1);
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    pub fn on_failure(mut self, policy: OnFailure) -> Self {
        self.on_failure = Some(policy);
        self
    }

    /// An event that is set for good as soon as the turn has come, or never will: a member for
    /// [`wait_any`](crate::wait_any) and [`wait_all`](crate::wait_all). [`try_turn`](Ticket::try_turn) does not wait then,
    /// since nobody else can have the number; only a [look](Lane::with_value) at the value may come in between.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::{ManualResetEvent, lane::Lane, wait_any};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::LaneError> {
    /// let (lane, stop) = (Lane::new((), 4), ManualResetEvent::new(false));
    /// let mut ticket = lane.ticket().await?;
    /// let ready = ticket.ready();
    /// let (which, ()) = wait_any([stop.wait(), ready.wait()]).await.expect("neither can be refused");
    /// assert_eq!(which, 1);
    /// drop(ticket.try_turn()?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn ready(&self) -> ManualResetEvent {
        self.lane.ready(self.seq)
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
    /// [`Passed`](LaneError::Passed) after a turn or when the number is [overdue](Lane::head_deadline).
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::LaneError> {
    /// let lane = Lane::new(String::new(), 4);
    /// let mut ticket = lane.ticket().await?;
    /// let result = "computed before the turn, while others compute";
    /// ticket.turn().await?.push_str(result);
    /// # Ok(())
    /// # }
    /// ```
    pub fn turn(&mut self) -> TakeTurn<&mut Self, T, D> {
        TakeTurn::new(self)
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
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::LaneError> {
    /// let lane = Lane::new(Vec::new(), 4);
    /// let mut turn = lane.ticket().await?.turn_owned().await?;
    /// let writer = tokio::task::spawn_blocking(move || turn.push(1)); // the turn goes there
    /// writer.await.unwrap();
    /// assert_eq!(lane.frontier(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn turn_owned(self) -> TakeTurn<Self, T, D> {
        TakeTurn::new(self)
    }

    /// [`turn`](Ticket::turn) for a thread.
    ///
    /// # Errors
    ///
    /// As `turn`.
    ///
    /// # Panics
    ///
    /// With feature `tokio`, on a worker thread of a tokio runtime; see [`blocking`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane = Lane::new(Vec::new(), 4);
    /// let (mut first, mut second) = (lane.try_ticket()?, lane.try_ticket()?);
    /// let thread = std::thread::spawn(move || second.blocking_turn().map(|mut turn| turn.push(2)));
    /// first.blocking_turn()?.push(1);
    /// thread.join().unwrap()?;
    /// assert_eq!(lane.with_value(|numbers| numbers.clone()), [1, 2]);
    /// # Ok::<_, batons::LaneError>(())
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{LaneError, lane::Lane};
    /// use std::time::Duration;
    ///
    /// let lane = Lane::new((), 4);
    /// let (_first, mut second) = (lane.try_ticket()?, lane.try_ticket()?);
    /// let waited = second.blocking_turn_timeout(Duration::from_millis(1));
    /// assert!(matches!(waited, Err(LaneError::TimedOut)));
    /// # Ok::<_, LaneError>(())
    /// ```
    #[track_caller]
    pub fn blocking_turn_timeout(&mut self, duration: Duration) -> Result<Turn<'_, T, D>, LaneError> {
        by_deadline(blocking::wait_timeout(self.turn(), duration))
    }

    /// The turn, if it has come.
    ///
    /// # Errors
    ///
    /// As [`turn`](Ticket::turn), and [`LaneError::WouldBlock`].
    ///
    /// # Examples
    ///
    /// See [`Lane::ticket_at`].
    pub fn try_turn(&mut self) -> Result<Turn<'_, T, D>, LaneError> {
        match self.ask(None)? {
            Asked::Turn(owned, gap) => Ok(HeldTurn::begin(self, owned, gap)),
            Asked::Wait(_) => Err(LaneError::WouldBlock),
        }
    }

    /// Asks for the turn, unless it had it.
    pub(super) fn ask(&self, waits: Option<&mut bool>) -> Result<Asked<T, D>, LaneError> {
        if self.over {
            return Err(self.lane.lock().state.refusal(self.seq).unwrap_or(LaneError::Passed));
        }
        self.lane.ask(self.seq, waits)
    }

    /// Hands the result in and goes on: whoever completes the head commits it, and that may be this call. Never waits.
    ///
    /// # Errors
    ///
    /// [`LaneError::Poisoned`] or [`Cancelled`](LaneError::Cancelled): it will never be committed, and is dropped.
    /// [`Passed`](LaneError::Passed) after a turn, or when the number is [overdue](Lane::head_deadline).
    ///
    /// # Panics
    ///
    /// Only if the committer does, in this call, or a waker; a number whose commit panics fails.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane = Lane::builder().committer(String::new(), |text, run| {
    ///     text.extend(run);
    ///     Ok(())
    /// });
    /// let (first, second) = (lane.try_ticket()?, lane.try_ticket()?);
    /// second.deposit("order")?; // kept
    /// first.deposit("in ")?; // commits both
    /// assert_eq!(lane.with_value(|text| text.clone()), "in order");
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    pub fn deposit(mut self, result: D) -> Result<(), LaneError> {
        let mut locked = self.lane.lock();
        if let Some(refusal) = locked.state.refusal(self.seq) {
            return Err(refusal);
        }
        let state = &mut locked.state;
        let now = state.now();
        let (is_head, nobody) = (state.head == self.seq, state.holder == Holder::Nobody);
        let slot = state.slot(self.seq).filter(|_| !self.over);
        let Some(slot) = slot else { return Err(LaneError::Passed) };
        self.over = true;
        let after = || After { over: Some(self.seq), ..After::default() };
        if is_head && nobody && self.lane.inner.commits {
            // Straight into its run.
            let begun = self.lane.take_run(&mut locked, Some(result));
            drop(locked);
            let woken = if self.lane.inner.stations.is_empty() { None } else { self.lane.follow(after()) };
            self.lane.commit_after(begun, woken);
            return Ok(());
        }
        (slot.stand, slot.since) = (Stand::Deposited(result), now);
        if is_head {
            self.lane.settle(locked, after());
        } else {
            drop(locked);
            self.lane.inner.stations.pass_over(self.seq);
        }
        Ok(())
    }

    /// The number ends without a result and everybody knows: it is passed over, whatever the policy.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane = Lane::new((), 4);
    /// lane.try_ticket()?.skip(); // the input had ended
    /// assert_eq!((lane.frontier(), lane.failure().is_none()), (1, true));
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    pub fn skip(mut self) {
        self.lose(OnFailure::Skip, Why::Declared);
    }

    /// The number fails, and this is why. Everything below is committed, nothing above ever is; under [`OnFailure::Stop`] the lane
    /// stops here, under [`OnFailure::UntilSync`] it goes on at the next synchronization point. A failure is never passed over
    /// without a word, under no policy.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{LaneError, lane::Lane};
    /// let lane = Lane::new((), 4);
    /// let (mut first, second, mut third) = (lane.try_ticket()?, lane.try_ticket()?, lane.try_ticket()?);
    /// second.fail("no such file");
    /// assert!(first.try_turn().is_ok());
    /// let Err(LaneError::Poisoned(failure)) = third.try_turn() else { unreachable!() };
    /// assert_eq!((failure.seq(), failure.cause().to_string()), (1, "no such file".to_owned()));
    /// # Ok::<_, LaneError>(())
    /// ```
    pub fn fail(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) {
        self.fail_now(cause.into());
    }

    pub(super) fn fail_now(&mut self, cause: Box<dyn Error + Send + Sync>) {
        let cause = Cause::from(cause);
        let policy = self.lane.lock().state.failing();
        self.lose(policy, Why::Told(cause));
    }

    /// Accepts that numbers right before this one were lost, after [`LaneError::Gap`].
    ///
    /// # Examples
    ///
    /// See [`OnFailure::Tell`].
    pub fn accept_gap(&mut self) {
        let mut locked = self.lane.lock();
        if locked.state.head == self.seq {
            locked.state.gap_accepted = true;
        }
    }

    /// Turns it into its bare number, to travel through what carries only numbers; [`Lane::ticket_of`] makes it a ticket again.
    /// One that never comes back stops the lane, and the [stall report](Lane::stall) says so.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{LaneError, lane::Lane};
    /// let lane = Lane::new(Vec::new(), 4);
    /// let token: u64 = lane.try_ticket()?.into_token(); // through a foreign queue, or C
    /// lane.ticket_of(token)?.try_turn()?.push("back");
    /// assert!(matches!(lane.ticket_of(token), Err(LaneError::Passed)));
    /// # Ok::<_, LaneError>(())
    /// ```
    #[must_use]
    pub fn into_token(mut self) -> u64 {
        let mut locked = self.lane.lock();
        let now = locked.state.now();
        if let Some(slot) = locked.state.slot(self.seq).filter(|_| !self.over) {
            (slot.stand, slot.since, slot.asking) = (Stand::Token, now, 0);
        }
        drop(locked);
        self.over = true;
        self.seq
    }

    pub(super) fn lose(&mut self, policy: OnFailure, why: Why) {
        if mem::replace(&mut self.over, true) {
            return;
        }
        let mut after = After::default();
        let mut locked = self.lane.lock();
        locked.state.lose(self.seq, policy, why, &mut after);
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
            self.lose(on_panic, Why::Lost(Lost::Panicked));
        } else {
            self.lose(self.on_failure.unwrap_or(on_failure), Why::Lost(Lost::Abandoned));
        }
    }
}

impl<T, D> fmt::Debug for Ticket<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("seq", &self.seq).finish_non_exhaustive()
    }
}
