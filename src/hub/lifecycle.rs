//! Who is here: coming in, being turned away, what one is called, and all ways to leave.

use super::session::user_id;
use super::{Hub, Peer, User};
use crate::limits::{Limits, TURNED_AWAY};
use crate::marks::{Mark, mark};
use crate::web::Dialect;
use crate::web::margin::{Aside, Asked};
use crate::wire::{Answer, ErrorCode, Fault};

impl<L> Hub<L> {
    /// Takes a connection in and returns its slot. At a limit of connections it is told so, and has departed at once.
    /// A guest has an id, but is no user yet: see [`admit`](Hub::admit).
    ///
    /// # Errors
    ///
    /// Gives `link` back with what is to be said to it in one breath, where many are here already who were told so and
    /// linger, or where the four billion ids are used up: an id is never given twice, so the hub must then be started
    /// anew.
    pub fn enter(&mut self, link: L, peer: Peer, dialect: Dialect) -> Result<usize, (L, Vec<u8>)> {
        self.stats.accepted += 1;
        let refused = match self.refuses(peer) {
            _ if self.generation == u32::MAX => return Err((link, farewell(dialect, no_ids()))),
            Some(fault) if self.turned_away >= TURNED_AWAY => return Err((link, farewell(dialect, fault))),
            refused => refused,
        };
        let vacant = self.users.vacant_entry();
        let slot = vacant.key();
        self.generation += 1;
        vacant.insert(User::new(user_id(self.generation, slot), peer.is_local(), dialect, link));
        self.stats.users += u64::from(!dialect.is_guest());
        match refused {
            None => self.origins.enter(slot, peer, self.limits.max_per_address),
            Some(fault) => {
                mark(Mark::TurnedAway);
                self.users[slot].is_turned_away = true;
                self.turned_away += 1;
                self.fail(slot, &fault);
            }
        }
        self.stats.most_users = self.stats.most_users.max(self.stats.users);
        Ok(slot)
    }

    /// Why a connection from there can not be served, if so.
    fn refuses(&mut self, peer: Peer) -> Option<Fault> {
        let Limits { max_connections, max_per_address, .. } = self.limits;
        // Those who have departed count as well, until they are gone.
        let text = if self.users.len() - self.turned_away >= max_connections {
            self.stats.refused_full += 1;
            format!("this hub is at its limit of {max_connections} connections; try again later")
        } else if self.origins.is_full(peer, max_per_address) {
            mark(Mark::AddressFull);
            self.stats.refused_address += 1;
            format!("this address is at its limit of {max_per_address} connections")
        } else {
            return None;
        };
        Some(Fault::new(ErrorCode::TooManyConnections, 0, 0, text))
    }

    /// What is said to a connection for which the machine has no descriptor.
    pub fn no_descriptor(&mut self, dialect: Dialect) -> Vec<u8> {
        self.stats.accepted += 1;
        self.stats.refused_descriptors += 1;
        let text = "this hub has no descriptor left for another connection; try again later";
        farewell(dialect, Fault::new(ErrorCode::TooManyConnections, 0, 0, text))
    }

    /// Ends a user's presence: nothing more reaches it, and its requests are carried out no more. What is in its outbox
    /// may still be sent, and behind it what is said last in its dialect.
    pub fn depart(&mut self, slot: usize) {
        let Some(user) = self.users.get_mut(slot).filter(|user| user.present) else { return };
        if user.dialect.is_native() {
            return self.depart_with(slot, &[]);
        }
        let mut last = Vec::new();
        user.dialect.put_farewell(user.closed_with, &mut last);
        self.depart_with(slot, &last);
    }

    /// The same, where the last words are these.
    pub(super) fn depart_with(&mut self, slot: usize, last: &[u8]) {
        if !last.is_empty() {
            self.say_as_is(slot, last);
        }
        if self.end_presence(slot) {
            self.agenda.departed.push(slot);
        }
    }

    /// Whether the user in this slot was present; it is not any more.
    fn end_presence(&mut self, slot: usize) -> bool {
        let Some(user) = self.users.get_mut(slot).filter(|user| user.present) else { return false };
        user.present = false;
        self.unread -= user.decoder.release().len() + std::mem::take(&mut user.kept_outside) as usize;
        self.stats.users -= u64::from(!user.dialect.is_guest());
        self.relieve(slot);
        self.fire();
        self.leave_behind(slot);
        self.take_name(slot);
        self.tell_partings();
        true
    }

