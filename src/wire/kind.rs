//! The table of frame kinds: the byte, name, flags and payload of each. A new kind begins with a row here.

use super::field::STR8_MAX;

/// Bits of the header's flags byte. The same bit means different things in different kinds; the table says which bits a
/// kind may carry.
pub mod flag {
    /// RELAY, SEND, PUBLISH: reply with a receipt.
    pub const RECEIPT: u8 = 0x01;
    /// SEND: store the body for names that have no session.
    pub const STORE: u8 = 0x02;
    /// PUBLISH: do not send the event to the sender's own session.
    pub const NO_ECHO: u8 = 0x02;
    /// LIST and WHO replies: another frame of the same reply follows.
    pub const MORE: u8 = 0x01;
    /// MAIL: the mail is kept, and sent again, until it is acknowledged.
    pub const ACK: u8 = 0x01;
    /// EVENT: a past event, sent because HISTORY asked for it.
    pub const REPLAY: u8 = 0x01;
    /// ERROR: the hub executes no further request of this connection.
    pub const FATAL: u8 = 0x01;
}

/// The largest body of a PING, in bytes.
pub const MAX_PING: u32 = 125;

/// The longest payload of a HELLO: its version, a name of 255 bytes and a token of 65,535.
pub const HELLO_MAX_PAYLOAD: u32 = 1 + 1 + u8::MAX as u32 + 2 + u16::MAX as u32;

/// The layout of a request's payload, as far as the hub must know it before the whole payload has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    /// Nothing.
    Empty,
    /// One id.
    Id,
    /// At most this many bytes.
    UpTo(u32),
    /// A count, that number of user ids, and a body.
    IdsAndBody,
    /// A count, that number of names, and a body.
    NamesAndBody,
    /// The name of a room, and a body.
    RoomAndBody,
    /// This kind is no request: the hub sends it.
    FromHub,
}
use Payload::{Empty, FromHub, Id, IdsAndBody, NamesAndBody, RoomAndBody, UpTo};

/// One row of [`KINDS`].
#[derive(Clone, Copy, Debug)]
pub struct KindRow {
    /// The kind; its byte is `kind as u8`.
    pub kind: Kind,
    /// Its name in the protocol, in error texts and in log lines.
    pub name: &'static str,
    /// The flag bits it may carry.
    pub flags: u8,
    pub(super) payload: Payload,
}

/// Defines [`Kind`] and [`KINDS`] from the same rows, so that a kind can not be missing from either.
macro_rules! kinds {
    ($($kind:ident = $byte:literal, $name:literal, $flags:expr, $payload:expr;)*) => {
        /// What a frame is: the header's first byte.
        ///
        /// `0x01–0x3F` are requests, `request | 0x80` is the reply, `0xC0–0xFE` are pushes, and `0xFF` is an error.
        /// `0x40–0x7F` are never valid, so that an HTTP request is refused on its first byte.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Kind {
            $(#[doc = $name] $kind = $byte,)*
        }

        /// Every kind of the protocol, in the order of their bytes.
        pub const KINDS: [KindRow; [$($name),*].len()] =
            [$(KindRow { kind: Kind::$kind, name: $name, flags: $flags, payload: $payload }),*];
    };
}

