//! The calls of the loop: waiting, accepting, receiving, sending and closing in the virtual world.

use super::{Fault, Step, Wire, World};
use crate::hub::Role;
use crate::net::Edge;
use std::cmp::Reverse;
use std::io::{self, IoSlice};
use std::time::Duration;

/// While the hub shuts down, no link lingers longer than this.
const SHUTDOWN_LINGER: Duration = Duration::from_millis(300);

/// Deadlines are kept in milliseconds.
const TICK: Duration = Duration::from_millis(1);

/// In a world with faults: how long a wait lasts if there is neither a timeout nor an edge.
const FOR_EVER: Duration = Duration::from_secs(3600);

impl World {
    /// Waits for edges; returns whether more are left.
    pub(super) fn wait(&mut self, timeout: Option<Duration>, edges: &mut Vec<Edge>) -> bool {
        self.begin_turn();
        if let Some(time) = self.script.asleep.take() {
            self.now += time;
            return false;
        }
        let until = timeout.map(|timeout| self.now + timeout);
        let latest = until.unwrap_or(self.now + FOR_EVER);
        self.now += self.rng.as_mut().map_or(Duration::ZERO, |rng| Duration::from_micros(rng.u64(1..20)));
        if self.strikes(Fault::ClockJump) {
            self.unix_ms += self.rng().i64(-10_000..10_000);
        }
        loop {
            self.arrive();
            let more = self.report(edges);
            if more || !edges.is_empty() || self.now >= latest || self.strikes(Fault::EarlyWait) {
                self.turn.edges = edges.len();
                self.note(Step::Wait, edges.len() as u64, self.now.as_micros() as u64);
                return more;
            }
            let step = self.rng.as_mut().map_or(Duration::ZERO, |rng| Duration::from_micros(rng.u64(1..300)));
            let is_exact = self.rng.is_none();
            assert!(!is_exact || until.is_some() || !self.moving.is_empty(), "this wait would last for ever");
            self.now = if self.moving.is_empty() { latest } else { latest.min(self.now + step) };
        }
    }

    fn begin_turn(&mut self) {
        (self.turn.calls, self.turn.accepts, self.turn.edges) = (0, 0, 0);
        for number in std::mem::take(&mut self.turn.received) {
            self.wires[number].hub.received = 0;
        }
    }

    /// Reports as many edges as one wait can take; returns whether more are left.
    fn report(&mut self, edges: &mut Vec<Edge>) -> bool {
        edges.append(&mut self.script.spurious);
        for (listener, there) in self.listeners.iter_mut().enumerate() {
            if std::mem::take(&mut there.has_edge) {
                edges.push(Edge::Accept { listener });
            }
        }
        let few = !self.signalled.is_empty() && self.strikes(Fault::FewEdges);
        let most = if few { self.rng().usize(1..=3) } else { usize::MAX };
        if self.rng.is_none() {
            // In reverse order, because the last one is taken first.
            self.signalled.sort_unstable_by_key(|number| Reverse(*number));
        }
        for _ in 0..self.signalled.len().min(most) {
            let len = self.signalled.len();
            let at = self.rng.as_mut().map_or(len - 1, |rng| rng.usize(..len));
            let number = self.signalled.swap_remove(at);
            self.report_wire(number, edges);
        }
        if self.strikes(Fault::Stale) {
            let slot = self.rng().usize(..50);
            let [readable, writable, unusual] = [(); 3].map(|()| self.rng().bool());
            edges.push(Edge::Socket { slot, readable, writable, unusual, broken: false });
        }
        !self.signalled.is_empty() || self.script.claims_more
    }

    /// Reports the state of a wire, if the loop watches it.
    fn report_wire(&mut self, number: usize, edges: &mut Vec<Edge>) {
        let wire = &mut self.wires[number];
        wire.signalled = false;
        let Some(slot) = wire.hub.slot.filter(|_| !wire.hub.closed) else { return };
        let readable = !wire.inbound.is_empty() || wire.ended || wire.reset;
        let writable = wire.room_out > 0 || wire.reset;
        let unusual = wire.ended || wire.reset || wire.urgent;
        wire.hub.undrained |= readable;
        edges.push(Edge::Socket { slot, readable, writable, unusual, broken: wire.reset });
        self.note(Step::Edge, number as u64, u64::from(readable) << 1 | u64::from(writable));
    }

