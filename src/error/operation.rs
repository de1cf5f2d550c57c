//! What operations and completion ports refuse and report.

use super::TimedOut;
use crate::sync::Lock;
use std::{any::Any, error::Error, fmt};

// ===== operations =====

/// Why an [`Operation`](crate::Operation) has no result.
///
/// # Examples
///
/// ```
/// use batons::{Operation, OperationError, blocking};
///
/// let (operation, task) = Operation::new(std::future::pending::<()>());
/// assert!(operation.cancel());
/// blocking::wait(task);
/// let cancelled = operation.blocking_result().unwrap_err();
/// assert_eq!(cancelled.to_string(), "the operation was cancelled; it has no result");
/// assert!(matches!(operation.blocking_result(), Err(OperationError::Taken))); // told once
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum OperationError {
    /// A [`cancel`](crate::Operation::cancel) won, or the task was dropped before the work was done, for
    /// example because its runtime was shut down. Win32 `ERROR_OPERATION_ABORTED`.
    Cancelled,
    /// The work panicked.
    Panicked(WorkPanic),
    /// Somebody else has the result: it was taken before, or went to a completion port.
    Taken,
}

/// Why [`Operation::try_result`](crate::Operation::try_result) answered no result.
///
/// # Examples
///
/// ```
/// use batons::{Operation, TryResultError};
///
/// let (operation, _task) = Operation::new(async { 42 });
/// let early = operation.try_result().unwrap_err();
/// assert!(matches!(early, TryResultError::Incomplete));
/// assert_eq!(early.to_string(), "the operation is not complete; nothing was changed");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum TryResultError {
    /// The operation is not complete; nothing was changed. Win32 `ERROR_IO_INCOMPLETE`.
    Incomplete,
    /// It is complete and has no result.
    Ended(OperationError),
}

/// Why [`Operation::blocking_result_timeout`](crate::Operation::blocking_result_timeout) answered no result.
///
/// # Examples
///
/// ```
/// use batons::{Operation, OperationError, ResultTimeoutError};
/// use std::time::Duration;
///
/// let (operation, task) = Operation::new(async { 42 });
/// let early = operation.blocking_result_timeout(Duration::ZERO).unwrap_err();
/// assert_eq!(early.to_string(), "the time was over first; the wait was withdrawn and nothing was changed");
/// drop(task); // its executor is gone
/// let ended = operation.blocking_result_timeout(Duration::ZERO).unwrap_err();
/// assert!(matches!(ended, ResultTimeoutError::Ended(OperationError::Cancelled)));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ResultTimeoutError {
    /// The time was over first; nothing was changed. Win32 `WAIT_TIMEOUT`.
    TimedOut,
    /// The operation is complete and has no result.
    Ended(OperationError),
}

/// The panic that ended the work of an [`Operation`](crate::Operation); also of an item of a [pipeline](crate::lane::pipeline()), and of
/// `Ticket::spawn` (feature `tokio`).
///
/// # Examples
///
/// ```
/// use batons::{Operation, OperationError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let operation = Operation::spawn(async { assert_eq!(1, 2, "no luck") });
/// let Err(OperationError::Panicked(panic)) = operation.result().await else { unreachable!() };
/// assert!(panic.message().contains("no luck"));
/// # }
/// ```
pub struct WorkPanic {
    message: String,
    /// In a lock only because a payload cannot be shared between threads.
    payload: Lock<Box<dyn Any + Send>>,
}

impl WorkPanic {
    /// The panic whose payload [`std::panic::catch_unwind`] caught, for work that is run by other means.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::WorkPanic;
    ///
    /// let payload = std::panic::catch_unwind(|| panic!("no luck, {} times", 3)).unwrap_err();
    /// assert_eq!(WorkPanic::new(payload).message(), "no luck, 3 times");
    /// ```
    #[must_use]
    pub fn new(payload: Box<dyn Any + Send>) -> Self {
        let text = payload.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        let message = text.unwrap_or_else(|| "a payload that is no text".to_owned());
        Self { message, payload: Lock::new(payload) }
    }

    /// What the panic said; that it said no text, if its payload is neither a `&str` nor a `String`.
    ///
    /// # Examples
    ///
    /// See [`WorkPanic::new`].
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What `std::panic::catch_unwind` would have caught, for `std::panic::resume_unwind`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Operation, OperationError};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let operation = Operation::spawn(async { std::panic::panic_any(42) });
    /// let Err(OperationError::Panicked(panic)) = operation.result().await else { unreachable!() };
    /// assert_eq!(*panic.into_payload().downcast::<i32>().unwrap(), 42);
    /// # }
    /// ```
    #[must_use]
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.payload.into_inner()
    }
}

