//! One room, and where all rooms are kept.

use super::history::History;
use super::members::Members;
use crate::deadlines::{Deadlines, Hook, Hooks};
use slab::Slab;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A room: who is in it, what it remembers, and the number of its newest event.
#[derive(Debug)]
pub struct Room {
    pub name: Arc<str>,
    pub members: Members,
    pub history: History,
    /// The id of the newest event; 0 before the first.
    pub newest: u64,
    /// Whether its history expires, and the room with it: while nobody is in it.
    expires: bool,
    hook: Hook,
    /// Where its key stands among all.
    place: u32,
}

/// All rooms, by key and by name. A room's key is its own until it is gone.
#[derive(Debug)]
pub struct Rooms {
    /// Boxed, so that a vacant place costs a few bytes, however many rooms there once were.
    rooms: Slab<Box<Room>>,
    by_name: HashMap<Arc<str>, u32>,
    /// When the rooms expire that nobody is in.
    deadlines: Deadlines,
    /// Every key, close together.
    keys: Vec<u32>,
    /// Where in `keys` the room stands that was last found to hold its share of what all remember.
    hand: usize,
}

impl Hooks for Slab<Box<Room>> {
    fn hook(&mut self, _kind: usize, slot: u32) -> &mut Hook {
        &mut self[slot as usize].hook
    }
}

impl Rooms {
    /// None yet. Those that nobody is in are to expire after this time.
    pub fn new(history_time: Duration) -> Rooms {
        let deadlines = Deadlines::exact(0, history_time);
        Rooms { rooms: Slab::new(), by_name: HashMap::new(), deadlines, keys: Vec::new(), hand: 0 }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rooms.len()
    }

    /// The key of the room with this name, where there is one.
    pub fn find(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// Makes a room with this name, which no other has.
    pub fn make(&mut self, name: &str) -> u32 {
        let name: Arc<str> = name.into();
        let (members, history) = (Members::default(), History::default());
        let place = self.keys.len() as u32;
        let room = Room { name: name.clone(), members, history, newest: 0, expires: false, hook: Hook::new(), place };
        let key = self.rooms.insert(Box::new(room)) as u32;
        self.keys.push(key);
        self.by_name.insert(name, key);
        key
    }

    /// The room with this key.
    ///
    /// # Panics
    ///
    /// Where there is none. A key is good from when it was found to when its room is removed, which nothing does but
    /// leaving, closing and expiry at their very end.
    pub fn at(&self, key: u32) -> &Room {
        &self.rooms[key as usize]
    }

    /// The room with this key, to be changed.
    ///
    /// # Panics
    ///
    /// As [`at`](Rooms::at).
    pub fn at_mut(&mut self, key: u32) -> &mut Room {
        &mut self.rooms[key as usize]
    }

    /// Has a room that nobody is in expire when its time is over from now on.
    pub fn expire_later(&mut self, key: u32, now: Duration) {
        self.call_off(key, now);
        self.rooms[key as usize].expires = true;
        self.deadlines.push(&mut self.rooms, key, now);
    }

    /// Has a room expire no more.
    pub fn call_off(&mut self, key: u32, now: Duration) {
        if std::mem::take(&mut self.rooms[key as usize].expires) {
            self.deadlines.remove(&mut self.rooms, key, now);
        }
    }

    /// The key of a room that remembers as many bytes as this, which is no more than they do on average. The one of
    /// last time comes first, so that most calls look at one room.
    ///
    /// # Panics
    ///
    /// Where there is none, which is an average that was wrong.
    pub fn one_that_holds(&mut self, share: usize) -> u32 {
        for _ in 0..=self.keys.len() {
            self.hand %= self.keys.len();
            let key = self.keys[self.hand];
            if self.at(key).history.held() >= share {
                return key;
            }
            self.hand += 1;
        }
        panic!("one of them holds as much as they do on average");
    }

    /// When the next one expires.
    pub fn next_expiry(&self) -> Option<Duration> {
        self.deadlines.next()
    }

    /// The next one that has expired at `now`. It expires no more, but is still there.
    pub fn expired(&mut self, now: Duration) -> Option<u32> {
        let key = self.deadlines.pop(&mut self.rooms, now)?;
        self.rooms[key as usize].expires = false;
        Some(key)
    }

    /// Takes a room away, and gives its memory back.
    pub fn remove(&mut self, key: u32, now: Duration) -> Box<Room> {
        self.call_off(key, now);
        let room = self.rooms.remove(key as usize);
        self.by_name.remove(&room.name);
        self.keys.swap_remove(room.place as usize);
        if let Some(&moved) = self.keys.get(room.place as usize) {
            self.at_mut(moved).place = room.place;
        }
        room
    }
}
