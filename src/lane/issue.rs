//! Handing out numbers.

use super::state::{After, Stand, State};
use super::{Lane, Locked, NextTicket, NextTickets, OnFailure, Ticket, trace};
use crate::{LaneError, blocking};
use std::sync::MutexGuard;

type Answer<T, D> = Result<Ticket<T, D>, LaneError>;

impl<T, D> Lane<T, D> {
    /// The next number, in the order of the calls' first polls. Waits while the window is full.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it is ready no number was issued.
    ///
    /// # Errors
    ///
    /// [`LaneError::Poisoned`], [`Closed`](LaneError::Closed) or [`Cancelled`](LaneError::Cancelled).
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::lane::Lane;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::LaneError> {
    /// let lane = Lane::new((), 1);
    /// let mut first = lane.ticket().await?;
    /// let second = tokio::spawn({
    ///     let lane = lane.clone();
    ///     async move { lane.ticket().await.map(|ticket| ticket.seq()) } // waits for room
    /// });
    /// drop(first.turn().await?);
    /// assert_eq!(second.await.unwrap()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn ticket(&self) -> NextTicket<'_, T, D> {
        self.ticket_weighted(0)
    }

    /// [`ticket`](Lane::ticket) for a thread.
    ///
    /// # Errors
    ///
    /// As `ticket`.
    ///
    /// # Panics
    ///
    /// With feature `tokio`, on a worker thread of a tokio runtime; see [`blocking`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane = Lane::new((), 4);
    /// assert_eq!(lane.blocking_ticket()?.seq(), 0);
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[track_caller]
    pub fn blocking_ticket(&self) -> Result<Ticket<T, D>, LaneError> {
        blocking::wait(self.ticket())
    }

    /// [`ticket`](Lane::ticket) if there is room at this moment and nobody waits for it.
    ///
    /// # Errors
    ///
    /// As `ticket`, and [`LaneError::WouldBlock`].
    ///
    /// # Examples
    ///
    /// See [`LaneBuilder::window`](super::LaneBuilder::window).
    pub fn try_ticket(&self) -> Result<Ticket<T, D>, LaneError> {
        let mut locked = match self.issue_now(self.lock(), 0, false) {
            Ok(ticket) => return ticket,
            Err(locked) => locked,
        };
        if self.room_of_queue(&mut locked.state, 1) {
            self.issue(locked, 0, false)
        } else {
            Err(LaneError::WouldBlock)
        }
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
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::lane::Lane;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::LaneError> {
    /// let lane: Lane<Vec<u8>> = Lane::builder().max_weight(1 << 20).build(Vec::new());
    /// let mut huge = lane.ticket_weighted(1 << 24).await?; // nothing else is out
    /// let mut small = tokio_test::task::spawn(lane.ticket_weighted(10));
    /// assert!(small.poll().is_pending());
    /// drop(huge.turn().await?);
    /// assert_eq!(small.await?.seq(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn ticket_weighted(&self, weight: u32) -> NextTicket<'_, T, D> {
        NextTicket::new(self, weight.min(self.inner.weight.max()), false)
    }

    /// The next number as a point up to which a failure poisons, under [`OnFailure::UntilSync`];
    /// elsewhere an ordinary ticket.
    ///
    /// # Cancel safety
    ///
    /// As [`ticket`](Lane::ticket).
    ///
    /// # Errors
    ///
    /// As [`ticket`](Lane::ticket).
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// See [`OnFailure::UntilSync`].
    pub fn sync(&self) -> NextTicket<'_, T, D> {
        NextTicket::new(self, 0, true)
    }

