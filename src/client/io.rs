//! What all kinds of client connections share: how much is read at once, how much is kept, and what a timeout is.

use crate::wire::MAX_BODY;
use std::io;
use std::time::{Duration, Instant};

/// Bytes read in one call.
pub const READ_BYTES: usize = 64 * 1024;

/// The longest payload accepted from a hub: the largest body, and the fields that precede it in an event.
pub const MAX_PAYLOAD: u32 = MAX_BODY + 1024;

/// The longest payload accepted of a frame without a body. A hub sends at most some hundred KiB of a reply in a frame.
pub const MAX_REPLY_PAYLOAD: u32 = 4 << 20;

/// The most bytes of one reply, in all its frames. A hub has at most 2^22 sessions; this is the LIST of as many ids.
pub const MAX_REPLY: usize = 32 << 20;

/// The most bytes of pushes that wait to be taken. A hub queues at most a few MiB for a client, so this is reached only
/// if the client waits for something else while very much arrives.
pub const MAX_QUEUED: usize = 64 << 20;

/// The time until a deadline, if there is one.
///
/// # Errors
///
/// `TimedOut` if it has passed.
pub fn time_left(deadline: Option<Instant>) -> io::Result<Option<Duration>> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if left.is_some_and(|left| left.is_zero()) { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Whether a call returned because its timeout passed.
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
