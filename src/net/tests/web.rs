//! HTTP callers and WebSocket users: their timeouts, and how much work and memory they may cost.

use super::*;
use crate::limits::{ANSWER_WINDOW, SPARE_CALLERS, SPARE_TIME, TURNED_AWAY};
use crate::web::{HTTP_CALLER, Policy, Web};
use crate::wire::websocket::{BINARY, CLOSE, Message, MessageReader, PING, PONG, Side, TEXT, encode_masked};

/// The number of the listener for HTTP.
const WEB: usize = 1;

/// The request of a handshake for this subprotocol.
fn handshake(subprotocol: &str) -> Vec<u8> {
    format!(
        "GET /ws HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
    )
    .into_bytes()
}

/// A message as a client sends it.
fn message(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_masked(opcode, payload, [1, 2, 3, 4], &mut bytes);
    bytes
}

impl Bench<Web> {
    /// One with a native listener and one for HTTP.
    fn web(limits: Limits) -> Bench<Web> {
        Bench::with_gateway(&[Protocol::NATIVE, HTTP_CALLER], limits, Web::new(Policy::default()))
    }

    fn turn(&mut self) {
        self.net.turn(Some(Duration::ZERO)).expect("it can not fail");
    }

    /// Connects an HTTP caller.
    fn call(&mut self) -> usize {
        let wire = self.world().connect(WEB, Wire::new(RemoteAddr::Unix));
        self.settle();
        wire
    }

    /// Connects a WebSocket.
    fn upgrade(&mut self, subprotocol: &str) -> usize {
        let wire = self.call();
        self.send(wire, &handshake(subprotocol));
        self.settle();
        assert!(self.world().take(wire).starts_with(b"HTTP/1.1 101 "));
        wire
    }

    /// Sends a message.
    fn say(&mut self, wire: usize, opcode: u8, payload: &[u8]) {
        self.send(wire, &message(opcode, payload));
        self.settle();
    }

    /// Takes the messages that were sent on a wire: their opcodes, and their payloads as text.
    fn messages(&self, wire: usize) -> Vec<(u8, String)> {
        let mut bytes = self.world().take(wire);
        let mut reader = MessageReader::new(Side::Server);
        let (mut rest, mut messages) = (&mut bytes[..], Vec::new());
        while let Some(message) = reader.next(&mut rest, usize::MAX).expect("the hub keeps to the protocol") {
            messages.push(match message {
                Message::Text(text) => (TEXT, text.into_owned()),
                Message::Binary(bytes) => (BINARY, format!("{} bytes", bytes.len())),
                Message::Ping(_) => (PING, String::new()),
                Message::Pong => (PONG, String::new()),
                Message::Close(code) => (CLOSE, code.to_string()),
            });
        }
        assert_eq!(reader.kept(), 0, "whole messages");
        messages
    }

    /// Takes the HTTP responses that were sent on a wire.
    fn response(&self, wire: usize) -> String {
        String::from_utf8(self.world().take(wire)).expect("text")
    }
}

#[test]
fn a_request_that_is_never_complete_is_answered_so_after_ten_seconds() {
    let mut bench = Bench::web(Limits::default());
    let wire = bench.call();
    bench.pass(60 * SECOND);
    assert!(!bench.is_closed(wire), "one that has begun nothing is only idle");
    bench.send(wire, b"GET /health HTTP/1.1\r\nHost: h");
    bench.settle();
    bench.pass(9 * SECOND);
    assert_eq!(bench.response(wire), "");
    bench.send(wire, b"u");
    bench.pass(2 * SECOND);
    let said = bench.response(wire);
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("Connection: close"), "{said}");
    bench.pass(Limits::default().linger);
    assert!(bench.is_closed(wire));
}

