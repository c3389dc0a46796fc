//! A blocking client, for Rust programs and for the command line. It builds on `wire` alone and does not use the hub.

mod connection;
mod error;
#[cfg(feature = "ws")]
mod handshake;
mod io;
mod liveness;
mod pages;
mod push;
mod rooms;
mod stream;
mod users;
#[cfg(feature = "ws")]
mod websocket;

pub use error::ClientError;
pub use pages::Pages;
pub use push::{Delivery, Mail, Push};
pub use rooms::{History, Joined};

use crate::address::Address;
use crate::wire::{Answer, Request, UserId};
use connection::Connection;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// How long the client waits for the connection and for each reply, unless told otherwise. It is well above the time
/// for which a hub lets one slow receiver delay its senders.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// What the hub said about itself when the client connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The client's own id.
    pub user: UserId,
    /// The largest body, in bytes.
    pub max_body: u32,
    /// The most receivers that one relay may name.
    pub max_receivers: u16,
    /// The longest time in which a hub that is still there sends nothing; zero: it may be silent for ever.
    pub heartbeat: Duration,
    /// The hub's software and version, as in `cubby/0.1.0`.
    pub server: String,
}

/// One connection to a hub.
///
/// Pushes that arrive while the client writes or waits for a reply are queued for [`next`](Client::next), in order:
/// call it often if many arrive. If more than 64 MiB of them are queued, or one reply has more than 32 MiB, the error
/// is [`TooMuch`](ClientError::TooMuch). The client answers the hub's heartbeats whenever it reads. So call `next` at
/// least once a minute even if you expect nothing: a hub closes clients that are silent for too long (90 s by
/// default).
///
/// No wait is for ever: if nothing comes from the hub for two of its heartbeats, the client asks it, and if nothing
/// comes for one more, the error is [`Silent`](ClientError::Silent). After an error the connection cannot be used any
/// more, and you must connect again. The exceptions are [`Refused`](ClientError::Refused) that is not fatal, and errors
/// that are found before anything is sent. Whether the hub got a request that was sent without a reply is not known:
/// repeat it only if it does no harm twice.
///
/// ```no_run
/// use cubby::{Client, Push};
///
/// # fn main() -> Result<(), cubby::ClientError> {
/// let mut client = Client::connect("127.0.0.1:7070")?;
/// let everyone_else = client.list()?;
/// if !everyone_else.is_empty() {
///     client.relay(&everyone_else, b"hello")?;
/// }
/// client.join("lobby")?;
/// client.publish("lobby", b"good morning")?;
/// while let Some(push) = client.next(None)? {
///     match push {
///         Push::Event(event) => println!("[r/{}] {}: {:?}", event.room, event.name, event.what),
///         Push::Delivery(delivery) => println!("{}: {} bytes", delivery.sender, delivery.body.len()),
///         _ => {}
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    welcome: Welcome,
}

impl Client {
    /// Connects to `HOST:PORT`, `unix:PATH` or, over WebSocket, `ws://HOST:PORT/PATH` (the port defaults to 80, the
    /// path to `/ws`). Waits at most [`DEFAULT_TIMEOUT`] for this and for each reply.
    ///
    /// # Errors
    ///
    /// If the address is not valid, nothing listens there, or the server there is not a hub.
    pub fn connect(address: &str) -> Result<Client, ClientError> {
        Client::connect_as(address, "", DEFAULT_TIMEOUT)
    }

    /// Connects with a name (which may be empty), and waits at most `timeout` for this (but for looking up the host's
    /// name, which the system limits), and for each reply.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Client::connect), and [`ClientError::Refused`] if the hub does not accept the name.
    pub fn connect_as(address: &str, name: &str, timeout: Duration) -> Result<Client, ClientError> {
        let address: Address = address.parse().map_err(ClientError::Address)?;
        let end = Instant::now().checked_add(timeout);
        let mut connection = Connection::open(&address, timeout)?;
        connection.set_end(end);
        let welcome = connection.ask(Request::Hello { name, token: "" }, |answer| {
            let Answer::Welcome { user, max_body, max_receivers, heartbeat_secs, server, .. } = answer else {
                return None;
            };
            let heartbeat = Duration::from_secs(heartbeat_secs.into());
            Some(Welcome { user, max_body, max_receivers, heartbeat, server: server.to_owned() })
        })?;
        connection.set_end(None);
        connection.set_heartbeat(welcome.heartbeat);
        Ok(Client { connection, welcome })
    }

    /// What the hub said about itself when this client connected, and the id it gave to this client.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Sets how long to wait for each reply from now on. A reply of several frames has this time for all of them.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.connection.set_timeout(timeout);
    }

    /// Sets a moment from which on every request fails with [`TimedOut`](ClientError::TimedOut) instead of waiting, so
    /// that several requests together take no longer (`None`: no such moment). It does not limit
    /// [`next`](Client::next).
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.connection.set_end(deadline);
    }

    /// How many pushes have arrived that [`next`](Client::next) returns without reading further.
    pub fn queued(&self) -> usize {
        self.connection.queued()
    }

    /// The next push: a body that was relayed or sent to this client, or an event of one of its rooms. Waits at most
    /// `timeout` for it (`None`: as long as the hub is there), and returns `None` if none came in time.
    ///
    /// `Some(Duration::ZERO)` does not wait at all: it returns a push that has already arrived, if there is one.
    ///
    /// # Errors
    ///
    /// If the connection broke or the hub closed it. If the hub said why, the error is [`ClientError::Closing`]; if it
    /// says nothing any more, [`ClientError::Silent`].
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Option<Push>, ClientError> {
        self.connection.next_push(timeout)
    }

    /// How long a caller that polls the connection itself may wait before it calls `next(Some(Duration::ZERO))` again,
    /// even if nothing arrives. Without such calls nobody notices that a line is dead.
    pub fn poll_timeout(&self) -> Duration {
        self.connection.silence_left()
    }

    fn check_body(&self, body: &[u8]) -> Result<(), ClientError> {
        let max = self.welcome.max_body;
        if body.len() > max as usize { Err(ClientError::TooLarge { len: body.len(), max }) } else { Ok(()) }
    }
}

/// Refuses a name over 255 bytes. It does not fit its field, and cutting it could make it another user's name.
fn check_name(name: &str) -> Result<(), ClientError> {
    if name.len() <= u8::MAX.into() { Ok(()) } else { Err(ClientError::NameTooLong { len: name.len() }) }
}

impl AsFd for Client {
    /// The connection, for a poll of the caller's own. It becomes readable when [`next`](Client::next) may return
    /// something. It does not show frames that were already read: before you wait, call `next(Some(Duration::ZERO))`
    /// until it returns `None`. Wait no longer than [`poll_timeout`](Client::poll_timeout).
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}
