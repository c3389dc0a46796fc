//! Closing sessions for which the hub holds too much: sessions that do not read, and under memory pressure the largest
//! holders.

use super::link::Stage;
use super::memory_pressure::{is_under_pressure, largest_holder};
use super::{Loop, Os};
use crate::hub::Gateway;
use crate::limits::EVICTIONS;
use crate::marks::{Mark, mark};
use crate::wire::ErrorCode;

impl<O: Os, G: Gateway> Loop<O, G> {
    /// Checks for memory pressure at the end of a turn, and makes room if it has lasted too long.
    pub(super) fn check_memory(&mut self) {
        if self.memory.check(&mut self.hub, self.now) {
            self.evict();
            self.memory.restart(&self.hub, self.now);
        }
    }

    /// Closes the session that holds the most, and further sessions until a quarter of the limit is free. Each is still
    /// sent the rest of a partly sent frame, and then the reason.
    fn evict(&mut self) {
        let enough = self.hub.held().saturating_sub(self.hub.limits().memory / 4);
        for evicted in 0..EVICTIONS {
            let is_tight = self.hub.held() > enough && is_under_pressure(&self.hub);
            let Some(slot) = largest_holder(&self.hub).filter(|_| is_tight) else { return };
            let Some(session) = self.hub.session(slot) else { return };
            let (queued, half) = (session.outbox().queued(), session.unparsed());
            let (label, held) = (session.label(), self.hub.held());
            log::warn!("evicting {label}: {queued} B queued, {half} B unparsed; the hub holds {held} B");
            if !session.is_open() {
                // This session was closed just now and has not read the reason yet. Its memory becomes free when it is
                // removed.
                if evicted == 0 {
                    mark(Mark::EvictedDeparted);
                    self.mark_closing(slot);
                }
                return;
            }
            mark(Mark::Evicted);
            self.hub.truncate_outbox(slot);
            self.close_holder(slot, "memory limit reached; this client holds the most");
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
