//! Every bound in one place, each with its reason. Those that an operator may set are fields of [`Limits`]; the others
//! are constants, and what they owe one another is asserted when this file is compiled.

use crate::error::LimitError;
use crate::wire::{Bounds, HEADER_LEN, MAX_BODY, MAX_PING};
use std::time::Duration;

/// Bytes of a user's or a room's name: fits a terminal line, a log line and a str8 with room to spare.
pub const MAX_NAME: usize = 64;

/// Members in one frame of a WHO reply: 37 KiB at the most.
pub const WHO_FRAME_MEMBERS: usize = 512;

/// Ids in one frame of a LIST reply: 64 KiB, so that a long list never becomes one long frame.
pub const LIST_FRAME_IDS: usize = 8192;

/// Bytes of the one buffer that every link is read into. Larger reads gain little over the kernel's own copying; this
/// size still fits the processor's second-level cache.
pub const READ_BUFFER: usize = 64 * 1024;

/// Bytes that one link may have read in a turn before the others get theirs: a few buffers, under a millisecond.
pub const READ_BUDGET: usize = 4 * READ_BUFFER;

/// Bytes more, for all links together, for each that is to be flushed in that turn: to relay them takes a tenth of a
/// send's time.
pub const READ_FOR_EACH: usize = 128;

/// Connections accepted from one listener in a turn, so that a crowd at the door does not stop those inside.
pub const ACCEPT_BUDGET: usize = 128;

/// How long accepting rests when the machine has no descriptor or memory left. It must be retried by time: an
/// edge-triggered poll does not repeat itself for the connections already waiting.
pub const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Bytes a second that a link on its way out must take, or else it is closed with what is left: a slow line is waited
/// for, a dripping one is not.
pub const CLOSING_PACE: usize = 16 * 1024;

/// How long a user that was too slow may take nothing of what is queued before it is given up: long enough that one
/// that reads again hears why. A kernel reports in steps of a megabyte what a slow reader takes.
pub const LAST_WORDS: Duration = Duration::from_secs(4);

/// How long a link waits for its peer's end while the hub shuts down: a round trip to anywhere. Those who stop a hub
/// wait for this as well, so it is shorter than [`Limits::linger`].
pub const LAST_LINGER: Duration = Duration::from_millis(300);

/// How long the first frame of a connection may take from its first byte on, where others may take longer: who does not
/// speak the protocol does not keep its place for long.
pub const FIRST_FRAME: Duration = Duration::from_secs(10);

/// Requests over HTTP that get an id of their own in a second, of all callers. About as many connections can come and
/// go in one, and at this pace the four billion ids last for two days and a half.
pub const HTTP_IDS_A_SECOND: u32 = 20_000;

/// What it costs to read a message in JSON, and each byte of it, as bytes copied.
#[cfg(feature = "ws")]
pub const JSON_COST: (usize, usize) = (256, 16);

/// Bytes of an HTTP request before its body: what browsers send with a few cookies, and what other servers take.
#[cfg(feature = "ws")]
pub const MOST_HEAD: usize = 8 * 1024;

/// Headers of an HTTP request: a browser sends some twenty, a proxy adds a few.
#[cfg(feature = "ws")]
pub const MOST_HEADERS: usize = 64;

/// Bytes a second that an unfinished frame must grow by, or else its time is over: a slow line is waited for, a
/// dripping one is not.
pub const FRAME_PACE: usize = 16 * 1024;

/// How long somebody who is waited for may wait itself, before what it sends to the full is refused: the two may be
/// waiting for each other. Half of [`Limits::stall`] at the most, for that ends their waiting as well.
pub const CIRCLE: Duration = Duration::from_secs(1);

/// Turns in a row that leave edges waiting in the system, for which those who seem silent or slow are spared: their
/// edges may be among these. After so many all that there can be have come.
pub const BEHIND: u32 = 64;

