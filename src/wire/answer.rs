//! What the hub says: replies, pushes and errors.

use super::field::{Fields, Misfit, put_str8};
use super::header::put_frame;
use super::{ErrorCode, EventRef, Fault, HEADER_LEN, Header, Ids, Kind, KindRow, Members, Status, UserId, flag};

/// What WELCOME calls this hub.
pub const SERVER: &str = concat!("cubby/", env!("CARGO_PKG_VERSION"));

/// A frame from the hub, its fields borrowed from the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// To HELLO: who you are, and what this hub allows.
    Welcome {
        /// The version spoken.
        version: u8,
        /// The caller's own id.
        user: UserId,
        /// Bytes that a body may have.
        max_body: u32,
        /// Receivers that one RELAY may name.
        max_receivers: u16,
        /// Seconds between heartbeats on a quiet connection; 0 = none.
        heartbeat_secs: u16,
        /// The name that was accepted.
        name: &'a str,
        /// What the hub is, as in `cubby/0.1.0`.
        server: &'a str,
    },
    /// To IDENTITY.
    Identity(UserId),
    /// To LIST: a part of those who are here.
    List {
        /// Ascending; the asker left out.
        users: Ids<'a>,
        /// Whether another part follows.
        more: bool,
    },
    /// To RELAY with RECEIPT: a [`Status`] byte for each receiver, in the order asked.
    Receipt(&'a [u8]),
    /// To SEND with RECEIPT: a [`Status`] byte for each name, in the order asked.
    SendReceipt(&'a [u8]),
    /// To JOIN.
    Joined {
        /// Sessions in the room, the joiner counted.
        sessions: u32,
        /// The newest event's id.
        newest: u64,
    },
    /// To LEAVE.
    Left,
    /// To PUBLISH with RECEIPT: the event's id.
    Published(u64),
    /// To HISTORY, after the events themselves.
    HistoryEnd {
        /// The oldest event kept; 0 where none is.
        oldest: u64,
        /// The newest event that there was.
        newest: u64,
        /// How many were sent.
        sent: u32,
    },
    /// To WHO: a part of those who are in the room.
    Who {
        /// Ids ascending.
        members: Members<'a>,
        /// Whether another part follows.
        more: bool,
    },
    /// To PING: the same body.
    Pong(&'a [u8]),
    /// To STATS: what the hub has counted, as one JSON object.
    Stats(&'a str),
    /// A body that somebody relayed here.
    Deliver {
        /// Who sent it.
        sender: UserId,
        /// What was sent.
        body: &'a [u8],
    },
    /// A body that somebody sent to this user's name.
    Mail {
        /// The mail's own id.
        mail: u64,
        /// When it was sent, by the hub's clock: milliseconds since 1970.
        unix_ms: u64,
        /// Who sent it.
        sender: UserId,
        /// What the sender called itself; empty where it had no name.
        name: &'a str,
        /// What was sent.
        body: &'a [u8],
        /// Whether it is kept, and sent again, until acknowledged.
        ack: bool,
    },
    /// Something happened in a room that this user is in, or was asked for by HISTORY.
    Event {
        /// What.
        event: EventRef<'a>,
        /// Whether HISTORY asked for it.
        replay: bool,
    },
    /// Nothing else was said for a heartbeat, or nothing heard for long: whoever gets it should say ALIVE.
    Beat {
        /// The hub's clock: milliseconds since 1970.
        unix_ms: u64,
    },
    /// The last frame before the hub closes for a reason that is no request's fault.
    Closing {
        /// Why.
        code: ErrorCode,
        /// Why, for a person.
        text: &'a str,
    },
    /// A request failed.
    Error {
        /// Why.
        code: ErrorCode,
        /// The kind byte of the request at fault; 0 where there is none.
        kind: u8,
        /// Whether the connection ends with it.
        fatal: bool,
        /// What was wrong, for a person.
        text: &'a str,
    },
}

impl<'a> Answer<'a> {
    /// Reads the payload that `header` announced.
    ///
    /// # Errors
    ///
    /// Error 1 where flags or payload do not fit the kind, 2 where the kind is not one that the hub says.
    pub fn decode(header: Header, payload: &'a [u8]) -> Result<Answer<'a>, Fault> {
        let row = KindRow::of(header.kind).filter(|row| !row.kind.is_request());
        let Some(row) = row else {
            let text = format!("kind {:#04x} is nothing that a hub says", header.kind);
            return Err(Fault::new(ErrorCode::UnknownKind, header.kind, header.tag, text));
        };
        let malformed = |what: Misfit| Fault::malformed(row.kind, header.tag, what);
        if header.flags & !row.flags != 0 {
            return Err(malformed(Misfit::NoSuch("flags byte")));
        }
        let mut fields = Fields(payload);
        let answer = Self::read(row.kind, header.flags, &mut fields).map_err(malformed)?;
        fields.end().map_err(malformed)?;
        Ok(answer)
    }

    fn read(kind: Kind, flags: u8, fields: &mut Fields<'a>) -> Result<Answer<'a>, Misfit> {
        Ok(match kind {
            Kind::Welcome => read_welcome(fields)?,
            Kind::IdentityReply => Answer::Identity(fields.id("user id")?),
            Kind::ListReply => Answer::List {
                users: Ids::new(fields.rest()).ok_or(Misfit::Short("list of users"))?,
                more: flags & flag::MORE != 0,
            },
            Kind::RelayReceipt => Answer::Receipt(read_statuses(fields)?),
            Kind::SendReceipt => Answer::SendReceipt(read_statuses(fields)?),
            Kind::Joined => Answer::Joined { sessions: fields.u32("sessions")?, newest: fields.u64("newest id")? },
            Kind::Left => Answer::Left,
            Kind::Published => Answer::Published(fields.u64("event id")?),
            Kind::HistoryEnd => Answer::HistoryEnd {
                oldest: fields.u64("oldest id")?,
                newest: fields.u64("newest id")?,
                sent: fields.u32("count of events")?,
            },
            Kind::WhoReply => Answer::Who { members: Members::read(fields)?, more: flags & flag::MORE != 0 },
            Kind::Pong => Answer::Pong(fields.rest()),
            Kind::StatsReply => Answer::Stats(fields.rest_text("statistics")?),
            Kind::Beat => Answer::Beat { unix_ms: fields.u64("time")? },
            Kind::Deliver => Answer::Deliver { sender: fields.id("sender")?, body: fields.rest() },
            Kind::Mail => Answer::Mail {
                mail: fields.u64("mail id")?,
                unix_ms: fields.u64("time")?,
                sender: fields.id("sender")?,
                name: fields.str8("sender's name")?,
                body: fields.rest(),
                ack: flags & flag::ACK != 0,
            },
            Kind::Event => Answer::Event { event: EventRef::read(fields)?, replay: flags & flag::REPLAY != 0 },
            Kind::Closing => Answer::Closing { code: read_code(fields)?, text: fields.str8("text")? },
            Kind::Error => Answer::Error {
                code: read_code(fields)?,
                kind: fields.u8("kind")?,
                fatal: flags & flag::FATAL != 0,
                text: fields.str8("text")?,
            },
            _ => return Err(Misfit::NoSuch("kind")),
        })
    }

    /// Appends the whole frame to `out`. Text over 255 bytes is cut between characters.
    ///
    /// # Panics
    ///
    /// Where a receipt has over 65,535 statuses, or a payload is over 4 GiB: neither fits the protocol.
    pub fn encode(&self, tag: u16, out: &mut Vec<u8>) {
        let flags = match self {
            Answer::List { more: true, .. } | Answer::Who { more: true, .. } => flag::MORE,
            Answer::Mail { ack: true, .. } => flag::ACK,
            Answer::Event { replay: true, .. } => flag::REPLAY,
            Answer::Error { fatal: true, .. } => flag::FATAL,
            _ => 0,
        };
        put_frame(out, self.kind() as u8, flags, tag, |out| self.put_payload(out));
    }

    fn put_payload(&self, out: &mut Vec<u8>) {
        match *self {
            Answer::Welcome { version, user, max_body, max_receivers, heartbeat_secs, name, server } => {
                out.push(version);
                out.extend_from_slice(&user.0.to_be_bytes());
                out.extend_from_slice(&max_body.to_be_bytes());
                out.extend_from_slice(&max_receivers.to_be_bytes());
                out.extend_from_slice(&heartbeat_secs.to_be_bytes());
                put_str8(out, name);
                put_str8(out, server);
            }
            Answer::Identity(user) => out.extend_from_slice(&user.0.to_be_bytes()),
            Answer::List { users, .. } => out.extend_from_slice(users.as_bytes()),
            Answer::Receipt(statuses) | Answer::SendReceipt(statuses) => {
                let count = u16::try_from(statuses.len()).expect("a receipt is for at most 65,535 receivers");
                out.extend_from_slice(&count.to_be_bytes());
                out.extend_from_slice(statuses);
            }
            Answer::Joined { sessions, newest } => {
                out.extend_from_slice(&sessions.to_be_bytes());
                out.extend_from_slice(&newest.to_be_bytes());
            }
            Answer::Left => {}
            Answer::Published(id) => out.extend_from_slice(&id.to_be_bytes()),
            Answer::HistoryEnd { oldest, newest, sent } => {
                out.extend_from_slice(&oldest.to_be_bytes());
                out.extend_from_slice(&newest.to_be_bytes());
                out.extend_from_slice(&sent.to_be_bytes());
            }
            Answer::Who { members, .. } => out.extend_from_slice(members.as_bytes()),
            Answer::Pong(body) => out.extend_from_slice(body),
            Answer::Stats(json) => out.extend_from_slice(json.as_bytes()),
            Answer::Beat { unix_ms } => out.extend_from_slice(&unix_ms.to_be_bytes()),
            Answer::Deliver { sender, body } => {
                out.extend_from_slice(&sender.0.to_be_bytes());
                out.extend_from_slice(body);
            }
            Answer::Mail { mail, unix_ms, sender, name, body, .. } => {
                put_mail_fields(out, mail, unix_ms, sender, name);
                out.extend_from_slice(body);
            }
            Answer::Event { event, .. } => event.put_payload(out),
            Answer::Closing { code, text } => put_error(out, code, &[], text),
            Answer::Error { code, kind, text, .. } => put_error(out, code, &[kind], text),
        }
    }

    /// The kind of its frame.
    pub fn kind(&self) -> Kind {
        match self {
            Answer::Welcome { .. } => Kind::Welcome,
            Answer::Identity(_) => Kind::IdentityReply,
            Answer::List { .. } => Kind::ListReply,
            Answer::Receipt(_) => Kind::RelayReceipt,
            Answer::SendReceipt(_) => Kind::SendReceipt,
            Answer::Joined { .. } => Kind::Joined,
            Answer::Left => Kind::Left,
            Answer::Published(_) => Kind::Published,
            Answer::HistoryEnd { .. } => Kind::HistoryEnd,
            Answer::Who { .. } => Kind::WhoReply,
            Answer::Mail { .. } => Kind::Mail,
            Answer::Event { .. } => Kind::Event,
            Answer::Stats(_) => Kind::StatsReply,
            Answer::Beat { .. } => Kind::Beat,
            Answer::Pong(_) => Kind::Pong,
            Answer::Deliver { .. } => Kind::Deliver,
            Answer::Closing { .. } => Kind::Closing,
            Answer::Error { .. } => Kind::Error,
        }
    }
}

fn read_welcome<'a>(fields: &mut Fields<'a>) -> Result<Answer<'a>, Misfit> {
    Ok(Answer::Welcome {
        version: fields.u8("version")?,
        user: fields.id("user id")?,
        max_body: fields.u32("max body")?,
        max_receivers: fields.u16("max receivers")?,
        heartbeat_secs: fields.u16("heartbeat seconds")?,
        name: fields.str8("name")?,
        server: fields.str8("server")?,
    })
}

fn read_statuses<'a>(fields: &mut Fields<'a>) -> Result<&'a [u8], Misfit> {
    let count = fields.u16("count of statuses")?;
    let statuses = fields.rest();
    match statuses.len().checked_sub(count.into()) {
        None => Err(Misfit::Short("list of statuses")),
        Some(0) if statuses.iter().all(|&byte| Status::of(byte).is_some()) => Ok(statuses),
        Some(0) => Err(Misfit::NoSuch("status")),
        Some(over) => Err(Misfit::LeftOver(over)),
    }
}

fn read_code(fields: &mut Fields<'_>) -> Result<ErrorCode, Misfit> {
    ErrorCode::of(fields.u16("code")?).ok_or(Misfit::NoSuch("code"))
}

/// The payload that CLOSING and ERROR share: code, what an ERROR has between, text.
fn put_error(out: &mut Vec<u8>, code: ErrorCode, between: &[u8], text: &str) {
    out.extend_from_slice(&(code as u16).to_be_bytes());
    out.extend_from_slice(between);
    put_str8(out, text);
}

impl<'a> From<&'a Fault> for Answer<'a> {
    fn from(fault: &'a Fault) -> Answer<'a> {
        Answer::Error { code: fault.code, kind: fault.kind, fatal: fault.code.is_fatal(), text: &fault.text }
    }
}

/// Bytes of a DELIVER before its body.
pub const DELIVER_HEAD: usize = HEADER_LEN + 8;

/// All of a DELIVER but its body of `body_len` bytes. A large body is not copied behind it but shared.
///
/// # Panics
///
/// Where the body is over 4 GiB; the hub's limits keep it far below.
pub fn deliver_head(sender: UserId, body_len: usize) -> [u8; DELIVER_HEAD] {
    let length = u32::try_from(8 + body_len).expect("a body is bounded by the limits, under 4 GiB");
    let mut head = [0; DELIVER_HEAD];
    head[..HEADER_LEN].copy_from_slice(&Header { kind: Kind::Deliver as u8, flags: 0, tag: 0, length }.encode());
    head[HEADER_LEN..].copy_from_slice(&sender.0.to_be_bytes());
    head
}

/// All of a MAIL but its body of `body_len` bytes, appended to `out`.
///
/// # Panics
///
/// Where the body is over 4 GiB; the hub's limits keep it far below.
pub fn mail_head(mail: u64, unix_ms: u64, sender: UserId, name: &str, body_len: usize, out: &mut Vec<u8>) {
    let start = out.len();
    put_frame(out, Kind::Mail as u8, 0, 0, |out| put_mail_fields(out, mail, unix_ms, sender, name));
    let length =
        u32::try_from(out.len() - start - HEADER_LEN + body_len).expect("a body is bounded by the limits, under 4 GiB");
    out[start + 4..start + HEADER_LEN].copy_from_slice(&length.to_be_bytes());
}

fn put_mail_fields(out: &mut Vec<u8>, mail: u64, unix_ms: u64, sender: UserId, name: &str) {
    out.extend_from_slice(&mail.to_be_bytes());
    out.extend_from_slice(&unix_ms.to_be_bytes());
    out.extend_from_slice(&sender.0.to_be_bytes());
    put_str8(out, name);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::EventType;

    fn encoded(answer: Answer<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        answer.encode(7, &mut out);
        out
    }

    fn decoded(bytes: &[u8]) -> Result<Answer<'_>, Fault> {
        Answer::decode(Header::decode(bytes).expect("a header"), &bytes[HEADER_LEN..])
    }

    #[test]
    fn each_answer_reads_back_as_itself() {
        let ids = [1; 16];
        let users = Ids::new(&ids).expect("two ids");
        let members = Members::new(b"\0\0\0\0\0\0\0\x09\x03ann").expect("one member");
        let (what, session) = (EventType::Message, UserId(9));
        let event = EventRef { what, id: 7, unix_ms: 8, session, room: "lobby", name: "ann", body: b"hi" };
        let answers = [
            Answer::Welcome {
                version: 1,
                user: UserId(9),
                max_body: 1,
                max_receivers: 2,
                heartbeat_secs: 3,
                name: "ann",
                server: SERVER,
            },
            Answer::Identity(UserId(9)),
            Answer::List { users, more: true },
            Answer::Receipt(&[0, 1, 2, 3, 4]),
            Answer::SendReceipt(&[0, 1]),
            Answer::Joined { sessions: 2, newest: 17 },
            Answer::Left,
            Answer::Published(18),
            Answer::HistoryEnd { oldest: 1, newest: 18, sent: 17 },
            Answer::Who { members, more: true },
            Answer::Mail { mail: 1, unix_ms: 2, sender: UserId(9), name: "ann", body: b"hi", ack: true },
            Answer::Event { event, replay: true },
            Answer::Pong(b"x"),
            Answer::Stats("{}"),
            Answer::Beat { unix_ms: 8 },
            Answer::Deliver { sender: UserId(9), body: b"hi" },
            Answer::Closing { code: ErrorCode::GoingAway, text: "bye" },
            Answer::Error { code: ErrorCode::Malformed, kind: 4, fatal: true, text: "left over" },
        ];
        for answer in answers {
            assert_eq!(decoded(&encoded(answer)), Ok(answer));
        }
    }

    #[test]
    fn an_error_is_these_bytes() {
        let fault = Fault::new(ErrorCode::TooLarge, 0x04, 0x0102, "big");
        let mut out = Vec::new();
        Answer::from(&fault).encode(fault.tag, &mut out);
        assert_eq!(out, [0xFF, 1, 1, 2, 0, 0, 0, 7, 0, 3, 4, 3, b'b', b'i', b'g']);
    }

    #[test]
    fn a_deliver_head_and_its_body_are_a_deliver() {
        let bytes = [&deliver_head(UserId(9), 2)[..], b"hi"].concat();
        assert_eq!(decoded(&bytes), Ok(Answer::Deliver { sender: UserId(9), body: b"hi" }));
    }

    #[test]
    fn a_mail_head_and_its_body_are_a_mail() {
        let mut bytes = Vec::new();
        mail_head(1, 2, UserId(9), "ann", 2, &mut bytes);
        bytes.extend(b"hi");
        let mail = Answer::Mail { mail: 1, unix_ms: 2, sender: UserId(9), name: "ann", body: b"hi", ack: false };
        assert_eq!(decoded(&bytes), Ok(mail));
    }

    #[test]
    fn a_receipt_must_have_as_many_statuses_as_it_counts() {
        assert!(decoded(&[0x84, 0, 0, 0, 0, 0, 0, 3, 0, 2, 0]).is_err());
        assert!(decoded(&[0x84, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0]).is_err());
        assert!(decoded(&[0x84, 0, 0, 0, 0, 0, 0, 3, 0, 1, 9]).is_err());
    }

    #[test]
    fn a_request_is_no_answer() {
        assert_eq!(decoded(&[2, 0, 0, 0, 0, 0, 0, 0]).map_err(|fault| fault.code), Err(ErrorCode::UnknownKind));
    }
}
