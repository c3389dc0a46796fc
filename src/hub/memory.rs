//! The memory account: how much the hub holds, what is left, and which session holds the most.
//!
//! What it holds is of two sorts. Queues and unfinished requests come and go with the traffic. The rest is
//! *structural*: memberships, rooms, names, and what else stays until a client gives it up. It may take half of the
//! limit. What rooms remember has a limit of its own.
//!
//! As the account fills, limits shrink for sessions that hold something, each in proportion to what is left: how much
//! of its own answers a session may leave unread, how much may be queued for it before it misses events and those who
//! write to it wait, how much of an unfinished request is read, how many rooms it may be in. So a session whose outbox
//! is nearly empty is served at any time, and however many sessions do not read, together they hold less than the
//! limit. If it is reached nevertheless, the sessions that hold most are closed.

use super::holders::class_of;
use super::{Hub, Session};
use crate::limits::{
    ANSWER_WINDOW, LOOKED_THROUGH, Limits, QUEUE_PARTS, READ_BUFFER, SHORT_QUEUE, STRUCTURAL_PART, WINDOW_PARTS,
};
use crate::marks::{Mark, mark};

/// The structural part of what the hub holds: what is not kept by its owner, and the sum.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Bytes that may be held.
    limit: usize,
    /// Bytes that may be held in this turn before further requests wait for the next one.
    turn_limit: usize,
    /// Bytes of the sessions' lists of rooms.
    pub lists: usize,
    /// Bytes of the lists of those who wait for a receiver.
    pub waiters: usize,
    /// Bytes that wait in queues to threads of the host. They are not structural.
    external: usize,
    /// The sum of all structural parts.
    structural: usize,
    /// What leaves less for the traffic: these, but not more than they may take, and `external`.
    charged: usize,
}

impl Account {
    /// The account of a hub that holds nothing.
    pub fn new(limits: &Limits) -> Account {
        let limit = limits.memory.max(limits.least_memory());
        Account { limit, turn_limit: limit, ..Account::default() }
    }
}

impl<L> Hub<L> {
    /// Bytes held now: queued, received and not executed yet, or structural. A frame that many sessions receive counts
    /// once.
    #[inline]
    pub fn held(&self) -> usize {
        self.in_transit() + self.account.structural + self.account.external
    }

    /// Bytes that are queued, or received and not executed yet.
    #[inline]
    pub fn in_transit(&self) -> usize {
        self.fan_out.pool.held() + self.unparsed
    }

    /// What is compared with the limit. Names, and the first room of each session, are not refused, so structural parts
    /// may take more than their half; but the other half is always there for queues and requests.
    #[inline]
    pub fn charged(&self) -> usize {
        self.in_transit() + self.account.charged
    }

    /// Bytes of memberships, rooms, names, and what else stays until a client gives it up.
    pub fn structural(&self) -> usize {
        self.account.structural
    }

    /// Sums up the structural parts, after one of them has changed.
    pub(super) fn note_structure(&mut self) {
        let Account { lists, waiters, .. } = self.account;
        let owners = self.rooms.held() + self.names.held() + self.departures.held();
        self.account.structural = owners + lists + waiters;
        self.account.charged = self.account.structural.min(self.structural_limit()) + self.account.external;
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

    /// Notes how many bytes are held outside the hub on behalf of its clients, such as events on their way to another
    /// thread.
    pub fn set_held_by_host(&mut self, bytes: usize) {
        self.account.external = bytes;
        self.note_structure();
    }

    /// Bytes that may be held: the limit, but at least [so many](crate::limits::Limits::least_memory).
    #[inline]
    pub fn memory_limit(&self) -> usize {
        self.account.limit
    }

    /// Bytes that may still be held.
    fn free(&self) -> usize {
        self.account.limit.saturating_sub(self.charged())
    }

    /// Whether the hub is at its memory limit.
    #[inline]
    pub fn is_over_memory(&self) -> bool {
        self.charged() >= self.account.limit
    }

    /// Begins a turn. Its requests may use up half of what is left, or a sixteenth of all: until all links are flushed
    /// it is not known who will read what is queued, and nobody should be closed because of those who do. So if the
    /// last turn has left links to flush, there is no more than was left of its own part.
    #[inline]
    pub(super) fn begin_turn_memory(&mut self, is_flushed: bool) {
        if !is_flushed {
            return;
        }
        let (limit, held) = (self.account.limit, self.charged());
        if held < limit / 2 {
            (self.account.turn_limit, self.sessions.queue_window) = (held + (limit - held) / 2, self.limits.queue);
        } else {
            self.account.turn_limit = limit.min(held + (limit.saturating_sub(held) / 2).max(limit / 16));
            self.sessions.queue_window = self.short_queue_window();
        }
    }

    /// Whether the requests of this turn have used up as much memory as they may.
    #[inline]
    pub(super) fn is_turn_memory_spent(&self) -> bool {
        self.charged() >= self.account.turn_limit
    }

    /// Bytes of its own answers that a session may leave unread before its next request is executed.
    pub(super) fn answer_window(&self) -> usize {
        ANSWER_WINDOW.min(self.limits.queue).min(self.free() / WINDOW_PARTS)
    }

    /// Bytes that a flush may leave queued for a session before it is full, once half of the memory is used: less than
    /// the limit. An eighth of the memory is out of reach for queues, and is left for those that are short.
    #[cold]
    fn short_queue_window(&self) -> usize {
        let (memory, held) = (self.account.limit, self.charged());
        let share = (memory - memory / 8).saturating_sub(held) / QUEUE_PARTS;
        share.max(SHORT_QUEUE).min(self.limits.queue)
    }

    /// Bytes of an unfinished request that are read from one session: as many as are left of the half of the memory
    /// that is for requests.
    pub fn request_window(&self) -> usize {
        (self.account.limit / 2).saturating_sub(self.unparsed).min(self.free())
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
        self.unparsed <= self.account.limit / 8 * 5
    }

    /// Whether unfinished requests take more than a quarter of the memory.
    pub fn is_much_unfinished(&self) -> bool {
        self.unparsed > self.account.limit / 4
    }

    /// A session was flushed: it is full if too much is left for the memory that there is. Files it by what it holds.
    #[inline]
    pub fn note_unsent(&mut self, slot: usize) {
        if let Some(session) = self.sessions.slab.get_mut(slot) {
            session.note_full(slot, &mut self.sessions.effects, self.sessions.queue_window);
        }
        self.note_holding(slot);
    }

    /// Files a session by what it holds, after that may have changed.
    #[inline]
    pub fn note_holding(&mut self, slot: usize) {
        if let Some(session) = self.sessions.get(slot) {
            let bound = session.outbox.bound() + session.unparsed_held();
            self.sessions.file_holder(slot, bound);
        }
    }

    /// A session of those for which most memory is held, open or not.
    pub fn largest_holder(&mut self) -> Option<usize> {
        let mut looked_at = 0;
        loop {
            let (slot, class) = self.sessions.holders.top()?;
            let session = &self.sessions[slot];
            let held = session.outbox.held() + session.unparsed_held();
            looked_at += session.outbox.segments() + 1;
            if class_of(held) + 1 >= class || looked_at > LOOKED_THROUGH {
                return Some(slot);
            }
            // Most of what is queued for it is shared with others.
            self.sessions.file_holder(slot, held);
        }
    }

    /// The sessions that hold memory, from the largest to the smallest, as they were filed.
    pub fn holders(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.sessions.holders.descending()
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
