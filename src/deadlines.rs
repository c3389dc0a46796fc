//! What is to be looked at, and when: links that are over their queue limit or closing, rooms that nobody is in.

use std::collections::BTreeSet;
use std::time::Duration;

/// Deadlines in order. Each slot has at most one, which who lives there knows, so that one called off leaves nothing
/// behind: no memory, and no turn that is owed for it.
#[derive(Debug, Default)]
pub(crate) struct Deadlines(BTreeSet<(Duration, usize)>);

impl Deadlines {
    /// Notes that what lives in `slot` is to be looked at.
    pub fn set(&mut self, at: Duration, slot: usize) {
        self.0.insert((at, slot));
    }

    /// Calls one off.
    pub fn cancel(&mut self, at: Duration, slot: usize) {
        self.0.remove(&(at, slot));
    }

    /// When the next one is.
    pub fn next(&self) -> Option<Duration> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes the next one that is due at `now`.
    pub fn pop(&mut self, now: Duration) -> Option<usize> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop_first().map(|(_, slot)| slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_come_in_order_and_not_before_their_time() {
        let mut deadlines = Deadlines::default();
        let secs = Duration::from_secs;
        [(3, 30), (1, 10), (2, 20)].iter().for_each(|&(at, slot)| deadlines.set(secs(at), slot));
        assert_eq!(deadlines.next(), Some(secs(1)));
        assert_eq!(deadlines.pop(Duration::ZERO), None);
        assert_eq!(deadlines.pop(secs(1)), Some(10));
        deadlines.cancel(secs(2), 20);
        assert_eq!(deadlines.pop(secs(5)), Some(30));
        assert_eq!((deadlines.pop(secs(5)), deadlines.next()), (None, None));
    }
}
