//! What the generator needs of a hub's language.

use super::stamp::{self, STAMP_LEN};

/// Appends a body as text of the same length, where that has room for its stamp: 32 bytes at the least. It has no
/// character that any notation would escape.
pub fn put_as_text(body: &[u8], out: &mut Vec<u8>) {
    let Some((front, rest)) = body.split_first_chunk::<STAMP_LEN>() else { return };
    stamp::put_text(front, out);
    out.resize(out.len() + rest.len().saturating_sub(STAMP_LEN), b'.');
}

/// What a connection is there for, in the group (a set of receivers, a room, a topic) with this number from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It sends messages to all subscribers of its group.
    Publisher(u32),
    /// It hears them.
    Subscriber(u32),
}

/// One thing that a hub said.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// The connection is in, and may send or will hear from now on; with its id, where the hub gave it one (else 0).
    Ready(u64),
    /// A message of its group: its body.
    Body(&'a [u8]),
    /// The same where a body is text, and has [another front](put_as_text).
    Text(&'a [u8]),
    /// So many messages of its group were lost on the way to it, as the hub says.
    Missed(u64),
    /// The hub refuses something, in words.
    Refused(String),
    /// Nothing that the generator counts.
    Other,
}

/// The language of one hub, from the client's side: the state of one connection.
pub trait Dialect {
    /// Appends what a connection says first. The hub's answer leads to [`Heard::Ready`].
    fn greet(&mut self, part: Part, out: &mut Vec<u8>);

    /// Names the receivers by their ids, once all are ready; for hubs that relay to ids. Called for publishers alone.
    fn aim(&mut self, _receivers: &[u64]) {}

    /// Appends one message to all subscribers of the group.
    fn publish(&mut self, body: &[u8], out: &mut Vec<u8>);

    /// Takes one whole thing off the front of `input`: how many bytes it was, and what it says. `None` where it is not
    /// whole yet. May append to `out` what must be said in turn (an answer to a ping, the next step of a greeting).
    ///
    /// # Errors
    ///
    /// Why the hub can not be understood.
    fn next<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Result<Option<(usize, Heard<'a>)>, String>;

    // What follows may be left as it is.

    /// Appends what brings the connection into one more group, for hubs of which one may be in many. Whether a further
    /// [`Heard::Ready`] will follow from it.
    fn also(&mut self, _part: Part, _out: &mut Vec<u8>) -> bool {
        false
    }

    /// Appends one message to all subscribers of one of the connection's groups, where it has many.
    fn publish_in(&mut self, _group: u32, body: &[u8], out: &mut Vec<u8>) {
        self.publish(body, out);
    }

    /// Appends what is said before leaving.
    fn leave(&mut self, _out: &mut Vec<u8>) {}

    /// Where the front of a thing that is not whole yet shows it to be a message of the group: how long it will be up
    /// to the end of its body, and the front of that, 16 bytes at the least. The generator then throws the rest away as
    /// it comes, rather than to put a large body together that nobody looks at. Where this is `None`, it is put
    /// together.
    fn glimpse<'a>(&mut self, _front: &'a [u8]) -> Option<(usize, &'a [u8])> {
        None
    }
}
