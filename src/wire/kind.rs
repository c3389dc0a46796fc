//! The one table of frame kinds.

/// Bits of the header's flags byte. What a bit means depends on the kind; the table says which a kind may carry.
pub mod flag {
    /// RELAY, SEND, PUBLISH: answer with a receipt.
    pub const RECEIPT: u8 = 0x01;
    /// SEND: keep it for a name that is not here.
    pub const STORE: u8 = 0x02;
    /// PUBLISH: not to the sender.
    pub const NO_ECHO: u8 = 0x02;
    /// LIST and WHO replies: another frame of the same reply follows.
    pub const MORE: u8 = 0x01;
    /// MAIL: sent again until acknowledged.
    pub const ACK: u8 = 0x01;
    /// EVENT: sent again because HISTORY asked for it.
    pub const REPLAY: u8 = 0x01;
    /// ERROR: the hub carries out no further request of this connection.
    pub const FATAL: u8 = 0x01;
}

/// What a frame is: the header's first byte.
///
/// `0x01–0x3F` are requests, `request | 0x80` is the reply, `0xC0–0xFE` are pushes, `0xFF` is an error.
/// `0x40–0x7F` are never valid, so that an HTTP request is refused on its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // the table below names each
pub enum Kind {
    Hello = 0x01,
    Identity = 0x02,
    List = 0x03,
    Relay = 0x04,
    Send = 0x05,
    Ack = 0x06,
    Join = 0x07,
    Leave = 0x08,
    Publish = 0x09,
    History = 0x0A,
    Who = 0x0B,
    Ping = 0x0C,
    Bye = 0x0D,
    Alive = 0x0E,
    Stats = 0x0F,
    Welcome = 0x81,
    IdentityReply = 0x82,
    ListReply = 0x83,
    RelayReceipt = 0x84,
    SendReceipt = 0x85,
    Joined = 0x87,
    Left = 0x88,
    Published = 0x89,
    HistoryEnd = 0x8A,
    WhoReply = 0x8B,
    Pong = 0x8C,
    StatsReply = 0x8F,
    Deliver = 0xC4,
    Mail = 0xC5,
    Event = 0xC9,
    Beat = 0xCC,
    Closing = 0xCD,
    Error = 0xFF,
}

/// One row of [`KINDS`].
#[derive(Clone, Copy, Debug)]
pub struct KindRow {
    /// The kind; its byte is `kind as u8`.
    pub kind: Kind,
    /// Its name in the protocol, and in every error text and log line.
    pub name: &'static str,
    /// The flag bits it may carry.
    pub flags: u8,
}

const fn row(kind: Kind, name: &'static str, flags: u8) -> KindRow {
    KindRow { kind, name, flags }
}

/// Every kind of the protocol, in the order of their bytes.
pub const KINDS: [KindRow; 33] = [
    row(Kind::Hello, "HELLO", 0),
    row(Kind::Identity, "IDENTITY", 0),
    row(Kind::List, "LIST", 0),
    row(Kind::Relay, "RELAY", flag::RECEIPT),
    row(Kind::Send, "SEND", flag::RECEIPT | flag::STORE),
    row(Kind::Ack, "ACK", 0),
    row(Kind::Join, "JOIN", 0),
    row(Kind::Leave, "LEAVE", 0),
    row(Kind::Publish, "PUBLISH", flag::RECEIPT | flag::NO_ECHO),
    row(Kind::History, "HISTORY", 0),
    row(Kind::Who, "WHO", 0),
    row(Kind::Ping, "PING", 0),
    row(Kind::Bye, "BYE", 0),
    row(Kind::Alive, "ALIVE", 0),
    row(Kind::Stats, "STATS", 0),
    row(Kind::Welcome, "WELCOME", 0),
    row(Kind::IdentityReply, "IDENTITY reply", 0),
    row(Kind::ListReply, "LIST reply", flag::MORE),
    row(Kind::RelayReceipt, "RELAY receipt", 0),
    row(Kind::SendReceipt, "SEND receipt", 0),
    row(Kind::Joined, "JOIN reply", 0),
    row(Kind::Left, "LEAVE reply", 0),
    row(Kind::Published, "PUBLISH receipt", 0),
    row(Kind::HistoryEnd, "HISTORY reply", 0),
    row(Kind::WhoReply, "WHO reply", flag::MORE),
    row(Kind::Pong, "PING reply", 0),
    row(Kind::StatsReply, "STATS reply", 0),
    row(Kind::Deliver, "DELIVER", 0),
    row(Kind::Mail, "MAIL", flag::ACK),
    row(Kind::Event, "EVENT", flag::REPLAY),
    row(Kind::Beat, "BEAT", 0),
    row(Kind::Closing, "CLOSING", 0),
    row(Kind::Error, "ERROR", flag::FATAL),
];

/// Where each byte stands in [`KINDS`], so that a header costs no search; beyond its end where it is no kind.
const PLACES: [u8; 256] = {
    let mut places = [u8::MAX; 256];
    let mut i = 0;
    while i < KINDS.len() {
        places[KINDS[i].kind as usize] = i as u8;
        i += 1;
    }
    places
};

impl KindRow {
    /// The row of a header's kind byte, where there is one.
    pub fn of(byte: u8) -> Option<&'static KindRow> {
        KINDS.get(usize::from(PLACES[byte as usize]))
    }

    /// Where a kind stands in [`KINDS`].
    pub fn index(kind: Kind) -> usize {
        PLACES[kind as usize].into()
    }
}

impl Kind {
    /// The kind of a request, or `None`.
    pub fn of_request(byte: u8) -> Option<Kind> {
        KindRow::of(byte).map(|row| row.kind).filter(|kind| kind.is_request())
    }

    /// Whether a client says it, and not the hub.
    pub fn is_request(self) -> bool {
        (self as u8) < FIRST_NEVER
    }

    /// Its name in the protocol.
    pub fn name(self) -> &'static str {
        KINDS[KindRow::index(self)].name
    }

    /// The flag bits it may carry.
    pub fn flags(self) -> u8 {
        KINDS[KindRow::index(self)].flags
    }
}

/// The first byte that is never a kind.
const FIRST_NEVER: u8 = 0x40;

/// Whether `byte` can not begin a frame in either direction, now or later (`0x40–0x7F`).
pub(super) fn is_never_a_kind(byte: u8) -> bool {
    (FIRST_NEVER..0x80).contains(&byte)
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
