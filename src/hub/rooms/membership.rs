//! JOIN, LEAVE and WHO; how rooms are created, closed and removed.

use super::members::{Author, Members};
use crate::hub::budget::Cost;
use crate::hub::codec::RequestContext;
use crate::hub::long_request::{LongWork, Slice, WhoCursor, least};
use crate::hub::room_list::RoomList;
use crate::hub::{Hub, Session};
use crate::limits::{EXPIRIES, JOIN_COST, SCAN_COST, WHO_FRAME_MEMBERS, WHO_SLICE_MEMBERS};
use crate::marks::{Mark, mark};
use crate::name::name_fault;
use crate::wire::{self, Answer, ErrorCode, EventType, Kind, UserId};
use std::sync::Arc;
use std::time::Duration;

impl<L> Hub<L> {
    /// JOIN.
    pub(in crate::hub) fn join(&mut self, slot: usize, context: &RequestContext<'_>, room: &str) {
        if let Some(why) = name_fault(room) {
            return self.fail_request(slot, context, Kind::Join, ErrorCode::BadName, format!("JOIN: {why}"));
        }
        let found = self.rooms.find(room);
        if let Some(key) = found.filter(|&key| self.sessions[slot].rooms.contains(key)) {
            let room = self.rooms.at(key);
            let (sessions, newest) = (room.members.count() as u32, room.newest);
            let answer = Answer::Joined { sessions, newest, epoch: room.epoch };
            return self.reply(slot, context, &answer);
        }
        match self.room_to_join(slot, found, room) {
            Ok(key) => {
                self.announce_own_departure(slot, key);
                self.announce_one_departure(key);
                self.add_member(slot, context, key);
            }
            Err(text) => {
                self.fail_request(slot, context, Kind::Join, ErrorCode::LimitReached, format!("JOIN: {text}"));
            }
        }
    }

    fn add_member(&mut self, slot: usize, context: &RequestContext<'_>, key: u32) {
        let (what, cost) = self.arrival(slot, key);
        self.budget.requests += cost + Cost::work(JOIN_COST);
        let index = self.rooms.change_members(key, |members| members.add(slot as u32));
        self.change_list(slot, |rooms| rooms.insert(key, index));
        let room = self.rooms.at(key);
        // The newest event is the one that announces this join, which follows.
        let (sessions, newest) = (room.members.count() as u32, room.newest + 1);
        let answer = Answer::Joined { sessions, newest, epoch: room.epoch };
        self.rooms.note_joined(key, self.clock.now);
        self.note_structure();
        self.relieve_structure();
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
            let cost = self.remove_member(slot, key);
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
        self.sessions[slot].rooms.contains(key)
    }

    /// Removes a session from a room, and sends the event to the other members. Returns the cost.
    fn remove_member(&mut self, slot: usize, key: u32) -> Cost {
        let author = self.author(slot);
        let (what, mut cost) = self.departure(&author, key, Some(slot));
        cost += self.emit(key, what, &author, &[], Some(slot)).cost;
        if let Some(index) = self.change_list(slot, |rooms| rooms.remove(key)) {
            self.remove_at(key, index);
        }
        self.note_structure();
        self.remove_if_deserted(key);
        Cost::work(JOIN_COST) + cost
    }

    /// Changes a session's own list of rooms.
    fn change_list<T>(&mut self, slot: usize, change: impl FnOnce(&mut RoomList) -> T) -> T {
        let rooms = &mut self.sessions[slot].rooms;
        let before = rooms.held();
        let result = change(rooms);
        self.account.lists = self.account.lists - before + rooms.held();
        result
    }

    /// Removes the member at an index. If another one has this index now, its session's own list is told.
    pub(super) fn remove_at(&mut self, key: u32, index: u32) {
        if let Some(moved) = self.rooms.change_members(key, |members| members.remove(index)) {
            self.sessions[moved as usize].rooms.set_index(key, index);
        }
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

    pub(super) fn remove_room(&mut self, key: u32) {
        self.rooms.remove(key, self.clock.now);
        self.stats.rooms -= 1;
        self.note_structure();
    }

    /// Removes rooms whose history has expired, as many as one turn has time for.
    pub fn expire_rooms(&mut self) {
        for _ in 0..EXPIRIES {
            let Some(key) = self.rooms.take_expired(self.clock.now) else { return };
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
        for slot in self.rooms.change_members(key, Members::lend_slots) {
            self.change_list(slot as usize, |rooms| rooms.remove(key));
        }
        while let Some(departed) = self.rooms.change_members(key, Members::pop_departed) {
            self.departures.announce(departed, key);
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

    /// Sends some frames of WHO: the next sessions in the room, including departed ones whose departure is not
    /// announced yet.
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
            part.iter().for_each(|(id, name)| wire::Members::encode(*id, name.map_or("", |name| name), &mut block));
            cost += Cost::work(4 * block.len());
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
            let members = wire::Members::new(block).expect("they are whole");
            self.reply(slot, context, &Answer::Who { members, more: more || number < last });
        }
        (if more { Slice::More } else { Slice::Last }, cost)
    }

    /// The ids and names of the sessions in a room, in no order.
    fn authors_in(&self, key: u32) -> impl Iterator<Item = (UserId, Option<&Arc<str>>)> {
        let members = &self.rooms.at(key).members;
        let present = members.slots().iter().map(|&slot| &self.sessions[slot as usize]);
        let present = present.map(|session| (session.id, session.name.as_ref()));
        let departed = members.departed().map(|departed| self.departures.author(departed));
        present.chain(departed.map(|author| (author.session, author.name.as_ref())))
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
