//! One run: a world, a hub and its actors, all drawn from one number.

use crate::actors::{self, Actor, Stage};
use crate::arrivals;
use crate::asks::{self, Draft, ROOMS};
use crate::bounds::Watch;
use crate::conn::{About, Conn};
use crate::ledger::{self, Ledger, Person, To};
use crate::limits;
use cubby::hub::{RemoteAddr, Session};
use cubby::net::Loop;
use cubby::testing::model::frames::kind;
use cubby::testing::model::story;
use cubby::testing::system::{Fault, Faults, Step, VirtualOs, Wire, World};
use cubby::{Status, UserId};
use fastrand::Rng;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::time::Duration;

/// How long the run may take to settle after faults have stopped, in addition to the time that the limits allow.
const SETTLED_IN: Duration = Duration::from_secs(10);

/// The number of additional actors if the run may have an outage.
const CROWD: usize = 60;

/// The parameters of a run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub seed: u64,
    /// Faults that are left out, as bits.
    pub off: u32,
    pub is_traced: bool,
}

/// The outcome of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub events: u64,
    pub hash: u64,
}

struct Run {
    world: Rc<RefCell<World>>,
    net: Loop<VirtualOs>,
    ledger: Ledger,
    conns: Vec<Conn>,
    actors: Vec<Actor>,
    wakes: BinaryHeap<Reverse<(Duration, usize)>>,
    rng: Rng,
    watch: Watch,
}

/// Runs a plan.
///
/// # Panics
///
/// If a check fails.
pub fn run(plan: Plan) -> Outcome {
    let mut rng = Rng::with_seed(plan.seed);
    let mut run = Run::new(plan, &mut rng);
    let actions = rng.u32(500..8_000);
    for _ in 0..actions {
        run.step();
    }
    run.settle();
    run.audit();
    run.shut_down();
    run.world.borrow_mut().is_ending = true;
    let world = run.world.borrow();
    Outcome { events: world.trace.events, hash: world.trace.hash }
}

impl Run {
    fn new(plan: Plan, rng: &mut Rng) -> Run {
        let count = rng.usize(3..=30);
        let slower = [1, 1, 10][rng.usize(..3)];
        let faults = Faults::draw(plan.seed, rng, plan.off);
        // Rooms need many members for an outage to matter.
        let count = if faults.can_strike(Fault::Outage) { count + rng.usize(..CROWD) } else { count };
        let limits = limits::draw_limits(rng, count);
        let rooms_close = faults.can_strike(Fault::Host);
        let few = faults.strikes(rng, Fault::FewDescriptors);
        let descriptors = if few { rng.usize(1..=count) } else { 100_000 };
        let mut world = World::drawn(rng.fork(), faults);
        world.descriptors = descriptors;
        world.trace.is_printed = plan.is_traced;
        world.linger = limits.linger;
        let world = Rc::new(RefCell::new(world));
        let mut net = Loop::new(VirtualOs(Rc::clone(&world)), limits);
        let story = story::listen(net.hub_mut());
        let mut ledger = Ledger::new(net.hub().limits(), story);
        ledger.rooms_close = rooms_close;
        let actors: Vec<Actor> = (0..count).map(|_| Actor::draw(rng, slower)).collect();
        let wakes = (0..count).map(|actor| Reverse((Duration::from_micros(rng.u64(..20_000)), actor))).collect();
        let rng = rng.fork();
        Run { world, net, ledger, conns: Vec::new(), actors, wakes, rng, watch: Watch::default() }
    }

    fn now(&self) -> Duration {
        self.world.borrow().now
    }

