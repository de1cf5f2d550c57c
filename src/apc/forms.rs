//! The alertable waits for threads.

use super::{Alertable, ApcQueue};
use crate::blocking;
use crate::error::TimedOut;
use std::{convert::Infallible, future::Future, time::Duration};

impl ApcQueue {
    /// [`alertable`](ApcQueue::alertable) for a thread.
    ///
    /// # Panics
    ///
    /// As [`alertable`](ApcQueue::alertable). With feature `tokio`, when called on a worker thread of a tokio
    /// runtime; see [the module](crate::blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::{Alertable, ApcQueue, AutoResetEvent};
    ///
    /// let (queue, event) = (ApcQueue::new(), AutoResetEvent::new(false));
    /// let handle = queue.handle();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(move || handle.queue(|| println!("made by the waiting thread")));
    ///     assert_eq!(queue.blocking_alertable(event.wait()), Alertable::Alerted);
    /// });
    /// ```
    #[track_caller]
    pub fn blocking_alertable<F: Future>(&self, wait: F) -> Alertable<F::Output> {
        blocking::wait(self.alertable(wait))
    }

    /// [`alertable`](ApcQueue::alertable) for a thread that waits for `duration` at most, which may be zero; see
    /// [`blocking::wait_timeout`].
    ///
    /// The object comes first, then the calls, then the time-out. A call that
    /// [waits](crate::ApcHandle::queue_async) is left at the head of the queue when the time is over; the answer
    /// is then [`Alertable::Alerted`] if others were made before it.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if the deadline passed first; the wait was withdrawn and no call ended.
    ///
    /// # Panics
    ///
    /// As [`blocking_alertable`](ApcQueue::blocking_alertable).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{ApcQueue, AutoResetEvent};
    /// # use std::time::Duration;
    /// let (queue, event) = (ApcQueue::new(), AutoResetEvent::new(false));
    /// assert!(queue.blocking_alertable_timeout(event.wait(), Duration::ZERO).is_err());
    /// queue.handle().queue(|| {}).expect("the queue is there");
    /// assert!(queue.blocking_alertable_timeout(event.wait(), Duration::ZERO).unwrap().is_alerted());
    /// ```
    #[track_caller]
    pub fn blocking_alertable_timeout<F: Future>(
        &self,
        wait: F,
        duration: Duration,
    ) -> Result<Alertable<F::Output>, TimedOut> {
        blocking::wait_timeout(self.alertable(wait), duration)
    }

    /// Lets the calling thread sleep for `duration`, or make the calls that are queued or come meanwhile.
    /// Win32 `SleepEx` with *alertable*.
    ///
    /// With a `duration` of zero it makes what is queued. [`Alertable::Done`] means that the whole time has passed.
    ///
    /// # Panics
    ///
    /// As [`blocking_alertable`](ApcQueue::blocking_alertable).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Alertable, ApcQueue};
    /// # use std::time::Duration;
    /// let queue = ApcQueue::new();
    /// assert_eq!(queue.blocking_sleep(Duration::from_millis(1)), Alertable::Done(()));
    /// ```
    #[track_caller]
    pub fn blocking_sleep(&self, duration: Duration) -> Alertable<()> {
        match blocking::wait_timeout(self.alertable(std::future::pending::<Infallible>()), duration) {
            Ok(Alertable::Done(never)) => match never {},
            Ok(Alertable::Alerted) => Alertable::Alerted,
            Err(TimedOut(())) => Alertable::Done(()),
        }
    }
}
