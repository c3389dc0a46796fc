//! The members of one room, and the sessions that departed but whose departure is not announced in it yet. Knows slots
//! and keys alone. Where a session is among the members is in its own list of rooms, and who a departed session was is
//! in [`Departures`](super::departed::Departures).

use crate::hub::HOST;
use crate::hub::allocation::{grow, grow_queue, queue_bytes, shrink, shrink_queue, vec_bytes};
use crate::wire::UserId;
use std::collections::VecDeque;
use std::sync::Arc;

/// The session that causes an event.
#[derive(Clone, Debug)]
pub struct Author {
    pub session: UserId,
    pub name: Option<Arc<str>>,
}

impl Author {
    /// The program that the hub is embedded in.
    pub fn host() -> Author {
        Author { session: HOST, name: None }
    }
}

/// The sessions in a room. Adding and removing one are O(1).
#[derive(Debug, Default)]
pub struct Members {
    /// In no order, close together for the fan-out.
    slots: Vec<u32>,
    /// The keys of sessions that have departed, but whose departure is not announced in the room yet, in the order in
    /// which it will be. JOIN's count and WHO still include them: a member that counts by the events must get the same
    /// result.
    departed: VecDeque<u32>,
    /// Whether the room is on the list of rooms with departures to announce.
    pub has_departures_listed: bool,
}

impl Members {
    /// Adds a session, which is not in the room yet. Returns its index.
    pub fn add(&mut self, slot: u32) -> u32 {
        grow(&mut self.slots);
        self.slots.push(slot);
        self.slots.len() as u32 - 1
    }

    /// Removes the session at an index. Returns the slot of the session that has this index now, if there is one.
    pub fn remove(&mut self, index: u32) -> Option<u32> {
        self.slots.swap_remove(index as usize);
        let moved = self.slots.get(index as usize).copied();
        shrink(&mut self.slots);
        moved
    }

    /// Adds a session that has departed and was removed, by its key, until its departure is announced.
    pub fn push_departed(&mut self, departed: u32) {
        grow_queue(&mut self.departed);
        self.departed.push_back(departed);
    }

    /// Takes the next departed session, to announce its departure.
    pub fn pop_departed(&mut self) -> Option<u32> {
        let departed = self.departed.pop_front();
        shrink_queue(&mut self.departed);
        departed
    }

    /// Takes a departed session out of turn, to announce its departure before those of others.
    pub fn take_departed(&mut self, place: usize) -> Option<u32> {
        let departed = self.departed.remove(place);
        shrink_queue(&mut self.departed);
        departed
    }

    /// The keys of the sessions that have departed, but whose departure is not announced yet.
    pub fn departed(&self) -> impl ExactSizeIterator<Item = u32> {
        self.departed.iter().copied()
    }

    /// Whether there is no member, and no departure to announce.
    pub fn is_deserted(&self) -> bool {
        self.count() == 0 && !self.has_departures_listed
    }

    /// How many sessions there are.
    pub fn count(&self) -> usize {
        self.slots.len() + self.departed.len()
    }

    /// The slots of the sessions that receive the room's events, in no order.
    pub fn slots(&self) -> &[u32] {
        &self.slots
    }

    /// The same list, lent while an event is posted to it. It must be [returned](Members::return_slots).
    pub fn lend_slots(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.slots)
    }

    /// See [`lend_slots`](Members::lend_slots).
    pub fn return_slots(&mut self, slots: Vec<u32>) {
        self.slots = slots;
    }

    /// The slots without one of them.
    pub fn slots_but(&self, except: Option<usize>) -> impl Iterator<Item = usize> {
        self.slots.iter().map(|&slot| slot as usize).filter(move |&slot| except != Some(slot))
    }

    /// Bytes of memory that the lists take.
    pub fn held(&self) -> usize {
        vec_bytes(&self.slots) + queue_bytes(&self.departed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_stands_last_takes_the_place_of_whoever_leaves() {
        let mut members = Members::default();
        assert_eq!([7, 8, 9].map(|slot| members.add(slot)), [0, 1, 2]);
        assert_eq!(members.remove(0), Some(9));
        assert_eq!(members.slots(), [9, 8]);
        assert_eq!((members.remove(1), members.remove(0)), (None, None));
        assert!(members.is_deserted());
    }

    #[test]
    fn who_has_departed_is_counted_and_hears_nothing() {
        let mut members = Members::default();
        members.add(7);
        members.push_departed(3);
        members.push_departed(4);
        assert_eq!((members.count(), members.slots()), (3, &[7][..]));
        assert_eq!((members.pop_departed(), members.pop_departed(), members.pop_departed()), (Some(3), Some(4), None));
        assert_eq!(members.count(), 1);
    }

    #[test]
    fn a_room_that_was_full_gives_its_memory_back() {
        let mut members = Members::default();
        for slot in 0..10_000 {
            members.add(slot);
            assert!(members.held() <= 5 * members.slots().len() + 48);
        }
        for index in (1..10_000).rev() {
            members.remove(index);
            members.push_departed(index);
        }
        assert!(members.slots.capacity() <= 16);
        while members.pop_departed().is_some() {}
        assert!(members.held() <= 64, "{}", members.held());
    }
}
