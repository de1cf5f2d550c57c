//! The objects that one party has asked for, so that they can be taken from it when the party ends.

use super::Policy;
use super::header::Header;
use crate::sync::Lock;
use std::sync::{Arc, Weak};

/// The objects that one party has asked for, the latest last. They are not kept alive.
#[derive(Debug)]
pub(crate) struct Holdings<P: Policy> {
    asked: Lock<Asked<P>>,
}

#[derive(Debug)]
struct Asked<P: Policy> {
    objects: Vec<Weak<Header<P>>>,
    /// At this length those that are gone are removed.
    full: usize,
}

impl<P: Policy> Holdings<P> {
    pub(crate) fn new() -> Self {
        Self { asked: Lock::new(Asked { objects: Vec::new(), full: 8 }) }
    }

    /// Notes that the party asks for `header`.
    pub(crate) fn add(&self, header: &Arc<Header<P>>) {
        let Asked { objects, full } = &mut *self.asked.lock();
        let same = |object: &Weak<Header<P>>| std::ptr::eq(object.as_ptr(), Arc::as_ptr(header));
        if objects.last().is_some_and(same) {
            return;
        }
        if let Some(index) = objects.iter().rposition(same) {
            objects[index..].rotate_left(1);
            return;
        }
        if objects.len() >= *full {
            objects.retain(|object| object.strong_count() > 0);
            *full = 2 * objects.len().max(8);
        }
        objects.push(Arc::downgrade(header));
    }

    /// Empties the list, the latest first.
    pub(crate) fn take(&self) -> impl Iterator<Item = Arc<Header<P>>> + use<P> {
        let objects = std::mem::take(&mut self.asked.lock().objects);
        objects.into_iter().rev().filter_map(|object| object.upgrade())
    }
}
