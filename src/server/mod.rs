//! The embedding API: a hub inside another program.
//!
//! Owns the [`Loop`] over the real operating system, the queue of requests from other threads, and the channel that
//! carries events to them. Everything else is in `net`, `web` and `hub`.

mod builder;
mod event_channel;
mod gateway;
mod handle;
#[cfg(feature = "ws")]
mod http;
pub use builder::Builder;
pub use event_channel::{EventSender, Events, EventsWaker, WhenFull, event_channel};
pub use handle::Handle;

use crate::address::Address;
use crate::error::{HostError, SetupError};
use crate::hub::{Listener, SharedEvent};
use crate::net::{HubOf, Loop, MioOs};
use crate::stats::Stats;
use crate::wire::{Status, UserId};
use gateway::ServerGateway;
use handle::Ask;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

/// How often the hub looks whether listeners have passed on events, if it is at its memory limit.
const EASE_EVERY: Duration = Duration::from_millis(100);

/// The most requests of other threads that are executed in one turn.
const ASKS: usize = 256;

/// A hub that listens. It does nothing by itself: call [`run`](Server::run), or [`turn`](Server::turn) again and again.
#[derive(Debug)]
pub struct Server {
    net: Loop<MioOs, ServerGateway>,
    addresses: Vec<Address>,
    http_addresses: Vec<Address>,
    /// `None` once the hub has ended, so that later requests fail.
    asked: Option<Receiver<Ask>>,
    handle: Handle,
    /// Dropped when the hub has ended, which ends the waits of [`Handle::drain`].
    ended: Vec<Sender<()>>,
}

impl Server {
    /// A builder with default limits that listens nowhere.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A server with default limits that listens on one address: `HOST:PORT` or `unix:PATH`.
    ///
    /// # Errors
    ///
    /// Those of [`Builder::bind`].
    pub fn bind(address: &str) -> Result<Server, SetupError> {
        Server::builder().listen(address).bind()
    }

    /// The addresses of the native protocol that it listens on, in the order given, with the ports that were really
    /// bound. A host that was given by name may have several.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The addresses of HTTP and WebSocket that it listens on, likewise. Empty without the feature `ws`.
    pub fn http_addresses(&self) -> &[Address] {
        &self.http_addresses
    }

    /// A handle by which other threads talk to it.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until [`Handle::stop`] or [`Server::stop`] is called and the shutdown is complete.
    ///
    /// # Errors
    ///
    /// If the poll itself is broken.
    pub fn run(&mut self) -> io::Result<()> {
        while self.turn(None)? {}
        Ok(())
    }

    /// Runs one turn of the loop: waits at most `timeout` for something to do (`None`: as long as it takes), then does
    /// it. Returns whether there will be another turn: `false` once the hub has stopped.
    ///
    /// A turn may end early with nothing done. The hub's own timeouts end a wait too.
    ///
    /// # Errors
    ///
    /// If the poll itself is broken.
    pub fn turn(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        self.net.wait(self.until_host_eases().into_iter().chain(timeout).min())?;
        if self.was_woken() {
            self.do_what_is_asked();
        }
        let turning = self.handle.begin_turn();
        self.net.work();
        drop(turning);
        self.note_held_by_host();
        if self.net.is_drained() {
            self.asked = None;
            self.ended.clear();
        }
        Ok(self.asked.is_some())
    }

    /// Counts as held what other threads have not taken, and what they have asked for.
    fn note_held_by_host(&mut self) {
        let hub = self.net.hub_mut();
        let bytes = hub.listeners.backlog().bytes + self.handle.posted();
        hub.set_held_by_host(bytes);
    }

    /// How long a wait may last while clients wait for memory that another thread may free: it does not wake the hub.
    fn until_host_eases(&self) -> Option<Duration> {
        let hub = self.net.hub();
        (hub.is_over_memory() && hub.listeners.backlog().bytes > 0).then_some(EASE_EVERY)
    }

    /// Executes some of the requests of other threads. The rest is left for another turn, so that many requests do not
    /// delay the hub.
    fn do_what_is_asked(&mut self) {
        for _ in 0..ASKS {
            if self.net.hub().is_turn_half_spent() {
                break;
            }
            match self.asked.as_ref().map(Receiver::try_recv) {
                Some(Ok(ask)) => {
                    ask(self);
                    // What it publishes may wait for another thread: the next one has to count it.
                    self.note_held_by_host();
                }
                _ => return,
            }
        }
        self.handle.wake();
    }

    /// How long a host that polls the [descriptor](Server::as_fd) itself may wait before it must call
    /// [`turn`](Server::turn); `None`: until the descriptor is readable.
    pub fn patience(&self) -> Option<Duration> {
        self.net.patience().into_iter().chain(self.until_host_eases()).min()
    }

