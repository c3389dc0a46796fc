//! RELAY and SEND: one body to the users or the names given, to each session once.

use super::outbox::{Parcel, Shared};
use super::session::{HOST, User, slot_of};
use super::{Hub, Scratch, name};
use crate::limits::IfFull;
use crate::marks::{Mark, mark};
use crate::wire::{Answer, ErrorCode, Fault, Frame, Ids, Kind, Names, Status, UserId, deliver_head, mail_head};
use slab::Slab;
use std::borrow::Cow;

/// Whether a body can go to those whom a user named.
pub(super) enum Addressed {
    /// It can: `scratch` holds the receivers.
    Found,
    /// A receiver is full, and the user waits for it.
    Full,
    /// The list of them will not do, and the user was told.
    Wrong,
}

/// The user with this id and its slot, where it is here.
fn known<L>(users: &mut Slab<User<L>>, id: UserId) -> Option<(usize, &mut User<L>)> {
    let slot = slot_of(id);
    users.get_mut(slot).filter(|user| user.id == id && user.is_known()).map(|user| (slot, user))
}

/// Puts a user on the list of receivers, once for each stamp.
fn include<L>(scratch: &mut Scratch, slot: usize, user: &mut User<L>, stamp: u32, if_full: IfFull) -> Status {
    if user.full && if_full == IfFull::Refuse {
        mark(Mark::Refused);
        scratch.refused += 1;
        return Status::Refused;
    }
    if user.stamp != stamp {
        user.stamp = stamp;
        scratch.any_full |= user.full;
        scratch.receivers.push(slot as u32);
    }
    Status::Queued
}

impl<L> Hub<L> {
    /// Relays a body for the host program, as [`HOST`]. It can not be made to wait, so a full receiver refuses.
    /// Returns the status of each receiver, in the order asked.
    pub fn relay_for_host(&mut self, receivers: &[UserId], body: &[u8]) -> Vec<Status> {
        self.resolve_users(receivers.iter().copied(), IfFull::Refuse);
        self.refuse_all_if_over_memory();
        self.deliver(Kind::Deliver, &deliver_head(HOST, body.len()), body.into(), body.len());
        self.statuses()
    }

    /// Sends a body to names for the host program, as [`relay_for_host`](Hub::relay_for_host) does to users. A name is
    /// refused where any of its sessions is.
    pub fn send_for_host(&mut self, names: &[&str], body: &[u8]) -> Vec<Status> {
        self.resolve_names(names.iter().copied(), IfFull::Refuse);
        self.refuse_all_if_over_memory();
        self.send_mail(HOST, "", body.into(), body.len());
        self.statuses()
    }

    /// What the host asks can not be left unread; so where the hub holds as much as it may, it is refused.
    fn refuse_all_if_over_memory(&mut self) {
        if self.is_over_memory() {
            self.scratch.refused += self.scratch.receivers.len() as u32;
            self.scratch.receivers.clear();
            let queued = self.scratch.statuses.iter_mut().filter(|status| **status == Status::Queued as u8);
            queued.for_each(|status| *status = Status::Refused as u8);
        }
    }

    fn statuses(&self) -> Vec<Status> {
        self.scratch.statuses.iter().filter_map(|&byte| Status::of(byte)).collect()
    }

    /// Finds out whom the user in `slot` names by id, and whether all of them have room. One that has waited already is
    /// let in where others are not: else those who ask anew could keep it waiting for ever.
    pub(super) fn address_users(&mut self, slot: usize, tag: u16, users: Ids<'_>, has_waited: bool) -> Addressed {
        if !self.has_right_count(slot, tag, Kind::Relay, users.len()) {
            return Addressed::Wrong;
        }
        self.resolve_users(users.iter(), self.if_full_for(slot));
        self.wait_for_the_full(slot, has_waited)
    }

