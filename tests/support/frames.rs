//! Frames of the protocol in literal bytes: kinds, flags, payloads. None of it comes from the library.

use super::text;

pub const HELLO: u8 = 0x01;
pub const IDENTITY: u8 = 0x02;
pub const LIST: u8 = 0x03;
pub const RELAY: u8 = 0x04;
pub const SEND: u8 = 0x05;
pub const ACK: u8 = 0x06;
pub const JOIN: u8 = 0x07;
pub const LEAVE: u8 = 0x08;
pub const PUBLISH: u8 = 0x09;
pub const HISTORY: u8 = 0x0A;
pub const WHO: u8 = 0x0B;
pub const PING: u8 = 0x0C;
pub const BYE: u8 = 0x0D;
pub const ALIVE: u8 = 0x0E;
pub const STATS: u8 = 0x0F;
pub const BEAT: u8 = 0xCC;
pub const DELIVER: u8 = 0xC4;
pub const MAIL: u8 = 0xC5;
pub const EVENT: u8 = 0xC9;
pub const CLOSING: u8 = 0xCD;
pub const ERROR: u8 = 0xFF;
pub const RECEIPT: u8 = 0x01;
pub const NO_ECHO: u8 = 0x02;
pub const REPLAY: u8 = 0x01;

/// The types of an EVENT.
pub const MESSAGE: u8 = 1;
pub const JOINED: u8 = 2;
pub const ADDED: u8 = 3;
pub const REMOVED: u8 = 4;
pub const LEFT: u8 = 5;

/// A received frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub tag: u16,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn new(kind: u8, flags: u8, tag: u16, payload: impl AsRef<[u8]>) -> Frame {
        Frame { kind, flags, tag, payload: payload.as_ref().to_vec() }
    }

    /// The code, the kind at fault and whether it is fatal, of an ERROR.
    pub fn error(&self) -> (u16, u8, bool) {
        assert_eq!(self.kind, ERROR, "{self:?}");
        let text_len = usize::from(self.payload[3]);
        assert_eq!(self.payload.len(), 4 + text_len);
        assert!(!text(&self.payload[4..]).is_empty(), "an error says what was wrong");
        (u16::from_be_bytes([self.payload[0], self.payload[1]]), self.payload[2], self.flags == 1)
    }
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, tag: u16, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let length = u32::try_from(payload.len()).expect("short");
    let mut bytes = vec![kind, flags];
    bytes.extend(tag.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The payload of a RELAY.
pub fn relay(receivers: &[u64], body: &[u8]) -> Vec<u8> {
    let mut payload = u16::try_from(receivers.len()).expect("few").to_be_bytes().to_vec();
    receivers.iter().for_each(|id| payload.extend(id.to_be_bytes()));
    payload.extend(body);
    payload
}

/// The payload of a DELIVER.
pub fn deliver(sender: u64, body: &[u8]) -> Vec<u8> {
    [&sender.to_be_bytes()[..], body].concat()
}

/// Text after a count of its bytes.
pub fn str8(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat()
}

/// The payload of a SEND.
pub fn send(names: &[&str], body: &[u8]) -> Vec<u8> {
    let mut payload = u16::try_from(names.len()).expect("few").to_be_bytes().to_vec();
    names.iter().for_each(|name| payload.extend(str8(name)));
    payload.extend(body);
    payload
}

/// The payload of a PUBLISH.
pub fn publish(room: &str, body: &[u8]) -> Vec<u8> {
    [&str8(room)[..], body].concat()
}

/// The payload of a HISTORY.
pub fn history(room: &str, after: u64, limit: u32) -> Vec<u8> {
    [&str8(room)[..], &after.to_be_bytes(), &limit.to_be_bytes()].concat()
}

/// An EVENT, without its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub what: u8,
    pub id: u64,
    pub session: u64,
    pub room: String,
    pub name: String,
    pub body: Vec<u8>,
}

impl Event {
    /// Decodes an EVENT frame, whose time must be recent.
    pub fn of(frame: &Frame) -> Event {
        assert_eq!(frame.kind, EVENT, "{frame:?}");
        let number = |at: usize| u64::from_be_bytes(frame.payload[at..at + 8].try_into().expect("eight bytes"));
        let now = std::time::UNIX_EPOCH.elapsed().expect("it is later").as_millis() as u64;
        assert!((now - 600_000..=now + 1000).contains(&number(9)), "{} is now", number(9));
        let (room, rest) = frame.payload[26..].split_at(frame.payload[25].into());
        let (name, body) = rest[1..].split_at(rest[0].into());
        Event {
            what: frame.payload[0],
            id: number(1),
            session: number(17),
            room: text(room).to_owned(),
            name: text(name).to_owned(),
            body: body.to_vec(),
        }
    }
}
