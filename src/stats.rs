//! The hub's statistics: the counters, the table of metrics that names and explains them, and their forms as text and
//! JSON. One thread counts; readers get a copy.

use crate::wire::{ERROR_CODES, ErrorCode, KINDS, Kind, KindRow};
use std::fmt::{self, Write};
use std::ops::AddAssign;
use std::time::Duration;

/// Frames of one kind, and their bytes with the headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Frames.
    pub frames: u64,
    /// Bytes.
    pub bytes: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, more: Tally) {
        self.frames += more.frames;
        self.bytes += more.bytes;
    }
}

/// A [`Tally`] for each kind of frame. A request is counted when it is executed, any other frame when it is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frames([Tally; KINDS.len()]);

impl Default for Frames {
    fn default() -> Frames {
        Frames([Tally::default(); KINDS.len()])
    }
}

impl Frames {
    /// Counts frames of one kind, each of `len` bytes.
    pub(crate) fn count(&mut self, kind: Kind, frames: u64, len: usize) {
        self.add(kind, frames, frames * len as u64);
    }

    /// Counts frames of one kind with `bytes` in all.
    pub(crate) fn add(&mut self, kind: Kind, frames: u64, bytes: u64) {
        self.0[KindRow::index(kind)] += Tally { frames, bytes };
    }

    /// The tally of one kind.
    pub fn of(&self, kind: Kind) -> Tally {
        self.0[KindRow::index(kind)]
    }

    /// The tally of all requests.
    pub fn requests(&self) -> Tally {
        self.sum(true)
    }

    /// The tally of all replies, pushes and errors.
    pub fn answers(&self) -> Tally {
        self.sum(false)
    }

    fn sum(&self, requests: bool) -> Tally {
        let mut sum = Tally::default();
        self.by_name(requests).for_each(|(_, tally)| sum += tally);
        sum
    }

    /// The tally of each kind with the name of the kind: either of all requests or of all other kinds.
    pub(crate) fn by_name(&self, requests: bool) -> impl Iterator<Item = (&'static str, Tally)> {
        let rows = KINDS.iter().zip(&self.0).filter(move |(row, _)| row.kind.is_request() == requests);
        rows.map(|(row, tally)| (row.name, *tally))
    }
}

/// The number of buckets of [`Stats::turn_times`]. The first bucket counts turns under 1 us, each further bucket turns
/// under twice the bound of the one before, and the last bucket all longer turns.
pub const TURN_TIMES: usize = 24;

/// Counters since the hub started, and gauges of this moment. [`METRICS`] names and explains the plain numbers. One
/// field for each counter, so that an embedder reads them by name: this struct is large on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Users connected now.
    pub users: u64,
    /// The most users that were connected at once.
    pub most_users: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections refused at the limit of all connections.
    pub refused_full: u64,
    /// Connections refused at the limit of one address.
    pub refused_address: u64,
    /// Connections refused because the process had no file descriptor left.
    pub refused_descriptors: u64,
    /// Times that accepting paused because the system had no file descriptor or memory left.
    pub accept_rests: u64,
    /// Connections that the peer ended, by BYE or by the end of its stream.
    pub left: u64,
    /// Connections that broke.
    pub broken: u64,
    /// Connections that became a WebSocket.
    pub upgraded: u64,
    /// HTTP requests that could be read, WebSocket handshakes included.
    pub http_requests: u64,
    /// Connections that the hub closed, by [error code](ErrorCode); the first is code 1.
    pub closed: [u64; ERROR_CODES.len()],
    /// Frames in and out, by kind.
    pub frames: Frames,
    /// Requests answered with an error.
    pub faults: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Bytes held now: queued, of incomplete requests, of requests that wait, and of memberships, rooms and names. A
    /// frame for many receivers counts once.
    pub held: u64,
    /// The most bytes that were held at the end of a turn.
    pub most_held: u64,
    /// Rooms that exist now, including those that only have a history.
    pub rooms: u64,
    /// Events of all rooms.
    pub events: u64,
    /// Events that a member missed because its queue was full.
    pub events_missed: u64,
    /// Events that a listener of the host, such as the event log, lost because its queue was full.
    pub events_dropped: u64,
    /// Rooms without members that gave way to new ones.
    pub rooms_gave_way: u64,
    /// Deliveries refused because the receiver's queue was full.
    pub refused: u64,
    /// Times that a user's requests had to wait for a full receiver.
    pub waits: u64,
    /// Times that a user's requests had to wait because of the rate limit.
    pub paced: u64,
    /// Times that a request that looks at many sessions or events was interrupted, so that others had their turn.
    pub slices: u64,
    /// Times that the memory limit was reached, so that the sessions that held most were closed.
    pub squeezes: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// The longest turn so far, in microseconds: of the clock, so what else the processor did meanwhile is in it.
    pub longest_turn: u64,
    /// Turns by duration. See [`TURN_TIMES`].
    pub turn_times: [u64; TURN_TIMES],
}

/// How a metric changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricType {
    /// It only grows.
    Counter,
    /// It rises and falls.
    Gauge,
}

