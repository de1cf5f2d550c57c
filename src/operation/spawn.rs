//! Operations on a tokio runtime.

use super::{CompletionPort, Operation, OperationTask};
use crate::dispatch::Routine;
use crate::error::OperationError;
use std::{
    future::Future,
    pin::pin,
    task::{Context, Waker},
};
use tokio::{runtime::Handle, task};

impl<T: Send + 'static> Operation<T> {
    /// Starts `work` as a task of the current tokio runtime. Win32 `ReadFile` and others with an `OVERLAPPED`.
    ///
    /// # Panics
    ///
    /// If it is called outside a tokio runtime, as `tokio::spawn` does; the work is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Operation;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::OperationError> {
    /// let (one, two) = (Operation::spawn(async { 1 }), Operation::spawn(async { 2 }));
    /// assert_eq!(one.result().await? + two.result().await?, 3);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    #[must_use = "dropping the last handle cancels the work"]
    pub fn spawn<F>(work: F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        start(Self::new(work))
    }

    /// Starts `work` as a task of `runtime`. May be called anywhere.
    ///
    /// If the runtime was shut down, the operation completes as cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Operation;
    /// let runtime = tokio::runtime::Runtime::new()?;
    /// let operation = Operation::spawn_on(runtime.handle(), async { 42 });
    /// assert_eq!(operation.blocking_result()?, 42);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "dropping the last handle cancels the work"]
    pub fn spawn_on<F>(runtime: &Handle, work: F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        let (operation, task) = Self::new(work);
        drop(runtime.spawn(task));
        operation
    }

    /// Starts `work` as [`spawn`](Operation::spawn) does, and lets `routine` be called when it is complete; see
    /// [`with_routine`](Operation::with_routine). Win32 `ReadFileEx`.
    ///
    /// # Panics
    ///
    /// As [`spawn`](Operation::spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{ApcQueue, Operation};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), batons::OperationError> {
    /// let queue = ApcQueue::new();
    /// let done = queue.handle().routine(|()| println!("complete"));
    /// let operation = Operation::spawn_with(async { 42 }, done);
    /// assert!(queue.alertable(std::future::pending::<()>()).await.is_alerted());
    /// assert_eq!(operation.result().await?, 42);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    #[must_use = "dropping the last handle cancels the work"]
    pub fn spawn_with<F>(work: F, routine: impl Routine<()>) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        start(Self::with_routine(work, routine))
    }

    /// Runs the closure `work` on a thread of the current tokio runtime that may block.
    ///
    /// A [`cancel`](Operation::cancel) that comes before the thread has begun keeps it from beginning. After that
    /// the closure runs to its end, its value is dropped, and only then the cancelled operation is complete.
    ///
    /// # Panics
    ///
    /// If it is called outside a tokio runtime, as `tokio::task::spawn_blocking` does; the work is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Operation;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manifest = Operation::spawn_blocking(|| std::fs::read_to_string("Cargo.toml"));
    /// assert!(manifest.result().await??.contains("[package]"));
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    #[must_use = "dropping the last handle cancels the work"]
    pub fn spawn_blocking<F>(work: F) -> Self
    where
        F: FnOnce() -> T + Send + 'static,
    {
        start_blocking(Self::new(async move { work() }))
    }
}

impl<P: Send + 'static> CompletionPort<P> {
    /// Starts `work` as a task of the current tokio runtime and [`post`](CompletionPort::post)s what `packet`
    /// makes of its result: of its value, or of the error if it was cancelled or panicked.
    ///
    /// The operation is signaled first. Its own [`result`](Operation::result) is
    /// [`Taken`](OperationError::Taken), and it is [detached](Operation::detach): the handle may be dropped. If
    /// the port is closed by then, the packet is dropped. In Win32 a file is bound to a port; here every
    /// operation is.
    ///
    /// # Panics
    ///
    /// If it is called outside a tokio runtime; the work is dropped, and its packet posted as of a cancelled one. A panic of `packet`
    /// ends the task; no packet is posted then.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::CompletionPort;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let port = CompletionPort::new(1);
    /// for key in 1..=3 {
    ///     let _ = port.spawn(async move { key * 10 }, move |result| (key, result));
    /// }
    /// for _ in 1..=3 {
    ///     let (key, result) = port.next().await?.into_inner();
    ///     assert_eq!(result?, key * 10);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    #[allow(clippy::must_use_candidate)] // the packet is what is waited for
    pub fn spawn<F, M>(&self, work: F, packet: M) -> Operation<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
        M: FnOnce(Result<F::Output, OperationError>) -> P + Send + 'static,
    {
        start(self.operation(work, packet))
    }

    /// [`spawn`](CompletionPort::spawn) for a closure that blocks; see [`Operation::spawn_blocking`].
    ///
    /// # Panics
    ///
    /// As [`spawn`](CompletionPort::spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::CompletionPort;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let port = CompletionPort::new(1);
    /// for name in ["Cargo.toml", "README.md"] {
    ///     port.spawn_blocking(move || std::fs::read(name), |result| result.expect("it does not panic"));
    /// }
    /// let read = port.next().await?.as_ref().expect("it is there").len() > 0;
    /// assert!(read);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    #[allow(clippy::must_use_candidate)] // the packet is what is waited for
    pub fn spawn_blocking<F, T, M>(&self, work: F, packet: M) -> Operation<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
        M: FnOnce(Result<T, OperationError>) -> P + Send + 'static,
    {
        start_blocking(self.operation(async move { work() }, packet))
    }
}

#[track_caller]
fn start<F>((operation, task): (Operation<F::Output>, OperationTask<F>)) -> Operation<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    drop(task::spawn(task));
    operation
}

/// Starts work that never waits.
#[track_caller]
fn start_blocking<F>((operation, task): (Operation<F::Output>, OperationTask<F>)) -> Operation<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let run = move || {
        let _ended = pin!(task).poll(&mut Context::from_waker(Waker::noop()));
    };
    drop(task::spawn_blocking(run));
    operation
}
