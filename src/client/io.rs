//! What all kinds of client connections share: how much is read at once, the longest payload, and what a timeout is.

use crate::wire::MAX_BODY;
use std::io;

/// Bytes read in one call.
pub const READ_BYTES: usize = 64 * 1024;

/// The longest payload accepted from a hub: the largest body, and the fields that precede it in an event.
pub const MAX_PAYLOAD: u32 = MAX_BODY + 1024;

/// Whether a call returned because its timeout passed.
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