use MetricType::{Counter, Gauge};

/// One row of [`METRICS`].
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name in [`Stats::fields`], in JSON, and on the page `/metrics` (there with `_` for `-`).
    pub name: &'static str,
    /// Counter or gauge.
    pub metric_type: MetricType,
    /// Its help text, without the full stop.
    pub help: &'static str,
    /// Its value.
    pub value: fn(&Stats) -> u64,
}

const fn metric(name: &'static str, metric_type: MetricType, help: &'static str, value: fn(&Stats) -> u64) -> Metric {
    Metric { name, metric_type, help, value }
}

/// Every plain number of [`Stats`], in the order in which all forms show them.
pub const METRICS: [Metric; 29] = [
    metric("users", Gauge, "Users connected now", |stats| stats.users),
    metric("most-users", Gauge, "Most users that were connected at once", |stats| stats.most_users),
    metric("accepted", Counter, "Connections accepted", |stats| stats.accepted),
    metric("refused-full", Counter, "Connections refused at the limit of all connections", |stats| stats.refused_full),
    metric("refused-address", Counter, "Connections refused at the limit of one address", |stats| {
        stats.refused_address
    }),
    metric("refused-descriptors", Counter, "Connections refused because no file descriptor was left", |stats| {
        stats.refused_descriptors
    }),
    metric(
        "accept-rests",
        Counter,
        "Times that accepting paused because the system had no file descriptor or memory left",
        |stats| stats.accept_rests,
    ),
    metric("left", Counter, "Connections that the peer ended", |stats| stats.left),
    metric("broken", Counter, "Connections that broke", |stats| stats.broken),
    metric("upgraded", Counter, "Connections that became WebSockets", |stats| stats.upgraded),
    metric("http-requests", Counter, "HTTP requests that could be read, WebSocket handshakes included", |stats| {
        stats.http_requests
    }),
    metric("requests", Counter, "Requests carried out, of all kinds", |stats| stats.frames.requests().frames),
    metric("answers", Counter, "Replies, pushes and errors queued, of all kinds", |stats| {
        stats.frames.answers().frames
    }),
    metric("faults", Counter, "Requests answered with an error", |stats| stats.faults),
    metric("bytes-in", Counter, "Bytes received", |stats| stats.bytes_in),
    metric("bytes-out", Counter, "Bytes sent", |stats| stats.bytes_out),
    metric(
        "held",
        Gauge,
        "Bytes held now: queued, of incomplete or waiting requests, of memberships, rooms and names",
        |stats| stats.held,
    ),
    metric("most-held", Gauge, "Most bytes that were held at the end of a turn", |stats| stats.most_held),
    metric("rooms", Gauge, "Rooms that exist now", |stats| stats.rooms),
    metric("events", Counter, "Events of all rooms", |stats| stats.events),
    metric("rooms-gave-way", Counter, "Rooms without members that gave way to new ones", |stats| stats.rooms_gave_way),
    metric("events-missed", Counter, "Events that a member missed because its queue was full", |stats| {
        stats.events_missed
    }),
    metric(
        "events-dropped",
        Counter,
        "Events that a listener of the host, such as the event log, lost because its queue was full",
        |stats| stats.events_dropped,
    ),
    metric("refused", Counter, "Deliveries refused because the receiver's queue was full", |stats| stats.refused),
    metric("waits", Counter, "Times that requests had to wait for a full receiver", |stats| stats.waits),
    metric("paced", Counter, "Times that requests had to wait because of the rate limit", |stats| stats.paced),
    metric("slices", Counter, "Times that a long request was interrupted for others", |stats| stats.slices),
    metric(
        "squeezes",
        Counter,
        "Times that the memory limit was reached and the largest holders were closed",
        |stats| stats.squeezes,
    ),
    metric("longest-turn-us", Gauge, "Longest turn so far, in microseconds", |stats| stats.longest_turn),
];

impl Stats {
    /// Counts a turn of this duration.
    pub(crate) fn count_turn(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = (u64::BITS - micros.leading_zeros()) as usize;
        self.turn_times[bucket.min(TURN_TIMES - 1)] += 1;
        self.longest_turn = self.longest_turn.max(micros);
    }

    /// Counts a connection that the hub closed.
    pub(crate) fn count_close(&mut self, code: ErrorCode) {
        self.closed[code as usize - 1] += 1;
    }

    /// Connections that the hub closed with this error.
    pub fn closed_with(&self, code: ErrorCode) -> u64 {
        self.closed[code as usize - 1]
    }

