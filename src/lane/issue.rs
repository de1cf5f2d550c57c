//! Handing out numbers, no more than the window has room for.
//!
//! Room is counted under the lane's lock as long as nobody waits for it, so that a ticket costs one lock. From the moment at which
//! somebody waits all room goes to the semaphore, which serves whoever waits in order.

use super::{After, Lane, Slot, Stand, State, Ticket};
use crate::{LaneError, blocking};

/// Somebody who waits for room, counted as such as long as this lives.
struct Queued<'a, T, D>(&'a Lane<T, D>);

impl<T, D> Drop for Queued<'_, T, D> {
    fn drop(&mut self) {
        self.0.lock().state.queued -= 1;
    }
}

impl<T, D> Lane<T, D> {
    /// The next number, in the order of the calls. Waits while the window is full.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it is ready no number was issued.
    ///
    /// # Errors
    ///
    /// [`LaneError::Poisoned`], [`Closed`](LaneError::Closed) or [`Cancelled`](LaneError::Cancelled).
    pub async fn ticket(&self) -> Result<Ticket<T, D>, LaneError> {
        match self.issue_or_queue(0)? {
            Ok(ticket) => Ok(ticket),
            Err(queued) => self.issue_queued(queued, 0).await,
        }
    }

    /// [`ticket`](Lane::ticket) for a thread.
    ///
    /// # Errors
    ///
    /// As `ticket`.
    ///
    /// # Panics
    ///
    /// On a worker thread of a tokio runtime; see [`blocking`].
    #[track_caller]
    pub fn blocking_ticket(&self) -> Result<Ticket<T, D>, LaneError> {
        blocking::wait(self.ticket())
    }

    /// [`ticket`](Lane::ticket) if there is room at this moment and nobody waits for it.
    ///
    /// # Errors
    ///
    /// As `ticket`, and [`LaneError::WouldBlock`].
    pub fn try_ticket(&self) -> Result<Ticket<T, D>, LaneError> {
        let mut locked = self.lock();
        locked.state.issues()?;
        // What the semaphore has is left from those who waited.
        if !locked.state.take_room(1) && !self.room_of_queue(1) {
            return Err(LaneError::WouldBlock);
        }
        let seq = Self::push(&mut locked.state, 0, Stand::Issued);
        drop(locked);
        Ok(Ticket::new(self.clone(), seq))
    }

    /// The next number for something that weighs `weight` (bytes, mostly): waits while the window or the
    /// [maximum weight](super::LaneBuilder::max_weight) is full. Something heavier than the maximum is admitted when it is alone.
    ///
    /// # Cancel safety
    ///
    /// As [`ticket`](Lane::ticket).
    ///
    /// # Errors
    ///
    /// As `ticket`.
    pub async fn ticket_weighted(&self, weight: u32) -> Result<Ticket<T, D>, LaneError> {
        let weight = weight.min(self.inner.weight.max());
        if weight == 0 {
            return self.ticket().await;
        }
        let heavy = self.inner.weight.acquire_many(weight).await.map_err(|_| self.ended())?;
        let ticket = match self.issue_or_queue(weight)? {
            Ok(ticket) => ticket,
            Err(queued) => self.issue_queued(queued, weight).await?,
        };
        // The number gives it back when it passes.
        heavy.forget();
        Ok(ticket)
    }

    /// `count` numbers in a row, at once. If the window is made smaller than that meanwhile, waits until it is larger again.
    ///
    /// # Cancel safety
    ///
    /// As [`ticket`](Lane::ticket): all or none.
    ///
    /// # Errors
    ///
    /// As `ticket`, and [`LaneError::TooMany`] if the window is smaller.
    pub async fn tickets(&self, count: u32) -> Result<Vec<Ticket<T, D>>, LaneError> {
        let mut tickets = Vec::with_capacity(count as usize);
        if count == 0 {
            return Ok(tickets);
        }
        let queued = {
            let mut locked = self.lock();
            locked.state.issues()?;
            if count > locked.state.window {
                return Err(LaneError::TooMany { max: locked.state.window });
            }
            if locked.state.take_room(count) {
                self.push_many(&mut locked.state, count, &mut tickets);
                return Ok(tickets);
            }
            let mut after = After::default();
            locked.state.queue(&mut after);
            drop(locked);
            self.follow(after);
            Queued(self)
        };
        self.inner.room.acquire_many(count).await.map_err(|_| self.ended())?.forget();
        drop(queued);
        let mut locked = self.lock();
        if let Err(error) = locked.state.issues() {
            drop(locked);
            let _ = self.inner.room.release(count);
            return Err(error);
        }
        self.push_many(&mut locked.state, count, &mut tickets);
        Ok(tickets)
    }

