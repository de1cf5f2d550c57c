//! The waits for tickets.

use super::state::{After, Stand, State};
use super::{Lane, Ticket, go_on, trace};
use crate::futures::{AcquirePermits, WaitOwnedEvent};
use crate::{LaneError, Manual, ManualResetEvent, Permit, Semaphore};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A place among those who wait for tickets.
#[derive(Debug, Default)]
struct Queued {
    /// For the stall report.
    place: Option<u64>,
    /// Whether it is for room that is waited for, so that all room goes to the semaphore.
    for_room: bool,
}

impl Queued {
    fn enter<D>(&mut self, state: &mut State<D>) {
        if self.place.is_none() {
            let now = state.now();
            state.queue.insert(state.places, now);
            self.place = Some(state.places);
            state.places += 1;
        }
    }

    fn enter_for_room<D>(&mut self, state: &mut State<D>, after: &mut After<D>) {
        self.enter(state);
        if !std::mem::replace(&mut self.for_room, true) {
            state.queue_for_room(after);
        }
    }

    fn leave<D>(&mut self, state: &mut State<D>) {
        if let Some(place) = self.place.take() {
            state.queue.remove(&place);
        }
        if std::mem::take(&mut self.for_room) {
            state.queued -= 1;
        }
    }

    /// For who gives up.
    fn quit<T, D>(&mut self, lane: &Lane<T, D>) {
        if self.place.is_some() {
            self.leave(&mut lane.lock().state);
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
    /// Room was not asked for.
    Fresh(Option<Permit<'a>>),
    Room(Option<Permit<'a>>, AcquirePermits<&'a Semaphore>),
}

impl<'a, T, D> NextTicket<'a, T, D> {
    pub(super) fn new(lane: &'a Lane<T, D>, weight: u32, sync: bool) -> Self {
        let stage = match weight {
            0 => Stage::Fresh(None),
            _ => Stage::Weight(lane.inner.weight.acquire_many(weight)),
        };
        Self { lane: Some(lane), weight, sync, stage, queued: Queued::default() }
    }

    /// Takes room if nobody waits for it; otherwise waits for it.
    fn ask_for_room(
        &mut self,
        lane: &'a Lane<T, D>,
        heavy: Option<Permit<'a>>,
    ) -> Option<Result<Ticket<T, D>, LaneError>> {
        let mut locked = match lane.issue_now(lane.lock(), self.weight, self.sync) {
            Ok(Ok(ticket)) => {
                // The number gives it back when it passes.
                heavy.into_iter().for_each(Permit::forget);
                return Some(Ok(ticket));
            }
            Ok(ended) => return Some(ended),
            Err(locked) => locked,
        };
        let mut after = After::default();
        self.queued.enter_for_room(&mut locked.state, &mut after);
        drop(locked);
        self.stage = Stage::Room(heavy, lane.inner.room.acquire());
        go_on(lane.follow(after));
        None
    }

    fn poll_ticket(
        &mut self,
        lane: &'a Lane<T, D>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Ticket<T, D>, LaneError>> {
        loop {
            match &mut self.stage {
                Stage::Weight(weight) => match Pin::new(weight).poll(cx) {
                    Poll::Ready(Ok(heavy)) => self.stage = Stage::Fresh(Some(heavy)),
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(lane.ended())),
                    Poll::Pending => {
                        self.queued.enter(&mut lane.lock().state);
                        return Poll::Pending;
                    }
                },
                Stage::Fresh(heavy) => {
                    let heavy = heavy.take();
                    if let Some(answer) = self.ask_for_room(lane, heavy) {
                        return Poll::Ready(answer);
                    }
                }
                Stage::Room(heavy, room) => {
                    let Ok(room) = ready!(Pin::new(room).poll(cx)) else {
                        return Poll::Ready(Err(lane.ended()));
                    };
                    room.forget();
                    let mut locked = lane.lock();
                    if locked.state.admit(1).is_err() {
                        drop(locked);
                        self.stage = Stage::Room(heavy.take(), lane.inner.room.acquire());
                        continue;
                    }
                    heavy.take().into_iter().for_each(Permit::forget);
                    self.queued.leave(&mut locked.state);
                    return Poll::Ready(lane.issue(locked, self.weight, self.sync));
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
        if matches!(this.stage, Stage::Fresh(None)) {
            // Mostly there is room, and nothing to be kept for a second poll.
            if let Ok(answer) = lane.issue_now(lane.lock(), this.weight, this.sync) {
                this.lane = None;
                return Poll::Ready(answer);
            }
        }
        let answer = ready!(this.poll_ticket(lane, cx));
        this.queued.quit(lane);
        this.lane = None;
        Poll::Ready(answer)
    }
}

impl<T, D> Drop for NextTicket<'_, T, D> {
    fn drop(&mut self) {
        if let Some(lane) = self.lane {
            self.queued.quit(lane);
        }
    }
}

impl<T, D> fmt::Debug for NextTicket<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextTicket")
            .field("weight", &self.weight)
            .field("waits", &self.queued.place.is_some())
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

    /// Ready as soon as there is room, which then is taken.
    fn room(&mut self, lane: &'a Lane<T, D>, cx: &mut Context<'_>) -> Poll<Result<(), LaneError>> {
        loop {
            let mut after = After::default();
            let mut locked = lane.lock();
            let state = &mut locked.state;
            if self.count > state.window {
                return Poll::Ready(Err(LaneError::TooMany { max: state.window }));
            }
            if self.room.is_none() {
                if let Err(ended) = state.issues() {
                    return Poll::Ready(Err(ended));
                }
                if state.take_room(self.count) {
                    return Poll::Ready(Ok(()));
                }
                self.queued.enter_for_room(state, &mut after);
            }
            let shrinks = state.shrunk.get_or_insert_with(|| ManualResetEvent::new(false)).clone();
            drop(locked);
            // Taken with the window under one lock: whoever makes it smaller later sets this one.
            self.shrunk = Some(shrinks.wait_owned());
            let room = self.room.get_or_insert_with(|| lane.inner.room.acquire_many(self.count));
            go_on(lane.follow(after));
            if let Poll::Ready(room) = Pin::new(room).poll(cx) {
                self.room = None;
                let Ok(mut room) = room else { return Poll::Ready(Err(lane.ended())) };
                let admitted = lane.lock().state.admit(self.count);
                match admitted {
                    Ok(()) => {
                        room.forget();
                        return Poll::Ready(Ok(()));
                    }
                    Err(left) => {
                        // The rest goes back, and this one stands in line again.
                        room.split(self.count - left).into_iter().for_each(Permit::forget);
                        continue;
                    }
                }
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
        let room = if this.count == 0 { Ok(()) } else { ready!(this.room(lane, cx)) };
        this.queued.quit(lane);
        (this.lane, this.room, this.shrunk) = (None, None, None);
        let mut tickets = Vec::with_capacity(this.count as usize);
        Poll::Ready(room.and_then(|()| {
            let mut locked = lane.lock();
            locked.state.issues()?;
            let first = locked.state.next();
            for _ in 0..this.count {
                tickets.push(Ticket::new(lane.clone(), locked.state.push(Stand::Issued, 0)));
            }
            lane.settle_poisoned(locked);
            trace::issued(first, this.count);
            Ok(tickets)
        }))
    }
}

impl<T, D> Drop for NextTickets<'_, T, D> {
    fn drop(&mut self) {
        if let Some(lane) = self.lane {
            self.queued.quit(lane);
        }
    }
}

impl<T, D> fmt::Debug for NextTickets<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextTickets")
            .field("count", &self.count)
            .field("waits", &self.queued.place.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<T, D> futures::future::FusedFuture for NextTickets<'_, T, D> {
    fn is_terminated(&self) -> bool {
        self.lane.is_none()
    }
}
