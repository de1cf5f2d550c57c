//! Those who stand apart from the ring of a line.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};

/// Room that is kept although nobody needs it, so that the next ones allocate nothing.
const KEEP: usize = 256;

#[derive(Debug)]
pub(super) struct Strays<T> {
    /// In ascending order: who stood in the ring when cancelled waits left it too sparse. Those taken
    /// out leave a hole until half of all are holes.
    old: VecDeque<(u64, Option<T>)>,
    /// How many of `old` are not holes.
    old_len: usize,
    /// Who came to a number out of the ring's reach.
    far: HashMap<u64, T, Spread>,
}

impl<T> Default for Strays<T> {
    fn default() -> Self {
        Self { old: VecDeque::new(), old_len: 0, far: HashMap::with_hasher(Spread::new()) }
    }
}

impl<T> Strays<T> {
    pub(super) fn len(&self) -> usize {
        self.old_len + self.far.len()
    }

    pub(super) fn room(&self) -> usize {
        self.old.capacity() + self.far.capacity()
    }

    /// Takes in one who never stood in the ring.
    pub(super) fn enter(&mut self, number: u64, item: T) {
        self.far.insert(number, item);
    }

    /// Takes in one who stood at the front of the ring.
    pub(super) fn spill(&mut self, number: u64, item: T) {
        if self.old.back().is_none_or(|&(last, _)| last < number) {
            self.old.push_back((number, Some(item)));
            self.old_len += 1;
        } else {
            self.far.insert(number, item);
        }
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        match self.old_index(number) {
            Some(index) if self.old[index].1.is_some() => self.old[index].1.as_mut(),
            _ => self.far.get_mut(&number),
        }
    }

    /// The first `wanted` of those in order who stands at `number` or behind it.
    pub(super) fn find_from(&self, number: u64, wanted: impl Fn(&T) -> bool) -> Option<u64> {
        debug_assert!(self.far.is_empty(), "only a line that numbers its places is in order");
        let from = self.old.partition_point(|&(other, _)| other < number);
        let found = self.old.range(from..).find(|(_, item)| item.as_ref().is_some_and(&wanted));
        found.map(|&(number, _)| number)
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        if let Some(index) = self.old_index(number) {
            if let Some(item) = self.old[index].1.take() {
                self.old_len -= 1;
                self.close_up();
                return Some(item);
            }
        }
        let item = self.far.remove(&number);
        if self.far.capacity() > KEEP && self.far.len() < self.far.capacity() / 8 {
            self.far.shrink_to(2 * self.far.len());
        }
        item
    }

    fn old_index(&self, number: u64) -> Option<usize> {
        if self.old_len == 0 {
            return None;
        }
        self.old.binary_search_by_key(&number, |&(number, _)| number).ok()
    }

    fn close_up(&mut self) {
        while let Some((_, None)) = self.old.front() {
            self.old.pop_front();
        }
        if self.old.len() > 2 * self.old_len + 16 {
            self.old.retain(|(_, item)| item.is_some());
        }
        if self.old.capacity() > KEEP && self.old.len() < self.old.capacity() / 8 {
            self.old.shrink_to(KEEP.max(2 * self.old.len()));
        }
    }

    pub(super) fn into_each(self) -> impl Iterator<Item = (u64, T)> + use<T> {
        self.old.into_iter().filter_map(|(number, item)| Some((number, item?))).chain(self.far)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let old = self.old.iter().filter_map(|(number, item)| Some((*number, item.as_ref()?)));
        old.chain(self.far.iter().map(|(&number, item)| (number, item)))
    }
}

/// Hashes numbers by one multiplication with a secret: most strays are looked up several times, and a
/// hash that withstands everything costs as much as all the rest.
#[derive(Debug, Clone)]
struct Spread {
    secret: u64,
}

impl Spread {
    fn new() -> Self {
        Self { secret: RandomState::new().build_hasher().finish() }
    }
}

impl BuildHasher for Spread {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(self.secret)
    }
}

struct Folded(u64);

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    #[allow(clippy::cast_possible_truncation)] // both halves of the product are used
    fn write_u64(&mut self, number: u64) {
        let product = u128::from(number ^ self.0) * 0x9E37_79B9_7F4A_7C15;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
