//! Hearing: every message that comes is held against what was sent, and counted.

use super::plan::{MOST_NS, Outcome};
use super::sizes::Sizes;
use super::stamp::{self, Stamp};
use super::window::Publisher;

/// The sequence of a publisher whose first message, whichever it is, will set it: for those who come in midway.
const ANY: u64 = u64::MAX;

/// What one connection has heard so far.
#[derive(Debug, Default)]
pub(super) struct Heed {
    /// The first publisher of its groups.
    first: u32,
    /// The next sequence of each of these publishers, or [`ANY`].
    next: Vec<u64>,
    /// Whether the publishers wait for it.
    counts: bool,
    /// Messages that the hub said are lost, and that were not missed yet.
    told: u64,
}

impl Heed {
    /// One that hears `count` publishers from `first` on, from their first message.
    pub fn all(first: u32, count: u32) -> Heed {
        Heed { first, next: vec![0; count as usize], counts: true, told: 0 }
    }

    /// One that hears them from whichever message on, and is not waited for.
    pub fn from_now(first: u32, count: u32) -> Heed {
        Heed { first, next: vec![ANY; count as usize], counts: false, told: 0 }
    }

    /// The publishers that wait for it, each with the next sequence that it would hear.
    pub fn awaited(&self) -> impl Iterator<Item = (u32, u32)> {
        let waiting = if self.counts { &self.next[..] } else { &[] };
        waiting.iter().zip(self.first..).map(|(next, publisher)| (publisher, *next as u32))
    }
}

/// Messages of one publisher, one after the other, that one connection hears.
#[derive(Clone, Copy)]
struct Streak {
    publisher: u32,
    /// The sequence that began it.
    from: u32,
    /// The sequence that goes on with it.
    next: u32,
    /// When the newest of them were sent, and how many these are.
    sent_ns: u64,
    same: u64,
}

/// What all ears add to.
pub(super) struct Hall {
    pub publishers: Vec<Publisher>,
    /// The lengths that a body may have.
    sizes: Sizes,
    /// Those who may send again.
    pub refill: Vec<u32>,
    pub outcome: Outcome,
    /// Messages that somebody has still to hear.
    pub under_way: u64,
    /// Connections that the hub has still to let in.
    pub arriving: usize,
    /// When the newest bytes were read.
    pub now_ns: u64,
    /// When anything was heard last.
    pub heard_ns: u64,
}

/// Takes what one connection hears from one read. What is alike is counted together: see [`Ear::finish`].
pub(super) struct Ear<'e> {
    heed: &'e mut Heed,
    hall: &'e mut Hall,
    streak: Streak,
    bodies: u64,
    bytes: u64,
    /// The length of the last body, where it was right.
    len: usize,
}

