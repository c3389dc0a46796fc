//! The embedding API: a hub that listens, inside whatever program wants one.
//!
//! Owns the [`Loop`] over the real operating system and the queue of what other threads ask. All else happens in `net`
//! and `hub`.

use crate::address::Address;
use crate::error::{Gone, RelayError, SetupError};
use crate::limits::Limits;
use crate::net::{Loop, MioOs, Waker};
use crate::stats::Stats;
use crate::wire::{Status, UserId};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Sets a [`Server`] up. Every limit has a default; see [`Limits`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing before `bind`"]
pub struct Builder {
    addresses: Vec<String>,
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
        let mut addresses = Vec::with_capacity(self.addresses.len());
        for given in &self.addresses {
            let invalid = |error| SetupError::Listen {
                address: given.clone(),
                source: io::Error::new(io::ErrorKind::InvalidInput, error),
            };
            addresses.push(os.listen(&given.parse().map_err(invalid)?)?);
        }
        let (ask, asked) = channel();
        let handle = Handle { ask, waker: os.waker(), max_body: self.limits.max_body };
        Ok(Server { net: Loop::new(os, self.limits), addresses, asked: Some(asked), handle })
    }
}

/// A hub that listens. It does nothing by itself: call [`run`](Server::run), or [`turn`](Server::turn) again and again.
#[derive(Debug)]
pub struct Server {
    net: Loop<MioOs>,
    addresses: Vec<Address>,
    /// `None` once the hub has ended, so that whoever asks still is told so.
    asked: Option<Receiver<Ask>>,
    handle: Handle,
}

impl Server {
    /// Begins to set one up.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// One with default limits that listens on one address: `HOST:PORT` or `unix:PATH`.
    ///
    /// # Errors
    ///
    /// Those of [`Builder::bind`].
    pub fn bind(address: &str) -> Result<Server, SetupError> {
        Server::builder().listen(address).bind()
    }

    /// Where it listens, in the order given, with the ports that were really bound.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// What other threads need to talk to it.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until told to stop by [`Handle::stop`] or [`Server::stop`], and everybody has been told.
    ///
    /// # Errors
    ///
    /// Where the poll itself is broken.
    pub fn run(&mut self) -> io::Result<()> {
        while self.turn(None)? {}
        Ok(())
    }

    /// Does one turn of the loop: waits at most `timeout` for something to do (`None`: as long as it takes), then does
    /// it. Says whether there will be another: `false` once the hub was told to stop and has.
    ///
    /// A turn may end early with nothing done. Time-outs of the hub's own end a wait too.
    ///
    /// # Errors
    ///
    /// Where the poll itself is broken.
    pub fn turn(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        self.net.wait(timeout)?;
        if self.was_woken() {
            while let Some(Ok(ask)) = self.asked.as_ref().map(Receiver::try_recv) {
                self.answer(ask);
            }
        }
        self.net.work();
        if self.net.is_drained() {
            self.asked = None;
        }
        Ok(self.asked.is_some())
    }

    /// How long a host that polls the [descriptor](Server::as_fd) itself may wait before it owes a
    /// [`turn`](Server::turn); `None`: until the descriptor is readable.
    pub fn patience(&self) -> Option<Duration> {
        self.net.patience()
    }

    /// Ends a wait whenever `descriptor` becomes readable (once each time that it does: the host reads it empty). So a
    /// signal or a host's own work gets its turn without a second thread.
    ///
    /// # Errors
    ///
    /// Where the system can not poll it.
    pub fn wake_on(&mut self, descriptor: impl Into<OwnedFd>) -> io::Result<()> {
        self.net.os_mut().wake_on(descriptor.into())
    }

    /// Whether somebody asked for the last turn: a [`Handle`], or a descriptor given to [`wake_on`](Server::wake_on). A
    /// host need look at its own descriptors only then.
    pub fn was_woken(&self) -> bool {
        self.net.was_woken()
    }

