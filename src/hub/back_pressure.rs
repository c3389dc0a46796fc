//! Back-pressure: which sessions wait for a full receiver, for their own readers or for their next share of a turn, and
//! when they go on.

use super::Hub;
use super::role::Role;
use super::session::{Session, Waiter};
use super::session_id::slot_of;
use super::waits::Reason;
use crate::marks::{Mark, mark};

/// Bytes that a session that waits takes in the list of the receiver.
pub(super) const WAITER_COST: usize = size_of::<Waiter>();

impl<L> Hub<L> {
    /// Begins a turn; `is_flushed`: all that was queued before the last turn's flush was offered to the system.
    pub fn begin_turn(&mut self, is_flushed: bool) {
        self.budget.reset(is_flushed);
        self.begin_turn_memory(is_flushed);
        self.announce_departures();
    }

    /// Begins to serve a session, while so many wait to be served, this one included: see [`TurnBudget::begin_share`].
    ///
    /// [`TurnBudget::begin_share`]: super::budget::TurnBudget::begin_share
    pub fn begin_share(&mut self, waiting: usize) {
        self.budget.begin_share(waiting);
    }

    /// Whether the loop is to read its clock: see [`TurnBudget::is_clock_due`].
    ///
    /// [`TurnBudget::is_clock_due`]: super::budget::TurnBudget::is_clock_due
    #[inline]
    pub fn is_clock_due(&mut self) -> bool {
        self.budget.is_clock_due()
    }

    /// Ends the serving of sessions for this turn, because it has taken long enough.
    pub fn end_turn_by_clock(&mut self) {
        self.budget.end_by_clock();
    }

    /// A session was served.
    pub fn end_share(&mut self, slot: usize) {
        let is_heavy = self.budget.was_heavy();
        if let Some(session) = self.sessions.get_mut(slot) {
            session.waits.set_heavy(is_heavy);
        }
    }

    /// Lets a session that cost much when it was last served wait for its share behind those that did not. Returns
    /// whether it has to.
    pub fn postpone_if_heavy(&mut self, slot: usize) -> bool {
        let is_heavy = self.sessions.get(slot).is_some_and(|session| session.waits.is_heavy() && session.is_open());
        if is_heavy {
            self.postpone(slot);
        }
        is_heavy
    }

    /// Makes a session wait for its next share, behind all that do. Returns whether it did not before.
    fn postpone(&mut self, slot: usize) -> bool {
        let session = &mut self.sessions[slot];
        let (id, is_new) = (session.id, session.waits.block(Reason::NextTurn));
        if is_new {
            self.sessions.effects.postponed.push_back(id);
        }
        is_new
    }

    /// Charges bytes that were received at once.
    #[inline]
    pub fn charge_received(&mut self, bytes: usize) {
        self.budget.charge_received(bytes);
    }

    /// Lets the session go on that has waited longest for its next share, and returns its slot.
    pub fn end_postponement(&mut self) -> Option<usize> {
        while let Some(id) = self.sessions.effects.postponed.pop_front() {
            let slot = slot_of(id);
            if let Some(session) = self.sessions.get_mut(slot).filter(|session| session.id == id)
                && session.waits.unblock(Reason::NextTurn)
            {
                return Some(slot);
            }
        }
        None
    }

    /// Postpones a session's requests if it has spent its share of this turn, or the turn what memory it may use.
    pub(super) fn postpone_if_spent(&mut self, slot: usize) {
        if (self.budget.is_share_spent() || self.is_turn_memory_spent())
            && self.sessions.get(slot).is_some_and(Session::is_open)
            && self.postpone(slot)
        {
            mark(Mark::Postponed);
        }
    }

    /// Whether a session has read so much of its own answers that more may be queued for it.
    pub(super) fn has_answer_room(&self, slot: usize) -> bool {
        let answers = self.sessions[slot].unread.bytes as usize;
        answers <= SMALL_ANSWERS || answers <= self.answer_window()
    }

    /// Whether a session has read so much of its answers that answers which it can do without are queued for it.
    pub(super) fn has_room_to_spare(&self, slot: usize) -> bool {
        self.sessions[slot].unread.bytes as usize <= SMALL_ANSWERS.max(self.answer_window() / 2)
    }

