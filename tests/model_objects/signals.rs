//! What the objects of the model can be told, and who is served then.

use super::naive::Model;
use super::things::{Thing, Verdict};
use super::words::Want;
use batons::AcquireError;

impl Model {
    pub(crate) fn set(&mut self, object: usize) -> bool {
        let before = self.things[object].set();
        self.serve(object);
        before
    }

    pub(crate) fn pulse(&mut self, object: usize) -> bool {
        let before = self.things[object].pulse();
        self.serve(object);
        self.things[object].settle();
        before
    }

    pub(crate) fn release(&mut self, object: usize, n: u32) -> Option<u32> {
        let before = self.things[object].release(n)?;
        self.serve(object);
        Some(before)
    }

    pub(crate) fn resize(&mut self, object: usize, max: u32) -> u32 {
        let before = self.things[object].resize(max);
        self.serve(object);
        before
    }

    pub(crate) fn unlock(&mut self, object: usize, owner: u64, disorder: bool) -> Option<u32> {
        let before = self.things[object].unlock(owner, disorder)?;
        self.serve(object);
        Some(before)
    }

    pub(crate) fn skip(&mut self, object: usize, number: u64) -> Verdict {
        let verdict = self.ask(Want { object, what: number });
        if !matches!(verdict, Verdict::Refuse(_)) {
            self.things[object].skip(number);
            self.serve(object);
        }
        verdict
    }

    pub(crate) fn close(&mut self, object: usize) {
        self.things[object].close();
        let mut everyone: Vec<_> =
            self.line.iter().filter(|place| place.want.object == object).copied().collect();
        if let Thing::Baton { .. } = self.things[object] {
            // They stand in the order of their numbers.
            everyone.sort_by_key(|place| place.want.what);
        }
        for place in everyone {
            self.refuse(&place, AcquireError::Closed);
        }
    }
}
