//! How links end, and how the whole loop does.
//!
//! A user departs (BYE, the end of its stream, a fatal fault, too slow, the hub shuts down); what is queued for it is
//! sent, as long as it takes some; its link is shut; the peer ends its side too, or its time is over; the link is
//! reaped at the turn's end.

use super::link::Stage;
use super::{Loop, Os};
use crate::hub::User;
use crate::limits::{CLOSING_PACE, LAST_LINGER};
use crate::wire::ErrorCode;
use std::time::Duration;

/// Bytes that a link on its way out must take in this time.
fn owed_in(time: Duration) -> usize {
    let bytes = CLOSING_PACE as u128 * time.as_millis() / 1000;
    usize::try_from(bytes).unwrap_or(usize::MAX).max(1)
}

impl<O: Os> Loop<O> {
    /// Begins to shut down: nobody is let in any more, all are told, and what is queued for them is sent.
    pub fn drain(&mut self) {
        if self.drained_by.is_some() {
            return;
        }
        self.os.stop_listening();
        self.crowded.clear();
        self.accept_again = None;
        self.tick();
        self.drained_by = Some(self.now + self.hub.limits().drain);
        self.hub.dismiss_all(ErrorCode::GoingAway, "the hub is shutting down");
        for slot in self.hub.slots().collect::<Vec<_>>() {
            if self.hub.user(slot).is_some_and(|user| user.link.stage == Stage::Shut) {
                self.set_due(slot, self.linger());
            }
        }
    }

    /// How long a link that is shut waits for its peer's end.
    fn linger(&self) -> Duration {
        let linger = self.hub.limits().linger;
        if self.drained_by.is_some() { linger.min(LAST_LINGER) } else { linger }
    }

    /// Whether it was told to shut down and nobody is left to send to, or the time for that is over.
    pub fn is_drained(&self) -> bool {
        self.drained_by.is_some_and(|by| self.hub.is_empty() || self.now >= by)
    }

    /// Looks at the links and the rooms whose time has come.
    pub(super) fn expire(&mut self) {
        self.hub.expire_rooms();
        while let Some(slot) = self.deadlines.pop(self.now) {
            let Some(user) = self.hub.user_mut(slot) else { continue };
            user.link.due = None;
            if !user.is_present() {
                self.close_unless_it_took_some(slot);
            } else if user.is_full() {
                log::info!("{} is closed: it took too little of {} bytes", user.label(), user.outbox().queued());
                user.link.stage = Stage::TooSlow;
                self.hub.stats.too_slow += 1;
                self.hub.dismiss(slot, ErrorCode::TooSlow, "this client did not read what was queued for it");
            }
        }
    }

    /// The time of a link on its way out is over. It gets as much again where it took some of what is queued for it.
    fn close_unless_it_took_some(&mut self, slot: usize) {
        let Some(user) = self.hub.user(slot) else { return };
        let (queued, delay) = (user.outbox().queued(), self.patience_with(user.link.stage));
        let taken = user.link.queued_then.saturating_sub(queued);
        if queued > 0 && taken >= owed_in(delay) {
            return self.set_due(slot, delay);
        }
        log::debug!("{} is closed with {queued} bytes not taken", user.label());
        self.doom(slot);
    }

    /// How long a link on its way out may take too little. One that was too slow before has had its time.
    fn patience_with(&self, stage: Stage) -> Duration {
        let limits = self.hub.limits();
        if stage == Stage::Open { limits.stall } else { limits.linger }
    }

    /// Has those looked at who are full now, and those who have departed move a step towards their end.
    pub(super) fn watch_troubled(&mut self) {
        while let Some(slot) = self.hub.agenda.filled.pop() {
            if self.hub.user(slot).is_some_and(User::is_full) {
                self.set_due(slot, self.hub.limits().stall);
            }
        }
        while let Some(slot) = self.hub.agenda.departed.pop() {
            self.begin_to_close(slot);
        }
    }

    /// A user that was full is so no more: it is no longer looked at for that.
    pub(super) fn no_longer_full(&mut self, slot: usize) {
        if self.hub.user(slot).is_some_and(User::is_present) {
            self.call_off(slot);
        }
    }

    /// A user has departed: what is left in its outbox is sent, as long as it is taken.
    fn begin_to_close(&mut self, slot: usize) {
        self.close_if_sent(slot);
        let Some(user) = self.hub.user(slot).filter(|user| user.link.stage != Stage::Doomed) else { return };
        let (unsent, stage, readable) = (user.outbox().queued() > 0, user.link.stage, user.link.readable);
        if unsent {
            self.set_due(slot, self.patience_with(stage));
        }
        if readable {
            self.list_to_read(slot);
        }
    }

    /// Once a departed user's outbox is sent: shuts the link's side down, then waits for the peer to end its own, so
    /// that closing with input unread does not take back what was sent.
    pub(super) fn close_if_sent(&mut self, slot: usize) {
        let linger = self.linger();
        let departed = |user: &&mut User<_>| !user.is_present() && user.outbox().queued() == 0;
        let Some(user) = self.hub.user_mut(slot).filter(departed) else { return };
        let link = &mut user.link;
        if link.ended {
            self.doom(slot);
        } else if matches!(link.stage, Stage::Open | Stage::TooSlow) {
            link.stage = Stage::Shut;
            self.os.shut_down(&mut link.socket);
            self.set_due(slot, linger);
        }
    }

    /// Has a link looked at after `delay`, instead of whenever it was to be before.
    fn set_due(&mut self, slot: usize, delay: Duration) {
        self.call_off(slot);
        let at = self.now + delay;
        if let Some(user) = self.hub.user_mut(slot) {
            user.link.due = Some(at);
            user.link.queued_then = user.outbox().queued();
            self.deadlines.set(at, slot);
        }
    }

    /// Has a link no longer looked at.
    fn call_off(&mut self, slot: usize) {
        if let Some(at) = self.hub.user_mut(slot).and_then(|user| user.link.due.take()) {
            self.deadlines.cancel(at, slot);
        }
    }

    /// A link whose user waits is not read, so that a break would not be found there.
    pub(super) fn doom_if_held_up(&mut self, slot: usize) {
        if self.hub.user(slot).is_some_and(User::is_held_up) {
            self.doom(slot);
        }
    }

    /// Puts a link on the list of those to reap at the turn's end, once. From now on its user is not here.
    pub(super) fn doom(&mut self, slot: usize) {
        let Some(user) = self.hub.user_mut(slot) else { return };
        if user.link.stage != Stage::Doomed {
            user.link.stage = Stage::Doomed;
            self.doomed.push(slot);
            self.hub.depart(slot);
        }
    }

    /// Closes the doomed. Only here are slots vacated, so that nothing on this turn's lists can mean a newcomer.
    pub(super) fn reap(&mut self) {
        while let Some(slot) = self.doomed.pop() {
            self.call_off(slot);
            self.hub.remove(slot);
        }
    }
}
