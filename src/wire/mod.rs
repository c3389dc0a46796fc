//! The native protocol. The page below is its whole description, and its examples are run by a test.
#![doc = include_str!("protocol.md")]

mod answer;
mod bounds;
mod code;
mod decoder;
mod event;
mod field;
mod header;
mod id;
mod kind;
mod names;
mod request;
#[cfg(feature = "ws")]
pub mod websocket;

pub use answer::{Answer, DELIVER_HEAD, SERVER, deliver_head, mail_head};
pub use bounds::{Bounds, HELLO_MAX_PAYLOAD, MAX_BODY, MAX_PING};
pub use code::{ERROR_CODES, ErrorCode, Fault, Status};
pub use decoder::{Decoder, Frame};
pub use event::{Event, EventRef, EventType};
pub use header::{HEADER_LEN, Header};
pub use id::{Ids, UserId};
pub use kind::{KINDS, Kind, KindRow, flag};
pub use names::{Members, Names};
pub use request::Request;

/// The version of the protocol that this crate speaks.
pub const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of every example on the protocol's page.
    fn examples() -> Vec<Vec<u8>> {
        let blocks = include_str!("protocol.md").split("```hex\n").skip(1);
        let lines = blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines());
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
        let bytes = |line: &str| line.replace(' ', "").as_bytes().chunks(2).map(byte).collect();
        lines.map(bytes).collect()
    }

    #[test]
    fn every_example_on_the_page_is_what_it_says() {
        let mut shown = Vec::new();
        for frame in examples() {
            let header = Header::decode(&frame).expect("a header");
            assert_eq!(header.frame_len(), frame.len(), "{frame:02x?}");
            let mut again = Vec::new();
            if header.kind & 0x80 == 0 {
                Request::decode(header, &frame[HEADER_LEN..]).expect("a request").encode(header.tag, &mut again);
            } else {
                Answer::decode(header, &frame[HEADER_LEN..]).expect("an answer").encode(header.tag, &mut again);
            }
            assert_eq!(again, frame);
            shown.push(header.kind);
        }
        let kinds = KINDS.iter().map(|row| row.kind as u8);
        kinds.for_each(|kind| assert!(shown.contains(&kind), "{kind:#04x} has no example"));
    }
}
