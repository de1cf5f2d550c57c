//! The waits for tickets.

use super::state::Stand;
use super::{Lane, Ticket, trace};
use crate::futures::{AcquirePermits, WaitOwnedEvent};
use crate::{LaneError, Manual, ManualResetEvent, Permit, Semaphore};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A place among those who wait for tickets, for the stall report.
#[derive(Debug, Default)]
struct Queued(Option<u64>);

impl Queued {
    fn enter<T, D>(&mut self, lane: &Lane<T, D>) {
        if self.0.is_none() {
            let mut locked = lane.lock();
            let state = &mut locked.state;
            let now = state.now();
            state.queue.insert(state.queued, now);
            self.0 = Some(state.queued);
            state.queued += 1;
        }
    }

    fn leave<T, D>(&mut self, lane: &Lane<T, D>) {
        if let Some(place) = self.0.take() {
            lane.lock().state.queue.remove(&place);
        }
    }
}

/// Future of [`Lane::ticket`], [`ticket_weighted`](Lane::ticket_weighted) and [`sync`](Lane::sync).
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct NextTicket<'a, T, D = ()> {
    /// Leaves with the answer.
    lane: Option<&'a Lane<T, D>>,
    weight: u32,
    sync: bool,
    stage: Stage<'a>,
    queued: Queued,
}

enum Stage<'a> {
    Weight(AcquirePermits<&'a Semaphore>),
    Room { heavy: Option<Permit<'a>>, room: AcquirePermits<&'a Semaphore> },
}

impl<'a, T, D> NextTicket<'a, T, D> {
    pub(super) fn new(lane: &'a Lane<T, D>, weight: u32, sync: bool) -> Self {
        let (room, heavy) = (&lane.inner.room, &lane.inner.weight);
        let stage = match weight {
            0 => Stage::Room { heavy: None, room: room.acquire() },
            _ => Stage::Weight(heavy.acquire_many(weight)),
        };
        Self { lane: Some(lane), weight, sync, stage, queued: Queued::default() }
    }

    fn issued(
        &mut self,
        lane: &'a Lane<T, D>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Ticket<T, D>, LaneError>> {
        loop {
            match &mut self.stage {
                Stage::Weight(weight) => {
                    let heavy = ready!(Pin::new(weight).poll(cx)).map_err(|_| lane.ended())?;
                    self.stage = Stage::Room { heavy: Some(heavy), room: lane.inner.room.acquire() };
                }
                Stage::Room { heavy, room } => {
                    ready!(Pin::new(&mut *room).poll(cx)).map_err(|_| lane.ended())?.forget();
                    if let Some(ticket) = lane.issue(self.weight, self.sync)? {
                        if let Some(heavy) = heavy.take() {
                            heavy.forget(); // until the number passes
                        }
                        return Poll::Ready(Ok(ticket));
                    }
                    *room = lane.inner.room.acquire();
                }
            }
        }
    }
}

impl<T, D> Future for NextTicket<'_, T, D> {
    type Output = Result<Ticket<T, D>, LaneError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let lane = this.lane.expect("`NextTicket` polled after completion");
        let answer = this.issued(lane, cx);
        if answer.is_pending() {
            this.queued.enter(lane);
        } else {
            this.queued.leave(lane);
            this.lane = None;
        }
        answer
    }
}

impl<T, D> Drop for NextTicket<'_, T, D> {
    fn drop(&mut self) {
        if let Some(lane) = self.lane {
            self.queued.leave(lane);
        }
    }
}

impl<T, D> fmt::Debug for NextTicket<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextTicket")
            .field("weight", &self.weight)
            .field("waits", &self.queued.0.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<T, D> futures::future::FusedFuture for NextTicket<'_, T, D> {
    fn is_terminated(&self) -> bool {
        self.lane.is_none()
    }
}

/// Future of [`Lane::tickets`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct NextTickets<'a, T, D = ()> {
    /// Leaves with the answer.
    lane: Option<&'a Lane<T, D>>,
    count: u32,
    room: Option<AcquirePermits<&'a Semaphore>>,
    /// Whether the window became smaller.
    shrunk: Option<WaitOwnedEvent<Manual>>,
    queued: Queued,
}

impl<'a, T, D> NextTickets<'a, T, D> {
    pub(super) fn new(lane: &'a Lane<T, D>, count: u32) -> Self {
        Self { lane: Some(lane), count, room: None, shrunk: None, queued: Queued::default() }
    }

    fn issued(
        &mut self,
        lane: &'a Lane<T, D>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Vec<Ticket<T, D>>, LaneError>> {
        loop {
            let (window, shrinks) = {
                let state = &mut lane.lock().state;
                let shrinks = state.shrunk.get_or_insert_with(|| ManualResetEvent::new(false));
                (state.window, shrinks.clone())
            };
            // Taken with the window under one lock: whoever makes it smaller later sets this one.
            self.shrunk = Some(shrinks.wait_owned());
            if self.count > window {
                return Poll::Ready(Err(LaneError::TooMany { max: window }));
            }
            let room = self.room.get_or_insert_with(|| lane.inner.room.acquire_many(self.count));
            if let Poll::Ready(room) = Pin::new(room).poll(cx) {
                self.room = None;
                let room = room.map_err(|_| lane.ended())?;
                if let Some(tickets) = lane.issue_many(self.count, room)? {
                    return Poll::Ready(Ok(tickets));
                }
            } else if let Some(shrunk) = &mut self.shrunk {
                ready!(Pin::new(shrunk).poll(cx));
            }
        }
    }
}

impl<T, D> Lane<T, D> {
    /// `count` numbers for which there is room; or none, if the window was made smaller meanwhile.
    fn issue_many(&self, count: u32, mut room: Permit<'_>) -> Result<Option<Vec<Ticket<T, D>>>, LaneError> {
        let mut tickets = Vec::with_capacity(count as usize);
        let mut locked = self.lock();
        locked.state.issues()?;
        if let Err(left) = locked.state.admit(count) {
            drop(locked);
            if let Some(paid) = room.split(count - left) {
                paid.forget();
            }
            return Ok(None); // the rest goes back
        }
        room.forget();
        let first = locked.state.next();
        for _ in 0..count {
            tickets.push(Ticket::new(self.clone(), locked.state.push(Stand::Issued, 0)));
        }
        self.settle_poisoned(locked);
        trace::issued(first, count);
        Ok(Some(tickets))
    }
}

impl<T, D> Future for NextTickets<'_, T, D> {
    type Output = Result<Vec<Ticket<T, D>>, LaneError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let lane = this.lane.expect("`NextTickets` polled after completion");
        let answer = if this.count == 0 { Poll::Ready(Ok(Vec::new())) } else { this.issued(lane, cx) };
        if answer.is_pending() {
            this.queued.enter(lane);
        } else {
            this.queued.leave(lane);
            (this.lane, this.room, this.shrunk) = (None, None, None);
        }
        answer
    }
}

impl<T, D> Drop for NextTickets<'_, T, D> {
    fn drop(&mut self) {
        if let Some(lane) = self.lane {
            self.queued.leave(lane);
        }
    }
}

impl<T, D> fmt::Debug for NextTickets<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextTickets")
            .field("count", &self.count)
            .field("waits", &self.queued.0.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<T, D> futures::future::FusedFuture for NextTickets<'_, T, D> {
    fn is_terminated(&self) -> bool {
        self.lane.is_none()
    }
}
