//! The operations that the fuzzer applies to a hub, as bytes that clients send.

use crate::testing::model::Model;
use crate::testing::model::frames::{frame, kind, relay, send, text};
use arbitrary::Arbitrary;
use fastrand::Rng;

/// One operation. Users are numbered in the order in which they connected, including those that have left.
#[derive(Arbitrary, Debug)]
pub(super) enum Op {
    Connect,
    Disconnect(u8),
    /// Arbitrary bytes from a user.
    Bytes(u8, Vec<u8>),
    /// A well-formed relay, in two pieces.
    Relay {
        from: u8,
        to: Vec<u8>,
        body: Vec<u8>,
        receipt: bool,
        split: u8,
    },
    /// Several relays of the largest size to one user, each with a different body.
    Flood {
        from: u8,
        to: u8,
        count: u8,
    },
    /// A user takes a name, or changes it.
    Hello {
        user: u8,
        name: u8,
    },
    /// A well-formed send to names.
    Send {
        from: u8,
        names: Vec<u8>,
        body: Vec<u8>,
        flags: u8,
    },
    /// JOIN, LEAVE or WHO, encoded in few bytes of input, because much else depends on them.
    Room {
        user: u8,
        kind: u8,
        room: u8,
    },
    /// A user publishes in a room.
    Publish {
        user: u8,
        room: u8,
        body: Vec<u8>,
        flags: u8,
    },
    /// A user requests a room's history.
    History {
        user: u8,
        room: u8,
        after: u8,
        limit: u8,
    },
    /// The host publishes in a room, or closes it.
    Host {
        room: u8,
        body: Option<Vec<u8>>,
    },
    /// Time passes.
    Tick(u8),
    /// A well-formed request of some other kind.
    Ask {
        from: u8,
        kind: u8,
        tag: u16,
        payload: Vec<u8>,
    },
    /// A user reads some of what is queued for it.
    Read(u8, u16),
}

/// One step of an operation.
pub(super) enum Act {
    Connect,
    Disconnect(u8),
    /// A user sends bytes.
    Send(u8, Vec<u8>),
    /// A user reads this many bytes.
    Read(u8, usize),
    /// The host publishes a body in a room, or closes the room.
    Host(&'static str, Option<Vec<u8>>),
    /// Seconds pass.
    Pass(u64),
}

/// Names of users and rooms. There are few, so that they are used again; some are not valid.
const NAMES: [&str; 6] = ["", "ann", "bob", "李", " ann", "a\u{85}b"];

fn name(number: u8) -> &'static str {
    NAMES[usize::from(number) % NAMES.len()]
}

impl Op {
    /// Draws a user, if this many have connected so far: mostly one of the last few, which are still connected.
    pub(super) fn draw(rng: &mut Rng, users: u8) -> Op {
        let user = |rng: &mut Rng| users.saturating_sub(rng.u8(1..=8));
        let few = |rng: &mut Rng| (0..rng.usize(..4)).map(|_| rng.u8(..6)).collect::<Vec<u8>>();
        let body = |rng: &mut Rng| (0..rng.usize(..40)).map(|_| rng.u8(..)).collect::<Vec<u8>>();
        match rng.u8(..40) {
            0..=3 => Op::Connect,
            4 => Op::Disconnect(user(rng)),
            5 => Op::Bytes(user(rng), body(rng)),
            6..=9 => {
                let to = (0..rng.usize(1..4)).map(|_| user(rng)).collect();
                let (from, split) = (user(rng), rng.u8(..60));
                Op::Relay { from, to, body: body(rng), receipt: rng.bool(), split }
            }
            10 => Op::Flood { from: user(rng), to: user(rng), count: rng.u8(..) },
            11..=13 => Op::Hello { user: user(rng), name: rng.u8(..6) },
            14..=16 => Op::Send { from: user(rng), names: few(rng), body: body(rng), flags: rng.u8(..) },
            17..=22 => Op::Room { user: user(rng), kind: rng.u8(..), room: rng.u8(..6) },
            23..=28 => Op::Publish { user: user(rng), room: rng.u8(..6), body: body(rng), flags: rng.u8(..) },
            29 | 30 => Op::History { user: user(rng), room: rng.u8(..6), after: rng.u8(..6), limit: rng.u8(..6) },
            31 => Op::Host { room: rng.u8(..6), body: rng.bool().then(|| body(rng)) },
            32 => Op::Tick(rng.u8(..)),
            33 => Op::Ask { from: user(rng), kind: rng.u8(..), tag: rng.u16(..), payload: body(rng) },
            34 => Op::Ask { from: user(rng), kind: rng.u8(12..16), tag: rng.u16(..), payload: Vec::new() },
            35 => Op::Ask { from: user(rng), kind: rng.u8(2..4), tag: rng.u16(..), payload: Vec::new() },
            _ => Op::Read(user(rng), rng.u16(..2_000)),
        }
    }

    /// The steps of this operation, for a hub in the state of this model.
    pub(super) fn acts(self, model: &Model) -> Vec<Act> {
        let one = |user: u8, bytes: Vec<u8>| vec![Act::Send(user, bytes)];
        match self {
            Op::Connect => vec![Act::Connect],
            Op::Disconnect(user) => vec![Act::Disconnect(user)],
            Op::Bytes(user, bytes) => one(user, bytes),
            Op::Relay { from, to, body, receipt, split } => {
                let ids: Vec<u64> = to.iter().map(|&user| model.id_of(user)).collect();
                let mut front = relay(&ids, &body, receipt);
                let back = front.split_off(usize::from(split).min(front.len()));
                vec![Act::Send(from, front), Act::Send(from, back)]
            }
            Op::Flood { from, to, count } => {
                let ids = [model.id_of(to)];
                (0..count % 6).map(|number| Act::Send(from, relay(&ids, &[number; 300], false))).collect()
            }
            Op::Hello { user, name: number } => {
                let payload = [&[1][..], &text(name(number)), &[0, 0]].concat();
                one(user, frame(kind::HELLO, 0, 7, &payload))
            }
            Op::Send { from, names, body, flags } => {
                let names: Vec<&str> = names.iter().take(4).map(|&number| name(number)).collect();
                one(from, send(&names, &body, flags % 4))
            }
            Op::Room { user, kind, room } => {
                let kind = [kind::JOIN, kind::LEAVE, kind::WHO][usize::from(kind) % 3];
                one(user, frame(kind, 0, 6, &text(name(room))))
            }
            Op::Publish { user, room, body, flags } => {
                one(user, frame(kind::PUBLISH, flags % 4, 5, &[&text(name(room))[..], &body].concat()))
            }
            Op::History { user, room, after, limit } => {
                let (after, limit) = (u64::from(after).to_be_bytes(), u32::from(limit).to_be_bytes());
                let payload = [&text(name(room))[..], &after, &limit].concat();
                one(user, frame(kind::HISTORY, 0, 4, &payload))
            }
            Op::Host { room, body } => vec![Act::Host(name(room), body)],
            Op::Tick(secs) => vec![Act::Pass(u64::from(secs) % 8)],
            Op::Ask { from, kind, tag, payload } => one(from, frame(kind % 16, 0, tag, &payload)),
            Op::Read(user, count) => vec![Act::Read(user, count.into())],
        }
    }
}
