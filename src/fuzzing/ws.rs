//! The door's fuzz body: messages out of any pieces, requests out of any text, and HTTP out of any bytes.

use super::{BOUNDS, pieces};
use crate::door::Dialect;
use crate::door::asks::{most_json, put_frame, put_request};
use crate::door::http::{Found, Rules, next};
use crate::door::margin::{Aside, Asked, each_frame};
use crate::door::messages::{Message, Messages, Other, TEXT, Violation, put_masked};
use crate::wire::{Decoder, Frame, Kind, Request};

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

/// What was said, and why nothing more was.
type Said = (Vec<Message<'static>>, Option<Violation>);

fn split(data: &[u8]) {
    let Some((cuts, stream)) = pieces(data) else { return };
    let whole = said(&[stream]);
    assert_eq!(said(&cuts), whole, "cut in {} pieces", cuts.len());
    assert_eq!(said(&stream.chunks(1).collect::<Vec<_>>()), whole, "a byte at a time");
}

fn said(pieces: &[&[u8]]) -> Said {
    let mut messages = Messages::new(Other::Client);
    let mut said = Vec::new();
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut rest = &mut piece[..];
        loop {
            match messages.next(&mut rest, MOST) {
                Ok(Some(message)) => said.push(owned(message)),
                Ok(None) => break,
                Err(violation) => return (said, Some(violation)),
            }
        }
        assert!(rest.is_empty(), "nothing is left behind");
        assert!(messages.kept() <= 2 * MOST + 1000, "no more is kept than has come");
    }
    (said, None)
}

fn owned(message: Message<'_>) -> Message<'static> {
    match message {
        Message::Text(text) => Message::Text(text.into_owned().into()),
        Message::Binary(bytes) => Message::Binary(bytes.into_owned().into()),
        Message::Ping(bytes) => Message::Ping(bytes.into_owned().into()),
        Message::Pong => Message::Pong,
        Message::Close(code) => Message::Close(code),
    }
}

/// A text that is masked and comes as a message is the text again; it leads to one request, or to one refusal.
fn ask(text: &str) {
    let mut message = Vec::new();
    put_masked(TEXT, text.as_bytes(), [0x12, 0x34, 0x56, 0x78], &mut message);
    let mut messages = Messages::new(Other::Client);
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
        if Aside::of(&frame).is_none() && dialect == Dialect::Json {
            is_request(&frame);
        }
    });
    count
}

fn is_request(frame: &Frame<'_>) {
    assert!(Kind::of_request(frame.header.kind).is_some());
    let decoded = Request::decode(frame.header, frame.payload());
    assert!(decoded.is_ok(), "what the door writes, the hub reads: {decoded:?}");
}

/// A request over HTTP is the same, however much has come behind it, and so is its refusal.
fn call(bytes: &[u8]) {
    let rules = Rules { bounds: BOUNDS, origins: &[] };
    let whole = verdict(next(bytes, rules));
    for end in 0..bytes.len().min(400) {
        let front = verdict(next(&bytes[..end], rules));
        assert!(front.is_none() || front == whole, "{front:?} of {end} bytes, {whole:?} of all");
    }
}

/// How long a request is, or the status that refuses it; `None` where more is needed.
fn verdict(found: Result<Found, crate::door::http::Refusal>) -> Option<(usize, u16)> {
    match found {
        Ok(Found::Call(_, len)) => Some((len, 200)),
        Ok(Found::More { .. }) => None,
        Err(refusal) => Some((0, refusal.status)),
    }
}