// Kind, name, flags, payload.
kinds! {
    Hello         = 0x01, "HELLO",           0,                             UpTo(HELLO_MAX_PAYLOAD);
    Identity      = 0x02, "IDENTITY",        0,                             Empty;
    List          = 0x03, "LIST",            0,                             Empty;
    Relay         = 0x04, "RELAY",           flag::RECEIPT,                 IdsAndBody;
    Send          = 0x05, "SEND",            flag::RECEIPT | flag::STORE,   NamesAndBody;
    Ack           = 0x06, "ACK",             0,                             Id;
    Join          = 0x07, "JOIN",            0,                             UpTo(STR8_MAX);
    Leave         = 0x08, "LEAVE",           0,                             UpTo(STR8_MAX);
    Publish       = 0x09, "PUBLISH",         flag::RECEIPT | flag::NO_ECHO, RoomAndBody;
    History       = 0x0A, "HISTORY",         0,                             UpTo(STR8_MAX + 8 + 4);
    Who           = 0x0B, "WHO",             0,                             UpTo(STR8_MAX);
    Ping          = 0x0C, "PING",            0,                             UpTo(MAX_PING);
    Bye           = 0x0D, "BYE",             0,                             Empty;
    Alive         = 0x0E, "ALIVE",           0,                             Empty;
    Stats         = 0x0F, "STATS",           0,                             Empty;
    Welcome       = 0x81, "WELCOME",         0,                             FromHub;
    IdentityReply = 0x82, "IDENTITY reply",  0,                             FromHub;
    ListReply     = 0x83, "LIST reply",      flag::MORE,                    FromHub;
    RelayReceipt  = 0x84, "RELAY receipt",   0,                             FromHub;
    SendReceipt   = 0x85, "SEND receipt",    0,                             FromHub;
    Joined        = 0x87, "JOIN reply",      0,                             FromHub;
    Left          = 0x88, "LEAVE reply",     0,                             FromHub;
    Published     = 0x89, "PUBLISH receipt", 0,                             FromHub;
    HistoryEnd    = 0x8A, "HISTORY reply",   0,                             FromHub;
    WhoReply      = 0x8B, "WHO reply",       flag::MORE,                    FromHub;
    Pong          = 0x8C, "PING reply",      0,                             FromHub;
    StatsReply    = 0x8F, "STATS reply",     0,                             FromHub;
    Deliver       = 0xC4, "DELIVER",         0,                             FromHub;
    Mail          = 0xC5, "MAIL",            flag::ACK,                     FromHub;
    Event         = 0xC9, "EVENT",           flag::REPLAY,                  FromHub;
    Beat          = 0xCC, "BEAT",            0,                             FromHub;
    Closing       = 0xCD, "CLOSING",         0,                             FromHub;
    Error         = 0xFF, "ERROR",           flag::FATAL,                   FromHub;
}

/// The index in [`KINDS`] of each kind byte, so that finding a row takes no search. For bytes that are no kind it is
/// `u8::MAX`.
const ROW_OF_BYTE: [u8; 256] = {
    let mut rows = [u8::MAX; 256];
    let mut i = 0;
    while i < KINDS.len() {
        rows[KINDS[i].kind as usize] = i as u8;
        i += 1;
    }
    rows
};

impl KindRow {
    /// The row of a header's kind byte, if it is a kind.
    pub fn of(byte: u8) -> Option<&'static KindRow> {
        KINDS.get(usize::from(ROW_OF_BYTE[byte as usize]))
    }

    /// The row of a request's kind byte, if it is one.
    pub(super) fn of_request(byte: u8) -> Option<&'static KindRow> {
        KindRow::of(byte).filter(|row| row.kind.is_request())
    }

    /// The index of a kind in [`KINDS`].
    pub fn index(kind: Kind) -> usize {
        ROW_OF_BYTE[kind as usize].into()
    }
}

impl Kind {
    /// The kind of a request's kind byte, if it is one.
    pub fn of_request(byte: u8) -> Option<Kind> {
        KindRow::of_request(byte).map(|row| row.kind)
    }

    /// Whether a client sends this kind, and not the hub.
    pub fn is_request(self) -> bool {
        (self as u8) < FIRST_INVALID
    }

    /// Its row in [`KINDS`].
    pub(super) fn row(self) -> &'static KindRow {
        let rows: &'static [KindRow] = &KINDS;
        &rows[KindRow::index(self)]
    }

    /// Its name in the protocol.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The flag bits it may carry.
    pub fn flags(self) -> u8 {
        self.row().flags
    }
}

/// The first byte that is never a kind.
const FIRST_INVALID: u8 = 0x40;

/// Whether `byte` is a kind in neither direction, in this version and all later ones (`0x40–0x7F`).
pub(super) fn is_never_a_kind(byte: u8) -> bool {
    (FIRST_INVALID..0x80).contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_byte_order_and_finds_every_kind() {
        for pair in KINDS.windows(2) {
            assert!((pair[0].kind as u8) < pair[1].kind as u8, "{:?} before {:?}", pair[0].kind, pair[1].kind);
        }
        for row in KINDS {
            assert_eq!(KindRow::of(row.kind as u8).map(|found| found.kind), Some(row.kind));
            assert_eq!(row.kind.name(), row.name);
            assert_eq!(row.kind.is_request(), row.payload != FromHub, "{}", row.name);
        }
    }

    #[test]
    fn no_kind_lies_where_an_http_method_begins() {
        assert!(KINDS.iter().all(|row| !is_never_a_kind(row.kind as u8)));
        assert!(b"GPHDOCT".iter().all(|&letter| is_never_a_kind(letter)));
    }

    #[test]
    fn a_reply_is_its_request_with_the_top_bit_set() {
        assert_eq!(Kind::Ping as u8 | 0x80, Kind::Pong as u8);
        assert_eq!(Kind::of_request(Kind::Pong as u8), None);
    }
}
