//! Guests: those who come over HTTP. They ask, and are answered, but nobody can speak to them. One of them may become a
//! user.

use super::Hub;
use super::presence::no_ids;
use super::user::no_id;
use crate::door::Dialect;

impl<L> Hub<L> {
    /// Makes a guest a user, who speaks another dialect from now on; if it `is_forwarded` by a proxy, nobody can tell
    /// whether it is on this machine. Says whether it is a user now: where all ids are used up, it is told so, and has
    /// departed.
    pub fn admit(&mut self, slot: usize, dialect: Dialect, is_forwarded: bool) -> bool {
        if !self.lend_id(slot) {
            return false;
        }
        let user = &mut self.users[slot];
        (user.dialect, user.has_spoken) = (dialect, true);
        user.is_local &= !is_forwarded;
        self.stats.users += 1;
        self.stats.most_users = self.stats.most_users.max(self.stats.users);
        self.stats.upgraded += 1;
        self.answered_outside();
        true
    }

    /// Carries out requests of a guest. It has an id of its own while they last: until it is [taken
    /// back](Hub::take_back_id).
    pub fn work_for_guest(&mut self, slot: usize, frames: &[u8]) {
        if self.lend_id(slot) {
            self.answered_outside();
            self.feed(slot, frames);
        }
    }

    /// Gives a guest that is present an id. Where all ids are used up, it is told so, and has departed.
    fn lend_id(&mut self, slot: usize) -> bool {
        if self.generation == u32::MAX {
            self.fail(slot, &no_ids());
            return false;
        }
        self.users[slot].id = self.next_id(slot);
        true
    }

    /// Takes back an id that was lent to a guest.
    pub fn take_back_id(&mut self, slot: usize) {
        if let Some(user) = self.users.get_mut(slot).filter(|user| user.dialect.is_guest()) {
            user.id = no_id(slot);
        }
    }

    /// Gives a guest an answer that its carrier has for it, in its own dialect. It departs where the connection
    /// `closes` with that; else its next request waits where it is time for that, as after every request.
    pub fn answer_guest(&mut self, slot: usize, bytes: &[u8], closes: bool) {
        self.say_as_is(slot, bytes);
        self.spend_copies(1, bytes.len());
        self.answered_outside();
        if closes {
            self.stats.left += 1;
            self.depart(slot);
        } else {
            self.after_request(slot);
        }
    }

    /// Notes that a whole request came that the hub has not seen.
    fn answered_outside(&mut self) {
        self.whole_frames += 1;
        self.stats.http_requests += 1;
    }
}
