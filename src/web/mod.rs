//! Dialects: what stands between the hub's own language and those who come over HTTP or WebSocket.
//!
//! Owns the forms that bytes have on their side: how what the hub says is rendered for them, and how what they ask is
//! put into requests of the hub's own. Knows no socket, no clock and no hub. A link hears one [`Dialect`], and that is
//! all that the hub knows of it.
//!
//! ```text
//!   what they send ──> messages ──> requests in the native form, with notes in the margin ──> hub
//!   what they hear <── messages <─────────── rendered once for each dialect that hears it <── hub
//! ```
//!
//! The notes are two, and no native client can write them, for they are only looked for where the door speaks: a
//! [flag](margin::FLAG) on a request, and a frame that is no request but an [aside](margin::Aside).

#[cfg(feature = "ws")]
pub mod answers;
#[cfg(feature = "ws")]
pub mod asks;
#[cfg(feature = "ws")]
pub mod http;
pub mod margin;
#[cfg(feature = "ws")]
pub mod messages;
#[cfg(feature = "ws")]
pub mod metrics;
#[cfg(feature = "ws")]
pub mod page;
#[cfg(feature = "ws")]
pub mod upgrade;

use crate::wire::{Answer, Bounds, ErrorCode, Fault, Frame, Header};
use margin::Asked;

/// What a link hears, and what its bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Dialect {
    /// The hub's own frames.
    #[default]
    Native,
    /// Those frames, each in a binary message of a WebSocket.
    #[cfg(feature = "ws")]
    Binary,
    /// JSON objects, each in a text message of a WebSocket.
    #[cfg(feature = "ws")]
    Json,
    /// HTTP: answers to requests, and nothing else. Who hears it is a guest: it can ask, but not be spoken to.
    #[cfg(feature = "ws")]
    Http,
}

/// How many dialects there are.
pub const DIALECTS: usize = if cfg!(feature = "ws") { 4 } else { 1 };

/// What the hub says to many is at the most so many times as long in any dialect: a byte of a body may become six, and
/// the few numbers of a small frame their names and digits.
pub const MOST_GROWTH: usize = 8;

impl Dialect {
    /// Whether it is the hub's own.
    #[inline]
    pub fn is_native(self) -> bool {
        self == Dialect::Native
    }

    /// Whether it can ask, but not be spoken to.
    #[inline]
    pub fn is_guest(self) -> bool {
        #[cfg(feature = "ws")]
        return self == Dialect::Http;
        #[cfg(not(feature = "ws"))]
        false
    }

    /// What the hub's decoder asks of the front of a request: [`Bounds::admit`], and beside it the door's asides.
    ///
    /// # Errors
    ///
    /// Those of [`Bounds::admit`].
    #[inline]
    pub fn admit(self, bounds: &Bounds, front: &[u8]) -> Result<Option<Header>, Fault> {
        if !self.is_native() && front.first() == Some(&margin::ASIDE) {
            return Ok(Header::decode(front));
        }
        bounds.admit(front)
    }

    /// Whether the door leaves notes on requests in this dialect.
    fn has_notes(self) -> bool {
        #[cfg(feature = "ws")]
        return matches!(self, Dialect::Json | Dialect::Http);
        #[cfg(not(feature = "ws"))]
        false
    }

    /// Takes the notes off a request that came through the door.
    pub fn open(self, frame: &mut Frame<'_>, asked: &mut Asked) {
        if self.has_notes() {
            margin::open(frame, asked);
        }
    }

    /// Bytes of the frame or message that begins with `front`.
    pub fn frame_len(self, front: &[u8]) -> usize {
        match self {
            Dialect::Native => Header::decode(front).expect("a run holds whole headers").frame_len(),
            #[cfg(feature = "ws")]
            Dialect::Http => front.len(),
            #[cfg(feature = "ws")]
            Dialect::Binary | Dialect::Json => upgrade::answer_len(front).unwrap_or_else(|| messages::len(front)),
        }
    }

