//! Checks after each turn: bounds on work, memory and time.

use crate::asks::ROOMS;
use crate::ledger::Ledger;
use cubby::Limits;
use cubby::hub::{Hub, Session};
use cubby::testing::system::{LISTENERS, VirtualSocket, World};
use cubby::wire::Kind;
use std::time::Duration;

/// What may be queued for a user, in halves of the queue limit: three for what others send, because those that have
/// waited may fill it further, and two for the answers to its own requests, whose window is no larger than a queue.
const HALF_QUEUES: usize = 5;

/// What may be queued beyond that: for each of the two, the frame that exceeded the limit, with the fields before its
/// body; and the longest answers.
const FRAMES: usize = 2;
const FRAME_HEAD: usize = 512;
const ANSWERS: usize = 16 * 1024;

/// The most bytes before the body of an event in these runs.
const EVENT_HEAD: usize = 64;

/// Bytes that one link may receive in a turn: its budget, and one buffer beyond it; and some for each link that was
/// flushed.
const READ_IN_A_TURN: usize = 5 * 64 * 1024;
const READ_FOR_A_LINK: usize = 128;

/// Calls of accept for one listener in a turn: for each connection one may fail first.
const ACCEPTS_IN_A_TURN: u32 = 2 * 65;

/// Calls in a turn, by the number of links, if reads and writes are cut short all the time.
const CALLS_IN_A_TURN: usize = 1_000;
const CALLS_FOR_A_LINK: usize = 100;

/// The most consecutive turns that do nothing.
const IDLE_TURNS: u32 = 100;

/// How late a deadline may be met: faults make a wait end early, never late, but turns take time.
const SLACK: Duration = Duration::from_millis(20);

/// Bytes a second that a departing link must take, or it is closed.
const PACE: u64 = 16 * 1024;

/// One connection at the last check.
#[derive(Debug)]
struct Seen {
    wire: usize,
    slot: usize,
    /// Since when it has been full without a break, and the count of sent bytes at which it may have stopped being
    /// full.
    full_since: Option<(Duration, u64)>,
    departed_at: Option<Duration>,
    /// Since when its requests do not wait.
    free_since: Duration,
}

/// Checks all links.
#[derive(Debug, Default)]
pub struct Watch {
    seen: Vec<Seen>,
    idle_turns: u32,
    /// Requests and events so far.
    done: u64,
    /// Bytes of events that were sent to members so far, and the number of requests for history.
    told: (u64, u64),
    turns: u64,
    users: (u64, u64),
    /// When unfinished requests, or all that is held, last took so much of the memory that some links were not read.
    crowded_at: Option<Duration>,
}

impl Watch {
    /// The hub has started to serve a connection.
    pub fn add(&mut self, wire: usize, slot: usize) {
        self.seen.push(Seen { wire, slot, full_since: None, departed_at: None, free_since: Duration::ZERO });
    }

    /// Checks after a turn. `owes`: the loop wants another turn at once.
    pub fn check_turn<L>(&mut self, world: &World, hub: &Hub<L>, owes: bool) {
        let calls = world.turn.calls as usize;
        assert!(calls <= CALLS_IN_A_TURN + CALLS_FOR_A_LINK * self.seen.len(), "{calls} calls in a turn");
        assert!(
            world.turn.accepts <= ACCEPTS_IN_A_TURN * LISTENERS as u32,
            "{} accepted in a turn",
            world.turn.accepts
        );
        for &number in &world.turn.received {
            let bytes = world.wires[number].hub.received;
            let most = READ_IN_A_TURN + READ_FOR_A_LINK * self.seen.len();
            assert!(bytes <= most, "{bytes} bytes of one link in a turn");
        }
        // What one turn adds to the limit is gone at its end, because those that hold most are closed.
        let (held, most) = (hub.held(), hub.memory_limit());
        assert!(held <= most, "{held} bytes are held, and {most} may be");
        let done = hub.frames_received() + hub.stats.events;
        let idle = owes && calls == 0 && world.turn.edges == 0 && done == self.done;
        self.idle_turns = if idle { self.idle_turns + 1 } else { 0 };
        assert!(self.idle_turns < IDLE_TURNS, "the loop spins");
        self.done = done;
        self.check_told(hub);
        if hub.is_crowded_by_input() || hub.is_over_memory() {
            self.crowded_at = Some(world.now);
        }
        self.turns += 1;
    }

    /// A turn sends no more events than its budget allows. Replayed events are bounded by queues alone.
    fn check_told<L>(&mut self, hub: &Hub<L>) {
        let frames = &hub.stats.frames;
        let (told, again) = (frames.of(Kind::Event).bytes, frames.of(Kind::History).frames);
        let (now, most) = (told - self.told.0, most_told(hub.limits(), self.seen.len()));
        assert!(now <= most || again > self.told.1, "{now} bytes of events in a turn, and {most} may be");
        self.told = (told, again);
    }

    /// Notes which users have departed, whenever the number of users has changed.
    pub fn note_departed<L>(&mut self, ledger: &mut Ledger, hub: &Hub<L>) {
        let now = (hub.stats.accepted, hub.stats.users);
        if self.users == now {
            return;
        }
        self.users = now;
        for seen in &self.seen {
            let user = hub.session(seen.slot).filter(|user| user.id().0 == ledger.people[seen.wire].id);
            ledger.people[seen.wire].departed |= user.is_none_or(|user| !user.is_open());
        }
    }

