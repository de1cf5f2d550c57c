//! The one wait: what it leaves behind, and a drop that loses nothing.

use super::Policy;
use super::header::{Answer, Ask, Entered, Header, Quick};
use super::place::{Given, Leave};
use super::record::{Member, Object, Record};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker, ready};

/// How far a wait has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing refers to this wait.
    New,
    /// It stands in line, or its answer is ready.
    Queued,
}

/// One wait for one object. It owns nothing; the future around it keeps the object alive.
#[derive(Debug)]
pub struct Wait<P: Policy> {
    request: P::Request,
    /// Where it stands, or the place that it names.
    number: u64,
    leave: Leave,
    stage: Stage,
}

impl<P: Policy> Wait<P> {
    /// A wait that stands at `number`; without meaning if the object numbers its places itself.
    #[inline]
    pub(crate) fn new(request: P::Request, number: u64, leave: Leave) -> Self {
        Self { request, number, leave, stage: Stage::New }
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn request(&self) -> P::Request {
        self.request
    }

    #[inline]
    fn ask(&self) -> Ask<P> {
        Ask { request: self.request, number: self.number, own: self.leave != Leave::Vacant }
    }

    // ===== alone =====

    /// Asks for the object, stands in line for it, or looks whether it was granted. Once it has
    /// answered, the wait is over: it must be neither polled nor cancelled.
    #[inline]
    pub(crate) fn poll(&mut self, header: &Header<P>, cx: &Context<'_>) -> Poll<Answer<P>> {
        // What needs no lock is small enough to become part of the caller; the rest is called.
        match self.stage {
            Stage::New if self.leave == Leave::Vacant => match header.quick(self.ask()) {
                Quick::Answered(answer) => Poll::Ready(answer),
                _ => self.enter(header, cx.waker()),
            },
            Stage::New => self.enter(header, cx.waker()),
            Stage::Queued if !P::RECORDS && header.policy().tells(header.state(), self.number) => {
                Poll::Ready(Ok(P::Grant::default()))
            }
            Stage::Queued => self.again(header, cx.waker()),
        }
    }

    #[inline(never)]
    fn enter(&mut self, header: &Header<P>, waker: &Waker) -> Poll<Answer<P>> {
        // Cloned before the lock (R3).
        let mut waker = (!is_last_call(waker)).then(|| waker.clone());
        match header.enter(self.ask(), &mut waker) {
            Entered::Stands(number) => {
                (self.number, self.stage) = (number, Stage::Queued);
                Poll::Pending
            }
            Entered::WouldWait => Poll::Pending,
            Entered::Answered(answer) => Poll::Ready(self.discard(header, waker, answer)),
        }
    }

    /// Drops a waker that was not needed. If that panics nobody will see the answer.
    fn discard(&self, header: &Header<P>, waker: Option<Waker>, answer: Answer<P>) -> Answer<P> {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(waker))) {
            if let Ok(grant) = answer {
                self.return_grant(header, &Given::unrecorded(self.request, grant), self.leave);
            }
            resume_unwind(panic);
        }
        answer
    }

    #[inline(never)]
    fn again(&mut self, header: &Header<P>, waker: &Waker) -> Poll<Answer<P>> {
        let outcome = if is_last_call(waker) {
            let outcome = header.leave(self.ask(), self.kept());
            self.stage = Stage::New;
            outcome
        } else {
            header.again(self.ask(), waker)
        };
        outcome.map_or(Poll::Pending, |given| Poll::Ready(given.answer))
    }

    /// What stands at its place after the wait has left the line and may come back.
    fn kept(&self) -> Leave {
        if self.leave == Leave::Vacant { Leave::Vacant } else { Leave::Reserved }
    }

    /// Gives up an unanswered wait at whatever stage it is: the future around it is being dropped.
    #[inline]
    pub(crate) fn cancel(&mut self, header: &Header<P>) {
        if self.stage != Stage::New || self.leave == Leave::Forfeit {
            self.give_up(header);
        }
    }

    #[inline(never)]
    fn give_up(&mut self, header: &Header<P>) {
        let given = match self.stage {
            Stage::New => None,
            Stage::Queued => header.leave(self.ask(), self.leave),
        };
        match (given, self.leave) {
            (Some(given), leave) => self.return_grant(header, &given, leave),
            (None, Leave::Forfeit) => header.forfeit(self.number),
            (None, _) => {}
        }
    }

    /// Gives back a grant that nobody will see (R4).
    fn return_grant(&self, header: &Header<P>, given: &Given<P>, leave: Leave) {
        if given.answer.is_err() {
            return;
        }
        if leave != Leave::Reserved || !header.put_back(self.number) {
            header.give_back(given);
        }
    }

    // ===== among others =====

    /// Asks for the object and does not stand in line.
    #[inline]
    pub(crate) fn now(&mut self, header: &Header<P>) -> Option<Answer<P>> {
        if self.stage == Stage::New && self.leave == Leave::Vacant {
            match header.quick(self.ask()) {
                Quick::Answered(answer) => return Some(answer),
                Quick::WouldWait => return None,
                Quick::Look => {}
            }
        }
        self.look(header)
    }

    #[inline(never)]
    fn look(&mut self, header: &Header<P>) -> Option<Answer<P>> {
        if self.stage == Stage::Queued {
            // Polled alone before: what it was granted is its answer, and its place is given up.
            self.stage = Stage::New;
            if let Some(given) = header.leave(self.ask(), self.kept()) {
                return Some(given.answer);
            }
        }
        match header.enter(self.ask(), &mut None) {
            Entered::Answered(answer) => Some(answer),
            Entered::WouldWait | Entered::Stands(_) => None,
        }
    }

    /// Stands in line as one of the places of `record`. The answer, if it has one at once; a grant has
    /// then claimed the record.
    #[inline]
    pub(crate) fn join(
        &mut self,
        header: &Header<P>,
        record: &Arc<Record>,
        index: usize,
    ) -> Option<Answer<P>> {
        self.part(header);
        match header.join(self.ask(), record, index)? {
            Entered::Answered(answer) => Some(answer),
            Entered::WouldWait => None,
            Entered::Stands(number) => {
                (self.number, self.stage) = (number, Stage::Queued);
                None
            }
        }
    }

    /// Where it stands.
    pub(crate) fn member(&self, header: &Arc<Header<P>>) -> Member {
        let object: Arc<dyn Object> = Arc::clone(header) as _;
        Member { object, number: self.number, leave: self.leave }
    }

    /// The answer after the record was claimed for it.
    pub(crate) fn collect(&mut self, header: &Header<P>) -> Option<Answer<P>> {
        let given = header.collect(self.ask())?;
        self.stage = Stage::New;
        Some(given.answer)
    }

    /// Leaves the line, as if it had never stood there.
    #[inline]
    pub(crate) fn part(&mut self, header: &Header<P>) {
        if self.stage == Stage::Queued {
            self.stage = Stage::New;
            if let Some(given) = header.leave(self.ask(), self.kept()) {
                self.return_grant(header, &given, self.kept());
            }
        }
    }
}

