//! What the lane owns, when it is over.

use super::Lane;
use std::sync::{Arc, PoisonError};

impl<T, D> Lane<T, D> {
    /// What the lane owns, if this is the last handle to it: its clones, tickets and turns are gone. Deposits that were not committed
    /// are dropped.
    ///
    /// # Errors
    ///
    /// The handle itself, if there are others.
    ///
    /// # Examples
    ///
    /// ```
    /// use batons::lane::Lane;
    ///
    /// let lane = Lane::new(Vec::new(), 4);
    /// let mut ticket = lane.blocking_ticket().unwrap();
    /// ticket.blocking_turn().unwrap().push(7);
    /// let lane = lane.into_value().unwrap_err(); // the ticket is a handle
    /// drop(ticket);
    /// assert_eq!(lane.into_value().unwrap(), [7]);
    /// ```
    #[allow(clippy::missing_panics_doc, reason = "the value is there when there is no other handle")]
    pub fn into_value(self) -> Result<T, Self> {
        let inner = Arc::try_unwrap(self.inner).map_err(|inner| Self { inner })?;
        let locked = inner.locked.into_inner().unwrap_or_else(PoisonError::into_inner);
        let owned = locked.owned.expect("who has it has a handle");
        Ok(owned.value)
    }
}
