//! One virtual connection, as a kernel would hold it: bounded queues in both directions, and what each side has done.

use crate::hub::RemoteAddr;
use std::fmt;
use std::time::Duration;

/// Bytes in order, taken from the front.
#[derive(Default)]
pub struct Pipe {
    bytes: Vec<u8>,
    head: usize,
}

impl Pipe {
    /// How many bytes are in it.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.head
    }

    /// Whether no byte is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds bytes at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// All bytes, from the front on.
    pub fn front(&self) -> &[u8] {
        &self.bytes[self.head..]
    }

    /// Removes bytes from the front.
    pub fn skip(&mut self, count: usize) {
        self.head += count;
        if self.head == self.bytes.len() {
            self.clear();
        } else if self.head > 4096 && self.head * 2 > self.bytes.len() {
            self.bytes.drain(..self.head);
            self.head = 0;
        }
    }

    /// Removes all bytes.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.head = 0;
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

/// A connection.
#[derive(Debug)]
pub struct Wire {
    /// Where the client connects from.
    pub peer: RemoteAddr,
    /// Bytes that the client has sent and that have not arrived yet.
    pub flight: Pipe,
    /// Bytes that have arrived and that the hub has not received yet.
    pub inbound: Pipe,
    /// Bytes that the hub has sent and that the client has not read yet.
    pub outbound: Pipe,
    /// Bytes that fit on the way to the hub.
    pub room_in: usize,
    /// Bytes that the hub can send before the client has read some. `usize::MAX` if there is no limit.
    pub room_out: usize,
    /// Bytes that arrive at once, and that one send takes at most.
    pub step: usize,
    /// This number of the next calls are interrupted by a signal.
    pub interrupts: u32,
    /// Reads may always be cut short.
    pub is_unusual: bool,
    /// Urgent data has arrived.
    pub urgent: bool,
    /// The client will send nothing more.
    pub ending: bool,
    /// The end of the client's side has arrived.
    pub ended: bool,
    /// The connection is broken.
    pub reset: bool,
    /// The client has closed: any send of the hub resets the connection.
    pub gone: bool,
    /// It is on the list of wires with an edge.
    pub(super) signalled: bool,
    /// It is on the list of wires with bytes in flight.
    pub(super) moving: bool,
    /// The hub's side.
    pub hub: HubEnd,
}

/// The hub's side of a connection.
#[derive(Debug, Default)]
pub struct HubEnd {
    /// The slot that it is watched as.
    pub slot: Option<usize>,
    /// When the hub ended its side.
    pub shut_at: Option<Duration>,
    /// The hub has closed it.
    pub closed: bool,
    /// When the hub last received something, and when it last sent something.
    pub heard_at: Duration,
    /// See `heard_at`.
    pub said_at: Duration,
    /// Bytes that it received in this turn.
    pub received: usize,
    /// Bytes that it sent in all.
    pub sent: u64,
    /// Its last send met a full queue.
    pub blocked: bool,
    /// Its last send may have been lost.
    pub cut: bool,
    /// It may miss an edge: it has not read until `WouldBlock` since the last edge.
    pub(super) undrained: bool,
}

impl Wire {
    /// A connection without limits, on which nothing has been sent yet.
    pub fn new(peer: RemoteAddr) -> Wire {
        Wire {
            peer,
            flight: Pipe::default(),
            inbound: Pipe::default(),
            outbound: Pipe::default(),
            room_in: usize::MAX,
            room_out: usize::MAX,
            step: usize::MAX,
            interrupts: 0,
            is_unusual: false,
            urgent: false,
            ending: false,
            ended: false,
            reset: false,
            gone: false,
            signalled: false,
            moving: false,
            hub: HubEnd::default(),
        }
    }

    /// Whether reads may be cut short, with no further edge.
    pub fn cuts(&self) -> bool {
        self.is_unusual || self.urgent || self.ended
    }

    /// Whether the hub has ended its side.
    pub fn is_shut(&self) -> bool {
        self.hub.shut_at.is_some()
    }

    /// Whether the hub will send nothing more that could be read.
    pub fn is_over(&self) -> bool {
        self.reset || ((self.is_shut() || self.hub.closed) && self.outbound.is_empty())
    }

    /// Bytes that the client can still send.
    pub fn room_for_client(&self) -> usize {
        self.room_in.saturating_sub(self.unread())
    }

    /// Bytes that the client has sent and the hub has not received.
    pub fn unread(&self) -> usize {
        self.flight.len() + self.inbound.len()
    }

    /// Reduces the room that the hub has for sending by some bytes, or restores it.
    pub(super) fn count_sent(&mut self, count: usize) {
        self.room_out -= if self.room_out == usize::MAX { 0 } else { count };
    }

    pub(super) fn count_read(&mut self, count: usize) {
        self.room_out = self.room_out.saturating_add(count);
    }
}
