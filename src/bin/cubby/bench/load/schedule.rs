//! The times of an open loop: when each message should be sent, whatever becomes of the others.

/// A number of messages, evenly spread over time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Schedule {
    began_ns: u64,
    /// The time between two messages.
    step_ns: f64,
    /// Messages that are due.
    due: u64,
    /// Messages in all.
    all: u64,
}

impl Schedule {
    /// `all` messages from now on, `rate` of them a second.
    pub fn new(began_ns: u64, rate: f64, all: u64) -> Schedule {
        Schedule { began_ns, step_ns: 1e9 / rate, due: 0, all }
    }

    /// When the message with this number should be sent.
    pub fn time_of(&self, number: u64) -> u64 {
        self.began_ns + (number as f64 * self.step_ns) as u64
    }

    /// The numbers of the messages that have become due since the last call.
    pub fn take_due(&mut self, now_ns: u64) -> std::ops::Range<u64> {
        let before = self.due;
        let steps = now_ns.saturating_sub(self.began_ns) as f64 / self.step_ns;
        self.due = (steps as u64).saturating_add(1).min(self.all).max(before);
        before..self.due
    }

    /// When the next message should be sent, if there is one.
    pub fn next(&self) -> Option<u64> {
        (self.due < self.all).then(|| self.time_of(self.due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_due_evenly_and_no_more_than_there_are() {
        let mut schedule = Schedule::new(1_000, 1e6, 5);
        assert_eq!(schedule.take_due(1_000), 0..1);
        assert_eq!((schedule.take_due(1_500), schedule.next()), (1..1, Some(2_000)));
        assert_eq!(schedule.take_due(3_100), 1..3, "a late call returns all that are due");
        assert_eq!((schedule.take_due(9_000_000), schedule.next()), (3..5, None));
        assert_eq!(schedule.time_of(4), 5_000);
    }

    #[test]
    fn without_a_rate_nothing_is_due() {
        let mut schedule = Schedule::default();
        assert_eq!((schedule.take_due(7), schedule.next()), (0..0, None));
    }
}
