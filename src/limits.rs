//! Every bound in one place, each with its reason. The fields of [`Limits`] can be set by the operator; the others are
//! constants. How they depend on one another is asserted when this file is compiled.

pub mod costs;

pub use costs::*;

use crate::error::LimitError;
use crate::wire::{Bounds, HEADER_LEN, MAX_BODY, MAX_PING};
use std::time::Duration;

/// Members in one frame of a WHO reply, which has 37 KiB at most.
pub const WHO_FRAME_MEMBERS: usize = 512;

/// Members in one slice of a WHO reply: four frames, so that looking for the next ones in a large room costs no more
/// than they do.
pub const WHO_SLICE_MEMBERS: usize = 4 * WHO_FRAME_MEMBERS;

/// Ids in one frame of a LIST reply: 64 KiB, so that a long list is never one long frame.
pub const LIST_FRAME_IDS: usize = 8192;

/// Bytes of the one buffer that every connection is read into. Larger reads gain little, because the kernel copies
/// anyway; this size still fits the processor's second-level cache.
pub const READ_BUFFER: usize = 64 * 1024;

/// Bytes that are read from one connection in a turn before it is another's turn: a few buffers, under a millisecond.
pub const READ_BUDGET: usize = 4 * READ_BUFFER;

/// Bytes that all connections together may read beyond [`READ_BUDGET`], for each connection that this turn will flush:
/// relaying these bytes takes a tenth of the time of one send.
pub const READ_PER_FLUSH: usize = 128;

/// Connections accepted from one listener in a turn, so that a rush of new ones does not hold up the others.
pub const ACCEPT_BUDGET: usize = 64;

/// How long accepting pauses when the machine has no descriptor or memory left. It must be retried after a time,
/// because an edge-triggered poll does not report waiting connections again.
pub const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Bytes a second that the peer of a closing connection must read, or it is closed with the rest unsent. A slow line is
/// waited for, a dripping one is not.
pub const CLOSING_RATE: usize = 16 * 1024;

/// How long a session that was closed as too slow may read nothing before its connection is dropped: long enough to
/// read the error if it starts to read again. A kernel reports what a slow peer reads in steps of a megabyte.
pub const FINAL_STALL: Duration = Duration::from_secs(4);

/// How long a connection waits for its peer's end while the hub shuts down: a round trip to anywhere. The operator who
/// stops the hub waits for this too, so it is shorter than [`Limits::linger`].
pub const SHUTDOWN_LINGER: Duration = Duration::from_millis(300);

/// How long the first frame of a connection may take from its first byte. Later frames may take longer; but a peer that
/// does not speak the protocol should not keep its place for long.
pub const FIRST_FRAME_TIME: Duration = Duration::from_secs(10);

/// The most HTTP requests of all callers that get an id of their own in one second. About this many connections can
/// come and go in a second, and at this rate the four billion ids last for two and a half days.
pub const HTTP_IDS_A_SECOND: u32 = 20_000;

/// Bounds of HTTP and JSON.
#[cfg(feature = "ws")]
pub mod http {
    /// What it costs to parse a message in JSON, and each byte of it, as bytes copied.
    pub const JSON_PARSE_COST: (usize, usize) = (256, 16);

    /// Bytes of a request in JSON in which its tag and its type are looked for when something else in it is wrong.
    pub const LABEL_WITHIN: usize = 64 * 1024;

    /// What it costs to read one frame of a WebSocket, beside what its message costs, as bytes copied: a flood of empty
    /// fragments is no request, but takes time.
    pub const FRAME_COST: usize = 128;

    /// What each byte costs of a text in JSON that is compacted while it arrives, as bytes copied.
    pub const JSON_COMPACT_COST: usize = 8;

    /// Bytes of an unfinished message in JSON from which on it is compacted. The errors of shorter ones tell the exact
    /// column.
    pub const COMPACT_FROM: usize = super::READ_BUFFER;

    /// Bytes of an unfinished message in JSON that are kept whatever they are, so that the error says what is wrong
    /// with them. A longer one must be a request that would be accepted, as far as its length tells.
    pub const ALWAYS_KEPT: usize = 8 * 1024 * 1024;

    /// What it costs to look at the head of an HTTP request once, and each byte of it, as bytes copied. A head that
    /// drips in is looked at again for each piece.
    pub const HEAD_PARSE_COST: (usize, usize) = (1024, 4);

    /// What each byte of a document costs that is composed for one caller, as bytes copied: most are JSON.
    pub const DOCUMENT_COST: usize = 4;

