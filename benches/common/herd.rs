//! Contenders that wake everybody, and let everybody look whose turn it is.

use super::turns::{Plan, Turns};
use event_listener::Event;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::{Notify, watch};

#[derive(Clone)]
pub(crate) struct NotifyHerd(Arc<(AtomicU64, Notify)>);

impl Turns for NotifyHerd {
    const NAME: &'static str = "tokio Notify broadcast";

    fn new(_: &Plan) -> Self {
        Self(Arc::default())
    }

    async fn turn(&mut self, seq: u64) {
        let (next, notify) = &*self.0;
        loop {
            // Made before the look: it gets every `notify_waiters` from here on.
            let changed = notify.notified();
            if next.load(Ordering::Acquire) == seq {
                break;
            }
            changed.await;
        }
        next.store(seq + 1, Ordering::Release);
        notify.notify_waiters();
    }
}

#[derive(Clone)]
pub(crate) struct EventHerd(Arc<(AtomicU64, Event)>);

impl Turns for EventHerd {
    const NAME: &'static str = "event-listener broadcast";

    fn new(_: &Plan) -> Self {
        Self(Arc::new((AtomicU64::new(0), Event::new())))
    }

    async fn turn(&mut self, seq: u64) {
        let (next, event) = &*self.0;
        while next.load(Ordering::Acquire) != seq {
            let changed = event.listen();
            if next.load(Ordering::Acquire) != seq {
                changed.await;
            }
        }
        next.store(seq + 1, Ordering::Release);
        event.notify(usize::MAX);
    }
}

/// One receiver for each task, as `watch` wants it.
#[derive(Clone)]
pub(crate) struct WatchHerd {
    sender: Arc<watch::Sender<u64>>,
    receiver: watch::Receiver<u64>,
}

impl Turns for WatchHerd {
    const NAME: &'static str = "tokio watch";

    fn new(_: &Plan) -> Self {
        let (sender, receiver) = watch::channel(0);
        Self { sender: Arc::new(sender), receiver }
    }

    async fn turn(&mut self, seq: u64) {
        let turn = self.receiver.wait_for(|&next| next == seq).await;
        drop(turn.expect("the sender is alive"));
        self.sender.send_replace(seq + 1);
    }
}
