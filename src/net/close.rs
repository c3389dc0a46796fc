//! How links end, and how the whole loop does.
//!
//! A user departs (BYE, the end of its stream, a fatal fault, too slow, the hub shuts down); what is queued for it is
//! sent, as long as it takes some; its link is shut; the peer ends its side too, or its time is over; the link is
//! reaped at the turn's end.

use super::link::Stage;
use super::timeouts::Timeout;
use super::{Loop, Os};
use crate::hub::User;
use crate::marks::{Mark, mark};
use crate::wire::ErrorCode;

impl<O: Os> Loop<O> {
    /// Begins to shut down: nobody is let in any more, all are told, and what is queued for them is sent.
    pub fn drain(&mut self) {
        if self.drain_deadline.is_some() {
            return;
        }
        self.os.stop_listening();
        self.waiting.retain(|&listener| self.os.dialect(listener).is_guest());
        self.accept_again = None;
        self.tick();
        self.drain_deadline = Some(self.now + self.hub.limits().drain);
        self.hub.dismiss_all(ErrorCode::GoingAway, "the hub is shutting down");
        for slot in self.hub.slots().collect::<Vec<_>>() {
            if self.hub.user(slot).is_some_and(|user| user.link.stage == Stage::Lingering) {
                self.start_timeout(slot, self.closing_timeout(Stage::Lingering));
            }
        }
    }

    /// Whether it was told to shut down and nobody but guests is left to send to, or the time for that is over.
    pub fn is_drained(&self) -> bool {
        self.drain_deadline.is_some_and(|by| self.now >= by || self.hub.has_only_guests())
    }

    /// Has those looked at who are full now, and those who have departed move a step towards their end.
    pub(super) fn handle_full_and_departed(&mut self) {
        while let Some(slot) = self.hub.agenda.filled.pop() {
            if self.is_stuck(slot) {
                self.start_timeout(slot, Timeout::Stall);
                self.update_reading_timeout(slot, false);
            }
        }
        while let Some(slot) = self.hub.agenda.choked.pop() {
            if self.is_stuck(slot) {
                mark(Mark::FullAndClosed);
                self.close_too_slow(slot);
            }
        }
        while let Some(slot) = self.hub.agenda.departed.pop() {
            self.begin_to_close(slot);
        }
    }

    /// Whether a user is full, and has not read enough in this turn.
    fn is_stuck(&self, slot: usize) -> bool {
        self.hub.user(slot).is_some_and(|user| user.is_full() && user.is_present())
    }

    /// A user has departed: what is left in its outbox is sent, as long as it is taken.
    fn begin_to_close(&mut self, slot: usize) {
        #[cfg(feature = "ws")]
        self.close_door_of_departed(slot);
        self.shut_if_sent(slot);
        let Some(user) = self.hub.user(slot).filter(|user| user.link.stage != Stage::Closing) else { return };
        let (unsent, stage, readable) = (user.outbox().queued() > 0, user.link.stage, user.link.readable);
        if unsent {
            mark(Mark::DepartedUnsent);
            self.start_timeout(slot, self.closing_timeout(stage));
        }
        if readable {
            self.queue_to_read(slot);
        }
    }

    /// Once a departed user's outbox is sent: shuts the link's side down, then waits for the peer to end its own, so
    /// that closing with input unread does not take back what was sent.
    pub(super) fn shut_if_sent(&mut self, slot: usize) {
        let departed = |user: &&mut User<_>| !user.is_present() && user.outbox().queued() == 0;
        let Some(user) = self.hub.user_mut(slot).filter(departed) else { return };
        let link = &mut user.link;
        if link.ended {
            self.mark_closing(slot);
        } else if matches!(link.stage, Stage::Open | Stage::TooSlow) {
            link.stage = Stage::Lingering;
            self.os.shut_down(&mut link.socket);
            self.start_timeout(slot, self.closing_timeout(Stage::Lingering));
        }
    }

    /// A link that is not read, because its user waits or all do, would not be found to be broken by reading.
    pub(super) fn close_if_broken(&mut self, slot: usize) {
        let Some(user) = self.hub.user(slot).filter(|user| user.link.broken) else { return };
        if user.is_waiting() || !self.may_be_read(slot) {
            mark(Mark::DoomedWhileHeldUp);
            self.close_broken(slot);
        }
    }

    /// A connection broke.
    pub(super) fn close_broken(&mut self, slot: usize) {
        self.hub.stats.broken += u64::from(self.hub.user(slot).is_some_and(User::is_present));
        self.mark_closing(slot);
    }

    /// Puts a link on the list of those to reap at the turn's end, once. From now on its user is not here.
    pub(super) fn mark_closing(&mut self, slot: usize) {
        let Some(user) = self.hub.user_mut(slot) else { return };
        if user.link.stage != Stage::Closing {
            user.link.stage = Stage::Closing;
            self.closing.push(slot);
            self.hub.depart(slot);
        }
    }

    /// Closes the doomed. Only here are slots vacated, so that nothing on this turn's lists can mean a newcomer.
    pub(super) fn reap(&mut self) {
        while let Some(slot) = self.closing.pop() {
            self.stop_all_timeouts(slot);
            #[cfg(feature = "ws")]
            self.close_door(slot);
            self.hub.remove(slot);
            self.os.regain_spare();
        }
    }
}
