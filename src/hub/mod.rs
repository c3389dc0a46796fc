//! The hub: sessions, rooms, and which session receives what.
//!
//! Owns the sessions with their ids, names and [outboxes](Outbox), the rooms with their members and events, and
//! executes requests. Does no I/O and reads no clock: its caller passes in the received bytes and the time. The hub
//! puts bytes into outboxes, and lists in the [`Effects`] what the caller has to do. The caller is the loop in `net`,
//! or a test.
//!
//! The parts own their state and know nothing of each other. The hub's own methods are requests and events, which need
//! several of them:
//!
//! ```text
//!   request ──> dispatch ──> Resolver (ids and names -> Receivers) ──> FanOut ──> outboxes (Sessions)
//!                   │                                                    ▲ └─ Batch, EncodedFrames, Pool
//!                   └──────> Rooms (members, history) ── event ──────────┘
//!               TurnBudget: what it cost · Waits: which session waits for what · Effects: what the loop has to do
//!               Account: what is held, beside the outboxes (Pool) and what rooms remember (History)
//! ```
//!
//! What can be exchanged is a port: how bytes look is a [`Codec`] and its [`Gateway`], and a host program receives
//! events through a [`Listener`].

mod allocation;
#[cfg(any(test, feature = "testing"))]
mod audit;
mod back_pressure;
mod batch;
mod budget;
mod codec;
mod effects;
mod encoded;
mod fan_out;
mod gateway_sessions;
mod holders;
mod host;
mod lifecycle;
mod listener;
mod long_request;
mod makers;
mod memory;
mod names;
mod outbox;
mod payload;
mod pool;
mod rate_limit;
mod receivers;
mod relay;
mod remote_addr;
mod requests;
mod role;
mod room_list;
mod rooms;
mod session;
mod session_id;
mod sessions;
mod slices;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod waits;

pub use codec::{Codec, Codecs, Encoding, FramePrefix, Gateway, NativeOnly, Protocol, RequestContext};
pub use effects::Effects;
pub use gateway_sessions::KeptInput;
#[cfg(test)]
pub use listener::tests::message;
pub use listener::{Listener, ListenerBacklog, Listeners, SharedEvent};
pub use outbox::Outbox;
pub use payload::{Body, Payload, SharedFrame};
pub use pool::Pool;
pub use remote_addr::RemoteAddr;
pub use requests::{Execution, Outcome};
pub use role::Role;
pub(crate) use rooms::Epochs;
pub use session::{Phase, Session};
pub use session_id::HOST;

use crate::limits::Limits;
use crate::stats::Stats;
use crate::wire::UserId;
use budget::TurnBudget;
use fan_out::FanOut;
use gateway_sessions::IdsLent;
use lifecycle::Admission;
use memory::Account;
use names::Names;
use receivers::Resolver;
use rooms::{Departures, Rooms};
use session::Dirty;
use sessions::Sessions;
use slices::LongRequests;
use std::time::Duration;

/// The hub: sessions in slots, each with the loop's state for it (`L`).
#[derive(Debug)]
pub struct Hub<L> {
    limits: Limits,
    clock: Clock,
    sessions: Sessions<L>,
    admission: Admission,
    names: Names,
    rooms: Rooms,
    departures: Departures,
    resolver: Resolver,
    fan_out: FanOut,
    budget: TurnBudget,
    account: Account,
    scratch: Scratch,
    long_requests: LongRequests,
    /// Bytes received that are not executed yet, of all sessions.
    unparsed: usize,
    /// Whole requests received.
    frames_received: u64,
    ids_lent: IdsLent,
    /// The id of the last mail.
    last_mail: u64,
    /// The hub is shutting down: clients receive no more events of leaving.
    is_closing: bool,
    /// Code in the host program that hears events.
    pub listeners: Listeners,
    /// What is counted. The loop adds what only it can see.
    pub stats: Stats,
}

/// The current time, as the loop last set it.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    /// Time since some fixed moment. Never goes back.
    now: Duration,
    /// Milliseconds since 1970, by the wall clock, which may jump.
    unix_ms: u64,
}

