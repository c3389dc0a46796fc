//! Which messages of a publisher are under way, and how many have still to hear each of them.

use super::stamp::Stamp;

/// One publisher: what it has sent, and what of that all its subscribers have heard.
///
/// Each subscriber hears a publisher's messages in order, so they are complete in order as well.
#[derive(Debug)]
pub(super) struct Publisher {
    /// The connection that it sends on.
    pub slot: usize,
    pub group: u32,
    /// The sequence of its next message. It wraps.
    sent: u32,
    /// All before this sequence are complete.
    complete: u32,
    /// How many have still to hear the message of a sequence, at its place; as long as a power of two.
    ring: Vec<u32>,
    /// The sequence that the open loop's times count from.
    pub first: u32,
    /// Messages whose time to be sent has come, in the open loop.
    pub due: u64,
    /// Messages that it may still send.
    pub left: u64,
    /// Whether it is on the list of those who may send.
    pub listed: bool,
}

impl Publisher {
    pub fn new(slot: usize, group: u32) -> Publisher {
        let (ring, listed) = (Vec::new(), false);
        Publisher { slot, group, sent: 0, complete: 0, ring, first: 0, due: 0, left: 0, listed }
    }

    /// Messages that somebody has still to hear.
    pub fn under_way(&self) -> u32 {
        self.sent.wrapping_sub(self.complete)
    }

    /// The sequence of its next message.
    pub fn next(&self) -> u32 {
        self.sent
    }

    /// Notes one more message, which so many are to hear, and returns its sequence.
    pub fn send(&mut self, hearers: u32) -> u32 {
        if self.under_way() as usize == self.ring.len() {
            self.grow();
        }
        let sequence = self.sent;
        let place = self.place(sequence);
        self.ring[place] = hearers;
        self.sent = sequence.wrapping_add(1);
        sequence
    }

    /// One subscriber has heard `count` messages from `first` on, or never will; how many are complete by that. `None`
    /// where they are not all under way.
    pub fn heard(&mut self, first: u32, count: u32) -> Option<u32> {
        let behind = first.wrapping_sub(self.complete);
        if u64::from(behind) + u64::from(count) > u64::from(self.under_way()) {
            return None;
        }
        let mut complete = 0;
        for sequence in (0..count).map(|step| first.wrapping_add(step)) {
            let place = self.place(sequence);
            self.ring[place] = self.ring[place].checked_sub(1)?;
            if self.ring[place] == 0 {
                self.complete = sequence.wrapping_add(1);
                complete += 1;
            }
        }
        Some(complete)
    }

    /// Where its next message stands among those of all publishers together, in the open loop.
    pub fn turn(&self) -> u64 {
        self.sent.wrapping_sub(self.first).into()
    }

    /// The stamp of the message that comes next.
    pub fn stamp(&self, number: u32, sent_ns: u64) -> Stamp {
        Stamp { publisher: number, sequence: self.sent, sent_ns }
    }

    fn place(&self, sequence: u32) -> usize {
        sequence as usize & (self.ring.len() - 1)
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.ring);
        self.ring = vec![0; (2 * old.len()).max(16)];
        for sequence in (0..self.under_way()).map(|step| self.complete.wrapping_add(step)) {
            let place = self.place(sequence);
            self.ring[place] = old[sequence as usize & (old.len() - 1)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publisher(sent: u32) -> Publisher {
        Publisher { sent, complete: sent, ..Publisher::new(0, 0) }
    }

    #[test]
    fn a_message_is_complete_when_its_last_subscriber_has_heard_it() {
        let mut publisher = publisher(0);
        assert_eq!((publisher.send(2), publisher.send(2), publisher.under_way()), (0, 1, 2));
        assert_eq!(publisher.heard(0, 2), Some(0), "one subscriber has heard both");
        assert_eq!((publisher.heard(0, 1), publisher.under_way()), (Some(1), 1));
        assert_eq!((publisher.heard(1, 1), publisher.under_way()), (Some(1), 0));
    }

    #[test]
    fn what_was_never_sent_or_is_complete_can_not_be_heard() {
        let mut publisher = publisher(5);
        assert_eq!(publisher.heard(5, 1), None);
        publisher.send(1);
        assert_eq!((publisher.heard(4, 1), publisher.heard(5, 2)), (None, None));
        assert_eq!(publisher.heard(5, 1), Some(1));
        assert_eq!(publisher.heard(5, 1), None);
    }

    #[test]
    fn the_ring_grows_with_what_is_under_way_and_sequences_wrap() {
        let mut publisher = publisher(u32::MAX - 9);
        assert_eq!((0..100).map(|_| publisher.send(2)).last(), Some(89), "the last one");
        assert_eq!((publisher.under_way(), publisher.ring.len()), (100, 128));
        assert_eq!(publisher.heard(u32::MAX - 9, 100), Some(0));
        for step in 0..100u32 {
            assert_eq!(publisher.heard((u32::MAX - 9).wrapping_add(step), 1), Some(1), "{step}");
        }
        assert_eq!(publisher.under_way(), 0);
    }
}
