//! The loop: one thread, one poll, all sockets in the hub's slab.
//!
//! Owns the sockets, the read buffer, the deadlines, and the order of a turn. Does its I/O through the [`Os`] seam
//! alone, and never looks into a request: it hands what it receives to the hub, then does what stands on the hub's
//! agenda.
//!
//! One turn, short enough to know by heart:
//!
//! ```text
//!   deadline ──> poll ──> read and carry out ──> flush ──> reap
//!   (wait)       (wait)   (accept, read)         (flush)   (close)
//! ```

mod accept;
mod close;
#[cfg(feature = "ws")]
mod doors;
mod flush;
mod link;
mod memory;
mod mio_os;
mod os;
mod read;
#[cfg(test)]
mod tests;
mod trim;
mod watch;
mod watches;

#[cfg(feature = "ws")]
pub use doors::Policy;
#[doc(hidden)]
pub use link::Link;
pub use mio_os::{MioOs, Waker};
pub use os::{Edge, Os};

use crate::hub::Hub;
use crate::limits::{Limits, OVERSLEPT, READ_BUFFER};
use crate::marks::{Mark, mark};
use std::io;
use std::time::Duration;
use trim::Trim;
use watches::Watches;

/// The hub of a loop over one operating system: each user with its connection.
pub type HubOf<O> = Hub<Link<<O as Os>::Socket>>;

/// The loop over one operating system, real or simulated.
#[derive(Debug)]
pub struct Loop<O: Os> {
    os: O,
    hub: Hub<Link<O::Socket>>,
    /// The moment of this turn: the clock is read when it begins, and once more when the next wait does.
    now: Duration,
    edges: Vec<Edge>,
    /// Somebody asked for this turn.
    woken: bool,
    /// More edges wait in the system than the last wait could take.
    more_edges: bool,
    /// Turns in a row of which that is so.
    behind: u32,
    /// Listeners where connections may wait: an edge came, and `WouldBlock` has not since.
    crowded: Vec<usize>,
    /// When to try those again, where the machine had no room for another connection.
    accept_again: Option<Duration>,
    /// Since the last connection that could be let in, there was one for which no descriptor was left.
    out_of_descriptors: bool,
    /// Links to read in the next turn.
    ready: Vec<usize>,
    /// Bytes that links have had read in this turn beyond their budget.
    read_more: usize,
    /// What every link is received into.
    buffer: Box<[u8]>,
    watches: Watches,
    #[cfg(feature = "ws")]
    doors: doors::Doors,
    /// While the hub holds as much as it may: since when, or since when again after the largest was closed for that.
    squeezed: Option<Duration>,
    /// Bytes that had been sent by then of what makes room.
    drained_then: u64,
    /// The favoured then, and how much of its frame had come.
    favoured_then: Option<(usize, usize)>,
    /// The one who is read even then.
    favoured: Option<usize>,
    trim: Trim,
    /// Links to reap at the end of this turn, each once.
    doomed: Vec<usize>,
    /// While shutting down: when it must be over.
    drained_by: Option<Duration>,
}

