//! Calls that an object asks for when it is signaled, to be made by the task or thread whom they belong to.

use std::fmt::Debug;

/// A call that is told `T`. It is outstanding once at most: what comes while it is noted is not noted again.
///
/// The object notes it inside its own section and alerts outside, so that a new setting of the object can
/// take back what the old one noted, and nothing foreign runs under a lock (R3).
pub trait Routine<T>: Debug + Send + Sync + 'static {
    /// Notes that the call is due. Wakes nobody, and neither runs nor drops anything foreign. False if nobody
    /// will ever make it.
    fn post(&self, told: T) -> bool;

    /// Wakes whoever is to make it.
    fn alert(&self);

    /// Takes it back if it was noted and not begun. Neither runs nor drops anything foreign.
    fn withdraw(&self);

    /// Whether nobody will ever make it.
    fn is_over(&self) -> bool;
}
