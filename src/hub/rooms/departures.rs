//! Deferred departures: events of sessions that departed are sent at once if the turn's budget allows it, and otherwise
//! over several turns.
//!
//! Thousands of connections may break at the same moment, and each departure is an event for all members who stay. So a
//! departed session is first removed from its rooms, where it receives nothing any more; the events follow later. By
//! the time of the last one, most of the sessions that broke with it are removed as well and need not receive it.

use super::members::Members;
use crate::hub::Hub;
use crate::hub::budget::Cost;
use crate::hub::payload::Payload;
use crate::limits::{DEPARTURE_COST, PART_COST, SCAN_COST};
use crate::marks::{Mark, mark};
use crate::wire::{Kind, UserId};

impl<L> Hub<L> {
    /// Removes a session from all its rooms, because it has departed or changes its name. The events follow later.
    pub(in crate::hub) fn defer_departure(&mut self, slot: usize) {
        let rooms = std::mem::take(&mut self.sessions[slot].rooms);
        if rooms.is_empty() {
            return;
        }
        self.budget.requests += Cost::work(rooms.len() * PART_COST);
        let (author, departed) = (self.author(slot), self.departures.next_key());
        for (key, index) in rooms.iter().rev() {
            self.remove_at(key, index);
            self.rooms.change_members(key, |members| members.push_departed(departed));
            if !std::mem::replace(&mut self.rooms.at_mut(key).members.has_departures_listed, true) {
                self.rooms.with_departures.push_back(key);
            }
        }
        self.account.lists -= rooms.held();
        self.departures.add(author, rooms);
        self.note_structure();
    }

    /// Sends the events of departures, one for each room in turn, as far as memory and the turn's budget for departures
    /// allow. While the hub shuts down only listeners receive them, so that nothing has to wait.
    pub fn announce_departures(&mut self) {
        while let Some(&key) = self.rooms.with_departures.front() {
            if !self.is_closing && (self.budget.is_spent_on_departures() || self.is_over_memory()) {
                return mark(Mark::DepartureWaits);
            }
            self.rooms.with_departures.pop_front();
            let cost = self.announce_departure(key);
            self.budget.departures += cost;
            self.relist(key);
        }
    }

    /// Puts a room at the end of the list if it has further departures; otherwise it is not listed any more.
    fn relist(&mut self, key: u32) {
        let members = &mut self.rooms.at_mut(key).members;
        let has_more = members.departed().len() > 0;
        members.has_departures_listed = has_more;
        if has_more {
            self.rooms.with_departures.push_back(key);
        } else {
            self.remove_if_deserted(key);
        }
    }

    /// Announces the next departure of a room, if there is one, before a session joins it. So a room never has more
    /// departures to announce than it had members, however fast sessions come and go.
    pub(in crate::hub) fn announce_one_departure(&mut self, key: u32) {
        let cost = self.announce_departure(key);
        self.budget.requests += cost;
    }

    /// Announces that a session has left a room under its old name, if that is still to be done, before it joins again
    /// under its new name: otherwise the others would hear of its leaving last, and take it for gone.
    pub(in crate::hub) fn announce_own_departure(&mut self, slot: usize, key: u32) {
        let session = &self.sessions[slot];
        if !session.seldom.as_ref().is_some_and(|seldom| seldom.has_left_by_name) {
            return;
        }
        let members = &self.rooms.at(key).members;
        let place = members.departed().position(|departed| self.departures.author(departed).session == session.id);
        self.budget.requests += Cost::work(members.departed().len() * SCAN_COST);
        let taken = place.and_then(|place| self.rooms.change_members(key, |members| members.take_departed(place)));
        if let Some(departed) = taken {
            mark(Mark::OwnDepartureFirst);
            let cost = self.announce_departed(key, departed);
            self.budget.requests += cost;
        }
    }

    /// Announces the next departure of a room, if there is one. Returns the cost.
    fn announce_departure(&mut self, key: u32) -> Cost {
        let next = self.rooms.change_members(key, Members::pop_departed);
        next.map_or(Cost::NONE, |departed| self.announce_departed(key, departed))
    }

    fn announce_departed(&mut self, key: u32, departed: u32) -> Cost {
        let author = self.departures.announce(departed, key);
        self.note_structure();
        let (what, cost) = self.departure(&author, key, None);
        let emitted = self.emit(key, what, &author, &[], None);
        self.tell_renamed(key, author.session);
        Cost::work(DEPARTURE_COST) + cost + emitted.cost
    }

    /// Sends the event of leaving, which was just published, to a session that is still there, because it only changed
    /// its name.
    fn tell_renamed(&mut self, key: u32, session: UserId) {
        let Some((slot, session)) = self.sessions.addressable(session) else { return };
        if !self.is_closing && !session.rooms.contains(key) {
            let frame = &self.scratch.event[..];
            let posted = self.fan_out.post(&mut self.sessions, &[slot as u32], None, Payload::Copied(frame), true);
            self.stats.frames.count(Kind::Event, posted.told, frame.len());
            self.stats.events_missed += posted.missed;
        }
    }

    /// Whether there are departures to announce, and memory for that.
    pub fn owes_departures(&self) -> bool {
        !self.rooms.with_departures.is_empty() && !self.is_over_memory()
    }
}
