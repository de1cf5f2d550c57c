//! Operations: work in flight as an object that can be waited for; and the completion ports that collect
//! their results.
//!
//! The whole behaviour is this table; the [`Policy`] of the file, a flag that is set once, is the code of its
//! waits. An operation has two of them: what was decided, and that it is complete.
//!
//! | state     | `wait`, `result` | `cancel`                          | the work ends by itself                 | last handle dropped     |
//! |-----------|------------------|-----------------------------------|-----------------------------------------|-------------------------|
//! | pending   | stand in line    | cancelled; the work is woken      | finished                                | as `cancel`, unless detached |
//! | cancelled | stand in line    | nothing                           | what it answered is dropped             | nothing                 |
//! | finished  | stand in line    | nothing                           |                                         | nothing                 |
//! | complete  | at once          | nothing                           |                                         | the result goes with it |
//!
//! *Cancelled* and *finished* become *complete* when the future of the work has been dropped and the result
//! stored, once; all in line are released then. A release that its waiter never saw is nobody's.

mod load;
mod packet;
mod port;
#[cfg(feature = "tokio")]
mod spawn;
mod store;
mod task;
#[cfg(test)]
mod tests;
mod wait;

pub use packet::{HeldPacket, NextPacket, OwnedPacket, OwnedPackets, Packet, Packets};
pub use port::CompletionPort;
pub use task::OperationTask;
pub use wait::{TakeResult, WaitOperation};

use crate::dispatch::{Header, Offer, Policy, Routine, Verdict};
use crate::error::{OperationError, TryResultError};
use std::convert::Infallible;
use std::{fmt, future::Future, sync::Arc};
use store::Slot;

// ===== policy: pure, knows no waiter =====

/// The rules of a flag that is set once.
#[derive(Debug)]
pub struct Latch;

const SET: u64 = 1;

impl Policy for Latch {
    type Request = ();
    type Grant = ();
    type Refusal = Infallible;

    fn judge(&self, state: u64, (): (), _: u64) -> Verdict<(), Infallible> {
        if state & SET == 0 { Verdict::Queue } else { Verdict::Take(state, ()) }
    }

    fn give_back(&self, _: u64, (): (), (): ()) -> Offer {
        Offer::Nothing
    }
}

/// What was decided about the work: pending as long as neither of the first two is there.
const CANCELLED: u64 = SET;
const FINISHED: u64 = 2;
const DETACHED: u64 = 4;

// ===== what the handles and the task share =====

pub(crate) struct Core<T> {
    /// What was decided; the task waits for a cancellation.
    fate: Header<Latch>,
    /// Set when the operation is complete.
    done: Arc<Header<Latch>>,
    /// Filled before `done` is set, unless the result goes elsewhere.
    result: Slot<Result<T, OperationError>>,
}

impl<T> Core<T> {
    /// Decides, unless it was decided before.
    fn decide(&self, fate: u64) -> bool {
        self.fate.change(|state| {
            let pending = state & (CANCELLED | FINISHED) == 0;
            (if pending { state | fate } else { state }, pending)
        })
    }

    fn take(&self) -> Result<T, OperationError> {
        self.result.take().unwrap_or(Err(OperationError::Taken))
    }
}

/// What all clones of a handle share: dropping it means that nobody is left who wants the result.
struct Interest<T> {
    core: Arc<Core<T>>,
}

impl<T> Drop for Interest<T> {
    fn drop(&mut self) {
        if self.core.fate.state() & DETACHED == 0 {
            self.core.decide(CANCELLED);
        }
    }
}

// ===== the object =====

