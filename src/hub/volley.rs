//! A volley: what one user says to the same receivers time and again, in one breath, is put together first, and copied
//! into each outbox in one piece.
//!
//! Owns nothing that outlives a [`feed`](Hub::feed). It changes no order, for whatever else goes into an outbox has it
//! [fired](Hub::fire) first; and it meets no limit later than one by one, for only as much waits as makes nobody full.

use super::{Hub, Parcel, Scratch};
use crate::limits::RUN_FULL;
use crate::marks::{Mark, mark};
use crate::wire::{Ids, Kind, deliver_head};

/// Whom a volley is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Aim {
    /// Nobody: there is none.
    #[default]
    Nobody,
    /// Those whom a RELAY named, by the ids in [`Volley::ids`].
    Users,
    /// The members of a room, but for one slot.
    Room { key: u32, except: Option<usize> },
}

/// The frames that wait, and for whom.
#[derive(Debug, Default)]
pub(super) struct Volley {
    aim: Aim,
    ids: Vec<u8>,
    /// The receivers, as slots, of whom none is full.
    receivers: Vec<u32>,
    frames: Vec<u8>,
    /// Bytes that may wait, once a second frame has come and they were counted.
    room: Option<usize>,
    /// Whether more of what the user asked is at hand, so that a volley may come of it.
    pub may_come: bool,
}

impl Volley {
    /// Notes whom a small frame is for, so that the next one may join it; with the `ids` that a RELAY named.
    pub fn aim(&mut self, aim: Aim, ids: &[u8], receivers: impl Iterator<Item = u32>) {
        (self.aim, self.room) = (aim, None);
        self.ids.clear();
        self.ids.extend_from_slice(ids);
        self.receivers.clear();
        self.receivers.extend(receivers);
    }
}

impl<L> Hub<L> {
    /// After a RELAY was addressed: where all of its receivers have room, the next one may join it.
    pub(super) fn aim_at_users(&mut self, receivers: Ids<'_>, body_len: usize) {
        let Scratch { any_full, refused, receivers: slots, .. } = &self.scratch;
        if self.volley.may_come && !any_full && *refused == 0 && body_len < self.limits.share_from {
            self.volley.aim(Aim::Users, receivers.as_bytes(), slots.iter().copied());
        }
    }

    /// After an event was told to all in a room who are to hear it: the next one may join it.
    pub(super) fn aim_at_room(&mut self, key: u32, except: Option<usize>) {
        if self.volley.may_come {
            let slots = self.rooms.at(key).members.slots_but(except);
            self.volley.aim(Aim::Room { key, except }, &[], slots.map(|slot| slot as u32));
        }
    }

    /// Relays a body once more to whom the last one went, where it did: nothing about them is looked up again.
    pub(super) fn relay_again(&mut self, slot: usize, receivers: Ids<'_>, body: &[u8]) -> bool {
        let is_same = self.volley.aim == Aim::Users && self.volley.ids == receivers.as_bytes();
        if !is_same || body.len() >= self.limits.share_from {
            return false;
        }
        let head = deliver_head(self.users[slot].id, body.len());
        self.join_volley(Kind::Deliver, &head, body)
    }

    /// Tells an event to those whom the last one was told, where it was of the same room.
    pub(super) fn tell_again(&mut self, key: u32, except: Option<usize>, frame: &[u8]) -> bool {
        self.volley.aim == Aim::Room { key, except } && self.join_volley(Kind::Event, frame, &[])
    }

    fn join_volley(&mut self, kind: Kind, head: &[u8], body: &[u8]) -> bool {
        let len = head.len() + body.len();
        let room = self.volley.room.unwrap_or_else(|| self.room_for_volley());
        self.volley.room = Some(room);
        if self.volley.frames.len() + len > room {
            return false;
        }
        self.volley.frames.extend_from_slice(head);
        self.volley.frames.extend_from_slice(body);
        let receivers = self.volley.receivers.len();
        self.stats.frames.count(kind, receivers as u64, len);
        self.spend_copies(receivers, len);
        true
    }

    /// Bytes that fit into every receiver's queue, and as often into what the hub may hold.
    fn room_for_volley(&self) -> usize {
        mark(Mark::Volley);
        let queued = |&slot: &u32| self.users[slot as usize].outbox.queued();
        let most = self.volley.receivers.iter().map(queued).max().unwrap_or_default();
        let memory = self.limits.memory.saturating_sub(self.held()) / self.volley.receivers.len().max(1);
        self.limits.queue.saturating_sub(most).min(memory).min(RUN_FULL)
    }

    /// Copies what waits into the outboxes, if anything does.
    #[inline]
    pub(super) fn fire(&mut self) {
        if self.volley.aim != Aim::Nobody {
            self.fire_it();
        }
    }

    fn fire_it(&mut self) {
        self.volley.aim = Aim::Nobody;
        if self.volley.frames.is_empty() {
            return;
        }
        for slot in self.volley.receivers.iter().map(|&slot| slot as usize) {
            let user = &mut self.users[slot];
            user.outbox.post(Parcel::Small(&self.volley.frames), &mut self.pool);
            user.told(slot, &mut self.agenda, self.limits.queue);
        }
        self.volley.frames.clear();
    }
}
