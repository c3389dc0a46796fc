//! HTTP/1.1, as much of it as a hub needs: one request off the front of some bytes, and what is answered.
//!
//! A request for the hub's work becomes a request of the hub's own, which asks for a receipt; the receipt becomes the
//! response. What is only looked up is named by a [`What`], and looked up by whoever has the hub at hand.

mod head;
mod response;
mod route;

pub use head::Headers;
pub use response::{Document, put_answer, put_refusal};

use super::page::File;
use super::upgrade::Upgrade;
use crate::limits::{MOST_HEAD, MOST_HEADERS};
use crate::wire::Bounds;
use head::Head;
use std::borrow::Cow;

/// What callers may do here, as far as a request alone shows it.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// What the hub takes.
    pub bounds: Bounds,
    /// Origins that may ask, beside the hub's own.
    pub origins: &'a [String],
}

/// What a request asks for.
#[derive(Debug)]
pub enum What {
    /// To see something.
    Look(Look),
    /// Something that the hub does: requests of its own, of which the first is answered.
    Work(Vec<u8>),
    /// To speak WebSocket from here on.
    Upgrade(Upgrade),
}

/// What a request wants to see.
#[derive(Debug)]
pub enum Look {
    /// A file of the page.
    File(&'static File),
    /// Whether the hub serves.
    Health,
    /// What the hub has counted.
    Metrics,
    /// Who is here.
    List,
    /// Who is in a room.
    Members(String),
    /// What a room remembers.
    History {
        room: String,
        /// Only events with a greater id than this.
        after: u64,
        /// So many at most.
        limit: usize,
    },
}

/// One whole request.
#[derive(Debug)]
pub struct Call {
    pub what: What,
    /// The answer goes without its body: a HEAD.
    pub is_head: bool,
    /// The connection ends with the answer.
    pub closes: bool,
    /// It came through a proxy, so that nobody can tell from where.
    pub is_forwarded: bool,
}

/// Why a request is not done.
#[derive(Debug)]
pub struct Refusal {
    /// The status of the response.
    pub status: u16,
    /// What was wrong, for a person.
    pub text: Cow<'static, str>,
    /// A header more, with its line's end.
    pub header: &'static str,
    /// Where the next request begins: nowhere, if nobody can tell.
    pub next_at: Option<usize>,
    /// It answers a HEAD.
    pub is_head: bool,
}

impl Refusal {
    /// One after which nobody can tell where the next request begins.
    pub fn new(status: u16, text: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { status, text: text.into(), header: "", next_at: None, is_head: false }
    }
}

/// What some bytes hold.
#[derive(Debug)]
pub enum Found {
    /// A request, and how many bytes it is.
    Call(Call, usize),
    /// Not a whole one yet. Whoever sends it may wait to be told to go on.
    More { waits: bool },
}

/// The request at the front of `bytes`.
///
/// # Errors
///
/// Why it is not one that is done here; as soon as that can be told.
pub fn next(bytes: &[u8], rules: Rules<'_>) -> Result<Found, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let head_len = match request.parse(bytes) {
        Ok(httparse::Status::Complete(len)) if len <= MOST_HEAD => len,
        Ok(httparse::Status::Partial) if bytes.len() < MOST_HEAD => return Ok(Found::More { waits: false }),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Refusal::new(431, format!("a request may have {MOST_HEADERS} headers")));
        }
        Err(error) => return Err(Refusal::new(400, format!("this is no HTTP request: {error}"))),
        Ok(_) => return Err(Refusal::new(431, format!("a request's headers may have {MOST_HEAD} bytes"))),
    };
    Head::new(&request)?.next(&bytes[head_len..], head_len, rules)
}

#[cfg(test)]
mod tests {
    use super::route::decode;
    use super::*;
    use crate::web::margin::FLAG;
    use crate::wire::{HEADER_LEN, Header, Ids, Names, Request};
    use proptest::prelude::*;

    const RULES: Rules<'_> = Rules { bounds: Bounds { max_body: 100, max_receivers: 3 }, origins: &[] };

    /// A request and how many bytes it is, or the status that it gets.
    fn call(bytes: &[u8]) -> Result<Option<(Call, usize)>, u16> {
        match next(bytes, RULES) {
            Ok(Found::Call(call, len)) => Ok(Some((call, len))),
            Ok(Found::More { .. }) => Ok(None),
            Err(refusal) => Err(refusal.status),
        }
    }

    fn asked(line: &str, headers: &str, body: &str) -> Vec<u8> {
        format!("{line} HTTP/1.1\r\nHost: hub\r\n{headers}\r\n{body}").into_bytes()
    }

    fn post(target: &str, body: &str) -> Vec<u8> {
        asked(&format!("POST {target}"), &format!("Content-Length: {}\r\n", body.len()), body)
    }

    /// The requests of the hub's own that a post becomes.
    fn work_of(bytes: &[u8]) -> Vec<u8> {
        match call(bytes) {
            Ok(Some((Call { what: What::Work(frames), .. }, _))) => frames,
            other => panic!("{other:?}"),
        }
    }

    fn encoded(request: &Request<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        request.encode(0, &mut out);
        out
    }

