//! Checks every message that arrives against what was sent, and counts it.

use super::plan::{MOST_NS, Outcome};
use super::sizes::Sizes;
use super::stamp::{self, Stamp};
use super::window::Publisher;

/// Stands for the next sequence number of a publisher until its first message sets it: for subscribers that join
/// midway.
const ANY: u64 = u64::MAX;

/// What one connection has received, and therefore what it should receive next.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// The first publisher of its groups.
    first: u32,
    /// The next sequence number of each of these publishers, or [`ANY`].
    next: Vec<u64>,
    /// Whether the publishers wait for this connection.
    counts: bool,
    /// Losses that the server reported, and that no gap has shown yet.
    reported: u64,
}

impl Expected {
    /// For a subscriber of `count` publishers from `first` on, from their first message.
    pub fn all(first: u32, count: u32) -> Expected {
        Expected { first, next: vec![0; count as usize], counts: true, reported: 0 }
    }

    /// The same for one that joins midway: any message may be its first, and no publisher waits for it.
    pub fn from_now(first: u32, count: u32) -> Expected {
        Expected { first, next: vec![ANY; count as usize], counts: false, reported: 0 }
    }

    /// The publishers that wait for this connection, each with the sequence number that it should receive next.
    pub fn pending(&self) -> impl Iterator<Item = (u32, u32)> {
        let waiting = if self.counts { &self.next[..] } else { &[] };
        waiting.iter().zip(self.first..).map(|(next, publisher)| (publisher, *next as u32))
    }
}

/// Consecutive messages of one publisher.
#[derive(Clone, Copy)]
struct Batch {
    publisher: u32,
    /// The first sequence number.
    from: u32,
    /// The sequence number after the last one.
    next: u32,
    /// When the newest of them were sent, and how many were sent then.
    sent_ns: u64,
    same: u64,
}

/// What all connections add to.
pub(super) struct Totals {
    pub publishers: Vec<Publisher>,
    /// The lengths that a body may have.
    sizes: Sizes,
    /// Publishers that may send again.
    pub refill: Vec<u32>,
    pub outcome: Outcome,
    /// Messages that some subscriber has still to receive.
    pub in_flight: u64,
    /// Connections that are not ready yet.
    pub connecting: usize,
    /// When the newest bytes were read.
    pub read_ns: u64,
}

/// Takes what one read of one connection brings. Messages that were sent together are counted together, so
/// [`finish`](Checker::finish) must be called.
pub(super) struct Checker<'e> {
    expected: &'e mut Expected,
    totals: &'e mut Totals,
    batch: Batch,
    bodies: u64,
    bytes: u64,
    /// The length of the last body, if it was valid.
    len: usize,
}

