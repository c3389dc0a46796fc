//! How messages come out of bytes in any pieces, and into bytes.

use super::*;
use proptest::prelude::*;
use proptest::sample::Index;

const KEY: [u8; MASK] = [0x11, 0x82, 0x43, 0xE4];
const LIMIT: usize = 300;

/// One frame from a client, or from a server.
fn frame(from: Other, first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match from {
        Other::Client => put_masked(first, payload, KEY, &mut out),
        Other::Server => put(first, payload, &mut out),
    }
    out[0] = first;
    out
}

fn asked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(Other::Client, first, payload)
}

/// Messages in order, and why there was no further one.
type Outcome = (Vec<Message<'static>>, Option<Violation>);

fn feed(codec: &mut Messages, piece: &[u8]) -> Outcome {
    let mut bytes = piece.to_vec();
    let (mut input, mut messages) = (&mut bytes[..], Vec::new());
    loop {
        match codec.next(&mut input, LIMIT) {
            Ok(Some(message)) => messages.push(message.into_owned()),
            Ok(None) => break,
            Err(violation) => return (messages, Some(violation)),
        }
    }
    assert!(input.is_empty(), "nothing is left behind");
    (messages, None)
}

fn outcome<'p>(from: Other, pieces: impl IntoIterator<Item = &'p [u8]>) -> Outcome {
    let mut codec = Messages::new(from);
    let mut messages = Vec::new();
    for piece in pieces {
        let (more, violation) = feed(&mut codec, piece);
        messages.extend(more);
        if violation.is_some() {
            return (messages, violation);
        }
    }
    (messages, None)
}

fn violation(bytes: &[u8]) -> Option<u16> {
    outcome(Other::Client, [bytes]).1.map(Violation::code)
}

/// What one side may say, and where in it nothing is unfinished.
#[derive(Debug, Default)]
struct Stream {
    bytes: Vec<u8>,
    messages: Vec<Message<'static>>,
    rests: Vec<usize>,
}

/// A message: its opcode and payload, where it is cut into frames, and whether pings stand between these.
type Item = (u8, String, Vec<Index>, bool);

fn item() -> impl Strategy<Value = Item> {
    let opcode = prop::sample::select(vec![TEXT, BINARY, PING, PONG]);
    (opcode, "[a-zé李😀]{0,30}|[a-z]{126,140}", prop::collection::vec(any::<Index>(), 0..4), any::<bool>())
}

fn stream(from: Other, items: &[Item]) -> Stream {
    let mut stream = Stream { rests: vec![0], ..Stream::default() };
    for (opcode, text, cuts, pinged) in items {
        if *opcode >= CLOSE {
            let payload = &text.as_bytes()[..text.len().min(MOST_CONTROL)];
            stream.bytes.extend(frame(from, FIN | opcode, payload));
            let ping = Message::Ping(payload.to_vec().into());
            stream.messages.push(if *opcode == PING { ping } else { Message::Pong });
        } else {
            put_in_frames(from, *opcode, text, cuts, *pinged, &mut stream);
        }
        stream.rests.push(stream.bytes.len());
    }
    stream
}

fn put_in_frames(from: Other, opcode: u8, text: &str, cuts: &[Index], pinged: bool, stream: &mut Stream) {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).chain([text.len()]).collect();
    ends.sort_unstable();
    let mut start = 0;
    for (place, &end) in ends.iter().enumerate() {
        let last = place + 1 == ends.len();
        let first = if place == 0 { opcode } else { CONTINUATION } | if last { FIN } else { 0 };
        stream.bytes.extend(frame(from, first, &text.as_bytes()[start..end]));
        if pinged && !last {
            stream.bytes.extend(frame(from, FIN | PING, b"there?"));
            stream.messages.push(Message::Ping(b"there?".as_slice().into()));
        }
        start = end;
    }
    let (text, bytes) = (Message::Text(text.to_owned().into()), Message::Binary(text.as_bytes().to_vec().into()));
    stream.messages.push(if opcode == TEXT { text } else { bytes });
}

