//! The first sixteen bytes of every body: who sent it, which of the sender's it is, and when.

use byteorder::{ByteOrder, LittleEndian};

/// Bytes of a stamp: the smallest body.
pub const STAMP_LEN: usize = 16;

/// What a body begins with, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Which publisher, of all groups.
    pub publisher: u32,
    /// Its number among the publisher's messages, from 0. It wraps.
    pub sequence: u32,
    /// When it was sent, or should have been: nanoseconds since the generator began.
    pub sent_ns: u64,
}

impl Stamp {
    /// Writes it over the front of `body`.
    pub fn write(self, body: &mut [u8]) {
        LittleEndian::write_u32(&mut body[..4], self.publisher);
        LittleEndian::write_u32(&mut body[4..8], self.sequence);
        LittleEndian::write_u64(&mut body[8..STAMP_LEN], self.sent_ns);
    }

    /// The stamp at the front of `body`, where it is long enough to have one.
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
}
