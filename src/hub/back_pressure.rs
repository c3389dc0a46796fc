//! Whose requests wait, for what, and when they go on: for a full receiver to read, or for the next turn.

use super::Hub;
use super::budget::Spent;
use super::session::slot_of;
use crate::marks::{Mark, mark};
use crate::web::{Dialect, MOST_GROWTH};
use crate::wire::UserId;

impl<L> Hub<L> {
    /// Begins a turn: those whose requests waited for it go on, unless the hub holds as much as it may.
    pub fn begin_turn(&mut self) {
        (self.spent, self.parted) = (Spent::default(), Spent::default());
        self.tell_partings();
        if self.is_over_memory() {
            return;
        }
        for id in std::mem::take(&mut self.agenda.postponed) {
            self.begin_turn_of(id);
        }
    }

    /// Lets one user go on whose requests waited for a turn, though others have to wait.
    pub fn favour(&mut self, slot: usize) {
        if let Some(user) = self.users.get(slot).filter(|user| user.is_postponed) {
            let id = user.id;
            self.agenda.postponed.retain(|postponed| *postponed != id);
            self.begin_turn_of(id);
        }
    }

    fn begin_turn_of(&mut self, id: UserId) {
        if let Some(user) = self.users.get_mut(slot_of(id)).filter(|user| user.id == id) {
            user.is_postponed = false;
            user.go_on(slot_of(id), &mut self.agenda);
        }
    }

    /// Has a user's requests wait for the next turn where this one has done enough, or the hub holds as much as it may.
    pub(super) fn postpone_if_spent(&mut self, slot: usize) {
        if (self.is_spent() || self.is_over_memory())
            && let Some(user) = self.users.get_mut(slot).filter(|user| user.present)
        {
            user.waits_for += 1;
            mark(Mark::Postponed);
            user.is_postponed = true;
            self.agenda.postponed.push(user.id);
        }
    }

    /// Makes one user's requests wait until another is no longer full; a user may wait for itself.
    pub(super) fn wait_for(&mut self, sender: usize, receiver: usize) {
        let Some(user) = self.users.get_mut(sender) else { return };
        self.stats.waits += 1;
        user.waits_for += 1;
        let waiter = (user.id, user.wait);
        self.users[receiver].waiters.get_or_insert_default().push(waiter);
    }

    /// Lets go on those who wait for this user.
    pub(super) fn relieve(&mut self, slot: usize) {
        let waiters = self.users[slot].waiters.take();
        for (id, wait) in waiters.into_iter().flat_map(|waiters| *waiters) {
            let slot = slot_of(id);
            if let Some(user) = self.users.get_mut(slot).filter(|user| user.id == id && user.wait == wait) {
                user.go_on(slot, &mut self.agenda);
            }
        }
    }

    /// Has a user wait no more for the full, where it is full itself: those may wait for it in turn, and then nobody
    /// would ever go on. Whoever is in such a circle is full and waits, so if each of them does so for a bounded time
    /// only, no circle stands. Until it is full no longer, what it sends to the full is refused.
    ///
    /// Not so one that is queued more than others could have sent: it waits for itself, to read its own answers.
    pub fn break_circle(&mut self, slot: usize) {
        let Some(dialect) = self.users.get(slot).map(|user| user.dialect) else { return };
        let room = self.room_for_answers(dialect);
        let user = &mut self.users[slot];
        if user.full && user.is_held_up() && user.outbox.queued() <= room {
            mark(Mark::CircleBroken);
            user.is_impatient = true;
            user.wait = user.wait.wrapping_add(1);
            user.waits_for = 1 + u32::from(user.is_postponed) + u32::from(user.is_paced);
            user.go_on(slot, &mut self.agenda);
        }
    }

    /// Up to how many bytes may be queued for a user before its own requests wait for it to read the answers: more than
    /// others can fill (those who have waited are let in up to half as much again, each with a body, which may be
    /// longer in its dialect), so that nobody is kept from asking by what others send it.
    pub(super) fn room_for_answers(&self, dialect: Dialect) -> usize {
        let growth = if dialect.wraps() || dialect.is_guest() { 1 } else { MOST_GROWTH };
        self.limits.queue.saturating_mul(2).saturating_add((self.limits.max_body as usize).saturating_mul(growth))
    }
}
