//! The wait for a turn at a station.

use super::{Station, StationTurn};
use crate::LaneError;
use crate::lane::Ticket;
use crate::lane::wait::Asking;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Future of [`Ticket::turn_at`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct TakeTurnAt<'a, S, T, D = ()> {
    /// Leaves with the answer.
    ticket: Option<&'a mut Ticket<T, D>>,
    station: &'a Station<S>,
    asking: Asking,
}

impl<'a, S, T, D> TakeTurnAt<'a, S, T, D> {
    pub(super) fn new(ticket: &'a mut Ticket<T, D>, station: &'a Station<S>) -> Self {
        Self { ticket: Some(ticket), station, asking: Asking::default() }
    }

    fn leave(&mut self) {
        if let Some(ticket) = &self.ticket {
            self.asking.end(&self.station.track, ticket.seq());
        }
    }
}

impl<'a, S, T, D> Future for TakeTurnAt<'a, S, T, D> {
    type Output = Result<StationTurn<'a, S, T, D>, LaneError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let ticket = this.ticket.as_ref().expect("`TakeTurnAt` polled after completion");
        let seq = ticket.seq();
        if !this.asking.has_begun() {
            this.station.welcome(ticket);
        }
        let track = &this.station.track;
        let answer = ready!(this.asking.poll(|waits| track.ask(seq, Some(waits)), cx));
        this.leave();
        let ticket = this.ticket.take().expect("it was just there");
        Poll::Ready(answer.map(|(owned, gap)| StationTurn::begin(ticket, this.station, owned, gap)))
    }
}

impl<S, T, D> Drop for TakeTurnAt<'_, S, T, D> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<S, T, D> fmt::Debug for TakeTurnAt<'_, S, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seq = self.ticket.as_ref().map(|ticket| ticket.seq());
        f.debug_struct("TakeTurnAt")
            .field("seq", &seq)
            .field("station", &self.station.name())
            .field("waits", &self.asking.waits())
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<S, T, D> futures::future::FusedFuture for TakeTurnAt<'_, S, T, D> {
    fn is_terminated(&self) -> bool {
        self.ticket.is_none()
    }
}
