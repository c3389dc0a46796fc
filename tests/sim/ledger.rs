//! The ledger: every message and its receivers, every user, and what must be true when all is quiet. It stands beside
//! the model, which would have to know in which order the hub executes what clients ask at the same time.

use cubby::Limits;
use cubby::testing::model::frames::Fields;
use cubby::testing::model::story::Story;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// The id under which the host program speaks.
pub const HOST: u64 = 1;

/// Whom a message is meant for.
#[derive(Clone, Debug, PartialEq)]
pub enum To {
    Users(Vec<u64>),
    Names(Vec<&'static str>),
    Room(&'static str),
}

/// A body that somebody sent.
#[derive(Debug)]
pub struct Message {
    /// The number of the sender's connection; `None` for the host.
    pub sender: Option<usize>,
    pub to: To,
    pub len: usize,
    /// Not to the sender.
    pub no_echo: bool,
    /// Surely carried out, because something asked later was answered.
    pub is_done: bool,
    /// The hub said that it went nowhere.
    pub refused: bool,
    /// What the receipt said of each whom it is meant for.
    pub statuses: Vec<u8>,
    /// The connections that got it.
    pub heard: Vec<usize>,
    /// It is in the story of its room.
    pub is_told: bool,
}

/// What all may know of one connection.
#[derive(Debug, Default)]
pub struct Person {
    /// Zero until the hub has let it in.
    pub id: u64,
    /// It may have sent anything, so that nothing is known of it.
    pub is_wild: bool,
    /// The hub could not send it all at once, and may have let go of it.
    pub is_slow: bool,
    /// The hub has let go of it.
    pub departed: bool,
    /// What it calls itself, and the first message that may count on that.
    pub name: &'static str,
    pub named_at: usize,
    /// All that it ever asked to be called.
    pub names: Vec<&'static str>,
    /// When it was let in, and when it was surely gone, by the count of events.
    pub came: u64,
    pub left: Option<u64>,
}

/// All that is known.
#[derive(Debug, Default)]
pub struct Ledger {
    pub messages: Vec<Message>,
    /// One for each connection.
    pub people: Vec<Person>,
    /// The connection with an id.
    pub ids: BTreeMap<u64, usize>,
    /// Connections that were let in and are not known to be gone.
    pub live: Vec<usize>,
    /// Events that members did not see, and could tell so by the numbers.
    pub gaps: u64,
    /// This moment, by the count of events.
    pub clock: u64,
    /// The limits that replies tell of.
    pub max_body: u32,
    pub max_receivers: u16,
    /// Seconds between two beats, as a WELCOME tells; whether there are any.
    pub heartbeat: (u16, bool),
    /// The hub may close the silent.
    pub is_timed: bool,
    /// After so long without a word the honest say something: before the shortest idle time is over, and no more often
    /// than they may.
    pub remind: Duration,
    /// Clients may ask as often as they like.
    pub may_flood: bool,
    /// More requests than these are not under way at once on one connection.
    pub under_way: usize,
    /// The host program closes rooms now and then.
    pub rooms_close: bool,
    /// The hub was told to shut down.
    pub is_closing: bool,
    story: Arc<Mutex<Story>>,
}

/// The body of message `number`: the number, then bytes that all differ from their neighbours.
pub fn body(number: usize, len: usize) -> Vec<u8> {
    let mut body = (number as u64).to_be_bytes().to_vec();
    body.extend((8..len).map(|at| (number + at) as u8));
    body
}

fn is_body(number: usize, bytes: &[u8]) -> bool {
    bytes.iter().enumerate().skip(8).all(|(at, &byte)| byte == (number + at) as u8)
}

impl Ledger {
    /// A ledger of a hub without users. `story` is what its listener hears.
    pub fn new(limits: &Limits, story: Arc<Mutex<Story>>) -> Ledger {
        Ledger {
            max_body: limits.max_body,
            max_receivers: limits.max_receivers,
            heartbeat: (limits.heartbeat.as_secs() as u16, !limits.heartbeat.is_zero()),
            is_timed: !(limits.idle.is_zero() && limits.frame_time.is_zero()),
            remind: Duration::from_millis(if (1..100).contains(&limits.rate) { 100 } else { 10 }),
            may_flood: limits.rate == 0,
            under_way: if limits.rate == 0 { 300 } else { limits.rate as usize * 2 },
            story,
            ..Ledger::default()
        }
    }

    /// What really happened in the rooms.
    pub fn story(&self) -> MutexGuard<'_, Story> {
        self.story.lock().expect("nobody panics with it")
    }

    /// Somebody is about to send a message; returns its number.
    pub fn compose(&mut self, sender: Option<usize>, to: To, len: usize, no_echo: bool) -> usize {
        let (statuses, heard) = (Vec::new(), Vec::new());
        let message =
            Message { sender, to, len, no_echo, is_done: false, refused: false, statuses, heard, is_told: false };
        self.messages.push(message);
        self.messages.len() - 1
    }

    /// The hub let a connection in, perhaps only to turn it away; its client `stays` or is gone already.
    pub fn learn(&mut self, conn: usize, id: u64, is_present: bool, stays: bool) {
        let newest = self.ids.last_key_value().map_or(HOST, |(id, _)| *id);
        assert!(id > newest, "ids rise with arrival: {id} after {newest}");
        self.ids.insert(id, conn);
        (self.people[conn].id, self.people[conn].came) = (id, self.clock);
        self.people[conn].left = (!is_present).then_some(self.clock);
        if is_present && stays {
            self.live.push(conn);
        }
    }

    /// A connection is over for the client; for the hub as well, where it `left`.
    pub fn forget(&mut self, conn: usize, left: bool) {
        self.live.retain(|&other| other != conn);
        if left {
            self.people[conn].left.get_or_insert(self.clock);
        }
    }

    /// The message in a body that `session` sent; `None` where nothing is known of that sender.
    pub fn find(&self, session: u64, body: &[u8]) -> Option<usize> {
        let sender = self.ids.get(&session).copied();
        assert!(sender.is_some() || session == HOST, "{session} never was a user");
        if sender.is_some_and(|sender| self.people[sender].is_wild) {
            return None;
        }
        assert!(body.len() >= 8, "a body of {} bytes has lost some", body.len());
        let number = Fields(body).u64() as usize;
        let message = self.messages.get(number).expect("a message that nobody sent");
        assert_eq!(message.sender, sender, "who sent message {number}");
        assert_eq!(message.len, body.len(), "how long message {number} is");
        Some(number)
    }

    /// Somebody got a message.
    pub fn heard(&mut self, conn: usize, session: u64, body: &[u8]) -> Option<usize> {
        let number = self.find(session, body)?;
        assert!(is_body(number, body), "the body of message {number} is another");
        self.messages[number].heard.push(conn);
        Some(number)
    }

    /// Takes in what listeners have heard: each message once, by the one who said it, in the room it was meant for.
    pub fn note_story(&mut self) -> usize {
        let fresh = {
            let mut story = self.story();
            if let Some(fault) = story.fault.take() {
                panic!("{fault}");
            }
            std::mem::take(&mut story.fresh)
        };
        for (room, session, body) in &fresh {
            let Some(number) = self.find(*session, body) else { continue };
            let message = &mut self.messages[number];
            assert!(matches!(message.to, To::Room(to) if to == room), "message {number} is for {:?}", message.to);
            assert!(!message.is_told, "message {number} was said twice");
            assert!(!message.refused, "message {number} was refused, and said in {room}");
            message.is_told = true;
        }
        fresh.len()
    }

    /// All is quiet, and `steady` are those who are still connected: each message carried out has reached them.
    pub fn check_arrived(&self, steady: &[usize]) {
        for (number, message) in self.messages.iter().enumerate() {
            let is_wild = message.sender.is_some_and(|sender| self.people[sender].is_wild);
            if !message.is_done || is_wild {
                continue;
            }
            match &message.to {
                To::Room(room) => {
                    assert!(message.is_told || message.refused, "message {number} was never said in {room}");
                }
                To::Users(ids) => self.check_users(number, message, ids, steady),
                To::Names(names) => self.check_names(number, message, names, steady),
            }
        }
    }

    fn check_users(&self, number: usize, message: &Message, ids: &[u64], steady: &[usize]) {
        for (at, id) in ids.iter().enumerate() {
            let Some(&conn) = self.ids.get(id).filter(|conn| steady.contains(conn)) else { continue };
            let status = message.statuses.get(at).copied();
            assert_ne!(status, Some(1), "message {number}: user {id} was here all the time");
            let excused = message.refused || status == Some(2);
            assert!(excused || message.heard.contains(&conn), "message {number} has not reached user {id}");
        }
    }

    fn check_names(&self, number: usize, message: &Message, names: &[&str], steady: &[usize]) {
        for (at, name) in names.iter().enumerate() {
            for &conn in steady {
                let person = &self.people[conn];
                if person.name != *name || person.named_at > number {
                    continue;
                }
                let status = message.statuses.get(at).copied();
                assert_ne!(status, Some(1), "message {number}: {name} was here all the time");
                let excused = message.refused || status == Some(2);
                let id = person.id;
                assert!(excused || message.heard.contains(&conn), "message {number} has not reached {name} ({id})");
            }
        }
    }
}
