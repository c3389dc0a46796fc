//! What of a request can be judged before its payload has come: its kind and its length.

use super::field::{COUNT_LEN, Misfit};
use super::id::ID_LEN;
use super::kind::is_never_a_kind;
use super::{ErrorCode, Fault, HEADER_LEN, Header, Kind, Request};
use byteorder::{BigEndian, ByteOrder};

/// Bytes of body that a PING may carry.
pub const MAX_PING: u32 = 125;

/// The longest payload of a HELLO: its version, a name of 255 bytes and a token of 65,535.
pub const HELLO_MAX_PAYLOAD: u32 = 1 + 1 + u8::MAX as u32 + 2 + u16::MAX as u32;

/// The largest body that any hub may allow: with 65,535 names before it, it must fit the header's u32.
pub const MAX_BODY: u32 = 1 << 30;

/// Bytes of the longest str8, with its count.
const STR8_MAX: usize = 1 + u8::MAX as usize;

const _: () = assert!(
    MAX_BODY as u64 + (COUNT_LEN + STR8_MAX * u16::MAX as usize) as u64 <= u32::MAX as u64,
    "the longest SEND fits its header, and so does the longest RELAY"
);

/// The limits that the wire itself enforces on requests, before a payload has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of body.
    pub max_body: u32,
    /// Receivers of one RELAY or SEND.
    pub max_receivers: u16,
}

impl Bounds {
    /// What a [`Decoder`](super::Decoder) asks of the front of a request: its header, `None` where more bytes are
    /// needed to tell.
    ///
    /// # Errors
    ///
    /// Error 2 on the first byte where it can begin no frame (the tag is echoed if it came along), else on the header;
    /// 3 on the header where the announced length is over the kind's limit, and on what stands before the body of a
    /// RELAY, SEND or PUBLISH where that shows it to be over [`max_body`](Bounds::max_body); 1 on the header where
    /// a kind without payload announces some, or an ACK more than an id.
    pub fn admit(&self, front: &[u8]) -> Result<Option<Header>, Fault> {
        let Some(header) = Header::decode(front) else {
            return match front.first() {
                Some(&kind) if is_never_a_kind(kind) => Err(Fault::unknown_kind(kind, tag_if_there(front))),
                _ => Ok(None),
            };
        };
        let Some(kind) = Kind::of_request(header.kind) else {
            return Err(Fault::unknown_kind(header.kind, header.tag));
        };
        let length = header.length as usize;
        self.check_length(kind, header.tag, length)?;
        match kind {
            Kind::Relay | Kind::Send | Kind::Publish => {
                self.check_body(kind, header.tag, self.body_len(kind, length, &front[HEADER_LEN..]))?
            }
            Kind::Identity | Kind::List | Kind::Bye | Kind::Alive | Kind::Stats if length > 0 => {
                return Err(Fault::malformed(kind, header.tag, Misfit::LeftOver(length)));
            }
            Kind::Ack if length > ID_LEN => {
                return Err(Fault::malformed(kind, header.tag, Misfit::LeftOver(length - ID_LEN)));
            }
            _ => {}
        }
        Ok(Some(header))
    }

    /// What [`admit`](Bounds::admit) says of the whole frame that `request` and `tag` encode to, without encoding it.
    /// This is for requests that do not arrive as frames.
    ///
    /// # Errors
    ///
    /// Error 3 if the payload or the body is over its limit.
    pub fn admit_request(&self, request: &Request<'_>, tag: u16) -> Result<(), Fault> {
        let kind = request.kind();
        self.check_length(kind, tag, request.payload_len())?;
        match request {
            Request::Relay { body, .. } | Request::Publish { body, .. } => self.check_body(kind, tag, body.len()),
            // More names than the limit are another error, which comes later.
            Request::Send { names, .. } if names.len() > self.max_receivers.into() => Ok(()),
            Request::Send { body, .. } => self.check_body(kind, tag, body.len()),
            Request::Hello { .. }
            | Request::Identity
            | Request::List
            | Request::Ack(_)
            | Request::Join { .. }
            | Request::Leave { .. }
            | Request::History { .. }
            | Request::Who { .. }
            | Request::Ping(_)
            | Request::Bye
            | Request::Alive
            | Request::Stats => Ok(()),
        }
    }

    /// The longest payload of any kind, in bytes.
    pub fn most_payload(&self) -> u64 {
        self.max_payload(Kind::Send).max(HELLO_MAX_PAYLOAD.into())
    }

    /// The longest payload of this kind, in bytes. Where a kind has no bound of its own, what a RELAY may need.
    fn max_payload(&self, kind: Kind) -> u64 {
        let (body, receivers) = (u64::from(self.max_body), usize::from(self.max_receivers));
        match kind {
            Kind::Ping => MAX_PING.into(),
            Kind::Hello => HELLO_MAX_PAYLOAD.into(),
            Kind::Join | Kind::Leave | Kind::Who => STR8_MAX as u64,
            Kind::History => (STR8_MAX + 8 + 4) as u64,
            Kind::Publish => STR8_MAX as u64 + body,
            Kind::Send => (COUNT_LEN + STR8_MAX * receivers) as u64 + body,
            _ => (COUNT_LEN + ID_LEN * receivers) as u64 + body,
        }
    }

