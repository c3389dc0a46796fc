//! The requests of clients: valid ones with their possible answers, invalid ones with the error that each must cause,
//! and garbage.

use crate::conn::{About, Ask, Conn};
use crate::ledger::{self, Ledger, To};
use cubby::testing::model::frames::{Head, kind, put_frame, put_text, text};
use cubby::testing::system::{Step, World};
use fastrand::Rng;

pub const NAMES: [&str; 6] = ["ann", "bob", "李", "Ann Lee", "eve", "Łukasz"];
pub const ROOMS: [&str; 6] = ["lobby", "den", "кухня", "attic", "x", "porch"];

/// Names that are not valid: one is empty, one is too long.
const BAD_NAMES: [&str; 5] =
    ["", " ann", "a\nb", "a\u{202E}b", "0123456789012345678901234567890123456789012345678901234567890123456789"];

/// A request before it has a tag.
pub struct Draft {
    pub kind: u8,
    pub flags: u8,
    pub payload: Vec<u8>,
    pub about: About,
    pub replies: bool,
    pub fails: bool,
    /// Codes of errors that it may cause.
    pub errors: &'static [u16],
}

impl Draft {
    /// A request that gets a reply.
    pub fn new(kind: u8, payload: Vec<u8>, about: About) -> Draft {
        Draft { kind, flags: 0, payload, about, replies: true, fails: false, errors: &[] }
    }

    fn silent(kind: u8, payload: Vec<u8>) -> Draft {
        Draft { replies: false, ..Draft::new(kind, payload, About::Nothing) }
    }

    /// A request that must cause one of these errors.
    fn wrong(kind: u8, flags: u8, payload: Vec<u8>, errors: &'static [u16]) -> Draft {
        Draft { kind, flags, payload, about: About::Nothing, replies: false, fails: true, errors }
    }
}

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

impl Conn {
    /// Sends a request, and remembers what must follow.
    pub fn ask(&mut self, world: &mut World, draft: Draft) {
        self.tag = self.tag.wrapping_add(1);
        let Draft { kind, flags, payload, about, replies, fails, errors } = draft;
        put_frame(&mut self.unsent, Head { kind, flags, tag: self.tag }, &payload);
        world.note(Step::Ask, u64::from(kind), self.tag.into());
        let errors = errors.iter().fold(0, |bits, code| bits | 1 << code);
        self.asks.push_back(Ask { tag: self.tag, kind, about, replies, fails, errors, at: world.trace.events });
    }
}

/// Sends a valid request.
pub fn honest(rng: &mut Rng, ledger: &mut Ledger, conn: &Conn) -> Draft {
    match rng.u8(..32) {
        0 => Draft::new(kind::IDENTITY, Vec::new(), About::Nothing),
        1 => Draft::new(kind::LIST, Vec::new(), About::Nothing),
        2 => hello(rng, ledger, conn),
        3..=5 => ping(rng),
        6..=15 => relay(rng, ledger, conn),
        16..=19 => send(rng, ledger, conn),
        20..=22 => join(rng, ledger, conn),
        23 => in_room(kind::LEAVE, rng, &[7]),
        24 => in_room(kind::WHO, rng, &[7]),
        25 => history(rng),
        26..=29 => publish(rng, ledger, conn),
        30 if rng.u8(..4) == 0 => Draft { errors: &[5], ..Draft::new(kind::STATS, Vec::new(), About::Nothing) },
        30 => Draft::silent(kind::ACK, rng.u64(..).to_be_bytes().to_vec()),
        _ => alive(),
    }
}

/// Sends ALIVE.
pub fn alive() -> Draft {
    Draft::silent(kind::ALIVE, Vec::new())
}

fn ping(rng: &mut Rng) -> Draft {
    let body: Vec<u8> = (0..rng.usize(..=125)).map(|_| rng.u8(..)).collect();
    Draft::new(kind::PING, body.clone(), About::Ping(body))
}

fn hello(rng: &mut Rng, ledger: &mut Ledger, conn: &Conn) -> Draft {
    let name = if rng.u8(..4) == 0 { "" } else { pick(rng, &NAMES) };
    hello_as(ledger, conn.number, name)
}

