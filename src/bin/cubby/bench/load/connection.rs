//! One connection of the generator: what it reads and sends, and its driver, which decodes it.

use super::checker::{Checker, Expected, Totals};
use super::clock::Clock;
use super::driver::{Driver, Incoming};
use super::poll::Socket;
use super::stamp::STAMP_LEN;
use std::io;

/// Bytes that one read takes at most: as many as in the hub's own loop.
const READ_BYTES: usize = 64 * 1024;

/// Bytes of an incomplete unit that fit before the next read. A longer one is collected in a buffer of its own.
const TAIL_ROOM: usize = 16 * 1024;

/// An incomplete unit of this many bytes may be a message whose rest can be discarded.
const DISCARD_FROM: usize = 2 * 1024;

/// Sent bytes are removed from the front of the output once there are this many.
const SENT_MAX: usize = 64 * 1024;

/// Bytes that the kernel is asked to discard at once, at most.
const DISCARD_BYTES: usize = 1024 * 1024;

/// The buffer that all connections are read into.
pub(super) struct ReadBuffer {
    bytes: Vec<u8>,
    /// The kernel is given this room for what it discards, and never writes to it.
    discarded: Vec<u8>,
}

impl ReadBuffer {
    pub fn new() -> ReadBuffer {
        ReadBuffer { bytes: vec![0; TAIL_ROOM + READ_BYTES], discarded: Vec::with_capacity(DISCARD_BYTES) }
    }
}

/// The purpose of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Publisher,
    Subscriber,
    /// A subscriber that never reads once it is ready.
    Slow,
    /// A subscriber that joined during the run.
    Joiner,
    /// A joiner that has said that it leaves.
    Leaver,
    /// It only stays connected.
    Idle,
}

/// A large message whose rest is being discarded.
#[derive(Debug, Default)]
struct Large {
    missing: usize,
    stamp: [u8; STAMP_LEN],
    body_len: usize,
}

/// One connection.
pub(super) struct Connection<D> {
    pub socket: Socket,
    pub driver: D,
    pub role: Role,
    /// Its groups: the first, and how many.
    pub groups: (u32, u32),
    /// Its index among the publishers or subscribers of its groups.
    pub index: u32,
    /// Its id, once the hub has given it one.
    pub id: u64,
    /// [`Incoming::Ready`] is still expected this many times before the connection is ready.
    pub acks_expected: u32,
    pub expected: Expected,
    /// Whether the hub refused something. A close that follows is no further error.
    pub refused: bool,
    /// Whether it is removed at the end of the turn.
    pub closing: bool,
    /// What is to be sent. Those before `sent` are.
    pub out: Vec<u8>,
    sent: usize,
    /// Whether the kernel did not take all of it. It will then report that the socket is writable.
    pub blocked: bool,
    /// Whether it is on the list of those to be flushed.
    pub dirty: bool,
    /// The start of an incomplete unit.
    tail: Vec<u8>,
    large: Large,
}

/// The result of one read.
pub(super) enum Got {
    /// As much as was asked for: there may be more.
    Full,
    /// Less than was asked for.
    Some,
    /// Nothing for now.
    Nothing,
    /// The connection is over, for this reason.
    Over(String),
}

/// The result of a read of at most `asked` bytes. `take` takes what arrived.
fn got(received: io::Result<usize>, asked: usize, take: impl FnOnce(usize) -> Result<(), String>) -> Got {
    let count = match received {
        Ok(0) => return Got::Over("the hub closed a connection".to_owned()),
        Ok(count) => count,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Got::Nothing,
        Err(error) => return Got::Over(format!("a connection broke: {error}")),
    };
    match take(count) {
        Err(why) => Got::Over(format!("the hub's bytes are not of this protocol: {why}")),
        Ok(()) if count == asked => Got::Full,
        Ok(()) => Got::Some,
    }
}

impl<D: Driver> Connection<D> {
    pub fn new(
        socket: Socket,
        driver: D,
        role: Role,
        groups: (u32, u32),
        index: u32,
        expected: Expected,
    ) -> Connection<D> {
        Connection {
            socket,
            driver,
            role,
            groups,
            index,
            id: 0,
            acks_expected: 0,
            expected,
            refused: false,
            closing: false,
            out: Vec::new(),
            sent: 0,
            blocked: false,
            dirty: false,
            tail: Vec::new(),
            large: Large::default(),
        }
    }

    /// Whether it is never read.
    pub fn is_deaf(&self) -> bool {
        self.role == Role::Slow && self.acks_expected == 0
    }

