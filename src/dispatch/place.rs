//! Who stands in an object's line, and who was granted and has not looked yet.

use super::Policy;
use super::calls::call_each;
use super::header::Answer;
use super::line::Line;
use super::record::Record;
use std::sync::Arc;
use std::task::Waker;

/// Who stands at a number.
#[derive(Debug)]
pub(crate) enum Place<P: Policy> {
    /// A wait that was polled, and what it asks for.
    Waiting(Waker, P::Request),
    /// One of the places of a wait on several objects, and its index among them.
    Shared(Arc<Record>, usize, P::Request),
    /// A number handed out whose holder has not asked yet.
    Reserved,
    /// A number given up in advance: granted and released in one step when its turn comes.
    Forfeit,
    /// A wait that was answered and has not looked yet. It keeps nobody waiting.
    Given(Given<P>),
}

impl<P: Policy> Place<P> {
    /// Whether it belongs to a wait on all of several objects.
    pub(super) fn is_all(&self) -> bool {
        matches!(self, Self::Shared(record, ..) if record.is_all())
    }
}

/// The answer to one who stood in line, as long as it has not been seen.
#[derive(Debug)]
pub(crate) struct Given<P: Policy> {
    pub(super) request: P::Request,
    pub(super) answer: Answer<P>,
    /// Whom a grant may be passed on to, if it cannot become anybody's: those with lower numbers.
    pub(super) tail: u64,
}

impl<P: Policy> Clone for Given<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Policy> Copy for Given<P> {}

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
    pub(super) line: Line<Place<P>>,
    /// How many in the line were answered.
    given: usize,
    /// Nobody before this number waits, in a line that numbers its places itself.
    first: u64,
    /// How many in the line belong to waits on all.
    pub(super) alls: usize,
}

impl<P: Policy> Queue<P> {
    pub(super) fn new() -> Self {
        Self { line: Line::new(), given: 0, first: 0, alls: 0 }
    }

    /// How many wait, or hold a place for one who may.
    #[inline]
    pub(super) fn waiting(&self) -> usize {
        self.line.len() - self.given
    }

    /// Whether nobody in the line waits.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.waiting() == 0
    }

    /// The first who waits at `from` or behind it, in a line that numbers its places itself.
    #[inline]
    pub(super) fn first_from(&mut self, from: u64) -> Option<(u64, &mut Place<P>)> {
        if self.is_idle() {
            return None;
        }
        let (number, place) =
            self.line.find_from(from.max(self.first), |place| !matches!(place, Place::Given(_)))?;
        if from <= self.first {
            self.first = number;
        }
        Some((number, place))
    }

    /// Answers the one who stands at `number`: the answer takes its place, or nothing does if the state tells it.
    #[inline]
    pub(super) fn answer(&mut self, number: u64, given: Given<P>) -> Option<Place<P>> {
        if !P::RECORDS {
            return self.line.remove(number);
        }
        let place = self.line.get_mut(number)?;
        self.given += 1;
        Some(std::mem::replace(place, Place::Given(given)))
    }

    /// Takes the answer to the one who stood at `number`.
    #[inline]
    pub(super) fn collect(&mut self, number: u64) -> Option<Given<P>> {
        if !P::RECORDS {
            return None;
        }
        let Some(&mut Place::Given(given)) = self.line.get_mut(number) else { return None };
        self.given -= 1;
        self.line.remove(number);
        Some(given)
    }

    /// Whether somebody stands before `number` whom nobody may overtake: not a wait on all, which reserves
    /// nothing, nor a wait that was claimed elsewhere.
    pub(super) fn is_waited_for(&mut self, number: u64) -> bool {
        let mut from = 0;
        while let Some((first, place)) = self.first_from(from).filter(|&(first, _)| first < number) {
            match place {
                Place::Shared(record, ..) if !record.keeps_place() || !record.is_open() => from = first + 1,
                _ => return true,
            }
        }
        false
    }

    /// Takes out all who wait. Those who were answered keep their answers.
    pub(super) fn drain(&mut self) -> Vec<Place<P>> {
        self.alls = 0;
        let mut waiting = Vec::with_capacity(self.waiting());
        for (number, place) in self.line.drain() {
            match place {
                Place::Given(_) => self.line.enter(number, place),
                _ => waiting.push(place),
            }
        }
        waiting
    }
}

// ===== waking =====

/// Whom to wake, once the locks are released.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Woken {
    /// The first one needs no allocation.
    first: Option<Waker>,
    /// In a box, since it is mostly absent and every section carries it.
    #[allow(clippy::box_collection)]
    more: Option<Box<Vec<Waker>>>,
}

impl Woken {
    #[inline]
    pub(super) fn push(&mut self, waker: Waker) {
        match self.first {
            None => self.first = Some(waker),
            Some(_) => self.push_more(waker),
        }
    }

    #[cold]
    fn push_more(&mut self, waker: Waker) {
        self.more.get_or_insert_default().push(waker);
    }

    pub(super) fn extend(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.push(waker);
        }
    }

    /// Wakes all of them, in the order in which they were granted.
    #[inline]
    pub(super) fn wake(self) {
        match self {
            Self { first: None, .. } => {}
            Self { first: Some(first), more: None } => first.wake(),
            Self { first, more: Some(more) } => wake_each(first.into_iter().chain(*more)),
        }
    }
}

/// Wakes everyone who stood at `places`, to be refused.
pub(super) fn wake_all<P: Policy>(places: Vec<Place<P>>) {
    wake_each(places.into_iter().filter_map(|place| match place {
        Place::Waiting(waker, _) => Some(waker),
        Place::Shared(record, index, _) if record.claim(index) => record.take_waker(),
        _ => None,
    }));
}

/// Wakes every waker, whatever one of them does.
fn wake_each(wakers: impl Iterator<Item = Waker>) {
    call_each(wakers.map(|waker| || waker.wake()));
}
