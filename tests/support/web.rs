//! Shared by the tests of HTTP and WebSocket: a client for each, in literal bytes.

use super::*;
use cubby::wire::websocket;
use serde_json::Value;
use std::io::Read;

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const WS_PING: u8 = 9;
pub const WS_PONG: u8 = 10;

/// The mask of all messages sent; any value works.
pub const MASK: [u8; 4] = [0x5A, 0x01, 0xC3, 0xFF];

/// A daemon with these arguments, a native listener and then an HTTP listener.
pub fn web_daemon(arguments: &[&str]) -> Daemon {
    Daemon::with(&[&["--listen", "127.0.0.1:0", "--ws", "127.0.0.1:0"], arguments].concat())
}

/// A daemon's HTTP address.
pub fn host(daemon: &Daemon) -> &str {
    daemon.addresses[1].strip_prefix("http://").expect("the second address is for HTTP")
}

/// An HTTP response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// The header lines, each with its line end.
    pub headers: String,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .lines()
            .find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name))?.1.into())
    }

    pub fn json(&self) -> Value {
        assert_eq!(self.header("Content-Type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).expect("one JSON object")
    }

    /// The status of a refusal. Its body says the same, and why.
    pub fn refusal(&self) -> u16 {
        let body = self.json();
        assert_eq!(body["status"], self.status, "{body}");
        assert!(body["error"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
        self.status
    }

    pub fn closes(&self) -> bool {
        self.header("Connection") == Some("close")
    }
}

/// A client that speaks HTTP.
pub struct Web(pub Raw);

impl Web {
    pub fn connect(daemon: &Daemon) -> Web {
        Web(Raw::connect(host(daemon)))
    }

    /// The next response to anything but a HEAD.
    pub fn response(&mut self) -> Response {
        let mut response = self.head();
        let len = response.header("Content-Length").map_or(0, |len| len.parse().expect("a number"));
        response.body = self.bytes(len);
        response
    }

    /// The next response, without its body.
    pub fn head(&mut self) -> Response {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.bytes(1)[0]);
        }
        let (first, headers) = text(&head).split_once("\r\n").expect("it ended so");
        let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).expect("a status line");
        assert!(first.len() > "HTTP/1.1 200 ".len(), "a reason stands behind the status: {first}");
        Response { status: status.parse().expect("a number"), headers: headers.to_owned(), body: Vec::new() }
    }

    /// Exactly this many bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.0.read_exact(&mut bytes).expect("all bytes come");
        bytes
    }

    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Response {
        self.0.send(request.as_ref());
        self.response()
    }

    pub fn get(&mut self, target: &str) -> Response {
        self.ask(format!("GET {target} HTTP/1.1\r\nHost: hub\r\n\r\n"))
    }

    pub fn post(&mut self, target: &str, body: impl AsRef<[u8]>) -> Response {
        self.ask(post(target, body.as_ref()))
    }

    pub fn expect_end(&mut self) {
        self.0.expect_end();
    }
}

