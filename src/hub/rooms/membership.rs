//! JOIN, LEAVE and WHO; how rooms are created, closed and removed.

use super::members::Author;
use crate::hub::budget::Cost;
use crate::hub::codec::RequestContext;
use crate::hub::slices::{LongWork, Slice, least};
use crate::hub::{Hub, Session};
use crate::limits::{REQUEST_COST, SCAN_COST, WHO_FRAME_MEMBERS, WHO_SLICE_MEMBERS};
use crate::marks::{Mark, mark};
use crate::name::name_fault;
use crate::wire::{Answer, ErrorCode, EventType, Kind, Members, UserId};
use std::sync::Arc;
use std::time::Duration;

/// How far a WHO is answered.
#[derive(Debug)]
pub(in crate::hub) struct WhoCursor {
    key: u32,
    /// The id of the last session that was sent.
    after: UserId,
    /// The newest id when the request came.
    until: UserId,
}

impl<L> Hub<L> {
    /// JOIN.
    pub(in crate::hub) fn join(&mut self, slot: usize, context: &RequestContext<'_>, room: &str) {
        if let Some(why) = name_fault(room) {
            return self.fail_request(slot, context, Kind::Join, ErrorCode::BadName, format!("JOIN: {why}"));
        }
        let found = self.rooms.find(room);
        if let Some(room) = found.map(|key| self.rooms.at(key)).filter(|room| room.members.contains(slot as u32)) {
            let answer = Answer::Joined { sessions: room.members.count() as u32, newest: room.newest };
            return self.reply(slot, context, &answer);
        }
        let most = self.limits.rooms_per_session;
        if self.sessions[slot].rooms.len() >= most {
            let text = format!("JOIN: this session is in {most} rooms, and may not be in more; leave one first");
            return self.fail_request(slot, context, Kind::Join, ErrorCode::LimitReached, text);
        }
        match found.map_or_else(|| self.make_room(room), Ok) {
            Ok(key) => {
                self.announce_one_departure(key);
                self.add_member(slot, context, key);
            }
            Err(text) => {
                self.fail_request(slot, context, Kind::Join, ErrorCode::LimitReached, format!("JOIN: {text}"));
            }
        }
    }

    /// Makes a room.
    ///
    /// # Errors
    ///
    /// Which limit forbids it.
    pub(in crate::hub) fn make_room(&mut self, room: &str) -> Result<u32, String> {
        let most = self.limits.max_rooms;
        if self.rooms.len() >= most {
            return Err(format!("this hub has {most} rooms, and may not have more"));
        }
        self.stats.rooms += 1;
        Ok(self.rooms.make(room))
    }

    fn add_member(&mut self, slot: usize, context: &RequestContext<'_>, key: u32) {
        let session = &mut self.sessions[slot];
        let room = self.rooms.at_mut(key);
        let what = room.members.add(slot as u32, session.rooms.len(), session.name.as_ref());
        session.rooms.push(key);
        // The newest event is the one that announces this join, which follows.
        let answer = Answer::Joined { sessions: room.members.count() as u32, newest: room.newest + 1 };
        self.rooms.cancel_expiry(key, self.clock.now);
        self.reply(slot, context, &answer);
        self.emit_presence(key, what, &self.author(slot), None);
    }

    /// Publishes an event of joining or leaving, and charges it to this turn's requests.
    fn emit_presence(&mut self, key: u32, what: EventType, author: &Author, except: Option<usize>) {
        let emitted = self.emit(key, what, author, &[], except);
        self.budget.requests += emitted.cost;
    }

    /// LEAVE.
    pub(in crate::hub) fn leave_room(&mut self, slot: usize, context: &RequestContext<'_>, room: &str) {
        if let Some(key) = self.own_room(slot, context, Kind::Leave, room) {
            self.reply(slot, context, &Answer::Left);
            let cost = self.remove_member(slot, key, false);
            self.budget.requests += cost;
        }
    }

    /// The key of a room that the session is in. If it is not in the room, sends error 7 and returns `None`.
    pub(in crate::hub) fn own_room(
        &mut self,
        slot: usize,
        context: &RequestContext<'_>,
        kind: Kind,
        room: &str,
    ) -> Option<u32> {
        let found = self.rooms.find(room).filter(|&key| self.is_member(slot, key));
        if found.is_none() {
            let (code, why) = match name_fault(room) {
                Some(why) => (ErrorCode::BadName, why.to_owned()),
                None => (ErrorCode::NotInRoom, format!("this session is not in {room}; JOIN it first")),
            };
            self.fail_request(slot, context, kind, code, format!("{}: {why}", kind.name()));
        }
        found
    }

    /// Whether there is a room with this key, and the session is in it.
    pub(in crate::hub) fn is_member(&self, slot: usize, key: u32) -> bool {
        self.rooms.get(key).is_some_and(|room| room.members.contains(slot as u32))
    }

    /// Removes a session from a room, and sends the event to the other members, and to the session itself if `told`.
    /// Returns the cost.
    fn remove_member(&mut self, slot: usize, key: u32, told: bool) -> Cost {
        let author = self.author(slot);
        let what = self.rooms.at(key).members.departure_event(author.name.as_ref());
        let cost = self.emit(key, what, &author, &[], (!told).then_some(slot)).cost;
        let index = self.rooms.at_mut(key).members.remove(slot as u32, author.name.as_ref());
        if let Some(index) = index {
            self.remove_from_session(slot, index);
        }
        self.remove_if_deserted(key);
        Cost::work(REQUEST_COST) + cost
    }