impl<O: Os> Loop<O> {
    /// A loop with nobody connected.
    pub fn new(os: O, limits: Limits) -> Loop<O> {
        let now = os.now();
        Loop {
            os,
            watches: Watches::new(&limits),
            #[cfg(feature = "ws")]
            doors: doors::Doors::default(),
            squeezed: None,
            drained_then: 0,
            favoured_then: None,
            favoured: None,
            hub: Hub::new(limits),
            now,
            edges: Vec::new(),
            woken: false,
            more_edges: false,
            behind: 0,
            crowded: Vec::new(),
            accept_again: None,
            out_of_descriptors: false,
            ready: Vec::new(),
            read_more: 0,
            buffer: vec![0; READ_BUFFER].into(),
            trim: Trim::default(),
            doomed: Vec::new(),
            drained_by: None,
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

    /// How long a wait may last before something is owed: `None` where nothing is, zero where work is left over.
    pub fn patience(&self) -> Option<Duration> {
        self.patience_at(self.os.now())
    }

    fn patience_at(&self, now: Duration) -> Option<Duration> {
        let crowd = !self.crowded.is_empty() && self.accept_again.is_none();
        let agenda = &self.hub.agenda;
        let postponed = !agenda.postponed.is_empty() && !self.hub.is_over_memory() || self.hub.owes_partings();
        if self.more_edges || crowd || postponed || !agenda.is_done() || self.is_drained() || self.has_some_to_serve() {
            return Some(Duration::ZERO);
        }
        let expiries = [self.watches.next(), self.next_eviction(), self.hub.next_expiry()];
        let next = expiries.into_iter().chain([self.accept_again, self.trim.next(), self.drained_by]);
        Some(next.flatten().min()?.saturating_sub(now))
    }

    /// The first half of a turn: waits for edges, at most `timeout` and never past the next deadline, and reads the
    /// clock.
    ///
    /// # Errors
    ///
    /// Where the poll itself is broken.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let now = self.os.now();
        if self.hub.stats.turns > 0 {
            self.hub.stats.count_turn(now.saturating_sub(self.now));
        }
        let timeout = [timeout, self.patience_at(now)].into_iter().flatten().min();
        self.edges.clear();
        self.more_edges = self.os.wait(timeout, &mut self.edges)?;
        if self.edges.is_empty() && timeout.is_some_and(|timeout| self.os.now() > now + timeout + OVERSLEPT) {
            self.more_edges = self.os.wait(Some(Duration::ZERO), &mut self.edges)?;
        }
        self.behind = if self.more_edges { self.behind.saturating_add(1) } else { 0 };
        self.tick();
        self.hub.begin_turn();
        self.woken = self.edges.contains(&Edge::Woken);
        self.hub.stats.turns += 1;
        Ok(())
    }

    /// Reads the clocks, for what a host asks of the hub between two turns.
    pub fn tick(&mut self) {
        self.now = self.os.now();
        self.hub.set_time(self.now, self.os.unix_ms());
    }

    /// Whether somebody asked for this turn: a waker, or a descriptor of the host's.
    pub fn was_woken(&self) -> bool {
        self.woken
    }

    /// The second half of a turn: carries out what came, sends what that led to, lets go of what is over.
    pub fn work(&mut self) {
        self.hub.expire_rooms();
        self.note_edges();
        self.accept_waiting();
        self.read_ready();
        self.hub.tell_partings();
        self.expire_reading();
        self.flush_dirty();
        self.expire_writing();
        self.watch_troubled();
        self.weigh();
        self.trim();
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

    fn note_edges(&mut self) {
        for i in 0..self.edges.len() {
            match self.edges[i] {
                Edge::Woken => {}
                Edge::Accept { listener } => {
                    if !self.crowded.contains(&listener) {
                        self.crowded.push(listener);
                    }
                }
                Edge::Socket { slot, readable, writable, unusual, broken } => {
                    self.note(slot, readable, writable, unusual);
                    if broken {
                        self.note_broken(slot);
                    }
                }
            }
        }
    }

    fn note(&mut self, slot: usize, readable: bool, writable: bool, unusual: bool) {
        let Some(user) = self.hub.user_mut(slot) else { return mark(Mark::VacantEdge) };
        user.link.readable |= readable;
        user.link.unusual |= unusual;
        let unblocked = writable && !user.link.writable;
        user.link.writable |= writable;
        if unblocked && user.outbox().queued() > 0 {
            self.hub.soil(slot);
        }
        if readable {
            self.list_to_read(slot);
        }
    }

    fn note_broken(&mut self, slot: usize) {
        if let Some(user) = self.hub.user_mut(slot) {
            user.link.broken = true;
            self.doom_if_broken(slot);
        }
    }

    /// Puts a link on the list of those to read, once.
    fn list_to_read(&mut self, slot: usize) {
        let Some(user) = self.hub.user_mut(slot) else { return };
        if !user.link.listed {
            user.link.listed = true;
            self.ready.push(slot);
        }
    }
}
