//! RELAY and SEND: one body to the ids or the names given, to each session once.

use super::Hub;
use super::budget::Cost;
use super::codec::RequestContext;
use super::payload::{Body, Payload, SharedFrame};
use super::receivers::Receivers;
use super::session_id::HOST;
use crate::limits::{IfFull, NAME_COST, REQUEST_COST, SCAN_COST};
use crate::marks::{Mark, mark};
use crate::name::name_fault;
use crate::wire::{Answer, ErrorCode, Ids, Kind, Names, Status, UserId, deliver_head, mail_head};

/// What is left to do for a request.
pub(super) enum Step {
    /// Nothing.
    Done,
    /// The request has to wait for a full receiver, and is not executed.
    Blocked,
    /// Its receivers are known: the body is to be delivered.
    Deliver(Delivery),
}

/// How a request names its receivers.
#[derive(Clone, Copy, Debug)]
enum Addressed {
    /// By ids: a RELAY, which is received as DELIVER.
    ByIds,
    /// By names: a SEND, which is received as MAIL.
    ByNames,
}

/// A body whose receivers are known and have room. What is left is to [deliver](Hub::deliver) it.
#[derive(Debug)]
pub(super) struct Delivery {
    addressed: Addressed,
    receivers: Box<Receivers>,
    /// Bytes of the body, which ends the request.
    pub body_len: usize,
    /// Whether the sender asks for the statuses.
    receipt: bool,
}