    fn check_length(&self, kind: Kind, tag: u16, length: usize) -> Result<(), Fault> {
        let limit = self.max_payload(kind);
        if length as u64 <= limit {
            return Ok(());
        }
        Err(too_large(kind, tag, format_args!("length {length} is over the limit of {limit}")))
    }

    fn check_body(&self, kind: Kind, tag: u16, body: usize) -> Result<(), Fault> {
        if body <= self.max_body as usize {
            return Ok(());
        }
        Err(too_large(kind, tag, format_args!("a body of {body} bytes is over the limit of {}", self.max_body)))
    }

    /// Bytes of body in a payload of `length` bytes; 0 until `payload` shows where the body begins.
    fn body_len(&self, kind: Kind, length: usize, payload: &[u8]) -> usize {
        let before = match kind {
            Kind::Relay => count_in(payload).map(|count| COUNT_LEN + ID_LEN * count),
            Kind::Publish => payload.first().map(|&len| 1 + usize::from(len)),
            _ => self.end_of_names(payload),
        };
        before.map_or(0, |before| length.saturating_sub(before))
    }

    /// Where the body of a SEND begins, once all its names have come. More of them than may be are an error anyway.
    fn end_of_names(&self, payload: &[u8]) -> Option<usize> {
        let count = count_in(payload).filter(|&count| count <= self.max_receivers.into())?;
        (0..count).try_fold(COUNT_LEN, |at, _| payload.get(at).map(|&len| at + 1 + usize::from(len)))
    }
}

/// The count that a RELAY or a SEND begins with, once it has come.
fn count_in(payload: &[u8]) -> Option<usize> {
    payload.get(..COUNT_LEN).map(|count| BigEndian::read_u16(count).into())
}

fn tag_if_there(front: &[u8]) -> u16 {
    front.get(2..4).map_or(0, BigEndian::read_u16)
}

fn too_large(kind: Kind, tag: u16, what: std::fmt::Arguments<'_>) -> Fault {
    Fault::new(ErrorCode::TooLarge, kind as u8, tag, format!("{}: {what}", kind.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { max_body: 1000, max_receivers: 3 };

    fn admitted(bytes: &[u8]) -> Result<Option<usize>, ErrorCode> {
        BOUNDS.admit(bytes).map(|header| header.map(Header::frame_len)).map_err(|fault| fault.code)
    }

    #[test]
    fn an_http_request_is_refused_on_its_first_byte() {
        assert_eq!(admitted(b"G"), Err(ErrorCode::UnknownKind));
        let fault = BOUNDS.admit(b"GET /").expect_err("refused");
        assert_eq!((fault.kind, fault.tag), (b'G', u16::from_be_bytes(*b"T ")));
    }

    #[test]
    fn other_strange_kinds_are_refused_on_their_header_with_their_tag() {
        for kind in [0x00, 0x10, 0x3F, 0x81, 0xC4, 0xFF] {
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

    #[test]
    fn the_body_of_a_publish_begins_after_its_room() {
        let length = (1 + 5 + 1001u32).to_be_bytes();
        let header = [&[9, 0, 0, 0][..], &length].concat();
        assert_eq!(admitted(&header), Ok(Some(8 + 1007)));
        assert_eq!(admitted(&[&header[..], &[5]].concat()), Err(ErrorCode::TooLarge));
        assert_eq!(admitted(&[&header[..], &[6]].concat()), Ok(Some(8 + 1007)));
    }

    #[test]
    fn the_body_of_a_send_begins_after_its_last_name() {
        let length = (2 + 2 + 4 + 1001u32).to_be_bytes();
        let front = [&[5, 0, 0, 0][..], &length, &[0, 2, 1, b'a']].concat();
        assert_eq!(admitted(&front), Ok(Some(8 + 1009)), "the second name may yet be longer");
        assert_eq!(admitted(&[&front[..], &[3]].concat()), Err(ErrorCode::TooLarge));
        assert_eq!(admitted(&[&front[..], &[4]].concat()), Ok(Some(8 + 1009)));
        let many = [&[5, 0, 0, 0][..], &length, &[0xFF, 0xFF]].concat();
        assert_eq!(admitted(&many), Ok(Some(8 + 1009)), "too many names is another error");
    }

    #[test]
    fn an_ack_is_as_long_as_an_id() {
        assert_eq!(admitted(&[6, 0, 0, 0, 0, 0, 0, 9]), Err(ErrorCode::Malformed));
        assert_eq!(admitted(&[7, 0, 0, 0, 0, 0, 1, 1]), Err(ErrorCode::TooLarge), "no room is 256 bytes");
    }
}
