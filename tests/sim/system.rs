//! What the loop calls: waiting, accepting, receiving and sending in the virtual world.

use crate::faults::Fault;
use crate::wire::Wire;
use crate::world::{What, World};
use cubby::net::Edge;
use std::io::{self, IoSlice};
use std::time::Duration;

/// While the hub shuts down, no link lingers longer.
const LAST_LINGER: Duration = Duration::from_millis(300);

/// Deadlines are kept in milliseconds.
const TICK: Duration = Duration::from_millis(1);

impl World {
    pub fn wait(&mut self, timeout: Option<Duration>, edges: &mut Vec<Edge>) -> bool {
        let until = self.now + timeout.unwrap_or(Duration::from_secs(3600));
        (self.calls, self.accepts) = (0, 0);
        for number in std::mem::take(&mut self.received) {
            self.wires[number].received = 0;
        }
        self.now += Duration::from_micros(self.rng.u64(1..20));
        if self.strikes(Fault::ClockJump) {
            self.unix_ms += self.rng.i64(-10_000..10_000);
        }
        loop {
            self.arrive();
            let more = self.report(edges);
            if more || !edges.is_empty() || self.now >= until || self.strikes(Fault::EarlyWait) {
                self.edges = edges.len();
                self.note(What::Wait, edges.len() as u64, self.now.as_micros() as u64);
                return more;
            }
            let step = Duration::from_micros(self.rng.u64(1..300));
            self.now = if self.moving.is_empty() { until } else { until.min(self.now + step) };
        }
    }

    pub fn accept(&mut self, listener: usize) -> io::Result<usize> {
        self.calls += 1;
        self.accepts += 1;
        if self.strikes(Fault::BadAccept) {
            let error = [libc::EINTR, libc::ECONNABORTED, libc::ENFILE, libc::ENOBUFS][self.rng.usize(..4)];
            return Err(io::Error::from_raw_os_error(error));
        }
        if self.descriptors == 0 {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        if self.backlogs[listener].is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.descriptors -= 1;
        let number = self.backlogs[listener].pop_front().expect("somebody waits");
        self.wires[number].accepted = true;
        self.note(What::Accept, number as u64, listener as u64);
        Ok(number)
    }

    pub fn watch(&mut self, number: usize, slot: usize) -> io::Result<()> {
        self.note(What::Watch, number as u64, slot as u64);
        self.calls += 1;
        if self.strikes(Fault::BadWatch) {
            self.wires[number].cut = true;
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        self.wires[number].slot = Some(slot);
        (self.wires[number].heard_at, self.wires[number].said_at) = (self.now, self.now);
        self.fresh.push(number);
        self.signal(number);
        Ok(())
    }

    pub fn receive(&mut self, number: usize, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupt()?;
        let cut = self.wires[number].cuts() && self.strikes(Fault::Pieces);
        let wire = &mut self.wires[number];
        if wire.inbound.is_empty() {
            self.note(What::Receive, number as u64, 0);
            return self.nothing_to_receive(number);
        }
        let mut count = wire.inbound.len().min(buffer.len());
        if cut {
            count = self.rng.usize(1..=count);
        }
        buffer[..count].copy_from_slice(&wire.inbound.front()[..count]);
        wire.inbound.skip(count);
        if wire.received == 0 {
            self.received.push(number);
        }
        wire.received += count;
        wire.heard_at = self.now;
        wire.drained |= count < buffer.len() && wire.inbound.is_empty();
        self.note(What::Receive, number as u64, count as u64);
        Ok(count)
    }

    fn nothing_to_receive(&mut self, number: usize) -> io::Result<usize> {
        let wire = &mut self.wires[number];
        if wire.reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if wire.ended {
            return Ok(0);
        }
        wire.drained = true;
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn interrupt(&mut self) -> io::Result<()> {
        self.calls += 1;
        if self.strikes(Fault::Signal) { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }

    pub fn send(&mut self, number: usize, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let interrupted = self.interrupt();
        // Whoever is turned away in one breath gets no second one.
        self.wires[number].cut |= interrupted.is_err() && self.wires[number].slot.is_none();
        interrupted?;
        let cut = self.strikes(Fault::CutWrite);
        let wire = &mut self.wires[number];
        assert!(!wire.shut, "nothing is sent after the side was shut");
        if wire.reset {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let mut count = offered.min(wire.room_for_hub());
        if cut && count > 1 {
            count = self.rng.usize(1..count);
        }
        wire.blocked = count < offered;
        if wire.blocked {
            self.slowed.push(number);
        }
        wire.sent += count as u64;
        wire.said_at = self.now;
        put(wire, slices, count);
        let (has_room, gone) = (wire.room_for_hub() > 0, wire.gone);
        self.note(What::Send, number as u64, count as u64);
        if gone {
            self.reset(number);
        } else if count < offered && has_room {
            self.signal(number);
        }
        if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }

    pub fn close(&mut self, number: usize) {
        self.note(What::Close, number as u64, 0);
        self.descriptors += 1;
        let wire = &mut self.wires[number];
        wire.closed = true;
        wire.cut |= wire.blocked;
        let lingers = if self.stopped { self.linger.min(LAST_LINGER) } else { self.linger };
        let at = wire.shut_at.filter(|_| wire.slot.is_some() && !wire.ended && !wire.reset);
        if at.is_some_and(|at| self.now + TICK < at + lingers && !self.is_ending) {
            self.wrong = Some(format!("connection {number} was shut and closed at once"));
        }
        // What is closed with bytes unread takes back what the client has not read.
        if !wire.inbound.is_empty() {
            wire.outbound.clear();
            wire.reset = true;
        }
        wire.inbound.clear();
        wire.flight.clear();
    }
}

/// Puts so many bytes of `slices` on their way to the client.
fn put(wire: &mut Wire, slices: &[IoSlice<'_>], mut count: usize) {
    for slice in slices {
        let part = slice.len().min(count);
        wire.outbound.push(&slice[..part]);
        count -= part;
    }
}
