//! Answers: what the hub sends, which is replies, pushes and errors, and their bytes.

use super::field::{FieldError, FieldReader, put_str8};
use super::header::put_frame;
use super::{ErrorCode, EventRef, Fault, HEADER_LEN, Header, Ids, Kind, KindRow, Members, Status, UserId, flag};

/// The server that WELCOME names: this program and its version.
pub const SERVER: &str = concat!("cubby/", env!("CARGO_PKG_VERSION"));

/// A frame from the hub. Its fields are borrowed from the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Replies to HELLO: the session's id, and the hub's limits.
    Welcome {
        /// The version of the protocol that the hub speaks.
        version: u8,
        /// The session's own id.
        user: UserId,
        /// The largest body, in bytes.
        max_body: u32,
        /// The most receivers of one RELAY or SEND.
        max_receivers: u16,
        /// Seconds between heartbeats on a quiet connection; 0 = none.
        heartbeat_secs: u16,
        /// The name that the session has taken.
        name: &'a str,
        /// The program and its version, as in `cubby/0.1.0`.
        server: &'a str,
    },
    /// Replies to IDENTITY: the session's own id.
    Identity(UserId),
    /// Replies to LIST, once or more.
    List {
        /// Ids in ascending order, without that of the session that asked.
        users: Ids<'a>,
        /// Whether another frame of this reply follows.
        more: bool,
    },
    /// Replies to RELAY with RECEIPT: the byte of a [`Status`](super::Status) for each receiver, in the order of the
    /// request.
    Receipt(&'a [u8]),
    /// Replies to SEND with RECEIPT: the byte of a [`Status`](super::Status) for each name, in the order of the
    /// request.
    SendReceipt(&'a [u8]),
    /// Replies to JOIN.
    Joined {
        /// Sessions in the room, with the one that joined.
        sessions: u32,
        /// The id of the newest event.
        newest: u64,
        /// Tells this life of the room's ids from others; never 0.
        epoch: u64,
    },
    /// Replies to LEAVE.
    Left,
    /// Replies to PUBLISH with RECEIPT: the event's id.
    Published(u64),
    /// Replies to HISTORY, after the events.
    HistoryEnd {
        /// The id of the oldest event that the room keeps; 0 if it keeps none.
        oldest: u64,
        /// The id of the newest event of the room, kept or not.
        newest: u64,
        /// The number of events sent.
        sent: u32,
        /// Tells this life of the room's ids from others; never 0.
        epoch: u64,
    },
    /// Replies to WHO, once or more.
    Who {
        /// Members of the room, by ascending id.
        members: Members<'a>,
        /// Whether another frame of this reply follows.
        more: bool,
    },
    /// Replies to PING: the same body.
    Pong(&'a [u8]),
    /// Replies to STATS: the hub's counters as one JSON object.
    Stats(&'a str),
    /// Delivers the body of a RELAY.
    Deliver {
        /// The session that sent it.
        sender: UserId,
        /// The body.
        body: &'a [u8],
    },
    /// Delivers the body of a SEND.
    Mail {
        /// The id of this mail.
        mail: u64,
        /// The time when it was sent, by the hub's clock, in milliseconds since 1970.
        unix_ms: u64,
        /// The session that sent it.
        sender: UserId,
        /// The name of that session; empty if it has none.
        name: &'a str,
        /// The body.
        body: &'a [u8],
        /// Whether the hub keeps it, and sends it again, until it is acknowledged.
        ack: bool,
    },
    /// Reports an event of a room, live or because HISTORY asked for it.
    Event {
        /// The event.
        event: EventRef<'a>,
        /// Whether HISTORY asked for it.
        replay: bool,
    },
    /// A heartbeat, sent when either side has been silent for some time. The client should respond with ALIVE.
    Beat {
        /// The hub's clock: milliseconds since 1970.
        unix_ms: u64,
    },
    /// The last frame before the hub closes the connection, if no request is at fault.
    Closing {
        /// The reason.
        code: ErrorCode,
        /// The reason, for a person to read.
        text: &'a str,
    },
    /// Reports that a request failed.
    Error {
        /// The reason.
        code: ErrorCode,
        /// The kind byte of the request at fault; 0 if there is none.
        kind: u8,
        /// Whether the connection ends with this error.
        fatal: bool,
        /// What is wrong, for a person to read.
        text: &'a str,
    },
}

impl Answer<'_> {
    /// The kind of its frame.
    #[inline]
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

impl<'a> From<&'a Fault> for Answer<'a> {
    fn from(fault: &'a Fault) -> Answer<'a> {
        Answer::Error { code: fault.code, kind: fault.kind, fatal: fault.code.is_fatal(), text: &fault.text }
    }
}

impl<'a> Answer<'a> {
    /// Reads the payload that `header` announced.
    ///
    /// # Errors
    ///
    /// Error 1 if the flags or the payload do not fit the kind, 2 if the hub sends no such kind.
    pub fn decode(header: Header, payload: &'a [u8]) -> Result<Answer<'a>, Fault> {
        let Some(row) = KindRow::of(header.kind).filter(|row| !row.kind.is_request()) else {
            let text = format!("kind {:#04x} is not an answer", header.kind);
            return Err(Fault::new(ErrorCode::UnknownKind, header.kind, header.tag, text));
        };
        let malformed = |error: FieldError| Fault::malformed(row.kind, header.tag, error);
        Fault::check_flags(row, header)?;
        let mut fields = FieldReader(payload);
        let answer = Self::read(row.kind, header.flags, &mut fields).map_err(malformed)?;
        fields.end().map_err(malformed)?;
        Ok(answer)
    }

    fn read(kind: Kind, flags: u8, fields: &mut FieldReader<'a>) -> Result<Answer<'a>, FieldError> {
        Ok(match kind {
            Kind::Welcome => read_welcome(fields)?,
            Kind::IdentityReply => Answer::Identity(fields.id("user id")?),
            Kind::ListReply => Answer::List {
                users: Ids::new(fields.rest()).ok_or(FieldError::PastEnd("list of users"))?,
                more: flags & flag::MORE != 0,
            },
            Kind::RelayReceipt => Answer::Receipt(read_statuses(fields)?),
            Kind::SendReceipt => Answer::SendReceipt(read_statuses(fields)?),
            Kind::Joined => Answer::Joined {
                sessions: fields.u32("sessions")?,
                newest: fields.u64("newest id")?,
                epoch: fields.u64("epoch")?,
            },
            Kind::Left => Answer::Left,
            Kind::Published => Answer::Published(fields.u64("event id")?),
            Kind::HistoryEnd => read_history_end(fields)?,
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
            Kind::Hello
            | Kind::Identity
            | Kind::List
            | Kind::Relay
            | Kind::Send
            | Kind::Ack
            | Kind::Join
            | Kind::Leave
            | Kind::Publish
            | Kind::History
            | Kind::Who
            | Kind::Ping
            | Kind::Bye
            | Kind::Alive
            | Kind::Stats => return Err(FieldError::UnknownValue("kind")),
        })
    }
}

fn read_history_end<'a>(fields: &mut FieldReader<'a>) -> Result<Answer<'a>, FieldError> {
    Ok(Answer::HistoryEnd {
        oldest: fields.u64("oldest id")?,
        newest: fields.u64("newest id")?,
        sent: fields.u32("count of events")?,
        epoch: fields.u64("epoch")?,
    })
}

fn read_welcome<'a>(fields: &mut FieldReader<'a>) -> Result<Answer<'a>, FieldError> {
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

fn read_statuses<'a>(fields: &mut FieldReader<'a>) -> Result<&'a [u8], FieldError> {
    let count = fields.u16("count of statuses")?;
    let statuses = fields.rest();
    match statuses.len().checked_sub(count.into()) {
        None => Err(FieldError::PastEnd("list of statuses")),
        Some(0) if statuses.iter().all(|&byte| Status::of(byte).is_some()) => Ok(statuses),
        Some(0) => Err(FieldError::UnknownValue("status")),
        Some(over) => Err(FieldError::TrailingBytes(over)),
    }
}

