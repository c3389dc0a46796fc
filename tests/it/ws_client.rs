//! The blocking client and `cubby` over WebSocket: against the real daemon, and against servers that are no hub.

use crate::chat::{Chat, Proxy};
use crate::support::*;
use cubby::wire::websocket::{self, Message, MessageReader, Side};
use cubby::{Client, ClientError, ErrorCode, EventType, Push, Status, UserId};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::thread::JoinHandle;
use std::time::Duration;

/// A daemon with a native and a WebSocket listener, and its `ws://` address.
fn hub(arguments: &[&str]) -> (Daemon, String) {
    let arguments = [&["--listen", "127.0.0.1:0", "--ws", "127.0.0.1:0"], arguments].concat();
    let daemon = Daemon::run(daemon(&arguments), 2);
    let address = daemon.addresses[1].replace("http://", "ws://");
    (daemon, address)
}

fn connect(address: &str) -> Client {
    Client::connect(address).expect("the hub answers")
}

fn own_id(client: &Client) -> u64 {
    client.welcome().user.to_string().parse().expect("a number")
}

/// Bytes that differ from place to place.
fn body(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn delivered(client: &mut Client) -> Vec<u8> {
    match client.next(Some(PATIENCE)).expect("the hub is there") {
        Some(Push::Delivery(delivery)) => delivery.body,
        other => panic!("{other:?} in place of a delivery"),
    }
}

#[test]
fn bodies_of_every_length_of_header_go_both_ways() {
    let (daemon, address) = hub(&[]);
    let (mut native, mut ann, mut bob) = (daemon.connect(), connect(&address), connect(&address));
    let native_id = native.id();
    assert_eq!(ann.list().expect("an answer").len(), 2);
    // The length of a message takes one byte, or two or eight more; a delivery's frame has 16 bytes before its body.
    for len in [0, 1, 109, 110, 65_519, 65_520, 1 << 20] {
        let body = body(len);
        let to = [bob.identity().expect("an answer"), UserId(native_id)];
        assert_eq!(ann.relay(&to, &body).expect("a receipt"), [Status::Queued; 2]);
        assert!(delivered(&mut bob) == body, "{len}");
        assert!(native.receive() == Frame::new(DELIVER, 0, 0, deliver(own_id(&ann), &body)), "{len}");
        native.send(&frame(RELAY, 0, 1, relay(&[own_id(&bob)], &body)));
        assert!(delivered(&mut bob) == body, "{len}");
    }
    let too_large = ann.relay(&[UserId(native_id)], &vec![0; (1 << 20) + 1]);
    assert!(matches!(too_large, Err(ClientError::TooLarge { .. })));
    assert!(ann.stats().expect("the hub is here").contains("\"users\""));
}

#[test]
fn rooms_names_and_history_are_as_by_any_address() {
    let (daemon, address) = hub(&[]);
    let mut native = daemon.connect();
    native.hello("bob");
    native.join("lobby");
    let mut ann = Client::connect_as(&address, "ann", PATIENCE).expect("the hub answers");
    assert_eq!(ann.join("lobby").expect("it may").sessions, 2);
    native.event();
    native.publish("lobby", b"hello");
    assert_eq!(ann.publish("lobby", b"hello bob").expect("it may"), 4);
    let mut heard = || match ann.next(Some(PATIENCE)).expect("the hub is there") {
        Some(Push::Event(event)) => (event.id, event.what, event.name, event.body),
        other => panic!("{other:?} in place of an event"),
    };
    assert_eq!(heard(), (2, EventType::Join, "ann".to_owned(), vec![]));
    assert_eq!(heard(), (3, EventType::Message, "bob".to_owned(), b"hello".to_vec()));
    assert_eq!(heard(), (4, EventType::Message, "ann".to_owned(), b"hello bob".to_vec()));
    assert_eq!(ann.history("lobby", 0, 10).expect("it is in").events.len(), 4);
    assert_eq!(ann.who("lobby").expect("it is in").len(), 2);
    assert_eq!(ann.send(&["bob", "eve"], b"you").expect("a receipt"), [Status::Queued, Status::Unknown]);
    ann.leave("lobby").expect("it was in");
    assert!(matches!(ann.who("lobby"), Err(ClientError::Refused { code: ErrorCode::NotInRoom, fatal: false, .. })));
    let bad_name = Client::connect_as(&address, "\u{1b}", PATIENCE);
    assert!(matches!(bad_name, Err(ClientError::Refused { code: ErrorCode::BadName, .. })), "{bad_name:?}");
}

#[test]
fn what_came_with_other_frames_is_found_without_a_wait() {
    let (daemon, address) = hub(&[]);
    let (mut native, mut ann) = (daemon.connect(), connect(&address));
    let to = relay(&[own_id(&ann)], b"one of many");
    native.send(&frame(RELAY, 0, 0, to).repeat(500));
    native.id();
    ann.identity().expect("all before it has come");
    for number in 0..500 {
        assert!(ann.next(Some(Duration::ZERO)).expect("the hub is there").is_some(), "{number}");
    }
    assert_eq!(ann.next(Some(Duration::ZERO)).expect("the hub is there"), None);
}

#[test]
fn whoever_polls_the_connection_misses_nothing_of_a_large_body() {
    let (daemon, address) = hub(&[]);
    let (mut native, mut ann) = (daemon.connect(), connect(&address));
    let large = body(1 << 20);
    native.send(&frame(RELAY, 0, 0, relay(&[own_id(&ann)], &large)).repeat(3));
    let mut heard = 0;
    while heard < 3 {
        match ann.next(Some(Duration::ZERO)).expect("the hub is there") {
            Some(Push::Delivery(delivery)) => {
                assert!(delivery.body == large);
                heard += 1;
            }
            Some(other) => panic!("{other:?} in place of a delivery"),
            None => {
                let patience = PollTimeout::try_from(PATIENCE).expect("short");
                let ready = poll(&mut [PollFd::new(ann.as_fd(), PollFlags::POLLIN)], patience);
                assert_eq!(ready, Ok(1), "more comes");
            }
        }
    }
}

#[test]
fn a_hub_that_stops_is_heard_to_say_so() {
    let (daemon, address) = hub(&[]);
    let mut ann = connect(&address);
    daemon.signal("TERM");
    match ann.next(Some(PATIENCE)) {
        Err(ClientError::Closing { code: ErrorCode::GoingAway, .. }) => {}
        other => panic!("{other:?} in place of CLOSING"),
    }
    assert!(matches!(ann.next(Some(PATIENCE)), Err(ClientError::Closed)), "its close frame is the end");
    assert!(ann.identity().is_err());
    assert_eq!(daemon.end().0, Some(0));
}

#[test]
fn a_client_that_only_waits_outlives_the_idle_time() {
    let (daemon, address) = hub(&["--heartbeat-secs", "1", "--idle-secs", "2"]);
    let (mut native, mut ann) = (daemon.connect(), connect(&address));
    let waiting = std::thread::spawn(move || delivered(&mut ann));
    let to = loop {
        if let [to] = native.list()[..] {
            break to;
        }
    };
    for _ in 0..3 {
        assert_eq!(native.receive().kind, BEAT, "a heartbeat has passed");
        native.send(&frame(ALIVE, 0, 0, []));
    }
    native.send(&frame(RELAY, 0, 0, relay(&[to], b"still here")));
    assert_eq!(waiting.join().expect("it was delivered"), b"still here");
}

#[test]
fn a_chat_loses_its_connection_and_finds_the_hub_again() {
    let (daemon, address) = hub(&[]);
    let proxy = Proxy::start(address.strip_prefix("ws://").expect("as it was made"));
    let mut bob = Chat::start(&daemon.addresses[0], "bob");
    bob.type_line("attach lobby");
    assert_eq!(bob.shown(), "[r/lobby]> bob joined");
    let mut ann = Chat::start(&format!("ws://{}", proxy.address), "ann");
    let cut = proxy.let_through();
    ann.type_line("attach lobby");
    assert_eq!((ann.shown(), bob.shown()), ("[r/lobby]> ann joined".to_owned(), "[r/lobby]> ann joined".to_owned()));
    ann.type_line("hello bob");
    assert_eq!(ann.shown(), "[r/lobby]> (@ann): hello bob");
    assert_eq!(bob.shown(), "[r/lobby]> (@ann): hello bob");
    cut();
    assert!(ann.said().contains("trying to reconnect"));
    assert_eq!(bob.shown(), "[r/lobby]> ann left");
    bob.type_line("where are you?");
    assert_eq!(bob.shown(), "[r/lobby]> (@bob): where are you?");
    let _cut = proxy.let_through();
    assert_eq!(ann.said(), "cubby: the hub is back");
    for line in ["ann left", "(@bob): where are you?", "ann joined"] {
        assert_eq!(ann.shown(), format!("[r/lobby]> {line}"));
    }
    assert_eq!((ann.end().2, bob.end().2), (Some(0), Some(0)));
}

/// The exit code and the error line of `cubby id` with an address that does not work.
fn complaint(address: &str) -> (i32, String) {
    let output = run(cubby(address, &["id", "--timeout", "5"]), b"");
    let said = text(&output.stderr).to_owned();
    assert!(said.lines().count() == 1 && output.stdout.is_empty(), "{said}");
    (output.status.code().expect("it ends by itself"), said)
}

#[test]
fn an_address_where_no_hub_answers_is_told_with_what_to_do() {
    let (daemon, address) = hub(&[]);
    let native = &daemon.addresses[0];
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    for (address, code, what) in [
        (
            format!("{address}/nowhere").replace("/ws/", "/"),
            1,
            "it answers 404 Not Found (there is nothing at /nowhere)",
        ),
        (format!("{address}/health"), 1, "it answers 200 OK; a hub's WebSocket is at the path /ws"),
        (format!("ws://{native}"), 1, "write a hub's native address without ws://"),
        (address.replace("ws://", ""), 1, "begins with ws://"),
        (format!("ws://{nobody}"), 1, "is it running?"),
        (address.replace("ws://", "wss://"), 2, "TLS is not supported"),
        (address.replace("ws://", "http://"), 2, "the only scheme is ws://"),
    ] {
        let (exit, said) = complaint(&address);
        assert!(exit == code && said.contains(what), "{address}: {exit} {said}");
    }
    let output = run(cubby(&address, &["bench"]), b"");
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("for a WebSocket choose --protocol ws or json"), "{said}");
}

