//! Two innocents beside a hostile majority: *a client that reads what it is sent, and asks for little, is answered
//! within so many turns*, and no turn does more than its budgets allow.

use crate::hostile::{Hostile, TRICKS, Trick};
use crate::innocent::{Innocent, Wish};
use cubby::Limits;
use cubby::hub::Hub;
use cubby::net::{Link, Loop};
use cubby::testing::system::{Faults, VirtualOs, VirtualSocket, World};
use cubby::wire::Kind;
use fastrand::Rng;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// Bytes of a relay of nothing to one user.
const SHORTEST_RELAY: usize = 8 + 2 + 8;

/// Turns of one run.
const TURNS: u64 = 400;

/// A sixteenth of a turn's budget is a session's share; what an event costs for one member, beside its bytes; bytes
/// that are read at once; bytes of the largest event that is copied in these runs; what a slice of a history costs.
const SHARES: usize = 16;
const POST_COST: usize = 192;
const READ_BUFFER: usize = 64 * 1024;
const LONGEST_COPIED: usize = 700;
const SLICE_COST: usize = 350_000;

/// Turns for a request that costs little, while nothing else is in its way: that of the request, those of two flushes,
/// and one that begins with those who have had their share; and as many again for what goes to the other innocent.
const FEW_TURNS: usize = 6;

/// Turns until what half-sent bodies stand in the way is gone.
const WHOLE_TURNS: usize = 400;

/// What it costs to execute a request, how many of them a turn may execute at least, and the largest part of an answer
/// that is made at once.
const REQUEST_COST: usize = 256;
const LEAST_REQUESTS: usize = 16 * 1024;
const SLICE: usize = 64 * 1024;

/// A run.
struct Crowd {
    world: Rc<RefCell<World>>,
    net: Loop<VirtualOs>,
    innocents: [Innocent; 2],
    hostiles: Vec<Hostile>,
    rng: Rng,
    turn: u64,
    /// Requests executed, and bytes of long answers, until the last turn.
    done: (u64, u64),
}

/// Runs a seed. Returns how many events there were.
///
/// # Panics
///
/// If an innocent has to wait for too long, or a turn does too much.
pub fn run(seed: u64) -> u64 {
    let mut crowd = Crowd::new(Rng::with_seed(seed));
    while crowd.turn < TURNS {
        crowd.step();
    }
    crowd.end()
}

/// Limits like the default ones, all some hundred times smaller, but for the budget of a turn.
fn draw_limits(rng: &mut Rng) -> Limits {
    let mut limits = Limits::default();
    limits.max_body = [4, 16, 64][rng.usize(..3)] * 1024;
    limits.queue = (4 * limits.max_body as usize).max([64, 1024][rng.usize(..2)] * 1024);
    limits.fan_out = [1, 4][rng.usize(..2)] << 20;
    // The default is 64 times. A sixteenth of it is free after sessions were closed.
    limits.memory = limits.fan_out * [16, 64][rng.usize(..2)];
    limits.history_total = limits.memory;
    limits.history_bytes = 64 * 1024;
    limits.max_rooms = [50, 2_000][rng.usize(..2)];
    limits.rooms_per_session = 32;
    limits.stall = Duration::from_millis(200);
    limits.idle = Duration::from_millis(rng.u64(100..400));
    limits.heartbeat = limits.idle / 3;
    limits.linger = Duration::from_millis(50);
    limits
}

/// Many clients with few tricks, or all tricks at once.
fn draw_tricks(rng: &mut Rng) -> Vec<Trick> {
    let count = [1, 2, 3, TRICKS.len()][rng.usize(..4)];
    (0..count).map(|_| TRICKS[rng.usize(..TRICKS.len())]).collect()
}

