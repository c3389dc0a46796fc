//! The escapes in strings of JSON.

/// Bytes of `\u` and four hexadecimal digits.
const UNIT_LEN: usize = 6;

/// What an escape stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// This character, written with this number of bytes.
    Char(char, usize),
    /// More bytes are needed to tell.
    Unfinished,
    /// JSON has no such escape, or it is half of a surrogate pair.
    Invalid,
}

/// The escape at the front of some bytes, which begin with a backslash.
pub fn read(bytes: &[u8]) -> Escape {
    let c = match bytes.get(1) {
        None => return Escape::Unfinished,
        Some(b'u') => return unicode(bytes).unwrap_or_else(|other| other),
        Some(&c @ (b'"' | b'\\' | b'/')) => c.into(),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{C}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(_) => return Escape::Invalid,
    };
    Escape::Char(c, 2)
}

/// The character of `\uXXXX`, or of a surrogate pair of these.
fn unicode(bytes: &[u8]) -> Result<Escape, Escape> {
    let unit = code_unit(bytes)?;
    let (code, len) = match unit {
        0xD800..=0xDBFF => {
            let low = code_unit(&bytes[UNIT_LEN..])?;
            let low = low.checked_sub(0xDC00).filter(|low| *low < 0x400).ok_or(Escape::Invalid)?;
            (0x10000 + ((unit - 0xD800) << 10 | low), 2 * UNIT_LEN)
        }
        _ => (unit, UNIT_LEN),
    };
    char::from_u32(code).map(|c| Escape::Char(c, len)).ok_or(Escape::Invalid)
}

/// The number in a `\uXXXX` at the front of some bytes. `Err` if there is none.
fn code_unit(bytes: &[u8]) -> Result<u32, Escape> {
    let mut unit = 0;
    for at in 0..UNIT_LEN {
        let byte = *bytes.get(at).ok_or(Escape::Unfinished)?;
        match at {
            0 if byte == b'\\' => {}
            1 if byte == b'u' => {}
            0 | 1 => return Err(Escape::Invalid),
            _ => unit = unit << 4 | char::from(byte).to_digit(16).ok_or(Escape::Invalid)?,
        }
    }
    Ok(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_escape_is_its_character() {
        for (text, c, len) in [
            (r#"\"x"#, '"', 2),
            (r"\\", '\\', 2),
            (r"\/", '/', 2),
            (r"\b", '\u{8}', 2),
            (r"\f", '\u{C}', 2),
            (r"\n", '\n', 2),
            (r"\r", '\r', 2),
            (r"\t", '\t', 2),
            (r"\u0000", '\0', 6),
            (r"\u674E0", '李', 6),
            (r"\uFFFF", '\u{FFFF}', 6),
            (r"\ud83d\uDE00!", '😀', 12),
        ] {
            assert_eq!(read(text.as_bytes()), Escape::Char(c, len), "{text}");
            let short = (1..len).map(|end| read(&text.as_bytes()[..end]));
            assert!(short.eq([Escape::Unfinished].into_iter().cycle().take(len - 1)), "{text}");
        }
    }

    #[test]
    fn what_is_no_escape_is_invalid() {
        for text in
            [r"\a", r"\ ", r"\u00g0", r"\u+000", r"\udc00x", r"\ud800x", r"\ud800\n", r"\ud800\u0041", r"\U0041"]
        {
            assert_eq!(read(text.as_bytes()), Escape::Invalid, "{text}");
        }
    }
}
