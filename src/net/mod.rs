//! The loop: one thread, one poll, all sockets in the hub's slab.
//!
//! Owns the sockets, what is half received, the deadlines, and the order of a turn. Does its I/O through the [`Os`]
//! seam alone, and never looks into a request: it hands whole frames to the hub, then does what stands on the hub's
//! agenda.
//!
//! One turn, short enough to know by heart:
//!
//! ```text
//!   deadline ──> poll ──> read and carry out ──> flush ──> reap
//!   (wait)       (wait)   (accept, read)         (flush)   (reap)
//! ```

mod accept;
mod deadlines;
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

use crate::hub::Hub;
use crate::limits::{Limits, READ_BUFFER};
use crate::wire::ErrorCode;
use deadlines::Deadlines;
use link::Link;
use std::io;
use std::time::Duration;

/// The loop over one operating system, real or simulated.
#[derive(Debug)]
pub struct Loop<O: Os> {
    os: O,
    hub: Hub<Link<O::Socket>>,
    /// The moment of this turn, by the one clock read that it does.
    now: Duration,
    edges: Vec<Edge>,
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

    /// The hub, for what a host asks of it between [`wait`](Loop::wait) and [`work`](Loop::work).
    pub fn hub(&mut self) -> &mut Hub<Link<O::Socket>> {
        &mut self.hub
    }

    /// How long a wait may last before something is owed: `None` where nothing is, zero where work is left over.
    pub fn patience(&self) -> Option<Duration> {
        let crowd = !self.crowded.is_empty() && self.accept_again.is_none();
        if crowd || !self.ready.is_empty() || !self.hub.agenda.is_empty() || self.is_drained() {
            return Some(Duration::ZERO);
        }
        let next = [self.deadlines.next(), self.accept_again, self.drained_by].into_iter().flatten().min()?;
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
        self.os.wait(timeout, &mut self.edges)?;
        self.now = self.os.now();
        self.hub.stats.turns += 1;
        Ok(())
    }

    /// The second half of a turn: carries out what came, sends what that led to, lets go of what is over.
    pub fn work(&mut self) {
        self.expire();
        self.note_edges();
        self.accept_waiting();
        self.read_ready();
        self.flush_dirty();
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

    /// Begins to shut down: nobody is let in any more, all are told, and what is queued for them is sent.
    pub fn drain(&mut self) {
        if self.drained_by.is_some() {
            return;
        }
        self.os.stop_listening();
        self.crowded.clear();
        self.accept_again = None;
        self.now = self.os.now();
        self.drained_by = Some(self.now + self.hub.limits().drain);
        let slots: Vec<usize> = self.hub.slots().collect();
        slots.into_iter().for_each(|slot| self.hub.dismiss(slot, ErrorCode::GoingAway, "the hub is shutting down"));
    }

    /// Whether it was told to shut down and nobody is left to send to, or the time for that is over.
    pub fn is_drained(&self) -> bool {
        self.drained_by.is_some_and(|by| self.hub.is_empty() || self.now >= by)
    }

    /// Looks at the links whose time has come.
    fn expire(&mut self) {
        while let Some(slot) = self.deadlines.pop(self.now) {
            let Some(user) = self.hub.user_mut(slot) else { continue };
            user.link.due = None;
            let (id, queued) = (user.id(), user.outbox().queued());
            if !user.is_present() {
                log::debug!("user {id} is closed with {queued} bytes not taken");
                self.doom(slot);
            } else if user.is_full() {
                log::info!("user {id} is closed: {queued} bytes are queued, and it takes too few");
                self.hub.stats.too_slow += 1;
                self.hub.dismiss(slot, ErrorCode::TooSlow, "this client did not read what was queued for it");
            }
        }
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
                Edge::Socket { slot, readable, writable, hung_up } => self.note(slot, readable, writable, hung_up),
            }
        }
    }

    fn note(&mut self, slot: usize, readable: bool, writable: bool, hung_up: bool) {
        let Some(user) = self.hub.user_mut(slot) else { return };
        user.link.readable |= readable;
        user.link.hung_up |= hung_up;
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

    /// Has a link looked at after `delay`, instead of whenever it was to be before.
    fn set_due(&mut self, slot: usize, delay: Duration) {
        self.call_off(slot);
        let at = self.now + delay;
        if let Some(user) = self.hub.user_mut(slot) {
            user.link.due = Some(at);
            self.deadlines.set(at, slot);
        }
    }

    /// Has a link no longer looked at.
    fn call_off(&mut self, slot: usize) {
        if let Some(at) = self.hub.user_mut(slot).and_then(|user| user.link.due.take()) {
            self.deadlines.cancel(at, slot);
        }
    }

    /// Puts a link on the list of those to reap at the turn's end, once. From now on its user is not here.
    fn doom(&mut self, slot: usize) {
        let Some(user) = self.hub.user_mut(slot) else { return };
        if !user.link.doomed {
            user.link.doomed = true;
            self.doomed.push(slot);
            self.hub.depart(slot);
        }
    }

    /// Closes the doomed. Only here are slots vacated, so that nothing on this turn's lists can mean a newcomer.
    fn reap(&mut self) {
        while let Some(slot) = self.doomed.pop() {
            self.call_off(slot);
            self.hub.remove(slot);
        }
    }
}
