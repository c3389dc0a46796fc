//! What a client asks in JSON, put into requests of the hub's own.

use super::margin::{Aside, FLAG};
use crate::wire::{Bounds, ErrorCode, Fault, Header, Ids, Kind, Names, Request, UserId};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A byte of a body may be written as six, `\u0000`, and so may one of a name. See [`Bounds::most_payload`].
pub const MOST_ESCAPED: usize = 6;

/// Every key that a request may have.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Keys<'a> {
    #[serde(borrow)]
    r#type: Option<Cow<'a, str>>,
    tag: Option<u16>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    token: Option<Cow<'a, str>>,
    to: Option<Few<Id>>,
    #[serde(borrow)]
    names: Option<Few<Cow<'a, str>>>,
    #[serde(borrow)]
    body: Option<Cow<'a, str>>,
    #[serde(borrow)]
    body_base64: Option<Cow<'a, str>>,
    receipt: Option<bool>,
    store: Option<bool>,
    mail_id: Option<Id>,
    #[serde(borrow)]
    room: Option<Cow<'a, str>>,
    no_echo: Option<bool>,
    after: Option<u64>,
    limit: Option<u32>,
}

/// The keys of each request, beside `type` and `tag`. One that ends in `!` must be there.
const REQUESTS: [(&str, Kind, &[&str]); 14] = [
    ("hello", Kind::Hello, &["name", "token"]),
    ("identity", Kind::Identity, &[]),
    ("list", Kind::List, &[]),
    ("relay", Kind::Relay, &["to!", "body", "bodyBase64", "receipt"]),
    ("send", Kind::Send, &["names!", "body", "bodyBase64", "receipt", "store"]),
    ("ack", Kind::Ack, &["mailId!"]),
    ("join", Kind::Join, &["room!"]),
    ("leave", Kind::Leave, &["room!"]),
    ("publish", Kind::Publish, &["room!", "body", "bodyBase64", "receipt", "noEcho"]),
    ("history", Kind::History, &["room!", "after", "limit"]),
    ("who", Kind::Who, &["room!"]),
    ("ping", Kind::Ping, &["body", "bodyBase64"]),
    ("bye", Kind::Bye, &[]),
    ("alive", Kind::Alive, &[]),
];

impl Keys<'_> {
    /// Each key that only some requests have, and whether it is there.
    fn given(&self) -> [(&'static str, bool); 13] {
        [
            ("name", self.name.is_some()),
            ("token", self.token.is_some()),
            ("to", self.to.is_some()),
            ("names", self.names.is_some()),
            ("body", self.body.is_some()),
            ("bodyBase64", self.body_base64.is_some()),
            ("receipt", self.receipt.is_some()),
            ("store", self.store.is_some()),
            ("mailId", self.mail_id.is_some()),
            ("room", self.room.is_some()),
            ("noEcho", self.no_echo.is_some()),
            ("after", self.after.is_some()),
            ("limit", self.limit.is_some()),
        ]
    }

    /// Whether there are just those keys that a request of this type may have.
    fn check(&self, name: &str, keys: &[&str]) -> Result<(), String> {
        let allowed = |key: &str| keys.iter().any(|allowed| allowed.trim_end_matches('!') == key);
        let given = self.given();
        if let Some((key, _)) = given.iter().find(|(key, is_there)| *is_there && !allowed(key)) {
            return Err(format!("{name:?} has no key {key:?}"));
        }
        let is_missing = |key: &&str| given.iter().any(|(given, is_there)| given == key && !is_there);
        let needed = keys.iter().filter_map(|key| key.strip_suffix('!'));
        match needed.into_iter().find(is_missing) {
            Some(key) => Err(format!("{name:?} needs the key {key:?}")),
            None => Ok(()),
        }
    }

    fn body(&self) -> Result<Cow<'_, [u8]>, String> {
        match (&self.body, &self.body_base64) {
            (Some(_), Some(_)) => Err("both \"body\" and \"bodyBase64\" are there; give one".to_owned()),
            (_, Some(text)) => match STANDARD.decode(text.as_bytes()) {
                Ok(bytes) => Ok(bytes.into()),
                Err(error) => Err(format!("\"bodyBase64\" is no base64: {error}")),
            },
            (body, None) => Ok(body.as_deref().unwrap_or_default().as_bytes().into()),
        }
    }
}

