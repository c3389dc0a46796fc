//! The rate limit of one session: a token bucket. Its size is the number of requests allowed per second.

use super::Hub;
use super::waits::Reason;
use crate::marks::{Mark, mark};
use std::time::Duration;

/// One second, in microseconds.
const SECOND: u64 = 1_000_000;

/// A bucket with one token for each request of a second. It is stored as the moment, in microseconds, at which it will
/// be full again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TokenBucket(u64);

impl TokenBucket {
    /// Takes one token. The bucket may become overdrawn; then the next request has to wait.
    fn take(&mut self, rate: u64, now: u64) {
        self.0 = self.0.max(now) + SECOND / rate;
    }

    /// Whether there is a token.
    fn has_token(self, rate: u64, now: u64) -> bool {
        self.0 + SECOND / rate <= now + SECOND
    }
}

impl<L> Hub<L> {
    /// Charges a request to the session's rate limit. If that uses up the limit, the session's next requests wait.
    pub(super) fn charge_rate(&mut self, slot: usize) {
        let rate = u64::from(self.limits.rate);
        if rate == 0 {
            return;
        }
        let now = micros(self.clock.now);
        let Some(session) = self.sessions.get_mut(slot).filter(|session| session.is_open()) else { return };
        let bucket = &mut session.seldom().rate;
        bucket.take(rate, now);
        if !bucket.has_token(rate, now) && session.waits.block(Reason::RateLimit) {
            mark(Mark::RateLimited);
            self.stats.paced += 1;
        }
    }

    /// Resumes a session that waited for its rate limit, if it has a token again. Returns whether it still has to wait.
    pub fn is_still_rate_limited(&mut self, slot: usize) -> bool {
        let (rate, now) = (u64::from(self.limits.rate), micros(self.clock.now));
        let Some(session) = self.session(slot).filter(|session| session.waits.is_blocked_by(Reason::RateLimit)) else {
            return false;
        };
        if session.is_open() && !session.rate().has_token(rate, now) {
            return true;
        }
        self.sessions.unblock(slot, Reason::RateLimit);
        false
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_bucket_allows_a_second_of_requests_at_once_and_then_one_at_a_time() {
        let (mut bucket, now, rate) = (TokenBucket::default(), 5 * SECOND, 4);
        for _ in 0..4 {
            assert!(bucket.has_token(rate, now));
            bucket.take(rate, now);
        }
        assert!(!bucket.has_token(rate, now) && !bucket.has_token(rate, now + SECOND / 4 - 1));
        assert!(bucket.has_token(rate, now + SECOND / 4));
        bucket.take(rate, now + SECOND / 4);
        assert!(!bucket.has_token(rate, now + SECOND / 4));
    }
}
