//! Cubby is a message hub small enough to run anywhere and to live inside another program. Clients connect; the hub
//! tells them who they are and who else is here, relays bodies to the users or names that they give, and keeps rooms
//! with numbered events, history and presence.
//!
//! One thread, one poll loop, one slab. No async runtime, no task scheduler.
//!
//! # A hub inside your program
//!
//! ```
//! use cubby::{Client, Push, Server, Status};
//! use std::thread;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // Port 0: the system chooses. `unix:/run/cubby.sock` works too, and `listen` may be called several times.
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
//! A host that needs its thread for other work as well calls [`Server::turn`] instead of [`Server::run`]. A host with a
//! poll loop of its own nests the whole hub in it as a single descriptor: see
//! [`Server::as_fd`](std::os::fd::AsFd::as_fd) and [`Server::patience`].
//!
//! # How a byte flows
//!
//! ```text
//!             net                        wire            hub                              net
//!   socket ─────────> one read buffer ─────────> frame ──────> outbox of each receiver ─────────> socket
//!           receive    for all links    decode,        execute   small frames: copied      flush
//!                                       in place                 large frames: shared
//! ```
//!
//! The bytes of an unfinished frame are kept with the session; an idle session owns no buffer. HTTP, JSON and WebSocket
//! take the same path: the `web` gateway turns their bytes into requests, and its codecs encode the answers.
//!
//! A turn of the loop: *deadline → poll → read and execute → flush → reap*. Executing a request never touches a socket:
//! it appends to outboxes, and each socket is written to once, at the end of the turn.
//!
//! # Where things are
//!
//! | room | what it owns |
//! |---|---|
//! | [`wire`] | the native protocol and WebSocket framing as values; knows no socket, no clock, no hub |
//! | `hub` | sessions, names, relays, rooms, back-pressure, budgets, and the ports; does no I/O |
//! | `net` | the loop, and what it owns: sockets, readiness, timeouts, listeners |
//! | `web` | the gateway for WebSocket, JSON and HTTP, the chat page, the metrics page (feature `ws`) |
//! | `server` | the embedding API: [`Server`], [`Builder`], [`Handle`] |
//! | `client` | a blocking [`Client`], over `wire` alone |
//! | `limits`, `error` | every bound in one place with its reason; errors, by whose fault they are |
//! | `stats`, `address` | the counters and the table of metrics; where a hub listens |
//! | `deadlines`, `escape`, `name` | what is due when; characters that may not be shown as they are; valid names |
//! | `marks`, `testing` | rare branches that tests have reached; the virtual system, the model, the fuzz bodies |
//! | `json` | events as JSON, for logs and scripts (feature `json`) |
//!
//! Dependencies point one way: `server → {net, web} → hub → wire`, and `client → wire`; a test keeps it so. All modules
//! may use those in the last five rows, which use at most `wire`.
//!
//! # What it will never do
//!
//! It never looks into a body, reuses an id, or drops what is queued for a user without telling that user. A client
//! that does not read delays only clients that send to it, and a client that asks for much delays nobody. The hub never
//! trusts a length that arrived, and never wakes up when there is nothing to do.

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

#[cfg(feature = "json")]
pub mod json;

mod address;
mod client;
mod deadlines;
mod error;
mod escape;
mod limits;
mod name;
mod name_list;
mod server;
mod stats;

pub use address::{Address, AddressError};
pub use client::{Client, ClientError, DEFAULT_TIMEOUT, Delivery, History, Joined, Mail, Pages, Push, Welcome};
pub use error::{Gone, HostError, LimitError, SetupError};
pub use escape::{escape_unfit, is_unshowable};
pub use hub::{HOST, Listener, ListenerBacklog, SharedEvent};
pub use limits::{IfFull, Limits};
pub use name::{canonical_name, name_fault};
pub use name_list::{ListedName, split_names, take_name};
pub use server::{Builder, EventSender, Events, EventsWaker, Handle, Server, WhenFull, event_channel};
pub use stats::{Frames, METRICS, Metric, MetricType, Stats, TURN_TIMES, Tally};
#[cfg(feature = "ws")]
pub use web::is_origin;
pub use wire::{ErrorCode, Event, EventRef, EventType, Status, UserId};

/// The README's example is compiled and run as well.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