impl<L> Hub<L> {
    /// RELAY: resolves the ids. If one of the receivers is full, the session waits for it. If it `waited` before, it
    /// may exceed the queue limit: otherwise new senders could keep it waiting for ever.
    #[inline]
    pub(super) fn relay(
        &mut self,
        slot: usize,
        context: &RequestContext<'_>,
        (ids, body_len, receipt): (Ids<'_>, usize, bool),
        waited: bool,
    ) -> Step {
        if !self.is_valid_count(ids.len()) {
            return self.fail_count(slot, context, Kind::Relay, ids.len());
        }
        self.flush_batch();
        let refuse_full = self.refuses_full(slot);
        let receivers = self.resolver.resolve_ids(&mut self.sessions, ids.iter(), refuse_full);
        if receivers.any_full && self.wait_for_receivers(slot, &receivers, waited, 1) {
            self.resolver.recycle(receivers);
            return Step::Blocked;
        }
        if !receipt && !receivers.any_full && receivers.refused == 0 {
            self.open_batch_for_users(ids, &receivers.slots, body_len);
        }
        Step::Deliver(Delivery { addressed: Addressed::ByIds, receivers, body_len, receipt })
    }

    /// SEND: resolves the names, and waits as [`relay`](Hub::relay) does.
    pub(super) fn send(
        &mut self,
        slot: usize,
        context: &RequestContext<'_>,
        (names, body_len, receipt): (Names<'_>, usize, bool),
        waited: bool,
    ) -> Step {
        if !self.is_valid_count(names.len()) {
            return self.fail_count(slot, context, Kind::Send, names.len());
        }
        let bad = names.iter().zip(1..).find_map(|(name, number)| Some((number, name_fault(name)?)));
        if let Some((number, why)) = bad {
            self.fail_request(slot, context, Kind::Send, ErrorCode::BadName, format!("SEND: name {number}: {why}"));
            return Step::Done;
        }
        self.flush_batch();
        let refuse_full = self.refuses_full(slot);
        let receivers = self.resolver.resolve_names(&mut self.sessions, &mut self.names, names.iter(), refuse_full);
        self.budget.requests.copied += names.len() * NAME_COST;
        // Any session of a name that is no longer full takes the body: wait for all, whichever drains first.
        if receivers.any_full && self.wait_for_receivers(slot, &receivers, waited, usize::MAX) {
            self.resolver.recycle(receivers);
            return Step::Blocked;
        }
        Step::Deliver(Delivery { addressed: Addressed::ByNames, receivers, body_len, receipt })
    }

    fn is_valid_count(&self, count: usize) -> bool {
        (1..=usize::from(self.limits.max_receivers)).contains(&count)
    }

    #[cold]
    fn fail_count(&mut self, slot: usize, context: &RequestContext<'_>, kind: Kind, count: usize) -> Step {
        let text = format!("{} names {count} receivers; name 1 to {}", kind.name(), self.limits.max_receivers);
        self.fail_request(slot, context, kind, ErrorCode::TooManyReceivers, text);
        Step::Done
    }

    /// Whether what this session sends to full receivers is refused rather than waited for.
    fn refuses_full(&self, slot: usize) -> bool {
        self.limits.if_full == IfFull::Refuse || self.sessions[slot].waits.has_given_up()
    }

    /// Makes the sender wait for the first receivers that have no room, at most so `many`, until one of them has.
    /// Returns whether there are any. A sender that `waited` before may fill a queue to 1.5 times the limit.
    #[cold]
    fn wait_for_receivers(&mut self, sender: usize, receivers: &Receivers, waited: bool, many: usize) -> bool {
        let limit = if waited { self.sessions.queue_window.saturating_mul(3) / 2 } else { 0 };
        let full = receivers.slots.iter().map(|&slot| slot as usize).filter(|&slot| self.sessions[slot].is_full());
        let without_room = full.filter(|&slot| self.sessions[slot].outbox.queued() > limit);
        let without_room: Vec<usize> = without_room.collect();
        if without_room.is_empty() {
            mark(Mark::LetInOverTheLimit);
            return false;
        }
        mark(Mark::SenderWaits);
        self.stats.waits += 1;
        without_room.iter().take(many).for_each(|&receiver| self.wait_for(sender, receiver));
        if self.limits.if_full == IfFull::Close {
            self.sessions.effects.overflowed.extend(without_room);
        }
        self.budget.requests += Cost::work(REQUEST_COST + receivers.statuses.len() * SCAN_COST);
        true
    }

    /// Delivers a body to its receivers, and answers the sender if it asks for a receipt.
    #[inline]
    pub(super) fn deliver(&mut self, slot: usize, context: &RequestContext<'_>, delivery: Delivery, body: Body<'_>) {
        let Delivery { addressed, receivers, receipt, body_len: _ } = delivery;
        let sender = self.sessions[slot].id;
        let (kind, answer) = match addressed {
            Addressed::ByIds => {
                self.post_relay(sender, body, &receivers);
                (Kind::Relay, Answer::Receipt(&receivers.statuses))
            }
            Addressed::ByNames => {
                let name = self.sessions[slot].name.clone();
                self.post_mail(sender, name.as_deref().unwrap_or_default(), body, &receivers);
                (Kind::Send, Answer::SendReceipt(&receivers.statuses))
            }
        };
        if receipt {
            self.reply(slot, context, &answer);
        } else if receivers.refused > 0 {
            self.fail_refused(slot, context, kind, receivers.refused);
        }
        self.resolver.recycle(receivers);
    }

    /// Sends error 8 to a sender that asked for no receipt if receivers are full: no RELAY or SEND is lost silently.
    #[cold]
    fn fail_refused(&mut self, slot: usize, context: &RequestContext<'_>, kind: Kind, count: u32) {
        mark(Mark::RefusedWithoutReceipt);
        let advice = if self.sessions[slot].full { ", as is yours; read, then try again" } else { "; try again later" };
        let text = format!("not delivered to {count} receivers: their queues are full{advice}");
        self.fail_request(slot, context, kind, ErrorCode::LimitReached, text);
    }

    #[inline]
    fn post_relay(&mut self, sender: UserId, body: Body<'_>, receivers: &Receivers) {
        self.post_body(Kind::Deliver, &deliver_head(sender, body.len()), body, receivers);
    }

    #[inline]
    fn post_mail(&mut self, sender: UserId, name: &str, body: Body<'_>, receivers: &Receivers) {
        self.last_mail += 1;
        let mut head = std::mem::take(&mut self.scratch.head);
        head.clear();
        mail_head(self.last_mail, self.clock.unix_ms, sender, name, body.len(), &mut head);
        self.post_body(Kind::Mail, &head, body, receivers);
        self.scratch.head = head;
    }

    /// Puts `head` and a body into the outbox of each receiver.
    #[inline]
    fn post_body(&mut self, kind: Kind, head: &[u8], body: Body<'_>, receivers: &Receivers) {
        self.stats.frames.count(kind, receivers.slots.len() as u64, head.len() + body.len());
        self.stats.refused += u64::from(receivers.refused);
        if body.len() >= self.limits.share_from {
            mark(Mark::SharedFrame);
            let frame = SharedFrame::new(head, body);
            return self.post(receivers, Payload::Shared(&frame));
        }
        let mut frame = std::mem::take(&mut self.scratch.frame);
        frame.clear();
        frame.extend_from_slice(head);
        frame.extend_from_slice(body.as_bytes());
        self.post(receivers, Payload::Copied(&frame));
        self.scratch.frame = frame;
    }

    #[inline(always)]
    fn post(&mut self, receivers: &Receivers, payload: Payload<'_>) {
        let posted = self.fan_out.post(&mut self.sessions, &receivers.slots, None, payload, false);
        let cost = Cost::of(receivers.slots.len(), payload.as_bytes().len(), payload.cost());
        self.budget.requests += cost + posted.cost;
    }

    /// Relays a body for the host program, as [`HOST`]. The host can not be made to wait, so full receivers refuse.
    /// Returns the status of each id, in the order given.
    pub fn relay_for_host(&mut self, ids: &[UserId], body: &[u8]) -> Vec<Status> {
        self.flush_batch();
        let mut receivers = self.resolver.resolve_ids(&mut self.sessions, ids.iter().copied(), true);
        if self.is_over_memory() {
            receivers.refuse_all();
        }
        self.post_relay(HOST, body.into(), &receivers);
        self.finish_for_host(receivers)
    }

    /// Sends a body to names for the host program, as [`relay_for_host`](Hub::relay_for_host) does to ids. A name is
    /// refused if any of its sessions is.
    pub fn send_for_host(&mut self, names: &[&str], body: &[u8]) -> Vec<Status> {
        self.flush_batch();
        let names = names.iter().copied();
        let mut receivers = self.resolver.resolve_names(&mut self.sessions, &mut self.names, names, true);
        if self.is_over_memory() {
            receivers.refuse_all();
        }
        self.post_mail(HOST, "", body.into(), &receivers);
        self.finish_for_host(receivers)
    }

    fn finish_for_host(&mut self, receivers: Box<Receivers>) -> Vec<Status> {
        let statuses = receivers.to_statuses();
        self.resolver.recycle(receivers);
        statuses
    }
}
