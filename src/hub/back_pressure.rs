//! Back-pressure: which sessions wait for a full receiver or for the next turn, and when they go on.

use super::Hub;
use super::codec::Encoding;
use super::role::Role;
use super::session::Waiter;
use super::session_id::slot_of;
use super::waits::Reason;
use crate::marks::{Mark, mark};
use crate::wire::UserId;

/// Bytes that a session that waits takes in the list of the receiver.
pub(super) const WAITER_COST: usize = size_of::<Waiter>();

impl<L> Hub<L> {
    /// Begins a turn: sessions whose requests waited for it go on, unless the hub is at its memory limit.
    pub fn begin_turn(&mut self) {
        self.budget.reset();
        self.announce_departures();
        if self.is_over_memory() {
            return;
        }
        for id in std::mem::take(&mut self.sessions.effects.postponed) {
            self.end_postponement(id);
        }
    }

    /// Resumes one session that waits for the next turn, although others have to keep waiting.
    pub fn end_postponement_of(&mut self, slot: usize) {
        if let Some(session) = self.session(slot).filter(|session| session.waits.is_blocked_by(Reason::NextTurn)) {
            let id = session.id;
            self.sessions.effects.postponed.retain(|postponed| *postponed != id);
            self.end_postponement(id);
        }
    }

    fn end_postponement(&mut self, id: UserId) {
        let slot = slot_of(id);
        if self.session(slot).is_some_and(|session| session.id == id) {
            self.sessions.unblock(slot, Reason::NextTurn);
        }
    }

    /// Postpones a session's requests to the next turn if this one has done enough, or the hub is at its memory limit.
    pub(super) fn postpone_if_spent(&mut self, slot: usize) {
        if (self.budget.is_spent() || self.is_over_memory())
            && let Some(session) = self.sessions.get_mut(slot).filter(|session| session.is_open())
            && session.waits.block(Reason::NextTurn)
        {
            mark(Mark::Postponed);
            let id = session.id;
            self.sessions.effects.postponed.push(id);
        }
    }

    /// Makes the requests of one session wait until another session is no longer full. A session may wait for itself.
    pub(super) fn wait_for(&mut self, sender: usize, receiver: usize) {
        let Some(session) = self.sessions.get_mut(sender) else { return };
        self.stats.waits += 1;
        let waiter = (session.id, session.waits.block_on_receiver());
        self.sessions[receiver].waiters.get_or_insert_default().push(waiter);
        self.account.waiters += WAITER_COST;
        self.note_structure();
    }

    /// Resumes the sessions that wait for this one.
    pub(super) fn wake_waiters(&mut self, slot: usize) {
        let waiters = self.sessions[slot].waiters.take();
        self.account.waiters -= WAITER_COST * waiters.as_ref().map_or(0, |waiters| waiters.len());
        self.note_structure();
        for (id, round) in waiters.into_iter().flat_map(|waiters| *waiters) {
            let slot = slot_of(id);
            let waiter = self.sessions.get_mut(slot).filter(|session| session.id == id);
            if waiter.is_some_and(|session| session.waits.unblock_receiver(round)) {
                self.sessions.effects.resumed.push(slot);
            }
        }
    }

    /// Forgets bytes of a session's outbox that are sent. Once a full session is down to half the limit, the sessions
    /// that waited for it are resumed. Returns whether that has just happened.
    pub fn sent(&mut self, slot: usize, bytes: usize) -> bool {
        let Some(session) = self.sessions.get_mut(slot) else { return false };
        if session.outbox.queued() > HEARTBEAT_LEN {
            self.drained += bytes as u64;
        }
        session.outbox.advance(bytes, &mut self.fan_out.pool);
        self.stats.bytes_out += bytes as u64;
        let has_drained = session.full && session.outbox.queued() <= self.limits.queue / 2;
        if has_drained {
            session.full = false;
            session.waits.wait_again();
            self.wake_waiters(slot);
        }
        has_drained
    }

    /// Ends a possible deadlock: a full session that waits for full receivers gives up, because those receivers may
    /// wait for it in turn. Every session of such a cycle is full and waits, so a limit on that wait ends every cycle.
    /// Until it is no longer full, what it sends to full receivers is refused.
    ///
    /// A session with more queued than others could have sent does not give up: it waits for itself, until it has read
    /// its own answers.
    pub fn break_deadlock(&mut self, slot: usize) {
        let Some(encoding) = self.session(slot).map(|session| session.encoding) else { return };
        let room = self.room_for_answers(encoding);
        let session = &mut self.sessions[slot];
        if session.full && session.waits_for_receiver() && session.outbox.queued() <= room {
            mark(Mark::DeadlockBroken);
            if session.waits.give_up_on_receivers() {
                self.sessions.effects.resumed.push(slot);
            }
        }
    }

    /// How many bytes may be queued for a session before its own requests wait until it has read the answers. This is
    /// more than other sessions can fill, so that they cannot block its requests: senders that have waited may fill the
    /// queue to 1.5 times the limit, and each may exceed that by one body, which may be longer in the session's
    /// encoding.
    pub(super) fn room_for_answers(&self, encoding: Encoding) -> usize {
        let body = (self.limits.max_body as usize).saturating_mul(self.fan_out.codecs.max_body_growth(encoding));
        self.limits.queue.saturating_mul(2).saturating_add(body)
    }

    /// Whether no session is left except HTTP callers for which nothing is queued.
    pub fn has_only_http_callers(&self) -> bool {
        let is_done = |role, queued| role == Role::HttpCaller && queued == 0;
        self.sessions.slab.iter().all(|(_, session)| is_done(session.role, session.outbox.queued()))
    }
}

/// Bytes of a BEAT. A BEAT with nothing else queued goes to waiting sessions as well, so sending it does not count as
/// draining.
const HEARTBEAT_LEN: usize = crate::wire::HEADER_LEN + 8;