#[test]
fn a_page_of_a_named_origin_may_read_that_its_request_was_not_complete() {
    let policy = Policy { origins: vec!["https://a".to_owned()], http_read: false };
    let mut bench = Bench::with_gateway(&[Protocol::NATIVE, HTTP_CALLER], Limits::default(), Web::new(policy));
    for (origin, is_named) in [("https://a", true), ("https://b", false)] {
        for rest in ["Content-Len", "Content-Length: 5\r\n\r\nhi"] {
            let wire = bench.call();
            bench.send(wire, format!("POST /rooms/a HTTP/1.1\r\nHost: h\r\nOrigin: {origin}\r\n{rest}").as_bytes());
            bench.settle();
            bench.pass(11 * SECOND);
            let said = bench.response(wire);
            let may_read = said.contains("\r\nAccess-Control-Allow-Origin: https://a\r\nVary: Origin\r\n");
            assert_eq!(may_read, is_named, "{said}");
            assert!(
                said.starts_with(if is_named || rest.len() < 12 { "HTTP/1.1 408 " } else { "HTTP/1.1 403 " }),
                "{said}"
            );
        }
    }
}

#[test]
fn a_quiet_websocket_is_sent_a_beat_and_a_ping_and_a_pong_is_enough_to_stay() {
    for answers in [true, false] {
        let mut bench = Bench::web(Limits::default());
        let wire = bench.upgrade("cubby.json.v1");
        let mut last = Vec::new();
        for _ in 0..4 {
            bench.pass(31 * SECOND);
            let messages = bench.messages(wire);
            if answers {
                assert!(
                    matches!(&messages[..], [(TEXT, beat), (PING, _)] if beat.contains("\"beat\"")),
                    "{messages:?}"
                );
                bench.say(wire, PONG, &[]);
            }
            last = if messages.is_empty() { last } else { messages };
        }
        let is_last =
            matches!(&last[..], [(TEXT, closing), (CLOSE, code)] if closing.contains("idle") && code == "1008");
        assert_eq!((is_last, bench.is_closed(wire)), (!answers, !answers), "{last:?}");
    }
}

#[test]
fn health_is_answered_while_the_hub_drains_and_callers_do_not_delay_the_end() {
    let mut bench = Bench::web(quiet());
    let (slow, _) = bench.enter();
    let caller = bench.call();
    bench.world().wires[slow].room_out = 0;
    bench.net.drain();
    bench.send(caller, b"GET /health HTTP/1.1\r\nHost: hub\r\n\r\n");
    bench.settle();
    let said = bench.response(caller);
    assert!(said.starts_with("HTTP/1.1 503 ") && said.ends_with("{\"status\":\"draining\"}"), "{said}");
    bench.send(caller, b"POST /rooms/den HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\n\r\n");
    bench.settle();
    assert!(bench.response(caller).starts_with("HTTP/1.1 503 "));
    assert!(!bench.net.is_drained());
    bench.world().make_room(slow, usize::MAX);
    bench.world().end(slow);
    bench.settle();
    assert!(bench.net.is_drained());
}

#[test]
fn a_caller_that_asks_for_much_and_does_not_read_is_answered_as_far_as_its_queue_goes() {
    let mut bench = Bench::web(quiet());
    let wire = bench.call();
    bench.world().wires[wire].room_out = 0;
    bench.send(wire, &b"GET /cubby.js HTTP/1.1\r\nHost: hub\r\n\r\n".repeat(2000));
    bench.settle();
    let held = bench.net.hub().held();
    assert!((ANSWER_WINDOW..2 * ANSWER_WINDOW).contains(&held), "{held} bytes");
    bench.world().make_room(wire, usize::MAX);
    bench.settle();
    assert_eq!(bench.response(wire).matches("HTTP/1.1 200 OK").count(), 2000);
    assert_eq!(bench.net.hub().held(), 0);
}

