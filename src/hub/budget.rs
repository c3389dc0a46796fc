//! How much the hub may do in one turn, and how much it may hold.

use super::{Hub, Parcel, User};
use crate::limits::Limits;
use crate::marks::{Mark, mark};

/// What was put into outboxes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    /// As bytes copied.
    pub copies: usize,
    /// As bytes too, but each frame counted once: what one outbox may have got.
    pub said: usize,
}

impl Spent {
    /// Whether that reaches one of so many equal parts of what a turn may spend. So that whoever reads is never full by
    /// one turn, no outbox gets more than half a queue.
    pub fn reaches(self, parts: usize, limits: &Limits) -> bool {
        self.copies >= limits.fan_out / parts || self.said >= limits.queue / 2 / parts
    }
}

impl<L> Hub<L> {
    /// Accounts for a frame that so many outboxes got, as if all of them were native.
    pub(super) fn spend(&mut self, outboxes: usize, parcel: Parcel<'_>) {
        self.spent.said += parcel.as_bytes().len();
        self.spent.copies += outboxes * parcel.copied();
    }

    /// The same for small ones of so many bytes.
    pub(super) fn spend_copies(&mut self, outboxes: usize, len: usize) {
        self.spent.said += len;
        self.spent.copies += outboxes * len;
    }

    /// Whether this turn has put enough into outboxes: what else is asked waits for the next.
    pub fn is_spent(&self) -> bool {
        self.spent.reaches(1, &self.limits)
    }

    /// Bytes after which that is so, once they are in so many outboxes each.
    pub(super) fn spent_after(&self, outboxes: usize) -> usize {
        let copies = self.limits.fan_out.saturating_sub(self.spent.copies).div_ceil(outboxes.max(1));
        copies.min((self.limits.queue / 2).saturating_sub(self.spent.said))
    }

    /// Whether it is time for others, for a host that has asked much.
    pub fn is_half_spent(&self) -> bool {
        self.spent.reaches(2, &self.limits)
    }

    /// Bytes held now: queued, half received, or waiting to be carried out. What many hear is counted once.
    pub fn held(&self) -> usize {
        self.pool.held() + self.unread
    }

    /// Bytes sent so far that made room.
    pub fn drained(&self) -> u64 {
        self.drained
    }

    /// Whether that is as much as it may be.
    pub fn is_over_memory(&self) -> bool {
        self.held() >= self.limits.memory
    }

    /// Whether that is so much more that nothing else should be begun.
    pub fn is_far_over_memory(&self) -> bool {
        self.held() >= self.limits.memory.saturating_add(self.limits.memory_slack())
    }

    /// Whether that is so much more that not even what is begun can be finished.
    pub fn is_beyond_finishing(&self) -> bool {
        self.held() >= self.limits.memory.saturating_add(self.limits.memory_slack().saturating_mul(2))
    }

    /// Whether what is half received, or waits to be carried out, takes half of what may be held. Then no frame grows
    /// but one at a time, so that there is always room for those who ask for little.
    pub fn is_crowded(&self) -> bool {
        self.unread >= self.limits.memory / 2
    }

    /// Whether it is for the most part requests that wait to be carried out: nothing but that makes room then.
    pub fn is_clogged(&self) -> bool {
        self.pool.held() < self.limits.memory / 2
    }

    /// The user for whom most is held, present or not: without it, most would be free.
    pub fn largest(&self) -> Option<usize> {
        let weigh = |(slot, user): (usize, &User<L>)| (user.outbox.weight() + user.half_received(), slot);
        self.users.iter().map(weigh).max().filter(|(weight, _)| *weight > 0).map(|(_, slot)| slot)
    }

    /// Takes back what is queued for a user, but for the frame that is being sent.
    pub fn cut(&mut self, slot: usize) {
        if let Some(user) = self.users.get_mut(slot) {
            mark(Mark::OutboxCut);
            let dialect = user.dialect;
            user.outbox.cut(|front| dialect.frame_len(front), &mut self.pool);
        }
    }

    /// Whether memory is kept warm for outboxes that may need it.
    pub fn has_spare(&self) -> bool {
        self.pool.has_spare()
    }

    /// Gives back what of it was not needed since the last time. Returns the most that outboxes held meanwhile.
    pub fn trim(&mut self) -> usize {
        self.pool.trim()
    }

    /// Notes how much is held at the end of a turn.
    pub fn note_held(&mut self) {
        self.stats.most_held = self.stats.most_held.max(self.held() as u64);
    }
}
