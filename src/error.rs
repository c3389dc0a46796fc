//! Errors of the operator and of the host program. Each says what to do next. A client's errors are not here: see
//! [`Fault`](crate::wire::Fault). A bug of the hub itself is a panic that names the broken invariant.

use crate::wire::ErrorCode;
use std::fmt;
use std::io;

/// A limit that is out of range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitError {
    /// The limit's name: that of its field, with hyphens.
    pub name: &'static str,
    /// The value that was given.
    pub value: usize,
    /// The smallest valid value.
    pub least: usize,
    /// The largest valid value.
    pub most: usize,
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LimitError { name, value, least, most } = self;
        match *most {
            usize::MAX => write!(f, "{name} is {value}; it must be at least {least}"),
            _ => write!(f, "{name} is {value}; it must be from {least} to {most}"),
        }
    }
}

impl std::error::Error for LimitError {}

/// Why a hub could not be set up.
#[derive(Debug)]
#[non_exhaustive]
pub enum SetupError {
    /// A limit is out of range.
    Limit(LimitError),
    /// The hub cannot listen on an address.
    Listen {
        /// The address, as it was given.
        address: String,
        /// The system's error.
        source: io::Error,
    },
    /// The system refused a poll descriptor, which every hub needs.
    System(io::Error),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetupError::Limit(error) => error.fmt(f),
            SetupError::Listen { address, source } => {
                write!(f, "cannot listen on {address}: {source}")?;
                advice(source).map_or(Ok(()), |advice| write!(f, "; {advice}"))
            }
            SetupError::System(source) => write!(f, "the system refused a poll descriptor: {source}"),
        }
    }
}

/// What an operator can do if the hub cannot listen on an address.
fn advice(source: &io::Error) -> Option<&'static str> {
    match source.kind() {
        io::ErrorKind::AddrInUse => Some("stop the program that is listening there, or choose another address"),
        io::ErrorKind::PermissionDenied => Some("choose a port above 1023, or a path that this user may write"),
        io::ErrorKind::AddrNotAvailable => Some("choose an address of this machine, such as 127.0.0.1 or 0.0.0.0"),
        io::ErrorKind::NotFound => Some("create the directory first"),
        _ => None,
    }
}

impl std::error::Error for SetupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SetupError::Limit(error) => Some(error),
            SetupError::Listen { source, .. } | SetupError::System(source) => Some(source),
        }
    }
}

impl From<LimitError> for SetupError {
    fn from(error: LimitError) -> SetupError {
        SetupError::Limit(error)
    }
}

/// The hub that a [`Handle`](crate::Handle) belongs to has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the hub has ended")
    }
}

impl std::error::Error for Gone {}

/// Why the hub did not do what its host program asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostError {
    /// The body is larger than the hub's limit, which is given here in bytes.
    TooLarge(u32),
    /// The name is not valid; the text says why.
    BadName(String),
    /// A limit of the hub is reached; the text says which.
    LimitReached(String),
    /// The queue of requests that were posted to the hub is full.
    Busy,
    /// The request was made on the hub's own thread during a turn. The hub cannot wait for itself.
    WouldDeadlock,
    /// The hub has ended.
    Gone,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostError::TooLarge(limit) => write!(f, "the body is larger than the hub's limit of {limit} bytes"),
            HostError::BadName(why) | HostError::LimitReached(why) => f.write_str(why),
            HostError::WouldDeadlock => {
                f.write_str("the hub's own thread cannot wait for the hub; use another thread, or `post`")
            }
            HostError::Busy => f.write_str("too many requests are waiting for the hub; post less, or later"),
            HostError::Gone => Gone.fmt(f),
        }
    }
}

impl std::error::Error for HostError {}

impl From<Gone> for HostError {
    fn from(_: Gone) -> HostError {
        HostError::Gone
    }
}

impl From<(ErrorCode, String)> for HostError {
    fn from((code, why): (ErrorCode, String)) -> HostError {
        if code == ErrorCode::BadName { HostError::BadName(why) } else { HostError::LimitReached(why) }
    }
}
