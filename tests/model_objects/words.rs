//! The words in which the model and the crate are compared.

use batons::AcquireError;

/// What one member of a wait asks for: permits, an owner, a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Want {
    pub(crate) object: usize,
    pub(crate) what: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Signal {
    Set,
    Release,
    Unlock(u64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum How {
    Single,
    Any,
    All,
    /// Signals an object, and then waits like a wait on all of one.
    SignalAnd(usize, Signal),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Act {
    /// With one of two wakers.
    Poll(usize),
    NoTime,
    Drop,
    /// Abandons the mutexes that it holds, and drops the rest.
    Abandon,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Told {
    Taken,
    Abandoned,
    Refused(AcquireError),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Pending,
    TimedOut,
    /// Which member, if that is told, and what was told.
    Answered(Option<usize>, Vec<Told>),
    Empty,
    SameObject(usize, usize),
    RefusedAll(usize, AcquireError),
    SignalRefused,
    /// These calls were made instead.
    Alerted(Vec<Call>),
    Done,
}

/// A call in a queue, as it tells itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Call {
    /// One that queues another of its number if it is told to.
    Plain { number: u64, again: bool },
    /// For an expiry of a timer, and when that was due.
    Expiry { object: usize, due: u64 },
}

/// When a timer is set to expire, and whom it calls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Setting {
    pub(crate) due: u64,
    /// Whether it is told as a date: one in the past is now.
    pub(crate) date: bool,
    /// Zero for once.
    pub(crate) period: u64,
    pub(crate) queue: Option<usize>,
}

/// What is known of a grant as long as nobody has seen it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Grant {
    pub(crate) pulse: bool,
    /// How often the event was reset, or the timer set.
    pub(crate) resets: u32,
    pub(crate) abandoned: bool,
    /// If only those can have it who stood in line: those who came before.
    pub(crate) before: u64,
}
