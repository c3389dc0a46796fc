//! What a client asks.

use super::field::{Fields, Misfit, put_str8, put_str16};
use super::header::put_frame;
use super::id::ID_LEN;
use super::kind::is_never_a_kind;
use super::{ErrorCode, Fault, HEADER_LEN, Header, Ids, Kind, VERSION, flag};
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

/// A request, its fields borrowed from the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Says who is calling; optional.
    Hello {
        /// What the user calls itself; may be empty.
        name: &'a str,
        /// What proves it; may be empty.
        token: &'a str,
    },
    /// Asks for the caller's own id.
    Identity,
    /// Asks who else is here.
    List,
    /// Hands a body to users.
    Relay {
        /// To whom. Neither distinct nor known to exist.
        receivers: Ids<'a>,
        /// What they get.
        body: &'a [u8],
        /// Whether to answer with a status for each receiver.
        receipt: bool,
    },
    /// Asks for these bytes back, [`MAX_PING`] at most.
    Ping(&'a [u8]),
    /// Asks to be sent what is queued, then closed.
    Bye,
    /// Says that the client lives. No answer.
    Alive,
}

impl<'a> Request<'a> {
    /// Reads the payload that `header` announced.
    ///
    /// # Errors
    ///
    /// Error 1 where flags or payload do not fit the kind, 2 where it is no request, 10 where a HELLO asks for another
    /// version than [`VERSION`].
    pub fn decode(header: Header, payload: &'a [u8]) -> Result<Request<'a>, Fault> {
        let kind = Kind::of_request(header.kind).ok_or_else(|| Fault::unknown_kind(header.kind, header.tag))?;
        let malformed = |what: Misfit| Fault::malformed(kind, header.tag, what);
        let unknown = header.flags & !kind.flags();
        if unknown != 0 {
            return Err(Fault::malformed(kind, header.tag, format_args!("unknown flag {unknown:#04x}")));
        }
        let mut fields = Fields(payload);
        if kind == Kind::Hello {
            check_version(header, &mut fields)?;
        }
        let request = Self::read(kind, header.flags, &mut fields).map_err(malformed)?;
        fields.end().map_err(malformed)?;
        Ok(request)
    }

    fn read(kind: Kind, flags: u8, fields: &mut Fields<'a>) -> Result<Request<'a>, Misfit> {
        Ok(match kind {
            Kind::Hello => Request::Hello { name: fields.str8("name")?, token: fields.str16("token")? },
            Kind::Identity => Request::Identity,
            Kind::List => Request::List,
            Kind::Relay => {
                let count = fields.u16("count of receivers")?;
                let receivers = fields.ids(count.into(), "list of receivers")?;
                Request::Relay { receivers, body: fields.rest(), receipt: flags & flag::RECEIPT != 0 }
            }
            Kind::Ping => Request::Ping(fields.rest()),
            Kind::Bye => Request::Bye,
            Kind::Alive => Request::Alive,
            _ => return Err(Misfit::NoSuch("kind")),
        })
    }

    /// Appends the whole frame to `out`.
    ///
    /// # Panics
    ///
    /// Where a RELAY names over 65,535 receivers, or a payload is over 4 GiB: neither fits the protocol.
    pub fn encode(&self, tag: u16, out: &mut Vec<u8>) {
        let flags = match self {
            Request::Relay { receipt: true, .. } => flag::RECEIPT,
            _ => 0,
        };
        put_frame(out, self.kind() as u8, flags, tag, |out| self.put_payload(out));
    }

    fn put_payload(&self, out: &mut Vec<u8>) {
        match self {
            Request::Hello { name, token } => {
                out.push(VERSION);
                put_str8(out, name);
                put_str16(out, token);
            }
            Request::Relay { receivers, body, .. } => {
                let count = u16::try_from(receivers.len()).expect("a RELAY names at most 65,535 receivers");
                out.extend_from_slice(&count.to_be_bytes());
                out.extend_from_slice(receivers.as_bytes());
                out.extend_from_slice(body);
            }
            Request::Ping(body) => out.extend_from_slice(body),
            Request::Identity | Request::List | Request::Bye | Request::Alive => {}
        }
    }

    /// The kind of its frame.
    pub fn kind(&self) -> Kind {
        match self {
            Request::Hello { .. } => Kind::Hello,
            Request::Identity => Kind::Identity,
            Request::List => Kind::List,
            Request::Relay { .. } => Kind::Relay,
            Request::Ping(_) => Kind::Ping,
            Request::Bye => Kind::Bye,
            Request::Alive => Kind::Alive,
        }
    }
}

/// The version stands first in every HELLO, so that one of another version is told so whatever follows.
fn check_version(header: Header, fields: &mut Fields<'_>) -> Result<(), Fault> {
    let version = fields.u8("version").map_err(|what| Fault::malformed(Kind::Hello, header.tag, what))?;
    if version == VERSION {
        return Ok(());
    }
    let text = format!("HELLO asks for version {version}; this hub speaks {VERSION}");
    Err(Fault::new(ErrorCode::Version, header.kind, header.tag, text))
}

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

    fn encoded(request: Request<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        request.encode(0x0102, &mut out);
        out
    }

    fn decoded(bytes: &[u8]) -> Result<Request<'_>, Fault> {
        Request::decode(Header::decode(bytes).expect("a header"), &bytes[HEADER_LEN..])
    }

    fn code(bytes: &[u8]) -> Option<ErrorCode> {
        decoded(bytes).err().map(|fault| fault.code)
    }

    fn admitted(bytes: &[u8]) -> Result<Option<usize>, ErrorCode> {
        BOUNDS.admit(bytes).map_err(|fault| fault.code)
    }

    #[test]
    fn each_request_reads_back_as_itself() {
        let ids = [0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 8];
        let receivers = Ids::new(&ids).expect("two ids");
        let requests = [
            Request::Hello { name: "ann", token: "secret" },
            Request::Identity,
            Request::List,
            Request::Relay { receivers, body: b"hi", receipt: true },
            Request::Relay { receivers, body: b"", receipt: false },
            Request::Ping(b"x"),
            Request::Bye,
            Request::Alive,
        ];
        for request in requests {
            let bytes = encoded(request);
            assert_eq!(admitted(&bytes), Ok(Some(bytes.len())));
            assert_eq!(decoded(&bytes), Ok(request));
        }
    }

    #[test]
    fn a_relay_is_these_bytes() {
        let ids = [0, 0, 0, 0, 0, 0, 0, 9];
        let receivers = Ids::new(&ids).expect("one id");
        let bytes = encoded(Request::Relay { receivers, body: b"hi", receipt: true });
        assert_eq!(bytes, [4, 1, 1, 2, 0, 0, 0, 12, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, b'h', b'i']);
    }

    #[test]
    fn what_does_not_fit_is_malformed() {
        assert_eq!(code(&[3, 0, 0, 0, 0, 0, 0, 1, 0]), Some(ErrorCode::Malformed), "left over");
        assert_eq!(code(&[3, 1, 0, 0, 0, 0, 0, 0]), Some(ErrorCode::Malformed), "unknown flag");
        assert_eq!(code(&[4, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0]), Some(ErrorCode::Malformed), "half an id");
        assert_eq!(code(&[1, 0, 0, 0, 0, 0, 0, 0]), Some(ErrorCode::Malformed), "no version");
    }

    #[test]
    fn a_hello_of_another_version_is_told_so_whatever_follows() {
        assert_eq!(code(&[1, 0, 0, 0, 0, 0, 0, 2, 2, 99]), Some(ErrorCode::Version));
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