    /// The most bytes of an HTTP request before its body. A browser sends the cookies that other services of a shared
    /// domain have set, 31 KiB and more; other servers accept 8 to 32 KiB. What is unfinished counts as memory, so that
    /// many large ones are refused or read later if memory is short.
    pub const MAX_HEAD_LEN: usize = 32 * 1024;

    /// The most bytes of an error's text. It may quote the request, which may be long.
    pub const MAX_ERROR_TEXT: usize = 512;

    /// For how many seconds a browser may remember which requests a page may send: so long that it rarely asks, and a
    /// changed configuration is noticed soon.
    pub const PREFLIGHT_SECS: u32 = 600;

    /// The most headers of an HTTP request: a browser sends about twenty, a proxy adds a few.
    pub const MAX_HEADERS: usize = 64;
}

/// Bytes a second by which an unfinished frame must grow, or its time is over. A slow line is waited for, a dripping
/// one is not.
pub const FRAME_RATE: usize = 16 * 1024;

/// How long a full session may wait for full receivers before what it sends to them is refused: the two may be waiting
/// for each other. At most half of [`Limits::stall`], which ends such a wait as well.
pub const DEADLOCK_TIME: Duration = Duration::from_secs(1);

/// While turns leave edges waiting in the system, no connection is closed as idle or slow, because its edge may be
/// among them. After this number of such turns in a row, every edge has been seen.
pub const MAX_TURNS_BEHIND: u32 = 64;

/// If a wait lasts this much longer than it should, the whole process was suspended. What arrived meanwhile is then
/// handled before any connection is closed as idle.
pub const OVERSLEEP: Duration = Duration::from_millis(50);

/// Each session may leave this part of the free memory unread of its own answers, if that is less than
/// [`ANSWER_WINDOW`]: at the default, from when 16 MiB are free.
pub const WINDOW_PARTS: usize = 64;

/// The queue of each session may have this part of what is left for queues, once half of the memory is used: at the
/// default, the whole limit until 64 MiB are left.
pub const QUEUE_PARTS: usize = 16;

/// Bytes of the shortest queue that makes a session full, however little memory is left.
pub const SHORT_QUEUE: usize = 1024;

/// Pieces of outboxes that are looked at to find the session that holds most: far less than a millisecond.
pub const LOOKED_THROUGH: usize = 16 * 1024;

/// Bytes of an unfinished request that are read from any session, however little memory is left.
pub const SMALL_REQUEST: usize = 1024;

/// How long links are not read, because others have not finished their requests, before some of those are closed.
pub const UNFINISHED_TIME: Duration = Duration::from_millis(100);

/// If bytes of this part of the memory are sent meanwhile, none of them is closed.
pub const DRAIN_PARTS: usize = 64;

/// Bytes a second by which the one request that is read meanwhile must grow.
pub const EXEMPT_RATE: usize = 40 * 1024;

/// Bytes that an event on its way to another thread costs beside its frame: the entry, the reference count, the
/// allocation.
pub const EVENT_OVERHEAD: usize = 128;

/// How often it is logged that sessions are closed because the memory limit is reached.
pub const WARN_EVERY: Duration = Duration::from_secs(1);

/// How long a turn serves sessions, whatever its budget says: what requests are charged is a guess of the time that
/// they take, and another program may have the processor meanwhile.
pub const SERVE_TIME: Duration = Duration::from_millis(4);

/// How long a turn flushes links. The others are flushed in the next turn. The clock is read once for each
/// [`FLUSHES`] links or [`FLUSH_BYTES`], because it costs as much as a small send.
pub const FLUSH_TIME: Duration = Duration::from_millis(2);

/// While turns leave links to flush, sessions that cost much are served in one of so many.
pub const UNFLUSHED_TURNS: u32 = 4;

/// See [`FLUSH_TIME`].
pub const FLUSHES: usize = 16;

/// See [`FLUSH_TIME`]: some 60 microseconds of copying into the system.
pub const FLUSH_BYTES: u64 = 256 * 1024;

/// Links that are removed in a turn: some two milliseconds.
pub const REMOVALS: usize = 128;

/// Timeouts of one kind that are handled in a turn, and rooms that expire: a few milliseconds if each closes a session
/// in hundreds of rooms.
pub const EXPIRIES: usize = 128;

/// Sessions that are closed in a turn because the memory limit is reached: a few milliseconds if each is in hundreds
/// of rooms.
pub const EVICTIONS: usize = 128;

/// The largest part of a frame that is still sent to a session before the reason why it is closed, if memory is short.
pub const LAST_FRAME: usize = 64 * 1024;

/// Bytes of answers after which a long request makes room for others: about what one send takes.
pub const SLICE: usize = 64 * 1024;

