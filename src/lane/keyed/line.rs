//! Who stands in line for which keys. No waiting in here: whoever must be woken is handed out, to be woken without the lock.

use crate::ManualResetEvent;
use std::collections::hash_map::{Entry, HashMap};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasherDefault, Hasher};

/// Below this much room nothing is given back when keys become idle.
const SMALL: usize = 1024;

/// All keys that have tickets out, by their hashes.
#[derive(Debug, Default)]
pub(super) struct Lines {
    by_key: HashMap<u64, Line, BuildHasherDefault<Hashed>>,
    /// Tickets that are not yet at the front of all their lines.
    waiting: BTreeMap<u64, Waiting>,
    /// The number of the next ticket.
    next: u64,
}

/// The tickets of one key, by number.
#[derive(Debug)]
struct Line {
    front: u64,
    /// Empty, and so without an allocation, unless somebody waits.
    behind: BTreeSet<u64>,
}

#[derive(Debug)]
struct Waiting {
    /// In how many lines it is not at the front.
    missing: usize,
    /// Set when it is at the front of all of them.
    ready: Option<ManualResetEvent>,
}

impl Lines {
    /// The next number, and whether its turn has come already. No key may be in `keys` twice.
    ///
    /// All lines are joined in one step, so numbers are ordered alike in all of them: nobody waits for a
    /// larger number, and hence no ring of tickets waits for itself.
    pub(super) fn join(&mut self, keys: &[u64]) -> (u64, bool) {
        let number = self.next;
        self.next += 1;
        let mut missing = 0;
        for &key in keys {
            match self.by_key.entry(key) {
                Entry::Vacant(idle) => {
                    idle.insert(Line { front: number, behind: BTreeSet::new() });
                }
                Entry::Occupied(mut busy) => {
                    busy.get_mut().behind.insert(number);
                    missing += 1;
                }
            }
        }
        if missing > 0 {
            self.waiting.insert(number, Waiting { missing, ready: None });
        }
        (number, missing == 0)
    }

    pub(super) fn is_waiting(&self, number: u64) -> bool {
        self.waiting.contains_key(&number)
    }

    /// What to wait for, if the turn of `number` has not come.
    pub(super) fn awaited(&mut self, number: u64) -> Option<ManualResetEvent> {
        let waiting = self.waiting.get_mut(&number)?;
        Some(waiting.ready.get_or_insert_with(|| ManualResetEvent::new(false)).clone())
    }

    /// `number` leaves the lines of its `keys`, wherever it stands in them. Into `wake` go the events of those whose turn that
    /// makes it, and its own, if it is still waited for.
    pub(super) fn leave(&mut self, number: u64, keys: &[u64], wake: &mut Vec<ManualResetEvent>) {
        wake.extend(self.waiting.remove(&number).and_then(|waiting| waiting.ready));
        for key in keys {
            let Some(line) = self.by_key.get_mut(key) else { continue };
            if line.front != number {
                line.behind.remove(&number);
            } else if let Some(next) = line.behind.pop_first() {
                line.front = next;
                self.advance(next, wake);
            } else {
                self.by_key.remove(key);
            }
        }
        let (used, room) = (self.by_key.len(), self.by_key.capacity());
        if room > SMALL && used < room / 8 {
            self.by_key.shrink_to(used * 2);
        }
    }

    /// `number` has come to the front of one more of its lines.
    fn advance(&mut self, number: u64, wake: &mut Vec<ManualResetEvent>) {
        let Some(waiting) = self.waiting.get_mut(&number) else { return };
        waiting.missing -= 1;
        if waiting.missing == 0 {
            wake.extend(self.waiting.remove(&number).and_then(|waiting| waiting.ready));
        }
    }

    pub(super) fn keys(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

/// Keys are hashes already.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are hashes, which are u64");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
