//! Who is here, and who hears what.
//!
//! Owns the slab of [users](User), their ids, names and [outboxes](Outbox), the rooms with their members and events,
//! and carries out requests. Never does I/O and reads no clock: bytes come in as they were received and the time as it
//! is told, bytes go into outboxes, and what its carrier has to do about it stands in the [`Agenda`]. The carrier is
//! the loop in `net`, or a test.

mod back_pressure;
mod batch;
mod budget;
mod encoded;
mod host;
#[cfg(feature = "ws")]
mod http_callers;
mod lifecycle;
mod listener;
mod name;
mod names;
mod outbox;
mod rate_limit;
mod relay;
mod remote_addr;
mod requests;
mod rooms;
mod session;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub use listener::tests::message;
pub use listener::{Listener, Listeners, SharedEvent};
pub use name::name_fault;
pub use outbox::{Outbox, Parcel, Pool, Shared};
pub use remote_addr::Peer;
pub use session::{HOST, User};

use crate::limits::Limits;
use crate::stats::Stats;
use crate::web::margin::Asked;
use crate::wire::{Answer, HEADER_LEN, UserId};
use batch::Volley;
use budget::Spent;
use encoded::Renditions;
use names::Directory;
use remote_addr::Origins;
use rooms::Rooms;
use slab::Slab;
use std::collections::VecDeque;
use std::time::Duration;

/// What the carrier has to do about what the hub did. It empties the lists as it goes; each may name slots that are
/// vacant by then.
#[derive(Debug, Default)]
pub struct Agenda {
    /// Users with something new in their outbox, each once.
    pub dirty: Vec<usize>,
    /// Users that waited and may be read again.
    pub resumed: Vec<usize>,
    /// Users whose requests wait for the next turn, because this one has done enough.
    pub postponed: Vec<UserId>,
    /// Users that went over their queue limit.
    pub filled: Vec<usize>,
    /// Users that are full, and were meant to be sent more, where such a one is to be closed at once.
    pub choked: Vec<usize>,
    /// Users that are no longer here: their outboxes are to be sent, then they are to be removed.
    pub departed: Vec<usize>,
}

impl Agenda {
    /// Whether there is nothing to do but to let those go on who waited.
    pub fn is_done(&self) -> bool {
        let lists = [&self.dirty, &self.filled, &self.choked, &self.departed];
        lists.iter().all(|list| list.is_empty())
    }
}

/// Bytes of a BEAT.
const BEAT_LEN: usize = HEADER_LEN + 8;

/// The hub: users in slots, each with what its carrier keeps for it (`L`).
#[derive(Debug)]
pub struct Hub<L> {
    users: Slab<User<L>>,
    directory: Directory,
    /// Where they come from, where it matters.
    origins: Origins,
    rooms: Rooms,
    /// The rooms that have yet to be told who is gone.
    parting: VecDeque<u32>,
    limits: Limits,
    /// This moment, as the carrier last told it: since some fixed one, and in milliseconds since 1970.
    now: Duration,
    unix_ms: u64,
    /// Bytes that all rooms remember, about.
    remembered: usize,
    /// What this turn has put into outboxes, and beside it what it has told of those who are gone.
    spent: Spent,
    parted: Spent,
    /// The id of the last mail.
    last_mail: u64,
    /// Everybody is being dismissed: nobody is told any more who leaves.
    is_closing: bool,
    /// Connections that were turned away and linger to hear why.
    turned_away: usize,
    /// The number of the last connection accepted.
    generation: u32,
    /// A second, and how many requests over HTTP wanted an id in it.
    #[cfg(feature = "ws")]
    lent: (u64, u32),
    /// The number of the last relay; 0 once in four billion, when all users' stamps begin anew.
    stamp: u32,
    pool: Pool,
    /// Bytes sent of what makes room: all but lone beats, which those who wait get as well.
    drained: u64,
    /// Bytes half received, or waiting to be carried out, of all users.
    unread: usize,
    /// Whole frames that have come from all users.
    whole_frames: u64,
    scratch: Scratch,
    volley: Volley,
    renditions: Renditions,
    /// What is being carried out for somebody who speaks through the door, where its answer must tell more than the
    /// native one does. Empty at all other times; meanwhile nobody else is told anything but what many hear.
    asked: Asked,
    /// Code in the host program that hears events.
    pub listeners: Listeners,
    /// What the carrier has to do.
    pub agenda: Agenda,
    /// What is counted. The carrier adds what only it can see.
    pub stats: Stats,
}

/// Buffers that requests use and give back, so that carrying one out allocates nothing.
#[derive(Debug, Default)]
struct Scratch {
    /// The distinct receivers of a relay, as slots.
    receivers: Vec<u32>,
    /// Whether one of them is full.
    any_full: bool,
    /// How many of those named refuse the body, because they are full.
    refused: u32,
    /// The status of each receiver named.
    statuses: Vec<u8>,
    /// What stands before the body of a mail.
    head: Vec<u8>,
    /// A frame encoded once for all who hear it.
    frame: Vec<u8>,
}

