//! What the hub counts. One thread adds; a copy is handed out whole.

use crate::wire::{ERROR_CODES, ErrorCode, KINDS, Kind, KindRow};
use std::fmt::{self, Write};
use std::ops::AddAssign;
use std::time::Duration;

/// Frames of one kind, and the bytes they have with their headers.
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

/// A [`Tally`] for each kind of frame: requests as they are carried out, all others as they are queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frames([Tally; KINDS.len()]);

impl Default for Frames {
    fn default() -> Frames {
        Frames([Tally::default(); KINDS.len()])
    }
}

impl Frames {
    /// Counts so many frames of one kind, each of so many bytes.
    pub(crate) fn count(&mut self, kind: Kind, frames: u64, len: usize) {
        self.add(kind, frames, frames * len as u64);
    }

    /// Counts so many frames of one kind, of so many bytes in all.
    pub(crate) fn add(&mut self, kind: Kind, frames: u64, bytes: u64) {
        self.0[KindRow::index(kind)] += Tally { frames, bytes };
    }

    /// What was counted of one kind.
    pub fn of(&self, kind: Kind) -> Tally {
        self.0[KindRow::index(kind)]
    }

    /// What was counted of all requests.
    pub fn requests(&self) -> Tally {
        self.sum(true)
    }

    /// What was counted of all replies, pushes and errors.
    pub fn answers(&self) -> Tally {
        self.sum(false)
    }

    fn sum(&self, requests: bool) -> Tally {
        let mut sum = Tally::default();
        self.by_name(requests).for_each(|(_, tally)| sum += tally);
        sum
    }

    /// Each kind with its name: all requests, or all else.
    pub(crate) fn by_name(&self, requests: bool) -> impl Iterator<Item = (&'static str, Tally)> {
        let rows = KINDS.iter().zip(&self.0).filter(move |(row, _)| row.kind.is_request() == requests);
        rows.map(|(row, tally)| (row.name, *tally))
    }
}

/// Turns by how long they took: the first place counts those under 1 us, each further one those under twice as long,
/// the last one all that took longer.
pub const TURN_TIMES: usize = 24;

/// Counters since the hub began, and the gauges of this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Users here now.
    pub users: u64,
    /// Most users that were here at once.
    pub most_users: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections refused at the limit of all connections.
    pub refused_full: u64,
    /// Connections refused at the limit of one address.
    pub refused_address: u64,
    /// Connections refused because the machine had no descriptor left.
    pub refused_descriptors: u64,
    /// Times that accepting rested because the machine had no descriptor or memory left.
    pub accept_rests: u64,
    /// Connections that ended by the peer's will: BYE, or the end of its stream.
    pub left: u64,
    /// Connections that broke.
    pub broken: u64,
    /// Connections that became a WebSocket.
    pub upgraded: u64,
    /// HTTP requests that could be read, WebSocket handshakes included.
    pub http_requests: u64,
    /// Connections that the hub closed, by [error code](ErrorCode), the first being code 1.
    pub closed: [u64; ERROR_CODES.len()],
    /// Frames in and out, by kind.
    pub frames: Frames,
    /// Requests answered with an error.
    pub faults: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Bytes held now: queued, half received, or waiting to be carried out. What many hear is counted once.
    pub held: u64,
    /// Most bytes that were held at the end of a turn.
    pub most_held: u64,
    /// Rooms there are now, those counted that only have a history.
    pub rooms: u64,
    /// Events of all rooms.
    pub events: u64,
    /// Events that a member missed because its queue was full.
    pub events_missed: u64,
    /// Deliveries refused because the receiver's queue was full.
    pub refused: u64,
    /// Times that a user's requests had to wait for a full receiver.
    pub waits: u64,
    /// Times that a user's requests had to wait because it asked more often than it may.
    pub paced: u64,
    /// Times that all requests had to wait because the hub held as much as it may.
    pub squeezes: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// Turns by how long they took. See [`TURN_TIMES`].
    pub turn_times: [u64; TURN_TIMES],
}

