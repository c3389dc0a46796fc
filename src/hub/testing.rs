//! Two codecs for the tests of the hub, one for each way in which a codec can encode what many sessions receive.

use super::codec::{Codec, Codecs, Encoding, FramePrefix, RequestContext};
use crate::wire::{Answer, ErrorCode, Header};

/// Frames behind a prefix.
pub const PREFIXED: Encoding = Encoding::of_codec(0);

/// Frames of which each byte is written three times.
pub const TRIPLED: Encoding = Encoding::of_codec(1);

/// The codecs of [`PREFIXED`] and [`TRIPLED`].
pub const CODECS: Codecs = &[&Prefixed, &Tripled];

/// What stands before each frame.
const PREFIX: &[u8] = b"->";

#[derive(Debug)]
struct Prefixed;

#[derive(Debug)]
struct Tripled;

fn each_frame(mut frames: &[u8], mut then: impl FnMut(&[u8])) {
    while let Some(header) = Header::decode(frames) {
        let (frame, rest) = frames.split_at(header.frame_len());
        then(frame);
        frames = rest;
    }
    assert!(frames.is_empty(), "the frames are whole");
}

impl Codec for Prefixed {
    fn encode(&self, context: &RequestContext<'_>, answer: &Answer<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(PREFIX);
        answer.encode(context.tag.unwrap_or_default(), out);
    }

    fn encode_frames(&self, frames: &[u8], out: &mut Vec<u8>) {
        each_frame(frames, |frame| out.extend([PREFIX, frame].concat()));
    }

    fn encode_close(&self, _code: Option<ErrorCode>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"bye");
    }

    fn frame_prefix(&self) -> Option<FramePrefix> {
        Some(|_, out| out.extend_from_slice(PREFIX))
    }

    fn message_len(&self, front: &[u8]) -> usize {
        PREFIX.len() + Header::decode(&front[PREFIX.len()..]).expect("a frame").frame_len()
    }

    fn max_growth(&self) -> usize {
        2
    }
}

impl Codec for Tripled {
    fn encode(&self, context: &RequestContext<'_>, answer: &Answer<'_>, out: &mut Vec<u8>) {
        let mut frame = Vec::new();
        answer.encode(context.tag.unwrap_or_default(), &mut frame);
        self.encode_frames(&frame, out);
    }

    fn encode_frames(&self, frames: &[u8], out: &mut Vec<u8>) {
        each_frame(frames, |frame| out.extend(frame.iter().flat_map(|&byte| [byte; 3])));
    }

    fn encode_close(&self, _code: Option<ErrorCode>, _out: &mut Vec<u8>) {}

    fn frame_prefix(&self) -> Option<FramePrefix> {
        None
    }

    fn message_len(&self, front: &[u8]) -> usize {
        let header: Vec<u8> = front.iter().step_by(3).copied().take(8).collect();
        3 * Header::decode(&header).expect("a frame").frame_len()
    }

    fn max_growth(&self) -> usize {
        3
    }
}