    /// Appends an answer to a request of which `asked` is known, or a push to one alone. The tag is the request's, 0
    /// where none was given.
    pub fn say(self, asked: &Asked, tag: u16, answer: &Answer<'_>, out: &mut Vec<u8>) {
        match self {
            Dialect::Native => answer.encode(tag, out),
            #[cfg(feature = "ws")]
            Dialect::Binary => messages::put_with(messages::BINARY, out, |out| answer.encode(tag, out)),
            #[cfg(feature = "ws")]
            Dialect::Json => answers::put_message(asked, tag, answer, out),
            #[cfg(feature = "ws")]
            Dialect::Http => return http::put_answer(asked, answer, out),
        }
        #[cfg(feature = "ws")]
        if matches!(answer, Answer::Beat { .. }) && !self.is_native() {
            messages::put(messages::PING, &[], out);
        }
        #[cfg(not(feature = "ws"))]
        let _ = asked;
    }

    /// Appends whole native frames that many hear, in their order.
    pub fn render(self, frames: &[u8], out: &mut Vec<u8>) {
        match self {
            Dialect::Native => out.extend_from_slice(frames),
            #[cfg(feature = "ws")]
            Dialect::Binary => margin::each_frame(frames, |_, frame| messages::put(messages::BINARY, frame, out)),
            #[cfg(feature = "ws")]
            Dialect::Json => margin::each_frame(frames, |header, frame| {
                let answer = Answer::decode(header, &frame[crate::wire::HEADER_LEN..]);
                let answer = answer.expect("what the hub says is an answer");
                answers::put_message(&Asked::default(), header.tag, &answer, out);
            }),
            #[cfg(feature = "ws")]
            Dialect::Http => {}
        }
    }

    /// Whether a native frame is the same in this dialect, but for what [stands before it](Dialect::put_before).
    pub fn wraps(self) -> bool {
        #[cfg(feature = "ws")]
        return matches!(self, Dialect::Native | Dialect::Binary);
        #[cfg(not(feature = "ws"))]
        true
    }

    /// Appends what stands before a native frame of so many bytes, in a dialect that [wraps](Dialect::wraps) it.
    pub fn put_before(self, len: usize, out: &mut Vec<u8>) {
        #[cfg(feature = "ws")]
        if !self.is_native() {
            messages::put_header(messages::BINARY, len, out);
        }
        #[cfg(not(feature = "ws"))]
        let _ = (len, out);
    }

    /// Appends what is said last to somebody who departs, be it with an error.
    pub fn put_farewell(self, closed_with: Option<ErrorCode>, out: &mut Vec<u8>) {
        #[cfg(feature = "ws")]
        if matches!(self, Dialect::Binary | Dialect::Json) {
            messages::put_close(messages::close_code(closed_with), "", out);
        }
        #[cfg(not(feature = "ws"))]
        let _ = (closed_with, out);
    }
}

#[cfg(all(test, feature = "ws"))]
mod tests {
    use super::*;
    use crate::limits::MAX_NAME;
    use crate::wire::{EventRef, EventType, UserId};
    use proptest::prelude::*;

    /// A name that will do.
    fn valid_name() -> impl Strategy<Value = String> {
        "[a-z\"\\\\é李]{1,64}".prop_map(|name| name[..name.floor_char_boundary(MAX_NAME)].to_owned())
    }

    fn body() -> impl Strategy<Value = Vec<u8>> {
        let text = prop::collection::vec(prop::sample::select(b"\0\x1F\"\\a".to_vec()), 0..200);
        prop_oneof![text, prop::collection::vec(any::<u8>(), 0..200)]
    }

    /// A native frame that many may hear.
    fn pushed() -> impl Strategy<Value = Vec<u8>> {
        (1u8..=8, any::<[u64; 3]>(), valid_name(), valid_name(), body(), any::<bool>(), any::<bool>()).prop_map(
            |(what, [id, unix_ms, sender], room, name, body, named, flag)| {
                let (sender, name) = (UserId(sender), if named { &name[..] } else { "" });
                let answer = match (EventType::of(what), what) {
                    (Some(what), _) => {
                        let body = if what == EventType::Message { &body[..] } else { &[] };
                        let event = EventRef { what, id, unix_ms, session: sender, room: &room, name, body };
                        Answer::Event { event, replay: flag }
                    }
                    (None, 7) => Answer::Deliver { sender, body: &body },
                    _ => Answer::Mail { mail: id, unix_ms, sender, name, body: &body, ack: flag },
                };
                let mut frame = Vec::new();
                answer.encode(0, &mut frame);
                frame
            },
        )
    }

