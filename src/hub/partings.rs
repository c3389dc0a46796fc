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

    /// Tells rooms who is gone, in the half of a turn that requests leave for it, and while memory allows. When all are
    /// dismissed nobody is told, and nothing waits: only listeners hear of it.
    pub(super) fn tell_partings(&mut self) {
        while let Some(&key) = self.parting.front() {
            if !self.is_closing && (self.is_half_spent() || self.is_over_memory()) {
                return mark(Mark::PartingWaits);
            }
            let members = &mut self.rooms.at_mut(key).members;
            let next = members.next_parting();
            if members.parting().len() == 0 {
                self.parting.pop_front();
            }
            if let Some((author, what)) = next {
                self.spent += PARTING_COST;
                self.emit(key, what, author, &[], None);
            }
            self.vacate_if_empty(key);
        }
    }

    /// Whether some room has yet to be told who is gone, and could be.
    pub fn owes_partings(&self) -> bool {
        !self.parting.is_empty() && !self.is_over_memory()
    }
}