fn read_code(fields: &mut FieldReader<'_>) -> Result<ErrorCode, FieldError> {
    ErrorCode::of(fields.u16("code")?).ok_or(FieldError::UnknownValue("code"))
}

impl Answer<'_> {
    /// Appends the whole frame to `out`. A text over 255 bytes is cut between characters.
    ///
    /// # Panics
    ///
    /// If a receipt has over 65,535 statuses, or if the payload is over 4 GiB. The protocol allows neither.
    #[inline]
    pub fn encode(&self, tag: u16, out: &mut Vec<u8>) {
        put_frame(out, self.kind(), self.flags(), tag, |out| self.put_payload(out));
    }

    #[inline]
    fn flags(&self) -> u8 {
        match self {
            Answer::List { more: true, .. } | Answer::Who { more: true, .. } => flag::MORE,
            Answer::Mail { ack: true, .. } => flag::ACK,
            Answer::Event { replay: true, .. } => flag::REPLAY,
            Answer::Error { fatal: true, .. } => flag::FATAL,
            Answer::List { .. }
            | Answer::Who { .. }
            | Answer::Mail { .. }
            | Answer::Event { .. }
            | Answer::Error { .. }
            | Answer::Welcome { .. }
            | Answer::Identity(_)
            | Answer::Receipt(_)
            | Answer::SendReceipt(_)
            | Answer::Joined { .. }
            | Answer::Left
            | Answer::Published(_)
            | Answer::HistoryEnd { .. }
            | Answer::Pong(_)
            | Answer::Stats(_)
            | Answer::Deliver { .. }
            | Answer::Beat { .. }
            | Answer::Closing { .. } => 0,
        }
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
                let count = u16::try_from(statuses.len()).expect("a receipt has at most 65,535 statuses");
                out.extend_from_slice(&count.to_be_bytes());
                out.extend_from_slice(statuses);
            }
            Answer::Joined { sessions, newest, epoch } => {
                out.extend_from_slice(&sessions.to_be_bytes());
                out.extend_from_slice(&newest.to_be_bytes());
                out.extend_from_slice(&epoch.to_be_bytes());
            }
            Answer::Left => {}
            Answer::Published(id) => out.extend_from_slice(&id.to_be_bytes()),
            Answer::HistoryEnd { oldest, newest, sent, epoch } => {
                out.extend_from_slice(&oldest.to_be_bytes());
                out.extend_from_slice(&newest.to_be_bytes());
                out.extend_from_slice(&sent.to_be_bytes());
                out.extend_from_slice(&epoch.to_be_bytes());
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
}

