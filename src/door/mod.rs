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
