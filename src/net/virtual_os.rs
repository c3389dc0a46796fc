//! An [`Os`] without sockets or a clock of its own, for the tests of the loop: what happens, happens when a test says
//! so.
//!
//! The simulator proper will draw its faults by seed; this one is driven by hand.

use super::os::{Edge, Os};
use crate::hub::Peer;
use crate::web::Dialect;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::time::Duration;

/// One connection as the kernel would hold it.
#[derive(Debug)]
pub struct Wire {
    /// Bytes on their way to the hub, or arrived and not yet received.
    pub inbound: VecDeque<u8>,
    /// So many of them have arrived.
    arrived: usize,
    /// Bytes that the hub has sent.
    pub outbound: Vec<u8>,
    /// Bytes that the hub may send before it meets `WouldBlock`.
    pub room: usize,
    /// Bytes that arrive, or are taken, at once.
    pub step: usize,
    /// The next so many calls are interrupted by a signal.
    pub interrupts: u32,
    /// The peer has ended its side.
    pub ended: bool,
    /// The peer has reset the connection.
    pub reset: bool,
    /// The hub has ended its side.
    pub shut: bool,
    /// The hub has closed it.
    pub closed: bool,
    slot: Option<usize>,
    /// An edge not reported yet: readable, writable.
    edge: (bool, bool),
}

/// What the kernel would hold for one loop.
#[derive(Debug, Default)]
pub struct World {
    pub now: Duration,
    pub wires: Vec<Wire>,
    /// Connections waiting to be accepted.
    pub backlog: VecDeque<usize>,
    /// Descriptors left, and whether one is in reserve beside them.
    pub descriptors: usize,
    pub spare: bool,
    /// Whether one is kept in reserve at all.
    pub keeps_spare: bool,
    /// What the next accepts say, in place of a connection.
    pub accept_errors: VecDeque<i32>,
    pub accepts: u32,
    pub crowd: bool,
    /// What those speak who are let in from now on.
    pub dialect: Dialect,
    /// The next wait lasts for so long, and sees nothing.
    pub asleep: Option<Duration>,
    /// Whether there always seem to be more edges than a wait can take.
    pub more: bool,
    /// Edges that mean nothing, to be reported next.
    pub spurious: Vec<Edge>,
}

impl Wire {
    /// Whether the loop has yet to be told of something.
    pub fn has_edge(&self) -> bool {
        self.slot.is_some() && (self.edge.0 || self.edge.1 || self.arrived < self.inbound.len())
    }

    /// The next bytes arrive: that, and nothing else, makes an edge for them.
    fn arrive(&mut self) {
        let more = (self.inbound.len() - self.arrived).min(self.step);
        self.arrived += more;
        self.edge.0 |= more > 0;
    }
}

impl World {
    /// Somebody connects; returns the number of the wire.
    pub fn connect(&mut self) -> usize {
        self.wires.push(Wire {
            inbound: VecDeque::new(),
            arrived: 0,
            outbound: Vec::new(),
            room: usize::MAX,
            step: usize::MAX,
            interrupts: 0,
            ended: false,
            reset: false,
            shut: false,
            closed: false,
            slot: None,
            edge: (false, true),
        });
        self.backlog.push_back(self.wires.len() - 1);
        self.crowd = true;
        self.wires.len() - 1
    }

    pub fn send(&mut self, wire: usize, bytes: &[u8]) {
        self.wires[wire].inbound.extend(bytes);
    }

    pub fn end(&mut self, wire: usize) {
        self.wires[wire].ended = true;
        self.wires[wire].edge.0 = true;
    }

    pub fn reset(&mut self, wire: usize) {
        self.wires[wire].reset = true;
        self.wires[wire].edge = (true, true);
    }

    /// The peer makes room for so many bytes more.
    pub fn make_room(&mut self, wire: usize, room: usize) {
        self.wires[wire].room = room;
        self.wires[wire].edge.1 = true;
    }

    /// Takes what the hub has sent.
    pub fn take(&mut self, wire: usize) -> Vec<u8> {
        std::mem::take(&mut self.wires[wire].outbound)
    }

    fn edges(&mut self, edges: &mut Vec<Edge>) {
        edges.append(&mut self.spurious);
        if std::mem::take(&mut self.crowd) {
            edges.push(Edge::Accept { listener: 0 });
        }
        for wire in self.wires.iter_mut().filter(|wire| !wire.closed) {
            let Some(slot) = wire.slot else { continue };
            wire.arrive();
            if let (readable, writable) = std::mem::take(&mut wire.edge)
                && (readable || writable)
            {
                edges.push(Edge::Socket {
                    slot,
                    readable,
                    writable,
                    unusual: wire.ended || wire.reset,
                    broken: wire.reset,
                });
            }
        }
    }
}

