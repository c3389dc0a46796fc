//! Why a command failed, wholly or in part.

use cubby::ClientError;
use std::io;

/// Advice for when nothing listens at the hub's address.
const NOT_RUNNING: &str = "; is it running? start one with `cubbyd`, or name another with --hub";

/// Why a command failed, wholly or in part.
pub enum Failure {
    /// The command line is wrong.
    Usage(String),
    /// The command line of `cubby bench` is wrong.
    BenchUsage(String),
    /// The hub refused something, or the connection broke.
    Hub(ClientError),
    /// Something else went wrong.
    Other(String),
    /// Some receivers were not reached. Each of them was reported already.
    NotReached,
    /// The program that read our output has stopped. This is not an error.
    NoReader,
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        match error {
            ClientError::Address(error) => Failure::Usage(format!("the hub's address: {error}")),
            ClientError::Connect { ref source, .. } => Failure::Other(format!("{error}{}", advice(source))),
            other => Failure::Hub(other),
        }
    }
}

/// What to do if a hub cannot be connected to; empty if that is not known.
pub fn advice(source: &io::Error) -> &'static str {
    let is_absent = matches!(source.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound);
    if is_absent { NOT_RUNNING } else { "" }
}
