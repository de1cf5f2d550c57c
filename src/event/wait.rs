//! The wait for an event.

use super::{Event, Flag, Kind};
use crate::dispatch::{Answer, Halves, Leave, Part, Wait, drop_part, poll_part};
use std::{
    borrow::Borrow,
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

/// Future of [`Event::wait`].
pub type WaitEvent<'a, K> = AwaitEvent<K, &'a Event<K>>;

/// Future of [`Event::wait_owned`].
pub type WaitOwnedEvent<K> = AwaitEvent<K, Event<K>>;

/// A wait for an event. Used by its names [`WaitEvent`] and [`WaitOwnedEvent`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct AwaitEvent<K: Kind, H: Borrow<Event<K>>> {
    /// Leaves with the answer.
    event: Option<H>,
    wait: Wait<Flag>,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind, H: Borrow<Event<K>>> AwaitEvent<K, H> {
    #[inline]
    pub(super) fn new(event: H) -> Self {
        Self { event: Some(event), wait: Wait::new((), 0, Leave::Vacant), kind: PhantomData }
    }
}

// Nothing in here is ever pinned.
impl<K: Kind, H: Borrow<Event<K>>> Unpin for AwaitEvent<K, H> {}

impl<K: Kind, H: Borrow<Event<K>>> Part for AwaitEvent<K, H> {
    type Policy = Flag;

    #[inline]
    fn wait(&mut self) -> Option<Halves<'_, Flag>> {
        Some((&self.event.as_ref()?.borrow().header, &mut self.wait))
    }

    #[inline]
    fn finish(&mut self, _: Answer<Flag>) {
        self.event = None;
    }
}

impl<K: Kind, H: Borrow<Event<K>>> Future for AwaitEvent<K, H> {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        poll_part(&mut *self, cx, "WaitEvent")
    }
}

impl<K: Kind, H: Borrow<Event<K>>> Drop for AwaitEvent<K, H> {
    #[inline]
    fn drop(&mut self) {
        drop_part(self);
    }
}

impl<K: Kind, H: Borrow<Event<K>>> fmt::Debug for AwaitEvent<K, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitEvent")
            .field("event", &self.event.as_ref().map(H::borrow))
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl<K: Kind, H: Borrow<Event<K>>> futures::future::FusedFuture for AwaitEvent<K, H> {
    fn is_terminated(&self) -> bool {
        self.event.is_none()
    }
}