#[test]
fn a_post_to_a_full_receiver_waits_and_nobody_can_send_to_its_caller() {
    let mut bench = Bench::web(quiet());
    let (sender, _) = bench.enter();
    let (slow, id) = bench.enter();
    bench.world().wires[slow].room_out = 0;
    for _ in 0..5 {
        bench.relay(sender, id, MEGABYTE);
        bench.settle();
    }
    let caller = bench.call();
    let post = format!("POST /relay?to={id} HTTP/1.1\r\nHost: hub\r\nContent-Length: 5\r\n\r\nhello");
    bench.send(caller, format!("{post}GET /health HTTP/1.1\r\nHost: hub\r\n\r\n").as_bytes());
    bench.settle();
    assert_eq!(bench.response(caller), "");
    bench.world().make_room(slow, usize::MAX);
    bench.settle();
    let said = bench.response(caller);
    assert!(said.contains("{\"statuses\":[\"queued\"]}") && said.ends_with("{\"status\":\"ok\"}"), "{said}");
    let answers = bench.answers(slow);
    let caller = UserId(u64::from_be_bytes(answers.last().expect("hello").1[..8].try_into().expect("an id")));
    assert!(caller > id && answers.last().expect("hello").1.ends_with(b"hello"));
    bench.ask(
        slow,
        Request::Relay { receivers: Ids::new(&caller.0.to_be_bytes()).expect("an id"), body: b"", receipt: true },
    );
    bench.ask(slow, Request::List);
    bench.settle();
    let [(0x84, receipt), (0x83, list)] = &bench.answers(slow)[..] else { panic!("a receipt and a list") };
    assert_eq!((&receipt[..], list.len()), (&[0, 1, Status::Unknown as u8][..], 8));
}

#[test]
fn a_large_body_is_held_once_for_each_encoding() {
    let mut bench = Bench::web(quiet());
    let (sender, _) = bench.enter();
    bench.ask(sender, Request::Join { room: "den" });
    for protocol in ["cubby.json.v1", "cubby.v1"].into_iter().cycle().take(20) {
        let wire = bench.upgrade(protocol);
        let mut join = Vec::new();
        Request::Join { room: "den" }.encode(1, &mut join);
        match protocol {
            "cubby.v1" => bench.say(wire, BINARY, &join),
            _ => bench.say(wire, TEXT, b"{\"type\":\"join\",\"room\":\"den\"}"),
        }
        bench.messages(wire);
        bench.world().wires[wire].room_out = 0;
    }
    let before = bench.net.hub().held();
    bench.ask(sender, Request::Publish { room: "den", body: &[b'x'; 1 << 20], receipt: false, no_echo: true });
    bench.settle();
    let held = bench.net.hub().held() - before;
    assert!(((2 << 20) - 10_000..(2 << 20) + 100_000).contains(&held), "{held} bytes");
    for wire in 1..21 {
        bench.world().make_room(wire, usize::MAX);
    }
    bench.settle();
    let json = bench.messages(1).last().expect("an event").1.len();
    assert!(json > 1 << 20, "{json}");
    assert_eq!(bench.messages(2).last().expect("an event").0, BINARY);
}

#[test]
fn nothing_follows_the_close_frame_even_if_the_client_goes_on_asking() {
    for is_told_first in [true, false] {
        let mut bench = Bench::web(Limits::default());
        let wire = bench.upgrade("cubby.json.v1");
        bench.net.drain();
        if is_told_first {
            bench.settle();
        }
        bench.say(wire, PING, b"there?");
        let messages = bench.messages(wire);
        assert!(matches!(&messages[..], [(TEXT, _), (CLOSE, code)] if code == "1001"), "{messages:?}");
        assert!(!bench.is_closed(wire), "it can still read why");
    }
}

#[test]
fn each_sender_that_waits_to_send_a_body_is_sent_100_continue() {
    let mut bench = Bench::web(quiet());
    let wire = bench.call();
    for _ in 0..2 {
        let head = b"POST /relay?to=nobody HTTP/1.1\r\nHost: hub\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
        bench.send(wire, head);
        bench.settle();
        assert_eq!(bench.response(wire), "HTTP/1.1 100 Continue\r\n\r\n");
        bench.send(wire, b"hi");
        bench.settle();
        assert!(bench.response(wire).starts_with("HTTP/1.1 400 "));
    }
}

#[test]
fn the_body_that_a_head_asks_about_is_charged_as_if_it_was_sent() {
    let mut bench = Bench::web(quiet());
    let (sender, _) = bench.enter();
    bench.ask(sender, Request::Publish { room: "den", body: &[1; 1 << 20], receipt: false, no_echo: true });
    bench.settle();
    let wire = bench.call();
    for method in ["GET", "HEAD"] {
        bench.send(wire, format!("{method} /rooms/den/history HTTP/1.1\r\nHost: hub\r\n\r\n").as_bytes());
        bench.turn();
        assert!(bench.net.hub().is_turn_spent(), "{method}");
        bench.settle();
    }
}

