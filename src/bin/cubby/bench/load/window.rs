//! Which messages of a publisher are in flight, and how many subscribers have still to receive each of them.

use super::stamp::Stamp;

/// One publisher: what it has sent, and what all its subscribers have received of that.
///
/// Each subscriber receives a publisher's messages in order, so they are complete in order as well.
#[derive(Debug)]
pub(super) struct Publisher {
    /// The connection that it sends on.
    pub slot: usize,
    pub group: u32,
    /// The sequence number of its next message. It wraps.
    sent: u32,
    /// All messages before this sequence number are complete.
    complete: u32,
    /// How many subscribers have still to receive a message, by its sequence number modulo the length: a power of two.
    ring: Vec<u32>,
    /// The sequence number that the times of the open loop count from.
    pub first: u32,
    /// Messages that are due, in the open loop.
    pub due: u64,
    /// Messages that it may still send.
    pub left: u64,
    /// Whether it is on the list of those that may send.
    pub listed: bool,
}

impl Publisher {
    pub fn new(slot: usize, group: u32) -> Publisher {
        let (ring, listed) = (Vec::new(), false);
        Publisher { slot, group, sent: 0, complete: 0, ring, first: 0, due: 0, left: 0, listed }
    }

    /// Messages that some subscriber has still to receive.
    pub fn in_flight(&self) -> u32 {
        self.sent.wrapping_sub(self.complete)
    }

    /// The sequence number of its next message.
    pub fn next(&self) -> u32 {
        self.sent
    }

    /// Counts one more message, for this number of receivers, and returns its sequence number.
    pub fn send(&mut self, receivers: u32) -> u32 {
        if self.in_flight() as usize == self.ring.len() {
            self.grow();
        }
        let sequence = self.sent;
        let place = self.place(sequence);
        self.ring[place] = receivers;
        self.sent = sequence.wrapping_add(1);
        sequence
    }

    /// One subscriber has received `count` messages from `first` on, or never will. Returns how many are complete
    /// because of that, or `None` if they are not all in flight.
    pub fn received(&mut self, first: u32, count: u32) -> Option<u32> {
        let behind = first.wrapping_sub(self.complete);
        if u64::from(behind) + u64::from(count) > u64::from(self.in_flight()) {
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

    /// How many messages it has sent in this phase of the open loop.
    pub fn round(&self) -> u64 {
        self.sent.wrapping_sub(self.first).into()
    }

    /// The stamp of its next message.
    pub fn stamp(&self, number: u32, sent_ns: u64) -> Stamp {
        Stamp { publisher: number, sequence: self.sent, sent_ns }
    }

    fn place(&self, sequence: u32) -> usize {
        sequence as usize & (self.ring.len() - 1)
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.ring);
        self.ring = vec![0; (2 * old.len()).max(16)];
        for sequence in (0..self.in_flight()).map(|step| self.complete.wrapping_add(step)) {
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
    fn a_message_is_complete_when_its_last_subscriber_has_received_it() {
        let mut publisher = publisher(0);
        assert_eq!((publisher.send(2), publisher.send(2), publisher.in_flight()), (0, 1, 2));
        assert_eq!(publisher.received(0, 2), Some(0), "one subscriber has received both");
        assert_eq!((publisher.received(0, 1), publisher.in_flight()), (Some(1), 1));
        assert_eq!((publisher.received(1, 1), publisher.in_flight()), (Some(1), 0));
    }

    #[test]
    fn what_was_never_sent_or_is_complete_can_not_be_received() {
        let mut publisher = publisher(5);
        assert_eq!(publisher.received(5, 1), None);
        publisher.send(1);
        assert_eq!((publisher.received(4, 1), publisher.received(5, 2)), (None, None));
        assert_eq!(publisher.received(5, 1), Some(1));
        assert_eq!(publisher.received(5, 1), None);
    }

    #[test]
    fn the_ring_grows_with_what_is_in_flight_and_sequences_wrap() {
        let mut publisher = publisher(u32::MAX - 9);
        assert_eq!((0..100).map(|_| publisher.send(2)).last(), Some(89), "the last one");
        assert_eq!((publisher.in_flight(), publisher.ring.len()), (100, 128));
        assert_eq!(publisher.received(u32::MAX - 9, 100), Some(0));
        for step in 0..100u32 {
            assert_eq!(publisher.received((u32::MAX - 9).wrapping_add(step), 1), Some(1), "{step}");
        }
        assert_eq!(publisher.in_flight(), 0);
    }
}
