//! An actor of a program: what Win32 calls a thread.

use super::waits::Waiting;
use batons::{Owner, blocking};
use std::{
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
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
    waiting: Waiting,
    flag: Arc<Flag>,
    deadline: Option<u64>,
}

impl Sleeper {
    pub(crate) fn new(waiting: Waiting, deadline: Option<u64>) -> Self {
        Self { waiting, flag: Arc::default(), deadline }
    }

    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    pub(crate) fn poll(&mut self) -> Poll<String> {
        self.flag.0.store(false, SeqCst);
        let waker = Waker::from(Arc::clone(&self.flag));
        self.waiting.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// The crate's own deadline: the answer if there is one, otherwise the wait has left its lines.
    pub(crate) fn last_call(&mut self) -> Option<String> {
        blocking::wait_timeout(self.waiting.as_mut(), Duration::ZERO).ok()
    }
}

pub(crate) struct Actor {
    /// Who it is to mutexes, until it dies.
    owner: Option<Arc<Owner>>,
    pub(crate) asleep: Option<Sleeper>,
    /// Waits that the last call ended.
    pub(crate) over: Vec<Sleeper>,
    /// An answer that was recorded and not yet collected, and the line on which it stands.
    pub(crate) owes: Option<(usize, String)>,
}

impl Actor {
    pub(crate) fn new() -> Self {
        Self { owner: Some(Arc::default()), asleep: None, over: Vec::new(), owes: None }
    }

    /// Its identity, if it can perform an operation.
    pub(crate) fn idle(&self) -> Option<Arc<Owner>> {
        self.owner.as_ref().filter(|_| self.asleep.is_none()).cloned()
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.owner.is_none()
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.asleep.as_ref().is_some_and(|asleep| asleep.flag.0.load(SeqCst))
    }

    /// Its answer, if it is asleep and has one; it is idle then.
    pub(crate) fn poll(&mut self) -> Option<String> {
        match self.asleep.as_mut()?.poll() {
            Poll::Ready(answer) => {
                self.asleep = None;
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

    /// Its thread is gone: first its wait, then what it owns.
    pub(crate) fn die(&mut self) {
        self.asleep = None;
        self.over.clear();
        let owner = self.owner.take().and_then(Arc::into_inner);
        assert!(owner.is_some(), "somebody else keeps a dead actor's mutexes locked");
    }
}