#[test]
fn texts_that_are_no_requests_are_charged_and_wait_for_the_next_turn() {
    let mut bench = Bench::web(Limits { queue: 32 * 1024, ..quiet() });
    let wire = bench.upgrade("cubby.json.v1");
    bench.send(wire, &message(TEXT, b"?").repeat(1000));
    bench.turn();
    let said = bench.messages(wire).len();
    assert!(said > 10 && bench.net.hub().is_turn_spent(), "{said}");
    bench.settle();
    assert_eq!(said + bench.messages(wire).len(), 1000);
}

#[test]
fn encoding_a_history_counts_towards_the_work_of_a_turn() {
    let mut bench = Bench::web(quiet());
    let (sender, _) = bench.enter();
    let wire = bench.upgrade("cubby.json.v1");
    bench.say(wire, TEXT, b"{\"type\":\"join\",\"room\":\"den\"}");
    bench.ask(sender, Request::Publish { room: "den", body: &[1; 1 << 20], receipt: false, no_echo: true });
    bench.settle();
    bench.messages(wire);
    bench.send(wire, &message(TEXT, b"{\"type\":\"history\",\"room\":\"den\",\"after\":1}").repeat(2));
    bench.turn();
    assert_eq!(bench.messages(wire).len(), 2, "the event and the end of what was asked first");
    bench.settle();
    assert_eq!(bench.messages(wire).len(), 2);
}

#[test]
fn a_user_can_ask_whatever_others_send_it_however_long_that_is_in_json() {
    let mut bench = Bench::web(quiet());
    let (sender, _) = bench.enter();
    let wire = bench.upgrade("cubby.json.v1");
    bench.say(wire, TEXT, b"{\"type\":\"identity\"}");
    let said = bench.messages(wire)[0].1.clone();
    let digits: String = said.chars().filter(char::is_ascii_digit).collect();
    let id = UserId(digits.parse().expect("an id"));
    bench.world().wires[wire].room_out = 0;
    for len in [650_000, 1 << 20] {
        bench.relay(sender, id, &vec![1; len]);
        bench.settle();
    }
    for _ in 0..3 {
        bench.say(wire, TEXT, b"{\"type\":\"publish\",\"room\":\"den\",\"body\":\"\"}");
    }
    assert_eq!(bench.net.hub().stats().events, 3);
}

#[test]
fn a_caller_that_becomes_a_user_has_another_id_than_its_requests_before() {
    let mut bench = Bench::web(quiet());
    let (ear, id) = bench.enter();
    let wire = bench.call();
    let post = format!("POST /relay?to={id} HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\n\r\n");
    bench.send(wire, post.repeat(3).as_bytes());
    bench.settle();
    assert_eq!(bench.response(wire).matches("queued").count(), 3);
    let callers: Vec<Vec<u8>> = bench.answers(ear).into_iter().map(|(_, deliver)| deliver).collect();
    bench.send(wire, &handshake("cubby.json.v1"));
    bench.settle();
    bench.world().take(wire);
    let (_, next) = bench.enter();
    bench.ask(ear, Request::List);
    bench.settle();
    let [(0x83, list)] = &bench.answers(ear)[..] else { panic!("a list") };
    let (upgraded, last) = list.split_at(8);
    assert_eq!(last, next.0.to_be_bytes());
    assert!(!callers.iter().any(|caller| caller == upgraded), "an id is never given twice");
}