    /// Whether it is time to check every link.
    pub fn is_due(&self) -> bool {
        self.turns.is_multiple_of(4)
    }

    pub fn check_links(&mut self, world: &World, ledger: &Ledger, hub: &Hub<cubby::net::Link<VirtualSocket>>) {
        let limits = hub.limits();
        self.seen.retain_mut(|seen| {
            let wire = &world.wires[seen.wire];
            if wire.hub.closed {
                return false;
            }
            let user = hub.session(seen.slot).expect("a connection that is open has a user");
            assert_eq!(user.id().0, ledger.people[seen.wire].id, "who lives in slot {}", seen.slot);
            check_queue(user, limits);
            if user.is_waiting() || user.has_backlog() {
                seen.free_since = world.now;
            }
            // A link that is not read because memory is short has its time again afterwards.
            seen.free_since = seen.free_since.max(self.crowded_at.unwrap_or_default());
            seen.check_full(user, world, limits);
            seen.check_silent(user, world, hub);
            seen.check_quiet(user, world, limits);
            seen.check_frame(user, world, hub);
            seen.check_departed(user, world, limits);
            true
        });
    }
}

/// Bytes of events that one turn may put into outboxes: its budget, half as much again for departures, and what the
/// last request may exceed it by, which is a body for all members or leaving all rooms. The host may have published
/// before.
fn most_told(limits: &Limits, users: usize) -> u64 {
    let body = limits.max_body as usize + EVENT_HEAD;
    let request = users * body.max(limits.rooms_per_session.min(ROOMS.len()) * EVENT_HEAD);
    (limits.fan_out * 3 / 2 + 2 * request) as u64
}

/// The most that may be queued for one user.
fn most_queued(limits: &Limits) -> usize {
    HALF_QUEUES * limits.queue / 2 + FRAMES * (limits.max_body as usize + FRAME_HEAD) + ANSWERS
}

fn check_queue<L>(user: &Session<L>, limits: &Limits) {
    let queued = user.outbox().queued();
    assert!(queued <= most_queued(limits), "{queued} bytes are queued for {}, with {limits:?}", user.id());
}

impl Seen {
    /// A session that stays full is closed in time. It may have been down to half between two checks, if enough was
    /// sent.
    fn check_full<L>(&mut self, user: &Session<L>, world: &World, limits: &Limits) {
        let (now, sent) = (world.now, world.wires[self.wire].hub.sent);
        if !user.is_full() || !user.is_open() {
            self.full_since = None;
            return;
        }
        let relieved_at = sent + user.outbox().queued().saturating_sub(limits.queue / 2) as u64;
        let (since, enough) = *self.full_since.get_or_insert((now, relieved_at));
        if sent >= enough {
            self.full_since = Some((now, relieved_at));
        } else {
            assert!(now - since <= limits.stall + SLACK, "{} is full since {since:?}", user.id());
        }
    }

    /// A silent client is closed in time, unless the hub did not read from it.
    fn check_silent<L>(&self, user: &Session<L>, world: &World, hub: &Hub<L>) {
        let (idle, wire) = (hub.limits().idle, &world.wires[self.wire]);
        let unread = user.is_waiting() || user.has_backlog() || !wire.inbound.is_empty();
        if !idle.is_zero() && user.is_open() && !unread {
            let silence = world.now.saturating_sub(wire.hub.heard_at.max(self.free_since));
            // The idle time of a user that waited starts again when it no longer waits.
            let most = if hub.stats.waits + hub.stats.paced > 0 { idle * 3 } else { idle + idle / 32 };
            assert!(silence <= most + SLACK, "{} is silent for {silence:?} of {idle:?}", user.id());
        }
    }

    /// A client to which nothing is sent gets a heartbeat in time.
    fn check_quiet<L>(&self, user: &Session<L>, world: &World, limits: &Limits) {
        let quiet = world.now.saturating_sub(world.wires[self.wire].hub.said_at);
        let speaks = !limits.heartbeat.is_zero() && user.is_open() && user.outbox().queued() == 0;
        let most = limits.heartbeat + limits.heartbeat / 32 + SLACK;
        assert!(!speaks || quiet <= most, "{} has heard nothing for {quiet:?}", user.id());
    }

    /// A client with an unfinished frame completes it in time, or is closed. If the frame grew enough, it gets the same
    /// time again.
    fn check_frame<L>(&self, user: &Session<L>, world: &World, hub: &Hub<L>) {
        let (time, wire) = (hub.limits().frame_time, &world.wires[self.wire]);
        let begun = user.is_open() && user.unparsed() > 0 && self.free_since < world.now;
        if begun && !time.is_zero() && wire.inbound.is_empty() {
            let rest = world.now.saturating_sub(wire.hub.heard_at.max(self.free_since));
            assert!(rest <= time * 2 + SLACK, "{} has not gone on with a frame for {rest:?} of {time:?}", user.id());
        }
    }

    /// A departed session is closed in time, however slowly its client reads the rest.
    fn check_departed<L>(&mut self, user: &Session<L>, world: &World, limits: &Limits) {
        if user.is_open() {
            return;
        }
        let since = *self.departed_at.get_or_insert(world.now);
        let delay = limits.stall.max(limits.linger);
        let periods = 2 + most_queued(limits) as u64 / (PACE * delay.as_millis() as u64 / 1000).max(1);
        let most = delay * periods as u32 + limits.linger + SLACK;
        assert!(world.now - since <= most, "{} has departed at {since:?}, and is still there", user.id());
    }
}
