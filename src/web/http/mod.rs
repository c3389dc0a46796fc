//! The part of HTTP/1.1 that a hub needs: requests are parsed, routed and answered, or their connection becomes a
//! WebSocket.

pub mod call;
pub mod caller;
mod cors;
pub mod handshake;
mod head;
mod headers;
mod lookup;
pub mod origin;
pub mod parse;
mod query;
mod refusal;
pub mod response;
mod route;
