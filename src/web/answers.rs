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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{ErrorCode, EventRef, EventType};
    use proptest::prelude::*;

    fn json(tag: u16, answer: Answer<'_>) -> String {
        let mut out = Vec::new();
        put(&Asked { flagged: false, room: "lobby".to_owned() }, tag, &answer, &mut out);
        String::from_utf8(out).expect("text")
    }

    const EVENT: EventRef<'_> = EventRef {
        what: EventType::Message,
        id: 18,
        unix_ms: 1_700_000_000_123,
        session: UserId(4_194_304),
        room: "lobby",
        name: "ann",
        body: b"hi",
    };

    const MAIL: Answer<'_> =
        Answer::Mail { mail: 5, unix_ms: 1_700_000_000_123, sender: UserId(9), name: "ann", body: b"hi", ack: true };

    /// Every answer, its texts and bodies this one.
    fn each_answer(text: &str, then: impl Fn(Answer<'_>)) {
        let (mut ids, mut members, body) = (Vec::new(), Vec::new(), text.as_bytes());
        Ids::encode(&[UserId(0), UserId(u64::MAX)], &mut ids);
        Members::encode(UserId(9), text, &mut members);
        Members::encode(UserId(8), "", &mut members);
        let (user, name) = (UserId(u64::MAX), text);
        let (users, members) = (Ids::new(&ids).expect("whole"), Members::new(&members).expect("whole"));
        let welcome =
            Answer::Welcome { version: 1, user, max_body: 1, max_receivers: 2, heartbeat_secs: 3, name, server: text };
        [
            welcome,
            Answer::Identity(user),
            Answer::List { users, more: true },
            Answer::Receipt(&[0, 1, 2, 3, 4]),
            Answer::SendReceipt(&[]),
            Answer::Joined { sessions: 2, newest: 17 },
            Answer::Left,
            Answer::Published(18),
            Answer::HistoryEnd { oldest: 1, newest: 18, sent: 17 },
            Answer::Who { members, more: false },
            Answer::Pong(body),
            Answer::Stats("{}"),
            Answer::Deliver { sender: user, body },
            Answer::Mail { mail: 1, unix_ms: 2, sender: user, name, body, ack: true },
            Answer::Event { event: EventRef { room: text, name, body, ..EVENT }, replay: true },
            Answer::Beat { unix_ms: 8 },
            Answer::Closing { code: ErrorCode::GoingAway, text },
            Answer::Error { code: ErrorCode::Malformed, kind: 4, fatal: true, text },
        ]
        .into_iter()
        .for_each(then);
    }

    proptest! {
        #[test]
        fn every_answer_is_an_object_with_its_tag_and_its_texts(text in "\\PC{0,20}|[\0-\x7F]{0,20}", tag: u16) {
            each_answer(&text, |answer| {
                let asked = Asked { flagged: true, room: text.clone() };
                let mut out = Vec::new();
                put(&asked, tag, &answer, &mut out);
                let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
                assert_eq!(value["tag"], tag);
                assert!(value["type"].is_string());
                for key in ["name", "room", "body", "chatroomId", "message", "server"] {
                    assert!(value.get(key).is_none_or(|there| *there == text), "{key} of {value}");
                }
            });
        }
    }

    #[test]
    fn each_answer_is_what_the_protocol_shows() {
        let mut members = Vec::new();
        Members::encode(UserId(9), "ann", &mut members);
        let members = Members::new(&members).expect("whole");
        let users = [0, 0, 0, 0, 0, 0, 0, 9];
        let (users, server, user) = (Ids::new(&users).expect("whole"), "cubby/0.1.0", UserId(9));
        let (max_body, max_receivers, heartbeat_secs) = (1_048_576, 255, 30);
        let welcome =
            Answer::Welcome { version: 1, user, max_body, max_receivers, heartbeat_secs, name: "ann", server };
        let gone = ErrorCode::GoingAway;
        let many = Answer::Error { code: ErrorCode::TooManyReceivers, kind: 4, fatal: false, text: "" };
        for (answer, expected) in [
            (
                welcome,
                concat!(
                    r#"{"type":"welcome","userId":"9","name":"ann","maxBody":1048576,"#,
                    r#""maxReceivers":255,"heartbeatSecs":30,"server":"cubby/0.1.0"}"#
                ),
            ),
            (Answer::Identity(user), r#"{"type":"identity","userId":"9"}"#),
            (Answer::List { users, more: false }, r#"{"type":"list","userIds":["9"],"more":false}"#),
            (Answer::Receipt(&[0, 1]), r#"{"type":"receipt","statuses":["queued","unknown"]}"#),
            (Answer::SendReceipt(&[2, 3, 4]), r#"{"type":"receipt","statuses":["refused","stored","forwarded"]}"#),
            (
                Answer::Joined { sessions: 2, newest: 17 },
                r#"{"type":"joined","room":"lobby","sessions":2,"newest":17}"#,
            ),
            (Answer::Left, r#"{"type":"left","room":"lobby"}"#),
            (Answer::Published(18), r#"{"type":"published","room":"lobby","id":18}"#),
            (
                Answer::HistoryEnd { oldest: 1, newest: 18, sent: 18 },
                r#"{"type":"historyEnd","room":"lobby","oldest":1,"newest":18,"sent":18}"#,
            ),
            (
                Answer::Who { members, more: false },
                r#"{"type":"who","room":"lobby","members":[{"userId":"9","name":"ann"}],"more":false}"#,
            ),
            (Answer::Pong(b"x"), r#"{"type":"pong","body":"x"}"#),
            (Answer::Deliver { sender: user, body: b"hi" }, r#"{"type":"deliver","from":"9","body":"hi"}"#),
            (
                MAIL,
                r#"{"type":"mail","mailId":"5","unixTime":1700000000,"from":"9","name":"ann","body":"hi","ack":true}"#,
            ),
            (Answer::Beat { unix_ms: 1_700_000_000_123 }, r#"{"type":"beat","unixTime":1700000000}"#),
            (Answer::Closing { code: gone, text: "" }, r#"{"type":"closing","code":11,"error":"going away"}"#),
            (many, r#"{"type":"error","code":4,"error":"too many receivers","request":"relay","fatal":false}"#),
            (
                Answer::Event { event: EVENT, replay: false },
                concat!(
                    r#"{"id":18,"chatroomId":"lobby","type":"message","userId":"ann","sessionId":"4194304","#,
                    r#""message":"hi","unixTime":1700000000,"unixMs":1700000000123}"#
                ),
            ),
        ] {
            assert_eq!(json(0, answer), expected);
        }
    }

    #[test]
    fn a_tag_stands_behind_the_type_and_a_replay_has_it_at_its_end() {
        assert_eq!(json(7, Answer::Left), r#"{"type":"left","tag":7,"room":"lobby"}"#);
        assert!(json(7, Answer::Event { event: EVENT, replay: true }).ends_with(r#","replay":true,"tag":7}"#));
    }

    #[test]
    fn what_is_not_text_is_in_base64() {
        assert_eq!(json(0, Answer::Pong(&[0xFF, 0])), r#"{"type":"pong","bodyBase64":"/wA="}"#);
        let event = EventRef { body: &[0xFF, 0], ..EVENT };
        assert!(json(0, Answer::Event { event, replay: false }).contains(r#""messageBase64":"/wA=""#));
    }

    #[test]
    fn an_error_says_what_is_wrong_behind_its_name() {
        let error = |kind, text| json(0, Answer::Error { code: ErrorCode::BadName, kind, fatal: false, text });
        let start = r#"{"type":"error","code":6,"error":"bad name"#;
        assert_eq!(error(7, "it is empty"), format!(r#"{start}: it is empty","request":"join","fatal":false}}"#));
        assert_eq!(error(0, "bad name"), format!(r#"{start}","fatal":false}}"#), "said once, and of no request");
    }

    #[test]
    fn a_caller_by_http_is_told_what_became_of_it() {
        let result = |answer| {
            let mut out = Vec::new();
            put_result(&answer, &mut out);
            String::from_utf8(out).expect("text")
        };
        assert_eq!(result(Answer::Receipt(&[0, 1])), r#"{"statuses":["queued","unknown"]}"#);
        assert_eq!(result(Answer::Published(18)), r#"{"id":18}"#);
    }
}
