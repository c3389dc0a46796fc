//! Why a client could not do what it was asked.

use crate::address::AddressError;
use crate::wire::ErrorCode;
use std::fmt;
use std::io;

/// Why a client could not do what it was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is none.
    Address(AddressError),
    /// The hub could not be reached.
    Connect {
        /// Where it was looked for.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The connection broke.
    Io(io::Error),
    /// The hub did not answer in time.
    TimedOut,
    /// The hub closed the connection without a word.
    Closed,
    /// The hub closed the connection and said why.
    Closing {
        /// Why.
        code: ErrorCode,
        /// Why, for a person.
        text: String,
    },
    /// The hub refused the request.
    Refused {
        /// Why.
        code: ErrorCode,
        /// Whether the connection ended with it.
        fatal: bool,
        /// What was wrong, for a person.
        text: String,
    },
    /// The body is over the limit that the hub announced, in bytes.
    TooLarge {
        /// Bytes of the body.
        len: usize,
        /// Bytes that the hub takes.
        max: u32,
    },
    /// More receivers than the hub announced it takes, or none.
    Receivers {
        /// Receivers named.
        count: usize,
        /// Receivers that the hub takes.
        max: u16,
    },
    /// A name does not fit its field, and was not sent.
    NameTooLong {
        /// Bytes of the name.
        len: usize,
    },
    /// The other side is no hub, or one that says what this client can not read.
    NoHub(String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Address(error) => error.fmt(f),
            ClientError::Connect { address, source } => write!(f, "can not reach a hub at {address}: {source}"),
            ClientError::Io(error) => write!(f, "the connection to the hub broke: {error}"),
            ClientError::TimedOut => f.write_str("the hub did not answer in time"),
            ClientError::Closed => f.write_str("the hub closed the connection"),
            ClientError::Closing { code, text } => write!(f, "the hub closed the connection, error {code}: {text}"),
            ClientError::Refused { code, text, .. } => write!(f, "the hub refused, error {code}: {text}"),
            ClientError::TooLarge { len, max } => {
                write!(f, "the body is {len} bytes; this hub takes at most {max}")
            }
            ClientError::Receivers { count, max } => {
                write!(f, "{count} receivers are named; this hub takes 1 to {max} at once")
            }
            ClientError::NameTooLong { len } => write!(f, "the name is {len} bytes; no name has more than 255"),
            ClientError::NoHub(what) => {
                write!(f, "what answers there is no hub, or none that this client can read: {what}")
            }
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ClientError::Address(error) => Some(error),
            ClientError::Connect { source, .. } | ClientError::Io(source) => Some(source),
            _ => None,
        }
    }
}
