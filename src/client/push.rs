//! Frames that a client receives without having asked for them.

use super::error::ClientError;
use super::io::MAX_QUEUED;
use crate::wire::{Answer, Event, UserId};
use std::collections::VecDeque;

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

/// The pushes that arrived and that nobody has taken yet.
#[derive(Debug, Default)]
pub(super) struct Pushes {
    queue: VecDeque<Push>,
    /// The bytes of those in the queue.
    bytes: usize,
}

impl Pushes {
    /// Queues a push.
    ///
    /// # Errors
    ///
    /// If too many bytes are queued already: others can send faster than a program takes. A single push may be larger,
    /// for the hub may allow larger bodies.
    pub(super) fn push(&mut self, push: Push) -> Result<(), ClientError> {
        self.bytes += push.size();
        if self.bytes > MAX_QUEUED && !self.queue.is_empty() {
            return Err(ClientError::TooMuch { what: "that this client had no time to take", max: MAX_QUEUED });
        }
        self.queue.push_back(push);
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Option<Push> {
        let push = self.queue.pop_front()?;
        self.bytes -= push.size();
        Some(push)
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}

impl Push {
    /// The bytes that it takes in a queue, about.
    fn size(&self) -> usize {
        let held = match self {
            Push::Delivery(delivery) => delivery.body.len(),
            Push::Mail(mail) => mail.name.len() + mail.body.len(),
            Push::Event(event) => event.room.len() + event.name.len() + event.body.len(),
        };
        size_of::<Push>() + held
    }

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
