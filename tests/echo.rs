//! A small WebSocket server over the crate's framing that echoes every message: the target of the conformance suite.
//!
//! `cargo test --test echo -- --serve` prints its address, and serves until its standard input ends. Without
//! `--serve` it sends some messages to itself.

use cubby::wire::websocket::{self, BINARY, Message, MessageReader, PONG, ProtocolError, Side, TEXT};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// The limit of a message in bytes: the length of the suite's longest one.
const MAX_MESSAGE: usize = 16 << 20;

/// How long a connection may be silent.
const TIMEOUT: Duration = Duration::from_secs(60);

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it listens").to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("it can accept");
            // The suite resets connections, so an error here is not the server's fault.
            thread::spawn(move || serve(stream));
        }
    });
    if std::env::args().any(|argument| argument == "--serve") {
        println!("listening on ws://{address}/");
        io::stdin().read_to_end(&mut Vec::new()).expect("standard input can be read");
    } else {
        check(&address);
    }
}

/// Serves one connection to its end.
fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let mut input = shake_hands(&mut stream)?;
    let mut messages = MessageReader::new(Side::Client);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let mut output = Vec::new();
        let goes_on = echo(&mut messages, &mut input, &mut output);
        stream.write_all(&output)?;
        if !goes_on {
            break;
        }
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        input.extend_from_slice(&buffer[..count]);
    }
    // The client reads the close frame and ends its side. A close with unread bytes would reset the connection.
    stream.shutdown(Shutdown::Write)?;
    while stream.read(&mut buffer)? > 0 {}
    Ok(())
}

/// Reads the request that opens a WebSocket, and agrees to it. Returns what came behind the request.
fn shake_hands(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    let end = loop {
        if let Some(at) = head.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at + 4;
        }
        let count = stream.read(&mut buffer)?;
        if count == 0 || head.len() > 1 << 16 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.extend_from_slice(&buffer[..count]);
    };
    let input = head.split_off(end);
    let head = String::from_utf8_lossy(&head);
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    let key = headers.find(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Key"));
    let accept = websocket::accept_key(key.ok_or(io::ErrorKind::InvalidData)?.1.trim());
    let reply =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
    stream.write_all(format!("{reply}{accept}\r\n\r\n").as_bytes())?;
    Ok(input)
}

/// Takes all whole messages out of `input`, and puts the answer to each into `output`. Returns whether the connection
/// continues.
fn echo(messages: &mut MessageReader, input: &mut Vec<u8>, output: &mut Vec<u8>) -> bool {
    let mut rest = &mut input[..];
    let goes_on = loop {
        match messages.next(&mut rest, MAX_MESSAGE) {
            Ok(None) => break true,
            Ok(Some(Message::Text(text))) => websocket::encode(TEXT, text.as_bytes(), output),
            Ok(Some(Message::Binary(bytes))) => websocket::encode(BINARY, &bytes, output),
            Ok(Some(Message::Ping(payload))) => websocket::encode(PONG, &payload, output),
            Ok(Some(Message::Pong)) => {}
            Ok(Some(Message::Close(code))) => {
                websocket::encode_close(if code == NO_CODE { 1000 } else { code }, "", output);
                break false;
            }
            Err(error) => {
                websocket::encode_close(error.code(), error.text(), output);
                break false;
            }
        }
    };
    // The reader keeps an unfinished message.
    input.clear();
    goes_on
}

/// The code that stands for a close frame without one.
const NO_CODE: u16 = 1005;

/// Sends messages in small pieces, and waits for each to come back.
fn check(address: &str) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a time");
    stream.set_nodelay(true).expect("no delay");
    let mut request = b"GET / HTTP/1.1\r\nHost: echo\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    websocket::encode_masked(TEXT, "caf\u{e9}".as_bytes(), [1, 2, 3, 4], &mut request);
    websocket::encode_masked(BINARY, &[7; 70_000], [5, 6, 7, 8], &mut request);
    websocket::encode_masked(websocket::PING, b"there?", [9, 9, 9, 9], &mut request);
    websocket::encode_masked(websocket::CLOSE, &4000_u16.to_be_bytes(), [0, 1, 0, 1], &mut request);
    request.chunks(5000).for_each(|piece| stream.write_all(piece).expect("it reads"));
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).expect("it ends after the close frame");
    let head = heard.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("the head is whole") + 4;
    let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    assert!(String::from_utf8_lossy(&heard[..head]).contains(accept), "RFC 6455, section 1.3");
    let mut messages = MessageReader::new(Side::Server);
    let mut rest = &mut heard[head..];
    let mut next = || messages.next(&mut rest, MAX_MESSAGE);
    assert_eq!(next(), Ok(Some(Message::Text("caf\u{e9}".into()))));
    assert_eq!(next(), Ok(Some(Message::Binary([7; 70_000][..].into()))));
    // The reader reports a pong without its payload.
    assert_eq!([next(), next(), next()], [Ok(Some(Message::Pong)), Ok(Some(Message::Close(4000))), Ok(None)]);
    refuses(address);
}

/// Breaks the protocol, and waits for the close frame.
fn refuses(address: &str) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a time");
    let request = b"GET / HTTP/1.1\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x83\x80\0\0\0\0";
    stream.write_all(request).expect("it reads");
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).expect("it ends after the close frame");
    let code = ProtocolError::Invalid("").code().to_be_bytes();
    let head = heard.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("the head is whole") + 4;
    assert_eq!((heard[head], &heard[head + 2..head + 4]), (0x88, &code[..]));
}
