//! The fuzz body of the hub: operations in any order, beside the model.

use crate::hub::{Hub, Protocol, RemoteAddr, SharedEvent};
use crate::limits::Limits;
use crate::testing::model::{self, Model};
use crate::wire::{HEADER_LEN, UserId};
use arbitrary::{Arbitrary, Unstructured};
use std::io::IoSlice;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One thing that happens to the hub. Users are named by the order in which they came, the gone ones as well.
#[derive(Arbitrary, Debug)]
enum Op {
    Connect,
    Disconnect(u8),
    /// Anything at all from a user.
    Bytes(u8, Vec<u8>),
    /// A well-formed relay, in two pieces.
    Relay {
        from: u8,
        to: Vec<u8>,
        body: Vec<u8>,
        receipt: bool,
        split: u8,
    },
    /// Several of the largest relays to one user, each with a body of its own.
    Flood {
        from: u8,
        to: u8,
        count: u8,
    },
    /// A user takes a name, or another.
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
    /// JOIN, LEAVE or WHO, in a few bytes, since all else depends on it.
    Room {
        user: u8,
        kind: u8,
        room: u8,
    },
    /// Somebody says something in a room.
    Publish {
        user: u8,
        room: u8,
        body: Vec<u8>,
        flags: u8,
    },
    /// Somebody looks back.
    History {
        user: u8,
        room: u8,
        after: u8,
        limit: u8,
    },
    /// The host says something in a room, or closes it.
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
    /// Somebody reads some of what is queued for it.
    Read(u8, u16),
}

/// Nobody receives what was not addressed to it, every id is unique, lists are right, all members see one order of
/// events, and presence and history are as they must be: whatever is sent, in any order.
///
/// The hub runs without sockets beside a model that shares no code with it. Where the first byte is even, queues
/// are never full, and every frame that the hub says is foretold. Where it is odd, queues are tiny, so that users wait
/// all the time; then what each receives must be in order and meant for it, and once all have read nobody may be left
/// waiting.
pub fn hub_ops(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let exact = input.arbitrary::<u8>().unwrap_or_default().is_multiple_of(2);
    let queue = if exact { usize::MAX } else { 340 };
    let limits = Limits {
        queue,
        max_body: 300,
        max_receivers: 3,
        max_connections: 5,
        share_from: 40,
        fan_out: if exact { usize::MAX } else { 900 },
        max_rooms: model::MAX_ROOMS,
        rooms_per_session: model::ROOMS_PER_SESSION,
        history: model::HISTORY,
        // Where users wait, a room must not be forgotten: its numbers would begin anew, nobody knows when.
        history_bytes: if exact { model::HISTORY_BYTES } else { usize::MAX },
        history_time: Duration::from_secs(model::HISTORY_SECS),
        ..Limits::default()
    };
    let mut run = Run::new(limits, exact);
    while let Ok(op) = input.arbitrary::<Op>() {
        run.step(op);
        if input.is_empty() || run.slots.len() > 40 {
            break;
        }
    }
    run.settle();
}

struct Run {
    hub: Hub<()>,
    model: Model,
    /// Where each user lives, in the order they came; `None` once it is removed.
    slots: Vec<Option<usize>>,
    /// Bytes in each user's outbox after the last step.
    queued: Vec<usize>,
    exact: bool,
    /// The payload of each event that a listener heard.
    story: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// Names of users and rooms that are few enough to be met again; some will not do.
const NAMES: [&str; 6] = ["", "ann", "bob", "李", " ann", "a\u{85}b"];

fn name(number: u8) -> &'static str {
    NAMES[usize::from(number) % NAMES.len()]
}

