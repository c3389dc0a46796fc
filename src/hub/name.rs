//! What a name may be: fit for a terminal, a log line and a roster, whoever chose it.

use crate::limits::MAX_NAME;

/// Why `name` will not do, or `None` where it will.
///
/// A name is 1 to [`MAX_NAME`] bytes of text without control characters, line or paragraph separators and bidirectional
/// controls (each can forge a line of a log or of a terminal), and without white space at either end.
pub fn why_not(name: &str) -> Option<&'static str> {
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

/// Whether a character could make one line look like another, or like two.
pub fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{061C}' | '\u{200E}' | '\u{200F}')
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character could move the cursor, colour a terminal or reorder a line, so that it is never shown raw. All
/// such fit four hex digits.
pub fn is_unshowable(c: char) -> bool {
    is_unfit(c) || c == '\u{FEFF}'
}

/// Text with each unfit character escaped.
pub fn escape_unfit(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unfit(c) { escaped.extend(c.escape_default()) } else { escaped.push(c) }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_of_any_script_will_do() {
        for name in ["ann", "Ann Lee", "Łukasz", "李", "a", &"x".repeat(MAX_NAME)] {
            assert_eq!(why_not(name), None, "{name:?}");
        }
    }

    #[test]
    fn names_that_could_forge_a_line_will_not() {
        let long = "x".repeat(MAX_NAME + 1);
        for name in
            ["", "a\nb", "\u{1b}[2J", "a\u{7f}", "a\u{85}", "\u{202E}nna", "a\u{2028}", " ann", "ann\u{3000}", &long]
        {
            assert!(why_not(name).is_some(), "{name:?}");
        }
    }
}
