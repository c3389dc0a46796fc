//! The client's requests about rooms.

use super::io::MAX_REPLY;
use super::{Client, ClientError, Pages, check_name};
use crate::wire::{Answer, Event, Request, UserId};

/// The state of a room when this session joined it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Sessions in the room, including this one.
    pub sessions: u32,
    /// The id of the newest event: usually the one that announces this session.
    pub newest: u64,
    /// Tells one life of the room from another: ids compare only if it is the same. If it is another one than before,
    /// the room was made again, or the hub has restarted, and the events since the last known id are lost.
    pub epoch: u64,
}

/// The events that a room remembers, or some of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Oldest first, without gaps.
    pub events: Vec<Event>,
    /// The id of the oldest event that the room remembers; 0 if it remembers none.
    pub oldest: u64,
    /// The id of the room's newest event. If the last of `events` is older, ask for those after it.
    pub newest: u64,
    /// As in [`Joined`].
    pub epoch: u64,
}

impl Client {
    /// Joins a room, and creates it if it does not exist. From now on [`next`](Client::next) returns its events; the
    /// first is the one that announces this session. Joining a room again only returns its state.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] if the name is not valid or a limit is reached. Also if the connection broke or no
    /// reply came in time.
    pub fn join(&mut self, room: &str) -> Result<Joined, ClientError> {
        check_name(room)?;
        self.connection.ask(Request::Join { room }, |answer| {
            let Answer::Joined { sessions, newest, epoch } = answer else { return None };
            Some(Joined { sessions, newest, epoch })
        })
    }

    /// Leaves a room.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] if this session is not in the room. Also if the connection broke or no reply came in
    /// time.
    pub fn leave(&mut self, room: &str) -> Result<(), ClientError> {
        check_name(room)?;
        self.connection.ask(Request::Leave { room }, |answer| matches!(answer, Answer::Left).then_some(()))
    }

    /// Publishes a message in a room and returns the id of its event. This session need not be in the room. If it is,
    /// [`next`](Client::next) returns its own message as well, in order with those of others.
    ///
    /// # Errors
    ///
    /// If the body exceeds the hub's limit (then nothing is sent); [`ClientError::Refused`] if the name is not valid or
    /// the hub cannot have another room. Also if the connection broke or no reply came in time.
    pub fn publish(&mut self, room: &str, body: &[u8]) -> Result<u64, ClientError> {
        self.publish_as(room, body, false)
    }

    /// Does the same as [`publish`](Client::publish), but this session does not get its own message back.
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
        self.connection.ask(Request::Publish { room, body, receipt: true, no_echo }, |answer| {
            if let Answer::Published(id) = answer { Some(id) } else { None }
        })
    }

    /// Asks for at most `limit` events of a room with ids above `after`, oldest first. If they are large, the hub may
    /// return fewer: ask again for those after the last one.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] if this session is not in the room. Also if the connection broke or no reply came in
    /// time.
    pub fn history(&mut self, room: &str, after: u64, limit: u32) -> Result<History, ClientError> {
        check_name(room)?;
        let mut events = Vec::new();
        let (oldest, newest, epoch) = self.connection.ask_all(Request::History { room, after, limit }, |answer| {
            if let Answer::Event { event, replay: true } = answer {
                events.push(event.to_event());
                return Some(None);
            }
            let Answer::HistoryEnd { oldest, newest, epoch, .. } = answer else { return None };
            Some(Some((oldest, newest, epoch)))
        })?;
        Ok(History { events, oldest, newest, epoch })
    }

    /// All events that a room remembers with ids above `after`, oldest first, in as many requests as needed. Events
    /// that happen during these requests are not included.
    ///
    /// # Errors
    ///
    /// Those of [`history`](Client::history), and [`ClientError::TooMuch`] if their bodies have more than 32 MiB: then
    /// ask for them by [`Pages`].
    pub fn events_after(&mut self, room: &str, after: u64) -> Result<Vec<Event>, ClientError> {
        let History { mut events, newest, .. } = self.history(room, after, u32::MAX)?;
        let mut pages = Pages::new(room, events.last().map_or(newest, |event| event.id), newest);
        let size = |events: &[Event]| events.iter().map(|event| size_of::<Event>() + event.body.len()).sum::<usize>();
        let mut bytes = size(&events);
        while let Some(page) = pages.next(self)? {
            bytes += size(&page);
            if bytes > MAX_REPLY {
                return Err(ClientError::TooMuch { what: "of one room's history", max: MAX_REPLY });
            }
            events.extend(page);
        }
        Ok(events)
    }

    /// Asks for the members of a room that this session is in: ids in ascending order, including this session, each
    /// with its name (empty if it has none).
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] if this session is not in the room. Also if the connection broke or no reply came in
    /// time.
    pub fn who(&mut self, room: &str) -> Result<Vec<(UserId, String)>, ClientError> {
        check_name(room)?;
        let mut all = Vec::new();
        self.connection.ask_all(Request::Who { room }, |answer| {
            let Answer::Who { members, more } = answer else { return None };
            all.extend(members.iter().map(|(id, name)| (id, name.to_owned())));
            Some((!more).then_some(()))
        })?;
        Ok(all)
    }
}
