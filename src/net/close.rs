//! How a link ends, and how the whole loop does.
//!
//! A session departs (BYE, the end of its stream, a fatal fault, too slow, the hub shuts down). What is queued for it
//! is sent, as long as its peer reads. Then our side of the link is shut down. When the peer ends its side too, or a
//! timeout expires, the link is removed at the end of the turn.

use super::link::{Condition, Inbound, Stage};
use super::timeouts::Timeout;
use super::{Loop, Os};
use crate::hub::{Gateway, Role, Session};
use crate::limits::REMOVALS;
use crate::marks::{Mark, mark};
use crate::wire::ErrorCode;

impl<O: Os, G: Gateway> Loop<O, G> {
    /// Begins to shut down: no connection is admitted any more, all sessions are sent CLOSING, and the queues are sent.
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

    /// Whether the shutdown is complete: either nothing is left to send except to HTTP callers, or the drain time is
    /// over.
    pub fn is_drained(&self) -> bool {
        self.drain_deadline.is_some_and(|at| self.now >= at || self.hub.has_only_http_callers())
    }

    /// Starts the timeouts of sessions that have become full or have to read their answers, closes full ones at once if
    /// the limits say so, and advances departed sessions towards the end of their links.
    pub(super) fn handle_full_and_departed(&mut self) {
        while let Some(slot) = self.hub.effects_mut().filled.pop() {
            if self.is_full_and_present(slot) {
                self.start_timeout(slot, Timeout::Stall);
            }
            self.update_reading_timeout(slot, false);
            if self.hub.session(slot).is_some_and(Session::waits_for_reader) {
                self.start_timeout(slot, Timeout::Unread);
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

    /// If a session has departed and its queue is sent: shuts down our side of the link, and waits for the peer to end
    /// its own. Closing with unread input would reset the connection, and the peer could lose the last bytes.
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

    /// The timeout of a link whose session has departed. A session that was too slow gets a short one.
    pub(super) fn closing_timeout(&self, stage: Stage) -> Timeout {
        match stage {
            Stage::Open => Timeout::Stall,
            Stage::TooSlow => Timeout::FinalStall,
            Stage::Lingering | Stage::Closing if self.drain_deadline.is_some() => Timeout::ShutdownLinger,
            Stage::Lingering | Stage::Closing => Timeout::Linger,
        }
    }

    /// Closes a broken link that is not read at present, because its session waits or memory is short. Reading would
    /// find the error, but that may be much later.
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

    /// Removes links that are closing, as many as one turn has time for. Slots are vacated only here, so that a slot on
    /// a list of this turn never refers to a newer session.
    pub(super) fn reap(&mut self) {
        for _ in 0..REMOVALS {
            let Some(slot) = self.closing.pop() else { return };
            self.timeouts.stop_all(&mut self.hub, slot, self.now);
            self.gateway.forget(slot);
            self.hub.remove(slot);
            self.os.regain_spare();
        }
    }
}
