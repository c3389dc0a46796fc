//! How other threads talk to a server: a queue of requests, and a waker that ends its wait.

use super::Server;
use crate::error::{Gone, HostError};
use crate::hub::{Listener, SharedEvent};
use crate::limits::Limits;
use crate::net::Waker;
use crate::stats::Stats;
use crate::wire::{Status, UserId};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

/// Bytes that may be [posted](Handle::post) and not yet published; but never more than an eighth of the memory limit.
const POSTED_BYTES: usize = 16 * 1024 * 1024;

/// What a post costs beside its body, in bytes.
const POST_OVERHEAD: usize = 256;

thread_local! {
    /// The number of the server whose turn this thread is running; 0 if it runs none.
    static TURNING: Cell<u64> = const { Cell::new(0) };
}

/// A request of a [`Handle`]: run on the hub's thread, in its next turn.
pub(super) type Ask = Box<dyn FnOnce(&mut Server) + Send>;

/// Controls a [`Server`] from any thread. Its requests are executed in the server's next turn, and the hub never waits
/// for the caller.
///
/// The methods that wait for an answer must not be called on the thread that runs the server, because they would wait
/// for themselves: within a turn, as in a [`Listener`], they return [`HostError::WouldDeadlock`].
/// [`stop`](Handle::stop) and [`post`](Handle::post) wait for nothing.
#[derive(Clone, Debug)]
pub struct Handle {
    ask: Sender<Ask>,
    waker: Waker,
    max_body: u32,
    /// The number of the server, among all of this process.
    number: u64,
    /// Bytes that were posted and are not published yet.
    posted: Arc<AtomicUsize>,
    /// The most of them.
    most_posted: usize,
}

/// While this value lives, its thread is running a turn of a server.
pub(super) struct Turning {
    before: u64,
}

impl Drop for Turning {
    fn drop(&mut self) {
        TURNING.set(self.before);
    }
}

impl Handle {
    pub(super) fn new(ask: Sender<Ask>, waker: Waker, limits: &Limits) -> Handle {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let most_posted = POSTED_BYTES.min(limits.memory / 8);
        Handle { ask, waker, max_body: limits.max_body, number, posted: Arc::default(), most_posted }
    }

    /// Bytes that were posted and are not published yet. All other requests have a thread that waits for them.
    pub(super) fn posted(&self) -> usize {
        self.posted.load(Ordering::Relaxed)
    }

    /// Notes that this thread runs a turn from now on.
    pub(super) fn begin_turn(&self) -> Turning {
        Turning { before: TURNING.replace(self.number) }
    }

    /// Stops the hub as [`Server::stop`] does. Does not wait for it.
    ///
    /// # Errors
    ///
    /// [`Gone`] if it has ended already.
    pub fn stop(&self) -> Result<(), Gone> {
        self.ask(Box::new(Server::stop))
    }

    /// Stops the hub as [`stop`](Handle::stop) does, and waits until all clients have been told, what was queued for
    /// them is sent, and the hub has ended: for at most [`Limits::drain`](crate::Limits::drain).
    ///
    /// # Errors
    ///
    /// [`HostError::Gone`] if it has ended already, [`HostError::WouldDeadlock`] on the thread that runs it.
    pub fn drain(&self) -> Result<(), HostError> {
        if TURNING.get() == self.number {
            return Err(HostError::WouldDeadlock);
        }
        let (ended, wait) = channel::<()>();
        self.ask(Box::new(move |server| server.stop_and_tell(ended)))?;
        // Nothing is ever sent: the other end is dropped when the hub ends.
        let _ = wait.recv();
        Ok(())
    }

    /// The counters, and the gauges of this moment.
    ///
    /// # Errors
    ///
    /// [`HostError::Gone`] if the hub has ended, or ends before it answers.
    pub fn stats(&self) -> Result<Stats, HostError> {
        self.call(|server| server.stats())
    }

    /// Relays a body to users; each distinct one receives it once, from the sender [`HOST`](crate::HOST). Returns a
    /// status for each id, in the order given: [`Status::Refused`] if the queue is full, because a host is never made
    /// to wait.
    ///
    /// # Errors
    ///
    /// If the body is over the hub's limit, or the hub has ended or ends before it answers.
    pub fn relay(&self, receivers: &[UserId], body: &[u8]) -> Result<Vec<Status>, HostError> {
        self.check_body(body)?;
        let (receivers, body) = (receivers.to_vec(), body.to_vec());
        self.call(move |server| server.relay(&receivers, &body))?
    }

    /// Sends a body to names; each session of each name receives it once, from the sender [`HOST`](crate::HOST), which
    /// has no name. Returns a status for each name, in the order given, as [`relay`](Handle::relay) does for ids.
    ///
    /// # Errors
    ///
    /// As those of [`relay`](Handle::relay).
    pub fn send(&self, names: &[&str], body: &[u8]) -> Result<Vec<Status>, HostError> {
        self.check_body(body)?;
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let body = body.to_vec();
        self.call(move |server| server.send(&names.iter().map(String::as_str).collect::<Vec<_>>(), &body))?
    }

