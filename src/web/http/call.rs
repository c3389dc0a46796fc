//! One HTTP request, parsed.

use super::cors::Cors;
use super::handshake::Handshake;
use crate::web::page::File;
use crate::wire::{Ids, Names, Request};

/// One whole request.
#[derive(Debug)]
pub struct Call<'b> {
    /// What it requests.
    pub action: Action<'b>,
    /// Whether it is a HEAD, so that the response has no body.
    pub is_head: bool,
    /// Whether the connection ends with the response.
    pub closes: bool,
    /// Whether it came through a proxy, so that the caller's address is not known.
    pub is_forwarded: bool,
    /// Whose pages may read the response.
    pub cors: Cors,
}

/// What a request wants.
#[derive(Debug)]
pub enum Action<'b> {
    /// To look something up.
    LookUp(Lookup),
    /// To know how a path can be used. These header lines say it.
    Describe {
        lines: String,
        /// A browser asks what a page may send, and not whether the hub serves.
        is_preflight: bool,
    },
    /// To have the hub execute a request of its own protocol. The receipt becomes the response.
    Execute(Post<'b>),
    /// To become a WebSocket.
    Upgrade(Handshake),
}

impl Action<'_> {
    /// Whether it is asked by those who watch the hub, whom a full hub answers as well.
    pub fn is_watching(&self) -> bool {
        match self {
            Action::LookUp(Lookup::Health | Lookup::Metrics) | Action::Describe { .. } => true,
            Action::LookUp(Lookup::File(_) | Lookup::List { .. } | Lookup::Members { .. } | Lookup::History { .. })
            | Action::Execute(_)
            | Action::Upgrade(_) => false,
        }
    }
}

/// What a request looks up.
#[derive(Debug)]
pub enum Lookup {
    /// A file of the page.
    File(&'static File),
    /// Whether the hub is running or shutting down.
    Health,
    /// The hub's counters.
    Metrics,
    /// The users.
    List {
        /// Only users with a greater id.
        after: u64,
    },
    /// The members of a room.
    Members {
        room: String,
        /// Only members with a greater id.
        after: u64,
    },
    /// The events that a room remembers.
    History {
        room: String,
        /// Only events with a greater id.
        after: u64,
        /// The most events.
        limit: usize,
    },
}

/// The body of a POST, and its receivers.
#[derive(Debug)]
pub struct Post<'b> {
    /// The receivers.
    pub target: Target,
    pub body: &'b [u8],
}

/// The receivers of a body.
#[derive(Debug)]
pub enum Target {
    /// The members of a room.
    Room(String),
    /// Users: a block of ids.
    Users(Vec<u8>),
    /// Names: a block of names.
    Names(Vec<u8>),
}

impl Post<'_> {
    /// The hub's request. It asks for a receipt.
    pub fn request(&self) -> Request<'_> {
        let (body, receipt) = (self.body, true);
        match &self.target {
            Target::Room(room) => Request::Publish { room, body, receipt, no_echo: false },
            Target::Users(block) => {
                let receivers = Ids::new(block).expect("the block was encoded from ids");
                Request::Relay { receivers, body, receipt }
            }
            Target::Names(block) => {
                let names = Names::new(block).expect("the block was encoded from names");
                Request::Send { names, body, receipt, store: false }
            }
        }
    }
}
