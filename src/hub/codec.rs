//! The codec port: how the bytes of a session look, in both directions.
//!
//! The native protocol is not behind this port. Its sessions are the hot path, and the hub handles them by a direct
//! branch on [`Encoding::is_native`]. All others are supplied from above:
//!
//! ```text
//!                 ┌──────────── Gateway ────────────┐            ┌──── Codec ────┐
//!   bytes read ──>│ per connection: bytes -> Request │──> Hub ──>│ Answer -> bytes │──> outbox
//!                 └─────────────────────────────────┘            └───────────────┘
//! ```
//!
//! A [`Gateway`] keeps the unparsed input of each connection and calls [`Hub::execute`] with requests as values. A
//! [`Codec`] has no state: it encodes what the hub answers.

use super::Hub;
use super::role::Role;
use crate::wire::{Answer, ErrorCode, Header};
use std::fmt::Debug;

/// How the bytes of a session look: the native protocol, or one of the hub's [`Codecs`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Encoding(u8);

impl Encoding {
    /// Native frames, as [`wire`](crate::wire) describes them.
    pub const NATIVE: Encoding = Encoding(0);

    /// The encoding of the codec at this index of the hub's [`Codecs`].
    pub const fn of_codec(index: u8) -> Encoding {
        Encoding(index + 1)
    }

    /// Whether these are native frames.
    #[inline]
    pub fn is_native(self) -> bool {
        self == Encoding::NATIVE
    }

    /// The index of its codec; `None` for the native encoding, which needs none.
    pub(super) fn codec_index(self) -> Option<usize> {
        usize::from(self.0).checked_sub(1)
    }
}

/// The encoding and the role with which the sessions of one listener begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protocol {
    /// How their bytes look.
    pub encoding: Encoding,
    /// What they may do.
    pub role: Role,
}

impl Protocol {
    /// Users that speak native frames.
    pub const NATIVE: Protocol = Protocol { encoding: Encoding::NATIVE, role: Role::User };
}

/// What a reply has to repeat of its request. The default is that of a push, which answers nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestContext<'a> {
    /// The requester's tag, if it gave one. In the native protocol every request has one.
    pub tag: Option<u16>,
    /// The room that the request names; empty if it names none, or if the encoding does not repeat it.
    pub room: &'a str,
    /// Whether the connection ends with the reply, as an HTTP client may ask.
    pub closes: bool,
    /// Further headers of the response to an HTTP client, each with its line's end.
    pub headers: &'a str,
}

impl RequestContext<'_> {
    /// The context of a native request.
    pub fn tagged(tag: u16) -> RequestContext<'static> {
        RequestContext { tag: Some(tag), ..RequestContext::default() }
    }
}

/// Appends what stands before a native frame of this many bytes in some encoding.
pub type FramePrefix = fn(frame_len: usize, out: &mut Vec<u8>);

/// Encodes what the hub says for the sessions of one [`Encoding`].
pub trait Codec: Debug + Sync {
    /// Appends a reply to a request, or a push to this session alone. Appends nothing if the encoding has no place for
    /// such an answer.
    fn encode(&self, context: &RequestContext<'_>, answer: &Answer<'_>, out: &mut Vec<u8>);

    /// Appends the messages for native frames that many sessions receive. `frames` holds whole frames, in order.
    fn encode_frames(&self, frames: &[u8], out: &mut Vec<u8>);

    /// Appends the last bytes that a session receives, after everything else. `code` is the error that it is closed
    /// with, if any.
    fn encode_close(&self, code: Option<ErrorCode>, out: &mut Vec<u8>);

    /// If each message is a prefix and then the native frame: the function that appends the prefix. Large bodies are
    /// then shared with native sessions rather than encoded.
    fn frame_prefix(&self) -> Option<FramePrefix>;

    /// Bytes of the message that begins with `front`, which this codec has encoded.
    fn message_len(&self, front: &[u8]) -> usize;

    /// The largest factor by which a message may be longer than the native frame.
    fn max_growth(&self) -> usize;
}

/// The codecs of a hub. [`Encoding::of_codec`] names one by its index.
pub type Codecs = &'static [&'static dyn Codec];

/// Turns what non-native sessions send into requests. The loop owns it and hands it every byte that such a session
/// sends; it keeps what is unfinished.
///
/// It executes a request only while the session [accepts requests](super::Session::accepts_requests). It keeps the
/// remaining input, and reports what that takes by [`Hub::set_unparsed`], because it counts towards the memory limit.
pub trait Gateway: Debug {
    /// The codecs of the encodings that it introduces.
    fn codecs(&self) -> Codecs;

    /// Takes in bytes that have just been received from a session. It may overwrite `input`.
    fn receive<L>(&mut self, hub: &mut Hub<L>, slot: usize, input: &mut [u8]);

    /// Continues with the input that is kept for a session, which accepts requests again.
    fn resume<L>(&mut self, hub: &mut Hub<L>, slot: usize);

    /// Discards the input that is kept for a session that has departed.
    fn forget(&mut self, slot: usize);
}

/// The gateway of a hub whose sessions are all native.
#[derive(Clone, Copy, Debug, Default)]
pub struct NativeOnly;

impl Gateway for NativeOnly {
    fn codecs(&self) -> Codecs {
        &[]
    }

    fn receive<L>(&mut self, hub: &mut Hub<L>, slot: usize, input: &mut [u8]) {
        hub.receive(slot, input);
    }

    fn resume<L>(&mut self, hub: &mut Hub<L>, slot: usize) {
        hub.resume(slot);
    }

    fn forget(&mut self, _slot: usize) {}
}

/// The codecs of a hub, by encoding, with the native one among them.
#[derive(Clone, Copy, Debug)]
pub(super) struct CodecTable(pub(super) Codecs);

impl CodecTable {
    /// How many codecs there are, beside the native encoding.
    pub fn len(self) -> usize {
        self.0.len()
    }

    /// The codec of an encoding; `None` for the native one.
    pub fn get(self, encoding: Encoding) -> Option<&'static dyn Codec> {
        encoding.codec_index().map(|index| self.0[index])
    }

    /// See [`Codec::encode`].
    pub fn encode(self, encoding: Encoding, context: &RequestContext<'_>, answer: &Answer<'_>, out: &mut Vec<u8>) {
        match self.get(encoding) {
            None => answer.encode(context.tag.unwrap_or_default(), out),
            Some(codec) => codec.encode(context, answer, out),
        }
    }

    /// See [`Codec::message_len`].
    pub fn message_len(self, encoding: Encoding, front: &[u8]) -> usize {
        match self.get(encoding) {
            None => Header::decode(front).expect("an outbox begins with a whole header").frame_len(),
            Some(codec) => codec.message_len(front),
        }
    }

    /// See [`Codec::max_growth`].
    pub fn max_growth(self, encoding: Encoding) -> usize {
        self.get(encoding).map_or(1, Codec::max_growth)
    }
}
