//! The host program's requests about rooms.

use super::payload::Payload;
use super::rooms::Author;
use super::{Hub, SharedEvent};
use crate::wire::{ErrorCode, EventRef, UserId};
use std::sync::Arc;

impl<L> Hub<L> {
    /// Publishes a message in a room, as [`HOST`](super::HOST). Returns the event's id.
    ///
    /// # Errors
    ///
    /// 6 if the room's name is not valid, 8 if the hub may not have another room or is at its memory limit; and why,
    /// for a person.
    pub fn publish_for_host(&mut self, room: &str, body: &[u8]) -> Result<u64, (ErrorCode, String)> {
        if self.is_over_memory() {
            let text = "the hub is at its memory limit, because clients do not read; try again later";
            return Err((ErrorCode::LimitReached, text.to_owned()));
        }
        let key = self.room_to_publish_in(None, room)?;
        Ok(self.publish_in(key, Author::host(), body, None))
    }

    /// Closes a room. Returns whether there was one.
    pub fn close_room(&mut self, room: &str) -> bool {
        let found = self.rooms.find(room);
        if let Some(key) = found {
            self.close_room_as(key, &Author::host());
        }
        found.is_some()
    }

    /// The events that a room remembers with an id above `after`, oldest first, at most `limit`.
    pub fn history_of(&self, room: &str, after: u64, limit: usize) -> Vec<SharedEvent> {
        self.remembered(room, after).take(limit).map(|frame| SharedEvent::new(frame.to_shared())).collect()
    }

    /// The events that a room remembers with an id above `after`, oldest first, one after the other.
    pub fn events_of(&self, room: &str, after: u64) -> impl Iterator<Item = EventRef<'_>> {
        self.remembered(room, after)
            .map(|frame| EventRef::from_frame(frame.as_bytes()).expect("a history keeps events"))
    }

    fn remembered(&self, room: &str, after: u64) -> impl Iterator<Item = Payload<'_>> {
        let room = self.rooms.find(room).map(|key| self.rooms.at(key));
        room.into_iter().flat_map(move |room| room.history.after(after, room.newest)).map(|(frame, _)| frame)
    }

    /// The sessions in a room, ids ascending, each with its name; empty if it has none.
    pub fn members_of(&self, room: &str) -> Vec<(UserId, String)> {
        let sessions = self.rooms.find(room).map_or_else(Vec::new, |key| self.sessions_in(key));
        let text = |name: Option<Arc<str>>| name.as_deref().unwrap_or_default().to_owned();
        sessions.into_iter().map(|Author { session, name }| (session, text(name))).collect()
    }
}
