//! Who stands in an object's line, and who was granted and has not looked yet.

use super::Policy;
use super::header::Answer;
use super::line::Line;
use super::record::Record;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::Waker;

/// Who stands at a number.
#[derive(Debug)]
pub(crate) enum Place<R> {
    /// A wait that was polled, and what it asks for.
    Waiting(Waker, R),
    /// One of the places of a wait on several objects, and its index among them.
    Shared(Arc<Record>, usize, R),
    /// A number handed out whose holder has not asked yet.
    Reserved,
    /// A number given up in advance: granted and released in one step when its turn comes.
    Forfeit,
}

impl<R> Place<R> {
    /// Whether it belongs to a wait on all of several objects.
    pub(super) fn is_all(&self) -> bool {
        matches!(self, Self::Shared(record, ..) if record.is_all())
    }
}

/// The answer to one who stood in line, as long as it has not been seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<P: Policy> {
    pub(super) request: P::Request,
    pub(super) answer: Answer<P>,
    /// Whom a grant may be passed on to, if it cannot become anybody's: those with lower numbers.
    pub(super) tail: u64,
}

impl<P: Policy> Given<P> {
    /// A grant that is read off the state, or was made to one who never stood in line.
    pub(super) fn unrecorded(request: P::Request, grant: P::Grant) -> Self {
        Self { request, answer: Ok(grant), tail: 0 }
    }
}

/// What becomes of a number when its wait ends unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// It is free for anybody; a grant not yet seen counts as used.
    Vacant,
    /// It goes back to the reservation it came from, even if it was granted and not yet seen.
    Reserved,
    /// It is passed over.
    Forfeit,
}

/// What the lock of an object protects.
#[derive(Debug)]
pub(crate) struct Queue<P: Policy> {
    pub(super) line: Line<Place<P::Request>>,
    /// Absent until a grant is recorded.
    given: Option<Box<Line<Given<P>>>>,
    /// How many in the line belong to waits on all.
    pub(super) alls: usize,
}

impl<P: Policy> Queue<P> {
    pub(super) fn new() -> Self {
        Self { line: Line::new(), given: None, alls: 0 }
    }

    /// Records the answer to the one who stood at `number`.
    pub(super) fn record(&mut self, number: u64, given: Given<P>) {
        self.given.get_or_insert_with(|| Box::new(Line::new())).enter(number, given);
    }

    /// Takes the record of an answer.
    pub(super) fn take_record(&mut self, number: u64) -> Option<Given<P>> {
        self.given.as_mut()?.remove(number)
    }

    /// Whether somebody stands before `number` whom nobody may overtake: not a wait on all, which reserves
    /// nothing, nor a wait that was claimed elsewhere.
    pub(super) fn is_waited_for(&mut self, number: u64) -> bool {
        let mut from = 0;
        while let Some((first, place)) = self.line.first_from(from).filter(|&(first, _)| first < number) {
            match place {
                Place::Shared(record, ..) if !record.keeps_place() || !record.is_open() => from = first + 1,
                _ => return true,
            }
        }
        false
    }

    /// Empties the line.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Place<P::Request>> + use<P> {
        self.alls = 0;
        self.line.drain()
    }
}

// ===== waking =====

/// Whom to wake, once the locks are released.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Woken {
    /// The first one needs no allocation.
    first: Option<Waker>,
    more: Vec<Waker>,
}

impl Woken {
    #[inline]
    pub(super) fn push(&mut self, waker: Waker) {
        match self.first {
            None => self.first = Some(waker),
            Some(_) => self.more.push(waker),
        }
    }

    pub(super) fn extend(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.push(waker);
        }
    }

    /// Wakes all of them, in the order in which they were granted.
    #[inline]
    pub(super) fn wake(self) {
        let Self { first: Some(first), more } = self else { return };
        if more.is_empty() {
            first.wake();
        } else {
            wake_each([first].into_iter().chain(more));
        }
    }
}

/// Wakes everyone who stood at `places`, to be refused.
pub(super) fn wake_all<R>(places: impl Iterator<Item = Place<R>>) {
    wake_each(places.filter_map(|place| match place {
        Place::Waiting(waker, _) => Some(waker),
        Place::Shared(record, index, _) if record.claim(index) => record.take_waker(),
        _ => None,
    }));
}

/// Wakes every waker, whatever one of them does.
fn wake_each(wakers: impl Iterator<Item = Waker>) {
    call_each(wakers.map(|waker| || waker.wake()));
}

/// Makes every call. One that panics does not keep the others from being made; the first panic goes on
/// afterwards.
pub(crate) fn call_each<F: FnOnce()>(calls: impl Iterator<Item = F>) {
    let mut first = None;
    for call in calls {
        // The state was settled before the lock was released; a panic leaves nothing half done.
        first = first.or(catch_unwind(AssertUnwindSafe(call)).err());
    }
    if let Some(panic) = first {
        resume_unwind(panic);
    }
}
