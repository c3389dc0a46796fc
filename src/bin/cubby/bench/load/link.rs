//! One connection of the generator: its bytes on the way in and out, and the hub's language between.

use super::clock::Clock;
use super::dialect::{Dialect, Heard};
use super::ear::{Ear, Hall, Heed};
use super::poll::Socket;
use super::stamp::STAMP_LEN;
use std::io;

/// Bytes that one read takes at the most: as many as the hub's own.
const READ_BYTES: usize = 64 * 1024;

/// Bytes of a thing that is not whole which may stand before what is read next; with more, it is put together apart.
const TAIL_ROOM: usize = 16 * 1024;

/// Bytes of a thing that is not whole from which on it is asked whether the rest may be thrown away.
const GLIMPSE_FROM: usize = 2 * 1024;

/// Bytes of spent output that are cut off its front rather than kept before the rest.
const SPENT: usize = 64 * 1024;

/// Bytes that the kernel is asked to throw away at once, at the most.
const VOID_BYTES: usize = 1024 * 1024;

/// The buffer that all links are read into.
pub(super) struct ReadBuffer {
    bytes: Vec<u8>,
    /// Room that is never written to: where what is thrown away would go.
    void: Vec<u8>,
}

impl ReadBuffer {
    pub fn new() -> ReadBuffer {
        ReadBuffer { bytes: vec![0; TAIL_ROOM + READ_BYTES], void: Vec::with_capacity(VOID_BYTES) }
    }
}

/// What a connection is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Publisher,
    Subscriber,
    /// A subscriber that never reads, once it is in.
    Slow,
    /// It came in during the run.
    Visitor,
    /// It has said that it leaves.
    Leaver,
    /// It is only there.
    Idle,
}

/// A large message, of which only the rest of the bytes is missing.
#[derive(Debug, Default)]
struct Large {
    missing: usize,
    stamp: [u8; STAMP_LEN],
    body_len: usize,
}

/// One connection.
pub(super) struct Link<D> {
    pub socket: Socket,
    pub dialect: D,
    pub role: Role,
    /// The groups that it serves: from this on, so many.
    pub groups: (u32, u32),
    /// Which of their publishers or subscribers it is.
    pub place: u32,
    /// Its id, once the hub gave it one.
    pub id: u64,
    /// How often it has still to hear that it is in.
    pub awaited: u32,
    pub heed: Heed,
    /// Whether the hub refused something of it: that says why it is closed then.
    pub refused: bool,
    /// Whether it is being given up.
    pub doomed: bool,
    /// What is to be sent. Those before `sent` are.
    pub out: Vec<u8>,
    sent: usize,
    /// Whether the kernel took not all of it: there will be an edge.
    pub blocked: bool,
    /// Whether it is on the list of those to be flushed.
    pub dirty: bool,
    /// The front of a thing that is not whole yet.
    tail: Vec<u8>,
    large: Large,
}

/// What became of one read.
pub(super) enum Got {
    /// As much as was asked for: more may be there.
    Full,
    /// Less than was asked for.
    Some,
    /// Nothing is there for now.
    Nothing,
    /// The connection is over, and why.
    Over(String),
}

/// What a read came to, for which so many bytes were asked, after `take` took what came.
fn got(received: io::Result<usize>, asked: usize, take: impl FnOnce(usize) -> Result<(), String>) -> Got {
    let count = match received {
        Ok(0) => return Got::Over("the hub closed a connection".to_owned()),
        Ok(count) => count,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Got::Nothing,
        Err(error) => return Got::Over(format!("a connection broke: {error}")),
    };
    match take(count) {
        Err(why) => Got::Over(format!("the hub can not be understood: {why}")),
        Ok(()) if count == asked => Got::Full,
        Ok(()) => Got::Some,
    }
}

impl<D: Dialect> Link<D> {
    pub fn new(socket: Socket, dialect: D, role: Role, groups: (u32, u32), place: u32, heed: Heed) -> Link<D> {
        Link {
            socket,
            dialect,
            role,
            groups,
            place,
            id: 0,
            awaited: 0,
            heed,
            refused: false,
            doomed: false,
            out: Vec::new(),
            sent: 0,
            blocked: false,
            dirty: false,
            tail: Vec::new(),
            large: Large::default(),
        }
    }