    /// Removes the room at `index` from a session's own list.
    fn remove_from_session(&mut self, slot: usize, index: usize) {
        let rooms = &mut self.sessions[slot].rooms;
        rooms.swap_remove(index);
        if let Some(&moved) = rooms.get(index) {
            self.rooms.at_mut(moved).members.set_index_in_session(slot as u32, index);
        }
    }

    /// Removes a session from the last of its rooms. The session receives the event too. Returns the cost; `None` if it
    /// is in no room.
    pub(in crate::hub) fn leave_a_room(&mut self, slot: usize) -> Option<Cost> {
        let key = *self.sessions[slot].rooms.last()?;
        Some(self.remove_member(slot, key, true))
    }

    /// A room without members is kept for a while if it remembers anything, and is removed otherwise.
    pub(in crate::hub) fn remove_if_deserted(&mut self, key: u32) {
        if !self.rooms.at(key).members.is_deserted() {
            return;
        }
        if self.limits.history_time.is_zero() || self.rooms.at(key).history.is_empty() {
            self.remove_room(key);
        } else {
            self.rooms.expire_later(key, self.clock.now);
        }
    }

    fn remove_room(&mut self, key: u32) {
        self.rooms.remove(key, self.clock.now);
        self.stats.rooms -= 1;
    }

    /// Removes the rooms whose history has expired.
    pub fn expire_rooms(&mut self) {
        while let Some(key) = self.rooms.take_expired(self.clock.now) {
            mark(Mark::RoomExpired);
            self.remove_room(key);
        }
    }

    /// When the next room expires.
    pub fn next_room_expiry(&self) -> Option<Duration> {
        self.rooms.next_expiry()
    }

    /// Closes a room: its members are told, and are not in it any more. What it remembers is forgotten.
    pub(in crate::hub) fn close_room_as(&mut self, key: u32, author: &Author) {
        mark(Mark::RoomClosed);
        self.emit_presence(key, EventType::Close, author, None);
        let slots = self.rooms.at(key).members.slots().to_vec();
        for slot in slots {
            let name = self.sessions[slot as usize].name.as_ref();
            let index = self.rooms.at_mut(key).members.remove(slot, name);
            if let Some(index) = index {
                self.remove_from_session(slot as usize, index);
            }
        }
        self.rooms.with_departures.retain(|&other| other != key);
        self.remove_room(key);
    }

    /// WHO.
    pub(in crate::hub) fn who(&mut self, slot: usize, context: &RequestContext<'_>, room: &str) {
        if let Some(key) = self.own_room(slot, context, Kind::Who, room) {
            let until = self.sessions.newest_id();
            self.begin_long_request(slot, context, LongWork::Who(WhoCursor { key, after: UserId(0), until }));
        }
    }

    /// Sends some frames of WHO: the next sessions in the room, including departed ones whose departure is not announced
    /// yet.
    pub(in crate::hub) fn who_slice(
        &mut self,
        slot: usize,
        context: &RequestContext<'_>,
        cursor: &mut WhoCursor,
    ) -> (Slice, Cost) {
        let is_member = self.is_member(slot, cursor.key);
        let mut next = Vec::new();
        let more = is_member && {
            let wanted =
                self.authors_in(cursor.key).filter(|author| author.0 > cursor.after && author.0 <= cursor.until);
            least(&mut next, WHO_SLICE_MEMBERS, wanted)
        };
        let (mut blocks, mut cost) = (Vec::new(), Cost::NONE);
        for part in next.chunks(WHO_FRAME_MEMBERS) {
            let mut block = Vec::new();
            part.iter().for_each(|(id, name)| Members::encode(*id, name.map_or("", |name| name), &mut block));
            cost += Cost::work(2 * block.len());
            blocks.push(block);
        }
        cursor.after = next.last().map_or(cursor.until, |(id, _)| *id);
        if is_member {
            cost += Cost::work(self.rooms.at(cursor.key).members.count() * SCAN_COST);
        }
        // An answer has at least one frame.
        if blocks.is_empty() {
            blocks.push(Vec::new());
        }
        let last = blocks.len() - 1;
        for (number, block) in blocks.iter().enumerate() {
            let members = Members::new(block).expect("they are whole");
            self.reply(slot, context, &Answer::Who { members, more: more || number < last });
        }
        (if more { Slice::More } else { Slice::Last }, cost)
    }

    /// The ids and names of the sessions in a room, in no order.
    fn authors_in(&self, key: u32) -> impl Iterator<Item = (UserId, Option<&Arc<str>>)> {
        let members = &self.rooms.at(key).members;
        let present = members.slots().iter().map(|&slot| &self.sessions[slot as usize]);
        let present = present.map(|session| (session.id, session.name.as_ref()));
        present.chain(members.departed().map(|author| (author.session, author.name.as_ref())))
    }

    /// The sessions in a room, by ascending id, including departed ones whose departure is not announced yet.
    pub(in crate::hub) fn sessions_in(&self, key: u32) -> Vec<Author> {
        let authors = self.authors_in(key).map(|(session, name)| Author { session, name: name.cloned() });
        let mut sessions: Vec<Author> = authors.collect();
        sessions.sort_unstable_by_key(|author| author.session);
        sessions
    }

    /// The session in a slot, as the author of an event.
    pub(in crate::hub) fn author(&self, slot: usize) -> Author {
        let Session { id, name, .. } = &self.sessions[slot];
        Author { session: *id, name: name.clone() }
    }

    /// Whether there is a room with this name.
    pub fn has_room(&self, room: &str) -> bool {
        self.rooms.find(room).is_some()
    }
}
