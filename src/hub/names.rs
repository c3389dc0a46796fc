//! Names: which ones are valid, and which sessions each has.

use crate::escape::is_unfit;
use crate::limits::MAX_NAME;
use std::collections::HashMap;
use std::sync::Arc;

/// Why `name` is not a valid name of a user or a room, or `None` if it is.
///
/// A name has 1 to 64 bytes of text without control characters, line or paragraph separators and bidirectional controls
/// (each of them can forge a line of a log or of a terminal), and without white space at either end.
pub fn name_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("a name may not be empty here")
    } else if name.len() > MAX_NAME {
        Some("a name has at most 64 bytes")
    } else if name.chars().any(is_unfit) {
        Some("a name may not hold control, line-separating or bidirectional characters")
    } else if name.trim() != name {
        Some("a name may not begin or end with white space")
    } else {
        None
    }
}

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
    pub fn sessions(&self, name: &str) -> &[u32] {
        self.0.get(name).map_or(&[], |sessions| sessions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_of_any_script_will_do() {
        for name in ["ann", "Ann Lee", "Łukasz", "李", "a", &"x".repeat(MAX_NAME)] {
            assert_eq!(name_fault(name), None, "{name:?}");
        }
    }

    #[test]
    fn names_that_could_forge_a_line_will_not() {
        let long = "x".repeat(MAX_NAME + 1);
        for name in
            ["", "a\nb", "\u{1b}[2J", "a\u{7f}", "a\u{85}", "\u{202E}nna", "a\u{2028}", " ann", "ann\u{3000}", &long]
        {
            assert!(name_fault(name).is_some(), "{name:?}");
        }
    }

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
