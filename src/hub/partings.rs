//! Telling rooms who is gone: at once where the turn allows, and else turn by turn.
//!
//! Thousands may go in one moment, and each of them is news for all who stay. So whoever goes is first taken out of its
//! rooms, where it hears nothing any more; only then is anybody told. By the time that the others are told of the last,
//! most of those who went with it are known to be gone as well, and need not hear of it.

use super::Hub;
use crate::limits::PARTING_COST;
use crate::marks::{Mark, mark};

impl<L> Hub<L> {
    /// Takes a session that is gone out of all its rooms, which have yet to be told.
    pub(super) fn leave_behind(&mut self, slot: usize) {
        let author = self.author(slot);
        for key in std::mem::take(&mut self.users[slot].rooms).into_iter().rev() {
            let members = &mut self.rooms.at_mut(key).members;
            if members.parting().len() == 0 {
                self.parting.push_back(key);
            }
            members.part(slot as u32, author.clone());
        }
    }

    /// Tells rooms who is gone, each in its turn, while memory allows. It may spend half as much as requests do, beside
    /// them, so that neither keeps the other waiting. When all are dismissed nobody is told and nothing waits: only
    /// listeners hear of it.
    pub fn tell_partings(&mut self) {
        while let Some(&key) = self.parting.front() {
            if !self.is_closing && (self.parted.is_part(2, &self.limits) || self.is_over_memory()) {
                return mark(Mark::PartingWaits);
            }
            let requests = self.spent;
            self.tell_parting(key);
            self.parted.copies += self.spent.copies - requests.copies + PARTING_COST;
            self.parted.said += self.spent.said - requests.said;
            self.spent = requests;
            self.parting.rotate_left(usize::from(self.parting.front() == Some(&key)));
        }
    }

    /// Before somebody comes into a room: where one is gone of whom it was not told, it is. So there are never more in
    /// it, those who are gone included, than were there at once, however fast they come and go.
    pub(super) fn tell_a_parting(&mut self, room: &str) {
        if let Some(key) = self.rooms.find(room).filter(|&key| self.rooms.at(key).members.parting().len() > 0) {
            self.tell_parting(key);
        }
    }

    /// Tells a room of the next one who is gone. Afterwards the room may be gone as well.
    fn tell_parting(&mut self, key: u32) {
        let members = &mut self.rooms.at_mut(key).members;
        let next = members.next_parting();
        if members.parting().len() == 0 {
            self.no_longer_parting(key);
        }
        if let Some((author, what)) = next {
            self.emit(key, what, author, &[], None);
        }
        self.vacate_if_empty(key);
    }

    /// Takes a room off the list of those who have yet to be told; mostly it is the first.
    pub(super) fn no_longer_parting(&mut self, key: u32) {
        if self.parting.front() == Some(&key) {
            self.parting.pop_front();
        } else {
            self.parting.retain(|&other| other != key);
        }
    }

    /// Whether some room has yet to be told who is gone, and could be.
    pub fn owes_partings(&self) -> bool {
        !self.parting.is_empty() && !self.is_over_memory()
    }
}