/// Work in flight: a future or a closure that runs elsewhere, with an event of its own. Win32 overlapped I/O,
/// an `OVERLAPPED` structure with its event.
///
/// Clones are handles to one operation. It is signaled when it is complete, and stays so; a wait takes
/// nothing, so every [`wait`](Operation::wait) and every look is answered. The result can be taken once. To have
/// the results of many operations in the order in which they complete, let them be posted to a
/// [`CompletionPort`]. If nobody needs to cancel the work or to wait for it together with other objects, your
/// runtime's own `spawn` will do.
///
/// # One completion
///
/// Every operation completes exactly once: with the value of the work; or as cancelled, by
/// [`cancel`](Operation::cancel), by the drop of the last handle, or because its task was dropped (its runtime
/// was shut down); or as panicked. It is complete when the future of the work has been dropped, and not before:
/// whatever buffer it owned is free then. The result is there before the signal.
///
/// # Dropping handles
///
/// Dropping the last handle of a pending operation cancels it, as closing a file cancels its I/O; call
/// [`detach`](Operation::detach) to let it go on. A result that nobody took is dropped with the last handle,
/// or by the task.
///
/// # Order
///
/// A completion releases everybody in line; they are woken in the order of their first polls.
///
/// # Memory ordering
///
/// What the work did is visible to whoever finds the operation complete. What was done before a
/// [`cancel`](Operation::cancel) that won is visible to the drop of the work.
///
/// # Examples
///
/// ```
/// use batons::{Operation, wait_any};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sum = Operation::spawn(async { 40 + 2 });
/// let never = Operation::spawn(std::future::pending::<()>());
/// let (index, _) = wait_any((never.wait(), sum.wait())).await?;
/// assert_eq!(index, 1);
/// assert_eq!(sum.result().await?, 42);
/// assert!(never.cancel());
/// never.wait().await;
/// # Ok(())
/// # }
/// ```
pub struct Operation<T> {
    interest: Arc<Interest<T>>,
}

impl<T> Operation<T> {
    /// Creates an operation and the task that does its work, for any executor. Needs no runtime.
    ///
    /// The operation makes progress as the task is polled. [`spawn`](Operation::spawn) hands the task to the
    /// current tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::Operation;
    ///
    /// let (operation, task) = Operation::new(async { 42 });
    /// assert!(!operation.is_complete());
    /// std::thread::spawn(move || batons::blocking::wait(task));
    /// assert_eq!(operation.blocking_result()?, 42);
    /// # Ok::<_, batons::OperationError>(())
    /// ```
    pub fn new<F: Future<Output = T>>(work: F) -> (Self, OperationTask<F>) {
        Self::ending(work, task::End::Keep)
    }

    /// [`new`](Operation::new), and a call is due when the operation is complete, also if it completes at once.
    /// Win32 passes such a completion routine to `ReadFileEx`.
    ///
    /// The operation is signaled first, then the call is queued to whoever makes it, and runs in the next
    /// alertable wait there. If nobody will ever make it, it is dropped. The result stays with the operation.
    ///
    /// The routine is an [`ApcRoutine<()>`](crate::ApcRoutine), made by [`ApcHandle::routine`](crate::ApcHandle::routine) of the queue of
    /// the task or thread that is to make the call.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::{ApcQueue, Operation, blocking};
    ///
    /// let queue = ApcQueue::new();
    /// let done = queue.handle().routine(|()| println!("complete"));
    /// let (operation, task) = Operation::with_routine(async { 42 }, done);
    /// std::thread::spawn(move || blocking::wait(task));
    /// assert!(queue.blocking_alertable(std::future::pending::<()>()).is_alerted());
    /// assert_eq!(operation.try_result()?, 42);
    /// # Ok::<_, batons::TryResultError>(())
    /// ```
    pub fn with_routine<F>(work: F, routine: impl Routine<()>) -> (Self, OperationTask<F>)
    where
        F: Future<Output = T>,
    {
        Self::ending(work, task::End::Call(Box::new(routine)))
    }

    fn ending<F: Future<Output = T>>(work: F, end: task::End<T>) -> (Self, OperationTask<F>) {
        let core = Arc::new(Core {
            fate: Header::new(Latch, 0),
            done: Arc::new(Header::new(Latch, 0)),
            result: Slot::empty(),
        });
        let operation = Self { interest: Arc::new(Interest { core: Arc::clone(&core) }) };
        (operation, OperationTask::new(work, core, end))
    }

    fn core(&self) -> &Core<T> {
        &self.interest.core
    }

