//! The state of the virtual kernel, and the actions of clients.

use super::{Fault, Faults, Wire};
use crate::hub::Protocol;
use crate::net::Edge;
use fastrand::Rng;
use std::collections::VecDeque;
use std::time::Duration;

/// The number of listeners of a [drawn](World::drawn) world.
pub const LISTENERS: usize = 2;

/// An event in a world: one step of the trace.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
#[allow(missing_docs)] // each is named for what happens
pub enum Step {
    Wait,
    Edge,
    Accept,
    Watch,
    Receive,
    Send,
    Shut,
    Close,
    Connect,
    Write,
    Read,
    End,
    Break,
    Act,
    Ask,
    Frame,
    Story,
    Host,
}

/// A summary of what has happened so far: a count and a hash.
#[derive(Debug, Default)]
pub struct Trace {
    /// The number of steps.
    pub events: u64,
    /// A hash over all steps. Two runs with the same hash were identical.
    pub hash: u64,
    /// Whether to print each step.
    pub is_printed: bool,
}

/// What the loop did since its last wait began, for checks by the test.
#[derive(Debug, Default)]
pub struct Turn {
    /// Calls, and accepts among them.
    pub calls: u32,
    /// See `calls`.
    pub accepts: u32,
    /// Edges that the wait returned.
    pub edges: usize,
    /// Wires that were received from.
    pub received: Vec<usize>,
    /// Wires that were watched since the test last took the list.
    pub watched: Vec<usize>,
    /// Wires that could not take all, since the test last took the list.
    pub slowed: Vec<usize>,
}

/// What a test makes happen next, apart from its actions on wires.
#[derive(Debug, Default)]
pub struct Script {
    /// What the next accepts return in place of a connection: numbers of the system's errors.
    pub accept_errors: VecDeque<i32>,
    /// Spurious edges that the next wait returns.
    pub spurious: Vec<Edge>,
    /// The next wait takes this long and reports nothing, as if the process had been suspended.
    pub asleep: Option<Duration>,
    /// Each wait says that there are more edges than it could take.
    pub claims_more: bool,
}

/// A listener.
#[derive(Debug)]
pub struct Listener {
    /// The protocol of its connections.
    pub protocol: Protocol,
    /// Connections that wait to be accepted.
    pub backlog: VecDeque<usize>,
    /// A connection has arrived since the last edge was reported.
    pub(super) has_edge: bool,
}

/// How much time calls take.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallTimes {
    /// A send.
    pub send: Duration,
    /// A receive.
    pub receive: Duration,
}

/// The state of the virtual kernel.
#[derive(Debug)]
pub struct World {
    /// The time since the start.
    pub now: Duration,
    /// By how much the wall clock is ahead of `now`, in milliseconds.
    pub unix_ms: i64,
    /// Every connection there ever was.
    pub wires: Vec<Wire>,
    /// The listeners.
    pub listeners: Vec<Listener>,
    /// How likely each fault is.
    pub faults: Faults,
    /// The random numbers; `None` in an [exact](World::exact) world.
    pub rng: Option<Rng>,
    /// Descriptors left.
    pub descriptors: usize,
    /// Whether the hub may keep a descriptor in reserve.
    pub keeps_spare: bool,
    /// Whether it has one in reserve now.
    pub spare: bool,
    /// After the hub has shut down its side of a link, how long it must wait for the client to end the other side.
    pub linger: Duration,
    /// How much time passes with each call: none, unless a test sets it.
    pub times: CallTimes,
    /// A mistake of the hub, if one was found.
    pub wrong: Option<String>,
    /// What happened.
    pub trace: Trace,
    /// What the loop did in this turn.
    pub turn: Turn,
    /// What a test makes happen next.
    pub script: Script,
    /// The hub has stopped listening.
    pub stopped: bool,
    /// The loop is being dropped, and closes all open connections.
    pub is_ending: bool,
    /// Accepts in all.
    pub accepts: u32,
    pub(super) signalled: Vec<usize>,
    pub(super) moving: Vec<usize>,
}

