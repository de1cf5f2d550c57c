//! What an object tells the engine: pure functions from a state and a number to a state and a verdict.

/// The answer to a request that may be granted, may wait, or is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict<R> {
    /// Granted: this is the state afterwards.
    Take(u64),
    /// Not now; the request may stand in line.
    Queue,
    /// Never: nothing changes.
    Refuse(R),
}

/// Who stands at a number that somebody else asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A waiter, or a place held for one.
    Requested,
    /// Nobody: the number was given up in advance.
    Forfeited,
}

/// The rules of one kind of object.
///
/// A state is 63 bits of the object's own choice; a number is a place in the object's line. Every
/// method is a pure function, so a policy runs wherever states and numbers can be stored: it
/// knows no waker, no clock, no pointer and no thread.
pub(crate) trait Policy {
    /// Why a request is refused.
    type Refusal;

    /// May `number` have the object now, later, or never?
    fn judge(&self, state: u64, number: u64) -> Verdict<Self::Refusal>;

    /// The refusal for a number where somebody stands already.
    fn occupied(&self, standing: Standing) -> Self::Refusal;

    /// The refusal that everyone in line gets, once there is one.
    fn closed(&self, state: u64) -> Option<Self::Refusal>;

    /// The number that can be granted in this state, if any.
    fn due(&self, state: u64) -> Option<u64>;

    /// The lowest number that nobody has been granted yet.
    fn floor(&self, state: u64) -> u64;

    /// Is the object granted to `number` in this state?
    fn holds(&self, state: u64, number: u64) -> bool;

    /// The state after the due number was granted.
    fn grant(&self, state: u64) -> u64;

    /// The state after the holder let go.
    fn release(&self, state: u64) -> u64;

    /// The state before the last grant, which its waiter never saw.
    fn undo(&self, state: u64) -> u64;
}
