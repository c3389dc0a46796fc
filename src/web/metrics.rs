//! The page `/metrics`: the hub's counters, in the text format of Prometheus.

use crate::stats::{METRICS, MetricType, Stats, TURN_TIMES, Tally};
use crate::wire::ERROR_CODES;
use std::fmt::{Display, Write};

/// The content type of the page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The page.
pub fn text(stats: &Stats) -> String {
    let mut out = Text(String::new());
    for metric in METRICS {
        let name = metric.name.replace('-', "_");
        let value = (metric.value)(stats);
        match metric.metric_type {
            MetricType::Gauge => out.metric(&name, "gauge", metric.help, value),
            MetricType::Counter => out.metric(&format!("{name}_total"), "counter", metric.help, value),
        }
    }
    put_closed(&mut out, stats);
    put_frames(&mut out, stats);
    put_turns(&mut out, stats);
    out.0
}

fn put_closed(out: &mut Text, stats: &Stats) {
    out.family("closed_total", "counter", "Connections that the hub closed, by error");
    for (row, count) in ERROR_CODES.iter().zip(stats.closed) {
        out.sample("closed_total", &format!("{{code=\"{}\",error=\"{}\"}}", row.0 as u16, row.1), count);
    }
}

/// Reads one number of a tally.
type Part = fn(Tally) -> u64;

fn put_frames(out: &mut Text, stats: &Stats) {
    let families: [(&str, &str, Part); 2] = [
        ("frames_total", "Frames, by direction and kind", |tally| tally.frames),
        ("frame_bytes_total", "Bytes of frames, by direction and kind, in the native encoding", |tally| tally.bytes),
    ];
    for (name, help, value) in families {
        out.family(name, "counter", help);
        for (direction, requests) in [("in", true), ("out", false)] {
            for (kind, tally) in stats.frames.by_name(requests) {
                out.sample(name, &format!("{{direction=\"{direction}\",kind=\"{kind}\"}}"), value(tally));
            }
        }
    }
}

fn put_turns(out: &mut Text, stats: &Stats) {
    out.metric("turns_total", "counter", "Turns of the loop", stats.turns);
    out.family("turns_by_time_total", "counter", "Turns that took less than this, and at least half of it");
    for (bucket, count) in stats.turn_times.into_iter().enumerate() {
        let bound = if bucket + 1 == TURN_TIMES { "+Inf".to_owned() } else { (1u64 << bucket).to_string() };
        out.sample("turns_by_time_total", &format!("{{under_us=\"{bound}\"}}"), count);
    }
}

/// Text in the exposition format. All names get the prefix `cubby_`.
struct Text(String);

impl Text {
    fn line(&mut self, line: impl Display) {
        writeln!(self.0, "{line}").expect("a string takes all that is written to it");
    }

    /// A family of one sample without labels.
    fn metric(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.family(name, kind, help);
        self.sample(name, "", value);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP cubby_{name} {help}."));
        self.line(format_args!("# TYPE cubby_{name} {kind}"));
    }

    fn sample(&mut self, name: &str, labels: &str, value: u64) {
        self.line(format_args!("cubby_{name}{labels} {value}"));
    }
}
