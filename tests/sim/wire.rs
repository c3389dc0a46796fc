//! One virtual connection, as the kernel would hold it: bounded queues both ways, and what either side did.

use cubby::hub::Peer;
use std::fmt;
use std::time::Duration;

/// Bytes in order, taken from the front.
#[derive(Default)]
pub struct Pipe {
    bytes: Vec<u8>,
    head: usize,
}

impl Pipe {
    pub fn len(&self) -> usize {
        self.bytes.len() - self.head
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The bytes from the front on.
    pub fn front(&self) -> &[u8] {
        &self.bytes[self.head..]
    }

    /// Forgets bytes at the front.
    pub fn skip(&mut self, count: usize) {
        self.head += count;
        if self.head == self.bytes.len() {
            self.clear();
        } else if self.head > 4096 && self.head * 2 > self.bytes.len() {
            self.bytes.drain(..self.head);
            self.head = 0;
        }
    }

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
    /// Whose it is.
    pub peer: Peer,
    /// When the hub ended its side; when it last received something; when it last sent something.
    pub shut_at: Option<Duration>,
    pub heard_at: Duration,
    pub said_at: Duration,
    /// Sent by the client, and not arrived yet.
    pub flight: Pipe,
    /// Arrived, and not received by the hub yet.
    pub inbound: Pipe,
    /// Sent by the hub, and not read by the client yet.
    pub outbound: Pipe,
    /// Bytes that fit on the way to the hub, and on the way back.
    pub room_in: usize,
    pub room_out: usize,
    /// Reads may always be cut short.
    pub is_unusual: bool,
    /// Urgent data has come.
    pub urgent: bool,
    /// The client will send nothing more; that has arrived.
    pub ending: bool,
    pub ended: bool,
    /// The connection is broken.
    pub reset: bool,
    /// The client reads no more: what is sent breaks the connection.
    pub gone: bool,
    /// The hub has it; watches it as this slot; has ended its side; has closed it.
    pub accepted: bool,
    pub slot: Option<usize>,
    pub shut: bool,
    pub closed: bool,
    /// The hub's last send met a full queue.
    pub blocked: bool,
    /// What the hub wanted to say last may not have come through.
    pub cut: bool,
    /// The hub has met the end of what had arrived since it was last told of more.
    pub drained: bool,
    /// It is on the list of those with an edge; of those with bytes on their way.
    pub signalled: bool,
    pub moving: bool,
    /// Bytes that the hub has received in this turn, and sent in all.
    pub received: usize,
    pub sent: u64,
}

impl Wire {
    pub fn new(peer: Peer, room_in: usize, room_out: usize, is_unusual: bool) -> Wire {
        Wire {
            peer,
            shut_at: None,
            heard_at: Duration::ZERO,
            said_at: Duration::ZERO,
            flight: Pipe::default(),
            inbound: Pipe::default(),
            outbound: Pipe::default(),
            room_in,
            room_out,
            is_unusual,
            urgent: false,
            ending: false,
            ended: false,
            reset: false,
            gone: false,
            accepted: false,
            slot: None,
            shut: false,
            closed: false,
            blocked: false,
            cut: false,
            drained: true,
            signalled: false,
            moving: false,
            received: 0,
            sent: 0,
        }
    }

    /// Whether reads may be cut short, with no further edge.
    pub fn cuts(&self) -> bool {
        self.is_unusual || self.urgent || self.ended
    }

    /// Whether the hub will say nothing more that could be read.
    pub fn is_over(&self) -> bool {
        self.reset || ((self.shut || self.closed) && self.outbound.is_empty())
    }

    /// Bytes that the client can still send.
    pub fn room_for_client(&self) -> usize {
        self.room_in.saturating_sub(self.flight.len() + self.inbound.len())
    }

    /// Bytes that the hub can still send.
    pub fn room_for_hub(&self) -> usize {
        self.room_out.saturating_sub(self.outbound.len())
    }
}