/// Appends the payload of a CLOSING or an ERROR. Only an ERROR has a field `between` code and text.
fn put_error(out: &mut Vec<u8>, code: ErrorCode, between: &[u8], text: &str) {
    out.extend_from_slice(&(code as u16).to_be_bytes());
    out.extend_from_slice(between);
    put_str8(out, text);
}

/// Bytes of a DELIVER before its body.
pub const DELIVER_HEAD: usize = HEADER_LEN + 8;

/// The bytes of a DELIVER before its body of `body_len` bytes. So a large body need not be copied for each receiver.
///
/// # Panics
///
/// If the body is over 4 GiB. The hub's limits are far below.
pub fn deliver_head(sender: UserId, body_len: usize) -> [u8; DELIVER_HEAD] {
    let length = u32::try_from(8 + body_len).expect("the limits keep a body under 4 GiB");
    let mut head = [0; DELIVER_HEAD];
    head[..HEADER_LEN].copy_from_slice(&Header { kind: Kind::Deliver as u8, flags: 0, tag: 0, length }.encode());
    head[HEADER_LEN..].copy_from_slice(&sender.0.to_be_bytes());
    head
}

/// Appends the bytes of a MAIL before its body of `body_len` bytes.
///
/// # Panics
///
/// If the body is over 4 GiB. The hub's limits are far below.
pub fn mail_head(mail: u64, unix_ms: u64, sender: UserId, name: &str, body_len: usize, out: &mut Vec<u8>) {
    let start = out.len();
    put_frame(out, Kind::Mail, 0, 0, |out| put_mail_fields(out, mail, unix_ms, sender, name));
    let length = u32::try_from(out.len() - start - HEADER_LEN + body_len).expect("the limits keep a body under 4 GiB");
    out[start + 4..start + HEADER_LEN].copy_from_slice(&length.to_be_bytes());
}

#[inline]
fn put_mail_fields(out: &mut Vec<u8>, mail: u64, unix_ms: u64, sender: UserId, name: &str) {
    out.extend_from_slice(&mail.to_be_bytes());
    out.extend_from_slice(&unix_ms.to_be_bytes());
    out.extend_from_slice(&sender.0.to_be_bytes());
    put_str8(out, name);
}

#[cfg(test)]
mod tests;