    /// Finds out who has the names that the user in `slot` gives, as [`address_users`](Hub::address_users) does.
    pub(super) fn address_names(&mut self, slot: usize, tag: u16, names: Names<'_>, has_waited: bool) -> Addressed {
        if !self.has_right_count(slot, tag, Kind::Send, names.len()) {
            return Addressed::Wrong;
        }
        if let Some((number, why)) =
            names.iter().zip(1..).find_map(|(name, number)| Some((number, name::name_fault(name)?)))
        {
            let text = format!("SEND: name {number}: {why}");
            self.fail(slot, &Fault::new(ErrorCode::BadName, Kind::Send as u8, tag, text));
            return Addressed::Wrong;
        }
        self.resolve_names(names.iter(), self.if_full_for(slot));
        self.wait_for_the_full(slot, has_waited)
    }

    /// What becomes of what the user in `slot` sends to the full.
    fn if_full_for(&self, slot: usize) -> IfFull {
        if self.users[slot].is_impatient { IfFull::Refuse } else { self.limits.if_full }
    }

    /// Whether so many receivers may be named; the user in `slot` is told where not.
    #[inline]
    fn has_right_count(&mut self, slot: usize, tag: u16, kind: Kind, count: usize) -> bool {
        let is_right = (1..=usize::from(self.limits.max_receivers)).contains(&count);
        if !is_right {
            self.refuse_count(slot, tag, kind, count);
        }
        is_right
    }

    #[cold]
    fn refuse_count(&mut self, slot: usize, tag: u16, kind: Kind, count: usize) {
        let text = format!("{} names {count} receivers; name 1 to {}", kind.name(), self.limits.max_receivers);
        self.fail(slot, &Fault::new(ErrorCode::TooManyReceivers, kind as u8, tag, text));
    }

