//! The values beside the words: the result of an operation, and the packets of a port.
//!
//! The engine's word says how many there are and whose they are; these places only keep them. Each has a lock
//! that is a leaf: nothing else is called while it is held, and what is taken out is dropped outside.

use crate::sync::Lock;
use std::collections::VecDeque;

/// A value that is put in once and taken out once.
pub(super) struct Slot<T>(Lock<Option<T>>);

impl<T> Slot<T> {
    pub(super) fn empty() -> Self {
        Self(Lock::new(None))
    }

    pub(super) fn with(value: T) -> Self {
        Self(Lock::new(Some(value)))
    }

    pub(super) fn put(&self, value: T) {
        // What was there before goes with the statement, after the lock.
        let before = self.0.lock().replace(value);
        drop(before);
    }

    pub(super) fn take(&self) -> Option<T> {
        self.0.lock().take()
    }
}

/// Values in the order in which they came.
pub(super) struct Row<T>(Lock<VecDeque<T>>);

impl<T> Row<T> {
    pub(super) fn new() -> Self {
        Self(Lock::new(VecDeque::new()))
    }

    /// Adds a value at the end, or gives it back if there are `most` already.
    pub(super) fn push(&self, value: T, most: usize) -> Result<(), T> {
        let mut row = self.0.lock();
        if row.len() >= most {
            return Err(value);
        }
        row.push_back(value);
        Ok(())
    }

    pub(super) fn pop(&self) -> Option<T> {
        self.0.lock().pop_front()
    }

    /// Takes the first `n`.
    pub(super) fn pop_many(&self, n: usize) -> Vec<T> {
        // Before the lock, which is held only for moves.
        let mut taken = Vec::with_capacity(n);
        let mut row = self.0.lock();
        let n = n.min(row.len());
        taken.extend(row.drain(..n));
        taken
    }
}
