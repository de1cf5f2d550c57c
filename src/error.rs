//! Every public error, side by side so that their wording agrees.
//!
//! A message says what was refused and that nothing changed; the place of the call says which number.

mod operation;

pub use operation::{
    NextTimeoutError, OperationError, PortClosed, ResultTimeoutError, TryNextError, TryResultError, WorkPanic,
};
mod apc;
mod lane;
mod mutex;
mod names;

pub use apc::QueueClosed;
pub use lane::{Cause, Failure, LaneError, Lost};
pub use mutex::{Abandoned, NotOwner};
pub use names::NameError;

use std::{error::Error, fmt};

/// Why [`Baton::acquire`](crate::Baton::acquire) refused a number, or
/// [`Semaphore::acquire`](crate::Semaphore::acquire) a request for permits.
///
/// A baton returns every variant but [`TooMany`](AcquireError::TooMany), a semaphore only that one and
/// [`Closed`](AcquireError::Closed). A refusal changes nothing. It comes at the first poll; a wait that has
/// once entered the line can only be refused by a [`close`](crate::Baton::close), or by a
/// [`Semaphore::resize`](crate::Semaphore::resize) below what it asks for.
///
/// That it comes at once, and never after a wait in vain, is ours; see [where the baton comes from](crate::Baton#origin).
///
/// # Examples
///
/// ```
/// use batons::{AcquireError, Baton, Semaphore, blocking};
///
/// let baton = Baton::builder().first(5).window(8).build();
/// let refusal = blocking::wait(baton.acquire(13)).unwrap_err();
/// assert_eq!(refusal, AcquireError::TooFar { limit: 12 });
/// assert_eq!(
///     refusal.to_string(),
///     "the number is beyond the window, which ends at 12 for now; nothing was changed",
/// );
/// let refusal = blocking::wait(Semaphore::new(1, 2).acquire_many(3)).unwrap_err();
/// assert_eq!(refusal, AcquireError::TooMany { max: 2 });
/// ```
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
    /// More permits are asked for than the semaphore can ever have.
    TooMany {
        /// The maximum of the semaphore.
        max: u32,
    },
    /// The object was closed.
    Closed,
}

/// Why [`Baton::try_acquire`](crate::Baton::try_acquire) did not get the baton, or
/// [`Semaphore::try_acquire`](crate::Semaphore::try_acquire) no permit.
///
/// [`WouldBlock`](TryAcquireError::WouldBlock), or what [`AcquireError`] says; nothing was changed.
///
/// # Examples
///
/// ```
/// use batons::{Baton, Semaphore, TryAcquireError};
///
/// let refusal = Semaphore::new(0, 1).try_acquire().unwrap_err();
/// assert_eq!(refusal, TryAcquireError::WouldBlock);
/// assert_eq!(refusal.to_string(), "the object cannot be had now; nothing was changed");
/// assert_eq!(Baton::new(5).try_acquire(4).unwrap_err(), TryAcquireError::Passed);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TryAcquireError {
    /// It is not the number's turn yet, or not enough permits are free, or somebody is in line for them;
    /// waiting would be possible.
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
    /// More permits are asked for than the semaphore can ever have.
    TooMany {
        /// The maximum of the semaphore.
        max: u32,
    },
    /// The object was closed.
    Closed,
}

/// Why [`Baton::blocking_acquire_timeout`](crate::Baton::blocking_acquire_timeout) did not get the baton, or
/// [`Semaphore::blocking_acquire_timeout`](crate::Semaphore::blocking_acquire_timeout) no permit.
///
/// [`TimedOut`](AcquireTimeoutError::TimedOut), or what [`AcquireError`] says; nothing was changed.
///
/// # Examples
///
/// ```
/// use batons::{AcquireTimeoutError, Baton};
/// use std::time::Duration;
///
/// let baton = Baton::new(1);
/// let refusal = baton.blocking_acquire_timeout(2, Duration::from_millis(1)).unwrap_err();
/// assert_eq!(refusal, AcquireTimeoutError::TimedOut);
/// assert_eq!(
///     refusal.to_string(),
///     "the time was over first; the wait was withdrawn and nothing was changed",
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AcquireTimeoutError {
    /// The time was over first; the request was withdrawn, and a baton's number can be acquired again.
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
    /// More permits are asked for than the semaphore can ever have.
    TooMany {
        /// The maximum of the semaphore.
        max: u32,
    },
    /// The object was closed.
    Closed,
}

