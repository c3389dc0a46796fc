//! RELAY: one body to the users named, each once.

use super::user::{HOST, User, slot_of};
use super::{Hub, Shared};
use crate::wire::{Answer, ErrorCode, Fault, Ids, Kind, Status, UserId, deliver_head};
use slab::Slab;
use std::borrow::Cow;

/// Whether a body can go to those whom a user named.
pub(super) enum Addressed {
    /// It can: `scratch` holds the receivers.
    Found,
    /// A receiver is full, and the user waits for it.
    Full,
    /// It names too many or none, and the user was told.
    Wrong,
}

/// The user with this id and its slot, where it is here.
fn present<L>(users: &mut Slab<User<L>>, id: UserId) -> Option<(usize, &mut User<L>)> {
    let slot = slot_of(id);
    users.get_mut(slot).filter(|user| user.id == id && user.present).map(|user| (slot, user))
}

impl<L> Hub<L> {
    /// Relays a body for the host program, as [`HOST`]. It can not be made to wait, so a full receiver refuses.
    /// Returns the status of each receiver, in the order asked.
    pub fn relay_for_host(&mut self, receivers: &[UserId], body: &[u8]) -> Vec<Status> {
        self.resolve(receivers.iter().copied());
        self.refuse_full(receivers);
        self.deliver(HOST, body.into(), body.len());
        self.scratch.statuses.iter().filter_map(|&byte| Status::of(byte)).collect()
    }

    /// Finds out whom the user in `slot` names, and whether all of them have room. One that has waited already is let
    /// in where others are not: else those who ask anew could keep it waiting for ever.
    pub(super) fn address(&mut self, slot: usize, tag: u16, receivers: Ids<'_>, has_waited: bool) -> Addressed {
        let (count, most) = (receivers.len(), self.limits.max_receivers);
        if !(1..=usize::from(most)).contains(&count) {
            let text = format!("RELAY names {count} receivers; name 1 to {most}");
            self.fail(slot, &Fault::new(ErrorCode::TooManyReceivers, Kind::Relay as u8, tag, text));
            return Addressed::Wrong;
        }
        self.resolve(receivers.iter());
        if self.wait_for_receivers(slot, has_waited) { Addressed::Full } else { Addressed::Found }
    }

    /// Answers with the statuses in `scratch`.
    pub(super) fn receipt(&mut self, slot: usize, tag: u16) {
        let statuses = std::mem::take(&mut self.scratch.statuses);
        self.say(slot, tag, &Answer::Receipt(&statuses));
        self.scratch.statuses = statuses;
    }

    /// Finds out who `ids` are: `scratch` then holds the distinct receivers, and a status for each id named.
    fn resolve(&mut self, ids: impl Iterator<Item = UserId>) {
        let stamp = self.next_stamp();
        self.scratch.any_full = false;
        self.scratch.receivers.clear();
        self.scratch.statuses.clear();
        for id in ids {
            let status = match present(&mut self.users, id) {
                None => Status::Unknown,
                Some((slot, user)) => {
                    if user.stamp != stamp {
                        user.stamp = stamp;
                        self.scratch.any_full |= user.full;
                        self.scratch.receivers.push(slot);
                    }
                    Status::Queued
                }
            };
            self.scratch.statuses.push(status as u8);
        }
    }

    /// Takes those who are full out of what `resolve` found.
    fn refuse_full(&mut self, ids: &[UserId]) {
        for (id, status) in ids.iter().zip(&mut self.scratch.statuses) {
            if present(&mut self.users, *id).is_some_and(|(_, user)| user.full) {
                *status = Status::Refused as u8;
            }
        }
        self.scratch.receivers.retain(|&slot| !self.users[slot].full);
    }

    /// A stamp that no user bears: receivers named twice are found without a set.
    fn next_stamp(&mut self) -> u32 {
        self.stamp = self.stamp.wrapping_add(1);
        if self.stamp == 0 {
            self.users.iter_mut().for_each(|(_, user)| user.stamp = 0);
            self.stamp = 1;
        }
        self.stamp
    }

    /// Puts a DELIVER into the outbox of each receiver in `scratch`. The body is the last `body_len` bytes of
    /// `request`.
    pub(super) fn deliver(&mut self, sender: UserId, request: Cow<'_, [u8]>, body_len: usize) {
        let head = deliver_head(sender, body_len);
        self.stats.relays += 1;
        self.stats.deliveries += self.scratch.receivers.len() as u64;
        if body_len >= self.limits.share_from {
            self.share(&Shared::new(&head, request, body_len));
        } else {
            self.copy(&head, &request[request.len() - body_len..]);
        }
    }

    fn share(&mut self, frame: &Shared) {
        for &slot in &self.scratch.receivers {
            let user = &mut self.users[slot];
            user.outbox.attach(frame.clone());
            user.told(slot, &mut self.agenda, self.limits.queue);
        }
    }

    fn copy(&mut self, head: &[u8], body: &[u8]) {
        let frame = &mut self.scratch.frame;
        frame.clear();
        frame.extend_from_slice(head);
        frame.extend_from_slice(body);
        for &slot in &self.scratch.receivers {
            let user = &mut self.users[slot];
            user.outbox.append(&mut self.runs, |run| run.extend_from_slice(frame));
            user.told(slot, &mut self.agenda, self.limits.queue);
        }
    }

    /// Makes the sender's requests wait for each receiver in `scratch` that has no room; says whether there is one.
    fn wait_for_receivers(&mut self, sender: usize, has_waited: bool) -> bool {
        if !self.scratch.any_full {
            return false;
        }
        let over = if has_waited { self.limits.queue.saturating_add(self.limits.queue / 2) } else { 0 };
        let receivers = std::mem::take(&mut self.scratch.receivers);
        let mut waits = false;
        for &receiver in &receivers {
            let user = &self.users[receiver];
            if user.full && user.outbox.queued() > over {
                self.wait_for(sender, receiver);
                waits = true;
            }
        }
        self.scratch.receivers = receivers;
        waits
    }
}
