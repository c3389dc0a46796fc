//! The client's side of one connection: its requests, what it knows, and the checks of what it receives.

use crate::ledger::{Ledger, To};
use crate::rooms::Seat;
use cubby::testing::model::frames::{self, Fields, Head, kind};
use cubby::testing::model::story::Life;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What a request was about, as far as the check of its answer needs it.
#[derive(Clone, Debug, PartialEq)]
pub enum About {
    Nothing,
    Ping(Vec<u8>),
    Hello(&'static str),
    Message(usize),
    Room(&'static str),
    History { room: &'static str, after: u64, limit: u32, seen: u32, last: u64 },
}

/// A request that was sent and is not answered yet.
#[derive(Clone, Debug)]
pub struct Ask {
    pub tag: u16,
    pub kind: u8,
    pub about: About,
    /// A reply must come; an error must come. If neither, an error may come.
    pub replies: bool,
    pub fails: bool,
    /// The codes of possible errors, as bits.
    pub errors: u16,
    /// When it was asked, by the count of events.
    pub at: u64,
}

/// One connection.
#[derive(Debug, Default)]
pub struct Conn {
    pub number: usize,
    pub asks: VecDeque<Ask>,
    pub tag: u16,
    /// Bytes still to be sent; received bytes that are no whole frame yet.
    pub unsent: Vec<u8>,
    pub input: Vec<u8>,
    pub seats: Vec<Seat>,
    /// The last message of each sender, by its id.
    pub newest: BTreeMap<u64, usize>,
    pub last_mail: u64,
    /// The code of the error or CLOSING after which nothing comes.
    pub last_word: Option<u16>,
    /// It must send no more requests: it has sent BYE, something fatal, or half a frame.
    pub is_quiet: bool,
    /// It has closed or reset its side, or has been told that the hub closes it.
    pub has_left: bool,
    /// It closes its side once everything is sent; it did so in the middle of a frame; it has sent BYE.
    pub ends: bool,
    pub is_torn: bool,
    pub said_bye: bool,
    /// The client has closed the connection.
    pub is_over: bool,
    pub heard_anything: bool,
    /// Unanswered heartbeats.
    pub beats: u32,
    /// When it last sent something.
    pub sent_at: Duration,
    /// The ids of the last LIST and the last WHO.
    pub list: Vec<u64>,
    pub who: Vec<(u64, String)>,
}

impl Conn {
    /// Takes the whole frames out of the input; returns the kind, tag and length of each for the trace.
    pub fn hear_all(&mut self, ledger: &mut Ledger) -> Vec<(u8, u64)> {
        let input = std::mem::take(&mut self.input);
        let (mut rest, mut heard) = (&input[..], Vec::new());
        while let Some((head, payload)) = frames::first(rest) {
            rest = &rest[frames::HEADER + payload.len()..];
            heard.push((head.kind, u64::from(head.tag) << 32 | payload.len() as u64));
            self.hear(ledger, head, payload);
        }
        self.input = rest.to_vec();
        heard
    }

    fn hear(&mut self, ledger: &mut Ledger, head: Head, payload: &[u8]) {
        assert_eq!(self.last_word, None, "a frame after the last: {head:?}");
        let mut fields = Fields(payload);
        match head.kind {
            0x81..=0x8F => self.hear_reply(ledger, head, &mut fields),
            0xC4 => self.hear_delivery(ledger, &mut fields),
            0xC5 => self.hear_mail(ledger, &mut fields),
            0xC9 => self.hear_event(ledger, head, payload),
            0xCD => self.hear_closing(ledger, head, &mut fields),
            0xCC => self.hear_beat(ledger, head, &mut fields),
            0xFF => self.hear_error(ledger, head, &mut fields),
            _ => panic!("a frame of no known kind: {head:?}"),
        }
        self.heard_anything = true;
    }

    fn me<'m>(&self, ledger: &'m Ledger) -> &'m crate::ledger::Person {
        &ledger.people[self.number]
    }

    /// Whether what it sent is unknown.
    pub fn is_wild(&self, ledger: &Ledger) -> bool {
        self.me(ledger).is_wild
    }

    /// Removes the request that this answers from the list. Requests before it were executed without a reply.
    fn answered(&mut self, ledger: &mut Ledger, head: Head) -> Ask {
        loop {
            let ask = self.asks.pop_front().unwrap_or_else(|| panic!("an answer to nothing: {head:?}"));
            if let About::Message(number) = ask.about {
                ledger.messages[number].is_done = true;
            }
            if ask.tag == head.tag {
                return ask;
            }
            assert!(!ask.replies && !ask.fails, "no answer to {ask:?}, but one to a later request: {head:?}");
        }
    }

    fn hear_reply(&mut self, ledger: &mut Ledger, head: Head, fields: &mut Fields<'_>) {
        if self.is_wild(ledger) {
            return;
        }
        let ask = self.answered(ledger, head);
        assert!(ask.replies && !ask.fails && ask.kind | 0x80 == head.kind, "{head:?} answers {ask:?}");
        match (ask.kind, &ask.about) {
            (kind::HELLO, About::Hello(name)) => self.hear_welcome(ledger, fields, name),
            (kind::IDENTITY, _) => assert_eq!(fields.u64(), self.me(ledger).id, "its own id"),
            (kind::LIST, _) => return self.hear_list(ledger, head, fields, ask),
            (kind::RELAY | kind::SEND, About::Message(number)) => self.hear_receipt(ledger, fields, *number),
            (kind::JOIN, About::Room(room)) => self.hear_joined(ledger, fields, room),
            (kind::LEAVE, About::Room(room)) => self.hear_left(room),
            (kind::PUBLISH, About::Message(number)) => hear_published(ledger, fields, *number),
            (kind::HISTORY, _) => self.hear_history_end(fields, &ask),
            (kind::WHO, &About::Room(room)) => return self.hear_who(ledger, head, fields, ask, room),
            (kind::STATS, _) => assert!(std::mem::take(&mut fields.0).starts_with(b"{"), "one object of JSON"),
            (kind::PING, About::Ping(body)) => assert_eq!(std::mem::take(&mut fields.0), body, "the same bytes"),
            _ => panic!("{head:?} answers {ask:?}"),
        }
        assert_eq!(head.flags, 0, "no flags in {head:?}");
        fields.end();
    }

    fn hear_welcome(&mut self, ledger: &mut Ledger, fields: &mut Fields<'_>, name: &'static str) {
        let id = self.me(ledger).id;
        let told = (fields.u8(), fields.u64(), fields.u32(), fields.u16());
        assert_eq!(told, (1, id, ledger.max_body, ledger.max_receivers), "what a WELCOME says");
        assert_eq!(fields.u16(), ledger.heartbeat.0, "the heartbeat that a WELCOME tells");
        assert_eq!(fields.text(), name, "the name asked for");
        assert!(fields.text().starts_with("cubby/"), "who welcomes");
        let named_at = ledger.messages.len();
        let person = &mut ledger.people[self.number];
        if person.name != name {
            (person.name, person.named_at) = (name, named_at);
            self.seats.iter_mut().for_each(|seat| seat.leaves = true);
        }
    }

    fn hear_list(&mut self, ledger: &Ledger, head: Head, fields: &mut Fields<'_>, ask: Ask) {
        let mut ids = Vec::new();
        while !fields.is_empty() {
            ids.push(fields.u64());
        }
        assert!(ids.is_sorted_by(|a, b| a < b), "a LIST ascends");
        for id in &ids {
            let person = ledger.ids.get(id).map(|&conn| &ledger.people[conn]);
            let person = person.unwrap_or_else(|| panic!("{id} is in a LIST, and was never let in"));
            assert!(person.left.is_none_or(|left| left > ask.at), "{id} is in a LIST, and had left before");
        }
        for &conn in ledger.live.iter().filter(|&&conn| conn != self.number) {
            let person = &ledger.people[conn];
            // If a client reset its connection or sent something fatal, it is unknown when the hub noticed.
            let stays = person.came < ask.at && person.left.is_none() && !person.is_wild && !person.departed;
            assert!(!stays || ids.contains(&person.id), "{} is not in the LIST", person.id);
        }
        assert!(!ids.contains(&self.me(ledger).id), "the asker is left out");
        self.list = ids;
        if head.flags & 1 == 1 {
            self.asks.push_front(ask);
        }
    }

    fn hear_who(&mut self, ledger: &Ledger, head: Head, fields: &mut Fields<'_>, ask: Ask, room: &str) {
        let mut members = Vec::new();
        while !fields.is_empty() {
            members.push((fields.u64(), fields.text().to_owned()));
        }
        assert!(members.is_sorted_by(|a, b| a.0 < b.0), "a WHO ascends");
        // A long answer ends early if the room is closed meanwhile.
        let is_among = members.iter().any(|(id, _)| *id == self.me(ledger).id);
        assert!(is_among || self.is_closed(ledger, room), "who asks is in the room");
        for (id, name) in &members {
            let person = &ledger.people[ledger.ids[id]];
            assert!(person.is_wild || name.is_empty() || person.names.contains(&&**name), "{id} is not {name}");
            // The departure of a session is announced later, and until then WHO still shows it.
            let parted = ledger.story().last_life(room).and_then(|life| life.parted.get(id).copied());
            assert!(parted.is_none_or(|at| at >= ask.at), "{id} is in a WHO, and had left before");
        }
        self.who = members;
        if head.flags & 1 == 1 {
            self.asks.push_front(ask);
        }
    }

    fn hear_receipt(&mut self, ledger: &mut Ledger, fields: &mut Fields<'_>, number: usize) {
        let statuses: Vec<u8> = (0..fields.u16()).map(|_| fields.u8()).collect();
        let named = match &ledger.messages[number].to {
            To::Users(ids) => ids.len(),
            To::Names(names) => names.len(),
            To::Room(_) => panic!("a room has no receipt"),
        };
        assert_eq!(statuses.len(), named, "a status for each receiver");
        assert!(statuses.iter().all(|status| *status <= 2), "{statuses:?}");
        ledger.messages[number].statuses = statuses;
    }

    fn hear_delivery(&mut self, ledger: &mut Ledger, fields: &mut Fields<'_>) {
        let sender = fields.u64();
        if let Some(number) = ledger.heard(self.number, sender, fields.0) {
            let id = self.me(ledger).id;
            let meant = matches!(&ledger.messages[number].to, To::Users(ids) if ids.contains(&id));
            assert!(meant, "message {number} is not for {id}: {:?}", ledger.messages[number].to);
            self.follow(sender, number);
        }
    }

    fn hear_mail(&mut self, ledger: &mut Ledger, fields: &mut Fields<'_>) {
        let (mail, _, sender, name) = (fields.u64(), fields.u64(), fields.u64(), fields.text());
        assert!(mail > self.last_mail, "mail {mail} after {}", self.last_mail);
        self.last_mail = mail;
        if let Some(number) = ledger.heard(self.number, sender, fields.0) {
            let me = self.me(ledger);
            let named = |names: &Vec<&str>| me.is_wild || (!me.name.is_empty() && names.contains(&me.name));
            let meant = matches!(&ledger.messages[number].to, To::Names(names) if named(names));
            assert!(meant, "message {number} is not for {:?}: {:?}", me.name, ledger.messages[number].to);
            let known = ledger.ids.get(&sender).is_none_or(|&conn| ledger.people[conn].names.contains(&name));
            assert!(name.is_empty() || known, "{sender} never called itself {name}");
            self.follow(sender, number);
        }
    }

    /// Messages of one sender come in the order in which they were sent, and none twice.
    pub fn follow(&mut self, sender: u64, number: usize) {
        let before = self.newest.insert(sender, number);
        assert!(before < Some(number), "message {number} of {sender} comes after {before:?}");
    }

    fn hear_beat(&mut self, ledger: &Ledger, head: Head, fields: &mut Fields<'_>) {
        assert!(ledger.heartbeat.1 && head.tag == 0 && head.flags == 0, "{head:?}");
        assert!(fields.u64() > 0, "the hub's clock");
        fields.end();
        self.beats += 1;
    }

    fn hear_closing(&mut self, ledger: &Ledger, head: Head, fields: &mut Fields<'_>) {
        let code = fields.u16();
        assert!(!fields.text().is_empty(), "why it is closed");
        fields.end();
        assert!(head.tag == 0 && head.flags == 0, "{head:?}");
        let legal = code == 12 || (code == 13 && ledger.is_timed) || (code == 11 && ledger.is_closing);
        assert!(legal, "closed with {code}");
        self.last_word = Some(code);
    }

    fn hear_error(&mut self, ledger: &mut Ledger, head: Head, fields: &mut Fields<'_>) {
        let (code, at_fault) = (fields.u16(), fields.u8());
        assert!((1..=14).contains(&code) && !fields.text().is_empty(), "an error of a kind, with a text");
        let is_fatal = matches!(code, 1 | 2 | 3 | 10..=14) || (code == 5 && at_fault != kind::STATS);
        assert_eq!(head.flags, u8::from(is_fatal), "error {code}");
        if is_fatal {
            self.last_word = Some(code);
        }
        if self.is_wild(ledger) {
            return;
        }
        if code == 14 {
            return assert!(!self.heard_anything && at_fault == 0 && head.tag == 0, "error 14 comes first");
        }
        let ask = self.answered(ledger, head);
        assert!(ask.errors >> code & 1 == 1 && ask.kind == at_fault, "error {code} of {at_fault} for {ask:?}");
        match ask.about {
            About::Message(number) => ledger.messages[number].refused = true,
            About::Room(room) if code == 7 => self.find_out(ledger, room),
            About::History { room, .. } if code == 7 => self.find_out(ledger, room),
            _ => {}
        }
    }
}

/// A receipt tells the publisher the id of its event.
fn hear_published(ledger: &mut Ledger, fields: &mut Fields<'_>, number: usize) {
    let (id, To::Room(room)) = (fields.u64(), &ledger.messages[number].to) else { panic!("it was for a room") };
    let story = ledger.story();
    let lives = story.rooms.get(*room).map_or(&[][..], |lives| lives);
    let front = (number as u64).to_be_bytes();
    let same = |life: &Life| life.events.get(id as usize - 1).is_some_and(|event| event.front == front);
    assert!(id > 0 && lives.iter().any(same), "message {number} is not event {id} of {room}");
}
