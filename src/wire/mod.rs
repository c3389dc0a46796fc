//! Bytes to values and back: the whole of the native protocol, version 1.
//!
//! Owns the frame header, the table of [kinds](KINDS), the table of [error codes](ERROR_CODES), the incremental
//! [`Decoder`], and what each frame says ([`Request`] from a client, [`Answer`] from the hub). Never touches a socket,
//! a clock or the hub: it is fed slices and it appends to byte runs, so all of it can be fuzzed as it stands.
//!
//! A frame, in both directions, big-endian throughout:
//!
//! ```text
//!   0      1       2       4               8
//!   +------+-------+-------+---------------+----------------------+
//!   | kind | flags |  tag  |    length     |  payload (length)    |
//!   +------+-------+-------+---------------+----------------------+
//! ```

mod answer;
mod code;
mod decoder;
mod field;
mod header;
mod id;
mod kind;
mod request;

pub use answer::{Answer, SERVER, deliver_head};
pub use code::{ERROR_CODES, ErrorCode, Fault, Status};
pub use decoder::{Decoder, Frame};
pub use header::{HEADER_LEN, Header};
pub use id::{Ids, UserId};
pub use kind::{KINDS, Kind, KindRow, flag};
pub use request::{Bounds, HELLO_MAX_PAYLOAD, MAX_PING, Request};

/// The version of the protocol that this crate speaks.
pub const VERSION: u8 = 1;
