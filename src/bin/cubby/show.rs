//! What reaches the terminal: nothing from the network does unescaped.

use crate::users::Failure;
use cubby::{Event, EventType, UserId, is_unshowable};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Bytes shown of a body that is not text.
const SHOWN: usize = 16;

/// Prints a line that is safe already.
pub fn line(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::NoReader,
        _ => Failure::Other(format!("can not write to standard output: {error}")),
    })
}

/// Prints a JSON object on a line.
pub fn json(object: &impl Serialize) -> Result<(), Failure> {
    line(&cubby::json_line(object))
}

/// Says something on standard error. Where nobody reads that, there is nobody to tell.
pub fn complain(text: &str) {
    crate::common::complain("cubby", text);
}

/// A body on one line: text, without the line end that most senders put behind it, or size and first bytes of what is
/// not text.
pub fn body(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => safe(text.strip_suffix('\n').unwrap_or(text)),
        Err(_) => {
            let mut shown = format!("{} bytes, not text:", bytes.len());
            for byte in bytes.iter().take(SHOWN) {
                let _ = write!(shown, " {byte:02x}");
            }
            if bytes.len() > SHOWN {
                shown.push_str(" ...");
            }
            shown
        }
    }
}

/// An event on a line.
pub fn event(event: &Event) -> String {
    let who = name(&event.name, event.session);
    let what = match event.what {
        EventType::Message => return format!("{}: {}", speaker(event), body(&event.body)),
        EventType::Join => format!("{who} joined"),
        EventType::Add => format!("{who} joined once more"),
        EventType::Remove => format!("{who} left once, and is still here"),
        EventType::Leave => format!("{who} left"),
        EventType::Close => "the room was closed".to_owned(),
    };
    format!("[r/{}]> {what}", safe(&event.room))
}

/// Where something was said, and by whom.
pub fn speaker(event: &Event) -> String {
    format!("[r/{}]> (@{})", safe(&event.room), name(&event.name, event.session))
}

/// What a session calls itself; its id where it has no name.
pub fn name(name: &str, session: UserId) -> String {
    if name.is_empty() { session.to_string() } else { safe(name) }
}

/// Text with each unsafe character escaped, and the backslash, so that nothing can look like an escape.
pub fn safe(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unshowable(c) || c == '\\' {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_as_it_is_less_its_line_end() {
        assert_eq!(body("grüß dich\n".as_bytes()), "grüß dich");
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(body(b"a\x1b[2Jb\r\nc\x07"), "a\\u{1b}[2Jb\\r\\nc\\u{7}");
        assert_eq!(body("\u{202E}abc\u{9b}".as_bytes()), "\\u{202e}abc\\u{9b}");
        assert_eq!(body(b"not an escape: \\u{1b}"), "not an escape: \\\\u{1b}");
    }

    #[test]
    fn what_is_not_text_is_shown_by_size_and_first_bytes() {
        assert_eq!(body(&[0xFF, 0xD8, 0xFF]), "3 bytes, not text: ff d8 ff");
        assert!(body(&[0xFF; 17]).ends_with("ff ..."));
    }
}