    fn rendered(dialect: Dialect, frames: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        dialect.render(frames, &mut out);
        out
    }

    /// Where each frame or message of a run ends, as the hub finds it.
    fn ends(dialect: Dialect, run: &[u8]) -> Vec<usize> {
        let mut ends = vec![0];
        while let Some(&at) = ends.last().filter(|&&at| at < run.len()) {
            ends.push(at + dialect.frame_len(&run[at..]));
        }
        ends
    }

    const WS: [Dialect; 2] = [Dialect::Binary, Dialect::Json];

    proptest! {
        #[test]
        fn what_many_hear_grows_by_no_more_than_it_may(frame in pushed()) {
            for dialect in WS {
                let len = rendered(dialect, &frame).len();
                prop_assert!(len <= MOST_GROWTH * frame.len(), "{dialect:?}: {len} for {} bytes", frame.len());
            }
        }

        #[test]
        fn the_messages_of_a_run_are_found_again(frames in prop::collection::vec(pushed(), 0..6)) {
            for dialect in WS {
                let (mut run, mut expected) = (Vec::new(), vec![0]);
                for frame in &frames {
                    run.extend(rendered(dialect, frame));
                    expected.push(run.len());
                }
                prop_assert_eq!(&rendered(dialect, &frames.concat()), &run);
                prop_assert_eq!(ends(dialect, &run), expected);
            }
        }

        #[test]
        fn a_dialect_that_wraps_a_frame_puts_all_else_before_it(frame in pushed()) {
            for dialect in [Dialect::Native, Dialect::Binary] {
                prop_assert!(dialect.wraps());
                let mut out = Vec::new();
                dialect.put_before(frame.len(), &mut out);
                out.extend_from_slice(&frame);
                prop_assert_eq!(out, rendered(dialect, &frame));
            }
        }
    }

    #[test]
    fn the_answer_to_a_handshake_is_found_before_the_messages_behind_it() {
        let mut run = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n".to_vec();
        let answer_len = run.len();
        Dialect::Json.say(&Asked::default(), 0, &Answer::Beat { unix_ms: 0 }, &mut run);
        let ping_at = run.len() - 2;
        Dialect::Json.put_farewell(Some(ErrorCode::Idle), &mut run);
        assert_eq!(ends(Dialect::Json, &run), [0, answer_len, ping_at, ping_at + 2, ping_at + 6]);
    }

    #[test]
    fn a_beat_brings_a_ping_and_a_farewell_its_code() {
        let mut said = Vec::new();
        Dialect::Binary.say(&Asked::default(), 0, &Answer::Beat { unix_ms: 1 }, &mut said);
        assert_eq!(said[..4], [0x82, 16, 0xCC, 0]);
        assert_eq!(said[18..], [0x89, 0]);
        for (why, code) in [
            (None, 1000),
            (Some(ErrorCode::GoingAway), 1001),
            (Some(ErrorCode::Malformed), 1002),
            (Some(ErrorCode::UnknownKind), 1002),
            (Some(ErrorCode::Version), 1002),
            (Some(ErrorCode::NotSignedIn), 1008),
            (Some(ErrorCode::TooSlow), 1008),
            (Some(ErrorCode::Idle), 1008),
            (Some(ErrorCode::TooLarge), 1009),
            (Some(ErrorCode::TooManyConnections), 1013),
        ] {
            let mut said = Vec::new();
            Dialect::Json.put_farewell(why, &mut said);
            assert_eq!(said, [&[0x88, 2][..], &u16::to_be_bytes(code)].concat(), "{why:?}");
        }
    }

    #[test]
    fn a_guest_is_spoken_to_by_nobody() {
        let mut out = rendered(Dialect::Http, &[0xC4, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9]);
        Dialect::Http.put_farewell(Some(ErrorCode::Idle), &mut out);
        Dialect::Http.say(&Asked::default(), 0, &Answer::Beat { unix_ms: 1 }, &mut out);
        assert!(Dialect::Http.is_guest() && out.is_empty());
    }
}
