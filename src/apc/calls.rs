//! The list of calls, and the one way to make them.

use crate::event::AutoResetEvent;
use crate::sync::Lock;
use std::collections::BTreeMap;
use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// How many calls one alertable wait makes beyond those that were queued when it began to make them.
const MORE: usize = 1_024;

// ===== one call =====

/// A call that was queued and not made, as [`ApcQueue::close`](crate::ApcQueue::close) gives it back: await it
/// to make it after all, or drop it.
///
/// # Cancel safety
///
/// Dropping it drops the closure or the future that was queued; a closure that has begun is done.
///
/// # Panics
///
/// As the call does. Also if it is polled again after it answered, or after the call panicked.
///
/// # Examples
///
/// ```
/// use batons::ApcQueue;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let queue = ApcQueue::new();
/// queue.handle().queue(|| println!("late, but made"))?;
/// for call in queue.close() {
///     call.await;
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Apc {
    /// Its key in the list.
    place: u64,
    /// Locked by nobody but to look; it makes a call that is only `Send` shareable.
    work: Lock<Work>,
}

/// What there is to do.
pub(super) enum Work {
    Closure(Box<dyn FnOnce() + Send>),
    Future(Pin<Box<dyn Future<Output = ()> + Send>>),
    Routine(Arc<dyn Noted>),
    /// Nothing: it was made, or it panicked.
    Over,
}

/// A call that is noted elsewhere, and may have been taken back or noted anew since.
pub(super) trait Noted: Send + Sync {
    /// Whether it is still due at `place`. It can no longer be taken back then.
    fn begin(&self, place: u64) -> bool;

    /// It was not made: it goes back into the list, due at `place` as before.
    fn put_back(self: Arc<Self>, place: u64);

    /// Makes it.
    fn make(self: Arc<Self>);
}

impl Apc {
    /// Whether it is still to be made.
    fn begin(&mut self) -> bool {
        match self.work.get_mut() {
            Work::Routine(noted) => noted.begin(self.place),
            _ => true,
        }
    }
}

impl Future for Apc {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let place = self.place;
        let slot = self.work.get_mut();
        // Taken out first: what panics is not called again.
        match mem::replace(slot, Work::Over) {
            Work::Closure(call) => call(),
            Work::Future(mut future) => {
                if future.as_mut().poll(cx).is_pending() {
                    *slot = Work::Future(future);
                    return Poll::Pending;
                }
            }
            // Begun by the list, or here if it was given back.
            Work::Routine(noted) => {
                noted.begin(place);
                noted.make();
            }
            Work::Over => panic!("`Apc` polled after completion"),
        }
        Poll::Ready(())
    }
}

impl fmt::Debug for Apc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Apc").finish_non_exhaustive()
    }
}

#[cfg(feature = "futures")]
impl futures::future::FusedFuture for Apc {
    fn is_terminated(&self) -> bool {
        matches!(*self.work.lock(), Work::Over)
    }
}

// ===== the list =====

/// What a queue and its handles share.
#[derive(Debug)]
pub(super) struct Calls {
    list: Lock<List>,
    /// Set after each call that was queued. Whether there are calls is asked of the list alone, so that an
    /// alert for calls that are gone harms nobody.
    alert: AutoResetEvent,
}

/// The calls, in their order.
#[derive(Debug, Default)]
struct List {
    queued: BTreeMap<u64, Apc>,
    next: u64,
    closed: bool,
}

