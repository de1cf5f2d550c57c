//! The line: who stands where, found by number in constant time.
//!
//! ```text
//!   base                                     numbers grow to the right
//!    │
//!    ▼
//!  ┌────┬────┬────┬────┬────┐                ┌─────────┐      ┌───────────┐
//!  │ 18 │ 19 │    │    │ 22 │   the ring     │ 900: x  │      │ 65000: y  │   strays
//!  └────┴────┴────┴────┴────┘                └─────────┘      └───────────┘
//! ```
//!
//! Numbers that stand close together lie in one ring, which costs an index to search; a number far
//! from the others is a stray, so that one straggler at the end of a window of 65,536 costs one
//! entry and no table. Two rules keep both promises:
//!
//! * **Memory.** A gap is bridged only if the ring then has at most [`SPARSE`] cells for each that stands
//!   anywhere in the line, plus a constant, and it never has more than twice that; if cancelled waits have left it sparser, its front moves to the strays.
//!   Room that is no longer needed is given back.
//! * **Time.** Empty cells are paid for in advance: each insertion saves [`CREDIT`] cells, and the
//!   ring bridges a gap only with what was saved. Each who stands in line moves from the ring to the
//!   strays once at most. A sequence of n operations therefore touches O(n) cells, whatever the order of
//!   arrival and however often someone comes and goes.

use super::strays::Strays;
use std::collections::{VecDeque, vec_deque};

/// Empty cells that one insertion may add, on average.
const CREDIT: usize = 4;
/// Cells of the ring for each that stands in line, at most.
const SPARSE: usize = 2;
/// How many may stray for each in the ring before the ring is begun anew.
const STRAY: usize = 16;
/// Cells that an empty line may keep, so that the next ones allocate nothing.
const KEEP: usize = 256;

/// Places keyed by number. Numbers do not wrap here; the objects count from their own first one.
#[derive(Debug)]
pub(crate) struct Line<T> {
    /// Number of the ring's first cell.
    base: u64,
    ring: VecDeque<Option<T>>,
    /// Occupied cells of the ring.
    ring_len: usize,
    /// Absent until somebody strays.
    strays: Option<Box<Strays<T>>>,
    /// Cells saved up for bridging gaps.
    credit: usize,
    /// The next number that the line hands out.
    tail: u64,
}

impl<T> Line<T> {
    pub(crate) fn new() -> Self {
        Self { base: 0, ring: VecDeque::new(), ring_len: 0, strays: None, credit: 0, tail: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.ring_len + self.strays.as_ref().map_or(0, |strays| strays.len())
    }

    /// The number that the next one gets.
    pub(crate) fn tail(&self) -> u64 {
        self.tail
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let index = self.index(number);
        match self.ring.get_mut(index) {
            Some(Some(item)) => Some(item),
            _ => self.strays.as_mut()?.get_mut(number),
        }
    }

    /// The first `wanted` who stands at `number` or behind it, in a line that numbers its places itself.
    #[inline]
    pub(crate) fn find_from(&mut self, number: u64, wanted: impl Fn(&T) -> bool) -> Option<(u64, &mut T)> {
        if let Some(strays) = &self.strays {
            if let Some(number) = strays.find_from(number, &wanted) {
                return Some((number, self.get_mut(number)?));
            }
        }
        let mut index = self.index(number.max(self.base));
        while !self.ring.get(index)?.as_ref().is_some_and(&wanted) {
            index += 1;
        }
        let item = self.ring.get_mut(index)?.as_mut()?;
        Some((self.base + index as u64, item))
    }

    // ===== coming =====

    /// Puts `item` at the next number of the line, and tells it.
    #[inline]
    pub(crate) fn push(&mut self, item: T) -> u64 {
        let number = self.tail;
        self.tail += 1;
        if !self.ring.is_empty() && self.index(number) > self.ring.len() && self.bridge(number).is_none() {
            // Many have left the back of the line. Nobody may stand apart behind the ring, or the order
            // would be lost.
            self.spill(0);
        }
        self.enter(number, item);
        number
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

    /// Puts `item` at `number` and returns what stood there.
    pub(crate) fn insert(&mut self, number: u64, item: T) -> Option<T> {
        if let Some(present) = self.get_mut(number) {
            return Some(std::mem::replace(present, item));
        }
        self.enter(number, item);
        None
    }

    /// Puts `item` at `number`, where nobody stands.
    #[inline]
    pub(crate) fn enter(&mut self, number: u64, item: T) {
        if self.ring.is_empty() {
            self.base = number;
        }
        if self.index(number) == self.ring.len() {
            // The next one after the last, as it mostly is.
            self.credit += CREDIT - 1;
            self.ring_len += 1;
            self.ring.push_back(Some(item));
        } else {
            self.enter_apart(number, item);
        }
    }

    fn enter_apart(&mut self, number: u64, item: T) {
        self.credit += CREDIT;
        if let Some(cell) = self.bridge(number) {
            *cell = Some(item);
            self.ring_len += 1;
        } else {
            let strays = self.strays.get_or_insert_default();
            strays.enter(number, item);
            if strays.len() > STRAY * (self.ring_len + 1) {
                // The ring lies where hardly anybody stands; the next one may begin a better one.
                self.spill(0);
            }
        }
    }

    // ===== going =====

    /// Takes out whoever stands at `number`.
    #[inline]
    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        if number != self.base {
            return self.remove_apart(number);
        }
        // The first one, as it mostly is; the ring never begins with an empty cell.
        let Some(item) = self.ring.pop_front() else { return self.remove_apart(number) };
        self.ring_len -= 1;
        self.base += 1;
        self.trim();
        self.tidy();
        item
    }

    fn remove_apart(&mut self, number: u64) -> Option<T> {
        let index = self.index(number);
        if let Some(item) = self.ring.get_mut(index).and_then(Option::take) {
            self.ring_len -= 1;
            if index + 1 == self.ring.len() {
                while let Some(None) = self.ring.back() {
                    self.ring.pop_back();
                }
            }
            self.tidy();
            return Some(item);
        }
        let strays = self.strays.as_mut()?;
        let item = strays.remove(number);
        if strays.len() == 0 && strays.room() > KEEP {
            self.strays = None;
        }
        item
    }

    /// Empties the line; its memory goes with what comes out.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (u64, T)> + use<T> {
        self.ring_len = 0;
        self.credit = 0;
        let ring: vec_deque::IntoIter<_> = std::mem::take(&mut self.ring).into_iter();
        let strays = self.strays.take().map(|strays| *strays).unwrap_or_default();
        let ring = (self.base..).zip(ring).filter_map(|(number, item)| Some((number, item?)));
        strays.into_each().chain(ring)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let ring = (self.base..).zip(&self.ring).filter_map(|(number, cell)| Some((number, cell.as_ref()?)));
        self.strays.iter().flat_map(|strays| strays.iter()).chain(ring)
    }

