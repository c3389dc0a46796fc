//! The table of error codes, the fault that carries one, and the statuses of a receipt.

use super::{Header, Kind, KindRow};
use std::borrow::Cow;
use std::fmt;

/// Defines [`ErrorCode`] and [`ERROR_CODES`] from the same rows, so that a code can not be missing from either.
macro_rules! error_codes {
    ($($code:ident = $number:literal, $name:literal, $is_fatal:literal;)*) => {
        /// Why a request failed, or why the hub closes a connection.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum ErrorCode {
            $(#[doc = $name] $code = $number,)*
        }

        /// Every error code, its name, and whether it ends the connection; row `n` is code `n + 1`.
        pub const ERROR_CODES: [(ErrorCode, &str, bool); [$($name),*].len()] =
            [$((ErrorCode::$code, $name, $is_fatal)),*];
    };
}

// Code, name, whether it ends the connection.
error_codes! {
    Malformed          = 1,  "malformed",            true;
    UnknownKind        = 2,  "unknown kind",         true;
    TooLarge           = 3,  "too large",            true;
    TooManyReceivers   = 4,  "too many receivers",   false;
    NotSignedIn        = 5,  "not signed in",        true;
    BadName            = 6,  "bad name",             false;
    NotInRoom          = 7,  "not in that room",     false;
    LimitReached       = 8,  "limit reached",        false;
    RateLimited        = 9,  "rate limited",         false;
    Version            = 10, "version",              true;
    GoingAway          = 11, "going away",           true;
    TooSlow            = 12, "too slow",             true;
    Idle               = 13, "idle",                 true;
    TooManyConnections = 14, "too many connections", true;
}

impl ErrorCode {
    /// The code with this number on the wire, if there is one.
    pub fn of(number: u16) -> Option<ErrorCode> {
        ERROR_CODES.get(usize::from(number).checked_sub(1)?).map(|row| row.0)
    }

    /// Its name in the protocol.
    pub fn name(self) -> &'static str {
        ERROR_CODES[self as usize - 1].1
    }

    /// Whether this error ends the connection: the hub executes no further request of it.
    pub fn is_fatal(self) -> bool {
        ERROR_CODES[self as usize - 1].2
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", *self as u16, self.name())
    }
}

/// What is wrong with a request: the fields of an ERROR frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which error.
    pub code: ErrorCode,
    /// The kind byte of the request at fault; 0 if there is none.
    pub kind: u8,
    /// The tag of that request.
    pub tag: u16,
    /// What is wrong, for a person to read.
    pub text: Cow<'static, str>,
}

impl Fault {
    /// A fault of the request with this kind byte and tag.
    pub fn new(code: ErrorCode, kind: u8, tag: u16, text: impl Into<Cow<'static, str>>) -> Fault {
        Fault { code, kind, tag, text: text.into() }
    }

    /// A kind byte that is not a request of this version.
    pub(super) fn unknown_kind(kind: u8, tag: u16) -> Fault {
        let text = match KindRow::of(kind) {
            Some(row) => format!("{}: a hub sends this, a client does not", row.name),
            None => format!("kind {kind:#04x} is not a request"),
        };
        Fault::new(ErrorCode::UnknownKind, kind, tag, text)
    }

    /// Refuses flag bits that the kind of `row` may not carry.
    #[inline]
    pub(super) fn check_flags(row: &KindRow, header: Header) -> Result<(), Fault> {
        let unknown = header.flags & !row.flags;
        if unknown == 0 { Ok(()) } else { Err(Fault::unknown_flag(row.kind, header.tag, unknown)) }
    }

    #[cold]
    fn unknown_flag(kind: Kind, tag: u16, flag: u8) -> Fault {
        Fault::malformed(kind, tag, format_args!("unknown flag {flag:#04x}"))
    }

    /// A request whose payload does not fit its kind.
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

/// What happened to a body for one receiver: a byte of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// Queued for the receiver.
    Queued = 0,
    /// The receiver is unknown, or has left.
    Unknown = 1,
    /// Refused, because the receiver's queue is full.
    Refused = 2,
    /// Stored for later.
    Stored = 3,
    /// Handed to another hub.
    Forwarded = 4,
}

impl Status {
    /// The status with this byte on the wire, if there is one.
    pub fn of(byte: u8) -> Option<Status> {
        [Status::Queued, Status::Unknown, Status::Refused, Status::Stored, Status::Forwarded]
            .get(byte as usize)
            .copied()
    }

    /// Its name, for people and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Unknown => "unknown",
            Status::Refused => "refused",
            Status::Stored => "stored",
            Status::Forwarded => "forwarded",
        }
    }

    /// Whether the body is on its way to the receiver, or stored for it.
    pub fn is_reached(self) -> bool {
        match self {
            Status::Queued | Status::Stored | Status::Forwarded => true,
            Status::Unknown | Status::Refused => false,
        }
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
