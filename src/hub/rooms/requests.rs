//! What is asked about rooms: coming and going, speaking, looking back, looking around.

use super::publishing::Author;
use crate::hub::{Hub, User, name};
use crate::limits::WHO_FRAME_MEMBERS;
use crate::marks::{Mark, mark};
use crate::wire::{Answer, ErrorCode, EventRef, EventType, Fault, HEADER_LEN, Header, Kind, Members, flag};
use std::time::Duration;

impl<L> Hub<L> {
    pub(in crate::hub) fn join(&mut self, slot: usize, tag: u16, room: &str) {
        let fault = |code, text| Fault::new(code, Kind::Join as u8, tag, text);
        if let Some(why) = name::name_fault(room) {
            return self.fail(slot, &fault(ErrorCode::BadName, format!("JOIN: {why}")));
        }
        let found = self.rooms.find(room);
        if let Some(room) = found.map(|key| self.rooms.at(key)).filter(|room| room.members.contains(slot as u32)) {
            let answer = Answer::Joined { sessions: room.members.count() as u32, newest: room.newest };
            return self.say(slot, tag, &answer);
        }
        let most = self.limits.rooms_per_session;
        if self.users[slot].rooms.len() >= most {
            let text = format!("JOIN: this session is in {most} rooms, and may not be in more; leave one first");
            return self.fail(slot, &fault(ErrorCode::LimitReached, text));
        }
        match found.map_or_else(|| self.make_room(room), Ok) {
            Ok(key) => {
                self.tell_a_parting(key);
                self.come_in(slot, tag, key);
            }
            Err(text) => self.fail(slot, &fault(ErrorCode::LimitReached, format!("JOIN: {text}"))),
        }
    }

    /// Makes a room that is not there yet, or says which limit forbids it.
    fn make_room(&mut self, room: &str) -> Result<u32, String> {
        let most = self.limits.max_rooms;
        if self.rooms.len() >= most {
            return Err(format!("this hub has {most} rooms, and may not have more"));
        }
        self.stats.rooms += 1;
        Ok(self.rooms.make(room))
    }

    fn come_in(&mut self, slot: usize, tag: u16, key: u32) {
        let user = &mut self.users[slot];
        let room = self.rooms.at_mut(key);
        let what = room.members.add(slot as u32, user.rooms.len(), user.name.as_ref());
        user.rooms.push(key);
        // The newest event is the one that now tells of this.
        let answer = Answer::Joined { sessions: room.members.count() as u32, newest: room.newest + 1 };
        self.rooms.call_off(key, self.now);
        self.say(slot, tag, &answer);
        self.emit(key, what, self.author(slot), &[], None);
    }

    pub(in crate::hub) fn leave(&mut self, slot: usize, tag: u16, room: &str) {
        if let Some(key) = self.own_room(slot, tag, Kind::Leave, room) {
            self.say(slot, tag, &Answer::Left);
            self.part(slot, key, false);
        }
    }

    /// The key of a room that the user in `slot` is in; `None` where it is not, and was told so.
    fn own_room(&mut self, slot: usize, tag: u16, kind: Kind, room: &str) -> Option<u32> {
        let found = self.rooms.find(room).filter(|&key| self.rooms.at(key).members.contains(slot as u32));
        if found.is_none() {
            let (code, text) = match name::name_fault(room) {
                Some(why) => (ErrorCode::BadName, format!("{}: {why}", kind.name())),
                None => {
                    (ErrorCode::NotInRoom, format!("{}: this session is not in {room}; JOIN it first", kind.name()))
                }
            };
            self.fail(slot, &Fault::new(code, kind as u8, tag, text));
        }
        found
    }

    /// Takes a session out of a room, and tells those who stay; the session itself too where it is `told`.
    fn part(&mut self, slot: usize, key: u32, told: bool) {
        let author = self.author(slot);
        let what = self.rooms.at(key).members.parting_of(author.name.as_ref());
        self.emit(key, what, author, &[], (!told).then_some(slot));
        let user = &mut self.users[slot];
        let room = self.rooms.at_mut(key);
        let place = room.members.remove(slot as u32, user.name.as_ref());
        if let Some(place) = place {
            self.strike(slot, place);
        }
        self.vacate_if_empty(key);
    }

    /// Takes the room in `place` off a user's own list.
    fn strike(&mut self, slot: usize, place: usize) {
        let rooms = &mut self.users[slot].rooms;
        rooms.swap_remove(place);
        if let Some(&moved) = rooms.get(place) {
            self.rooms.at_mut(moved).members.moved(slot as u32, place);
        }
    }

    /// Takes a session out of all its rooms, and tells it so.
    pub(in crate::hub) fn part_all(&mut self, slot: usize) {
        while let Some(&key) = self.users[slot].rooms.last() {
            self.part(slot, key, true);
        }
    }

    /// A room that nobody is in remembers for a while, where there is anything to remember, and is gone otherwise.
    pub(in crate::hub) fn vacate_if_empty(&mut self, key: u32) {
        if !self.rooms.at(key).members.is_deserted() {
            return;
        }
        if self.limits.history_time.is_zero() || self.rooms.at(key).history.is_empty() {
            self.remove_room(key);
        } else {
            self.rooms.expire_later(key, self.now);
        }
    }

    pub(in crate::hub) fn remove_room(&mut self, key: u32) {
        let room = self.rooms.remove(key, self.now);
        self.remembered -= room.history.held();
        self.stats.rooms -= 1;
    }

    /// Forgets the rooms whose history has expired.
    pub fn expire_rooms(&mut self) {
        while let Some(key) = self.rooms.expired(self.now) {
            mark(Mark::RoomExpired);
            self.remove_room(key);
        }
    }

