//! WebSocket messages out of bytes that arrive in any pieces, and into bytes: RFC 6455 without extensions.
//!
//! A message that lies whole in the input is unmasked and handed out in place. Only an unfinished one is kept, and only
//! as many bytes of it as have really come: a header that announces a gigabyte allocates nothing, and a codec with
//! nothing unfinished owns no memory.

use crate::wire::ErrorCode;
use byteorder::{BigEndian, ByteOrder};
use std::borrow::Cow;

/// The opcodes of a message's first frame.
pub const TEXT: u8 = 0x1;
/// See [`TEXT`].
pub const BINARY: u8 = 0x2;
/// See [`TEXT`].
pub const CLOSE: u8 = 0x8;
/// See [`TEXT`].
pub const PING: u8 = 0x9;
/// See [`TEXT`].
pub const PONG: u8 = 0xA;

const CONTINUATION: u8 = 0x0;

/// This frame is its message's last.
const FIN: u8 = 0x80;
/// Its payload is masked.
const MASKED: u8 = 0x80;

/// Bytes of the mask.
const MASK: usize = 4;

/// Bytes of the longest header: two, a length of eight, a mask.
const MOST_HEADER: usize = 2 + 8 + MASK;

/// Bytes of a control frame's payload at the most.
const MOST_CONTROL: usize = 125;

/// What the other side said.
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message.
    Text(Cow<'a, str>),
    /// A binary message.
    Binary(Cow<'a, [u8]>),
    /// It asks for these bytes back.
    Ping(Cow<'a, [u8]>),
    /// It gives them back.
    Pong,
    /// It says no more, and why: 1005 where it did not say.
    Close(u16),
}

impl Message<'_> {
    /// A copy that owns its payload.
    pub fn into_owned(self) -> Message<'static> {
        match self {
            Message::Text(text) => Message::Text(text.into_owned().into()),
            Message::Binary(bytes) => Message::Binary(bytes.into_owned().into()),
            Message::Ping(bytes) => Message::Ping(bytes.into_owned().into()),
            Message::Pong => Message::Pong,
            Message::Close(code) => Message::Close(code),
        }
    }
}

/// Why the other side can not be understood any more. It is to hear the [code](Violation::code) in a close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A frame breaks the protocol.
    Protocol(&'static str),
    /// A text is not UTF-8.
    NotText,
    /// A message is longer than it may be: as soon as that is known.
    TooLarge,
}

impl Violation {
    /// The status code of a close frame that says so.
    pub fn code(self) -> u16 {
        match self {
            Violation::Protocol(_) => 1002,
            Violation::NotText => 1007,
            Violation::TooLarge => 1009,
        }
    }

    /// What is wrong, for a person.
    pub fn text(self) -> &'static str {
        match self {
            Violation::Protocol(what) => what,
            Violation::NotText => "a text message is not UTF-8",
            Violation::TooLarge => "a message is over the limit",
        }
    }
}

/// Who the other side is: a client masks what it sends, a server does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// It masks.
    Client,
    /// It does not.
    Server,
}

/// The header of one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Head {
    opcode: u8,
    is_final: bool,
    mask: [u8; MASK],
    /// Bytes of payload that have yet to come, and that have come.
    left: usize,
    taken: usize,
}

/// What has come of a message, or of a frame, that is not whole yet.
#[derive(Debug, Default)]
struct Unfinished {
    /// The bytes of a header that is not whole.
    head: [u8; MOST_HEADER],
    head_len: u8,
    /// The frame whose payload is not whole.
    frame: Option<Head>,
    /// The payload of a control frame that is not whole.
    control: Vec<u8>,
    /// [`TEXT`] or [`BINARY`], once the first frame of a message has begun.
    opcode: Option<u8>,
    message: Vec<u8>,
    /// Bytes of a text that are known to be UTF-8.
    valid: usize,
}

/// Splits one side's stream into messages.
#[derive(Debug)]
pub struct Messages {
    from: Other,
    unfinished: Option<Box<Unfinished>>,
}

/// Bytes that a codec is said to keep beside those of the message: what the rest of an unfinished one costs.
const UNFINISHED_COST: usize = size_of::<Unfinished>();

impl Messages {
    /// One at the beginning of what `from` sends.
    pub fn new(from: Other) -> Messages {
        Messages { from, unfinished: None }
    }

