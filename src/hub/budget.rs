//! The work account: what each part of a turn has cost, and what it may cost.
//!
//! The unit is the time that it takes to copy one byte into an outbox; a microsecond is some 3,000 of them. Everything
//! that a request makes the hub do is charged in it: bytes received and queued, members and names looked up, text
//! parsed. Three parts of a turn have budgets of their own, so that none of them delays the others: requests, long
//! requests (which are served in [slices](super::slices)), and departures.
//!
//! Requests share their budget. Each time that a session is served it may spend a share of what is left, and then has
//! to wait until the other sessions had theirs. A session that cost much when it was last served comes after those that
//! did not.
//!
//! A cost is only a guess of a time. So whoever has a clock [reads it](TurnBudget::is_clock_due) now and then, and may
//! [end](TurnBudget::end_by_clock) the budget of requests before it is spent.

use crate::limits::{CLOCK_COST, LARGE_SHARES, LEAST_REQUESTS, LIGHT_COST, Limits, RECEIVES, REQUEST_COST, SHARES};
use std::ops::{Add, AddAssign};

/// What something cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    /// Bytes copied, or what takes as long as copying them.
    pub copied: usize,
    /// Bytes of frames, each counted once: what one outbox may have received.
    pub queued: usize,
}

impl Cost {
    /// The cost of nothing.
    pub const NONE: Cost = Cost { copied: 0, queued: 0 };

    /// The cost of frames of `len` bytes in all, put into `outboxes` outboxes at `each` bytes copied.
    pub fn of(outboxes: usize, len: usize, each: usize) -> Cost {
        Cost { copied: outboxes * each, queued: len }
    }

    /// The cost of work that takes as long as copying this many bytes.
    pub fn work(bytes: usize) -> Cost {
        Cost { copied: bytes, queued: 0 }
    }
}

impl Add for Cost {
    type Output = Cost;

    fn add(self, more: Cost) -> Cost {
        Cost { copied: self.copied + more.copied, queued: self.queued + more.queued }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, more: Cost) {
        *self = *self + more;
    }
}

/// What this turn has spent, and what it may spend.
#[derive(Clone, Copy, Debug)]
pub(super) struct TurnBudget {
    /// What the requests of a turn may cost. A session that reads never becomes full within one turn, because no outbox
    /// receives more than half a queue.
    pub most: Cost,
    /// See [`REQUEST_COST`]; less if a turn may do very little.
    request_cost: usize,
    /// What it costs to receive, beside the bytes: see [`RECEIVES`].
    receive_cost: usize,
    pub requests: Cost,
    /// What `requests.copied` was when the session that is served now began, and is when it has used up its share.
    share_start: usize,
    share_end: usize,
    /// From which `requests.copied` on the clock is to be read.
    clock_due: usize,
    pub long_requests: Cost,
    pub departures: Cost,
}

impl TurnBudget {
    pub fn new(limits: &Limits) -> TurnBudget {
        let most = Cost { copied: limits.fan_out, queued: limits.queue / 2 };
        TurnBudget {
            most,
            request_cost: REQUEST_COST.min(most.copied / LEAST_REQUESTS),
            receive_cost: most.copied / RECEIVES,
            requests: Cost::NONE,
            share_start: 0,
            share_end: most.copied,
            clock_due: CLOCK_COST,
            long_requests: Cost::NONE,
            departures: Cost::NONE,
        }
    }

    /// Begins a turn. If there are links that the last turn did not flush, what was queued still counts.
    pub fn reset(&mut self, is_flushed: bool) {
        self.requests = Cost { copied: 0, queued: if is_flushed { 0 } else { self.requests.queued } };
        (self.long_requests, self.departures) = (Cost::NONE, Cost::NONE);
        (self.share_end, self.clock_due) = (self.most.copied, CLOCK_COST);
    }

    /// Begins to serve a session, while so many sessions wait to be served, this one included: it may spend an equal
    /// share of what is left, but not less than a [`SHARES`]th of the whole budget, nor more than a
    /// [`LARGE_SHARES`]th.
    pub fn begin_share(&mut self, waiting: usize) {
        let left = self.most.copied.saturating_sub(self.requests.copied);
        let share = (left / waiting.max(1)).clamp(self.most.copied / SHARES, self.most.copied / LARGE_SHARES);
        (self.share_start, self.share_end) = (self.requests.copied, self.most.copied.min(self.requests.copied + share));
    }

    /// Whether the session that was served cost so much that others come before it.
    pub fn was_heavy(&self) -> bool {
        self.requests.copied.saturating_sub(self.share_start) > LIGHT_COST
    }

    /// Whether the session that is served has spent its share, or the requests of this turn have cost enough: further
    /// ones wait.
    #[inline]
    pub fn is_share_spent(&self) -> bool {
        self.requests.copied >= self.share_end || self.requests.queued >= self.most.queued
    }

    /// Whether requests have cost so much since the clock was last read that it is to be read again.
    #[inline]
    pub fn is_clock_due(&mut self) -> bool {
        let is_due = self.requests.copied >= self.clock_due;
        if is_due {
            self.clock_due = self.requests.copied + CLOCK_COST;
        }
        is_due
    }

