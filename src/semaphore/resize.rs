//! Fewer permits, or more, while others hold some.

use super::{Count, Semaphore, check_max};

impl Semaphore {
    /// Changes the maximum and returns the one before. Ours; Win32 has none.
    ///
    /// Free permits above a smaller maximum are gone at once, and those that are out are gone as they come
    /// back: a semaphore of 5 with all permits out that is resized to 2 has 2 when all are back. Requests in
    /// line that could never be satisfied any more are refused when their turn comes. A larger maximum adds
    /// no permits; [`release`](Semaphore::release) does.
    ///
    /// # Panics
    ///
    /// If `max` is 0 or more than 2,147,483,647.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Semaphore;
    /// let semaphore = Semaphore::new(5, 5);
    /// assert_eq!(semaphore.resize(2), 5);
    /// assert_eq!(semaphore.available(), 2);
    /// ```
    #[track_caller]
    #[allow(clippy::must_use_candidate)] // the maximum before is of use to some
    pub fn resize(&self, max: u32) -> u32 {
        check_max(max);
        self.header.change(|state| {
            let state = Count(state);
            let closed = state.0 & Count::CLOSED;
            (Count::new(state.count().min(max), max).0 | closed, state.max())
        })
    }

    /// Takes up to `n` free permits away for good, also from under those in line, and returns how many. Ours, after tokio's of that
    /// name; Win32 has none.
    ///
    /// To lower at run time what the semaphore bounds, and not its maximum: those that are out are not among the free
    /// ones, so [`forget`](super::HeldPermits::forget) the rest as they come.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::Semaphore;
    /// let semaphore = Semaphore::new(2, 5);
    /// assert_eq!((semaphore.forget_permits(3), semaphore.available(), semaphore.max()), (2, 0, 5));
    /// ```
    #[allow(clippy::must_use_candidate)] // who takes all that are there need not know how many
    pub fn forget_permits(&self, n: u32) -> u32 {
        self.header.change(|state| {
            let state = Count(state);
            let gone = state.count().min(n);
            (state.with(state.count() - gone), gone)
        })
    }
}
