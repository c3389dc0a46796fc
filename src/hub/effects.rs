//! What the loop has to do about what the hub did.

use crate::wire::UserId;
use std::collections::VecDeque;

/// A list of sessions, by slot, that is taken from the front.
#[derive(Debug, Default)]
pub struct DirtyList {
    slots: Vec<usize>,
    /// How many at the front have been taken.
    taken: usize,
}

impl DirtyList {
    /// How many are left.
    #[inline]
    pub fn len(&self) -> usize {
        self.slots.len() - self.taken
    }

    /// Whether none is left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.taken == self.slots.len()
    }

    /// Adds one.
    #[inline]
    pub(super) fn push(&mut self, slot: usize) {
        self.slots.push(slot);
    }

    /// Takes the first one that is left.
    #[inline]
    fn pop(&mut self) -> Option<usize> {
        let next = self.slots.get(self.taken).copied();
        if next.is_some() {
            self.taken += 1;
        } else if self.taken > 0 {
            self.slots.clear();
            self.taken = 0;
        }
        next
    }

    /// Gives up the room of those that were taken, if others were left behind them.
    #[inline]
    fn compact(&mut self) {
        if self.taken > 0 {
            self.slots.drain(..self.taken);
            self.taken = 0;
        }
    }
}

/// Lists of sessions, by slot, for the loop. It empties them as it goes. A slot on a list may be vacant by then.
#[derive(Debug, Default)]
pub struct Effects {
    /// Sessions with something new in their outbox, each once.
    pub dirty: DirtyList,
    /// The same, if answers to their own requests are among it. They may be on both lists.
    pub answered: DirtyList,
    /// Sessions that waited and may be read again.
    pub resumed: Vec<usize>,
    /// Sessions whose requests wait for their next share of a turn, in the order in which they have it.
    pub postponed: VecDeque<UserId>,
    /// Sessions that went over their queue limit, or have to read their own answers.
    pub filled: Vec<usize>,
    /// With `IfFull::Close`: full sessions that another session tried to send to.
    pub overflowed: Vec<usize>,
    /// Sessions that departed: what is in their outboxes is to be sent, then they are to be removed.
    pub departed: Vec<usize>,
}

impl Effects {
    /// Takes the next session with something new in its outbox: one with answers, if `answers_first`.
    #[inline]
    pub fn next_dirty(&mut self, answers_first: bool) -> Option<usize> {
        let (first, second) =
            if answers_first { (&mut self.answered, &mut self.dirty) } else { (&mut self.dirty, &mut self.answered) };
        first.pop().or_else(|| second.pop())
    }

    /// Before sessions are flushed: gives up the room of those that were flushed before.
    pub fn begin_flush(&mut self) {
        self.dirty.compact();
        self.answered.compact();
    }

    /// Whether sessions have something new in their outbox.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty() || !self.answered.is_empty()
    }

    /// Whether nothing is left to do except to resume sessions.
    pub fn is_done(&self) -> bool {
        !self.is_dirty() && [&self.filled, &self.overflowed, &self.departed].into_iter().all(Vec::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_taken_from_the_front_and_does_not_keep_what_was_taken() {
        let mut list = DirtyList::default();
        (0..5).for_each(|slot| list.push(slot));
        assert_eq!([list.pop(), list.pop(), list.pop()], [Some(0), Some(1), Some(2)]);
        list.compact();
        list.push(7);
        assert_eq!((list.slots.len(), list.len()), (3, 3));
        assert_eq!([list.pop(), list.pop(), list.pop(), list.pop()], [Some(3), Some(4), Some(7), None]);
        list.compact();
        assert!(list.is_empty() && list.slots.is_empty());
    }

    #[test]
    fn answers_come_first_unless_others_have_their_turn() {
        let mut effects = Effects::default();
        (0..2).for_each(|slot| effects.dirty.push(slot));
        (5..7).for_each(|slot| effects.answered.push(slot));
        assert!(!effects.is_done());
        let order = [true, false, true, true, true].map(|answers_first| effects.next_dirty(answers_first));
        assert_eq!(order, [Some(5), Some(0), Some(6), Some(1), None]);
        assert!(effects.is_done());
    }
}
