//! How much the hub may do in one turn.

use crate::limits::Limits;
use std::ops::{Add, AddAssign};

/// What it cost to put something into outboxes.
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

/// What this turn has spent, and what it may spend. Departures have a budget of their own, half as large, so that
/// requests and departures do not delay each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct TurnBudget {
    /// What a turn may cost. A session that reads never becomes full within one turn, because no outbox receives more
    /// than half a queue.
    most: Cost,
    pub requests: Cost,
    pub departures: Cost,
}

impl TurnBudget {
    pub fn new(limits: &Limits) -> TurnBudget {
        let most = Cost { copied: limits.fan_out, queued: limits.queue / 2 };
        TurnBudget { most, requests: Cost::NONE, departures: Cost::NONE }
    }

    /// Begins a turn.
    pub fn reset(&mut self) {
        (self.requests, self.departures) = (Cost::NONE, Cost::NONE);
    }

    /// Whether the requests of this turn have cost enough: further ones wait for the next turn.
    #[inline]
    pub fn is_spent(&self) -> bool {
        self.has_reached(self.requests, 1)
    }

    /// Whether they have cost half of that.
    pub fn is_half_spent(&self) -> bool {
        self.has_reached(self.requests, 2)
    }

    /// Whether the departures of this turn have cost enough.
    pub fn is_spent_on_departures(&self) -> bool {
        self.has_reached(self.departures, 2)
    }

    #[inline]
    fn has_reached(&self, spent: Cost, parts: usize) -> bool {
        spent.copied >= self.most.copied / parts || spent.queued >= self.most.queued / parts
    }

    /// After how many more bytes, put into this many outboxes each, the budget for requests is spent.
    pub fn bytes_left(&self, outboxes: usize) -> usize {
        let copied = self.most.copied.saturating_sub(self.requests.copied).div_ceil(outboxes.max(1));
        copied.min(self.most.queued.saturating_sub(self.requests.queued))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> TurnBudget {
        TurnBudget::new(&Limits { fan_out: 10_000, queue: 2_000, ..Limits::default() })
    }

    #[test]
    fn a_turn_is_spent_by_copies_to_many_or_by_bytes_for_one() {
        let mut budget = budget();
        budget.requests += Cost::of(99, 100, 100);
        assert!(budget.is_half_spent() && !budget.is_spent());
        budget.requests += Cost::work(100);
        assert!(budget.is_spent());
        budget.reset();
        budget.requests += Cost::of(1, 1_000, 256);
        assert!(budget.is_spent(), "half a queue");
    }

    #[test]
    fn departures_have_half_as_much_of_their_own() {
        let mut budget = budget();
        budget.departures += Cost::work(5_000);
        assert!(budget.is_spent_on_departures() && !budget.is_half_spent());
    }

    #[test]
    fn what_is_left_spends_the_budget_and_one_byte_less_does_not() {
        for (outboxes, left) in [(1, 1_000), (10, 1_000), (99, 102)] {
            let mut budget = budget();
            assert_eq!(budget.bytes_left(outboxes), left);
            budget.requests += Cost::of(outboxes, left - 1, left - 1);
            assert!(!budget.is_spent());
            budget.requests += Cost::of(outboxes, 1, 1);
            assert!(budget.is_spent());
        }
    }
}