/// The bytes of a POST.
pub fn post(target: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST {target} HTTP/1.1\r\nHost: hub\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// The bytes of a handshake, with these additional headers.
pub fn handshake(headers: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
}

/// The header that asks for native frames in binary messages.
pub const ASKS_BINARY: &str = "Sec-WebSocket-Protocol: cubby.v1\r\n";

/// A message in one frame, as a client sends it.
pub fn message(opcode: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    websocket::encode_masked(opcode, payload.as_ref(), MASK, &mut bytes);
    bytes
}

/// One frame of a message in several: its first byte is `first`.
pub fn piece(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let mut bytes = message(BINARY, payload);
    bytes[0] = first;
    bytes
}

/// A client that speaks WebSocket.
pub struct Ws(pub Raw);

impl Ws {
    /// One that speaks JSON.
    pub fn json(daemon: &Daemon) -> Ws {
        Ws::with(daemon, "")
    }

    /// One that speaks native frames.
    pub fn binary(daemon: &Daemon) -> Ws {
        Ws::with(daemon, ASKS_BINARY)
    }

    pub fn with(daemon: &Daemon, headers: &str) -> Ws {
        let mut web = Web::connect(daemon);
        web.0.send(handshake(headers).as_bytes());
        assert_eq!(web.head().status, 101);
        Ws(web.0)
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.send(bytes.as_ref());
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.0.read_exact(&mut bytes).expect("all bytes come");
        bytes
    }

    /// The hub's next frame, which must be a whole message, unmasked, with the shortest form of the length.
    pub fn message(&mut self) -> (u8, Vec<u8>) {
        let start = self.bytes(2);
        assert_eq!(start[0] & 0xF0, 0x80, "a whole message, and no reserved bit");
        let len = match start[1] {
            126 => u16::from_be_bytes(self.bytes(2).try_into().expect("two")).into(),
            127 => u64::from_be_bytes(self.bytes(8).try_into().expect("eight")),
            short => {
                assert!(short < 126, "a server does not mask");
                short.into()
            }
        };
        assert!(start[1] != 126 || len > 125, "not longer than it need be");
        assert!(start[1] != 127 || len > 65_535, "not longer than it need be");
        let payload = self.bytes(len as usize);
        (start[0] & 0x0F, payload)
    }

    /// Sends a request in JSON, without waiting.
    pub fn say(&mut self, json: impl AsRef<str>) {
        self.send(message(TEXT, json.as_ref()));
    }

    /// The next text.
    pub fn text(&mut self) -> String {
        let (opcode, payload) = self.message();
        assert_eq!(opcode, TEXT, "{payload:?}");
        String::from_utf8(payload).expect("a text is UTF-8")
    }

    /// The next text, which is one JSON object.
    pub fn next(&mut self) -> Value {
        let text = self.text();
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert!(value.is_object(), "{text}");
        value
    }

    /// Sends a request, and returns the answer as text.
    pub fn ask(&mut self, json: impl AsRef<str>) -> String {
        self.say(json);
        self.text()
    }

    /// The next native frame, which a binary message is.
    pub fn frame(&mut self) -> Frame {
        let (opcode, payload) = self.message();
        assert_eq!(opcode, BINARY, "{payload:?}");
        let (header, payload) = payload.split_at(8);
        let len = u32::from_be_bytes(header[4..].try_into().expect("four bytes"));
        assert_eq!(len as usize, payload.len(), "a message is one frame");
        Frame::new(header[0], header[1], u16::from_be_bytes([header[2], header[3]]), payload)
    }

    /// Sends a request as a native frame.
    pub fn ask_frame(&mut self, kind: u8, flags: u8, tag: u16, payload: impl AsRef<[u8]>) -> Frame {
        self.send(message(BINARY, frame(kind, flags, tag, payload)));
        self.frame()
    }

    /// Its own id, in JSON.
    pub fn id(&mut self) -> u64 {
        let answer: Value = serde_json::from_str(&self.ask(r#"{"type":"identity"}"#)).expect("JSON");
        assert_eq!(answer["type"], "identity", "{answer}");
        answer["userId"].as_str().expect("a string").parse().expect("a number")
    }

    /// The same, skipping the events that come before.
    pub fn id_after_events(&mut self) -> u64 {
        self.say(r#"{"type":"identity"}"#);
        let answers = std::iter::repeat_with(|| self.next());
        let answer = answers.into_iter().find(|answer| answer["type"] == "identity").expect("it comes");
        answer["userId"].as_str().expect("a string").parse().expect("a number")
    }

    /// The ids of all other users, in JSON.
    pub fn list(&mut self) -> Vec<u64> {
        self.say(r#"{"type":"list"}"#);
        let list = self.next();
        let ids = list["userIds"].as_array().expect("a list").iter();
        ids.map(|id| id.as_str().expect("a string").parse().expect("a number")).collect()
    }

    /// Its own id, in native frames.
    pub fn frame_id(&mut self) -> u64 {
        let reply = self.ask_frame(IDENTITY, 0, 77, []);
        assert_eq!((reply.kind, reply.flags, reply.tag), (0x82, 0, 77));
        u64::from_be_bytes(reply.payload.try_into().expect("an id"))
    }

    /// Expects a close frame and then the end of the stream, and returns the close code.
    pub fn closed(&mut self) -> u16 {
        let (opcode, payload) = self.message();
        assert_eq!(opcode, CLOSE, "{}", String::from_utf8_lossy(&payload));
        assert!(!text(&payload[2..]).contains('\0'));
        self.0.half_close();
        self.0.expect_end();
        u16::from_be_bytes([payload[0], payload[1]])
    }

    /// Expects an error in JSON that is not fatal, and returns its code and its text.
    pub fn survived(&mut self, json: impl AsRef<str>) -> (u64, String) {
        let answer: Value = serde_json::from_str(&self.ask(&json)).expect("JSON");
        let said = answer["error"].as_str().unwrap_or_default().to_owned();
        assert_eq!((&answer["type"], &answer["fatal"]), (&"error".into(), &false.into()), "{answer}");
        assert_eq!(self.ask(r#"{"type":"ping","body":"still here"}"#), r#"{"type":"pong","body":"still here"}"#);
        (answer["code"].as_u64().expect("a number"), said)
    }
}

/// The daemon's queue in tests that [fill] a receiver: larger than what the buffers of two sockets take.
pub const QUEUE: [&str; 2] = ["--queue", "12M"];

/// Relays 1 MiB again and again to a user that does not read, until the sender has to wait. Returns how often. From
/// then on every sender to that user waits.
pub fn fill(daemon: &Daemon, sender: &mut Raw, to: u64) -> usize {
    let mut watcher = daemon.connect();
    for count in 1.. {
        sender.send(&frame(RELAY, RECEIPT, 1, relay(&[to], &[b'x'; 1 << 20])));
        let stats = eventually("it is done or waits", || {
            let is_decided = |stats: &Value| stats["waits"] == 1 || stats["frames-in"]["RELAY"]["frames"] == count;
            Some(watcher.stats()).filter(is_decided)
        });
        if stats["waits"] == 1 {
            return count;
        }
        assert_eq!(sender.receive(), Frame::new(0x84, 0, 1, [0, 1, 0]));
    }
    unreachable!("somebody is full at last")
}
