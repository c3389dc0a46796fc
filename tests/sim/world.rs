//! The virtual operating system: sockets, readiness, a clock, and the faults that strike them.

use crate::faults::{Fault, Faults};
use crate::wire::Wire;
use cubby::hub::Peer;
use cubby::net::Edge;
use fastrand::Rng;
use std::collections::VecDeque;
use std::time::Duration;

/// Listeners of every hub here.
pub const LISTENERS: usize = 2;

/// What happens: each is an event, and a step of the trace.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub enum What {
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

/// All that the kernel would know, and the trace of what happened.
#[derive(Debug)]
pub struct World {
    pub now: Duration,
    pub wires: Vec<Wire>,
    pub faults: Faults,
    pub rng: Rng,
    /// Descriptors left, and whether one is in reserve beside them.
    pub descriptors: usize,
    pub spare: bool,
    /// How long a link that was shut must be left open for its client to end it.
    pub linger: Duration,
    /// What the hub did that it may not do.
    pub wrong: Option<String>,
    /// Things that happened, and all of them in one number.
    pub events: u64,
    pub hash: u64,
    /// Print each.
    pub is_traced: bool,
    /// Calls since the last wait, and how many turns have gone by with none and no time.
    pub calls: u32,
    pub accepts: u32,
    /// Wires watched since the driver last looked.
    pub fresh: Vec<usize>,
    /// Wires that could not take all, since the driver last looked.
    pub slowed: Vec<usize>,
    /// Edges of the last wait.
    pub edges: usize,
    /// Wires received from in this turn.
    pub received: Vec<usize>,
    /// What the wall clock is ahead of the other.
    pub unix_ms: i64,
    pub backlogs: [VecDeque<usize>; LISTENERS],
    /// Somebody came to this listener since the hub was last told; the hub met the end of its queue.
    pub crowds: [bool; LISTENERS],
    pub signalled: Vec<usize>,
    pub moving: Vec<usize>,
    pub stopped: bool,
    /// The loop is over, and closes whatever is open.
    pub is_ending: bool,
}

impl World {
    pub fn new(rng: Rng, faults: Faults, descriptors: usize, is_traced: bool) -> World {
        World {
            now: Duration::ZERO,
            wires: Vec::new(),
            faults,
            rng,
            descriptors,
            spare: true,
            linger: Duration::ZERO,
            wrong: None,
            events: 0,
            hash: 0,
            is_traced,
            calls: 0,
            accepts: 0,
            fresh: Vec::new(),
            slowed: Vec::new(),
            edges: 0,
            received: Vec::new(),
            unix_ms: 1_700_000_000_000,
            backlogs: Default::default(),
            crowds: [false; LISTENERS],
            signalled: Vec::new(),
            moving: Vec::new(),
            stopped: false,
            is_ending: false,
        }
    }