impl Run {
    fn new(limits: Limits, exact: bool) -> Run {
        let (mut hub, model, story) = (Hub::new(limits), Model::new(exact), Arc::new(Mutex::new(Vec::new())));
        let heard = story.clone();
        hub.listeners.add(Box::new(move |event: &SharedEvent| {
            heard.lock().expect("nobody panics with it").push(event.view().to_frame()[HEADER_LEN..].to_vec());
        }));
        hub.set_time(Duration::ZERO, model.unix_ms());
        Run { hub, model, slots: Vec::new(), queued: Vec::new(), exact, story }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Connect => self.connect(),
            Op::Disconnect(user) => self.disconnect(user),
            Op::Bytes(user, bytes) => self.feed(user, &bytes),
            Op::Relay { from, to, body, receipt, split } => {
                let ids: Vec<u64> = to.iter().map(|&user| self.model.id_of(user)).collect();
                let frame = model::relay(&ids, &body, receipt);
                let (front, back) = frame.split_at(usize::from(split).min(frame.len()));
                self.feed(from, front);
                self.feed(from, back);
            }
            Op::Flood { from, to, count } => {
                let ids = [self.model.id_of(to)];
                for number in 0..count % 6 {
                    self.feed(from, &model::relay(&ids, &[number; 300], false));
                }
            }
            Op::Hello { user, name: number } => {
                let payload = [&[1][..], &model::str8(name(number)), &[0, 0]].concat();
                self.feed(user, &model::frame(1, 0, 7, &payload));
            }
            Op::Send { from, names, body, flags } => {
                let names: Vec<&str> = names.iter().take(4).map(|&number| name(number)).collect();
                self.feed(from, &model::send(&names, &body, flags % 4));
            }
            Op::Room { user, kind, room } => {
                let kind = [7, 8, 11][usize::from(kind) % 3];
                self.feed(user, &model::frame(kind, 0, 6, &model::str8(name(room))));
            }
            Op::Publish { user, room, body, flags } => {
                let payload = [&model::str8(name(room))[..], &body].concat();
                self.feed(user, &model::frame(9, flags % 4, 5, &payload));
            }
            Op::History { user, room, after, limit } => {
                let (after, limit) = (u64::from(after).to_be_bytes(), u32::from(limit).to_be_bytes());
                let payload = [&model::str8(name(room))[..], &after, &limit].concat();
                self.feed(user, &model::frame(10, 0, 4, &payload));
            }
            // Where users wait, it is not known in which order things happen to a room.
            Op::Host { room, body } if self.exact => self.host(name(room), body),
            Op::Tick(secs) if self.exact => {
                let now = self.model.tick(u64::from(secs) % 8);
                self.hub.set_time(Duration::from_secs(now), self.model.unix_ms());
                self.hub.expire_rooms();
            }
            Op::Host { .. } | Op::Tick(_) => {}
            Op::Ask { from, kind, tag, payload } => self.feed(from, &model::frame(kind % 16, 0, tag, &payload)),
            Op::Read(user, count) => {
                if let Some(slot) = self.slot(user) {
                    self.read(slot, user, count.into());
                }
            }
        }
        self.resume();
        self.reap();
    }

    fn host(&mut self, room: &str, body: Option<Vec<u8>>) {
        match body {
            None => assert_eq!(self.hub.close_room(room), self.model.close(room)),
            Some(body) => {
                let id = self.hub.publish_for_host(room, &body).ok();
                assert_eq!(id, self.model.publish_for_host(room, &body));
            }
        }
    }

    /// The rooms, their members, what they remember and what a listener heard are as the model has them.
    fn check_rooms(&self) {
        assert!(*self.story.lock().expect("nobody panics with it") == self.model.story, "the story of all rooms");
        let mut rooms = 0;
        for (room, ids, events) in self.model.rooms() {
            let members: Vec<u64> = self.hub.members_of(room).iter().map(|(id, _)| id.0).collect();
            assert_eq!(members, ids, "members of {room}");
            let kept = self.hub.history_of(room, 0, usize::MAX);
            let kept: Vec<Vec<u8>> = kept.iter().map(|event| event.view().to_frame()[HEADER_LEN..].to_vec()).collect();
            assert_eq!(kept, events, "history of {room}");
            rooms += 1;
        }
        assert_eq!(self.hub.stats.rooms, rooms);
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
        self.model.read(user, &bytes);
    }

    fn resume(&mut self) {
        self.hub.begin_turn();
        while let Some(slot) = self.hub.effects_mut().resumed.pop() {
            self.hub.resume(slot);
        }
        self.hub.announce_departures();
    }

    /// Removes those who have departed and heard everything. Whoever has something new to hear must be on the list.
    fn reap(&mut self) {
        let dirty = std::mem::take(&mut self.hub.effects_mut().dirty);
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

    /// Everybody reads everything, until there is nothing more to read.
    fn settle(&mut self) {
        loop {
            let mut queued = 0;
            for user in 0..self.slots.len() as u8 {
                let Some(slot) = self.slot(user) else { continue };
                queued += self.hub.session(slot).map_or(0, |user| user.outbox().queued());
                self.read(slot, user, usize::MAX);
            }
            self.resume();
            if queued == 0 && self.hub.effects_mut().postponed.is_empty() && !self.hub.owes_departures() {
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
        assert_eq!(self.hub.held(), half_received, "nothing is held that nobody has yet to hear");
        if self.exact {
            self.check_rooms();
        }
    }
}
