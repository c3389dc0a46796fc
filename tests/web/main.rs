//! The door with clients that no one here wrote: a real browser on the chat page, Node, Python.

mod browser;
mod devtools;
#[allow(dead_code, reason = "the tests over plain sockets use the rest")]
#[path = "../it/front.rs"]
mod front;
#[path = "../it/provide.rs"]
mod provide;
mod scripts;
#[allow(dead_code, reason = "the tests over plain sockets use the rest")]
#[path = "../it/support.rs"]
mod support;
