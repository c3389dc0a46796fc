//! The interface between the load generator and a protocol: a driver holds the client's state of one connection, and
//! converts between bytes and what the generator counts. A driver owns no socket.

#[cfg(feature = "ws")]
use super::stamp;
use super::stamp::STAMP_LEN;

/// The fewest bytes of a body that [`Driver::decode_front`] may return: the stamp.
pub const FRONT_MIN: usize = STAMP_LEN;

/// Appends a body as text of the same length. The body needs at least 32 bytes, so that its stamp fits. The text holds
/// no character that any notation would escape.
#[cfg(feature = "ws")]
pub fn put_as_text(body: &[u8], out: &mut Vec<u8>) {
    let Some((front, rest)) = body.split_first_chunk::<STAMP_LEN>() else { return };
    stamp::put_text(front, out);
    out.resize(out.len() + rest.len().saturating_sub(STAMP_LEN), b'.');
}

/// What a connection does, and in which group. A group is a set of receivers, a room, or a topic; groups are numbered
/// from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It sends messages to all subscribers of its group.
    Publisher(u32),
    /// It receives them.
    Subscriber(u32),
}

impl Part {
    /// The number of its group.
    pub fn group(self) -> u32 {
        match self {
            Part::Publisher(group) | Part::Subscriber(group) => group,
        }
    }
}

/// One thing that a server sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// The connection is set up: a publisher may send, a subscriber is subscribed. Holds the id that the server gave
    /// the connection, or 0 if it gives none.
    Ready(u64),
    /// The body of a message to its group.
    Body(&'a [u8]),
    /// The same, for a protocol whose bodies are [text](put_as_text).
    #[cfg_attr(not(feature = "ws"), expect(dead_code, reason = "only JSON has bodies of text"))]
    Text(&'a [u8]),
    /// The server says that it dropped this number of messages of the group.
    Missed(u64),
    /// The server refuses something, in its own words.
    Refused(String),
    /// Anything that the generator does not count.
    Other,
}

/// The client's side of one connection in some protocol.
pub trait Driver {
    /// Appends what the client says first. The server's answer must lead to [`Incoming::Ready`].
    fn open(&mut self, part: Part, out: &mut Vec<u8>);

    /// Sets the receivers of a publisher by their ids, once all of them are ready. For protocols that relay to ids.
    fn set_receivers(&mut self, _receivers: &[u64]) {}

    /// Appends one message to all subscribers of the group.
    fn publish(&mut self, body: &[u8], out: &mut Vec<u8>);

    /// Decodes the first unit of the protocol in `input`, and returns how many bytes it has. Returns `None` if it is
    /// incomplete. May append an answer that the protocol demands (to a ping, or the next step of a handshake) to
    /// `out`.
    ///
    /// # Errors
    ///
    /// Why the bytes do not belong to the protocol.
    fn next<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Result<Option<(usize, Incoming<'a>)>, String>;

    // The defaults below are right for a simple protocol.

    /// Appends what adds one more group to the connection, and returns whether a further [`Incoming::Ready`] will
    /// follow. Only called if the plan lets connections share groups.
    fn add_group(&mut self, _part: Part, _out: &mut Vec<u8>) -> bool {
        false
    }

    /// Appends one message to all subscribers of this group, which is one of several of this connection.
    fn publish_in(&mut self, _group: u32, body: &[u8], out: &mut Vec<u8>) {
        self.publish(body, out);
    }

    /// Appends what the client says before it closes the connection.
    fn leave(&mut self, _out: &mut Vec<u8>) {}

    /// If `front` is the incomplete start of a message to the group, returns the length of the whole up to the end of
    /// its body, and the part of the body that has arrived (at least [`FRONT_MIN`] bytes). The generator then discards
    /// the rest as it arrives and never collects a large body that nobody looks at. If this is `None`, it collects it.
    fn decode_front<'a>(&mut self, _front: &'a [u8]) -> Option<(usize, &'a [u8])> {
        None
    }
}
