//! The WebSocket codec of the library, as the drivers use it. Nothing else in the client's benchmark names it.

pub use cubby::wire::websocket::accept_key as accept;
pub use cubby::wire::websocket::{BINARY, CLOSE, PING, PONG, TEXT, WholeFrame as Whole, encode_masked as put_masked};

/// Decodes the first frame of what a server sends.
#[inline]
pub fn first(input: &[u8]) -> Result<Option<Whole<'_>>, String> {
    cubby::wire::websocket::first_frame(input).map_err(|error| error.text().to_owned())
}

#[cfg(test)]
pub use cubby::wire::websocket::{
    Message, MessageReader as Messages, Side as From, encode as put, encode_close as put_close,
};
