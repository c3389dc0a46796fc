//! The embedding API: a hub that listens, inside whatever program wants one.
//!
//! Owns the [`Loop`] over the real operating system, the queue of what other threads ask, and the channel that takes
//! events to them. All else happens in `net` and `hub`.

mod builder;
mod event_channel;
mod handle;
#[cfg(feature = "ws")]
mod http;
#[cfg(not(feature = "ws"))]
mod http {
    //! Without HTTP all sessions are native.

    pub(super) use crate::hub::{NativeOnly as GatewayPolicy, NativeOnly as ServerGateway};
}

pub use builder::Builder;
pub use event_channel::{EventSender, Events, EventsWaker, WhenFull, event_channel};
pub use handle::Handle;

use crate::address::Address;
use crate::error::{HostError, SetupError};
use crate::hub::{Listener, SharedEvent};
use crate::net::{HubOf, Loop, MioOs};
use crate::stats::Stats;
use crate::wire::{Status, UserId};
use handle::Ask;
use http::ServerGateway;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

/// What other threads ask that is done in one turn.
const ASKS: usize = 256;

/// A hub that listens. It does nothing by itself: call [`run`](Server::run), or [`turn`](Server::turn) again and again.
#[derive(Debug)]
pub struct Server {
    net: Loop<MioOs, ServerGateway>,
    addresses: Vec<Address>,
    http_addresses: Vec<Address>,
    /// `None` once the hub has ended, so that whoever asks still is told so.
    asked: Option<Receiver<Ask>>,
    handle: Handle,
    /// Those who wait for the end; it is told by letting these go.
    ended: Vec<Sender<()>>,
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

    /// Where it listens for HTTP and WebSocket, likewise. Empty without the feature `ws`.
    pub fn http_addresses(&self) -> &[Address] {
        &self.http_addresses
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
            self.do_what_is_asked();
        }
        let turning = self.handle.begin_turn();
        self.net.work();
        drop(turning);
        if self.net.is_drained() {
            self.asked = None;
            self.ended.clear();
        }
        Ok(self.asked.is_some())
    }

    /// Some of what other threads ask; what is left gets another turn, so that nobody who asks much stops the hub.
    fn do_what_is_asked(&mut self) {
        for _ in 0..ASKS {
            if self.net.hub().is_turn_half_spent() {
                break;
            }
            match self.asked.as_ref().map(Receiver::try_recv) {
                Some(Ok(ask)) => ask(self),
                _ => return,
            }
        }
        self.handle.wake();
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

    /// Whether a burst of traffic was over with the last turn, and much memory free again, which the allocator may not
    /// give back to the system by itself. A host that minds may ask it to, as `cubbyd` does: `malloc_trim` in glibc.
    pub fn has_eased(&self) -> bool {
        self.net.has_eased()
    }

    /// Begins to stop: nobody is let in any more, all are told (CLOSING, error 11), and what is queued for them is
    /// sent, for at most [`Limits::drain`](crate::Limits::drain). Turns must go on until one returns `false`.
    pub fn stop(&mut self) {
        let _turning = self.handle.begin_turn();
        self.net.drain();
    }

    /// The same; `ended` is let go when the hub has ended.
    fn stop_and_tell(&mut self, ended: Sender<()>) {
        self.ended.push(ended);
        self.stop();
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        self.net.hub().stats()
    }

    /// Relays a body to users, as [`Handle::relay`] does, for a host that turns the server itself. It is sent in the
    /// next turn; so is what the methods below lead to.
    ///
    /// # Errors
    ///
    /// Where the body is over the hub's limit.
    pub fn relay(&mut self, receivers: &[UserId], body: &[u8]) -> Result<Vec<Status>, HostError> {
        self.handle.check_body(body)?;
        Ok(self.at_once(|hub| hub.relay_for_host(receivers, body)))
    }

    /// Sends a body to names, as [`Handle::send`] does.
    ///
    /// # Errors
    ///
    /// Where the body is over the hub's limit.
    pub fn send(&mut self, names: &[&str], body: &[u8]) -> Result<Vec<Status>, HostError> {
        self.handle.check_body(body)?;
        Ok(self.at_once(|hub| hub.send_for_host(names, body)))
    }

    /// Says something in a room, as [`Handle::publish`] does.
    ///
    /// # Errors
    ///
    /// Where the body is over the hub's limit, the name will not do, or the hub may have no further room.
    pub fn publish(&mut self, room: &str, body: &[u8]) -> Result<u64, HostError> {
        self.handle.check_body(body)?;
        Ok(self.at_once(|hub| hub.publish_for_host(room, body))?)
    }

    /// Closes a room, as [`Handle::close_room`] does.
    pub fn close_room(&mut self, room: &str) -> bool {
        self.at_once(|hub| hub.close_room(room))
    }

    /// Has the hub do something at this moment, perhaps between two turns. Listeners may be called by it.
    fn at_once<T>(&mut self, work: impl FnOnce(&mut HubOf<MioOs>) -> T) -> T {
        let _turning = self.handle.begin_turn();
        self.net.tick();
        work(self.net.hub_mut())
    }

    /// What a room remembers, as [`Handle::history`] gives it.
    pub fn history(&self, room: &str, after: u64, limit: usize) -> Vec<SharedEvent> {
        self.net.hub().history_of(room, after, limit)
    }

    /// Who is in a room, as [`Handle::members`] gives it.
    pub fn members(&self, room: &str) -> Vec<(UserId, String)> {
        self.net.hub().members_of(room)
    }

    /// Calls a listener for each event of every room, from now on.
    pub fn listen_to_all(&mut self, listener: impl Listener + 'static) {
        self.net.hub_mut().listeners.add(Box::new(listener));
    }

    /// Calls a listener for each event of one room, from now on, whether or not there is such a room yet.
    pub fn listen_to(&mut self, room: &str, listener: impl Listener + 'static) {
        self.net.hub_mut().listeners.add_in(room, Box::new(listener));
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