    /// The number `seq`, which the caller names. Numbers in between stay free to be named.
    ///
    /// # Errors
    ///
    /// [`Duplicate`](LaneError::Duplicate), [`Passed`](LaneError::Passed) and [`TooFar`](LaneError::TooFar), never a silent wait; and as [`ticket`](Lane::ticket).
    pub fn ticket_at(&self, seq: u64) -> Result<Ticket<T, D>, LaneError> {
        let mut locked = self.lock();
        let state = &mut locked.state;
        state.issues()?;
        if seq < state.head {
            return Err(LaneError::Passed);
        }
        if let Some(slot) = state.slot(seq) {
            if !matches!(slot.stand, Stand::Vacant) {
                return Err(LaneError::Duplicate);
            }
            slot.stand = Stand::Issued;
            state.counters.issued += 1;
        } else {
            let limit = state.head + u64::from(state.window) - 1;
            let missing = u32::try_from(seq - state.next() + 1).map_err(|_| LaneError::TooFar { limit })?;
            // Inside the lock: two who name numbers at once must not both think that there is room.
            let spare = missing.min(state.spare);
            if missing > spare && !self.room_of_queue(missing - spare) {
                return Err(LaneError::TooFar { limit });
            }
            state.spare -= spare;
            for _ in 1..missing {
                state.slots.push_back(Slot::new(Stand::Vacant));
            }
            Self::push(state, 0, Stand::Issued);
        }
        drop(locked);
        Ok(Ticket::new(self.clone(), seq))
    }

    /// The ticket that went away as a bare number by [`Ticket::into_token`].
    ///
    /// # Errors
    ///
    /// [`LaneError::Passed`] or [`Duplicate`](LaneError::Duplicate) if `seq` is not such a number.
    pub fn ticket_of(&self, seq: u64) -> Result<Ticket<T, D>, LaneError> {
        self.revive(seq, |stand| matches!(stand, Stand::Token))
    }

    /// A new ticket for the number at which the lane [stopped](super::OnFailure::Stop).
    ///
    /// # Errors
    ///
    /// [`LaneError::Passed`] or [`Duplicate`](LaneError::Duplicate) if the lane did not stop there.
    pub fn repair(&self, seq: u64) -> Result<Ticket<T, D>, LaneError> {
        self.revive(seq, |stand| matches!(stand, Stand::Stopped))
    }

    fn revive(&self, seq: u64, was: impl FnOnce(&Stand<D>) -> bool) -> Result<Ticket<T, D>, LaneError> {
        let mut locked = self.lock();
        let Some(slot) = locked.state.slot(seq) else { return Err(LaneError::Passed) };
        if !was(&slot.stand) {
            return Err(LaneError::Duplicate);
        }
        slot.stand = Stand::Issued;
        drop(locked);
        Ok(Ticket::new(self.clone(), seq))
    }

    /// The next number as a point up to which a failure poisons, under [`OnFailure::UntilSync`](super::OnFailure::UntilSync);
    /// elsewhere an ordinary ticket.
    ///
    /// # Errors
    ///
    /// As [`ticket`](Lane::ticket).
    pub async fn sync(&self) -> Result<Ticket<T, D>, LaneError> {
        let ticket = self.ticket().await?;
        let mut locked = self.lock();
        if ticket.seq() >= locked.state.head {
            locked.state.syncs.insert(ticket.seq());
        }
        self.inner.stations.sync(ticket.seq());
        self.settle(locked, After::default());
        Ok(ticket)
    }

    /// The next number, or the obligation to wait for room.
    #[allow(clippy::type_complexity, reason = "two answers and a refusal")]
    fn issue_or_queue(&self, weight: u32) -> Result<Result<Ticket<T, D>, Queued<'_, T, D>>, LaneError> {
        let mut locked = self.lock();
        locked.state.issues()?;
        if locked.state.take_room(1) {
            let seq = Self::push(&mut locked.state, weight, Stand::Issued);
            drop(locked);
            return Ok(Ok(Ticket::new(self.clone(), seq)));
        }
        let mut after = After::default();
        locked.state.queue(&mut after);
        drop(locked);
        self.follow(after);
        Ok(Err(Queued(self)))
    }

    async fn issue_queued(&self, queued: Queued<'_, T, D>, weight: u32) -> Result<Ticket<T, D>, LaneError> {
        self.inner.room.acquire().await.map_err(|_| self.ended())?.forget();
        drop(queued);
        let mut locked = self.lock();
        if let Err(error) = locked.state.issues() {
            drop(locked);
            let _ = self.inner.room.release(1);
            return Err(error);
        }
        let seq = Self::push(&mut locked.state, weight, Stand::Issued);
        drop(locked);
        Ok(Ticket::new(self.clone(), seq))
    }

    /// Takes room that went to those who wait and that none of them took.
    fn room_of_queue(&self, count: u32) -> bool {
        self.inner.room.try_acquire_many(count).map(crate::Permit::forget).is_ok()
    }

    fn push_many(&self, state: &mut State<D>, count: u32, tickets: &mut Vec<Ticket<T, D>>) {
        for _ in 0..count {
            let seq = Self::push(state, 0, Stand::Issued);
            tickets.push(Ticket::new(self.clone(), seq));
        }
    }

    fn push(state: &mut State<D>, weight: u32, stand: Stand<D>) -> u64 {
        let seq = state.next();
        let slot = Slot { weight, ..Slot::new(stand) };
        state.slots.push_back(slot);
        state.counters.issued += 1;
        state.counters.most_out = state.counters.most_out.max(state.slots.len() as u64);
        seq
    }

    fn ended(&self) -> LaneError {
        self.lock().state.issues().err().unwrap_or(LaneError::Closed)
    }
}