/// Takes a name.
pub fn hello_as(ledger: &mut Ledger, conn: usize, name: &'static str) -> Draft {
    let names = &mut ledger.people[conn].names;
    if !names.contains(&name) {
        names.push(name);
    }
    let payload = [&[1][..], &text(name), &[0, 0]].concat();
    Draft::new(kind::HELLO, payload, About::Hello(name))
}

/// The length of a body: mostly short, sometimes the longest that is allowed.
fn length(rng: &mut Rng, ledger: &Ledger) -> usize {
    let most = ledger.max_body as usize;
    match rng.u8(..8) {
        0 => most,
        1 | 2 => rng.usize(8..=most),
        _ => rng.usize(8..=most.min(120)),
    }
}

fn relay(rng: &mut Rng, ledger: &mut Ledger, conn: &Conn) -> Draft {
    let count = if rng.u8(..4) == 0 { rng.u16(1..=ledger.max_receivers.min(12)) } else { 1 };
    let ids: Vec<u64> = (0..count).map(|_| somebody(rng, ledger)).collect();
    let mut payload = count.to_be_bytes().to_vec();
    ids.iter().for_each(|id| payload.extend_from_slice(&id.to_be_bytes()));
    message(kind::RELAY, rng, ledger, conn, To::Users(ids), payload, rng_flag)
}

/// The id of a user that is connected, or was, or never existed.
fn somebody(rng: &mut Rng, ledger: &Ledger) -> u64 {
    match rng.u8(..16) {
        0 => rng.u64(..) | 1 << 63,
        1 => ledger.people[rng.usize(..ledger.people.len())].id,
        _ if ledger.live.is_empty() => 0,
        // The first few users get most of the messages, so that they are full more often.
        _ => ledger.people[ledger.live[rng.usize(..ledger.live.len()).min(rng.usize(..ledger.live.len()))]].id,
    }
}

fn send(rng: &mut Rng, ledger: &mut Ledger, conn: &Conn) -> Draft {
    let count = rng.u16(1..=ledger.max_receivers.min(3));
    let names: Vec<&'static str> = (0..count).map(|_| pick(rng, &NAMES)).collect();
    let mut payload = count.to_be_bytes().to_vec();
    names.iter().for_each(|name| put_text(&mut payload, name));
    message(kind::SEND, rng, ledger, conn, To::Names(names), payload, |rng| rng.u8(..4))
}

fn rng_flag(rng: &mut Rng) -> u8 {
    rng.u8(..2)
}

fn publish(rng: &mut Rng, ledger: &mut Ledger, conn: &Conn) -> Draft {
    let room = pick(rng, &ROOMS);
    message(kind::PUBLISH, rng, ledger, conn, To::Room(room), text(room), |rng| rng.u8(..4))
}

/// Adds a body, and perhaps flags.
fn message(
    kind: u8,
    rng: &mut Rng,
    ledger: &mut Ledger,
    conn: &Conn,
    to: To,
    mut payload: Vec<u8>,
    draw_flags: fn(&mut Rng) -> u8,
) -> Draft {
    let (len, flags) = (length(rng, ledger), draw_flags(rng));
    let no_echo = kind == kind::PUBLISH && flags & 2 == 2;
    let number = ledger.compose(Some(conn.number), to, len, no_echo);
    payload.extend_from_slice(&ledger::body(number, len));
    let about = About::Message(number);
    Draft { kind, flags, payload, about, replies: flags & 1 == 1, fails: false, errors: &[8] }
}

/// Joins a room. If the host may close rooms, it does so only if it is certainly not a member: a member whose queue is
/// full misses the event that closes the room, and the reply does not show whether it was still a member.
fn join(rng: &mut Rng, ledger: &Ledger, conn: &Conn) -> Draft {
    let draft = in_room(kind::JOIN, rng, &[8]);
    let About::Room(room) = draft.about else { return draft };
    let asked = conn.asks.iter().any(|ask| ask.kind == kind::JOIN && ask.about == About::Room(room));
    let seated = conn.seats.iter().any(|seat| seat.room == room);
    if ledger.rooms_close && (asked || seated) { ping(rng) } else { draft }
}

fn in_room(kind: u8, rng: &mut Rng, errors: &'static [u16]) -> Draft {
    room_draft(kind, pick(rng, &ROOMS), errors)
}

