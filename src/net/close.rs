//! How a link ends, and how the whole loop does.
//!
//! A session departs (BYE, the end of its stream, a fatal fault, too slow, the hub shuts down). What is queued for it
//! is sent, as long as its peer reads. Then our side of the link is shut; the peer ends its side too, or its time is
//! over; the link is removed at the end of the turn.

use super::link::{Condition, Inbound, Stage};
use super::timeouts::Timeout;
use super::{Loop, Os};
use crate::hub::{Gateway, Role, Session};
use crate::marks::{Mark, mark};
use crate::wire::ErrorCode;

impl<O: Os, G: Gateway> Loop<O, G> {
    /// Begins to shut down: no connection is admitted any more, all sessions are told, and what is queued is sent.
    pub fn drain(&mut self) {
        if self.drain_deadline.is_some() {
            return;
        }
        self.os.stop_listening();
        self.acceptor.keep_only(|listener| self.os.protocol(listener).role == Role::HttpCaller);
        self.tick();
        self.drain_deadline = Some(self.now + self.hub.limits().drain);
        self.hub.close_all(ErrorCode::GoingAway, "the hub is shutting down");
        for slot in self.hub.slots().collect::<Vec<_>>() {
            if self.hub.session(slot).is_some_and(|session| session.link.stage == Stage::Lingering) {
                self.start_timeout(slot, Timeout::ShutdownLinger);
            }
        }
    }

    /// Whether it was told to shut down, and either only HTTP callers are left to send to, or the time for it is over.
    pub fn is_drained(&self) -> bool {
        self.drain_deadline.is_some_and(|at| self.now >= at || self.hub.has_only_http_callers())
    }

    /// Starts the timeout of sessions that have become full, closes those that are to be closed for that, and moves
    /// those that have departed a step nearer to their end.
    pub(super) fn handle_full_and_departed(&mut self) {
        while let Some(slot) = self.hub.effects_mut().filled.pop() {
            if self.is_full_and_present(slot) {
                self.start_timeout(slot, Timeout::Stall);
                self.update_reading_timeout(slot, false);
            }
        }
        while let Some(slot) = self.hub.effects_mut().overflowed.pop() {
            if self.is_full_and_present(slot) {
                mark(Mark::FullAndClosed);
                self.close_too_slow(slot);
            }
        }
        while let Some(slot) = self.hub.effects_mut().departed.pop() {
            self.begin_to_close(slot);
        }
    }

    /// Whether a session is full still, after the flush of this turn.
    fn is_full_and_present(&self, slot: usize) -> bool {
        self.hub.session(slot).is_some_and(|session| session.is_full() && session.is_open())
    }

    /// A session has departed: what is left in its outbox is sent, as long as its peer reads.
    fn begin_to_close(&mut self, slot: usize) {
        // What the gateway keeps is not counted any more, so it must not be kept while the link lingers.
        if !self.hub.session(slot).is_some_and(Session::is_open) {
            self.gateway.forget(slot);
        }
        self.shut_if_sent(slot);
        let Some(session) = self.hub.session(slot).filter(|session| session.link.stage != Stage::Closing) else {
            return;
        };
        let (is_unsent, stage) = (session.outbox().queued() > 0, session.link.stage);
        if session.link.is_readable() {
            self.queue_to_read(slot);
        }
        if is_unsent {
            mark(Mark::DepartedUnsent);
            self.start_timeout(slot, self.closing_timeout(stage));
        }
    }

    /// If a session has departed and all is sent to it: shuts our side of the link, and waits for the peer to end its
    /// own, because closing with input unread would take back what was sent.
    pub(super) fn shut_if_sent(&mut self, slot: usize) {
        let is_over = |session: &&mut Session<_>| !session.is_open() && session.outbox().queued() == 0;
        let Some(session) = self.hub.session_mut(slot).filter(is_over) else { return };
        let link = &mut session.link;
        if link.inbound == Inbound::Ended {
            self.mark_closing(slot);
        } else if matches!(link.stage, Stage::Open | Stage::TooSlow) {
            link.stage = Stage::Lingering;
            self.os.shut_down(&mut link.socket);
            self.start_timeout(slot, self.closing_timeout(Stage::Lingering));
        }
    }

    /// The timeout of a link whose session has departed. One that was too slow has had its time before.
    pub(super) fn closing_timeout(&self, stage: Stage) -> Timeout {
        match stage {
            Stage::Open => Timeout::Stall,
            Stage::TooSlow => Timeout::FinalStall,
            Stage::Lingering | Stage::Closing if self.drain_deadline.is_some() => Timeout::ShutdownLinger,
            Stage::Lingering | Stage::Closing => Timeout::Linger,
        }
    }

    /// Closes a broken link that is not read, because its session waits or memory is short: reading, which would find
    /// out, may not come soon.
    pub(super) fn close_if_broken(&mut self, slot: usize) {
        let Some(session) = self.hub.session(slot) else { return };
        if session.link.condition != Condition::Broken {
            return;
        }
        if session.is_waiting() || !self.memory.may_read(&self.hub, slot) {
            mark(Mark::BrokenWhileNotRead);
            self.close_broken(slot);
        }
    }

    /// Closes a broken link.
    pub(super) fn close_broken(&mut self, slot: usize) {
        self.hub.stats.broken += u64::from(self.hub.session(slot).is_some_and(Session::is_open));
        self.mark_closing(slot);
    }

    /// Puts a link on the list of those to remove at the end of the turn, once. Its session departs now.
    pub(super) fn mark_closing(&mut self, slot: usize) {
        let Some(session) = self.hub.session_mut(slot) else { return };
        if session.link.stage != Stage::Closing {
            session.link.stage = Stage::Closing;
            self.closing.push(slot);
            self.hub.depart(slot);
        }
    }

    /// Removes the links that are closing. Slots are vacated only here, so that no list of this turn can mean a session
    /// that comes later.
    pub(super) fn reap(&mut self) {
        while let Some(slot) = self.closing.pop() {
            self.timeouts.stop_all(&mut self.hub, slot, self.now);
            self.gateway.forget(slot);
            self.hub.remove(slot);
            self.os.regain_spare();
        }
    }
}