impl Crowd {
    fn new(mut rng: Rng) -> Crowd {
        let tricks = draw_tricks(&mut rng);
        let mut limits = draw_limits(&mut rng);
        if tricks.iter().all(|trick| matches!(trick, Trick::HalfBody | Trick::Drip)) {
            // So little that half-sent bodies use it up.
            limits.memory = 1 << 20;
        }
        let mut world = World::drawn(rng.fork(), Faults::none());
        // The hub counts from the beginning of a turn.
        (world.linger, world.descriptors) = (limits.linger / 2, 100_000);
        world.trace.is_printed = std::env::var("CUBBY_SIM_TRACE").is_ok();
        // Some turns have more to send than there is time for.
        world.times.send = Duration::from_micros([0, 5, 50][rng.usize(..3)]);
        let innocents = ["ann", "bob"].map(|name| Innocent::enter(&mut world, &mut rng, name));
        let count = [12, 30, 60, 200][rng.usize(..4)];
        let hostiles = (0..count).map(|_| Hostile::new(tricks[rng.usize(..tricks.len())])).collect();
        let world = Rc::new(RefCell::new(world));
        let net = Loop::new(VirtualOs(Rc::clone(&world)), limits);
        Crowd { world, net, innocents, hostiles, rng, turn: 0, done: (0, 0) }
    }

    fn step(&mut self) {
        let body = self.net.hub().limits().max_body as usize;
        let mut world = self.world.borrow_mut();
        let [ann, bob] = &mut self.innocents;
        ann.ask(&mut world, &mut self.rng, bob, self.turn, body);
        bob.ask(&mut world, &mut self.rng, ann, self.turn, body);
        if self.turn > 5 {
            let breaks = self.rng.u8(..64) == 0;
            for hostile in &mut self.hostiles {
                if breaks && hostile.trick == Trick::BreakOff {
                    hostile.break_off(&mut world);
                } else if self.rng.bool() {
                    hostile.act(&mut world, &mut self.rng, body);
                }
            }
        }
        // Turns take time.
        world.now += Duration::from_micros(self.rng.u64(..1_000));
        drop(world);
        self.net.turn(Some(Duration::from_micros(100))).expect("the world can be waited for");
        self.turn += 1;
        self.check();
    }

    fn check(&mut self) {
        let hub = self.net.hub();
        let mut world = self.world.borrow_mut();
        if let Some(wrong) = world.wrong.take() {
            panic!("{wrong}");
        }
        for wire in std::mem::take(&mut world.turn.watched) {
            let id = world.wires[wire].hub.slot.and_then(|slot| hub.session(slot)).map_or(0, |user| user.id().0);
            self.innocents.iter_mut().filter(|innocent| innocent.wire == wire).for_each(|innocent| innocent.id = id);
        }
        world.turn.slowed.clear();
        for innocent in &mut self.innocents {
            innocent.read(&mut world, self.turn);
            for (wish, asked) in innocent.outstanding() {
                let (waits, most) = (self.turn - asked, most_turns(wish, hub.limits(), self.hostiles.len()));
                assert!(
                    waits < most,
                    "{} waits {waits} of {most} turns for {wish:?}: {}",
                    innocent.name,
                    state(hub, &world, innocent, &self.hostiles)
                );
            }
        }
        drop(world);
        self.check_work();
        if self.turn.is_multiple_of(8) {
            self.net.hub().check_account();
            self.net.hub().check_holders();
        }
    }

    /// A turn does no more than its budgets allow, and the last request of each part.
    fn check_work(&mut self) {
        let (hub, before) = (self.net.hub(), self.done);
        let sessions = self.hostiles.len() + self.innocents.len();
        let answers = [Kind::ListReply, Kind::WhoReply].map(|kind| hub.stats.frames.of(kind).bytes);
        self.done = (hub.frames_received(), answers.iter().sum());
        let (requests, bytes) = (self.done.0 - before.0, self.done.1 - before.1);
        // Relays that join a batch are charged when all that were read at once have joined.
        let at_once = sessions + READ_BUFFER / SHORTEST_RELAY;
        let most = ((hub.limits().fan_out / REQUEST_COST).max(LEAST_REQUESTS) + at_once) as u64;
        assert!(requests <= most, "{requests} requests in a turn, and {most} may be");
        let request = sessions * (LONGEST_COPIED + POST_COST) + READ_BUFFER;
        hub.check_spent(request.max(SLICE_COST));
        let most = (hub.limits().fan_out / 4 + 2 * SLICE) as u64;
        assert!(bytes <= most, "{bytes} bytes of LIST and WHO in a turn, and {most} may be");
        // As long as some links are not flushed nobody is closed, and little is served beyond the limit.
        let is_flushed = hub.effects().dirty.is_empty() && hub.effects().answered.is_empty();
        let unflushed = if is_flushed { 0 } else { hub.limits().fan_out / 4 };
        let (held, most) = (hub.held(), hub.memory_limit() + unflushed);
        assert!(held <= most, "{held} bytes are held, and {most} may be");
    }

