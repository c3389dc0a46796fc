//! What the hub's work costs, in the unit of the work account: bytes copied, or what takes as long as copying them; and
//! how a turn's budget is shared out.

/// What it costs to let an outbox point to a shared frame, as bytes copied.
pub const SHARE_COST: usize = 256;

/// What it costs to tell a room of a departure, or to remove a room, however few its members are, as bytes copied.
pub const DEPARTURE_COST: usize = 2 * 1024;

/// What it costs to join or leave a room, beside its event, as bytes copied. It takes up to two microseconds, because
/// most of what it looks at is in no cache; but a client that joins all its rooms at once should fit into a share, so
/// that its bytes need not be kept. The clock sees to the rest.
pub const JOIN_COST: usize = 512;

/// What it costs to take a session that departs out of a room, before anybody is told, as bytes copied.
pub const PART_COST: usize = 256;

/// What it costs to execute any request, however small, as bytes copied.
pub const REQUEST_COST: usize = 256;

/// What it costs to look up a name, as bytes copied.
pub const NAME_COST: usize = 128;

/// What it costs to look at one session on the way through many of them, as bytes copied: most are in no cache.
pub const SCAN_COST: usize = 64;

/// What it costs to put something into an outbox for the first time in a turn, beside its bytes, as bytes copied.
pub const POST_COST: usize = 192;

/// What it costs to send an event again, beside its bytes, as bytes copied.
pub const REPLAY_COST: usize = 256;

/// What serving a session may cost, as bytes copied, so that it is served before those that cost more when it asks
/// again: some twenty microseconds, or a few hundred small requests.
pub const LIGHT_COST: usize = 64 * 1024;

/// After what cost the clock is read, while sessions are served: often enough that a turn is in time even if all
/// requests take ten times as long as they are charged for.
pub const CLOCK_COST: usize = 64 * 1024;

/// What it costs to write the counters for STATS, as bytes copied: it takes about 4 us.
pub const STATS_COST: usize = 16 * 1024;

/// What it costs to answer a control frame of a WebSocket, beside its bytes, as bytes copied.
pub const CONTROL_COST: usize = 256;

/// A turn may execute at least this many requests that cost next to nothing.
pub const LEAST_REQUESTS: usize = 16 * 1024;

/// A turn receives at most this many times, if nothing else costs anything: with the default budget a call to receive
/// costs 2 KiB, which is less than the microsecond or two that it takes.
pub const RECEIVES: usize = 2048;

/// A session that is served may spend at least this part of a turn's budget before others are served: a sixteenth, some
/// 150 microseconds of work.
pub const SHARES: usize = 16;

/// A session that is served spends at most this part of a turn's budget before the clock is read, even if no other one
/// waits: what is in no cache can take several times as long as it is charged for.
pub const LARGE_SHARES: usize = 4;

/// Bytes that a segment of an outbox costs beside those that it holds or points to: its entry, the overhead of the
/// allocation, and the pointers to it.
pub const SEGMENT_COST: usize = 64;
