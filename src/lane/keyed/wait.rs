//! The wait for a turn of a ticket with keys.

use super::{HeldKeyTurn, KeyTicket};
use crate::futures::WaitOwnedEvent;
use crate::lane::wait::poll_wait;
use crate::{LaneError, Manual};
use std::borrow::BorrowMut;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Future of [`KeyTicket::turn`] and [`KeyTicket::turn_owned`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct TakeKeyTurn<B: BorrowMut<KeyTicket>> {
    /// Leaves with the answer.
    ticket: Option<B>,
    wait: Option<WaitOwnedEvent<Manual>>,
}

// Nothing in here is ever pinned.
impl<B: BorrowMut<KeyTicket>> Unpin for TakeKeyTurn<B> {}

impl<B: BorrowMut<KeyTicket>> TakeKeyTurn<B> {
    pub(super) fn new(ticket: B) -> Self {
        Self { ticket: Some(ticket), wait: None }
    }
}

impl<B: BorrowMut<KeyTicket>> Future for TakeKeyTurn<B> {
    type Output = Result<HeldKeyTurn<B>, LaneError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            ready!(poll_wait(&mut this.wait, cx));
            let ticket = this.ticket.as_ref().expect("`TakeKeyTurn` polled after completion");
            let Some(event) = ticket.borrow().awaited() else {
                let ticket = this.ticket.take().expect("it was just there");
                return Poll::Ready(HeldKeyTurn::begin(ticket));
            };
            this.wait = Some(event.wait_owned());
        }
    }
}

impl<B: BorrowMut<KeyTicket>> fmt::Debug for TakeKeyTurn<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TakeKeyTurn").field("waits", &self.wait.is_some()).finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<B: BorrowMut<KeyTicket>> futures::future::FusedFuture for TakeKeyTurn<B> {
    fn is_terminated(&self) -> bool {
        self.ticket.is_none()
    }
}
