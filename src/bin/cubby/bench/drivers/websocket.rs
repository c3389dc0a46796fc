//! WebSocket, for Cubby and other servers of rooms: the hub's JSON in text messages, and its native frames in binary
//! ones.

use super::framing::{BINARY, CLOSE, PING, PONG, TEXT, WholeFrame, accept_key, encode_masked, first_frame};
use super::native::Native;
use crate::bench::load::{Driver, Incoming, Part, put_as_text};
use cubby::wire::Header;
use serde::Deserialize;
use std::borrow::Cow;

/// The key of every handshake. It need not be secret: no proxy stands between that could be misled.
const KEY: &str = "Y3ViYnkgYmVuY2htYXJrIQ==";

/// The mask of every frame. It need not be secret for the same reason.
const MASK: [u8; 4] = [0x5A, 0x3C, 0x96, 0x69];

/// The text before the body of an event.
const BEFORE_BODY: &[u8] = b",\"message\":\"";

/// The text behind the body. It occurs nowhere else before the end of the event.
const AFTER_BODY: &[u8] = b"\",\"";

/// The start of an event. No other message begins so.
const BEFORE_ID: &[u8] = b"{\"id\":";

/// The opening handshake, from the client's side.
#[derive(Debug)]
struct Handshake {
    path: String,
    is_done: bool,
}

impl Handshake {
    fn new(path: &str) -> Handshake {
        Handshake { path: path.to_owned(), is_done: false }
    }

    /// Appends the request for a connection of this subprotocol.
    fn request(&self, protocol: &str, out: &mut Vec<u8>) {
        let path = &self.path;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
        );
        out.extend_from_slice(request.as_bytes());
    }

    /// Takes the answer, and returns its length once it is complete.
    fn take(&mut self, input: &[u8]) -> Result<Option<usize>, String> {
        let end = b"\r\n\r\n";
        let Some(at) = input.windows(end.len()).position(|bytes| bytes == end) else { return Ok(None) };
        let head = String::from_utf8_lossy(&input[..at]);
        if !head.starts_with("HTTP/1.1 101 ") || !head.contains(&accept_key(KEY)) {
            return Err(format!("the handshake failed: {:?}", head.lines().next().unwrap_or_default()));
        }
        self.is_done = true;
        Ok(Some(at + end.len()))
    }
}

/// The fields that matter in messages other than events.
#[derive(Deserialize)]
struct Other<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow, default, rename = "userId")]
    user_id: Cow<'a, str>,
    #[serde(borrow, default)]
    error: Cow<'a, str>,
}

/// A connection that speaks JSON. Each group is a room.
#[derive(Debug)]
pub struct WebJson {
    handshake: Handshake,
    /// The room that it joins after the welcome.
    joins: Option<String>,
    /// A publish request up to its body.
    publish: Vec<u8>,
    user: u64,
    /// Where the body of the last message was. The next one's is mostly at the same place.
    body_at: usize,
    body_len: usize,
    /// Room for a message that is being composed.
    scratch: Vec<u8>,
}

impl WebJson {
    /// A connection to this path.
    pub fn new(path: &str) -> WebJson {
        WebJson {
            handshake: Handshake::new(path),
            joins: None,
            publish: Vec::new(),
            user: 0,
            body_at: 0,
            body_len: 0,
            scratch: Vec::new(),
        }
    }

