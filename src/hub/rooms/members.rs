//! The members of one room, and the sessions that departed but whose departure is not announced yet. Knows slots and
//! names alone.

use crate::hub::HOST;
use crate::limits::SPARSE;
use crate::wire::{EventType, UserId};
use std::collections::{HashMap, VecDeque};
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

/// Where a member is found without a search.
#[derive(Clone, Copy, Debug)]
struct Index {
    /// Its index in [`Members::slots`].
    in_room: u32,
    /// The index of this room in the session's own list of rooms.
    in_session: u32,
}

/// The sessions in a room. Adding and removing one are O(1).
#[derive(Debug, Default)]
pub struct Members {
    /// In no order, close together for the fan-out.
    slots: Vec<u32>,
    indices: HashMap<u32, Index>,
    /// Sessions that have departed, but whose departure is not announced in the room yet. JOIN's count and WHO still
    /// include them: a member that counts by the events must get the same result.
    departed: VecDeque<Author>,
    /// Whether the room is on the list of rooms with departures to announce.
    pub has_departures_listed: bool,
    /// How many sessions of each name are among all these. An unnamed session counts as a name of its own.
    names: HashMap<Arc<str>, u32>,
}

impl Members {
    /// Adds a session, in whose own list of rooms this one has the index `in_session`. Returns the type of the event.
    pub fn add(&mut self, slot: u32, in_session: usize, name: Option<&Arc<str>>) -> EventType {
        let index = Index { in_room: self.slots.len() as u32, in_session: in_session as u32 };
        self.indices.insert(slot, index);
        self.slots.push(slot);
        let Some(name) = name else { return EventType::Join };
        let sessions = self.names.entry(name.clone()).or_default();
        *sessions += 1;
        if *sessions == 1 { EventType::Join } else { EventType::Add }
    }

    /// The type of the event if a session of this name leaves.
    pub fn departure_event(&self, name: Option<&Arc<str>>) -> EventType {
        match name.and_then(|name| self.names.get(name)) {
            Some(2..) => EventType::Remove,
            _ => EventType::Leave,
        }
    }

    /// Removes a session. Returns the index of this room in the session's own list, or `None` if it is no member.
    pub fn remove(&mut self, slot: u32, name: Option<&Arc<str>>) -> Option<usize> {
        let index = self.remove_slot(slot)?;
        self.uncount(name);
        self.shrink();
        Some(index)
    }

    /// Removes a session that has departed. Its author is kept until the departure is announced.
    pub fn defer_departure(&mut self, slot: u32, author: Author) {
        self.remove_slot(slot);
        self.departed.push_back(author);
    }

    /// Takes the next departure to announce. Returns the author and the type of the event. The author is no longer
    /// counted.
    pub fn next_departure(&mut self) -> Option<(Author, EventType)> {
        let author = self.departed.pop_front()?;
        if self.departed.is_empty() {
            self.departed = VecDeque::new();
        }
        let event = self.departure_event(author.name.as_ref());
        self.uncount(author.name.as_ref());
        self.shrink();
        Some((author, event))
    }

    fn remove_slot(&mut self, slot: u32) -> Option<usize> {
        let index = self.indices.remove(&slot)?;
        self.slots.swap_remove(index.in_room as usize);
        if let Some(moved) = self.slots.get(index.in_room as usize).and_then(|moved| self.indices.get_mut(moved)) {
            moved.in_room = index.in_room;
        }
        Some(index.in_session as usize)
    }

    /// Counts one session less of a name.
    fn uncount(&mut self, name: Option<&Arc<str>>) {
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
    pub fn set_index_in_session(&mut self, slot: u32, in_session: usize) {
        if let Some(index) = self.indices.get_mut(&slot) {
            index.in_session = in_session as u32;
        }
    }

    /// The sessions that have departed, but whose departure is not announced yet.
    pub fn departed(&self) -> impl ExactSizeIterator<Item = &Author> {
        self.departed.iter()
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

    /// Whether a session is a member.
    pub fn contains(&self, slot: u32) -> bool {
        self.indices.contains_key(&slot)
    }

    /// Frees memory that is far more than what is left needs.
    fn shrink(&mut self) {
        let count = self.slots.len();
        if self.slots.capacity() > SPARSE * count.max(SPARSE) {
            self.slots.shrink_to(2 * count);
            self.indices.shrink_to(2 * count);
        }
        if self.names.capacity() > SPARSE * self.names.len().max(SPARSE) {
            self.names.shrink_to(2 * self.names.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_session_of_a_name_joins_and_the_last_one_leaves() {
        let (mut members, ann, bob) = (Members::default(), Arc::from("ann"), Arc::from("bob"));
        assert_eq!(members.add(1, 0, Some(&ann)), EventType::Join);
        assert_eq!(members.add(2, 0, Some(&bob)), EventType::Join);
        assert_eq!(members.add(3, 0, Some(&ann)), EventType::Add);
        assert_eq!((members.add(4, 0, None), members.add(5, 0, None)), (EventType::Join, EventType::Join));
        assert_eq!(
            (members.departure_event(None), members.departure_event(Some(&ann))),
            (EventType::Leave, EventType::Remove)
        );
        assert_eq!(members.remove(1, Some(&ann)), Some(0));
        assert_eq!(members.departure_event(Some(&ann)), EventType::Leave);
    }

    #[test]
    fn whoever_stands_last_takes_the_place_of_whoever_leaves() {
        let mut members = Members::default();
        for slot in 0..3 {
            members.add(slot, 10 + slot as usize, None);
        }
        members.set_index_in_session(2, 7);
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
            members.defer_departure(
                slot,
                Author { session: UserId(slot.into()), name: Some(Arc::from(slot.to_string())) },
            );
        }
        assert_eq!((members.count(), members.slots()), (5_000, &[9_999][..]));
        while members.next_departure().is_some() {}
        assert!(members.slots.capacity() <= 16 && members.indices.capacity() <= 64 && members.names.capacity() <= 64);
        assert_eq!((members.count(), members.departed.capacity()), (1, 0));
    }
}