    fn end(self) -> u64 {
        let mut waits: BTreeMap<Wish, u64> = BTreeMap::new();
        for (wish, took) in self.innocents.iter().flat_map(|innocent| &innocent.waits) {
            let most = waits.entry(*wish).or_default();
            *most = (*most).max(*took);
        }
        assert!(waits.len() >= 5, "the innocents were served: {waits:?}");
        self.world.borrow_mut().is_ending = true;
        if std::env::var("CUBBY_SIM_WAITS").is_ok() {
            let tricks: Vec<_> = self.hostiles.iter().map(|hostile| hostile.trick).take(3).collect();
            let most = most_turns(Wish::Little, self.net.hub().limits(), self.hostiles.len());
            println!("{} {tricks:?} {waits:?} of {most} {}", self.hostiles.len(), self.net.hub().stats.squeezes);
        }
        self.world.borrow().trace.events
    }
}

/// The hub's state, for an error text.
fn state(hub: &Hub<Link<VirtualSocket>>, world: &World, innocent: &Innocent, hostiles: &[Hostile]) -> String {
    let user = world.wires[innocent.wire].hub.slot.and_then(|slot| hub.session(slot));
    let user = user.map(|user| {
        let (waits, full, queued) = (user.is_waiting(), user.is_full(), user.outbox().queued());
        format!("waits {waits}, full {full}, queued {queued}, unparsed {}", user.unparsed())
    });
    let mut tricks: Vec<(Trick, usize)> = Vec::new();
    for trick in TRICKS {
        let count = hostiles.iter().filter(|hostile| hostile.trick == trick).count();
        tricks.extend((count > 0).then_some((trick, count)));
    }
    let (held, limit, missed) = (hub.held(), hub.memory_limit(), hub.stats.events_missed);
    let is_asked = innocent.is_answered();
    format!(
        "answered {is_asked}, {user:?}, inbound {:?}, held {held} of {limit}, {missed} missed, {} evictions, \
         postponed {}, fan_out {}, {tricks:?}",
        world.wires[innocent.wire].inbound,
        hub.stats.squeezes,
        hub.effects().postponed.len(),
        hub.limits().fan_out,
    )
}

/// In how many turns a wish must be fulfilled. If an innocent has just asked for something that costs much, such as an
/// event for a room full of hostile members, it waits until each hostile session was served once. A service takes a
/// share of the turn's budget, and may exceed that by one request and one read; and it may queue what it has read and a
/// body. What is long waits for as many slices besides.
fn most_turns(wish: Wish, limits: &Limits, hostiles: usize) -> u64 {
    let sessions = hostiles + 2;
    let copied = limits.fan_out / SHARES + sessions * (LONGEST_COPIED + POST_COST) + READ_BUFFER;
    let (queued, queue) = (READ_BUFFER + limits.max_body as usize, limits.queue / 2);
    // At the memory limit no more is served in a turn than was freed in the one before.
    let turn = limits.fan_out.min(limits.memory / 16);
    let little = FEW_TURNS + sessions * copied / turn + sessions * queued.min(queue) / queue;
    let turns = match wish {
        Wish::Little | Wish::Send | Wish::Relay | Wish::Publish => little,
        Wish::Long => little + sessions * SLICE_COST / (limits.fan_out / 4),
        Wish::Whole => little + WHOLE_TURNS,
    };
    turns as u64
}
