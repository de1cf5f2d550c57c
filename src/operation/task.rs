//! The task of an operation: it does the work, minds the cancellation, and completes.

use super::store::Slot;
use super::{CANCELLED, Core, FINISHED, Latch, SET};
use crate::dispatch::{Calls, Leave, Routine, Wait};
use crate::error::{OperationError, WorkPanic};
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// What a completion does besides the signal.
pub(super) enum End<T> {
    /// The result stays with the operation.
    Keep,
    /// The result goes elsewhere.
    Post(Box<dyn FnOnce(Result<T, OperationError>) + Send>),
    /// The result stays, and a call is due.
    Call(Box<dyn Routine<()>>),
}

// ===== what completes =====

/// The duty to complete an operation, exactly once.
struct Duty<T> {
    /// Leaves with the completion.
    core: Option<Arc<Core<T>>>,
    /// The wait for a cancellation. Leaves with its answer.
    stop: Option<Wait<Latch>>,
    /// In a slot only so that it can be shared between threads.
    end: Slot<End<T>>,
}

impl<T> Duty<T> {
    /// Whether the work was cancelled; if not, the task is woken when it is.
    fn is_cancelled(&mut self, cx: &Context<'_>) -> bool {
        let (Some(core), Some(stop)) = (&self.core, &mut self.stop) else { return true };
        let cancelled = stop.poll(&core.fate, cx).is_ready();
        if cancelled {
            self.stop = None;
        }
        cancelled
    }

    /// Completes, after the work was dropped by `discard`. A panic on the way goes on when all is done.
    fn complete(&mut self, outcome: Result<T, OperationError>, discard: impl FnOnce()) {
        let Some(core) = self.core.take() else { return };
        let mut calls = Calls::default();
        // Leaves the line first, so that the decision wakes nobody.
        if let Some(stop) = &mut self.stop {
            calls.make(|| stop.part(&core.fate));
        }
        let fate = if matches!(outcome, Err(OperationError::Cancelled)) { CANCELLED } else { FINISHED };
        // From here on a cancellation is refused.
        let outcome = if core.decide(fate) {
            outcome
        } else {
            calls.make(|| drop(outcome));
            Err(OperationError::Cancelled)
        };
        calls.make(discard);
        self.deliver(&core, outcome, &mut calls);
        // The result goes here if nobody is left to take it.
        calls.make(|| drop(core));
        calls.end();
    }

    fn deliver(&self, core: &Core<T>, outcome: Result<T, OperationError>, calls: &mut Calls) {
        let signal = || core.done.change(|state| (state | SET, ()));
        match self.end.take().expect("completed once") {
            End::Keep => {
                core.result.put(outcome);
                calls.make(signal);
            }
            End::Post(post) => {
                calls.make(signal);
                calls.make(|| post(outcome));
            }
            End::Call(routine) => {
                core.result.put(outcome);
                calls.make(signal);
                if routine.post(()) {
                    calls.make(|| routine.alert());
                }
                calls.make(|| drop(routine));
            }
        }
    }
}

// ===== the task =====

pin_project! {
    /// The task that does the work of an [`Operation`](super::Operation): a future to be run by any executor.
    /// Made by [`Operation::new`](super::Operation::new).
    ///
    /// It ends when the operation is complete. Dropping it earlier completes the operation as
    /// [`Cancelled`](OperationError::Cancelled), after the work has been dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping it cancels the work.
    ///
    /// # Panics
    ///
    /// A panic of the work is the result of the operation. A panic in the drop of the work, or in a waker that
    /// the completion calls, goes on when the operation is complete. It panics if it is polled again after it
    /// ended.
    ///
    /// # Examples
    ///
    /// See [`Operation::new`](super::Operation::new).
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct OperationTask<F: Future> {
        // Absent once it has ended.
        #[pin]
        work: Option<F>,
        duty: Duty<F::Output>,
    }

    impl<F: Future> PinnedDrop for OperationTask<F> {
        fn drop(this: Pin<&mut Self>) {
            this.complete(Err(OperationError::Cancelled));
        }
    }
}

impl<F: Future> OperationTask<F> {
    pub(super) fn new(work: F, core: Arc<Core<F::Output>>, end: End<F::Output>) -> Self {
        let stop = Wait::new((), 0, Leave::Vacant);
        Self { work: Some(work), duty: Duty { core: Some(core), stop: Some(stop), end: Slot::with(end) } }
    }

    fn complete(self: Pin<&mut Self>, outcome: Result<F::Output, OperationError>) {
        let mut this = self.project();
        this.duty.complete(outcome, || this.work.set(None));
    }
}

impl<F: Future> Future for OperationTask<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.as_mut().project();
        let Some(work) = this.work.as_pin_mut() else { panic!("`OperationTask` polled after completion") };
        let outcome = if this.duty.is_cancelled(cx) {
            Err(OperationError::Cancelled)
        } else {
            match catch_unwind(AssertUnwindSafe(|| work.poll(cx))) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(value)) => Ok(value),
                Err(payload) => Err(OperationError::Panicked(WorkPanic::new(payload))),
            }
        };
        self.complete(outcome);
        Poll::Ready(())
    }
}

impl<F: Future> fmt::Debug for OperationTask<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperationTask").field("ended", &self.work.is_none()).finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<F: Future> futures::future::FusedFuture for OperationTask<F> {
    fn is_terminated(&self) -> bool {
        self.work.is_none()
    }
}
