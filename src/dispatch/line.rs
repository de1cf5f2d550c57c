//! The line: who stands where, found by number in constant time.
//!
//! ```text
//!   base                                     numbers grow to the right
//!    │
//!    ▼
//!  ┌────┬────┬────┬────┬────┐                ┌─────────┐      ┌───────────┐
//!  │ 18 │ 19 │    │    │ 22 │   near (ring)  │ 900: x  │      │ 65000: y  │   far (map)
//!  └────┴────┴────┴────┴────┘                └─────────┘      └───────────┘
//! ```
//!
//! Numbers that stand close together lie in one ring, which costs an index to search; a number far
//! from the others lies in a map, so that one straggler at the end of a window of 65,536 costs one
//! entry and no table. Two rules keep both promises:
//!
//! * **Memory.** When the ring grows it is at most [`SPARSE`] cells for each that stands anywhere in
//!   the line, plus a constant, and later at most twice that; if cancelled waits have left it sparser, its front moves to the map. Room
//!   that is no longer needed is given back.
//! * **Time.** Empty cells are paid for in advance: each insertion saves [`CREDIT`] cells, and the
//!   ring bridges a gap only with what was saved. Each who stands in line moves from the ring to the map
//!   once at most. A sequence of n operations therefore touches O(n) cells, whatever the order of
//!   arrival and however often someone comes and goes.

use std::collections::{HashMap, VecDeque, hash_map};

/// Empty cells that one insertion may add, on average.
const CREDIT: usize = 4;
/// Cells of the ring for each that stands in line, at most.
const SPARSE: usize = 2;
/// How many may stand in the map for each in the ring before the ring is begun anew.
const STRAY: usize = 16;
/// Cells that an empty line may keep, so that the next ones allocate nothing.
const KEEP: usize = 256;

/// Places keyed by number. Numbers do not wrap here; the objects count from their own first one.
#[derive(Debug)]
pub(crate) struct Line<T> {
    /// Number of the ring's first cell.
    base: u64,
    near: VecDeque<Option<T>>,
    /// Occupied cells of `near`.
    near_len: usize,
    far: HashMap<u64, T>,
    /// Cells saved up for bridging gaps.
    credit: usize,
    /// The next number that [`reserve`](Line::reserve) tries.
    tail: u64,
}

impl<T> Line<T> {
    pub(crate) fn new() -> Self {
        Self { base: 0, near: VecDeque::new(), near_len: 0, far: HashMap::new(), credit: 0, tail: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.near_len + self.far.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let index = self.index(number);
        match self.near.get_mut(index) {
            Some(Some(item)) => Some(item),
            _ if self.far.is_empty() => None,
            _ => self.far.get_mut(&number),
        }
    }

    /// Puts `item` at `number` and returns what stood there.
    pub(crate) fn insert(&mut self, number: u64, item: T) -> Option<T> {
        if let Some(present) = self.get_mut(number) {
            return Some(std::mem::replace(present, item));
        }
        self.enter(number, item);
        None
    }

    /// Puts `item` at `number`, where nobody stands.
    pub(crate) fn enter(&mut self, number: u64, item: T) {
        if self.near.is_empty() {
            self.base = number;
        }
        self.credit += CREDIT;
        if self.index(number) == self.near.len() {
            // The next one after the last, as it mostly is.
            self.credit -= 1;
            self.near_len += 1;
            self.near.push_back(Some(item));
            self.spill(self.span_limit());
        } else if let Some(cell) = self.bridge(number) {
            *cell = Some(item);
            self.near_len += 1;
        } else {
            self.far.insert(number, item);
            if self.far.len() > STRAY * (self.near_len + 1) {
                // The ring lies where hardly anybody stands; the next one may begin a better one.
                self.spill(0);
            }
        }
    }

    /// Takes out whoever stands at `number`.
    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        self.remove_if(number, |_| true)
    }

