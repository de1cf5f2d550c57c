//! What an object tells the engine: pure functions from a state and a request to a state and a verdict.

use std::fmt::Debug;

/// The answer to a request that may be granted, may wait, or is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<G, R> {
    /// Granted: the state afterwards, and what the winner is told.
    Take(u64, G),
    /// Not now; the request may stand in line.
    Queue,
    /// Never: nothing changes.
    Refuse(R),
}

/// Who is served next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Whoever stands first, and then the next, as long as the state suffices.
    First,
    /// The one at this number and nobody else.
    Number(u64),
    /// Nobody.
    Nobody,
}

/// What becomes of a grant that its waiter never saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// It is nobody's.
    Nothing,
    /// The object moves to this state, for anybody.
    Anybody(u64),
    /// The object would move to this state, but only for those who stood in line at the grant;
    /// if none of them takes it, it is gone.
    Earlier(u64),
}

/// The rules of one kind of object.
///
/// A state is 63 bits of the object's own choice. Every method is a pure function, so a policy runs
/// wherever states and requests can be stored: it knows no waker, no clock, no pointer and no thread.
pub trait Policy: Debug + Send + Sync + 'static {
    /// What a wait asks for, besides its place in line.
    type Request: Copy + Debug + Default + Send + Sync + 'static;
    /// What the winner is told, and what is known of its grant if it must be given back.
    type Grant: Copy + Debug + Default + Send + Sync + 'static;
    /// Why a request is refused.
    type Refusal: Copy + std::error::Error + Send + Sync + 'static;

    /// Whether a grant must be written down for a waiter that stands in line. It need not if
    /// [`tells`](Policy::tells) finds it in the state.
    const RECORDS: bool = true;

    /// Whether a wait names its place in line. If not it gets the next one.
    const NUMBERED: bool = false;

    /// May `request`, which stands or would stand at `number`, have the object now, later, or never?
    fn judge(&self, state: u64, request: Self::Request, number: u64) -> Verdict<Self::Grant, Self::Refusal>;

    /// What becomes of a grant that its waiter never saw (R4).
    fn give_back(&self, state: u64, request: Self::Request, grant: Self::Grant) -> Offer;

    /// Who is served next in this state.
    fn due(&self, state: u64) -> Due {
        let _ = state;
        Due::First
    }

    /// Whether `request` may be judged although others stand in line.
    fn overtakes(&self, state: u64, request: Self::Request) -> bool {
        let _ = (state, request);
        false
    }

    /// The refusal that everyone in line gets, once there is one.
    fn closed(&self, state: u64) -> Option<Self::Refusal> {
        let _ = state;
        None
    }

    /// Whether the state shows that the wait which stood at `number` was granted.
    fn tells(&self, state: u64, number: u64) -> bool {
        let _ = (state, number);
        false
    }

    // ===== only where waits name their places =====

    /// The refusal for a wait whose place is taken.
    fn occupied(&self, standing: Standing) -> Option<Self::Refusal> {
        let _ = standing;
        None
    }

    /// The lowest number that nobody has been granted yet.
    fn floor(&self, state: u64) -> u64 {
        let _ = state;
        0
    }

    /// The state after the due number was passed over.
    fn pass(&self, state: u64) -> u64 {
        state
    }

    /// The state before the last grant, whose holder still holds.
    fn undo(&self, state: u64) -> u64 {
        state
    }
}

/// Who stands at a number that somebody else asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A waiter, or a place held for one.
    Requested,
    /// Nobody: the number was given up in advance.
    Forfeited,
}