/// Why [`Baton::skip`](crate::Baton::skip) did not pass a number over.
///
/// # Examples
///
/// ```
/// use batons::{Baton, SkipError};
///
/// let baton = Baton::new(1);
/// let _ticket = baton.ticket();
/// let refusal = baton.skip(1).unwrap_err();
/// assert_eq!(refusal, SkipError::Requested);
/// assert_eq!(refusal.to_string(), "the number has a waiter or a ticket; nothing was skipped");
/// ```
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

/// Why [`Semaphore::release`](crate::Semaphore::release), or the signal of a
/// [`signal_and_wait`](crate::signal_and_wait), added nothing. The latter releases one permit, so it never
/// returns [`Zero`](ReleaseError::Zero).
///
/// # Examples
///
/// ```
/// use batons::{ReleaseError, Semaphore};
///
/// let full = Semaphore::new(2, 2);
/// let refusal = full.release(1).unwrap_err();
/// assert_eq!(refusal, ReleaseError::OverMaximum { available: 2, max: 2 });
/// assert_eq!(refusal.to_string(), "the count, now 2, would exceed its maximum of 2; nothing was added");
/// assert_eq!(full.release(0).unwrap_err(), ReleaseError::Zero);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReleaseError {
    /// Zero permits were to be added, which Win32 refuses as well. (ntsync does not.)
    Zero,
    /// The count would exceed the maximum. Win32 `ERROR_TOO_MANY_POSTS`.
    OverMaximum {
        /// The count, which stays as it is.
        available: u32,
        /// The maximum.
        max: u32,
    },
}

/// Why [`wait_any`](crate::wait_any) or [`wait_all`](crate::wait_all) got nothing.
///
/// # Examples
///
/// ```
/// use batons::{AcquireError, Semaphore, WaitError, blocking};
///
/// let semaphore = Semaphore::new(2, 2);
/// let twice = blocking::wait_all([semaphore.acquire(), semaphore.acquire()]).unwrap_err();
/// assert!(matches!(twice, WaitError::SameObject { first: 0, second: 1 }));
/// assert_eq!(twice.to_string(), "the waits at 0 and 1 are for the same object; nothing was taken");
///
/// semaphore.close();
/// let WaitError::Refused { index, refusal } = blocking::wait_all([semaphore.acquire()]).unwrap_err() else {
///     unreachable!("the object is closed");
/// };
/// assert_eq!((index, refusal.downcast_ref()), (0, Some(&AcquireError::Closed)));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum WaitError {
    /// The time was over first; nothing was taken. Only from the blocking forms that end in `_timeout`.
    TimedOut,
    /// The list is empty. Win32 refuses that too; in ntsync the wait never ends.
    Empty,
    /// A wait on all has the same object twice, through whatever handles; Win32 refuses that too.
    SameObject {
        /// Where it is first.
        first: usize,
        /// Where it is again.
        second: usize,
    },
    /// A member of a wait on all was refused, at once or later; nothing was taken. In a wait on any
    /// the member itself answers the refusal.
    Refused {
        /// Its index, from 0.
        index: usize,
        /// What its own wait would have answered, for example an [`AcquireError`].
        refusal: Box<dyn Error + Send + Sync>,
    },
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => TimedOut(()).fmt(f),
            Self::Empty => f.write_str("there is nothing to wait for"),
            Self::SameObject { first, second } => {
                write!(f, "the waits at {first} and {second} are for the same object; nothing was taken")
            }
            Self::Refused { index, refusal } => write!(f, "the wait at {index} was refused: {refusal}"),
        }
    }
}

