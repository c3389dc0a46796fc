//! The fields of a payload: a reader that takes them one after the other, and the encoders of texts.

use super::id::ID_LEN;
use super::{Ids, UserId};
use byteorder::{BigEndian, ByteOrder};
use std::fmt;

/// Bytes of the count that precedes the ids of a RELAY, the names of a SEND and the statuses of a receipt.
pub(super) const COUNT_LEN: usize = 2;

/// Bytes of the longest str8, its count included.
pub(super) const STR8_MAX: u32 = 1 + u8::MAX as u32;

/// Why a payload does not fit its kind. This becomes the text of the ERROR frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldError {
    /// This field is longer than what is left of the payload.
    PastEnd(&'static str),
    /// This field is not UTF-8.
    NotUtf8(&'static str),
    /// This many bytes follow the last field.
    TrailingBytes(usize),
    /// This field has a value that this version of the protocol does not define.
    UnknownValue(&'static str),
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldError::PastEnd(field) => write!(f, "the {field} runs past the end of the payload"),
            FieldError::NotUtf8(field) => write!(f, "the {field} is not UTF-8"),
            FieldError::TrailingBytes(1) => write!(f, "1 byte follows the last field"),
            FieldError::TrailingBytes(count) => write!(f, "{count} bytes follow the last field"),
            FieldError::UnknownValue(field) => write!(f, "the {field} has an unknown value"),
        }
    }
}

/// Reads fields from the front of a payload. Each call names its field, for the error text.
pub(super) struct FieldReader<'a>(pub &'a [u8]);

impl<'a> FieldReader<'a> {
    #[inline]
    fn bytes(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], FieldError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(FieldError::PastEnd(field))?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline]
    pub fn u8(&mut self, field: &'static str) -> Result<u8, FieldError> {
        Ok(self.bytes(1, field)?[0])
    }

    #[inline]
    pub fn u16(&mut self, field: &'static str) -> Result<u16, FieldError> {
        Ok(BigEndian::read_u16(self.bytes(2, field)?))
    }

    #[inline]
    pub fn u32(&mut self, field: &'static str) -> Result<u32, FieldError> {
        Ok(BigEndian::read_u32(self.bytes(4, field)?))
    }

    #[inline]
    pub fn u64(&mut self, field: &'static str) -> Result<u64, FieldError> {
        Ok(BigEndian::read_u64(self.bytes(8, field)?))
    }

    #[inline]
    pub fn id(&mut self, field: &'static str) -> Result<UserId, FieldError> {
        Ok(UserId(BigEndian::read_u64(self.bytes(ID_LEN, field)?)))
    }

    #[inline]
    pub fn ids(&mut self, count: usize, field: &'static str) -> Result<Ids<'a>, FieldError> {
        Ids::new(self.bytes(count * ID_LEN, field)?).ok_or(FieldError::PastEnd(field))
    }

    /// Text that follows a count of its bytes in a u8.
    #[inline]
    pub fn str8(&mut self, field: &'static str) -> Result<&'a str, FieldError> {
        let count = self.u8(field)?;
        self.text(count.into(), field)
    }

    /// Text that follows a count of its bytes in a u16.
    pub fn str16(&mut self, field: &'static str) -> Result<&'a str, FieldError> {
        let count = self.u16(field)?;
        self.text(count.into(), field)
    }

    #[inline]
    fn text(&mut self, count: usize, field: &'static str) -> Result<&'a str, FieldError> {
        str::from_utf8(self.bytes(count, field)?).map_err(|_| FieldError::NotUtf8(field))
    }

    /// The rest of the payload as text.
    pub fn rest_text(&mut self, field: &'static str) -> Result<&'a str, FieldError> {
        self.text(self.0.len(), field)
    }

    /// The rest of the payload: a body.
    #[inline]
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks that nothing is left.
    #[inline]
    pub fn end(self) -> Result<(), FieldError> {
        if self.0.is_empty() { Ok(()) } else { Err(FieldError::TrailingBytes(self.0.len())) }
    }
}

/// Appends a count in a u8, then `text`. If `text` is over 255 bytes, it is cut between characters.
#[inline]
pub(super) fn put_str8(out: &mut Vec<u8>, text: &str) {
    let end = text.floor_char_boundary(u8::MAX.into());
    out.push(end as u8);
    out.extend_from_slice(&text.as_bytes()[..end]);
}

/// Appends a count in a u16, then `text`. If `text` is over 65,535 bytes, it is cut between characters.
pub(super) fn put_str16(out: &mut Vec<u8>, text: &str) {
    let end = text.floor_char_boundary(u16::MAX.into());
    out.extend_from_slice(&(end as u16).to_be_bytes());
    out.extend_from_slice(&text.as_bytes()[..end]);
}

/// Bytes that [`put_str8`] appends.
pub(super) fn str8_len(text: &str) -> usize {
    1 + text.floor_char_boundary(u8::MAX.into())
}

/// Bytes that [`put_str16`] appends.
pub(super) fn str16_len(text: &str) -> usize {
    2 + text.floor_char_boundary(u16::MAX.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_order_and_nothing_is_left() {
        let mut fields = FieldReader(&[7, 0, 8, 2, b'h', b'i']);
        assert_eq!(fields.u8("a"), Ok(7));
        assert_eq!(fields.u16("b"), Ok(8));
        assert_eq!(fields.str8("c"), Ok("hi"));
        assert_eq!(fields.end(), Ok(()));
    }

    #[test]
    fn a_field_past_the_payload_is_named() {
        assert_eq!(FieldReader(&[3, b'h', b'i']).str8("name"), Err(FieldError::PastEnd("name")));
        assert_eq!(FieldReader(&[0; 15]).ids(2, "receivers"), Err(FieldError::PastEnd("receivers")));
    }

    #[test]
    fn text_must_be_utf8() {
        assert_eq!(FieldReader(&[1, 0xFF]).str8("name"), Err(FieldError::NotUtf8("name")));
    }

    #[test]
    fn trailing_bytes_are_counted() {
        assert_eq!(FieldReader(&[1, 2, 3]).end(), Err(FieldError::TrailingBytes(3)));
    }

    #[test]
    fn text_too_long_for_its_count_is_cut_between_characters() {
        let mut out = Vec::new();
        put_str8(&mut out, &"é".repeat(200));
        assert_eq!(out[0], 254);
        assert_eq!(out.len(), 255);
    }
}
