//! The first 16 bytes of every body: the publisher, the sequence number, and the time of sending. If bodies must be
//! text, the stamp is written as 32 letters.

use byteorder::{ByteOrder, LittleEndian};

/// Bytes of a stamp, and therefore of the smallest body.
pub const STAMP_LEN: usize = 16;

/// Letters of a stamp that is text.
pub(super) const TEXT_LEN: usize = 2 * STAMP_LEN;

/// The letter for a half byte of 0. The letters of the others follow.
const ZERO: u8 = b'A';

/// Bytes of a stamp that are decoded from text at once.
const HALF_WORD: usize = 4;

/// Appends a stamp as letters: two for each byte, the lower half first.
#[cfg(any(test, feature = "ws"))]
pub(super) fn put_text(stamp: &[u8; STAMP_LEN], out: &mut Vec<u8>) {
    out.extend(stamp.iter().flat_map(|byte| [ZERO + (byte & 0xF), ZERO + (byte >> 4)]));
}

/// Decodes the stamp at the front of `text`, if that is long enough. Other characters give a stamp that no publisher
/// wrote.
pub(super) fn from_text(text: &[u8]) -> Option<[u8; STAMP_LEN]> {
    let (words, _) = text.get(..TEXT_LEN)?.as_chunks::<{ 2 * HALF_WORD }>();
    let mut stamp = [0; STAMP_LEN];
    for (bytes, letters) in stamp.chunks_mut(HALF_WORD).zip(words) {
        // First each two halves are joined to a byte, then these bytes to half a word.
        let halves = u64::from_le_bytes(*letters).wrapping_sub(u64::from_le_bytes([ZERO; 2 * HALF_WORD]));
        let pairs = (halves | halves >> 4) & 0x00FF_00FF_00FF_00FF;
        let fours = (pairs | pairs >> 8) & 0x0000_FFFF_0000_FFFF;
        bytes.copy_from_slice(&((fours | fours >> 16) as u32).to_le_bytes());
    }
    Some(stamp)
}

/// What a body begins with, in little-endian order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The publisher's number among those of all groups.
    pub publisher: u32,
    /// The message's number among the publisher's, from 0. It wraps.
    pub sequence: u32,
    /// When it was sent, or should have been: nanoseconds since the generator's start.
    pub sent_ns: u64,
}

impl Stamp {
    /// Writes it over the front of `body`.
    pub fn write(self, body: &mut [u8]) {
        LittleEndian::write_u32(&mut body[..4], self.publisher);
        LittleEndian::write_u32(&mut body[4..8], self.sequence);
        LittleEndian::write_u64(&mut body[8..STAMP_LEN], self.sent_ns);
    }

    /// Reads the stamp at the front of `body`, if that is long enough.
    pub fn read(body: &[u8]) -> Option<Stamp> {
        let front = body.get(..STAMP_LEN)?;
        Some(Stamp {
            publisher: LittleEndian::read_u32(&front[..4]),
            sequence: LittleEndian::read_u32(&front[4..8]),
            sent_ns: LittleEndian::read_u64(&front[8..]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_sixteen_bytes_little_endian() {
        let stamp = Stamp { publisher: 0x0102_0304, sequence: 5, sent_ns: 0x0A00_0000_0000_000B };
        let mut body = [7; 17];
        stamp.write(&mut body);
        assert_eq!(body, [4, 3, 2, 1, 5, 0, 0, 0, 0x0B, 0, 0, 0, 0, 0, 0, 0x0A, 7]);
        assert_eq!(Stamp::read(&body), Some(stamp));
    }

    #[test]
    fn fifteen_bytes_are_no_stamp() {
        assert_eq!(Stamp::read(&[0; 15]), None);
    }

    #[test]
    fn in_text_it_is_letters_and_comes_back() {
        let mut body = [0; STAMP_LEN];
        for sent_ns in [0, 0x0123_4567_89AB_CDEF, u64::MAX] {
            Stamp { publisher: 0xFEDC_BA98, sequence: 7, sent_ns }.write(&mut body);
            let mut text = Vec::new();
            put_text(&body, &mut text);
            assert!(text.len() == TEXT_LEN && text.iter().all(u8::is_ascii_uppercase));
            assert_eq!(from_text(&text), Some(body));
            assert_eq!(from_text(&text[1..]), None);
        }
    }
}
