//! Gives every message of a WebSocket back, over the real loop and codec: what a conformance suite talks to.
//!
//! `cargo test --test echo -- --serve` prints where it listens, and serves until its standard input ends. Without
//! `--serve` it sends one message to itself.

use cubby::Server;
use cubby::web::messages::{Message, Messages, Other, TEXT, put_masked};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

/// Bytes that a message may have: the longest of the suite's.
const MOST: u32 = 16 << 20;

fn main() {
    let mut server = Server::builder().listen_http("127.0.0.1:0").max_body(MOST).echo().bind().expect("a port is free");
    let address = server.http_addresses()[0].to_string();
    let handle = server.handle();
    let hub = thread::spawn(move || server.run());
    if std::env::args().any(|argument| argument == "--serve") {
        println!("listening on ws://{address}/ws");
        std::io::stdin().read_to_end(&mut Vec::new()).expect("standard input can be read");
    } else {
        check(&address);
    }
    handle.stop().expect("it runs");
    hub.join().expect("the hub does not panic").expect("the poll works");
}

/// Sends a message, and waits for it to come back.
fn check(address: &str) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time");
    let mut request = b"GET /ws HTTP/1.1\r\nHost: echo\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    put_masked(TEXT, "caf\u{e9}".as_bytes(), [1, 2, 3, 4], &mut request);
    stream.write_all(&request).expect("it reads");
    let mut heard = Vec::new();
    let mut messages = Messages::new(Other::Server);
    loop {
        let mut buffer = [0; 1024];
        let count = stream.read(&mut buffer).expect("it answers");
        assert!(count > 0, "it goes on");
        heard.extend_from_slice(&buffer[..count]);
        let Some(head) = heard.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let mut said = heard[head + 4..].to_vec();
        if let Some(message) = messages.next(&mut &mut said[..], 100).expect("it keeps to the protocol") {
            return assert_eq!(message, Message::Text("caf\u{e9}".into()));
        }
        messages = Messages::new(Other::Server);
    }
}
