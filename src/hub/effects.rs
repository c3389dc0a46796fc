//! What the loop has to do about what the hub did.

use crate::wire::UserId;
use std::collections::VecDeque;

/// Lists of sessions, by slot, for the loop. It empties them as it goes. A slot on a list may be vacant by then.
#[derive(Debug, Default)]
pub struct Effects {
    /// Sessions with something new in their outbox, each once.
    pub dirty: VecDeque<usize>,
    /// The same, if answers to their own requests are among it. They may be on both lists.
    pub answered: VecDeque<usize>,
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
    /// Whether sessions have something new in their outbox.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty() || !self.answered.is_empty()
    }

    /// Takes the next session with something new in its outbox: one with answers, if `answers_first`.
    pub fn next_dirty(&mut self, answers_first: bool) -> Option<usize> {
        let (first, second) = match answers_first {
            true => (&mut self.answered, &mut self.dirty),
            false => (&mut self.dirty, &mut self.answered),
        };
        first.pop_front().or_else(|| second.pop_front())
    }

    /// Whether nothing is left to do except to resume sessions.
    pub fn is_done(&self) -> bool {
        !self.is_dirty() && [&self.filled, &self.overflowed, &self.departed].into_iter().all(Vec::is_empty)
    }
}