    // ===== the ring =====

    /// The index of `number` in the ring, or one past its end.
    fn index(&self, number: u64) -> usize {
        usize::try_from(number.wrapping_sub(self.base)).unwrap_or(usize::MAX)
    }

    /// How long the ring may be.
    fn span_limit(&self) -> usize {
        SPARSE * (self.len() + 1) + 16
    }

    /// Moves whoever stands at the front of the ring to the strays until no more than `cells` are left.
    #[cold]
    fn spill(&mut self, cells: usize) {
        while self.ring.len() > cells {
            if let Some(Some(item)) = self.ring.pop_front() {
                self.ring_len -= 1;
                self.strays.get_or_insert_default().spill(self.base, item);
            }
            self.base += 1;
        }
        self.trim();
    }

    /// Lets the ring begin where somebody stands.
    #[inline]
    fn trim(&mut self) {
        while let Some(None) = self.ring.front() {
            self.ring.pop_front();
            self.base += 1;
        }
    }

    /// Stretches the ring to the empty cell of `number`, if that is affordable.
    fn bridge(&mut self, number: u64) -> Option<&mut Option<T>> {
        let limit = self.span_limit();
        self.credit = self.credit.min(limit);
        let len = self.ring.len();
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
                self.ring.push_front(None);
            }
        } else {
            self.ring.resize_with(span, || None);
        }
        self.ring.get_mut(index)
    }

    /// Moves the front of the ring away if it has become too sparse, and gives back room that is far too
    /// large.
    #[inline]
    fn tidy(&mut self) {
        // Of a smaller one nothing is too much.
        if self.ring.capacity() > KEEP / 16 {
            self.tidy_up();
        }
    }

    fn tidy_up(&mut self) {
        if self.ring.len() > 2 * SPARSE * (self.ring_len + 1) + 32 && self.ring.len() > 2 * self.span_limit()
        {
            self.spill(self.span_limit());
        }
        if self.ring.capacity() > KEEP && self.ring.len() < self.ring.capacity() / 8 {
            self.ring.shrink_to(KEEP.max(2 * self.ring.len()));
        }
    }
}

#[cfg(test)]
impl<T> Line<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Cells of the ring.
    pub(super) fn cells(&self) -> usize {
        self.ring.len()
    }

    /// For how many there is room.
    pub(super) fn room(&self) -> usize {
        self.ring.capacity() + self.strays.as_ref().map_or(0, |strays| strays.room())
    }
}
