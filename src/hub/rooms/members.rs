//! Who is in one room, and who has just gone from it. Knows slots and names alone.

use super::publishing::Author;
use crate::limits::SPARSE;
use crate::wire::EventType;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Where a member stands, so that it is found without a search.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// In [`Members::slots`].
    here: u32,
    /// In the user's own list of rooms.
    of_user: u32,
}

/// The sessions in a room. Adding and removing one are O(1).
#[derive(Debug, Default)]
pub struct Members {
    /// In no order, close together for those who tell them all something.
    slots: Vec<u32>,
    places: HashMap<u32, Place>,
    /// Those who are gone, which the room has yet to be told. For all who look they are still here: whoever counts the
    /// events must come to the same.
    parting: VecDeque<Author>,
    /// Whether the room is on the list of those who have to be told.
    pub is_listed: bool,
    /// How many sessions of each name are among all these. An unnamed session is a name of its own.
    names: HashMap<Arc<str>, u32>,
}

impl Members {
    /// Adds a session whose own list of rooms has this one in place `of_user`. Says which event that is.
    pub fn add(&mut self, slot: u32, of_user: usize, name: Option<&Arc<str>>) -> EventType {
        self.places.insert(slot, Place { here: self.slots.len() as u32, of_user: of_user as u32 });
        self.slots.push(slot);
        let Some(name) = name else { return EventType::Join };
        let sessions = self.names.entry(name.clone()).or_default();
        *sessions += 1;
        if *sessions == 1 { EventType::Join } else { EventType::Add }
    }

    /// Which event it is when a session of this name leaves.
    pub fn parting_of(&self, name: Option<&Arc<str>>) -> EventType {
        match name.and_then(|name| self.names.get(name)) {
            Some(2..) => EventType::Remove,
            _ => EventType::Leave,
        }
    }

    /// Takes a session out. Returns the place of this room in its own list, or `None` where it is not here.
    pub fn remove(&mut self, slot: u32, name: Option<&Arc<str>>) -> Option<usize> {
        let place = self.take_out(slot)?;
        self.strike(name);
        self.give_back();
        Some(place)
    }

    /// Takes a session out that is gone, and keeps who it was until the room is told.
    pub fn part(&mut self, slot: u32, who: Author) {
        self.take_out(slot);
        self.parting.push_back(who);
    }

    /// The next one of whom the room is to be told that it is gone, and which event that is. It counts no more.
    pub fn next_parting(&mut self) -> Option<(Author, EventType)> {
        let who = self.parting.pop_front()?;
        if self.parting.is_empty() {
            self.parting = VecDeque::new();
        }
        let what = self.parting_of(who.name.as_ref());
        self.strike(who.name.as_ref());
        self.give_back();
        Some((who, what))
    }

    fn take_out(&mut self, slot: u32) -> Option<usize> {
        let place = self.places.remove(&slot)?;
        self.slots.swap_remove(place.here as usize);
        if let Some(moved) = self.slots.get(place.here as usize).and_then(|moved| self.places.get_mut(moved)) {
            moved.here = place.here;
        }
        Some(place.of_user as usize)
    }

    /// Counts one session less of a name.
    fn strike(&mut self, name: Option<&Arc<str>>) {
        if let Some(name) = name
            && let Some(sessions) = self.names.get_mut(name)
        {
            *sessions -= 1;
            if *sessions == 0 {
                self.names.remove(name);
            }
        }
    }

    /// Notes that this room has moved within a member's own list.
    pub fn moved(&mut self, slot: u32, of_user: usize) {
        if let Some(place) = self.places.get_mut(&slot) {
            place.of_user = of_user as u32;
        }
    }

    /// Those who are gone, which the room has yet to be told.
    pub fn parting(&self) -> impl ExactSizeIterator<Item = &Author> {
        self.parting.iter()
    }

    /// Whether nobody is here, and nobody is to be told anything.
    pub fn is_deserted(&self) -> bool {
        self.count() == 0 && !self.is_listed
    }

    /// How many sessions there are.
    pub fn count(&self) -> usize {
        self.slots.len() + self.parting.len()
    }

    /// The slots of those who are told what happens, in no order.
    pub fn slots(&self) -> &[u32] {
        &self.slots
    }

    /// The same list, lent for as long as they are told something. It must be [given back](Members::give_back_slots).
    pub fn lend_slots(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.slots)
    }

    /// See [`lend_slots`](Members::lend_slots).
    pub fn give_back_slots(&mut self, slots: Vec<u32>) {
        self.slots = slots;
    }

    /// Their slots without one of them.
    pub fn slots_but(&self, except: Option<usize>) -> impl Iterator<Item = usize> {
        self.slots.iter().map(|&slot| slot as usize).filter(move |&slot| except != Some(slot))
    }

    /// Whether a session is here.
    pub fn contains(&self, slot: u32) -> bool {
        self.places.contains_key(&slot)
    }

    /// Shrinks what has become far too large.
    fn give_back(&mut self) {
        let count = self.slots.len();
        if self.slots.capacity() > SPARSE * count.max(SPARSE) {
            self.slots.shrink_to(2 * count);
            self.places.shrink_to(2 * count);
        }
        if self.names.capacity() > SPARSE * self.names.len().max(SPARSE) {
            self.names.shrink_to(2 * self.names.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::UserId;

    #[test]
    fn the_first_session_of_a_name_joins_and_the_last_one_leaves() {
        let (mut members, ann, bob) = (Members::default(), Arc::from("ann"), Arc::from("bob"));
        assert_eq!(members.add(1, 0, Some(&ann)), EventType::Join);
        assert_eq!(members.add(2, 0, Some(&bob)), EventType::Join);
        assert_eq!(members.add(3, 0, Some(&ann)), EventType::Add);
        assert_eq!((members.add(4, 0, None), members.add(5, 0, None)), (EventType::Join, EventType::Join));
        assert_eq!((members.parting_of(None), members.parting_of(Some(&ann))), (EventType::Leave, EventType::Remove));
        assert_eq!(members.remove(1, Some(&ann)), Some(0));
        assert_eq!(members.parting_of(Some(&ann)), EventType::Leave);
    }

    #[test]
    fn whoever_stands_last_takes_the_place_of_whoever_leaves() {
        let mut members = Members::default();
        for slot in 0..3 {
            members.add(slot, 10 + slot as usize, None);
        }
        members.moved(2, 7);
        assert_eq!(members.remove(0, None), Some(10));
        assert_eq!(members.slots(), [2, 1]);
        assert_eq!((members.remove(2, None), members.remove(2, None)), (Some(7), None));
        assert!(members.contains(1) && !members.contains(2));
    }

    #[test]
    fn a_room_that_was_full_gives_its_memory_back() {
        let mut members = Members::default();
        for slot in 0..10_000 {
            members.add(slot, 0, Some(&Arc::from(slot.to_string())));
        }
        for slot in 0..5_000 {
            members.remove(slot, Some(&Arc::from(slot.to_string())));
        }
        for slot in 5_000..9_999 {
            members.part(slot, Author { session: UserId(slot.into()), name: Some(Arc::from(slot.to_string())) });
        }
        assert_eq!((members.count(), members.slots()), (5_000, &[9_999][..]));
        while members.next_parting().is_some() {}
        assert!(members.slots.capacity() <= 16 && members.places.capacity() <= 64 && members.names.capacity() <= 64);
        assert_eq!((members.count(), members.parting.capacity()), (1, 0));
    }
}