/// Buffers in which frames are put together, so that executing a request allocates nothing.
#[derive(Debug, Default)]
struct Scratch {
    head: Vec<u8>,
    frame: Vec<u8>,
    /// The frame of the last event that was published.
    event: Vec<u8>,
    ids: Vec<UserId>,
}

impl<L> Hub<L> {
    /// A hub without sessions, for native sessions only.
    pub fn new(limits: Limits) -> Hub<L> {
        Hub::with_codecs(limits, &[])
    }

    /// A hub without sessions, whose sessions may have the encodings of these codecs too.
    pub fn with_codecs(limits: Limits, codecs: Codecs) -> Hub<L> {
        Hub {
            clock: Clock::default(),
            sessions: Sessions::new(limits.queue),
            admission: Admission::default(),
            names: Names::default(),
            rooms: Rooms::new(limits.history_time),
            departures: Departures::default(),
            resolver: Resolver::default(),
            fan_out: FanOut::new(codecs, &limits),
            budget: TurnBudget::new(&limits),
            account: Account::new(&limits),
            scratch: Scratch::default(),
            long_requests: LongRequests::default(),
            unparsed: 0,
            frames_received: 0,
            ids_lent: IdsLent::default(),
            last_mail: 0,
            is_closing: false,
            listeners: Listeners::default(),
            stats: Stats::default(),
            limits,
        }
    }

    /// Sets the time: `now` since some fixed moment, never less than before, and the wall clock in milliseconds since
    /// 1970, which may jump.
    pub fn set_time(&mut self, now: Duration, unix_ms: u64) {
        self.clock = Clock { now, unix_ms };
    }

    /// Lets the epochs of rooms follow from a seed that no earlier hub had: clients that were in a room before a
    /// restart learn by its epoch that its ids began anew.
    pub fn seed_epochs(&mut self, seed: u64) {
        self.rooms.epochs = Epochs::from_seed(seed);
    }

    /// The limits it keeps.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The session in a slot, open or departed.
    pub fn session(&self, slot: usize) -> Option<&Session<L>> {
        self.sessions.get(slot)
    }

    /// The session in a slot, open or departed.
    pub fn session_mut(&mut self, slot: usize) -> Option<&mut Session<L>> {
        self.sessions.get_mut(slot)
    }

    /// Every slot with a session in it, open or departed.
    pub fn slots(&self) -> impl Iterator<Item = usize> + '_ {
        self.sessions.slab.iter().map(|(slot, _)| slot)
    }

    /// What the loop has to do.
    pub fn effects(&self) -> &Effects {
        &self.sessions.effects
    }

    /// What the loop has to do, to be taken off the lists.
    pub fn effects_mut(&mut self) -> &mut Effects {
        &mut self.sessions.effects
    }

    /// Puts a session on the list of those to flush, once.
    pub fn mark_dirty(&mut self, slot: usize) {
        self.sessions.mark_dirty(slot);
    }

    /// Notes that a session was taken off that list, so that it is put there again when something is queued for it.
    pub fn mark_flushed(&mut self, slot: usize) {
        if let Some(session) = self.sessions.get_mut(slot) {
            session.dirty = Dirty::No;
        }
    }

    /// Whether the budget of this turn is spent, or the memory that it may use: further requests wait for the next
    /// turn.
    pub fn is_turn_spent(&self) -> bool {
        self.budget.is_spent() || self.is_turn_memory_spent()
    }

    /// Whether half of that is spent: those that were served first in this turn, such as the host, leave the rest to
    /// others.
    pub fn is_turn_half_spent(&self) -> bool {
        self.budget.is_half_spent()
    }

    /// The number of whole requests received so far. The loop uses it to see whether a frame was completed.
    pub fn frames_received(&self) -> u64 {
        self.frames_received
    }

    /// The counters, with the gauges of this moment.
    pub fn stats(&self) -> Stats {
        Stats { held: self.held() as u64, events_dropped: self.listeners.backlog().dropped, ..self.stats }
    }
}
