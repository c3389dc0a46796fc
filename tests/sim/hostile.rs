//! The hostile majority: clients that hold memory, ask for work, or stand in the way of others, each by one trick.

use cubby::hub::RemoteAddr;
use cubby::testing::model::frames::{Head, frame, kind, put_frame, put_text, send, text};
use cubby::testing::system::{LISTENERS, Wire, World};
use fastrand::Rng;

/// The room in which innocents talk, and one with a long history.
pub const HOME: &str = "home";
pub const BIG: &str = "big";

/// The name of an innocent, which borrowers take too.
pub const BORROWED: &str = "bob";

/// Bytes that one hostile client has ready to send at most.
const READY: usize = 64 * 1024;

/// How many names one SEND repeats, and how many rooms a renamed client was in.
const NAMES: usize = 255;
const ROOMS: usize = 30;

/// What a hostile client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trick {
    /// Asks HISTORY, LIST, WHO and STATS, and reads nothing.
    AskUnread,
    /// The same, and reads all.
    AskReading,
    /// Takes the name of an innocent, fills itself by its own SENDs, and reads nothing.
    Borrow,
    /// Sends the half of a body, and then nothing, or a byte at a time.
    HalfBody,
    Drip,
    /// Is in all rooms, and reads nothing.
    Deaf,
    /// Publishes as much as it can, and reads all.
    Publish,
    /// Names one name 255 times, and has that name.
    NameFlood,
    /// Takes a new name and leaves many rooms by that.
    Rename,
    /// Joins and leaves a room.
    Churn,
    /// Makes rooms by publishing in them.
    MakeRooms,
    /// All of them break off at the same moment.
    BreakOff,
}

pub const TRICKS: [Trick; 12] = [
    Trick::AskUnread,
    Trick::AskReading,
    Trick::Borrow,
    Trick::HalfBody,
    Trick::Drip,
    Trick::Deaf,
    Trick::Publish,
    Trick::NameFlood,
    Trick::Rename,
    Trick::Churn,
    Trick::MakeRooms,
    Trick::BreakOff,
];

/// A hostile client. If it is closed, it comes again.
#[derive(Debug)]
pub struct Hostile {
    pub trick: Trick,
    pub wire: Option<usize>,
    unsent: Vec<u8>,
    /// It has sent so many rounds of its trick.
    rounds: u32,
}

impl Hostile {
    pub fn new(trick: Trick) -> Hostile {
        Hostile { trick, wire: None, unsent: Vec::new(), rounds: 0 }
    }

    /// Acts once. `body`: the longest body that the hub takes.
    pub fn act(&mut self, world: &mut World, rng: &mut Rng, body: usize) {
        let Some(wire) = self.wire else { return self.connect(world, rng) };
        if world.wires[wire].is_over() || world.wires[wire].hub.closed {
            world.end(wire);
            self.wire = None;
            return;
        }
        if self.reads() {
            world.read(wire, usize::MAX, &mut Vec::new());
        }
        if self.unsent.is_empty() {
            self.round(rng, body);
            self.rounds += 1;
        }
        let most = if self.trick == Trick::Drip && self.rounds > 2 { 1 } else { READY };
        let count = world.write(wire, &self.unsent[..most.min(self.unsent.len())]);
        self.unsent.drain(..count);
        if self.trick == Trick::Borrow && self.rounds > 20 && rng.u8(..16) == 0 {
            self.break_off(world);
        }
    }

    /// Breaks the connection.
    pub fn break_off(&mut self, world: &mut World) {
        if let Some(wire) = self.wire.take() {
            world.reset(wire);
        }
    }

    fn reads(&self) -> bool {
        match self.trick {
            Trick::AskUnread | Trick::Borrow | Trick::HalfBody | Trick::Drip | Trick::Deaf => false,
            Trick::AskReading
            | Trick::Publish
            | Trick::NameFlood
            | Trick::Rename
            | Trick::Churn
            | Trick::MakeRooms
            | Trick::BreakOff => true,
        }
    }

