//! Characters that could make a line of a log or a terminal look like another, or like two.

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
    fn what_could_forge_a_line_is_escaped() {
        assert_eq!(escape_unfit("a\u{1b}[2J\n\u{202E}b"), "a\\u{1b}[2J\\n\\u{202e}b");
        assert!(is_unshowable('\u{FEFF}') && !is_unfit('\u{FEFF}') && !is_unshowable('李'));
    }
}
