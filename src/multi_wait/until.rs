//! Any other future as a part of a wait on several.

use crate::dispatch::{Answer, Halves, Leave, Part, Wait, drop_part, poll_part};
use crate::event::{Flag, ManualResetEvent};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// Lets any future take part in [`wait_any`](crate::wait_any), [`wait_all`](crate::wait_all) and
/// [`signal_and_wait`](crate::signal_and_wait): an object that is signaled for good when the future
/// completes.
///
/// The future is polled by the wait it takes part in, at each of its polls. It is dropped with it; to keep
/// it, pass `&mut future`. In a wait on all its output waits until the others can be had as well. Costs two
/// allocations, for the future and for the object.
///
/// Win32 has objects for what may end (a thread, a process); this is their counterpart for tasks.
///
/// # Cancel safety
///
/// That of the future itself. If it completes in the very moment in which another party grants another member,
/// its output is lost with the wait, also that of a `&mut future`, which must not be polled again then.
///
/// # Panics
///
/// The future panics if it is polled again after it answered.
///
/// # Examples
///
/// A task's end, or a cancellation, against an object:
///
/// ```
/// use batons::{AutoResetEvent, until, wait_any};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), batons::WaitError> {
/// let stop = AutoResetEvent::new(false);
/// let mut task = tokio::spawn(async { 42 });
/// let (index, (answer, _stopped)) = wait_any((until(&mut task), stop.wait())).await?;
/// assert_eq!((index, answer.unwrap().unwrap()), (0, 42));
///
/// let token = tokio_util::sync::CancellationToken::new();
/// token.cancel();
/// let (index, _) = wait_any((stop.wait(), until(token.cancelled()))).await?;
/// assert_eq!(index, 1);
/// # Ok(())
/// # }
/// ```
pub fn until<F: Future>(future: F) -> Until<F> {
    Until {
        future: Some(Box::pin(future)),
        output: None,
        done: ManualResetEvent::new(false),
        wait: Wait::new((), 0, Leave::Vacant),
        over: false,
    }
}

/// [`until`] the next notification of an `event_listener::Event`, listening from this call on.
///
/// # Cancel safety
///
/// As a dropped `EventListener`: a notification by `notify` that it had received and not told goes to the
/// next listener. One that was seen in the poll in which another member won is used up; see [`until`].
///
/// # Panics
///
/// The future panics if it is polled again after it answered.
///
/// # Examples
///
/// ```
/// use batons::{AutoResetEvent, until_notified, wait_any};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), batons::WaitError> {
/// let (event, stop) = (event_listener::Event::new(), AutoResetEvent::new(false));
/// let waits = (stop.wait(), until_notified(&event));
/// event.notify(1);
/// assert_eq!(wait_any(waits).await?.0, 1);
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "event-listener")]
pub fn until_notified(event: &event_listener::Event) -> Until<event_listener::EventListener> {
    until(event.listen())
}

/// Future of [`until`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Until<F: Future> {
    /// Absent once it has completed.
    future: Option<Pin<Box<F>>>,
    /// Present from the completion to the answer.
    output: Option<F::Output>,
    /// What the completion signals.
    done: ManualResetEvent,
    wait: Wait<Flag>,
    over: bool,
}

// The future is pinned in its box.
impl<F: Future> Unpin for Until<F> {}

impl<F: Future> Part for Until<F> {
    type Policy = Flag;

    fn wait(&mut self) -> Option<Halves<'_, Flag>> {
        (!self.over).then_some((self.done.header(), &mut self.wait))
    }

    fn finish(&mut self, _: Answer<Flag>) -> F::Output {
        self.over = true;
        self.output.take().expect("the completion was what signaled")
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        let Some(future) = &mut self.future else { return };
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            self.future = None;
            self.output = Some(output);
            self.done.set();
        }
    }
}

impl<F: Future> Future for Until<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.drive(cx);
        poll_part(&mut *self, cx, "Until")
    }
}

#[cfg(feature = "futures")]
impl<F: Future> futures::future::FusedFuture for Until<F> {
    fn is_terminated(&self) -> bool {
        self.over
    }
}

impl<F: Future> Drop for Until<F> {
    fn drop(&mut self) {
        drop_part(self);
    }
}

impl<F: Future> fmt::Debug for Until<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Until").field("completed", &self.future.is_none()).finish_non_exhaustive()
    }
}
