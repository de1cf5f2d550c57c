//! The moment in which a ticket has what the lane owns.

use super::losses::Why;
use super::state::Holder;
use super::{After, Lane, OnFailure, Owned, Ticket};
use crate::{Cause, LaneError, Lost, ManualResetEvent};
use std::borrow::BorrowMut;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::{error::Error, fmt, mem, ops::Deref, ops::DerefMut};

/// A turn that borrows its ticket.
///
/// # Examples
///
/// See [`Ticket::turn`].
pub type Turn<'a, T, D = ()> = HeldTurn<&'a mut Ticket<T, D>, T, D>;

/// A turn that has its ticket with it.
///
/// # Examples
///
/// See [`Ticket::turn_owned`].
pub type OwnedTurn<T, D = ()> = HeldTurn<Ticket<T, D>, T, D>;

/// The turn of a number: derefs to what the lane owns. Dropping it commits the number and hands the turn on. Used by its
/// names [`Turn`] and [`OwnedTurn`].
///
/// If the holder panics the number is lost, as [`LaneBuilder::on_panic`](super::LaneBuilder::on_panic) says.
///
/// # Examples
///
/// See [`Ticket::turn`].
#[must_use = "a turn that is dropped is over"]
#[clippy::has_significant_drop]
pub struct HeldTurn<B: BorrowMut<Ticket<T, D>>, T, D> {
    ticket: B,
    /// Absent once it was handed on.
    owned: Option<Box<Owned<T, D>>>,
    gap: u64,
    deposits: PhantomData<fn(D)>,
}

impl<B: BorrowMut<Ticket<T, D>>, T, D> HeldTurn<B, T, D> {
    /// The turn of `ticket`, which it got from its lane.
    pub(super) fn begin(mut ticket: B, owned: Box<Owned<T, D>>, gap: u64) -> Self {
        ticket.borrow_mut().committed();
        let turn = Self { ticket, owned: Some(owned), gap, deposits: PhantomData };
        turn.lane().inner.stations.pass_over(turn.seq());
        turn
    }

    /// Its number.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane = Lane::new((), 4);
    /// assert_eq!(lane.try_ticket()?.try_turn()?.seq(), 0);
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.ticket.borrow().seq()
    }

    /// How many numbers right before it were lost.
    ///
    /// # Examples
    ///
    /// See [`OnFailure::Skip`].
    #[must_use]
    pub fn gap(&self) -> u64 {
        self.gap
    }

    /// How many numbers right behind it are waiting for their turns or deposited. 0: nobody will go on at once,
    /// so this is the time to flush.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane = Lane::new(Vec::<u8>::new(), 4);
    /// let (mut first, mut second) = (lane.try_ticket()?, lane.try_ticket()?);
    /// let mut waits = tokio_test::task::spawn(second.turn());
    /// assert!(waits.poll().is_pending());
    /// let turn = first.try_turn()?;
    /// assert_eq!(turn.ready_behind(), 1); // it will flush
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[must_use]
    pub fn ready_behind(&self) -> usize {
        let locked = self.lane().lock();
        locked.state.slots.iter().skip(1).take_while(|slot| slot.is_waiting()).count()
    }

    /// Commits the number, hands the turn on, and lets others run.
    ///
    /// A worker of tokio runs next whom it woke last, and nobody else can: whoever computes after it has handed its turn on
    /// keeps the next one from it. This yields once.
    ///
    /// # Cancel safety
    ///
    /// The turn is handed on at the first poll; dropped before that it is handed on as well.
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
    /// let lane = Lane::new(0, 4);
    /// let mut ticket = lane.ticket().await?;
    /// let mut turn = ticket.turn().await?;
    /// *turn += 1;
    /// turn.pass().await;
    /// assert_eq!(lane.frontier(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn pass(self) -> PassTurn<Self> {
        PassTurn::new(self)
    }

    /// The number fails, and this is why; what was done to the value stays done. What it means for the others is as for
    /// [`Ticket::fail`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{LaneError, lane::Lane};
    /// let lane = Lane::new(0, 4);
    /// let (mut first, mut second) = (lane.try_ticket()?, lane.try_ticket()?);
    /// first.try_turn()?.fail("disk full");
    /// let Err(LaneError::Poisoned(failure)) = second.try_turn() else { unreachable!() };
    /// assert_eq!(failure.to_string(), "number 0 failed: disk full");
    /// # Ok::<_, LaneError>(())
    /// ```
    pub fn fail(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) {
        let cause = Cause::from(cause.into());
        let policy = self.lane().lock().state.failing();
        self.end(Some((policy, Why::Told(cause))));
    }

    fn lane(&self) -> &Lane<T, D> {
        self.ticket.borrow().lane()
    }

    fn end(&mut self, lost: Option<(OnFailure, Why)>) {
        if let Some(owned) = self.owned.take() {
            let seq = self.seq();
            self.lane().end_turn(seq, owned, lost);
        }
    }
}

impl<B: BorrowMut<Ticket<T, D>>, T, D> Deref for HeldTurn<B, T, D> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.owned.as_ref().expect("it was not handed on").value
    }
}

impl<B: BorrowMut<Ticket<T, D>>, T, D> DerefMut for HeldTurn<B, T, D> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.owned.as_mut().expect("it was not handed on").value
    }
}

impl<B: BorrowMut<Ticket<T, D>>, T, D> Drop for HeldTurn<B, T, D> {
    fn drop(&mut self) {
        let lost = std::thread::panicking().then(|| {
            let policy = self.lane().lock().state.on_panic;
            (policy, Why::Lost(Lost::Panicked))
        });
        self.end(lost);
    }
}

impl<B: BorrowMut<Ticket<T, D>>, T: fmt::Debug, D> fmt::Debug for HeldTurn<B, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("seq", &self.seq()).field("value", &**self).finish()
    }
}

