//! Every bound in one place, each with its reason. Those that an operator may set are fields of [`Limits`]; the others
//! are constants, and what they owe one another is asserted when this file is compiled.

use crate::error::LimitError;
use crate::wire::{Bounds, HEADER_LEN, MAX_PING};
use std::time::Duration;

/// Bytes of a user's name: fits a terminal line, a log line and a str8 with room to spare.
pub const MAX_NAME: usize = 64;

/// Ids in one frame of a LIST reply: 64 KiB, so that a long list never becomes one long frame.
pub const LIST_FRAME_IDS: usize = 8192;

/// Bytes of the one buffer that every link is read into. Larger reads gain little over the kernel's own copying; this
/// size still fits the processor's second-level cache.
pub const READ_BUFFER: usize = 64 * 1024;

/// Bytes that one link may have read in a turn before the others get theirs: a few buffers, under a millisecond.
pub const READ_BUDGET: usize = 4 * READ_BUFFER;

/// Connections accepted from one listener in a turn, so that a crowd at the door does not stop those inside.
pub const ACCEPT_BUDGET: usize = 128;

/// How long accepting rests when the machine has no descriptor or memory left. It must be retried by time: an
/// edge-triggered poll does not repeat itself for the connections already waiting.
pub const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Links that may stand beyond the limit of connections, only to be told so. Further ones are closed without a word.
pub const TURNED_AWAY: usize = 64;

/// Users that fit the slot bits of an id, less those turned away.
pub const MAX_CONNECTIONS: usize = (1 << crate::hub::SLOT_BITS) - TURNED_AWAY;

/// The largest body an operator may allow: with 65,535 receivers before it, it must fit the header's u32.
pub const MAX_BODY_CEILING: u32 = 1 << 30;

/// Bodies of this many bytes or more are held once and pointed to by every outbox; smaller ones are copied into each.
/// `cargo bench --bench relay` measures both sides of the line.
pub const SHARE_FROM: usize = 4 * 1024;

/// Bytes after which an outbox starts a new run, so that what is sent is given back piece by piece.
pub const RUN_FULL: usize = 64 * 1024;

/// Bytes that a fresh run has room for: some ten small frames.
pub const RUN_ROOM: usize = 1024;

/// Bytes of runs that the hub keeps for the next outbox that needs one; beyond that they go back to the allocator.
pub const SPARE_RUNS: usize = 512 * 1024;

/// What an operator may choose. [`Limits::default`] is what PROTOCOL.md promises clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. One more is told error 14 and closed.
    pub max_connections: usize,
    /// Bytes of body in one frame; one more is error 3.
    pub max_body: u32,
    /// Receivers of one RELAY; one more is error 4.
    pub max_receivers: u16,
    /// Bytes queued for one user at which those who write to it have to wait, until it is below half.
    pub queue: usize,
    /// How long a user may stay over its queue limit, or take what is left when it is being closed.
    pub stall: Duration,
    /// How long a closed link's input is still discarded, so that a client that is still sending can read why.
    pub linger: Duration,
    /// How long all outboxes together may take to empty when the hub shuts down.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_connections: 65_536,
            max_body: 1024 * 1024,
            max_receivers: 255,
            queue: 4 * 1024 * 1024,
            stall: Duration::from_secs(10),
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// What the wire needs of them.
    pub fn bounds(&self) -> Bounds {
        Bounds { max_body: self.max_body, max_receivers: self.max_receivers }
    }

    /// Whether the hub can keep them.
    ///
    /// # Errors
    ///
    /// The first limit that it can not keep, and what would do.
    pub fn check(&self) -> Result<(), LimitError> {
        let within = |name, value: usize, least: usize, most: usize| {
            if (least..=most).contains(&value) { Ok(()) } else { Err(LimitError { name, value, least, most }) }
        };
        within("max-connections", self.max_connections, 1, MAX_CONNECTIONS)?;
        within("max-body", self.max_body as usize, 1, MAX_BODY_CEILING as usize)?;
        within("max-receivers", self.max_receivers.into(), 1, u16::MAX.into())?;
        within("queue", self.queue, self.max_body as usize, usize::MAX)
    }
}

const _: () = {
    assert!(READ_BUFFER >= HEADER_LEN + MAX_PING as usize, "control frames are carried out in place");
    assert!(READ_BUDGET >= READ_BUFFER, "a turn reads at least one buffer");
    assert!(SHARE_FROM < RUN_FULL, "a copied body fits a run");
    assert!(RUN_ROOM <= RUN_FULL && RUN_FULL <= SPARE_RUNS, "a run can be kept");
    assert!(MAX_NAME <= u8::MAX as usize, "a name is a str8");
    assert!(MAX_BODY_CEILING as u64 + 2 + 8 * u16::MAX as u64 <= u32::MAX as u64, "the longest RELAY fits its header");
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_kept() {
        assert_eq!(Limits::default().check(), Ok(()));
    }

    #[test]
    fn a_limit_that_can_not_be_kept_is_named() {
        let named = |limits: Limits| limits.check().expect_err("out of range").name;
        assert_eq!(named(Limits { max_connections: 0, ..Limits::default() }), "max-connections");
        assert_eq!(named(Limits { max_body: 0, ..Limits::default() }), "max-body");
        assert_eq!(named(Limits { max_receivers: 0, ..Limits::default() }), "max-receivers");
        assert_eq!(named(Limits { queue: 1, ..Limits::default() }), "queue");
    }
}