impl<'e> Ear<'e> {
    pub fn new(heed: &'e mut Heed, hall: &'e mut Hall) -> Ear<'e> {
        // No publisher has this number, so no right message goes on with this.
        let streak = Streak { publisher: u32::MAX, from: 0, next: 0, sent_ns: 0, same: 0 };
        Ear { heed, hall, streak, bodies: 0, bytes: 0, len: 0 }
    }

    /// The hub lets the connection in, which is awaited so often.
    pub fn arrive(&mut self, awaited: &mut u32) {
        if *awaited == 1 {
            self.hall.arriving -= 1;
        }
        *awaited = awaited.saturating_sub(1);
    }

    /// The hub says that so many are lost.
    pub fn miss(&mut self, count: u64) {
        self.heed.told = self.heed.told.saturating_add(count);
    }

    /// A message, by the front of its body and the length of the whole.
    #[inline]
    pub fn hear(&mut self, front: &[u8], len: usize) {
        let Some(stamp) = Stamp::read(front) else {
            return self.wrong(|| format!("a message of {len} bytes came, which nobody sent"));
        };
        self.bodies += 1;
        self.bytes += len as u64;
        if len != self.len {
            self.measure(len);
        }
        if stamp.publisher != self.streak.publisher || stamp.sequence != self.streak.next {
            return self.turn_to(stamp);
        }
        if stamp.sent_ns != self.streak.sent_ns {
            self.record();
            self.streak.sent_ns = stamp.sent_ns;
        }
        self.streak.next = stamp.sequence.wrapping_add(1);
        self.streak.same += 1;
    }

    /// The same, where its stamp is in text.
    #[inline]
    pub fn hear_text(&mut self, text: &[u8]) {
        match stamp::from_text(text) {
            Some(front) => self.hear(&front, text.len()),
            None => self.hear(&[], text.len()),
        }
    }

    /// A body of another length than the one before it: that is an error where none of that length is sent.
    fn measure(&mut self, len: usize) {
        if self.hall.sizes.has(len) {
            self.len = len;
        } else {
            self.wrong(|| format!("a body of {len} bytes came, which no message of this run has"));
        }
    }

    /// A message that does not go on with the streak: it begins the next one, or is wrong.
    fn turn_to(&mut self, stamp: Stamp) {
        self.end_streak();
        let Stamp { publisher, sequence, sent_ns } = stamp;
        let place = publisher.wrapping_sub(self.heed.first) as usize;
        let Some(next) = self.heed.next.get_mut(place) else {
            self.bodies -= 1;
            return self.wrong(|| format!("a message of publisher {publisher} came to another group"));
        };
        let ahead = if *next == ANY { 0 } else { sequence.wrapping_sub(*next as u32) };
        if ahead > i32::MAX as u32 || ahead > 0 && !self.skip(publisher, sequence, ahead) {
            self.bodies -= 1;
            return self.wrong(|| format!("message {sequence} of publisher {publisher} came twice, or in no order"));
        }
        self.streak = Streak { publisher, from: sequence, next: sequence.wrapping_add(1), sent_ns, same: 1 };
    }

    /// Counts the `ahead` messages before `sequence` as missed; false where they were never sent.
    fn skip(&mut self, publisher: u32, sequence: u32, ahead: u32) -> bool {
        let from = sequence.wrapping_sub(ahead);
        if !self.settle(publisher, from, ahead) {
            return false;
        }
        let told = self.heed.told.min(ahead.into());
        self.heed.told -= told;
        self.hall.outcome.missed += u64::from(ahead);
        if u64::from(ahead) > told {
            let silent = u64::from(ahead) - told;
            self.wrong(|| format!("{silent} messages of publisher {publisher} were lost, and the hub did not say so"));
        }
        true
    }

    /// The subscriber is done with these messages; false where they are not under way.
    fn settle(&mut self, publisher: u32, from: u32, count: u32) -> bool {
        !self.heed.counts || self.hall.settle(publisher, from, count)
    }

    fn end_streak(&mut self) {
        let Streak { publisher, from, next, .. } = self.streak;
        if from == next {
            return;
        }
        self.record();
        self.streak.from = next;
        let place = publisher.wrapping_sub(self.heed.first) as usize;
        let Some(expected) = self.heed.next.get_mut(place) else {
            self.bodies -= u64::from(next.wrapping_sub(from));
            return self.wrong(|| format!("a message of publisher {publisher} came, which there is not"));
        };
        *expected = next.into();
        if !self.settle(publisher, from, next.wrapping_sub(from)) {
            self.wrong(|| format!("message {from} of publisher {publisher} came, which was not sent"));
        }
    }

    /// Records the latency of those that were sent together.
    fn record(&mut self) {
        let Streak { sent_ns, same, publisher, .. } = self.streak;
        self.streak.same = 0;
        match self.hall.now_ns.checked_sub(sent_ns) {
            Some(latency) => {
                let recorded = self.hall.outcome.latency.record_n(latency.clamp(1, MOST_NS), same);
                recorded.expect("it is within the bounds");
            }
            None => self.wrong(|| format!("a message of publisher {publisher} came before it was sent")),
        }
    }

    /// Counts an error.
    pub fn wrong(&mut self, what: impl FnOnce() -> String) {
        self.hall.outcome.wrong(what);
    }

    /// Counts what is left.
    pub fn finish(mut self) {
        self.end_streak();
        self.hall.outcome.deliveries += self.bodies;
        self.hall.outcome.bytes += self.bytes;
    }
}

impl Hall {
    pub fn new(publishers: Vec<Publisher>, sizes: Sizes) -> Hall {
        let outcome = Outcome::default();
        Hall { publishers, sizes, refill: Vec::new(), outcome, under_way: 0, arriving: 0, now_ns: 0, heard_ns: 0 }
    }

    /// One subscriber is done with these messages; false where they are not under way.
    pub fn settle(&mut self, publisher: u32, from: u32, count: u32) -> bool {
        let Some(state) = self.publishers.get_mut(publisher as usize) else { return false };
        let Some(complete) = state.heard(from, count) else { return false };
        self.under_way -= u64::from(complete);
        if complete > 0 {
            self.list(publisher);
        }
        true
    }

    /// Puts a publisher on the list of those who may send.
    pub fn list(&mut self, publisher: u32) {
        let state = &mut self.publishers[publisher as usize];
        if !std::mem::replace(&mut state.listed, true) {
            self.refill.push(publisher);
        }
    }
}

