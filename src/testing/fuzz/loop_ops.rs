//! The same operations for the whole loop: clients over a virtual operating system, compared with the model.

use super::ops::{Act, Op};
use crate::hub::{Protocol, RemoteAddr, Session};
use crate::net::Loop;
use crate::testing::model::{self, Model, Truth};
use crate::testing::system::{VirtualOs, Wire, World};
use arbitrary::Unstructured;
use fastrand::Rng;
use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::time::Duration;

/// The model predicts every frame that clients receive, however bytes are split in transit, and whichever calls are
/// interrupted by signals.
///
/// The first byte sets how many bytes travel at once, and how many calls on each connection are interrupted. Clients
/// act one after the other, so that the order in which the hub executes their requests is known.
pub fn loop_ops(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let mut run = Run::new(input.arbitrary::<u8>().unwrap_or_default());
    while let Ok(op) = input.arbitrary::<Op>() {
        run.step(op);
        if input.is_empty() || run.wires.len() > 40 {
            break;
        }
    }
    run.finish();
}

/// The same with operations drawn from a seed: more of them are valid than in the first inputs of a fuzzer.
pub fn loop_seed(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let mut run = Run::new(rng.u8(..));
    for _ in 0..rng.usize(10..400) {
        let op = Op::draw(&mut rng, run.wires.len().min(usize::from(u8::MAX) - 1) as u8);
        run.step(op);
    }
    run.finish();
}

/// The most turns that one step may take. Bytes may travel one at a time.
const MOST_TURNS: usize = 200_000;

struct Run {
    world: Rc<RefCell<World>>,
    net: Loop<VirtualOs>,
    model: Model,
    truth: Truth,
    /// The wire of each user, in the order in which they connected; `None` once it is gone.
    wires: Vec<Option<usize>>,
    /// Bytes that travel at once, and calls on each connection that are interrupted.
    step: usize,
    interrupts: u32,
}

impl Run {
    fn new(transport: u8) -> Run {
        let limits = model::exact_limits();
        let mut world = World::exact(&[Protocol::NATIVE]);
        world.linger = limits.linger;
        let world = Rc::new(RefCell::new(world));
        let mut net = Loop::new(VirtualOs(Rc::clone(&world)), limits);
        let truth = Truth::of(net.hub_mut());
        let step = [usize::MAX, 1, 7, 100][usize::from(transport % 4)];
        let interrupts = u32::from(transport / 4) % 32;
        let mut model = Model::new(true);
        model.in_pieces = step < usize::MAX;
        Run { world, net, model, truth, wires: Vec::new(), step, interrupts }
    }

    fn world(&self) -> RefMut<'_, World> {
        self.world.borrow_mut()
    }

    fn wire(&self, user: u8) -> Option<usize> {
        self.wires.get(usize::from(user)).copied().flatten()
    }

    fn step(&mut self, op: Op) {
        for act in op.acts(&self.model) {
            self.act(act);
        }
        self.reap();
        self.truth.check_order();
        self.net.hub().check_account();
        self.net.hub().check_holders();
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Connect => self.connect(),
            Act::Disconnect(user) => self.disconnect(user),
            Act::Send(user, bytes) => {
                let Some(wire) = self.wire(user) else { return };
                let sent = self.world().write(wire, &bytes);
                assert_eq!(sent, bytes.len(), "a wire without limits takes all");
                self.settle();
                self.model.feed(user, &bytes);
            }
            Act::Read(user, count) => self.read(user, count),
            Act::Host(room, body) => {
                self.net.tick();
                model::act_as_host(self.net.hub_mut(), &mut self.model, room, body.as_deref());
                self.settle();
            }
            Act::Pass(secs) => {
                self.model.tick(secs);
                self.world().now += Duration::from_secs(secs);
                self.settle();
            }
        }
    }

    fn connect(&mut self) {
        let mut wire = Wire::new(RemoteAddr::Unix);
        (wire.step, wire.interrupts) = (self.step, self.interrupts);
        let wire = self.world().connect(0, wire);
        self.settle();
        let slot = self.world().wires[wire].hub.slot.expect("few are turned away at once");
        let user = self.net.hub().session(slot).expect("it can still read why it is turned away");
        self.model.connect(user.id().0, user.is_open());
        self.wires.push(Some(wire));
    }

    /// The client resets the connection, or closes it properly.
    fn disconnect(&mut self, user: u8) {
        let Some(wire) = self.wire(user) else { return };
        if user.is_multiple_of(2) {
            self.world().reset(wire);
        } else {
            self.world().end(wire);
        }
        self.settle();
        self.forget(user, wire);
    }

    /// The hub has closed a wire that its client has closed.
    fn forget(&mut self, user: u8, wire: usize) {
        assert!(self.world().wires[wire].hub.closed, "the hub closes what its client has ended");
        self.wires[usize::from(user)] = None;
        self.model.disconnect(user);
    }

    fn read(&mut self, user: u8, count: usize) {
        let Some(wire) = self.wire(user) else { return };
        let mut bytes = Vec::new();
        self.world().read(wire, count, &mut bytes);
        self.model.read(user, &bytes, &self.truth);
    }

    /// Runs turns until nothing is left to do at this moment.
    fn settle(&mut self) {
        for _ in 0..MOST_TURNS {
            self.net.turn(Some(Duration::ZERO)).expect("a virtual wait does not fail");
            assert_eq!(self.world().wrong, None);
            let is_busy = self.world().has_edges() || self.net.patience() == Some(Duration::ZERO);
            if !is_busy {
                return;
            }
        }
        panic!("the loop does not come to rest");
    }

    /// Clients whose connection the hub has ended read the rest, and close it too.
    fn reap(&mut self) {
        for user in 0..self.wires.len() as u8 {
            let Some(wire) = self.wire(user).filter(|wire| self.world().wires[*wire].is_shut()) else { continue };
            self.read(user, usize::MAX);
            self.model.check_heard(user);
            self.world().end(wire);
            self.settle();
            self.forget(user, wire);
        }
    }

    /// All clients read everything, and everything is as the model predicts.
    fn finish(&mut self) {
        for user in 0..self.wires.len() as u8 {
            let Some(wire) = self.wire(user) else { continue };
            self.read(user, usize::MAX);
            self.model.check_heard(user);
            let slot = self.world().wires[wire].hub.slot.expect("it is watched");
            let there = self.net.hub().session(slot).expect("it is connected");
            assert_eq!((there.id().0, there.is_open()), (self.model.id_of(user), true));
        }
        let hub = self.net.hub();
        let half_received: usize = hub.slots().filter_map(|slot| hub.session(slot)).map(Session::unparsed).sum();
        assert_eq!(hub.in_transit(), half_received, "nothing is held that nobody has yet to hear");
        self.truth.check_rooms(hub, &self.model);
        hub.check_account();
    }
}
