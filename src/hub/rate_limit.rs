//! How often a user may ask: so many requests a second in the long run, and as many at once.

use super::{Hub, User};
use crate::marks::{Mark, mark};
use std::time::Duration;

/// One second, in microseconds.
const SECOND: u64 = 1_000_000;

impl<L> Hub<L> {
    /// Accounts for a request. Where the user has used up its pace by it, the next ones wait.
    pub(super) fn pace(&mut self, slot: usize) {
        let rate = u64::from(self.limits.rate);
        if rate == 0 {
            return;
        }
        let now = micros(self.now);
        let Some(user) = self.users.get_mut(slot).filter(|user| user.present) else { return };
        // A bucket of a second's requests, told by when it will be full again.
        user.paced_to = user.paced_to.max(now) + SECOND / rate;
        if !user.is_paced && user.paced_to + SECOND / rate > now + SECOND {
            mark(Mark::Paced);
            user.is_paced = true;
            user.waits_for += 1;
            self.stats.paced += 1;
        }
    }

    /// Lets a user go on that waited for its pace, once it may ask again; says whether it still has to wait.
    pub fn may_not_ask_yet(&mut self, slot: usize) -> bool {
        let (rate, now) = (u64::from(self.limits.rate), micros(self.now));
        let Some(user) = self.users.get_mut(slot).filter(|user: &&mut User<L>| user.is_paced) else { return false };
        if user.present && user.paced_to + SECOND / rate > now + SECOND {
            return true;
        }
        user.is_paced = false;
        user.go_on(slot, &mut self.agenda);
        false
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX / 2)
}
