//! The moment in which a ticket has what the lane owns.

use super::state::{Holder, Stand};
use super::{After, Lane, OnFailure, Owned, Ticket};
use crate::{Cause, LaneError, Lost, ManualResetEvent};
use std::borrow::BorrowMut;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::Poll;
use std::{error::Error, fmt, future, ops::Deref, ops::DerefMut};

/// A turn that borrows its ticket.
pub type Turn<'a, T, D = ()> = HeldTurn<&'a mut Ticket<T, D>, T, D>;

/// A turn that has its ticket with it.
pub type OwnedTurn<T, D = ()> = HeldTurn<Ticket<T, D>, T, D>;

/// The turn of a number: derefs to what the lane owns. Dropping it commits the number and hands the turn on. Used by its
/// names [`Turn`] and [`OwnedTurn`].
///
/// If the holder panics the number is lost, as [`LaneBuilder::on_panic`](super::LaneBuilder::on_panic) says.
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
    /// The turn of `ticket`, if it has come.
    pub(super) fn begin(mut ticket: B) -> Result<Self, LaneError> {
        let (seq, lane) = (ticket.borrow().seq(), ticket.borrow().lane().clone());
        let (owned, gap) = lane.begin_turn(seq)?;
        ticket.borrow_mut().committed();
        Ok(Self { ticket, owned: Some(owned), gap, deposits: PhantomData })
    }

    /// Its number.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.ticket.borrow().seq()
    }

    /// How many numbers right before it were lost.
    #[must_use]
    pub fn gap(&self) -> u64 {
        self.gap
    }

    /// How many numbers right behind it are waiting for their turns or deposited. 0: nobody will go on at once,
    /// so this is the time to flush.
    #[must_use]
    pub fn ready_behind(&self) -> usize {
        let locked = self.lane().lock();
        let ready = |slot: &super::Slot<D>| matches!(slot.stand, Stand::Deposited(_)) || slot.ready.is_some();
        locked.state.slots.iter().skip(1).take_while(|slot| ready(slot)).count()
    }

    /// Commits the number, hands the turn on, and lets others run.
    ///
    /// A worker of tokio runs next whom it woke last, and nobody else can: whoever computes after it has handed its turn on
    /// keeps the next one from it. This yields once.
    ///
    /// # Cancel safety
    ///
    /// The turn is handed on at the first poll; dropped before that it is handed on as well.
    pub async fn pass(self) {
        drop(self);
        yield_once().await;
    }

    /// The number fails, and this is why; what was done to the value stays done.
    pub fn fail(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) {
        let policy = self.lane().lock().state.on_failure;
        let policy = match policy {
            OnFailure::Stop | OnFailure::UntilSync => policy,
            _ => OnFailure::Poison,
        };
        self.end(Some((policy, Cause::from(cause.into()))));
    }

    fn lane(&self) -> &Lane<T, D> {
        self.ticket.borrow().lane()
    }

    fn end(&mut self, lost: Option<(OnFailure, Cause)>) {
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
            (policy, Arc::new(Lost::Panicked) as Cause)
        });
        self.end(lost);
    }
}

impl<B: BorrowMut<Ticket<T, D>>, T: fmt::Debug, D> fmt::Debug for HeldTurn<B, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("seq", &self.seq()).field("value", &**self).finish()
    }
}

/// Lets whatever else is ready run, once.
pub(super) async fn yield_once() {
    let mut yielded = false;
    future::poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl<T, D> Lane<T, D> {
    /// Whether the turn of `seq` has come; if not, what to wait for.
    pub(super) fn awaits_turn(&self, seq: u64) -> Result<Option<ManualResetEvent>, LaneError> {
        let mut locked = self.lock();
        let state = &mut locked.state;
        if let Some(refusal) = state.refusal(seq) {
            return Err(refusal);
        }
        if state.head == seq && state.holder == Holder::Nobody {
            return Ok(None);
        }
        let Some(slot) = state.slot(seq) else { return Err(LaneError::Passed) };
        Ok(Some(slot.ready.get_or_insert_with(|| ManualResetEvent::new(false)).clone()))
    }

    fn begin_turn(&self, seq: u64) -> Result<(Box<Owned<T, D>>, u64), LaneError> {
        let mut locked = self.lock();
        let state = &mut locked.state;
        if let Some(refusal) = state.refusal(seq) {
            return Err(refusal);
        }
        if state.head != seq || state.holder != Holder::Nobody {
            return Err(LaneError::WouldBlock);
        }
        if state.on_failure == OnFailure::Tell && state.gap > 0 && !state.gap_accepted {
            return Err(LaneError::Gap { lost: state.gap });
        }
        let gap = state.gap;
        state.holder = Holder::Turn;
        let owned = locked.owned.take().expect("it is there while nobody has the turn");
        Ok((owned, gap))
    }

    /// Gives back what a turn had, and commits the number or loses it.
    fn end_turn(&self, seq: u64, owned: Box<Owned<T, D>>, lost: Option<(OnFailure, Cause)>) {
        let mut after = After::default();
        let mut locked = self.lock();
        locked.owned = Some(owned);
        let state = &mut locked.state;
        state.holder = Holder::Nobody;
        match lost {
            None => {
                state.counters.committed += 1;
                state.pass(0, &mut after);
            }
            Some((policy, cause)) => state.lose(seq, policy, || cause, &mut after),
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
                locked.state.holder = Holder::Turn;
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
        locked.state.holder = Holder::Nobody;
        self.lane.settle(locked, After::default());
    }
}
