//! JSON over WebSocket: requests out of text messages, and answers as objects.

pub mod compact;
mod escape;
mod keys;
pub mod object;
pub mod request;
pub mod response;
pub mod scan;