    /// Publishes a message in a room, as the unnamed session [`HOST`](crate::HOST). Returns the event's id.
    ///
    /// # Errors
    ///
    /// If the body is over the hub's limit, the room's name is not valid, the hub may not have another room, or it has
    /// ended or ends before it answers.
    pub fn publish(&self, room: &str, body: &[u8]) -> Result<u64, HostError> {
        self.check_body(body)?;
        let (room, body) = (room.to_owned(), body.to_vec());
        self.call(move |server| server.publish(&room, &body))?
    }

    /// Publishes a message as [`publish`](Handle::publish) does, but waits for nothing, so that a listener may call it.
    /// If the room can not be made, the hub's log says so.
    ///
    /// # Errors
    ///
    /// If the body is over the hub's limit, the hub has ended, or 16 MiB are posted and not published yet (or an eighth
    /// of [`Limits::memory`], if that is less): [`HostError::Busy`].
    pub fn post(&self, room: &str, body: &[u8]) -> Result<(), HostError> {
        self.check_body(body)?;
        let (room, body) = (room.to_owned(), body.to_vec());
        let cost = body.len() + POST_OVERHEAD;
        if self.posted.fetch_add(cost, Ordering::Relaxed) >= self.most_posted {
            self.posted.fetch_sub(cost, Ordering::Relaxed);
            return Err(HostError::Busy);
        }
        let posted = self.posted.clone();
        let publish = move |server: &mut Server| {
            posted.fetch_sub(cost, Ordering::Relaxed);
            if let Err(error) = server.publish(&room, &body) {
                log::warn!("the host could not post to {}: {error}", crate::escape::escape_unfit(&room));
            }
        };
        Ok(self.ask(Box::new(publish))?)
    }

    /// Closes a room: its members are told by an event and are not in it any more, and its events are forgotten.
    /// Returns whether there was one. If it is made again, its events are numbered from 1.
    ///
    /// # Errors
    ///
    /// If the hub has ended or ends before it answers.
    pub fn close_room(&self, room: &str) -> Result<bool, HostError> {
        let room = room.to_owned();
        self.call(move |server| server.close_room(&room))
    }

    /// The events that a room remembers with an id above `after`, oldest first, at most `limit`. They are shared, not
    /// copied. There are none if there is no such room.
    ///
    /// # Errors
    ///
    /// If the hub has ended or ends before it answers.
    pub fn history(&self, room: &str, after: u64, limit: usize) -> Result<Vec<SharedEvent>, HostError> {
        let room = room.to_owned();
        self.call(move |server| server.history(&room, after, limit))
    }

    /// The sessions in a room, ids ascending, each with its name, which is empty if it has none.
    ///
    /// # Errors
    ///
    /// If the hub has ended or ends before it answers.
    pub fn members(&self, room: &str) -> Result<Vec<(UserId, String)>, HostError> {
        let room = room.to_owned();
        self.call(move |server| server.members(&room))
    }

    /// Calls a listener for each event of every room, from the hub's next turn on. Does not wait for it.
    ///
    /// # Errors
    ///
    /// [`Gone`] if the hub has ended.
    pub fn listen_to_all(&self, listener: impl Listener + 'static) -> Result<(), Gone> {
        self.ask(Box::new(|server| server.listen_to_all(listener)))
    }

    /// Calls a listener for each event of one room, from the hub's next turn on. Does not wait for it.
    ///
    /// # Errors
    ///
    /// [`Gone`] if the hub has ended.
    pub fn listen_to(&self, room: &str, listener: impl Listener + 'static) -> Result<(), Gone> {
        let room = room.to_owned();
        self.ask(Box::new(move |server| server.listen_to(&room, listener)))
    }

    pub(super) fn check_body(&self, body: &[u8]) -> Result<(), HostError> {
        if body.len() > self.max_body as usize { Err(HostError::TooLarge(self.max_body)) } else { Ok(()) }
    }

    /// Runs `work` on the hub's thread, and waits for what it returns.
    fn call<T: Send + 'static>(&self, work: impl FnOnce(&mut Server) -> T + Send + 'static) -> Result<T, HostError> {
        if TURNING.get() == self.number {
            return Err(HostError::WouldDeadlock);
        }
        let (answer, answered) = channel();
        // It fails only if the caller is gone, and then nobody needs the answer.
        self.ask(Box::new(move |server| drop(answer.send(work(server)))))?;
        answered.recv().map_err(|_| HostError::Gone)
    }

    /// Makes the hub run another turn.
    pub(super) fn wake(&self) {
        // It fails only if the poll is gone, and the hub with it.
        let _ = self.waker.wake();
    }

    fn ask(&self, ask: Ask) -> Result<(), Gone> {
        self.ask.send(ask).map_err(|_| Gone)?;
        // It fails only if the poll is gone, and the hub with it.
        self.waker.wake().map_err(|_| Gone)
    }
}
