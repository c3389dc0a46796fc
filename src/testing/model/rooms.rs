//! The naive hub's rooms.

use super::story::what::{ADD, CLOSE, JOIN, LEAVE, MESSAGE, REMOVE};
use super::{Model, is_fit, text};
use std::collections::BTreeSet;

pub(super) const MAX_ROOMS: usize = 4;
pub(super) const ROOMS_PER_SESSION: usize = 2;
pub(super) const HISTORY: usize = 4;
pub(super) const HISTORY_BYTES: usize = 60;
pub(super) const HISTORY_SECS: u64 = 10;

/// The sender of the host's messages.
const HOST: u64 = 1;

#[derive(Default)]
pub struct Room {
    /// The lowest number that no other room had when it was made. A client leaves its rooms from the highest one down.
    number: u32,
    /// The numbers of the member clients.
    members: BTreeSet<usize>,
    newest: u64,
    epoch: u64,
    /// The newest events: id, payload, bytes of body.
    kept: Vec<(u64, Vec<u8>, usize)>,
    /// When the room expires, while it has no members.
    expires: u64,
    /// The client that made it by PUBLISH, until somebody joins.
    maker: Option<usize>,
    /// The number of its last event: the room without members that was not used for the longest time gives way first.
    used: usize,
}

impl Room {
    fn bodies(&self) -> usize {
        self.kept.iter().map(|(_, _, len)| len).sum()
    }
}

impl Model {
    pub fn unix_ms(&self) -> u64 {
        1_700_000_000_000 + self.now * 1000
    }

    /// Lets time pass; returns the seconds since the hub started.
    pub fn tick(&mut self, secs: u64) -> u64 {
        self.now += secs;
        let now = self.now;
        self.rooms.retain(|_, room| !room.members.is_empty() || room.expires > now);
        self.now
    }

    /// JOIN, LEAVE, PUBLISH, HISTORY, WHO.
    pub fn about_a_room(&mut self, user: usize, kind: u8, flags: u8, tag: u16, payload: &[u8]) -> bool {
        let room = payload.split_first().and_then(|(&len, rest)| rest.split_at_checked(len.into()));
        let Some((room, rest)) = room else { return self.fail(user, 1, kind, tag, true) };
        let wanted = match kind {
            9 => rest.len(),
            10 => 12,
            _ => 0,
        };
        let Some(room) = str::from_utf8(room).ok().filter(|_| rest.len() == wanted) else {
            return self.fail(user, 1, kind, tag, true);
        };
        if !self.exact {
            return true;
        }
        if !is_fit(room) {
            return self.fail(user, 6, kind, tag, false);
        }
        let is_in = self.clients[user].rooms.iter().any(|own| own == room);
        match kind {
            7 if is_in => self.joined(user, tag, room, 0),
            7 => return self.join(user, tag, room),
            9 => return self.publish(user, flags, tag, room, rest),
            _ if !is_in => return self.fail(user, 7, kind, tag, false),
            8 => {
                self.foretell(user, (0x88, 0, tag, Vec::new()));
                self.leave(user, room, false);
            }
            10 => self.history(user, tag, room, rest),
            _ => self.who(user, tag, room),
        }
        true
    }

    fn join(&mut self, user: usize, tag: u16, room: &str) -> bool {
        let is_own = self.rooms.get(room).is_some_and(|room| room.maker == Some(user));
        if self.rooms_of(user) - usize::from(is_own) >= ROOMS_PER_SESSION || !self.make_room(room, None) {
            return self.fail(user, 8, 7, tag, false);
        }
        let others = self.namesakes(user, room);
        let there = self.rooms.get_mut(room).expect("it is there");
        there.members.insert(user);
        there.maker = None;
        self.clients[user].rooms.push(room.to_owned());
        self.joined(user, tag, room, 1);
        self.event(room, if others { ADD } else { JOIN }, Some(user), &[], None);
        true
    }