    /// The body of an event, if that is a message.
    #[inline]
    fn body<'a>(&mut self, event: &'a [u8]) -> Option<&'a [u8]> {
        let is_at = |at: usize| event.get(at..).is_some_and(|rest| rest.starts_with(BEFORE_BODY));
        if !is_at(self.body_at) {
            self.body_at = (0..event.len()).find(|at| is_at(*at))?;
        }
        let text = &event[self.body_at + BEFORE_BODY.len()..];
        if !text.get(self.body_len..).is_some_and(|rest| rest.starts_with(AFTER_BODY)) {
            self.body_len = text.iter().position(|byte| *byte == b'"')?;
        }
        Some(&text[..self.body_len])
    }

    fn answer(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<Incoming<'static>, String> {
        let said: Other<'_> =
            serde_json::from_slice(text).map_err(|error| format!("this is no message of the hub's: {error}"))?;
        Ok(match &said.r#type[..] {
            "welcome" => {
                self.user = said.user_id.parse().unwrap_or_default();
                match self.joins.take() {
                    Some(room) => {
                        self.put(format!("{{\"type\":\"join\",\"room\":\"{room}\"}}").as_bytes(), out);
                        Incoming::Other
                    }
                    None => Incoming::Ready(self.user),
                }
            }
            "joined" => Incoming::Ready(self.user),
            "error" | "closing" => Incoming::Refused(said.error.into_owned()),
            _ => Incoming::Other,
        })
    }

    fn put(&self, text: &[u8], out: &mut Vec<u8>) {
        encode_masked(TEXT, text, MASK, out);
    }
}

impl Driver for WebJson {
    fn open(&mut self, part: Part, out: &mut Vec<u8>) {
        let room = format!("bench-{}", part.group());
        self.publish = format!("{{\"type\":\"publish\",\"room\":\"{room}\",\"body\":\"").into_bytes();
        self.joins = matches!(part, Part::Subscriber(_)).then_some(room);
        self.handshake.request("cubby.json.v1", out);
    }

    fn publish(&mut self, body: &[u8], out: &mut Vec<u8>) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.extend_from_slice(&self.publish);
        put_as_text(body, &mut scratch);
        scratch.extend_from_slice(b"\"}");
        self.put(&scratch, out);
        self.scratch = scratch;
    }

    fn leave(&mut self, out: &mut Vec<u8>) {
        self.put(b"{\"type\":\"bye\"}", out);
    }

    #[inline]
    fn next<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Result<Option<(usize, Incoming<'a>)>, String> {
        if !self.handshake.is_done {
            let Some(len) = self.handshake.take(input)? else { return Ok(None) };
            self.put(b"{\"type\":\"hello\"}", out);
            return Ok(Some((len, Incoming::Other)));
        }
        let Some(WholeFrame { opcode, payload, len }) = first_frame(input)? else { return Ok(None) };
        let heard = match opcode {
            TEXT if payload.starts_with(BEFORE_ID) => self.body(payload).map_or(Incoming::Other, Incoming::Text),
            TEXT => self.answer(payload, out)?,
            opcode => control(opcode, payload, out)?,
        };
        Ok(Some((len, heard)))
    }
}

/// Handles a control frame.
fn control(opcode: u8, payload: &[u8], out: &mut Vec<u8>) -> Result<Incoming<'static>, String> {
    match opcode {
        PING => {
            encode_masked(PONG, payload, MASK, out);
            Ok(Incoming::Other)
        }
        CLOSE => Err(format!(
            "the hub closes the connection: {}",
            String::from_utf8_lossy(payload.get(2..).unwrap_or_default())
        )),
        other => Err(format!("unexpected frame of opcode {other}")),
    }
}

/// A connection that speaks the native protocol in binary messages. Each group is a room.
#[derive(Debug)]
pub struct WebBinary {
    handshake: Handshake,
    inner: Native,
    /// Frames that are not yet wrapped into messages: during the handshake, those that follow it.
    frames: Vec<u8>,
}

impl WebBinary {
    /// A connection to this path.
    pub fn new(path: &str) -> WebBinary {
        WebBinary { handshake: Handshake::new(path), inner: Native::rooms(), frames: Vec::new() }
    }

    /// Wraps the frames into messages, one each.
    fn wrap(&mut self, out: &mut Vec<u8>) {
        let mut rest = &self.frames[..];
        while let Some(header) = Header::decode(rest) {
            let (frame, behind) = rest.split_at(header.frame_len());
            encode_masked(BINARY, frame, MASK, out);
            rest = behind;
        }
        self.frames.clear();
    }
}

