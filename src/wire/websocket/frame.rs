//! One frame: its header and its mask.

use byteorder::{BigEndian, ByteOrder};

/// The opcode of a text message.
pub const TEXT: u8 = 0x1;
/// The opcode of a binary message.
pub const BINARY: u8 = 0x2;
/// The opcode of a close frame.
pub const CLOSE: u8 = 0x8;
/// The opcode of a ping.
pub const PING: u8 = 0x9;
/// The opcode of a pong.
pub const PONG: u8 = 0xA;

/// The opcode of every frame of a message but the first.
pub(super) const CONTINUATION: u8 = 0x0;

/// In the first byte: this frame is the last of its message.
pub(super) const FIN: u8 = 0x80;
/// In the first byte: bits for extensions.
const RESERVED: u8 = 0x70;
/// In the second byte: the payload is masked.
pub(super) const MASKED: u8 = 0x80;

/// Bytes of the mask.
pub(super) const MASK_LEN: usize = 4;

/// Bytes of the longest header: two, a length of eight, a mask.
pub(super) const MAX_HEADER: usize = 2 + 8 + MASK_LEN;

/// The longest payload of a control frame, in bytes.
pub(super) const MAX_CONTROL: usize = 125;

/// The two sides of a connection. A client masks what it sends, a server does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The side that asked for the handshake.
    Client,
    /// The side that accepted it.
    Server,
}

/// Why a stream can not be read any further. The [code](ProtocolError::code) tells the other side, in a close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// A frame breaks the protocol.
    Invalid(&'static str),
    /// A text message or the reason of a close frame is not UTF-8.
    NotUtf8,
    /// A message is over the limit. Reported as soon as the header shows it.
    TooLarge,
}

impl ProtocolError {
    /// The code for a close frame.
    pub fn code(self) -> u16 {
        match self {
            ProtocolError::Invalid(_) => 1002,
            ProtocolError::NotUtf8 => 1007,
            ProtocolError::TooLarge => 1009,
        }
    }

    /// What is wrong, for a person to read.
    pub fn text(self) -> &'static str {
        match self {
            ProtocolError::Invalid(what) => what,
            ProtocolError::NotUtf8 => "a text message is not UTF-8",
            ProtocolError::TooLarge => "a message is over the limit",
        }
    }
}

/// The header of a frame, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) opcode: u8,
    pub(super) is_final: bool,
    pub(super) mask: [u8; MASK_LEN],
    /// Bytes of payload that follow.
    pub(super) payload_len: u64,
    /// Bytes of the header itself.
    pub(super) header_len: usize,
}

impl FrameHeader {
    /// Reads the header at the front of what `sender` sent; `None` if that takes more bytes.
    pub(super) fn decode(input: &[u8], sender: Side) -> Result<Option<FrameHeader>, ProtocolError> {
        let &[first, second, ..] = input else { return Ok(None) };
        check_front(first, second, sender)?;
        let short_len = second & !MASKED;
        let extended_len = match short_len {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(extended) = input.get(2..2 + extended_len) else { return Ok(None) };
        let payload_len =
            if extended_len == 0 { short_len.into() } else { BigEndian::read_uint(extended, extended_len) };
        if payload_len > u64::MAX / 2 {
            return Err(ProtocolError::Invalid("the top bit of a length is set"));
        }
        if extended_len == 2 && payload_len < 126 || extended_len == 8 && payload_len <= u16::MAX.into() {
            return Err(ProtocolError::Invalid("a length is not in its shortest form"));
        }
        let mask_len = if sender == Side::Client { MASK_LEN } else { 0 };
        let header_len = 2 + extended_len + mask_len;
        let Some(mask_bytes) = input.get(2 + extended_len..header_len) else { return Ok(None) };
        let mut mask = [0; MASK_LEN];
        mask[..mask_len].copy_from_slice(mask_bytes);
        Ok(Some(FrameHeader { opcode: first & 0x0F, is_final: first & FIN != 0, mask, payload_len, header_len }))
    }
}

/// Checks the first two bytes of a header.
fn check_front(first: u8, second: u8, sender: Side) -> Result<(), ProtocolError> {
    let opcode = first & 0x0F;
    let is_masked = second & MASKED != 0;
    let wrong = if first & RESERVED != 0 {
        "a reserved bit is set, but no extension was negotiated"
    } else if !matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG) {
        "an opcode is not defined"
    } else if is_masked != (sender == Side::Client) {
        "a client must mask its frames, and a server does not"
    } else if opcode >= CLOSE && (first & FIN == 0 || usize::from(second & !MASKED) > MAX_CONTROL) {
        "a control frame is fragmented, or over 125 bytes"
    } else {
        return Ok(());
    };
    Err(ProtocolError::Invalid(wrong))
}

/// Appends the header of a final frame, without a mask. `masked` is 0 or [`MASKED`].
pub(super) fn put_header(opcode: u8, len: usize, masked: u8, out: &mut Vec<u8>) {
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

/// Masks or unmasks the part of a payload that begins at byte `at` of it.
pub(super) fn apply_mask(payload: &mut [u8], mask: [u8; MASK_LEN], at: usize) {
    let mut turned = mask;
    turned.rotate_left(at % MASK_LEN);
    let half = u64::from(u32::from_ne_bytes(turned));
    let (words, rest) = payload.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ (half << 32 | half)).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(turned.iter().cycle()) {
        *byte ^= mask;
    }
}

/// A whole frame of a server, as it lies in the input.
#[derive(Debug)]
pub struct WholeFrame<'a> {
    /// What the frame is.
    pub opcode: u8,
    /// Its payload.
    pub payload: &'a [u8],
    /// Bytes of the frame, its header included.
    pub len: usize,
}

/// The frame at the front of what a server sent; `None` if it is not whole yet. This is for readers that do not support
/// fragmented messages.
///
/// # Errors
///
/// If the bytes are no frame of a server.
#[inline]
pub fn first_frame(input: &[u8]) -> Result<Option<WholeFrame<'_>>, ProtocolError> {
    let Some(header) = FrameHeader::decode(input, Side::Server)? else { return Ok(None) };
    let Some(payload) = input[header.header_len..].get(..header.payload_len as usize) else { return Ok(None) };
    Ok(Some(WholeFrame { opcode: header.opcode, payload, len: header.header_len + payload.len() }))
}

/// Bytes of the whole frame that begins with `front`, which must hold the whole header of a frame of a server.
pub fn frame_len(front: &[u8]) -> usize {
    match FrameHeader::decode(front, Side::Server) {
        Ok(Some(header)) => header.header_len + header.payload_len as usize,
        Ok(None) | Err(_) => front.len(),
    }
}
