//! Things that let everybody who waits go on at once: manual events, and what stands in for them.

use batons::ManualResetEvent;
use std::{
    future::{Future, poll_fn},
    sync::{Arc, Mutex, MutexGuard},
    task::{Poll, Waker},
};
use tokio::sync::{Notify, watch};

/// Lets everybody through who waits at this moment. Each task has a clone of its own.
pub(crate) trait Broadcast: Clone + Send + Sync + 'static {
    const NAME: &'static str;

    fn new() -> Self;
    fn fire(&self);
    fn wait(&mut self) -> impl Future<Output = ()> + Send;
}

/// The floor: a list of wakers, and how often it was emptied.
#[derive(Clone, Default)]
pub(crate) struct Wakers(Arc<Mutex<(u64, Vec<Waker>)>>);

impl Wakers {
    fn lock(&self) -> MutexGuard<'_, (u64, Vec<Waker>)> {
        self.0.lock().expect("no panic under the lock")
    }
}

impl Broadcast for Wakers {
    const NAME: &'static str = "floor: Mutex<Vec> of wakers";

    fn new() -> Self {
        Self::default()
    }

    fn fire(&self) {
        let mut wakers = {
            let mut state = self.lock();
            state.0 += 1;
            std::mem::take(&mut state.1)
        };
        wakers.drain(..).for_each(Waker::wake);
        // The room is kept: nobody has come meanwhile, on one thread.
        self.lock().1 = wakers;
    }

    async fn wait(&mut self) {
        let mut since = None;
        poll_fn(|cx| {
            let mut state = self.lock();
            match since {
                None => {
                    since = Some(state.0);
                    state.1.push(cx.waker().clone());
                    Poll::Pending
                }
                Some(since) if since == state.0 => Poll::Pending,
                Some(_) => Poll::Ready(()),
            }
        })
        .await;
    }
}

impl Broadcast for ManualResetEvent {
    const NAME: &'static str = "batons ManualResetEvent: set, reset";

    fn new() -> Self {
        Self::new(false)
    }

    fn fire(&self) {
        self.set();
        self.reset();
    }

    fn wait(&mut self) -> impl Future<Output = ()> + Send {
        ManualResetEvent::wait(self)
    }
}

#[derive(Clone)]
pub(crate) struct Pulsed(ManualResetEvent);

impl Broadcast for Pulsed {
    const NAME: &'static str = "batons ManualResetEvent: pulse";

    fn new() -> Self {
        Self(ManualResetEvent::new(false))
    }

    fn fire(&self) {
        self.0.pulse();
    }

    fn wait(&mut self) -> impl Future<Output = ()> + Send {
        ManualResetEvent::wait(&self.0)
    }
}

impl Broadcast for Arc<Notify> {
    const NAME: &'static str = "tokio Notify: notify_waiters";

    fn new() -> Self {
        Self::default()
    }

    fn fire(&self) {
        self.notify_waiters();
    }

    fn wait(&mut self) -> impl Future<Output = ()> + Send {
        self.notified()
    }
}

/// One receiver for each task, as `watch` wants it.
#[derive(Clone)]
pub(crate) struct Watched {
    sender: Arc<watch::Sender<()>>,
    receiver: watch::Receiver<()>,
}

impl Broadcast for Watched {
    const NAME: &'static str = "tokio watch: changed";

    fn new() -> Self {
        let (sender, receiver) = watch::channel(());
        Self { sender: Arc::new(sender), receiver }
    }

    fn fire(&self) {
        self.sender.send_replace(());
    }

    async fn wait(&mut self) {
        self.receiver.changed().await.expect("the sender is alive");
    }
}

impl Broadcast for Arc<event_listener::Event> {
    const NAME: &'static str = "event-listener: notify all";

    fn new() -> Self {
        Self::default()
    }

    fn fire(&self) {
        self.notify(usize::MAX);
    }

    async fn wait(&mut self) {
        self.listen().await;
    }
}

impl Broadcast for Arc<maitake_sync::WaitQueue> {
    const NAME: &'static str = "maitake WaitQueue: wake_all";

    fn new() -> Self {
        Self::new(maitake_sync::WaitQueue::new())
    }

    fn fire(&self) {
        self.wake_all();
    }

    async fn wait(&mut self) {
        (**self).wait().await.expect("it is not closed");
    }
}

impl Broadcast for Arc<asyncband::event::ManualResetEvent> {
    const NAME: &'static str = "asyncband ManualResetEvent: set, reset";

    fn new() -> Self {
        Self::new(asyncband::event::ManualResetEvent::new())
    }

    fn fire(&self) {
        self.set();
        self.reset();
    }

    fn wait(&mut self) -> impl Future<Output = ()> + Send {
        (**self).wait()
    }
}

impl Broadcast for Arc<futures_intrusive::sync::ManualResetEvent> {
    const NAME: &'static str = "futures-intrusive ManualResetEvent: set, reset";

    fn new() -> Self {
        Self::new(futures_intrusive::sync::ManualResetEvent::new(false))
    }

    fn fire(&self) {
        self.set();
        self.reset();
    }

    async fn wait(&mut self) {
        (**self).wait().await;
    }
}
