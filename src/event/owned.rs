//! The wait that has its event with it.

use super::{Event, Flag, Kind};
use crate::dispatch::{Answer, Halves, Leave, Part, Wait, drop_part, poll_part};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

impl<K: Kind> Event<K> {
    /// [`wait`](Event::wait) that has a handle of its own, for what stores the future or moves it to another
    /// task.
    ///
    /// # Cancel safety
    ///
    /// As `wait`.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::ManualResetEvent;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let wait = ManualResetEvent::new(true).wait_owned(); // the last handle to it
    /// tokio::spawn(wait).await.unwrap();
    /// # }
    /// ```
    #[inline]
    pub fn wait_owned(&self) -> WaitOwnedEvent<K> {
        WaitOwnedEvent { event: Some(self.clone()), wait: Wait::new((), 0, Leave::Vacant) }
    }
}

/// Future of [`Event::wait_owned`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WaitOwnedEvent<K: Kind> {
    /// Leaves with the answer.
    event: Option<Event<K>>,
    wait: Wait<Flag>,
}

// Nothing in here is ever pinned.
impl<K: Kind> Unpin for WaitOwnedEvent<K> {}

impl<K: Kind> Part for WaitOwnedEvent<K> {
    type Policy = Flag;

    #[inline]
    fn wait(&mut self) -> Option<Halves<'_, Flag>> {
        Some((&self.event.as_ref()?.header, &mut self.wait))
    }

    #[inline]
    fn finish(&mut self, _: Answer<Flag>) {
        self.event = None;
    }
}

impl<K: Kind> Future for WaitOwnedEvent<K> {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        poll_part(&mut *self, cx, "WaitOwnedEvent")
    }
}

impl<K: Kind> Drop for WaitOwnedEvent<K> {
    #[inline]
    fn drop(&mut self) {
        drop_part(self);
    }
}

impl<K: Kind> fmt::Debug for WaitOwnedEvent<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitOwnedEvent").field("event", &self.event).finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<K: Kind> futures::future::FusedFuture for WaitOwnedEvent<K> {
    fn is_terminated(&self) -> bool {
        self.event.is_none()
    }
}