    const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    #[test]
    fn a_request_is_found_as_soon_as_it_is_whole_and_not_before() {
        for request in [
            asked("GET /health", "", ""),
            asked("HEAD /rooms/lobby/history?after=3&limit=5", "Accept: */*\r\n", ""),
            asked("GET /ws", UPGRADE, ""),
            post("/rooms/lobby", "hello\r\n\r\n"),
            post("/relay?to=7,9", ""),
        ] {
            let whole = call(&request).expect("it will do").expect("it is whole");
            assert_eq!(whole.1, request.len());
            for cut in 0..request.len() {
                assert!(matches!(call(&request[..cut]), Ok(None)), "cut at {cut}");
            }
            let more = [&request[..], b"GET /"].concat();
            assert_eq!(format!("{:?}", call(&more)), format!("{:?}", Ok::<_, u16>(Some(whole))));
        }
    }

    proptest! {
        #[test]
        fn what_is_found_at_the_front_of_some_bytes_is_found_in_all_of_them(
            method in "GET|HEAD|POST|PUT|G E",
            path in "[/a-z%?=&,0-9]{0,12}|/rooms/(%4|%41|é){1,2}|/relay\\?to=[0-9,]{0,4}",
            headers in "((Host|Origin|Content-Length|Connection|Expect|X):( ?[0-9a-z:/-]{0,10})\r?\n){0,4}",
            body in ".{0,20}", cut in any::<prop::sample::Index>(),
        ) {
            let bytes = asked(&format!("{method} {path}"), &headers, &body);
            let front = call(&bytes[..cut.index(bytes.len() + 1)]);
            if !matches!(front, Ok(None)) {
                prop_assert_eq!(format!("{:?}", front), format!("{:?}", call(&bytes)));
            }
        }

        #[test]
        fn what_is_percent_encoded_is_read_back(text in ".{0,30}", plain in any::<bool>()) {
            let encode = |byte: u8| match byte {
                b'a'..=b'z' if plain => char::from(byte).to_string(),
                byte if plain => format!("%{byte:02x}"),
                byte => format!("%{byte:02X}"),
            };
            let encoded: String = text.bytes().map(encode).collect();
            prop_assert_eq!(decode(&encoded, true).ok(), Some(text));
        }
    }

    #[test]
    fn a_percent_sign_without_its_digits_is_refused() {
        for text in ["%", "%4", "a%4", "%g1", "%4g", "%+1", "%C3", "%FF", "%%41"] {
            assert_eq!(decode(text, true).map_err(|refusal| refusal.status), Err(400), "{text}");
        }
        assert_eq!(decode("a+b%2B%25", true).ok().as_deref(), Some("a b+%"));
        assert_eq!(decode("a+b", false).ok().as_deref(), Some("a+b"));
    }

    #[test]
    fn a_post_becomes_a_request_of_the_hub_s_own_that_asks_for_a_receipt() {
        let publish = Request::Publish { room: "a/é", body: b"hi", receipt: true, no_echo: false };
        assert_eq!(work_of(&post("/rooms/a%2F%c3%a9", "hi")), encoded(&publish));
        let ids = [0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9];
        let relay = Request::Relay { receivers: Ids::new(&ids).expect("two"), body: b"hi", receipt: true };
        assert_eq!(work_of(&post("/relay?to=7,9", "hi")), encoded(&relay));
        let names = Names::new(b"\x03ann\x05b c,d").expect("two");
        let send = Request::Send { names, body: b"", receipt: true, store: false };
        assert_eq!(work_of(&post("/send?to=ann,b+c%2Cd", "")), encoded(&send));
    }

    #[test]
    fn where_the_connection_is_to_end_a_goodbye_stands_behind_the_work() {
        let request = asked("POST /rooms/lobby", "Content-Length: 2\r\nConnection: close\r\n", "hi");
        let frames = work_of(&request);
        let header = Header::decode(&frames).expect("a header");
        assert_eq!(header.flags & FLAG, FLAG);
        assert_eq!(frames[header.frame_len()..], encoded(&Request::Bye));
        assert_eq!(frames.len(), header.frame_len() + HEADER_LEN);
    }

    #[test]
    fn the_next_request_begins_behind_a_refused_one_where_that_can_be_told() {
        let next_at = |bytes: &[u8]| next(bytes, RULES).expect_err("refused").next_at;
        let nowhere = asked("GET /nowhere", "", "");
        assert_eq!(next_at(&[&nowhere[..], b"GET /"].concat()), Some(nowhere.len()));
        let wrong = post("/relay?to=ann", "hi");
        assert_eq!(next_at(&[&wrong[..], b"GET /"].concat()), Some(wrong.len()), "its body has come");
        assert_eq!(next_at(&post("/nowhere", "hi")), None, "its body may be anything");
        assert_eq!(next_at(&asked("GET /nowhere", "Connection: close\r\n", "")), None);
        assert_eq!(next_at(b"\x16\x03\x01\x02\x00\x01"), None);
    }

    #[test]
    fn a_body_over_the_limit_is_refused_before_it_comes() {
        let announced = |len: &str| call(&asked("POST /rooms/a", &format!("Content-Length: {len}\r\n"), "")).err();
        assert_eq!([announced("100"), announced("101")], [None, Some(413)]);
        assert_eq!([announced("99999999999999999999"), announced("+1"), announced("")], [Some(400); 3]);
    }
}