impl<'e> Checker<'e> {
    pub fn new(expected: &'e mut Expected, totals: &'e mut Totals) -> Checker<'e> {
        // No publisher has this number, so no valid message continues this batch.
        let batch = Batch { publisher: u32::MAX, from: 0, next: 0, sent_ns: 0, same: 0 };
        Checker { expected, totals, batch, bodies: 0, bytes: 0, len: 0 }
    }

    /// The server confirms one of the steps after which the connection is ready.
    pub fn ready(&mut self, acks_expected: &mut u32) {
        if *acks_expected == 1 {
            self.totals.connecting -= 1;
        }
        *acks_expected = acks_expected.saturating_sub(1);
    }

    /// The server reports that it dropped `count` messages.
    pub fn miss(&mut self, count: u64) {
        self.expected.reported = self.expected.reported.saturating_add(count);
    }

    /// Takes a message: the front of its body, and the length of the whole body.
    #[inline]
    pub fn take(&mut self, front: &[u8], len: usize) {
        let Some(stamp) = Stamp::read(front) else {
            return self.wrong(|| format!("received a body of {len} bytes, which is too short for any that was sent"));
        };
        self.bodies += 1;
        self.bytes += len as u64;
        if len != self.len {
            self.check_len(len);
        }
        if stamp.publisher != self.batch.publisher || stamp.sequence != self.batch.next {
            return self.begin_batch(stamp);
        }
        if stamp.sent_ns != self.batch.sent_ns {
            self.record();
            self.batch.sent_ns = stamp.sent_ns;
        }
        self.batch.next = stamp.sequence.wrapping_add(1);
        self.batch.same += 1;
    }

    /// Takes a message whose body is text.
    #[inline]
    pub fn take_text(&mut self, text: &[u8]) {
        match stamp::from_text(text) {
            Some(front) => self.take(&front, text.len()),
            None => self.take(&[], text.len()),
        }
    }

    /// Checks a length that differs from the one before.
    fn check_len(&mut self, len: usize) {
        if self.totals.sizes.has(len) {
            self.len = len;
        } else {
            self.wrong(|| format!("received a body of {len} bytes, a length which no message of this run has"));
        }
    }

    /// Takes a message that does not continue the batch: it begins the next one, or is an error.
    fn begin_batch(&mut self, stamp: Stamp) {
        self.end_batch();
        let Stamp { publisher, sequence, sent_ns } = stamp;
        let index = publisher.wrapping_sub(self.expected.first) as usize;
        let Some(next) = self.expected.next.get_mut(index) else {
            self.bodies -= 1;
            return self.wrong(|| format!("a message of publisher {publisher} was delivered to another group"));
        };
        let ahead = if *next == ANY { 0 } else { sequence.wrapping_sub(*next as u32) };
        if ahead > i32::MAX as u32 || ahead > 0 && !self.skip(publisher, sequence, ahead) {
            self.bodies -= 1;
            return self.wrong(|| format!("message {sequence} of publisher {publisher} came twice, or out of order"));
        }
        self.batch = Batch { publisher, from: sequence, next: sequence.wrapping_add(1), sent_ns, same: 1 };
    }

    /// Counts the `ahead` messages before `sequence` as missed. Returns false if they were never sent.
    fn skip(&mut self, publisher: u32, sequence: u32, ahead: u32) -> bool {
        let from = sequence.wrapping_sub(ahead);
        if !self.settle(publisher, from, ahead) {
            return false;
        }
        let reported = self.expected.reported.min(ahead.into());
        self.expected.reported -= reported;
        self.totals.outcome.missed += u64::from(ahead);
        if u64::from(ahead) > reported {
            let silent = u64::from(ahead) - reported;
            self.wrong(|| format!("{silent} messages of publisher {publisher} were lost, and the hub did not say so"));
        }
        true
    }

    /// The subscriber waits for these messages no longer. Returns false if they are not in flight.
    fn settle(&mut self, publisher: u32, from: u32, count: u32) -> bool {
        !self.expected.counts || self.totals.settle(publisher, from, count)
    }

    fn end_batch(&mut self) {
        let Batch { publisher, from, next, .. } = self.batch;
        if from == next {
            return;
        }
        self.record();
        self.batch.from = next;
        let index = publisher.wrapping_sub(self.expected.first) as usize;
        let Some(expected) = self.expected.next.get_mut(index) else {
            self.bodies -= u64::from(next.wrapping_sub(from));
            return self.wrong(|| format!("received a message of publisher {publisher}, which does not exist"));
        };
        *expected = next.into();
        if !self.settle(publisher, from, next.wrapping_sub(from)) {
            self.wrong(|| format!("received message {from} of publisher {publisher}, which was not sent"));
        }
    }

    /// Records the latency of messages that were sent at the same time.
    fn record(&mut self) {
        let Batch { sent_ns, same, publisher, .. } = self.batch;
        self.batch.same = 0;
        match self.totals.read_ns.checked_sub(sent_ns) {
            Some(latency) => {
                let recorded = self.totals.outcome.latency.record_n(latency.clamp(1, MOST_NS), same);
                recorded.expect("it is within the bounds");
            }
            None => self.wrong(|| format!("received a message of publisher {publisher} before it was sent")),
        }
    }

    /// Counts an error.
    pub fn wrong(&mut self, what: impl FnOnce() -> String) {
        self.totals.outcome.wrong(what);
    }

    /// Counts what is left.
    pub fn finish(mut self) {
        self.end_batch();
        self.totals.outcome.deliveries += self.bodies;
        self.totals.outcome.bytes += self.bytes;
    }
}

impl Totals {
    pub fn new(publishers: Vec<Publisher>, sizes: Sizes) -> Totals {
        Totals {
            publishers,
            sizes,
            refill: Vec::new(),
            outcome: Outcome::default(),
            in_flight: 0,
            connecting: 0,
            read_ns: 0,
        }
    }

    /// One subscriber waits for these messages no longer. Returns false if they are not in flight.
    pub fn settle(&mut self, publisher: u32, from: u32, count: u32) -> bool {
        let Some(state) = self.publishers.get_mut(publisher as usize) else { return false };
        let Some(complete) = state.received(from, count) else { return false };
        self.in_flight -= u64::from(complete);
        if complete > 0 {
            self.list(publisher);
        }
        true
    }

    /// Puts a publisher on the list of those that may send.
    pub fn list(&mut self, publisher: u32) {
        let state = &mut self.publishers[publisher as usize];
        if !std::mem::replace(&mut state.listed, true) {
            self.refill.push(publisher);
        }
    }
}

