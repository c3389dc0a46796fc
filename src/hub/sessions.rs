//! All sessions, by slot, and what the loop has to do for them.

use super::codec::Protocol;
use super::effects::Effects;
use super::holders::{Holder, HolderSlots, Holders};
use super::remote_addr::RemoteAddr;
use super::session::{Dirty, Session, UnreadAnswers};
use super::session_id::{slot_of, user_id};
use super::waits::Reason;
use crate::limits::SLOT_BITS;
use crate::marks::{Mark, mark};
use crate::wire::UserId;
use slab::Slab;
use std::ops::{Index, IndexMut};

/// The slab of sessions.
///
/// All code that appends to an outbox uses [`append`](Sessions::append), or calls
/// [`note_queued`](Sessions::note_queued) afterwards. This puts the session on the list to flush, and checks whether it
/// is full.
#[derive(Debug)]
pub(super) struct Sessions<L> {
    pub slab: Slab<Session<L>>,
    pub effects: Effects,
    /// Bytes queued for a session beyond which it is full.
    pub queue_limit: usize,
    /// Bytes that a flush may leave queued for a session, or it is full: less than the limit under memory pressure.
    /// What came in this turn does not count, so a session that reads everything is not full.
    pub queue_window: usize,
    /// Those that hold memory.
    pub holders: Holders,
    /// The number of the last id given. It is never reset, so that no id is given twice.
    pub generation: u32,
}

impl<L> Sessions<L> {
    pub fn new(queue_limit: usize) -> Sessions<L> {
        Sessions {
            slab: Slab::new(),
            effects: Effects::default(),
            queue_limit,
            queue_window: queue_limit,
            holders: Holders::default(),
            generation: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.slab.len()
    }

    #[inline]
    pub fn get(&self, slot: usize) -> Option<&Session<L>> {
        self.slab.get(slot)
    }

    #[inline]
    pub fn get_mut(&mut self, slot: usize) -> Option<&mut Session<L>> {
        self.slab.get_mut(slot)
    }

    /// Whether all four billion ids have been given.
    pub fn is_out_of_ids(&self) -> bool {
        self.generation == u32::MAX
    }

    /// An id that no session given an id so far exceeds.
    pub fn newest_id(&self) -> UserId {
        user_id(self.generation, (1 << SLOT_BITS) - 1)
    }

    /// The ids of all users but the one in `slot`, in no order.
    pub fn others(&self, slot: usize) -> impl Iterator<Item = UserId> {
        let others = self.slab.iter().filter(move |(key, session)| *key != slot && session.is_addressable());
        others.map(|(_, session)| session.id)
    }

    /// Adds a session with a new id. There must be an id left.
    pub fn insert(&mut self, remote: RemoteAddr, protocol: Protocol, link: L) -> usize {
        self.generation += 1;
        let vacant = self.slab.vacant_entry();
        let slot = vacant.key();
        vacant.insert(Session::new(user_id(self.generation, slot), remote, protocol, link));
        slot
    }

    /// Gives a session another id. Returns whether there was one left.
    pub fn renew_id(&mut self, slot: usize) -> bool {
        let Some(generation) = self.generation.checked_add(1) else { return false };
        self.generation = generation;
        self.slab[slot].id = user_id(generation, slot);
        true
    }

    /// The session with this id, with its slot, if others can send to it.
    #[inline]
    pub fn addressable(&mut self, id: UserId) -> Option<(usize, &mut Session<L>)> {
        let slot = slot_of(id);
        let found = |session: &&mut Session<L>| session.id == id && session.is_addressable();
        self.slab.get_mut(slot).filter(found).map(|session| (slot, session))
    }

    /// Lets `write` append to a session's outbox, if there is such a session. Returns how many bytes that were.
    #[inline]
    pub fn append(&mut self, slot: usize, write: impl FnOnce(&mut Session<L>)) -> Option<usize> {
        let session = self.slab.get_mut(slot)?;
        let before = session.outbox.queued();
        write(session);
        let len = session.outbox.queued() - before;
        self.note_queued(slot);
        Some(len)
    }

    /// Notes that something was appended to a session's outbox: it is to be flushed, and may have become full.
    #[inline]
    pub fn note_queued(&mut self, slot: usize) {
        self.slab[slot].note_queued(slot, &mut self.effects, self.queue_limit);
    }

    /// Puts a session on the list of those to flush, once.
    pub fn mark_dirty(&mut self, slot: usize) {
        if let Some(session) = self.slab.get_mut(slot).filter(|session| session.dirty == Dirty::No) {
            session.dirty = Dirty::Listed;
            self.effects.dirty.push(slot);
        }
    }

    /// Lets `write` append an answer to a request of this session, if there is such a session. Returns how many bytes
    /// it has.
    #[inline]
    pub fn answer(&mut self, slot: usize, write: impl FnOnce(&mut Session<L>)) -> Option<usize> {
        let session = self.slab.get_mut(slot)?;
        let before = session.outbox.queued();
        write(session);
        session.note_answer(before);
        let len = session.outbox.queued() - before;
        if session.dirty != Dirty::Answered {
            session.dirty = Dirty::Answered;
            self.effects.answered.push(slot);
        }
        self.note_queued(slot);
        Some(len)
    }

    /// Files a session by the bytes of memory that it holds.
    #[inline]
    pub fn file_holder(&mut self, slot: usize, bytes: usize) {
        self.holders.file(&mut self.slab, slot, bytes);
    }

    /// Removes a reason to wait. If it was the last one, the session is resumed.
    pub fn unblock(&mut self, slot: usize, reason: Reason) {
        if self.slab[slot].waits.unblock(reason) {
            self.effects.resumed.push(slot);
        }
    }
}

impl<L> Session<L> {
    /// See [`Sessions::note_queued`].
    #[inline]
    pub(super) fn note_queued(&mut self, slot: usize, effects: &mut Effects, queue_limit: usize) {
        if self.dirty == Dirty::No {
            self.dirty = Dirty::Listed;
            effects.dirty.push(slot);
        }
        self.note_full(slot, effects, queue_limit);
    }