    /// Adds to the trace.
    pub fn note(&mut self, what: What, a: u64, b: u64) {
        self.events += 1;
        for word in [a ^ (what as u64) << 56, b] {
            self.hash = (self.hash.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        if self.is_traced {
            eprintln!("{:>12} us  {what:?} {a} {b}", self.now.as_micros());
        }
    }

    pub fn strikes(&mut self, fault: Fault) -> bool {
        self.faults.strikes(&mut self.rng, fault)
    }

    /// Somebody connects; returns the number of the wire.
    pub fn connect(&mut self) -> usize {
        let number = self.wires.len();
        let peer = peer(&mut self.rng);
        let listener = self.rng.usize(..LISTENERS);
        let small = self.strikes(Fault::SmallSockets);
        let room = |rng: &mut Rng| if small { rng.usize(64..2_000) } else { rng.usize(4_000..100_000) };
        let (mut room_in, room_out) = (room(&mut self.rng), room(&mut self.rng));
        if self.rng.u8(..128) == 0 {
            room_in = 400_000;
        }
        let is_unusual = self.rng.u8(..4) == 0;
        self.wires.push(Wire::new(peer, room_in, room_out, is_unusual));
        self.note(What::Connect, number as u64, room_out as u64);
        if self.stopped {
            self.wires[number].reset = true;
        } else {
            self.backlogs[listener].push_back(number);
            self.crowds[listener] = true;
        }
        number
    }

    /// The client sends: as many as fit.
    pub fn write(&mut self, number: usize, bytes: &[u8]) -> usize {
        let wire = &mut self.wires[number];
        if wire.reset || wire.closed {
            return bytes.len();
        }
        let count = bytes.len().min(wire.room_for_client());
        if count > 0 {
            wire.flight.push(&bytes[..count]);
            self.start_moving(number);
            self.note(What::Write, number as u64, count as u64);
        }
        count
    }

    /// The client reads so many bytes at most, into `out`.
    pub fn read(&mut self, number: usize, most: usize, out: &mut Vec<u8>) -> usize {
        let wire = &mut self.wires[number];
        let count = wire.outbound.len().min(most);
        if count == 0 {
            return 0;
        }
        out.extend_from_slice(&wire.outbound.front()[..count]);
        wire.outbound.skip(count);
        if std::mem::take(&mut wire.blocked) {
            self.signal(number);
        }
        self.note(What::Read, number as u64, count as u64);
        count
    }

    /// The client will send nothing more.
    pub fn end(&mut self, number: usize) {
        self.note(What::End, number as u64, 0);
        self.wires[number].ending = true;
        self.start_moving(number);
    }

    /// The connection breaks.
    pub fn reset(&mut self, number: usize) {
        self.note(What::Break, number as u64, 0);
        let keeps = self.rng.bool();
        let wire = &mut self.wires[number];
        wire.reset = true;
        wire.flight.clear();
        wire.outbound.clear();
        if !keeps {
            wire.inbound.clear();
        }
        self.signal(number);
    }

    /// The client closes: that breaks the connection where it had not read all, or once more is sent.
    pub fn vanish(&mut self, number: usize) {
        if self.wires[number].outbound.is_empty() {
            self.wires[number].gone = true;
            self.end(number);
        } else {
            self.reset(number);
        }
    }

    pub fn urge(&mut self, number: usize) {
        self.wires[number].urgent = true;
        self.signal(number);
    }

    /// Nothing goes wrong any more.
    pub fn calm_down(&mut self) {
        self.faults = Faults::none();
        self.descriptors += 10_000;
        for wire in &mut self.wires {
            (wire.room_in, wire.room_out) = (100_000, 100_000);
        }
    }

    pub fn signal(&mut self, number: usize) {
        let wire = &mut self.wires[number];
        if !wire.signalled && !wire.closed {
            wire.signalled = true;
            self.signalled.push(number);
        }
    }

    pub fn start_moving(&mut self, number: usize) {
        let wire = &mut self.wires[number];
        if !wire.moving && !wire.closed {
            wire.moving = true;
            self.moving.push(number);
        }
    }

    /// Bytes arrive.
    pub fn arrive(&mut self) {
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

    /// Whether more is on its way.
    fn move_bytes(&mut self, number: usize) -> bool {
        let pieces = self.strikes(Fault::Pieces);
        let wire = &mut self.wires[number];
        if wire.closed || wire.reset {
            return false;
        }
        let mut count = wire.flight.len();
        if pieces && count > 1 {
            count = self.rng.usize(1..=count);
        }
        wire.inbound.push(&wire.flight.front()[..count]);
        wire.flight.skip(count);
        let more = !wire.flight.is_empty();
        let ends = !more && wire.ending && !wire.ended;
        wire.ended |= ends;
        // Only who has met the end of what was there is surely told of more.
        if ends || (count > 0 && (wire.drained || self.rng.bool())) {
            self.signal(number);
        }
        more
    }

    /// Reports the edges there are, as far as they can be taken at once; says whether more are left.
    pub fn report(&mut self, edges: &mut Vec<Edge>) -> bool {
        for listener in 0..LISTENERS {
            if std::mem::take(&mut self.crowds[listener]) {
                edges.push(Edge::Accept { listener });
            }
        }
        let few = !self.signalled.is_empty() && self.strikes(Fault::FewEdges);
        let most = if few { self.rng.usize(1..=3) } else { usize::MAX };
        for _ in 0..self.signalled.len().min(most) {
            let at = self.rng.usize(..self.signalled.len());
            let number = self.signalled.swap_remove(at);
            let wire = &mut self.wires[number];
            wire.signalled = false;
            if let Some(slot) = wire.slot.filter(|_| !wire.closed) {
                let readable = !wire.inbound.is_empty() || wire.ended || wire.reset;
                let writable = wire.room_for_hub() > 0 || wire.reset;
                let unusual = wire.ended || wire.reset || wire.urgent;
                wire.drained &= !readable;
                edges.push(Edge::Socket { slot, readable, writable, unusual, broken: wire.reset });
                self.note(What::Edge, number as u64, u64::from(readable) << 1 | u64::from(writable));
            }
        }
        if self.strikes(Fault::Stale) {
            let slot = self.rng.usize(..50);
            let (readable, writable, unusual) = (self.rng.bool(), self.rng.bool(), self.rng.bool());
            edges.push(Edge::Socket { slot, readable, writable, unusual, broken: false });
        }
        !self.signalled.is_empty()
    }

    /// Whether something is under way that no deadline knows of.
    pub fn is_busy(&self) -> bool {
        let tells = self.signalled.iter().any(|&number| self.wires[number].slot.is_some());
        tells || !self.moving.is_empty() || self.backlogs.iter().any(|backlog| !backlog.is_empty())
    }
}

/// Where somebody comes from: this machine, or one of few networks.
fn peer(rng: &mut Rng) -> Peer {
    match rng.u8(..6) {
        0 | 1 => Peer::Unix,
        2 => Peer::Ip([127, 0, 0, 1].into()),
        3 => Peer::Ip([0x2001, 0xDB8, 0, 0, 0, 0, 0, rng.u16(..)].into()),
        _ => Peer::Ip([192, 0, 2, rng.u8(..4)].into()),
    }
}
