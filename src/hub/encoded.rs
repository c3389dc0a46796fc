//! The encoded-frame cache: a payload of a fan-out is encoded once for each encoding that a receiver has.

use super::codec::{CodecTable, Encoding};
use super::payload::{Payload, SharedFrame};

/// Bytes of room that the cache keeps for each encoding.
const KEPT: usize = 64 * 1024;

/// The payload that is being posted, in each encoding that was asked for so far.
#[derive(Debug)]
pub(super) struct EncodedFrames(Vec<Encoded>);

#[derive(Debug, Default)]
struct Encoded {
    /// Whether this is the encoding of the current payload, and not of an earlier one.
    is_valid: bool,
    bytes: Vec<u8>,
    /// The same bytes, shared, if there are many; then `bytes` is empty.
    shared: Option<SharedFrame>,
}

impl EncodedFrames {
    pub fn new(codecs: CodecTable) -> EncodedFrames {
        EncodedFrames((0..codecs.len()).map(|_| Encoded::default()).collect())
    }

    /// A payload in an encoding, which is not the native one. Also returns how many bytes were encoded now: 0 if it was
    /// in the cache.
    pub fn get<'a>(
        &'a mut self,
        codecs: CodecTable,
        encoding: Encoding,
        payload: Payload<'_>,
        share_from: usize,
    ) -> (Payload<'a>, usize) {
        let (Some(index), Some(codec)) = (encoding.codec_index(), codecs.get(encoding)) else {
            unreachable!("native sessions receive the payload as it is");
        };
        let encoded = &mut self.0[index];
        let mut made = 0;
        if !encoded.is_valid {
            encoded.is_valid = true;
            codec.encode_frames(payload.as_bytes(), &mut encoded.bytes);
            made = encoded.bytes.len();
            if made >= share_from {
                // While it grew, it got room for up to twice as much.
                encoded.bytes.shrink_to_fit();
                encoded.shared = Some(SharedFrame::from_bytes(std::mem::take(&mut encoded.bytes)));
            }
        }
        match &encoded.shared {
            Some(shared) => (Payload::Shared(shared), made),
            None => (Payload::Copied(&encoded.bytes), made),
        }
    }

    /// Forgets the payload.
    pub fn clear(&mut self) {
        for encoded in &mut self.0 {
            encoded.is_valid = false;
            encoded.shared = None;
            encoded.bytes.clear();
            encoded.bytes.shrink_to(KEPT);
        }
    }
}
