//! What is read while the hub holds as much as it may, and what goes if that does not change.
//!
//! Then one link alone is read, the favoured: else many who have each sent a part of something large would stand in one
//! another's way for ever.

use super::{Link, Loop, Os};
use crate::hub::User;
use crate::marks::{Mark, mark};
use std::time::Duration;

impl<O: Os> Loop<O> {
    /// Whether a link may be read now, and its user's requests carried out.
    pub(super) fn may_be_served(&self, slot: usize) -> bool {
        !self.hub.is_over_memory()
            || self.hub.user(slot).is_none_or(|user| !user.is_present())
            || self.favoured == Some(slot)
    }

    /// Whether one of those to be read may be.
    pub(super) fn has_some_to_serve(&self) -> bool {
        let first = |slots: &[usize]| slots.iter().any(|&slot| self.may_be_served(slot));
        first(&self.ready) || first(&self.hub.agenda.resumed)
    }

    /// When the largest is to go, if nothing changes.
    pub(super) fn next_eviction(&self) -> Option<Duration> {
        self.squeezed.map(|since| since + self.hub.limits().stall)
    }

    /// Notes, at the end of a turn, whether there is room, and who goes on where there is none.
    pub(super) fn weigh(&mut self) {
        self.hub.note_held();
        if !self.hub.is_over_memory() {
            if self.squeezed.take().is_some() {
                self.squeezed_until = Some(self.now);
                self.favoured = None;
            }
            return;
        }
        if self.squeezed.is_none() {
            mark(Mark::Squeezed);
            self.squeezed = Some(self.now);
            self.hub.stats.squeezes += 1;
            log::debug!("{} bytes are held: no further request is read for now", self.hub.held());
        } else if self.next_eviction().is_some_and(|at| at <= self.now) {
            self.squeezed = Some(self.now);
            self.evict();
        }
        self.choose_favoured();
    }

    /// Closes the one for whom most is held, with no more than the frame that is being sent to it, and why.
    fn evict(&mut self) {
        let Some(slot) = self.hub.largest() else { return };
        let Some(user) = self.hub.user(slot) else { return };
        log::warn!(
            "{} bytes are held for long: {} is closed, which holds {} and {} of them",
            self.hub.held(),
            user.label(),
            user.outbox().queued(),
            user.half_received()
        );
        if user.is_present() {
            mark(Mark::Evicted);
            self.hub.cut(slot);
            self.close_too_slow(slot);
        } else {
            mark(Mark::EvictedDeparted);
            self.doom(slot);
        }
    }

    /// Keeps the favoured until its frame is finished, then chooses another. It is put on the list of those to read.
    fn choose_favoured(&mut self) {
        let favoured = self.favoured.and_then(|slot| self.hub.user(slot));
        if !favoured.is_some_and(|user| may_finish(user) && !user.holds_requests()) {
            self.favoured = self.next_favoured();
        }
        if let Some(slot) = self.favoured {
            mark(Mark::Favoured);
            self.hub.favour(slot);
        }
    }

    /// The one that has sent most of a frame and goes on sending, or has asked something that is still to be carried
    /// out. Nobody where so much is held already that what one after the other finishes might add up.
    fn next_favoured(&self) -> Option<usize> {
        if self.hub.is_far_over_memory() {
            mark(Mark::FarOverMemory);
            return None;
        }
        let users = self.hub.slots().filter_map(|slot| Some((slot, self.hub.user(slot)?)));
        let candidates = users.filter(|(_, user)| may_finish(user) && (user.link.readable || user.holds_requests()));
        candidates.max_by_key(|(_, user)| user.half_received()).map(|(slot, _)| slot)
    }
}

/// Whether something of a user has come and is not carried out yet, and it waits for nobody.
fn may_finish<S>(user: &User<Link<S>>) -> bool {
    user.is_present() && user.half_received() > 0 && !user.is_held_up() && !user.is_paced()
}
