//! A table whose keys stay low, so that it can be shortened when few entries are left.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::{Index, IndexMut};

/// Entries by key. A new entry gets the lowest key that is free.
///
/// Entries are boxed, so that a vacant one costs a few bytes, however many there once were.
#[derive(Debug)]
pub struct Table<T> {
    entries: Vec<Option<Box<T>>>,
    /// The keys of vacant entries.
    free: BinaryHeap<Reverse<u32>>,
}

impl<T> Table<T> {
    /// An empty table.
    pub fn new() -> Table<T> {
        Table { entries: Vec::new(), free: BinaryHeap::new() }
    }

    /// How many entries there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Adds an entry. Returns its key.
    pub fn insert(&mut self, entry: T) -> u32 {
        let entry = Some(Box::new(entry));
        if let Some(Reverse(key)) = self.free.pop() {
            self.entries[key as usize] = entry;
            return key;
        }
        self.entries.push(entry);
        self.entries.len() as u32 - 1
    }

    /// Removes an entry.
    ///
    /// # Panics
    ///
    /// If there is none with this key.
    pub fn remove(&mut self, key: u32) -> Box<T> {
        let entry = self.entries[key as usize].take().expect("a key is good until its entry is removed");
        self.free.push(Reverse(key));
        entry
    }

    /// Gives back the memory of vacant entries above the last one that is taken.
    pub fn shrink(&mut self) {
        let len = self.entries.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.entries.truncate(len);
        self.entries.shrink_to_fit();
        self.free.retain(|Reverse(key)| (*key as usize) < len);
        self.free.shrink_to_fit();
    }
}

impl<T> Index<u32> for Table<T> {
    type Output = T;

    #[inline]
    fn index(&self, key: u32) -> &T {
        self.entries[key as usize].as_deref().expect("a key is good until its entry is removed")
    }
}

impl<T> IndexMut<u32> for Table<T> {
    #[inline]
    fn index_mut(&mut self, key: u32) -> &mut T {
        self.entries[key as usize].as_deref_mut().expect("a key is good until its entry is removed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_key_is_given_and_a_sparse_table_becomes_short() {
        let mut table = Table::new();
        (0..1000).for_each(|number| assert_eq!(table.insert(number), number));
        [7, 3, 500].into_iter().for_each(|key| assert_eq!(*table.remove(key), key));
        assert_eq!((table.insert(3), table.len()), (3, 998));
        (8..1000).filter(|key| *key != 500).for_each(|key| drop(table.remove(key)));
        table.shrink();
        assert_eq!((table.len(), table.entries.capacity()), (7, 7));
        assert_eq!((table.insert(9), table.insert(9), table.len()), (7, 8, 9));
        assert_eq!((table[2], table[8]), (2, 9));
    }
}
