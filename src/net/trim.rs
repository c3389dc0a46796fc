//! Releases memory that outboxes no longer need when a burst of traffic is over. The host can learn of this, because
//! its allocator may have to be told to return the memory to the system.

use super::link::Link;
use crate::hub::Hub;
use crate::limits::{MIN_TRIM, TRIM_EVERY};
use std::time::Duration;

/// When to check next, and how large the burst was.
#[derive(Debug, Default)]
pub(super) struct Trim {
    at: Option<Duration>,
    /// The most that outboxes held since the host was last told that a burst is over.
    most: usize,
    /// Whether a burst was over in the last turn.
    eased: bool,
}

impl Trim {
    /// When to check next; `None` if no spare memory is held.
    pub(super) fn next(&self) -> Option<Duration> {
        self.at
    }

    /// Whether a burst was over in the last turn.
    pub(super) fn eased(&self) -> bool {
        self.eased
    }

    /// Releases spare memory that outboxes have not needed for a while, if it is time.
    pub(super) fn check<S>(&mut self, hub: &mut Hub<Link<S>>, now: Duration) {
        self.eased = false;
        if self.at.is_some_and(|at| at <= now) {
            self.at = None;
            self.eased = self.is_over(hub.trim_memory());
        }
        if self.at.is_none() && (hub.has_spare_memory() || self.most >= MIN_TRIM) {
            self.at = Some(now + TRIM_EVERY);
        }
    }

    /// Whether a burst is over, given the most that outboxes held since the last check.
    fn is_over(&mut self, held: usize) -> bool {
        self.most = self.most.max(held);
        let is_over = self.most >= MIN_TRIM && held <= self.most / 4;
        if is_over {
            self.most = held;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_over_once_and_steady_traffic_never() {
        let mut trim = Trim::default();
        let mut eased = |held: usize| trim.is_over(held);
        assert!(![0, 100, MIN_TRIM - 1, 0].map(&mut eased).contains(&true), "not worth it");
        assert!(![8 << 20, 5 << 20, 9 << 20, 3 << 20].map(&mut eased).contains(&true), "it goes on");
        assert_eq!([2 << 20, 2 << 20, 2 << 20, 0, 0].map(&mut eased), [true, false, false, true, false]);
    }
}