    /// Whether it reads at all.
    pub fn is_deaf(&self) -> bool {
        self.role == Role::Slow && self.awaited == 0
    }

    /// Receives once, and hears what came.
    pub fn read(&mut self, buffer: &mut ReadBuffer, hall: &mut Hall, clock: &Clock) -> Got {
        if self.large.missing > READ_BYTES
            && let Some(got) = self.discard(buffer, hall, clock)
        {
            return got;
        }
        let received = self.socket.receive(&mut buffer.bytes[TAIL_ROOM..]);
        got(received, READ_BYTES, |count| {
            hall.now_ns = clock.now_ns();
            hall.heard_ns = hall.now_ns;
            self.take(buffer, count, hall)
        })
    }

    /// Throws the rest of a large message away where the kernel can, without a copy: that nobody looks at it should not
    /// cost what the hub could use. `None` where it can not.
    fn discard(&mut self, buffer: &mut ReadBuffer, hall: &mut Hall, clock: &Clock) -> Option<Got> {
        let asked = self.large.missing.min(VOID_BYTES);
        let discarded = self.socket.discard(&mut buffer.void.spare_capacity_mut()[..asked])?;
        Some(got(discarded, asked, |count| {
            hall.now_ns = clock.now_ns();
            hall.heard_ns = hall.now_ns;
            self.large.missing -= count;
            if self.large.missing == 0 {
                let mut ear = Ear::new(&mut self.heed, hall);
                ear.hear(&self.large.stamp, self.large.body_len);
                ear.finish();
            }
            Ok(())
        }))
    }

    /// Hears all that is whole in what is left of the last time and the `count` bytes that came, and keeps the rest.
    fn take(&mut self, buffer: &mut ReadBuffer, count: usize, hall: &mut Hall) -> Result<(), String> {
        let (mut begin, end) = (TAIL_ROOM, TAIL_ROOM + count);
        if self.tail.len() > TAIL_ROOM {
            let mut tail = std::mem::take(&mut self.tail);
            tail.extend_from_slice(&buffer.bytes[begin..end]);
            let heard = self.understand(&tail, hall)?;
            if !self.may_throw_away(&tail[heard..]) {
                tail.drain(..heard);
                self.tail = tail;
            }
            return Ok(());
        }
        begin -= self.tail.len();
        buffer.bytes[begin..TAIL_ROOM].copy_from_slice(&self.tail);
        self.tail.clear();
        let heard = self.understand(&buffer.bytes[begin..end], hall)?;
        let rest = &buffer.bytes[begin + heard..end];
        if !self.may_throw_away(rest) {
            self.tail.extend_from_slice(rest);
        }
        Ok(())
    }

    /// Hears all that is whole in `input`: how many bytes of it.
    fn understand(&mut self, input: &[u8], hall: &mut Hall) -> Result<usize, String> {
        let mut ear = Ear::new(&mut self.heed, hall);
        let mut at = self.large.missing.min(input.len());
        if at > 0 {
            self.large.missing -= at;
            if self.large.missing == 0 {
                ear.hear(&self.large.stamp, self.large.body_len);
            }
        }
        while at < input.len() {
            let Some((len, heard)) = self.dialect.next(&input[at..], &mut self.out)? else { break };
            at += len;
            match heard {
                Heard::Body(body) => ear.hear(body, body.len()),
                Heard::Text(body) => ear.hear_text(body),
                Heard::Ready(id) => {
                    self.id = id;
                    ear.arrive(&mut self.awaited);
                }
                Heard::Missed(count) => ear.miss(count),
                Heard::Refused(why) => {
                    self.refused = true;
                    ear.wrong(|| why);
                }
                Heard::Other => {}
            }
        }
        ear.finish();
        Ok(at)
    }

    /// Whether `rest` is the front of a large message: then it is, and what is still to come of it will be.
    fn may_throw_away(&mut self, rest: &[u8]) -> bool {
        if rest.len() < GLIMPSE_FROM {
            return false;
        }
        let Some((whole, front)) = self.dialect.glimpse(rest) else { return false };
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
        } else if self.sent >= SPENT {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
        Ok(())
    }
}
