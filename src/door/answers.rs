//! What the hub says, as JSON: one object for each answer.

use super::margin::Asked;
use super::messages;
use crate::json::{EventJson, base64};
use crate::wire::{Answer, Ids, Kind, KindRow, Members, Status, UserId};
use std::fmt::{self, Display};
use std::io::Write;

/// Appends an answer as a text message.
pub fn put_message(asked: &Asked, tag: u16, answer: &Answer<'_>, out: &mut Vec<u8>) {
    messages::put_with(messages::TEXT, out, |out| put(asked, tag, answer, out));
}

/// Appends an answer as an object.
pub fn put(asked: &Asked, tag: u16, answer: &Answer<'_>, out: &mut Vec<u8>) {
    // A fault that is found before the request is opened knows of no flag.
    let tag = Some(tag).filter(|tag| asked.flagged || *tag > 0);
    if let Answer::Event { event, replay } = answer {
        let json = EventJson::with_unix_ms(event).replayed(*replay, tag);
        return serde_json::to_writer(out, &json).expect("a vector takes all that is written to it");
    }
    let mut object = Object::begin(out);
    object.text("type", type_of(answer.kind()));
    if let Some(tag) = tag {
        object.number("tag", tag.into());
    }
    put_fields(&mut object, &asked.room, answer);
    object.end();
}

/// What an answer is called: as its request is, where it has the same shape as that, or by a name of its own.
fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Welcome => "welcome",
        Kind::IdentityReply => "identity",
        Kind::ListReply => "list",
        Kind::RelayReceipt | Kind::SendReceipt => "receipt",
        Kind::Joined => "joined",
        Kind::Left => "left",
        Kind::Published => "published",
        Kind::HistoryEnd => "historyEnd",
        Kind::WhoReply => "who",
        Kind::Pong => "pong",
        Kind::StatsReply => "stats",
        Kind::Deliver => "deliver",
        Kind::Mail => "mail",
        Kind::Beat => "beat",
        Kind::Closing => "closing",
        _ => "error",
    }
}

fn put_fields(object: &mut Object<'_>, room: &str, answer: &Answer<'_>) {
    match *answer {
        Answer::Welcome { user, max_body, max_receivers, heartbeat_secs, name, server, version: _ } => {
            object.id("userId", user);
            object.text("name", name);
            object.number("maxBody", max_body.into());
            object.number("maxReceivers", max_receivers.into());
            object.number("heartbeatSecs", heartbeat_secs.into());
            object.text("server", server);
        }
        Answer::Identity(user) => object.id("userId", user),
        Answer::List { users, more } => {
            object.ids("userIds", users);
            object.flag("more", more);
        }
        Answer::Receipt(statuses) | Answer::SendReceipt(statuses) => object.statuses(statuses),
        Answer::Joined { sessions, newest } => {
            object.text("room", room);
            object.number("sessions", sessions.into());
            object.number("newest", newest);
        }
        Answer::Left => object.text("room", room),
        Answer::Published(id) => {
            object.text("room", room);
            object.number("id", id);
        }
        Answer::HistoryEnd { oldest, newest, sent } => {
            object.text("room", room);
            object.number("oldest", oldest);
            object.number("newest", newest);
            object.number("sent", sent.into());
        }
        Answer::Who { members, more } => {
            object.text("room", room);
            object.members(members);
            object.flag("more", more);
        }
        Answer::Pong(body) => object.body(body),
        // Nobody can ask for it in JSON; it is an object already.
        Answer::Stats(json) => object.literal("stats", json),
        Answer::Deliver { .. } | Answer::Mail { .. } | Answer::Event { .. } => put_delivery(object, answer),
        Answer::Beat { unix_ms } => object.number("unixTime", unix_ms / 1000),
        Answer::Closing { code, text } => {
            object.number("code", code as u64);
            object.text("error", &said(code.name(), text));
        }
        Answer::Error { code, kind, fatal, text } => {
            object.number("code", code as u64);
            object.text("error", &said(code.name(), text));
            if let Some(row) = KindRow::of(kind).filter(|row| row.kind.is_request()) {
                object.text("request", &row.name.to_ascii_lowercase());
            }
            object.flag("fatal", fatal);
        }
    }
}

