//! What one client hears of rooms, held against the true story.

use crate::conn::{About, Ask, Conn};
use crate::frames::{Fields, Head};
use crate::model::Model;
use crate::story::{CLOSE, LEAVE, Life, MESSAGE, REMOVE, Record, Story};

/// A room that a client is in, as far as it knows.
#[derive(Debug)]
pub struct Seat {
    pub room: &'static str,
    /// Which room of that name.
    pub life: usize,
    /// The number of the next event, if none is missed.
    pub next: u64,
    /// It took another name, and so leaves; it is told that.
    pub leaves: bool,
}

/// The front of a body, by which it is known again.
pub fn front(body: &[u8]) -> Vec<u8> {
    body[..body.len().min(8)].to_vec()
}

fn life<'s>(story: &'s Story, seat: &Seat) -> &'s Life {
    &story.rooms[seat.room][seat.life]
}

impl Conn {
    fn seat(&self, room: &str) -> Option<usize> {
        self.seats.iter().position(|seat| seat.room == room)
    }

    pub fn hear_joined(&mut self, model: &Model, fields: &mut Fields<'_>, room: &'static str) {
        let (sessions, newest) = (fields.u32(), fields.u64());
        assert!(sessions > 0, "who joined is counted");
        match self.seat(room).map(|at| &self.seats[at]) {
            Some(seat) if !seat.leaves => assert!(newest + 1 >= seat.next, "{room} has {newest} events"),
            _ => self.sit_down(model, room, newest),
        }
    }

    /// It came into a room with this event.
    fn sit_down(&mut self, model: &Model, room: &'static str, id: u64) {
        self.seats.retain(|seat| seat.room != room);
        let life = model.story().take_join(model.people[self.number].id, room, id);
        let life = life.unwrap_or_else(|| panic!("it joined {room}, and nobody was told"));
        self.seats.push(Seat { room, life, next: id, leaves: false });
    }

    pub fn hear_left(&mut self, room: &str) {
        let at = self.seat(room).unwrap_or_else(|| panic!("it left {room}, and was not there"));
        self.seats.swap_remove(at);
    }

    /// The hub says that it is not in a room: it was closed, or it left by taking another name, and missed to hear it.
    pub fn find_out(&mut self, model: &Model, room: &str) {
        if let Some(at) = self.seat(room) {
            let closed = life(&model.story(), &self.seats[at]).is_closed;
            assert!(closed || self.seats[at].leaves, "it is in {room}");
            self.seats.swap_remove(at);
        }
    }

    pub fn hear_event(&mut self, model: &mut Model, head: Head, fields: &mut Fields<'_>) {
        let (what, id, unix_ms, session) = (fields.u8(), fields.u64(), fields.u64(), fields.u64());
        let (room, name) = (fields.text(), fields.text().to_owned());
        let body = std::mem::take(&mut fields.0);
        let record = Record { what, session, name, unix_ms, len: body.len(), front: front(body) };
        if self.is_wild(model) {
            return;
        }
        if head.flags == 1 {
            return self.hear_replay(model, head, room, id, &record);
        }
        assert!(head.flags == 0 && head.tag == 0, "{head:?}");
        let at = self.seat(room).unwrap_or_else(|| panic!("event {id} of {room}, where it is not"));
        self.pass_over(model, at, id);
        let is_same = life(&model.story(), &self.seats[at]).events.get(id as usize - 1) == Some(&record);
        assert!(is_same, "event {id} of {room} was another: {record:?}");
        if what == MESSAGE
            && let Some(number) = model.heard(self.number, session, body)
        {
            let own = model.messages[number].sender == Some(self.number);
            assert!(!own || !model.messages[number].no_echo, "its own message {number} was not to be echoed");
            self.follow(session, number);
        }
        self.move_on(model, at, id, &record);
    }

    /// Counts the events before this one that were missed.
    fn pass_over(&mut self, model: &mut Model, at: usize, id: u64) {
        let seat = &self.seats[at];
        assert!(id >= seat.next, "event {id} of {} again", seat.room);
        let missed = self.missed(model, at, id);
        model.gaps += missed;
    }

    /// How many events from the next to the one before `until` this client should have heard.
    pub fn missed(&self, model: &Model, at: usize, until: u64) -> u64 {
        let (seat, story, me) = (&self.seats[at], model.story(), model.people[self.number].id);
        let events = &life(&story, seat).events;
        let between = seat.next.max(1)..until;
        between.filter(|&id| events.get(id as usize - 1).is_none_or(|event| !is_hushed(model, event, me))).count()
            as u64
    }

    fn move_on(&mut self, model: &Model, at: usize, id: u64, record: &Record) {
        self.seats[at].next = id + 1;
        let own = record.session == model.people[self.number].id;
        let goes = own && (record.what == LEAVE || record.what == REMOVE);
        assert_eq!(goes, self.seats[at].leaves, "leaving by another name: {record:?}");
        if goes || record.what == CLOSE {
            self.seats.swap_remove(at);
        }
    }

    fn hear_replay(&mut self, model: &Model, head: Head, room: &str, id: u64, record: &Record) {
        let ask = self.asks.iter_mut().find(|ask| ask.replies || ask.fails);
        let Some(Ask { tag, about: About::History { room: asked, after, limit, seen, last }, .. }) = ask else {
            panic!("events are sent again, and nobody asked: {head:?}");
        };
        assert!(*tag == head.tag && *asked == room && id > *after, "event {id} of {room}");
        assert!(*last == 0 || *last + 1 == id, "event {id} of {room} after {last}");
        (*seen, *last) = (*seen + 1, id);
        assert!(*seen <= *limit, "more than asked for");
        let story = model.story();
        let is_same = |life: &Life| life.events.get(id as usize - 1) == Some(record);
        assert!(story.rooms[room].iter().rev().any(is_same), "event {id} of {room} was another: {record:?}");
    }

    pub fn hear_history_end(&mut self, fields: &mut Fields<'_>, ask: &Ask) {
        let (oldest, newest, sent) = (fields.u64(), fields.u64(), fields.u32());
        let About::History { seen, last, .. } = ask.about else { panic!("{ask:?}") };
        assert_eq!(sent, seen, "so many events were sent again");
        assert!(oldest <= newest && last <= newest, "{oldest} to {newest}, the last was {last}");
    }

    /// All is quiet: what of the rooms it is in has not come yet was missed.
    pub fn count_tails(&self, model: &Model) -> u64 {
        let tail = |at: usize| {
            let count = life(&model.story(), &self.seats[at]).events.len() as u64;
            self.missed(model, at, count + 1)
        };
        (0..self.seats.len()).filter(|&at| !self.seats[at].leaves).map(tail).sum()
    }
}

/// Whether an event is a message of this user's own that it did not want to hear.
fn is_hushed(model: &Model, event: &Record, me: u64) -> bool {
    if event.what != MESSAGE || event.session != me {
        return false;
    }
    let number = Fields(&event.front).u64() as usize;
    model.messages.get(number).is_some_and(|message| message.no_echo)
}
