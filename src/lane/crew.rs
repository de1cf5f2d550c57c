//! A fixed crew of workers, tasks or threads, and the queue from which they take their jobs.

use crate::Semaphore;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{future, future::Future, mem, pin::pin, task::Poll, thread};

/// Jobs in the order in which they are to be begun. Clones are handles to one queue.
pub(super) struct Crew<J> {
    inner: Arc<Inner<J>>,
}

struct Inner<J> {
    /// A permit for each job in the queue, until it is closed.
    ready: Semaphore,
    jobs: Mutex<VecDeque<J>>,
}

impl<J> Clone for Crew<J> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<J> Crew<J> {
    pub(super) fn new() -> Self {
        let ready = Semaphore::new(0, i32::MAX as u32);
        Self { inner: Arc::new(Inner { ready, jobs: Mutex::new(VecDeque::new()) }) }
    }

    fn jobs(&self) -> MutexGuard<'_, VecDeque<J>> {
        self.inner.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, job: J) {
        self.jobs().push_back(job);
        // A window is never as large as the maximum.
        let _ = self.inner.ready.release(1);
    }

    /// Whether no job waits for a worker, so that one may be waiting for a job.
    pub(super) fn is_hungry(&self) -> bool {
        self.inner.ready.available() == 0
    }

    /// The next job. `None` when there are no more.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a job is taken only when it is answered.
    pub(super) async fn next(&self) -> Option<J> {
        if let Ok(permit) = self.inner.ready.acquire().await {
            permit.forget();
        }
        // After the end the queue is emptied without permits.
        self.jobs().pop_front()
    }

    /// There are no more jobs than those in the queue.
    pub(super) fn finish(&self) {
        self.inner.ready.close();
    }

    /// There are no more jobs at all.
    pub(super) fn cancel(&self) {
        self.finish();
        let jobs = mem::take(&mut *self.jobs());
        drop(jobs);
    }
}

/// `future`, with a panic as its answer.
pub(super) async fn caught<F: Future>(future: F) -> thread::Result<F::Output> {
    let mut future = pin!(future);
    future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}