#[test]
fn a_hub_that_is_full_says_so() {
    let (_daemon, address) = hub(&["--max-connections", "1"]);
    let _the_only_one = connect(&address);
    let (exit, said) = complaint(&address);
    assert!(exit == 1 && said.contains("it answers 503 Service Unavailable (too many connections"), "{said}");
}

/// Starts a server that answers one connection, and returns its address.
fn server<T: Send + 'static>(answer: impl FnOnce(TcpStream) -> T + Send + 'static) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("ws://{}", listener.local_addr().expect("bound"));
    let answering = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        answer(stream)
    });
    (address, answering)
}

/// Reads a request byte by byte, so that nothing after it is lost.
fn request(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a whole request comes");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("a request is text")
}

fn key(request: &str) -> &str {
    request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("such a header")
}

fn agreement(key: &str, protocol: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\
         Sec-WebSocket-Protocol: {protocol}\r\n\r\n",
        websocket::accept_key(key)
    )
}

#[test]
fn a_server_that_is_no_hub_is_told_apart() {
    let json = |text: &str| format!("Content-Length: {}\r\n\r\n{text}", text.len());
    let forbidden = json(r#"{"status":403,"error":"not\u001b[2Jyou"}"#);
    for (answer, what) in [
        (String::new(), "it closed the connection without a response"),
        ("SSH-2.0-OpenSSH_9.2\r\n".to_owned(), "speaks no HTTP"),
        (format!("HTTP/1.1 403 Forbidden\r\n{forbidden}"), "it answers 403 Forbidden (not\\u{1b}[2Jyou)"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n<html>no".to_owned(), "this comes from a proxy that does not reach the hub"),
        ("HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n".to_owned(), "give the address it leads to"),
        ("HTTP/1.1 426 Upgrade Required\r\n\r\n".to_owned(), "must pass on the headers Upgrade and Connection"),
        (format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(100)), "headers without end"),
        (agreement("another key", "cubby.v1"), "does not know how to become a WebSocket"),
    ] {
        let (address, answering) = server(move |mut stream| {
            request(&mut stream);
            stream.write_all(answer.as_bytes()).expect("it reads");
        });
        let (exit, said) = complaint(&address);
        assert!(exit == 1 && said.contains(what), "{said}");
        answering.join().expect("it answered");
    }
    let (address, answering) = server(|mut stream| {
        let asked = request(&mut stream);
        stream.write_all(agreement(key(&asked), "chat").as_bytes()).expect("it reads");
    });
    let (_, said) = complaint(&address);
    assert!(said.contains("does not speak cubby.v1"), "{said}");
    answering.join().expect("it answered");
}

#[test]
fn one_that_answers_nothing_is_waited_for_no_longer_than_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("ws://{}", listener.local_addr().expect("bound"));
    match Client::connect_as(&address, "", Duration::from_millis(50)) {
        Err(ClientError::Connect { source, .. }) => assert_eq!(source.kind(), std::io::ErrorKind::TimedOut),
        other => panic!("{other:?} in place of a time-out"),
    }
}