    /// Calls a function that needs the whole stage.
    fn on_stage<T>(&mut self, call: impl FnOnce(&mut [Actor], &mut Stage<'_>) -> T) -> T {
        let mut world = self.world.borrow_mut();
        let (ledger, conns, rng) = (&mut self.ledger, &mut self.conns, &mut self.rng);
        call(&mut self.actors, &mut Stage { world: &mut world, ledger, conns, rng })
    }

    /// The actors that are due act. Then the loop runs until the next actor is due.
    fn step(&mut self) {
        let now = self.now();
        while let Some(&Reverse((at, actor))) = self.wakes.peek().filter(|Reverse((at, _))| *at <= now) {
            let rest = self.on_stage(|actors, stage| actors[actor].act(stage));
            self.wakes.pop();
            self.wakes.push(Reverse((at.max(now) + Duration::from_micros(rest), actor)));
        }
        if self.world.borrow_mut().strikes(Fault::Host) {
            self.act_as_host();
        }
        if self.world.borrow_mut().strikes(Fault::Outage) {
            self.on_stage(actors::break_most);
        }
        let next = self.wakes.peek().map_or(now, |Reverse((at, _))| *at);
        self.turn(next.saturating_sub(now));
    }

    fn turn(&mut self, timeout: Duration) {
        self.ledger.story().clock = self.world.borrow().trace.events;
        self.net.turn(Some(timeout)).expect("the world can be waited for");
        let owes = self.net.patience() == Some(Duration::ZERO) && !self.net.is_drained();
        let mut world = self.world.borrow_mut();
        self.ledger.clock = world.trace.events;
        for wire in std::mem::take(&mut world.turn.watched) {
            let slot = world.wires[wire].hub.slot.expect("it is watched");
            if let Some(user) = self.net.hub().session(slot).filter(|_| !world.wires[wire].hub.closed) {
                let stays = !world.wires[wire].reset && !self.conns[wire].has_left;
                self.ledger.learn(wire, user.id().0, user.is_open(), stays);
                self.watch.add(wire, slot);
            }
        }
        for wire in std::mem::take(&mut world.turn.slowed) {
            self.ledger.people[wire].is_slow = true;
        }
        if let Some(wrong) = world.wrong.take() {
            panic!("{wrong}");
        }
        self.watch.note_departed(&mut self.ledger, self.net.hub());
        self.watch.check_turn(&world, self.net.hub(), owes);
        if self.watch.is_due() {
            self.watch.check_links(&world, &self.ledger, self.net.hub());
            self.net.hub().check_account();
            self.net.hub().check_holders();
        }
        drop(world);
        self.hear_story();
    }

    fn hear_story(&mut self) {
        for number in 0..self.ledger.note_story() {
            self.world.borrow_mut().note(Step::Story, number as u64, 0);
        }
    }

    /// The host program does something.
    fn act_as_host(&mut self) {
        self.net.tick();
        let (room, len) = (ROOMS[self.rng.usize(..ROOMS.len())], self.rng.usize(8..200));
        let act = self.rng.u8(..4);
        self.world.borrow_mut().note(Step::Host, act.into(), len as u64);
        match act {
            0 => drop(self.net.hub_mut().close_room(room)),
            1 => {
                let number = self.ledger.compose(None, To::Room(room), len, false);
                let said = self.net.hub_mut().publish_for_host(room, &ledger::body(number, len));
                self.end_of_host(number, said.is_err(), &[]);
            }
            2 => {
                let live = &self.ledger.live;
                let ids: Vec<u64> = live.iter().take(3).map(|&conn| self.ledger.people[conn].id).collect();
                let users: Vec<UserId> = ids.iter().map(|&id| UserId(id)).collect();
                let number = self.ledger.compose(None, To::Users(ids), len, false);
                let statuses = self.net.hub_mut().relay_for_host(&users, &ledger::body(number, len));
                self.end_of_host(number, false, &statuses);
            }
            _ => {
                let names = vec![asks::NAMES[self.rng.usize(..asks::NAMES.len())]];
                let number = self.ledger.compose(None, To::Names(names.clone()), len, false);
                let statuses = self.net.hub_mut().send_for_host(&names, &ledger::body(number, len));
                self.end_of_host(number, false, &statuses);
            }
        }
        self.hear_story();
    }

    fn end_of_host(&mut self, number: usize, refused: bool, statuses: &[Status]) {
        let message = &mut self.ledger.messages[number];
        (message.is_done, message.refused) = (true, refused);
        message.statuses = statuses.iter().map(|status| *status as u8).collect();
    }

    /// Faults stop, and the run must settle.
    fn settle(&mut self) {
        self.world.borrow_mut().calm_down();
        self.on_stage(|actors, stage| actors.iter_mut().for_each(|actor| actor.calm_down(stage)));
        let limits = self.net.hub().limits();
        let until = self.now() + SETTLED_IN + limits.stall * 2 + limits.linger * 2;
        self.rest(until);
    }

    /// Continues until nothing is in progress.
    fn rest(&mut self, until: Duration) {
        loop {
            self.step();
            let Some(trouble) = self.trouble() else { return };
            assert!(self.now() < until, "all does not come to rest: {trouble}");
        }
    }

    /// What is still in progress.
    fn trouble(&self) -> Option<String> {
        let world = self.world.borrow();
        if world.is_busy() || self.net.patience() == Some(Duration::ZERO) {
            return Some("the loop has work to do".to_owned());
        }
        self.actors.iter().filter_map(|actor| actor.conn).find_map(|number| {
            let (conn, wire) = (&self.conns[number], &world.wires[number]);
            let owed = conn.asks.iter().find(|ask| ask.replies || ask.fails);
            let busy = owed.is_some() || conn.has_left || !conn.unsent.is_empty() || !wire.outbound.is_empty();
            (busy || wire.is_over()).then(|| format!("connection {number}: {owed:?}, {}", self.state_of(wire)))
        })
    }

    /// The hub's state of a connection, for an error text.
    fn state_of(&self, wire: &Wire) -> String {
        let hub = self.net.hub();
        let Some(user) = wire.hub.slot.and_then(|slot| hub.session(slot)) else {
            return "which the hub has not".to_owned();
        };
        let (waits, full, half) = (user.is_waiting(), user.is_full(), user.unparsed());
        let (queued, holds, memory) = (user.outbox().queued(), user.has_backlog(), hub.is_over_memory());
        format!(
            "waits {waits}, full {full}, holds {holds} of {half}, queued {queued}, held {} (over {memory}), {wire:?}",
            hub.held()
        )
    }

    /// The connections that are still open.
    fn steady(&self) -> Vec<usize> {
        self.actors.iter().filter_map(|actor| actor.conn).collect()
    }

    /// A new client checks the hub's state.
    fn audit(&mut self) {
        let limits = self.net.hub().limits();
        if self.steady().len() >= limits.max_connections {
            let number = self.steady()[0];
            self.ask(number, Draft { replies: false, ..Draft::new(kind::BYE, Vec::new(), About::Nothing) });
            (self.conns[number].said_bye, self.conns[number].has_left) = (true, true);
            self.rest(self.now() + SETTLED_IN);
        }
        // Lingering connections count towards the limit as well.
        let lingers = self.now() + self.net.hub().limits().linger;
        while self.now() < lingers {
            self.step();
        }
        let auditor = self.enter();
        self.ask(auditor, Draft::new(kind::LIST, Vec::new(), About::Nothing));
        self.rest(self.now() + SETTLED_IN);
        let mut ids: Vec<u64> = self.steady().iter().map(|&conn| self.ledger.people[conn].id).collect();
        ids.retain(|&id| id != self.ledger.people[auditor].id);
        ids.sort_unstable();
        assert_eq!(
            self.conns[auditor].last_word,
            None,
            "a newcomer is let in: {} {:?} {} {:?}",
            self.steady().len(),
            self.net.hub().limits(),
            self.net.hub().stats,
            self.ghosts()
        );
        assert_eq!(self.conns[auditor].list, ids, "those who are here");
        assert_eq!(self.net.hub().stats.users as usize, ids.len() + 1, "how many are here");
        for room in ROOMS {
            self.audit_room(auditor, room);
        }
        let steady = self.steady();
        self.ledger.check_arrived(&steady);
        let tails: u64 = steady.iter().map(|&conn| self.conns[conn].count_tails(&self.ledger)).sum();
        let (gaps, missed) = (self.ledger.gaps + tails, self.net.hub().stats.events_missed);
        assert!(gaps <= missed, "{gaps} events were missed, and the hub knows of {missed}");
    }

    /// Connections that have ended, but that the hub still has.
    fn ghosts(&self) -> Vec<String> {
        let (world, steady) = (self.world.borrow(), self.steady());
        let here = |number: &usize| {
            let wire = &world.wires[*number];
            let user = wire.hub.slot.filter(|_| !wire.hub.closed).and_then(|slot| self.net.hub().session(slot));
            user.is_some_and(Session::is_open) && !steady.contains(number)
        };
        (0..world.wires.len()).filter(here).map(|number| format!("{number}: {:?}", world.wires[number])).collect()
    }

    fn enter(&mut self) -> usize {
        let number = arrivals::connect(&mut self.world.borrow_mut());
        self.world.borrow_mut().wires[number].peer = RemoteAddr::Unix;
        self.ledger.people.push(Person::default());
        self.conns.push(Conn { number, ..Conn::default() });
        let at = Reverse((self.now(), self.actors.len()));
        self.wakes.push(at);
        let mut actor = Actor::draw(&mut self.rng, 1);
        (actor.is_calm, actor.conn) = (true, Some(number));
        self.actors.push(actor);
        number
    }

    fn ask(&mut self, number: usize, draft: Draft) {
        self.conns[number].ask(&mut self.world.borrow_mut(), draft);
    }

    /// WHO shows the members that the story has, with their names.
    fn audit_room(&mut self, auditor: usize, room: &'static str) {
        if self.ledger.story().last_life(room).is_none_or(|life| life.members.is_empty()) {
            return;
        }
        for kind in [kind::JOIN, kind::WHO] {
            self.ask(auditor, asks::room_draft(kind, room, &[]));
            self.rest(self.now() + SETTLED_IN);
        }
        let story = self.ledger.story();
        let members = &story.last_life(room).expect("it was joined").members;
        let there: Vec<(u64, String)> = members.iter().map(|(id, name)| (*id, name.clone())).collect();
        assert_eq!(self.conns[auditor].who, there, "those who are in {room}");
        for (id, name) in there {
            let person = &self.ledger.people[self.ledger.ids[&id]];
            assert_eq!(name, person.name, "what {id} is called");
        }
        drop(story);
        self.ask(auditor, asks::room_draft(kind::LEAVE, room, &[]));
        self.rest(self.now() + SETTLED_IN);
    }

    /// The hub shuts down in time, and sends CLOSING to all connected clients.
    fn shut_down(&mut self) {
        let steady = self.steady();
        let until = self.now() + self.net.hub().limits().drain + Duration::from_millis(20);
        self.ledger.is_closing = true;
        self.net.drain();
        while !self.net.is_drained() {
            self.step();
            assert!(self.now() <= until, "it is not shut down in time");
        }
        self.on_stage(|actors, stage| {
            for actor in actors {
                actor.act(stage);
            }
        });
        for number in steady {
            assert_eq!(self.conns[number].last_word, Some(11), "connection {number} was told why it is closed");
        }
    }
}
