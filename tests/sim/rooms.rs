//! Compares the events that one client receives with the true story.

use crate::conn::{About, Ask, Conn};
use crate::ledger::Ledger;
use cubby::testing::model::frames::{Fields, Head};
use cubby::testing::model::story::what::{CLOSE, LEAVE, MESSAGE, REMOVE};
use cubby::testing::model::story::{Heard, Life, Record, Story};

/// A room that a client believes it is in.
#[derive(Debug)]
pub struct Seat {
    pub room: &'static str,
    /// Which life of the room with that name.
    pub life: usize,
    /// The id of the next event, if none is missed.
    pub next: u64,
    /// It has changed its name and therefore leaves; the event is still to come.
    pub leaves: bool,
}

fn life<'s>(story: &'s Story, seat: &Seat) -> &'s Life {
    &story.rooms[seat.room][seat.life]
}

impl Conn {
    fn seat(&self, room: &str) -> Option<usize> {
        self.seats.iter().position(|seat| seat.room == room)
    }

    pub fn hear_joined(&mut self, ledger: &Ledger, fields: &mut Fields<'_>, room: &'static str) {
        let (sessions, newest, epoch) = (fields.u32(), fields.u64(), fields.u64());
        assert!(sessions > 0 && epoch > 0, "who joined is counted");
        match self.seat(room).map(|at| &self.seats[at]) {
            Some(seat) if !seat.leaves => assert!(newest + 1 >= seat.next, "{room} has {newest} events"),
            _ => self.sit_down(ledger, room, newest),
        }
    }

    /// It joined a room by this event.
    fn sit_down(&mut self, ledger: &Ledger, room: &'static str, id: u64) {
        self.seats.retain(|seat| seat.room != room);
        let life = ledger.story().take_join(ledger.people[self.number].id, room, id);
        let life = life.unwrap_or_else(|| panic!("it joined {room}, and nobody was told"));
        self.seats.push(Seat { room, life, next: id, leaves: false });
    }

    pub fn hear_left(&mut self, room: &str) {
        let at = self.seat(room).unwrap_or_else(|| panic!("it left {room}, and was not there"));
        self.seats.swap_remove(at);
    }

    /// The hub replies that the client is not in a room: the room was closed, or the client has changed its name. In
    /// the latter case the event of its leaving may come later, unless it misses that.
    pub fn find_out(&mut self, ledger: &Ledger, room: &str) {
        if let Some(at) = self.seat(room) {
            let closed = life(&ledger.story(), &self.seats[at]).is_closed;
            assert!(closed || self.seats[at].leaves, "it is in {room}");
            if !self.seats[at].leaves {
                self.seats.swap_remove(at);
            }
        }
    }

    /// Whether the room has been closed since it joined, as far as it knows.
    pub fn is_closed(&self, ledger: &Ledger, room: &str) -> bool {
        self.seat(room).is_none_or(|at| life(&ledger.story(), &self.seats[at]).is_closed)
    }

    pub fn hear_event(&mut self, ledger: &mut Ledger, head: Head, payload: &[u8]) {
        let Heard { room, id, body, record } = Heard::read(payload);
        let (what, session) = (record.what, record.session);
        if self.is_wild(ledger) {
            return;
        }
        if head.flags == 1 {
            return self.hear_replay(ledger, head, room, id, &record);
        }
        assert!(head.flags == 0 && head.tag == 0, "{head:?}");
        let at = self.seat(room).unwrap_or_else(|| panic!("event {id} of {room}, where it is not"));
        self.pass_over(ledger, at, id);
        let is_same = life(&ledger.story(), &self.seats[at]).events.get(id as usize - 1) == Some(&record);
        assert!(is_same, "event {id} of {room} was another: {record:?}");
        if what == MESSAGE
            && let Some(number) = ledger.heard(self.number, session, body)
        {
            let own = ledger.messages[number].sender == Some(self.number);
            assert!(!own || !ledger.messages[number].no_echo, "its own message {number} was not to be echoed");
            self.follow(session, number);
        }
        self.move_on(ledger, at, id, &record);
    }

    /// Counts the missed events before this one. Of a room that it leaves by changing its name, it hears the event of
    /// its leaving alone, however many events come before that.
    fn pass_over(&mut self, ledger: &mut Ledger, at: usize, id: u64) {
        let seat = &self.seats[at];
        assert!(id >= seat.next, "event {id} of {} again", seat.room);
        if seat.leaves {
            return;
        }
        let missed = self.missed(ledger, at, id);
        ledger.gaps += missed;
    }

    /// The number of events from the next one to the one before `until` that this client should have received.
    pub fn missed(&self, ledger: &Ledger, at: usize, until: u64) -> u64 {
        let (seat, story, me) = (&self.seats[at], ledger.story(), ledger.people[self.number].id);
        let events = &life(&story, seat).events;
        let between = seat.next.max(1)..until;
        between.filter(|&id| events.get(id as usize - 1).is_none_or(|event| !is_hushed(ledger, event, me))).count()
            as u64
    }

    fn move_on(&mut self, ledger: &Ledger, at: usize, id: u64, record: &Record) {
        self.seats[at].next = id + 1;
        let own = record.session == ledger.people[self.number].id;
        let goes = own && (record.what == LEAVE || record.what == REMOVE);
        assert_eq!(goes, self.seats[at].leaves, "leaving by another name: {record:?}");
        if goes || record.what == CLOSE {
            self.seats.swap_remove(at);
        }
    }

    fn hear_replay(&mut self, ledger: &Ledger, head: Head, room: &str, id: u64, record: &Record) {
        let ask = self.asks.iter_mut().find(|ask| ask.replies || ask.fails);
        let Some(Ask { tag, about: About::History { room: asked, after, limit, seen, last }, .. }) = ask else {
            panic!("events are sent again, and nobody asked: {head:?}");
        };
        assert!(*tag == head.tag && *asked == room && id > *after, "event {id} of {room}");
        assert!(*last == 0 || *last + 1 == id, "event {id} of {room} after {last}");
        (*seen, *last) = (*seen + 1, id);
        assert!(*seen <= *limit, "more than asked for");
        let story = ledger.story();
        let is_same = |life: &Life| life.events.get(id as usize - 1) == Some(record);
        assert!(story.rooms[room].iter().rev().any(is_same), "event {id} of {room} was another: {record:?}");
    }

    pub fn hear_history_end(&mut self, fields: &mut Fields<'_>, ask: &Ask) {
        let (oldest, newest, sent, epoch) = (fields.u64(), fields.u64(), fields.u32(), fields.u64());
        assert!(epoch > 0);
        let About::History { seen, last, .. } = ask.about else { panic!("{ask:?}") };
        assert_eq!(sent, seen, "so many events were sent again");
        assert!(oldest <= newest && last <= newest, "{oldest} to {newest}, the last was {last}");
    }

    /// Nothing is in progress: counts the events of its rooms that have not arrived as missed.
    pub fn count_tails(&self, ledger: &Ledger) -> u64 {
        let tail = |at: usize| {
            let count = life(&ledger.story(), &self.seats[at]).events.len() as u64;
            self.missed(ledger, at, count + 1)
        };
        (0..self.seats.len()).filter(|&at| !self.seats[at].leaves).map(tail).sum()
    }
}

/// Whether an event is a message that this user sent with `NO_ECHO`.
fn is_hushed(ledger: &Ledger, event: &Record, me: u64) -> bool {
    if event.what != MESSAGE || event.session != me {
        return false;
    }
    let number = Fields(&event.front).u64() as usize;
    ledger.messages.get(number).is_some_and(|message| message.no_echo)
}
