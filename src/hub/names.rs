//! Names, and which sessions each has.

use super::allocation::{grow, heap_bytes, shrink, vec_bytes};
use crate::name::canonical_name;
use crate::wire::Status;
use std::collections::HashMap;
use std::sync::Arc;

/// What a name takes beside its text and the list of its sessions: its share of a table that has just doubled.
const NAME_COST: usize = 128;

/// The sessions of one name.
#[derive(Debug)]
pub struct Named {
    /// Their slots, in no order.
    pub slots: Vec<u32>,
    /// The number of the last body that named it, so that it is resolved once for each body.
    pub stamp: u32,
    /// The status that this body got.
    pub status: Status,
}

/// The sessions of each name. A name without sessions is not in it.
#[derive(Debug, Default)]
pub struct Names {
    pub(super) table: HashMap<Arc<str>, Named>,
    /// Bytes of memory that it takes.
    held: usize,
}

/// Bytes of memory that a name and the list of its sessions take.
pub(super) fn name_bytes(name: &str, named: &Named) -> usize {
    NAME_COST + heap_bytes(2 * size_of::<usize>() + name.len()) + vec_bytes(&named.slots)
}

impl Names {
    /// Adds a session. Returns the name, held once for all its sessions, and the session's index among them.
    pub fn add(&mut self, name: &str, slot: u32) -> (Arc<str>, u32) {
        let name = &*canonical_name(name);
        let found = self.table.get_key_value(name).map(|(held, named)| (held.clone(), name_bytes(name, named)));
        let (held, before) = found.unwrap_or_else(|| (Arc::from(name), 0));
        let new = || Named { slots: Vec::new(), stamp: 0, status: Status::Unknown };
        let named = self.table.entry(held.clone()).or_insert_with(new);
        grow(&mut named.slots);
        named.slots.push(slot);
        self.held = self.held - before + name_bytes(name, named);
        (held, named.slots.len() as u32 - 1)
    }

    /// Removes the session at `index`. Returns the slot of the session that has this index now, if there is one.
    pub fn remove(&mut self, name: &str, index: u32) -> Option<u32> {
        let named = self.table.get_mut(name)?;
        self.held -= name_bytes(name, named);
        named.slots.swap_remove(index as usize);
        if named.slots.is_empty() {
            self.table.remove(name);
            return None;
        }
        shrink(&mut named.slots);
        self.held += name_bytes(name, named);
        named.slots.get(index as usize).copied()
    }

    /// The sessions of a name, if it has any.
    #[inline]
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Named> {
        self.table.get_mut(&*canonical_name(name))
    }

    /// The slots of the sessions of a name, which is one that is held, in no order.
    pub fn sessions(&self, name: &str) -> &[u32] {
        self.table.get(name).map_or(&[], |named| &named.slots)
    }

    /// Resets the stamps of all names.
    pub fn forget_stamps(&mut self) {
        self.table.values_mut().for_each(|named| named.stamp = 0);
    }

    /// Bytes of memory that it takes.
    pub fn held(&self) -> usize {
        self.held
    }

    /// For how many names there is room in the table.
    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.table.capacity()
    }

    /// Gives back the memory of names that are gone.
    pub fn shrink(&mut self) {
        self.table.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_held_once_and_goes_with_its_last_session() {
        let mut names = Names::default();
        let (first, index) = names.add("ann", 5);
        let (second, _) = names.add("ann", 6);
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(names.held(), name_bytes("ann", &names.table["ann"]));
        assert_eq!(names.remove("ann", index), Some(6), "the last one has moved");
        assert_eq!(names.get_mut("ann").expect("it has one").slots, [6]);
        assert!(names.get_mut("bob").is_none());
        assert_eq!(names.remove("ann", 0), None);
        assert!(names.table.is_empty() && names.held() == 0);
    }
}