/// A list, and how many items it has. No more of them are kept than the native form can name: a message has room for
/// millions, and each would be larger here than it is there.
#[derive(Debug)]
struct Few<T> {
    kept: Vec<T>,
    count: usize,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Few<T>, D::Error> {
        struct Each<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Each<T> {
            type Value = Few<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Few<T>, A::Error> {
                let mut few = Few { kept: Vec::new(), count: 0 };
                while let Some(item) = items.next_element()? {
                    if few.count < u16::MAX.into() {
                        few.kept.push(item);
                    }
                    few.count += 1;
                }
                Ok(few)
            }
        }
        deserializer.deserialize_seq(Each(PhantomData))
    }
}

/// A user's or a mail's id: a decimal string, or a number.
#[derive(Debug)]
struct Id(UserId);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id: a decimal string or a number, from 0 to 2^64 - 1")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Id, E> {
                Ok(Id(UserId(number)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                let id = text.parse().ok().filter(|_| digits);
                id.map(Id).ok_or_else(|| E::invalid_value(de::Unexpected::Str(quoted(text)), &self))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// All that is read of a request that is wrong, so that its error can have its tag, and name it.
#[derive(Debug, Deserialize)]
struct Label<'a> {
    #[serde(default)]
    tag: Option<u16>,
    #[serde(borrow, default)]
    r#type: Option<Cow<'a, str>>,
}

/// Appends the request that a text message asks, as the hub's own; or, where it will not do, an aside that says why.
pub fn put_request(text: &str, bounds: &Bounds, out: &mut Vec<u8>) {
    if let Err(fault) = read(text, bounds, out) {
        let flags = if fault.tag_given { FLAG } else { 0 };
        Aside::Fault { fault: fault.fault, fatal: false }.encode(flags, out);
    }
}

/// What is wrong with a request in JSON, and whether it had a tag.
struct JsonFault {
    fault: Fault,
    tag_given: bool,
}

impl JsonFault {
    fn malformed(text: &str, why: impl Into<Cow<'static, str>>) -> JsonFault {
        let label: Label<'_> = serde_json::from_str(text).unwrap_or(Label { tag: None, r#type: None });
        let kind = label.r#type.and_then(|name| REQUESTS.iter().find(|row| row.0 == name)).map_or(0, |row| row.1 as u8);
        let fault = Fault::new(ErrorCode::Malformed, kind, label.tag.unwrap_or_default(), shorten(why.into()));
        JsonFault { fault, tag_given: label.tag.is_some() }
    }
}

/// Bytes that are said of a request that is wrong: as many as a native error has room for.
const MOST_SAID: usize = u8::MAX as usize;

/// Bytes of these that are its end, which says where in the request it is wrong.
const MOST_OF_END: usize = 64;

/// What is wrong, less the middle where it is long: a request may be of megabytes, and what is wrong quotes it.
fn shorten(why: Cow<'static, str>) -> Cow<'static, str> {
    if why.len() <= MOST_SAID {
        return why;
    }
    let gap = "...";
    let front = why.floor_char_boundary(MOST_SAID - MOST_OF_END - gap.len());
    let end = why.ceil_char_boundary(why.len() - MOST_OF_END);
    [&why[..front], gap, &why[end..]].concat().into()
}

/// As much of a text as an error quotes at the most.
fn quoted(text: &str) -> &str {
    &text[..text.floor_char_boundary(MOST_SAID)]
}

fn read(text: &str, bounds: &Bounds, out: &mut Vec<u8>) -> Result<(), JsonFault> {
    if !text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        return Err(JsonFault::malformed("", "a request is a JSON object, as in {\"type\":\"identity\"}"));
    }
    let keys: Keys<'_> = serde_json::from_str(text).map_err(|error| JsonFault::malformed(text, error.to_string()))?;
    let Some(name) = keys.r#type.as_deref() else {
        return Err(JsonFault::malformed(text, "the key \"type\" is missing, which says what is asked"));
    };
    let Some((name, kind, allowed)) = REQUESTS.iter().find(|row| row.0 == name) else {
        return Err(JsonFault::malformed(text, format!("there is no type {:?}", quoted(name))));
    };
    let body = keys.check(name, allowed).and_then(|()| keys.body());
    let body = body.map_err(|why| JsonFault::malformed(text, why))?;
    let count = keys.to.as_ref().map_or(0, |to| to.count).max(keys.names.as_ref().map_or(0, |names| names.count));
    if count > bounds.max_receivers.into() {
        let why = format!("{} names {count} receivers; name 1 to {}", kind.name(), bounds.max_receivers);
        let fault = Fault::new(ErrorCode::TooManyReceivers, *kind as u8, keys.tag.unwrap_or_default(), why);
        return Err(JsonFault { fault, tag_given: keys.tag.is_some() });
    }
    if body.len() > bounds.max_body as usize {
        // Not put together, for it might not even fit a frame.
        let why = format!("{}: a body of {} bytes is over the limit of {}", kind.name(), body.len(), bounds.max_body);
        put_fatal(Fault::new(ErrorCode::TooLarge, *kind as u8, keys.tag.unwrap_or_default(), why), out);
        return Ok(());
    }
    put(*kind, &keys, &body, out);
    Ok(())
}