    fn connect(&mut self, world: &mut World, rng: &mut Rng) {
        let mut wire = Wire::new(RemoteAddr::Unix);
        (wire.room_in, wire.room_out) = (100_000, if self.reads() { 1 << 20 } else { rng.usize(500..20_000) });
        self.wire = Some(world.connect(rng.usize(..LISTENERS), wire));
        (self.unsent, self.rounds) = (Vec::new(), 0);
        let name = match self.trick {
            Trick::Borrow => BORROWED,
            Trick::NameFlood => "mob",
            Trick::AskUnread
            | Trick::AskReading
            | Trick::HalfBody
            | Trick::Drip
            | Trick::Deaf
            | Trick::Publish
            | Trick::Rename
            | Trick::Churn
            | Trick::MakeRooms
            | Trick::BreakOff => "",
        };
        hello(&mut self.unsent, name);
        [HOME, BIG].iter().for_each(|room| self.unsent.extend(frame(kind::JOIN, 0, 1, &text(room))));
    }

    /// Gets ready to do its trick once more.
    fn round(&mut self, rng: &mut Rng, body: usize) {
        let out = &mut self.unsent;
        match self.trick {
            Trick::AskUnread | Trick::AskReading => ask_much(out),
            Trick::Borrow => out.extend(send(&[BORROWED], &vec![7; body], 0)),
            Trick::HalfBody | Trick::Drip if self.rounds == 0 => {
                let whole = publish(BIG, &vec![7; body]);
                out.extend(&whole[..whole.len() / 2]);
            }
            // Further bytes of the same body. Behind its end they are no request, and it is closed and comes again.
            Trick::Drip => out.extend([7; 1000]),
            Trick::HalfBody | Trick::Deaf => {}
            Trick::Publish => {
                let len = [8, 600, body][rng.usize(..3)];
                (0..READY / (len + 100)).for_each(|_| out.extend(publish([BIG, HOME][rng.usize(..2)], &vec![7; len])));
            }
            Trick::NameFlood => (0..16).for_each(|_| out.extend(send(&["mob"; NAMES], b"again", 0))),
            Trick::Rename => {
                (0..ROOMS).for_each(|room| out.extend(frame(kind::JOIN, 0, 1, &text(&format!("r{room}")))));
                hello(out, &format!("n{}", rng.u32(..)));
            }
            Trick::Churn => (0..50).for_each(|_| {
                [kind::LEAVE, kind::JOIN].iter().for_each(|&kind| out.extend(frame(kind, 0, 1, &text(HOME))));
            }),
            Trick::MakeRooms => (0..100).for_each(|_| out.extend(publish(&format!("m{}", rng.u32(..)), b""))),
            Trick::BreakOff => out.extend(frame(kind::ALIVE, 0, 1, &[])),
        }
    }
}

fn hello(out: &mut Vec<u8>, name: &str) {
    out.extend(frame(kind::HELLO, 0, 1, &[&[1][..], &text(name), &[0, 0]].concat()));
}

/// A PUBLISH without a receipt.
fn publish(room: &str, body: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(room.len() + body.len() + 1);
    put_text(&mut payload, room);
    payload.extend_from_slice(body);
    frame(kind::PUBLISH, 0, 1, &payload)
}

fn ask_much(out: &mut Vec<u8>) {
    let history = [&text(BIG)[..], &0u64.to_be_bytes(), &u32::MAX.to_be_bytes()].concat();
    for tag in 0..12 {
        put_frame(out, Head { kind: kind::HISTORY, flags: 0, tag }, &history);
        put_frame(out, Head { kind: kind::WHO, flags: 0, tag }, &text(BIG));
        put_frame(out, Head { kind: kind::LIST, flags: 0, tag }, &[]);
        put_frame(out, Head { kind: kind::STATS, flags: 0, tag }, &[]);
    }
}