/// A wait that lasts so much longer than it should was stopped with the whole process. What came meanwhile is looked at
/// before anybody is blamed for silence.
pub const OVERSLEPT: Duration = Duration::from_millis(50);

/// Connections closed at once, at the most, to make room: what many hold a little of takes many.
pub const EVICTIONS: usize = 64;

/// How long reading rests where a connection asks more often than it may: short, so that what it asks flows evenly.
pub const PACE_REST: Duration = Duration::from_millis(20);

/// A time-out may come late by so much of itself: those that are due together are looked at together, and a link that
/// is busy is noted only so often.
pub const SLACK: u32 = 64;

/// Links that may stand beyond the limit of connections and linger, so that they surely hear why. Further ones are told
/// in one breath and closed.
pub const TURNED_AWAY: usize = 64;

/// Users that fit the slot bits of an id, less those turned away.
pub const MAX_CONNECTIONS: usize = (1 << SLOT_BITS) - TURNED_AWAY;

/// Bits of a user id that are its slot: four million, far beyond what one thread should serve.
pub const SLOT_BITS: u32 = 22;

/// Rooms that any hub may have: their keys are half a machine word, and a user may be in all of them.
pub const MAX_ROOMS: usize = 1 << 24;

/// What it costs to point an outbox to a frame that is held once, as bytes copied.
pub const SHARE_COST: usize = 256;

/// What it costs to tell a room, however small, who is gone, as bytes copied.
pub const DEPARTURE_COST: usize = 256;

/// What a place in an outbox's backlog costs beside the bytes that it holds or points to: its entry, the allocation's
/// own part, and the pointers to it.
pub const SEGMENT_COST: usize = 64;

/// Bytes that may be copied to the members of a room for one event before it is pointed to by all, however small.
pub const MAX_COPIED_EVENT: usize = 4 * 1024 * 1024;

/// Bytes of body from which on that helps: pointing costs about as much memory.
pub const MIN_SHARED_EVENT: usize = 512;

/// A table that has room for so many times what is in it gives some back: halving at a quarter keeps that cheap for
/// each one taken out.
pub const SPARSE: usize = 4;

/// What an event costs that is remembered, beside its frame: where it is held, and how often.
pub const KEPT_OVERHEAD: usize = 128;

/// The longest time that an operator may set: a month, so that no sum of a moment and a time overflows.
pub const MAX_TIME: Duration = Duration::from_secs(31 * 86_400);

/// Bytes of the smallest queue: a turn may fill half of it, and should get somewhere by that.
const MIN_QUEUE: usize = 1024;

/// Bytes after which an outbox starts a new run, so that what is sent is given back piece by piece.
pub const RUN_FULL: usize = 64 * 1024;

/// Bytes of a full run that may be left over; what is more is given back.
pub const RUN_SLACK: usize = RUN_FULL / 8;

/// Bytes that a fresh run has room for: some ten small frames.
pub const RUN_ROOM: usize = 1024;

/// Bytes of runs that the hub keeps for the next outbox that needs one; beyond that they go back to the allocator. As
/// many as one turn of a thousand receivers uses: with a quarter of that, telling them took half as long again.
pub const SPARE_RUNS: usize = 4 * 1024 * 1024;

/// How often those of them are given back that were not needed meanwhile. They lie where the last burst of traffic left
/// them, and one at the top of the heap keeps all below it.
pub const TRIM_EVERY: Duration = Duration::from_secs(1);

/// Bytes that a burst must have held for its end to be worth a word to the host: less is nothing to any machine.
pub const WORTH_TRIMMING: usize = 256 * 1024;

/// What becomes of a RELAY or a SEND to a user whose queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfFull {
    /// It waits, and its sender is not read meanwhile.
    #[default]
    Wait,
    /// It is refused: status 2 in the receipt, error 8 where none was asked for.
    Refuse,
    /// The user that does not read is closed, with error 12, at the end of the turn in which somebody writes to it.
    Close,
}