/// Appends a request whose keys are those of its kind.
fn put(kind: Kind, keys: &Keys<'_>, body: &[u8], out: &mut Vec<u8>) {
    let mut block = Vec::new();
    let (receipt, store) = (keys.receipt == Some(true), keys.store == Some(true));
    let room = keys.room.as_deref().unwrap_or_default();
    let request = match kind {
        Kind::Hello => Request::Hello {
            name: keys.name.as_deref().unwrap_or_default(),
            token: keys.token.as_deref().unwrap_or_default(),
        },
        Kind::List => Request::List,
        Kind::Relay => {
            let ids: Vec<UserId> = keys.to.iter().flat_map(|to| &to.kept).map(|id| id.0).collect();
            Ids::encode(&ids, &mut block);
            Request::Relay { receivers: Ids::new(&block).expect("whole ids"), body, receipt }
        }
        Kind::Send => {
            Names::encode(keys.names.iter().flat_map(|names| &names.kept).map(|name| &name[..]), &mut block);
            Request::Send { names: Names::new(&block).expect("whole names"), body, receipt, store }
        }
        Kind::Ack => Request::Ack(keys.mail_id.as_ref().map_or(0, |id| id.0.0)),
        Kind::Join => Request::Join { room },
        Kind::Leave => Request::Leave { room },
        Kind::Publish => Request::Publish { room, body, receipt, no_echo: keys.no_echo == Some(true) },
        Kind::History => {
            Request::History { room, after: keys.after.unwrap_or(0), limit: keys.limit.unwrap_or(u32::MAX) }
        }
        Kind::Who => Request::Who { room },
        Kind::Ping => Request::Ping(body),
        Kind::Bye => Request::Bye,
        Kind::Alive => Request::Alive,
        _ => Request::Identity,
    };
    put_flagged(&request, keys.tag, out);
}

/// Appends a request, with a note whether it had a tag.
fn put_flagged(request: &Request<'_>, tag: Option<u16>, out: &mut Vec<u8>) {
    let start = out.len();
    request.encode(tag.unwrap_or_default(), out);
    if tag.is_some() {
        out[start + FLAGS_AT] |= FLAG;
    }
}

/// Where a header has its flags.
const FLAGS_AT: usize = 1;

/// Appends the request that a binary message is; or, where it is not just one frame, an aside that says so.
pub fn put_frame(message: &[u8], out: &mut Vec<u8>) {
    let header = Header::decode(message);
    let code = match header {
        Some(Header { kind: super::margin::ASIDE, .. }) => ErrorCode::UnknownKind,
        Some(header) if header.frame_len() == message.len() => return out.extend_from_slice(message),
        _ => ErrorCode::Malformed,
    };
    let why = match (code, header) {
        (ErrorCode::UnknownKind, _) => "kind 0x7f is not a request".to_owned(),
        (_, Some(header)) => format!("a message of {} bytes holds a frame of {}", message.len(), header.frame_len()),
        (_, None) => format!("a message of {} bytes is shorter than a frame's header", message.len()),
    };
    let (kind, tag) = header.map_or((0, 0), |header| (header.kind, header.tag));
    put_fatal(Fault::new(code, kind, tag, why), out);
}

/// Appends an aside that closes the connection with an error.
pub fn put_fatal(fault: Fault, out: &mut Vec<u8>) {
    Aside::Fault { fault, fatal: true }.encode(0, out);
}

