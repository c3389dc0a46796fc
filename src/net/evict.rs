//! Closing sessions for which the hub holds too much: sessions that do not read, and at the memory limit those that
//! hold most.

use super::link::Stage;
use super::memory_pressure::MemoryPressure;
use super::{Loop, Os};
use crate::hub::{Gateway, Session};
use crate::limits::{EVICTIONS, LAST_FRAME};
use crate::marks::{Mark, mark};
use crate::wire::ErrorCode;

impl<O: Os, G: Gateway> Loop<O, G> {
    /// At the memory limit: closes those that hold most, as many as it takes until a sixteenth is free, but not more
    /// than one turn has time for. There is no grace, because all others would wait for it. But what is queued was
    /// offered to all of them before.
    pub(super) fn relieve_memory(&mut self) {
        let is_due = self.hub.is_over_memory() || self.memory.owes_evictions;
        if !is_due || self.turns_unflushed > 0 {
            return;
        }
        self.memory.owes_evictions = false;
        self.hub.stats.squeezes += 1;
        let limit = self.hub.memory_limit();
        if self.memory.warns(self.now) {
            log::warn!("the memory limit of {limit} B is reached: closing the sessions for which most is held");
        }
        for _ in 0..EVICTIONS {
            if self.hub.charged() < limit - limit / 16 {
                return;
            }
            let Some(slot) = self.hub.largest_holder() else { return };
            self.evict(slot);
        }
        self.memory.owes_evictions = true;
    }

    /// Closes sessions that are in the way of those whose requests are not read, if these have waited long enough.
    pub(super) fn relieve_crowd(&mut self) {
        if !self.memory.check(&mut self.hub, self.now) {
            return;
        }
        self.hub.stats.squeezes += 1;
        for _ in 0..EVICTIONS {
            let Some(slot) = MemoryPressure::in_the_way(&mut self.hub) else { break };
            self.evict(slot);
        }
        self.memory.exempt_one(&self.hub);
    }

    /// Closes a session to free its memory. It is still sent the rest of a partly sent frame and then the reason,
    /// unless that rest is large: at once, because it may be closed for good in the same turn. If it was closed before
    /// and has not read the reason yet, it has no more time for that.
    fn evict(&mut self, slot: usize) {
        let is_open = self.hub.session(slot).is_some_and(Session::is_open);
        self.hub.truncate_outbox(slot);
        let keeps_little = self.hub.session(slot).is_some_and(|session| session.outbox().bound() <= LAST_FRAME);
        if is_open {
            mark(Mark::Evicted);
            self.close_holder(slot, "memory limit reached; this client holds the most");
        }
        if is_open && keeps_little {
            self.flush(slot);
        } else {
            mark(Mark::EvictedDeparted);
            self.mark_closing(slot);
            self.hub.clear_outbox(slot);
        }
    }

    /// Closes a session that does not read what is queued for it.
    pub(super) fn close_too_slow(&mut self, slot: usize) {
        self.close_holder(slot, "this client did not read what was queued for it");
    }

    /// Closes a session for which too much is held, and sends it the reason.
    fn close_holder(&mut self, slot: usize, why: &str) {
        let Some(session) = self.hub.session_mut(slot) else { return };
        log::info!("closing {} with {} B queued: {why}", session.label(), session.outbox().queued());
        mark(Mark::TooSlow);
        session.link.stage = Stage::TooSlow;
        self.hub.close(slot, ErrorCode::TooSlow, why);
    }
}
