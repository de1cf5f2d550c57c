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

/// How many APCs of an actor there are of these kinds.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// That it has begun.
    pub(crate) begun: AtomicUsize,
    /// That may wait and have not ended.
    pub(crate) slow: AtomicUsize,
    /// Of those, that it is in.
    pub(crate) inside: AtomicUsize,
}

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
        self.world().counts(self.actor).begun.fetch_add(1, SeqCst);
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
    pub(crate) fn slowly(self) -> impl Future<Output = ()> + Send {
        let counts = self.world().counts(self.actor);
        let slow = One::of(&counts, |counts| &counts.slow);
        async move {
            let inside = One::of(&counts, |counts| &counts.inside);
            let answer = match self.begin() {
                None => None,
                Some(Begun::Done(answer)) => Some(answer),
                Some(Begun::Waits(limited)) => Some(limited.await),
            };
            drop((inside, slow));
            self.end(answer);
        }
    }
}

/// One of those that are counted, as long as it is there.
struct One(Arc<Counts>, fn(&Counts) -> &AtomicUsize);

impl One {
    fn of(counts: &Arc<Counts>, which: fn(&Counts) -> &AtomicUsize) -> Self {
        which(counts).fetch_add(1, SeqCst);
        Self(Arc::clone(counts), which)
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.1(&self.0).fetch_sub(1, SeqCst);
    }
}