    /// Takes the next message off the front of `input`, which it unmasks in place; `None` once `input` is used up and
    /// kept. A message may have `limit` bytes.
    ///
    /// # Errors
    ///
    /// The first violation, as soon as it shows. The stream has no next message then, and must not be fed again.
    pub fn next<'a>(&mut self, input: &mut &'a mut [u8], limit: usize) -> Result<Option<Message<'a>>, Violation> {
        loop {
            let Some(frame) = self.begin(input, limit)? else { return Ok(None) };
            let here = frame.left.min(input.len());
            let (payload, rest) = std::mem::take(input).split_at_mut(here);
            *input = rest;
            unmask(payload, frame.mask, frame.taken);
            let frame = Head { left: frame.left - here, taken: frame.taken + here, ..frame };
            let message =
                if frame.opcode >= CLOSE { self.control(frame, payload)? } else { self.data(frame, payload)? };
            if message.is_some() || frame.left > 0 {
                return Ok(message);
            }
        }
    }

    /// Bytes kept of what is not whole: at least one where anything is.
    pub fn kept(&self) -> usize {
        let of = |unfinished: &Unfinished| UNFINISHED_COST + unfinished.message.len() + unfinished.control.len();
        self.unfinished.as_deref().map_or(0, of)
    }

    /// What has come of a binary message that is not whole.
    pub fn unfinished_binary(&self) -> Option<&[u8]> {
        let unfinished = self.unfinished.as_deref().filter(|unfinished| unfinished.opcode == Some(BINARY))?;
        Some(&unfinished.message)
    }

    /// The frame that is in progress, or the next one whose header is whole.
    fn begin(&mut self, input: &mut &mut [u8], limit: usize) -> Result<Option<Head>, Violation> {
        let kept = self.unfinished.as_deref_mut();
        if let Some(frame) = kept.and_then(|unfinished| unfinished.frame.take()) {
            return Ok(Some(frame));
        }
        let Some((head, len)) = self.read_head(input)? else { return Ok(None) };
        self.check(head, len, limit)?;
        let len = len as usize;
        if head.opcode < CLOSE && (head.opcode != CONTINUATION && !head.is_final || len > input.len()) {
            let unfinished = self.unfinished.get_or_insert_default();
            unfinished.opcode = unfinished.opcode.or(Some(head.opcode));
        }
        Ok(Some(Head { left: len, ..head }))
    }

    /// Takes a header off the front of `input`, with the bytes of it that came before. The length beside it.
    fn read_head(&mut self, input: &mut &mut [u8]) -> Result<Option<(Head, u64)>, Violation> {
        let kept = self.unfinished.as_deref().map_or(0, |unfinished| usize::from(unfinished.head_len));
        if kept == 0 {
            if let Some((head, len, header_len)) = parse(input, self.from)? {
                *input = &mut std::mem::take(input)[header_len..];
                return Ok(Some((head, len)));
            }
            if input.is_empty() {
                return Ok(None);
            }
        }
        let unfinished = self.unfinished.get_or_insert_default();
        let here = input.len().min(MOST_HEADER - kept);
        unfinished.head[kept..kept + here].copy_from_slice(&input[..here]);
        let front = &unfinished.head[..kept + here];
        let parsed = parse(front, self.from)?;
        let taken = parsed.map_or(here, |(_, _, header_len)| header_len - kept);
        *input = &mut std::mem::take(input)[taken..];
        unfinished.head_len = if parsed.is_some() { 0 } else { (kept + here) as u8 };
        Ok(parsed.map(|(head, len, _)| (head, len)))
    }

    /// Whether a frame may come now.
    fn check(&self, head: Head, len: u64, limit: usize) -> Result<(), Violation> {
        let begun = self.unfinished.as_deref().filter(|unfinished| unfinished.opcode.is_some());
        match (head.opcode, begun) {
            (CLOSE.., _) => Ok(()),
            (CONTINUATION, None) => Err(Violation::Protocol("a continuation of no message")),
            (TEXT | BINARY, Some(_)) => Err(Violation::Protocol("a message within another")),
            (_, begun) => {
                let before = begun.map_or(0, |unfinished| unfinished.message.len() as u64);
                if before.saturating_add(len) > limit as u64 { Err(Violation::TooLarge) } else { Ok(()) }
            }
        }
    }

    /// Takes some payload of a data frame, and gives the message where that makes it whole.
    fn data<'a>(&mut self, frame: Head, payload: &'a [u8]) -> Result<Option<Message<'a>>, Violation> {
        let is_whole = frame.left == 0 && frame.is_final;
        let begun = self.unfinished.take_if(|unfinished| unfinished.opcode.is_some());
        let Some(mut unfinished) = begun else {
            debug_assert!(is_whole, "what is not whole was begun");
            self.unfinished = None;
            return whole(frame.opcode, Cow::Borrowed(payload)).map(Some);
        };
        // How long a message is, only its last frame tells.
        let missing = if frame.is_final { frame.left } else { usize::MAX };
        append(&mut unfinished.message, payload, missing);
        if unfinished.opcode == Some(TEXT) {
            unfinished.valid += valid_prefix(&unfinished.message[unfinished.valid..])?;
        }
        if is_whole {
            let opcode = unfinished.opcode.unwrap_or(BINARY);
            return whole(opcode, Cow::Owned(unfinished.message)).map(Some);
        }
        unfinished.frame = Some(frame).filter(|frame| frame.left > 0);
        self.unfinished = Some(unfinished);
        Ok(None)
    }

    /// Takes some payload of a control frame, and gives what it says where that makes it whole.
    fn control<'a>(&mut self, frame: Head, payload: &'a [u8]) -> Result<Option<Message<'a>>, Violation> {
        let is_split = frame.left > 0 || frame.taken > payload.len();
        let payload = if is_split {
            let unfinished = self.unfinished.get_or_insert_default();
            unfinished.control.extend_from_slice(payload);
            if frame.left > 0 {
                unfinished.frame = Some(frame);
                return Ok(None);
            }
            Cow::Owned(std::mem::take(&mut unfinished.control))
        } else {
            Cow::Borrowed(payload)
        };
        self.unfinished.take_if(|unfinished| unfinished.opcode.is_none());
        Ok(Some(match frame.opcode {
            PING => Message::Ping(payload),
            PONG => Message::Pong,
            _ => Message::Close(read_close(&payload)?),
        }))
    }
}