/// What an operator may choose. [`Limits::default`] is what the protocol promises clients.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at once. One more is told error 14 and closed.
    pub max_connections: usize,
    /// Connections at once from one address (of IPv6: one /64 network); 0: no limit. One more is told error 14 and
    /// closed.
    pub max_per_address: usize,
    /// Requests a second that one connection may ask for long, after as many at once; 0: no limit. Beyond it, it is
    /// read later.
    pub rate: u32,
    /// Bytes of body in one frame; one more is error 3. See also [`set_max_body`](Limits::set_max_body).
    pub max_body: u32,
    /// Receivers of one RELAY, names of one SEND; one more is error 4.
    pub max_receivers: u16,
    /// Bytes queued for one user beyond which those who write to it have to wait, until it is down to half. Those who
    /// have waited are then let in up to half as much again. A body of any size is let in where less is queued.
    pub queue: usize,
    /// What becomes of a RELAY or a SEND to a user whose queue is full.
    pub if_full: IfFull,
    /// Bytes that the hub may hold, queued, half received or waiting to be carried out, before no further request is
    /// read, but what is needed to finish one that is begun. What many hear is counted once. Where less than a quarter
    /// of it drains in [`stall`](Limits::stall), the one for whom most is held is closed. The host is refused then.
    pub memory: usize,
    /// Bodies of so many bytes or more are held once and pointed to by every outbox; smaller ones are copied into
    /// each. The default is where `cargo bench --bench relay` finds both to cost the same.
    pub share_from: usize,
    /// What may be put into outboxes in a turn, as bytes copied, before further requests wait for the next turn. What
    /// one asks in ten bytes, a room tells to thousands: this is a few milliseconds of it.
    pub fan_out: usize,
    /// Rooms in the hub, those counted that only have a history; one more is error 8.
    pub max_rooms: usize,
    /// Rooms that one session may be in; one more is error 8.
    pub rooms_per_session: usize,
    /// Events that a room remembers.
    pub history: usize,
    /// Bytes of all the bodies that a room remembers.
    pub history_bytes: usize,
    /// Bytes that all rooms remember together. Beyond them, rooms that hold more than their share of it forget what is
    /// oldest there.
    pub history_total: usize,
    /// How long a room that nobody is in remembers anything, since its last event.
    pub history_time: Duration,
    /// How long a user may stay over its queue limit, or take nothing much of what is left when it is being closed;
    /// zero: it is closed at once.
    pub stall: Duration,
    /// How long nothing may be said to a user before it is sent a BEAT; zero: for ever.
    pub heartbeat: Duration,
    /// How long nothing may be heard from a user before it is closed; zero: for ever.
    pub idle: Duration,
    /// How long a frame may take from its first byte on, unless it comes at 16 KiB a second; zero: for ever. The first
    /// frame of a connection has 10 s at the most.
    pub frame_time: Duration,
    /// How long a closed link's input is still discarded, so that a client that is still sending can read why.
    pub linger: Duration,
    /// How long all outboxes together may take to empty when the hub shuts down; zero: what is queued is lost.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_connections: 65_536,
            max_per_address: 0,
            rate: 0,
            max_body: 1024 * 1024,
            max_receivers: 255,
            queue: 4 * 1024 * 1024,
            if_full: IfFull::Wait,
            memory: 256 * 1024 * 1024,
            share_from: 4 * 1024,
            fan_out: 8 * 1024 * 1024,
            max_rooms: 65_536,
            rooms_per_session: 256,
            history: 1024,
            history_bytes: 1024 * 1024,
            history_total: 256 * 1024 * 1024,
            history_time: Duration::from_secs(3600),
            stall: Duration::from_secs(10),
            heartbeat: Duration::from_secs(30),
            idle: Duration::from_secs(90),
            frame_time: Duration::from_secs(30),
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// What the wire needs of them.
    pub fn bounds(&self) -> Bounds {
        Bounds { max_body: self.max_body, max_receivers: self.max_receivers }
    }

    /// Sets the limit of a body, and lets the queue and the memory grow with it: four such bodies fit.
    pub fn set_max_body(&mut self, bytes: u32) {
        self.max_body = bytes;
        self.queue = self.queue.max((bytes as usize).saturating_mul(4));
        self.memory = self.memory.max(self.queue);
    }

    /// Bytes by which more than [`memory`](Limits::memory) may be held so that a frame that is begun can still be
    /// finished: such a frame, and what may have gone over when the limit was met, which is a read, or the copies of
    /// one body.
    pub(crate) fn memory_slack(&self) -> usize {
        let copies = self.share_from.saturating_mul(self.max_receivers.into());
        copies.saturating_add(self.max_body as usize + READ_BUFFER)
    }

    /// How long the first frame of a connection may take.
    pub(crate) fn first_frame_time(&self) -> Duration {
        self.frame_time.min(FIRST_FRAME)
    }

    /// Whether the hub can keep them.
    ///
    /// # Errors
    ///
    /// The first limit that it can not keep, and what would do.
    pub fn check(&self) -> Result<(), LimitError> {
        let within = |name, value: usize, least: usize, most: usize| {
            if (least..=most).contains(&value) { Ok(()) } else { Err(LimitError { name, value, least, most }) }
        };
        within("max-connections", self.max_connections, 1, MAX_CONNECTIONS)?;
        within("max-body", self.max_body as usize, 1, MAX_BODY as usize)?;
        within("max-receivers", self.max_receivers.into(), 1, u16::MAX.into())?;
        within("max-rooms", self.max_rooms, 1, MAX_ROOMS)?;
        within("rooms-per-session", self.rooms_per_session, 1, MAX_ROOMS)?;
        within("queue", self.queue, MIN_QUEUE, usize::MAX)?;
        within("fan-out", self.fan_out, MIN_QUEUE, usize::MAX)?;
        within("memory", self.memory, READ_BUFFER, usize::MAX)?;
        let secs = |time: Duration| usize::try_from(time.as_secs()).unwrap_or(usize::MAX);
        let times = [
            ("history-secs", self.history_time),
            ("stall-secs", self.stall),
            ("heartbeat-secs", self.heartbeat),
            ("idle-secs", self.idle),
            ("frame-secs", self.frame_time),
            ("linger-secs", self.linger),
            ("drain-secs", self.drain),
        ];
        times.into_iter().try_for_each(|(name, time)| within(name, secs(time), 0, MAX_TIME.as_secs() as usize))
    }
}

