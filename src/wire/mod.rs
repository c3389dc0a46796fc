//! The native protocol, version 1: bytes to values and back. The page below describes all of it, and a test runs its
//! examples.
//!
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
pub use bounds::{Bounds, MAX_BODY};
pub use code::{ERROR_CODES, ErrorCode, Fault, Status};
pub use decoder::{Decoder, Frame};
pub use event::{Event, EventRef, EventType};
pub use header::{HEADER_LEN, Header};
pub use id::{Ids, UserId};
pub use kind::{HELLO_MAX_PAYLOAD, KINDS, Kind, KindRow, MAX_PING, flag};
pub use names::{Members, Names};
pub use request::Request;

/// The version of the protocol that this crate speaks.
pub const VERSION: u8 = 1;

#[cfg(test)]
mod tests;
