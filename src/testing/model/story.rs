//! The true sequence of events in all rooms, recorded by a listener of the host program. Tests compare it with what
//! members receive. It checks by itself that the ids of each room have no gap, and that members join and leave in a
//! possible order.

use super::frames::Fields;
use crate::hub::{Hub, SharedEvent};
use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

/// Types of events.
#[allow(missing_docs)] // each is named as the protocol does
pub mod what {
    pub const MESSAGE: u8 = 1;
    pub const JOIN: u8 = 2;
    pub const ADD: u8 = 3;
    pub const REMOVE: u8 = 4;
    pub const LEAVE: u8 = 5;
    pub const CLOSE: u8 = 6;
}

use what::{ADD, CLOSE, JOIN, LEAVE, MESSAGE, REMOVE};

/// One event.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // each is named as the protocol does
pub struct Record {
    pub what: u8,
    pub session: u64,
    pub name: String,
    pub unix_ms: u64,
    /// The length of its body, its first eight bytes at most, and a hash of all of it.
    pub len: usize,
    pub front: Vec<u8>,
    pub digest: u64,
}

/// An event as a member receives it: its room, its id, its body, and the record of it.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Heard<'a> {
    pub room: &'a str,
    pub id: u64,
    pub body: &'a [u8],
    pub record: Record,
}

impl<'a> Heard<'a> {
    /// Reads the payload of an EVENT.
    pub fn read(payload: &'a [u8]) -> Heard<'a> {
        let mut fields = Fields(payload);
        let (what, id, unix_ms, session) = (fields.u8(), fields.u64(), fields.u64(), fields.u64());
        let (room, name, body) = (fields.text(), fields.text(), fields.0);
        Heard { room, id, body, record: Record::new(what, session, name, unix_ms, body) }
    }
}

impl Record {
    fn new(what: u8, session: u64, name: &str, unix_ms: u64, body: &[u8]) -> Record {
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let (front, digest) = (body[..body.len().min(8)].to_vec(), hasher.finish());
        Record { what, session, name: name.to_owned(), unix_ms, len: body.len(), front, digest }
    }
}

/// Adds a listener that records the story to a hub.
pub fn listen<L>(hub: &mut Hub<L>) -> Arc<Mutex<Story>> {
    let story = Arc::new(Mutex::new(Story::default()));
    let heard = story.clone();
    hub.listeners.add(Box::new(move |event: &SharedEvent| {
        let event = event.view();
        let record = Record::new(event.what as u8, event.session.0, event.name, event.unix_ms, event.body);
        heard.lock().expect("nobody panics with it").add(event.room, event.id, record, event.body);
    }));
    story
}

/// The life of one room, from its creation to its removal. Another room of the same name may follow.
#[derive(Debug, Default)]
pub struct Life {
    /// Event `n` is at `n - 1`.
    pub events: Vec<Record>,
    /// The members, each with the name under which it joined.
    pub members: BTreeMap<u64, String>,
    /// When each former member left, by the story's clock.
    pub parted: BTreeMap<u64, u64>,
    pub is_closed: bool,
}

/// All rooms there ever were.
#[derive(Debug, Default)]
pub struct Story {
    pub rooms: BTreeMap<String, Vec<Life>>,
    /// The rooms that each user joined, in order: the room's name, which of its lives, and the id of the event.
    pub joins: BTreeMap<u64, VecDeque<(String, usize, u64)>>,
    /// Messages that are not checked yet: room, session and body.
    pub fresh: Vec<(String, u64, Vec<u8>)>,
    /// When this turn began, by the count of events.
    pub clock: u64,
    /// The first mistake that was found, if any.
    pub fault: Option<String>,
}

impl Story {
    /// The next event.
    pub fn add(&mut self, room: &str, id: u64, record: Record, body: &[u8]) {
        if !self.rooms.contains_key(room) {
            self.rooms.insert(room.to_owned(), Vec::new());
        }
        let lives = self.rooms.get_mut(room).expect("it is there now");
        if id == 1 {
            if lives.last().is_some_and(|life| !life.members.is_empty() && !life.is_closed) {
                self.fault = Some(format!("{room} began anew with somebody in it"));
            }
            lives.push(Life::default());
        }
        let number = lives.len().wrapping_sub(1);
        let Some(life) = lives.last_mut().filter(|life| life.events.len() as u64 + 1 == id && !life.is_closed) else {
            self.fault = Some(format!("event {id} of {room} does not follow the one before"));
            return;
        };
        if let Err(fault) = life.take_in(&record, self.clock) {
            self.fault = Some(format!("event {id} of {room}: {fault}: {record:?}"));
        }
        match record.what {
            MESSAGE => self.fresh.push((room.to_owned(), record.session, body.to_vec())),
            JOIN | ADD => self.joins.entry(record.session).or_default().push_back((room.to_owned(), number, id)),
            _ => {}
        }
        life.events.push(record);
    }

    /// The room's last life, if it had one.
    pub fn last_life(&self, room: &str) -> Option<&Life> {
        self.rooms.get(room)?.last()
    }

    /// Which life of this room the user joined with the event of this id, if that was the next room that it joined.
    pub fn take_join(&mut self, session: u64, room: &str, id: u64) -> Option<usize> {
        let joins = self.joins.get_mut(&session)?;
        let (_, life, _) = joins.pop_front().filter(|(name, _, event)| name == room && *event == id)?;
        Some(life)
    }
}

impl Life {
    /// Updates the members. Returns what is wrong if the event is impossible.
    fn take_in(&mut self, record: &Record, clock: u64) -> Result<(), &'static str> {
        let others = |life: &Life| life.members.values().filter(|name| **name == record.name).count();
        let is_named = !record.name.is_empty();
        match record.what {
            MESSAGE => Ok(()),
            JOIN | ADD => {
                let known = is_named && others(self) > 0;
                self.parted.remove(&record.session);
                let came = self.members.insert(record.session, record.name.clone()).is_none();
                if came && known == (record.what == ADD) { Ok(()) } else { Err("who came in") }
            }
            LEAVE | REMOVE => {
                self.parted.insert(record.session, clock);
                let was = self.members.remove(&record.session);
                let stays = is_named && others(self) > 0;
                let fits = was.as_deref() == Some(&record.name) && stays == (record.what == REMOVE);
                if fits { Ok(()) } else { Err("who left") }
            }
            CLOSE => {
                self.is_closed = true;
                self.members.clear();
                Ok(())
            }
            _ => Err("no such type"),
        }
    }
}