    /// `count` numbers in a row, at once; an empty list for 0.
    ///
    /// # Cancel safety
    ///
    /// As [`ticket`](Lane::ticket): all or none.
    ///
    /// # Errors
    ///
    /// As `ticket`, and [`LaneError::TooMany`] if the window is smaller, or becomes so.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::lane::Lane;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::LaneError> {
    /// let lane = Lane::new((), 8);
    /// let numbers: Vec<_> = lane.tickets(3).await?.iter().map(|ticket| ticket.seq()).collect();
    /// assert_eq!(numbers, [0, 1, 2]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn tickets(&self, count: u32) -> NextTickets<'_, T, D> {
        NextTickets::new(self, count)
    }

    /// The number `seq`, which the caller names. Numbers in between stay free to be named, also below a failure; if nobody
    /// names them before the lane is [closed](Lane::close) they are lost.
    ///
    /// # Errors
    ///
    /// [`Duplicate`](LaneError::Duplicate), [`Passed`](LaneError::Passed) and [`TooFar`](LaneError::TooFar), never a silent wait; and as [`ticket`](Lane::ticket).
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::{LaneError, lane::Lane};
    ///
    /// let lane = Lane::new(Vec::new(), 4);
    /// let mut one = lane.ticket_at(1)?;
    /// assert!(matches!(one.try_turn(), Err(LaneError::WouldBlock)));
    /// lane.ticket_at(0)?.try_turn()?.push(0);
    /// one.try_turn()?.push(1);
    /// assert!(matches!(lane.ticket_at(1), Err(LaneError::Passed)));
    /// assert!(matches!(lane.ticket_at(6), Err(LaneError::TooFar { limit: 5 })));
    /// # Ok::<_, LaneError>(())
    /// ```
    pub fn ticket_at(&self, seq: u64) -> Result<Ticket<T, D>, LaneError> {
        let mut locked = self.lock();
        let state = &mut locked.state;
        if seq < state.head {
            return Err(LaneError::Passed);
        }
        match state.refusal(seq) {
            // A synchronization point may still come before it.
            Some(LaneError::Poisoned(_)) if state.on_failure == OnFailure::UntilSync => {}
            Some(refusal) => return Err(refusal),
            None => {}
        }
        match (state.cancelled, state.closed) {
            (true, _) => return Err(LaneError::Cancelled),
            (_, true) => return Err(LaneError::Closed),
            _ => {}
        }
        let now = state.now();
        if let Some(slot) = state.slot(seq) {
            if !matches!(slot.stand, Stand::Vacant) {
                return Err(LaneError::Duplicate);
            }
            (slot.stand, slot.since) = (Stand::Issued, now);
            state.counters.issued += 1;
        } else {
            let limit = state.head.saturating_add(u64::from(state.window) - 1);
            let missing = u32::try_from(seq - state.next() + 1).map_err(|_| LaneError::TooFar { limit })?;
            // Inside the lock: two who name numbers at once must not both think that there is room.
            let spare = missing.min(state.spare);
            if seq > limit || missing > spare && !self.room_of_queue(state, missing - spare) {
                return Err(LaneError::TooFar { limit });
            }
            state.spare -= spare;
            for _ in 1..missing {
                state.push(Stand::Vacant, 0);
            }
            state.push(Stand::Issued, 0);
        }
        self.settle_poisoned(locked);
        trace::issued(seq, 1);
        Ok(Ticket::new(self.clone(), seq))
    }

    /// The ticket that went away as a bare number by [`Ticket::into_token`].
    ///
    /// # Errors
    ///
    /// [`LaneError::Passed`] or [`Duplicate`](LaneError::Duplicate) if `seq` is not such a number.
    ///
    /// # Examples
    ///
    /// See [`Ticket::into_token`].
    pub fn ticket_of(&self, seq: u64) -> Result<Ticket<T, D>, LaneError> {
        self.revive(seq, |stand| matches!(stand, Stand::Token))
    }

    /// A new ticket for the number at which the lane [stopped](super::OnFailure::Stop).
    ///
    /// # Errors
    ///
    /// [`LaneError::Passed`] or [`Duplicate`](LaneError::Duplicate) if the lane did not stop there.
    ///
    /// # Examples
    ///
    /// See [`OnFailure::Stop`].
    pub fn repair(&self, seq: u64) -> Result<Ticket<T, D>, LaneError> {
        self.revive(seq, |stand| matches!(stand, Stand::Stopped))
    }

    fn revive(&self, seq: u64, was: impl FnOnce(&Stand<D>) -> bool) -> Result<Ticket<T, D>, LaneError> {
        let mut locked = self.lock();
        let now = locked.state.now();
        let Some(slot) = locked.state.slot(seq) else { return Err(LaneError::Passed) };
        if !was(&slot.stand) {
            return Err(LaneError::Duplicate);
        }
        (slot.stand, slot.since) = (Stand::Issued, now);
        drop(locked);
        Ok(Ticket::new(self.clone(), seq))
    }

    /// A number, or why there is none; the lock comes back if it takes a wait.
    #[inline]
    pub(super) fn issue_now<'a>(
        &'a self,
        mut locked: MutexGuard<'a, Locked<T, D>>,
        weight: u32,
        sync: bool,
    ) -> Result<Answer<T, D>, MutexGuard<'a, Locked<T, D>>> {
        if let Err(ended) = locked.state.issues() {
            return Ok(Err(ended));
        }
        if locked.state.take_room(1) { Ok(self.issue(locked, weight, sync)) } else { Err(locked) }
    }

    /// A number for which room was taken.
    pub(super) fn issue(
        &self,
        mut locked: MutexGuard<'_, Locked<T, D>>,
        weight: u32,
        sync: bool,
    ) -> Result<Ticket<T, D>, LaneError> {
        locked.state.issues()?;
        let seq = locked.state.push(Stand::Issued, weight);
        if sync {
            locked.state.sync(seq);
            // Before a later number can come to a station, or fail.
            self.inner.stations.sync(seq);
        }
        self.settle_poisoned(locked);
        trace::issued(seq, 1);
        Ok(Ticket::new(self.clone(), seq))
    }

    /// Under [`OnFailure::UntilSync`] a number may be issued that is poisoned already: it passes at once.
    pub(super) fn settle_poisoned(&self, locked: MutexGuard<'_, Locked<T, D>>) {
        if !locked.state.failures.is_empty() && locked.state.on_failure == OnFailure::UntilSync {
            self.settle(locked, After::default());
        }
    }

    /// Takes room that went to those who wait and that none of them took.
    fn room_of_queue(&self, state: &mut State<D>, count: u32) -> bool {
        let take = |count| self.inner.room.try_acquire_many(count).map(crate::Permit::forget).is_ok();
        while state.debt > 0 && take(1) {
            state.debt -= 1;
        }
        take(count)
    }

    /// Why there are no more tickets.
    pub(super) fn ended(&self) -> LaneError {
        self.lock().state.issues().err().unwrap_or(LaneError::Closed)
    }

    /// How many more numbers could be issued at this moment.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane = Lane::new((), 4);
    /// let ticket = lane.try_ticket()?;
    /// assert_eq!(lane.room(), 3);
    /// lane.close();
    /// assert_eq!(lane.room(), 0);
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[must_use]
    pub fn room(&self) -> u32 {
        let locked = self.lock();
        let ended = locked.state.issues().is_err();
        let free = locked.state.spare.saturating_add(self.inner.room.available());
        if ended { 0 } else { free.saturating_sub(locked.state.debt) }
    }

    /// Makes the window larger or smaller, from 1 to `i32::MAX`. A smaller one takes effect as numbers pass: what was
    /// issued stays so. Whoever waits for a ticket, was let in, and has not seen it yet, stands in line again.
    ///
    /// # Panics
    ///
    /// If `window` is out of range.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// let lane = Lane::new((), 4);
    /// let tickets = [lane.try_ticket()?, lane.try_ticket()?];
    /// lane.resize(1);
    /// assert_eq!(lane.room(), 0);
    /// for ticket in tickets {
    ///     ticket.skip();
    /// }
    /// assert_eq!(lane.room(), 1);
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    #[track_caller]
    pub fn resize(&self, window: u32) {
        super::builder::check_window(window);
        let mut after = After::default();
        let mut locked = self.lock();
        let state = &mut locked.state;
        let before = std::mem::replace(&mut state.window, window);
        for _ in before..window {
            state.room_back(&mut after);
        }
        // What is free goes at once, also what is kept for those who wait for more than that, and the rest as it passes.
        let less = before.saturating_sub(window);
        let spare = less.min(state.spare);
        state.spare -= spare;
        let kept = self.inner.room.forget_permits(less - spare);
        state.debt += less - spare - kept;
        if window < before {
            after.wake.extend(state.shrunk.take());
        }
        drop(locked);
        super::go_on(self.follow(after));
    }
}
