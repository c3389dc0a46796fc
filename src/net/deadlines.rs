//! Which links are to be looked at, and when. Only those in trouble have a deadline: over the queue limit, or closing.

use crate::wire::UserId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// A heap of deadlines. One that was put off or called off stays in it until its time, and is then found stale by
/// comparing it with the link's own `due`.
#[derive(Debug, Default)]
pub struct Deadlines(BinaryHeap<Reverse<(Duration, UserId, usize)>>);

impl Deadlines {
    /// Notes that the user `id` in `slot` is to be looked at.
    pub fn set(&mut self, at: Duration, id: UserId, slot: usize) {
        self.0.push(Reverse((at, id, slot)));
    }

    /// When the next one is, stale or not.
    pub fn next(&self) -> Option<Duration> {
        self.0.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes the next one that is due at `now`.
    pub fn pop(&mut self, now: Duration) -> Option<(Duration, UserId, usize)> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop().map(|Reverse(deadline)| deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_come_in_order_and_not_before_their_time() {
        let mut deadlines = Deadlines::default();
        let secs = Duration::from_secs;
        deadlines.set(secs(3), UserId(30), 3);
        deadlines.set(secs(1), UserId(10), 1);
        deadlines.set(secs(2), UserId(20), 2);
        assert_eq!(deadlines.next(), Some(secs(1)));
        assert_eq!(deadlines.pop(Duration::ZERO), None);
        assert_eq!(deadlines.pop(secs(2)), Some((secs(1), UserId(10), 1)));
        assert_eq!(deadlines.pop(secs(2)), Some((secs(2), UserId(20), 2)));
        assert_eq!(deadlines.pop(secs(2)), None);
    }
}
