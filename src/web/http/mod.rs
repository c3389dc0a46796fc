//! HTTP/1.1, as much of it as a hub needs: requests are parsed, looked up or executed, and answered; or they become a
//! WebSocket.

pub mod call;
pub mod caller;
pub mod handshake;
mod head;
mod headers;
mod lookup;
pub mod parse;
mod query;
mod refusal;
pub mod response;
mod route;