impl Stats {
    /// Counts a turn that took so long.
    pub(crate) fn count_turn(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let place = (u64::BITS - micros.leading_zeros()) as usize;
        self.turn_times[place.min(TURN_TIMES - 1)] += 1;
    }

    /// Counts a connection that the hub closed.
    pub(crate) fn count_close(&mut self, code: ErrorCode) {
        self.closed[code as usize - 1] += 1;
    }

    /// Connections that the hub closed with this error.
    pub fn closed_with(&self, code: ErrorCode) -> u64 {
        self.closed[code as usize - 1]
    }

    /// Each plain number by name.
    pub fn fields(&self) -> [(&'static str, u64); 25] {
        [
            ("users", self.users),
            ("most-users", self.most_users),
            ("accepted", self.accepted),
            ("refused-full", self.refused_full),
            ("refused-address", self.refused_address),
            ("refused-descriptors", self.refused_descriptors),
            ("accept-rests", self.accept_rests),
            ("left", self.left),
            ("broken", self.broken),
            ("upgraded", self.upgraded),
            ("http-requests", self.http_requests),
            ("requests", self.frames.requests().frames),
            ("answers", self.frames.answers().frames),
            ("faults", self.faults),
            ("bytes-in", self.bytes_in),
            ("bytes-out", self.bytes_out),
            ("held", self.held),
            ("most-held", self.most_held),
            ("rooms", self.rooms),
            ("events", self.events),
            ("events-missed", self.events_missed),
            ("refused", self.refused),
            ("waits", self.waits),
            ("paced", self.paced),
            ("squeezes", self.squeezes),
        ]
    }

    /// All of it as one JSON object: the [fields](Stats::fields), then `closed` (by the name of the error), `frames-in`
    /// and `frames-out` (by kind, each with `frames` and `bytes`), `turns`, and `turn-times` (by their bound in
    /// microseconds, the turns that took less than that, but not less than half of it). What never happened is left out
    /// of these.
    pub fn to_json(&self) -> String {
        let mut out = String::from("{");
        for (name, value) in self.fields() {
            put(&mut out, format_args!("\"{name}\":{value}"));
        }
        let closed = ERROR_CODES.iter().zip(self.closed).filter(|(_, count)| *count > 0);
        put_object(&mut out, "closed", closed.map(|(row, count)| (row.1, count.to_string())));
        for (name, requests) in [("frames-in", true), ("frames-out", false)] {
            let heard = self.frames.by_name(requests).filter(|(_, tally)| tally.frames > 0);
            let both = |Tally { frames, bytes }| format!("{{\"frames\":{frames},\"bytes\":{bytes}}}");
            put_object(&mut out, name, heard.map(|(name, tally)| (name, both(tally))));
        }
        put(&mut out, format_args!("\"turns\":{}", self.turns));
        let times = self.turn_times.iter().enumerate().filter(|(_, count)| **count > 0);
        put_object(&mut out, "turn-times", times.map(|(place, count)| (turn_time(place), count.to_string())));
        out.push('}');
        out
    }
}

/// Appends a member of a JSON object, after a comma where it is not the first.
fn put(out: &mut String, member: fmt::Arguments<'_>) {
    if !out.ends_with('{') {
        out.push(',');
    }
    out.write_fmt(member).expect("a string takes all that is written to it");
}

/// The name of a place among [`Stats::turn_times`].
fn turn_time(place: usize) -> String {
    if place + 1 == TURN_TIMES { "longer".to_owned() } else { format!("under-{}-us", 1u64 << place) }
}

/// Appends an object of members whose names need no escape.
fn put_object(out: &mut String, name: &str, members: impl Iterator<Item = (impl fmt::Display, String)>) {
    put(out, format_args!("\"{name}\":{{"));
    members.for_each(|(name, value)| put(out, format_args!("\"{name}\":{value}")));
    out.push('}');
}

impl fmt::Display for Stats {
    /// The [fields](Stats::fields), what was closed, and the turns, on one line.
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
