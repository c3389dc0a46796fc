//! What is read while the hub holds as much as it may, and what goes if that does not change.
//!
//! Where half of that is requests that have come in part, no such request grows: those who ask for little go on. Where
//! all of it is used up, nobody is read. Either way one link is, the favoured: else many who have each sent a part of
//! something large would stand in one another's way for ever.

use super::expire::bytes_due;
use super::{Link, Loop, Os};
use crate::hub::User;
use crate::limits::{EVICTIONS, FRAME_PACE, PACE_REST, READ_BUFFER};
use crate::marks::{Mark, mark};
use std::time::Duration;

impl<O: Os> Loop<O> {
    /// Whether a link may be read now, and its user's requests carried out.
    pub(super) fn may_be_read(&self, slot: usize) -> bool {
        let Some(user) = self.hub.user(slot).filter(|user| user.is_present()) else { return true };
        let grows = user.half_received() >= READ_BUFFER && !user.holds_requests();
        // Where more is held than the favoured's frame may have made it, what it asks for beyond would be held as well.
        let is_exempt = self.exempt == Some(slot) && (user.holds_requests() || !self.hub.is_beyond_finishing());
        !(self.hub.is_over_memory() || grows && self.hub.is_crowded()) || is_exempt
    }

    /// Whether one of those to be read may be.
    pub(super) fn has_some_to_serve(&self) -> bool {
        let first = |slots: &[usize]| slots.iter().any(|&slot| self.may_be_read(slot));
        first(&self.ready) || first(&self.hub.agenda.resumed)
    }

    /// When the largest is to go, if nothing changes.
    pub(super) fn next_eviction(&self) -> Option<Duration> {
        self.under_pressure.map(|since| since + self.hub.limits().stall.max(PACE_REST))
    }

    /// Notes, at the end of a turn, whether there is room, and who goes on where there is none.
    pub(super) fn check_memory(&mut self) {
        self.hub.note_held();
        if !self.hub.is_over_memory() && !self.hub.is_crowded() {
            (self.under_pressure, self.exempt) = (None, None);
            return;
        }
        self.choose_exempt();
        match self.next_eviction() {
            None => {
                mark(Mark::Squeezed);
                self.measure_pressure();
                self.hub.stats.squeezes += 1;
                log::debug!("{} bytes are held: some requests are not read for now", self.hub.held());
            }
            Some(at) if at <= self.now => {
                if !self.has_progressed() {
                    self.evict();
                }
                self.measure_pressure();
            }
            Some(_) => {}
        }
    }

    fn measure_pressure(&mut self) {
        self.under_pressure = Some(self.now);
        self.drained_then = self.hub.drained();
        self.exempt_then = self.exempt.map(|slot| (slot, self.half_received(slot)));
    }

    fn half_received(&self, slot: usize) -> usize {
        self.hub.user(slot).map_or(0, User::half_received)
    }

    /// Whether so much went on since the squeeze began that it may be waited for. Where all is used up, a quarter of it
    /// must have been sent; where it is only that frames are not finished, the favoured must go on with its own, or be
    /// another by now.
    fn has_progressed(&self) -> bool {
        if self.hub.is_over_memory() {
            return self.hub.drained() - self.drained_then >= self.hub.limits().memory as u64 / 4;
        }
        let Some((slot, then)) = self.exempt_then else { return self.exempt.is_some() };
        let now = self.half_received(slot);
        self.exempt != Some(slot) || now < then || now - then >= bytes_due(self.hub.limits().stall, FRAME_PACE)
    }

    /// The one that is to go: without whom most would be free. Where it is only that frames do not get finished, of
    /// those who do not go on with theirs.
    fn largest_holder(&self) -> Option<usize> {
        if self.hub.is_over_memory() {
            return self.hub.largest();
        }
        let users = self.hub.slots().filter_map(|slot| Some((slot, self.hub.user(slot)?)));
        let unfinished = users.filter(|(_, user)| may_finish(user) && !user.holds_requests());
        unfinished.max_by_key(|(_, user)| (!user.link.readable, user.half_received())).map(|(slot, _)| slot)
    }

    /// Closes those who are a burden, each with no more than the frame that is being sent to it, and why: one, and more
    /// where each holds so little that not even a quarter of all becomes free.
    fn evict(&mut self) {
        let enough = self.hub.held().saturating_sub(self.hub.limits().memory / 4);
        for gone in 0..EVICTIONS {
            let is_tight = self.hub.held() > enough && (self.hub.is_over_memory() || self.hub.is_crowded());
            let Some(slot) = self.largest_holder().filter(|_| is_tight) else { return };
            let Some(user) = self.hub.user(slot) else { return };
            let (queued, half) = (user.outbox().queued(), user.half_received());
            log::warn!("{} bytes are held for long: {} goes, with {queued} and {half}", self.hub.held(), user.label());
            if !user.is_present() {
                // One that goes just now has yet to hear why. What a doomed one holds is free only when it is reaped.
                if gone == 0 {
                    mark(Mark::EvictedDeparted);
                    self.mark_closing(slot);
                }
                return;
            }
            mark(Mark::Evicted);
            self.hub.cut(slot);
            self.close_holder(slot, "the hub holds as much as it may, and this client is one of those it is for");
        }
    }

    /// Keeps the favoured while it may go on with its frame, then chooses another. While it sends nothing, others may
    /// go on whose requests have come whole.
    fn choose_exempt(&mut self) {
        let beyond = self.hub.is_beyond_finishing();
        let is_unfinished = |user: &User<Link<O::Socket>>| may_finish(user) && !user.holds_requests() && !beyond;
        let kept = self.exempt.filter(|&slot| self.hub.user(slot).is_some_and(is_unfinished));
        if kept.and_then(|slot| self.hub.user(slot)).is_some_and(|user| user.link.readable) {
            return;
        }
        self.exempt = self.next_exempt(kept.is_none()).or(kept);
        if let Some(slot) = self.exempt {
            mark(Mark::Favoured);
            self.hub.favour(slot);
        }
    }

    /// The one that has asked something that is still to be carried out, or, where `begun`, has sent most of a frame
    /// and goes on sending. Nobody where so much is held already that what one after the other finishes might add up,
    /// unless it is just that which takes the room.
    fn next_exempt(&self, begun: bool) -> Option<usize> {
        let far = self.hub.is_far_over_memory();
        if far {
            mark(Mark::FarOverMemory);
        }
        let (begun, whole) = (begun && !far, !far || self.hub.is_clogged());
        let users = self.hub.slots().filter_map(|slot| Some((slot, self.hub.user(slot)?)));
        let candidates = users.filter(|(_, user)| {
            may_finish(user) && (if user.holds_requests() { whole } else { begun && user.link.readable })
        });
        candidates.max_by_key(|(_, user)| user.half_received()).map(|(slot, _)| slot)
    }
}

/// Whether something of a user has come and is not carried out yet, and it waits for nobody.
fn may_finish<S>(user: &User<Link<S>>) -> bool {
    user.is_present() && user.half_received() > 0 && !user.is_held_up() && !user.is_paced()
}
