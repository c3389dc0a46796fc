//! The checks of a request that are possible before all of its payload has arrived: its kind, and the lengths of its
//! payload and its body.

use super::field::{COUNT_LEN, FieldError, STR8_MAX};
use super::id::ID_LEN;
use super::kind::{HELLO_MAX_PAYLOAD, KindRow, Payload, is_never_a_kind};
use super::{ErrorCode, Fault, HEADER_LEN, Header, Kind, Request};
use byteorder::{BigEndian, ByteOrder};

/// The largest body that any hub may allow. A SEND of 65,535 names with such a body still fits the header's u32.
pub const MAX_BODY: u32 = 1 << 30;

const _: () = assert!(
    MAX_BODY as u64 + COUNT_LEN as u64 + STR8_MAX as u64 * u16::MAX as u64 <= u32::MAX as u64,
    "the length of the longest SEND, and so of the longest RELAY, fits the header"
);

/// The limits that hold for requests before their payload has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of body.
    pub max_body: u32,
    /// Receivers of one RELAY or SEND.
    pub max_receivers: u16,
}

impl Bounds {
    /// Checks a request by its first bytes, as a [`Decoder`](super::Decoder) needs it: returns the header, or `None` if
    /// that takes more bytes.
    ///
    /// # Errors
    ///
    /// Error 2 for an unknown kind: on the first byte if no frame can begin with it (with tag 0 if the tag has not
    /// arrived), else on the header. Error 3 on the header if the length is over the kind's limit, and for RELAY, SEND
    /// and PUBLISH as soon as the fields before the body show that the body is over [`max_body`](Bounds::max_body).
    /// Error 1 on the header if a kind without payload has one, or if an ACK is longer than an id.
    pub fn admit(&self, front: &[u8]) -> Result<Option<Header>, Fault> {
        let Some(header) = Header::decode(front) else {
            return match front.first() {
                Some(&kind) if is_never_a_kind(kind) => Err(Fault::unknown_kind(kind, tag_or_zero(front))),
                Some(_) | None => Ok(None),
            };
        };
        let Some(row) = KindRow::of_request(header.kind) else {
            return Err(Fault::unknown_kind(header.kind, header.tag));
        };
        let payload = &front[HEADER_LEN..];
        match row.payload {
            Payload::Empty => self.check_only_field(row, header, 0)?,
            Payload::Id => self.check_only_field(row, header, ID_LEN)?,
            Payload::UpTo(_) | Payload::FromHub => self.check_length(row, header.tag, header.length as usize)?,
            Payload::IdsAndBody => {
                self.check_parts(row, header, count_in(payload).map(|count| COUNT_LEN + ID_LEN * count))?;
            }
            Payload::NamesAndBody => self.check_parts(row, header, self.names_end(payload))?,
            Payload::RoomAndBody => self.check_parts(row, header, payload.first().map(|&len| 1 + usize::from(len)))?,
        }
        Ok(Some(header))
    }

