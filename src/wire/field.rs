//! A payload's fields, one after the other: the reader, and the writers for those with a length of their own.

use super::{Ids, UserId, id::ID_LEN};
use byteorder::{BigEndian, ByteOrder};
use std::fmt;

/// What a payload that does not fit its kind got wrong. Its `Display` goes into the ERROR frame's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// This field runs past the payload.
    Short(&'static str),
    /// This field is not UTF-8.
    NotText(&'static str),
    /// So many bytes are left over after the last field.
    LeftOver(usize),
    /// This field holds a value that the protocol does not give.
    NoSuch(&'static str),
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfit::Short(field) => write!(f, "the {field} runs past the payload"),
            Misfit::NotText(field) => write!(f, "the {field} is not UTF-8"),
            Misfit::LeftOver(count) => write!(f, "{count} bytes are left over after the last field"),
            Misfit::NoSuch(field) => write!(f, "the {field} has a value that means nothing"),
        }
    }
}

/// Bytes of the count that precedes the ids of a RELAY, the names of a SEND and the statuses of a receipt.
pub(super) const COUNT_LEN: usize = 2;

/// Reads fields from the front of a payload. Each read names its field, so that an error can.
pub(super) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    fn bytes(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], Misfit> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Misfit::Short(field))?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn u8(&mut self, field: &'static str) -> Result<u8, Misfit> {
        Ok(self.bytes(1, field)?[0])
    }

    pub fn u16(&mut self, field: &'static str) -> Result<u16, Misfit> {
        Ok(BigEndian::read_u16(self.bytes(2, field)?))
    }

    pub fn u32(&mut self, field: &'static str) -> Result<u32, Misfit> {
        Ok(BigEndian::read_u32(self.bytes(4, field)?))
    }

    pub fn u64(&mut self, field: &'static str) -> Result<u64, Misfit> {
        Ok(BigEndian::read_u64(self.bytes(8, field)?))
    }

    pub fn id(&mut self, field: &'static str) -> Result<UserId, Misfit> {
        Ok(UserId(BigEndian::read_u64(self.bytes(ID_LEN, field)?)))
    }

    pub fn ids(&mut self, count: usize, field: &'static str) -> Result<Ids<'a>, Misfit> {
        Ids::new(self.bytes(count * ID_LEN, field)?).ok_or(Misfit::Short(field))
    }

    /// Text after a count of its bytes in a u8.
    pub fn str8(&mut self, field: &'static str) -> Result<&'a str, Misfit> {
        let count = self.u8(field)?;
        self.text(count.into(), field)
    }

    /// Text after a count of its bytes in a u16.
    pub fn str16(&mut self, field: &'static str) -> Result<&'a str, Misfit> {
        let count = self.u16(field)?;
        self.text(count.into(), field)
    }

    fn text(&mut self, count: usize, field: &'static str) -> Result<&'a str, Misfit> {
        str::from_utf8(self.bytes(count, field)?).map_err(|_| Misfit::NotText(field))
    }

    /// All that is left, as text.
    pub fn rest_text(&mut self, field: &'static str) -> Result<&'a str, Misfit> {
        self.text(self.0.len(), field)
    }

    /// All that is left: a body.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// That nothing is left.
    pub fn end(self) -> Result<(), Misfit> {
        if self.0.is_empty() { Ok(()) } else { Err(Misfit::LeftOver(self.0.len())) }
    }
}

/// Appends text after a count of its bytes in a u8, cut at a character where it is over 255 bytes.
pub(super) fn put_str8(out: &mut Vec<u8>, text: &str) {
    let end = text.floor_char_boundary(u8::MAX.into());
    out.push(end as u8);
    out.extend_from_slice(&text.as_bytes()[..end]);
}

/// Appends text after a count of its bytes in a u16, cut at a character where it is over 65,535 bytes.
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
        let mut fields = Fields(&[7, 0, 8, 2, b'h', b'i']);
        assert_eq!(fields.u8("a"), Ok(7));
        assert_eq!(fields.u16("b"), Ok(8));
        assert_eq!(fields.str8("c"), Ok("hi"));
        assert_eq!(fields.end(), Ok(()));
    }

    #[test]
    fn a_field_past_the_payload_is_named() {
        assert_eq!(Fields(&[3, b'h', b'i']).str8("name"), Err(Misfit::Short("name")));
        assert_eq!(Fields(&[0; 15]).ids(2, "receivers"), Err(Misfit::Short("receivers")));
    }

    #[test]
    fn text_must_be_utf8() {
        assert_eq!(Fields(&[1, 0xFF]).str8("name"), Err(Misfit::NotText("name")));
    }

    #[test]
    fn what_is_left_over_is_counted() {
        assert_eq!(Fields(&[1, 2, 3]).end(), Err(Misfit::LeftOver(3)));
    }

    #[test]
    fn text_too_long_for_its_count_is_cut_between_characters() {
        let mut out = Vec::new();
        put_str8(&mut out, &"é".repeat(200));
        assert_eq!(out[0], 254);
        assert_eq!(out.len(), 255);
    }
}
