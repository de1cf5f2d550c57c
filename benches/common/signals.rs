//! Things that one task signals and another waits for: automatic events, and what stands in for them.

use batons::AutoResetEvent;
use event_listener::Event;
use futures::task::AtomicWaker;
use std::{
    future::{Future, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};
use tokio::sync::Notify;

/// One signal lets one wait through, now or later.
pub(crate) trait Signal: Clone + Send + Sync + 'static {
    const NAME: &'static str;

    fn new() -> Self;
    fn set(&self);
    fn wait(&self) -> impl Future<Output = ()> + Send;
}

/// The floor: a flag and a place for one waker. It knows one waiter only.
#[derive(Clone, Default)]
pub(crate) struct Flag(Arc<(AtomicBool, AtomicWaker)>);

impl Signal for Flag {
    const NAME: &'static str = "floor: flag and AtomicWaker";

    fn new() -> Self {
        Self::default()
    }

    fn set(&self) {
        self.0.0.store(true, Ordering::Release);
        self.0.1.wake();
    }

    fn wait(&self) -> impl Future<Output = ()> + Send {
        let (flag, waker) = &*self.0;
        poll_fn(|cx| {
            if flag.swap(false, Ordering::Acquire) {
                return Poll::Ready(());
            }
            waker.register(cx.waker());
            // Looked at again: the signal may have come before the waker did.
            if flag.swap(false, Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
        })
    }
}

impl Signal for AutoResetEvent {
    const NAME: &'static str = "batons AutoResetEvent";

    fn new() -> Self {
        Self::new(false)
    }

    fn set(&self) {
        self.set();
    }

    fn wait(&self) -> impl Future<Output = ()> + Send {
        self.wait()
    }
}

impl Signal for Arc<Notify> {
    const NAME: &'static str = "tokio Notify";

    fn new() -> Self {
        Self::default()
    }

    fn set(&self) {
        self.notify_one();
    }

    fn wait(&self) -> impl Future<Output = ()> + Send {
        self.notified()
    }
}

impl Signal for Arc<asyncband::event::AutoResetEvent> {
    const NAME: &'static str = "asyncband AutoResetEvent";

    fn new() -> Self {
        Self::new(asyncband::event::AutoResetEvent::new())
    }

    fn set(&self) {
        (**self).set();
    }

    fn wait(&self) -> impl Future<Output = ()> + Send {
        (**self).wait()
    }
}

impl Signal for Arc<maitake_sync::WaitQueue> {
    const NAME: &'static str = "maitake WaitQueue";

    fn new() -> Self {
        Self::new(maitake_sync::WaitQueue::new())
    }

    fn set(&self) {
        self.wake();
    }

    async fn wait(&self) {
        (**self).wait().await.expect("it is not closed");
    }
}

/// An `Event` keeps nothing, so a flag stands beside it.
#[derive(Clone, Default)]
pub(crate) struct Listened(pub(crate) Arc<(AtomicBool, Event)>);

impl Listened {
    /// Takes the signal, if there is one.
    pub(crate) fn take(&self) -> bool {
        self.0.0.swap(false, Ordering::Acquire)
    }
}

impl Signal for Listened {
    const NAME: &'static str = "event-listener and a flag";

    fn new() -> Self {
        Self::default()
    }

    fn set(&self) {
        self.0.0.store(true, Ordering::Release);
        self.0.1.notify(1);
    }

    async fn wait(&self) {
        while !self.take() {
            let signaled = self.0.1.listen();
            if self.take() {
                return;
            }
            signaled.await;
        }
    }
}

// ===== semaphores without permits, which remember how many signals there were =====

impl Signal for Arc<tokio::sync::Semaphore> {
    const NAME: &'static str = "tokio Semaphore(0)";

    fn new() -> Self {
        Self::new(tokio::sync::Semaphore::new(0))
    }

    fn set(&self) {
        self.add_permits(1);
    }

    async fn wait(&self) {
        self.acquire().await.expect("it is not closed").forget();
    }
}

impl Signal for Arc<async_lock::Semaphore> {
    const NAME: &'static str = "async-lock Semaphore(0)";

    fn new() -> Self {
        Self::new(async_lock::Semaphore::new(0))
    }

    fn set(&self) {
        self.add_permits(1);
    }

    async fn wait(&self) {
        self.acquire().await.forget();
    }
}

impl Signal for Arc<futures_intrusive::sync::Semaphore> {
    const NAME: &'static str = "futures-intrusive Semaphore(0), fair";

    fn new() -> Self {
        Self::new(futures_intrusive::sync::Semaphore::new(true, 0))
    }

    fn set(&self) {
        self.release(1);
    }

    async fn wait(&self) {
        self.acquire(1).await.disarm();
    }
}

/// Lets the other tasks of the thread run once, at the price of a wake; tokio's own goes to sleep first.
pub(crate) async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
