//! The hub behind nginx and behind `haproxy`, as `deploy/README.md` configures them.

use crate::support::proxy::{Proxy, ask, haproxy, nginx};
use crate::support::*;
use cubby::wire::websocket::{self, Message, MessageReader, Side};
use cubby::{Client, ClientError, ErrorCode, Push, Status};
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;

/// How long a connection may be silent before the proxies cut it: less than two heartbeats.
const CUT_AFTER: &str = "1900ms";

/// A page's WebSocket, which speaks JSON.
struct Page {
    stream: TcpStream,
    messages: MessageReader,
    heard: VecDeque<Value>,
    pings: usize,
}

impl Page {
    /// The WebSocket of a page that the hub itself serves at this address, with a name.
    fn open(address: &str, name: &str) -> Page {
        let mut raw = Raw::connect(address);
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        raw.send(request.as_bytes());
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            raw.0.read_exact(&mut byte).expect("a whole answer comes");
            head.push(byte[0]);
        }
        assert!(text(&head).starts_with("HTTP/1.1 101 "), "{}", text(&head));
        let heard = VecDeque::new();
        let mut page = Page { stream: raw.0, messages: MessageReader::new(Side::Server), heard, pings: 0 };
        page.say(&format!(r#"{{"type":"hello","name":"{name}"}}"#));
        page.expect("welcome");
        page
    }

    fn say(&mut self, json: &str) {
        let mut bytes = Vec::new();
        websocket::encode_masked(websocket::TEXT, json.as_bytes(), [1, 2, 3, 4], &mut bytes);
        self.stream.write_all(&bytes).expect("the proxy reads");
    }

    /// Reads the next input. Returns false at the end of the stream.
    fn listen(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let Ok(count @ 1..) = self.stream.read(&mut buffer) else { return false };
        let mut input = &mut buffer[..count];
        while let Some(message) = self.messages.next(&mut input, 1 << 20).expect("the hub keeps to the protocol") {
            match message {
                Message::Text(text) => self.heard.push_back(serde_json::from_str(&text).expect("JSON")),
                Message::Ping(_) => self.pings += 1,
                other => panic!("{other:?} in place of a text"),
            }
        }
        true
    }

    /// The next message of this type, skipping others.
    fn expect(&mut self, kind: &str) -> Value {
        loop {
            match self.heard.pop_front() {
                Some(value) if value["type"] == kind => return value,
                Some(_) => {}
                None => assert!(self.listen(), "the end in place of {kind}"),
            }
        }
    }
}

/// A daemon with a native and an HTTP listener, and its HTTP address.
fn hub(heartbeat_secs: &str) -> (Daemon, String) {
    let addresses = ["--listen", "127.0.0.1:0", "--ws", "127.0.0.1:0"];
    let daemon = Daemon::run(daemon(&[&addresses, &["--heartbeat-secs", heartbeat_secs][..]].concat()), 2);
    let http = daemon.addresses[1].replace("http://", "");
    (daemon, http)
}

/// Everything that must work through a proxy.
fn serves_all(front: impl FnOnce(&str, &str) -> Proxy) {
    let (daemon, direct) = hub("1");
    let front = front(&direct, CUT_AFTER);
    let mut ann = Page::open(&front.address, "ann");
    let idle = std::thread::spawn({
        let mut idle = Page::open(&front.address, "idle");
        move || {
            while idle.pings < 2 {
                assert!(idle.listen(), "the proxy cut it off after {} pings", idle.pings);
            }
            idle.say(r#"{"type":"identity"}"#);
            idle.expect("identity");
        }
    });
    pages_are_as_without_it(&front, &direct, &mut ann);
    programs_come_through_it(&front, &mut ann);
    idle.join().expect("it outlived the time-out");
    let mut client = Client::connect(&front.hub()).expect("the hub answers");
    daemon.signal("TERM");
    let last = client.next(Some(PATIENCE));
    assert!(matches!(last, Err(ClientError::Closing { code: ErrorCode::GoingAway, .. })), "{last:?}");
    assert_eq!(daemon.end().0, Some(0));
    let output = run(cubby(&front.hub(), &["id"]), b"");
    assert!(text(&output.stderr).contains("a proxy that does not reach the hub"), "{}", text(&output.stderr));
}

fn pages_are_as_without_it(front: &Proxy, direct: &str, ann: &mut Page) {
    assert_eq!(front.ask("/health"), (200, r#"{"status":"ok"}"#.to_owned()));
    let page = front.ask("/");
    assert!(page.0 == 200 && page.1.contains("<html") && page == ask(direct, "/", ""));
    assert_eq!(ask(&front.address, "/list", "Origin: http://elsewhere.example\r\n").0, 403);
    ann.say(r#"{"type":"join","room":"lobby"}"#);
    ann.expect("joined");
    for target in ["/rooms/lobby/members", "/rooms/lobby/history"] {
        assert_eq!(ask(direct, target, "").0, 200, "whoever is on this machine may look");
        assert_eq!(front.ask(target).0, 403, "who comes through the proxy may be anybody");
    }
    let mut bob = Page::open(&front.address, "bob");
    bob.say(r#"{"type":"join","room":"lobby"}"#);
    assert_eq!(bob.expect("joined")["sessions"], 2);
    bob.say(r#"{"type":"publish","room":"lobby","body":"hello ann"}"#);
    let event = ann.expect("message");
    assert_eq!((&event["userId"], &event["message"]), (&"bob".into(), &"hello ann".into()));
}

fn programs_come_through_it(front: &Proxy, ann: &mut Page) {
    let output = run(cubby(&front.hub(), &["pub", "lobby", "--name", "carl"]), b"hello page");
    assert!(text(&output.stdout).starts_with("published 10 bytes"), "{}", text(&output.stderr));
    let event = ann.expect("message");
    assert_eq!((&event["userId"], &event["message"]), (&"carl".into(), &"hello page".into()));
    let output = run(cubby(&front.hub(), &["stats"]), b"");
    assert!(text(&output.stderr).contains("only to clients on the hub's own machine"), "{}", text(&output.stderr));
    let mut client = Client::connect(&front.hub()).expect("the hub answers");
    let (own, large) = (client.welcome().user, vec![0xA5; 1 << 20]);
    assert_eq!(client.relay(&[own], &large).expect("a receipt"), [Status::Queued]);
    let heard = client.next(Some(PATIENCE)).expect("the hub is there");
    assert!(matches!(heard, Some(Push::Delivery(delivery)) if delivery.body == large));
}

#[test]
fn through_nginx_as_its_page_configures_it() {
    serves_all(nginx);
}

#[test]
fn through_haproxy_as_its_page_configures_it() {
    serves_all(haproxy);
}

#[test]
fn without_heartbeats_a_proxy_cuts_off_who_is_silent() {
    let (_daemon, direct) = hub("0");
    for front in [nginx(&direct, "300ms"), haproxy(&direct, "300ms")] {
        let mut page = Page::open(&front.address, "ann");
        assert!(!page.listen(), "nothing is said until the end");
    }
}
