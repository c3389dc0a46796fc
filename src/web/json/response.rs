//! Answers as JSON: one object for each answer of the hub.

use super::object::Object;
use crate::hub::RequestContext;
use crate::json::EventJson;
use crate::name::canonical_name;
use crate::wire::{Answer, ErrorCode, EventRef, KindRow, UserId};

/// Appends an answer as an object.
pub fn encode(context: &RequestContext<'_>, answer: &Answer<'_>, out: &mut Vec<u8>) {
    let RequestContext { tag, room, closes: _, headers: _ } = *context;
    let room = &*canonical_name(room);
    match *answer {
        Answer::Welcome { user, max_body, max_receivers, heartbeat_secs, name, server, version: _ } => {
            begin(out, "welcome", tag)
                .id("userId", user)
                .text("name", name)
                .number("maxBody", max_body)
                .number("maxReceivers", max_receivers)
                .number("heartbeatSecs", heartbeat_secs)
                .text("server", server)
        }
        Answer::Identity(user) => begin(out, "identity", tag).id("userId", user),
        Answer::List { users, more } => begin(out, "list", tag).ids("userIds", users.iter()).flag("more", more),
        Answer::Receipt(statuses) | Answer::SendReceipt(statuses) => begin(out, "receipt", tag).statuses(statuses),
        Answer::Joined { sessions, newest, epoch } => begin(out, "joined", tag)
            .text("room", room)
            .number("sessions", sessions)
            .number("newest", newest)
            .decimal("epoch", epoch),
        Answer::Left => begin(out, "left", tag).text("room", room),
        Answer::Published(id) => begin(out, "published", tag).text("room", room).number("id", id),
        Answer::HistoryEnd { oldest, newest, sent, epoch } => begin(out, "historyEnd", tag)
            .text("room", room)
            .number("oldest", oldest)
            .number("newest", newest)
            .number("sent", sent)
            .decimal("epoch", epoch),
        Answer::Who { members, more } => {
            begin(out, "who", tag).text("room", room).members(members.iter()).flag("more", more)
        }
        Answer::Pong(body) => begin(out, "pong", tag).body(body),
        // No request in JSON causes this answer. The counters are a JSON object already.
        Answer::Stats(json) => begin(out, "stats", tag).literal("stats", json),
        Answer::Deliver { sender, body } => begin(out, "deliver", tag).id("from", sender).body(body),
        Answer::Mail { mail, unix_ms, sender, name, body, ack } => begin(out, "mail", tag)
            .id("mailId", UserId(mail))
            .number("unixTime", unix_ms / 1000)
            .id("from", sender)
            .text("name", name)
            .body(body)
            .flag("ack", ack),
        Answer::Event { event, replay } => return encode_event(&event, replay, tag, out),
        Answer::Beat { unix_ms } => begin(out, "beat", tag).number("unixTime", unix_ms / 1000),
        Answer::Closing { code, text } => with_error(begin(out, "closing", tag), code, text),
        Answer::Error { code, kind, fatal, text } => {
            let object = with_error(begin(out, "error", tag), code, text);
            match KindRow::of(kind).filter(|row| row.kind.is_request()) {
                Some(row) => object.text("request", &row.name.to_ascii_lowercase()),
                None => object,
            }
            .flag("fatal", fatal)
        }
    }
    .end();
}

fn begin<'o>(out: &'o mut Vec<u8>, name: &str, tag: Option<u16>) -> Object<'o> {
    Object::begin(out).text("type", name).number_if_any("tag", tag)
}

/// Appends an event. Its `type` is the type of the event, and a replayed event repeats the tag of its request.
fn encode_event(event: &EventRef<'_>, replay: bool, tag: Option<u16>, out: &mut Vec<u8>) {
    let json = EventJson::with_unix_ms(event).replayed(replay, tag);
    serde_json::to_writer(out, &json).expect("writing to a vector does not fail");
}

fn with_error<'o>(object: Object<'o>, code: ErrorCode, text: &str) -> Object<'o> {
    object.number("code", code as u16).text("error", &error_text(code, text))
}

/// The name of an error, then the details if there are any.
pub fn error_text(code: ErrorCode, text: &str) -> String {
    let name = code.name();
    if text.is_empty() || text == name { name.to_owned() } else { format!("{name}: {text}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{EventType, Ids, Members};
    use proptest::prelude::*;

    fn json(tag: Option<u16>, answer: Answer<'_>) -> String {
        let mut out = Vec::new();
        encode(&RequestContext { tag, room: "lobby", ..RequestContext::default() }, &answer, &mut out);
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

    /// Calls `then` with every answer; `text` is each of its texts and bodies.
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
            Answer::Joined { sessions: 2, newest: 17, epoch: u64::MAX },
            Answer::Left,
            Answer::Published(18),
            Answer::HistoryEnd { oldest: 1, newest: 18, sent: 17, epoch: 1 },
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
            // A room is told in the form in which the hub knows it, whatever the request called it.
            let text = &*canonical_name(&text);
            each_answer(text, |answer| {
                let context = RequestContext { tag: Some(tag), room: text, ..RequestContext::default() };
                let mut out = Vec::new();
                encode(&context, &answer, &mut out);
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
                Answer::Joined { sessions: 2, newest: 17, epoch: u64::MAX },
                r#"{"type":"joined","room":"lobby","sessions":2,"newest":17,"epoch":"18446744073709551615"}"#,
            ),
            (Answer::Left, r#"{"type":"left","room":"lobby"}"#),
            (Answer::Published(18), r#"{"type":"published","room":"lobby","id":18}"#),
            (
                Answer::HistoryEnd { oldest: 1, newest: 18, sent: 18, epoch: 7 },
                r#"{"type":"historyEnd","room":"lobby","oldest":1,"newest":18,"sent":18,"epoch":"7"}"#,
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
            assert_eq!(json(None, answer), expected);
        }
    }

    #[test]
    fn a_tag_follows_the_type_and_a_replayed_event_ends_with_it() {
        assert_eq!(json(Some(7), Answer::Left), r#"{"type":"left","tag":7,"room":"lobby"}"#);
        assert_eq!(json(Some(0), Answer::Left), r#"{"type":"left","tag":0,"room":"lobby"}"#);
        assert!(json(Some(7), Answer::Event { event: EVENT, replay: true }).ends_with(r#","replay":true,"tag":7}"#));
    }

    #[test]
    fn a_body_that_is_not_text_is_in_base64() {
        assert_eq!(json(None, Answer::Pong(&[0xFF, 0])), r#"{"type":"pong","bodyBase64":"/wA="}"#);
        let event = EventRef { body: &[0xFF, 0], ..EVENT };
        assert!(json(None, Answer::Event { event, replay: false }).contains(r#""messageBase64":"/wA=""#));
    }

    #[test]
    fn an_error_says_what_is_wrong_after_its_name() {
        let error = |kind, text| json(None, Answer::Error { code: ErrorCode::BadName, kind, fatal: false, text });
        let start = r#"{"type":"error","code":6,"error":"bad name"#;
        assert_eq!(error(7, "it is empty"), format!(r#"{start}: it is empty","request":"join","fatal":false}}"#));
        assert_eq!(error(0, "bad name"), format!(r#"{start}","fatal":false}}"#), "said once, and of no request");
    }
}
