//! One room, and the table of all rooms.

use super::history::History;
use super::members::Members;
use super::table::Table;
use crate::deadlines::{Deadlines, Hook, Hooks};
use crate::hub::allocation::heap_bytes;
use crate::hub::payload::SharedFrame;
use crate::limits::Limits;
use crate::marks::{Mark, mark};
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
    /// Whether its history expires, and the room with it: while it has no members.
    expires: bool,
    hook: Hook,
    /// The index of its key in [`Rooms::keys`].
    index: u32,
}

/// All rooms, by key and by name. A key is good until its room is removed.
#[derive(Debug)]
pub struct Rooms {
    rooms: Table<Room>,
    by_name: HashMap<Arc<str>, u32>,
    /// When the rooms without members expire.
    deadlines: Deadlines,
    /// Every key, close together.
    keys: Vec<u32>,
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
        ROOM_COST + heap_bytes(2 * size_of::<usize>() + self.name.len()) + self.members.held()
    }
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
            deadlines: Deadlines::exact(0, history_time),
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
    #[cfg(test)]
    pub fn history_held(&self) -> usize {
        self.history_held
    }

    /// Bytes of memory that rooms take with their names and lists, but without what they remember.
    #[expect(dead_code, reason = "the memory account will use it")]
    pub fn held(&self) -> usize {
        self.held
    }

    /// The key of the room with this name, if there is one.
    #[inline]
    pub fn find(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// Makes a room with this name, which no other room has.
    pub fn make(&mut self, name: &str) -> u32 {
        let name: Arc<str> = name.into();
        let (members, history) = (Members::default(), History::default());
        let index = self.keys.len() as u32;
        let room = Room { name: name.clone(), members, history, newest: 0, expires: false, hook: Hook::new(), index };
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
    pub fn remember(&mut self, key: u32, frame: SharedFrame, body_len: usize, limits: &Limits, now: Duration) -> u64 {
        let history = &mut self.at_mut(key).history;
        let before = history.held();
        history.push(frame, body_len, limits);
        self.history_held = self.history_held - before + self.at(key).history.held();
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

    /// Lets a room without members expire when its time is over from now on.
    pub fn expire_later(&mut self, key: u32, now: Duration) {
        self.cancel_expiry(key, now);
        self.rooms[key].expires = true;
        self.deadlines.push(&mut self.rooms, key, now);
    }

    /// Cancels the expiry of a room.
    pub fn cancel_expiry(&mut self, key: u32, now: Duration) {
        if std::mem::take(&mut self.rooms[key].expires) {
            self.deadlines.remove(&mut self.rooms, key, now);
        }
    }

    /// When the next room expires.
    pub fn next_expiry(&self) -> Option<Duration> {
        self.deadlines.next()
    }

    /// The next room that has expired at `now`. It is still there, but expires no more.
    pub fn take_expired(&mut self, now: Duration) -> Option<u32> {
        let key = self.deadlines.pop(&mut self.rooms, now)?;
        self.rooms[key].expires = false;
        Some(key)
    }

    /// Removes a room.
    pub fn remove(&mut self, key: u32, now: Duration) {
        self.cancel_expiry(key, now);
        let room = self.rooms.remove(key);
        self.history_held -= room.history.held();
        self.held -= room.held();
        self.by_name.remove(&room.name);
        self.keys.swap_remove(room.index as usize);
        if let Some(&moved) = self.keys.get(room.index as usize) {
            self.at_mut(moved).index = room.index;
        }
    }
}
