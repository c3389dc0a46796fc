//! What really happened in the rooms, as a listener of the host program hears it: the truth that members' events are
//! held against. Checks by itself that each room's numbers have no gap, and that who comes and goes makes sense.

use std::collections::{BTreeMap, VecDeque};

/// Types of events.
pub const MESSAGE: u8 = 1;
pub const JOIN: u8 = 2;
pub const ADD: u8 = 3;
pub const REMOVE: u8 = 4;
pub const LEAVE: u8 = 5;
pub const CLOSE: u8 = 6;

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub what: u8,
    pub session: u64,
    pub name: String,
    pub unix_ms: u64,
    pub len: usize,
    /// The first eight bytes of its body.
    pub front: Vec<u8>,
}

/// A room from its first event to its end. Another one of the same name may follow.
#[derive(Debug, Default)]
pub struct Life {
    /// Event `n` is at `n - 1`.
    pub events: Vec<Record>,
    /// Who is in it, and by which name it came in.
    pub members: BTreeMap<u64, String>,
    /// When each of the others left, by the story's clock.
    pub parted: BTreeMap<u64, u64>,
    pub is_closed: bool,
}

/// All rooms there ever were.
#[derive(Debug, Default)]
pub struct Story {
    pub rooms: BTreeMap<String, Vec<Life>>,
    /// Where each user came in, in order: the life and the number of the event.
    pub joins: BTreeMap<u64, VecDeque<(String, usize, u64)>>,
    /// Messages that nobody has looked at yet: room, session and body.
    pub fresh: Vec<(String, u64, Vec<u8>)>,
    /// When this turn began, by the count of events.
    pub clock: u64,
    /// What was wrong with it.
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

    /// The room's last life, where it had one.
    pub fn last_life(&self, room: &str) -> Option<&Life> {
        self.rooms.get(room)?.last()
    }

    /// Which room of this name the user came into with an event of this number, if that was its next coming.
    pub fn take_join(&mut self, session: u64, room: &str, id: u64) -> Option<usize> {
        let joins = self.joins.get_mut(&session)?;
        let (_, life, _) = joins.pop_front().filter(|(name, _, event)| name == room && *event == id)?;
        Some(life)
    }
}

impl Life {
    /// Who comes and goes, and whether that can be.
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