// ===== the futures around waits =====

/// The object of a wait, and the wait.
pub(crate) type Halves<'a, P> = (&'a Arc<Header<P>>, &'a mut Wait<P>);

/// A future around one wait: what it needs to be awaited, dropped, or part of a wait on several.
pub trait Part: Future + Unpin {
    /// The rules of its object.
    type Policy: Policy;

    /// The object and the wait, until it was answered.
    fn wait(&mut self) -> Option<Halves<'_, Self::Policy>>;

    /// Turns the answer into the future's output. The future is over then.
    fn finish(&mut self, answer: Answer<Self::Policy>) -> Self::Output;

    /// Makes progress with whatever will signal its object, if that is up to the future itself.
    fn drive(&mut self, cx: &mut Context<'_>) {
        let _ = cx;
    }

    /// The poll ends without an answer: sees to it that something will signal its object, if that is up to the future itself.
    fn attend(&mut self) {}
}

/// What can be signaled in one step with the beginning of a wait.
pub trait Signals {
    /// The rules of the object.
    type Policy: Policy;
    /// Why the signal is refused.
    type Error;

    /// The object.
    fn header(&self) -> &Arc<Header<Self::Policy>>;

    /// The state after the signal.
    fn change(&self, state: u64) -> Result<(u64, ()), Self::Error>;

    /// The signal was given.
    fn signaled(self);
}

/// Polls the future around a wait.
///
/// # Panics
///
/// If it was answered already; `name` is its name.
#[inline]
pub(crate) fn poll_part<T: Part>(part: &mut T, cx: &Context<'_>, name: &str) -> Poll<T::Output> {
    let Some((header, wait)) = part.wait() else { panic!("`{name}` polled after completion") };
    let answer = ready!(wait.poll(header, cx));
    Poll::Ready(part.finish(answer))
}

/// Gives up the wait of a future that is being dropped.
#[inline]
pub(crate) fn drop_part<T: Part>(part: &mut T) {
    if let Some((header, wait)) = part.wait() {
        wait.cancel(header);
    }
}

// ===== the last call =====

struct LastCall;

impl Wake for LastCall {
    fn wake(self: Arc<Self>) {}
}

static LAST_CALL: OnceLock<Waker> = OnceLock::new();

/// A waker that says: this is the last poll. A wait polled with it is answered if its grant has
/// come, and otherwise leaves the line in the same locked section, as if it had never been polled.
///
/// A deadline needs this. With a poll and then a drop, a grant that falls between the two would be
/// given back: the wait would have timed out and used up its turn all the same. The waker reaches
/// through `async` blocks and every combinator that hands it down.
pub(crate) fn last_call() -> &'static Waker {
    LAST_CALL.get_or_init(|| Waker::from(Arc::new(LastCall)))
}

#[inline]
pub(crate) fn is_last_call(waker: &Waker) -> bool {
    // Whoever has not asked for that waker cannot have it.
    LAST_CALL.get().is_some_and(|last_call| waker.will_wake(last_call))
}