    /// Carries out a RELAY or SEND whose receivers were looked for, or gives it back where it has to wait for them.
    pub(super) fn pass_on<'a>(
        &mut self,
        slot: usize,
        frame: Frame<'a>,
        addressed: Addressed,
        body_len: usize,
        receipt: bool,
    ) -> Result<(), Frame<'a>> {
        match addressed {
            Addressed::Wrong => return Ok(()),
            Addressed::Full => return Err(frame),
            Addressed::Found => {}
        }
        let (kind, tag) = (frame.header.kind, frame.header.tag);
        if kind == Kind::Relay as u8 {
            self.deliver(Kind::Deliver, &deliver_head(self.users[slot].id, body_len), frame.into_bytes(), body_len);
        } else {
            let User { id, name, .. } = &self.users[slot];
            let (id, name) = (*id, name.clone());
            self.send_mail(id, name.as_deref().unwrap_or_default(), frame.into_bytes(), body_len);
        }
        if receipt {
            self.receipt(slot, tag, kind == Kind::Relay as u8);
        } else if self.scratch.refused > 0 {
            mark(Mark::RefusedWithoutReceipt);
            self.say_refused(slot, tag, kind);
        }
        Ok(())
    }

    /// Tells who asked for no receipt that some receivers are full: nothing that is addressed is lost in silence.
    fn say_refused(&mut self, slot: usize, tag: u16, kind: u8) {
        let (count, full) =
            (self.scratch.refused, if self.limits.if_full == IfFull::Refuse { "" } else { ", as is yours" });
        let text = format!("not delivered to {count} receivers: their queues are full{full}; read, then try again");
        self.fail(slot, &Fault::new(ErrorCode::LimitReached, kind, tag, text));
    }

    /// Answers with the statuses in `scratch`.
    fn receipt(&mut self, slot: usize, tag: u16, for_relay: bool) {
        let statuses = std::mem::take(&mut self.scratch.statuses);
        let answer = if for_relay { Answer::Receipt(&statuses) } else { Answer::SendReceipt(&statuses) };
        self.say(slot, tag, &answer);
        self.scratch.statuses = statuses;
    }

    /// Finds out who `ids` are: `scratch` then holds the distinct receivers, and a status for each id named.
    fn resolve_users(&mut self, ids: impl Iterator<Item = UserId>, if_full: IfFull) {
        let stamp = self.begin_resolving();
        for id in ids {
            let status = match known(&mut self.users, id) {
                None => Status::Unknown,
                Some((slot, user)) => include(&mut self.scratch, slot, user, stamp, if_full),
            };
            self.scratch.statuses.push(status as u8);
        }
    }

    /// Finds out which sessions `names` have, as [`resolve_users`](Hub::resolve_users) does.
    fn resolve_names<'n>(&mut self, names: impl Iterator<Item = &'n str>, if_full: IfFull) {
        let stamp = self.begin_resolving();
        for name in names {
            let mut all = Status::Unknown;
            for slot in self.directory.sessions(name).iter().map(|&slot| slot as usize) {
                let status = include(&mut self.scratch, slot, &mut self.users[slot], stamp, if_full);
                all = if all == Status::Refused { all } else { status };
            }
            self.scratch.statuses.push(all as u8);
        }
    }

    /// Empties `scratch`, and returns a stamp that no user bears: receivers named twice are found without a set.
    fn begin_resolving(&mut self) -> u32 {
        self.fire();
        self.scratch.any_full = false;
        self.scratch.refused = 0;
        self.scratch.receivers.clear();
        self.scratch.statuses.clear();
        self.stamp = self.stamp.wrapping_add(1);
        if self.stamp == 0 {
            self.users.iter_mut().for_each(|(_, user)| user.stamp = 0);
            self.stamp = 1;
        }
        self.stamp
    }

    /// Puts a MAIL into the outbox of each receiver in `scratch`; the rest is as in [`deliver`](Hub::deliver).
    fn send_mail(&mut self, sender: UserId, name: &str, request: Cow<'_, [u8]>, body_len: usize) {
        self.last_mail += 1;
        let mut head = std::mem::take(&mut self.scratch.head);
        head.clear();
        mail_head(self.last_mail, self.unix_ms, sender, name, body_len, &mut head);
        self.deliver(Kind::Mail, &head, request, body_len);
        self.scratch.head = head;
    }

    /// Puts `head` and a body into the outbox of each receiver in `scratch`. The body is the last `body_len` bytes of
    /// `request`.
    fn deliver(&mut self, kind: Kind, head: &[u8], request: Cow<'_, [u8]>, body_len: usize) {
        self.stats.frames.count(kind, self.scratch.receivers.len() as u64, head.len() + body_len);
        self.stats.refused += u64::from(self.scratch.refused);
        if body_len >= self.limits.share_from {
            mark(Mark::SharedFrame);
            let frame = Shared::new(head, request, body_len);
            return self.put(Parcel::Large(&frame));
        }
        let mut frame = std::mem::take(&mut self.scratch.frame);
        frame.clear();
        frame.extend_from_slice(head);
        frame.extend_from_slice(&request[request.len() - body_len..]);
        self.put(Parcel::Small(&frame));
        self.scratch.frame = frame;
    }

    #[inline(always)]
    fn put(&mut self, parcel: Parcel<'_>) {
        let receivers = std::mem::take(&mut self.scratch.receivers);
        self.spend(receivers.len(), parcel);
        self.post_to(&receivers, None, parcel, false);
        self.scratch.receivers = receivers;
    }

    /// Has the sender wait where a receiver in `scratch` is full.
    #[inline]
    fn wait_for_the_full(&mut self, sender: usize, has_waited: bool) -> Addressed {
        let waits = self.scratch.any_full && self.wait_for_receivers(sender, has_waited);
        if waits { Addressed::Full } else { Addressed::Found }
    }

    /// Makes the sender's requests wait for each receiver in `scratch` that has no room; says whether there is one.
    #[cold]
    fn wait_for_receivers(&mut self, sender: usize, has_waited: bool) -> bool {
        let over = if has_waited { self.limits.queue.saturating_add(self.limits.queue / 2) } else { 0 };
        let receivers = std::mem::take(&mut self.scratch.receivers);
        let mut waits = false;
        for receiver in receivers.iter().map(|&slot| slot as usize) {
            let user = &self.users[receiver];
            if user.full && user.outbox.queued() > over {
                self.wait_for(sender, receiver);
                if self.limits.if_full == IfFull::Close {
                    self.agenda.choked.push(receiver);
                }
                mark(Mark::SenderWaits);
                waits = true;
            } else if user.full {
                mark(Mark::LetInOverTheLimit);
            }
        }
        self.scratch.receivers = receivers;
        waits
    }
}
