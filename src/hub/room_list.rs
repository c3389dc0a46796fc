//! The rooms of one session. A membership is 8 bytes here and 4 in the room; nothing else is kept for it.

use super::allocation::{grow, shrink, vec_bytes};

/// A room that a session is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Membership {
    /// The key of the room.
    key: u32,
    /// The index of the session among the room's [members](super::rooms).
    index: u32,
}

/// The rooms that a session is in, sorted by key: few rooms are looked up by search, and a table would take several
/// times the memory.
#[derive(Debug, Default)]
pub struct RoomList(Vec<Membership>);

impl RoomList {
    /// How many rooms there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rooms, by ascending key, each with the index of the session among its members.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u32, u32)> {
        self.0.iter().map(|membership| (membership.key, membership.index))
    }

    fn position(&self, key: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&key, |membership| membership.key)
    }

    /// Whether the session is in this room.
    pub fn contains(&self, key: u32) -> bool {
        self.position(key).is_ok()
    }

    /// The index of the session among the members of this room, if it is in there.
    pub fn index_in(&self, key: u32) -> Option<u32> {
        Some(self.0[self.position(key).ok()?].index)
    }

    /// Adds a room that the session is not in yet.
    pub fn insert(&mut self, key: u32, index: u32) {
        if let Err(place) = self.position(key) {
            grow(&mut self.0);
            self.0.insert(place, Membership { key, index });
        }
    }

    /// Removes a room. Returns the index of the session among its members, if it was in there.
    pub fn remove(&mut self, key: u32) -> Option<u32> {
        let removed = self.0.remove(self.position(key).ok()?);
        shrink(&mut self.0);
        Some(removed.index)
    }

    /// Notes that the session has another index among the members of this room.
    pub fn set_index(&mut self, key: u32, index: u32) {
        if let Ok(place) = self.position(key) {
            self.0[place].index = index;
        }
    }

    /// Gives every room the same index.
    pub fn reset(&mut self, index: u32) {
        self.0.iter_mut().for_each(|membership| membership.index = index);
    }

    /// Bytes of memory that it takes.
    pub fn held(&self) -> usize {
        vec_bytes(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_found_whatever_the_order_they_came_in() {
        let mut rooms = RoomList::default();
        for key in [5, 1, 9, 3, 7] {
            rooms.insert(key, 10 * key);
        }
        assert!(rooms.iter().map(|(key, _)| key).eq([1, 3, 5, 7, 9]));
        rooms.set_index(3, 4);
        rooms.set_index(4, 4);
        assert_eq!((rooms.remove(3), rooms.remove(3), rooms.remove(9)), (Some(4), None, Some(90)));
        assert!(rooms.contains(7) && !rooms.contains(9) && rooms.index_in(5) == Some(50));
        assert_eq!(rooms.len(), 3);
    }

    #[test]
    fn a_list_of_many_rooms_takes_nine_bytes_for_each_and_nothing_when_it_is_empty() {
        let mut rooms = RoomList::default();
        for key in 0..256 {
            rooms.insert(key, 0);
            assert!(rooms.held() <= 9 * rooms.len() + 48);
        }
        (0..256).for_each(|key| assert_eq!(rooms.remove(key), Some(0)));
        assert_eq!(rooms.held(), 0);
    }
}