    /// Notes that a session is full if more than this is queued for it.
    #[inline]
    pub(super) fn note_full(&mut self, slot: usize, effects: &mut Effects, limit: usize) {
        if self.outbox.queued() > limit && !self.full && self.is_open() {
            mark(Mark::SessionFull);
            self.full = true;
            effects.filled.push(slot);
        }
    }

    /// Notes that what its outbox has beyond `before` bytes are answers to its own requests.
    #[inline]
    pub(super) fn note_answer(&mut self, before: usize) {
        let queued = self.outbox.queued();
        self.unread =
            UnreadAnswers { bytes: self.unread.bytes.saturating_add((queued - before) as u32), end: queued as u32 };
    }

    /// Notes that the oldest bytes of its outbox are sent. Returns whether answers were among them.
    #[inline]
    pub(super) fn note_answers_sent(&mut self, bytes: usize) -> bool {
        let UnreadAnswers { bytes: unread, end } = self.unread;
        if unread == 0 {
            return false;
        }
        let end = end.saturating_sub(bytes as u32);
        self.unread = UnreadAnswers { bytes: unread.min(end), end };
        true
    }
}

impl<L> HolderSlots for Slab<Session<L>> {
    fn holder(&mut self, slot: u32) -> &mut Holder {
        &mut self[slot as usize].places.holder
    }
}

impl<L> Index<usize> for Sessions<L> {
    type Output = Session<L>;

    #[inline]
    fn index(&self, slot: usize) -> &Session<L> {
        &self.slab[slot]
    }
}

impl<L> IndexMut<usize> for Sessions<L> {
    #[inline]
    fn index_mut(&mut self, slot: usize) -> &mut Session<L> {
        &mut self.slab[slot]
    }
}