proptest! {
    #[test]
    fn what_is_said_is_heard_in_any_pieces(
        items in prop::collection::vec(item(), 0..6),
        masked in any::<bool>(),
        len in 1usize..40,
    ) {
        let from = if masked { Other::Client } else { Other::Server };
        let stream = stream(from, &items);
        prop_assert_eq!(outcome(from, [&stream.bytes[..]]), (stream.messages, None));
        prop_assert_eq!(outcome(from, stream.bytes.chunks(len)), outcome(from, [&stream.bytes[..]]));
    }

    #[test]
    fn something_is_kept_just_while_something_is_unfinished(items in prop::collection::vec(item(), 0..3)) {
        let stream = stream(Other::Client, &items);
        for at in 0..=stream.bytes.len() {
            let mut codec = Messages::new(Other::Client);
            feed(&mut codec, &stream.bytes[..at]);
            prop_assert_eq!(codec.kept() == 0, stream.rests.contains(&at), "{} bytes", at);
            prop_assert_eq!(codec.kept() == 0, codec.unfinished.is_none());
        }
    }

    #[test]
    fn bytes_gone_wrong_get_the_same_verdict_in_any_pieces(
        items in prop::collection::vec(item(), 1..6),
        wrong in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
        len in 1usize..40,
    ) {
        let mut bytes = stream(Other::Client, &items).bytes;
        for (at, byte) in wrong {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let whole = outcome(Other::Client, [&bytes[..]]);
        prop_assert_eq!(outcome(Other::Client, bytes.chunks(len)), whole);
    }

    #[test]
    fn a_payload_is_unmasked_wherever_it_is_cut(payload: [u8; 40], mask: [u8; MASK], cut in 0usize..40) {
        let each = |at: usize, byte: u8| byte ^ mask[at % MASK];
        let unmasked: Vec<u8> = payload.iter().enumerate().map(|(at, &byte)| each(at, byte)).collect();
        let mut bytes = payload;
        unmask(&mut bytes[..cut], mask, 0);
        unmask(&mut bytes[cut..], mask, cut);
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
        ("no mask", frame(Other::Server, FIN | TEXT, b"")),
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
        assert_eq!(violation(&bytes), Some(1002), "{what}");
    }
    let masked = asked(FIN | TEXT, b"");
    assert_eq!(outcome(Other::Server, [&masked[..]]).1.map(Violation::code), Some(1002), "a mask from a server");
}

#[test]
fn text_that_is_not_utf_8_is_1007_with_its_first_wrong_byte() {
    assert_eq!(violation(&asked(FIN | TEXT, &[0xC3])), Some(1007), "half a character at the end");
    assert_eq!(violation(&[asked(TEXT, &[0xC3]), asked(FIN, &[0xA9])].concat()), None, "cut within a character");
    assert_eq!(violation(&asked(FIN | CLOSE, &[0x03, 0xE8, 0xFF])), Some(1007), "a reason");
    let text = asked(FIN | TEXT, b"ab\xFFthe rest never comes");
    assert_eq!(violation(&text[..text.len() - 21]), None);
    assert_eq!(violation(&text[..text.len() - 20]), Some(1007));
}

#[test]
fn a_message_over_the_limit_is_1009_before_it_comes() {
    assert_eq!(violation(&asked(FIN | BINARY, &[0; LIMIT])), None);
    assert_eq!(violation(&asked(FIN | BINARY, &[0; LIMIT + 1])[..8]), Some(1009));
    let pieces = [asked(BINARY, &[0; LIMIT]), asked(FIN, &[0])].concat();
    assert_eq!(violation(&pieces[..pieces.len() - 1]), Some(1009), "all its frames together");
    assert_eq!(violation(&[asked(BINARY, &[0; LIMIT]), asked(FIN, &[])].concat()), None);
}

#[test]
fn a_close_frame_says_why_or_does_not() {
    let close = |payload: &[u8]| outcome(Other::Client, [&asked(FIN | CLOSE, payload)[..]]).0;
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
    let message = Messages::new(Other::Client).next(&mut &mut bytes[..], LIMIT).expect("admitted");
    assert!(matches!(message, Some(Message::Binary(Cow::Borrowed(_)))));
}

#[test]
fn an_announced_gigabyte_allocates_nothing() {
    let mut header = [FIN | BINARY, MASKED | 127, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4];
    let mut codec = Messages::new(Other::Client);
    assert_eq!(codec.next(&mut &mut header[..], usize::MAX), Ok(None));
    assert_eq!(codec.unfinished.expect("it has begun").message.capacity(), 0);
}

#[test]
fn a_message_put_together_from_one_frame_owns_no_more_than_itself() {
    let bytes = asked(FIN | BINARY, &[7; 200]);
    let mut codec = Messages::new(Other::Client);
    let mut last = bytes[203..].to_vec();
    bytes[..203].chunks(3).for_each(|piece| assert_eq!(feed(&mut codec, piece), (vec![], None)));
    let Ok(Some(Message::Binary(Cow::Owned(message)))) = codec.next(&mut &mut last[..], LIMIT) else {
        panic!("it was put together")
    };
    assert_eq!((message.len(), message.capacity()), (200, 200));
    assert!(codec.unfinished.is_none());
}

#[test]
fn a_message_in_many_small_frames_is_seldom_moved_to_more_room() {
    let mut codec = Messages::new(Other::Client);
    let mut rooms = Vec::new();
    for frame in 0..10_000 {
        let mut bytes = asked(if frame == 0 { BINARY } else { CONTINUATION }, b"x");
        assert_eq!(codec.next(&mut &mut bytes[..], usize::MAX), Ok(None));
        let message = &codec.unfinished.as_deref().expect("it goes on").message;
        assert!(message.capacity() <= 2 * message.len());
        rooms.push(message.capacity());
    }
    rooms.dedup();
    assert!(rooms.len() < 20, "{} times", rooms.len());
}

#[test]
fn a_header_takes_as_few_bytes_as_it_can() {
    for (len, header_len) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
        let mut out = Vec::new();
        put_with(BINARY, &mut out, |out| out.resize(len, 7));
        assert_eq!(out.len(), header_len + len);
        assert_eq!(super::len(&out[..header_len]), out.len());
    }
}

#[test]
fn a_reason_that_is_too_long_is_cut_between_characters() {
    let mut out = Vec::new();
    put_close(1008, &"é".repeat(100), &mut out);
    assert_eq!(out[..4], [FIN | CLOSE, 124, 0x03, 0xF0]);
    assert_eq!(str::from_utf8(&out[4..]), Ok(&*"é".repeat(61)));
}