#[test]
fn http_1_0_is_sent_no_100_continue() {
    let mut bench = Bench::web(quiet());
    let wire = bench.call();
    bench.send(wire, b"POST /rooms/den HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    bench.settle();
    bench.send(wire, b"hi");
    bench.settle();
    assert!(bench.response(wire).starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_caller_that_asks_nothing_is_closed_without_a_response() {
    let mut bench = Bench::web(Limits::default());
    let wire = bench.call();
    bench.send(wire, b"GET /health HTTP/1.1\r\nHost: hub\r\n\r\n");
    bench.settle();
    assert!(bench.response(wire).starts_with("HTTP/1.1 200 "));
    bench.pass(100 * SECOND);
    assert_eq!((bench.response(wire), bench.is_closed(wire)), (String::new(), true));
}

/// A hub for one connection, which has it.
fn full() -> (Bench<Web>, usize) {
    let mut bench = Bench::web(Limits { max_connections: 1, ..Limits::default() });
    let only = bench.call();
    (bench, only)
}

const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n";

#[test]
fn a_caller_beyond_the_limit_has_a_second_to_ask_whatever_it_sends() {
    let (mut bench, _only) = full();
    let (silent, dripping) = (bench.call(), bench.call());
    let steps: u32 = 9;
    for _ in 0..steps {
        bench.send(dripping, b"G");
        bench.pass(SPARE_TIME / 10);
    }
    assert_eq!(bench.response(silent), "");
    bench.pass(SPARE_TIME / 5);
    for wire in [silent, dripping] {
        let said = bench.response(wire);
        assert!(said.starts_with("HTTP/1.1 503 ") && said.contains("\"code\":14"), "{said}");
    }
    assert_eq!(bench.net.hub().stats.refused_full, 2);
}

#[test]
fn those_who_are_turned_away_leave_places_for_those_who_watch_the_hub() {
    let (mut bench, _only) = full();
    for _ in 0..2 * TURNED_AWAY {
        bench.world().connect(0, Wire::new(RemoteAddr::Unix));
    }
    bench.settle();
    let wires: Vec<usize> = (0..SPARE_CALLERS).map(|_| bench.call()).collect();
    let late = bench.call();
    assert!(bench.response(late).starts_with("HTTP/1.1 503 "), "no place is left, and it is told so at once");
    for wire in wires {
        bench.send(wire, HEALTH);
        bench.settle();
        assert!(bench.response(wire).starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn a_caller_beyond_the_limit_stays_if_there_is_room_when_it_asks() {
    let (mut bench, only) = full();
    let wires = [bench.call(), bench.call()];
    bench.send(only, b"GET /health HTTP/1.0\r\n\r\n");
    bench.settle();
    bench.world().end(only);
    bench.settle();
    assert!(bench.is_closed(only));
    for (wire, status) in wires.into_iter().zip(["200", "503"]) {
        bench.send(wire, b"GET /list HTTP/1.1\r\nHost: h\r\n\r\n");
        bench.settle();
        let said = bench.response(wire);
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
    }
    bench.pass(2 * SPARE_TIME);
    bench.send(wires[0], HEALTH);
    bench.settle();
    let said = bench.response(wires[0]);
    assert!(said.starts_with("HTTP/1.1 200 ") && !said.contains("Connection: close"), "it is one like others: {said}");
}

#[test]
fn large_heads_that_never_end_take_no_more_memory_than_there_is() {
    let mut limits = Limits { memory: 1 << 20, ..Limits::default() };
    limits.max_body = 1000;
    let mut bench = Bench::web(limits);
    let head = format!("GET /health HTTP/1.1\r\nHost: h\r\nCookie: {}", "x".repeat(31 * 1024));
    let crowd: Vec<usize> = (0..200).map(|_| bench.call()).collect();
    for &wire in &crowd {
        bench.send(wire, head.as_bytes());
    }
    let patient = bench.call();
    for _ in 0..20 {
        bench.pass(Duration::from_millis(100));
        bench.send(patient, HEALTH);
        bench.settle();
        let said = bench.response(patient);
        assert!(said.starts_with("HTTP/1.1 200 "), "a small request is answered all the while: {said}");
        let hub = bench.net.hub();
        assert!(hub.held() <= hub.memory_limit(), "{} bytes are held", hub.held());
    }
    let one = bench.call();
    bench.pass(Limits::default().frame_time);
    bench.send(one, format!("{head}\r\n\r\n").as_bytes());
    bench.settle();
    assert!(bench.response(one).starts_with("HTTP/1.1 200 "), "a large head is taken when there is room");
}
