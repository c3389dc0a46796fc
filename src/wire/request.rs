//! Requests: what a client sends.

use super::field::{COUNT_LEN, FieldError, FieldReader, put_str8, put_str16, str8_len, str16_len};
use super::header::put_frame;
use super::id::ID_LEN;
use super::{ErrorCode, Fault, Header, Ids, Kind, KindRow, Names, VERSION, flag};

/// A request. Its fields are borrowed from the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Introduces the client. Optional.
    Hello {
        /// The name that the session takes; may be empty.
        name: &'a str,
        /// Proves that the client may take it; may be empty.
        token: &'a str,
    },
    /// Asks for the session's own id.
    Identity,
    /// Asks for the ids of all other sessions.
    List,
    /// Sends a body to sessions, by their ids.
    Relay {
        /// The receivers. An id may be repeated, or be nobody's.
        receivers: Ids<'a>,
        /// What they receive.
        body: &'a [u8],
        /// Whether to reply with a status for each receiver.
        receipt: bool,
    },
    /// Sends a body to every session of each name.
    Send {
        /// The receivers. A name may be repeated, invalid, or nobody's.
        names: Names<'a>,
        /// What they receive.
        body: &'a [u8],
        /// Whether to reply with a status for each name.
        receipt: bool,
        /// Whether to store the body for names that have no session.
        store: bool,
    },
    /// Acknowledges the mail with this id, so that it is not sent again. Has no reply.
    Ack(u64),
    /// Joins a room.
    Join {
        /// Its name.
        room: &'a str,
    },
    /// Leaves a room.
    Leave {
        /// Its name.
        room: &'a str,
    },
    /// Sends a message to a room.
    Publish {
        /// Its name.
        room: &'a str,
        /// The message.
        body: &'a [u8],
        /// Whether to reply with the event's id.
        receipt: bool,
        /// Whether the sender's own session does not receive the event.
        no_echo: bool,
    },
    /// Asks for past events of a room.
    History {
        /// Its name.
        room: &'a str,
        /// Only events with a greater id than this.
        after: u64,
        /// At most this many events.
        limit: u32,
    },
    /// Asks for the members of a room.
    Who {
        /// Its name.
        room: &'a str,
    },
    /// Asks for the same bytes back, [`MAX_PING`](super::MAX_PING) at most.
    Ping(&'a [u8]),
    /// Asks the hub to send what it has queued, and then to close.
    Bye,
    /// Shows that the client is alive. Has no reply.
    Alive,
    /// Asks for the hub's counters.
    Stats,
}

