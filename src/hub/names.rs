//! Names, and which sessions each has.

use super::allocation::{grow, heap_bytes, shrink, vec_bytes};
use std::collections::HashMap;
use std::sync::Arc;

/// What a name takes beside its text and the list of its sessions: its share of a table that has just doubled.
const NAME_COST: usize = 112;

/// The sessions of each name, as slots. A name without sessions is not in it.
#[derive(Debug, Default)]
pub struct Names {
    pub(super) table: HashMap<Arc<str>, Vec<u32>>,
    /// Bytes of memory that it takes.
    held: usize,
}

/// Bytes of memory that a name and the list of its sessions take.
pub(super) fn name_bytes(name: &str, sessions: &Vec<u32>) -> usize {
    NAME_COST + heap_bytes(2 * size_of::<usize>() + name.len()) + vec_bytes(sessions)
}

impl Names {
    /// Adds a session. Returns the name, held once for all its sessions, and the session's index among them.
    pub fn add(&mut self, name: &str, slot: u32) -> (Arc<str>, u32) {
        let found = self.table.get_key_value(name).map(|(held, sessions)| (held.clone(), name_bytes(name, sessions)));
        let (held, before) = found.unwrap_or_else(|| (Arc::from(name), 0));
        let sessions = self.table.entry(held.clone()).or_default();
        grow(sessions);
        sessions.push(slot);
        self.held = self.held - before + name_bytes(name, sessions);
        (held, sessions.len() as u32 - 1)
    }

    /// Removes the session at `index`. Returns the slot of the session that has this index now, if there is one.
    pub fn remove(&mut self, name: &str, index: u32) -> Option<u32> {
        let sessions = self.table.get_mut(name)?;
        self.held -= name_bytes(name, sessions);
        sessions.swap_remove(index as usize);
        if sessions.is_empty() {
            self.table.remove(name);
            return None;
        }
        shrink(sessions);
        self.held += name_bytes(name, sessions);
        sessions.get(index as usize).copied()
    }

    /// The slots of a name's sessions, in no order.
    #[inline]
    pub fn sessions(&self, name: &str) -> &[u32] {
        self.table.get(name).map_or(&[], |sessions| sessions)
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
        assert_eq!((names.sessions("ann"), names.sessions("bob")), (&[6][..], &[][..]));
        assert_eq!(names.remove("ann", 0), None);
        assert!(names.table.is_empty() && names.held() == 0);
    }
}
