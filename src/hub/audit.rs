//! Checks for tests: whether the memory account is what the hub holds, and whether sessions and rooms agree.

use super::Hub;
use super::allocation::vec_bytes;
use super::back_pressure::WAITER_COST;
use super::names::name_bytes;
use super::rooms::Departures;
use super::session::{Dirty, Session};
use super::waits::Reason;
use crate::wire::UserId;
use std::collections::HashSet;

impl<L> Hub<L> {
    /// Every part of the account: what it is called, what is counted, and what is there, counted anew.
    pub fn audit(&self) -> Vec<(&'static str, usize, usize)> {
        let sessions = || self.sessions.slab.iter().map(|(_, session)| session);
        let waiters: usize =
            sessions().filter_map(|session| session.seldom.as_ref()).map(|seldom| seldom.waiters.len()).sum();
        let (mut rooms, mut histories) = (self.rooms.makers.held(), 0);
        for room in self.rooms.keys.iter().map(|&key| self.rooms.at(key)) {
            rooms += self.rooms.cost_of(&room.name) + room.members.held();
            histories += room.history.counted();
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
            ("queued", self.fan_out.pool.held(), self.outboxes_held()),
            (
                "unparsed",
                self.unparsed,
                sessions().filter(|session| session.is_open()).map(Session::unparsed_held).sum(),
            ),
        ];
        let structural = |name: &str| !["histories", "queued", "unparsed"].contains(&name);
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
        self.check_memberships();
        self.check_waits();
    }

    /// What all outboxes hold. A frame that several of them point to counts once.
    fn outboxes_held(&self) -> usize {
        let mut shared = HashSet::new();
        let outboxes = self.sessions.slab.iter().map(|(_, session)| &session.outbox);
        outboxes.map(|outbox| outbox.held_beside(&mut shared)).sum()
    }

    fn check_memberships(&self) {
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

    /// Checks that a session waits for its next share, or with a long request, if and only if it is in the queue of
    /// those that do. A long request that waits for its own reader is in none.
    fn check_waits(&self) {
        let postponed: HashSet<UserId> = self.sessions.effects.postponed.iter().copied().collect();
        let long: HashSet<UserId> = self.long_requests.iter().copied().collect();
        for (_, session) in self.sessions.slab.iter().filter(|(_, session)| session.is_open()) {
            let (id, waits) = (session.id, session.waits);
            assert_eq!(waits.is_blocked_by(Reason::NextTurn), postponed.contains(&id), "{id} waits for its share");
            assert_eq!(waits.is_blocked_by(Reason::LongRequest), session.has_long_request(), "{id} has a long request");
            let is_queued = session.has_long_request() && !waits.is_blocked_by(Reason::OwnAnswers);
            assert_eq!(is_queued, long.contains(&id), "the long request of {id} is queued");
        }
    }

    /// Checks that the parts of this turn have cost no more than they may, but for `beyond` by their last steps.
    ///
    /// # Panics
    ///
    /// If not.
    pub fn check_spent(&self, beyond: usize) {
        let (budget, most) = (&self.budget, self.budget.most.copied);
        assert!(budget.requests.copied <= most + beyond, "requests in a turn: {:?} of {most}", budget.requests);
        assert!(budget.long_requests.copied <= most / 4 + beyond, "long requests: {:?}", budget.long_requests);
        assert!(budget.departures.copied <= most / 2 + beyond, "departures in a turn: {:?}", budget.departures);
    }

    /// Checks that those are filed as holders that hold something, but for what was queued since they were last
    /// flushed.
    ///
    /// # Panics
    ///
    /// If not.
    pub fn check_holders(&self) {
        let filed: HashSet<usize> = self.holders().collect();
        assert_eq!(filed.len(), self.holders().count(), "no holder is filed twice");
        for (slot, session) in &self.sessions.slab {
            let holds = session.outbox.bound() + session.unparsed_held() > 0;
            let is_new = session.dirty != Dirty::No;
            assert!(is_new || holds == filed.contains(&slot), "{} holds something: {holds}", session.id);
        }
        assert!(filed.iter().all(|&slot| self.sessions.get(slot).is_some()), "each holder is there");
    }
}
