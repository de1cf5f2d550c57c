//! The waits for an operation.

use super::{Latch, Operation};
use crate::dispatch::{Answer, Halves, Leave, Part, Wait, drop_part, poll_part};
use crate::error::OperationError;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

// ===== until it is complete =====

/// Future of [`Operation::wait`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WaitOperation<'a, T> {
    /// Leaves with the answer.
    operation: Option<&'a Operation<T>>,
    wait: Wait<Latch>,
}

impl<'a, T> WaitOperation<'a, T> {
    pub(super) fn new(operation: &'a Operation<T>) -> Self {
        Self { operation: Some(operation), wait: Wait::new((), 0, Leave::Vacant) }
    }
}

impl<T> Part for WaitOperation<'_, T> {
    type Policy = Latch;

    fn wait(&mut self) -> Option<Halves<'_, Latch>> {
        Some((&self.operation?.core().done, &mut self.wait))
    }

    fn finish(&mut self, _: Answer<Latch>) {
        self.operation = None;
    }
}

impl<T> Future for WaitOperation<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        poll_part(&mut *self, cx, "WaitOperation")
    }
}

impl<T> Drop for WaitOperation<'_, T> {
    fn drop(&mut self) {
        drop_part(self);
    }
}

impl<T> fmt::Debug for WaitOperation<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitOperation").field("operation", &self.operation).finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<T> futures::future::FusedFuture for WaitOperation<'_, T> {
    fn is_terminated(&self) -> bool {
        self.operation.is_none()
    }
}

// ===== and its result =====

/// Future of [`Operation::result`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct TakeResult<'a, T> {
    /// Leaves with the answer.
    operation: Option<&'a Operation<T>>,
    wait: Wait<Latch>,
}

impl<'a, T> TakeResult<'a, T> {
    pub(super) fn new(operation: &'a Operation<T>) -> Self {
        Self { operation: Some(operation), wait: Wait::new((), 0, Leave::Vacant) }
    }
}

impl<T> Part for TakeResult<'_, T> {
    type Policy = Latch;

    fn wait(&mut self) -> Option<Halves<'_, Latch>> {
        Some((&self.operation?.core().done, &mut self.wait))
    }

    fn finish(&mut self, _: Answer<Latch>) -> Result<T, OperationError> {
        let operation = self.operation.take().expect("a wait is answered once");
        operation.core().take()
    }
}

impl<T> Future for TakeResult<'_, T> {
    type Output = Result<T, OperationError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        poll_part(&mut *self, cx, "TakeResult")
    }
}

impl<T> Drop for TakeResult<'_, T> {
    fn drop(&mut self) {
        drop_part(self);
    }
}

impl<T> fmt::Debug for TakeResult<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TakeResult").field("operation", &self.operation).finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<T> futures::future::FusedFuture for TakeResult<'_, T> {
    fn is_terminated(&self) -> bool {
        self.operation.is_none()
    }
}
