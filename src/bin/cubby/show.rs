//! Prints lines, and makes them of what came from the network. Everything from the network is escaped.

use crate::common;
use crate::failure::Failure;
use cubby::{Event, EventType, UserId, is_unshowable};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{self, Write};

/// How many bytes of a body that is not text are shown.
const SHOWN: usize = 16;

/// Prints a line. What it contains from the network must be escaped.
pub fn line(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::NoReader,
        _ => Failure::Other(format!("cannot write to standard output: {error}")),
    })
}

/// Prints a JSON object as one line.
pub fn json(object: &impl Serialize) -> Result<(), Failure> {
    line(&cubby::json_line(object))
}

/// Writes a line to standard error.
pub fn complain(text: &str) {
    common::complain("cubby", text);
}

/// A body as one line. Of a text, this leaves out the line end that most senders append. Of other bytes, it shows how
/// many there are, and the first of them.
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

/// An event as one line.
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

/// The room and the sender of a message.
pub fn speaker(event: &Event) -> String {
    format!("[r/{}]> (@{})", safe(&event.room), name(&event.name, event.session))
}

/// A session's name, or its id if it has none.
pub fn name(name: &str, session: UserId) -> String {
    if name.is_empty() { session.to_string() } else { safe(name) }
}

/// Escapes each character that is not safe to show. Backslashes are escaped too, so that no text can look like an
/// escape.
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
    fn text_is_shown_without_its_last_line_end() {
        assert_eq!(body("grüß dich\n".as_bytes()), "grüß dich");
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(body(b"a\x1b[2Jb\r\nc\x07"), "a\\u{1b}[2Jb\\r\\nc\\u{7}");
        assert_eq!(body("\u{202E}abc\u{9b}".as_bytes()), "\\u{202e}abc\\u{9b}");
        assert_eq!(body(b"not an escape: \\u{1b}"), "not an escape: \\\\u{1b}");
    }

    #[test]
    fn a_body_that_is_not_text_is_shown_as_its_size_and_first_bytes() {
        assert_eq!(body(&[0xFF, 0xD8, 0xFF]), "3 bytes, not text: ff d8 ff");
        assert!(body(&[0xFF; 17]).ends_with("ff ..."));
    }
}
