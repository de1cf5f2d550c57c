//! The waits for tickets.

use super::state::Stand;
use super::{Lane, Ticket, trace};
use crate::futures::{AcquirePermits, WaitOwnedEvent};
use crate::{AcquireError, LaneError, Manual, ManualResetEvent, Permit, Semaphore};
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

impl<'a> Stage<'a> {
    /// Ready as soon as there is room for weight and number, which then are taken.
    fn poll(&mut self, next: &'a Semaphore, cx: &mut Context<'_>) -> Poll<Result<(), AcquireError>> {
        loop {
            match self {
                Self::Weight(weight) => {
                    let heavy = Some(ready!(Pin::new(weight).poll(cx))?);
                    *self = Self::Room { heavy, room: next.acquire() };
                }
                Self::Room { heavy, room } => {
                    ready!(Pin::new(room).poll(cx))?.forget();
                    if let Some(heavy) = heavy.take() {
                        heavy.forget();
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
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
}

impl<T, D> Future for NextTicket<'_, T, D> {
    type Output = Result<Ticket<T, D>, LaneError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let lane = this.lane.expect("`NextTicket` polled after completion");
        let Poll::Ready(room) = this.stage.poll(&lane.inner.room, cx) else {
            this.queued.enter(lane);
            return Poll::Pending;
        };
        this.queued.leave(lane);
        this.lane = None;
        Poll::Ready(room.map_err(|_| lane.ended()).and_then(|()| lane.issue(this.weight, this.sync)))
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

    fn room(&mut self, lane: &'a Lane<T, D>, cx: &mut Context<'_>) -> Poll<Result<(), LaneError>> {
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
                return Poll::Ready(room.map(|room| room.forget()).map_err(|_| lane.ended()));
            }
            if let Some(shrunk) = &mut self.shrunk {
                ready!(Pin::new(shrunk).poll(cx));
            }
        }
    }
}

impl<T, D> Future for NextTickets<'_, T, D> {
    type Output = Result<Vec<Ticket<T, D>>, LaneError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let lane = this.lane.expect("`NextTickets` polled after completion");
        let room = if this.count == 0 { Poll::Ready(Ok(())) } else { this.room(lane, cx) };
        let Poll::Ready(room) = room else {
            this.queued.enter(lane);
            return Poll::Pending;
        };
        this.queued.leave(lane);
        (this.lane, this.room, this.shrunk) = (None, None, None);
        let mut tickets = Vec::with_capacity(this.count as usize);
        Poll::Ready(room.and_then(|()| {
            let mut locked = lane.lock();
            locked.state.issues()?;
            let first = locked.state.next();
            for _ in 0..this.count {
                tickets.push(Ticket::new(lane.clone(), locked.state.push(Stand::Issued, 0)));
            }
            drop(locked);
            trace::issued(first, this.count);
            Ok(tickets)
        }))
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