impl fmt::Debug for WorkPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkPanic").field("message", &self.message).finish_non_exhaustive()
    }
}

impl From<OperationError> for TryResultError {
    fn from(error: OperationError) -> Self {
        Self::Ended(error)
    }
}

impl From<OperationError> for ResultTimeoutError {
    fn from(error: OperationError) -> Self {
        Self::Ended(error)
    }
}

impl From<TimedOut> for ResultTimeoutError {
    fn from(TimedOut(()): TimedOut) -> Self {
        Self::TimedOut
    }
}

// ===== completion ports =====

/// The [`CompletionPort`](crate::CompletionPort) was closed; nothing was changed.
///
/// [`post`](crate::CompletionPort::post) gives the packet back in it; to somebody who waits for a packet it
/// says that there will be none. Win32 `ERROR_ABANDONED_WAIT_0`.
///
/// # Examples
///
/// ```
/// use batons::{CompletionPort, PortClosed};
///
/// let port = CompletionPort::new(1);
/// port.close();
/// let PortClosed(packet) = port.post("too late").unwrap_err();
/// assert_eq!(packet, "too late");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PortClosed<T = ()>(pub T);

/// Why [`CompletionPort::try_next`](crate::CompletionPort::try_next) got no packet.
///
/// # Examples
///
/// ```
/// use batons::{CompletionPort, TryNextError};
///
/// let port = CompletionPort::<u8>::new(1);
/// let refusal = port.try_next().unwrap_err();
/// assert_eq!(refusal, TryNextError::WouldBlock);
/// assert_eq!(refusal.to_string(), "no packet can be had now; nothing was changed");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TryNextError {
    /// No packet is queued, or as many as allowed are running, or others are in line; waiting would be
    /// possible.
    WouldBlock,
    /// The port was closed, and no packet is left.
    Closed,
}

/// Why [`CompletionPort::blocking_next_timeout`](crate::CompletionPort::blocking_next_timeout) got no packet.
///
/// # Examples
///
/// ```
/// use batons::{CompletionPort, NextTimeoutError};
/// use std::time::Duration;
///
/// let port = CompletionPort::<u8>::new(1);
/// port.close();
/// let refusal = port.blocking_next_timeout(Duration::from_secs(60)).unwrap_err();
/// assert_eq!(refusal, NextTimeoutError::Closed); // at once
/// assert_eq!(refusal.to_string(), "the completion port is closed; nothing was changed");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NextTimeoutError {
    /// The time was over first. Win32 `WAIT_TIMEOUT`.
    TimedOut,
    /// The port was closed, and no packet is left.
    Closed,
}

impl From<PortClosed> for TryNextError {
    fn from(PortClosed(()): PortClosed) -> Self {
        Self::Closed
    }
}

impl From<PortClosed> for NextTimeoutError {
    fn from(PortClosed(()): PortClosed) -> Self {
        Self::Closed
    }
}

impl From<TimedOut> for NextTimeoutError {
    fn from(TimedOut(()): TimedOut) -> Self {
        Self::TimedOut
    }
}

// ===== wording =====

const CLOSED: &str = "the completion port is closed; nothing was changed";

impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the operation was cancelled; it has no result"),
            Self::Panicked(panic) => panic.fmt(f),
            Self::Taken => f.write_str("the result of the operation was taken already; nothing was changed"),
        }
    }
}

impl fmt::Display for WorkPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the work panicked: {}", self.message)
    }
}

impl fmt::Display for TryResultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete => f.write_str("the operation is not complete; nothing was changed"),
            Self::Ended(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for ResultTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => TimedOut(()).fmt(f),
            Self::Ended(error) => error.fmt(f),
        }
    }
}

impl<T> fmt::Display for PortClosed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CLOSED)
    }
}

impl<T> fmt::Debug for PortClosed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PortClosed(..)")
    }
}

impl fmt::Display for TryNextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WouldBlock => "no packet can be had now; nothing was changed",
            Self::Closed => CLOSED,
        })
    }
}

impl fmt::Display for NextTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => TimedOut(()).fmt(f),
            Self::Closed => f.write_str(CLOSED),
        }
    }
}

impl Error for OperationError {}
impl Error for WorkPanic {}
impl Error for TryResultError {}
impl Error for ResultTimeoutError {}
impl<T> Error for PortClosed<T> {}
impl Error for TryNextError {}
impl Error for NextTimeoutError {}
