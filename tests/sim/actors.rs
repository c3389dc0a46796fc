//! The behaviour of clients: some are honest, some connect and leave all the time, some do not read, and some are
//! hostile.

use crate::arrivals;
use crate::asks::{self, Draft, NAMES, ROOMS};
use crate::conn::{About, Conn};
use crate::ledger::{Ledger, Person};
use cubby::testing::model::frames::kind;
use cubby::testing::system::{Fault, Step, World};
use fastrand::Rng;

/// If a client has this many bytes to send, it makes no further requests.
const ENOUGH: usize = 64 * 1024;

/// Bytes of a flood: more than one link may send in a turn.
const FLOOD: usize = 300_000;

/// After how many microseconds a calm actor acts again, and one that has left for good.
const CALM: u64 = 3_000;
const GONE: u64 = 1_000_000;

/// A client with one connection at a time.
#[derive(Debug)]
pub struct Actor {
    /// The average pause between two actions.
    pub micros: u64,
    /// The name that it takes whenever it connects.
    pub name: &'static str,
    /// The fault that this actor tends to show, if any.
    pub vice: Option<Fault>,
    pub conn: Option<usize>,
    /// For how many further actions it does not read.
    pub rest: u32,
    /// It sends nothing meanwhile.
    pub is_mute: bool,
    /// For how many actions it stays disconnected.
    pub away: u32,
    /// Faults have stopped: it only completes its unfinished requests, and reads.
    pub is_calm: bool,
}

/// Everything that an actor uses.
pub struct Stage<'a> {
    pub world: &'a mut World,
    pub ledger: &'a mut Ledger,
    pub conns: &'a mut Vec<Conn>,
    pub rng: &'a mut Rng,
}

impl Stage<'_> {
    /// From now on it is unknown when the hub closes this connection.
    fn count_out(&mut self, number: usize) {
        self.ledger.clock = self.world.trace.events;
        self.ledger.live.retain(|&other| other != number);
    }
}

/// Most connections break.
pub fn break_most(actors: &mut [Actor], stage: &mut Stage<'_>) {
    for number in actors.iter().filter_map(|actor| actor.conn) {
        let conn = &mut stage.conns[number];
        if !conn.has_left && stage.rng.u8(..8) > 0 {
            conn.has_left = true;
            stage.world.reset(number);
            stage.count_out(number);
        }
    }
}

impl Actor {
    /// Draws an actor. `slower` is by how much all actors of the run are slowed down.
    pub fn draw(rng: &mut Rng, slower: u64) -> Actor {
        let vices = [Fault::Churn, Fault::Stall, Fault::Drip, Fault::Garbage, Fault::Lie];
        let vice = rng.bool().then(|| vices[rng.usize(..vices.len())]);
        let micros = slower * [20, 200, 2_000, 20_000][rng.usize(..4)];
        Actor {
            micros,
            name: NAMES[rng.usize(..NAMES.len())],
            vice,
            conn: None,
            rest: 0,
            is_mute: false,
            away: 0,
            is_calm: false,
        }
    }

    /// Acts once; returns after how many microseconds it acts again.
    pub fn act(&mut self, stage: &mut Stage<'_>) -> u64 {
        stage.world.note(Step::Act, self.conn.map_or(0, |conn| conn as u64 + 1), 0);
        match self.conn {
            None if self.away > 0 => self.away -= 1,
            None if !self.is_calm => self.connect(stage),
            None => {}
            Some(number) => self.live(stage, number),
        }
        match self.conn {
            None if self.is_calm => GONE,
            Some(_) if self.is_calm => CALM,
            _ => stage.rng.u64(1..=2 * self.micros),
        }
    }

    fn connect(&mut self, stage: &mut Stage<'_>) {
        let number = arrivals::connect(stage.world);
        let mut conn = Conn { number, ..Conn::default() };
        stage.ledger.people.push(Person::default());
        if stage.rng.u8(..4) > 0 {
            let draft = asks::hello_as(stage.ledger, number, self.name);
            conn.ask(stage.world, draft);
        }
        conn.ask(stage.world, Draft::new(kind::IDENTITY, Vec::new(), About::Nothing));
        if stage.world.faults.can_strike(Fault::Outage) {
            // All join one room, so that each departure is an event for many members.
            conn.ask(stage.world, asks::room_draft(kind::JOIN, ROOMS[0], &[8]));
        }
        stage.conns.push(conn);
        self.conn = Some(number);
    }

