//! What reaches a client without being asked for.

use crate::wire::{Answer, Event, UserId};

/// What reaches a client without being asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Push {
    /// Somebody relayed a body to this session.
    Delivery(Delivery),
    /// Somebody sent a body to this session's name.
    Mail(Mail),
    /// Something happened in a room that this session is in.
    Event(Event),
}

/// A body that somebody relayed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Who sent it. The hub vouches for it.
    pub sender: UserId,
    /// What was sent.
    pub body: Vec<u8>,
}

/// A body that somebody sent to this session's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The mail's own id.
    pub id: u64,
    /// When it was sent, by the hub's clock: milliseconds since 1970.
    pub unix_ms: u64,
    /// Who sent it. The hub vouches for it.
    pub sender: UserId,
    /// What the sender called itself; empty where it had no name.
    pub name: String,
    /// What was sent.
    pub body: Vec<u8>,
}

impl Push {
    /// The push that an answer is, if it is one.
    pub(super) fn of(answer: &Answer<'_>) -> Option<Push> {
        Some(match *answer {
            Answer::Deliver { sender, body } => Push::Delivery(Delivery { sender, body: body.to_vec() }),
            Answer::Mail { mail, unix_ms, sender, name, body, ack: _ } => {
                Push::Mail(Mail { id: mail, unix_ms, sender, name: name.to_owned(), body: body.to_vec() })
            }
            Answer::Event { event, replay: false } => Push::Event(event.to_event()),
            _ => return None,
        })
    }
}
