//! The wait for a turn.

use super::turn::{Asked, HeldTurn};
use super::{Lane, Owned, Ticket};
use crate::futures::WaitOwnedEvent;
use crate::{LaneError, Manual};
use std::borrow::BorrowMut;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Ready when what was waited for has come, or nothing was.
pub(super) fn poll_wait(wait: &mut Option<WaitOwnedEvent<Manual>>, cx: &mut Context<'_>) -> Poll<()> {
    if let Some(waits) = wait {
        ready!(Pin::new(waits).poll(cx));
        *wait = None;
    }
    Poll::Ready(())
}

/// What is had in a turn, and how many right before it were lost.
type Had<T, D> = (Box<Owned<T, D>>, u64);

/// The wait for a turn, whether it is the lane's or a station's.
#[derive(Debug, Default)]
pub(super) struct Asking {
    wait: Option<WaitOwnedEvent<Manual>>,
    /// Whether it is counted there among those who wait.
    waits: bool,
}

impl Asking {
    /// Asks again whenever it may be worth it.
    pub(super) fn poll<T, D>(
        &mut self,
        ask: impl Fn(&mut bool) -> Result<Asked<T, D>, LaneError>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Had<T, D>, LaneError>> {
        loop {
            ready!(poll_wait(&mut self.wait, cx));
            match ask(&mut self.waits) {
                Ok(Asked::Wait(event)) => self.wait = Some(event.wait_owned()),
                Ok(Asked::Turn(owned, gap)) => return Poll::Ready(Ok((owned, gap))),
                Err(refusal) => return Poll::Ready(Err(refusal)),
            }
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.wait.is_some()
    }

    pub(super) fn waits(&self) -> bool {
        self.waits
    }

    /// Waits no more for the turn of `seq`, if it did.
    pub(super) fn end<T, D>(&mut self, lane: &Lane<T, D>, seq: u64) {
        self.wait = None;
        if std::mem::take(&mut self.waits) {
            lane.ask_no_more(seq);
        }
    }
}

/// Future of [`Ticket::turn`] and [`Ticket::turn_owned`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct TakeTurn<B: BorrowMut<Ticket<T, D>>, T, D = ()> {
    /// Leaves with the answer.
    ticket: Option<B>,
    asking: Asking,
    values: PhantomData<fn(T, D)>,
}

// Nothing in here is ever pinned.
impl<B: BorrowMut<Ticket<T, D>>, T, D> Unpin for TakeTurn<B, T, D> {}

impl<B: BorrowMut<Ticket<T, D>>, T, D> TakeTurn<B, T, D> {
    pub(super) fn new(ticket: B) -> Self {
        Self { ticket: Some(ticket), asking: Asking::default(), values: PhantomData }
    }

    fn leave(&mut self) {
        if let Some(ticket) = &self.ticket {
            let ticket: &Ticket<T, D> = ticket.borrow();
            self.asking.end(ticket.lane(), ticket.seq());
        }
    }
}

impl<B: BorrowMut<Ticket<T, D>>, T, D> Future for TakeTurn<B, T, D> {
    type Output = Result<HeldTurn<B, T, D>, LaneError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let ticket: &Ticket<T, D> =
            this.ticket.as_ref().expect("`TakeTurn` polled after completion").borrow();
        let answer = ready!(this.asking.poll(|waits| ticket.ask(Some(waits)), cx));
        this.leave();
        let ticket = this.ticket.take().expect("it was just there");
        Poll::Ready(answer.map(|(owned, gap)| HeldTurn::begin(ticket, owned, gap)))
    }
}

impl<B: BorrowMut<Ticket<T, D>>, T, D> Drop for TakeTurn<B, T, D> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<B: BorrowMut<Ticket<T, D>>, T, D> fmt::Debug for TakeTurn<B, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seq = self.ticket.as_ref().map(|ticket| ticket.borrow().seq());
        f.debug_struct("TakeTurn")
            .field("seq", &seq)
            .field("waits", &self.asking.waits())
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<B: BorrowMut<Ticket<T, D>>, T, D> futures::future::FusedFuture for TakeTurn<B, T, D> {
    fn is_terminated(&self) -> bool {
        self.ticket.is_none()
    }
}