    /// Checks a request that does not arrive as a frame: the result is that of [`admit`](Bounds::admit) on the whole
    /// frame that `request` and `tag` encode to.
    ///
    /// # Errors
    ///
    /// Error 3 if the payload or the body is over its limit.
    pub fn admit_request(&self, request: &Request<'_>, tag: u16) -> Result<(), Fault> {
        let row = request.kind().row();
        self.check_length(row, tag, request.payload_len())?;
        match request {
            Request::Relay { body, .. } | Request::Publish { body, .. } => self.check_body(row, tag, body.len()),
            // Too many names are error 4, which the hub reports later.
            Request::Send { names, .. } if names.len() > self.max_receivers.into() => Ok(()),
            Request::Send { body, .. } => self.check_body(row, tag, body.len()),
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
        self.max_payload(Payload::NamesAndBody).max(HELLO_MAX_PAYLOAD.into())
    }

    /// The longest payload that is not error 3, in bytes. For a kind with no limit of its own it is that of a RELAY.
    #[inline]
    fn max_payload(&self, payload: Payload) -> u64 {
        let (body, receivers) = (u64::from(self.max_body), usize::from(self.max_receivers));
        match payload {
            Payload::UpTo(limit) => limit.into(),
            Payload::RoomAndBody => u64::from(STR8_MAX) + body,
            Payload::NamesAndBody => (COUNT_LEN + STR8_MAX as usize * receivers) as u64 + body,
            Payload::IdsAndBody | Payload::Empty | Payload::Id | Payload::FromHub => {
                (COUNT_LEN + ID_LEN * receivers) as u64 + body
            }
        }
    }

    #[inline]
    fn check_length(&self, row: &KindRow, tag: u16, length: usize) -> Result<(), Fault> {
        let limit = self.max_payload(row.payload);
        if length as u64 <= limit { Ok(()) } else { Err(payload_too_large(row.kind, tag, length, limit)) }
    }

    #[inline]
    fn check_body(&self, row: &KindRow, tag: u16, body: usize) -> Result<(), Fault> {
        if body <= self.max_body as usize { Ok(()) } else { Err(body_too_large(row.kind, tag, body, self.max_body)) }
    }

    /// Checks a payload of fields and a body. `fields_len` is `None` until enough of the payload has arrived to tell.
    #[inline]
    fn check_parts(&self, row: &KindRow, header: Header, fields_len: Option<usize>) -> Result<(), Fault> {
        let length = header.length as usize;
        self.check_length(row, header.tag, length)?;
        self.check_body(row, header.tag, fields_len.map_or(0, |fields_len| length.saturating_sub(fields_len)))
    }

    /// Checks that a payload is not longer than its only field. If it is shorter, decoding it fails.
    fn check_only_field(&self, row: &KindRow, header: Header, field_len: usize) -> Result<(), Fault> {
        let length = header.length as usize;
        self.check_length(row, header.tag, length)?;
        match length.saturating_sub(field_len) {
            0 => Ok(()),
            count => Err(Fault::malformed(row.kind, header.tag, FieldError::TrailingBytes(count))),
        }
    }

    /// Bytes before the body of a SEND, once all its names have arrived. `None` for too many names: they are error 4,
    /// which the hub reports later.
    fn names_end(&self, payload: &[u8]) -> Option<usize> {
        let count = count_in(payload).filter(|&count| count <= self.max_receivers.into())?;
        (0..count).try_fold(COUNT_LEN, |at, _| payload.get(at).map(|&len| at + 1 + usize::from(len)))
    }
}

/// The count at the front of the payload of a RELAY or a SEND, once it has arrived.
fn count_in(payload: &[u8]) -> Option<usize> {
    payload.get(..COUNT_LEN).map(|count| BigEndian::read_u16(count).into())
}

fn tag_or_zero(front: &[u8]) -> u16 {
    front.get(2..4).map_or(0, BigEndian::read_u16)
}

#[cold]
fn payload_too_large(kind: Kind, tag: u16, length: usize, limit: u64) -> Fault {
    let text = format!("{}: length {length} is over the limit of {limit}", kind.name());
    Fault::new(ErrorCode::TooLarge, kind as u8, tag, text)
}

#[cold]
fn body_too_large(kind: Kind, tag: u16, body: usize, limit: u32) -> Fault {
    let text = format!("{}: a body of {body} bytes is over the limit of {limit}", kind.name());
    Fault::new(ErrorCode::TooLarge, kind as u8, tag, text)
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
    fn other_unknown_kinds_are_refused_on_their_header_with_their_tag() {
        for kind in [0x00, 0x10, 0x3F, 0x81, 0xC4, 0xFF] {
            assert_eq!(admitted(&[kind, 0, 7, 7, 0, 0, 0]), Ok(None));
            let fault = BOUNDS.admit(&[kind, 0, 7, 7, 0, 0, 0, 0]).expect_err("refused");
            assert_eq!((fault.code, fault.kind, fault.tag), (ErrorCode::UnknownKind, kind, 0x0707));
        }
    }

    #[test]
    fn too_large_is_reported_before_the_payload_arrives() {
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
