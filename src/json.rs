//! Events as JSON objects, for event logs, for scripts, and for clients that speak JSON.

use crate::escape::is_unshowable;
use crate::wire::{EventRef, EventType, UserId};
use base64::Engine;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use std::io::Write;

/// Bytes in base64, which is how JSON carries bodies that are not text.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// An object as one line of JSON that is safe to show on a terminal. Ordinary JSON leaves control characters above 0x1F
/// and characters that reorder text as they are. They can only occur in strings, so they are escaped here.
///
/// # Panics
///
/// If a map has keys that are not strings.
pub fn json_line(object: &impl Serialize) -> String {
    let mut line = Vec::new();
    put_json_line(object, &mut line);
    String::from_utf8(line).expect("JSON is text")
}

/// Appends the text of [`json_line`] to `out`.
///
/// # Panics
///
/// If a map has keys that are not strings.
pub fn put_json_line(object: &impl Serialize, out: &mut Vec<u8>) {
    let start = out.len();
    serde_json::to_writer(&mut *out, object).expect("all keys are strings");
    let is_plain = |&byte: &u8| byte < 0x7F;
    if out[start..].iter().all(is_plain) {
        return;
    }
    let text = str::from_utf8(&out[start..]).expect("JSON is text");
    if text.contains(is_unshowable) {
        let text = text.to_owned();
        out.truncate(start);
        put_showable(&text, out);
    }
}

/// Appends a text, with each character escaped that is unsafe to show.
fn put_showable(text: &str, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_unshowable(*c)) {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a vector does not fail");
        rest = &rest[at + c.len_utf8()..];
    }
    out.extend_from_slice(rest.as_bytes());
}

/// An event as a JSON object, to be serialized or passed to [`json_line`]. Keys that do not apply to an event are left
/// out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventJson<'a> {
    id: u64,
    chatroom_id: &'a str,
    r#type: &'static str,
    /// The session's name; left out if it has none.
    #[serde(skip_serializing_if = "str::is_empty")]
    user_id: &'a str,
    /// A decimal string, because many JSON parsers cannot represent numbers of 64 bits.
    #[serde(serialize_with = "as_text")]
    session_id: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    /// Used instead of `message` if the body is not text.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_base64")]
    message_base64: Option<&'a [u8]>,
    unix_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    unix_ms: Option<u64>,
    /// Present if the event was requested from the history; with the tag of that request.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replay: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<u16>,
}

fn as_text<S: Serializer>(id: &UserId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// Writes base64 piece by piece, so that it takes no memory of its own.
fn as_base64<S: Serializer>(bytes: &Option<&[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Base64Display::new(bytes.unwrap_or_default(), &STANDARD))
}

impl<'a> EventJson<'a> {
    /// An event with its time in seconds.
    pub fn new(event: &EventRef<'a>) -> EventJson<'a> {
        let is_message = event.what == EventType::Message;
        let text = str::from_utf8(event.body);
        EventJson {
            id: event.id,
            chatroom_id: event.room,
            r#type: event.what.name(),
            user_id: event.name,
            session_id: event.session,
            message: text.ok().filter(|_| is_message),
            message_base64: text.is_err().then_some(event.body),
            unix_time: event.unix_ms / 1000,
            unix_ms: None,
            replay: false,
            tag: None,
        }
    }

    /// An event with its time in seconds and in milliseconds.
    pub fn with_unix_ms(event: &EventRef<'a>) -> EventJson<'a> {
        EventJson { unix_ms: Some(event.unix_ms), ..EventJson::new(event) }
    }

    /// The same event, as the reply to a request for history with this tag.
    pub fn replayed(self, replay: bool, tag: Option<u16>) -> EventJson<'a> {
        EventJson { replay, tag: tag.filter(|_| replay), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(event: &EventRef<'_>) -> String {
        serde_json::to_string(&EventJson::new(event)).expect("all keys are strings")
    }

    const EVENT: EventRef<'_> = EventRef {
        what: EventType::Message,
        id: 18,
        unix_ms: 1_700_000_000_123,
        session: UserId(4_194_304),
        room: "lobby",
        name: "ann",
        body: b"hi",
    };

    #[test]
    fn a_message_has_these_keys() {
        let text = "{\"id\":18,\"chatroomId\":\"lobby\",\"type\":\"message\",\"userId\":\"ann\",\
                    \"sessionId\":\"4194304\",\
                    \"message\":\"hi\",\"unixTime\":1700000000}";
        assert_eq!(json(&EVENT), text);
        let text = serde_json::to_string(&EventJson::with_unix_ms(&EVENT)).expect("all keys are strings");
        assert!(text.ends_with(",\"unixTime\":1700000000,\"unixMs\":1700000000123}"), "{text}");
    }

    #[test]
    fn a_body_that_is_not_text_is_in_base64_and_an_empty_message_is_a_message() {
        assert!(json(&EventRef { body: &[0xFF, 0], ..EVENT }).contains("\"messageBase64\":\"/wA=\""));
        assert!(json(&EventRef { body: b"", ..EVENT }).contains("\"message\":\"\""));
    }

    #[test]
    fn keys_that_do_not_apply_to_an_event_are_left_out() {
        let text = json(&EventRef { what: EventType::Leave, name: "", body: b"", ..EVENT });
        assert!(!text.contains("userId") && !text.contains("message"), "{text}");
    }
}
