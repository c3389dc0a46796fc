//! What one room remembers: its newest events, as the very frames that its members received.

use crate::hub::allocation::{grow_queue, queue_bytes, shrink_queue};
use crate::hub::payload::SharedFrame;
use crate::limits::Limits;
use std::collections::VecDeque;

/// One event, and how many bytes of its frame are its body.
#[derive(Debug)]
pub(in crate::hub) struct Kept {
    pub frame: SharedFrame,
    body_len: u32,
}

/// The newest events of a room, oldest first and without a gap, within limits of their number and of the bytes of their
/// bodies.
#[derive(Debug, Default)]
pub struct History {
    pub(in crate::hub) events: VecDeque<Kept>,
    /// Bytes of all bodies.
    bytes: usize,
    /// Bytes of memory that it takes.
    held: usize,
}

impl History {
    /// Keeps the newest event, and forgets the oldest ones until the limits hold. If one event alone exceeds the limit
    /// of bytes, nothing is kept at all, because a history must not have a gap.
    #[inline]
    pub fn push(&mut self, frame: SharedFrame, body_len: usize, limits: &Limits) {
        self.bytes += body_len;
        self.held += frame.allocated();
        if self.events.len() == self.events.capacity() {
            self.held -= queue_bytes(&self.events);
            grow_queue(&mut self.events);
            self.held += queue_bytes(&self.events);
        }
        self.events.push_back(Kept { frame, body_len: body_len as u32 });
        while self.events.len() > limits.history || self.bytes > limits.history_bytes {
            self.forget_oldest();
        }
    }

    /// Forgets the oldest event, if there is one. Returns how many bytes of memory that frees.
    #[inline]
    pub fn forget_oldest(&mut self) -> usize {
        let Some(oldest) = self.events.pop_front() else { return 0 };
        let unused = queue_bytes(&self.events);
        shrink_queue(&mut self.events);
        let freed = oldest.frame.allocated() + unused - queue_bytes(&self.events);
        self.bytes -= oldest.body_len as usize;
        self.held -= freed;
        freed
    }

    /// How many bytes of memory it takes. A large body counts in each place that points to it.
    #[inline]
    pub fn held(&self) -> usize {
        self.held
    }

    /// Bytes of all bodies.
    pub fn body_bytes(&self) -> usize {
        self.bytes
    }

    /// Whether no event is kept.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The id of the oldest event kept, if the newest is `newest`; 0 if none is kept.
    pub fn oldest(&self, newest: u64) -> u64 {
        if self.is_empty() { 0 } else { newest + 1 - self.events.len() as u64 }
    }

    /// The frames of the events with an id above `after`, each with its id, oldest first, if the newest is `newest`.
    pub fn after(&self, after: u64, newest: u64) -> impl Iterator<Item = (&SharedFrame, u64)> {
        let wanted = usize::try_from(newest.saturating_sub(after)).unwrap_or(usize::MAX);
        let skipped = self.events.len().saturating_sub(wanted);
        let first = newest + 1 - (self.events.len() - skipped) as u64;
        self.events.range(skipped..).map(|kept| &kept.frame).zip(first..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(limits: &Limits, bodies: &[usize]) -> History {
        let mut history = History::default();
        for (number, &len) in bodies.iter().enumerate() {
            history.push(SharedFrame::from_bytes(vec![number as u8 + 1]), len, limits);
        }
        history
    }

    fn ids(history: &History, after: u64, newest: u64) -> Vec<u8> {
        history.after(after, newest).map(|(frame, _)| frame.as_bytes()[0]).collect()
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let history = filled(&Limits { history: 3, ..Limits::default() }, &[0; 5]);
        assert_eq!((history.oldest(5), ids(&history, 0, 5)), (3, vec![3, 4, 5]));
        assert_eq!((ids(&history, 3, 5), ids(&history, 5, 5), ids(&history, 9, 5)), (vec![4, 5], vec![], vec![]));
    }

    #[test]
    fn the_oldest_go_when_their_bodies_are_too_large() {
        let limits = Limits { history_bytes: 100, ..Limits::default() };
        assert_eq!(ids(&filled(&limits, &[60, 30, 20, 0]), 0, 4), [2, 3, 4]);
        let history = filled(&limits, &[1, 101]);
        assert_eq!((history.is_empty(), history.oldest(2), history.bytes), (true, 0, 0));
        assert_eq!(ids(&filled(&limits, &[1, 101, 2]), 0, 3), [3]);
    }

    #[test]
    fn nothing_is_kept_where_no_history_is_wanted() {
        let history = filled(&Limits { history: 0, ..Limits::default() }, &[0, 5]);
        assert!(history.is_empty() && history.bytes == 0);
    }
}
