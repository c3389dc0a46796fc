//! The web side with clients that nobody here wrote: a real browser on the chat page, Node, Python.

mod browser;
mod devtools;
mod scripts;
#[path = "../support/mod.rs"]
mod support;
