//! The generator's loop: wait, read, flush; and what happens if a connection breaks. `run` decides what is sent when.

use super::checker::Totals;
use super::churn::Churn;
use super::clock::Clock;
use super::connection::{Connection, Got, ReadBuffer, Role};
use super::driver::Driver;
use super::plan::{LoadError, Plan};
use super::poll::{Edge, Poller};
use super::processor::SpinTime;
use super::schedule::Schedule;
use cubby::Address;
use slab::Slab;
use std::time::Duration;

/// Reads of one connection in a turn, at most, so that the others are read as well.
const READS: u32 = 8;

/// The whole generator, for one run.
pub(super) struct Engine<'p, D, F> {
    pub plan: &'p Plan,
    /// Makes the driver of a connection.
    pub driver: F,
    /// The hub's address, resolved.
    pub address: Address,
    pub clock: Clock,
    pub poller: Poller,
    pub connections: Slab<Connection<D>>,
    pub totals: Totals,
    /// The subscribers of each group that its publishers wait for.
    pub live: Vec<u32>,
    pub output: Output,
    pub churn: Churn,
    /// When the current phase began.
    pub began_ns: u64,
    pub stall: Stall,
    pub spin: SpinTime,
    buffer: ReadBuffer,
    lists: Lists,
}

/// What is still to be sent.
pub(super) struct Output {
    /// Publishers that have messages left to send.
    pub active: usize,
    pub schedule: Schedule,
    /// A body. The next stamp is written over its front.
    pub body: Vec<u8>,
    /// Messages sent so far, those of the warm-up included. The next one's size depends on it.
    pub sent: usize,
}

/// What shows whether the hub has stalled.
#[derive(Default)]
pub(super) struct Stall {
    /// When messages came to be in flight after none were.
    pub busy_since_ns: u64,
    /// Whether a stall was already counted as an error.
    pub counted: bool,
    /// Whether the connection of a publisher is gone.
    pub publisher_lost: bool,
}

/// Connections that need something in this turn, by their slots.
#[derive(Default)]
struct Lists {
    edges: Vec<Edge>,
    /// Those that may have more to read.
    unread: Vec<usize>,
    /// Those that have something to send.
    dirty: Vec<usize>,
    /// Those that are removed at the end of the turn.
    closing: Vec<usize>,
}

