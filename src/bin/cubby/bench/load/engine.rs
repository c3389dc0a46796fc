//! The engine's loop: waiting, hearing and sending what is to be sent; and what becomes of a connection that breaks.
//! What is sent when stands in `course`.

use super::clock::Clock;
use super::dialect::Dialect;
use super::ear::Hall;
use super::link::{Got, Link, ReadBuffer, Role};
use super::plan::{LoadError, Plan};
use super::poll::{Edge, Poller};
use super::schedule::Schedule;
use super::visits::Visits;
use cubby::Address;
use slab::Slab;
use std::time::Duration;

/// Reads of one link in a turn, at the most: the others are to be heard as well.
const READS: u32 = 8;

/// The whole generator, for one run.
pub(super) struct Engine<'p, D, F> {
    pub plan: &'p Plan,
    pub dialect: F,
    /// Where the hub is, its name looked up.
    pub address: Address,
    pub clock: Clock,
    pub poller: Poller,
    pub links: Slab<Link<D>>,
    pub hall: Hall,
    /// Subscribers of each group that publishers wait for.
    pub live: Vec<u32>,
    /// Publishers that may yet send.
    pub active: usize,
    pub schedule: Schedule,
    pub visits: Visits,
    /// A body, whose front is the next stamp.
    pub body: Vec<u8>,
    /// Messages sent, the warm-up's as well: the size of the next one hangs on it.
    pub dealt: usize,
    /// When the part of the course that is on began.
    pub began_ns: u64,
    /// When messages came to be under way, after there were none.
    pub roused_ns: u64,
    /// Whether nothing was heard for too long.
    pub was_stuck: bool,
    /// Whether the connection of a publisher is over.
    pub publisher_lost: bool,
    /// What the thread had used of the processor after a turn that did nothing but wait.
    pub waiting_since: Option<Duration>,
    /// What was used of the processor for waiting so.
    pub waited: Duration,
    buffer: ReadBuffer,
    edges: Vec<Edge>,
    /// Links that were not read to the end.
    unread: Vec<usize>,
    dirty: Vec<usize>,
    doomed: Vec<usize>,
}

