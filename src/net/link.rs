//! What the loop keeps for one connection, beside what the hub keeps for its user.

use std::time::Duration;

/// One connection's socket and where its reading and writing stand. An idle one owns no buffer.
#[derive(Debug)]
pub struct Link<S> {
    pub socket: S,
    /// When it is to be looked at: a user over its queue limit, or a link on its way out. At most one at a time.
    pub due: Option<Duration>,
    /// There may be something to receive: an edge came, and `WouldBlock` has not since. False at first: the edge will
    /// come.
    pub readable: bool,
    /// There may be room to send. True at first: a fresh socket has room.
    pub writable: bool,
    /// The peer shut its side, so that a short read does not mean that nothing is left to receive.
    pub hung_up: bool,
    /// The end of the stream was received.
    pub ended: bool,
    /// It is on the list of those to read.
    pub listed: bool,
    /// Its own side is shut down: nothing more will be sent.
    pub shut: bool,
    /// It is on the list of those to reap.
    pub doomed: bool,
}

impl<S> Link<S> {
    pub fn new(socket: S) -> Link<S> {
        Link {
            socket,
            due: None,
            readable: false,
            writable: true,
            hung_up: false,
            ended: false,
            listed: false,
            shut: false,
            doomed: false,
        }
    }
}
