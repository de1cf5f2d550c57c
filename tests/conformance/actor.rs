//! An actor of a program as it is polled: what Win32 calls a thread.

use super::time::Limited;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    task::{Context, Poll, Wake, Waker},
};

/// A waker that sets a flag.
#[derive(Debug, Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

/// A wait in which an actor sleeps.
pub(crate) struct Sleeper {
    waiting: Limited,
    flag: Arc<Flag>,
}

impl Sleeper {
    pub(crate) fn new(waiting: Limited) -> Self {
        Self { waiting, flag: Arc::default() }
    }

    fn poll(&mut self) -> Poll<String> {
        self.flag.0.store(false, SeqCst);
        let waker = Waker::from(Arc::clone(&self.flag));
        Pin::new(&mut self.waiting).poll(&mut Context::from_waker(&waker))
    }
}

#[derive(Default)]
pub(crate) struct Actor {
    pub(crate) asleep: Option<Sleeper>,
    /// Waits that the last call ended, and that are still there.
    over: Vec<Sleeper>,
    /// An answer that was recorded and not yet collected, and the line on which it stands.
    pub(crate) owes: Option<(usize, String)>,
}

impl Actor {
    pub(crate) fn is_woken(&self) -> bool {
        self.asleep.as_ref().is_some_and(|asleep| asleep.flag.0.load(SeqCst))
    }

    /// Its answer, if it is asleep and has one; it is idle then. A wait whose deadline was the last call may be
    /// kept: it has left every line, and that it is still there must make no difference.
    pub(crate) fn poll(&mut self, keeps: bool) -> Option<String> {
        match self.asleep.as_mut()?.poll() {
            Poll::Ready(answer) => {
                self.over.extend(self.asleep.take().filter(|asleep| keeps && asleep.waiting.expired));
                Some(answer)
            }
            Poll::Pending => None,
        }
    }

    /// From the next poll on another waker is the one to wake.
    pub(crate) fn renew(&mut self) {
        if let Some(asleep) = &mut self.asleep {
            asleep.flag = Arc::default();
        }
    }

    /// Whatever it waited for, it waits no more.
    pub(crate) fn give_up(&mut self) {
        self.asleep = None;
        self.over.clear();
    }
}