/// The header at the front of `input`, the length that it announces, and its own; `None` where more bytes are needed.
fn parse(input: &[u8], from: Other) -> Result<Option<(Head, u64, usize)>, Violation> {
    let &[first, second, ..] = input else { return Ok(None) };
    let (opcode, is_final, is_masked) = (first & 0x0F, first & FIN != 0, second & MASKED != 0);
    let short = second & !MASKED;
    if first & 0x70 != 0 {
        return Err(Violation::Protocol("a reserved bit is set, and no extension was agreed on"));
    }
    if !matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG) {
        return Err(Violation::Protocol("an opcode that means nothing"));
    }
    if is_masked != (from == Other::Client) {
        return Err(Violation::Protocol("a client masks its frames, and a server does not"));
    }
    if opcode >= CLOSE && (!is_final || usize::from(short) > MOST_CONTROL) {
        return Err(Violation::Protocol("a control frame in pieces, or over 125 bytes"));
    }
    let extra = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let Some(extended) = input.get(2..2 + extra) else { return Ok(None) };
    let len = if extra == 0 { short.into() } else { BigEndian::read_uint(extended, extra) };
    if len > u64::MAX / 2 {
        return Err(Violation::Protocol("a length with its top bit set"));
    }
    if extra == 2 && len < 126 || extra == 8 && len <= u16::MAX.into() {
        return Err(Violation::Protocol("a length that is longer than it need be"));
    }
    let mask_len = if is_masked { MASK } else { 0 };
    let Some(mask_bytes) = input.get(2 + extra..2 + extra + mask_len) else { return Ok(None) };
    let mut mask = [0; MASK];
    mask[..mask_len].copy_from_slice(mask_bytes);
    Ok(Some((Head { opcode, is_final, mask, left: 0, taken: 0 }, len, 2 + extra + mask_len)))
}

