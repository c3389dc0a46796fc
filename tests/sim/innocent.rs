//! Innocents: clients that read everything at once and ask for one little thing at a time. Each is answered within so
//! many turns, is never closed, and what it sends arrives.

use crate::hostile::HOME;
use cubby::hub::RemoteAddr;
use cubby::testing::model::frames::{self, Fields, frame, kind, relay, send, text};
use cubby::testing::system::{LISTENERS, Wire, World};
use fastrand::Rng;
use std::collections::BTreeMap;

/// What an innocent asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// PING or IDENTITY.
    Little,
    /// A SEND to the name of another innocent, with a receipt.
    Send,
    /// The same to its id.
    Relay,
    /// A PUBLISH to a room in which the other innocent is.
    Publish,
    /// HISTORY of few events, LIST or WHO: these wait for the long requests of others.
    Long,
    /// A PUBLISH of the longest body.
    Whole,
}

/// A request that is not answered yet.
#[derive(Clone, Copy, Debug)]
struct Asked {
    wish: Wish,
    tag: u16,
    turn: u64,
}

/// An innocent.
#[derive(Debug)]
pub struct Innocent {
    pub wire: usize,
    pub name: &'static str,
    pub id: u64,
    input: Vec<u8>,
    unsent: Vec<u8>,
    asked: Option<Asked>,
    /// What the other has sent it that has not arrived: the number of each message, and the turn when it was asked.
    pub expected: BTreeMap<u64, (Wish, u64)>,
    /// The longest that anything took, in turns, and when it was asked.
    pub waits: BTreeMap<Wish, u64>,
    rests: u32,
}

impl Innocent {
    /// Connects.
    pub fn enter(world: &mut World, rng: &mut Rng, name: &'static str) -> Innocent {
        let mut wire = Wire::new(RemoteAddr::Unix);
        (wire.room_in, wire.room_out) = (400_000, 1 << 20);
        let wire = world.connect(rng.usize(..LISTENERS), wire);
        let mut unsent = frame(kind::HELLO, 0, 0, &[&[1][..], &text(name), &[0, 0]].concat());
        unsent.extend(frame(kind::JOIN, 0, 0, &text(HOME)));
        Innocent {
            wire,
            name,
            id: 0,
            input: Vec::new(),
            unsent,
            asked: None,
            expected: BTreeMap::new(),
            waits: BTreeMap::new(),
            rests: 3,
        }
    }

    /// Asks for something, if it has no request outstanding. `body`: the longest body that the hub takes.
    pub fn ask(&mut self, world: &mut World, rng: &mut Rng, other: &mut Innocent, turn: u64, body: usize) {
        if self.asked.is_none() && self.unsent.is_empty() {
            if self.rests > 0 {
                self.rests -= 1;
            } else {
                self.wish(rng, other, turn, body);
                self.rests = rng.u32(..4);
            }
        }
        let count = world.write(self.wire, &self.unsent);
        self.unsent.drain(..count);
    }

    fn wish(&mut self, rng: &mut Rng, other: &mut Innocent, turn: u64, body: usize) {
        let wish = match rng.u8(..40) {
            0..=11 => Wish::Little,
            12..=19 => Wish::Send,
            20..=25 => Wish::Relay,
            26..=33 => Wish::Publish,
            34..=38 => Wish::Long,
            _ => Wish::Whole,
        };
        let tag = (turn % 50_000) as u16 + 1;
        let number = turn.to_be_bytes();
        let mut bytes = match wish {
            Wish::Little if rng.bool() => frame(kind::PING, 0, tag, &number),
            Wish::Little => frame(kind::IDENTITY, 0, tag, &[]),
            Wish::Send => send(&[other.name], &number, 1),
            Wish::Relay => relay(&[other.id], &number, true),
            Wish::Publish => frame(kind::PUBLISH, 1, tag, &[&text(HOME)[..], &number].concat()),
            Wish::Whole => {
                let rest = vec![7; body - number.len()];
                frame(kind::PUBLISH, 1, tag, &[&text(HOME)[..], &number, &rest].concat())
            }
            Wish::Long => match rng.u8(..3) {
                0 => frame(kind::LIST, 0, tag, &[]),
                1 => frame(kind::WHO, 0, tag, &text(HOME)),
                _ => frame(kind::HISTORY, 0, tag, &[&text(HOME)[..], &[0; 8], &3u32.to_be_bytes()].concat()),
            },
        };
        bytes[2..4].copy_from_slice(&tag.to_be_bytes());
        self.unsent = bytes;
        self.asked = Some(Asked { wish, tag, turn });
        if matches!(wish, Wish::Send | Wish::Relay | Wish::Publish | Wish::Whole) {
            other.expected.insert(turn, (wish, turn));
        }
    }

