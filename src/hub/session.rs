//! One connection as the hub sees it, and how its id is made.

use super::Agenda;
use super::outbox::Outbox;
use crate::limits::SLOT_BITS;
use crate::marks::{Mark, mark};
use crate::web::Dialect;
use crate::wire::{Decoder, ErrorCode, UserId};
use std::sync::Arc;

/// Bits of an id that count the connections accepted. Above them stand ten bits for the number of the hub.
const GENERATION_BITS: u32 = 32;

/// Who sends what the host program relays: never a connection's id, for its generation is none.
pub const HOST: UserId = UserId(1);

/// The id of the connection that was accepted as number `generation` (from 1) and lives in `slot`.
///
/// The counter stands above the slot, so that ids rise with arrival.
pub(super) fn user_id(generation: u32, slot: usize) -> UserId {
    debug_assert!(generation > 0 && slot < 1 << SLOT_BITS);
    UserId(u64::from(generation) << SLOT_BITS | slot as u64)
}

/// The slot that an id names, whether or not somebody with this id lives there.
pub(super) fn slot_of(id: UserId) -> usize {
    (id.0 & ((1 << SLOT_BITS) - 1)) as usize
}

/// A connection, with what its carrier keeps for it (`link`: the loop's socket and read state; nothing in tests).
///
/// The fields stand in the order of their heat: a fan-out touches the first cache line of each receiver and no other.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct User<L> {
    pub(super) id: UserId,
    pub(super) outbox: Outbox,
    /// The last relay that named this user, so that each receiver is served once.
    pub(super) stamp: u32,
    /// Whether it is on the list of those to flush.
    pub(super) dirty: bool,
    /// Whether it is here: listed, addressable, its requests carried out. Once false, never true again. Guests are here
    /// as well, but only their requests are carried out.
    pub(super) present: bool,
    /// Whether its queue went over the limit and has not come below half since.
    pub(super) full: bool,
    /// What it hears, and what its bytes are.
    pub(super) dialect: Dialect,

    /// What it calls itself; `None` where it did not say.
    pub(super) name: Option<Arc<str>>,
    /// The rooms that it is in, in no order.
    pub(super) rooms: Vec<u32>,
    /// Those whose requests wait until this one is no longer full, each with the number of its wait. May name some who
    /// have left or wait no more. Boxed, for few are ever waited for.
    #[expect(clippy::box_collection, reason = "a null pointer is a third of an empty list, and users are many")]
    pub(super) waiters: Option<Box<Vec<(UserId, u32)>>>,
    /// The tail of an unfinished frame, or what came in before its requests had to wait.
    pub(super) decoder: Decoder,
    /// Up to which moment its requests have used up its pace: microseconds.
    pub(super) paced_to: u64,
    /// Where it stands among the sessions of its name.
    pub(super) place: u32,
    /// For how many things its own requests wait: full users, the next turn, its pace.
    pub(super) waits_for: u32,
    /// The number of its last wait for full users, so that one given up is not ended again.
    pub(super) wait: u32,
    /// Bytes of an unfinished request that its carrier keeps, because they are not in the hub's own language yet.
    pub(super) kept_outside: u32,
    /// The error that it was closed with, if with one.
    pub(super) closed_with: Option<ErrorCode>,
    /// Whether one of the things that its requests wait for is the next turn.
    pub(super) is_postponed: bool,
    /// Whether one of them is its pace.
    pub(super) is_paced: bool,
    /// Whether it was full itself and waited for others for so long that it waits no more, until it is full no longer.
    pub(super) is_impatient: bool,
    /// Whether the decoder holds the latter: whole requests that are still to be carried out.
    pub(super) holds_requests: bool,
    /// Whether the first of them waited for a receiver itself, and did not only stand behind one that waited.
    pub(super) front_waited: bool,
    /// Whether a whole frame of it has come.
    pub(super) has_spoken: bool,
    /// Whether it is on this machine.
    pub(super) is_local: bool,
    /// Whether it came when there was no room, and is only told so.
    pub(super) is_turned_away: bool,
    /// What the carrier keeps.
    pub link: L,
}

const _: () = {
    assert!(std::mem::offset_of!(User<()>, name) <= 64, "what a fan-out touches is one cache line");
    assert!(GENERATION_BITS + SLOT_BITS <= 54, "ten bits are left for the number of the hub");
};

