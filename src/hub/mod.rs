//! Who is here, and who hears what.
//!
//! Owns the slab of [users](User), their ids, names and [outboxes](Outbox), the rooms with their members and events,
//! and carries out requests. Never does I/O and reads no clock: bytes come in as they were received and the time as it
//! is told, bytes go into outboxes, and what its carrier has to do about it stands in the [`Agenda`]. The carrier is
//! the loop in `net`, or a test.

mod directory;
mod events;
mod history;
mod host;
mod listener;
mod members;
mod name;
mod outbox;
mod relay;
mod requests;
mod room;
mod rooms;
#[cfg(test)]
mod tests;
mod user;

#[cfg(test)]
pub use listener::tests::message;
pub use listener::{Listener, Listeners, SharedEvent};
pub use name::name_fault;
pub use outbox::{Outbox, Parcel, Runs, Shared};
pub use user::{HOST, User};

use crate::limits::{Limits, POINTER_COST, TURNED_AWAY};
use crate::stats::Stats;
use crate::wire::{Answer, ErrorCode, Fault, UserId};
use directory::Directory;
use room::Rooms;
use slab::Slab;
use std::time::Duration;
use user::{slot_of, user_id};

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
    /// Users that are no longer here: their outboxes are to be sent, then they are to be removed.
    pub departed: Vec<usize>,
}

impl Agenda {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let slots = [&self.dirty, &self.resumed, &self.filled, &self.departed];
        slots.iter().all(|list| list.is_empty()) && self.postponed.is_empty()
    }
}

/// The hub: users in slots, each with what its carrier keeps for it (`L`).
#[derive(Debug)]
pub struct Hub<L> {
    users: Slab<User<L>>,
    directory: Directory,
    rooms: Rooms,
    limits: Limits,
    /// This moment, as the carrier last told it: since some fixed one, and in milliseconds since 1970.
    now: Duration,
    unix_ms: u64,
    /// Bytes that all rooms remember, about.
    remembered: usize,
    /// What was put into outboxes in this turn, as bytes copied.
    spent: usize,
    /// The same, but each frame counted once: what one outbox may have got.
    said: usize,
    /// The id of the last mail.
    last_mail: u64,
    /// Everybody is being dismissed: nobody is told any more who leaves.
    is_closing: bool,
    /// The number of the last connection accepted.
    generation: u32,
    /// The number of the last relay; 0 once in four billion, when all users' stamps begin anew.
    stamp: u32,
    runs: Runs,
    scratch: Scratch,
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
            rooms: Rooms::default(),
            limits,
            now: Duration::ZERO,
            unix_ms: 0,
            remembered: 0,
            spent: 0,
            said: 0,
            last_mail: 0,
            is_closing: false,
            generation: 0,
            stamp: 0,
            runs: Runs::default(),
            scratch: Scratch::default(),
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

    /// Begins a turn: those whose requests waited for it go on.
    pub fn begin_turn(&mut self) {
        (self.spent, self.said) = (0, 0);
        let postponed = std::mem::take(&mut self.agenda.postponed);
        for user in postponed {
            if let Some(user) = self.users.get_mut(slot_of(user)).filter(|found| found.id == user) {
                user.is_postponed = false;
            }
            self.go_on(user);
        }
    }

    /// Accounts for a frame that so many outboxes got.
    fn spend(&mut self, outboxes: usize, parcel: Parcel<'_>) {
        let (len, cost) = match parcel {
            Parcel::Small(bytes) => (bytes.len(), bytes.len()),
            Parcel::Large(frame) => (frame.as_bytes().len(), POINTER_COST),
        };
        self.said += len;
        self.spent += outboxes * cost;
    }

    /// Whether this turn has put enough into outboxes: what else is asked waits for the next. So that whoever reads is
    /// never full by one turn, no outbox gets more than half a queue.
    pub fn is_spent(&self) -> bool {
        self.spent >= self.limits.fan_out || self.said >= self.limits.queue / 2
    }

    /// Whether it is time for others, for a host that has asked much.
    pub fn is_half_spent(&self) -> bool {
        self.spent >= self.limits.fan_out / 2 || self.said >= self.limits.queue / 4
    }

    /// Has a user's requests wait for the next turn where this one has done enough.
    fn postpone_if_spent(&mut self, slot: usize) {
        if self.is_spent()
            && let Some(user) = self.users.get_mut(slot).filter(|user| user.present)
        {
            user.waits_for += 1;
            user.is_postponed = true;
            self.agenda.postponed.push(user.id);
        }
    }

    /// The limits it keeps.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes a connection in and returns its slot. At the limit of connections it is told so, and has departed at once.
    ///
    /// # Errors
    ///
    /// Gives `link` back where too many are here who were told so and linger, or where the four billion ids are used
    /// up: an id is never given twice, so the hub must then be started anew.
    pub fn enter(&mut self, link: L) -> Result<usize, L> {
        self.stats.accepted += 1;
        let full = self.stats.users >= self.limits.max_connections as u64;
        let next = self.generation.checked_add(1);
        let Some(generation) = next.filter(|_| self.users.len() < self.limits.max_connections + TURNED_AWAY) else {
            self.stats.turned_away += 1;
            return Err(link);
        };
        self.stats.turned_away += u64::from(full);
        self.generation = generation;
        let vacant = self.users.vacant_entry();
        let slot = vacant.key();
        vacant.insert(User::new(user_id(generation, slot), link));
        self.stats.users += 1;
        if full {
            self.fail(slot, &self.no_room());
        }
        Ok(slot)
    }

