//! The loop: one thread, one poll, and all sockets in the slab of the hub.
//!
//! Owns the sockets, the read buffer, the timeouts, and the order of a turn. All I/O and the clock are behind the
//! [`Os`] seam. It does not understand requests: it hands what it receives to the hub, or to the [`Gateway`] of other
//! encodings, and then does what the hub's [`Effects`](crate::hub::Effects) list.
//!
//! A turn reads from top to bottom in [`Loop::wait`] and [`Loop::work`], one file for each step:
//!
//! ```text
//!   wait ──> note edges ──> accept ──> read ──────────> flush ──> reap
//!                           admit.rs   read.rs          flush.rs  close.rs
//!                                      (receive,                  (evict.rs makes room,
//!                                       hand to hub)               expire.rs ends what took too long)
//! ```
//!
//! The parts that keep state between turns do not depend on the loop, and each is tested alone: `Readiness`,
//! `Acceptor`, `ReadQueue`, `Timeouts`, `MemoryPressure`, `Trim`, and the `Link` of each session.

mod acceptor;
mod admit;
mod bind;
mod close;
mod evict;
mod expire;
mod flush;
mod link;
mod memory_pressure;
mod mio_os;
mod os;
mod read;
mod read_queue;
mod readiness;
#[cfg(test)]
mod tests;
mod timeouts;
mod trim;

#[doc(hidden)]
pub use link::Link;
pub use mio_os::{MioOs, Waker};
pub use os::{Edge, Os};

use crate::hub::{Gateway, Hub, NativeOnly};
use crate::limits::{Limits, READ_BUFFER};
use crate::marks::{Mark, mark};
use acceptor::Acceptor;
use link::Condition;
use memory_pressure::MemoryPressure;
use read_queue::ReadQueue;
use readiness::Readiness;
use std::io;
use std::time::Duration;
use timeouts::Timeouts;
use trim::Trim;

/// The hub of a loop over one operating system: each session with its connection.
pub type HubOf<O> = Hub<Link<<O as Os>::Socket>>;

/// The loop over one operating system, real or simulated.
#[derive(Debug)]
pub struct Loop<O: Os, G: Gateway = NativeOnly> {
    os: O,
    hub: Hub<Link<O::Socket>>,
    gateway: G,
    /// The time of this turn. The clock is read when a wait begins and when it ends.
    now: Duration,
    readiness: Readiness,
    acceptor: Acceptor,
    read_queue: ReadQueue,
    /// The buffer into which every link is read.
    buffer: Box<[u8]>,
    timeouts: Timeouts,
    memory: MemoryPressure,
    trim: Trim,
    /// When this turn stops serving sessions, once the clock was read for that.
    serve_until: Option<Duration>,
    /// Links to remove at the end of this turn, each once.
    closing: Vec<usize>,
    /// How many turns in a row have left dirty links for the next one.
    turns_unflushed: u32,
    /// While the hub shuts down: the deadline.
    drain_deadline: Option<Duration>,
}

impl<O: Os> Loop<O> {
    /// A loop with no connection, for native sessions only.
    pub fn new(os: O, limits: Limits) -> Loop<O> {
        Loop::with_gateway(os, limits, NativeOnly)
    }
}

impl<O: Os, G: Gateway> Loop<O, G> {
    /// A loop with no connection, whose sessions that are not native are served by `gateway`.
    pub fn with_gateway(os: O, limits: Limits, gateway: G) -> Loop<O, G> {
        let mut hub = Hub::with_codecs(limits.clone(), gateway.codecs());
        hub.seed_epochs(os.seed());
        Loop {
            now: os.now(),
            os,
            readiness: Readiness::default(),
            acceptor: Acceptor::default(),
            read_queue: ReadQueue::default(),
            buffer: vec![0; READ_BUFFER].into(),
            timeouts: Timeouts::new(&limits),
            memory: MemoryPressure::default(),
            trim: Trim::default(),
            serve_until: None,
            closing: Vec::new(),
            turns_unflushed: 0,
            drain_deadline: None,
            hub,
            gateway,
        }
    }

    /// The operating system it runs over.
    pub fn os_mut(&mut self) -> &mut O {
        &mut self.os
    }

    /// The operating system it runs over.
    pub fn os(&self) -> &O {
        &self.os
    }

    /// The hub, for what a host asks of it outside [`work`](Loop::work).
    pub fn hub_mut(&mut self) -> &mut HubOf<O> {
        &mut self.hub
    }

    /// The hub.
    pub fn hub(&self) -> &HubOf<O> {
        &self.hub
    }

