//! WebSocket: the hub's JSON, which any server of rooms may speak that takes these few messages, and its own frames in
//! binary messages.

use super::dialect::{Dialect, Heard, Part, put_as_text};
use super::native::Native;
use crate::web::messages::{self, BINARY, CLOSE, PING, TEXT, Whole};
use crate::web::upgrade::accept;
use crate::wire::Header;
use serde::Deserialize;
use std::borrow::Cow;

/// Where the hub takes those who come by the door.
const PATH: &str = "/ws";

/// What a handshake proves itself by. Nobody stands between that would have to be kept from guessing it.
const KEY: &str = "Y3ViYnkgYmVuY2htYXJrIQ==";

/// What all that is sent is masked with, for the same reason.
const MASK: [u8; 4] = [0x5A, 0x3C, 0x96, 0x69];

/// What stands before the body of an event.
const BEFORE_BODY: &[u8] = b",\"message\":\"";

/// What stands behind it, and nowhere between it and the end of the event.
const AFTER_BODY: &[u8] = b"\",\"";

/// What an event begins with, and nothing else does.
const BEFORE_ID: &[u8] = b"{\"id\":";

/// The opening handshake, from the client's side.
#[derive(Debug, Default)]
struct Handshake {
    is_done: bool,
}

impl Handshake {
    fn ask(protocol: &str, out: &mut Vec<u8>) {
        let request = format!(
            "GET {PATH} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
        );
        out.extend_from_slice(request.as_bytes());
    }

    /// Takes the answer: how long it is, once it is whole.
    fn take(&mut self, input: &[u8]) -> Result<Option<usize>, String> {
        let end = b"\r\n\r\n";
        let Some(at) = input.windows(end.len()).position(|bytes| bytes == end) else { return Ok(None) };
        let head = String::from_utf8_lossy(&input[..at]);
        if !head.starts_with("HTTP/1.1 101 ") || !head.contains(&accept(KEY)) {
            return Err(format!("no handshake: {:?}", head.lines().next().unwrap_or_default()));
        }
        self.is_done = true;
        Ok(Some(at + end.len()))
    }
}

/// What is looked for in messages that are no events.
#[derive(Deserialize)]
struct Other<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow, default, rename = "userId")]
    user_id: Cow<'a, str>,
    #[serde(borrow, default)]
    error: Cow<'a, str>,
}

/// One connection that speaks JSON. Each group is a room.
#[derive(Debug, Default)]
pub struct WebJson {
    handshake: Handshake,
    /// The room that it is to come into, once it is known.
    joins: Option<String>,
    /// A request to publish, less the body and what follows.
    publish: Vec<u8>,
    user: u64,
    /// Where the body of the last message stood, which the next one's mostly does as well.
    body_at: usize,
    body_len: usize,
    /// A message that is being put together.
    scratch: Vec<u8>,
}

impl WebJson {
    /// The body of an event, where it is a message.
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

    fn answer(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<Heard<'static>, String> {
        let said: Other<'_> = serde_json::from_slice(text).map_err(|error| format!("no message to come: {error}"))?;
        Ok(match &said.r#type[..] {
            "welcome" => {
                self.user = said.user_id.parse().unwrap_or_default();
                match self.joins.take() {
                    Some(room) => {
                        self.put(format!("{{\"type\":\"join\",\"room\":\"{room}\"}}").as_bytes(), out);
                        Heard::Other
                    }
                    None => Heard::Ready(self.user),
                }
            }
            "joined" => Heard::Ready(self.user),
            "error" | "closing" => Heard::Refused(said.error.into_owned()),
            _ => Heard::Other,
        })
    }

    fn put(&self, text: &[u8], out: &mut Vec<u8>) {
        messages::put_masked(TEXT, text, MASK, out);
    }
}

impl Dialect for WebJson {
    fn greet(&mut self, part: Part, out: &mut Vec<u8>) {
        let (Part::Publisher(group) | Part::Subscriber(group)) = part;
        let room = format!("bench-{group}");
        self.publish = format!("{{\"type\":\"publish\",\"room\":\"{room}\",\"body\":\"").into_bytes();
        self.joins = matches!(part, Part::Subscriber(_)).then_some(room);
        Handshake::ask("cubby.json.v1", out);
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
    fn next<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Result<Option<(usize, Heard<'a>)>, String> {
        if !self.handshake.is_done {
            let Some(len) = self.handshake.take(input)? else { return Ok(None) };
            self.put(b"{\"type\":\"hello\"}", out);
            return Ok(Some((len, Heard::Other)));
        }
        let Some(Whole { opcode, payload, len }) = first(input)? else { return Ok(None) };
        let heard = match opcode {
            TEXT if payload.starts_with(BEFORE_ID) => self.body(payload).map_or(Heard::Other, Heard::Text),
            TEXT => self.answer(payload, out)?,
            opcode => control(opcode, payload, out)?,
        };
        Ok(Some((len, heard)))
    }
}

/// The first frame of what a server says.
#[inline]
fn first(input: &[u8]) -> Result<Option<Whole<'_>>, String> {
    messages::first(input).map_err(|violation| violation.text().to_owned())
}

