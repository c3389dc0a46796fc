//! Reads messages from bytes that arrive in pieces of any size.
//!
//! A message that lies whole in the input is unmasked and returned in place. The reader keeps only the bytes of an
//! unfinished message that have arrived: a header that announces a gigabyte allocates nothing, and a reader between two
//! messages owns no memory.

use super::frame::{
    BINARY, CLOSE, CONTINUATION, FrameHeader, MASK_LEN, MAX_HEADER, PING, PONG, ProtocolError, Side, TEXT, apply_mask,
};
use byteorder::{BigEndian, ByteOrder};
use std::borrow::Cow;

/// A message or a control frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message.
    Text(Cow<'a, str>),
    /// A binary message.
    Binary(Cow<'a, [u8]>),
    /// A ping. A pong with the same bytes is due.
    Ping(Cow<'a, [u8]>),
    /// A pong.
    Pong,
    /// A close frame, with its code, or with 1005 if it has none. The sender sends nothing after it.
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

/// A frame whose payload is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OpenFrame {
    opcode: u8,
    is_final: bool,
    mask: [u8; MASK_LEN],
    /// Bytes of its payload that have not arrived.
    left: usize,
    /// Bytes of its payload that have been read.
    taken: usize,
}

/// What has arrived of a message, a control frame or a header that is not whole yet.
#[derive(Debug, Default)]
struct Unfinished {
    /// The bytes of an unfinished header.
    header: [u8; MAX_HEADER],
    header_len: u8,
    /// The frame whose payload is unfinished.
    frame: Option<OpenFrame>,
    /// The payload of an unfinished control frame.
    control: Vec<u8>,
    /// [`TEXT`] or [`BINARY`], once the first frame of a message has begun.
    opcode: Option<u8>,
    /// The payload of the unfinished message.
    message: Vec<u8>,
    /// Bytes at its front that are known to be UTF-8, if it is a text.
    valid: usize,
}

/// Splits the stream of one side into messages.
#[derive(Debug)]
pub struct MessageReader {
    sender: Side,
    /// Headers read since the count was last taken.
    frames: u32,
    unfinished: Option<Box<Unfinished>>,
}

/// The overhead of an unfinished message. [`MessageReader::kept`] includes it.
const UNFINISHED_COST: usize = size_of::<Unfinished>();

impl MessageReader {
    /// A reader at the beginning of what `sender` sends.
    pub fn new(sender: Side) -> MessageReader {
        MessageReader { sender, frames: 0, unfinished: None }
    }

    /// Takes the next message off the front of `input`, which it unmasks in place. Returns `None` when there is none:
    /// the reader has then kept the rest of `input`, which is empty. A message may have `limit` bytes.
    ///
    /// # Errors
    ///
    /// The first protocol error, as soon as it shows. The stream ends there: the reader must not be fed again.
    pub fn next<'a>(&mut self, input: &mut &'a mut [u8], limit: usize) -> Result<Option<Message<'a>>, ProtocolError> {
        loop {
            let Some(frame) = self.open_frame(input, limit)? else { return Ok(None) };
            let here = frame.left.min(input.len());
            let (payload, rest) = std::mem::take(input).split_at_mut(here);
            *input = rest;
            apply_mask(payload, frame.mask, frame.taken);
            let frame = OpenFrame { left: frame.left - here, taken: frame.taken + here, ..frame };
            let message =
                if frame.opcode >= CLOSE { self.control(frame, payload)? } else { self.data(frame, payload)? };
            if message.is_some() || frame.left > 0 {
                return Ok(message);
            }
        }
    }

    /// The bytes that the reader keeps, and their overhead. 0 between two messages.
    pub fn kept(&self) -> usize {
        let of = |unfinished: &Unfinished| UNFINISHED_COST + unfinished.message.len() + unfinished.control.len();
        self.unfinished.as_deref().map_or(0, of)
    }

    /// The bytes of memory that it takes to keep them.
    pub fn held(&self) -> usize {
        let room = |unfinished: &Unfinished| unfinished.message.capacity() + unfinished.control.capacity();
        self.unfinished.as_deref().map_or(0, |unfinished| UNFINISHED_COST + room(unfinished))
    }

    /// The number of frames that have begun since the last call. A message may have any number, and most may be empty.
    pub fn take_frame_count(&mut self) -> usize {
        std::mem::take(&mut self.frames) as usize
    }

    /// The length of the unfinished text that has arrived; 0 if there is none.
    pub fn unfinished_text(&self) -> usize {
        let unfinished = self.unfinished.as_deref().filter(|unfinished| unfinished.opcode == Some(TEXT));
        unfinished.map_or(0, |unfinished| unfinished.message.len())
    }

    /// Lets `shorten` replace the unfinished text by a shorter one, which is UTF-8 too. It gets whole characters.
    pub fn shorten_text(&mut self, shorten: impl FnOnce(&mut Vec<u8>)) {
        let unfinished = self.unfinished.as_deref_mut().filter(|unfinished| unfinished.opcode == Some(TEXT));
        let Some(Unfinished { message, valid, .. }) = unfinished else { return };
        let rest = message.split_off(*valid);
        shorten(message);
        *valid = message.len();
        message.extend_from_slice(&rest);
    }

    /// The bytes of an unfinished binary message that have arrived.
    pub fn unfinished_binary(&self) -> Option<&[u8]> {
        let unfinished = self.unfinished.as_deref().filter(|unfinished| unfinished.opcode == Some(BINARY))?;
        Some(&unfinished.message)
    }

    /// The frame whose payload is unfinished, or else the next one, once its header is whole.
    fn open_frame(&mut self, input: &mut &mut [u8], limit: usize) -> Result<Option<OpenFrame>, ProtocolError> {
        let kept = self.unfinished.as_deref_mut();
        if let Some(frame) = kept.and_then(|unfinished| unfinished.frame.take()) {
            return Ok(Some(frame));
        }
        let Some(header) = self.take_header(input)? else { return Ok(None) };
        self.frames = self.frames.saturating_add(1);
        self.check_sequence(header, limit)?;
        let FrameHeader { opcode, is_final, mask, payload_len, .. } = header;
        let left = payload_len as usize;
        if opcode < CLOSE && (opcode != CONTINUATION && !is_final || left > input.len()) {
            let unfinished = self.unfinished.get_or_insert_default();
            unfinished.opcode = unfinished.opcode.or(Some(opcode));
        }
        Ok(Some(OpenFrame { opcode, is_final, mask, left, taken: 0 }))
    }

    /// Takes a header off the front of `input`. Its first bytes may have arrived before.
    fn take_header(&mut self, input: &mut &mut [u8]) -> Result<Option<FrameHeader>, ProtocolError> {
        let kept = self.unfinished.as_deref().map_or(0, |unfinished| usize::from(unfinished.header_len));
        if kept == 0 {
            if let Some(header) = FrameHeader::decode(input, self.sender)? {
                *input = &mut std::mem::take(input)[header.header_len..];
                return Ok(Some(header));
            }
            if input.is_empty() {
                return Ok(None);
            }
        }
        let unfinished = self.unfinished.get_or_insert_default();
        let here = input.len().min(MAX_HEADER - kept);
        unfinished.header[kept..kept + here].copy_from_slice(&input[..here]);
        let header = FrameHeader::decode(&unfinished.header[..kept + here], self.sender)?;
        let taken = header.map_or(here, |header| header.header_len - kept);
        *input = &mut std::mem::take(input)[taken..];
        unfinished.header_len = if header.is_some() { 0 } else { (kept + here) as u8 };
        Ok(header)
    }

    /// Checks that a frame with this header may follow the previous ones.
    fn check_sequence(&self, header: FrameHeader, limit: usize) -> Result<(), ProtocolError> {
        let begun = self.unfinished.as_deref().filter(|unfinished| unfinished.opcode.is_some());
        match (header.opcode, begun) {
            (CLOSE.., _) => Ok(()),
            (CONTINUATION, None) => Err(ProtocolError::Invalid("a continuation without a message")),
            (TEXT | BINARY, Some(_)) => Err(ProtocolError::Invalid("a message begins before the last one has ended")),
            (_, begun) => {
                let before = begun.map_or(0, |unfinished| unfinished.message.len() as u64);
                let is_over = before.saturating_add(header.payload_len) > limit as u64;
                if is_over { Err(ProtocolError::TooLarge) } else { Ok(()) }
            }
        }
    }

    /// Takes payload of a data frame. Returns the message if it is whole now.
    fn data<'a>(&mut self, frame: OpenFrame, payload: &'a [u8]) -> Result<Option<Message<'a>>, ProtocolError> {
        let is_whole = frame.left == 0 && frame.is_final;
        let begun = self.unfinished.take_if(|unfinished| unfinished.opcode.is_some());
        let Some(mut unfinished) = begun else {
            debug_assert!(is_whole, "an unfinished message has begun");
            self.unfinished = None;
            return whole(frame.opcode, Cow::Borrowed(payload)).map(Some);
        };
        // Only the last frame tells how long the message is.
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

    /// Takes payload of a control frame. Returns the frame's message if it is whole now.
    fn control<'a>(&mut self, frame: OpenFrame, payload: &'a [u8]) -> Result<Option<Message<'a>>, ProtocolError> {
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

