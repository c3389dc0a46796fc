//! What the host program asks about rooms.

use super::Hub;
use super::events::Author;
use super::outbox::Shared;
use crate::wire::{ErrorCode, Event, EventRef, UserId};

/// What a room remembers, still as frames: taking it costs the hub no copy.
#[derive(Debug)]
pub struct Retained(Vec<Shared>);

impl Retained {
    /// The events.
    pub fn events(&self) -> Vec<Event> {
        self.0.iter().filter_map(|frame| EventRef::from_frame(frame.as_bytes())).map(|event| event.to_event()).collect()
    }
}

impl<L> Hub<L> {
    /// Says something in a room, as [`HOST`](super::HOST). Returns the event's id.
    ///
    /// # Errors
    ///
    /// 6 where the room's name will not do, 8 where the hub may have no further room; and why, for a person.
    pub fn publish_for_host(&mut self, room: &str, body: &[u8]) -> Result<u64, (ErrorCode, String)> {
        let key = self.room_to_speak_in(room)?;
        Ok(self.speak(key, Author::host(), body, None))
    }

    /// Closes a room; says whether there was one.
    pub fn close_room(&mut self, room: &str) -> bool {
        let found = self.rooms.find(room);
        if let Some(key) = found {
            self.close(key, Author::host());
        }
        found.is_some()
    }

    /// The events that a room remembers with an id above `after`, oldest first, `limit` at most.
    pub fn history_of(&self, room: &str, after: u64, limit: usize) -> Retained {
        let room = self.rooms.find(room).map(|key| self.rooms.at(key));
        let frames = room.into_iter().flat_map(|room| room.history.after(after, room.newest));
        Retained(frames.take(limit).cloned().collect())
    }

    /// The sessions in a room, ids ascending, each with what it calls itself.
    pub fn members_of(&self, room: &str) -> Vec<(UserId, String)> {
        let ids = self.rooms.find(room).map_or_else(Vec::new, |key| self.ids_in(key));
        ids.into_iter().map(|id| (id, self.name_of(id).to_owned())).collect()
    }
}
