//! The blocking forms of operations and completion ports.

use super::{wait, wait_timeout};
use crate::error::{NextTimeoutError, OperationError, PortClosed, ResultTimeoutError};
use crate::operation::{CompletionPort, Operation, Packet};
use std::time::Duration;

// ===== operation =====

impl<T> Operation<T> {
    /// [`wait`](Operation::wait) for a thread. Win32 `WaitForSingleObject`.
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Operation;
    /// let (operation, task) = Operation::new(async { 42 });
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| operation.blocking_wait());
    ///     batons::blocking::wait(task);
    /// });
    /// ```
    #[track_caller]
    pub fn blocking_wait(&self) {
        wait(self.wait());
    }

    /// [`wait`](Operation::wait) for a thread that waits for `duration` at most; false if the time was over
    /// first. See [`wait_timeout`].
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Operation;
    /// # use std::time::Duration;
    /// let (operation, task) = Operation::new(async { 42 });
    /// assert!(!operation.blocking_wait_timeout(Duration::ZERO));
    /// batons::blocking::wait(task);
    /// assert!(operation.blocking_wait_timeout(Duration::ZERO)); // what is complete beats any deadline
    /// ```
    #[track_caller]
    #[must_use]
    pub fn blocking_wait_timeout(&self, duration: Duration) -> bool {
        wait_timeout(self.wait(), duration).is_ok()
    }

    /// [`result`](Operation::result) for a thread. Win32 `GetOverlappedResult` with *wait*.
    ///
    /// # Errors
    ///
    /// As [`result`](Operation::result).
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Operation;
    /// let (operation, task) = Operation::new(async { 42 });
    /// std::thread::spawn(move || batons::blocking::wait(task));
    /// assert_eq!(operation.blocking_result()?, 42);
    /// # Ok::<_, batons::OperationError>(())
    /// ```
    #[track_caller]
    pub fn blocking_result(&self) -> Result<T, OperationError> {
        wait(self.result())
    }

    /// [`result`](Operation::result) for a thread that waits for `duration` at most; see [`wait_timeout`].
    /// Win32 `GetOverlappedResultEx`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](ResultTimeoutError::TimedOut), and nothing was taken; otherwise as
    /// [`result`](Operation::result).
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Operation, ResultTimeoutError};
    /// # use std::time::Duration;
    /// let (operation, task) = Operation::new(async { 42 });
    /// let early = operation.blocking_result_timeout(Duration::from_millis(1));
    /// assert!(matches!(early, Err(ResultTimeoutError::TimedOut)));
    /// batons::blocking::wait(task);
    /// assert_eq!(operation.blocking_result_timeout(Duration::ZERO)?, 42);
    /// # Ok::<_, ResultTimeoutError>(())
    /// ```
    #[track_caller]
    pub fn blocking_result_timeout(&self, duration: Duration) -> Result<T, ResultTimeoutError> {
        Ok(wait_timeout(self.result(), duration)??)
    }
}

// ===== completion port =====

impl<T> CompletionPort<T> {
    /// [`next`](CompletionPort::next) for a thread. Win32 `GetQueuedCompletionStatus`.
    ///
    /// # Errors
    ///
    /// As [`next`](CompletionPort::next).
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CompletionPort;
    /// let port = CompletionPort::new(1);
    /// std::thread::scope(|scope| {
    ///     let worker = scope.spawn(|| *port.blocking_next().expect("it is open"));
    ///     port.post(42).expect("it is open");
    ///     assert_eq!(worker.join().unwrap(), 42);
    /// });
    /// ```
    #[track_caller]
    pub fn blocking_next(&self) -> Result<Packet<'_, T>, PortClosed> {
        wait(self.next())
    }

    /// [`next`](CompletionPort::next) for a thread that waits for `duration` at most; see [`wait_timeout`].
    ///
    /// # Errors
    ///
    /// [`TimedOut`](NextTimeoutError::TimedOut), otherwise as [`next`](CompletionPort::next).
    ///
    /// # Panics
    ///
    /// With feature `tokio`, when called on a worker thread of a tokio runtime; see [the
    /// module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{CompletionPort, NextTimeoutError};
    /// # use std::time::Duration;
    /// let port = CompletionPort::<u8>::new(1);
    /// let refused = port.blocking_next_timeout(Duration::from_millis(1)).unwrap_err();
    /// assert_eq!(refused, NextTimeoutError::TimedOut);
    /// ```
    #[track_caller]
    pub fn blocking_next_timeout(&self, duration: Duration) -> Result<Packet<'_, T>, NextTimeoutError> {
        Ok(wait_timeout(self.next(), duration)??)
    }
}
