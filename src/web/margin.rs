//! The notes between the door and the hub: what stands in the margin of a request that came through the door, and what
//! comes in place of one.

use crate::wire::{ErrorCode, Fault, Frame, HEADER_LEN, Header, Kind};
use byteorder::{BigEndian, ByteOrder};

/// On a request in JSON: it had a tag. On one in HTTP: the connection ends with the answer.
pub const FLAG: u8 = 0x80;

/// The kind byte of an aside: none that any frame may have.
pub const ASIDE: u8 = 0x7F;

/// What the answer to a request must tell in some dialect, and does not in the hub's own.
#[derive(Debug, Default)]
pub struct Asked {
    /// It had [`FLAG`].
    pub flagged: bool,
    /// The room that it was about; empty where it was about none.
    pub room: String,
}

impl Asked {
    /// Forgets the request.
    pub fn clear(&mut self) {
        self.flagged = false;
        self.room.clear();
    }
}

/// Something that happens at its place among a user's requests, and is none.
#[derive(Debug, PartialEq, Eq)]
pub enum Aside<'a> {
    /// What it asked could not be read, and it is told so; where this is `fatal`, it is closed.
    Fault {
        /// What is wrong, and with which request.
        fault: Fault,
        /// Whether the connection ends with it.
        fatal: bool,
    },
    /// It departs, and these bytes are what it hears last.
    Last {
        /// They are appended as they are.
        bytes: &'a [u8],
        /// Whether it is closed for what it sent, rather than gone by its own will.
        blamed: bool,
    },
}

const FATAL: u8 = 0x01;
const LAST: u8 = 0x02;

/// Bytes of a fault's code and kind, which stand before its text.
const FAULT_HEAD: usize = 3;

impl<'a> Aside<'a> {
    /// The aside that a frame is, where it is one.
    pub fn of(frame: &'a Frame<'_>) -> Option<Aside<'a>> {
        let (Header { kind, flags, tag, .. }, payload) = (frame.header, frame.payload());
        if kind != ASIDE {
            return None;
        }
        let is_fatal = flags & FATAL != 0;
        if flags & LAST != 0 {
            return Some(Aside::Last { bytes: payload, blamed: is_fatal });
        }
        let (head, text) = payload.split_at_checked(FAULT_HEAD)?;
        let code = ErrorCode::of(BigEndian::read_u16(head))?;
        let text = String::from_utf8_lossy(text).into_owned();
        Some(Aside::Fault { fault: Fault::new(code, head[2], tag, text), fatal: is_fatal })
    }

    /// Appends the frame that it is.
    pub fn encode(&self, flags: u8, out: &mut Vec<u8>) {
        let (tag, own_flags, len) = match self {
            Aside::Fault { fault, fatal } => (fault.tag, if *fatal { FATAL } else { 0 }, FAULT_HEAD + fault.text.len()),
            Aside::Last { bytes, blamed } => (0, LAST | if *blamed { FATAL } else { 0 }, bytes.len()),
        };
        let header = Header { kind: ASIDE, flags: own_flags | flags, tag, length: len as u32 };
        out.extend_from_slice(&header.encode());
        match self {
            Aside::Fault { fault, .. } => {
                out.extend_from_slice(&(fault.code as u16).to_be_bytes());
                out.push(fault.kind);
                out.extend_from_slice(fault.text.as_bytes());
            }
            Aside::Last { bytes, .. } => out.extend_from_slice(bytes),
        }
    }
}

/// Takes the notes off a request.
pub(super) fn open(frame: &mut Frame<'_>, asked: &mut Asked) {
    asked.flagged = frame.header.flags & FLAG != 0;
    frame.header.flags &= !FLAG;
    let is_about_a_room = matches!(
        Kind::of_request(frame.header.kind),
        Some(Kind::Join | Kind::Leave | Kind::Publish | Kind::History | Kind::Who)
    );
    let room = frame.payload().split_first().and_then(|(&len, rest)| rest.get(..usize::from(len)));
    if let Some(Ok(room)) = room.filter(|_| is_about_a_room).map(str::from_utf8) {
        asked.room.push_str(room);
    }
}