    /// Each plain number with its name.
    pub fn fields(&self) -> [(&'static str, u64); METRICS.len()] {
        METRICS.map(|metric| (metric.name, (metric.value)(self)))
    }

    /// All numbers as one JSON object: the [fields](Stats::fields), then `closed` (by the name of the error),
    /// `frames-in` and `frames-out` (by kind, each with `frames` and `bytes`), `turns`, and `turn-times` (turns by the
    /// bound of their bucket in microseconds). These objects leave out what is 0.
    pub fn to_json(&self) -> String {
        let mut out = String::from("{");
        for (name, value) in self.fields() {
            put(&mut out, format_args!("\"{name}\":{value}"));
        }
        let closed = ERROR_CODES.iter().zip(self.closed).filter(|(_, count)| *count > 0);
        put_object(&mut out, "closed", closed.map(|(row, count)| (row.1, count.to_string())));
        for (name, requests) in [("frames-in", true), ("frames-out", false)] {
            let counted = self.frames.by_name(requests).filter(|(_, tally)| tally.frames > 0);
            let both = |Tally { frames, bytes }| format!("{{\"frames\":{frames},\"bytes\":{bytes}}}");
            put_object(&mut out, name, counted.map(|(name, tally)| (name, both(tally))));
        }
        put(&mut out, format_args!("\"turns\":{}", self.turns));
        let times = self.turn_times.iter().enumerate().filter(|(_, count)| **count > 0);
        put_object(&mut out, "turn-times", times.map(|(bucket, count)| (turn_time(bucket), count.to_string())));
        out.push('}');
        out
    }
}

/// Appends a member of a JSON object, after a comma unless it is the first.
fn put(out: &mut String, member: fmt::Arguments<'_>) {
    if !out.ends_with('{') {
        out.push(',');
    }
    out.write_fmt(member).expect("a string takes all that is written to it");
}

/// The name of a bucket of [`Stats::turn_times`].
fn turn_time(bucket: usize) -> String {
    if bucket + 1 == TURN_TIMES { "longer".to_owned() } else { format!("under-{}-us", 1u64 << bucket) }
}

/// Appends a member that is an object. The names in it need no escapes.
fn put_object(out: &mut String, name: &str, members: impl Iterator<Item = (impl fmt::Display, String)>) {
    put(out, format_args!("\"{name}\":{{"));
    members.for_each(|(name, value)| put(out, format_args!("\"{name}\":{value}")));
    out.push('}');
}

impl fmt::Display for Stats {
    /// The [fields](Stats::fields), the connections closed by error, and the turns, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.fields() {
            write!(f, "{name} {value} ")?;
        }
        for (row, count) in ERROR_CODES.iter().zip(self.closed).filter(|(_, count)| *count > 0) {
            write!(f, "closed-{} {count} ", row.1.replace(' ', "-"))?;
        }
        write!(f, "turns {}", self.turns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_counted_by_powers_of_two_of_a_microsecond() {
        let mut stats = Stats::default();
        for micros in [0, 1, 2, 3, 4, 1000, u64::MAX / 2000] {
            stats.count_turn(Duration::from_micros(micros));
        }
        assert_eq!(stats.turn_times[..4], [1, 1, 2, 1]);
        assert_eq!((stats.turn_times[10], stats.turn_times[TURN_TIMES - 1]), (1, 1));
        assert_eq!(stats.longest_turn, u64::MAX / 2000);
    }

    #[test]
    fn every_metric_has_a_name_and_a_help_text_of_its_own() {
        for (i, metric) in METRICS.iter().enumerate() {
            assert!(!metric.help.is_empty() && !metric.help.ends_with('.'), "{}", metric.name);
            assert!(METRICS[..i].iter().all(|other| other.name != metric.name && other.help != metric.help));
        }
        let gauges = METRICS.iter().filter(|metric| metric.metric_type == Gauge).map(|metric| metric.name);
        assert!(gauges.eq(["users", "most-users", "held", "most-held", "rooms", "longest-turn-us"]));
    }

    #[test]
    fn frames_are_counted_by_kind() {
        let mut frames = Frames::default();
        frames.count(Kind::Ping, 1, 10);
        frames.count(Kind::Deliver, 3, 20);
        assert_eq!(frames.of(Kind::Deliver), Tally { frames: 3, bytes: 60 });
        assert_eq!((frames.requests().bytes, frames.answers().frames), (10, 3));
    }

    #[cfg(feature = "json")]
    #[test]
    fn json_is_json_whatever_was_counted() {
        let empty = Stats::default();
        let mut full = Stats { users: 3, ..Stats::default() };
        full.frames.count(Kind::IdentityReply, 1, 16);
        full.count_close(ErrorCode::TooSlow);
        full.count_turn(Duration::from_micros(5));
        full.count_turn(Duration::from_secs(1000));
        for stats in [empty, full] {
            let value: serde_json::Value = serde_json::from_str(&stats.to_json()).expect("it is JSON");
            assert_eq!(value["users"], stats.users);
            assert_eq!(value["closed"]["too slow"].as_u64().unwrap_or(0), stats.closed_with(ErrorCode::TooSlow));
        }
        let value: serde_json::Value = serde_json::from_str(&full.to_json()).expect("it is JSON");
        assert_eq!(value["frames-out"]["IDENTITY reply"]["bytes"], 16);
        assert_eq!((&value["turn-times"]["under-8-us"], &value["turn-times"]["longer"]), (&1.into(), &1.into()));
    }
}
