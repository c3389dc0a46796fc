//! What of a request can be judged before its payload has come: its kind and its length.

use super::field::Misfit;
use super::id::ID_LEN;
use super::kind::is_never_a_kind;
use super::{ErrorCode, Fault, HEADER_LEN, Header, Kind};
use byteorder::{BigEndian, ByteOrder};

/// Bytes of body that a PING may carry.
pub const MAX_PING: u32 = 125;

/// The longest payload of a HELLO: its version, a name of 255 bytes and a token of 65,535.
pub const HELLO_MAX_PAYLOAD: u32 = 1 + 1 + u8::MAX as u32 + 2 + u16::MAX as u32;

/// The largest body that any hub may allow: with 65,535 receivers before it, it must fit the header's u32.
pub const MAX_BODY: u32 = 1 << 30;

/// Bytes of a RELAY before its ids: the count.
const COUNT_LEN: usize = 2;

const _: () = assert!(
    MAX_BODY as u64 + (COUNT_LEN + ID_LEN * u16::MAX as usize) as u64 <= u32::MAX as u64,
    "the longest RELAY fits its header"
);

/// The limits that the wire itself enforces on requests, before a payload has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of body.
    pub max_body: u32,
    /// Receivers of one RELAY.
    pub max_receivers: u16,
}

impl Bounds {
    /// What a [`Decoder`](super::Decoder) asks of the front of a request: its whole length, `None` where more bytes are
    /// needed to tell.
    ///
    /// # Errors
    ///
    /// Error 2 on the first byte where it can begin no frame (the tag is echoed if it came along), else on the header;
    /// 3 on the header where the announced length is over the kind's limit, and on a RELAY's count where that shows the
    /// body to be over [`max_body`](Bounds::max_body); 1 on the header where a kind without payload announces some.
    pub fn admit(&self, front: &[u8]) -> Result<Option<usize>, Fault> {
        let Some(header) = Header::decode(front) else {
            return match front.first() {
                Some(&kind) if is_never_a_kind(kind) => Err(Fault::unknown_kind(kind, tag_if_there(front))),
                _ => Ok(None),
            };
        };
        let Some(kind) = Kind::of_request(header.kind) else {
            return Err(Fault::unknown_kind(header.kind, header.tag));
        };
        let limit = self.max_payload(kind);
        if u64::from(header.length) > limit {
            return Err(too_large(header, kind, format_args!("length {} is over the limit of {limit}", header.length)));
        }
        match kind {
            Kind::Relay => self.check_body(header, front)?,
            Kind::Identity | Kind::List | Kind::Bye | Kind::Alive if header.length > 0 => {
                return Err(Fault::malformed(kind, header.tag, Misfit::LeftOver(header.length as usize)));
            }
            _ => {}
        }
        Ok(Some(header.frame_len()))
    }

    /// The longest payload of this kind, in bytes. Where a kind has no bound of its own, what a RELAY may need.
    fn max_payload(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Ping => MAX_PING.into(),
            Kind::Hello => HELLO_MAX_PAYLOAD.into(),
            _ => (COUNT_LEN + ID_LEN * usize::from(self.max_receivers)) as u64 + u64::from(self.max_body),
        }
    }

    fn check_body(&self, header: Header, front: &[u8]) -> Result<(), Fault> {
        let Some(count) = front.get(HEADER_LEN..HEADER_LEN + COUNT_LEN) else { return Ok(()) };
        let before = COUNT_LEN + ID_LEN * usize::from(BigEndian::read_u16(count));
        let body = (header.length as usize).saturating_sub(before);
        if body <= self.max_body as usize {
            return Ok(());
        }
        Err(too_large(
            header,
            Kind::Relay,
            format_args!("a body of {body} bytes is over the limit of {}", self.max_body),
        ))
    }
}

fn tag_if_there(front: &[u8]) -> u16 {
    front.get(2..4).map_or(0, BigEndian::read_u16)
}

fn too_large(header: Header, kind: Kind, what: std::fmt::Arguments<'_>) -> Fault {
    Fault::new(ErrorCode::TooLarge, header.kind, header.tag, format!("{}: {what}", kind.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { max_body: 1000, max_receivers: 3 };

    fn admitted(bytes: &[u8]) -> Result<Option<usize>, ErrorCode> {
        BOUNDS.admit(bytes).map_err(|fault| fault.code)
    }

    #[test]
    fn an_http_request_is_refused_on_its_first_byte() {
        assert_eq!(admitted(b"G"), Err(ErrorCode::UnknownKind));
        let fault = BOUNDS.admit(b"GET /").expect_err("refused");
        assert_eq!((fault.kind, fault.tag), (b'G', u16::from_be_bytes(*b"T ")));
    }

    #[test]
    fn other_strange_kinds_are_refused_on_their_header_with_their_tag() {
        for kind in [0x00, 0x05, 0x10, 0x3F, 0x81, 0xC4, 0xFF] {
            assert_eq!(admitted(&[kind, 0, 7, 7, 0, 0, 0]), Ok(None));
            let fault = BOUNDS.admit(&[kind, 0, 7, 7, 0, 0, 0, 0]).expect_err("refused");
            assert_eq!((fault.code, fault.kind, fault.tag), (ErrorCode::UnknownKind, kind, 0x0707));
        }
    }

    #[test]
    fn too_large_is_said_before_the_payload_comes() {
        assert_eq!(admitted(&[4, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]), Err(ErrorCode::TooLarge));
        assert_eq!(admitted(&[2, 0, 0, 0, 0x80, 0, 0, 0]), Err(ErrorCode::TooLarge));
        assert_eq!(admitted(&[0x0C, 0, 0, 0, 0, 0, 0, 125]), Ok(Some(133)));
        assert_eq!(admitted(&[0x0C, 0, 0, 0, 0, 0, 0, 126]), Err(ErrorCode::TooLarge));
    }

    #[test]
    fn a_body_over_the_limit_is_refused_as_soon_as_the_count_is_known() {
        let length = (2 + 8 + 1001u32).to_be_bytes();
        let header = [&[4, 0, 0, 0][..], &length].concat();
        assert_eq!(admitted(&header), Ok(Some(8 + 1011)), "with three receivers this would do");
        assert_eq!(admitted(&[&header[..], &[0, 1]].concat()), Err(ErrorCode::TooLarge));
        assert_eq!(admitted(&[&header[..], &[0, 2]].concat()), Ok(Some(8 + 1011)));
    }
}
