//! What is measured, and the targets of Cubby's JSON: data only.

use crate::harness::sample::Sample;

/// A piece of work for every server, and the rows of the table that show its figures.
pub struct Case {
    /// Its name on the command line.
    pub key: &'static str,
    pub work: Work,
    pub rows: &'static [Row],
}

#[derive(Clone, Copy)]
pub enum Work {
    /// One member publishes in a room, with at most `window` messages in flight.
    Room { members: u32, window: u32 },
    /// Connections that are made and held.
    Idle,
}

/// A line of the table.
pub struct Row {
    pub title: &'static str,
    pub of: fn(&Sample) -> f64,
    pub target: Target,
}

/// The target of a figure.
#[derive(Clone, Copy)]
pub enum Target {
    /// At most this factor times the figure of native members.
    TimesNative(f64),
    /// At least this factor times each other server's figure: more is better.
    More(f64),
    /// At most each other server's figure divided by this factor: less is better.
    Less(f64),
    /// At most this.
    Within(f64),
    /// None. The figure is only shown beside the others.
    Shown,
}

/// Bytes of a body.
pub const BODY: usize = 64;

/// The connections with which memory is measured.
pub const CROWD: u32 = 10_000;

const ROOM: u32 = 1000;

pub const CASES: [Case; 3] = [
    Case {
        key: "room",
        work: Work::Room { members: ROOM, window: 16 },
        rows: &[
            Row {
                title: "room of 1,000, 64 B, window 16: µs a delivery",
                of: |s| s.micros_a_delivery,
                target: Target::TimesNative(1.3),
            },
            Row { title: "… beside other servers", of: |s| s.micros_a_delivery, target: Target::Less(2.0) },
            Row { title: "… M deliveries/s", of: |s| s.deliveries / 1e6, target: Target::More(2.0) },
            Row { title: "… µs a delivery of the generator", of: |s| s.generator_micros, target: Target::Shown },
        ],
    },
    Case {
        key: "one-by-one",
        work: Work::Room { members: ROOM, window: 1 },
        rows: &[
            Row { title: "the same, window 1: µs a delivery", of: |s| s.micros_a_delivery, target: Target::Shown },
            Row { title: "… M deliveries/s", of: |s| s.deliveries / 1e6, target: Target::Shown },
        ],
    },
    Case {
        key: "idle",
        work: Work::Idle,
        rows: &[Row {
            title: "bytes for an idle connection, of 10,000",
            of: |s| s.bytes_each,
            target: Target::Within(500.0),
        }],
    },
];
