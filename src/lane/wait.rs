//! The wait for a turn.

use super::turn::{Asked, HeldTurn};
use super::{Lane, Ticket};
use crate::futures::WaitOwnedEvent;
use crate::{LaneError, Manual};
use std::borrow::BorrowMut;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Future of [`Ticket::turn`] and [`Ticket::turn_owned`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct TakeTurn<B: BorrowMut<Ticket<T, D>>, T, D = ()> {
    /// Leaves with the answer.
    ticket: Option<B>,
    wait: Option<WaitOwnedEvent<Manual>>,
    /// Whether the lane counts it among those who wait.
    waits: bool,
    values: PhantomData<fn(T, D)>,
}

// Nothing in here is ever pinned.
impl<B: BorrowMut<Ticket<T, D>>, T, D> Unpin for TakeTurn<B, T, D> {}

impl<B: BorrowMut<Ticket<T, D>>, T, D> TakeTurn<B, T, D> {
    pub(super) fn new(ticket: B) -> Self {
        Self { ticket: Some(ticket), wait: None, waits: false, values: PhantomData }
    }

    fn leave(&mut self) {
        self.wait = None;
        if std::mem::take(&mut self.waits) {
            if let Some(ticket) = &self.ticket {
                let ticket: &Ticket<T, D> = ticket.borrow();
                Lane::ask_no_more(ticket.lane(), ticket.seq());
            }
        }
    }
}

impl<B: BorrowMut<Ticket<T, D>>, T, D> Future for TakeTurn<B, T, D> {
    type Output = Result<HeldTurn<B, T, D>, LaneError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            if let Some(wait) = &mut this.wait {
                ready!(Pin::new(wait).poll(cx));
                this.wait = None;
            }
            let ticket: &Ticket<T, D> =
                this.ticket.as_ref().expect("`TakeTurn` polled after completion").borrow();
            match ticket.ask(Some(&mut this.waits)) {
                Ok(Asked::Wait(event)) => this.wait = Some(event.wait_owned()),
                Ok(Asked::Turn(owned, gap)) => {
                    let ticket = this.ticket.take().expect("it was just there");
                    return Poll::Ready(Ok(HeldTurn::begin(ticket, owned, gap)));
                }
                Err(refusal) => {
                    this.leave();
                    this.ticket = None;
                    return Poll::Ready(Err(refusal));
                }
            }
        }
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
        f.debug_struct("TakeTurn").field("seq", &seq).field("waits", &self.waits).finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<B: BorrowMut<Ticket<T, D>>, T, D> futures::future::FusedFuture for TakeTurn<B, T, D> {
    fn is_terminated(&self) -> bool {
        self.ticket.is_none()
    }
}