impl<'p, D: Dialect, F: FnMut() -> D> Engine<'p, D, F> {
    /// One without connections.
    pub fn new(plan: &'p Plan, dialect: F) -> Result<Engine<'p, D, F>, LoadError> {
        Ok(Engine {
            plan,
            dialect,
            address: plan.address.clone(),
            clock: Clock::start(),
            poller: Poller::new().map_err(LoadError::Poll)?,
            links: Slab::new(),
            hall: Hall::new(Vec::new(), plan.sizes.clone()),
            live: vec![plan.subscribers; plan.groups as usize],
            active: 0,
            schedule: Schedule::default(),
            visits: Visits::default(),
            body: (0..plan.sizes.largest()).map(|place| place as u8).collect(),
            dealt: 0,
            began_ns: 0,
            roused_ns: 0,
            was_stuck: false,
            publisher_lost: false,
            waiting_since: None,
            waited: Duration::ZERO,
            buffer: ReadBuffer::new(),
            edges: Vec::new(),
            unread: Vec::new(),
            dirty: Vec::new(),
            doomed: Vec::new(),
        })
    }

    /// Waits so long at the most, and hears what came. Whether anything happened.
    pub fn turn(&mut self, timeout: Duration) -> Result<bool, LoadError> {
        let mut edges = std::mem::take(&mut self.edges);
        let timeout = if self.unread.is_empty() { timeout } else { Duration::ZERO };
        let waited = self.poller.wait(timeout, &mut edges);
        let any = !edges.is_empty() || !self.unread.is_empty();
        for slot in std::mem::take(&mut self.unread) {
            self.read(slot, false);
        }
        edges.iter().for_each(|edge| self.serve(edge));
        self.edges = edges;
        waited.map(|()| any).map_err(LoadError::Poll)
    }

    fn serve(&mut self, edge: &Edge) {
        let Some(link) = self.links.get_mut(edge.slot) else { return };
        if edge.writable && link.blocked {
            link.blocked = false;
            self.soil(edge.slot);
        }
        let Some(link) = self.links.get(edge.slot) else { return };
        if !link.is_deaf() {
            if edge.readable {
                self.read(edge.slot, edge.closed);
            }
        } else if edge.closed {
            self.lose(edge.slot, "the hub closed a connection that does not read".to_owned());
        }
    }

    /// Reads a link, until nothing is there; where its other side is closed, until it says so.
    fn read(&mut self, slot: usize, closed: bool) {
        for _ in 0..READS {
            let Some(link) = self.links.get_mut(slot).filter(|link| !link.doomed) else { return };
            match link.read(&mut self.buffer, &mut self.hall, &self.clock) {
                Got::Full => {}
                Got::Some if closed => {}
                Got::Some | Got::Nothing => {
                    if link.unsent() > 0 {
                        self.soil(slot);
                    }
                    return;
                }
                Got::Over(why) => return self.lose(slot, why),
            }
        }
        self.soil(slot);
        self.unread.push(slot);
    }

    /// Notes that a link has something to send.
    pub fn soil(&mut self, slot: usize) {
        if let Some(link) = self.links.get_mut(slot)
            && !std::mem::replace(&mut link.dirty, true)
        {
            self.dirty.push(slot);
        }
    }

    /// Sends what is to be sent, and gives up the links that are over.
    pub fn flush(&mut self) {
        for slot in std::mem::take(&mut self.dirty) {
            let Some(link) = self.links.get_mut(slot) else { continue };
            link.dirty = false;
            match link.flush() {
                Err(error) => self.lose(slot, format!("a connection broke: {error}")),
                Ok(()) if link.role == Role::Leaver && link.unsent() == 0 => drop(self.doom(slot)),
                Ok(()) => {}
            }
        }
        for slot in std::mem::take(&mut self.doomed) {
            if self.links.remove(slot).awaited > 0 {
                self.hall.arriving -= 1;
            }
        }
    }

    /// Gives a link up at the end of the turn; false where it is already.
    fn doom(&mut self, slot: usize) -> bool {
        let Some(link) = self.links.get_mut(slot) else { return false };
        let is_new = !std::mem::replace(&mut link.doomed, true);
        if is_new {
            self.doomed.push(slot);
        }
        is_new
    }

    /// A connection is over: nobody waits for what it would have heard or sent.
    pub fn lose(&mut self, slot: usize, why: String) {
        if !self.doom(slot) {
            return;
        }
        let link = &self.links[slot];
        match link.role {
            Role::Slow | Role::Leaver => {}
            _ if link.refused => {}
            _ => self.hall.outcome.wrong(|| why),
        }
        for (publisher, next) in link.heed.awaited() {
            // While the connections are being made there are no publishers.
            let Some(state) = self.hall.publishers.get(publisher as usize) else { break };
            let count = state.next().wrapping_sub(next);
            self.hall.outcome.missed += u64::from(count);
            self.hall.settle(publisher, next, count);
        }
        let (role, place, (first, count)) = (link.role, link.place, link.groups);
        self.publisher_lost |= role == Role::Publisher;
        for group in first..first + count {
            let publishers = group * self.plan.publishers;
            match role {
                Role::Publisher => self.retire(publishers + place),
                Role::Subscriber => {
                    self.live[group as usize] -= 1;
                    if self.live[group as usize] == 0 {
                        (publishers..publishers + self.plan.publishers).for_each(|number| self.retire(number));
                    }
                }
                _ => {}
            }
        }
    }

    /// A publisher sends no more.
    pub fn retire(&mut self, number: u32) {
        let Some(publisher) = self.hall.publishers.get_mut(number as usize) else { return };
        publisher.due = 0;
        if std::mem::take(&mut publisher.left) > 0 {
            self.active -= 1;
        }
    }
}
