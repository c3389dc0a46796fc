//! One room, and the table of all rooms.

use super::deserted::{Deserted, Worth};
use super::epochs::Epochs;
use super::history::History;
use super::members::Members;
use super::table::Table;
use crate::deadlines::{Hook, Hooks};
use crate::hub::allocation::heap_bytes;
use crate::hub::makers::{MadeBy, Makers};
use crate::hub::payload::Payload;
use crate::hub::remote_addr::AddressKey;
use crate::limits::Limits;
use crate::marks::{Mark, mark};
use crate::name::canonical_name;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// A room.
#[derive(Debug)]
pub struct Room {
    pub name: Arc<str>,
    pub members: Members,
    pub history: History,
    /// The id of the newest event; 0 before the first.
    pub newest: u64,
    /// Tells its ids from those of another room that had or will have this name; never 0.
    pub epoch: u64,
    /// Who made it.
    pub made_by: MadeBy,
    /// While it has no members, so that it expires with its history: what it was worth when it was last used.
    deserted: Option<Worth>,
    hook: Hook,
    /// The index of its key in [`Rooms::keys`].
    index: u32,
}

/// All rooms, by key and by name. A key is good until its room is removed.
#[derive(Debug)]
pub struct Rooms {
    rooms: Table<Room>,
    by_name: HashMap<Arc<str>, u32>,
    /// The rooms without members.
    deserted: Deserted,
    /// Who made the rooms.
    pub makers: Makers,
    /// The epochs of the rooms to come.
    pub epochs: Epochs,
    /// Every key, close together.
    pub keys: Vec<u32>,
    /// The index in `keys` of the room that was last found to remember more than the average.
    hand: usize,
    /// About how many bytes all rooms remember.
    history_held: usize,
    /// Bytes of memory that rooms take with their names and lists, but without what they remember.
    held: usize,
    /// The rooms with departures to announce, each once, in the order in which they take turns.
    pub with_departures: VecDeque<u32>,
}

/// What an empty room takes beside its name: the room, and its share of tables that have just doubled.
const ROOM_COST: usize = heap_bytes(size_of::<Room>()) + 112;

impl Room {
    /// Bytes of memory that it takes, without what it remembers.
    fn held(&self) -> usize {
        room_bytes(&self.name) + self.members.held()
    }
}

/// Bytes of memory that a room without members takes.
fn room_bytes(name: &str) -> usize {
    ROOM_COST + heap_bytes(2 * size_of::<usize>() + name.len())
}

impl Hooks for Table<Room> {
    fn hook(&mut self, _kind: usize, slot: u32) -> &mut Hook {
        &mut self[slot].hook
    }
}

