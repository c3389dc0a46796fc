//! Giving memory back once a burst of traffic is over: what outboxes need no more, and a word to the host, whose
//! allocator may hold on to the rest.

use super::{Loop, Os};
use crate::limits::{TRIM_EVERY, WORTH_TRIMMING};
use std::time::Duration;

/// When that is looked at next, and what a burst is measured by.
#[derive(Debug, Default)]
pub struct Trim {
    at: Option<Duration>,
    /// The most that outboxes held since the host last heard that a burst is over.
    most: usize,
    /// Whether it hears that now.
    eased: bool,
}

impl Trim {
    /// When to look next; `None` where nothing is kept.
    pub fn next(&self) -> Option<Duration> {
        self.at
    }

    /// Whether a burst was over with this turn.
    pub fn eased(&self) -> bool {
        self.eased
    }

    /// Notes how much outboxes held at the most since the last time.
    fn note(&mut self, held: usize) {
        self.most = self.most.max(held);
        self.eased = self.most >= WORTH_TRIMMING && held <= self.most / 4;
        if self.eased {
            self.most = held;
        }
    }
}

impl<O: Os> Loop<O> {
    /// Gives back what outboxes have not needed for a while.
    pub(super) fn trim(&mut self) {
        self.trim.eased = false;
        if self.trim.at.is_some_and(|at| at <= self.now) {
            self.trim.at = None;
            self.trim.note(self.hub.trim());
        }
        if self.trim.at.is_none() && (self.hub.has_spare() || self.trim.most >= WORTH_TRIMMING) {
            self.trim.at = Some(self.now + TRIM_EVERY);
        }
    }

    /// Whether a burst of traffic was over with the last turn, and much memory free again.
    pub fn has_eased(&self) -> bool {
        self.trim.eased()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_over_once_and_steady_traffic_never() {
        let mut trim = Trim::default();
        let mut eased = |held: usize| {
            trim.note(held);
            trim.eased
        };
        assert!(![0, 100, WORTH_TRIMMING - 1, 0].map(&mut eased).contains(&true), "not worth it");
        assert!(![8 << 20, 5 << 20, 9 << 20, 3 << 20].map(&mut eased).contains(&true), "it goes on");
        assert_eq!([2 << 20, 2 << 20, 2 << 20, 0, 0].map(&mut eased), [true, false, false, true, false]);
    }
}