const _: () = {
    assert!(READ_BUFFER >= HEADER_LEN + MAX_PING as usize, "control frames are carried out in place");
    assert!(READ_BUDGET >= READ_BUFFER, "a turn reads at least one buffer");
    assert!(RUN_ROOM <= RUN_FULL && RUN_FULL <= SPARE_RUNS, "a run can be kept");
    assert!(MAX_NAME <= u8::MAX as usize, "a name is a str8");
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_kept() {
        assert_eq!(Limits::default().check(), Ok(()));
    }

    #[test]
    fn a_limit_that_can_not_be_kept_is_named() {
        let named = |limits: Limits| limits.check().expect_err("out of range").name;
        assert_eq!(named(Limits { max_connections: 0, ..Limits::default() }), "max-connections");
        assert_eq!(named(Limits { max_body: 0, ..Limits::default() }), "max-body");
        assert_eq!(named(Limits { max_receivers: 0, ..Limits::default() }), "max-receivers");
        assert_eq!(named(Limits { queue: 1, ..Limits::default() }), "queue");
        assert_eq!(named(Limits { stall: Duration::MAX, ..Limits::default() }), "stall-secs");
        assert_eq!(named(Limits { memory: 1, ..Limits::default() }), "memory");
    }

    #[test]
    fn the_queue_grows_with_the_body() {
        let mut limits = Limits::default();
        limits.set_max_body(8 << 20);
        assert_eq!((limits.queue, limits.check()), (32 << 20, Ok(())));
    }
}