    /// Waits until the operation is complete, and leaves the result where it is. Win32 `WaitForSingleObject`
    /// for the event of the operation.
    ///
    /// The future does nothing before its first poll, and is answered at once if the operation is complete. It
    /// takes part in [`wait_any`](crate::wait_any), [`wait_all`](crate::wait_all) and
    /// [`signal_and_wait`](crate::signal_and_wait). The thread's form is
    /// [`blocking_wait`](Operation::blocking_wait).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. Dropping the future changes nothing at any time; the operation goes on.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Operation;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::OperationError> {
    /// let operation = Operation::spawn(async { 42 });
    /// operation.wait().await;
    /// operation.wait().await; // still complete
    /// assert_eq!(operation.result().await?, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait(&self) -> WaitOperation<'_, T> {
        WaitOperation::new(self)
    }

    /// Waits until the operation is complete, and takes its result. Win32 `GetOverlappedResult` with *wait*.
    ///
    /// As [`wait`](Operation::wait), and the result can be had once: Win32 would tell it again, a value moves.
    /// The thread's forms are [`blocking_result`](Operation::blocking_result) and
    /// [`blocking_result_timeout`](Operation::blocking_result_timeout).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. Dropping the future takes nothing at any time; the operation goes on.
    ///
    /// # Errors
    ///
    /// [`OperationError`]: cancelled, panicked, or taken before. The first two are told once, too.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Operation, OperationError};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::OperationError> {
    /// let operation = Operation::spawn(async { 42 });
    /// assert_eq!(operation.result().await?, 42);
    /// assert!(matches!(operation.result().await, Err(OperationError::Taken)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn result(&self) -> TakeResult<'_, T> {
        TakeResult::new(self)
    }

    /// Takes the result if the operation is complete; never waits. Win32 `GetOverlappedResult` without *wait*.
    ///
    /// # Errors
    ///
    /// [`Incomplete`](TryResultError::Incomplete), and nothing was changed; otherwise as
    /// [`result`](Operation::result).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Operation, TryResultError};
    /// let (operation, task) = Operation::new(async { 42 });
    /// assert!(matches!(operation.try_result(), Err(TryResultError::Incomplete)));
    /// batons::blocking::wait(task);
    /// assert_eq!(operation.try_result()?, 42);
    /// # Ok::<_, TryResultError>(())
    /// ```
    pub fn try_result(&self) -> Result<T, TryResultError> {
        if self.is_complete() { Ok(self.core().take()?) } else { Err(TryResultError::Incomplete) }
    }

    /// Whether the operation is complete. True is final. Win32 `HasOverlappedIoCompleted`, which orders
    /// no memory; this does.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Operation;
    /// let (operation, task) = Operation::new(async {});
    /// assert!(!operation.is_complete());
    /// batons::blocking::wait(task);
    /// assert!(operation.is_complete());
    /// ```
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.core().done.state() & SET != 0
    }

    /// Cancels the work, and returns whether that won: the result will be
    /// [`Cancelled`](OperationError::Cancelled) then. False if the work had finished or was cancelled before;
    /// nothing is changed then. Win32 `CancelIoEx`.
    ///
    /// One of the cancellation and the end of the work wins, and both know which. It is a request: the future of the
    /// work is dropped at its task's next poll, and the operation is complete after that. What the work
    /// answers meanwhile is dropped, and a closure of
    /// [`spawn_blocking`](Operation::spawn_blocking) that has begun runs to its end. In Win32 a cancelled
    /// operation may still succeed. The task is woken by the calling thread, under no lock.
    ///
    /// # Panics
    ///
    /// Only if a waker does; the cancellation is decided then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Operation, OperationError};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let operation = Operation::spawn(std::future::pending::<()>());
    /// assert!(operation.cancel());
    /// assert!(!operation.cancel(), "cancelled before");
    /// assert!(matches!(operation.result().await, Err(OperationError::Cancelled)));
    /// # }
    /// ```
    #[allow(clippy::must_use_candidate)] // to cancel is enough for some
    pub fn cancel(&self) -> bool {
        self.core().decide(CANCELLED)
    }

    /// Lets the work go on when the last handle is dropped; returns whether that was so before. Ours; in Win32
    /// the file decides.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{AutoResetEvent, Operation};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let done = AutoResetEvent::new(false);
    /// let event = done.clone();
    /// Operation::spawn(async move { event.set() }).detach();
    /// done.wait().await;
    /// # }
    /// ```
    #[allow(clippy::must_use_candidate)] // rarely of interest
    pub fn detach(&self) -> bool {
        self.core().fate.change(|state| (state | DETACHED, state & DETACHED != 0))
    }
}

impl<T> Clone for Operation<T> {
    fn clone(&self) -> Self {
        Self { interest: Arc::clone(&self.interest) }
    }
}

impl<T> fmt::Debug for Operation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("complete", &self.is_complete())
            .field("cancelled", &(self.core().fate.state() & CANCELLED != 0))
            .finish_non_exhaustive()
    }
}