impl<L> Hub<L> {
    /// A hub with nobody in it.
    pub fn new(limits: Limits) -> Hub<L> {
        Hub {
            users: Slab::new(),
            directory: Directory::default(),
            origins: Origins::default(),
            rooms: Rooms::new(limits.history_time),
            parting: VecDeque::new(),
            limits,
            now: Duration::ZERO,
            unix_ms: 0,
            remembered: 0,
            spent: Spent::default(),
            parted: Spent::default(),
            last_mail: 0,
            is_closing: false,
            turned_away: 0,
            generation: 0,
            #[cfg(feature = "ws")]
            lent: (0, 0),
            stamp: 0,
            pool: Pool::default(),
            drained: 0,
            unread: 0,
            whole_frames: 0,
            scratch: Scratch::default(),
            volley: Volley::default(),
            renditions: Renditions::default(),
            asked: Asked::default(),
            listeners: Listeners::default(),
            agenda: Agenda::default(),
            stats: Stats::default(),
        }
    }

    /// Tells the hub what time it is: `now` since some fixed moment, never less than before, and by the wall clock in
    /// milliseconds since 1970, which may jump.
    pub fn set_time(&mut self, now: Duration, unix_ms: u64) {
        self.now = now;
        self.unix_ms = unix_ms;
    }

    /// The limits it keeps.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The user in a slot, present or not.
    pub fn user(&self, slot: usize) -> Option<&User<L>> {
        self.users.get(slot)
    }

    /// The user in a slot, present or not.
    pub fn user_mut(&mut self, slot: usize) -> Option<&mut User<L>> {
        self.users.get_mut(slot)
    }

    /// Every slot with a user in it, present or not.
    pub fn slots(&self) -> impl Iterator<Item = usize> + '_ {
        self.users.iter().map(|(slot, _)| slot)
    }

    /// Whether every slot is vacant, or a guest's to whom nothing more is to be said.
    pub fn has_only_guests(&self) -> bool {
        self.users.iter().all(|(_, user)| user.dialect.is_guest() && user.outbox.queued() == 0)
    }

    /// Forgets bytes of a user's outbox that are sent. Once a full one is down to half its limit, those who waited go
    /// on; says whether that is so now.
    pub fn sent(&mut self, slot: usize, bytes: usize) -> bool {
        let Some(user) = self.users.get_mut(slot) else { return false };
        if user.outbox.queued() > BEAT_LEN {
            self.drained += bytes as u64;
        }
        user.outbox.advance(bytes, &mut self.pool);
        self.stats.bytes_out += bytes as u64;
        let relieved = user.full && user.outbox.queued() <= self.limits.queue / 2;
        if relieved {
            (user.full, user.is_impatient) = (false, false);
            self.relieve(slot);
        }
        relieved
    }

    /// Puts a user on the list of those to flush, once.
    pub fn soil(&mut self, slot: usize) {
        if let Some(user) = self.users.get_mut(slot) {
            user.soil(slot, &mut self.agenda);
        }
    }

    /// Notes that a user was taken off that list, so that the next thing said to it puts it there again.
    pub fn flushed(&mut self, slot: usize) {
        if let Some(user) = self.users.get_mut(slot) {
            user.dirty = false;
        }
    }

    /// Appends an answer to a user's outbox.
    fn say(&mut self, slot: usize, tag: u16, answer: &Answer<'_>) {
        self.fire();
        let Some(user) = self.users.get_mut(slot) else { return };
        let (before, dialect) = (user.outbox.queued(), user.dialect);
        user.outbox.append(&mut self.pool, |run| dialect.say(&self.asked, tag, answer, run));
        self.stats.frames.count(answer.kind(), 1, user.outbox.queued() - before);
        user.told(slot, &mut self.agenda, self.limits.queue);
    }

    /// Appends bytes to a user's outbox that are in its own dialect already, and no answer of the hub's.
    pub fn say_as_is(&mut self, slot: usize, bytes: &[u8]) {
        self.fire();
        let Some(user) = self.users.get_mut(slot) else { return };
        user.outbox.append(&mut self.pool, |run| run.extend_from_slice(bytes));
        user.told(slot, &mut self.agenda, self.limits.queue);
    }

    /// Notes how many bytes of an unfinished request the carrier keeps for a user.
    pub fn keep_outside(&mut self, slot: usize, bytes: usize) {
        let Some(user) = self.users.get_mut(slot).filter(|user| user.present) else { return };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.unread = self.unread - user.kept_outside as usize + bytes as usize;
        user.kept_outside = bytes;
    }

    /// Whole frames that have come so far, by which its carrier sees whether one was finished.
    pub fn whole_frames(&self) -> u64 {
        self.whole_frames
    }

    /// The counters, with the gauges of this moment.
    pub fn stats(&self) -> Stats {
        Stats { held: self.held() as u64, ..self.stats }
    }
}
