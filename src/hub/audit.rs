//! Checks for tests: whether the memory account is what the hub holds, and whether sessions and rooms agree.

use super::Hub;
use super::allocation::{queue_bytes, vec_bytes};
use super::back_pressure::WAITER_COST;
use super::names::name_bytes;
use super::rooms::Departures;
use super::session::Session;

impl<L> Hub<L> {
    /// Every part of the account: what it is called, what is counted, and what is there, counted anew.
    pub fn audit(&self) -> Vec<(&'static str, usize, usize)> {
        let sessions = || self.sessions.slab.iter().map(|(_, session)| session);
        let waiters: usize =
            sessions().filter_map(|session| session.seldom.as_ref()).map(|seldom| seldom.waiters.len()).sum();
        let (mut rooms, mut histories) = (self.rooms.makers.held(), 0);
        for room in self.rooms.keys.iter().map(|&key| self.rooms.at(key)) {
            rooms += self.rooms.cost_of(&room.name) + room.members.held();
            let frames = room.history.events.iter().map(|kept| kept.frame.allocated());
            histories += queue_bytes(&room.history.events) + frames.sum::<usize>();
        }
        let departed = self.departures.sessions.iter().map(|(_, session)| Departures::COST + session.rooms.held());
        let names = self.names.table.iter().map(|(name, named)| name_bytes(name, named));
        let parts = vec![
            ("lists", self.account.lists, sessions().map(|session| session.rooms.held()).sum()),
            ("rooms", self.rooms.held(), rooms),
            ("histories", self.rooms.history_held(), histories),
            ("names", self.names.held(), names.sum()),
            (
                "departures",
                self.departures.held(),
                departed.sum::<usize>() + self.departures.by_name.values().map(vec_bytes).sum::<usize>(),
            ),
            ("waiters", self.account.waiters, waiters * WAITER_COST),
            (
                "unparsed",
                self.unparsed,
                sessions().filter(|session| session.is_open()).map(Session::unparsed_held).sum(),
            ),
        ];
        let structural = |name: &str| !["histories", "unparsed"].contains(&name);
        let found = parts.iter().filter(|(name, ..)| structural(name)).map(|(_, _, found)| found).sum::<usize>();
        [parts, vec![("structural", self.structural(), found)]].concat()
    }

    /// Checks that everything counted is there, and that each session's list of rooms and the rooms' members agree.
    ///
    /// # Panics
    ///
    /// If not.
    pub fn check_account(&self) {
        for (part, counted, found) in self.audit() {
            assert_eq!(counted, found, "{part}: counted, and found");
        }
        let mut memberships = 0;
        for &key in &self.rooms.keys {
            for (index, &slot) in (0..).zip(self.rooms.at(key).members.slots()) {
                assert_eq!(self.sessions[slot as usize].rooms.index_in(key), Some(index), "a member's own list");
                memberships += 1;
            }
        }
        let listed: usize = self.sessions.slab.iter().map(|(_, session)| session.rooms.len()).sum();
        assert_eq!(memberships, listed, "a room that a session is in has it as a member");
    }
}
