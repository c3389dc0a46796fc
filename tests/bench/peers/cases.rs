//! What is compared, and what is asked of Cubby: data alone.

use crate::sample::Sample;
use std::time::Duration;

/// A piece of work that every hub is given, and the rows of the table that come of it.
pub struct Case {
    /// How it is named on the command line.
    pub key: &'static str,
    pub work: Work,
    pub rows: &'static [Row],
}

#[derive(Clone, Copy)]
pub enum Work {
    /// Traffic in a closed loop: in each group one publishes to all who hear.
    Load(Load),
    /// The first case's traffic in an open loop, at a rate that its maxima give.
    Tail(Rate),
    /// So many who connect, are greeted, and stay.
    Idle,
    /// The same, then traffic through all of them, then quiet.
    Storm,
    /// So many who connect, are greeted and leave, one after the other.
    ComeAndGo,
}

#[derive(Clone, Copy)]
pub struct Load {
    pub groups: u32,
    pub hearers: u32,
    pub size: usize,
    pub window: u32,
    /// Whether Cubby's groups are rooms, and not relays to ids.
    pub rooms: bool,
}

/// How many messages a second the open loop sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Half of what the hub itself does at the most.
    HalfOfOwn,
    /// The same for all: half of what the slowest does, Mosquitto left out.
    HalfOfSlowest,
}

/// A line of the table.
pub struct Row {
    pub title: &'static str,
    pub unit: Unit,
    pub of: fn(&Sample) -> f64,
    pub aim: Aim,
}

#[derive(Clone, Copy)]
pub enum Unit {
    Millions,
    Micros,
    Gigabytes,
    Megabytes,
    Bytes,
}

/// What is asked of Cubby's figure.
#[derive(Clone, Copy)]
pub enum Aim {
    /// At least so many times the greatest of the peers'.
    AtLeast(f64),
    /// At most so many times the least of the peers'.
    AtMost(f64),
    /// No worse than the repeater's: so many times allow for the noise between two measurements of one thing.
    AtMostTheWire(f64),
    /// At most so much, whatever the peers have; less is better.
    Within(f64),
    /// At most so many times what Cubby has for an idle connection in this run, or is asked for where that was not
    /// measured.
    WithinIdle(f64),
    /// Nothing; shown because less, or else more, is better.
    Nothing { less: bool },
}

impl Aim {
    /// Whether more is better.
    pub fn wants_more(self) -> bool {
        matches!(self, Aim::AtLeast(_) | Aim::Nothing { less: false })
    }
}

/// Bytes that Cubby may have for an idle connection.
pub const IDLE_BYTES: f64 = 300.0;

/// How many connections memory is looked at with.
pub const CROWD: u32 = 10_000;

/// Those who hear one of the groups of a storm, besides the one who publishes there.
pub const STORM_HEARERS: u32 = 249;

/// Messages of each group in a storm.
pub const STORM_MESSAGES: usize = 8;

/// How long nothing happens after it.
pub const QUIET: Duration = Duration::from_secs(10);

/// How long a crowd rests before it is called idle, so that what is given back by a clock has been.
pub const REST: Duration = Duration::from_secs(2);

/// How many come and go.
pub const COMERS: u32 = 4_000;

const fn load(groups: u32, hearers: u32, size: usize, window: u32) -> Work {
    Work::Load(Load { groups, hearers, size, window, rooms: false })
}

const fn row(title: &'static str, unit: Unit, of: fn(&Sample) -> f64, aim: Aim) -> Row {
    Row { title, unit, of, aim }
}

/// The fan-out whose maxima the tail is measured by.
pub const FAN_OUT: &Case = &CASES[0];

