//! A second implementation of frames: it encodes requests and decodes answers. On purpose it shares no code with the
//! crate.

/// Bytes before a payload.
pub const HEADER: usize = 8;

/// The kinds that a client sends.
#[allow(missing_docs)] // each is named as the protocol does
pub mod kind {
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
}

/// A header without its length.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // each is named as the protocol does
pub struct Head {
    pub kind: u8,
    pub flags: u8,
    pub tag: u16,
}

/// Appends a frame to `out`.
pub fn put_frame(out: &mut Vec<u8>, head: Head, payload: &[u8]) {
    out.extend_from_slice(&[head.kind, head.flags]);
    out.extend_from_slice(&head.tag.to_be_bytes());
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    out.extend_from_slice(payload);
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, tag: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_frame(&mut out, Head { kind, flags, tag }, payload);
    out
}

/// Appends a short text with its length.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

/// A short text with its length.
pub fn text(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_text(&mut out, text);
    out
}

/// The bytes of a RELAY.
pub fn relay(ids: &[u64], body: &[u8], receipt: bool) -> Vec<u8> {
    let mut payload = (ids.len() as u16).to_be_bytes().to_vec();
    ids.iter().for_each(|id| payload.extend(id.to_be_bytes()));
    payload.extend(body);
    frame(kind::RELAY, receipt.into(), 9, &payload)
}

/// The bytes of a SEND.
pub fn send(names: &[&str], body: &[u8], flags: u8) -> Vec<u8> {
    let mut payload = (names.len() as u16).to_be_bytes().to_vec();
    names.iter().for_each(|name| put_text(&mut payload, name));
    payload.extend(body);
    frame(kind::SEND, flags, 8, &payload)
}

/// The first whole frame of `bytes`: its head and its payload.
pub fn first(bytes: &[u8]) -> Option<(Head, &[u8])> {
    let head = bytes.get(..HEADER)?;
    let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
    let payload = bytes.get(HEADER..HEADER + length)?;
    Some((Head { kind: head[0], flags: head[1], tag: u16::from_be_bytes([head[2], head[3]]) }, payload))
}

/// Reads a payload from its front. A missing field is a bug of the hub.
#[derive(Debug)]
pub struct Fields<'a>(pub &'a [u8]);

#[allow(missing_docs)] // each is named for what it takes off the front
impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        assert!(self.0.len() >= count, "a field of {count} bytes runs past the payload");
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn number(&mut self, count: usize) -> u64 {
        self.take(count).iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte))
    }

    pub fn u8(&mut self) -> u8 {
        self.number(1) as u8
    }

    pub fn u16(&mut self) -> u16 {
        self.number(2) as u16
    }

    pub fn u32(&mut self) -> u32 {
        self.number(4) as u32
    }

    pub fn u64(&mut self) -> u64 {
        self.number(8)
    }

    pub fn text(&mut self) -> &'a str {
        let count = self.u8();
        str::from_utf8(self.take(count.into())).expect("what the hub says is text")
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn end(&self) {
        assert!(self.0.is_empty(), "{} bytes are left over", self.0.len());
    }
}