    pub(super) fn accept(&mut self, listener: usize) -> io::Result<usize> {
        self.turn.calls += 1;
        self.turn.accepts += 1;
        self.accepts += 1;
        if let Some(error) = self.script.accept_errors.pop_front() {
            return Err(io::Error::from_raw_os_error(error));
        }
        if self.strikes(Fault::BadAccept) {
            let error = [libc::EINTR, libc::ECONNABORTED, libc::ENFILE, libc::ENOBUFS][self.rng().usize(..4)];
            return Err(io::Error::from_raw_os_error(error));
        }
        // As on Linux, this comes before the check whether a connection is waiting.
        if self.descriptors == 0 {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        let next = self.listeners.get_mut(listener).and_then(|listener| listener.backlog.pop_front());
        let number = next.ok_or(io::ErrorKind::WouldBlock)?;
        self.descriptors -= 1;
        self.note(Step::Accept, number as u64, listener as u64);
        Ok(number)
    }

    pub(super) fn spend_spare(&mut self) -> bool {
        let spent = std::mem::take(&mut self.spare);
        self.descriptors += usize::from(spent);
        self.turn.calls += 1;
        spent
    }

    pub(super) fn regain_spare(&mut self) {
        if self.keeps_spare && !self.spare && self.descriptors > 0 && !self.strikes(Fault::NoSpare) {
            self.spare = true;
            self.descriptors -= 1;
        }
    }

    pub(super) fn watch(&mut self, number: usize, slot: usize) -> io::Result<()> {
        self.note(Step::Watch, number as u64, slot as u64);
        self.turn.calls += 1;
        if self.strikes(Fault::BadWatch) {
            self.wires[number].hub.cut = true;
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        let hub = &mut self.wires[number].hub;
        hub.slot = Some(slot);
        (hub.heard_at, hub.said_at) = (self.now, self.now);
        self.turn.watched.push(number);
        self.signal(number);
        Ok(())
    }

    pub(super) fn receive(&mut self, number: usize, buffer: &mut [u8]) -> io::Result<usize> {
        self.now += self.times.receive;
        self.interrupt(number)?;
        let cut = self.wires[number].cuts() && self.strikes(Fault::Pieces);
        let wire = &mut self.wires[number];
        if wire.inbound.is_empty() {
            self.note(Step::Receive, number as u64, 0);
            return self.nothing_to_receive(number);
        }
        let mut count = wire.inbound.len().min(buffer.len());
        if cut {
            count = self.rng.as_mut().map_or(count, |rng| rng.usize(1..=count));
        }
        buffer[..count].copy_from_slice(&wire.inbound.front()[..count]);
        wire.inbound.skip(count);
        if wire.hub.received == 0 {
            self.turn.received.push(number);
        }
        wire.hub.received += count;
        wire.hub.heard_at = self.now;
        wire.hub.undrained &= count == buffer.len() || !wire.inbound.is_empty();
        self.note(Step::Receive, number as u64, count as u64);
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
        wire.hub.undrained = false;
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Counts a call, which a signal may interrupt.
    fn interrupt(&mut self, number: usize) -> io::Result<()> {
        self.turn.calls += 1;
        let wire = &mut self.wires[number];
        let is_scripted = wire.interrupts > 0;
        wire.interrupts = wire.interrupts.saturating_sub(1);
        if is_scripted || self.strikes(Fault::Signal) { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }

    pub(super) fn send(&mut self, number: usize, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.now += self.times.send;
        let interrupted = self.interrupt(number);
        // A connection that is turned away gets only one send.
        let hub = &mut self.wires[number].hub;
        hub.cut |= interrupted.is_err() && hub.slot.is_none();
        interrupted?;
        let cut = self.strikes(Fault::CutWrite);
        let wire = &mut self.wires[number];
        assert!(!wire.is_shut(), "nothing is sent after the side was shut");
        if wire.reset {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let mut count = offered.min(wire.room_out).min(wire.step);
        if cut && count > 1 {
            count = self.rng.as_mut().map_or(count, |rng| rng.usize(1..count));
        }
        wire.hub.blocked = count < offered;
        if wire.hub.blocked {
            self.turn.slowed.push(number);
        }
        wire.hub.sent += count as u64;
        wire.hub.said_at = self.now;
        put(wire, slices, count);
        let (has_room, gone) = (wire.room_out > 0, wire.gone);
        self.note(Step::Send, number as u64, count as u64);
        if gone {
            self.reset(number);
        } else if count < offered && has_room {
            self.signal(number);
        }
        if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }

    pub(super) fn shut_down(&mut self, number: usize) {
        self.note(Step::Shut, number as u64, 0);
        self.wires[number].hub.shut_at = Some(self.now);
    }

    pub(super) fn stop_listening(&mut self) {
        self.stopped = true;
        let closed = self.listeners.iter_mut().filter(|listener| listener.protocol.role == Role::User);
        for number in closed.flat_map(|listener| std::mem::take(&mut listener.backlog)).collect::<Vec<_>>() {
            self.reset(number);
        }
    }

    pub(super) fn close(&mut self, number: usize) {
        self.note(Step::Close, number as u64, 0);
        self.descriptors += 1;
        let wire = &mut self.wires[number];
        wire.hub.closed = true;
        wire.hub.cut |= wire.hub.blocked;
        let lingers = if self.stopped { self.linger.min(SHUTDOWN_LINGER) } else { self.linger };
        let at = wire.hub.shut_at.filter(|_| wire.hub.slot.is_some() && !wire.ended && !wire.reset);
        if at.is_some_and(|at| self.now + TICK < at + lingers && !self.is_ending) {
            self.wrong = Some(format!("connection {number} was shut and closed at once"));
        }
        // A close with unread input is a reset: the client loses what it has not read.
        if !wire.inbound.is_empty() {
            wire.outbound.clear();
            wire.reset = true;
        }
        wire.inbound.clear();
        wire.flight.clear();
    }
}

/// Puts this many bytes of `slices` on their way to the client.
fn put(wire: &mut Wire, slices: &[IoSlice<'_>], mut count: usize) {
    wire.count_sent(count);
    for slice in slices {
        let part = slice.len().min(count);
        wire.outbound.push(&slice[..part]);
        count -= part;
    }
}