/// Bytes that a message in JSON may have: any request that the hub takes can be written in so many.
pub fn most_json(bounds: &Bounds) -> usize {
    usize::try_from(bounds.most_payload()).unwrap_or(usize::MAX).saturating_mul(MOST_ESCAPED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_NAME;
    use crate::wire::{Decoder, Frame};
    use proptest::prelude::*;

    const BOUNDS: Bounds = Bounds { max_body: 1000, max_receivers: 3 };

    fn native(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        put_request(text, &BOUNDS, &mut out);
        out
    }

    /// The one frame that lies in `bytes`.
    fn frame(bytes: &[u8]) -> Frame<'_> {
        let mut input = bytes;
        let frame = Decoder::default().next(&mut input, |front| Ok::<_, Fault>(Header::decode(front)));
        assert!(input.is_empty());
        frame.expect("admitted").expect("whole")
    }

    fn fault(bytes: &[u8]) -> (Fault, bool) {
        match Aside::of(&frame(bytes)) {
            Some(Aside::Fault { fault, fatal }) => (fault, fatal),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_request_is_one_of_the_hub_s_own() {
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
            let mut expected = Vec::new();
            request.encode(0, &mut expected);
            assert_eq!(native(json), expected, "{json}");
            let tagged = [&json[..json.len() - 1], ",\"tag\":0}"].concat();
            expected[FLAGS_AT] |= FLAG;
            assert_eq!(native(&tagged), expected, "{tagged}");
        }
        let kinds = REQUESTS.iter().map(|row| row.1 as u8);
        assert!(kinds.eq(Kind::Hello as u8..=Kind::Alive as u8), "all but STATS can be asked");
    }

    #[test]
    fn what_will_not_do_is_a_fault_with_its_kind_and_tag_and_the_connection_goes_on() {
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
            let out = native(json);
            let (fault, fatal) = fault(&out);
            assert_eq!((fault.code, fault.kind, fault.tag), (ErrorCode::Malformed, kind, tag.unwrap_or(0)), "{json}");
            assert!(fault.text.contains(says) && !fatal, "{json}: {}", fault.text);
            assert_eq!(out[FLAGS_AT] & FLAG != 0, tag.is_some(), "{json}");
        }
        let many = native(r#"{"type":"relay","to":[1,2,3,4],"tag":7}"#);
        assert_eq!(fault(&many).0.code, ErrorCode::TooManyReceivers);
    }

    #[test]
    fn what_is_said_of_a_long_request_is_short_and_keeps_its_end() {
        let (fault, _) = fault(&native(&format!(r#"{{"type":"list","{}":1}}"#, "é".repeat(5000))));
        assert!(fault.text.len() <= MOST_SAID, "{} bytes", fault.text.len());
        assert!(fault.text.starts_with("unknown field `é") && fault.text.ends_with("column 10017"), "{}", fault.text);
    }

    proptest! {
        #[test]
        fn any_text_is_one_frame(
            text in r#"\PC{0,40}|\{"type":"(list|join|relay|ping)"(,"(tag|to|room|body)":[a1"\[\],]{0,6}){0,2}\}"#,
        ) {
            frame(&native(&text));
        }

        #[test]
        fn any_text_may_be_said(room in ".{0,60}", body in ".{0,300}", tag: u16) {
            let json = serde_json::json!({"type": "publish", "room": room, "body": body, "tag": tag}).to_string();
            let mut bytes = native(&json);
            bytes[FLAGS_AT] &= !FLAG;
            let frame = frame(&bytes);
            let publish = Request::Publish { room: &room, body: body.as_bytes(), receipt: false, no_echo: false };
            prop_assert_eq!(frame.header.tag, tag);
            prop_assert_eq!(Request::decode(frame.header, frame.payload()), Ok(publish));
        }
    }

    #[test]
    fn the_longest_request_fits_into_a_message_however_it_is_written() {
        let bounds = Bounds { max_body: 70_000, max_receivers: 1 };
        let escaped = |len: usize| "\\u0001".repeat(len);
        let (name, body) = (escaped(MAX_NAME), escaped(bounds.max_body as usize));
        let rest = r#""receipt":false,"store":false,"tag":65535"#;
        let json = format!(r#"{{"type":"send","names":["{name}"],"body":"{body}",{rest}}}"#);
        assert!(json.len() <= most_json(&bounds), "{} of {}", json.len(), most_json(&bounds));
    }

    #[test]
    fn a_binary_message_is_just_one_frame() {
        let put = |message: &[u8]| {
            let mut out = Vec::new();
            put_frame(message, &mut out);
            out
        };
        let bye = [0x0D, 0, 0, 7, 0, 0, 0, 0];
        assert_eq!(put(&bye), bye);
        for (message, code, kind) in [
            (&bye[..7], ErrorCode::Malformed, 0),
            (&[&bye[..], &bye].concat(), ErrorCode::Malformed, 0x0D),
            (&[0x0C, 0, 0, 7, 0, 0, 0, 1], ErrorCode::Malformed, 0x0C),
            (&[super::super::margin::ASIDE, 2, 0, 7, 0, 0, 0, 0], ErrorCode::UnknownKind, 0x7F),
        ] {
            let out = put(message);
            let (fault, fatal) = fault(&out);
            assert_eq!((fault.code, fault.kind, fatal), (code, kind, true), "{message:?}");
        }
    }
}
