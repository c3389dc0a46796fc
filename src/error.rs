//! Errors by whose fault they are. The peer's is a [`Fault`](crate::wire::Fault), and goes to the peer. The operator's
//! are here, and each says what to do next. Ours are panics that name the invariant they broke.

use crate::wire::ErrorCode;
use std::fmt;
use std::io;

/// A limit that no hub can keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitError {
    /// The limit's name, as its field is called, with hyphens.
    pub name: &'static str,
    /// What was asked.
    pub value: usize,
    /// The least that would do.
    pub least: usize,
    /// The most that would do.
    pub most: usize,
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LimitError { name, value, least, most } = self;
        match *most {
            usize::MAX => write!(f, "{name} is {value}, but must be at least {least}"),
            _ => write!(f, "{name} is {value}, but must be from {least} to {most}"),
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
    /// An address could not be listened on.
    Listen {
        /// The address, as it was given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused something that every hub needs (a poll descriptor).
    System(io::Error),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetupError::Limit(error) => error.fmt(f),
            SetupError::Listen { address, source } => {
                write!(f, "can not listen on {address}: {source}")?;
                what_to_do(source).map_or(Ok(()), |advice| write!(f, "; {advice}"))
            }
            SetupError::System(source) => write!(f, "the system refused a poll descriptor: {source}"),
        }
    }
}

/// What an operator can do about an address that can not be had.
fn what_to_do(source: &io::Error) -> Option<&'static str> {
    match source.kind() {
        io::ErrorKind::AddrInUse => Some("stop what is listening there, or choose another address with --listen"),
        io::ErrorKind::PermissionDenied => {
            Some("choose a port above 1023, or a path that this user may write, with --listen")
        }
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
    /// The body is over the hub's limit of so many bytes, which its clients were promised.
    TooLarge(u32),
    /// The room's name will not do, and why.
    BadName(String),
    /// The hub has as many rooms as it may, or holds as much as it may; it says which.
    LimitReached(String),
    /// So much was posted that the hub has not come to it yet.
    Busy,
    /// It was asked within a turn of the hub, on the hub's own thread, which can not wait for itself.
    WouldDeadlock,
    /// The hub has ended.
    Gone,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostError::TooLarge(limit) => write!(f, "the body is over the hub's limit of {limit} bytes"),
            HostError::BadName(why) | HostError::LimitReached(why) => f.write_str(why),
            HostError::WouldDeadlock => {
                f.write_str("the hub's own thread can not wait for the hub; ask from another thread, or use `post`")
            }
            HostError::Busy => f.write_str("the hub has not come yet to what was posted before; post less, or later"),
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
