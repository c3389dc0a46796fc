//! Who receives a RELAY or a SEND: ids and names resolved to sessions, each once.

use super::names::Names as NameTable;
use super::session::Session;
use super::sessions::Sessions;
use crate::marks::{Mark, mark};
use crate::wire::{Status, UserId};

/// The first stamp, and the first after all four billion have been used.
const FIRST_STAMP: u32 = 1;

/// The receivers of one body.
#[derive(Debug, Default)]
pub(super) struct Receivers {
    /// The distinct sessions that it goes to, as slots.
    pub slots: Vec<u32>,
    /// The [`Status`] byte of each id or name, in the order given.
    pub statuses: Vec<u8>,
    /// Whether one of `slots` is full.
    pub any_full: bool,
    /// How many sessions refuse it because they are full.
    pub refused: u32,
}

impl Receivers {
    /// Refuses the body for all of them.
    pub fn refuse_all(&mut self) {
        self.refused += self.slots.len() as u32;
        self.slots.clear();
        let queued = self.statuses.iter_mut().filter(|status| **status == Status::Queued as u8);
        queued.for_each(|status| *status = Status::Refused as u8);
    }

    /// The statuses as values.
    pub fn to_statuses(&self) -> Vec<Status> {
        self.statuses.iter().filter_map(|&byte| Status::of(byte)).collect()
    }

    /// Adds a session, unless it has the stamp of this body already. If `refuse_full`, a full session refuses the body.
    #[inline]
    fn add<L>(&mut self, slot: usize, session: &mut Session<L>, stamp: u32, refuse_full: bool) -> Status {
        if session.full && refuse_full {
            mark(Mark::Refused);
            self.refused += 1;
            return Status::Refused;
        }
        if session.stamp != stamp {
            session.stamp = stamp;
            self.any_full |= session.full;
            self.slots.push(slot as u32);
        }
        Status::Queued
    }
}

/// Resolves ids and names.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    /// The last receivers, whose buffers the next ones use. Boxed, because receivers are handed from step to step.
    spare: Option<Box<Receivers>>,
    /// The stamp of the last body. Sessions with this stamp are already among the receivers, and names with it are
    /// resolved already, so no set is needed to find duplicates. At 0, once in four billion bodies, all stamps are
    /// reset.
    pub stamp: u32,
}

impl Resolver {
    /// The sessions with these ids. An id is [`Unknown`](Status::Unknown) if no user has it.
    #[inline]
    pub fn resolve_ids<L>(
        &mut self,
        sessions: &mut Sessions<L>,
        ids: impl Iterator<Item = UserId>,
        refuse_full: bool,
    ) -> Box<Receivers> {
        let (mut receivers, stamp) = self.begin(sessions);
        for id in ids {
            let status = match sessions.addressable(id) {
                None => Status::Unknown,
                Some((slot, session)) => receivers.add(slot, session, stamp, refuse_full),
            };
            receivers.statuses.push(status as u8);
        }
        receivers
    }

    /// All sessions of these names. A name is [`Unknown`](Status::Unknown) if it has no session, and
    /// [`Refused`](Status::Refused) if any of its sessions refuses. If only some sessions of a name are full, these
    /// refuse: the others need not wait for them.
    #[inline]
    pub fn resolve_names<'n, L>(
        &mut self,
        sessions: &mut Sessions<L>,
        table: &mut NameTable,
        names: impl Iterator<Item = &'n str>,
        refuse_full: bool,
    ) -> Box<Receivers> {
        let (mut receivers, stamp) = self.begin(sessions);
        if stamp == FIRST_STAMP {
            table.forget_stamps();
        }
        for name in names {
            let Some(named) = table.get_mut(name) else {
                receivers.statuses.push(Status::Unknown as u8);
                continue;
            };
            if named.stamp != stamp {
                let has_several = named.slots.len() > 1;
                let refuse =
                    refuse_full || has_several && named.slots.iter().any(|&slot| !sessions[slot as usize].full);
                named.status = Status::Unknown;
                for slot in named.slots.iter().map(|&slot| slot as usize) {
                    let status = receivers.add(slot, &mut sessions[slot], stamp, refuse);
                    named.status = if named.status == Status::Refused { named.status } else { status };
                }
                named.stamp = stamp;
            }
            receivers.statuses.push(named.status as u8);
        }
        receivers
    }

    /// Takes back the buffers of receivers that are done with.
    pub fn recycle(&mut self, receivers: Box<Receivers>) {
        self.spare = Some(receivers);
    }

    /// Empty receivers, and a new stamp that no session has.
    #[inline]
    fn begin<L>(&mut self, sessions: &mut Sessions<L>) -> (Box<Receivers>, u32) {
        let mut receivers = self.spare.take().unwrap_or_default();
        receivers.slots.clear();
        receivers.statuses.clear();
        (receivers.any_full, receivers.refused) = (false, 0);
        self.stamp = self.stamp.wrapping_add(1);
        if self.stamp == 0 {
            sessions.slab.iter_mut().for_each(|(_, session)| session.stamp = 0);
            self.stamp = FIRST_STAMP;
        }
        (receivers, self.stamp)
    }
}
