//! The memory account: how much the hub holds, what is left, and which session holds the most.
//!
//! As the account fills, limits shrink for sessions that hold something, each in proportion to what is left: how much of
//! its own answers a session may leave unread, how much may be queued for it before it misses events and those who write
//! to it wait, how much of an unfinished request is read. So a session whose outbox is nearly empty is served at any
//! time, and however many sessions do not read, together they hold less than the limit. If it is reached nevertheless,
//! the sessions that hold most are closed.

use super::Hub;
use super::holders::class_of;
use crate::limits::{ANSWER_WINDOW, LOOKED_THROUGH, QUEUE_PARTS, READ_BUFFER, SHORT_QUEUE, WINDOW_PARTS};
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

    /// Bytes that may still be held.
    fn free(&self) -> usize {
        self.limits.memory.saturating_sub(self.held())
    }

    /// Whether the hub is at its memory limit.
    #[inline]
    pub fn is_over_memory(&self) -> bool {
        self.held() >= self.limits.memory
    }

    /// Bytes of its own answers that a session may leave unread before its next request is executed.
    pub(super) fn answer_window(&self) -> usize {
        ANSWER_WINDOW.min(self.limits.queue).min(self.free() / WINDOW_PARTS)
    }

    /// Bytes that may be queued for a session before it is full: less than the limit once half of the memory is used. An
    /// eighth of the memory is out of reach for queues, and is left for those that are short.
    pub(super) fn queue_window(&self) -> usize {
        let (memory, held) = (self.limits.memory, self.held());
        if held < memory / 2 {
            return self.limits.queue;
        }
        let share = (memory - memory / 8).saturating_sub(held) / QUEUE_PARTS;
        share.max(SHORT_QUEUE).min(self.limits.queue)
    }

    /// Bytes of an unfinished request that are read from one session: as many as are left of the half of the memory that
    /// is for requests.
    pub fn request_window(&self) -> usize {
        (self.limits.memory / 2).saturating_sub(self.unparsed).min(self.free())
    }

    /// Whether so much of unfinished requests is held that not every request can be finished.
    pub fn is_crowded_by_input(&self) -> bool {
        self.request_window() < self.limits.max_body as usize
    }

    /// Whether the whole of any request fits into what is free.
    pub fn can_finish_a_request(&self) -> bool {
        self.free() > self.limits.max_body as usize + READ_BUFFER
    }

    /// Whether unfinished requests take hardly more than the half of the memory that is for them.
    pub fn can_begin_another_request(&self) -> bool {
        self.unparsed <= self.limits.memory / 8 * 5
    }

    /// Whether unfinished requests take more than a quarter of the memory.
    pub fn is_much_unfinished(&self) -> bool {
        self.unparsed > self.limits.memory / 4
    }

    /// Files a session by what it holds, after that may have changed.
    #[inline]
    pub fn note_holding(&mut self, slot: usize) {
        if let Some(session) = self.sessions.get(slot) {
            let bound = session.outbox.bound() + session.unparsed_held();
            self.holders.file(&mut self.sessions, slot, bound);
        }
    }

    /// A session of those for which most memory is held, open or not.
    pub fn largest_holder(&mut self) -> Option<usize> {
        let mut looked_at = 0;
        loop {
            let (slot, class) = self.holders.top()?;
            let session = &self.sessions[slot];
            let held = session.outbox.held() + session.unparsed_held();
            looked_at += session.outbox.segments() + 1;
            if class_of(held) + 1 >= class || looked_at > LOOKED_THROUGH {
                return Some(slot);
            }
            // Most of what is queued for it is shared with others.
            self.holders.file(&mut self.sessions, slot, held);
        }
    }

    /// The sessions that hold memory, from the largest to the smallest, as they were filed.
    pub fn holders(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.holders.descending()
    }

    /// Releases what is queued for a session, except the frame that is being sent.
    pub fn truncate_outbox(&mut self, slot: usize) {
        if let Some(session) = self.sessions.get_mut(slot) {
            mark(Mark::OutboxTruncated);
            let (codecs, encoding) = (self.fan_out.codecs, session.encoding);
            session.outbox.truncate(|front| codecs.message_len(encoding, front), &mut self.fan_out.pool);
        }
    }

    /// Releases all that is queued for a session, even a frame that is being sent: its connection ends without a word.
    pub fn clear_outbox(&mut self, slot: usize) {
        if let Some(session) = self.sessions.get_mut(slot) {
            session.outbox.clear(&mut self.fan_out.pool);
            self.note_holding(slot);
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
