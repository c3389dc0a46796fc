//! The memory account: how much the hub holds, its limits, and which session holds the most.
//!
//! What it holds is of two sorts. Queues and unfinished requests come and go with the traffic. The rest is
//! *structural*: memberships, rooms, names, and what else stays until a client gives it up. It may take half of the
//! limit. What rooms remember has a limit of its own.

use super::Hub;
use super::session::Session;
use crate::limits::STRUCTURAL_PART;
use crate::marks::{Mark, mark};

/// The structural part of what the hub holds: what is not kept by its owner, and the sum.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Bytes of the sessions' lists of rooms.
    pub lists: usize,
    /// Bytes of the lists of those who wait for a receiver.
    pub waiters: usize,
    /// Bytes that others hold because of clients: gateways, and queues to threads.
    pub external: usize,
    /// The sum of all structural parts.
    structural: usize,
    /// The same, but not more than these may take: what squeezes the traffic.
    charged: usize,
}

impl<L> Hub<L> {
    /// Bytes held now: queued, received and not executed yet, or structural. A frame that many sessions receive counts
    /// once.
    #[inline]
    pub fn held(&self) -> usize {
        self.in_transit() + self.account.structural
    }

    /// Bytes that are queued, or received and not executed yet.
    #[inline]
    pub fn in_transit(&self) -> usize {
        self.fan_out.pool.held() + self.unparsed
    }

    /// What is compared with the limit. Names, and the first room of each session, are not refused, so structural parts
    /// may take more than their half; but the other half is always there for queues and requests.
    #[inline]
    fn charged(&self) -> usize {
        self.in_transit() + self.account.charged
    }

    /// Bytes of memberships, rooms, names, and what else stays until a client gives it up.
    pub fn structural(&self) -> usize {
        self.account.structural
    }

    /// Sums up the structural parts, after one of them has changed.
    pub(super) fn note_structure(&mut self) {
        let Account { lists, waiters, external, .. } = self.account;
        let owners = self.rooms.held() + self.names.held() + self.departures.held();
        self.account.structural = owners + lists + waiters + external;
        self.account.charged = self.account.structural.min(self.structural_limit());
    }

    /// Notes that somebody else holds more or fewer bytes because of clients: a gateway, or a queue to a thread.
    pub fn note_external(&mut self, change: isize) {
        self.account.external = self.account.external.saturating_add_signed(change);
        self.note_structure();
    }

    /// What structural parts may take.
    fn structural_limit(&self) -> usize {
        self.limits.memory / STRUCTURAL_PART
    }

    /// Whether there is room for a further structural part of this many bytes.
    pub(super) fn has_structural_room(&self, bytes: usize) -> bool {
        self.account.structural.saturating_add(bytes) <= self.structural_limit()
    }

    /// Bytes that structural parts may still take, if the rooms without members give way.
    pub(super) fn free_for_structure(&self) -> usize {
        (self.structural_limit() + self.rooms.held_by_deserted()).saturating_sub(self.account.structural)
    }

    /// Bytes sent so far that freed memory: all but lone heartbeats.
    pub fn drained(&self) -> u64 {
        self.drained
    }

    /// Whether the hub is at its memory limit.
    pub fn is_over_memory(&self) -> bool {
        self.charged() >= self.limits.memory
    }

    /// Whether it is so far over the limit that no new request should be started.
    pub fn is_far_over_memory(&self) -> bool {
        self.charged() >= self.limits.memory.saturating_add(self.limits.memory_slack())
    }

    /// Whether it is so far over the limit that not even a request that is begun can be finished.
    pub fn is_beyond_finishing(&self) -> bool {
        self.charged() >= self.limits.memory.saturating_add(self.limits.memory_slack().saturating_mul(2))
    }

    /// Whether unparsed input takes half of the limit. Then only one unfinished frame at a time may grow, so that small
    /// requests always have room.
    pub fn is_crowded_by_input(&self) -> bool {
        self.unparsed >= self.limits.memory / 2
    }

    /// Whether queues take less than half of the limit: then only executing requests frees memory.
    pub fn is_clogged_by_input(&self) -> bool {
        self.fan_out.pool.held() < self.limits.memory / 2
    }

    /// The session for which most memory is held, open or not.
    pub fn largest_holder(&self) -> Option<usize> {
        let held = |(slot, session): (usize, &Session<L>)| (session.outbox.held() + session.unparsed(), slot);
        self.sessions.slab.iter().map(held).max().filter(|(held, _)| *held > 0).map(|(_, slot)| slot)
    }

    /// Releases what is queued for a session, except the frame that is being sent.
    pub fn truncate_outbox(&mut self, slot: usize) {
        if let Some(session) = self.sessions.get_mut(slot) {
            mark(Mark::OutboxTruncated);
            let (codecs, encoding) = (self.fan_out.codecs, session.encoding);
            session.outbox.truncate(|front| codecs.message_len(encoding, front), &mut self.fan_out.pool);
        }
    }

    /// Whether the pool holds spare memory.
    pub fn has_spare_memory(&self) -> bool {
        self.fan_out.pool.has_spare()
    }

    /// Frees spare memory that was not needed since the last call. Returns the most that outboxes held meanwhile, in
    /// bytes.
    pub fn trim_memory(&mut self) -> usize {
        self.fan_out.pool.trim()
    }

    /// Bytes that stay until clients leave: structural, of histories, and of sessions themselves.
    pub fn kept(&self) -> usize {
        self.structural() + self.rooms.history_held() + self.sessions.len() * size_of::<Session<L>>()
    }

    /// Gives back the memory of sessions, rooms and names that are gone. It takes as long as looking at each entry that
    /// the tables have room for, so it is done when most of them are vacant.
    pub fn shrink_tables(&mut self) {
        self.sessions.slab.shrink_to_fit();
        self.rooms.shrink();
        self.names.shrink();
        self.departures.shrink();
    }

    /// For how many entries there is room in the tables of sessions, rooms and names.
    #[cfg(test)]
    pub fn table_entries(&self) -> usize {
        self.sessions.slab.capacity() + self.rooms.capacity() + self.names.capacity()
    }

    /// Notes how much is held at the end of a turn.
    pub fn note_held(&mut self) {
        self.stats.most_held = self.stats.most_held.max(self.held() as u64);
    }
}
