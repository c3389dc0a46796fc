//! Which event announces that a session comes or goes: the first session of its name in the room, or a further one.
//!
//! No room keeps a table of names. A name's sessions and a room's members are both at hand, and whichever list is
//! shorter decides. So the search never takes longer than telling the room.

use super::members::Author;
use crate::hub::Hub;
use crate::hub::budget::Cost;
use crate::limits::SCAN_COST;
use crate::wire::EventType;
use std::sync::Arc;

impl<L> Hub<L> {
    /// The event with which a session joins a room that it is not in yet, and what it cost to find out.
    pub(super) fn arrival(&self, slot: usize, key: u32) -> (EventType, Cost) {
        let (is_further, cost) = self.has_namesake(self.sessions[slot].name.as_ref(), key, None);
        (if is_further { EventType::Add } else { EventType::Join }, cost)
    }

    /// The event with which an author leaves a room, and what it cost to find out. If it is still a member, its slot is
    /// not counted.
    pub(super) fn departure(&self, author: &Author, key: u32, slot: Option<usize>) -> (EventType, Cost) {
        let (others_stay, cost) = self.has_namesake(author.name.as_ref(), key, slot.map(|slot| slot as u32));
        (if others_stay { EventType::Remove } else { EventType::Leave }, cost)
    }

    /// Whether another session of this name is in a room, or has departed and its departure is not announced there, and
    /// what it cost to find out. An unnamed session counts as a name of its own.
    fn has_namesake(&self, name: Option<&Arc<str>>, key: u32, but: Option<u32>) -> (bool, Cost) {
        let Some(name) = name else { return (false, Cost::NONE) };
        let members = &self.rooms.at(key).members;
        let is_in_room = |slot: u32| Some(slot) != but && self.sessions[slot as usize].rooms.contains(key);
        let has_name = |slot: u32| {
            let own = self.sessions[slot as usize].name.as_ref();
            // One that departed may hold its name in memory of its own, if the name was gone for a while.
            Some(slot) != but && own.is_some_and(|own| Arc::ptr_eq(own, name) || own == name)
        };
        let sessions = self.names.sessions(name).iter().copied();
        let (is_there, looked_at) = any_of_shorter(sessions, is_in_room, members.slots().iter().copied(), has_name);
        if is_there {
            return (true, Cost::work(looked_at * SCAN_COST));
        }
        let departed = self.departures.of_name(name).iter().copied();
        let (owes, has_name) = (|gone| self.departures.owes(gone, key), |gone| self.departures.has_name(gone, name));
        let (is_owed, more) = any_of_shorter(departed, owes, members.departed(), has_name);
        (is_owed, Cost::work((looked_at + more) * SCAN_COST))
    }
}

/// Looks for one that is in both of two lists, each of which has a test for being in the other: in both lists in turn,
/// until the shorter one is at its end. Returns whether there is one, and how many it has looked at.
fn any_of_shorter(
    mut one: impl Iterator<Item = u32>,
    is_in_other: impl Fn(u32) -> bool,
    mut other: impl Iterator<Item = u32>,
    is_in_one: impl Fn(u32) -> bool,
) -> (bool, usize) {
    let mut looked_at = 0;
    while let (Some(first), Some(second)) = (one.next(), other.next()) {
        looked_at += 2;
        if is_in_other(first) || is_in_one(second) {
            return (true, looked_at);
        }
    }
    (false, looked_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_in_both_lists_is_found_from_either() {
        let found = |one: &[u32], other: &[u32]| {
            let (is_in_other, is_in_one) = (|item| other.contains(&item), |item| one.contains(&item));
            any_of_shorter(one.iter().copied(), is_in_other, other.iter().copied(), is_in_one)
        };
        assert_eq!(found(&[1, 2, 3], &[9, 3]), (true, 4));
        assert_eq!([found(&[3], &[9, 8, 3]), found(&[7, 3], &[9, 8, 5, 3])], [(true, 2), (true, 4)]);
        assert_eq!(
            [found(&[1, 2], &[3, 4, 5]), found(&[], &[1]), found(&[1], &[])],
            [(false, 4), (false, 0), (false, 0)]
        );
    }
}
