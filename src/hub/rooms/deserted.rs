//! The rooms without members, which remember their events for a while: which of them expires next, and which gives way
//! to a new room.

use super::history::History;
use crate::deadlines::{Deadlines, Hooks};
use crate::limits::LITTLE_HISTORY;
use std::time::Duration;

/// How much is lost with a room. Those of which less is lost give way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Worth {
    /// It remembers who came and went at most.
    Nothing,
    /// It remembers a few messages.
    Little,
    /// It remembers more.
    Much,
}

impl Worth {
    /// The worth of a room that remembers this.
    pub fn of(history: &History) -> Worth {
        match history.body_bytes() {
            0 => Worth::Nothing,
            bytes if bytes <= LITTLE_HISTORY => Worth::Little,
            _ => Worth::Much,
        }
    }
}

/// Lists of these rooms, one for each [`Worth`], each in the order in which the rooms were last used. All operations
/// take the same time, however many rooms there are.
#[derive(Debug)]
pub struct Deserted {
    lists: [Deadlines; 3],
    len: usize,
}

impl Deserted {
    /// No rooms. They expire after this time.
    pub fn new(history_time: Duration) -> Deserted {
        Deserted { lists: [0; 3].map(|_| Deadlines::exact(0, history_time)), len: 0 }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds a room, which was used just now.
    pub fn push(&mut self, rooms: &mut impl Hooks, key: u32, worth: Worth, now: Duration) {
        self.lists[worth as usize].push(rooms, key, now);
        self.len += 1;
    }

    /// Removes a room, which was added with this worth.
    pub fn remove(&mut self, rooms: &mut impl Hooks, key: u32, worth: Worth, now: Duration) {
        self.lists[worth as usize].remove(rooms, key, now);
        self.len -= 1;
    }

    /// When the next room expires.
    pub fn next_expiry(&self) -> Option<Duration> {
        self.lists.iter().filter_map(Deadlines::next).min()
    }

    /// Removes a room that has expired.
    pub fn pop_expired(&mut self, rooms: &mut impl Hooks, now: Duration) -> Option<u32> {
        let expired = self.lists.iter_mut().find_map(|list| list.pop(rooms, now));
        self.len -= usize::from(expired.is_some());
        expired
    }

    /// The room that gives way first: of those that are worth least, the one that was not used for the longest time.
    pub fn first(&self) -> Option<u32> {
        self.lists.iter().find_map(Deadlines::first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadlines::Hook;

    #[test]
    fn the_least_valuable_goes_first_and_of_these_the_least_recently_used() {
        let mut hooks = vec![Hook::new(); 6];
        let (mut deserted, secs) = (Deserted::new(Duration::from_secs(60)), Duration::from_secs);
        let worths = [Worth::Much, Worth::Little, Worth::Little, Worth::Nothing, Worth::Much, Worth::Nothing];
        for (key, worth) in (0..).zip(worths) {
            deserted.push(&mut hooks, key, worth, secs(key.into()));
        }
        assert_eq!((deserted.len(), deserted.next_expiry()), (6, Some(secs(60))));
        let mut order = Vec::new();
        while let Some(key) = deserted.first() {
            order.push(key);
            deserted.remove(&mut hooks, key, worths[key as usize], secs(9));
        }
        assert_eq!((order, deserted.len()), (vec![3, 5, 1, 2, 0, 4], 0));
    }

    #[test]
    fn rooms_expire_whatever_they_are_worth() {
        let mut hooks = vec![Hook::new(); 2];
        let (mut deserted, secs) = (Deserted::new(Duration::from_secs(60)), Duration::from_secs);
        deserted.push(&mut hooks, 0, Worth::Much, secs(0));
        deserted.push(&mut hooks, 1, Worth::Nothing, secs(1));
        assert_eq!(deserted.pop_expired(&mut hooks, secs(60)), Some(0));
        assert_eq!((deserted.pop_expired(&mut hooks, secs(60)), deserted.next_expiry()), (None, Some(secs(61))));
        assert_eq!((deserted.pop_expired(&mut hooks, secs(61)), deserted.len()), (Some(1), 0));
    }
}