    /// When the next room is to be forgotten.
    pub fn next_expiry(&self) -> Option<Duration> {
        self.rooms.next_expiry()
    }

    pub(in crate::hub) fn publish(
        &mut self,
        slot: usize,
        tag: u16,
        room: &str,
        body: &[u8],
        receipt: bool,
        no_echo: bool,
    ) {
        let fault = |code, text| Fault::new(code, Kind::Publish as u8, tag, format!("PUBLISH: {text}"));
        match self.room_to_speak_in(room) {
            Ok(key) => {
                if receipt {
                    let id = self.rooms.at(key).newest + 1;
                    self.say(slot, tag, &Answer::Published(id));
                }
                self.speak(key, self.author(slot), body, no_echo.then_some(slot));
            }
            Err((code, text)) => self.fail(slot, &fault(code, text)),
        }
    }

    /// The room with this name, made where there is none yet.
    pub(in crate::hub) fn room_to_speak_in(&mut self, room: &str) -> Result<u32, (ErrorCode, String)> {
        if let Some(key) = self.rooms.find(room) {
            return Ok(key);
        }
        match name::name_fault(room) {
            Some(why) => Err((ErrorCode::BadName, why.to_owned())),
            None => self.make_room(room).map_err(|text| (ErrorCode::LimitReached, text)),
        }
    }

    /// Says something in a room, perhaps to nobody.
    pub(in crate::hub) fn speak(&mut self, key: u32, author: Author, body: &[u8], except: Option<usize>) -> u64 {
        let id = self.emit(key, EventType::Message, author, body, except);
        self.vacate_if_empty(key);
        id
    }

    pub(in crate::hub) fn history(&mut self, slot: usize, tag: u16, room: &str, after: u64, limit: u32) {
        if let Some(key) = self.own_room(slot, tag, Kind::History, room) {
            let end = self.replay(slot, tag, key, after, limit);
            self.say(slot, tag, &end);
        }
    }

    /// Sends events again: `limit` at most, and no more than fill half a queue; but one, where there is one. Returns
    /// what is to be said after them.
    fn replay(&mut self, slot: usize, tag: u16, key: u32, after: u64, limit: u32) -> Answer<'static> {
        self.fire();
        let room = self.rooms.at(key);
        let User { outbox, dialect, .. } = &mut self.users[slot];
        let enough = outbox.queued() + self.limits.queue / 2;
        let (mut sent, mut rendered, mut head) = (0, 0, Vec::new());
        for frame in room.history.after(after, room.newest).take(limit as usize) {
            let bytes = frame.as_bytes();
            if sent > 0 && outbox.queued() + bytes.len() > enough {
                mark(Mark::HistoryCut);
                break;
            }
            let length = (bytes.len() - HEADER_LEN) as u32;
            let header = Header { kind: Kind::Event as u8, flags: flag::REPLAY, tag, length };
            if dialect.wraps() {
                head.clear();
                dialect.put_before(bytes.len(), &mut head);
                head.extend_from_slice(&header.encode());
                outbox.repost(&head, frame, self.limits.share_from, &mut self.pool);
            } else {
                let event = EventRef::from_frame(bytes).expect("a history keeps events");
                let answer = Answer::Event { event, replay: true };
                let before = outbox.queued();
                outbox.append(&mut self.pool, |run| dialect.say(&self.asked, tag, &answer, run));
                rendered += outbox.queued() - before;
            }
            self.stats.frames.count(Kind::Event, 1, bytes.len());
            sent += 1;
        }
        let end = Answer::HistoryEnd { oldest: room.history.oldest(room.newest), newest: room.newest, sent };
        self.spend_copies(1, rendered);
        end
    }

    pub(in crate::hub) fn who(&mut self, slot: usize, tag: u16, room: &str) {
        let Some(key) = self.own_room(slot, tag, Kind::Who, room) else { return };
        let sessions = self.sessions_in(key);
        let mut block = Vec::new();
        let mut parts = sessions.chunks(WHO_FRAME_MEMBERS).peekable();
        while let Some(part) = parts.next() {
            block.clear();
            part.iter().for_each(|Author { session, name }| {
                Members::encode(*session, name.as_deref().unwrap_or_default(), &mut block);
            });
            let members = Members::new(&block).expect("they are whole");
            self.say(slot, tag, &Answer::Who { members, more: parts.peek().is_some() });
        }
    }

    /// Whether there is a room with this name.
    pub fn has_room(&self, room: &str) -> bool {
        self.rooms.find(room).is_some()
    }

    /// The sessions in a room, ids ascending, and those who are gone, as long as the room was not told.
    pub(in crate::hub) fn sessions_in(&self, key: u32) -> Vec<Author> {
        let members = &self.rooms.at(key).members;
        let here = members.slots().iter().map(|&slot| self.author(slot as usize));
        let mut sessions: Vec<Author> = here.chain(members.parting().cloned()).collect();
        sessions.sort_unstable_by_key(|author| author.session);
        sessions
    }

    /// Closes a room: its members are told, and are not in it any more. What it remembered is forgotten.
    pub(in crate::hub) fn close(&mut self, key: u32, author: Author) {
        mark(Mark::RoomClosed);
        self.emit(key, EventType::Close, author, &[], None);
        let slots = self.rooms.at(key).members.slots().to_vec();
        for slot in slots {
            let user = &self.users[slot as usize];
            let place = self.rooms.at_mut(key).members.remove(slot, user.name.as_ref());
            if let Some(place) = place {
                self.strike(slot as usize, place);
            }
        }
        self.parting.retain(|&other| other != key);
        self.remove_room(key);
    }
}
