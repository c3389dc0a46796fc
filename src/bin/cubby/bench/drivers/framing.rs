//! The WebSocket codec of the library, as the drivers use it.

pub use cubby::wire::websocket::{BINARY, CLOSE, PING, PONG, TEXT, WholeFrame, accept_key, encode_masked};

/// Decodes the first frame of what a server sends.
#[inline]
pub fn first_frame(input: &[u8]) -> Result<Option<WholeFrame<'_>>, String> {
    cubby::wire::websocket::first_frame(input).map_err(|error| error.text().to_owned())
}

#[cfg(test)]
pub use cubby::wire::websocket::{Message, MessageReader, Side, encode, encode_close};
