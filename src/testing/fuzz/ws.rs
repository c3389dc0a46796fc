//! The door's fuzz body: messages out of any pieces, requests out of any text, and HTTP out of any bytes.

use super::{BOUNDS, pieces};
use crate::web::Dialect;
use crate::web::asks::{most_json, put_frame, put_request};
use crate::web::http::{Found, Rules, What, next};
use crate::web::margin::{Aside, Asked, each_frame};
use crate::wire::websocket::{Message, MessageReader, ProtocolError, Side, TEXT, encode_masked};
use crate::wire::{Answer, Decoder, Fault, Frame, HEADER_LEN, Header, Kind, Request};
use serde::de::IgnoredAny;

/// Whatever comes, in whatever pieces, leads to the same messages and the same verdict; and what they ask leads to
/// whole requests, or to a whole refusal. The first byte says which of the door's sides is tried.
pub fn ws(data: &[u8]) {
    let Some((&side, data)) = data.split_first() else { return };
    match side % 4 {
        0 => split(data),
        1 => ask(&String::from_utf8_lossy(data)),
        2 => say(data),
        _ => call(data),
    }
}

/// Bytes that a message may have: few, so that short inputs meet the limit.
const MOST: usize = 300;

/// What was said; and how much is kept of what is not whole, or why nothing more was said.
type Said = (Vec<Message<'static>>, Result<usize, ProtocolError>);

/// The byte that says how many cuts there are has its top bit set where a server sends.
fn split(data: &[u8]) {
    let Some((cuts, stream)) = pieces(data) else { return };
    let from = if data[0] & 0x80 == 0 { Side::Client } else { Side::Server };
    let whole = said(from, &[stream]);
    assert_eq!(said(from, &cuts), whole, "cut in {} pieces", cuts.len());
    assert_eq!(said(from, &stream.chunks(1).collect::<Vec<_>>()), whole, "a byte at a time");
}

fn said(from: Side, pieces: &[&[u8]]) -> Said {
    let mut messages = MessageReader::new(from);
    let mut said = Vec::new();
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut rest = &mut piece[..];
        loop {
            match messages.next(&mut rest, MOST) {
                Ok(Some(message)) => said.push(message.into_owned()),
                Ok(None) => break,
                Err(violation) => return (said, Err(violation)),
            }
        }
        assert!(rest.is_empty(), "nothing is left behind");
        assert!(messages.kept() <= 2 * MOST + 1000, "no more is kept than has come");
    }
    (said, Ok(messages.kept()))
}

/// A text that is masked and comes as a message is the text again; it leads to one request, or to one refusal.
fn ask(text: &str) {
    let mut message = Vec::new();
    encode_masked(TEXT, text.as_bytes(), [0x12, 0x34, 0x56, 0x78], &mut message);
    let mut messages = MessageReader::new(Side::Client);
    let heard = messages.next(&mut &mut message[..], most_json(&BOUNDS));
    assert_eq!(heard, Ok(Some(Message::Text(text.into()))));
    let mut requests = Vec::new();
    put_request(text, &BOUNDS, &mut requests);
    assert_eq!(check(Dialect::Json, &requests), 1, "{text}");
}

/// A binary message leads to one request, or to one refusal.
fn say(message: &[u8]) {
    let mut requests = Vec::new();
    put_frame(message, &mut requests);
    check(Dialect::Binary, &requests);
}

/// Counts the frames among requests that came through the door, each of which the hub's decoder must understand: it is
/// an aside, or decodes, or is refused as a native one would be.
fn check(dialect: Dialect, requests: &[u8]) -> usize {
    let mut count = 0;
    each_frame(requests, |header, bytes| {
        count += 1;
        let mut input = bytes;
        let Ok(Some(mut frame)) = Decoder::default().next(&mut input, |front| dialect.admit(&BOUNDS, front)) else {
            return assert!(BOUNDS.admit(bytes).is_err(), "{header:?} is whole");
        };
        dialect.open(&mut frame, &mut Asked::default());
        match Aside::of(&frame) {
            Some(Aside::Fault { fault, .. }) => refuse(dialect, &fault),
            _ if dialect == Dialect::Binary => {}
            _ => is_request(&frame),
        }
    });
    count
}

/// A refusal is one message, which a client can read.
fn refuse(dialect: Dialect, fault: &Fault) {
    let mut said = Vec::new();
    dialect.say(&Asked::default(), fault.tag, &Answer::from(fault), &mut said);
    assert_eq!(dialect.frame_len(&said), said.len());
    let message = MessageReader::new(Side::Server).next(&mut &mut said[..], usize::MAX);
    match message.expect("the hub keeps to the protocol").expect("it is whole") {
        Message::Text(text) => _ = serde_json::from_str::<IgnoredAny>(&text).expect("JSON"),
        Message::Binary(frame) => {
            let header = Header::decode(&frame).expect("a header");
            Answer::decode(header, &frame[HEADER_LEN..]).expect("an error");
        }
        other => panic!("{other:?}"),
    }
}

fn is_request(frame: &Frame<'_>) {
    assert!(Kind::of_request(frame.header.kind).is_some());
    let decoded = Request::decode(frame.header, frame.payload());
    assert!(decoded.is_ok(), "what the door writes, the hub reads: {decoded:?}");
}

/// A request over HTTP is the same, however much has come behind it, and so is its refusal.
fn call(bytes: &[u8]) {
    let whole = verdict(bytes);
    for end in 0..bytes.len().min(400) {
        let front = verdict(&bytes[..end]);
        assert!(front.is_none() || front == whole, "{front:?} of {end} bytes, {whole:?} of all");
    }
}

/// What a request asks and how long it is, or the status that refuses it; `None` where more is needed.
fn verdict(bytes: &[u8]) -> Option<Result<(String, usize), u16>> {
    match next(bytes, Rules { bounds: BOUNDS, origins: &[] }) {
        Ok(Found::More { .. }) => None,
        Ok(Found::Call(call, len)) => {
            assert!(len <= bytes.len(), "it has come");
            if let What::Work(requests) = &call.what {
                assert_eq!(check(Dialect::Http, requests), 1 + usize::from(call.closes), "it may end with a goodbye");
            }
            Some(Ok((format!("{call:?}"), len)))
        }
        Err(refusal) => {
            let next_at = refusal.next_at.unwrap_or(bytes.len());
            assert!(next_at > 0 && next_at <= bytes.len(), "the next one stands behind it");
            Some(Err(refusal.status))
        }
    }
}
