//! The web gateway: HTTP callers, and users of a WebSocket that carries JSON or native frames.
//!
//! Owns the state of each of their connections, the handshake, the encoding of their requests and answers, the chat
//! page and the metrics page. It passes requests to the hub as values, and does no I/O.
//!
//! ```text
//!                                        ┌─> a document, a file, the metrics ────────────────────────────┐
//!   bytes read ──> http::caller ──(call)─┼─> a POST ──────────────────────> Request ──> Hub::execute     │
//!                                        └─> a handshake                       ^             │           │
//!                                              v                               │          (Answer)       │
//!                                            websocket ──(message)──> json, binary           v           v
//!                                                                                          codec ────> outbox
//! ```

mod backlog;
pub(crate) mod binary;
pub(crate) mod codec;
mod encoding;
pub(crate) mod http;
pub(crate) mod json;
mod metrics;
mod page;
mod policy;
mod websocket;

pub use encoding::{BINARY, HTTP, JSON};
pub use http::origin::is_origin;
pub use policy::Policy;

use crate::hub::{Codecs, Gateway, Hub, KeptInput, Protocol, Role, Session};
use crate::limits::SPARSE;
use http::caller::Caller;
use websocket::WebSocket;

/// The encoding and the role of new connections on an HTTP listener.
pub const HTTP_CALLER: Protocol = Protocol { encoding: HTTP, role: Role::HttpCaller };

/// The table of connections is not shrunk below this number of entries.
const MIN_TABLE: usize = 64;

/// The state of one connection.
#[derive(Debug)]
enum Connection {
    Http(Box<Caller>),
    WebSocket(Box<WebSocket>),
}

impl Connection {
    /// What it keeps of requests.
    fn kept(&self, has_requests: bool) -> KeptInput {
        let (bytes, held) = match self {
            Connection::Http(caller) => (caller.kept(), caller.held()),
            Connection::WebSocket(socket) => (socket.kept(), socket.held()),
        };
        KeptInput { bytes, held, has_requests }
    }
}

/// The gateway of a hub that serves HTTP and WebSocket.
#[derive(Debug, Default)]
pub struct Web {
    policy: Policy,
    /// The state of each connection, by slot. An HTTP caller without an unfinished request has none.
    connections: Vec<Option<Connection>>,
}

impl From<Policy> for Web {
    fn from(policy: Policy) -> Web {
        Web::new(policy)
    }
}

impl Web {
    /// A gateway without connections.
    pub fn new(policy: Policy) -> Web {
        Web { policy, connections: Vec::new() }
    }

    fn take(&mut self, slot: usize) -> Option<Connection> {
        self.connections.get_mut(slot)?.take()
    }

    fn put(&mut self, slot: usize, connection: Connection) {
        if self.connections.len() <= slot {
            self.connections.resize_with(slot + 1, || None);
        }
        self.connections[slot] = Some(connection);
    }

    /// Executes the kept input of a session and then `input`. Returns the state to keep, if any.
    fn serve<L>(&mut self, hub: &mut Hub<L>, slot: usize, input: &mut [u8]) -> Option<Connection> {
        let mut caller = match self.take(slot) {
            Some(Connection::WebSocket(mut socket)) => {
                socket.receive(hub, slot, input);
                return Some(Connection::WebSocket(socket));
            }
            Some(Connection::Http(caller)) => *caller,
            None => Caller::default(),
        };
        match caller.receive(hub, slot, &self.policy, input) {
            Some(socket) => Some(Connection::WebSocket(Box::new(socket))),
            None => (!caller.is_idle()).then(|| Connection::Http(Box::new(caller))),
        }
    }
}

impl Gateway for Web {
    fn codecs(&self) -> Codecs {
        codec::CODECS
    }

    fn receive<L>(&mut self, hub: &mut Hub<L>, slot: usize, input: &mut [u8]) {
        let is_open = |hub: &Hub<L>| hub.session(slot).is_some_and(Session::is_open);
        // The last bytes to a departed session are already queued. Nothing may follow them, not even a pong.
        let connection = if is_open(hub) { self.serve(hub, slot, input) } else { self.take(slot) };
        if !is_open(hub) {
            return;
        }
        let has_backlog = !backlog::accepts_requests(hub, slot);
        let nothing = KeptInput { has_requests: has_backlog, ..KeptInput::default() };
        hub.set_unparsed(slot, connection.as_ref().map_or(nothing, |connection| connection.kept(has_backlog)));
        if let Some(connection) = connection {
            self.put(slot, connection);
        }
    }

    fn resume<L>(&mut self, hub: &mut Hub<L>, slot: usize) {
        // What is kept is about to be executed: it must not hold up itself by counting towards the memory limit.
        hub.set_unparsed(slot, KeptInput::default());
        self.receive(hub, slot, &mut []);
    }

    /// Also shrinks the table when the connections with the highest slots have no state.
    fn forget(&mut self, slot: usize) {
        self.take(slot);
        while self.connections.last().is_some_and(Option::is_none) {
            self.connections.pop();
        }
        if self.connections.capacity() > SPARSE * self.connections.len().max(MIN_TABLE) {
            self.connections.shrink_to(2 * self.connections.len());
        }
    }
}

#[cfg(test)]
mod tests;