/// Appends to a message of which at most `missing` more bytes will follow. Doubles the capacity, so that copying stays
/// linear, but never reserves more than the message needs.
pub fn append(message: &mut Vec<u8>, payload: &[u8], missing: usize) {
    if message.capacity() - message.len() < payload.len() {
        message.reserve_exact(payload.len().max(message.len().min(payload.len().saturating_add(missing))));
    }
    message.extend_from_slice(payload);
}

/// A message whose payload is whole.
fn whole(opcode: u8, payload: Cow<'_, [u8]>) -> Result<Message<'_>, ProtocolError> {
    if opcode == BINARY {
        return Ok(Message::Binary(payload));
    }
    Ok(Message::Text(match payload {
        Cow::Borrowed(bytes) => str::from_utf8(bytes).map_err(|_| ProtocolError::NotUtf8)?.into(),
        Cow::Owned(bytes) => String::from_utf8(bytes).map_err(|_| ProtocolError::NotUtf8)?.into(),
    }))
}

/// Bytes at the front of a text that are UTF-8. The rest may be the beginning of a character.
fn valid_prefix(text: &[u8]) -> Result<usize, ProtocolError> {
    match str::from_utf8(text) {
        Ok(text) => Ok(text.len()),
        Err(error) if error.error_len().is_none() => Ok(error.valid_up_to()),
        Err(_) => Err(ProtocolError::NotUtf8),
    }
}

/// The code of a close frame.
fn read_close(payload: &[u8]) -> Result<u16, ProtocolError> {
    let Some((code, reason)) = payload.split_at_checked(2) else {
        let none = payload.is_empty();
        return if none { Ok(1005) } else { Err(ProtocolError::Invalid("a close frame has half a code")) };
    };
    let code = BigEndian::read_u16(code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(ProtocolError::Invalid("a close frame has a code that may not be sent"));
    }
    str::from_utf8(reason).map(|_| code).map_err(|_| ProtocolError::NotUtf8)
}

#[cfg(test)]
mod tests;
