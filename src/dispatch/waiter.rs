//! The one wait: what it leaves behind, and a drop that loses nothing.

use super::{Header, Policy};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};

/// Who stands at a number.
#[derive(Debug)]
pub(crate) enum Place {
    /// A wait that was polled; waking it is all that is left to do once its number is granted.
    Waiting(Waker),
    /// A number handed out whose holder has not asked yet.
    Reserved,
    /// A number given up in advance: granted and released in one step when its turn comes.
    Forfeit,
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

/// How far a wait has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing refers to this wait.
    New,
    /// Either the line holds its waker, or the object's state has its answer.
    Queued,
}

/// One wait for one number. It owns nothing; the future around it keeps the object alive.
#[derive(Debug)]
pub(crate) struct Wait {
    number: u64,
    leave: Leave,
    stage: Stage,
}

impl Wait {
    pub(crate) fn new(number: u64, leave: Leave) -> Self {
        Self { number, leave, stage: Stage::New }
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Asks for the number, stands in line for it, or looks whether it was granted. Once it has
    /// answered, the wait is over: it must be neither polled nor cancelled.
    #[inline]
    pub(crate) fn poll<P: Policy>(
        &mut self,
        header: &Header<P>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), P::Refusal>> {
        match self.stage {
            Stage::New => self.first(header, cx.waker()),
            Stage::Queued => self.again(header, cx.waker()),
        }
    }

    #[inline]
    fn first<P: Policy>(&mut self, header: &Header<P>, waker: &Waker) -> Poll<Result<(), P::Refusal>> {
        let reserved = self.leave != Leave::Vacant;
        if !reserved {
            if let Some(answer) = header.quick(self.number) {
                return Poll::Ready(answer);
            }
        }
        // Cloned before the lock (R3).
        let waker = (!is_last_call(waker)).then(|| waker.clone());
        let stage = if waker.is_some() { Stage::Queued } else { Stage::New };
        let (answer, unused) = header.enter(self.number, reserved, waker);
        let Some(answer) = answer else {
            self.stage = stage;
            return Poll::Pending;
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(unused))) {
            if answer.is_ok() {
                // Nobody will see this grant.
                header.give_back(self.number, self.leave);
            }
            resume_unwind(panic);
        }
        Poll::Ready(answer)
    }

    fn again<P: Policy>(&mut self, header: &Header<P>, waker: &Waker) -> Poll<Result<(), P::Refusal>> {
        if let Some(answer) = header.answer(self.number) {
            return Poll::Ready(answer);
        }
        let waits = if is_last_call(waker) {
            let leave = if self.leave == Leave::Vacant { Leave::Vacant } else { Leave::Reserved };
            let left = header.leave(self.number, leave);
            if left {
                self.stage = Stage::New;
            }
            left
        } else {
            header.renew(self.number, waker)
        };
        if waits {
            return Poll::Pending;
        }
        // Nobody but the wait itself takes its waker out of the line without answering it.
        header.answer(self.number).map_or(Poll::Pending, Poll::Ready)
    }

    /// Gives up an unanswered wait: the future around it is being dropped.
    pub(crate) fn cancel<P: Policy>(&self, header: &Header<P>) {
        match (self.stage, self.leave) {
            (Stage::New, Leave::Forfeit) => header.forfeit(self.number),
            (Stage::New, _) => {}
            (Stage::Queued, leave) => {
                if !header.leave(self.number, leave) {
                    header.give_back(self.number, leave);
                }
            }
        }
    }
}

// ===== the last call =====

struct LastCall;

impl Wake for LastCall {
    fn wake(self: Arc<Self>) {}
}

static LAST_CALL: LazyLock<Waker> = LazyLock::new(|| Waker::from(Arc::new(LastCall)));

/// A waker that says: this is the last poll. A wait polled with it is answered if its grant has
/// come, and otherwise leaves the line in the same locked section, as if it had never been polled.
///
/// A deadline needs this. With a poll and then a drop, a grant that falls between the two would be
/// given back: the wait would have timed out and used up its turn all the same. The waker reaches
/// through `async` blocks and every combinator that hands it down.
pub(crate) fn last_call() -> &'static Waker {
    &LAST_CALL
}

fn is_last_call(waker: &Waker) -> bool {
    waker.will_wake(&LAST_CALL)
}

// ===== waking =====

/// Whom to wake, once the lock is released.
#[must_use]
pub(crate) struct Woken(pub(crate) Option<Waker>);

impl Woken {
    pub(crate) fn wake(self) {
        if let Some(waker) = self.0 {
            waker.wake();
        }
    }
}

/// Wakes every waiter in `places`. A waker that panics does not keep the others from being woken;
/// the first panic goes on afterwards.
pub(crate) fn wake_all(places: impl Iterator<Item = Place>) {
    let mut first = None;
    for place in places {
        if let Place::Waiting(waker) = place {
            // The state was settled before the lock was released; a panic leaves nothing half done.
            let woken = catch_unwind(AssertUnwindSafe(|| waker.wake()));
            first = first.or(woken.err());
        }
    }
    if let Some(panic) = first {
        resume_unwind(panic);
    }
}
