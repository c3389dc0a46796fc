//! The ledger: every message with its receivers, every user, and what must be true once nothing is in progress. It is
//! used where the model cannot be: the model would have to know the order in which the hub executes concurrent
//! requests.

use cubby::Limits;
use cubby::testing::model::frames::Fields;
use cubby::testing::model::story::Story;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// The id of the host program as a sender.
pub const HOST: u64 = 1;

/// The receivers that a message names.
#[derive(Clone, Debug, PartialEq)]
pub enum To {
    Users(Vec<u64>),
    Names(Vec<&'static str>),
    Room(&'static str),
}

/// A message that a client or the host sent.
#[derive(Debug)]
pub struct Message {
    /// The number of the sender's connection; `None` for the host.
    pub sender: Option<usize>,
    pub to: To,
    pub len: usize,
    /// The sender itself does not receive it.
    pub no_echo: bool,
    /// The hub must have executed it, because a later request was answered.
    pub is_done: bool,
    /// The hub replied that nobody received it.
    pub refused: bool,
    /// The statuses in the receipt, one for each receiver.
    pub statuses: Vec<u8>,
    /// The connections that received it.
    pub heard: Vec<usize>,
    /// It is in the recorded story of its room.
    pub is_told: bool,
}

/// What is known of one connection.
#[derive(Debug, Default)]
pub struct Person {
    /// Zero until the hub has accepted it.
    pub id: u64,
    /// It may have sent arbitrary bytes, so nothing else is known of it.
    pub is_wild: bool,
    /// The hub could not send everything at once, and may have closed it.
    pub is_slow: bool,
    /// The hub has closed it.
    pub departed: bool,
    /// Its name, and the first message that can rely on it.
    pub name: &'static str,
    pub named_at: usize,
    /// All names that it has ever asked for.
    pub names: Vec<&'static str>,
    /// When it was accepted, and when it had certainly left, by the count of events.
    pub came: u64,
    pub left: Option<u64>,
}

/// Everything that is known of a run.
#[derive(Debug, Default)]
pub struct Ledger {
    pub messages: Vec<Message>,
    /// One entry for each connection.
    pub people: Vec<Person>,
    /// The connection with an id.
    pub ids: BTreeMap<u64, usize>,
    /// Connections that were accepted and are not known to have left.
    pub live: Vec<usize>,
    /// Events that members missed, and noticed by a gap in the ids.
    pub gaps: u64,
    /// The current time, by the count of events.
    pub clock: u64,
    /// The limits that replies contain.
    pub max_body: u32,
    pub max_receivers: u16,
    /// Seconds between two heartbeats, as in a WELCOME; whether there are heartbeats.
    pub heartbeat: (u16, bool),
    /// The hub may close idle connections.
    pub is_timed: bool,
    /// Honest clients send something after this much silence: before the shortest idle time is over, but no more often
    /// than the rate limit allows.
    pub remind: Duration,
    /// There is no rate limit.
    pub may_flood: bool,
    /// The most requests in flight on one connection.
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
    /// The ledger of a hub without users. `story` is recorded by its listener.
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

    /// The true sequence of events in the rooms.
    pub fn story(&self) -> MutexGuard<'_, Story> {
        self.story.lock().expect("nobody panics with it")
    }

    /// A client is about to send a message; returns its number.
    pub fn compose(&mut self, sender: Option<usize>, to: To, len: usize, no_echo: bool) -> usize {
        let (statuses, heard) = (Vec::new(), Vec::new());
        let message =
            Message { sender, to, len, no_echo, is_done: false, refused: false, statuses, heard, is_told: false };
        self.messages.push(message);
        self.messages.len() - 1
    }

    /// The hub accepted a connection, perhaps only to turn it away; its client `stays` or has already left.
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

    /// A connection is over for the client. If it `left`, it is over for the hub as well.
    pub fn forget(&mut self, conn: usize, left: bool) {
        self.live.retain(|&other| other != conn);
        if left {
            self.people[conn].left.get_or_insert(self.clock);
        }
    }

    /// The message that a body of `session` belongs to; `None` if nothing is known of that sender.
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

    /// A client received a message.
    pub fn heard(&mut self, conn: usize, session: u64, body: &[u8]) -> Option<usize> {
        let number = self.find(session, body)?;
        assert!(is_body(number, body), "the body of message {number} is another");
        self.messages[number].heard.push(conn);
        Some(number)
    }

    /// Checks the messages that listeners have received: each once, from its sender, and in its room.
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

    /// Nothing is in progress, and `steady` are still connected: checks that each executed message has reached them.
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