    /// How many rooms a client is in or has made.
    fn rooms_of(&self, user: usize) -> usize {
        let made = self.rooms.values().filter(|room| room.maker == Some(user)).count();
        self.clients[user].rooms.len() + made
    }

    /// Makes a room, if there is none yet. Returns whether there is one now.
    fn make_room(&mut self, room: &str, maker: Option<usize>) -> bool {
        if self.rooms.contains_key(room) {
            return true;
        }
        if self.rooms.len() >= MAX_ROOMS {
            let deserted = self.rooms.iter().filter(|(_, room)| room.members.is_empty());
            let first = deserted.min_by_key(|(_, room)| (room.bodies() > 0, room.used)).map(|(name, _)| name.clone());
            let Some(first) = first else { return false };
            self.rooms.remove(&first);
        }
        let is_free = |number: &u32| self.rooms.values().all(|room| room.number != *number);
        let number = (0..).find(is_free).expect("there are few rooms");
        let epoch = self.epochs.draw();
        self.rooms.insert(room.to_owned(), Room { number, maker, epoch, ..Room::default() });
        true
    }

    /// Whether another session of a user's name is in a room.
    fn namesakes(&self, user: usize, room: &str) -> bool {
        let name = &self.clients[user].name;
        let members = self.rooms.get(room).into_iter().flat_map(|room| &room.members);
        !name.is_empty() && members.into_iter().any(|&member| member != user && self.clients[member].name == *name)
    }

    fn joined(&mut self, user: usize, tag: u16, room: &str, further: u64) {
        let Room { members, newest, epoch, .. } = &self.rooms[room];
        let sessions = members.len() as u32;
        let payload = [&sessions.to_be_bytes()[..], &(newest + further).to_be_bytes(), &epoch.to_be_bytes()].concat();
        self.foretell(user, (0x87, 0, tag, payload));
    }

    fn leave(&mut self, user: usize, room: &str, told: bool) {
        let what = if self.namesakes(user, room) { REMOVE } else { LEAVE };
        self.event(room, what, Some(user), &[], (!told).then_some(user));
        let own = &mut self.clients[user].rooms;
        let place = own.iter().position(|own| own == room).expect("it is in that room");
        own.swap_remove(place);
        let expires = self.now + HISTORY_SECS;
        let there = self.rooms.get_mut(room).expect("somebody was in it");
        there.members.remove(&user);
        there.expires = expires;
        self.forget_if_idle(room);
    }

    pub fn leave_all(&mut self, user: usize, told: bool) {
        let mut rooms = self.clients[user].rooms.clone();
        rooms.sort_by_key(|room| std::cmp::Reverse(self.rooms[room].number));
        rooms.iter().for_each(|room| self.leave(user, room, told));
    }

    /// Removes a room without members and without history.
    fn forget_if_idle(&mut self, room: &str) {
        if self.rooms.get(room).is_some_and(|room| room.members.is_empty() && room.kept.is_empty()) {
            self.rooms.remove(room);
        }
    }

    fn publish(&mut self, user: usize, flags: u8, tag: u16, room: &str, body: &[u8]) -> bool {
        let is_new = !self.rooms.contains_key(room);
        if is_new && (self.rooms_of(user) >= ROOMS_PER_SESSION || !self.make_room(room, Some(user))) {
            return self.fail(user, 8, 9, tag, false);
        }
        if flags & 1 != 0 {
            let id = self.rooms.get(room).map_or(0, |room| room.newest) + 1;
            self.foretell(user, (0x89, 0, tag, id.to_be_bytes().to_vec()));
        }
        self.say(room, Some(user), body, (flags & 2 != 0).then_some(user));
        true
    }

    fn say(&mut self, room: &str, user: Option<usize>, body: &[u8], except: Option<usize>) {
        self.event(room, MESSAGE, user, body, except);
        let expires = self.now + HISTORY_SECS;
        self.rooms.get_mut(room).expect("it was made above").expires = expires;
        self.forget_if_idle(room);
    }

