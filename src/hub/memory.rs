//! The memory account: how much the hub holds, its limit, and which session holds the most.

use super::Hub;
use super::session::Session;
use crate::marks::{Mark, mark};

impl<L> Hub<L> {
    /// Bytes held now: queued, received and not executed yet, or on their way to a listener. A frame that many sessions
    /// receive counts once.
    pub fn held(&self) -> usize {
        self.fan_out.pool.held() + self.unparsed + self.held_by_host
    }

    /// Notes how many bytes are held outside the hub on behalf of its clients, such as events on their way to another
    /// thread.
    pub fn set_held_by_host(&mut self, bytes: usize) {
        self.held_by_host = bytes;
    }

    /// Bytes sent so far that freed memory: all but lone heartbeats.
    pub fn drained(&self) -> u64 {
        self.drained
    }

    /// Whether the hub is at its memory limit.
    pub fn is_over_memory(&self) -> bool {
        self.held() >= self.limits.memory
    }

    /// Whether it is so far over the limit that no new request should be started.
    pub fn is_far_over_memory(&self) -> bool {
        self.held() >= self.limits.memory.saturating_add(self.limits.memory_slack())
    }

    /// Whether it is so far over the limit that not even a request that is begun can be finished.
    pub fn is_beyond_finishing(&self) -> bool {
        self.held() >= self.limits.memory.saturating_add(self.limits.memory_slack().saturating_mul(2))
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
        let held = |(slot, session): (usize, &Session<L>)| (session.outbox.held() + session.unparsed_held(), slot);
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

    /// Notes how much is held at the end of a turn.
    pub fn note_held(&mut self) {
        self.stats.most_held = self.stats.most_held.max(self.held() as u64);
    }
}