impl Rooms {
    /// No rooms. Those without members will expire after this time.
    pub fn new(history_time: Duration) -> Rooms {
        Rooms {
            rooms: Table::new(),
            by_name: HashMap::new(),
            deserted: Deserted::new(history_time),
            makers: Makers::default(),
            epochs: Epochs::default(),
            keys: Vec::new(),
            hand: 0,
            history_held: 0,
            held: 0,
            with_departures: VecDeque::new(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rooms.len()
    }

    /// About how many bytes all rooms remember.
    pub fn history_held(&self) -> usize {
        self.history_held
    }

    /// Bytes of memory that rooms take with their names and lists, but without what they remember.
    pub fn held(&self) -> usize {
        self.held + self.makers.held()
    }

    /// Bytes of memory that a room with this name takes.
    pub fn cost_of(&self, name: &str) -> usize {
        room_bytes(&canonical_name(name))
    }

    /// Bytes that rooms without members take at least.
    pub fn held_by_deserted(&self) -> usize {
        self.deserted.len() * ROOM_COST
    }

    /// How many rooms an address has made, and how many of `most` are free or would give way to it, without its own.
    pub fn share_of(&self, address: AddressKey, most: usize) -> (usize, usize) {
        let own = self.makers.rooms_of(address);
        let giving_way = self.deserted.len() - own.deserted as usize;
        (own.all as usize, most.saturating_sub(self.len()) + giving_way)
    }

    /// The key of the room with this name, if there is one.
    #[inline]
    pub fn find(&self, name: &str) -> Option<u32> {
        self.by_name.get(&*canonical_name(name)).copied()
    }

    /// Makes a room with this name, which no other room has.
    pub fn make(&mut self, name: &str, made_by: MadeBy) -> u32 {
        self.makers.count(made_by);
        let name: Arc<str> = canonical_name(name).into();
        let (members, history) = (Members::default(), History::default());
        let index = self.keys.len() as u32;
        let (newest, epoch, deserted, hook) = (0, self.epochs.draw(), None, Hook::new());
        let room = Room { name: name.clone(), members, history, newest, epoch, made_by, deserted, hook, index };
        self.held += room.held();
        let key = self.rooms.insert(room);
        self.keys.push(key);
        self.by_name.insert(name, key);
        key
    }

    /// The room with this key.
    ///
    /// # Panics
    ///
    /// If there is none. A key is good from when it was found until its room is removed, which nothing does but
    /// leaving, closing and expiry at their very end.
    #[inline]
    pub fn at(&self, key: u32) -> &Room {
        &self.rooms[key]
    }

    /// The room with this key, to be changed.
    ///
    /// # Panics
    ///
    /// As [`at`](Rooms::at).
    #[inline]
    pub fn at_mut(&mut self, key: u32) -> &mut Room {
        &mut self.rooms[key]
    }

    /// Changes the members of a room.
    pub fn change_members<T>(&mut self, key: u32, change: impl FnOnce(&mut Members) -> T) -> T {
        let members = &mut self.rooms[key].members;
        let before = members.held();
        let result = change(members);
        self.held = self.held - before + members.held();
        result
    }

    /// Keeps the newest event of a room, and forgets what all rooms together may not remember: the oldest events of
    /// rooms that remember more than the average, so that no room makes the others forget theirs.
    ///
    /// A room that has no members and has forgotten everything is removed, but not the one with this newest event.
    /// Returns how many were removed.
    #[inline]
    pub fn remember(&mut self, key: u32, frame: Payload<'_>, body_len: usize, limits: &Limits, now: Duration) -> u64 {
        let Room { history, newest, .. } = &mut self.rooms[key];
        let before = history.held();
        history.push(*newest, frame, body_len, limits);
        self.history_held = self.history_held - before + history.held();
        let mut removed = 0;
        while self.history_held > limits.history_total {
            let average = (self.history_held / self.rooms.len()).max(1);
            let largest = self.one_that_remembers(average);
            let room = &mut self.rooms[largest];
            self.history_held -= room.history.forget_oldest();
            if largest != key && room.history.is_empty() && room.members.is_deserted() {
                mark(Mark::RoomForgotten);
                self.remove(largest, now);
                removed += 1;
            }
        }
        removed
    }

    /// The key of a room that remembers at least this many bytes, which must not be more than the average. The one of
    /// the last call is tried first, so that most calls look at one room.
    ///
    /// # Panics
    ///
    /// If there is none: the average was wrong.
    fn one_that_remembers(&mut self, average: usize) -> u32 {
        for _ in 0..=self.keys.len() {
            self.hand %= self.keys.len();
            let key = self.keys[self.hand];
            if self.at(key).history.held() >= average {
                return key;
            }
            self.hand += 1;
        }
        panic!("some room remembers as much as the average");
    }

    /// Lets a room without members expire when its time is over from now on, or give way before.
    pub fn expire_later(&mut self, key: u32, now: Duration) {
        self.cancel_expiry(key, now);
        let room = &mut self.rooms[key];
        let (worth, made_by) = (Worth::of(&room.history), room.made_by);
        room.deserted = Some(worth);
        self.deserted.push(&mut self.rooms, key, worth, now);
        self.makers.note_deserted(made_by, true);
    }

    /// Cancels the expiry of a room.
    pub fn cancel_expiry(&mut self, key: u32, now: Duration) {
        if let Some(worth) = self.rooms[key].deserted.take() {
            self.deserted.remove(&mut self.rooms, key, worth, now);
            self.makers.note_deserted(self.rooms[key].made_by, false);
        }
    }

    /// A session joins a room: it does not expire, and counts no longer against the session that made it.
    pub fn note_joined(&mut self, key: u32, now: Duration) {
        self.cancel_expiry(key, now);
        self.makers.note_joined(&mut self.rooms[key].made_by);
    }

    /// When the next room expires.
    pub fn next_expiry(&self) -> Option<Duration> {
        self.deserted.next_expiry()
    }

    /// The next room that has expired at `now`. It is still there, but expires no more.
    pub fn take_expired(&mut self, now: Duration) -> Option<u32> {
        let key = self.deserted.pop_expired(&mut self.rooms, now)?;
        let room = &mut self.rooms[key];
        room.deserted = None;
        self.makers.note_deserted(room.made_by, false);
        Some(key)
    }

    /// The room that gives way to a new one, if there is one without members.
    pub fn first_to_give_way(&self) -> Option<u32> {
        self.deserted.first()
    }

    /// For how many rooms there is room in the tables.
    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.by_name.capacity() + self.keys.capacity()
    }

    /// Gives back the memory of rooms that are gone.
    pub fn shrink(&mut self) {
        self.rooms.shrink();
        self.by_name.shrink_to_fit();
        self.keys.shrink_to_fit();
        self.with_departures.shrink_to_fit();
        self.makers.shrink();
    }

    /// Removes a room.
    pub fn remove(&mut self, key: u32, now: Duration) {
        self.cancel_expiry(key, now);
        let room = self.rooms.remove(key);
        self.history_held -= room.history.held();
        self.held -= room.held();
        self.makers.note_removed(room.made_by);
        self.by_name.remove(&room.name);
        self.keys.swap_remove(room.index as usize);
        if let Some(&moved) = self.keys.get(room.index as usize) {
            self.at_mut(moved).index = room.index;
        }
    }
}