/// Bytes of its own answers that a session may leave unread before its next request is executed: enough to keep a fast
/// line busy. Under memory pressure it is less.
pub const ANSWER_WINDOW: usize = 256 * 1024;

/// How long a session that is over its rate limit is not read. It is short, so that requests flow evenly.
pub const RATE_LIMIT_REST: Duration = Duration::from_millis(20);

/// A timeout may be late by this fraction of itself: timeouts that are due together are handled together, and a busy
/// connection restarts its timeout only that often.
pub const SLACK: u32 = 64;

/// Connections beyond the limit of connections that may linger to read why they are refused. Further ones are sent the
/// reason once and closed at once.
pub const TURNED_AWAY: usize = 48;

/// HTTP callers beyond the limit of connections, in addition to those: whoever watches the hub must learn that it is
/// well, though it is full and refuses many.
pub const SPARE_CALLERS: usize = 16;

/// How long such a caller may take to ask, whatever it sends: a few round trips. Others want its place.
pub const SPARE_TIME: Duration = Duration::from_secs(1);

/// Sessions that fit into the slot bits of an id, minus the slots for connections beyond the limit.
pub const MAX_CONNECTIONS: usize = (1 << SLOT_BITS) - TURNED_AWAY - SPARE_CALLERS;

/// Bits of a user id that are its slot: four million sessions, far more than one thread should serve.
pub const SLOT_BITS: u32 = 22;

/// The most rooms that any hub may have: a key is half a machine word, and a session may be in all rooms.
pub const MAX_ROOMS: usize = 1 << 24;

/// The most bytes that are copied to the members of a room for one event. Beyond that all of them point to one frame.
pub const MAX_COPIED_EVENT: usize = 4 * 1024 * 1024;

/// The smallest body in bytes for which that is done: a pointer costs about as much memory.
pub const MIN_SHARED_EVENT: usize = 512;

/// A table is shrunk when it has room for this many times what is in it: to half of its room, so that a removal stays
/// cheap on average.
pub const SPARSE: usize = 4;

/// Bytes of the runs in which a room remembers small events: some eighty short messages. Of the first one a part may
/// be forgotten and of the last one a part unused, so they are small beside a full history.
pub const HISTORY_RUN: usize = 8 * 1024;

/// Bytes of bodies up to which a room without members remembers little, so that it gives way to a new room before those
/// that remember more: a few lines of a chat.
pub const LITTLE_HISTORY: usize = 1024;

/// The part of the memory limit that memberships, rooms, names and what else is no queue may take, as a divisor. The
/// other half is for queues and for unfinished requests.
pub const STRUCTURAL_PART: usize = 2;

/// A session may be in, or have made, rooms that take this part of what is free of that, as a divisor. So who has many
/// rooms is refused while there is still memory for those who have few.
pub const STRUCTURAL_SHARE: usize = 8;

/// Bytes that a membership takes at most, in the session's list and in the room's.
pub const MEMBERSHIP_COST: usize = 40;

/// An address may have made this many times the rooms that are free: at most three quarters of all.
pub const ADDRESS_SHARE: usize = 3;

/// The longest time that an operator may set: a month, so that no sum of a moment and a time overflows.
pub const MAX_TIME: Duration = Duration::from_secs(31 * 86_400);

/// Bytes of the smallest queue. A turn fills at most half of it, which must be enough for progress.
const MIN_QUEUE: usize = 1024;

/// Bytes after which an outbox starts a new run, so that memory is freed run by run as it is sent.
pub const RUN_FULL: usize = 64 * 1024;

/// Bytes up to which a run doubles when a fan-out needs more room in it.
pub const RUN_DOUBLES: usize = 8 * 1024;

/// Bytes of a full run that may be left unused. If more is unused, the run is shrunk.
pub const RUN_SLACK: usize = RUN_FULL / 8;

/// Bytes that a new run has room for: about ten small frames.
pub const RUN_ROOM: usize = 1024;

/// Bytes of spare runs that the hub keeps for the next outbox that needs one; further runs are freed. One turn with a
/// thousand receivers uses this many. With a quarter of it, such a turn took 50 % longer.
pub const SPARE_RUNS: usize = 4 * 1024 * 1024;

/// The part of the memory limit that spare runs may take, as a divisor: at the default limit, [`SPARE_RUNS`].
pub const SPARE_PARTS: usize = 64;

/// How often the spare runs are freed that were not needed meanwhile. A spare run at the top of the heap keeps the
/// allocator from returning the memory below it to the system.
pub const TRIM_EVERY: Duration = Duration::from_secs(1);

/// Bytes that a burst must have held before the host is told of its end: less is not worth returning to the system.
pub const MIN_TRIM: usize = 256 * 1024;

