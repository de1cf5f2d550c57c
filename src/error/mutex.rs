//! What a mutex refuses, and what it tells of the owner before.

use std::{error::Error, fmt};

/// The owner named does not own the mutex; nothing was changed. Win32 `ERROR_NOT_OWNER`.
///
/// From [`Mutex::unlock`](crate::Mutex::unlock), and from [`signal_and_wait`](crate::signal_and_wait) with
/// [`Mutex::unlocking`](crate::Mutex::unlocking).
///
/// # Examples
///
/// ```
/// use batons::{Mutex, NotOwner, Owner};
///
/// let (mutex, me, other) = (Mutex::new(), Owner::new(), Owner::new());
/// let _guard = mutex.blocking_lock(&me).unwrap();
/// let refusal: NotOwner = mutex.unlock(&other).unwrap_err();
/// assert_eq!(refusal.to_string(), "the mutex is not owned by this owner; nothing was changed");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NotOwner(pub(crate) ());

impl fmt::Display for NotOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the mutex is not owned by this owner; nothing was changed")
    }
}

impl Error for NotOwner {}

/// The last owner of a mutex is gone or left it in disorder, and its guard is in here: the mutex is owned.
///
/// Win32 `WAIT_ABANDONED`. In the manner of std's `PoisonError`, but told once, to the next owner alone. An
/// error that is dropped unopened unlocks the mutex and tells the one after it as well (ours: Win32 forgets
/// it).
///
/// # Examples
///
/// ```
/// use batons::{Mutex, Owner};
///
/// let (mutex, one, two) = (Mutex::new(), Owner::new(), Owner::new());
/// mutex.blocking_lock(&one).expect("nobody has abandoned it").abandon();
/// let abandoned = mutex.blocking_lock(&two).unwrap_err();
/// let guard = abandoned.into_inner(); // put right what `one` left, then go on
/// drop(guard);
/// assert!(mutex.blocking_lock(&one).is_ok());
/// ```
pub struct Abandoned<G> {
    guard: G,
    opened: fn(&mut G),
}

impl<G> Abandoned<G> {
    pub(crate) fn new(guard: G, opened: fn(&mut G)) -> Self {
        Self { guard, opened }
    }

    /// Takes the guard out; whoever does this answers for putting right what the last owner left.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Mutex, Owner};
    /// # let (mutex, me) = (Mutex::new(), Owner::new());
    /// let guard = mutex.blocking_lock(&me).unwrap_or_else(|abandoned| abandoned.into_inner());
    /// # drop(guard);
    /// ```
    pub fn into_inner(mut self) -> G {
        (self.opened)(&mut self.guard);
        self.guard
    }

    /// The guard, left where it is: dropping the error still tells the next owner.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Mutex, Owner};
    /// let (mutex, me) = (Mutex::new(), Owner::new());
    /// mutex.blocking_lock(&me).unwrap().abandon();
    /// let abandoned = mutex.blocking_lock(&me).unwrap_err();
    /// println!("held, in disorder: {:?}", abandoned.get_ref());
    /// drop(abandoned);
    /// assert!(mutex.is_abandoned());
    /// ```
    pub fn get_ref(&self) -> &G {
        &self.guard
    }
}

impl<G> fmt::Debug for Abandoned<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Abandoned").finish_non_exhaustive()
    }
}

impl<G> fmt::Display for Abandoned<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the last owner abandoned the mutex; it is owned all the same")
    }
}

impl<G> Error for Abandoned<G> {}
