//! What is measured, and what is asked of Cubby's JSON: data alone.

use crate::sample::Sample;

/// A piece of work that all are given, and the rows of the table that come of it.
pub struct Case {
    /// How it is named on the command line.
    pub key: &'static str,
    pub work: Work,
    pub rows: &'static [Row],
}

#[derive(Clone, Copy)]
pub enum Work {
    /// One speaks in a room of so many, who are at most so many messages behind.
    Room { members: u32, window: u32 },
    /// So many who connect, say hello, and stay.
    Idle,
}

/// A line of the table.
pub struct Row {
    pub title: &'static str,
    pub of: fn(&Sample) -> f64,
    pub asked: Asked,
}

/// What is asked of the figure.
#[derive(Clone, Copy)]
pub enum Asked {
    /// At most so many times that of native members.
    TimesNative(f64),
    /// At least so many times as good as each other server's, where more is better.
    More(f64),
    /// The same, where less is better.
    Less(f64),
    /// At most so much.
    Within(f64),
    /// Nothing, but to be seen beside all others.
    Seen,
}

/// Bytes of a body.
pub const BODY: usize = 64;

/// How many connections memory is looked at with.
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
                asked: Asked::TimesNative(1.3),
            },
            Row { title: "… beside other servers", of: |s| s.micros_a_delivery, asked: Asked::Less(2.0) },
            Row { title: "… M deliveries/s", of: |s| s.deliveries / 1e6, asked: Asked::More(2.0) },
            Row { title: "… µs a delivery of the generator's", of: |s| s.generator_micros, asked: Asked::Seen },
        ],
    },
    Case {
        key: "one-by-one",
        work: Work::Room { members: ROOM, window: 1 },
        rows: &[
            Row {
                title: "the same, window 1, a send for each: µs a delivery",
                of: |s| s.micros_a_delivery,
                asked: Asked::Seen,
            },
            Row { title: "… M deliveries/s", of: |s| s.deliveries / 1e6, asked: Asked::Seen },
        ],
    },
    Case {
        key: "idle",
        work: Work::Idle,
        rows: &[Row {
            title: "bytes for an idle connection, of 10,000",
            of: |s| s.bytes_each,
            asked: Asked::Within(500.0),
        }],
    },
];