impl Outcome {
    /// Counts an error, and keeps the text of the first one.
    pub(super) fn wrong(&mut self, what: impl FnOnce() -> String) {
        self.errors += 1;
        self.first_error.get_or_insert_with(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Totals of `publishers` publishers that have each sent `messages` messages to one subscriber.
    fn totals(publishers: usize, messages: u32) -> Totals {
        let mut totals = Totals::new((0..publishers).map(|_| Publisher::new(0, 0)).collect(), Sizes::one(20));
        for publisher in &mut totals.publishers {
            assert_eq!((0..messages).map(|_| publisher.send(1)).last(), messages.checked_sub(1));
        }
        totals.in_flight = publishers as u64 * u64::from(messages);
        totals.read_ns = 1000;
        totals
    }

    fn take(checker: &mut Checker<'_>, publisher: u32, sequence: u32, sent_ns: u64) {
        let mut body = [0; 20];
        Stamp { publisher, sequence, sent_ns }.write(&mut body);
        checker.take(&body, 20);
    }

    /// The outcome if one subscriber receives bodies with these stamps and the hub reports `reported` losses, and how
    /// many messages are complete then. Publishers 3 and 4 of its group have each sent four messages.
    fn received(stamps: &[(u32, u32, u64)], reported: u64) -> (Outcome, u64) {
        let (mut totals, mut expected) = (totals(6, 4), Expected::all(3, 2));
        let mut checker = Checker::new(&mut expected, &mut totals);
        checker.miss(reported);
        stamps.iter().for_each(|&(publisher, sequence, sent_ns)| take(&mut checker, publisher, sequence, sent_ns));
        checker.finish();
        assert!(totals.refill.iter().all(|number| totals.publishers[*number as usize].listed));
        (totals.outcome, 24 - totals.in_flight)
    }

    #[test]
    fn messages_in_order_are_counted_and_timed() {
        let (outcome, complete) = received(&[(3, 0, 500), (3, 1, 500), (4, 0, 900), (3, 2, 600), (3, 3, 600)], 0);
        assert_eq!((outcome.errors, outcome.missed, outcome.deliveries, outcome.bytes), (0, 0, 5, 100));
        assert_eq!((complete, outcome.latency.len()), (5, 5));
        assert_eq!((outcome.latency.min(), outcome.latency.max()), (100, 500));
    }

    #[test]
    fn a_gap_is_a_loss_and_an_unreported_loss_is_an_error() {
        let (outcome, complete) = received(&[(3, 0, 1), (3, 3, 1)], 2);
        assert_eq!((outcome.errors, outcome.missed, outcome.deliveries, complete), (0, 2, 2, 4));
        let (outcome, complete) = received(&[(3, 0, 1), (3, 3, 1)], 1);
        assert_eq!((outcome.errors, outcome.missed, outcome.deliveries, complete), (1, 2, 2, 4));
        assert!(outcome.first_error.expect("said").contains("1 messages of publisher 3 were lost"));
    }

    #[test]
    fn unexpected_messages_are_errors() {
        for (stamps, word) in [
            (&[(3, 0, 1), (3, 0, 1)][..], "twice"),
            (&[(3, 1, 1), (3, 0, 1)], "were lost"),
            (&[(2, 0, 1)], "another group"),
            (&[(5, 0, 1)], "another group"),
            (&[(u32::MAX, 0, 1)], "does not exist"),
            (&[(3, 0, 1), (3, 1, 1), (3, 2, 1), (3, 3, 1), (3, 4, 1)], "was not sent"),
            (&[(3, 7, 1)], "out of order"),
            (&[(3, 0, 2000)], "before it was sent"),
        ] {
            let (outcome, _) = received(stamps, 0);
            let said = outcome.first_error.expect("an error");
            assert!(outcome.errors > 0 && said.contains(word), "{stamps:?}: {said}");
        }
    }

    #[test]
    fn a_body_too_short_for_a_stamp_is_an_error() {
        let (mut totals, mut expected) = (totals(1, 1), Expected::all(0, 1));
        let mut checker = Checker::new(&mut expected, &mut totals);
        checker.take(&[0; 15], 15);
        checker.finish();
        assert_eq!((totals.outcome.errors, totals.outcome.deliveries), (1, 0));
    }

    #[test]
    fn a_body_that_grew_or_shrank_is_an_error() {
        let (mut totals, mut expected) = (totals(1, 3), Expected::all(0, 1));
        let mut checker = Checker::new(&mut expected, &mut totals);
        for (sequence, len) in [(0, 20), (1, 21), (2, 19)] {
            let mut front = [0; 16];
            Stamp { publisher: 0, sequence, sent_ns: 1 }.write(&mut front);
            checker.take(&front, len);
        }
        checker.finish();
        assert_eq!((totals.outcome.errors, totals.outcome.deliveries, totals.in_flight), (2, 3, 0));
        assert!(totals.outcome.first_error.expect("said").contains("a body of 21 bytes"));
    }

    #[test]
    fn a_subscriber_that_joins_midway_begins_with_any_message() {
        let (mut totals, mut expected) = (totals(1, 9), Expected::from_now(0, 1));
        for sequences in [[5, 6], [7, 7]] {
            let mut checker = Checker::new(&mut expected, &mut totals);
            sequences.iter().for_each(|sequence| take(&mut checker, 0, *sequence, 1));
            checker.finish();
        }
        assert_eq!((totals.outcome.deliveries, totals.outcome.errors), (3, 1));
        assert_eq!(totals.in_flight, 9, "nobody waits for it");
    }
}
