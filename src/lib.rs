//! Cubby is a message hub small enough to run anywhere and to live inside another program. Clients connect; the hub
//! tells them who they are and who else is here, and relays a body to the users they name.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
mod address;
mod client;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[doc(hidden)]
pub mod hub;
mod limits;
#[doc(hidden)]
pub mod net;
mod server;
mod stats;
pub mod wire;
pub use address::{Address, AddressError};
pub use client::{Client, ClientError, DEFAULT_TIMEOUT, Delivery, Welcome};
pub use error::{Gone, LimitError, SetupError};
pub use hub::{HOST, is_unfit};
pub use limits::Limits;
pub use server::{Builder, Handle, RelayError, Server};
pub use stats::Stats;
pub use wire::{ErrorCode, Status, UserId};