/// What happens to a RELAY or a SEND to a user whose queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfFull {
    /// The request waits, and its sender is not read until there is room.
    #[default]
    Wait,
    /// It is refused: status 2 in the receipt, or error 8 if no receipt was asked for.
    Refuse,
    /// The user that does not read is closed with error 12, at the end of the turn in which somebody sends to it.
    Close,
}

/// The limits that an operator can set. The protocol promises [`Limits::default`] to clients. One field for each option
/// of the daemon, so that an embedder sets them by name: this struct is large on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at once. A further one gets error 14 and is closed.
    pub max_connections: usize,
    /// Connections at once from one address (for IPv6: one /64 network); 0: no limit. A further one gets error 14 and
    /// is closed.
    pub max_per_address: usize,
    /// Requests a second of one connection: the average, and the largest burst; 0: no limit. Beyond it the connection
    /// is read later.
    pub rate: u32,
    /// Bytes of body in one frame; a larger one is error 3. See also [`set_max_body`](Limits::set_max_body).
    pub max_body: u32,
    /// Receivers of one RELAY, or names of one SEND; more are error 4.
    pub max_receivers: u16,
    /// Bytes queued for one user beyond which senders have to wait until half of them are sent. Senders that have
    /// waited may then fill the queue to 1.5 times this limit. While less than the limit is queued, a body of any size
    /// is accepted.
    pub queue: usize,
    /// What happens to a RELAY or a SEND to a user whose queue is full.
    pub if_full: IfFull,
    /// Bytes that the hub may hold: queued, or received and not executed. Near this limit it reads less of unfinished
    /// requests; at the limit it refuses what the host asks, and closes sessions to free their memory. A frame for many
    /// receivers counts once.
    pub memory: usize,
    /// Bodies of at least this many bytes are held once and shared by all outboxes; smaller ones are copied into each.
    /// At the default both cost the same, by `cargo bench --bench relay`.
    pub share_from: usize,
    /// What may be put into outboxes in one turn, as bytes copied, before further requests wait for the next turn. A
    /// request of ten bytes may reach thousands of members; this is a few milliseconds of such work.
    pub fan_out: usize,
    /// Rooms in the hub, including those without members that still remember events; a further one is error 8.
    pub max_rooms: usize,
    /// Rooms that one session may be in; a further one is error 8.
    pub rooms_per_session: usize,
    /// Events that one room remembers.
    pub history: usize,
    /// Bytes of all bodies that one room remembers.
    pub history_bytes: usize,
    /// Bytes that all rooms remember together. Beyond it, rooms that remember more than the average forget their oldest
    /// events.
    pub history_total: usize,
    /// How long a room without members remembers its events, from its last event on.
    pub history_time: Duration,
    /// How long a user may stay over its queue limit, or read next to nothing while it is being closed; zero: it is
    /// closed at once.
    pub stall: Duration,
    /// After how long without sending anything to a user it is sent a BEAT; zero: never.
    pub heartbeat: Duration,
    /// After how long without receiving anything from a user it is closed; zero: never.
    pub idle: Duration,
    /// How long a frame may take from its first byte, unless it arrives at 16 KiB a second; zero: for ever. The first
    /// frame of a connection may take 10 s at most.
    pub frame_time: Duration,
    /// How long the input of a closed connection is still discarded, so that a client that is sending can read why.
    pub linger: Duration,
    /// How long the hub may take to send what is queued when it shuts down; zero: what is queued is lost.
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
            fan_out: 4 * 1024 * 1024,
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
    /// The limits that the wire checks before a payload has come.
    pub fn bounds(&self) -> Bounds {
        Bounds { max_body: self.max_body, max_receivers: self.max_receivers }
    }

    /// Sets the limit of a body. The queue and the memory grow with it, so that four such bodies fit.
    pub fn set_max_body(&mut self, bytes: u32) {
        self.max_body = bytes;
        self.queue = self.queue.max((bytes as usize).saturating_mul(4));
        self.memory = self.memory.max(self.queue);
    }

    /// Bytes that the hub may hold whatever [`memory`](Limits::memory) says: what it takes to receive a request of any
    /// size while others are queued.
    pub fn least_memory(&self) -> usize {
        4 * (self.max_body as usize + READ_BUFFER)
    }

    /// How long the first frame of a connection may take.
    pub(crate) fn first_frame_time(&self) -> Duration {
        self.frame_time.min(FIRST_FRAME_TIME)
    }

    /// Checks that the hub can keep them.
    ///
    /// # Errors
    ///
    /// The first limit that is out of range, and its range.
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
