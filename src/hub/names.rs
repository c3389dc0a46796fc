//! Names, and which sessions each has.

use crate::wire::Status;
use std::collections::HashMap;
use std::sync::Arc;

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
pub struct Names(HashMap<Arc<str>, Named>);

impl Names {
    /// Adds a session. Returns the name, held once for all its sessions, and the session's index among them.
    pub fn add(&mut self, name: &str, slot: u32) -> (Arc<str>, u32) {
        let held = self.0.get_key_value(name).map_or_else(|| Arc::from(name), |(held, _)| held.clone());
        let new = || Named { slots: Vec::new(), stamp: 0, status: Status::Unknown };
        let slots = &mut self.0.entry(held.clone()).or_insert_with(new).slots;
        slots.push(slot);
        (held, slots.len() as u32 - 1)
    }

    /// Removes the session at `index`. Returns the slot of the session that has this index now, if there is one.
    pub fn remove(&mut self, name: &str, index: u32) -> Option<u32> {
        let slots = &mut self.0.get_mut(name)?.slots;
        slots.swap_remove(index as usize);
        if slots.is_empty() {
            self.0.remove(name);
            return None;
        }
        slots.get(index as usize).copied()
    }

    /// The sessions of a name, if it has any.
    #[inline]
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Named> {
        self.0.get_mut(name)
    }

    /// Resets the stamps of all names.
    pub fn forget_stamps(&mut self) {
        self.0.values_mut().for_each(|named| named.stamp = 0);
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
        assert_eq!(names.get_mut("ann").expect("it has one").slots, [6]);
        assert!(names.get_mut("bob").is_none());
        assert_eq!(names.remove("ann", 0), None);
        assert!(names.0.is_empty());
    }
}
