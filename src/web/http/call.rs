//! One HTTP request that has been understood.

use super::handshake::Handshake;
use crate::web::page::File;
use crate::wire::{Ids, Names, Request};

/// One whole request.
#[derive(Debug)]
pub struct Call<'b> {
    /// What it asks for.
    pub action: Action<'b>,
    /// Whether the response goes without its body: a HEAD.
    pub is_head: bool,
    /// Whether the connection ends with the response.
    pub closes: bool,
    /// Whether it came through a proxy, so that the caller's address is not known.
    pub is_forwarded: bool,
}

/// What a request asks for.
#[derive(Debug)]
pub enum Action<'b> {
    /// To look something up.
    LookUp(Lookup),
    /// That the hub carries out a request of its own. Its receipt becomes the response.
    Execute(Post<'b>),
    /// To become a WebSocket.
    Upgrade(Handshake),
}

/// What a request looks up.
#[derive(Debug)]
pub enum Lookup {
    /// A file of the page.
    File(&'static File),
    /// Whether the hub serves.
    Health,
    /// The hub's counters.
    Metrics,
    /// The users.
    List,
    /// The members of a room.
    Members(String),
    /// The events that a room remembers.
    History {
        room: String,
        /// Only events with a greater id.
        after: u64,
        /// The most events.
        limit: usize,
    },
}

/// A body that a POST brings, and what is to be done with it.
#[derive(Debug)]
pub struct Post<'b> {
    /// To whom it goes.
    pub target: Target,
    pub body: &'b [u8],
}

/// To whom a body goes.
#[derive(Debug)]
pub enum Target {
    /// To the members of a room.
    Room(String),
    /// To users: a block of ids.
    Users(Vec<u8>),
    /// To names: a block of them.
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