/// A frame in a message, as a hub sends it.
fn message(frame: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    websocket::encode(websocket::BINARY, frame, &mut bytes);
    bytes
}

/// The WELCOME of a hub that accepts bodies of 4 MiB.
fn welcome() -> Vec<u8> {
    let payload = [&[1][..], &7u64.to_be_bytes(), &(4u32 << 20).to_be_bytes(), &[0, 255, 0, 30, 0], &str8("cubby/9")];
    frame(0x81, 0, 1, payload.concat())
}

/// Reads from a client until `count` messages are complete.
fn heard(stream: &mut TcpStream, messages: &mut MessageReader, count: usize) -> Vec<Message<'static>> {
    let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
    while heard.len() < count {
        let read = stream.read(&mut buffer).expect("more comes");
        assert!(read > 0, "it ends before that: {heard:?}");
        let mut input = &mut buffer[..read];
        while let Some(message) = messages.next(&mut input, 8 << 20).expect("a client keeps to the protocol") {
            heard.push(match message {
                Message::Binary(frame) => Message::Binary(frame.into_owned().into()),
                Message::Ping(payload) => Message::Ping(payload.into_owned().into()),
                Message::Text(text) => Message::Text(text.into_owned().into()),
                Message::Close(code) => Message::Close(code),
                Message::Pong => Message::Pong,
            });
        }
    }
    heard
}