impl Calls {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { list: Lock::default(), alert: AutoResetEvent::new(false) })
    }

    /// Adds a call at the end and returns its place, or gives it back if the list is closed. Alerts nobody.
    pub(super) fn push<W>(&self, call: W, into_work: impl FnOnce(W) -> Work) -> Result<u64, W> {
        let mut list = self.list.lock();
        if list.closed {
            return Err(call);
        }
        let place = list.next;
        list.next += 1;
        list.queued.insert(place, Apc { place, work: Lock::new(into_work(call)) });
        Ok(place)
    }

    /// Wakes one who waits alertably.
    pub(super) fn alert(&self) {
        self.alert.set();
    }

    /// What wakes one who waits alertably.
    pub(super) fn alerted(&self) -> &AutoResetEvent {
        &self.alert
    }

    pub(super) fn count(&self) -> usize {
        self.list.lock().queued.len()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.list.lock().closed
    }

    /// Takes the call at `place` out. To be dropped outside any lock.
    pub(super) fn remove(&self, place: u64) -> Option<Apc> {
        self.list.lock().queued.remove(&place)
    }

    /// Refuses calls from now on, and takes out those that wait. To be dropped outside any lock.
    pub(super) fn close(&self) -> BTreeMap<u64, Apc> {
        let mut list = self.list.lock();
        list.closed = true;
        mem::take(&mut list.queued)
    }

    /// Begins the first call that is still to be made.
    fn take(&self) -> Option<Apc> {
        loop {
            let (_, mut call) = self.list.lock().queued.pop_first()?;
            if call.begin() {
                return Some(call);
            }
        }
    }

    /// Puts back a call that was begun and not ended: before all that were queued after it. If the list was
    /// closed meanwhile, the call is dropped.
    fn put_back(&self, call: Apc) {
        match call.work.into_inner() {
            Work::Routine(noted) => noted.put_back(call.place),
            work => drop(self.insert(call.place, work)),
        }
    }

    /// Puts `work` back to its place, or gives it back if the list is closed, to be dropped outside any lock.
    pub(super) fn insert(&self, place: u64, work: Work) -> Result<(), Work> {
        let mut list = self.list.lock();
        if list.closed {
            return Err(work);
        }
        list.queued.insert(place, Apc { place, work: Lock::new(work) });
        Ok(())
    }

    /// Sees to it that calls that were left are noticed by another wait.
    pub(super) fn alert_if_any(&self) {
        if self.count() > 0 {
            self.alert();
        }
    }
}

// ===== making them =====

/// The calls being made, one after the other, by one alertable wait.
#[derive(Debug)]
pub(super) struct Run<'a> {
    calls: &'a Calls,
    /// Begun and not ended.
    current: Option<Apc>,
    made: usize,
    /// How many it may make.
    most: usize,
}

impl<'a> Run<'a> {
    pub(super) fn new(calls: &'a Calls) -> Self {
        Self { calls, current: None, made: 0, most: 0 }
    }

    pub(super) fn calls(&self) -> &'a Calls {
        self.calls
    }

    /// Begins the first call. False if there is none.
    pub(super) fn begin(&mut self) -> bool {
        let queued = self.calls.count();
        self.current = self.calls.take();
        if self.current.is_some() {
            self.most = queued.saturating_add(MORE);
        }
        self.has_begun()
    }

    pub(super) fn has_begun(&self) -> bool {
        self.most > 0
    }

    /// Goes on until nothing is queued or enough was made, and tells how many calls that were. With a
    /// deadline that is over, a call that waits is left for later, with its places in line.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, last: bool) -> Poll<usize> {
        let mut idle = Context::from_waker(Waker::noop());
        let cx = if last { &mut idle } else { cx };
        while let Some(mut call) = self.current.take() {
            if Pin::new(&mut call).poll(cx).is_pending() {
                if last && self.made > 0 {
                    // Not a time-out: something was done.
                    self.calls.put_back(call);
                    break;
                }
                self.current = Some(call);
                return Poll::Pending;
            }
            self.made += 1;
            if self.made < self.most {
                self.current = self.calls.take();
            }
        }
        self.most = 0;
        self.calls.alert_if_any();
        Poll::Ready(self.made)
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.current.take() {
            self.calls.put_back(call);
        }
        if self.has_begun() {
            self.calls.alert_if_any();
        }
    }
}