    /// Publishes a body for the host; returns the event's id, or `None` if that is not allowed.
    pub fn publish_for_host(&mut self, room: &str, body: &[u8]) -> Option<u64> {
        if !is_fit(room) || !self.make_room(room, None) {
            return None;
        }
        let id = self.rooms.get(room).map_or(0, |room| room.newest) + 1;
        self.say(room, None, body, None);
        Some(id)
    }

    /// Closes a room for the host; returns whether there was one.
    pub fn close(&mut self, room: &str) -> bool {
        if !self.rooms.contains_key(room) {
            return false;
        }
        self.event(room, CLOSE, None, &[], None);
        for member in self.rooms.remove(room).expect("it is there").members {
            let own = &mut self.clients[member].rooms;
            let place = own.iter().position(|own| own == room).expect("it is in that room");
            own.swap_remove(place);
        }
        true
    }

    fn event(&mut self, room: &str, what: u8, user: Option<usize>, body: &[u8], except: Option<usize>) {
        let (session, name) = user.map_or((HOST, ""), |user| (self.clients[user].id, &self.clients[user].name));
        let unix_ms = self.unix_ms();
        let used = self.story.len();
        let there = self.rooms.get_mut(room).expect("events are of rooms");
        (there.newest, there.used) = (there.newest + 1, used);
        let mut payload = vec![what];
        [there.newest, unix_ms, session].iter().for_each(|number| payload.extend(number.to_be_bytes()));
        payload.extend([text(room), text(name), body.to_vec()].concat());
        there.kept.push((there.newest, payload.clone(), body.len()));
        while there.kept.len() > HISTORY || there.bodies() > HISTORY_BYTES {
            there.kept.remove(0);
        }
        for member in there.members.iter().filter(|member| Some(**member) != except) {
            self.clients[*member].foretold.push_back((0xC9, 0, 0, payload.clone()));
        }
        self.story.push(payload);
    }

    fn history(&mut self, user: usize, tag: u16, room: &str, fields: &[u8]) {
        let (after, limit) = fields.split_at(8);
        let after = u64::from_be_bytes(after.try_into().expect("eight bytes"));
        let limit = u32::from_be_bytes(limit.try_into().expect("four bytes"));
        let Room { kept, newest, epoch, .. } = &self.rooms[room];
        let (oldest, newest, epoch) = (kept.first().map_or(0, |(id, _, _)| *id), *newest, *epoch);
        let wanted = kept.iter().filter(|(id, _, _)| *id > after).take(limit as usize);
        let wanted: Vec<Vec<u8>> = wanted.map(|(_, payload, _)| payload.clone()).collect();
        let sent = wanted.len() as u32;
        let end =
            [&oldest.to_be_bytes()[..], &newest.to_be_bytes(), &sent.to_be_bytes(), &epoch.to_be_bytes()].concat();
        for payload in wanted {
            self.foretell(user, (0xC9, 1, tag, payload));
        }
        self.foretell(user, (0x8A, 0, tag, end));
    }

    fn who(&mut self, user: usize, tag: u16, room: &str) {
        let members = self.rooms[room].members.iter().map(|&member| &self.clients[member]);
        let payload = members.flat_map(|client| [&client.id.to_be_bytes()[..], &text(&client.name)].concat()).collect();
        self.foretell(user, (0x8B, 0, tag, payload));
    }

    /// Every room: its name, its members' ids, and the payloads of the events in its history.
    pub fn rooms(&self) -> impl Iterator<Item = (&str, Vec<u64>, Vec<&[u8]>)> {
        self.rooms.iter().map(|(name, room)| {
            let ids = room.members.iter().map(|&member| self.clients[member].id).collect();
            (&name[..], ids, room.kept.iter().map(|(_, payload, _)| &payload[..]).collect())
        })
    }
}
