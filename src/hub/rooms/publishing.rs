//! How an event comes about: numbered, encoded once, told to all who are in the room, kept, and heard by listeners.

use crate::hub::outbox::{Parcel, Shared};
use crate::hub::session::HOST;
use crate::hub::{Hub, SharedEvent, User};
use crate::limits::{COPIED_AT_ONCE, WORTH_POINTING};
use crate::marks::{Mark, mark};
use crate::wire::{EventRef, EventType, Kind, UserId};
use std::sync::Arc;

/// Who brings an event about.
#[derive(Clone, Debug)]
pub struct Author {
    pub session: UserId,
    pub name: Option<Arc<str>>,
}

impl Author {
    /// The program that the hub lives in.
    pub fn host() -> Author {
        Author { session: HOST, name: None }
    }
}

impl<L> Hub<L> {
    /// The user in a slot, as the author of an event.
    pub(in crate::hub) fn author(&self, slot: usize) -> Author {
        let User { id, name, .. } = &self.users[slot];
        Author { session: *id, name: name.clone() }
    }

    /// Brings an event about in a room, and tells all who are in it, less `except`. Returns its id.
    pub(in crate::hub) fn emit(
        &mut self,
        key: u32,
        what: EventType,
        author: Author,
        body: &[u8],
        except: Option<usize>,
    ) -> u64 {
        self.stats.events += 1;
        let room = self.rooms.at_mut(key);
        room.newest += 1;
        let (id, name) = (room.newest, author.name.as_deref().unwrap_or_default());
        let (unix_ms, session) = (self.unix_ms, author.session);
        let event = EventRef { what, id, unix_ms, session, room: &room.name, name, body };
        let frame = Shared::whole(event.to_frame());
        let before = room.history.held();
        room.history.keep(frame.clone(), body.len(), &self.limits);
        self.remembered = self.remembered - before + room.history.held();
        self.forget_beyond_limit(key);
        let may_be_joined = self.tell(key, &frame, body.len(), except);
        // Other events change who is in the room.
        if may_be_joined && what == EventType::Message {
            self.aim_at_room(key, except);
        }
        if !self.listeners.is_empty() {
            self.listeners.hear(&SharedEvent::new(frame));
        }
        id
    }

    /// Forgets what all rooms together may not remember: the oldest events of rooms that hold more than their share, so
    /// that nobody's talk makes the others forget theirs. One that nobody is in and that has forgotten all is gone, but
    /// not the one that has just got something.
    fn forget_beyond_limit(&mut self, newest: u32) {
        while self.remembered > self.limits.history_total {
            let share = (self.remembered / self.rooms.len()).max(1);
            let key = self.rooms.one_that_holds(share);
            let room = self.rooms.at_mut(key);
            self.remembered -= room.history.forget_oldest();
            if key != newest && room.history.is_empty() && room.members.is_deserted() {
                mark(Mark::RoomForgotten);
                self.remove_room(key);
            }
        }
    }

    /// Puts an event into the outbox of each member but `except`. One whose queue is full misses it, and sees so by the
    /// numbers. Says whether another one may join it: whether it was copied into each, just now.
    fn tell(&mut self, key: u32, frame: &Shared, body_len: usize, except: Option<usize>) -> bool {
        if self.is_closing {
            return false;
        }
        let copies = self.rooms.at(key).members.slots().len() * frame.as_bytes().len();
        let large = body_len >= self.limits.share_from || body_len >= WORTH_POINTING && copies > COPIED_AT_ONCE;
        if !large && self.tell_again(key, except, frame.as_bytes()) {
            return false;
        }
        self.fire();
        let parcel = if large { Parcel::Large(frame) } else { Parcel::Small(frame.as_bytes()) };
        let slots = self.rooms.at_mut(key).members.lend_slots();
        let (told, missed) = self.post_to(&slots, except, parcel, true);
        self.rooms.at_mut(key).members.give_back_slots(slots);
        self.spend(told as usize, parcel);
        self.stats.frames.count(Kind::Event, told, frame.as_bytes().len());
        self.stats.events_missed += missed;
        !large && missed == 0
    }
}
