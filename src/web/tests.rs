//! The gateway over a hub without a loop: how input in pieces of any size becomes requests, and what is kept while they
//! wait.

use super::*;
use crate::hub::{Encoding, Outbox, RemoteAddr};
use crate::limits::Limits;
use crate::wire::websocket::{BINARY as BINARY_OPCODE, CLOSE, PING, TEXT, encode_masked};
use crate::wire::{Ids, Request, UserId};
use proptest::prelude::*;
use std::io::IoSlice;

struct Bench {
    hub: Hub<()>,
    web: Web,
}

impl Bench {
    fn new(limits: Limits) -> Bench {
        let web = Web::new(Policy::default());
        Bench { hub: Hub::with_codecs(limits, web.codecs()), web }
    }

    fn enter(&mut self, protocol: Protocol) -> usize {
        self.hub.accept((), RemoteAddr::Unix, protocol).expect("there is room")
    }

    /// A user of this encoding, after the handshake.
    fn upgraded(&mut self, encoding: Encoding) -> usize {
        let slot = self.enter(HTTP_CALLER);
        let (name, _) = encoding::SUBPROTOCOLS.iter().find(|row| row.1 == encoding).expect("a subprotocol");
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: {name}\r\n\r\n"
        );
        self.receive(slot, request.as_bytes());
        assert!(self.take(slot).starts_with(b"HTTP/1.1 101 "));
        slot
    }

    fn receive(&mut self, slot: usize, input: &[u8]) {
        self.web.receive(&mut self.hub, slot, &mut input.to_vec());
        self.hub.finish_input();
    }

    /// Begins a turn, in which all that wait for their share or for a slice have it.
    fn next_turn(&mut self) {
        self.hub.begin_turn(true);
        while self.hub.end_postponement().is_some() {}
        self.hub.serve_long_requests();
    }

    fn resume(&mut self, slot: usize) {
        self.web.resume(&mut self.hub, slot);
        self.hub.finish_input();
    }

    fn session(&self, slot: usize) -> &Session<()> {
        self.hub.session(slot).expect("it is there")
    }

    /// What is queued for a session.
    fn queued(&self, slot: usize) -> Vec<u8> {
        bytes_of(self.session(slot).outbox())
    }

    /// Sends what is queued for a session.
    fn take(&mut self, slot: usize) -> Vec<u8> {
        let bytes = self.queued(slot);
        self.hub.sent(slot, bytes.len());
        bytes
    }
}

fn bytes_of(outbox: &Outbox) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 256];
    let count = outbox.fill(&mut slices);
    slices[..count].iter().flat_map(|slice| slice.to_vec()).collect()
}

/// A message as a client sends it.
fn message(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_masked(opcode, payload, [1, 2, 3, 4], &mut bytes);
    bytes
}

fn frame(request: &Request<'_>, tag: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    request.encode(tag, &mut bytes);
    bytes
}