impl Driver for WebBinary {
    fn open(&mut self, part: Part, out: &mut Vec<u8>) {
        self.inner.open(part, &mut self.frames);
        self.handshake.request("cubby.v1", out);
    }

    fn publish(&mut self, body: &[u8], out: &mut Vec<u8>) {
        self.inner.publish(body, &mut self.frames);
        self.wrap(out);
    }

    fn leave(&mut self, out: &mut Vec<u8>) {
        self.inner.leave(&mut self.frames);
        self.wrap(out);
    }

    #[inline]
    fn next<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Result<Option<(usize, Incoming<'a>)>, String> {
        if !self.handshake.is_done {
            let Some(len) = self.handshake.take(input)? else { return Ok(None) };
            self.wrap(out);
            return Ok(Some((len, Incoming::Other)));
        }
        let Some(WholeFrame { opcode, payload, len }) = first_frame(input)? else { return Ok(None) };
        if opcode != BINARY {
            return Ok(Some((len, control(opcode, payload, out)?)));
        }
        let heard = match self.inner.next(payload, &mut self.frames)? {
            // Nothing is consumed yet: first comes the report that others were missed.
            Some((0, heard)) => return Ok(Some((0, heard))),
            Some((_, heard)) => heard,
            None => return Err("a message that is not one complete frame".to_owned()),
        };
        self.wrap(out);
        Ok(Some((len, heard)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::drivers::framing::{Message, MessageReader, Side, encode, encode_close};

    const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                            Sec-WebSocket-Accept: ";

    /// A driver after the handshake, and what it says then.
    fn shaken<D: Driver>(new: impl Fn(&str) -> D, part: Part) -> (D, Vec<u8>) {
        let (mut driver, mut out) = (new("/ws"), Vec::new());
        driver.open(part, &mut out);
        assert!(out.starts_with(b"GET /ws HTTP/1.1\r\n") && out.ends_with(b"\r\n\r\n"));
        let (answer, mut said) = (format!("{SWITCHED}{}\r\n\r\n", accept_key(KEY)), Vec::new());
        assert_eq!(driver.next(&answer.as_bytes()[..40], &mut said), Ok(None));
        assert_eq!(driver.next(answer.as_bytes(), &mut said), Ok(Some((answer.len(), Incoming::Other))));
        (driver, said)
    }

    /// Masked messages as a server decodes them.
    fn unmasked(mut said: Vec<u8>) -> Vec<String> {
        let (mut messages, mut input, mut all) = (MessageReader::new(Side::Client), &mut said[..], Vec::new());
        while let Some(message) = messages.next(&mut input, 1000).expect("it breaks no rule") {
            all.push(match message {
                Message::Text(text) => text.into_owned(),
                other => format!("{other:?}"),
            });
        }
        all
    }

    fn text(text: &str) -> Vec<u8> {
        let mut message = Vec::new();
        encode(TEXT, text.as_bytes(), &mut message);
        message
    }

    /// Whether a message of a server makes the connection ready, and what is answered.
    fn told(driver: &mut WebJson, said: &str) -> (Result<bool, String>, Vec<String>) {
        let (message, mut out) = (text(said), Vec::new());
        assert_eq!(driver.next(&message[..message.len() - 1], &mut out), Ok(None), "it is not whole");
        let (len, heard) = driver.next(&message, &mut out).expect("it is understood").expect("it is whole");
        assert_eq!(len, message.len());
        let is_in = match heard {
            Incoming::Ready(id) => Ok(id == 9),
            Incoming::Refused(why) => Err(why),
            _ => Ok(false),
        };
        (is_in, unmasked(out))
    }

    const WELCOME: &str = r#"{"type":"welcome","userId":"9","name":""}"#;

    #[test]
    fn a_subscriber_joins_the_room_and_a_publisher_does_not() {
        let (mut subscriber, said) = shaken(WebJson::new, Part::Subscriber(3));
        assert_eq!(unmasked(said), [r#"{"type":"hello"}"#]);
        let join = r#"{"type":"join","room":"bench-3"}"#.to_owned();
        assert_eq!(told(&mut subscriber, WELCOME), (Ok(false), vec![join]));
        let joined = r#"{"type":"joined","room":"bench-3","sessions":2,"newest":1}"#;
        assert_eq!(told(&mut subscriber, joined), (Ok(true), vec![]));
        let (mut publisher, _) = shaken(WebJson::new, Part::Publisher(3));
        assert_eq!(told(&mut publisher, WELCOME), (Ok(true), vec![]));
        let refusal = r#"{"type":"error","code":8,"error":"limit reached","fatal":false}"#;
        assert_eq!(told(&mut publisher, refusal).0, Err("limit reached".to_owned()));
    }

    #[test]
    fn a_body_is_text_of_the_same_length_with_the_stamp_in_letters() {
        let (mut json, _) = shaken(WebJson::new, Part::Publisher(3));
        let mut out = Vec::new();
        json.publish(&[0x21; 34], &mut out);
        let body = "BC".repeat(16) + "..";
        assert_eq!(unmasked(out), [format!(r#"{{"type":"publish","room":"bench-3","body":"{body}"}}"#)]);
    }

    #[test]
    fn the_body_of_an_event_is_found_at_any_place() {
        let mut json =
            WebJson { handshake: Handshake { is_done: true, ..Handshake::new("/ws") }, ..WebJson::new("/ws") };
        for (id, body) in [(9, "ab"), (10, "ab"), (11, ""), (12, "abc")] {
            let before = format!(r#"{{"id":{id},"chatroomId":"bench-3","type":"message","sessionId":"7""#);
            let message = text(&format!(r#"{before},"message":"{body}","unixTime":1}}"#));
            let heard = json.next(&message, &mut Vec::new());
            assert_eq!(heard, Ok(Some((message.len(), Incoming::Text(body.as_bytes())))));
        }
        let join = text(r#"{"id":13,"chatroomId":"bench-3","type":"join","sessionId":"7","unixTime":1}"#);
        assert_eq!(json.next(&join, &mut Vec::new()), Ok(Some((join.len(), Incoming::Other))));
    }

    #[test]
    fn a_ping_is_answered_and_a_close_is_an_error() {
        let (mut json, mut message, mut out) = (shaken(WebJson::new, Part::Publisher(0)).0, Vec::new(), Vec::new());
        encode(PING, b"there?", &mut message);
        assert_eq!(json.next(&message, &mut out), Ok(Some((message.len(), Incoming::Other))));
        assert_eq!(unmasked(out), ["Pong"]);
        message.clear();
        encode_close(1001, "going away", &mut message);
        assert_eq!(json.next(&message, &mut Vec::new()), Err("the hub closes the connection: going away".to_owned()));
    }

    #[test]
    fn each_frame_is_a_message_of_its_own_in_binary() {
        let (mut binary, said) = shaken(WebBinary::new, Part::Subscriber(3));
        let said = unmasked(said);
        assert!(said.len() == 2 && said.iter().all(|message| message.starts_with("Binary(")), "{said:?}");
        let mut message = Vec::new();
        let joined = b"\x87\0\0\0\0\0\0\x14\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x05";
        encode(BINARY, joined, &mut message);
        assert_eq!(binary.next(&message, &mut Vec::new()), Ok(Some((message.len(), Incoming::Ready(0)))));
    }

    #[test]
    fn a_failed_handshake_is_an_error() {
        let mut json = WebJson::new("/ws");
        for answer in ["HTTP/1.1 404 Not Found\r\n\r\n", &format!("{SWITCHED}bm8=\r\n\r\n")] {
            let why = json.next(answer.as_bytes(), &mut Vec::new()).expect_err("it is refused");
            assert!(why.starts_with("the handshake failed: \"HTTP/1.1 "), "{why}");
        }
    }
}
