//! What is compared, and Cubby's targets: data only.

use crate::harness::sample::Sample;
use std::time::Duration;

/// A piece of work for every server, and the rows of the table that show its figures.
pub struct Case {
    /// Its name on the command line.
    pub key: &'static str,
    pub work: Work,
    pub rows: &'static [Row],
}

#[derive(Clone, Copy)]
pub enum Work {
    /// Traffic in a closed loop: in each group one publisher sends to all receivers.
    Load(Load),
    /// The traffic of the first case in an open loop, at a rate that depends on its results.
    Tail(Rate),
    /// Connections that are made and held.
    Idle,
    /// Connections that are made, busy for a moment, and held.
    Storm,
    /// Sessions that connect and leave one after another.
    Churn,
}

#[derive(Clone, Copy)]
pub struct Load {
    pub groups: u32,
    pub receivers: u32,
    pub size: usize,
    pub window: u32,
    /// Whether Cubby's groups are rooms rather than relays to ids.
    pub rooms: bool,
}

/// The messages a second of the open loop.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Half of the server's own maximum.
    HalfOfOwn,
    /// The same for all: half of the slowest server's maximum, without Mosquitto.
    HalfOfSlowest,
}

/// A line of the table.
pub struct Row {
    pub title: &'static str,
    pub unit: Unit,
    pub of: fn(&Sample) -> f64,
    pub target: Target,
}

#[derive(Clone, Copy)]
pub enum Unit {
    Millions,
    Micros,
    Gigabytes,
    Megabytes,
    Bytes,
}

/// The target of Cubby's figure.
#[derive(Clone, Copy)]
pub enum Target {
    /// At least this factor times the competitors' greatest figure.
    AtLeast(f64),
    /// At most this factor times the competitors' least figure.
    AtMost(f64),
    /// No worse than the repeater's figure. The factor allows for the noise between two measurements of one thing.
    AtMostTheWire(f64),
    /// At most this, whatever the competitors have; less is better.
    Within(f64),
    /// At most this factor times Cubby's memory for an idle connection in this run. If that was not measured, its
    /// target counts.
    WithinIdle(f64),
    /// None. The figure is only shown; `less` tells whether less is better.
    Nothing { less: bool },
}

impl Target {
    /// Whether more is better.
    pub fn wants_more(self) -> bool {
        matches!(self, Target::AtLeast(_) | Target::Nothing { less: false })
    }
}

/// The target of Cubby's bytes for an idle connection.
pub const IDLE_BYTES: f64 = 300.0;

/// The connections with which memory is measured.
pub const CROWD: u32 = 10_000;

/// The receivers of each group of a storm. One publisher comes with them.
pub const STORM_RECEIVERS: u32 = 249;

/// The sizes of bodies in a storm: small ones, and some that are larger than a read.
pub const STORM_SIZES: &str = "64:2,1000:1,100000:1";

/// Messages of each group in a storm.
pub const STORM_MESSAGES: usize = 8;

/// How long nothing happens after a storm.
pub const QUIET: Duration = Duration::from_secs(10);

/// How long connections are held before they count as idle: some servers release memory by a timer.
pub const REST: Duration = Duration::from_secs(2);

/// The sessions of a churn.
pub const COMERS: u32 = 4_000;

const fn load(groups: u32, receivers: u32, size: usize, window: u32) -> Work {
    Work::Load(Load { groups, receivers, size, window, rooms: false })
}

const fn row(title: &'static str, unit: Unit, of: fn(&Sample) -> f64, target: Target) -> Row {
    Row { title, unit, of, target }
}

/// The fan-out. Its results give the rates of the open loops.
pub static FAN_OUT: &Case = &CASES[0];

