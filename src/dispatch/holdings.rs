//! What a party holds, so that it can be taken from it when the party ends.

use super::Policy;
use super::header::Header;
use crate::sync::Lock;
use std::sync::Arc;

/// The objects that one party holds.
#[derive(Debug)]
pub(crate) struct Holdings<P: Policy> {
    held: Lock<Vec<Arc<Header<P>>>>,
}

impl<P: Policy> Holdings<P> {
    pub(crate) fn new() -> Self {
        Self { held: Lock::new(Vec::new()) }
    }

    /// Notes that the party now holds `header`.
    pub(crate) fn add(&self, header: &Arc<Header<P>>) {
        let mut held = self.held.lock();
        if !held.iter().any(|held| Arc::ptr_eq(held, header)) {
            held.push(Arc::clone(header));
        }
    }

    /// Notes that the party holds `header` no longer.
    pub(crate) fn remove(&self, header: &Arc<Header<P>>) {
        let mut held = self.held.lock();
        let found = held.iter().position(|held| Arc::ptr_eq(held, header));
        // What is dropped here is never the last handle: the caller has one.
        if let Some(index) = found {
            held.remove(index);
        }
    }

    /// Empties the list, the latest first.
    pub(crate) fn take(&self) -> impl Iterator<Item = Arc<Header<P>>> + use<P> {
        std::mem::take(&mut *self.held.lock()).into_iter().rev()
    }
}