impl<L> User<L> {
    pub(super) fn new(id: UserId, is_local: bool, dialect: Dialect, link: L) -> User<L> {
        User {
            id,
            outbox: Outbox::default(),
            stamp: 0,
            dirty: false,
            present: true,
            full: false,
            dialect,
            name: None,
            rooms: Vec::new(),
            place: 0,
            waits_for: 0,
            wait: 0,
            waiters: None,
            kept_outside: 0,
            closed_with: None,
            is_postponed: false,
            is_paced: false,
            is_impatient: false,
            is_local,
            is_turned_away: false,
            has_spoken: false,
            paced_to: 0,
            decoder: Decoder::default(),
            holds_requests: false,
            front_waited: false,
            link,
        }
    }

    /// After anything was put into its outbox: it is to be flushed, and may have become full.
    pub(super) fn told(&mut self, slot: usize, agenda: &mut Agenda, limit: usize) {
        self.soil(slot, agenda);
        if self.outbox.queued() > limit && !self.full && self.present {
            mark(Mark::UserFull);
            self.full = true;
            agenda.filled.push(slot);
        }
    }

    /// One of the things that its requests wait for is over; there may be more.
    pub(super) fn go_on(&mut self, slot: usize, agenda: &mut Agenda) {
        self.waits_for -= 1;
        if self.waits_for == 0 {
            agenda.resumed.push(slot);
        }
    }

    /// Puts it on the list of those to flush, once.
    pub(super) fn soil(&mut self, slot: usize, agenda: &mut Agenda) {
        if !self.dirty {
            self.dirty = true;
            agenda.dirty.push(slot);
        }
    }

    /// Its id.
    pub fn id(&self) -> UserId {
        self.id
    }

    /// What it is called in the log.
    pub fn label(&self) -> String {
        match &self.name {
            None if self.dialect.is_guest() => "a guest".to_owned(),
            None => format!("user {}", self.id),
            Some(name) => format!("user {} ({name})", self.id),
        }
    }

    /// What it has yet to hear.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// What it has yet to hear, beside what the carrier keeps.
    pub fn outbox_and_link(&mut self) -> (&Outbox, &mut L) {
        (&self.outbox, &mut self.link)
    }

    /// Whether it is here: listed, addressable, its requests carried out. A guest that has not left is present too.
    pub fn is_present(&self) -> bool {
        self.present
    }

    /// Whether it is on this machine.
    pub fn is_local(&self) -> bool {
        self.is_local
    }

    /// What it hears, and what its bytes are.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether it is one to whom others can speak: a guest only asks.
    pub(super) fn is_known(&self) -> bool {
        self.present && !self.dialect.is_guest()
    }

    /// The error that it was closed with, if with one.
    pub fn closed_with(&self) -> Option<ErrorCode> {
        self.closed_with
    }

    /// Whether those who write to it wait.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Whether its own requests wait, so that it must not be read.
    pub fn is_waiting(&self) -> bool {
        self.waits_for > 0 && self.present
    }

    /// Whether its own requests wait for somebody to read, and not only for the next turn or its pace.
    pub fn is_held_up(&self) -> bool {
        self.waits_for > u32::from(self.is_postponed) + u32::from(self.is_paced) && self.present
    }

    /// Whether its requests wait because it asked more often than it may.
    pub fn is_paced(&self) -> bool {
        self.is_paced && self.present
    }

    /// Whether requests of it that have come whole are still to be carried out.
    pub fn holds_requests(&self) -> bool {
        self.holds_requests
    }

    /// Whether a whole frame of it has come.
    pub fn has_spoken(&self) -> bool {
        self.has_spoken
    }

    /// Bytes that came in and are not carried out: of an unfinished frame, or while its requests wait.
    pub fn half_received(&self) -> usize {
        self.decoder.kept() + self.kept_outside as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_with_arrival_whatever_the_slot() {
        assert!(user_id(1, (1 << SLOT_BITS) - 1) < user_id(2, 0));
        assert_eq!(slot_of(user_id(u32::MAX, 12345)), 12345);
        assert!(HOST < user_id(1, 0));
    }
}