/// A request with a room and nothing else.
pub fn room_draft(kind: u8, room: &'static str, errors: &'static [u16]) -> Draft {
    Draft { errors, ..Draft::new(kind, text(room), About::Room(room)) }
}

fn history(rng: &mut Rng) -> Draft {
    let (room, after, limit) = (pick(rng, &ROOMS), rng.u64(..30), rng.u32(..40));
    let payload = [&text(room)[..], &after.to_be_bytes(), &limit.to_be_bytes()].concat();
    let about = About::History { room, after, limit, seen: 0, last: 0 };
    Draft { errors: &[7], ..Draft::new(kind::HISTORY, payload, about) }
}

/// An invalid request, and the error that it must cause.
pub fn lie(rng: &mut Rng, ledger: &Ledger) -> Draft {
    let (most, body) = (ledger.max_receivers, ledger.max_body as usize);
    let ids = |count: u16, real: u16| {
        let mut payload = count.to_be_bytes().to_vec();
        payload.resize(2 + 8 * usize::from(real), 7);
        payload
    };
    match rng.u8(..18) {
        0 => Draft::wrong(pick(rng, &[0, 0x10, 0x3F, 0x81, 0xC4, 0xFF]), 0, vec![0; rng.usize(..9)], &[2]),
        1 => Draft::wrong(kind::IDENTITY, 0x80, Vec::new(), &[1]),
        2 => Draft::wrong(kind::PING, 0, vec![0; 126], &[3]),
        3 => Draft::wrong(kind::LIST, 0, vec![0; 3], &[1]),
        4 => Draft::wrong(kind::RELAY, 0, ids(most.min(9) + 1, 1), &[1, 4]),
        5 => Draft::wrong(kind::RELAY, rng.u8(..2), ids(0, 0), &[4]),
        6 => Draft::wrong(kind::SEND, 0, ids(0, 0), &[4]),
        7 => Draft::wrong(kind::RELAY, 0, [ids(1, 1), vec![0; body + 1]].concat(), &[3]),
        8 => Draft::wrong(kind::PUBLISH, 0, [text("den"), vec![0; body + 1]].concat(), &[3]),
        9 => Draft::wrong(kind::JOIN, 0, vec![2, 0xFF, 0xFE], &[1]),
        10 => Draft::wrong(kind::HELLO, 0, vec![2, 99], &[10]),
        11 => Draft::wrong(kind::HELLO, 0, vec![1, 0, 0, 0, 9], &[1]),
        12 => Draft::wrong(kind::SEND, 0, [vec![0, 1], text(pick(rng, &BAD_NAMES))].concat(), &[6]),
        13 => Draft::wrong(kind::JOIN, 0, text(pick(rng, &BAD_NAMES)), &[6]),
        14 => Draft::wrong(kind::PUBLISH, 0, text(pick(rng, &BAD_NAMES)), &[6]),
        15 => Draft::wrong(kind::HELLO, 0, [vec![1], text(BAD_NAMES[rng.usize(1..5)]), vec![0, 0]].concat(), &[6]),
        16 => Draft::wrong(kind::ACK, 0, vec![0; 7], &[1]),
        _ => Draft::wrong(kind::LEAVE, 0, text(pick(rng, &["nowhere", "a\nb"])), &[6, 7]),
    }
}

/// Whether this error ends the connection.
pub fn is_fatal(errors: &[u16]) -> bool {
    errors.iter().any(|code| matches!(code, 1 | 2 | 3 | 5 | 10))
}

/// Arbitrary bytes.
pub fn garbage(rng: &mut Rng) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..rng.usize(1..60)).map(|_| rng.u8(..)).collect();
    match rng.u8(..4) {
        0 => bytes,
        1 => b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        _ => {
            let mut out = Vec::new();
            let room = text(pick(rng, &ROOMS));
            if rng.bool() && bytes.len() > room.len() {
                bytes[..room.len()].copy_from_slice(&room);
            }
            let head = Head { kind: rng.u8(..16), flags: rng.u8(..2), tag: rng.u16(..) };
            put_frame(&mut out, head, &bytes);
            if rng.u8(..4) == 0 {
                let at = rng.usize(..out.len());
                out[at] ^= 1 << rng.u8(..8);
            }
            out
        }
    }
}
