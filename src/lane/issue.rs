//! Handing out numbers.

use super::state::{After, Slot, Stand, State};
use super::{Lane, Ticket};
use crate::{AcquireError, LaneError, blocking};

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
        self.ticket_weighted(0).await
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
        match self.inner.room.try_acquire() {
            Ok(room) => {
                room.forget();
                self.issue(0, Stand::Issued)
            }
            Err(_) => Err(self.lock().state.issues().err().unwrap_or(LaneError::WouldBlock)),
        }
    }

    /// The next number for something that weighs `weight` (bytes, mostly): waits while the window or the
    /// [maximum weight](LaneBuilder::max_weight) is full. Something heavier than the maximum is admitted when it is alone.
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
        let heavy = match weight {
            0 => None,
            _ => Some(self.inner.weight.acquire_many(weight).await.map_err(|_| self.ended())?),
        };
        self.inner.room.acquire().await.map_err(|_| self.ended())?.forget();
        if let Some(heavy) = heavy {
            heavy.forget();
        }
        self.issue(weight, Stand::Issued)
    }

    /// `count` numbers in a row, at once.
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
        match self.inner.room.acquire_many(count).await {
            Ok(room) => room.forget(),
            Err(AcquireError::TooMany { max }) => return Err(LaneError::TooMany { max }),
            Err(_) => return Err(self.ended()),
        }
        let mut locked = self.lock();
        if let Err(error) = locked.state.issues() {
            drop(locked);
            let _ = self.inner.room.release(count);
            return Err(error);
        }
        for _ in 0..count {
            let seq = Self::push(&mut locked.state, 0, Stand::Issued);
            tickets.push(Ticket::new(self.clone(), seq));
        }
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
            let limit = state.head + u64::from(self.inner.room.max()) - 1;
            let missing = seq - state.next() + 1;
            // Inside the lock: two who name numbers at once must not both think that there is room.
            let room = u32::try_from(missing)
                .ok()
                .and_then(|missing| self.inner.room.try_acquire_many(missing).ok());
            room.ok_or(LaneError::TooFar { limit })?.forget();
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

    /// A new ticket for the number at which the lane [stopped](OnFailure::Stop).
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

    /// The next number as a point up to which a failure poisons, under [`OnFailure::UntilSync`]; elsewhere an ordinary
    /// ticket.
    ///
    /// # Errors
    ///
    /// As [`ticket`](Lane::ticket).
    pub async fn sync(&self) -> Result<Ticket<T, D>, LaneError> {
        self.inner.room.acquire().await.map_err(|_| self.ended())?.forget();
        let ticket = self.issue(0, Stand::Issued)?;
        let mut locked = self.lock();
        if ticket.seq() >= locked.state.head {
            locked.state.syncs.insert(ticket.seq());
        }
        self.settle(locked, After::default());
        Ok(ticket)
    }

    fn issue(&self, weight: u32, stand: Stand<D>) -> Result<Ticket<T, D>, LaneError> {
        let mut locked = self.lock();
        if let Err(error) = locked.state.issues() {
            drop(locked);
            let _ = self.inner.room.release(1);
            if weight > 0 {
                let _ = self.inner.weight.release(weight);
            }
            return Err(error);
        }
        let seq = Self::push(&mut locked.state, weight, stand);
        drop(locked);
        Ok(Ticket::new(self.clone(), seq))
    }

    fn push(state: &mut State<D>, weight: u32, stand: Stand<D>) -> u64 {
        let seq = state.next();
        let slot = Slot { weight, issued: state.now(), ..Slot::new(stand) };
        state.slots.push_back(slot);
        state.counters.issued += 1;
        state.counters.most_out = state.counters.most_out.max(state.slots.len() as u64);
        seq
    }

    fn ended(&self) -> LaneError {
        self.lock().state.issues().err().unwrap_or(LaneError::Closed)
    }
}
