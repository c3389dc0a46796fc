//! The incremental decoder: whole frames from bytes that arrive in pieces of any size.
//!
//! A frame that lies whole in the input is returned in place. The decoder keeps only the bytes of an unfinished frame
//! that have arrived: a header that announces a megabyte allocates nothing.

use super::{HEADER_LEN, Header};
use std::borrow::Cow;

/// One whole frame: borrowed if it lay whole in the input, owned if it was assembled from pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The header, decoded.
    pub header: Header,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Frame<'a> {
    /// The bytes after the header.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[HEADER_LEN..]
    }

    /// The whole frame, including its header.
    pub fn into_bytes(self) -> Cow<'a, [u8]> {
        self.bytes
    }
}

/// Splits a stream into frames. A decoder between two frames owns no memory.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The bytes of an unfinished frame, or those that [`holding`](Decoder::holding) put there.
    tail: Vec<u8>,
}

impl Decoder {
    /// Takes the next whole frame off the front of `input`. Returns `None` when there is none: the decoder has then
    /// kept the rest of `input`, which is empty.
    ///
    /// `admit` gets the bytes of each frame that have arrived, and returns the header (`None` if that takes more bytes)
    /// or refuses the frame. It is called as soon as there is one byte, and again as more arrive, so that a refusal
    /// never waits for bytes that it does not need.
    ///
    /// # Errors
    ///
    /// What `admit` returned. The stream ends there: the decoder must not be fed again.
    pub fn next<'a, E>(
        &mut self,
        input: &mut &'a [u8],
        admit: impl Fn(&[u8]) -> Result<Option<Header>, E>,
    ) -> Result<Option<Frame<'a>>, E> {
        if !self.tail.is_empty() {
            return self.complete(input, admit);
        }
        if input.is_empty() {
            return Ok(None);
        }
        match admit(input)? {
            Some(header) if header.frame_len() <= input.len() => {
                let (frame, rest) = input.split_at(header.frame_len());
                *input = rest;
                Ok(Some(Frame { header, bytes: Cow::Borrowed(frame) }))
            }
            _ => {
                self.tail.reserve_exact(input.len());
                self.tail.extend_from_slice(std::mem::take(input));
                Ok(None)
            }
        }
    }

    /// Appends to the tail, but never past the end of its frame, so that a finished tail is exactly one frame.
    fn complete<'a, E>(
        &mut self,
        input: &mut &'a [u8],
        admit: impl Fn(&[u8]) -> Result<Option<Header>, E>,
    ) -> Result<Option<Frame<'a>>, E> {
        loop {
            let header = admit(&self.tail)?;
            if let Some(header) = header.filter(|header| header.frame_len() == self.tail.len()) {
                return Ok(Some(Frame { header, bytes: Cow::Owned(std::mem::take(&mut self.tail)) }));
            }
            if input.is_empty() {
                return Ok(None);
            }
            let missing = header
                .map_or(HEADER_LEN, Header::frame_len)
                .checked_sub(self.tail.len())
                .expect("held bytes are released before the decoder is fed again");
            let (taken, rest) = input.split_at(missing.min(input.len()));
            self.grow(taken.len(), missing);
            self.tail.extend_from_slice(taken);
            *input = rest;
        }
    }

    /// Reserves space for `now` more bytes. Doubles, so that copying stays linear, but never reserves more than the
    /// `missing` bytes of the frame.
    fn grow(&mut self, now: usize, missing: usize) {
        if self.tail.capacity() - self.tail.len() < now {
            self.tail.reserve_exact(now.max(self.tail.len()).min(missing));
        }
    }

    /// A decoder that keeps bytes which must not be decoded yet. The bytes begin at the start of a frame.
    /// [`release`](Decoder::release) them before feeding the decoder.
    pub fn holding(bytes: Vec<u8>) -> Decoder {
        Decoder { tail: bytes }
    }

    /// Takes the bytes that are kept, to feed them again.
    pub fn release(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.tail)
    }

    /// The number of bytes that are kept.
    pub fn kept(&self) -> usize {
        self.tail.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of at most 100 bytes of payload, and no kind over 0x7F.
    fn admit(front: &[u8]) -> Result<Option<Header>, &'static str> {
        match Header::decode(front) {
            _ if front.first().is_some_and(|kind| *kind > 0x7F) => Err("kind"),
            Some(header) if header.length > 100 => Err("length"),
            header => Ok(header),
        }
    }

    fn stream() -> Vec<u8> {
        let mut bytes = Vec::new();
        for length in [0u8, 1, 0, 100, 7] {
            bytes.extend([length, 0, 0, 0, 0, 0, 0, length]);
            bytes.extend((0..length).map(|i| i ^ length));
        }
        bytes
    }

    fn frames_of(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut decoder = Decoder::default();
        let mut frames = Vec::new();
        for mut piece in pieces.iter().copied() {
            while let Some(frame) = decoder.next(&mut piece, admit).expect("all are admitted") {
                frames.push(frame.into_bytes().into_owned());
            }
            assert!(piece.is_empty());
        }
        assert_eq!(decoder.kept(), 0);
        frames
    }

    #[test]
    fn every_split_in_two_gives_the_same_frames() {
        let bytes = stream();
        let whole = frames_of(&[&bytes]);
        assert_eq!(whole.len(), 5);
        for at in 0..=bytes.len() {
            assert_eq!(frames_of(&[&bytes[..at], &bytes[at..]]), whole, "split at {at}");
        }
    }

    #[test]
    fn a_byte_at_a_time_gives_the_same_frames() {
        let bytes = stream();
        assert_eq!(frames_of(&bytes.chunks(1).collect::<Vec<_>>()), frames_of(&[&bytes]));
    }

    #[test]
    fn a_frame_that_lies_whole_in_the_input_is_not_copied() {
        let bytes = stream();
        let mut input = &bytes[..];
        let frame = Decoder::default().next(&mut input, admit).expect("admitted").expect("whole");
        assert!(matches!(frame.into_bytes(), Cow::Borrowed(_)));
    }

    #[test]
    fn a_refusal_waits_for_no_byte_that_it_does_not_need() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.next(&mut &[0x80u8][..], admit), Err("kind"));
        let mut decoder = Decoder::default();
        assert_eq!(decoder.next(&mut &[1, 0, 0, 0, 0, 0][..], admit), Ok(None));
        assert_eq!(decoder.next(&mut &[0, 101][..], admit), Err("length"));
    }

    #[test]
    fn an_announced_length_allocates_nothing() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.next(&mut &[1, 0, 0, 0, 0, 0, 0, 100][..], admit), Ok(None));
        assert!(decoder.tail.capacity() <= HEADER_LEN);
    }

    #[test]
    fn an_assembled_frame_owns_no_more_than_itself() {
        let mut decoder = Decoder::default();
        let bytes = [&[1, 0, 0, 0, 0, 0, 0, 100][..], &[5; 100]].concat();
        let mut frame = None;
        for byte in bytes.chunks(3) {
            frame = decoder.next(&mut &byte[..], admit).expect("admitted");
        }
        let Cow::Owned(bytes) = frame.expect("whole").into_bytes() else { panic!("it was assembled") };
        assert_eq!((bytes.len(), bytes.capacity()), (108, 108));
    }

    #[test]
    fn what_is_held_is_decoded_when_released() {
        let mut decoder = Decoder::holding(stream());
        let held = decoder.release();
        assert_eq!(frames_of(&[&held]).len(), 5);
        assert_eq!(decoder.kept(), 0);
    }
}
