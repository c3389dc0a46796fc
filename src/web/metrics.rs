//! What the hub has counted, as Prometheus reads it.

use crate::stats::{Stats, TURN_TIMES, Tally};
use crate::wire::ERROR_CODES;
use std::fmt::{Display, Write};

/// The type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The plain numbers that rise and fall; all others only rise.
const GAUGES: [&str; 5] = ["users", "most-users", "held", "most-held", "rooms"];

/// What each plain number is, in the order of [`Stats::fields`].
const HELP: [(&str, &str); 25] = [
    ("users", "Users here now"),
    ("most-users", "Most users that were here at once"),
    ("accepted", "Connections accepted"),
    ("refused-full", "Connections refused at the limit of all connections"),
    ("refused-address", "Connections refused at the limit of one address"),
    ("refused-descriptors", "Connections refused because no descriptor was left"),
    ("accept-rests", "Times that accepting rested because the machine had no descriptor or memory left"),
    ("left", "Connections that ended by the peer's will"),
    ("broken", "Connections that broke"),
    ("upgraded", "Connections that became WebSockets"),
    ("http-requests", "HTTP requests that could be read, handshakes of WebSockets included"),
    ("requests", "Requests carried out, of all kinds"),
    ("answers", "Replies, pushes and errors queued, of all kinds"),
    ("faults", "Requests answered with an error"),
    ("bytes-in", "Bytes read"),
    ("bytes-out", "Bytes sent"),
    ("held", "Bytes held now: queued, half received, or waiting to be carried out"),
    ("most-held", "Most bytes that were held at the end of a turn"),
    ("rooms", "Rooms there are now"),
    ("events", "Events of all rooms"),
    ("events-missed", "Events that a member missed because its queue was full"),
    ("refused", "Deliveries refused because the receiver's queue was full"),
    ("waits", "Times that requests had to wait for a full receiver"),
    ("paced", "Times that requests had to wait because they came more often than they may"),
    ("squeezes", "Times that requests had to wait because the hub held as much as it may"),
];

/// All of it as text.
pub fn text(stats: &Stats) -> String {
    let mut out = Text(String::new());
    for ((name, value), (_, help)) in stats.fields().into_iter().zip(HELP) {
        let name = name.replace('-', "_");
        if GAUGES.contains(&&name.replace('_', "-")[..]) {
            out.family(&name, "gauge", help);
            out.sample(&name, "", value);
        } else {
            out.family(&format!("{name}_total"), "counter", help);
            out.sample(&format!("{name}_total"), "", value);
        }
    }
    put_closed(&mut out, stats);
    put_frames(&mut out, stats);
    put_turns(&mut out, stats);
    out.0
}

fn put_closed(out: &mut Text, stats: &Stats) {
    out.family("closed_total", "counter", "Connections that the hub closed, by the error");
    for (row, count) in ERROR_CODES.iter().zip(stats.closed) {
        out.sample("closed_total", &format!("{{code=\"{}\",error=\"{}\"}}", row.0 as u16, row.1), count);
    }
}

type Part = fn(Tally) -> u64;

fn put_frames(out: &mut Text, stats: &Stats) {
    let parts: [(&str, &str, Part); 2] = [
        ("frames_total", "Frames, by direction and kind", |tally| tally.frames),
        ("frame_bytes_total", "Bytes of frames by direction and kind, what many hear as native frames", |tally| {
            tally.bytes
        }),
    ];
    for (name, help, of) in parts {
        out.family(name, "counter", help);
        for (direction, requests) in [("in", true), ("out", false)] {
            for (kind, tally) in stats.frames.by_name(requests) {
                out.sample(name, &format!("{{direction=\"{direction}\",kind=\"{kind}\"}}"), of(tally));
            }
        }
    }
}

fn put_turns(out: &mut Text, stats: &Stats) {
    out.family("turns_total", "counter", "Turns of the loop");
    out.sample("turns_total", "", stats.turns);
    out.family("turns_by_time_total", "counter", "Turns that took less than this, but not less than half of it");
    for (place, count) in stats.turn_times.into_iter().enumerate() {
        let bound = if place + 1 == TURN_TIMES { "+Inf".to_owned() } else { (1u64 << place).to_string() };
        out.sample("turns_by_time_total", &format!("{{under_us=\"{bound}\"}}"), count);
    }
}

/// Text in the exposition format.
struct Text(String);

impl Text {
    fn line(&mut self, line: impl Display) {
        writeln!(self.0, "{line}").expect("a string takes all that is written to it");
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP cubby_{name} {help}."));
        self.line(format_args!("# TYPE cubby_{name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: &str, value: u64) {
        self.line(format_args!("cubby_{name}{labels} {value}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_own_help() {
        let names = Stats::default().fields().map(|(name, _)| name);
        assert_eq!(names, HELP.map(|(name, _)| name));
        assert!(GAUGES.iter().all(|gauge| names.contains(gauge)));
    }
}
