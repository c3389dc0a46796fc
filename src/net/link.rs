//! What the loop keeps for one connection, beside what the hub keeps for its session.

use super::timeouts::{TimerSlots, Timers};
use crate::hub::Hub;

/// The phase of a link's life. It only moves down this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its session is present, or what is queued for it is being sent.
    Open,
    /// Its session was closed as too slow, and its peer has a short time left to read what is queued.
    TooSlow,
    /// Everything is sent and our side is shut down. Further input is discarded.
    Lingering,
    /// It is on the list of links to remove at the end of the turn.
    Closing,
}

/// Whether anything may be received from a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inbound {
    /// Nothing until an edge says so.
    Idle,
    /// Maybe something: there was an edge, and no `WouldBlock` since.
    Readable,
    /// Nothing any more: the end of the stream was received.
    Ended,
}

/// What edges have reported about a connection beyond its readiness. It only moves down this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    /// A short read means that nothing is left to receive.
    Normal,
    /// A short read does not mean this. See [`Edge`](super::os::Edge).
    ShortReads,
    /// The connection is broken. There may be something to receive, and a short read says nothing.
    Broken,
}

/// One connection: its socket, and how far reading and writing are. An idle one owns no buffer.
#[derive(Debug)]
pub struct Link<S> {
    pub(super) socket: S,
    pub(super) timers: Timers,
    /// Bytes that were queued when its last timeout of writing started: shows whether its peer has read since.
    pub(super) queued_before: u32,
    /// When its last timeout of reading started: bytes of an unfinished frame that had arrived, or, if that is
    /// `Timeout::Unread`, bytes up to the end of the unread answers.
    pub(super) progress_before: u32,
    pub(super) stage: Stage,
    /// Idle at first: the edge will come.
    pub(super) inbound: Inbound,
    pub(super) condition: Condition,
    /// The socket may be writable. True at first: a new socket has room.
    pub(super) writable: bool,
    /// It is in the queue of links to read.
    pub(super) in_read_queue: bool,
    /// It was sent a BEAT, and nothing was received since.
    pub(super) probed: bool,
}

impl<S> Link<S> {
    pub(super) fn new(socket: S, condition: Condition) -> Link<S> {
        Link {
            socket,
            timers: Timers::new(),
            queued_before: 0,
            progress_before: 0,
            stage: Stage::Open,
            inbound: Inbound::Idle,
            condition,
            writable: true,
            in_read_queue: false,
            probed: false,
        }
    }

    /// Notes an edge. Returns whether the socket can be written to after it could not.
    pub(super) fn note_edge(&mut self, readable: bool, writable: bool, condition: Condition) -> bool {
        if readable && self.inbound == Inbound::Idle {
            self.inbound = Inbound::Readable;
        }
        self.condition = self.condition.max(condition);
        let unblocked = writable && !self.writable;
        self.writable |= writable;
        unblocked
    }

    /// Whether something may be received.
    pub(super) fn is_readable(&self) -> bool {
        self.inbound == Inbound::Readable
    }
}

impl<S> TimerSlots for Hub<Link<S>> {
    fn timers(&mut self, slot: usize) -> Option<&mut Timers> {
        self.session_mut(slot).map(|session| &mut session.link.timers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_edge_after_a_block_unblocks() {
        let mut link = Link::new((), Condition::Normal);
        assert!(!link.note_edge(false, true, Condition::Normal), "a fresh socket has room");
        link.writable = false;
        assert!(!link.note_edge(true, false, Condition::Normal));
        assert!(link.note_edge(false, true, Condition::Normal));
        assert!(!link.note_edge(false, true, Condition::Normal));
    }

    #[test]
    fn nothing_follows_the_end_of_a_stream_and_a_broken_connection_stays_broken() {
        let mut link = Link::new((), Condition::Normal);
        link.note_edge(true, false, Condition::Broken);
        assert!(link.is_readable());
        link.inbound = Inbound::Ended;
        link.note_edge(true, true, Condition::ShortReads);
        assert_eq!((link.inbound, link.condition), (Inbound::Ended, Condition::Broken));
    }
}
