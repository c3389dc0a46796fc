//! Frames that a client receives without having asked for them.

use crate::wire::{Answer, Event, UserId};

/// What a client receives without having asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Push {
    /// A body that was relayed to this session.
    Delivery(Delivery),
    /// A body that was sent to this session's name.
    Mail(Mail),
    /// An event of a room that this session is in.
    Event(Event),
}

/// A body that was relayed to this session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The sender's id, which the hub guarantees.
    pub sender: UserId,
    /// The body.
    pub body: Vec<u8>,
}

/// A body that was sent to this session's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The mail's own id.
    pub id: u64,
    /// When it was sent, by the hub's clock, in milliseconds since 1970.
    pub unix_ms: u64,
    /// The sender's id, which the hub guarantees.
    pub sender: UserId,
    /// The sender's name; empty if it has none.
    pub name: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Push {
    /// The push in a frame from the hub; `None` if the frame is not a push, or the connection itself handles it.
    pub(super) fn of(answer: &Answer<'_>) -> Option<Push> {
        match *answer {
            Answer::Deliver { sender, body } => Some(Push::Delivery(Delivery { sender, body: body.to_vec() })),
            Answer::Mail { mail, unix_ms, sender, name, body, ack: _ } => {
                Some(Push::Mail(Mail { id: mail, unix_ms, sender, name: name.to_owned(), body: body.to_vec() }))
            }
            Answer::Event { event, replay: false } => Some(Push::Event(event.to_event())),
            Answer::Event { replay: true, .. }
            | Answer::Welcome { .. }
            | Answer::Identity(_)
            | Answer::List { .. }
            | Answer::Receipt(_)
            | Answer::SendReceipt(_)
            | Answer::Joined { .. }
            | Answer::Left
            | Answer::Published(_)
            | Answer::HistoryEnd { .. }
            | Answer::Who { .. }
            | Answer::Pong(_)
            | Answer::Stats(_)
            | Answer::Beat { .. }
            | Answer::Closing { .. }
            | Answer::Error { .. } => None,
        }
    }
}
