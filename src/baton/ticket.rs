//! Numbers handed out in order, each of them sure to be used or passed over.

use super::{Acquire, Baton, BatonGuard};
use crate::dispatch::{Leave, Wait};
use crate::error::TryAcquireError;
use std::fmt;

/// A place in a [`Baton`]'s line, held from the call of [`Baton::ticket`] on.
///
/// A ticket may travel to another task or thread. It is used up by the guard it obtains; dropped
/// unused it is passed over, so a panic, an early `?` or an aborted task cannot stall the others.
/// A ticket that is leaked stalls the later numbers until the baton is closed;
/// [`Baton::snapshot`] names it.
///
/// # Examples
///
/// ```
/// use batons::{AcquireError, Baton};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), AcquireError> {
/// let baton = Baton::new(0);
/// let (first, mut second) = (baton.ticket(), baton.ticket());
/// let lost = tokio::spawn(async move {
///     let _first = first;
///     std::future::pending::<()>().await;
/// });
/// lost.abort(); // its number is passed over
/// assert_eq!(second.acquire().await?.seq(), 1);
/// # Ok(())
/// # }
/// ```
#[must_use = "a ticket that is dropped is passed over"]
pub struct Ticket {
    /// Leaves with [`acquire_owned`](Ticket::acquire_owned).
    baton: Option<Baton>,
    number: u64,
}

impl Ticket {
    pub(super) fn new(baton: Baton, number: u64) -> Self {
        Self { baton: Some(baton), number }
    }

    /// The number of this ticket.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Baton;
    /// let baton = Baton::new(5);
    /// assert_eq!([baton.ticket().seq(), baton.ticket().seq()], [5, 6]);
    /// ```
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.baton().turns().seq(self.number)
    }

    /// Waits for this ticket's turn.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, and the ticket keeps its place: dropping the future leaves the ticket as it was,
    /// ready to wait again, even if the turn had come already and was not seen.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::AcquireError::Closed); [`Passed`](crate::AcquireError::Passed) if the ticket has
    /// been used before; [`Duplicate`](crate::AcquireError::Duplicate) if an earlier future of it was leaked
    /// while it waited.
    ///
    /// # Panics
    ///
    /// The future panics if it is polled again after it answered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{AcquireError, Baton};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), AcquireError> {
    /// let baton = Baton::new(7);
    /// let mut ticket = baton.ticket();
    /// let guard = ticket.acquire().await?;
    /// assert_eq!(guard.seq(), 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn acquire(&mut self) -> Acquire<&Baton> {
        Acquire::new(self.baton(), Wait::new((), self.number, Leave::Reserved))
    }

    /// Waits for this ticket's turn, with a future and a guard that may leave the scope.
    ///
    /// # Cancel safety
    ///
    /// The ticket is part of the future: dropping the future at any time passes the number over.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Ticket::acquire).
    ///
    /// # Panics
    ///
    /// As [`acquire`](Ticket::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{AcquireError, Baton};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), AcquireError> {
    /// let baton = Baton::new(7);
    /// let guard = baton.ticket().acquire_owned().await?;
    /// assert_eq!(guard.seq(), 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn acquire_owned(mut self) -> Acquire<Baton> {
        let baton = self.baton.take().expect(INTACT);
        Acquire::new(baton, Wait::new((), self.number, Leave::Forfeit))
    }

    /// Takes the baton if this ticket's turn has come; never waits.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](TryAcquireError::WouldBlock) if it has not; the ticket keeps its place. Otherwise as
    /// [`acquire`](Ticket::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Baton, TryAcquireError};
    /// let baton = Baton::new(5);
    /// let (first, mut second) = (baton.ticket(), baton.ticket());
    /// assert_eq!(second.try_acquire().unwrap_err(), TryAcquireError::WouldBlock);
    /// drop(first);
    /// assert_eq!(second.try_acquire()?.seq(), 6);
    /// # Ok::<_, TryAcquireError>(())
    /// ```
    pub fn try_acquire(&mut self) -> Result<BatonGuard<'_>, TryAcquireError> {
        let baton = self.baton();
        match Wait::new((), self.number, Leave::Reserved).now(&baton.header) {
            None => Err(TryAcquireError::WouldBlock),
            Some(Ok(())) => Ok(BatonGuard::new(baton, self.number)),
            Some(Err(refusal)) => Err(refusal.into()),
        }
    }

    fn baton(&self) -> &Baton {
        self.baton.as_ref().expect(INTACT)
    }
}

const INTACT: &str = "a ticket loses its baton only to `acquire_owned`, which consumes it";

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(baton) = &self.baton {
            baton.header.forfeit(self.number);
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("seq", &self.seq()).finish_non_exhaustive()
    }
}
