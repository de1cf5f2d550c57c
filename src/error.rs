//! Every public error, side by side so that their wording agrees.
//!
//! A message says what was refused and that nothing changed; the place of the call says which number.

use std::{error::Error, fmt};

/// Why [`Baton::acquire`](crate::Baton::acquire) refused a number.
///
/// A refusal comes at once, changes nothing and never comes late: a wait that has once entered the
/// line can end with nothing but the baton or [`Closed`](AcquireError::Closed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AcquireError {
    /// Somebody already waits for this number, or holds a ticket for it.
    Duplicate,
    /// The number's turn is over or is on right now, or the number was skipped.
    Passed,
    /// The number is further ahead than the window allows.
    TooFar {
        /// The largest number that is accepted at this moment; it moves on with the turns.
        limit: u64,
    },
    /// The baton was closed.
    Closed,
}

/// Why [`Baton::try_acquire`](crate::Baton::try_acquire) did not get the baton.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TryAcquireError {
    /// It is not the number's turn yet; waiting would be possible.
    WouldBlock,
    /// Somebody already waits for this number, or holds a ticket for it.
    Duplicate,
    /// The number's turn is over or is on right now, or the number was skipped.
    Passed,
    /// The number is further ahead than the window allows.
    TooFar {
        /// The largest number that is accepted at this moment; it moves on with the turns.
        limit: u64,
    },
    /// The baton was closed.
    Closed,
}

/// Why [`Baton::blocking_acquire_timeout`](crate::Baton::blocking_acquire_timeout) did not get the baton.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AcquireTimeoutError {
    /// The time was over before the turn came; the number was withdrawn and can be acquired again.
    TimedOut,
    /// Somebody already waits for this number, or holds a ticket for it.
    Duplicate,
    /// The number's turn is over or is on right now, or the number was skipped.
    Passed,
    /// The number is further ahead than the window allows.
    TooFar {
        /// The largest number that is accepted at this moment; it moves on with the turns.
        limit: u64,
    },
    /// The baton was closed.
    Closed,
}

/// Why [`Baton::skip`](crate::Baton::skip) did not pass a number over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SkipError {
    /// Somebody waits for this number or holds a ticket for it; it is theirs to use or to drop.
    Requested,
    /// The number's turn is over or is on right now, or the number was skipped before.
    Passed,
    /// The number is further ahead than the window allows.
    TooFar {
        /// The largest number that is accepted at this moment; it moves on with the turns.
        limit: u64,
    },
    /// The baton was closed.
    Closed,
}

/// The time given to [`blocking::wait_timeout`](crate::blocking::wait_timeout) was over; the wait was withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimedOut(pub(crate) ());

// ===== conversions: a refusal means the same whoever asked =====

impl From<AcquireError> for TryAcquireError {
    fn from(error: AcquireError) -> Self {
        match error {
            AcquireError::Duplicate => Self::Duplicate,
            AcquireError::Passed => Self::Passed,
            AcquireError::TooFar { limit } => Self::TooFar { limit },
            AcquireError::Closed => Self::Closed,
        }
    }
}

impl From<AcquireError> for AcquireTimeoutError {
    fn from(error: AcquireError) -> Self {
        match error {
            AcquireError::Duplicate => Self::Duplicate,
            AcquireError::Passed => Self::Passed,
            AcquireError::TooFar { limit } => Self::TooFar { limit },
            AcquireError::Closed => Self::Closed,
        }
    }
}

impl From<TimedOut> for AcquireTimeoutError {
    fn from(TimedOut(()): TimedOut) -> Self {
        Self::TimedOut
    }
}

impl From<AcquireError> for SkipError {
    fn from(error: AcquireError) -> Self {
        match error {
            AcquireError::Duplicate => Self::Requested,
            AcquireError::Passed => Self::Passed,
            AcquireError::TooFar { limit } => Self::TooFar { limit },
            AcquireError::Closed => Self::Closed,
        }
    }
}

// ===== wording =====

const DUPLICATE: &str = "the number already has a waiter or a ticket; nothing was changed";
const PASSED: &str = "the number's turn is over, on, or skipped; nothing was changed";
const CLOSED: &str = "the baton is closed; nothing was changed";

fn too_far(f: &mut fmt::Formatter<'_>, limit: u64) -> fmt::Result {
    write!(f, "the number is beyond the window, which ends at {limit} for now; nothing was changed")
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Duplicate => f.write_str(DUPLICATE),
            Self::Passed => f.write_str(PASSED),
            Self::TooFar { limit } => too_far(f, limit),
            Self::Closed => f.write_str(CLOSED),
        }
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::WouldBlock => f.write_str("it is not the number's turn yet; nothing was changed"),
            Self::Duplicate => f.write_str(DUPLICATE),
            Self::Passed => f.write_str(PASSED),
            Self::TooFar { limit } => too_far(f, limit),
            Self::Closed => f.write_str(CLOSED),
        }
    }
}

impl fmt::Display for AcquireTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TimedOut => TimedOut(()).fmt(f),
            Self::Duplicate => f.write_str(DUPLICATE),
            Self::Passed => f.write_str(PASSED),
            Self::TooFar { limit } => too_far(f, limit),
            Self::Closed => f.write_str(CLOSED),
        }
    }
}

impl fmt::Display for SkipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Requested => f.write_str("the number has a waiter or a ticket; nothing was skipped"),
            Self::Passed => {
                f.write_str("the number's turn is over, on, or skipped already; nothing was changed")
            }
            Self::TooFar { limit } => too_far(f, limit),
            Self::Closed => f.write_str(CLOSED),
        }
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time was over first; the wait was withdrawn and nothing was changed")
    }
}

impl Error for AcquireError {}
impl Error for TryAcquireError {}
impl Error for AcquireTimeoutError {}
impl Error for SkipError {}
impl Error for TimedOut {}