    fn live(&mut self, stage: &mut Stage<'_>, number: usize) {
        self.read(stage, number);
        if stage.world.wires[number].is_over() {
            stage.conns[number].check_end(stage.world, stage.ledger);
            let wire = &stage.world.wires[number];
            let (left, ends) = (wire.is_shut() || wire.hub.closed, !wire.hub.closed && !wire.ending && !wire.reset);
            if ends && (self.is_calm || stage.rng.bool()) {
                stage.world.end(number);
            }
            stage.ledger.clock = stage.world.trace.events;
            stage.ledger.forget(number, left);
            self.conn = None;
            // A client that was turned away comes back later.
            self.away = if stage.conns[number].last_word == Some(14) { stage.rng.u32(..100) } else { 0 };
            return;
        }
        self.answer_beats(stage, number);
        if !self.is_calm {
            self.misbehave(stage, number);
            if !self.is_mute {
                self.ask(stage, number);
            }
        }
        self.write(stage, number);
    }

    fn read(&mut self, stage: &mut Stage<'_>, number: usize) {
        if self.rest > 0 && !self.is_calm {
            self.rest -= 1;
            self.is_mute &= self.rest > 0;
            return;
        }
        let mut most = usize::MAX;
        if !self.is_calm {
            if self.vice == Some(Fault::Stall) && stage.world.strikes(Fault::Stall) {
                self.rest = stage.rng.u32(1..400);
                self.is_mute = stage.rng.bool();
            }
            if self.vice == Some(Fault::Drip) && stage.world.strikes(Fault::Drip) {
                most = stage.rng.usize(1..100);
            }
        }
        let conn = &mut stage.conns[number];
        if stage.world.read(number, most, &mut conn.input) > 0 {
            stage.ledger.clock = stage.world.trace.events;
            for (kind, rest) in conn.hear_all(stage.ledger) {
                stage.world.note(Step::Frame, (number as u64) << 8 | u64::from(kind), rest);
            }
        }
    }

    /// An honest client answers heartbeats, and sends some by itself after a long silence.
    fn answer_beats(&mut self, stage: &mut Stage<'_>, number: usize) {
        let conn = &mut stage.conns[number];
        let asked = std::mem::take(&mut conn.beats) > 0 || stage.world.now > conn.sent_at + stage.ledger.remind;
        let may = !conn.is_quiet && !conn.has_left && conn.unsent.is_empty() && !conn.is_wild(stage.ledger);
        if asked && may && (self.is_calm || self.vice.is_none()) {
            conn.ask(stage.world, asks::alive());
        }
    }

    fn ask(&mut self, stage: &mut Stage<'_>, number: usize) {
        let conn = &mut stage.conns[number];
        let may = stage.ledger.may_flood && !conn.is_quiet && !conn.has_left;
        if may && stage.world.wires[number].room_for_client() > FLOOD {
            conn.flood(stage.rng);
        }
        let burst = match stage.rng.u8(..16) {
            0 => stage.rng.u8(..40),
            1..=9 => 1,
            _ => 0,
        };
        for _ in 0..burst {
            if conn.is_quiet || conn.has_left || conn.unsent.len() > ENOUGH || conn.asks.len() > stage.ledger.under_way
            {
                break;
            }
            if self.vice == Some(Fault::Garbage) && stage.world.strikes(Fault::Garbage) {
                stage.ledger.people[number].is_wild = true;
                conn.asks.clear();
                conn.unsent.extend(asks::garbage(stage.rng));
            } else if self.vice == Some(Fault::Lie) && stage.world.strikes(Fault::Lie) {
                conn.lie(stage.world, stage.ledger, stage.rng);
            } else {
                let draft = asks::honest(stage.rng, stage.ledger, conn);
                conn.ask(stage.world, draft);
            }
        }
    }

