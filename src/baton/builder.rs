//! A baton with other settings than the usual ones.

use super::{Baton, Turns};
use crate::dispatch::Header;
use std::sync::Arc;

/// How far ahead a number may wait unless the builder says otherwise.
const DEFAULT_WINDOW: u64 = 65_536;
/// Past and future can be told apart only within half of the numbers; this is far inside.
const MAX_WINDOW: u64 = 1 << 60;

/// Settings of a new [`Baton`]; made by [`Baton::builder`].
///
/// # Examples
///
/// ```
/// use batons::{Baton, TryAcquireError};
///
/// let baton = Baton::builder().first(10).window(4).build();
/// assert_eq!(baton.try_acquire(13).unwrap_err(), TryAcquireError::WouldBlock);
/// assert_eq!(baton.try_acquire(14).unwrap_err(), TryAcquireError::TooFar { limit: 13 });
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct BatonBuilder {
    first: u64,
    window: u64,
}

impl BatonBuilder {
    pub(super) fn new() -> Self {
        Self { first: 0, window: DEFAULT_WINDOW }
    }

    /// The number whose turn is first; 0 unless set. Any number will do.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Baton;
    /// assert_eq!(Baton::builder().first(10).build().next(), 10);
    /// ```
    pub fn first(mut self, first: u64) -> Self {
        self.first = first;
        self
    }

    /// How far ahead a number may wait: with `n` next, the numbers `n` to `n + window - 1` are accepted.
    /// 65,536 unless set, as in the array solution of 2001; 1 to 2^60.
    ///
    /// The window catches wrong numbers; it costs no memory. [Tickets](Baton::ticket) are not bound by it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::{Baton, TryAcquireError};
    /// let strict = Baton::builder().window(1).build();
    /// assert_eq!(strict.try_acquire(1).unwrap_err(), TryAcquireError::TooFar { limit: 0 });
    /// ```
    pub fn window(mut self, window: u64) -> Self {
        self.window = window;
        self
    }

    /// Creates the baton.
    ///
    /// # Panics
    ///
    /// If the window is 0 or more than 2^60.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Baton;
    /// assert_eq!(Baton::builder().build().next(), 0);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn build(self) -> Baton {
        let Self { first, window } = self;
        assert!(
            (1..=MAX_WINDOW).contains(&window),
            "the window of a baton must be 1 to 2^60, not {window}; no baton was made"
        );
        Baton { header: Arc::new(Header::new(Turns { first, window }, 0)) }
    }
}
