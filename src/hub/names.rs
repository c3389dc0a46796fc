//! Which sessions a name has. Knows slots and texts alone.

use std::collections::HashMap;
use std::sync::Arc;

/// Names with the slots of their sessions. A name without sessions is not in it.
#[derive(Debug, Default)]
pub struct Directory(HashMap<Arc<str>, Vec<u32>>);

impl Directory {
    /// Adds a session. Returns the name, held once for all its sessions, and the session's place among them.
    pub fn add(&mut self, name: &str, slot: u32) -> (Arc<str>, u32) {
        let held = self.0.get_key_value(name).map_or_else(|| Arc::from(name), |(held, _)| held.clone());
        let sessions = self.0.entry(held.clone()).or_default();
        sessions.push(slot);
        (held, sessions.len() as u32 - 1)
    }

    /// Takes the session in `place` out. Returns the slot of the session that stands there now, if one does.
    pub fn remove(&mut self, name: &str, place: u32) -> Option<u32> {
        let sessions = self.0.get_mut(name)?;
        sessions.swap_remove(place as usize);
        if sessions.is_empty() {
            self.0.remove(name);
            return None;
        }
        sessions.get(place as usize).copied()
    }

    /// The slots of a name's sessions, in no order.
    pub fn sessions(&self, name: &str) -> &[u32] {
        self.0.get(name).map_or(&[], |sessions| sessions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_held_once_and_goes_with_its_last_session() {
        let mut directory = Directory::default();
        let (first, place) = directory.add("ann", 5);
        let (second, _) = directory.add("ann", 6);
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(directory.remove("ann", place), Some(6), "the last one has moved");
        assert_eq!((directory.sessions("ann"), directory.sessions("bob")), (&[6][..], &[][..]));
        assert_eq!(directory.remove("ann", 0), None);
        assert!(directory.0.is_empty());
    }
}
