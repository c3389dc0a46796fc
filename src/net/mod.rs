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
mod flush;
mod link;
mod mio_os;
mod os;
mod read;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod virtual_os;

pub use mio_os::{MioOs, Waker};
pub use os::{Edge, Os};

use crate::deadlines::Deadlines;
use crate::hub::Hub;
use crate::limits::{Limits, READ_BUFFER};
use link::Link;
use std::io;
use std::time::Duration;

/// The hub of a loop over one operating system: each user with its connection.
pub type HubOf<O> = Hub<Link<<O as Os>::Socket>>;

/// The loop over one operating system, real or simulated.
#[derive(Debug)]
pub struct Loop<O: Os> {
    os: O,
    hub: Hub<Link<O::Socket>>,
    /// The moment of this turn: the clock is read once when it begins, and once more where a deadline has to be met.
    now: Duration,
    edges: Vec<Edge>,
    /// Somebody asked for this turn.
    woken: bool,
    /// More edges wait in the system than the last wait could take.
    more_edges: bool,
    /// Listeners where connections may wait: an edge came, and `WouldBlock` has not since.
    crowded: Vec<usize>,
    /// When to try those again, where the machine had no room for another connection.
    accept_again: Option<Duration>,
    /// Links to read in the next turn, each once.
    ready: Vec<usize>,
    /// What every link is received into.
    buffer: Box<[u8]>,
    deadlines: Deadlines,
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
            hub: Hub::new(limits),
            now,
            edges: Vec::new(),
            woken: false,
            more_edges: false,
            crowded: Vec::new(),
            accept_again: None,
            ready: Vec::new(),
            buffer: vec![0; READ_BUFFER].into(),
            deadlines: Deadlines::default(),
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
        let crowd = !self.crowded.is_empty() && self.accept_again.is_none();
        if self.more_edges || crowd || !self.ready.is_empty() || !self.hub.agenda.is_empty() || self.is_drained() {
            return Some(Duration::ZERO);
        }
        let next = [self.deadlines.next(), self.hub.next_expiry(), self.accept_again, self.drained_by]
            .into_iter()
            .flatten()
            .min()?;
        Some(next.saturating_sub(self.os.now()))
    }

    /// The first half of a turn: waits for edges, at most `timeout` and never past the next deadline, and reads the
    /// clock.
    ///
    /// # Errors
    ///
    /// Where the poll itself is broken.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = [timeout, self.patience()].into_iter().flatten().min();
        self.edges.clear();
        self.more_edges = self.os.wait(timeout, &mut self.edges)?;
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
        self.expire();
        self.note_edges();
        self.accept_waiting();
        self.read_ready();
        self.flush_dirty();
        self.watch_troubled();
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
                        self.doom_if_held_up(slot);
                    }
                }
            }
        }
    }

    fn note(&mut self, slot: usize, readable: bool, writable: bool, unusual: bool) {
        let Some(user) = self.hub.user_mut(slot) else { return };
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

    /// Puts a link on the list of those to read, once.
    fn list_to_read(&mut self, slot: usize) {
        let Some(user) = self.hub.user_mut(slot) else { return };
        if !user.link.listed {
            user.link.listed = true;
            self.ready.push(slot);
        }
    }
}