    /// Makes a session's requests wait until it has read its answers, if too much of them is unread. Returns whether
    /// they wait.
    #[inline]
    pub(super) fn wait_for_own_reader(&mut self, slot: usize) -> bool {
        if self.has_answer_room(slot) {
            return false;
        }
        if self.sessions[slot].is_open() && self.sessions[slot].waits.block(Reason::OwnAnswers) {
            mark(Mark::SelfWaits);
            self.stats.waits += 1;
            self.sessions.effects.filled.push(slot);
        }
        true
    }

    /// A session that waited for its reader has sent some bytes: it goes on once half of the window is free.
    fn end_wait_for_own_reader(&mut self, slot: usize) {
        if self.sessions[slot].waits.is_blocked_by(Reason::OwnAnswers) && self.has_room_to_spare(slot) {
            self.sessions.unblock(slot, Reason::OwnAnswers);
            self.resume_long_request(slot);
        }
    }

    /// Makes the requests of one session wait until another session is no longer full. A session may wait for itself.
    pub(super) fn wait_for(&mut self, sender: usize, receiver: usize) {
        let Some(session) = self.sessions.get_mut(sender) else { return };
        let waiter = session.id;
        session.waits.block(Reason::Receiver);
        let waiters = &mut self.sessions[receiver].seldom().waiters;
        if waiters.last() == Some(&waiter) {
            // It was woken by another receiver, and waits again.
            return;
        }
        waiters.push(waiter);
        self.account.waiters += WAITER_COST;
        self.note_structure();
    }

    /// A request that had waited was executed. If its session gave up waiting, the next request may wait again, unless
    /// the session is full itself: then it may be part of a deadlock.
    pub(super) fn end_wait(&mut self, slot: usize) {
        if let Some(session) = self.sessions.get_mut(slot).filter(|session| !session.full) {
            session.waits.wait_again();
        }
    }

    /// Resumes the sessions that wait for this one. One that gave up and waits for another one now just tries again.
    pub(super) fn wake_waiters(&mut self, slot: usize) {
        let waiters = self.sessions[slot].take_waiters();
        self.account.waiters -= WAITER_COST * waiters.len();
        self.note_structure();
        for id in waiters {
            let slot = slot_of(id);
            let waiter = self.sessions.get_mut(slot).filter(|session| session.id == id);
            if waiter.is_some_and(|session| session.waits.unblock(Reason::Receiver)) {
                self.sessions.effects.resumed.push(slot);
            }
        }
    }

    /// Forgets bytes of a session's outbox that are sent. Once a full session is down to half of the limit, the
    /// sessions that waited for it are resumed. Returns whether that has just happened.
    #[inline]
    pub fn sent(&mut self, slot: usize, bytes: usize) -> bool {
        let Some(session) = self.sessions.get_mut(slot) else { return false };
        session.outbox.advance(bytes, &mut self.fan_out.pool);
        self.stats.bytes_out += bytes as u64;
        (session.full || session.unread.bytes > 0) && self.end_waits_after_sending(slot, bytes)
    }

    /// Ends the waits that end when a session has sent so many bytes. Returns whether it was full and is not any more.
    #[inline(never)]
    fn end_waits_after_sending(&mut self, slot: usize, bytes: usize) -> bool {
        let session = &mut self.sessions.slab[slot];
        let has_drained = session.full && session.outbox.queued() <= self.sessions.queue_window / 2;
        if session.note_answers_sent(bytes) {
            self.end_wait_for_own_reader(slot);
        }
        if has_drained {
            let session = &mut self.sessions[slot];
            session.full = false;
            session.waits.wait_again();
            self.wake_waiters(slot);
        }
        has_drained
    }

    /// Ends the wait of a session for a receiver: it has lasted too long, or may be a deadlock, in which full sessions
    /// wait for each other. Full receivers refuse the request.
    pub fn give_up_on_receiver(&mut self, slot: usize) {
        if let Some(session) = self.sessions.get_mut(slot).filter(|session| session.waits_for_receiver()) {
            mark(if session.full { Mark::DeadlockBroken } else { Mark::WaitedTooLong });
            if session.waits.give_up_on_receiver() {
                self.sessions.effects.resumed.push(slot);
            }
        }
    }

    /// Whether no session is left except HTTP callers for which nothing is queued.
    pub fn has_only_http_callers(&self) -> bool {
        let is_done = |role, queued| role == Role::HttpCaller && queued == 0;
        self.sessions.slab.iter().all(|(_, session)| is_done(session.role, session.outbox.queued()))
    }
}

/// Bytes of unread answers for which no session ever waits, however little memory is left: those to the requests of one
/// packet.
const SMALL_ANSWERS: usize = 2 * 1024;
