//! Events as JSON, one object each: what an event log holds, and what people's scripts read.

use crate::escape::is_unshowable;
use crate::wire::{EventRef, EventType, UserId};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use std::fmt::Write;

/// Bytes in base64, as JSON carries what is not text.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// An object on a line. JSON itself escapes no control characters above 0x1F, nor those that reorder a line; but it
/// may, within strings, and nowhere else does such a character stand.
///
/// # Panics
///
/// Where a map has keys that are no strings.
pub fn json_line(object: &impl Serialize) -> String {
    let text = serde_json::to_string(object).expect("the keys of what we write are strings");
    let is_plain = |&byte: &u8| byte < 0x7F;
    if text.as_bytes().iter().all(is_plain) || !text.contains(is_unshowable) {
        return text;
    }
    let mut escaped = String::with_capacity(2 * text.len());
    for c in text.chars() {
        if is_unshowable(c) {
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// An event as JSON has it. What does not concern it is left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventJson<'a> {
    id: u64,
    chatroom_id: &'a str,
    r#type: &'static str,
    /// The name; absent for the unnamed.
    #[serde(skip_serializing_if = "str::is_empty")]
    user_id: &'a str,
    /// A decimal string: an id does not fit the numbers that many readers of JSON have.
    #[serde(serialize_with = "as_text")]
    session_id: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    /// In place of `message` where the body is not text.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_base64: Option<String>,
    unix_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    unix_ms: Option<u64>,
    /// Only where it was asked for again; and the tag of who asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replay: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<u16>,
}

fn as_text<S: Serializer>(id: &UserId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

impl<'a> EventJson<'a> {
    /// With the time in whole seconds.
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
            message_base64: text.is_err().then(|| base64(event.body)),
            unix_time: event.unix_ms / 1000,
            unix_ms: None,
            replay: false,
            tag: None,
        }
    }

    /// With the time in milliseconds too.
    pub fn with_unix_ms(event: &EventRef<'a>) -> EventJson<'a> {
        EventJson { unix_ms: Some(event.unix_ms), ..EventJson::new(event) }
    }

    /// The same, where it was asked for: by a request with this tag, if it had one.
    #[cfg(feature = "ws")]
    pub fn replayed(self, replay: bool, tag: Option<u16>) -> EventJson<'a> {
        EventJson { replay, tag: tag.filter(|_| replay), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(event: &EventRef<'_>) -> String {
        serde_json::to_string(&EventJson::new(event)).expect("it has no strange keys")
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
    fn a_message_is_these_keys() {
        let text = "{\"id\":18,\"chatroomId\":\"lobby\",\"type\":\"message\",\"userId\":\"ann\",\
                    \"sessionId\":\"4194304\",\
                    \"message\":\"hi\",\"unixTime\":1700000000}";
        assert_eq!(json(&EVENT), text);
        let text = serde_json::to_string(&EventJson::with_unix_ms(&EVENT)).expect("it has no strange keys");
        assert!(text.ends_with(",\"unixTime\":1700000000,\"unixMs\":1700000000123}"), "{text}");
    }

    #[test]
    fn what_is_not_text_is_in_base64_and_an_empty_message_is_a_message() {
        assert!(json(&EventRef { body: &[0xFF, 0], ..EVENT }).contains("\"messageBase64\":\"/wA=\""));
        assert!(json(&EventRef { body: b"", ..EVENT }).contains("\"message\":\"\""));
    }

    #[test]
    fn what_does_not_concern_an_event_is_left_out() {
        let text = json(&EventRef { what: EventType::Leave, name: "", body: b"", ..EVENT });
        assert!(!text.contains("userId") && !text.contains("message"), "{text}");
    }
}
