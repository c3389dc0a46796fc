//! RELAY: one body to the users named, each once.

use super::user::{HOST, slot_of};
use super::{Hub, Shared};
use crate::limits::SHARE_FROM;
use crate::wire::{Status, UserId, deliver_head};
use std::borrow::Cow;

/// What a receiver with a full queue means for the one who relays to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenFull {
    /// It is served all the same, and the sender waits afterwards.
    Wait,
    /// It is passed over, and the sender is told.
    Refuse,
}

impl<L> Hub<L> {
    /// Relays a body for the host program, as [`HOST`]. It can not be made to wait, so a full receiver refuses.
    /// Returns the status of each receiver, in the order asked.
    pub fn relay_for_host(&mut self, receivers: &[UserId], body: &[u8]) -> Vec<Status> {
        self.resolve(receivers.iter().copied(), WhenFull::Refuse);
        self.deliver(HOST, body.into(), body.len());
        self.scratch.statuses.iter().filter_map(|&byte| Status::of(byte)).collect()
    }

    /// Finds out who `ids` are: `scratch` then holds the distinct receivers, and a status for each id named.
    pub(super) fn resolve(&mut self, ids: impl Iterator<Item = UserId>, when_full: WhenFull) {
        let stamp = self.next_stamp();
        self.scratch.receivers.clear();
        self.scratch.statuses.clear();
        for id in ids {
            let slot = slot_of(id);
            let user = self.users.get_mut(slot).filter(|user| user.id == id && user.present);
            let status = match user {
                None => Status::Unknown,
                Some(user) if user.full && when_full == WhenFull::Refuse => Status::Refused,
                Some(user) => {
                    if user.stamp != stamp {
                        user.stamp = stamp;
                        self.scratch.receivers.push(slot);
                    }
                    Status::Queued
                }
            };
            self.scratch.statuses.push(status as u8);
        }
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
    /// `request`. Says whether any of them is full now.
    pub(super) fn deliver(&mut self, sender: UserId, request: Cow<'_, [u8]>, body_len: usize) -> bool {
        let head = deliver_head(sender, body_len);
        self.stats.relays += 1;
        self.stats.deliveries += self.scratch.receivers.len() as u64;
        if body_len >= SHARE_FROM {
            self.share(&Shared::new(&head, request, body_len))
        } else {
            self.copy(&head, &request[request.len() - body_len..])
        }
    }

    fn share(&mut self, frame: &Shared) -> bool {
        let mut any_full = false;
        for &slot in &self.scratch.receivers {
            let user = &mut self.users[slot];
            user.outbox.attach(frame.clone());
            user.told(slot, &mut self.agenda, self.limits.queue);
            any_full |= user.full;
        }
        any_full
    }

    fn copy(&mut self, head: &[u8], body: &[u8]) -> bool {
        let frame = &mut self.scratch.frame;
        frame.clear();
        frame.extend_from_slice(head);
        frame.extend_from_slice(body);
        let mut any_full = false;
        for &slot in &self.scratch.receivers {
            let user = &mut self.users[slot];
            user.outbox.append(&mut self.runs, |run| run.extend_from_slice(frame));
            user.told(slot, &mut self.agenda, self.limits.queue);
            any_full |= user.full;
        }
        any_full
    }

    /// Makes the sender's requests wait for each receiver in `scratch` that is full.
    pub(super) fn wait_for_receivers(&mut self, sender: usize) {
        let receivers = std::mem::take(&mut self.scratch.receivers);
        for &receiver in receivers.iter().filter(|&&receiver| receiver != sender) {
            if self.users[receiver].full {
                self.wait_for(sender, receiver);
            }
        }
        self.scratch.receivers = receivers;
    }
}
