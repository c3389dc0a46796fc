//! How a server is set up.

use super::Server;
use super::handle::Handle;
use super::http::GatewayPolicy;
use crate::address::Address;
use crate::error::SetupError;
use crate::hub::Protocol;
use crate::limits::{IfFull, Limits};
use crate::net::{Loop, MioOs};
use std::io;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Sets a [`Server`] up. Every limit has a default; see [`Limits`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing before `bind`"]
pub struct Builder {
    addresses: Vec<String>,
    /// Addresses of the gateway's protocol.
    pub(super) http_addresses: Vec<(String, Protocol)>,
    pub(super) gateway: GatewayPolicy,
    limits: Limits,
}

impl Builder {
    /// Listens on one more address: `HOST:PORT` (port 0: the system chooses) or `unix:PATH`.
    pub fn listen(mut self, address: impl Into<String>) -> Builder {
        self.addresses.push(address.into());
        self
    }

    /// Takes all limits at once, in place of those set before.
    pub fn limits(mut self, limits: Limits) -> Builder {
        self.limits = limits;
        self
    }

    /// Connections at once; one more is told error 14. See [`Limits::max_connections`].
    pub fn max_connections(mut self, count: usize) -> Builder {
        self.limits.max_connections = count;
        self
    }

    /// Bytes of body in one frame; the queue grows with it. See [`Limits::set_max_body`].
    pub fn max_body(mut self, bytes: u32) -> Builder {
        self.limits.set_max_body(bytes);
        self
    }

    /// Receivers of one RELAY. See [`Limits::max_receivers`].
    pub fn max_receivers(mut self, count: u16) -> Builder {
        self.limits.max_receivers = count;
        self
    }

    /// Bytes queued for one user before those who write to it wait. See [`Limits::queue`].
    pub fn queue(mut self, bytes: usize) -> Builder {
        self.limits.queue = bytes;
        self
    }

    /// Bytes from which on a body is shared rather than copied. See [`Limits::share_from`].
    pub fn share_from(mut self, bytes: usize) -> Builder {
        self.limits.share_from = bytes;
        self
    }

    /// What becomes of what is for a user whose queue is full. See [`Limits::if_full`].
    pub fn if_full(mut self, policy: IfFull) -> Builder {
        self.limits.if_full = policy;
        self
    }

    /// Bytes queued and half received in all. See [`Limits::memory`].
    pub fn memory(mut self, bytes: usize) -> Builder {
        self.limits.memory = bytes;
        self
    }

    /// Connections at once from one address. See [`Limits::max_per_address`].
    pub fn max_per_address(mut self, count: usize) -> Builder {
        self.limits.max_per_address = count;
        self
    }

    /// Requests a second of one connection. See [`Limits::rate`].
    pub fn rate(mut self, requests: u32) -> Builder {
        self.limits.rate = requests;
        self
    }

    /// How long nothing is said to a user before a beat is. See [`Limits::heartbeat`].
    pub fn heartbeat(mut self, time: Duration) -> Builder {
        self.limits.heartbeat = time;
        self
    }

    /// How long nothing is heard from a user before it is closed. See [`Limits::idle`].
    pub fn idle(mut self, time: Duration) -> Builder {
        self.limits.idle = time;
        self
    }

    /// How long a frame may take. See [`Limits::frame_time`].
    pub fn frame_time(mut self, time: Duration) -> Builder {
        self.limits.frame_time = time;
        self
    }

    /// Rooms in the hub; one more is error 8. See [`Limits::max_rooms`].
    pub fn max_rooms(mut self, count: usize) -> Builder {
        self.limits.max_rooms = count;
        self
    }

    /// Rooms that one session may be in; one more is error 8. See [`Limits::rooms_per_session`].
    pub fn rooms_per_session(mut self, count: usize) -> Builder {
        self.limits.rooms_per_session = count;
        self
    }

    /// What a room remembers: so many events, with so many bytes of bodies, and for so long once nobody is in it. See
    /// [`Limits::history`].
    pub fn history(mut self, events: usize, bytes: usize, time: Duration) -> Builder {
        (self.limits.history, self.limits.history_bytes, self.limits.history_time) = (events, bytes, time);
        self
    }

    /// Bytes that all rooms remember together. See [`Limits::history_total`].
    pub fn history_total(mut self, bytes: usize) -> Builder {
        self.limits.history_total = bytes;
        self
    }

    /// How long a user may stay over its queue limit. See [`Limits::stall`].
    pub fn stall(mut self, time: Duration) -> Builder {
        self.limits.stall = time;
        self
    }

    /// How long a closed link's input is still discarded. See [`Limits::linger`].
    pub fn linger(mut self, time: Duration) -> Builder {
        self.limits.linger = time;
        self
    }

    /// How long outboxes may take to empty at the end. See [`Limits::drain`].
    pub fn drain(mut self, time: Duration) -> Builder {
        self.limits.drain = time;
        self
    }

    /// Listens on every address given; from here on connections are accepted by the kernel, and served once the server
    /// turns. A unix socket that nobody listens on any more is replaced; one in use is not.
    ///
    /// # Errors
    ///
    /// The first limit or address that will not do, and why. Without an address there is nothing to fail: a hub that
    /// only its host talks to.
    pub fn bind(self) -> Result<Server, SetupError> {
        self.limits.check()?;
        let mut os = MioOs::new().map_err(SetupError::System)?;
        let native = self.addresses.iter().map(|given| listen(&mut os, given, Protocol::NATIVE));
        let addresses = native.collect::<Result<_, _>>()?;
        let http = self.http_addresses.iter().map(|(given, protocol)| listen(&mut os, given, *protocol));
        let http_addresses = http.collect::<Result<_, _>>()?;
        let (ask, asked) = channel();
        let handle = Handle::new(ask, os.waker(), self.limits.max_body);
        let net = Loop::with_gateway(os, self.limits, self.gateway.into());
        Ok(Server { net, addresses, http_addresses, asked: Some(asked), handle, ended: Vec::new() })
    }
}

/// Listens on an address. Returns it with the port that was really bound.
fn listen(os: &mut MioOs, given: &str, protocol: Protocol) -> Result<Address, SetupError> {
    let invalid = |error| SetupError::Listen {
        address: given.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidInput, error),
    };
    os.listen(&given.parse().map_err(invalid)?, protocol)
}
