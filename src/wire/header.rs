//! The header of a frame: the eight bytes before every payload.

use super::Kind;
use byteorder::{BigEndian, ByteOrder};

/// Bytes in a frame's header.
pub const HEADER_LEN: usize = 8;

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the frame is: the byte of a [`Kind`], or any other byte that a peer sends.
    pub kind: u8,
    /// What the bits mean depends on the kind; see [`flag`](super::flag).
    pub flags: u8,
    /// Chosen by the client for each request, and repeated in every reply and error that the request causes; 0 in
    /// pushes.
    pub tag: u16,
    /// Bytes of payload that follow. The header is not counted.
    pub length: u32,
}

impl Header {
    /// Reads a header from the front of `bytes`; `None` if there are fewer than [`HEADER_LEN`].
    #[inline]
    pub fn decode(bytes: &[u8]) -> Option<Header> {
        let bytes = bytes.get(..HEADER_LEN)?;
        Some(Header {
            kind: bytes[0],
            flags: bytes[1],
            tag: BigEndian::read_u16(&bytes[2..4]),
            length: BigEndian::read_u32(&bytes[4..8]),
        })
    }

    /// The eight bytes of this header.
    #[inline]
    pub fn encode(self) -> [u8; HEADER_LEN] {
        let mut bytes = [self.kind, self.flags, 0, 0, 0, 0, 0, 0];
        BigEndian::write_u16(&mut bytes[2..4], self.tag);
        BigEndian::write_u32(&mut bytes[4..8], self.length);
        bytes
    }

    /// Bytes of the whole frame, header and payload.
    #[inline]
    pub fn frame_len(self) -> usize {
        HEADER_LEN + self.length as usize
    }
}

/// Appends one frame to `out`: the header, then what `payload` appends. The length is filled in afterwards.
///
/// # Panics
///
/// If the payload is over 4 GiB. The limits of all callers are far below.
#[inline]
pub(super) fn put_frame(out: &mut Vec<u8>, kind: Kind, flags: u8, tag: u16, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&Header { kind: kind as u8, flags, tag, length: 0 }.encode());
    payload(out);
    let length = u32::try_from(out.len() - start - HEADER_LEN).expect("the limits keep a payload under 4 GiB");
    BigEndian::write_u32(&mut out[start + 4..start + 8], length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_eight_bytes_big_endian() {
        let header = Header { kind: 0x04, flags: 0x01, tag: 0x1234, length: 0x0001_0203 };
        assert_eq!(header.encode(), [0x04, 0x01, 0x12, 0x34, 0x00, 0x01, 0x02, 0x03]);
        assert_eq!(Header::decode(&header.encode()), Some(header));
    }

    #[test]
    fn seven_bytes_are_not_a_header() {
        assert_eq!(Header::decode(&[1, 0, 0, 0, 0, 0, 0]), None);
    }
}
