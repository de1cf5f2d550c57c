//! What an APC queue refuses.

use std::{error::Error, fmt};

/// The queue was dropped or closed, so nobody would ever make the call; it was not queued, and is in here.
///
/// From [`ApcHandle::queue`](crate::ApcHandle::queue) and
/// [`ApcHandle::queue_async`](crate::ApcHandle::queue_async). Win32 `QueueUserAPC` fails for a thread that has
/// ended, and has no need to give anything back.
///
/// # Examples
///
/// ```
/// use batons::ApcQueue;
///
/// let queue = ApcQueue::new();
/// drop(queue.close());
/// let refusal = queue.handle().queue(|| {}).unwrap_err();
/// assert_eq!(refusal.to_string(), "the APC queue is closed; nothing was queued");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct QueueClosed<F>(pub(crate) F);

impl<F> QueueClosed<F> {
    /// Takes the call out.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ApcQueue;
    /// let handle = ApcQueue::new().handle(); // the queue is gone already
    /// let call = handle.queue(|| println!("nobody listens")).unwrap_err().into_inner();
    /// call();
    /// ```
    pub fn into_inner(self) -> F {
        self.0
    }
}

impl<F> fmt::Debug for QueueClosed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueClosed").finish_non_exhaustive()
    }
}

impl<F> fmt::Display for QueueClosed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the APC queue is closed; nothing was queued")
    }
}

impl<F> Error for QueueClosed<F> {}
