//! Which texts are which requests, and why others are refused.

use super::*;
use crate::limits::http::LABEL_WITHIN;
use crate::name::MAX_NAME;
use crate::wire::{HEADER_LEN, Header, UserId};
use proptest::prelude::*;

const BOUNDS: Bounds = Bounds { max_body: 1000, max_receivers: 3 };

fn parsed(text: &str) -> Result<JsonRequest<'_>, RequestError> {
    JsonRequest::parse(text, &BOUNDS)
}

fn refused(text: &str) -> RequestError {
    match parsed(text) {
        Ok(request) => panic!("{:?}", request.request()),
        Err(error) => error,
    }
}

#[test]
fn each_json_request_is_its_native_request_with_the_tag_that_it_gave() {
    let (mut ids, mut names) = (Vec::new(), Vec::new());
    Ids::encode(&[UserId(7), UserId(u64::MAX)], &mut ids);
    Names::encode(["bob", "李"], &mut names);
    let (receivers, names) = (Ids::new(&ids).expect("whole"), Names::new(&names).expect("whole"));
    let (none, all) = (u64::MIN, u32::MAX);
    for (json, request) in [
        (r#"{"type":"hello","name":"ann","token":""}"#, Request::Hello { name: "ann", token: "" }),
        (r#"{"type":"hello"}"#, Request::Hello { name: "", token: "" }),
        (r#"{"type":"identity"}"#, Request::Identity),
        (r#"{"type":"list"}"#, Request::List),
        (
            r#"{"type":"relay","to":["7",18446744073709551615],"body":"hi","receipt":true}"#,
            Request::Relay { receivers, body: b"hi", receipt: true },
        ),
        (
            r#"{"type":"relay","to":[7,"18446744073709551615"],"bodyBase64":"/wA="}"#,
            Request::Relay { receivers, body: &[0xFF, 0], receipt: false },
        ),
        (
            r#"{"type":"send","names":["bob","李"],"body":"hi","receipt":true,"store":false}"#,
            Request::Send { names, body: b"hi", receipt: true, store: false },
        ),
        (
            r#"{"type":"send","names":["bob","\u674e"],"store":true}"#,
            Request::Send { names, body: b"", receipt: false, store: true },
        ),
        (r#"{"type":"ack","mailId":"9"}"#, Request::Ack(9)),
        (r#"{"type":"join","room":"lobby"}"#, Request::Join { room: "lobby" }),
        (r#"{"type":"leave","room":"lobby"}"#, Request::Leave { room: "lobby" }),
        (
            r#"{"type":"publish","room":"lobby","body":"hi","noEcho":false,"receipt":true}"#,
            Request::Publish { room: "lobby", body: b"hi", receipt: true, no_echo: false },
        ),
        (
            r#"{"type":"publish","room":"lobby","noEcho":true}"#,
            Request::Publish { room: "lobby", body: b"", receipt: false, no_echo: true },
        ),
        (
            r#"{"type":"history","room":"lobby","after":3,"limit":50}"#,
            Request::History { room: "lobby", after: 3, limit: 50 },
        ),
        (r#"{"type":"history","room":"lobby"}"#, Request::History { room: "lobby", after: none, limit: all }),
        (r#"{"type":"who","room":"lobby"}"#, Request::Who { room: "lobby" }),
        (r#"{"type":"ping","body":"x"}"#, Request::Ping(b"x")),
        (r#"{"type":"bye"}"#, Request::Bye),
        (r#"{"type":"alive"}"#, Request::Alive),
    ] {
        let untagged = parsed(json).expect(json);
        assert_eq!((untagged.request(), untagged.tag()), (request, None), "{json}");
        let text = [&json[..json.len() - 1], ",\"tag\":0}"].concat();
        let tagged = parsed(&text).expect(&text);
        assert_eq!((tagged.request(), tagged.tag()), (request, Some(0)), "{text}");
    }
    let kinds = REQUEST_TYPES.iter().map(|row| row.kind as u8);
    assert!(kinds.eq(Kind::Hello as u8..=Kind::Alive as u8), "all but STATS can be made");
}

#[test]
fn each_row_makes_requests_of_its_kind() {
    for row in REQUEST_TYPES {
        let value = |key: &str| match key {
            "to" | "names" => "[]".to_owned(),
            _ => "\"1\"".to_owned(),
        };
        let required = row.keys.iter().filter_map(|key| key.strip_suffix('!'));
        let keys: String = required.map(|key| format!(",\"{key}\":{}", value(key))).collect();
        let text = format!("{{\"type\":\"{}\"{keys}}}", row.name);
        assert_eq!(parsed(&text).expect(&text).request().kind(), row.kind, "{text}");
    }
}

#[test]
fn a_text_that_is_no_request_is_an_error_with_its_kind_and_tag_that_is_not_fatal() {
    for (json, kind, tag, says) in [
        ("[]", 0, None, "a request is a JSON object"),
        (r#"{"tag":1}"#, 0, Some(1), "\"type\" is missing"),
        (r#"{"type":"nosuch","tag":0}"#, 0, Some(0), "no type \"nosuch\""),
        (r#"{"type":"join","tag":7}"#, 7, Some(7), "needs the key \"room\""),
        (r#"{"type":"join","room":"a","body":""}"#, 7, None, "has no key \"body\""),
        (r#"{"tag":7,"type":"list","other":1}"#, 3, Some(7), "unknown field `other`"),
        (r#"{"type":"ping","bodyBase64":"!"}"#, 12, None, "no base64"),
        (r#"{"type":"list""#, 0, None, "line 1 column 14"),
    ] {
        let RequestError { tag: own_tag, fault, is_fatal } = refused(json);
        assert_eq!((fault.code, fault.kind, fault.tag), (ErrorCode::Malformed, kind, tag.unwrap_or(0)), "{json}");
        assert!(fault.text.contains(says) && !is_fatal, "{json}: {}", fault.text);
        assert_eq!(own_tag, tag, "{json}");
    }
    let many = refused(r#"{"type":"relay","to":[1,2,3,4],"tag":7}"#);
    assert_eq!((many.fault.code, many.tag, many.is_fatal), (ErrorCode::TooManyReceivers, Some(7), false));
}

#[test]
fn what_is_too_large_is_fatal() {
    let long = "x".repeat(1001);
    for (json, says) in [
        (format!(r#"{{"type":"relay","to":[1],"tag":7,"body":"{long}"}}"#), "RELAY: a body of 1001 bytes is over"),
        (
            format!(r#"{{"type":"ping","tag":7,"body":"{long}"}}"#),
            "PING: a body of 1001 bytes is over the limit of 1000",
        ),
        (
            format!(r#"{{"type":"ping","tag":7,"body":"{}"}}"#, &long[..126]),
            "PING: length 126 is over the limit of 125",
        ),
    ] {
        let error = refused(&json);
        assert_eq!((error.fault.code, error.tag, error.is_fatal), (ErrorCode::TooLarge, Some(7), true));
        assert!(error.fault.text.starts_with(says), "{}", error.fault.text);
    }
    assert!(parsed(&format!(r#"{{"type":"ping","body":"{}"}}"#, &long[..125])).is_ok());
}

#[test]
fn what_is_said_of_a_long_request_is_short_and_keeps_its_end() {
    let fault = refused(&format!(r#"{{"type":"list","{}":1}}"#, "é".repeat(5000))).fault;
    assert!(fault.text.len() <= MAX_ERROR_TEXT, "{} bytes", fault.text.len());
    assert!(fault.text.starts_with("unknown field `é") && fault.text.ends_with("column 10017"), "{}", fault.text);
}

proptest! {
    #[test]
    fn what_is_accepted_of_any_text_is_a_request_that_the_wire_admits(
        text in r#"\PC{0,40}|\{"type":"(list|join|relay|ping)"(,"(tag|to|room|body)":[a1"\[\],]{0,6}){0,2}\}"#,
    ) {
        if let Ok(json) = parsed(&text) {
            let mut frame = Vec::new();
            json.request().encode(json.tag().unwrap_or_default(), &mut frame);
            let header = BOUNDS.admit(&frame).expect("admitted").expect("whole");
            prop_assert_eq!(header.frame_len(), frame.len());
            prop_assert_eq!(Request::decode(header, &frame[HEADER_LEN..]), Ok(json.request()));
        }
    }

    #[test]
    fn any_room_and_any_body_may_be_given(room in ".{0,60}", body in ".{0,300}", tag: u16) {
        let text = serde_json::json!({"type": "publish", "room": room, "body": body, "tag": tag}).to_string();
        let json = parsed(&text).expect("it is a request");
        let publish = Request::Publish { room: &room, body: body.as_bytes(), receipt: false, no_echo: false };
        prop_assert_eq!((json.request(), json.tag()), (publish, Some(tag)));
        let mut frame = Vec::new();
        publish.encode(tag, &mut frame);
        let header = Header::decode(&frame).expect("a header");
        prop_assert_eq!(Request::decode(header, &frame[HEADER_LEN..]), Ok(publish));
    }
}

#[test]
fn the_longest_request_fits_into_a_message_however_it_is_written() {
    let bounds = Bounds { max_body: 70_000, max_receivers: 1 };
    let escaped = |len: usize| "\\u0001".repeat(len);
    let (name, body) = (escaped(MAX_NAME), escaped(bounds.max_body as usize));
    let rest = r#""receipt":false,"store":false,"tag":65535"#;
    let json = format!(r#"{{"type":"send","names":["{name}"],"body":"{body}",{rest}}}"#);
    assert!(json.len() <= max_message_len(&bounds), "{} of {}", json.len(), max_message_len(&bounds));
    assert!(JsonRequest::parse(&json[..], &bounds).is_ok());
}

#[test]
fn the_tag_of_a_wrong_request_is_looked_for_at_its_front_alone() {
    let tag_of = |json: &str| JsonRequest::parse(json, &BOUNDS).err().expect("it is wrong").tag;
    for (fill, tag) in [(LABEL_WITHIN / 2, Some(7)), (LABEL_WITHIN, None)] {
        let list = vec!["0"; fill / 2].join(",");
        assert_eq!(tag_of(&format!(r#"{{"x":[{list}],"tag":7,"type":"list"}}"#)), tag, "behind {fill} bytes");
        assert_eq!(tag_of(&format!(r#"{{"tag":7,"x":[{list}],"type":"list"}}"#)), Some(7), "before {fill} bytes");
    }
}
