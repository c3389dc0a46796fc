//! Cubby is a message hub small enough to run anywhere and to live inside another program. Clients connect; the hub
//! tells them who they are and who else is here, relays a body to the users or names they give, and carries rooms with
//! numbered events, history and presence.
//!
//! It is one thread with one poll loop and one slab of sessions. There is no async runtime and no task scheduler.
//!
//! # A hub inside your program
//!
//! ```
//! use cubby::{Client, Push, Server, Status};
//! use std::thread;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // With port 0 the system chooses one. `unix:/run/cubby.sock` is an address too, and `listen` may be repeated.
//!     let mut server = Server::builder().listen("127.0.0.1:0").max_connections(1000).bind()?;
//!     let address = server.addresses()[0].to_string();
//!     let handle = server.handle();
//!     let hub = thread::spawn(move || server.run());
//!
//!     let mut ann = Client::connect(&address)?;
//!     let mut bob = Client::connect(&address)?;
//!     let everyone_else = ann.list()?;
//!     assert_eq!(ann.relay(&everyone_else, b"hello")?, [Status::Queued]);
//!     assert!(matches!(bob.next(None)?, Some(Push::Delivery(delivery)) if delivery.body == b"hello"));
//!
//!     ann.join("lobby")?;
//!     handle.publish("lobby", b"from the program itself")?;
//!     assert_eq!(ann.history("lobby", 0, 10)?.events.len(), 2, "ann came in, and the program spoke");
//!     handle.stop()?;
//!     Ok(hub.join().expect("the hub does not panic")?)
//! }
//! ```
//!
//! A program that owns its thread calls [`Server::turn`] instead of [`Server::run`]. One that has a poll loop nests the
//! whole hub in it as a single descriptor: see [`Server::as_fd`](std::os::fd::AsFd::as_fd) and [`Server::patience`].
//!
//! # How a byte flows
//!
//! ```text
//!             net                        wire            hub                           net
//!   socket ─────────> one read buffer ─────────> request ────> outbox of each receiver ─────> socket
//!           receive    for all links   Decoder           fan    small: copied into its   send
//!                                        │       in place out   run of bytes
//!                                        v                      large: held once, and
//!                              unfinished tail,                 every outbox points to it
//!                              kept with its session
//! ```
//!
//! A turn of the loop is *wait → accept → read and execute → flush → reap*. Executing a request never touches a socket:
//! it appends to outboxes, and each socket is sent to once, at the end of the turn.
//!
//! # Where things are
//!
//! | room | what it owns |
//! |---|---|
//! | [`wire`] | bytes to values and back; knows no socket, no clock, no hub |
//! | `hub` | sessions, rooms, and who receives what; does no I/O |
//! | `net` | the loop: sockets, readiness, timeouts, listeners |
//! | `web` | HTTP, WebSocket and JSON, as a gateway over the hub (feature `ws`) |
//! | `server` | the embedding API: [`Server`], [`Builder`], [`Handle`] |
//! | `client` | a blocking [`Client`], over `wire` alone |
//! | `limits`, `error` | every bound with its reason; errors of the operator and of the host program |
//! | `stats`, `address` | what is counted; where a hub listens |
//! | `deadlines`, `escape` | what is due when; which characters may not be shown as they are |
//! | `marks` | which rare branches a test has reached |
//! | `json` | events as JSON, for logs and scripts (feature `json`) |
//!
//! Dependencies point one way: `server → {net, web} → hub → wire`, and `client → wire`. The modules of the last five rows
//! may be used by all rooms, and use `wire` at most.
//!
//! # What it will never do
//!
//! Look into a body. Give an id twice. Drop what is queued for a user without telling that user. Let a client that does
//! not read hold up clients that do not send to it, or one that asks for much hold up anybody. Trust a length. Wake up
//! when there is nothing to do.

#![forbid(unsafe_code)]

#[doc(hidden)]
pub mod hub;
#[doc(hidden)]
pub mod marks;
#[doc(hidden)]
pub mod net;
#[doc(hidden)]
#[cfg(feature = "testing")]
pub mod testing;
#[doc(hidden)]
#[cfg(feature = "ws")]
pub mod web;
pub mod wire;

mod address;
mod client;
mod deadlines;
mod error;
mod escape;
#[cfg(feature = "json")]
mod json;
mod limits;
mod server;
mod stats;

pub use address::{Address, AddressError};
pub use client::{Client, ClientError, DEFAULT_TIMEOUT, Delivery, History, Joined, Mail, Push, Welcome};
pub use error::{Gone, HostError, LimitError, SetupError};
pub use escape::{escape_unfit, is_unshowable};
pub use hub::name_fault;
pub use hub::{HOST, Listener, SharedEvent};
#[cfg(feature = "json")]
pub use json::{EventJson, json_line};
pub use limits::{IfFull, Limits};
pub use server::{Builder, EventSender, Events, EventsWaker, Handle, Server, WhenFull, event_channel};
pub use stats::{Frames, Stats, TURN_TIMES, Tally};
pub use wire::{ErrorCode, Event, EventRef, EventType, Status, UserId};

/// The README's example is compiled and run as well.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
