//! Characters that could forge a line of a log or of a terminal, and how they are escaped.

/// Whether a character is a control character, ends a line, or changes the direction of text. Names may not contain
/// such characters.
#[inline]
pub fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{061C}' | '\u{200E}' | '\u{200F}')
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character must be escaped before it is written to a terminal or a log, because it could move the cursor,
/// start a line, change colours or reorder text. All such characters fit into four hexadecimal digits.
pub fn is_unshowable(c: char) -> bool {
    is_unfit(c) || c == '\u{FEFF}'
}

/// Escapes control characters, line ends and characters that change the direction of text, so that the result is one
/// line that shows what it contains.
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
    fn characters_that_could_forge_a_line_are_escaped() {
        assert_eq!(escape_unfit("a\u{1b}[2J\n\u{202E}b"), "a\\u{1b}[2J\\n\\u{202e}b");
        assert!(is_unshowable('\u{FEFF}') && !is_unfit('\u{FEFF}') && !is_unshowable('李'));
    }
}