    /// How long a wait may last: `None` if nothing is due, zero if there is work left.
    pub fn patience(&self) -> Option<Duration> {
        if self.has_work() { Some(Duration::ZERO) } else { self.time_to_deadline(self.os.now()) }
    }

    /// Whether the next turn has something to do without an edge.
    fn has_work(&self) -> bool {
        self.readiness.has_more()
            || self.acceptor.has_work()
            || !self.closing.is_empty()
            || self.hub.owes_departures()
            || self.memory.owes_evictions
            || !self.hub.effects().is_done()
            || self.is_drained()
            || self.may_serve()
    }

    /// Whether there are requests that may be served in the next turn. At the memory limit there are none: what is over
    /// it after those that hold most were closed is not held by sessions.
    fn may_serve(&self) -> bool {
        let effects = self.hub.effects();
        let mut to_read = self.read_queue.slots().iter().chain(&effects.resumed);
        !self.hub.is_over_memory()
            && (!effects.postponed.is_empty()
                || self.hub.owes_slices()
                || to_read.any(|&slot| self.memory.may_read(&self.hub, slot)))
    }

    /// How long from `now` to the next deadline of any kind.
    fn time_to_deadline(&self, now: Duration) -> Option<Duration> {
        let of_parts = [self.timeouts.next(), self.acceptor.next(), self.memory.next(), self.trim.next()];
        let deadlines = of_parts.into_iter().chain([self.hub.next_room_expiry(), self.drain_deadline]);
        Some(deadlines.flatten().min()?.saturating_sub(now))
    }

    /// The first half of a turn: waits for edges, at most `timeout` and never past the next deadline, and reads the
    /// clock.
    ///
    /// # Errors
    ///
    /// If the poll itself is broken.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let now = self.os.now();
        if self.hub.stats.turns > 0 {
            self.hub.stats.count_turn(now.saturating_sub(self.now));
        }
        let patience = if self.has_work() { Some(Duration::ZERO) } else { self.time_to_deadline(now) };
        let timeout = [timeout, patience].into_iter().flatten().min();
        self.readiness.wait(&mut self.os, timeout, now)?;
        self.tick();
        self.hub.begin_turn(self.turns_unflushed == 0);
        self.hub.stats.turns += 1;
        Ok(())
    }

    /// Reads the clocks, for what a host asks of the hub between two turns.
    pub fn tick(&mut self) {
        self.now = self.os.now();
        self.hub.set_time(self.now, self.os.unix_ms());
    }

    /// Whether a waker, or a descriptor of the host's, asked for this turn.
    pub fn was_woken(&self) -> bool {
        self.readiness.was_woken()
    }

    /// The second half of a turn: reads and executes requests, flushes outboxes, and removes links that are closing.
    pub fn work(&mut self) {
        self.hub.expire_rooms();
        self.note_edges();
        self.accept_waiting();
        self.read_ready();
        self.hub.serve_long_requests();
        self.hub.announce_departures();
        self.expire_reading();
        self.flush_dirty();
        self.expire_writing();
        self.handle_full_and_departed();
        self.relieve_memory();
        self.relieve_crowd();
        self.trim.check(&mut self.hub, self.now);
        self.reap();
    }

    /// Both halves.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Loop::wait).
    pub fn turn(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.wait(timeout)?;
        self.work();
        Ok(())
    }

    /// Whether a burst of traffic ended with the last turn, so that much memory is free again.
    pub fn has_eased(&self) -> bool {
        self.trim.eased()
    }

    fn note_edges(&mut self) {
        for i in 0..self.readiness.edges.len() {
            match self.readiness.edges[i] {
                Edge::Woken => {}
                Edge::Accept { listener } => self.acceptor.note_waiting(listener),
                Edge::Socket { slot, readable, writable, unusual, broken } => {
                    let condition = match (broken, unusual) {
                        (true, _) => Condition::Broken,
                        (false, true) => Condition::ShortReads,
                        (false, false) => Condition::Normal,
                    };
                    self.note_socket(slot, readable, writable, condition);
                }
            }
        }
    }

    /// Notes an edge of a link, and puts the link into the read queue and on the list to flush.
    fn note_socket(&mut self, slot: usize, readable: bool, writable: bool, condition: Condition) {
        let Some(session) = self.hub.session_mut(slot) else { return mark(Mark::VacantEdge) };
        let is_unblocked = session.link.note_edge(readable, writable, condition);
        if readable {
            self.read_queue.push(slot, &mut session.link);
        }
        if is_unblocked && session.outbox().queued() > 0 {
            self.hub.mark_dirty(slot);
        }
        if condition == Condition::Broken {
            self.close_if_broken(slot);
        }
    }
}
