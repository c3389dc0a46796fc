//! What the loop keeps for one connection, beside what the hub keeps for its user.

use super::timeouts::Timeout;
use crate::deadlines::Hook;

/// How far a link is on its way out. Only ever goes down the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its user is here, or what is queued for it is being sent.
    Open,
    /// Its user took too little for too long, and has not much time left to take what is queued.
    TooSlow,
    /// All is sent and its own side is shut. What still comes is discarded.
    Lingering,
    /// It is on the list of those to reap.
    Closing,
}

/// For how many things a link may be watched at the same time: its silence, ours, its reading, its writing.
pub const HOOKS: usize = 4;

/// One connection's socket and where its reading and writing stand. An idle one owns no buffer.
#[derive(Debug)]
pub struct Link<S> {
    pub socket: S,
    /// Where it stands in the lists of those that are watched, and in which list: one of each kind at the most.
    pub hooks: [Hook; HOOKS],
    pub watched: [Option<Timeout>; HOOKS],
    /// Bytes that were queued when its writing was last looked at, by which to tell whether it took some since.
    pub queued_then: u32,
    /// Bytes of an unfinished frame that were there when its reading was last looked at.
    pub kept_then: u32,
    pub stage: Stage,
    /// There may be something to receive: an edge came, and `WouldBlock` has not since. False at first: the edge will
    /// come.
    pub readable: bool,
    /// There may be room to send. True at first: a fresh socket has room.
    pub writable: bool,
    /// A short read does not mean that nothing is left to receive. See [`Edge`](super::Edge).
    pub unusual: bool,
    /// An edge said that the connection is broken. There may be something to receive even so.
    pub broken: bool,
    /// The end of the stream was received.
    pub ended: bool,
    /// It is on the list of those to read.
    pub in_read_queue: bool,
    /// It was sent a BEAT, and nothing was heard since.
    pub probed: bool,
}

impl<S> Link<S> {
    pub fn new(socket: S, unusual: bool) -> Link<S> {
        Link {
            socket,
            hooks: [Hook::new(); HOOKS],
            watched: [None; HOOKS],
            queued_then: 0,
            kept_then: 0,
            stage: Stage::Open,
            readable: false,
            writable: true,
            unusual,
            broken: false,
            ended: false,
            in_read_queue: false,
            probed: false,
        }
    }
}
