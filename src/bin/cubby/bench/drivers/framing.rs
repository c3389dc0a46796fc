//! The WebSocket codec of the library, as the drivers use it. Nothing else in the client's benchmark names it.

pub use cubby::door::messages::{BINARY, CLOSE, PING, PONG, TEXT, Whole, put_masked};
pub use cubby::door::upgrade::accept;

/// Decodes the first frame of what a server sends.
#[inline]
pub fn first(input: &[u8]) -> Result<Option<Whole<'_>>, String> {
    cubby::door::messages::first(input).map_err(|violation| violation.text().to_owned())
}

#[cfg(test)]
pub use cubby::door::messages::{Message, Messages, Other as From, put, put_close};
