//! The rule for names of users and rooms.

use crate::escape::is_unfit;

/// The most bytes in the name of a user or a room: they fit a terminal line, a log line and a str8.
pub const MAX_NAME: usize = 64;

const _: () = assert!(MAX_NAME <= u8::MAX as usize, "a name is a str8");

/// Why `name` is not a valid name of a user or a room, or `None` if it is.
///
/// A name has 1 to 64 bytes of text without control characters, line or paragraph separators and bidirectional controls
/// (each of them can forge a line of a log or of a terminal), and without white space at either end.
#[inline]
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
}