    /// Reads all, after turn `turn`.
    ///
    /// # Panics
    ///
    /// If it was closed, or is told something else than it asked for.
    pub fn read(&mut self, world: &mut World, turn: u64) {
        let wire = &world.wires[self.wire];
        assert!(
            !wire.is_over() && !wire.hub.closed && !wire.is_shut(),
            "{} was closed in turn {turn}: {wire:?}",
            self.name
        );
        world.read(self.wire, usize::MAX, &mut self.input);
        let input = std::mem::take(&mut self.input);
        let mut rest = &input[..];
        while let Some((head, payload)) = frames::first(rest) {
            rest = &rest[frames::HEADER + payload.len()..];
            self.hear(head, payload, turn);
        }
        self.input = rest.to_vec();
    }

    fn hear(&mut self, head: frames::Head, payload: &[u8], turn: u64) {
        let mut fields = Fields(payload);
        match head.kind {
            0xCC => self.unsent.extend(frame(kind::ALIVE, 0, 0, &[])),
            0xC4 if payload.len() == 16 => self.arrived(u64_at(payload, 8), turn),
            0xC5 => {
                let _mail = (fields.u64(), fields.u64(), fields.u64(), fields.text());
                self.arrived(u64_at(fields.0, 0), turn);
            }
            0xC9 if head.flags == 0 => {
                let _event = (fields.u8(), fields.u64(), fields.u64(), fields.u64(), fields.text(), fields.text());
                self.arrived(u64_at(fields.0, 0), turn);
            }
            0x81..=0x8F if head.tag > 0 && head.flags & 1 == 0 => self.answered(head, payload, turn),
            0xFF | 0xCD => panic!("{} is told {head:?} {:?}", self.name, String::from_utf8_lossy(payload)),
            _ => {}
        }
    }

    /// Something that was sent to it has arrived, if it is from another innocent.
    fn arrived(&mut self, number: u64, turn: u64) {
        if let Some((wish, asked)) = self.expected.remove(&number) {
            self.note(wish, turn - asked);
        }
    }

    fn answered(&mut self, head: frames::Head, payload: &[u8], turn: u64) {
        let asked = self.asked.take_if(|asked| asked.tag == head.tag);
        let asked = asked.unwrap_or_else(|| panic!("{} has not asked for {head:?}", self.name));
        let statuses = if matches!(asked.wish, Wish::Send | Wish::Relay) { &payload[2..] } else { &[] };
        // A namesake may refuse what is sent to the name.
        let is_right = statuses.iter().all(|&status| status == 0 || status == 2 && asked.wish == Wish::Send);
        assert!(is_right, "{} is told {statuses:?} in reply to {asked:?}", self.name);
        self.note(asked.wish, turn - asked.turn);
    }

    fn note(&mut self, wish: Wish, took: u64) {
        let most = self.waits.entry(wish).or_default();
        *most = (*most).max(took);
    }

    /// Whether its own request is answered.
    pub fn is_answered(&self) -> bool {
        self.asked.is_none()
    }

    /// What has taken longest and is not there yet: what it was, and in which turn it was asked.
    pub fn outstanding(&self) -> impl Iterator<Item = (Wish, u64)> {
        self.asked.iter().map(|asked| (asked.wish, asked.turn)).chain(self.expected.values().copied())
    }
}

/// The number at the front of a body; 0 if it is shorter.
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).map_or(0, |bytes| Fields(bytes).u64())
}