/// What went wrong: the error's name, and what more is known.
pub fn said(name: &str, text: &str) -> String {
    if text.is_empty() || text == name { name.to_owned() } else { format!("{name}: {text}") }
}

fn put_delivery(object: &mut Object<'_>, answer: &Answer<'_>) {
    match *answer {
        Answer::Deliver { sender, body } => {
            object.id("from", sender);
            object.body(body);
        }
        Answer::Mail { mail, unix_ms, sender, name, body, ack } => {
            object.id("mailId", UserId(mail));
            object.number("unixTime", unix_ms / 1000);
            object.id("from", sender);
            object.text("name", name);
            object.body(body);
            object.flag("ack", ack);
        }
        _ => {}
    }
}

/// An object that is being written.
#[derive(Debug)]
pub struct Object<'o>(&'o mut Vec<u8>);

impl<'o> Object<'o> {
    /// Begins one at the end of `out`.
    pub fn begin(out: &'o mut Vec<u8>) -> Object<'o> {
        out.push(b'{');
        Object(out)
    }

    /// Ends it.
    pub fn end(self) {
        self.0.push(b'}');
    }

    /// Appends a member that is JSON already.
    pub fn literal(&mut self, key: &str, json: impl Display) {
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
        self.format(format_args!("\"{key}\":{json}"));
    }

    fn format(&mut self, what: fmt::Arguments<'_>) {
        self.0.write_fmt(what).expect("a vector takes all that is written to it");
    }

    /// Appends a number.
    pub fn number(&mut self, key: &str, value: u64) {
        self.literal(key, value);
    }

    /// Appends true or false.
    pub fn flag(&mut self, key: &str, value: bool) {
        self.literal(key, value);
    }

    /// Appends an id: as a decimal string, for it does not fit the numbers that many readers of JSON have.
    pub fn id(&mut self, key: &str, id: UserId) {
        self.literal(key, format_args!("\"{id}\""));
    }

    /// Appends a text.
    pub fn text(&mut self, key: &str, text: &str) {
        self.literal(key, "");
        serde_json::to_writer(&mut *self.0, text).expect("a vector takes all that is written to it");
    }

    /// Appends a body: as it is where it is text, and else in base64.
    fn body(&mut self, body: &[u8]) {
        match str::from_utf8(body) {
            Ok(text) => self.text("body", text),
            Err(_) => self.text("bodyBase64", &base64(body)),
        }
    }

    /// Appends a list of what `write` appends for each item.
    pub fn list<T>(&mut self, key: &str, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
        self.literal(key, "[");
        for (place, item) in items.enumerate() {
            if place > 0 {
                self.0.push(b',');
            }
            write(self.0, item);
        }
        self.0.push(b']');
    }

    fn ids(&mut self, key: &str, ids: Ids<'_>) {
        self.list(key, ids.iter(), |out, id| Object(out).format(format_args!("\"{id}\"")));
    }

    fn statuses(&mut self, statuses: &[u8]) {
        let names = statuses.iter().filter_map(|&byte| Status::of(byte)).map(Status::name);
        self.list("statuses", names, |out, name| Object(out).format(format_args!("\"{name}\"")));
    }

    fn members(&mut self, members: Members<'_>) {
        self.list("members", members.iter(), |out, (id, name)| put_member(out, id, name));
    }
}

/// Appends who is in a room: an id, and a name, which may be empty.
pub fn put_member(out: &mut Vec<u8>, id: UserId, name: &str) {
    let mut member = Object::begin(out);
    member.id("userId", id);
    member.text("name", name);
    member.end();
}

/// Appends what is said to an HTTP caller whose request was carried out.
pub fn put_result(answer: &Answer<'_>, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    match *answer {
        Answer::Receipt(statuses) | Answer::SendReceipt(statuses) => object.statuses(statuses),
        Answer::Published(id) => object.number("id", id),
        _ => {}
    }
    object.end();
}