/// The loop's end of the world.
#[derive(Clone, Debug)]
pub struct VirtualOs(pub Rc<RefCell<World>>);

/// A connection; closes its wire when dropped.
#[derive(Debug)]
pub struct VirtualSocket(Rc<RefCell<World>>, usize);

impl Drop for VirtualSocket {
    fn drop(&mut self) {
        let mut world = self.0.borrow_mut();
        world.wires[self.1].closed = true;
        world.descriptors += 1;
    }
}

/// The wire, where neither a signal nor a reset is in the way.
fn usable(wire: &mut Wire) -> io::Result<&mut Wire> {
    if wire.interrupts > 0 {
        wire.interrupts -= 1;
        return Err(io::ErrorKind::Interrupted.into());
    }
    if wire.reset { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(wire) }
}

impl Os for VirtualOs {
    type Socket = VirtualSocket;

    fn now(&self) -> Duration {
        self.0.borrow().now
    }

    fn unix_ms(&self) -> u64 {
        1_700_000_000_000 + self.0.borrow().now.as_millis() as u64
    }

    fn wait(&mut self, timeout: Option<Duration>, edges: &mut Vec<Edge>) -> io::Result<bool> {
        let mut world = self.0.borrow_mut();
        if let Some(time) = world.asleep.take() {
            world.now += time;
            return Ok(false);
        }
        world.edges(edges);
        if edges.is_empty() {
            world.now += timeout.expect("a wait with nothing to come would last for ever");
        }
        Ok(world.more)
    }

    fn accept(&mut self, _listener: usize) -> io::Result<(VirtualSocket, Peer)> {
        let mut world = self.0.borrow_mut();
        world.accepts += 1;
        if let Some(code) = world.accept_errors.pop_front() {
            return Err(io::Error::from_raw_os_error(code));
        }
        // As Linux does: before it looks whether anybody waits.
        if world.descriptors == 0 {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        if world.backlog.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        world.descriptors -= 1;
        let wire = world.backlog.pop_front().expect("somebody waits");
        Ok((VirtualSocket(Rc::clone(&self.0), wire), Peer::Unix))
    }

    fn dialect(&self, _listener: usize) -> Dialect {
        self.0.borrow().dialect
    }

    fn spend_spare(&mut self) -> bool {
        let mut world = self.0.borrow_mut();
        let spent = std::mem::take(&mut world.spare);
        world.descriptors += usize::from(spent);
        spent
    }

    fn regain_spare(&mut self) {
        let mut world = self.0.borrow_mut();
        if !world.spare && world.keeps_spare && world.descriptors > 0 {
            world.spare = true;
            world.descriptors -= 1;
        }
    }

    fn watch(&mut self, socket: &mut VirtualSocket, slot: usize) -> io::Result<()> {
        self.0.borrow_mut().wires[socket.1].slot = Some(slot);
        Ok(())
    }

    fn is_unusual(&self, _socket: &VirtualSocket) -> bool {
        false
    }

    fn receive(&mut self, socket: &mut VirtualSocket, buffer: &mut [u8]) -> io::Result<usize> {
        let mut world = self.0.borrow_mut();
        let wire = usable(&mut world.wires[socket.1])?;
        let count = wire.arrived.min(buffer.len());
        if count == 0 {
            let ended = wire.ended && wire.inbound.is_empty();
            return if ended { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        wire.arrived -= count;
        for (to, from) in buffer.iter_mut().zip(wire.inbound.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }

    fn send(&mut self, socket: &mut VirtualSocket, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut world = self.0.borrow_mut();
        let wire = usable(&mut world.wires[socket.1])?;
        assert!(!wire.shut, "nothing is sent after the side was shut");
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let count = offered.min(wire.room).min(wire.step);
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        wire.outbound.extend(slices.iter().flat_map(|slice| slice.iter()).take(count));
        wire.room -= if wire.room == usize::MAX { 0 } else { count };
        wire.edge.1 |= wire.room > 0 && count < offered;
        Ok(count)
    }

    fn shut_down(&mut self, socket: &mut VirtualSocket) {
        self.0.borrow_mut().wires[socket.1].shut = true;
    }

    fn stop_listening(&mut self) {
        let mut world = self.0.borrow_mut();
        if !world.dialect.is_guest() {
            world.backlog.clear();
        }
    }
}
