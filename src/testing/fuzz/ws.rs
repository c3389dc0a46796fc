//! The fuzz body of the web gateway: WebSocket messages in pieces of any size, JSON requests from any text, and HTTP
//! requests from any bytes.

use super::{BOUNDS, pieces};
use crate::hub::{Encoding, RequestContext};
use crate::web::codec::CODECS;
use crate::web::http::call::Action;
use crate::web::http::parse::{Parsed, Rules, parse};
use crate::web::json::request::{JsonRequest, RequestError, max_message_len};
use crate::web::{BINARY, JSON, binary};
use crate::wire::websocket::{Message, MessageReader, ProtocolError, Side, TEXT, encode_masked};
use crate::wire::{Answer, Fault, HEADER_LEN, Header, Request};
use serde::de::IgnoredAny;

/// A stream gives the same messages and the same error however it is split, and each message or HTTP request is one
/// request or one refusal. The first byte of the input chooses the check.
pub fn ws(data: &[u8]) {
    let Some((&side, data)) = data.split_first() else { return };
    match side % 4 {
        0 => split(data),
        1 => ask(&String::from_utf8_lossy(data)),
        2 => say(data),
        _ => call(data),
    }
}

/// The limit of a message in bytes: small, so that short inputs reach it.
const MOST: usize = 300;

/// The messages; and the bytes kept of an unfinished one, or the error that ended the stream.
type Said = (Vec<Message<'static>>, Result<usize, ProtocolError>);

/// The byte with the number of cuts has its top bit set if the sender is a server.
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
                Err(error) => return (said, Err(error)),
            }
        }
        assert!(rest.is_empty(), "nothing is left behind");
        assert!(messages.kept() <= 2 * MOST + 1000, "no more is kept than has come");
    }
    (said, Ok(messages.kept()))
}

/// A text that is sent as a masked message arrives unchanged. It is a request that the wire admits, or it is refused
/// with an error that a client can decode.
fn ask(text: &str) {
    let mut message = Vec::new();
    encode_masked(TEXT, text.as_bytes(), [0x12, 0x34, 0x56, 0x78], &mut message);
    let mut reader = MessageReader::new(Side::Client);
    let read = reader.next(&mut &mut message[..], max_message_len(&BOUNDS));
    assert_eq!(read, Ok(Some(Message::Text(text.into()))));
    match JsonRequest::parse(text, &BOUNDS) {
        Ok(json) => is_admitted(&json.request(), json.tag()),
        Err(RequestError { tag, fault, is_fatal }) => {
            let Fault { code, kind, text, .. } = &fault;
            let answer = Answer::Error { code: *code, kind: *kind, fatal: is_fatal, text };
            can_be_read(JSON, tag, &answer);
        }
    }
}

/// A binary message decodes to the request of its frame, or it is refused with an error that a client can decode.
fn say(message: &[u8]) {
    match binary::decode(message, &BOUNDS) {
        Ok((tag, request)) => {
            let mut frame = Vec::new();
            request.encode(tag, &mut frame);
            assert_eq!(frame, message, "{request:?}");
        }
        Err(fault) => {
            assert!(fault.code.is_fatal(), "{fault}");
            can_be_read(BINARY, Some(fault.tag), &Answer::from(&fault));
        }
    }
}

/// The frame of a request is admitted, and decodes to the same request. (Names that are too long for a frame are cut;
/// the hub refuses them.)
fn is_admitted(request: &Request<'_>, tag: Option<u16>) {
    let (mut frame, mut again) = (Vec::new(), Vec::new());
    request.encode(tag.unwrap_or_default(), &mut frame);
    let header = BOUNDS.admit(&frame).expect("it was admitted").expect("it is whole");
    assert_eq!(header.frame_len(), frame.len());
    let decoded = Request::decode(header, &frame[HEADER_LEN..]).expect("it was encoded from a request");
    decoded.encode(header.tag, &mut again);
    assert_eq!((again, decoded.kind()), (frame, request.kind()));
}

/// An answer is one message that a client can decode.
fn can_be_read(encoding: Encoding, tag: Option<u16>, answer: &Answer<'_>) {
    let codec = CODECS[usize::from(encoding == JSON)];
    let mut sent = Vec::new();
    codec.encode(&RequestContext { tag, ..RequestContext::default() }, answer, &mut sent);
    assert_eq!(codec.message_len(&sent), sent.len());
    let message = MessageReader::new(Side::Server).next(&mut &mut sent[..], usize::MAX);
    match message.expect("the hub keeps to the protocol").expect("it is whole") {
        Message::Text(text) => _ = serde_json::from_str::<IgnoredAny>(&text).expect("JSON"),
        Message::Binary(frame) => {
            let header = Header::decode(&frame).expect("a header");
            Answer::decode(header, &frame[HEADER_LEN..]).expect("an error");
        }
        other @ (Message::Ping(_) | Message::Pong | Message::Close(_)) => panic!("{other:?}"),
    }
}

/// An HTTP request, or its refusal, does not depend on the bytes that follow it.
fn call(bytes: &[u8]) {
    let whole = verdict(bytes);
    for end in 0..bytes.len().min(400) {
        let front = verdict(&bytes[..end]);
        assert!(front.is_none() || front == whole, "{front:?} of {end} bytes, {whole:?} of all");
    }
}

/// What a request wants and its length, or the status of its refusal; `None` if more input is needed.
fn verdict(bytes: &[u8]) -> Option<Result<(String, usize), u16>> {
    match parse(bytes, Rules { bounds: BOUNDS, origins: &[] }) {
        Ok(Parsed::Incomplete { .. }) => None,
        Ok(Parsed::Call(call, len)) => {
            assert!(len <= bytes.len(), "it has come");
            if let Action::Execute(post) = &call.action {
                let request = post.request();
                if BOUNDS.admit_request(&request, 0).is_ok() {
                    is_admitted(&request, None);
                }
            }
            Some(Ok((format!("{call:?}"), len)))
        }
        Err(refusal) => {
            let next_at = refusal.next_at.unwrap_or(bytes.len());
            assert!(next_at > 0 && next_at <= bytes.len(), "the next one is behind it");
            Some(Err(refusal.status))
        }
    }
}
