//! HTTP and WebSocket with clients from elsewhere: a real browser on the chat page, Node, Python.

mod access;
mod browser;
mod cors;
mod crowd;
mod devtools;
mod growth;
mod library;
mod scripts;
#[path = "../support/mod.rs"]
mod support;