// ===== future =====

/// Future of `pass`: hands a turn on, and lets others run. Of [`Turn`]s, and of those at [stations](super::Station) and of
/// [keys](super::Keyed).
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct PassTurn<G> {
    /// Leaves at the first poll.
    turn: Option<G>,
    over: bool,
}

impl<G> PassTurn<G> {
    pub(super) fn new(turn: G) -> Self {
        Self { turn: Some(turn), over: false }
    }
}

// Nothing in here is ever pinned.
impl<G> Unpin for PassTurn<G> {}

impl<G> Future for PassTurn<G> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(turn) = self.turn.take() {
            drop(turn);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        assert!(!mem::replace(&mut self.over, true), "`PassTurn` polled after completion");
        Poll::Ready(())
    }
}

impl<G: fmt::Debug> fmt::Debug for PassTurn<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassTurn").field("turn", &self.turn).field("over", &self.over).finish()
    }
}

#[cfg(feature = "futures")]
impl<G> futures::future::FusedFuture for PassTurn<G> {
    fn is_terminated(&self) -> bool {
        self.over
    }
}

// ===== in the lane =====

/// What whoever asks for a turn gets.
pub(super) enum Asked<T, D> {
    /// It has come; so many right before it were lost.
    Turn(Box<Owned<T, D>>, u64),
    /// Ask again when this is set.
    Wait(ManualResetEvent),
}

impl<T, D> Lane<T, D> {
    /// Asks for the turn of `seq`. `waits` keeps whether it is counted among those who wait for it; without, it is not.
    pub(super) fn ask(&self, seq: u64, waits: Option<&mut bool>) -> Result<Asked<T, D>, LaneError> {
        let mut guard = self.lock();
        let locked = &mut *guard;
        let state = &mut locked.state;
        if let Some(refusal) = state.refusal(seq) {
            return Err(refusal);
        }
        if state.head != seq || state.holder != Holder::Nobody {
            let now = state.now();
            let Some(slot) = state.slot(seq) else { return Err(LaneError::Passed) };
            let waits = waits.ok_or(LaneError::WouldBlock)?;
            if !mem::replace(waits, true) {
                (slot.asking, slot.since) = (slot.asking + 1, now);
            }
            return Ok(Asked::Wait(slot.event()));
        }
        if state.on_failure == OnFailure::Tell && state.gap > 0 && !state.gap_accepted {
            return Err(LaneError::Gap { lost: state.gap });
        }
        let waited = waits.is_some_and(mem::take);
        state.hold(Holder::Turn);
        state.counters.turn(waited);
        if let (Some(times), Some(now)) = (&mut state.times, state.held_since) {
            let since = state.slots.front().and_then(|slot| slot.since).filter(|_| waited).unwrap_or(now);
            times.wait.note(now.saturating_duration_since(since));
        }
        let owned = locked.owned.take().expect("it is there while nobody has the turn");
        Ok(Asked::Turn(owned, state.gap))
    }

    /// What is set when the turn of `seq` has come, or never will.
    pub(super) fn ready(&self, seq: u64) -> ManualResetEvent {
        let mut locked = self.lock();
        let state = &mut locked.state;
        let come = state.refusal(seq).is_some() || state.head == seq && state.holder == Holder::Nobody;
        let now = state.now();
        match state.slot(seq) {
            Some(slot) if !come => {
                (slot.asking, slot.since) = (slot.asking + 1, now);
                slot.event()
            }
            Some(slot) => {
                slot.asking += 1;
                ManualResetEvent::new(true)
            }
            None => ManualResetEvent::new(true),
        }
    }

    /// Whoever waited for the turn of `seq` waits no more.
    pub(super) fn ask_no_more(&self, seq: u64) {
        let mut locked = self.lock();
        let now = locked.state.now();
        if let Some(slot) = locked.state.slot(seq) {
            (slot.asking, slot.since) = (slot.asking.saturating_sub(1), now);
        }
    }

    /// Gives back what a turn had, and commits the number or loses it.
    pub(super) fn end_turn(&self, seq: u64, owned: Box<Owned<T, D>>, lost: Option<(OnFailure, Why)>) {
        let mut after = After::default();
        let committed = lost.is_none();
        let mut locked = self.lock();
        locked.owned = Some(owned);
        let state = &mut locked.state;
        state.let_go();
        match lost {
            None => {
                state.counters.committed += 1;
                state.pass(0, &mut after);
            }
            Some((policy, why)) => state.lose(seq, policy, why, &mut after),
        }
        if committed {
            after.notes.committed(seq, 1);
        }
        self.settle(locked, after);
    }
}

/// Calls `look` with the value while nobody has the turn.
pub(super) fn borrow_value<T, D, R>(lane: &Lane<T, D>, look: impl FnOnce(&mut T) -> R) -> R {
    let mut borrowed = loop {
        let event = {
            let mut locked = lane.lock();
            if let Some(owned) = locked.owned.take() {
                locked.state.hold(Holder::Look);
                break Borrowed { lane, owned: Some(owned) };
            }
            let event = ManualResetEvent::new(false);
            locked.state.lookers.push(event.clone());
            event
        };
        event.blocking_wait();
    };
    look(&mut borrowed.owned.as_mut().expect("it was just taken").value)
}

/// Gives the value back, also if the look panics.
struct Borrowed<'a, T, D> {
    lane: &'a Lane<T, D>,
    owned: Option<Box<Owned<T, D>>>,
}

impl<T, D> Drop for Borrowed<'_, T, D> {
    fn drop(&mut self) {
        let mut locked = self.lane.lock();
        locked.owned = self.owned.take();
        locked.state.let_go();
        self.lane.settle(locked, After::default());
    }
}
