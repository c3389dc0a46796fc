//! What the hub counts. One thread adds; a copy is handed out whole.

use std::fmt;

/// Counters since the hub began, and the gauges of this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Users here now.
    pub users: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections turned away at the limit.
    pub turned_away: u64,
    /// Times that accepting rested because the machine had no descriptor or memory left.
    pub accept_rests: u64,
    /// Requests read.
    pub requests: u64,
    /// Requests answered with an error.
    pub faults: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Bodies relayed.
    pub relays: u64,
    /// Bodies queued for a receiver.
    pub deliveries: u64,
    /// Times that a user's requests had to wait for a full receiver.
    pub waits: u64,
    /// Users closed because they did not read.
    pub too_slow: u64,
    /// Turns of the loop.
    pub turns: u64,
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "users {} accepted {} turned-away {} accept-rests {} requests {} faults {} bytes-in {} bytes-out {} \
             relays {} deliveries {} waits {} too-slow {} turns {}",
            self.users,
            self.accepted,
            self.turned_away,
            self.accept_rests,
            self.requests,
            self.faults,
            self.bytes_in,
            self.bytes_out,
            self.relays,
            self.deliveries,
            self.waits,
            self.too_slow,
            self.turns
        )
    }
}