pub static CASES: [Case; 12] = [
    Case {
        key: "fan-out",
        work: load(1, 100, 64, 64),
        rows: &[
            row("fan-out 1→100, 64 B, window 64: deliveries/s", Unit::Millions, |s| s.deliveries, Target::AtLeast(2.0)),
            row("… processor µs a delivery", Unit::Micros, |s| s.micros_a_delivery, Target::AtMost(0.4)),
        ],
    },
    Case {
        key: "room",
        work: Work::Load(Load { groups: 1, receivers: 1000, size: 64, window: 16, rooms: true }),
        rows: &[
            row(
                "room of 1000, 64 B, window 16: µs a delivery",
                Unit::Micros,
                |s| s.micros_a_delivery,
                Target::AtMost(0.75),
            ),
            row("… deliveries/s", Unit::Millions, |s| s.deliveries, Target::Nothing { less: false }),
        ],
    },
    Case {
        key: "pair",
        work: load(1, 1, 64, 512),
        rows: &[
            row(
                "one pair pipelined, 64 B, window 512: messages/s",
                Unit::Millions,
                |s| s.messages,
                Target::AtLeast(2.3),
            ),
            row("… µs a message", Unit::Micros, |s| s.micros_a_message, Target::AtMost(0.15)),
        ],
    },
    Case {
        key: "pairs",
        work: load(100, 1, 64, 16),
        rows: &[
            row("100 pairs, 64 B, window 16: messages/s", Unit::Millions, |s| s.messages, Target::AtLeast(2.4)),
            row("… µs a message", Unit::Micros, |s| s.micros_a_message, Target::Nothing { less: true }),
        ],
    },
    Case {
        key: "pairs-700",
        work: load(10, 1, 700, 32),
        rows: &[
            row("10 pairs, 700 B, window 32: messages/s", Unit::Millions, |s| s.messages, Target::AtLeast(2.5)),
            row("… µs a message", Unit::Micros, |s| s.micros_a_message, Target::Nothing { less: true }),
        ],
    },
    Case {
        key: "ping-pong",
        work: load(1, 1, 64, 1),
        rows: &[
            row("one pair, 64 B, window 1 (ping-pong): p50 µs", Unit::Micros, |s| s.p50, Target::AtMostTheWire(1.05)),
            row("… processor µs a message", Unit::Micros, |s| s.micros_a_message, Target::Nothing { less: true }),
        ],
    },
    Case {
        key: "megabyte",
        work: load(1, 255, 1_000_000, 1),
        rows: &[
            row("fan-out 1→255, 1 MB, window 1: GB/s", Unit::Gigabytes, |s| s.bytes, Target::AtLeast(1.0)),
            row("… processor µs a delivery", Unit::Micros, |s| s.micros_a_delivery, Target::Nothing { less: true }),
            row("… peak memory", Unit::Megabytes, |s| s.peak, Target::Within(12e6)),
        ],
    },
    Case {
        key: "idle",
        work: Work::Idle,
        rows: &[row(
            "memory for an idle connection, of 10,000",
            Unit::Bytes,
            |s| s.bytes_each,
            Target::Within(IDLE_BYTES),
        )],
    },
    Case {
        key: "churn",
        work: Work::Churn,
        rows: &[
            row("connect, be known, leave: processor µs", Unit::Micros, |s| s.micros_a_message, Target::AtMost(1.0)),
            row("… µs for each, one after another", Unit::Micros, |s| 1e6 / s.messages, Target::Nothing { less: true }),
        ],
    },
    Case {
        key: "tail-half",
        work: Work::Tail(Rate::HalfOfOwn),
        rows: &[
            row("open loop at half of its own maximum, 1→100: p99.9 µs", Unit::Micros, |s| s.p999, Target::AtMost(1.0)),
            row("… p50 µs", Unit::Micros, |s| s.p50, Target::Nothing { less: true }),
            row("… deliveries/s", Unit::Millions, |s| s.deliveries, Target::Nothing { less: false }),
        ],
    },
    Case {
        key: "tail-same",
        work: Work::Tail(Rate::HalfOfSlowest),
        rows: &[
            row("open loop at one rate for all, 1→100: p99.9 µs", Unit::Micros, |s| s.p999, Target::AtMost(1.0)),
            row("… p50 µs", Unit::Micros, |s| s.p50, Target::Nothing { less: true }),
            row("… deliveries/s", Unit::Millions, |s| s.deliveries, Target::Nothing { less: false }),
        ],
    },
    Case {
        key: "storm",
        work: Work::Storm,
        rows: &[row(
            "memory for each of 10,000, 10 s after a storm, in one round",
            Unit::Bytes,
            |s| s.bytes_each,
            Target::WithinIdle(1.5),
        )],
    },
];