impl Error for WaitError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused { refusal, .. } => Some(&**refusal),
            _ => None,
        }
    }
}

/// The time given to [`blocking::wait_timeout`](crate::blocking::wait_timeout) was over; the wait was
/// withdrawn.
///
/// Also from [`Mutex::blocking_lock_timeout`](crate::Mutex::blocking_lock_timeout). Win32 `WAIT_TIMEOUT`.
///
/// # Examples
///
/// ```
/// use batons::{AutoResetEvent, TimedOut, blocking};
/// use std::time::Duration;
///
/// let event = AutoResetEvent::new(false);
/// let over: TimedOut = blocking::wait_timeout(event.wait(), Duration::ZERO).unwrap_err();
/// assert_eq!(over.to_string(), "the time was over first; the wait was withdrawn and nothing was changed");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimedOut(pub(crate) ());

// ===== conversions: a refusal means the same whoever asked =====

impl From<AcquireError> for TryAcquireError {
    fn from(error: AcquireError) -> Self {
        match error {
            AcquireError::Duplicate => Self::Duplicate,
            AcquireError::Passed => Self::Passed,
            AcquireError::TooFar { limit } => Self::TooFar { limit },
            AcquireError::TooMany { max } => Self::TooMany { max },
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
            AcquireError::TooMany { max } => Self::TooMany { max },
            AcquireError::Closed => Self::Closed,
        }
    }
}

impl From<TimedOut> for AcquireTimeoutError {
    fn from(TimedOut(()): TimedOut) -> Self {
        Self::TimedOut
    }
}

impl From<TimedOut> for WaitError {
    fn from(TimedOut(()): TimedOut) -> Self {
        Self::TimedOut
    }
}

impl From<AcquireError> for SkipError {
    fn from(error: AcquireError) -> Self {
        match error {
            AcquireError::Duplicate => Self::Requested,
            // A baton has no permits.
            AcquireError::TooMany { .. } | AcquireError::Closed => Self::Closed,
            AcquireError::Passed => Self::Passed,
            AcquireError::TooFar { limit } => Self::TooFar { limit },
        }
    }
}

// ===== wording =====

const DUPLICATE: &str = "the number already has a waiter or a ticket; nothing was changed";
const PASSED: &str = "the number's turn is over, on, or skipped; nothing was changed";
const CLOSED: &str = "the object is closed; nothing was changed";

fn too_far(f: &mut fmt::Formatter<'_>, limit: u64) -> fmt::Result {
    write!(f, "the number is beyond the window, which ends at {limit} for now; nothing was changed")
}

fn too_many(f: &mut fmt::Formatter<'_>, max: u32) -> fmt::Result {
    write!(f, "the semaphore never has more than {max} permits; nothing was changed")
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Zero => f.write_str("zero permits cannot be released; nothing was changed"),
            Self::OverMaximum { available, max } => {
                write!(f, "the count, now {available}, would exceed its maximum of {max}; nothing was added")
            }
        }
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Duplicate => f.write_str(DUPLICATE),
            Self::Passed => f.write_str(PASSED),
            Self::TooFar { limit } => too_far(f, limit),
            Self::TooMany { max } => too_many(f, max),
            Self::Closed => f.write_str(CLOSED),
        }
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::WouldBlock => f.write_str("the object cannot be had now; nothing was changed"),
            Self::Duplicate => f.write_str(DUPLICATE),
            Self::Passed => f.write_str(PASSED),
            Self::TooFar { limit } => too_far(f, limit),
            Self::TooMany { max } => too_many(f, max),
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
            Self::TooMany { max } => too_many(f, max),
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
impl Error for ReleaseError {}
impl Error for TimedOut {}