    /// What is said to a connection that the hub could not even take in.
    pub fn farewell(&self) -> Vec<u8> {
        let mut frame = Vec::new();
        Answer::from(&self.no_room()).encode(0, &mut frame);
        frame
    }

    fn no_room(&self) -> Fault {
        let text = format!("this hub is at its limit of {} connections", self.limits.max_connections);
        Fault::new(ErrorCode::TooManyConnections, 0, 0, text)
    }

    /// Ends a user's presence: nothing more reaches it, and its requests are carried out no more. What is in its outbox
    /// may still be sent.
    pub fn depart(&mut self, slot: usize) {
        if self.end_presence(slot) {
            self.agenda.departed.push(slot);
        }
    }

    /// Whether the user in this slot was present; it is not any more.
    fn end_presence(&mut self, slot: usize) -> bool {
        let Some(user) = self.users.get_mut(slot).filter(|user| user.present) else { return false };
        user.present = false;
        user.decoder.release();
        self.stats.users -= 1;
        self.relieve(slot);
        self.part_all(slot, false);
        self.take_name(slot);
        true
    }

    /// Gives a user another name, or none.
    fn give_name(&mut self, slot: usize, name: &str) {
        self.take_name(slot);
        if !name.is_empty() {
            let (name, place) = self.directory.add(name, slot as u32);
            let user = &mut self.users[slot];
            (user.name, user.place) = (Some(name), place);
        }
    }

    /// Takes a user's name off it.
    fn take_name(&mut self, slot: usize) {
        let user = &mut self.users[slot];
        let place = user.place;
        let moved = user.name.take().and_then(|name| self.directory.remove(&name, place));
        if let Some(moved) = moved {
            self.users[moved as usize].place = place;
        }
    }

    /// Dismisses everybody. Nobody is told any more who leaves which room, but listeners are.
    pub fn dismiss_all(&mut self, code: ErrorCode, text: &str) {
        self.is_closing = true;
        for slot in self.slots().collect::<Vec<_>>() {
            self.dismiss(slot, code, text);
        }
    }

    /// Tells a user why it is closed, by CLOSING, and ends its presence.
    pub fn dismiss(&mut self, slot: usize, code: ErrorCode, text: &str) {
        if self.user(slot).is_some_and(User::is_present) {
            self.say(slot, 0, &Answer::Closing { code, text });
            self.depart(slot);
        }
    }

    /// Tells a user what was wrong with its request, and ends its presence where that is fatal.
    pub fn fail(&mut self, slot: usize, fault: &Fault) {
        self.stats.faults += 1;
        self.say(slot, fault.tag, &Answer::from(fault));
        if fault.code.is_fatal() {
            self.depart(slot);
        }
    }

    /// Vacates a slot and returns what the carrier kept there.
    pub fn remove(&mut self, slot: usize) -> Option<L> {
        self.end_presence(slot);
        let mut user = self.users.try_remove(slot)?;
        user.outbox.clear(&mut self.runs);
        Some(user.link)
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

    /// Whether every slot is vacant.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Forgets bytes of a user's outbox that are sent. Once a full one is down to half its limit, those who waited go
    /// on; says whether that is so now.
    pub fn sent(&mut self, slot: usize, bytes: usize) -> bool {
        let Some(user) = self.users.get_mut(slot) else { return false };
        user.outbox.advance(bytes, &mut self.runs);
        self.stats.bytes_out += bytes as u64;
        let relieved = user.full && user.outbox.queued() <= self.limits.queue / 2;
        if relieved {
            user.full = false;
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
        let Some(user) = self.users.get_mut(slot) else { return };
        user.outbox.append(&mut self.runs, |run| answer.encode(tag, run));
        user.told(slot, &mut self.agenda, self.limits.queue);
    }

    /// Makes one user's requests wait until another is no longer full; a user may wait for itself.
    fn wait_for(&mut self, sender: usize, receiver: usize) {
        let Some(id) = self.users.get(sender).map(|user| user.id) else { return };
        self.stats.waits += 1;
        self.users[receiver].waiters.push(id);
        self.users[sender].waits_for += 1;
    }

    /// Lets go on those who wait for this user.
    fn relieve(&mut self, slot: usize) {
        let waiters = std::mem::take(&mut self.users[slot].waiters);
        waiters.into_iter().for_each(|waiter| self.go_on(waiter));
    }

    /// One of the things that a user's requests wait for is over; there may be more.
    fn go_on(&mut self, waiter: UserId) {
        let slot = slot_of(waiter);
        if let Some(user) = self.users.get_mut(slot).filter(|user| user.id == waiter) {
            user.waits_for -= 1;
            if user.waits_for == 0 {
                self.agenda.resumed.push(slot);
            }
        }
    }
}
