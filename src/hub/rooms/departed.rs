//! Sessions that have departed, until their departure is announced in each of their rooms.

use super::members::Author;
use crate::hub::allocation::{grow, shrink, vec_bytes};
use crate::hub::room_list::RoomList;
use slab::Slab;
use std::collections::HashMap;
use std::sync::Arc;

/// In a departed session's list of rooms, the index of a room in which its departure is not announced yet.
const OWED: u32 = 0;

/// The same, if it is announced.
const ANNOUNCED: u32 = 1;

/// A session that has departed.
#[derive(Debug)]
pub(in crate::hub) struct Departed {
    author: Author,
    /// The rooms that it was in, each [`OWED`] or [`ANNOUNCED`].
    pub rooms: RoomList,
    /// How many are owed; never 0.
    owed: u32,
    /// Its index among the departed sessions of its name.
    name_index: u32,
}

/// All departed sessions that are still to be announced, by key. What a room keeps of each is its key.
#[derive(Debug, Default)]
pub struct Departures {
    pub(in crate::hub) sessions: Slab<Departed>,
    /// The keys of the sessions of each name. A name without sessions is not in it.
    pub(in crate::hub) by_name: HashMap<Arc<str>, Vec<u32>>,
    /// Bytes of memory that all lists take.
    lists: usize,
}

impl Departures {
    /// What a departed session costs beside its list of rooms: its entry and its share of the tables, which have just
    /// doubled.
    pub const COST: usize = 256;

    /// The key that the next session gets.
    pub fn next_key(&self) -> u32 {
        self.sessions.vacant_key() as u32
    }

    /// Adds a session that was in these rooms, which must be some. Returns its key.
    pub fn add(&mut self, author: Author, mut rooms: RoomList) -> u32 {
        rooms.reset(OWED);
        self.lists += rooms.held();
        let (owed, key) = (rooms.len() as u32, self.next_key());
        let name_index = author.name.as_ref().map_or(0, |name| {
            let keys = self.by_name.entry(name.clone()).or_default();
            self.lists -= vec_bytes(keys);
            grow(keys);
            keys.push(key);
            self.lists += vec_bytes(keys);
            keys.len() as u32 - 1
        });
        self.sessions.insert(Departed { author, rooms, owed, name_index });
        key
    }

    /// Who a departed session was.
    pub fn author(&self, departed: u32) -> &Author {
        &self.sessions[departed as usize].author
    }

    /// Notes that a departure is announced in a room. Returns who it was. After the last room it is forgotten.
    pub fn announce(&mut self, departed: u32, room: u32) -> Author {
        let session = &mut self.sessions[departed as usize];
        session.rooms.set_index(room, ANNOUNCED);
        session.owed -= 1;
        if session.owed > 0 {
            return session.author.clone();
        }
        let Departed { author, rooms, name_index, .. } = self.sessions.remove(departed as usize);
        self.lists -= rooms.held();
        if let Some(name) = &author.name {
            self.remove_name(name, name_index);
        }
        author
    }

    /// Removes the session at an index among the departed sessions of a name.
    fn remove_name(&mut self, name: &Arc<str>, index: u32) {
        let Some(keys) = self.by_name.get_mut(name) else { return };
        self.lists -= vec_bytes(keys);
        keys.swap_remove(index as usize);
        if let Some(&moved) = keys.get(index as usize) {
            self.sessions[moved as usize].name_index = index;
        }
        shrink(keys);
        self.lists += vec_bytes(keys);
        if keys.is_empty() {
            self.by_name.remove(name);
        }
    }

    /// The keys of the departed sessions of a name.
    pub fn of_name(&self, name: &str) -> &[u32] {
        self.by_name.get(name).map_or(&[], |keys| keys)
    }

    /// Whether the departure of a session is still to be announced in a room.
    pub fn owes(&self, departed: u32, room: u32) -> bool {
        self.sessions[departed as usize].rooms.index_in(room) == Some(OWED)
    }

    /// Whether a departed session has this name.
    pub fn has_name(&self, departed: u32, name: &Arc<str>) -> bool {
        self.author(departed).name.as_ref().is_some_and(|other| Arc::ptr_eq(other, name) || other == name)
    }

    /// Bytes of memory that it takes.
    pub fn held(&self) -> usize {
        self.sessions.len() * Departures::COST + self.lists
    }

    /// Gives back the memory of sessions that are forgotten.
    pub fn shrink(&mut self) {
        self.sessions.shrink_to_fit();
        self.by_name.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::UserId;

    fn in_rooms(keys: &[u32]) -> RoomList {
        let mut rooms = RoomList::default();
        keys.iter().for_each(|&key| rooms.insert(key, 9));
        rooms
    }

    fn author(session: u64, name: &str) -> Author {
        Author { session: UserId(session), name: (!name.is_empty()).then(|| name.into()) }
    }

    #[test]
    fn a_departed_session_is_kept_until_its_last_room_is_told() {
        let mut departures = Departures::default();
        let ann = departures.add(author(1, "ann"), in_rooms(&[3, 4]));
        let other = departures.add(author(2, "ann"), in_rooms(&[4]));
        assert_eq!(departures.of_name("ann"), [ann, other]);
        assert!(departures.owes(ann, 3) && departures.owes(ann, 4) && !departures.owes(other, 3));
        assert_eq!(departures.announce(ann, 3).session, UserId(1));
        assert!(!departures.owes(ann, 3) && departures.owes(ann, 4));
        departures.announce(ann, 4);
        assert_eq!(departures.of_name("ann"), [other]);
        departures.announce(other, 4);
        assert_eq!((departures.of_name("ann").len(), departures.held()), (0, 0));
    }

    #[test]
    fn names_are_compared_by_what_they_say() {
        let mut departures = Departures::default();
        let (ann, nobody) =
            (departures.add(author(1, "ann"), in_rooms(&[3])), departures.add(author(2, ""), in_rooms(&[3])));
        assert!(departures.has_name(ann, &"ann".into()) && !departures.has_name(ann, &"bob".into()));
        assert!(!departures.has_name(nobody, &"ann".into()));
    }
}