    /// Gives a user another name, or none.
    pub(super) fn give_name(&mut self, slot: usize, name: &str) {
        self.take_name(slot);
        if !name.is_empty() {
            let (name, place) = self.directory.add(name, slot as u32);
            let user = &mut self.users[slot];
            (user.name, user.place) = (Some(name), place);
        }
    }

    /// Takes a user's name off it.
    pub(super) fn take_name(&mut self, slot: usize) {
        let user = &mut self.users[slot];
        let place = user.place;
        let moved = user.name.take().and_then(|name| self.directory.remove(&name, place));
        if let Some(moved) = moved {
            mark(Mark::NameMoved);
            self.users[moved as usize].place = place;
        }
    }

    /// Dismisses everybody but guests. Nobody is told any more who leaves which room, but listeners are.
    pub fn dismiss_all(&mut self, code: ErrorCode, text: &str) {
        self.is_closing = true;
        self.tell_partings();
        for slot in self.slots().collect::<Vec<_>>() {
            if !self.users[slot].dialect.is_guest() {
                self.dismiss(slot, code, text);
            }
        }
    }

    /// Whether everybody is being dismissed.
    pub fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// Tells a user why it is closed, by CLOSING, and ends its presence. A guest that has asked nothing is told
    /// nothing: it would take that for the answer to what it asks next.
    pub fn dismiss(&mut self, slot: usize, code: ErrorCode, text: &str) {
        let Some(user) = self.user(slot).filter(|user| user.is_present()) else { return };
        if user.is_known() || user.half_received() > 0 {
            self.say(slot, 0, &Answer::Closing { code, text });
        }
        self.close_with(slot, code);
    }

    /// Asks a user whether it lives, behind all that is on its way to it.
    pub fn beat(&mut self, slot: usize) {
        if self.user(slot).is_some_and(User::is_known) {
            mark(Mark::Beat);
            self.say(slot, 0, &Answer::Beat { unix_ms: self.unix_ms });
        }
    }

    /// Tells a user what was wrong with its request, and ends its presence where that is fatal.
    pub fn fail(&mut self, slot: usize, fault: &Fault) {
        self.stats.faults += 1;
        self.say(slot, fault.tag, &Answer::from(fault));
        if fault.code.is_fatal() {
            self.close_with(slot, fault.code);
        }
    }

    /// Tells a user what was wrong with something that could not be read, where what comes next can.
    fn object(&mut self, slot: usize, fault: &Fault) {
        let Fault { code, kind, tag, text } = fault;
        self.stats.faults += 1;
        let before = self.users[slot].outbox.queued();
        self.say(slot, *tag, &Answer::Error { code: *code, kind: *kind, fatal: false, text });
        // To find out takes long, and to ask so takes a byte.
        self.spend_copies(1, self.users[slot].outbox.queued() - before);
    }

    /// Has a user depart because of an error.
    fn close_with(&mut self, slot: usize, code: ErrorCode) {
        self.stats.count_close(code);
        if let Some(user) = self.users.get_mut(slot) {
            user.closed_with = Some(code);
        }
        self.depart(slot);
    }

    /// Does what the door puts among a user's requests, and is none.
    pub(super) fn turn_aside(&mut self, slot: usize, aside: &Aside<'_>) {
        match aside {
            Aside::Fault { fault, fatal: false } => self.object(slot, fault),
            Aside::Fault { fault, fatal: true } => {
                self.fail(slot, fault);
                self.depart(slot);
            }
            Aside::Last { bytes, blamed } => {
                if *blamed {
                    self.stats.count_close(ErrorCode::Malformed);
                } else {
                    self.stats.left += 1;
                }
                self.depart_with(slot, bytes);
            }
        }
    }

    /// Vacates a slot and returns what the carrier kept there.
    pub fn remove(&mut self, slot: usize) -> Option<L> {
        self.end_presence(slot);
        let mut user = self.users.try_remove(slot)?;
        user.outbox.clear(&mut self.pool);
        self.origins.leave(slot);
        self.turned_away -= usize::from(user.is_turned_away);
        Some(user.link)
    }
}

/// What is said in one breath to a connection that can not be let in.
fn farewell(dialect: Dialect, fault: Fault) -> Vec<u8> {
    let mut frame = Vec::new();
    dialect.say(&Asked::default(), 0, &Answer::from(&fault), &mut frame);
    frame
}

/// Said where all ids are used up.
pub(super) fn no_ids() -> Fault {
    Fault::new(ErrorCode::TooManyConnections, 0, 0, "this hub has given out all its ids, and must be started anew")
}
