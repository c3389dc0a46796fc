//! Which bytes are valid requests, and which are refused.

use super::*;
use crate::web::http::call::{Action, Post};
use crate::wire::{Ids, Names, Request};
use proptest::prelude::*;

const RULES: Rules<'_> = Rules { bounds: Bounds { max_body: 100, max_receivers: 3 }, origins: &[] };

/// A request and its length, or the status of its refusal.
fn call(bytes: &[u8]) -> Result<Option<(Call<'_>, usize)>, u16> {
    match parse(bytes, RULES) {
        Ok(Parsed::Call(call, len)) => Ok(Some((call, len))),
        Ok(Parsed::Incomplete { .. }) => Ok(None),
        Err(refusal) => Err(refusal.status),
    }
}

fn request(line: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: hub\r\n{headers}\r\n{body}").into_bytes()
}

fn post(target: &str, body: &str) -> Vec<u8> {
    request(&format!("POST {target}"), &format!("Content-Length: {}\r\n", body.len()), body)
}

/// The request that a POST makes to the hub, and whether the connection ends with it.
fn posted(bytes: &[u8]) -> (Post<'_>, bool) {
    match call(bytes) {
        Ok(Some((Call { action: Action::Execute(post), closes, .. }, _))) => (post, closes),
        other => panic!("{other:?}"),
    }
}

const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[test]
fn a_request_is_found_as_soon_as_it_is_whole_and_not_before() {
    for request in [
        request("GET /health", "", ""),
        request("HEAD /rooms/lobby/history?after=3&limit=5", "Accept: */*\r\n", ""),
        request("GET /ws", UPGRADE, ""),
        post("/rooms/lobby", "hello\r\n\r\n"),
        post("/relay?to=7,9", ""),
    ] {
        let whole = call(&request).expect("it is accepted").expect("it is whole");
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
        let bytes = request(&format!("{method} {path}"), &headers, &body);
        let front = call(&bytes[..cut.index(bytes.len() + 1)]);
        if !matches!(front, Ok(None)) {
            prop_assert_eq!(format!("{:?}", front), format!("{:?}", call(&bytes)));
        }
    }
}

#[test]
fn a_post_becomes_a_request_of_the_hub_that_asks_for_a_receipt() {
    let publish = Request::Publish { room: "a/é", body: b"hi", receipt: true, no_echo: false };
    assert_eq!(posted(&post("/rooms/a%2F%c3%a9", "hi")).0.request(), publish);
    let ids = [0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9];
    let relay = Request::Relay { receivers: Ids::new(&ids).expect("two"), body: b"hi", receipt: true };
    assert_eq!(posted(&post("/relay?to=7,9", "hi")).0.request(), relay);
    let names = Names::new(b"\x03ann\x05b c,d").expect("two");
    let send = Request::Send { names, body: b"", receipt: true, store: false };
    assert_eq!(posted(&post("/send?to=ann,b+c%2Cd", "")).0.request(), send);
}

#[test]
fn a_request_says_whether_the_connection_ends_with_it() {
    let closing = request("POST /rooms/lobby", "Content-Length: 2\r\nConnection: close\r\n", "hi");
    let (post_closing, closes) = posted(&closing);
    let publish = Request::Publish { room: "lobby", body: b"hi", receipt: true, no_echo: false };
    assert_eq!((post_closing.request(), closes), (publish, true));
    assert!(!posted(&post("/rooms/lobby", "hi")).1);
}

#[test]
fn the_next_request_begins_behind_a_refused_one_if_that_can_be_known() {
    let next_at = |bytes: &[u8]| parse(bytes, RULES).expect_err("refused").next_at;
    let nowhere = request("GET /nowhere", "", "");
    assert_eq!(next_at(&[&nowhere[..], b"GET /"].concat()), Some(nowhere.len()));
    let wrong = post("/relay?to=ann", "hi");
    assert_eq!(next_at(&[&wrong[..], b"GET /"].concat()), Some(wrong.len()), "its body has come");
    assert_eq!(next_at(&post("/nowhere", "hi")), None, "its body may be anything");
    assert_eq!(next_at(&request("GET /nowhere", "Connection: close\r\n", "")), None);
    assert_eq!(next_at(b"\x16\x03\x01\x02\x00\x01"), None);
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_comes() {
    let announced = |len: &str| {
        call(&request("POST /rooms/a", &format!("Content-Length: {len}\r\n"), "")).map(|call| call.is_some())
    };
    assert_eq!([announced("100"), announced("101")], [Ok(false), Err(413)]);
    assert_eq!([announced("99999999999999999999"), announced("+1"), announced("")], [Err(400); 3]);
}

#[test]
fn an_empty_host_is_no_pages_own() {
    for (host, origin, status) in
        [("", "file://", Some(403)), ("hub", "file://", Some(403)), ("hub", "http://hub", None)]
    {
        let text = format!("GET /health HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n\r\n");
        assert_eq!(parse(text.as_bytes(), RULES).err().map(|refusal| refusal.status), status, "{origin} at {host:?}");
    }
}