fn relay_to(id: UserId) -> String {
    format!(r#"{{"type":"relay","tag":1,"to":["{id}"],"body":"hi","receipt":true}}"#)
}

/// Queues enough for a session to make it full.
fn fill(bench: &mut Bench, slot: usize) {
    let id = bench.session(slot).id();
    while !bench.session(slot).is_full() {
        bench.hub.relay_for_host(&[id], &[0; 1 << 20]);
    }
    bench.next_turn();
}

/// What a client may send: messages, some of which are no requests, a close frame, and frames that break the protocol.
fn stream(encoding: Encoding) -> impl Strategy<Value = Vec<u8>> {
    let json = prop::sample::select(vec![
        r#"{"type":"ping","body":"x"}"#,
        r#"{"type":"join","tag":0,"room":"den"}"#,
        r#"{"type":"publish","room":"den","body":"hi","receipt":true}"#,
        r#"{"type":"leave","tag":7,"room":"den"}"#,
        r#"{"type":"list"}"#,
        r#"{"type":"nosuch"}"#,
        "[",
        r#"{"type":"bye"}"#,
    ]);
    let native = prop::sample::select(vec![
        frame(&Request::Ping(b"x"), 1),
        frame(&Request::Join { room: "den" }, 2),
        frame(&Request::Publish { room: "den", body: b"hi", receipt: true, no_echo: false }, 3),
        frame(&Request::Leave { room: "den" }, 4),
        frame(&Request::List, 5),
        // An unknown kind is refused on its first byte, when its tag may not have arrived yet.
        vec![0x7F, 0, 0, 0, 0, 0, 0, 0],
        frame(&Request::Bye, 7),
    ]);
    let (text, binary) = if encoding == JSON { (20, 1) } else { (1, 20) };
    let piece = prop_oneof![
        text => json.prop_map(|text| message(TEXT, text.as_bytes())),
        binary => native.prop_map(|frame| message(BINARY_OPCODE, &frame)),
        3 => Just(message(PING, b"there?")),
        1 => prop::sample::select(vec![vec![0xC1, 0x80], vec![0x81, 0], message(CLOSE, &[3, 232])]),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// What was sent to a session in response to some input, and whether the session is still open.
fn outcome(limits: &Limits, protocol: Option<Encoding>, pieces: &[&[u8]]) -> (Vec<u8>, bool, usize) {
    let mut bench = Bench::new(limits.clone());
    let slot = match protocol {
        Some(encoding) => bench.upgraded(encoding),
        None => bench.enter(HTTP_CALLER),
    };
    for piece in pieces {
        bench.receive(slot, piece);
        while bench.session(slot).is_waiting() {
            bench.next_turn();
            bench.resume(slot);
        }
    }
    (bench.queued(slot), bench.session(slot).is_open(), bench.session(slot).unparsed())
}

proptest! {
    #[test]
    fn input_in_any_pieces_has_the_same_answers(
        (encoding, stream) in prop::sample::select(vec![JSON, BINARY]).prop_flat_map(|encoding| {
            stream(encoding).prop_map(move |stream| (encoding, stream))
        }),
        len in 1_usize..40,
        fan_out in prop::sample::select(vec![8 << 20, 1024_usize]),
    ) {
        let limits = Limits { fan_out, ..Limits::default() };
        let whole = outcome(&limits, Some(encoding), &[&stream]);
        prop_assert_eq!(outcome(&limits, Some(encoding), &stream.chunks(len).collect::<Vec<_>>()), whole);
    }

    #[test]
    fn http_in_any_pieces_has_the_same_responses(
        requests in prop::collection::vec(prop::sample::select(vec![
            "GET /health HTTP/1.1\r\nHost: hub\r\n\r\n",
            "GET /nowhere HTTP/1.1\r\nHost: hub\r\n\r\n",
            "POST /rooms/den HTTP/1.1\r\nHost: hub\r\nContent-Length: 2\r\n\r\nhi",
            "POST /relay?to=1 HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "POST /rooms/%0A HTTP/1.1\r\nHost: hub\r\nContent-Length: 2\r\n\r\nhi",
            "GET /list HTTP/1.1\r\n\r\n",
            "HEAD / HTTP/1.1\r\nHost: hub\r\n\r\n",
        ]), 0..6),
        len in 1_usize..40,
    ) {
        let (stream, limits) = (requests.concat(), Limits::default());
        let whole = outcome(&limits, None, &[stream.as_bytes()]);
        prop_assert_eq!(outcome(&limits, None, &stream.as_bytes().chunks(len).collect::<Vec<_>>()), whole);
    }
}

#[test]
fn a_blocked_request_is_kept_with_all_that_follows_and_executed_in_order() {
    for encoding in [JSON, BINARY] {
        let mut bench = Bench::new(Limits::default());
        let receiver = bench.enter(Protocol::NATIVE);
        let id = bench.session(receiver).id();
        let slot = bench.upgraded(encoding);
        fill(&mut bench, receiver);
        let block = id.0.to_be_bytes();
        let receivers = Ids::new(&block).expect("one id");
        let (relay, ping) = match encoding {
            JSON => (message(TEXT, relay_to(id).as_bytes()), message(TEXT, br#"{"type":"ping","body":"x"}"#)),
            _ => (
                message(BINARY_OPCODE, &frame(&Request::Relay { receivers, body: b"hi", receipt: true }, 1)),
                message(BINARY_OPCODE, &frame(&Request::Ping(b"x"), 2)),
            ),
        };
        let rest = [&message(PING, b"there?")[..], &ping].concat();
        bench.receive(slot, &[&relay[..], &rest].concat());
        assert!(bench.session(slot).has_backlog() && bench.session(slot).unparsed() > rest.len());
        assert_eq!(bench.queued(slot), b"", "not even the ping behind it is answered");
        let kept = bench.session(slot).unparsed();
        bench.resume(slot);
        assert_eq!((bench.queued(slot).len(), bench.session(slot).unparsed()), (0, kept), "it waits still");
        bench.take(receiver);
        bench.resume(slot);
        assert!(!bench.session(slot).has_backlog() && bench.session(slot).unparsed() == 0);
        let sent = bench.take(slot);
        let at = |part: &[u8]| sent.windows(part.len()).position(|bytes| bytes == part).expect("it was sent");
        let (receipt, pong): (&[u8], &[u8]) = match encoding {
            JSON => (br#"{"type":"receipt","tag":1,"statuses":["queued"]}"#, br#"{"type":"pong","body":"x"}"#),
            _ => (&[0x84, 0, 0, 1, 0, 0, 0, 3, 0, 1, 0], &[0x8C, 0, 0, 2, 0, 0, 0, 1, b'x']),
        };
        assert!(at(receipt) < at(b"\x8A\x06there?") && at(b"\x8A\x06there?") < at(pong), "{sent:?}");
        assert!(bench.queued(receiver).ends_with(b"hi"));
    }
}

#[test]
fn a_blocked_post_ends_its_connection_when_it_is_executed_if_that_is_asked() {
    let mut bench = Bench::new(Limits::default());
    let receiver = bench.enter(Protocol::NATIVE);
    let id = bench.session(receiver).id();
    let slot = bench.enter(HTTP_CALLER);
    fill(&mut bench, receiver);
    let post = format!(
        "POST /relay?to={id} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nContent-Length: 2\r\n\r\n\
         hiGET / HTTP/1.1\r\n"
    );
    bench.receive(slot, post.as_bytes());
    let left = bench.hub.stats().left;
    assert!(bench.session(slot).is_open() && bench.queued(slot).is_empty());
    bench.take(receiver);
    bench.resume(slot);
    let response = String::from_utf8(bench.take(slot)).expect("text");
    assert!(
        response.contains("Connection: close\r\n") && response.ends_with(r#"{"statuses":["queued"]}"#),
        "{response}"
    );
    assert!(!bench.session(slot).is_open());
    assert_eq!((bench.hub.stats().left, bench.hub.stats().http_requests), (left + 1, 1));
}

#[test]
fn an_idle_connection_keeps_nothing_and_a_departed_one_is_forgotten() {
    let mut bench = Bench::new(Limits::default());
    let caller = bench.enter(HTTP_CALLER);
    bench.receive(caller, b"GET /health HTTP/1.1\r\nHost: hub\r\n\r\n");
    assert!(bench.web.connections.get(caller).is_none_or(Option::is_none));
    let user = bench.upgraded(JSON);
    bench.receive(user, &message(TEXT, br#"{"type":"list"}"#)[..5]);
    assert!(bench.session(user).unparsed() > 0);
    bench.receive(user, &message(TEXT, br#"{"type":"list"}"#)[5..]);
    assert_eq!(bench.session(user).unparsed(), 0);
    bench.receive(user, &message(TEXT, br#"{"type":"bye"}"#));
    assert!(!bench.session(user).is_open());
    assert!(bench.web.connections.iter().all(Option::is_none));
    let sent = bench.take(user);
    bench.receive(user, &message(PING, b"there?"));
    assert_eq!((sent.len() > 4, bench.take(user)), (true, vec![]), "nothing follows the close frame");
}

#[test]
fn a_tag_that_is_0_is_repeated_and_none_is_not() {
    let mut bench = Bench::new(Limits::default());
    let slot = bench.upgraded(JSON);
    let long = "x".repeat(126);
    for (tag, repeated) in [(r#","tag":0"#, r#""tag":0,"#), ("", "")] {
        let expected = format!(r#"{{"type":"left",{repeated}"room":"den"}}"#);
        bench.receive(slot, &message(TEXT, br#"{"type":"join","room":"den"}"#));
        bench.take(slot);
        bench.receive(slot, &message(TEXT, format!(r#"{{"type":"leave","room":"den"{tag}}}"#).as_bytes()));
        assert_eq!(bench.take(slot)[2..], *expected.as_bytes());
    }
    bench.receive(slot, &message(TEXT, format!(r#"{{"type":"ping","tag":0,"body":"{long}"}}"#).as_bytes()));
    let sent = String::from_utf8_lossy(&bench.take(slot)).into_owned();
    assert!(sent.contains(r#"{"type":"error","tag":0,"code":3,"#), "{sent}");
}

/// Whether what the hub counts as held is what the gateway holds for this session.
fn assert_counted(bench: &Bench, slot: usize) {
    let state = bench.web.connections.get(slot).and_then(Option::as_ref);
    let kept = state.map_or(KeptInput::default(), |state| state.kept(false));
    assert_eq!((bench.session(slot).unparsed(), bench.hub.in_transit()), (kept.bytes, kept.held));
}

#[test]
fn what_is_kept_of_a_message_counts_with_the_room_that_its_buffers_have() {
    for (encoding, opcode) in [(JSON, TEXT), (BINARY, BINARY_OPCODE)] {
        let mut bench = Bench::new(Limits::default());
        let slot = bench.upgraded(encoding);
        let request = Request::Publish { room: "den", body: &[1; 900_000], receipt: false, no_echo: false };
        let payload = match encoding {
            JSON => format!(r#"{{"type":"publish","room":"den","body":"{}"}}"#, "\\u0001".repeat(900_000)).into_bytes(),
            _ => frame(&request, 1),
        };
        let (bytes, mut arrived) = (message(opcode, &payload), 0);
        for piece in bytes.chunks(60_000) {
            bench.receive(slot, piece);
            bench.next_turn();
            assert_counted(&bench, slot);
            arrived += piece.len();
            let shown = bench.session(slot).unparsed();
            assert!(arrived == bytes.len() || shown + 20 > arrived, "{shown} of {arrived} B show that it goes on");
            assert!(bench.hub.in_transit() <= 2 * 900_000, "{}", bench.hub.held());
        }
        assert_eq!(bench.hub.in_transit(), 0, "the event is in no outbox");
    }
}

#[test]
fn a_body_that_arrives_takes_no_more_room_than_its_length() {
    let mut bench = Bench::new(Limits::default());
    let slot = bench.enter(HTTP_CALLER);
    let head = "POST /rooms/den HTTP/1.1\r\nHost: hub\r\nContent-Length: 1000000\r\n\r\n";
    bench.receive(slot, head.as_bytes());
    for _ in 0..19 {
        bench.receive(slot, &[7; 50_000]);
        bench.next_turn();
        assert_counted(&bench, slot);
    }
    assert!((950_000..=1_000_500).contains(&bench.hub.in_transit()), "{}", bench.hub.held());
    bench.receive(slot, &[7; 50_000]);
    assert!(bench.queued(slot).starts_with(b"HTTP/1.1 200"));
}

#[test]
fn requests_that_stand_behind_one_another_are_executed_one_by_one_and_each_is_charged() {
    let limits = Limits { fan_out: 200_000, ..Limits::default() };
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: hub\r\n\r\n").into_bytes();
    let ping = message(PING, b"there?");
    for (protocol, request, most) in [
        (None, get("/metrics"), 4),
        (None, get("/nowhere"), 150),
        (Some(JSON), ping, 800),
        (Some(JSON), message(TEXT, br#"{"type":"nosuch"}"#), 400),
    ] {
        let mut bench = Bench::new(limits.clone());
        let slot = match protocol {
            Some(encoding) => bench.upgraded(encoding),
            None => bench.enter(HTTP_CALLER),
        };
        bench.next_turn();
        bench.receive(slot, &request);
        let one = bench.queued(slot).len();
        bench.next_turn();
        bench.receive(slot, &request.repeat(1000));
        let answers = bench.queued(slot).len() / one;
        assert!(bench.session(slot).is_waiting() && (1..=most).contains(&answers), "{answers} answers");
        assert!(bench.session(slot).has_backlog());
    }
}

#[test]
fn fragments_that_make_no_message_are_charged() {
    let mut bench = Bench::new(Limits { fan_out: 100_000, ..Limits::default() });
    let slot = bench.upgraded(JSON);
    bench.next_turn();
    let empty = [0x00, 0x80, 1, 2, 3, 4];
    bench.receive(slot, &[&[0x01, 0x80, 1, 2, 3, 4][..], &empty.repeat(1000)].concat());
    assert!(bench.hub.is_turn_spent() && bench.session(slot).is_open());
    bench.next_turn();
    bench.receive(slot, &message(0xA, b"").repeat(1000));
    assert!(bench.hub.is_turn_spent(), "so are pongs");
}

#[test]
fn the_table_of_connections_shrinks_when_they_are_gone() {
    let mut bench = Bench::new(Limits::default());
    let slots: Vec<usize> = (0..2000).map(|_| bench.upgraded(JSON)).collect();
    assert!(bench.web.connections.capacity() >= 2000);
    slots.into_iter().for_each(|slot| bench.web.forget(slot));
    assert!(bench.web.connections.is_empty() && bench.web.connections.capacity() < 1000);
}
