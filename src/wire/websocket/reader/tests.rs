//! Messages of all types, in pieces of any size, and every violation of the protocol.

use super::*;
use crate::wire::websocket::frame::{FIN, MASKED, MAX_CONTROL};
use crate::wire::websocket::{encode, encode_masked};
use proptest::prelude::*;
use proptest::sample::Index;

const KEY: [u8; MASK_LEN] = [0x11, 0x82, 0x43, 0xE4];
const LIMIT: usize = 300;

/// One frame from a client, or from a server.
fn frame(sender: Side, first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match sender {
        Side::Client => encode_masked(first, payload, KEY, &mut out),
        Side::Server => encode(first, payload, &mut out),
    }
    out[0] = first;
    out
}

fn asked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(Side::Client, first, payload)
}

/// Messages in order, and why there was no further one.
type Outcome = (Vec<Message<'static>>, Option<ProtocolError>);

fn feed(reader: &mut MessageReader, piece: &[u8]) -> Outcome {
    let mut bytes = piece.to_vec();
    let (mut input, mut messages) = (&mut bytes[..], Vec::new());
    loop {
        match reader.next(&mut input, LIMIT) {
            Ok(Some(message)) => messages.push(message.into_owned()),
            Ok(None) => break,
            Err(error) => return (messages, Some(error)),
        }
    }
    assert!(input.is_empty(), "nothing is left behind");
    (messages, None)
}

fn outcome<'p>(sender: Side, pieces: impl IntoIterator<Item = &'p [u8]>) -> Outcome {
    let mut reader = MessageReader::new(sender);
    let mut messages = Vec::new();
    for piece in pieces {
        let (more, error) = feed(&mut reader, piece);
        messages.extend(more);
        if error.is_some() {
            return (messages, error);
        }
    }
    (messages, None)
}

fn close_code(bytes: &[u8]) -> Option<u16> {
    outcome(Side::Client, [bytes]).1.map(ProtocolError::code)
}

/// What one side may send, and the ends of its messages.
#[derive(Debug, Default)]
struct Stream {
    bytes: Vec<u8>,
    messages: Vec<Message<'static>>,
    rests: Vec<usize>,
}

/// A message: its opcode and payload, the positions at which it is cut into frames, and whether pings are sent between
/// the frames.
type Item = (u8, String, Vec<Index>, bool);

fn item() -> impl Strategy<Value = Item> {
    let opcode = prop::sample::select(vec![TEXT, BINARY, PING, PONG]);
    (opcode, "[a-zé李😀]{0,30}|[a-z]{126,140}", prop::collection::vec(any::<Index>(), 0..4), any::<bool>())
}

fn stream(sender: Side, items: &[Item]) -> Stream {
    let mut stream = Stream { rests: vec![0], ..Stream::default() };
    for (opcode, text, cuts, pinged) in items {
        if *opcode >= CLOSE {
            let payload = &text.as_bytes()[..text.len().min(MAX_CONTROL)];
            stream.bytes.extend(frame(sender, FIN | opcode, payload));
            let ping = Message::Ping(payload.to_vec().into());
            stream.messages.push(if *opcode == PING { ping } else { Message::Pong });
        } else {
            put_in_frames(sender, *opcode, text, cuts, *pinged, &mut stream);
        }
        stream.rests.push(stream.bytes.len());
    }
    stream
}

fn put_in_frames(sender: Side, opcode: u8, text: &str, cuts: &[Index], pinged: bool, stream: &mut Stream) {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).chain([text.len()]).collect();
    ends.sort_unstable();
    let mut start = 0;
    for (place, &end) in ends.iter().enumerate() {
        let last = place + 1 == ends.len();
        let first = if place == 0 { opcode } else { CONTINUATION } | if last { FIN } else { 0 };
        stream.bytes.extend(frame(sender, first, &text.as_bytes()[start..end]));
        if pinged && !last {
            stream.bytes.extend(frame(sender, FIN | PING, b"there?"));
            stream.messages.push(Message::Ping(b"there?".as_slice().into()));
        }
        start = end;
    }
    let (text, bytes) = (Message::Text(text.to_owned().into()), Message::Binary(text.as_bytes().to_vec().into()));
    stream.messages.push(if opcode == TEXT { text } else { bytes });
}