impl Outcome {
    /// Counts an error, and keeps the first one's words.
    pub(super) fn wrong(&mut self, what: impl FnOnce() -> String) {
        self.errors += 1;
        self.first_error.get_or_insert_with(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hall in which each of so many publishers has sent so many messages, each to one subscriber.
    fn hall(publishers: usize, messages: u32) -> Hall {
        let mut hall = Hall::new((0..publishers).map(|_| Publisher::new(0, 0)).collect(), Sizes::one(20));
        for publisher in &mut hall.publishers {
            assert_eq!((0..messages).map(|_| publisher.send(1)).last(), messages.checked_sub(1));
        }
        hall.under_way = publishers as u64 * u64::from(messages);
        hall.now_ns = 1000;
        hall
    }

    fn hear(ear: &mut Ear<'_>, publisher: u32, sequence: u32, sent_ns: u64) {
        let mut body = [0; 20];
        Stamp { publisher, sequence, sent_ns }.write(&mut body);
        ear.hear(&body, 20);
    }

    /// What one subscriber makes of bodies with these stamps, where publishers 3 and 4 of its group have each sent four
    /// messages, and `told` are lost as the hub says; and how many messages are complete by that.
    fn heard(stamps: &[(u32, u32, u64)], told: u64) -> (Outcome, u64) {
        let (mut hall, mut heed) = (hall(6, 4), Heed::all(3, 2));
        let mut ear = Ear::new(&mut heed, &mut hall);
        ear.miss(told);
        stamps.iter().for_each(|&(publisher, sequence, sent_ns)| hear(&mut ear, publisher, sequence, sent_ns));
        ear.finish();
        assert!(hall.refill.iter().all(|number| hall.publishers[*number as usize].listed));
        (hall.outcome, 24 - hall.under_way)
    }

    #[test]
    fn messages_in_order_are_counted_and_timed() {
        let (outcome, complete) = heard(&[(3, 0, 500), (3, 1, 500), (4, 0, 900), (3, 2, 600), (3, 3, 600)], 0);
        assert_eq!((outcome.errors, outcome.missed, outcome.deliveries, outcome.bytes), (0, 0, 5, 100));
        assert_eq!((complete, outcome.latency.len()), (5, 5));
        assert_eq!((outcome.latency.min(), outcome.latency.max()), (100, 500));
    }

    #[test]
    fn a_gap_is_missed_and_an_error_where_the_hub_did_not_say_so() {
        let (outcome, complete) = heard(&[(3, 0, 1), (3, 3, 1)], 2);
        assert_eq!((outcome.errors, outcome.missed, outcome.deliveries, complete), (0, 2, 2, 4));
        let (outcome, complete) = heard(&[(3, 0, 1), (3, 3, 1)], 1);
        assert_eq!((outcome.errors, outcome.missed, outcome.deliveries, complete), (1, 2, 2, 4));
        assert!(outcome.first_error.expect("said").contains("1 messages of publisher 3 were lost"));
    }

    #[test]
    fn what_should_not_come_is_an_error() {
        for (stamps, word) in [
            (&[(3, 0, 1), (3, 0, 1)][..], "twice"),
            (&[(3, 1, 1), (3, 0, 1)], "were lost"),
            (&[(2, 0, 1)], "another group"),
            (&[(5, 0, 1)], "another group"),
            (&[(u32::MAX, 0, 1)], "there is not"),
            (&[(3, 0, 1), (3, 1, 1), (3, 2, 1), (3, 3, 1), (3, 4, 1)], "not sent"),
            (&[(3, 7, 1)], "no order"),
            (&[(3, 0, 2000)], "before it was sent"),
        ] {
            let (outcome, _) = heard(stamps, 0);
            let said = outcome.first_error.expect("an error");
            assert!(outcome.errors > 0 && said.contains(word), "{stamps:?}: {said}");
        }
    }

    #[test]
    fn a_body_too_short_for_a_stamp_is_an_error() {
        let (mut hall, mut heed) = (hall(1, 1), Heed::all(0, 1));
        let mut ear = Ear::new(&mut heed, &mut hall);
        ear.hear(&[0; 15], 15);
        ear.finish();
        assert_eq!((hall.outcome.errors, hall.outcome.deliveries), (1, 0));
    }

    #[test]
    fn a_body_that_grew_or_shrank_is_an_error() {
        let (mut hall, mut heed) = (hall(1, 3), Heed::all(0, 1));
        let mut ear = Ear::new(&mut heed, &mut hall);
        for (sequence, len) in [(0, 20), (1, 21), (2, 19)] {
            let mut front = [0; 16];
            Stamp { publisher: 0, sequence, sent_ns: 1 }.write(&mut front);
            ear.hear(&front, len);
        }
        ear.finish();
        assert_eq!((hall.outcome.errors, hall.outcome.deliveries, hall.under_way), (2, 3, 0));
        assert!(hall.outcome.first_error.expect("said").contains("a body of 21 bytes"));
    }

    #[test]
    fn whoever_comes_midway_begins_with_what_comes_first() {
        let (mut hall, mut heed) = (hall(1, 9), Heed::from_now(0, 1));
        for sequences in [[5, 6], [7, 7]] {
            let mut ear = Ear::new(&mut heed, &mut hall);
            sequences.iter().for_each(|sequence| hear(&mut ear, 0, *sequence, 1));
            ear.finish();
        }
        assert_eq!((hall.outcome.deliveries, hall.outcome.errors), (3, 1));
        assert_eq!(hall.under_way, 9, "nobody waits for it");
    }
}