/// What a frame says that is of no kind of message to come.
fn control(opcode: u8, payload: &[u8], out: &mut Vec<u8>) -> Result<Heard<'static>, String> {
    match opcode {
        PING => {
            messages::put_masked(messages::PONG, payload, MASK, out);
            Ok(Heard::Other)
        }
        CLOSE => Err(format!("the server closes: {}", String::from_utf8_lossy(payload.get(2..).unwrap_or_default()))),
        other => Err(format!("a frame of opcode {other}")),
    }
}

/// One connection that speaks the native protocol in binary messages. Each group is a room.
#[derive(Debug)]
pub struct WebBinary {
    handshake: Handshake,
    inner: Native,
    /// What is to be said once the handshake is over; then, frames that are being put into messages.
    frames: Vec<u8>,
}

impl Default for WebBinary {
    fn default() -> WebBinary {
        WebBinary { handshake: Handshake::default(), inner: Native::rooms(), frames: Vec::new() }
    }
}

impl WebBinary {
    /// Puts the frames that wait into messages.
    fn wrap(&mut self, out: &mut Vec<u8>) {
        let mut rest = &self.frames[..];
        while let Some(header) = Header::decode(rest) {
            let (frame, behind) = rest.split_at(header.frame_len());
            messages::put_masked(BINARY, frame, MASK, out);
            rest = behind;
        }
        self.frames.clear();
    }
}

