//! The APCs of a program.

use super::op::{Call, Op};
use super::world::{Begun, World};
use std::{
    future::Future,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
};

/// An APC of an actor.
pub(crate) struct Made {
    world: Weak<World>,
    actor: usize,
    call: Call,
}

impl Made {
    pub(crate) fn new(world: &Arc<World>, actor: usize, call: &Call) -> Self {
        Self { world: Arc::downgrade(world), actor, call: call.clone() }
    }

    /// Whether its operation may wait.
    pub(crate) fn waits(&self) -> bool {
        matches!(self.call.does.as_deref(), Some(Op::Wait { .. }))
    }

    fn world(&self) -> Arc<World> {
        self.world.upgrade().expect("calls are made while the program runs")
    }

    fn begin(&self) -> Option<Begun> {
        self.world().begins_call(self.actor);
        self.call.does.as_ref().map(|op| self.world().begin(self.actor, op))
    }

    fn end(&self, answer: Option<String>) {
        let tag = &self.call.tag;
        let entry = answer.map_or_else(|| tag.clone(), |answer| format!("{tag}{{{answer}}}"));
        self.world().note(self.actor, entry);
    }

    /// Makes it, in one go.
    pub(crate) fn at_once(&self) {
        let answer = self.begin().map(|begun| match begun {
            Begun::Done(answer) => answer,
            Begun::Waits(limited) => match pin!(limited).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(answer) => answer,
                Poll::Pending => panic!("the routine of a timer cannot wait"),
            },
        });
        self.end(answer);
    }

    /// Makes it, and waits where it waits.
    pub(crate) async fn slowly(self) {
        let inside = Inside::new(self.world().running(self.actor));
        let answer = match self.begin() {
            None => None,
            Some(Begun::Done(answer)) => Some(answer),
            Some(Begun::Waits(limited)) => Some(limited.await),
        };
        drop(inside);
        self.end(answer);
    }
}

/// As long as it is there the actor is in an APC that waits.
struct Inside(Arc<AtomicUsize>);

impl Inside {
    fn new(running: Arc<AtomicUsize>) -> Self {
        running.fetch_add(1, SeqCst);
        Self(running)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