/// Unmasks the part of a payload that begins `at` bytes into it.
fn unmask(payload: &mut [u8], mask: [u8; MASK], at: usize) {
    let mut turned = mask;
    turned.rotate_left(at % MASK);
    let half = u64::from(u32::from_ne_bytes(turned));
    let (words, rest) = payload.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ (half << 32 | half)).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(turned.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Appends to a message of which at most `missing` more bytes will come: doubles its room, so that copying stays
/// linear, but not past its end.
fn append(message: &mut Vec<u8>, payload: &[u8], missing: usize) {
    if message.capacity() - message.len() < payload.len() {
        message.reserve_exact(payload.len().max(message.len().min(payload.len().saturating_add(missing))));
    }
    message.extend_from_slice(payload);
}

fn whole(opcode: u8, payload: Cow<'_, [u8]>) -> Result<Message<'_>, Violation> {
    if opcode == BINARY {
        return Ok(Message::Binary(payload));
    }
    Ok(Message::Text(match payload {
        Cow::Borrowed(bytes) => str::from_utf8(bytes).map_err(|_| Violation::NotText)?.into(),
        Cow::Owned(bytes) => String::from_utf8(bytes).map_err(|_| Violation::NotText)?.into(),
    }))
}

/// Bytes at the front of a text that are UTF-8, where the rest may become so.
fn valid_prefix(text: &[u8]) -> Result<usize, Violation> {
    match str::from_utf8(text) {
        Ok(text) => Ok(text.len()),
        Err(error) if error.error_len().is_none() => Ok(error.valid_up_to()),
        Err(_) => Err(Violation::NotText),
    }
}

/// The status code of a close frame.
fn read_close(payload: &[u8]) -> Result<u16, Violation> {
    let Some((code, reason)) = payload.split_at_checked(2) else {
        let none = payload.is_empty();
        return if none { Ok(1005) } else { Err(Violation::Protocol("half a status code")) };
    };
    let code = BigEndian::read_u16(code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::Protocol("a status code that may not be sent"));
    }
    str::from_utf8(reason).map(|_| code).map_err(|_| Violation::NotText)
}

/// Appends the header of a message in one frame, which is not masked.
pub fn put_header(opcode: u8, len: usize, out: &mut Vec<u8>) {
    put_head(opcode, len, 0, out);
}

fn put_head(opcode: u8, len: usize, masked: u8, out: &mut Vec<u8>) {
    out.push(FIN | opcode);
    if len < 126 {
        out.push(masked | len as u8);
    } else if let Ok(len) = u16::try_from(len) {
        out.push(masked | 126);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(masked | 127);
        out.extend_from_slice(&(len as u64).to_be_bytes());
    }
}

/// Appends a message in one frame, which is not masked.
pub fn put(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    put_header(opcode, payload.len(), out);
    out.extend_from_slice(payload);
}

/// Appends a message in one frame, masked with `mask`.
pub fn put_masked(opcode: u8, payload: &[u8], mask: [u8; MASK], out: &mut Vec<u8>) {
    put_head(opcode, payload.len(), MASKED, out);
    out.extend_from_slice(&mask);
    let start = out.len();
    out.extend_from_slice(payload);
    unmask(&mut out[start..], mask, 0);
}

/// Appends a message whose payload is what `write` appends.
pub fn put_with(opcode: u8, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    write(out);
    let mut header = Vec::with_capacity(MOST_HEADER);
    put_header(opcode, out.len() - start, &mut header);
    out.splice(start..start, header);
}

/// Appends a close frame. A reason that is too long is cut between characters.
pub fn put_close(code: u16, reason: &str, out: &mut Vec<u8>) {
    let reason = &reason[..reason.floor_char_boundary(MOST_CONTROL - size_of::<u16>())];
    put_header(CLOSE, size_of::<u16>() + reason.len(), out);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// The status code that says why the hub closes.
pub fn close_code(why: Option<ErrorCode>) -> u16 {
    match why {
        None => 1000,
        Some(ErrorCode::Malformed | ErrorCode::UnknownKind | ErrorCode::Version) => 1002,
        Some(ErrorCode::TooLarge) => 1009,
        Some(ErrorCode::GoingAway) => 1001,
        Some(ErrorCode::TooManyConnections) => 1013,
        Some(_) => 1008,
    }
}

/// A frame that is whole, as it lies in the input.
#[derive(Debug)]
pub struct Whole<'a> {
    /// What it is.
    pub opcode: u8,
    /// What it says.
    pub payload: &'a [u8],
    /// Bytes of it, the header included.
    pub len: usize,
}

/// The frame at the front of what a server says; `None` where it is not whole yet. For those who take whole frames
/// alone.
///
/// # Errors
///
/// Where it is no frame of a server's.
#[inline]
pub fn first(input: &[u8]) -> Result<Option<Whole<'_>>, Violation> {
    let Some((head, len, header_len)) = parse(input, Other::Server)? else { return Ok(None) };
    let Some(payload) = input[header_len..].get(..len as usize) else { return Ok(None) };
    Ok(Some(Whole { opcode: head.opcode, payload, len: header_len + payload.len() }))
}

/// Bytes of the whole message in one frame that begins with `front`, which is what the hub itself has put there.
pub fn len(front: &[u8]) -> usize {
    match parse(front, Other::Server) {
        Ok(Some((_, len, header_len))) => header_len + len as usize,
        _ => front.len(),
    }
}

#[cfg(test)]
mod tests;