pub const CASES: [Case; 12] = [
    Case {
        key: "fan-out",
        work: load(1, 100, 64, 64),
        rows: &[
            row("fan-out 1→100, 64 B, window 64: deliveries/s", Unit::Millions, |s| s.deliveries, Aim::AtLeast(2.0)),
            row("… processor µs a delivery", Unit::Micros, |s| s.micros_a_delivery, Aim::AtMost(0.4)),
        ],
    },
    Case {
        key: "room",
        work: Work::Load(Load { groups: 1, hearers: 1000, size: 64, window: 16, rooms: true }),
        rows: &[
            row(
                "room of 1000, 64 B, window 16: µs a delivery",
                Unit::Micros,
                |s| s.micros_a_delivery,
                Aim::AtMost(0.75),
            ),
            row("… deliveries/s", Unit::Millions, |s| s.deliveries, Aim::Nothing { less: false }),
        ],
    },
    Case {
        key: "pair",
        work: load(1, 1, 64, 512),
        rows: &[
            row("one pair pipelined, 64 B, window 512: messages/s", Unit::Millions, |s| s.messages, Aim::AtLeast(2.3)),
            row("… µs a message", Unit::Micros, |s| s.micros_a_message, Aim::AtMost(0.15)),
        ],
    },
    Case {
        key: "pairs",
        work: load(100, 1, 64, 16),
        rows: &[
            row("100 pairs, 64 B, window 16: messages/s", Unit::Millions, |s| s.messages, Aim::AtLeast(2.4)),
            row("… µs a message", Unit::Micros, |s| s.micros_a_message, Aim::Nothing { less: true }),
        ],
    },
    Case {
        key: "pairs-700",
        work: load(10, 1, 700, 32),
        rows: &[
            row("10 pairs, 700 B, window 32: messages/s", Unit::Millions, |s| s.messages, Aim::AtLeast(2.5)),
            row("… µs a message", Unit::Micros, |s| s.micros_a_message, Aim::Nothing { less: true }),
        ],
    },
    Case {
        key: "ping-pong",
        work: load(1, 1, 64, 1),
        rows: &[
            row("one pair, 64 B, window 1 (ping-pong): p50 µs", Unit::Micros, |s| s.p50, Aim::AtMostTheWire(1.05)),
            row("… processor µs a message", Unit::Micros, |s| s.micros_a_message, Aim::Nothing { less: true }),
        ],
    },
    Case {
        key: "megabyte",
        work: load(1, 255, 1_000_000, 1),
        rows: &[
            row("fan-out 1→255, 1 MB, window 1: GB/s", Unit::Gigabytes, |s| s.bytes, Aim::AtLeast(1.0)),
            row("… processor µs a delivery", Unit::Micros, |s| s.micros_a_delivery, Aim::Nothing { less: true }),
            row("… peak memory", Unit::Megabytes, |s| s.peak, Aim::Within(12e6)),
        ],
    },
    Case {
        key: "idle",
        work: Work::Idle,
        rows: &[row(
            "memory for an idle connection, of 10,000",
            Unit::Bytes,
            |s| s.bytes_each,
            Aim::Within(IDLE_BYTES),
        )],
    },
    Case {
        key: "come-and-go",
        work: Work::ComeAndGo,
        rows: &[
            row("connect, be known, leave: processor µs", Unit::Micros, |s| s.micros_a_message, Aim::AtMost(1.0)),
            row("… µs until the next can", Unit::Micros, |s| 1e6 / s.messages, Aim::Nothing { less: true }),
        ],
    },
    Case {
        key: "tail-half",
        work: Work::Tail(Rate::HalfOfOwn),
        rows: &[
            row("open loop at half of one's own maximum, 1→100: p99.9 µs", Unit::Micros, |s| s.p999, Aim::AtMost(1.0)),
            row("… p50 µs", Unit::Micros, |s| s.p50, Aim::Nothing { less: true }),
            row("… deliveries/s", Unit::Millions, |s| s.deliveries, Aim::Nothing { less: false }),
        ],
    },
    Case {
        key: "tail-same",
        work: Work::Tail(Rate::HalfOfSlowest),
        rows: &[
            row("open loop at one rate for all, 1→100: p99.9 µs", Unit::Micros, |s| s.p999, Aim::AtMost(1.0)),
            row("… p50 µs", Unit::Micros, |s| s.p50, Aim::Nothing { less: true }),
            row("… deliveries/s", Unit::Millions, |s| s.deliveries, Aim::Nothing { less: false }),
        ],
    },
    Case {
        key: "storm",
        work: Work::Storm,
        rows: &[row(
            "memory for each of 10,000, 10 s after a storm, in one round",
            Unit::Bytes,
            |s| s.bytes_each,
            Aim::WithinIdle(1.5),
        )],
    },
];
