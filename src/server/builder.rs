//! Setting up a server.

use super::Server;
use super::gateway::{GatewayPolicy, ServerGateway};
use super::handle::Handle;
use crate::address::Address;
use crate::error::SetupError;
use crate::hub::Protocol;
use crate::limits::{IfFull, Limits};
use crate::net::{Loop, MioOs};
use std::io;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Sets up a [`Server`]. Every limit has a default; see [`Limits`].
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
    /// Listens on one more address: `HOST:PORT` (port 0: the system chooses) or `unix:PATH`. A host with several
    /// addresses is listened to on each of them. `0.0.0.0` and `[::]` may have the same port.
    pub fn listen(mut self, address: impl Into<String>) -> Builder {
        self.addresses.push(address.into());
        self
    }

    /// Sets all limits at once, in place of those set before.
    pub fn limits(mut self, limits: Limits) -> Builder {
        self.limits = limits;
        self
    }

    /// Connections at once; a further one gets error 14. See [`Limits::max_connections`].
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

    /// Bytes queued for one user before senders wait. See [`Limits::queue`].
    pub fn queue(mut self, bytes: usize) -> Builder {
        self.limits.queue = bytes;
        self
    }

    /// The smallest body, in bytes, that is shared rather than copied. See [`Limits::share_from`].
    pub fn share_from(mut self, bytes: usize) -> Builder {
        self.limits.share_from = bytes;
        self
    }

    /// What happens to a RELAY or SEND to a user whose queue is full. See [`Limits::if_full`].
    pub fn if_full(mut self, policy: IfFull) -> Builder {
        self.limits.if_full = policy;
        self
    }

    /// Bytes that the hub may hold: queued, or received and not executed. See [`Limits::memory`].
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

    /// After how long without sending anything to a user it is sent a BEAT. See [`Limits::heartbeat`].
    pub fn heartbeat(mut self, time: Duration) -> Builder {
        self.limits.heartbeat = time;
        self
    }

    /// After how long without receiving anything from a user it is closed. See [`Limits::idle`].
    pub fn idle(mut self, time: Duration) -> Builder {
        self.limits.idle = time;
        self
    }

    /// How long a frame may take. See [`Limits::frame_time`].
    pub fn frame_time(mut self, time: Duration) -> Builder {
        self.limits.frame_time = time;
        self
    }

    /// Rooms in the hub; a further one is error 8. See [`Limits::max_rooms`].
    pub fn max_rooms(mut self, count: usize) -> Builder {
        self.limits.max_rooms = count;
        self
    }

    /// Rooms that one session may be in; a further one is error 8. See [`Limits::rooms_per_session`].
    pub fn rooms_per_session(mut self, count: usize) -> Builder {
        self.limits.rooms_per_session = count;
        self
    }

    /// What a room remembers: how many events, how many bytes of their bodies, and for how long once it has no members.
    /// See [`Limits::history`].
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

    /// How long the input of a closed connection is still discarded. See [`Limits::linger`].
    pub fn linger(mut self, time: Duration) -> Builder {
        self.limits.linger = time;
        self
    }

    /// How long the hub may take to send what is queued when it stops. See [`Limits::drain`].
    pub fn drain(mut self, time: Duration) -> Builder {
        self.limits.drain = time;
        self
    }

    /// Listens on every address given. From now on the kernel accepts connections, and they are served once the server
    /// turns. A stale unix socket is replaced; one in use is not.
    ///
    /// # Errors
    ///
    /// The first limit or address that can not be used, and why. Without an address the hub is reached by its host
    /// only, which is no error.
    pub fn bind(self) -> Result<Server, SetupError> {
        self.limits.check()?;
        let mut os = MioOs::new().map_err(SetupError::System)?;
        let native = self.addresses.iter().map(|given| parse(given, Protocol::NATIVE));
        let http = self.http_addresses.iter().map(|(given, protocol)| parse(given, *protocol));
        let mut addresses = os.listen(&native.chain(http).collect::<Result<Vec<_>, _>>()?)?;
        let http_addresses = addresses.split_off(self.addresses.len()).concat();
        let (ask, asked) = channel();
        let handle = Handle::new(ask, os.waker(), &self.limits);
        let net = Loop::with_gateway(os, self.limits, ServerGateway::from(self.gateway));
        Ok(Server { net, addresses: addresses.concat(), http_addresses, asked: Some(asked), handle, ended: Vec::new() })
    }
}

/// An address to listen on, and its protocol.
fn parse(given: &str, protocol: Protocol) -> Result<(Address, Protocol), SetupError> {
    let invalid = |error| SetupError::Listen {
        address: given.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidInput, error),
    };
    Ok((given.parse().map_err(invalid)?, protocol))
}
