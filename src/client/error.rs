//! Why a client could not do what it was asked.

use crate::address::AddressError;
use crate::wire::ErrorCode;
use std::fmt;
use std::io;
use std::time::Duration;

/// Why a client could not do what it was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is not valid.
    Address(AddressError),
    /// The hub could not be reached.
    Connect {
        /// The hub's address.
        address: String,
        /// The system's error.
        source: io::Error,
    },
    /// The connection broke.
    Io(io::Error),
    /// The hub did not reply in time.
    TimedOut,
    /// Nothing came from the hub for several heartbeats, and it did not answer when it was asked. The line is dead, as
    /// behind a proxy that forgot the connection.
    Silent {
        /// How long nothing came.
        silent: Duration,
    },
    /// The hub closed the connection and gave no reason.
    Closed,
    /// The hub closed the connection and gave a reason.
    Closing {
        /// The reason.
        code: ErrorCode,
        /// The reason, for a person.
        text: String,
    },
    /// The hub refused the request.
    Refused {
        /// The reason.
        code: ErrorCode,
        /// Whether the hub closed the connection as well.
        fatal: bool,
        /// What was wrong, for a person.
        text: String,
    },
    /// The body is larger than the hub accepts. It was not sent.
    TooLarge {
        /// The body's size in bytes.
        len: usize,
        /// The hub's limit in bytes.
        max: u32,
    },
    /// There are no receivers, or more than the hub accepts. Nothing was sent.
    Receivers {
        /// The number of receivers.
        count: usize,
        /// The hub's limit.
        max: u16,
    },
    /// A name does not fit its field. Nothing was sent.
    NameTooLong {
        /// The name's length in bytes.
        len: usize,
    },
    /// The hub sends more than this client keeps.
    TooMuch {
        /// Of what: of one reply, or of pushes that nobody took.
        what: &'static str,
        /// How many bytes of that are kept.
        max: usize,
    },
    /// The server is not a hub, or sends something that this client does not understand.
    NoHub(String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Address(error) => error.fmt(f),
            ClientError::Connect { address, source } => write!(f, "cannot connect to a hub at {address}: {source}"),
            ClientError::Io(error) => write!(f, "the connection to the hub broke: {error}"),
            ClientError::TimedOut => f.write_str("the hub did not reply in time"),
            ClientError::Silent { silent } => {
                let secs = silent.as_secs();
                write!(f, "the connection is lost: nothing has come from the hub for {secs} s, and it does not answer")
            }
            ClientError::Closed => f.write_str("the hub closed the connection"),
            ClientError::Closing { code, text } => write!(f, "the hub closed the connection, error {code}: {text}"),
            ClientError::Refused { code, text, .. } => write!(f, "the hub refused the request, error {code}: {text}"),
            ClientError::TooLarge { len, max } => write!(f, "the body has {len} bytes; this hub accepts at most {max}"),
            ClientError::Receivers { count, max } => {
                write!(f, "there are {count} receivers; this hub accepts 1 to {max} in one request")
            }
            ClientError::NameTooLong { len } => write!(f, "the name has {len} bytes; at most 255 are possible"),
            ClientError::TooMuch { what, max } => write!(f, "the hub sends more than {max} bytes {what}"),
            ClientError::NoHub(what) => {
                write!(f, "the server is not a Cubby hub, or not one that this client understands: {what}")
            }
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ClientError::Address(error) => Some(error),
            ClientError::Connect { source, .. } | ClientError::Io(source) => Some(source),
            ClientError::TimedOut
            | ClientError::Silent { .. }
            | ClientError::Closed
            | ClientError::Closing { .. }
            | ClientError::Refused { .. }
            | ClientError::TooLarge { .. }
            | ClientError::Receivers { .. }
            | ClientError::NameTooLong { .. }
            | ClientError::TooMuch { .. }
            | ClientError::NoHub(_) => None,
        }
    }
}
