//! What the loop keeps for one connection, beside what the hub keeps for its user.

use std::time::Duration;

/// How far a link is on its way out. Only ever goes down the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its user is here, or what is queued for it is being sent.
    Open,
    /// Its user took too little for too long, and has not much time left to take what is queued.
    TooSlow,
    /// All is sent and its own side is shut. What still comes is discarded.
    Shut,
    /// It is on the list of those to reap.
    Doomed,
}

/// One connection's socket and where its reading and writing stand. An idle one owns no buffer.
#[derive(Debug)]
pub struct Link<S> {
    pub socket: S,
    /// When it is to be looked at: a user over its queue limit, or a link on its way out. At most one at a time.
    pub due: Option<Duration>,
    /// Bytes that were queued when that was set, by which to tell whether it took some since.
    pub queued_then: usize,
    pub stage: Stage,
    /// There may be something to receive: an edge came, and `WouldBlock` has not since. False at first: the edge will
    /// come.
    pub readable: bool,
    /// There may be room to send. True at first: a fresh socket has room.
    pub writable: bool,
    /// A short read does not mean that nothing is left to receive. See [`Edge`](super::Edge).
    pub unusual: bool,
    /// The end of the stream was received.
    pub ended: bool,
    /// It is on the list of those to read.
    pub listed: bool,
}

impl<S> Link<S> {
    pub fn new(socket: S, unusual: bool) -> Link<S> {
        Link {
            socket,
            due: None,
            queued_then: 0,
            stage: Stage::Open,
            readable: false,
            writable: true,
            unusual,
            ended: false,
            listed: false,
        }
    }
}