impl<'a> Request<'a> {
    /// Reads the payload that `header` announced.
    ///
    /// # Errors
    ///
    /// Error 1 if the flags or the payload do not fit the kind, 2 if the kind is no request, 10 if a HELLO asks for
    /// another version than [`VERSION`].
    pub fn decode(header: Header, payload: &'a [u8]) -> Result<Request<'a>, Fault> {
        let row = KindRow::of_request(header.kind).ok_or_else(|| Fault::unknown_kind(header.kind, header.tag))?;
        let malformed = |error: FieldError| Fault::malformed(row.kind, header.tag, error);
        Fault::check_flags(row, header)?;
        let mut fields = FieldReader(payload);
        if row.kind == Kind::Hello {
            check_version(header, &mut fields)?;
        }
        let request = Self::read(row.kind, header.flags, &mut fields).map_err(malformed)?;
        fields.end().map_err(malformed)?;
        Ok(request)
    }

    fn read(kind: Kind, flags: u8, fields: &mut FieldReader<'a>) -> Result<Request<'a>, FieldError> {
        Ok(match kind {
            Kind::Hello => Request::Hello { name: fields.str8("name")?, token: fields.str16("token")? },
            Kind::Identity => Request::Identity,
            Kind::List => Request::List,
            Kind::Relay => {
                let count = fields.u16("count of receivers")?;
                let receivers = fields.ids(count.into(), "list of receivers")?;
                Request::Relay { receivers, body: fields.rest(), receipt: flags & flag::RECEIPT != 0 }
            }
            Kind::Send => {
                let count = fields.u16("count of names")?;
                let names = Names::read(count, fields)?;
                let (receipt, store) = (flags & flag::RECEIPT != 0, flags & flag::STORE != 0);
                Request::Send { names, body: fields.rest(), receipt, store }
            }
            Kind::Ack => Request::Ack(fields.u64("mail id")?),
            Kind::Join => Request::Join { room: fields.str8("room")? },
            Kind::Leave => Request::Leave { room: fields.str8("room")? },
            Kind::Publish => Request::Publish {
                room: fields.str8("room")?,
                body: fields.rest(),
                receipt: flags & flag::RECEIPT != 0,
                no_echo: flags & flag::NO_ECHO != 0,
            },
            Kind::History => Request::History {
                room: fields.str8("room")?,
                after: fields.u64("event id")?,
                limit: fields.u32("limit")?,
            },
            Kind::Who => Request::Who { room: fields.str8("room")? },
            Kind::Ping => Request::Ping(fields.rest()),
            Kind::Bye => Request::Bye,
            Kind::Alive => Request::Alive,
            Kind::Stats => Request::Stats,
            Kind::Welcome
            | Kind::IdentityReply
            | Kind::ListReply
            | Kind::RelayReceipt
            | Kind::SendReceipt
            | Kind::Joined
            | Kind::Left
            | Kind::Published
            | Kind::HistoryEnd
            | Kind::WhoReply
            | Kind::Pong
            | Kind::StatsReply
            | Kind::Deliver
            | Kind::Mail
            | Kind::Event
            | Kind::Beat
            | Kind::Closing
            | Kind::Error => return Err(FieldError::UnknownValue("kind")),
        })
    }

    /// Appends the whole frame to `out`. A name, room or token that is too long for its count is cut between
    /// characters.
    ///
    /// # Panics
    ///
    /// If a RELAY has over 65,535 receivers, or if the payload is over 4 GiB. The protocol allows neither.
    pub fn encode(&self, tag: u16, out: &mut Vec<u8>) {
        put_frame(out, self.kind(), self.flags(), tag, |out| self.put_payload(out));
    }

    fn flags(&self) -> u8 {
        let bit = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        match *self {
            Request::Relay { receipt, .. } => bit(receipt, flag::RECEIPT),
            Request::Send { receipt, store, .. } => bit(receipt, flag::RECEIPT) | bit(store, flag::STORE),
            Request::Publish { receipt, no_echo, .. } => bit(receipt, flag::RECEIPT) | bit(no_echo, flag::NO_ECHO),
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
            | Request::Stats => 0,
        }
    }

    fn put_payload(&self, out: &mut Vec<u8>) {
        match self {
            Request::Hello { name, token } => {
                out.push(VERSION);
                put_str8(out, name);
                put_str16(out, token);
            }
            Request::Relay { receivers, body, .. } => {
                let count = u16::try_from(receivers.len()).expect("a RELAY has at most 65,535 receivers");
                out.extend_from_slice(&count.to_be_bytes());
                out.extend_from_slice(receivers.as_bytes());
                out.extend_from_slice(body);
            }
            Request::Send { names, body, .. } => {
                out.extend_from_slice(&(names.len() as u16).to_be_bytes());
                out.extend_from_slice(names.as_bytes());
                out.extend_from_slice(body);
            }
            Request::Ack(mail) => out.extend_from_slice(&mail.to_be_bytes()),
            Request::Join { room } | Request::Leave { room } | Request::Who { room } => put_str8(out, room),
            Request::Publish { room, body, .. } => {
                put_str8(out, room);
                out.extend_from_slice(body);
            }
            Request::History { room, after, limit } => {
                put_str8(out, room);
                out.extend_from_slice(&after.to_be_bytes());
                out.extend_from_slice(&limit.to_be_bytes());
            }
            Request::Ping(body) => out.extend_from_slice(body),
            Request::Identity | Request::List | Request::Bye | Request::Alive | Request::Stats => {}
        }
    }

    /// The body; empty if the kind has none.
    pub fn body(&self) -> &'a [u8] {
        match *self {
            Request::Relay { body, .. }
            | Request::Send { body, .. }
            | Request::Publish { body, .. }
            | Request::Ping(body) => body,
            Request::Hello { .. }
            | Request::Identity
            | Request::List
            | Request::Ack(_)
            | Request::Join { .. }
            | Request::Leave { .. }
            | Request::History { .. }
            | Request::Who { .. }
            | Request::Bye
            | Request::Alive
            | Request::Stats => &[],
        }
    }

    /// The number of bytes that [`encode`](Request::encode) appends behind the header.
    pub fn payload_len(&self) -> usize {
        match self {
            Request::Hello { name, token } => 1 + str8_len(name) + str16_len(token),
            Request::Relay { receivers, body, .. } => COUNT_LEN + receivers.as_bytes().len() + body.len(),
            Request::Send { names, body, .. } => COUNT_LEN + names.as_bytes().len() + body.len(),
            Request::Ack(_) => ID_LEN,
            Request::Join { room } | Request::Leave { room } | Request::Who { room } => str8_len(room),
            Request::Publish { room, body, .. } => str8_len(room) + body.len(),
            Request::History { room, .. } => str8_len(room) + 8 + 4,
            Request::Ping(body) => body.len(),
            Request::Identity | Request::List | Request::Bye | Request::Alive | Request::Stats => 0,
        }
    }

    /// The kind of its frame.
    pub fn kind(&self) -> Kind {
        match self {
            Request::Hello { .. } => Kind::Hello,
            Request::Identity => Kind::Identity,
            Request::List => Kind::List,
            Request::Relay { .. } => Kind::Relay,
            Request::Send { .. } => Kind::Send,
            Request::Ack(_) => Kind::Ack,
            Request::Join { .. } => Kind::Join,
            Request::Leave { .. } => Kind::Leave,
            Request::Publish { .. } => Kind::Publish,
            Request::History { .. } => Kind::History,
            Request::Who { .. } => Kind::Who,
            Request::Ping(_) => Kind::Ping,
            Request::Bye => Kind::Bye,
            Request::Alive => Kind::Alive,
            Request::Stats => Kind::Stats,
        }
    }
}

/// The version is the first field of every HELLO, so a HELLO of another version gets error 10 whatever follows.
fn check_version(header: Header, fields: &mut FieldReader<'_>) -> Result<(), Fault> {
    let version = fields.u8("version").map_err(|error| Fault::malformed(Kind::Hello, header.tag, error))?;
    if version == VERSION {
        return Ok(());
    }
    let text = format!("HELLO: version {version} is not supported; this hub speaks version {VERSION}");
    Err(Fault::new(ErrorCode::Version, header.kind, header.tag, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Bounds, HEADER_LEN};

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

    #[test]
    fn each_request_reads_back_as_itself() {
        let ids = [0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 8];
        let receivers = Ids::new(&ids).expect("two ids");
        let names = Names::new(b"\x03ann\x03bob").expect("two names");
        let requests = [
            Request::Hello { name: "ann", token: "secret" },
            Request::Identity,
            Request::List,
            Request::Relay { receivers, body: b"hi", receipt: true },
            Request::Relay { receivers, body: b"", receipt: false },
            Request::Send { names, body: b"hi", receipt: true, store: false },
            Request::Send { names, body: b"", receipt: false, store: true },
            Request::Ack(7),
            Request::Join { room: "lobby" },
            Request::Leave { room: "" },
            Request::Publish { room: "lobby", body: b"hi", receipt: true, no_echo: false },
            Request::Publish { room: "lobby", body: b"", receipt: false, no_echo: true },
            Request::History { room: "lobby", after: 7, limit: 9 },
            Request::Who { room: "lobby" },
            Request::Ping(b"x"),
            Request::Bye,
            Request::Alive,
            Request::Stats,
        ];
        let bounds = Bounds { max_body: 1000, max_receivers: 3 };
        for request in requests {
            let bytes = encoded(request);
            assert_eq!(bounds.admit(&bytes).map(|header| header.map(Header::frame_len)), Ok(Some(bytes.len())));
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
    fn a_payload_that_does_not_fit_its_kind_is_malformed() {
        assert_eq!(code(&[3, 0, 0, 0, 0, 0, 0, 1, 0]), Some(ErrorCode::Malformed), "left over");
        assert_eq!(code(&[3, 1, 0, 0, 0, 0, 0, 0]), Some(ErrorCode::Malformed), "unknown flag");
        assert_eq!(code(&[4, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0]), Some(ErrorCode::Malformed), "half an id");
        assert_eq!(code(&[1, 0, 0, 0, 0, 0, 0, 0]), Some(ErrorCode::Malformed), "no version");
    }

    #[test]
    fn a_hello_of_another_version_is_error_10_whatever_follows() {
        assert_eq!(code(&[1, 0, 0, 0, 0, 0, 0, 2, 2, 99]), Some(ErrorCode::Version));
    }
}