    /// Ends a wait whenever `descriptor` becomes readable. This is edge-triggered, so the host must read it until it is
    /// empty. With this, signals and the host's own work need no second thread.
    ///
    /// # Errors
    ///
    /// If the system can not poll it.
    pub fn wake_on(&mut self, descriptor: impl Into<OwnedFd>) -> io::Result<()> {
        self.net.os_mut().wake_on(descriptor.into())
    }

    /// Whether a [`Handle`], or a descriptor given to [`wake_on`](Server::wake_on), asked for the last turn. A host
    /// needs to check its own descriptors only then.
    pub fn was_woken(&self) -> bool {
        self.net.was_woken()
    }

    /// Whether a burst of traffic ended with the last turn, so that much memory is free again. The allocator may not
    /// return it to the system by itself; a host can make it do so, as `cubbyd` does: `malloc_trim` in glibc.
    pub fn has_eased(&self) -> bool {
        self.net.has_eased()
    }

    /// Begins to stop: no connection is accepted any more, all clients are told (CLOSING, error 11), and what is queued
    /// for them is sent, for at most [`Limits::drain`](crate::Limits::drain). Turns must go on until one returns
    /// `false`.
    pub fn stop(&mut self) {
        let _turning = self.handle.begin_turn();
        self.net.drain();
    }

    /// The same; `ended` is dropped when the hub has ended.
    fn stop_and_tell(&mut self, ended: Sender<()>) {
        self.ended.push(ended);
        self.stop();
    }

    /// The counters, and the gauges of this moment.
    pub fn stats(&self) -> Stats {
        self.net.hub().stats()
    }

    /// Relays a body to users, as [`Handle::relay`] does, for a host that runs the turns itself. It is sent in the next
    /// turn. The same is true for the methods below.
    ///
    /// # Errors
    ///
    /// If the body is over the hub's limit.
    pub fn relay(&mut self, receivers: &[UserId], body: &[u8]) -> Result<Vec<Status>, HostError> {
        self.handle.check_body(body)?;
        Ok(self.at_once(|hub| hub.relay_for_host(receivers, body)))
    }

    /// Sends a body to names, as [`Handle::send`] does.
    ///
    /// # Errors
    ///
    /// If the body is over the hub's limit.
    pub fn send(&mut self, names: &[&str], body: &[u8]) -> Result<Vec<Status>, HostError> {
        self.handle.check_body(body)?;
        Ok(self.at_once(|hub| hub.send_for_host(names, body)))
    }

    /// Publishes a message in a room, as [`Handle::publish`] does.
    ///
    /// # Errors
    ///
    /// If the body is over the hub's limit, the name is not valid, or the hub may not have another room.
    pub fn publish(&mut self, room: &str, body: &[u8]) -> Result<u64, HostError> {
        self.handle.check_body(body)?;
        Ok(self.at_once(|hub| hub.publish_for_host(room, body))?)
    }

    /// Closes a room, as [`Handle::close_room`] does.
    pub fn close_room(&mut self, room: &str) -> bool {
        self.at_once(|hub| hub.close_room(room))
    }

    /// Lets `work` use the hub now, which may be between two turns. It may call listeners.
    fn at_once<T>(&mut self, work: impl FnOnce(&mut HubOf<MioOs>) -> T) -> T {
        let _turning = self.handle.begin_turn();
        self.net.tick();
        work(self.net.hub_mut())
    }

    /// The events that a room remembers, as [`Handle::history`] returns them.
    pub fn history(&self, room: &str, after: u64, limit: usize) -> Vec<SharedEvent> {
        self.net.hub().history_of(room, after, limit)
    }

    /// The sessions in a room, as [`Handle::members`] returns them.
    pub fn members(&self, room: &str) -> Vec<(UserId, String)> {
        self.net.hub().members_of(room)
    }

    /// Calls a listener for each event of every room, from now on.
    pub fn listen_to_all(&mut self, listener: impl Listener + 'static) {
        self.net.hub_mut().listeners.add(Box::new(listener));
    }

    /// Calls a listener for each event of one room, from now on, whether or not the room exists yet.
    pub fn listen_to(&mut self, room: &str, listener: impl Listener + 'static) {
        self.net.hub_mut().listeners.add_in(room, Box::new(listener));
    }
}

impl AsFd for Server {
    /// The poll descriptor. It is readable when a turn has something to do, so that a host can nest the whole hub in a
    /// poll of its own as one descriptor. Then call `turn(Some(Duration::ZERO))`, and wait no longer than
    /// [`Server::patience`].
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.net.os().as_fd()
    }
}

impl AsRawFd for Server {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