impl<'p, D: Driver, F: FnMut() -> D> Engine<'p, D, F> {
    /// A generator without connections.
    pub fn new(plan: &'p Plan, driver: F) -> Result<Engine<'p, D, F>, LoadError> {
        let body = (0..plan.sizes.largest()).map(|place| place as u8).collect();
        Ok(Engine {
            plan,
            driver,
            address: plan.address.clone(),
            clock: Clock::start(),
            poller: Poller::new().map_err(LoadError::Poll)?,
            connections: Slab::new(),
            totals: Totals::new(Vec::new(), plan.sizes.clone()),
            live: vec![plan.subscribers; plan.groups as usize],
            output: Output { active: 0, schedule: Schedule::default(), body, sent: 0 },
            churn: Churn::default(),
            began_ns: 0,
            stall: Stall::default(),
            spin: SpinTime::default(),
            buffer: ReadBuffer::new(),
            lists: Lists::default(),
        })
    }

    /// Waits for `timeout` at most, and reads what arrived. Returns whether anything happened.
    pub fn turn(&mut self, timeout: Duration) -> Result<bool, LoadError> {
        let mut edges = std::mem::take(&mut self.lists.edges);
        let unread = std::mem::take(&mut self.lists.unread);
        let timeout = if unread.is_empty() { timeout } else { Duration::ZERO };
        let waited = self.poller.wait(timeout, &mut edges);
        let any = !edges.is_empty() || !unread.is_empty();
        unread.into_iter().for_each(|slot| self.read(slot, false));
        edges.iter().for_each(|edge| self.serve(edge));
        self.lists.edges = edges;
        waited.map(|()| any).map_err(LoadError::Poll)
    }

    fn serve(&mut self, edge: &Edge) {
        let Some(connection) = self.connections.get_mut(edge.slot) else { return };
        if edge.writable && connection.blocked {
            connection.blocked = false;
            self.mark_dirty(edge.slot);
        }
        let Some(connection) = self.connections.get(edge.slot) else { return };
        if !connection.is_deaf() {
            if edge.readable {
                self.read(edge.slot, edge.closed);
            }
        } else if edge.closed {
            self.drop_connection(edge.slot, "the hub closed a connection that does not read".to_owned());
        }
    }

    /// Reads a connection until nothing is there. If the hub has closed it, reads until the end.
    fn read(&mut self, slot: usize, closed: bool) {
        for _ in 0..READS {
            let Some(connection) = self.connections.get_mut(slot).filter(|connection| !connection.closing) else {
                return;
            };
            match connection.read(&mut self.buffer, &mut self.totals, &self.clock) {
                Got::Full => {}
                Got::Some if closed => {}
                Got::Some | Got::Nothing => {
                    if connection.unsent() > 0 {
                        self.mark_dirty(slot);
                    }
                    return;
                }
                Got::Over(why) => return self.drop_connection(slot, why),
            }
        }
        self.mark_dirty(slot);
        self.lists.unread.push(slot);
    }

    /// Notes that a connection has something to send.
    pub fn mark_dirty(&mut self, slot: usize) {
        if let Some(connection) = self.connections.get_mut(slot)
            && !std::mem::replace(&mut connection.dirty, true)
        {
            self.lists.dirty.push(slot);
        }
    }

    /// Sends what is to be sent, and removes the connections that are over.
    pub fn flush(&mut self) {
        for slot in std::mem::take(&mut self.lists.dirty) {
            let Some(connection) = self.connections.get_mut(slot) else { continue };
            connection.dirty = false;
            match connection.flush() {
                Err(error) => self.drop_connection(slot, format!("a connection broke: {error}")),
                Ok(()) if connection.role == Role::Leaver && connection.unsent() == 0 => drop(self.mark_closing(slot)),
                Ok(()) => {}
            }
        }
        for slot in std::mem::take(&mut self.lists.closing) {
            if self.connections.remove(slot).acks_expected > 0 {
                self.totals.connecting -= 1;
            }
        }
    }

    /// Has a connection removed at the end of the turn. Returns false if it was marked before.
    fn mark_closing(&mut self, slot: usize) -> bool {
        let Some(connection) = self.connections.get_mut(slot) else { return false };
        let is_new = !std::mem::replace(&mut connection.closing, true);
        if is_new {
            self.lists.closing.push(slot);
        }
        is_new
    }

    /// Gives up a connection: what it has not received is missed, and no publisher waits for it any more.
    pub fn drop_connection(&mut self, slot: usize, why: String) {
        if !self.mark_closing(slot) {
            return;
        }
        let connection = &self.connections[slot];
        let is_error = !matches!(connection.role, Role::Slow | Role::Leaver) && !connection.refused;
        if is_error {
            self.totals.outcome.wrong(|| why);
        }
        for (publisher, next) in connection.expected.pending() {
            // While the connections are being made there are no publishers.
            let Some(state) = self.totals.publishers.get(publisher as usize) else { break };
            let count = state.next().wrapping_sub(next);
            self.totals.outcome.missed += u64::from(count);
            self.totals.settle(publisher, next, count);
        }
        let (role, index, (first, count)) = (connection.role, connection.index, connection.groups);
        self.stall.publisher_lost |= role == Role::Publisher;
        for group in first..first + count {
            let publishers = group * self.plan.publishers;
            match role {
                Role::Publisher => self.retire(publishers + index),
                Role::Subscriber => {
                    self.live[group as usize] -= 1;
                    if self.live[group as usize] == 0 {
                        (publishers..publishers + self.plan.publishers).for_each(|number| self.retire(number));
                    }
                }
                Role::Slow | Role::Joiner | Role::Leaver | Role::Idle => {}
            }
        }
    }

    /// Stops a publisher: it sends no more.
    pub fn retire(&mut self, number: u32) {
        let Some(publisher) = self.totals.publishers.get_mut(number as usize) else { return };
        publisher.due = 0;
        if std::mem::take(&mut publisher.left) > 0 {
            self.output.active -= 1;
        }
    }
}
