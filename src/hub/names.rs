//! Names, and which sessions each has.

use std::collections::HashMap;
use std::sync::Arc;

/// The sessions of each name, as slots. A name without sessions is not in it.
#[derive(Debug, Default)]
pub struct Names(HashMap<Arc<str>, Vec<u32>>);

impl Names {
    /// Adds a session. Returns the name, held once for all its sessions, and the session's index among them.
    pub fn add(&mut self, name: &str, slot: u32) -> (Arc<str>, u32) {
        let held = self.0.get_key_value(name).map_or_else(|| Arc::from(name), |(held, _)| held.clone());
        let sessions = self.0.entry(held.clone()).or_default();
        sessions.push(slot);
        (held, sessions.len() as u32 - 1)
    }

    /// Removes the session at `index`. Returns the slot of the session that has this index now, if there is one.
    pub fn remove(&mut self, name: &str, index: u32) -> Option<u32> {
        let sessions = self.0.get_mut(name)?;
        sessions.swap_remove(index as usize);
        if sessions.is_empty() {
            self.0.remove(name);
            return None;
        }
        sessions.get(index as usize).copied()
    }

    /// The slots of a name's sessions, in no order.
    #[inline]
    pub fn sessions(&self, name: &str) -> &[u32] {
        self.0.get(name).map_or(&[], |sessions| sessions)
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
        assert_eq!(names.remove("ann", index), Some(6), "the last one has moved");
        assert_eq!((names.sessions("ann"), names.sessions("bob")), (&[6][..], &[][..]));
        assert_eq!(names.remove("ann", 0), None);
        assert!(names.0.is_empty());
    }
}