proptest! {
    #[test]
    fn messages_are_read_in_pieces_of_any_size(
        items in prop::collection::vec(item(), 0..6),
        masked in any::<bool>(),
        len in 1usize..40,
    ) {
        let sender = if masked { Side::Client } else { Side::Server };
        let stream = stream(sender, &items);
        prop_assert_eq!(outcome(sender, [&stream.bytes[..]]), (stream.messages, None));
        prop_assert_eq!(outcome(sender, stream.bytes.chunks(len)), outcome(sender, [&stream.bytes[..]]));
    }

    #[test]
    fn bytes_are_kept_only_while_a_message_is_unfinished(items in prop::collection::vec(item(), 0..3)) {
        let stream = stream(Side::Client, &items);
        for at in 0..=stream.bytes.len() {
            let mut reader = MessageReader::new(Side::Client);
            feed(&mut reader, &stream.bytes[..at]);
            prop_assert_eq!(reader.kept() == 0, stream.rests.contains(&at), "{} bytes", at);
            prop_assert_eq!(reader.kept() == 0, reader.unfinished.is_none());
        }
    }

    #[test]
    fn corrupt_bytes_get_the_same_verdict_in_pieces_of_any_size(
        items in prop::collection::vec(item(), 1..6),
        wrong in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
        len in 1usize..40,
    ) {
        let mut bytes = stream(Side::Client, &items).bytes;
        for (at, byte) in wrong {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let whole = outcome(Side::Client, [&bytes[..]]);
        prop_assert_eq!(outcome(Side::Client, bytes.chunks(len)), whole);
    }

    #[test]
    fn a_payload_is_unmasked_wherever_it_is_cut(payload: [u8; 40], mask: [u8; MASK_LEN], cut in 0usize..40) {
        let each = |at: usize, byte: u8| byte ^ mask[at % MASK_LEN];
        let unmasked: Vec<u8> = payload.iter().enumerate().map(|(at, &byte)| each(at, byte)).collect();
        let mut bytes = payload;
        apply_mask(&mut bytes[..cut], mask, 0);
        apply_mask(&mut bytes[cut..], mask, cut);
        prop_assert_eq!(&bytes[..], &unmasked[..]);
    }
}

#[test]
fn frames_that_break_the_protocol_are_1002() {
    let asked_in_two = |opcode, then| [asked(opcode, b"a"), asked(then, b"b")].concat();
    for (what, bytes) in [
        ("a reserved bit", asked(FIN | 0x40 | TEXT, b"")),
        ("an opcode for data that means nothing", asked(FIN | 0x3, b"")),
        ("an opcode for control that means nothing", asked(FIN | 0xB, b"")),
        ("no mask", frame(Side::Server, FIN | TEXT, b"")),
        ("a ping in pieces", asked(PING, b"")),
        ("a long ping", asked(FIN | PING, &[0; 126])),
        ("a continuation of nothing", asked(FIN, b"")),
        ("a text within a text", asked_in_two(TEXT, FIN | TEXT)),
        ("a binary within a text", asked_in_two(TEXT, FIN | BINARY)),
        ("a length in two bytes that fits in one", vec![FIN | BINARY, MASKED | 126, 0, 125]),
        ("a length in eight bytes that fits in two", vec![FIN | BINARY, MASKED | 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]),
        ("a length with its top bit set", vec![FIN | BINARY, MASKED | 127, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ("half a status code", asked(FIN | CLOSE, &[3])),
        ("a status code that nobody may send", asked(FIN | CLOSE, &1006u16.to_be_bytes())),
    ] {
        assert_eq!(close_code(&bytes), Some(1002), "{what}");
    }
    let masked = asked(FIN | TEXT, b"");
    assert_eq!(outcome(Side::Server, [&masked[..]]).1.map(ProtocolError::code), Some(1002), "a mask from a server");
}

#[test]
fn text_that_is_not_utf_8_is_1007_with_its_first_wrong_byte() {
    assert_eq!(close_code(&asked(FIN | TEXT, &[0xC3])), Some(1007), "half a character at the end");
    assert_eq!(close_code(&[asked(TEXT, &[0xC3]), asked(FIN, &[0xA9])].concat()), None, "cut within a character");
    assert_eq!(close_code(&asked(FIN | CLOSE, &[0x03, 0xE8, 0xFF])), Some(1007), "a reason");
    let text = asked(FIN | TEXT, b"ab\xFFthe rest never comes");
    assert_eq!(close_code(&text[..text.len() - 21]), None);
    assert_eq!(close_code(&text[..text.len() - 20]), Some(1007));
}

#[test]
fn a_message_over_the_limit_is_1009_before_it_comes() {
    assert_eq!(close_code(&asked(FIN | BINARY, &[0; LIMIT])), None);
    assert_eq!(close_code(&asked(FIN | BINARY, &[0; LIMIT + 1])[..8]), Some(1009));
    let pieces = [asked(BINARY, &[0; LIMIT]), asked(FIN, &[0])].concat();
    assert_eq!(close_code(&pieces[..pieces.len() - 1]), Some(1009), "all its frames together");
    assert_eq!(close_code(&[asked(BINARY, &[0; LIMIT]), asked(FIN, &[])].concat()), None);
}

#[test]
fn a_close_frame_says_why_or_does_not() {
    let close = |payload: &[u8]| outcome(Side::Client, [&asked(FIN | CLOSE, payload)[..]]).0;
    assert_eq!(close(b""), [Message::Close(1005)]);
    assert_eq!(close(b"\x03\xE8bye"), [Message::Close(1000)]);
    let may = |code: u16| !close(&code.to_be_bytes()).is_empty();
    let may_not = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535];
    assert!(may_not.into_iter().all(|code| !may(code)));
    assert!([1001, 1003, 1007, 1014, 3000, 4999].into_iter().all(may));
}

#[test]
fn a_message_that_lies_whole_in_the_input_is_not_copied() {
    let mut bytes = asked(FIN | BINARY, &[7; 200]);
    let message = MessageReader::new(Side::Client).next(&mut &mut bytes[..], LIMIT).expect("admitted");
    assert!(matches!(message, Some(Message::Binary(Cow::Borrowed(_)))));
}

#[test]
fn an_announced_gigabyte_allocates_nothing() {
    let mut header = [FIN | BINARY, MASKED | 127, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4];
    let mut reader = MessageReader::new(Side::Client);
    assert_eq!(reader.next(&mut &mut header[..], usize::MAX), Ok(None));
    assert_eq!(reader.unfinished.expect("it has begun").message.capacity(), 0);
}

#[test]
fn an_assembled_message_owns_no_more_than_itself() {
    let bytes = asked(FIN | BINARY, &[7; 200]);
    let mut reader = MessageReader::new(Side::Client);
    let mut last = bytes[203..].to_vec();
    bytes[..203].chunks(3).for_each(|piece| assert_eq!(feed(&mut reader, piece), (vec![], None)));
    let Ok(Some(Message::Binary(Cow::Owned(message)))) = reader.next(&mut &mut last[..], LIMIT) else {
        panic!("it was assembled")
    };
    assert_eq!((message.len(), message.capacity()), (200, 200));
    assert!(reader.unfinished.is_none());
}

#[test]
fn a_message_in_many_small_frames_is_seldom_reallocated() {
    let mut reader = MessageReader::new(Side::Client);
    let mut rooms = Vec::new();
    for frame in 0..10_000 {
        let mut bytes = asked(if frame == 0 { BINARY } else { CONTINUATION }, b"x");
        assert_eq!(reader.next(&mut &mut bytes[..], usize::MAX), Ok(None));
        let message = &reader.unfinished.as_deref().expect("it goes on").message;
        assert!(message.capacity() <= 2 * message.len());
        rooms.push(message.capacity());
    }
    rooms.dedup();
    assert!(rooms.len() < 20, "{} times", rooms.len());
}