    /// Takes out whoever stands at `number`, if `wanted` says so.
    pub(crate) fn remove_if(&mut self, number: u64, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        let index = self.index(number);
        match self.near.get_mut(index) {
            Some(cell @ Some(_)) => {
                let item = cell.take_if(|item| wanted(item))?;
                self.near_len -= 1;
                self.trim(index);
                Some(item)
            }
            _ if self.far.is_empty() => None,
            _ if self.far.get(&number).is_some_and(wanted) => {
                let item = self.far.remove(&number);
                if self.far.capacity() > KEEP && self.far.len() < self.far.capacity() / 8 {
                    self.far.shrink_to(2 * self.far.len());
                }
                item
            }
            _ => None,
        }
    }

    /// Puts `item` at the first free number from `floor` on that was not handed out before.
    pub(crate) fn reserve(&mut self, floor: u64, item: T) -> u64 {
        self.tail = self.tail.max(floor);
        while self.get_mut(self.tail).is_some() {
            self.tail += 1;
        }
        let number = self.tail;
        self.enter(number, item);
        self.tail += 1;
        number
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let near = (self.base..).zip(&self.near).filter_map(|(number, cell)| Some((number, cell.as_ref()?)));
        near.chain(self.far.iter().map(|(&number, item)| (number, item)))
    }

    /// Empties the line; its memory goes with what comes out.
    pub(crate) fn drain(&mut self) -> Drain<T> {
        self.near_len = 0;
        self.credit = 0;
        Drain {
            near: std::mem::take(&mut self.near).into_iter(),
            far: std::mem::take(&mut self.far).into_values(),
        }
    }

    /// The index of `number` in the ring, or one past its end.
    fn index(&self, number: u64) -> usize {
        usize::try_from(number.wrapping_sub(self.base)).unwrap_or(usize::MAX)
    }

    /// How long the ring may be.
    fn span_limit(&self) -> usize {
        SPARSE * (self.len() + 1) + 16
    }

    /// Moves whoever stands at the front of the ring to the map until no more than `cells` are left.
    fn spill(&mut self, cells: usize) {
        while self.near.len() > cells {
            if let Some(Some(item)) = self.near.pop_front() {
                self.far.insert(self.base, item);
                self.near_len -= 1;
            }
            self.base += 1;
        }
    }

    /// Stretches the ring to the empty cell of `number`, if that is affordable.
    fn bridge(&mut self, number: u64) -> Option<&mut Option<T>> {
        let limit = self.span_limit();
        self.credit = self.credit.min(limit);
        let len = self.near.len();
        let (span, index) = if number < self.base {
            (len.checked_add(usize::try_from(self.base - number).ok()?)?, 0)
        } else {
            (len.max(self.index(number).checked_add(1)?), self.index(number))
        };
        let gap = span - len;
        if gap > 0 && (gap > self.credit || span > limit) {
            return None;
        }
        self.credit -= gap;
        if number < self.base {
            self.base = number;
            for _ in 0..gap {
                self.near.push_front(None);
            }
        } else {
            self.near.resize_with(span, || None);
        }
        self.near.get_mut(index)
    }

    /// Drops the empty cells at an end of the ring after `emptied` became one; if there are too many in
    /// between, moves its front away. Gives back room that is far too large.
    fn trim(&mut self, emptied: usize) {
        if emptied == 0 {
            while let Some(None) = self.near.front() {
                self.near.pop_front();
                self.base += 1;
            }
        } else if emptied + 1 == self.near.len() {
            while let Some(None) = self.near.back() {
                self.near.pop_back();
            }
        }
        let limit = self.span_limit();
        if self.near.len() > 2 * limit {
            self.spill(limit);
        }
        let (len, capacity) = (self.near.len(), self.near.capacity());
        if capacity > KEEP && len < capacity / 8 {
            self.near.shrink_to(KEEP.max(2 * len));
        }
    }
}

#[cfg(test)]
impl<T> Line<T> {
    /// Cells of the ring.
    pub(super) fn cells(&self) -> usize {
        self.near.len()
    }

    /// For how many there is room.
    pub(super) fn room(&self) -> usize {
        self.near.capacity() + self.far.capacity()
    }
}

/// Everyone who stood in a line, in no particular order between near and far.
#[derive(Debug)]
pub(crate) struct Drain<T> {
    near: std::collections::vec_deque::IntoIter<Option<T>>,
    far: hash_map::IntoValues<u64, T>,
}

impl<T> Iterator for Drain<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.near.by_ref().flatten().next().or_else(|| self.far.next())
    }
}
