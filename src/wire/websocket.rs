//! The framing of RFC 6455, without extensions: bytes to WebSocket messages and back, and the key that a handshake
//! answers. No I/O.

mod encode;
mod frame;
mod reader;

use super::ErrorCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub use encode::{encode, encode_close, encode_header, encode_masked, encode_with};
pub use frame::{BINARY, CLOSE, PING, PONG, ProtocolError, Side, TEXT, WholeFrame, first_frame, frame_len};
pub use reader::{Message, MessageReader, append};

/// Appended to a handshake's key before it is hashed (RFC 6455, section 1.3).
const ACCEPT_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The `Sec-WebSocket-Accept` that answers a handshake with this `Sec-WebSocket-Key`.
pub fn accept_key(key: &str) -> String {
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key.as_bytes());
    hash.update(ACCEPT_GUID.as_bytes());
    STANDARD.encode(hash.digest().bytes())
}

/// The code of the close frame when the hub closes a connection with this error, or with none.
pub fn close_code(error: Option<ErrorCode>) -> u16 {
    match error {
        None => 1000,
        Some(ErrorCode::Malformed | ErrorCode::UnknownKind | ErrorCode::Version) => 1002,
        Some(ErrorCode::TooLarge) => 1009,
        Some(ErrorCode::GoingAway) => 1001,
        Some(ErrorCode::TooManyConnections) => 1013,
        Some(
            ErrorCode::TooManyReceivers
            | ErrorCode::NotSignedIn
            | ErrorCode::BadName
            | ErrorCode::NotInRoom
            | ErrorCode::LimitReached
            | ErrorCode::RateLimited
            | ErrorCode::TooSlow
            | ErrorCode::Idle,
        ) => 1008,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_the_key_of_the_rfc_is_that_of_the_rfc() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
