//! What a client asks about names and rooms.

use super::{Client, ClientError};
use crate::wire::{Answer, Event, Names, Request, Status, UserId};

/// What a room was like when this session came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Sessions in the room, this one counted.
    pub sessions: u32,
    /// The newest event's id: as a rule, of the one that tells of this session's coming.
    pub newest: u64,
}

/// What a room remembers, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Oldest first, without a gap between them.
    pub events: Vec<Event>,
    /// The id of the oldest event that the room remembers; 0 where it remembers none.
    pub oldest: u64,
    /// The id of the newest event that there was. Where the last of `events` is older, ask for those after it.
    pub newest: u64,
}

impl Client {
    /// Sends a body to every session of each name. Returns a status for each, in the order given:
    /// [`Status::Unknown`] where no session has that name.
    ///
    /// # Errors
    ///
    /// As those of [`relay`](Client::relay); [`ClientError::Refused`] where a name will not do.
    pub fn send(&mut self, names: &[&str], body: &[u8]) -> Result<Vec<Status>, ClientError> {
        self.check_body(body)?;
        self.check_receivers(names.len())?;
        names.iter().try_for_each(|name| check_name(name))?;
        let mut block = Vec::new();
        Names::encode(names.iter().copied(), &mut block);
        let list = Names::new(&block).expect("a list of whole names");
        let request = Request::Send { names: list, body, receipt: true, store: false };
        let statuses = self.ask(request, |answer| match answer {
            Answer::SendReceipt(bytes) => bytes.iter().map(|&byte| Status::of(byte)).collect(),
            _ => None::<Vec<Status>>,
        })?;
        one_each(statuses, names.len())
    }

    /// Comes into a room, and makes it where there is none. From now on its events come by [`next`](Client::next), the
    /// one that tells of this coming first. Joining a room again only says what it is like.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] where the name will not do or a limit is reached; or where the connection broke or no
    /// answer came in time.
    pub fn join(&mut self, room: &str) -> Result<Joined, ClientError> {
        check_name(room)?;
        self.ask(Request::Join { room }, |answer| match answer {
            Answer::Joined { sessions, newest } => Some(Joined { sessions, newest }),
            _ => None,
        })
    }

    /// Leaves a room.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] where this session is not in it; or where the connection broke or no answer came in
    /// time.
    pub fn leave(&mut self, room: &str) -> Result<(), ClientError> {
        check_name(room)?;
        self.ask(Request::Leave { room }, |answer| matches!(answer, Answer::Left).then_some(()))
    }

    /// Says something in a room, whether or not this session is in it. Returns the event's id. A session that is in it
    /// gets its own message back by [`next`](Client::next), in its place among the others'.
    ///
    /// # Errors
    ///
    /// Where the body is over what the hub announced (nothing is sent then); [`ClientError::Refused`] where the name
    /// will not do or the hub may have no further room; or where the connection broke or no answer came in time.
    pub fn publish(&mut self, room: &str, body: &[u8]) -> Result<u64, ClientError> {
        self.publish_as(room, body, false)
    }

    /// As [`publish`](Client::publish), but this session does not get its own message back.
    ///
    /// # Errors
    ///
    /// Those of [`publish`](Client::publish).
    pub fn publish_no_echo(&mut self, room: &str, body: &[u8]) -> Result<u64, ClientError> {
        self.publish_as(room, body, true)
    }

    fn publish_as(&mut self, room: &str, body: &[u8], no_echo: bool) -> Result<u64, ClientError> {
        self.check_body(body)?;
        check_name(room)?;
        self.ask(Request::Publish { room, body, receipt: true, no_echo }, |answer| match answer {
            Answer::Published(id) => Some(id),
            _ => None,
        })
    }

    /// Asks for the events of a room with an id above `after`, oldest first, `limit` at most. The hub may give fewer
    /// where they are large: ask again after the last one.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] where this session is not in the room; or where the connection broke or no answer came
    /// in time.
    pub fn history(&mut self, room: &str, after: u64, limit: u32) -> Result<History, ClientError> {
        check_name(room)?;
        let mut events = Vec::new();
        let tag = self.send_request(Request::History { room, after, limit })?;
        loop {
            let end = self.answer(tag, |answer| match answer {
                Answer::Event { event, replay: true } => {
                    events.push(event.to_event());
                    Some(None)
                }
                Answer::HistoryEnd { oldest, newest, .. } => Some(Some((oldest, newest))),
                _ => None,
            })?;
            if let Some((oldest, newest)) = end {
                return Ok(History { events, oldest, newest });
            }
        }
    }

    /// All events that a room remembers with an id above `after`, oldest first, by as many requests as that takes; but
    /// none that happens while they are asked for.
    ///
    /// # Errors
    ///
    /// Those of [`history`](Client::history).
    pub fn events_after(&mut self, room: &str, after: u64) -> Result<Vec<Event>, ClientError> {
        let History { mut events, newest, .. } = self.history(room, after, u32::MAX)?;
        while let Some(last) = events.last().map(|event| event.id).filter(|last| *last < newest) {
            let page = self.history(room, last, u32::MAX)?.events;
            // A hub that does not go on would be asked for ever.
            if page.first().is_none_or(|first| first.id <= last) {
                break;
            }
            events.extend(page.into_iter().filter(|event| event.id <= newest));
        }
        Ok(events)
    }

    /// Asks who is in a room that this session is in: ids ascending, this session among them, each with what it calls
    /// itself (empty where it did not say).
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] where this session is not in the room; or where the connection broke or no answer came
    /// in time.
    pub fn who(&mut self, room: &str) -> Result<Vec<(UserId, String)>, ClientError> {
        check_name(room)?;
        let mut all = Vec::new();
        let tag = self.send_request(Request::Who { room })?;
        loop {
            let more = self.answer(tag, |answer| match answer {
                Answer::Who { members, more } => {
                    all.extend(members.iter().map(|(id, name)| (id, name.to_owned())));
                    Some(more)
                }
                _ => None,
            })?;
            if !more {
                return Ok(all);
            }
        }
    }
}

/// A receipt must have one status for each receiver.
pub(super) fn one_each(statuses: Vec<Status>, receivers: usize) -> Result<Vec<Status>, ClientError> {
    if statuses.len() == receivers {
        Ok(statuses)
    } else {
        Err(ClientError::NoHub(format!("{} statuses for {receivers} receivers", statuses.len())))
    }
}

/// A name over 255 bytes does not fit its field, and must not be cut into somebody else's.
fn check_name(name: &str) -> Result<(), ClientError> {
    if name.len() <= u8::MAX.into() { Ok(()) } else { Err(ClientError::NameTooLong { len: name.len() }) }
}