    /// The turn has taken long enough: requests have cost what they may, whatever they were charged.
    pub fn end_by_clock(&mut self) {
        self.requests.copied = self.requests.copied.max(self.most.copied);
    }

    /// Whether the requests of this turn have cost enough.
    pub fn is_spent(&self) -> bool {
        self.has_reached(self.requests, 1)
    }

    /// Whether they have cost half of that.
    pub fn is_half_spent(&self) -> bool {
        self.has_reached(self.requests, 2)
    }

    /// Whether the long requests of this turn have cost enough: a quarter of what requests may.
    pub fn is_spent_on_long_requests(&self) -> bool {
        self.long_requests.copied >= self.most.copied / 4
    }

    /// Whether the departures of this turn have cost enough: a quarter of what requests may.
    pub fn is_spent_on_departures(&self) -> bool {
        self.has_reached(self.departures, 4)
    }

    fn has_reached(&self, spent: Cost, parts: usize) -> bool {
        spent.copied >= self.most.copied / parts || spent.queued >= self.most.queued / parts
    }

    /// After how many more bytes, put into this many outboxes each, the share is spent.
    pub fn bytes_left(&self, outboxes: usize) -> usize {
        let copied = self.share_end.saturating_sub(self.requests.copied).div_ceil(outboxes.max(1));
        copied.min(self.most.queued.saturating_sub(self.requests.queued))
    }

    /// Charges bytes that were received at once.
    #[inline]
    pub fn charge_received(&mut self, bytes: usize) {
        self.requests.copied += self.receive_cost + bytes;
    }

    /// Charges this many requests for what any request costs.
    #[inline]
    pub fn charge_requests(&mut self, count: usize) {
        self.requests.copied += self.request_cost * count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> TurnBudget {
        TurnBudget::new(&Limits { fan_out: 16_000, queue: 2_000, ..Limits::default() })
    }

    #[test]
    fn a_turn_is_spent_by_copies_to_many_or_by_bytes_for_one() {
        let mut budget = budget();
        budget.requests += Cost::of(159, 100, 100);
        assert!(budget.is_half_spent() && !budget.is_spent());
        budget.requests += Cost::work(100);
        assert!(budget.is_spent() && budget.is_share_spent());
        budget.reset(true);
        budget.requests += Cost::of(1, 1_000, 256);
        assert!(budget.is_spent(), "half a queue");
    }

    #[test]
    fn the_clock_is_read_now_and_then_and_may_end_the_turn() {
        let mut budget = TurnBudget::new(&Limits::default());
        for (cost, is_due) in [(CLOCK_COST - 1, false), (1, true), (0, false), (3 * CLOCK_COST, true), (1, false)] {
            budget.requests += Cost::work(cost);
            assert_eq!(budget.is_clock_due(), is_due);
        }
        assert!(!budget.is_spent());
        budget.end_by_clock();
        assert!(budget.is_spent());
        budget.reset(true);
        assert!(!budget.is_spent() && !budget.is_clock_due());
    }

    #[test]
    fn what_was_queued_counts_until_it_is_flushed() {
        let mut budget = budget();
        budget.requests += Cost::of(1, 1_000, 16_000);
        budget.reset(false);
        assert_eq!((budget.is_spent(), budget.requests.copied), (true, 0));
        budget.reset(true);
        assert!(!budget.is_spent());
    }

    #[test]
    fn long_requests_and_departures_have_budgets_of_their_own() {
        let mut budget = budget();
        budget.departures += Cost::work(4_000);
        budget.long_requests += Cost::work(3_999);
        assert!(budget.is_spent_on_departures() && !budget.is_spent_on_long_requests() && !budget.is_half_spent());
        budget.long_requests += Cost::work(1);
        assert!(budget.is_spent_on_long_requests() && !budget.is_half_spent());
    }

    #[test]
    fn each_session_has_an_equal_share_of_what_is_left_between_a_sixteenth_and_a_quarter_of_all() {
        let mut budget = budget();
        budget.begin_share(1);
        assert_eq!(budget.bytes_left(1), 1_000);
        budget.begin_share(4);
        budget.requests += Cost::work(3_999);
        assert!(!budget.is_share_spent());
        budget.requests += Cost::work(1);
        assert!(budget.is_share_spent() && !budget.is_spent());
        budget.begin_share(1_000);
        budget.requests += Cost::work(1_000);
        assert!(budget.is_share_spent() && !budget.is_half_spent());
        budget.begin_share(1);
        budget.requests += Cost::work(3_999);
        assert!(!budget.is_share_spent());
        budget.requests += Cost::work(1);
        assert!(budget.is_share_spent() && !budget.is_spent(), "one that is alone is served again in the same turn");
    }

    #[test]
    fn what_is_left_spends_the_share_and_one_byte_less_does_not() {
        for (outboxes, left) in [(1, 1_000), (10, 1_000), (99, 162)] {
            let mut budget = budget();
            assert_eq!(budget.bytes_left(outboxes), left);
            budget.requests += Cost::of(outboxes, left - 1, left - 1);
            assert!(!budget.is_share_spent());
            budget.requests += Cost::of(outboxes, 1, 1);
            assert!(budget.is_share_spent());
        }
    }
}
