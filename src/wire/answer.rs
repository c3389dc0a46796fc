//! Answers: what the hub sends, which is replies, pushes and errors.

mod decode;
pub(super) mod encode;

use super::{ErrorCode, EventRef, Fault, Ids, Kind, Members, UserId};

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

#[cfg(test)]
mod tests;