    /// What may happen to any connection, and more often to clients that connect and leave all the time.
    fn misbehave(&mut self, stage: &mut Stage<'_>, number: usize) {
        let churns = self.vice == Some(Fault::Churn) && stage.rng.u8(..32) == 0;
        let world = &mut *stage.world;
        let conn = &mut stage.conns[number];
        if world.strikes(Fault::Urgent) {
            world.urge(number);
        }
        if conn.has_left || conn.is_over {
            return;
        }
        if world.strikes(Fault::Reset) || (churns && world.strikes(Fault::Reset)) {
            world.reset(number);
            conn.has_left = true;
        } else if world.strikes(Fault::Vanish) {
            world.vanish(number);
            conn.has_left = true;
        } else if world.strikes(Fault::End) {
            conn.end(world, stage.rng.bool());
        } else if churns && world.strikes(Fault::Churn) && !conn.is_quiet {
            conn.ask(world, Draft { replies: false, ..Draft::new(kind::BYE, Vec::new(), About::Nothing) });
            conn.is_quiet = true;
            conn.said_bye = true;
        }
        if conn.has_left || conn.is_quiet {
            stage.count_out(number);
        }
    }

    fn write(&mut self, stage: &mut Stage<'_>, number: usize) {
        let conn = &mut stage.conns[number];
        let count = stage.world.write(number, &conn.unsent);
        conn.unsent.drain(..count);
        if count > 0 {
            conn.sent_at = stage.world.now;
        }
        if conn.ends && conn.unsent.is_empty() && !stage.world.wires[number].ending {
            stage.world.end(number);
        }
    }

    /// Faults have stopped: hostile clients leave, the others complete their unfinished requests.
    pub fn calm_down(&mut self, stage: &mut Stage<'_>) {
        self.is_calm = true;
        let Some(number) = self.conn else { return };
        let conn = &mut stage.conns[number];
        if conn.has_left {
            return;
        }
        if conn.is_quiet || conn.is_wild(stage.ledger) {
            conn.end(stage.world, false);
            stage.ledger.live.retain(|&other| other != number);
        } else {
            let body = b"all said".to_vec();
            conn.ask(stage.world, Draft::new(kind::PING, body.clone(), About::Ping(body)));
        }
    }
}

impl Conn {
    /// Closes its side: at once, or after everything is sent that it has ready.
    fn end(&mut self, world: &mut World, at_once: bool) {
        self.has_left = true;
        self.ends = true;
        if at_once {
            self.is_torn |= !self.unsent.is_empty();
            self.unsent.clear();
            world.end(self.number);
        }
    }

    /// Sends a flood of ALIVE.
    fn flood(&mut self, rng: &mut Rng) {
        if self.unsent.is_empty() && rng.u8(..64) == 0 {
            let frame = [kind::ALIVE, 0, 0, 0, 0, 0, 0, 0];
            self.unsent.extend(frame.iter().cycle().take(FLOOD));
        }
    }

    /// Sends something invalid. After a fatal error, and after half a frame, it sends no more requests.
    fn lie(&mut self, world: &mut World, ledger: &mut Ledger, rng: &mut Rng) {
        let draft = asks::lie(rng, ledger);
        let half = rng.u8(..8) == 0;
        let fatal = asks::is_fatal(draft.errors);
        let before = self.unsent.len();
        self.ask(world, draft);
        if half {
            let len = self.unsent.len() - before;
            self.unsent.truncate(before + rng.usize(1..len));
            self.is_torn = true;
        } else if fatal && rng.bool() {
            self.unsent.extend((0..rng.usize(..300)).map(|_| rng.u8(..)));
        }
        if half || fatal {
            self.is_quiet = true;
            ledger.live.retain(|&other| other != self.number);
        }
    }

    /// The stream has ended: one side must have given a reason, and all earlier requests must be answered.
    fn check_end(&mut self, world: &World, ledger: &Ledger) {
        self.is_over = true;
        let wire = &world.wires[self.number];
        let (broken, number) = (wire.reset || wire.hub.cut || wire.gone, self.number);
        if broken {
            return;
        }
        assert!(self.input.is_empty(), "connection {number} ends in the middle of a frame");
        let wild = self.is_wild(ledger);
        let why = self.last_word.is_some() || self.said_bye || self.has_left || wild;
        assert!(why, "connection {number} was closed without a word");
        if self.last_word.is_some() || self.is_torn || wild {
            return;
        }
        let owed = self.asks.iter().find(|ask| ask.replies || ask.fails);
        assert!(owed.is_none(), "connection {number} has no answer to {owed:?}");
    }
}
