//! Guests: those who come over HTTP. They ask, and are answered, but nobody can speak to them. One of them may become a
//! user.

use super::Hub;
use super::lifecycle::no_ids;
use super::session::user_id;
use crate::limits::IDS_LENT_A_SECOND;
use crate::web::Dialect;

impl<L> Hub<L> {
    /// Makes a guest a user, who speaks another dialect from now on; if it `is_forwarded` by a proxy, nobody can tell
    /// whether it is on this machine. It has a new id: under the last one somebody else may have asked, whose requests
    /// the proxy sent by the same connection. Says whether there is one; where not, the guest is told so, and has
    /// departed.
    pub fn admit(&mut self, slot: usize, dialect: Dialect, is_forwarded: bool) -> bool {
        if !self.give_new_id(slot) {
            return false;
        }
        let user = &mut self.users[slot];
        (user.dialect, user.has_spoken) = (dialect, true);
        user.is_local &= !is_forwarded;
        self.stats.users += 1;
        self.stats.most_users = self.stats.most_users.max(self.stats.users);
        self.stats.upgraded += 1;
        self.count_call();
        true
    }

    /// Carries out requests of a guest, under an id of their own. Where so many are asked that ids might run out one
    /// day, those of a connection share one.
    pub fn work_for_guest(&mut self, slot: usize, frames: &[u8]) {
        let second = self.now.as_secs();
        if self.lent.0 != second {
            self.lent = (second, 0);
        }
        self.lent.1 += 1;
        if self.lent.1 <= IDS_LENT_A_SECOND && self.generation < u32::MAX {
            self.give_new_id(slot);
        }
        self.count_call();
        self.feed(slot, frames);
    }

    /// Gives a guest another id. Says whether there is one; where not, it is told so, and has departed.
    fn give_new_id(&mut self, slot: usize) -> bool {
        let Some(generation) = self.generation.checked_add(1) else {
            self.fail(slot, &no_ids());
            return false;
        };
        self.generation = generation;
        self.users[slot].id = user_id(generation, slot);
        true
    }

    /// Gives a guest an answer that its carrier has for it, in its own dialect. It departs where the connection
    /// `closes` with that; else its next request waits where it is time for that, as after every request.
    pub fn answer_guest(&mut self, slot: usize, bytes: &[u8], closes: bool) {
        self.say_as_is(slot, bytes);
        self.spend_copies(1, bytes.len());
        self.count_call();
        if closes {
            self.stats.left += 1;
            self.depart(slot);
        } else {
            self.after_request(slot);
        }
    }

    /// Accounts for bytes that were put together for a guest, but not sent: those of a body that a HEAD asks about.
    pub fn spend_unsent(&mut self, bytes: usize) {
        self.spend_copies(1, bytes);
    }

    /// Accounts for what the carrier did to understand a request, which costs as much as to copy so many bytes.
    pub fn spend_on_reading(&mut self, bytes: usize) {
        self.spent.copies += bytes;
    }

    /// Counts a request over HTTP.
    fn count_call(&mut self) {
        self.whole_frames += 1;
        self.stats.http_requests += 1;
    }
}