#[test]
fn what_a_server_may_do_with_messages_is_understood() {
    let (address, serving) = server(|mut stream| {
        let asked = request(&mut stream);
        // The first messages come with the answer to the handshake, one of them in pieces around a ping.
        let mut said = agreement(key(&asked), "cubby.v1").into_bytes();
        let mut pieces = message(&welcome()[..9]);
        pieces[0] = websocket::BINARY;
        websocket::encode(websocket::PING, b"are you there?", &mut pieces);
        let mut rest = message(&welcome()[9..]);
        rest[0] = 0x80;
        said.extend([pieces, rest].concat());
        websocket::encode(websocket::PONG, b"", &mut said);
        stream.write_all(&said).expect("it reads");
        let mut messages = MessageReader::new(Side::Client);
        let first = heard(&mut stream, &mut messages, 2);
        assert!(first.contains(&Message::Pong), "{first:?}");
        let mut closing = message(&frame(CLOSING, 0, 0, [0, 11, 3, b'b', b'y', b'e']));
        websocket::encode_close(1001, "going away", &mut closing);
        stream.write_all(&closing).expect("it reads");
        assert!(matches!(heard(&mut stream, &mut messages, 1)[..], [Message::Close(_)]), "it says goodbye as well");
        (asked, stream)
    });
    let mut client = connect(&format!("{address}/chat/ws?by=proxy"));
    assert_eq!(client.welcome().server, "cubby/9");
    assert!(matches!(client.next(Some(PATIENCE)), Err(ClientError::Closing { code: ErrorCode::GoingAway, .. })));
    assert!(matches!(client.next(Some(PATIENCE)), Err(ClientError::Closed)));
    // Until here the server has not ended the connection.
    let (asked, _stream) = serving.join().expect("all was as expected");
    assert!(asked.starts_with("GET /chat/ws?by=proxy HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains(&format!("\r\nHost: {}\r\n", &address[5..])), "{asked}");
    assert!(key(&asked).len() == 24 && key(&asked).ends_with("=="), "{asked}");
}

#[test]
fn a_ping_in_the_middle_of_a_large_frame_is_answered_behind_it() {
    let (address, serving) = server(|mut stream| {
        let asked = request(&mut stream);
        let mut said = agreement(key(&asked), "cubby.v1").into_bytes();
        said.extend(message(&welcome()));
        stream.write_all(&said).expect("it reads");
        let mut messages = MessageReader::new(Side::Client);
        heard(&mut stream, &mut messages, 1);
        // It cannot be sent completely while the server does not read, so the client reads meanwhile.
        let mut first = [0];
        stream.peek(&mut first).expect("the large frame comes");
        let mut ping = Vec::new();
        websocket::encode(websocket::PING, b"in the middle", &mut ping);
        stream.write_all(&ping).expect("it reads");
        stream.write_all(&message(&frame(DELIVER, 0, 0, deliver(9, b"meanwhile")))).expect("it reads");
        let asked = heard(&mut stream, &mut messages, 2);
        assert!(matches!(&asked[0], Message::Binary(frame) if frame.len() == 8 + 10 + (4 << 20)), "the frame is whole");
        assert_eq!(asked[1..], [Message::Pong]);
        stream.write_all(&message(&frame(0x84, 0, 2, [0, 1, 0]))).expect("it reads");
    });
    let mut client = connect(&address);
    assert_eq!(client.relay(&[UserId(9)], &body(4 << 20)).expect("a receipt"), [Status::Queued]);
    assert_eq!(delivered(&mut client), b"meanwhile");
    serving.join().expect("all was as expected");
}

#[test]
fn a_server_that_breaks_the_protocol_is_no_hub() {
    let mut text = Vec::new();
    websocket::encode(websocket::TEXT, b"{}", &mut text);
    let masked = {
        let mut bytes = Vec::new();
        websocket::encode_masked(websocket::BINARY, &welcome(), [1, 2, 3, 4], &mut bytes);
        bytes
    };
    for (said, what) in [
        (text, "a text message"),
        (masked, "a server does not"),
        (vec![0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0], "over the limit"),
        (message(b"GET / HTTP/1.1"), "the byte 0x47"),
    ] {
        let (address, serving) = server(move |mut stream| {
            let asked = request(&mut stream);
            let said = [agreement(key(&asked), "cubby.v1").into_bytes(), said].concat();
            stream.write_all(&said).expect("it reads");
            key(&asked).to_owned()
        });
        let error = Client::connect(&address).expect_err("it is no hub");
        assert!(error.to_string().contains(what), "{error}");
        serving.join().expect("it answered");
    }
}