    /// Reads once, and takes what arrived.
    pub fn read(&mut self, buffer: &mut ReadBuffer, totals: &mut Totals, clock: &Clock) -> Got {
        if self.large.missing > READ_BYTES
            && let Some(got) = self.discard(buffer, totals, clock)
        {
            return got;
        }
        let received = self.socket.receive(&mut buffer.bytes[TAIL_ROOM..]);
        got(received, READ_BYTES, |count| {
            totals.read_ns = clock.now_ns();
            self.take(buffer, count, totals)
        })
    }

    /// Has the kernel discard the rest of a large message without a copy: reading what nobody looks at must not take
    /// the processor time that the hub could use. Returns `None` if the kernel can not do so.
    fn discard(&mut self, buffer: &mut ReadBuffer, totals: &mut Totals, clock: &Clock) -> Option<Got> {
        let asked = self.large.missing.min(DISCARD_BYTES);
        let discarded = self.socket.discard(&mut buffer.discarded.spare_capacity_mut()[..asked])?;
        Some(got(discarded, asked, |count| {
            totals.read_ns = clock.now_ns();
            self.large.missing -= count;
            if self.large.missing == 0 {
                let mut checker = Checker::new(&mut self.expected, totals);
                checker.take(&self.large.stamp, self.large.body_len);
                checker.finish();
            }
            Ok(())
        }))
    }

    /// Decodes the tail of the last read and the `count` new bytes, and keeps what is incomplete.
    fn take(&mut self, buffer: &mut ReadBuffer, count: usize, totals: &mut Totals) -> Result<(), String> {
        let (mut begin, end) = (TAIL_ROOM, TAIL_ROOM + count);
        if self.tail.len() > TAIL_ROOM {
            let mut tail = std::mem::take(&mut self.tail);
            tail.extend_from_slice(&buffer.bytes[begin..end]);
            let decoded = self.decode(&tail, totals)?;
            if !self.starts_large_message(&tail[decoded..]) {
                tail.drain(..decoded);
                self.tail = tail;
            }
            return Ok(());
        }
        begin -= self.tail.len();
        buffer.bytes[begin..TAIL_ROOM].copy_from_slice(&self.tail);
        self.tail.clear();
        let decoded = self.decode(&buffer.bytes[begin..end], totals)?;
        let rest = &buffer.bytes[begin + decoded..end];
        if !self.starts_large_message(rest) {
            self.tail.extend_from_slice(rest);
        }
        Ok(())
    }

    /// Decodes all that is complete in `input`, and returns how many bytes that is.
    fn decode(&mut self, input: &[u8], totals: &mut Totals) -> Result<usize, String> {
        let mut checker = Checker::new(&mut self.expected, totals);
        let mut at = self.large.missing.min(input.len());
        if at > 0 {
            self.large.missing -= at;
            if self.large.missing == 0 {
                checker.take(&self.large.stamp, self.large.body_len);
            }
        }
        while at < input.len() {
            let Some((len, incoming)) = self.driver.next(&input[at..], &mut self.out)? else { break };
            at += len;
            match incoming {
                Incoming::Body(body) => checker.take(body, body.len()),
                Incoming::Text(body) => checker.take_text(body),
                Incoming::Ready(id) => {
                    self.id = id;
                    checker.ready(&mut self.acks_expected);
                }
                Incoming::Missed(count) => checker.miss(count),
                Incoming::Refused(why) => {
                    self.refused = true;
                    checker.wrong(|| why);
                }
                Incoming::Other => {}
            }
        }
        checker.finish();
        Ok(at)
    }

    /// Whether `rest` is the start of a large message. If so, the missing bytes will be discarded.
    fn starts_large_message(&mut self, rest: &[u8]) -> bool {
        if rest.len() < DISCARD_FROM {
            return false;
        }
        let Some((whole, front)) = self.driver.decode_front(rest) else { return false };
        let Some(stamp) = front.first_chunk() else { return false };
        let before_body = rest.len() - front.len();
        self.large = Large { missing: whole - rest.len(), stamp: *stamp, body_len: whole - before_body };
        true
    }

    /// Bytes that are still to be sent.
    pub fn unsent(&self) -> usize {
        self.out.len() - self.sent
    }

    /// Sends as much as the kernel takes.
    pub fn flush(&mut self) -> io::Result<()> {
        while self.sent < self.out.len() && !self.blocked {
            match self.socket.send(&self.out[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.blocked = true,
                Err(error) => return Err(error),
            }
        }
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
        } else if self.sent >= SENT_MAX {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
        Ok(())
    }
}