/// Calls `then` with each of some whole frames, and its header.
pub fn each_frame(mut frames: &[u8], mut then: impl FnMut(Header, &[u8])) {
    while let Some(header) = Header::decode(frames) {
        let (frame, rest) = frames.split_at(header.frame_len());
        then(header, frame);
        frames = rest;
    }
    debug_assert!(frames.len() < HEADER_LEN && frames.is_empty(), "the frames are whole");
}

#[cfg(all(test, feature = "ws"))]
mod tests {
    use super::*;
    use crate::web::Dialect;
    use crate::wire::{Bounds, Decoder, Request};
    use proptest::prelude::*;

    const BOUNDS: Bounds = Bounds { max_body: 1000, max_receivers: 3 };

    /// The one frame that lies in `bytes`, as the hub's decoder gives it.
    fn frame(bytes: &[u8]) -> Frame<'_> {
        let mut input = bytes;
        let frame = Decoder::default().next(&mut input, |front| Dialect::Json.admit(&BOUNDS, front));
        assert!(input.is_empty());
        frame.expect("admitted").expect("whole")
    }

    fn opened(request: &Request<'_>, flags: u8) -> (Asked, u8) {
        let (mut bytes, mut asked) = (Vec::new(), Asked::default());
        request.encode(7, &mut bytes);
        bytes[1] |= flags;
        let mut frame = frame(&bytes);
        open(&mut frame, &mut asked);
        (asked, frame.header.flags)
    }

    proptest! {
        #[test]
        fn asides_go_there_and_back(
            code in 1u16..=14, kind: u8, tag: u16, text in ".{0,300}",
            fatal: bool, blamed: bool, flagged: bool,
            bytes in prop::collection::vec(any::<u8>(), 0..150),
        ) {
            let code = ErrorCode::of(code).expect("a code");
            let flags = if flagged { FLAG } else { 0 };
            for aside in [
                Aside::Fault { fault: Fault::new(code, kind, tag, text), fatal },
                Aside::Last { bytes: &bytes, blamed },
            ] {
                let mut out = Vec::new();
                aside.encode(flags, &mut out);
                let frame = frame(&out);
                prop_assert_eq!(frame.header.flags & FLAG, flags);
                prop_assert_eq!(Aside::of(&frame), Some(aside));
            }
        }
    }

    #[test]
    fn a_request_is_no_aside_and_a_native_client_can_write_none() {
        let bye = [0x0D, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(Aside::of(&frame(&bye)), None);
        let refused = Dialect::Native.admit(&BOUNDS, &[ASIDE]).expect_err("refused");
        assert_eq!((refused.code, refused.kind), (ErrorCode::UnknownKind, ASIDE));
    }

    #[test]
    fn the_flag_is_taken_off_and_the_room_remembered() {
        let publish = Request::Publish { room: "lobby", body: b"hi", receipt: true, no_echo: true };
        let (asked, flags) = opened(&publish, FLAG);
        assert_eq!((asked.flagged, &asked.room[..], flags), (true, "lobby", 0x03));
        let (mut asked, _) = opened(&Request::Who { room: "attic" }, 0);
        assert_eq!((asked.flagged, &asked.room[..]), (false, "attic"));
        asked.clear();
        assert!(asked.room.is_empty());
        assert_eq!(opened(&Request::Ping(b"\x02hi"), 0).0.room, "", "that is about no room");
    }

    #[test]
    fn each_of_some_frames_is_shown_with_its_header() {
        let frames = [&[0x0D, 0, 0, 1, 0, 0, 0, 0][..], &[0x0C, 0, 0, 2, 0, 0, 0, 1, b'x']].concat();
        let mut seen = Vec::new();
        each_frame(&frames, |header, frame| seen.push((header.tag, frame.to_vec())));
        assert_eq!(seen, [(1, frames[..8].to_vec()), (2, frames[8..].to_vec())]);
    }
}