    /// Begins to stop: nobody is let in any more, all are told (CLOSING, error 11), and what is queued for them is
    /// sent, for at most [`Limits::drain`]. Turns must go on until one returns `false`.
    pub fn stop(&mut self) {
        self.net.drain();
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        self.net.hub().stats
    }

    /// Relays a body to users, as [`Handle::relay`] does, for a host that turns the server itself. It is sent in the
    /// next turn.
    ///
    /// # Errors
    ///
    /// Where the body is over the hub's limit.
    pub fn relay(&mut self, receivers: &[UserId], body: &[u8]) -> Result<Vec<Status>, RelayError> {
        self.handle.check_body(body)?;
        Ok(self.net.hub_mut().relay_for_host(receivers, body))
    }

    fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Stop => self.stop(),
            // Who asked may have gone since; then nobody wants to know.
            Ask::Stats { answer } => drop(answer.send(self.stats())),
            Ask::Relay { receivers, body, answer } => {
                let statuses = self.net.hub_mut().relay_for_host(&receivers, &body);
                drop(answer.send(statuses));
            }
        }
    }
}

impl AsFd for Server {
    /// The poll descriptor. It is readable when a turn has something to do, so that a host can nest the whole hub in a
    /// poll of its own as one descriptor; then call `turn(Some(Duration::ZERO))`, and mind [`Server::patience`].
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.net.os().as_fd()
    }
}

impl AsRawFd for Server {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// What a [`Handle`] asks of the hub's thread.
#[derive(Debug)]
enum Ask {
    Stop,
    Stats { answer: Sender<Stats> },
    Relay { receivers: Vec<UserId>, body: Vec<u8>, answer: Sender<Vec<Status>> },
}

/// Talks to a [`Server`] from any thread. What it asks is done in the server's next turn.
///
/// On the thread that turns the server, only [`stop`](Handle::stop) may be used: the others wait for that turn.
#[derive(Clone, Debug)]
pub struct Handle {
    ask: Sender<Ask>,
    waker: Waker,
    max_body: u32,
}

impl Handle {
    /// Stops the hub as [`Server::stop`] does. Does not wait for it.
    ///
    /// # Errors
    ///
    /// [`Gone`] where it has ended already.
    pub fn stop(&self) -> Result<(), Gone> {
        self.ask(Ask::Stop)
    }

    /// What was counted so far. Waits for the hub's next turn.
    ///
    /// # Errors
    ///
    /// [`Gone`] where the hub has ended, or ends before it answers.
    pub fn stats(&self) -> Result<Stats, Gone> {
        let (answer, answered) = channel();
        self.ask(Ask::Stats { answer })?;
        answered.recv().map_err(|_| Gone)
    }

    /// Relays a body to users; each distinct one gets it once, from the sender [`HOST`](crate::HOST). Returns a status
    /// for each, in the order named: [`Status::Refused`] where its queue is full, for a host is never made to wait.
    /// Waits for the hub's next turn.
    ///
    /// # Errors
    ///
    /// Where the body is over the hub's limit, or the hub has ended or ends before it answers.
    pub fn relay(&self, receivers: &[UserId], body: &[u8]) -> Result<Vec<Status>, RelayError> {
        self.check_body(body)?;
        let (answer, answered) = channel();
        let ask = Ask::Relay { receivers: receivers.to_vec(), body: body.to_vec(), answer };
        self.ask(ask).map_err(|Gone| RelayError::Gone)?;
        answered.recv().map_err(|_| RelayError::Gone)
    }

    fn check_body(&self, body: &[u8]) -> Result<(), RelayError> {
        if body.len() > self.max_body as usize { Err(RelayError::TooLarge(self.max_body)) } else { Ok(()) }
    }

    fn ask(&self, ask: Ask) -> Result<(), Gone> {
        self.ask.send(ask).map_err(|_| Gone)?;
        // It fails only where the poll is gone, and with it the hub.
        self.waker.wake().map_err(|_| Gone)
    }
}
