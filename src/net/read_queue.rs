//! The queue of links to read, and the bytes that links may read beyond their budget.

use super::link::Link;
use crate::limits::READ_PER_FLUSH;

/// The links to read, each once, and what this turn has read beyond budgets.
#[derive(Debug, Default)]
pub(super) struct ReadQueue {
    slots: Vec<usize>,
    /// Bytes that links have read in this turn beyond their budget, all together.
    extra: usize,
    /// The last turn began with sessions that had spent their share before, and had no budget left for some of these
    /// links: now they come first. One request may cost more than the budget of a turn, so otherwise one session with
    /// many of them could keep all links from being read.
    pub(super) is_first: bool,
}

impl ReadQueue {
    /// Puts a link at the end, unless it is in the queue.
    pub(super) fn push<S>(&mut self, slot: usize, link: &mut Link<S>) {
        if !link.in_read_queue {
            link.in_read_queue = true;
            self.slots.push(slot);
        }
    }

    /// Takes out all links, to read them in this turn.
    pub(super) fn begin_turn(&mut self) -> Vec<usize> {
        self.extra = 0;
        std::mem::take(&mut self.slots)
    }

    /// Puts back links that could not be read in this turn, in front of those that were added meanwhile.
    pub(super) fn put_back(&mut self, mut unread: Vec<usize>) {
        unread.append(&mut self.slots);
        self.slots = unread;
    }

    /// All links in the queue.
    pub(super) fn slots(&self) -> &[usize] {
        &self.slots
    }

    /// Whether a link that has used its budget may read on while `dirty` links wait to be flushed. If thousands of
    /// links wait, their sends take so long that reading a little more for each adds little delay, and each send
    /// carries more.
    pub(super) fn may_exceed_budget(&self, dirty: usize) -> bool {
        self.extra < dirty * READ_PER_FLUSH
    }

    /// Counts bytes that a link has read beyond its budget.
    pub(super) fn count_extra(&mut self, bytes: usize) {
        self.extra += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::super::link::Condition;
    use super::*;

    #[test]
    fn a_link_is_queued_once_and_what_was_not_read_comes_first() {
        let mut queue = ReadQueue::default();
        let mut links = [(); 3].map(|()| Link::new((), Condition::Normal));
        for slot in [0, 1, 0, 1] {
            queue.push(slot, &mut links[slot]);
        }
        let mut slots = queue.begin_turn();
        assert_eq!((&slots[..], queue.slots()), (&[0, 1][..], &[][..]));
        links[0].in_read_queue = false;
        slots.remove(0);
        queue.push(2, &mut links[2]);
        queue.push(1, &mut links[1]);
        queue.put_back(slots);
        assert_eq!(queue.slots(), [1, 2]);
    }

    #[test]
    fn more_may_be_read_for_each_link_to_flush_until_that_is_used_up() {
        let mut queue = ReadQueue::default();
        assert!(!queue.may_exceed_budget(0) && queue.may_exceed_budget(2));
        queue.count_extra(2 * READ_PER_FLUSH);
        assert!(!queue.may_exceed_budget(2) && queue.may_exceed_budget(3));
        queue.begin_turn();
        assert!(queue.may_exceed_budget(2));
    }
}
