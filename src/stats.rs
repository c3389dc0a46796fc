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
    /// Bodies sent to names.
    pub sends: u64,
    /// Bodies queued for a receiver of a relay or a send.
    pub deliveries: u64,
    /// Rooms there are now, those counted that only have a history.
    pub rooms: u64,
    /// Events of all rooms.
    pub events: u64,
    /// Events queued for a member.
    pub event_deliveries: u64,
    /// Events that a member missed because its queue was full.
    pub events_missed: u64,
    /// Times that a user's requests had to wait for a full receiver.
    pub waits: u64,
    /// Users closed because they did not read.
    pub too_slow: u64,
    /// Turns of the loop.
    pub turns: u64,
}

impl Stats {
    /// Each of them by name, in the order above.
    pub fn fields(&self) -> [(&'static str, u64); 18] {
        [
            ("users", self.users),
            ("accepted", self.accepted),
            ("turned-away", self.turned_away),
            ("accept-rests", self.accept_rests),
            ("requests", self.requests),
            ("faults", self.faults),
            ("bytes-in", self.bytes_in),
            ("bytes-out", self.bytes_out),
            ("relays", self.relays),
            ("sends", self.sends),
            ("deliveries", self.deliveries),
            ("rooms", self.rooms),
            ("events", self.events),
            ("event-deliveries", self.event_deliveries),
            ("events-missed", self.events_missed),
            ("waits", self.waits),
            ("too-slow", self.too_slow),
            ("turns", self.turns),
        ]
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (name, value)) in self.fields().into_iter().enumerate() {
            let space = if number == 0 { "" } else { " " };
            write!(f, "{space}{name} {value}")?;
        }
        Ok(())
    }
}
