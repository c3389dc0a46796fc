//! Telling rooms who is gone: at once where the turn allows, and else turn by turn.
//!
//! Thousands may go in one moment, and each of them is news for all who stay. So whoever goes is first taken out of its
//! rooms, where it hears nothing any more; only then is anybody told. By the time that the others are told of the last,
//! most of those who went with it are known to be gone as well, and need not hear of it.

use crate::hub::Hub;
use crate::limits::PARTING_COST;
use crate::marks::{Mark, mark};

impl<L> Hub<L> {
    /// Takes a session that is gone out of all its rooms, which have yet to be told.
    pub(in crate::hub) fn leave_behind(&mut self, slot: usize) {
        let author = self.author(slot);
        for key in std::mem::take(&mut self.users[slot].rooms).into_iter().rev() {
            let members = &mut self.rooms.at_mut(key).members;
            members.part(slot as u32, author.clone());
            if !std::mem::replace(&mut members.is_listed, true) {
                self.parting.push_back(key);
            }
        }
    }

    /// Tells rooms who is gone, each in its turn, while memory allows. It may spend half as much as requests do, beside
    /// them, so that neither keeps the other waiting. When all are dismissed nobody is told and nothing waits: only
    /// listeners hear of it.
    pub fn tell_partings(&mut self) {
        while !self.parting.is_empty() {
            if !self.is_closing && (self.parted.reaches(2, &self.limits) || self.is_over_memory()) {
                return mark(Mark::PartingWaits);
            }
            std::mem::swap(&mut self.spent, &mut self.parted);
            self.tell_next_room();
            std::mem::swap(&mut self.spent, &mut self.parted);
        }
    }

    /// Tells the first room on the list of one who is gone. It goes to the end of the list, or off it.
    fn tell_next_room(&mut self) {
        let Some(key) = self.parting.pop_front() else { return };
        self.tell_a_parting(key);
        let members = &mut self.rooms.at_mut(key).members;
        let owes_more = members.parting().len() > 0;
        members.is_listed = owes_more;
        if owes_more {
            self.parting.push_back(key);
        } else {
            self.vacate_if_empty(key);
        }
    }

    /// Tells a room of the next one who is gone, if there is one of whom it was not told. Whoever comes in does so
    /// first: then there are never more in a room, those who are gone included, than were there at once, however fast
    /// they come and go.
    pub(in crate::hub) fn tell_a_parting(&mut self, key: u32) {
        if let Some((author, what)) = self.rooms.at_mut(key).members.next_parting() {
            self.spent.copies += PARTING_COST;
            self.emit(key, what, author, &[], None);
        }
    }

    /// Whether some room has yet to be told who is gone, and could be.
    pub fn owes_partings(&self) -> bool {
        !self.parting.is_empty() && !self.is_over_memory()
    }
}