impl World {
    /// A world in which only the test's own actions happen, and time passes only while the loop waits.
    pub fn exact(listeners: &[Protocol]) -> World {
        World {
            now: Duration::ZERO,
            unix_ms: 1_700_000_000_000,
            wires: Vec::new(),
            listeners: listeners
                .iter()
                .map(|protocol| Listener { protocol: *protocol, backlog: VecDeque::new(), has_edge: false })
                .collect(),
            faults: Faults::none(),
            rng: None,
            descriptors: 1000,
            keeps_spare: false,
            spare: false,
            linger: Duration::ZERO,
            times: CallTimes::default(),
            wrong: None,
            trace: Trace::default(),
            turn: Turn::default(),
            script: Script::default(),
            stopped: false,
            is_ending: false,
            accepts: 0,
            signalled: Vec::new(),
            moving: Vec::new(),
        }
    }

    /// A world that draws delays and these faults, with native listeners.
    pub fn drawn(rng: Rng, faults: Faults) -> World {
        let world = World::exact(&[Protocol::NATIVE; LISTENERS]);
        World { rng: Some(rng), faults, keeps_spare: true, spare: true, ..world }
    }

    /// Adds to the trace.
    pub fn note(&mut self, step: Step, a: u64, b: u64) {
        let trace = &mut self.trace;
        trace.events += 1;
        for word in [a ^ (step as u64) << 56, b] {
            trace.hash = (trace.hash.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        if trace.is_printed {
            eprintln!("{:>12} us  {step:?} {a} {b}", self.now.as_micros());
        }
    }

    /// Whether a fault happens now.
    pub fn strikes(&mut self, fault: Fault) -> bool {
        self.rng.as_mut().is_some_and(|rng| self.faults.strikes(rng, fault))
    }

    /// The random numbers, for the details of a fault.
    ///
    /// # Panics
    ///
    /// If this world has no random numbers.
    pub fn rng(&mut self) -> &mut Rng {
        self.rng.as_mut().expect("this world leaves something to chance")
    }

    /// A random `bool`; `otherwise` in an exact world.
    pub(super) fn flips(&mut self, otherwise: bool) -> bool {
        self.rng.as_mut().map_or(otherwise, Rng::bool)
    }

    /// Connects a client; returns the number of the wire.
    pub fn connect(&mut self, listener: usize, wire: Wire) -> usize {
        let number = self.wires.len();
        let room_out = wire.room_out;
        self.wires.push(wire);
        self.note(Step::Connect, number as u64, room_out as u64);
        if self.stopped {
            self.wires[number].reset = true;
        } else {
            self.listeners[listener].backlog.push_back(number);
            self.listeners[listener].has_edge = true;
        }
        number
    }

    /// The client sends these bytes as far as they fit; returns how many were sent.
    pub fn write(&mut self, number: usize, bytes: &[u8]) -> usize {
        let wire = &mut self.wires[number];
        if wire.reset || wire.hub.closed {
            return bytes.len();
        }
        let count = bytes.len().min(wire.room_for_client());
        if count > 0 {
            wire.flight.push(&bytes[..count]);
            self.start_moving(number);
            self.note(Step::Write, number as u64, count as u64);
        }
        count
    }

    /// The client reads at most this many bytes into `out`; returns how many it read.
    pub fn read(&mut self, number: usize, most: usize, out: &mut Vec<u8>) -> usize {
        let wire = &mut self.wires[number];
        let count = wire.outbound.len().min(most);
        if count == 0 {
            return 0;
        }
        out.extend_from_slice(&wire.outbound.front()[..count]);
        wire.outbound.skip(count);
        wire.count_read(count);
        if std::mem::take(&mut wire.hub.blocked) {
            self.signal(number);
        }
        self.note(Step::Read, number as u64, count as u64);
        count
    }

    /// Takes the bytes that the hub has sent without making room: the hub can send no more than before.
    pub fn take(&mut self, number: usize) -> Vec<u8> {
        let outbound = &mut self.wires[number].outbound;
        let taken = outbound.front().to_vec();
        outbound.clear();
        taken
    }

    /// From now on the hub can send this many bytes.
    pub fn make_room(&mut self, number: usize, room: usize) {
        self.wires[number].room_out = room;
        self.signal(number);
    }

    /// The client will send nothing more.
    pub fn end(&mut self, number: usize) {
        self.note(Step::End, number as u64, 0);
        self.wires[number].ending = true;
        self.start_moving(number);
    }

    /// The connection breaks.
    pub fn reset(&mut self, number: usize) {
        self.note(Step::Break, number as u64, 0);
        let keeps = self.flips(false);
        let wire = &mut self.wires[number];
        wire.reset = true;
        wire.flight.clear();
        wire.outbound.clear();
        if !keeps {
            wire.inbound.clear();
        }
        self.signal(number);
    }

    /// The client closes. This resets the connection if the client had not read everything, or as soon as the hub sends
    /// more.
    pub fn vanish(&mut self, number: usize) {
        if self.wires[number].outbound.is_empty() {
            self.wires[number].gone = true;
            self.end(number);
        } else {
            self.reset(number);
        }
    }

    /// The client sends urgent data.
    pub fn urge(&mut self, number: usize) {
        self.wires[number].urgent = true;
        self.signal(number);
    }

    /// From now on there are no faults.
    pub fn calm_down(&mut self) {
        self.faults = Faults::none();
        self.descriptors += 10_000;
        for wire in &mut self.wires {
            wire.room_in = CALM_ROOM;
            wire.room_out = CALM_ROOM.saturating_sub(wire.outbound.len());
        }
    }

    /// Marks this wire to be reported to the loop.
    pub(super) fn signal(&mut self, number: usize) {
        let wire = &mut self.wires[number];
        if !wire.signalled && !wire.hub.closed {
            wire.signalled = true;
            self.signalled.push(number);
        }
    }

    fn start_moving(&mut self, number: usize) {
        let wire = &mut self.wires[number];
        if !wire.moving && !wire.hub.closed {
            wire.moving = true;
            self.moving.push(number);
        }
    }

    /// Bytes arrive.
    pub(super) fn arrive(&mut self) {
        let mut i = 0;
        while i < self.moving.len() {
            let number = self.moving[i];
            if self.strikes(Fault::Lag) || self.move_bytes(number) {
                i += 1;
            } else {
                self.wires[number].moving = false;
                self.moving.swap_remove(i);
            }
        }
    }

    /// Moves bytes of one wire. Returns whether more of its bytes are in flight.
    fn move_bytes(&mut self, number: usize) -> bool {
        let pieces = self.strikes(Fault::Pieces);
        let wire = &mut self.wires[number];
        if wire.hub.closed || wire.reset {
            return false;
        }
        let mut count = wire.flight.len().min(wire.step);
        if pieces && count > 1 {
            count = self.rng.as_mut().map_or(count, |rng| rng.usize(1..=count));
        }
        wire.inbound.push(&wire.flight.front()[..count]);
        wire.flight.skip(count);
        let more = !wire.flight.is_empty();
        let ends = !more && wire.ending && !wire.ended;
        wire.ended |= ends;
        let is_drained = !wire.hub.undrained;
        // The loop is guaranteed another edge only after it has read until `WouldBlock`.
        if ends || (count > 0 && (is_drained || self.flips(true))) {
            self.signal(number);
        }
        more
    }

    /// Whether something is in progress that has no deadline.
    pub fn is_busy(&self) -> bool {
        self.has_edges() || self.listeners.iter().any(|listener| !listener.backlog.is_empty())
    }

    /// Whether bytes are in flight, or the next wait will report a wire.
    pub fn has_edges(&self) -> bool {
        let tells = |number: &usize| self.wires[*number].hub.slot.is_some();
        !self.moving.is_empty() || self.signalled.iter().any(tells)
    }
}

/// Bytes that fit into each direction of a wire after faults have stopped.
const CALM_ROOM: usize = 100_000;