impl Dialect for WebBinary {
    fn greet(&mut self, part: Part, out: &mut Vec<u8>) {
        self.inner.greet(part, &mut self.frames);
        Handshake::ask("cubby.v1", out);
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
    fn next<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Result<Option<(usize, Heard<'a>)>, String> {
        if !self.handshake.is_done {
            let Some(len) = self.handshake.take(input)? else { return Ok(None) };
            self.wrap(out);
            return Ok(Some((len, Heard::Other)));
        }
        let Some(Whole { opcode, payload, len }) = first(input)? else { return Ok(None) };
        if opcode != BINARY {
            return Ok(Some((len, control(opcode, payload, out)?)));
        }
        let heard = match self.inner.next(payload, &mut self.frames)? {
            // Nothing is taken yet: others were missed before it.
            Some((0, heard)) => return Ok(Some((0, heard))),
            Some((_, heard)) => heard,
            None => return Err("a message that is no whole frame".to_owned()),
        };
        self.wrap(out);
        Ok(Some((len, heard)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::messages::{Message, Messages, Other};

    const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                            Sec-WebSocket-Accept: ";

    /// One that is there for this, after the handshake; and what it says then.
    fn shaken<D: Dialect + Default>(part: Part) -> (D, Vec<u8>) {
        let (mut dialect, mut out) = (D::default(), Vec::new());
        dialect.greet(part, &mut out);
        assert!(out.starts_with(b"GET /ws HTTP/1.1\r\n") && out.ends_with(b"\r\n\r\n"));
        let (answer, mut said) = (format!("{SWITCHED}{}\r\n\r\n", accept(KEY)), Vec::new());
        assert_eq!(dialect.next(&answer.as_bytes()[..40], &mut said), Ok(None));
        assert_eq!(dialect.next(answer.as_bytes(), &mut said), Ok(Some((answer.len(), Heard::Other))));
        (dialect, said)
    }

    /// What a server makes of masked messages.
    fn unmasked(mut said: Vec<u8>) -> Vec<String> {
        let (mut messages, mut input, mut all) = (Messages::new(Other::Client), &mut said[..], Vec::new());
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
        messages::put(TEXT, text.as_bytes(), &mut message);
        message
    }

    /// What one message of a server says, and what is answered.
    fn told(dialect: &mut WebJson, said: &str) -> (Result<bool, String>, Vec<String>) {
        let (message, mut out) = (text(said), Vec::new());
        assert_eq!(dialect.next(&message[..message.len() - 1], &mut out), Ok(None), "it is not whole");
        let (len, heard) = dialect.next(&message, &mut out).expect("it is understood").expect("it is whole");
        assert_eq!(len, message.len());
        let is_in = match heard {
            Heard::Ready(id) => Ok(id == 9),
            Heard::Refused(why) => Err(why),
            _ => Ok(false),
        };
        (is_in, unmasked(out))
    }

    const WELCOME: &str = r#"{"type":"welcome","userId":"9","name":""}"#;

    #[test]
    fn who_hears_comes_into_the_room_and_who_speaks_does_not() {
        let (mut subscriber, said) = shaken::<WebJson>(Part::Subscriber(3));
        assert_eq!(unmasked(said), [r#"{"type":"hello"}"#]);
        let join = r#"{"type":"join","room":"bench-3"}"#.to_owned();
        assert_eq!(told(&mut subscriber, WELCOME), (Ok(false), vec![join]));
        let joined = r#"{"type":"joined","room":"bench-3","sessions":2,"newest":1}"#;
        assert_eq!(told(&mut subscriber, joined), (Ok(true), vec![]));
        let (mut publisher, _) = shaken::<WebJson>(Part::Publisher(3));
        assert_eq!(told(&mut publisher, WELCOME), (Ok(true), vec![]));
        let refusal = r#"{"type":"error","code":8,"error":"limit reached","fatal":false}"#;
        assert_eq!(told(&mut publisher, refusal).0, Err("limit reached".to_owned()));
    }

    #[test]
    fn a_body_is_text_of_the_same_length_with_the_stamp_in_letters() {
        let (mut json, _) = shaken::<WebJson>(Part::Publisher(3));
        let mut out = Vec::new();
        json.publish(&[0x21; 34], &mut out);
        let body = "BC".repeat(16) + "..";
        assert_eq!(unmasked(out), [format!(r#"{{"type":"publish","room":"bench-3","body":"{body}"}}"#)]);
    }

    #[test]
    fn the_body_of_an_event_is_found_wherever_it_stands() {
        let mut json = WebJson { handshake: Handshake { is_done: true }, ..WebJson::default() };
        for (id, body) in [(9, "ab"), (10, "ab"), (11, ""), (12, "abc")] {
            let before = format!(r#"{{"id":{id},"chatroomId":"bench-3","type":"message","sessionId":"7""#);
            let message = text(&format!(r#"{before},"message":"{body}","unixTime":1}}"#));
            let heard = json.next(&message, &mut Vec::new());
            assert_eq!(heard, Ok(Some((message.len(), Heard::Text(body.as_bytes())))));
        }
        let join = text(r#"{"id":13,"chatroomId":"bench-3","type":"join","sessionId":"7","unixTime":1}"#);
        assert_eq!(json.next(&join, &mut Vec::new()), Ok(Some((join.len(), Heard::Other))));
    }

    #[test]
    fn a_ping_is_answered_and_a_close_is_the_end() {
        let (mut json, mut message, mut out) = (shaken::<WebJson>(Part::Publisher(0)).0, Vec::new(), Vec::new());
        messages::put(PING, b"there?", &mut message);
        assert_eq!(json.next(&message, &mut out), Ok(Some((message.len(), Heard::Other))));
        assert_eq!(unmasked(out), ["Pong"]);
        message.clear();
        messages::put_close(1001, "going away", &mut message);
        assert_eq!(json.next(&message, &mut Vec::new()), Err("the server closes: going away".to_owned()));
    }

    #[test]
    fn each_frame_is_a_message_of_its_own_in_binary() {
        let (mut binary, said) = shaken::<WebBinary>(Part::Subscriber(3));
        let said = unmasked(said);
        assert!(said.len() == 2 && said.iter().all(|message| message.starts_with("Binary(")), "{said:?}");
        let mut message = Vec::new();
        let joined = b"\x87\0\0\0\0\0\0\x0c\0\0\0\x01\0\0\0\0\0\0\0\x01";
        messages::put(BINARY, joined, &mut message);
        assert_eq!(binary.next(&message, &mut Vec::new()), Ok(Some((message.len(), Heard::Ready(0)))));
    }

    #[test]
    fn what_is_no_switch_of_protocols_is_refused() {
        let mut json = WebJson::default();
        for answer in ["HTTP/1.1 404 Not Found\r\n\r\n", &format!("{SWITCHED}bm8=\r\n\r\n")] {
            let why = json.next(answer.as_bytes(), &mut Vec::new()).expect_err("it is refused");
            assert!(why.starts_with("no handshake: \"HTTP/1.1 "), "{why}");
        }
    }
}
