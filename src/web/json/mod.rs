//! JSON over WebSocket: requests out of text messages, and answers as objects.

mod keys;
pub mod object;
pub mod request;
pub mod response;
