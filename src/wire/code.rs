//! The one table of error codes, the fault that carries one, and the statuses of a receipt.

use super::Kind;
use std::borrow::Cow;
use std::fmt;

/// Why a request failed or a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
#[allow(missing_docs)] // the table below names each
pub enum ErrorCode {
    Malformed = 1,
    UnknownKind = 2,
    TooLarge = 3,
    TooManyReceivers = 4,
    NotSignedIn = 5,
    BadName = 6,
    NotInRoom = 7,
    LimitReached = 8,
    RateLimited = 9,
    Version = 10,
    GoingAway = 11,
    TooSlow = 12,
    Idle = 13,
    TooManyConnections = 14,
}

/// Every error code, its name, and whether it ends the connection; row `n` is code `n + 1`.
pub const ERROR_CODES: [(ErrorCode, &str, bool); 14] = [
    (ErrorCode::Malformed, "malformed", true),
    (ErrorCode::UnknownKind, "unknown kind", true),
    (ErrorCode::TooLarge, "too large", true),
    (ErrorCode::TooManyReceivers, "too many receivers", false),
    (ErrorCode::NotSignedIn, "not signed in", true),
    (ErrorCode::BadName, "bad name", false),
    (ErrorCode::NotInRoom, "not in that room", false),
    (ErrorCode::LimitReached, "limit reached", false),
    (ErrorCode::RateLimited, "rate limited", false),
    (ErrorCode::Version, "version", true),
    (ErrorCode::GoingAway, "going away", true),
    (ErrorCode::TooSlow, "too slow", true),
    (ErrorCode::Idle, "idle", true),
    (ErrorCode::TooManyConnections, "too many connections", true),
];

impl ErrorCode {
    /// The code of a number on the wire, where there is one.
    pub fn of(number: u16) -> Option<ErrorCode> {
        ERROR_CODES.get(usize::from(number).checked_sub(1)?).map(|row| row.0)
    }

    /// Its name in the protocol.
    pub fn name(self) -> &'static str {
        ERROR_CODES[self as usize - 1].1
    }

    /// Whether the hub carries out no further request of the connection.
    pub fn is_fatal(self) -> bool {
        ERROR_CODES[self as usize - 1].2
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", *self as u16, self.name())
    }
}

/// What a peer did wrong: all that an ERROR frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which error.
    pub code: ErrorCode,
    /// The kind byte of the request at fault; 0 where there is none.
    pub kind: u8,
    /// The request's tag, echoed.
    pub tag: u16,
    /// What was wrong, for a person.
    pub text: Cow<'static, str>,
}

impl Fault {
    /// A fault of the request with this kind byte and tag.
    pub fn new(code: ErrorCode, kind: u8, tag: u16, text: impl Into<Cow<'static, str>>) -> Fault {
        Fault { code, kind, tag, text: text.into() }
    }

    /// A kind byte that is not a request of this version.
    pub(super) fn unknown_kind(kind: u8, tag: u16) -> Fault {
        let text = match super::KindRow::of(kind) {
            Some(row) => format!("{} is for the hub to say, not for a client", row.name),
            None => format!("kind {kind:#04x} is not a request"),
        };
        Fault::new(ErrorCode::UnknownKind, kind, tag, text)
    }

    /// A payload that the fields of `kind` do not fit.
    pub(super) fn malformed(kind: Kind, tag: u16, what: impl fmt::Display) -> Fault {
        Fault::new(ErrorCode::Malformed, kind as u8, tag, format!("{}: {what}", kind.name()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {}: {}", self.code, self.text)
    }
}

impl std::error::Error for Fault {}

/// What became of a body for one receiver: a byte of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// Queued for the receiver.
    Queued = 0,
    /// Unknown, or gone.
    Unknown = 1,
    /// Refused: its queue is full.
    Refused = 2,
    /// Stored for later.
    Stored = 3,
    /// Handed to another hub.
    Forwarded = 4,
}

impl Status {
    /// The status of a byte on the wire, where there is one.
    pub fn of(byte: u8) -> Option<Status> {
        [Status::Queued, Status::Unknown, Status::Refused, Status::Stored, Status::Forwarded]
            .get(byte as usize)
            .copied()
    }

    /// Its name, as people and JSON read it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Unknown => "unknown",
            Status::Refused => "refused",
            Status::Stored => "stored",
            Status::Forwarded => "forwarded",
        }
    }

    /// Whether the body is on its way or kept, rather than lost to this receiver.
    pub fn is_reached(self) -> bool {
        !matches!(self, Status::Unknown | Status::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_n_of_the_table_is_code_n_plus_one() {
        for (i, row) in ERROR_CODES.iter().enumerate() {
            assert_eq!(row.0 as usize, i + 1);
            assert_eq!(ErrorCode::of(row.0 as u16), Some(row.0));
        }
        assert_eq!(ErrorCode::of(0), None);
        assert_eq!(ErrorCode::of(15), None);
    }

    #[test]
    fn the_codes_that_end_a_connection_are_those_of_the_protocol() {
        let fatal: Vec<u16> = (1..=14).filter(|&n| ErrorCode::of(n).is_some_and(ErrorCode::is_fatal)).collect();
        assert_eq!(fatal, [1, 2, 3, 5, 10, 11, 12, 13, 14]);
    }

    #[test]
    fn statuses_go_there_and_back() {
        for byte in 0..=4 {
            assert_eq!(Status::of(byte).map(|status| status as u8), Some(byte));
        }
        assert_eq!(Status::of(5), None);
    }
}
