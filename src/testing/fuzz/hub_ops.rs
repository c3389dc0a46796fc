//! The fuzz body of the hub without a loop: operations in any order, compared with the model.

use super::ops::{Act, Op};
use crate::hub::{Hub, Protocol, RemoteAddr};
use crate::limits::Limits;
use crate::testing::model::{self, Model, Truth};
use crate::wire::UserId;
use arbitrary::Unstructured;
use std::io::IoSlice;
use std::time::Duration;

/// Whatever is sent, in any order: users receive only what is addressed to them, every id is unique, lists are right,
/// all members see the same order of events, and presence and history are correct.
///
/// The hub runs without sockets, and is compared with a model that shares no code with it. If the first byte of the
/// input is even, queues are never full, and the model predicts every frame that the hub sends. If it is odd, queues
/// are tiny, so that users wait all the time. Then what each user receives must be in order, addressed to it, and true;
/// and after all have read, no user may still be waiting.
pub fn hub_ops(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let exact = input.arbitrary::<u8>().unwrap_or_default().is_multiple_of(2);
    let mut run = Run::new(if exact { model::exact_limits() } else { waiting_limits() }, exact);
    while let Ok(op) = input.arbitrary::<Op>() {
        run.step(op);
        if input.is_empty() || run.slots.len() > 40 {
            break;
        }
    }
    run.settle();
}

/// Limits under which users wait all the time. No room may expire: its ids would start at 1 again, and the model cannot
/// know when.
fn waiting_limits() -> Limits {
    Limits { queue: 340, fan_out: 900, history_bytes: usize::MAX, ..model::exact_limits() }
}

struct Run {
    hub: Hub<()>,
    model: Model,
    /// The slot of each user, in the order in which they connected; `None` once it is removed.
    slots: Vec<Option<usize>>,
    /// The bytes in each user's outbox after the last step.
    queued: Vec<usize>,
    exact: bool,
    truth: Truth,
}

impl Run {
    fn new(limits: Limits, exact: bool) -> Run {
        let (mut hub, model) = (Hub::new(limits), Model::new(exact));
        let truth = Truth::of(&mut hub);
        hub.set_time(Duration::ZERO, model.unix_ms());
        Run { hub, model, slots: Vec::new(), queued: Vec::new(), exact, truth }
    }

    fn step(&mut self, op: Op) {
        for act in op.acts(&self.model) {
            match act {
                Act::Connect => self.connect(),
                Act::Disconnect(user) => self.disconnect(user),
                Act::Send(user, bytes) => self.feed(user, &bytes),
                Act::Read(user, count) => {
                    if let Some(slot) = self.slot(user) {
                        self.read(slot, user, count);
                    }
                }
                // If users wait, the order of events in a room is not known.
                Act::Host(..) | Act::Pass(_) if !self.exact => {}
                Act::Host(room, body) => model::act_as_host(&mut self.hub, &mut self.model, room, body.as_deref()),
                Act::Pass(secs) => {
                    let now = self.model.tick(secs);
                    self.hub.set_time(Duration::from_secs(now), self.model.unix_ms());
                    self.hub.expire_rooms();
                }
            }
        }
        self.resume();
        self.reap();
        self.truth.check_order();
        self.hub.check_account();
    }

    fn slot(&self, user: u8) -> Option<usize> {
        self.slots.get(usize::from(user)).copied().flatten()
    }

    fn connect(&mut self) {
        let Ok(slot) = self.hub.accept((), RemoteAddr::Unix, Protocol::NATIVE) else {
            panic!("there is always room to say that there is none")
        };
        assert!(!self.slots.contains(&Some(slot)), "a slot has one user");
        let user = self.hub.session(slot).expect("it was just taken in");
        let (id, let_in) = (user.id(), user.is_open());
        self.slots.push(Some(slot));
        self.queued.push(0);
        self.model.connect(id.0, let_in);
    }

    fn disconnect(&mut self, user: u8) {
        if let Some(slot) = self.slot(user) {
            self.slots[usize::from(user)] = None;
            self.hub.remove(slot);
            self.model.disconnect(user);
        }
    }

    fn feed(&mut self, user: u8, bytes: &[u8]) {
        let Some(slot) = self.slot(user) else { return };
        // The loop does not read a user that waits.
        if self.hub.session(slot).is_some_and(|user| !user.is_waiting()) {
            self.hub.receive(slot, bytes);
            self.model.feed(user, bytes);
        }
    }

    /// Takes bytes out of an outbox, as the loop does.
    fn read(&mut self, slot: usize, user: u8, count: usize) {
        let Some(there) = self.hub.session(slot) else { return };
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = there.outbox().fill(&mut slices);
        let bytes: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter().copied()).take(count).collect();
        self.hub.sent(slot, bytes.len());
        self.model.read(user, &bytes, &self.truth);
    }

    fn resume(&mut self) {
        self.hub.begin_turn(true);
        let mut resumed = std::mem::take(&mut self.hub.effects_mut().resumed);
        resumed.extend(std::iter::from_fn(|| self.hub.end_postponement()));
        resumed.into_iter().for_each(|slot| self.hub.resume(slot));
        self.hub.serve_long_requests();
        self.hub.announce_departures();
    }

    /// Removes users that have departed and read everything. Users with something new to read must be on the list to
    /// flush.
    fn reap(&mut self) {
        self.hub.effects_mut().begin_flush();
        let dirty: Vec<usize> = std::iter::from_fn(|| self.hub.effects_mut().next_dirty(true)).collect();
        dirty.iter().for_each(|&slot| self.hub.mark_flushed(slot));
        for user in 0..self.slots.len() {
            let Some(there) = self.slots[user].and_then(|slot| self.hub.session(slot)) else { continue };
            let queued = there.outbox().queued();
            assert!(queued <= self.queued[user] || dirty.contains(&self.slots[user].unwrap_or_default()));
            self.queued[user] = queued;
        }
        for user in 0..self.slots.len() as u8 {
            let Some(slot) = self.slot(user) else { continue };
            let over = self.hub.session(slot).is_none_or(|user| !user.is_open() && user.outbox().queued() == 0);
            if over {
                self.model.check_heard(user);
                self.disconnect(user);
            }
        }
        self.hub.effects_mut().filled.clear();
        self.hub.effects_mut().departed.clear();
    }

    /// All users read, until there is nothing left to read.
    fn settle(&mut self) {
        loop {
            let mut queued = 0;
            for user in 0..self.slots.len() as u8 {
                let Some(slot) = self.slot(user) else { continue };
                queued += self.hub.session(slot).map_or(0, |user| user.outbox().queued());
                self.read(slot, user, usize::MAX);
            }
            self.resume();
            let effects = self.hub.effects();
            let is_idle = effects.postponed.is_empty() && effects.resumed.is_empty();
            if queued == 0 && is_idle && !self.hub.owes_departures() && !self.hub.owes_slices() {
                break;
            }
        }
        for number in 0..self.slots.len() as u8 {
            let Some(slot) = self.slot(number) else { continue };
            let user = self.hub.session(slot).expect("it was not removed");
            assert!(!user.is_waiting(), "user {} waits, though all have read", user.id());
            assert_eq!(user.id(), UserId(self.model.id_of(number)));
            self.model.check_heard(number);
        }
        self.model.check_arrived();
        let half_received: usize = self.hub.slots().filter_map(|slot| Some(self.hub.session(slot)?.unparsed())).sum();
        assert_eq!(self.hub.in_transit(), half_received, "nothing is held that nobody has yet to hear");
        if self.exact {
            self.truth.check_rooms(&self.hub, &self.model);
        }
    }
}
