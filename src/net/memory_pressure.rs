//! Memory pressure: which links are read while unfinished requests use much of the memory.
//!
//! Of each link so much of an unfinished request is read as is left for such requests, and small requests always have
//! room. One link is exempt, if there is room for the whole of its request: otherwise many links that have each sent a
//! part of a large request could block one another for ever. If the memory limit is reached nevertheless, sessions are
//! closed at once: see `evict`.

use super::link::Link;
use super::timeouts::bytes_due;
use crate::hub::{Hub, Session};
use crate::limits::{DRAIN_PARTS, EXEMPT_RATE, LOOKED_THROUGH, SMALL_REQUEST, UNFINISHED_TIME, WARN_EVERY};
use crate::marks::{Mark, mark};
use std::time::Duration;

/// The state of memory pressure.
#[derive(Debug, Default)]
pub(super) struct MemoryPressure {
    /// The link that is read even under pressure. It stays the same until its request is complete, unless its peer does
    /// not go on and there is room to begin with another one.
    exempt: Option<usize>,
    /// While others are not read: the state from which progress is measured.
    held_back: Option<Baseline>,
    /// At the memory limit: a turn closed as many sessions as it may, and that was not enough.
    pub(super) owes_evictions: bool,
    /// When it was last logged that sessions were closed.
    warned_at: Option<Duration>,
}

/// The state when links began to be held back, or at the last check for progress.
#[derive(Clone, Copy, Debug)]
struct Baseline {
    since: Duration,
    /// How much of the exempt link's request had come.
    received: usize,
    /// Bytes that the hub had sent.
    sent: u64,
}

impl MemoryPressure {
    /// How many bytes may be received from a link now. If it is none, the requests of its session are not executed
    /// either.
    pub(super) fn may_receive<S>(&self, hub: &Hub<Link<S>>, slot: usize) -> usize {
        if !hub.is_crowded_by_input() {
            return usize::MAX;
        }
        match hub.session(slot).filter(|session| session.is_open()) {
            Some(session) if !session.has_backlog() && self.exempt != Some(slot) => {
                hub.request_window().max(SMALL_REQUEST).saturating_sub(session.unparsed())
            }
            _ => usize::MAX,
        }
    }

    /// Whether anything may be received from a link now.
    pub(super) fn may_read<S>(&self, hub: &Hub<Link<S>>, slot: usize) -> bool {
        self.may_receive(hub, slot) > 0
    }

    /// Chooses the exempt link at the end of a turn, if there is pressure. Returns whether sessions have to be closed
    /// for those that are not read, because the exempt one does not go on, or there is no room for any.
    pub(super) fn check<S>(&mut self, hub: &mut Hub<Link<S>>, now: Duration) -> bool {
        hub.note_held();
        if !hub.is_crowded_by_input() {
            (self.exempt, self.held_back) = (None, None);
            return false;
        }
        let others = |slot: &usize| hub.session(*slot).is_some_and(goes_on);
        let exempt = self.exempt.and_then(|slot| hub.session(slot)).filter(|session| is_unfinished(session));
        if exempt.is_none_or(|exempt| !goes_on(exempt) && hub.can_begin_another_request()) {
            self.exempt = smallest_that_goes_on(hub).filter(|_| hub.can_finish_a_request());
            if self.exempt.is_some() {
                mark(Mark::Exempt);
                self.held_back = None;
            }
        }
        if !hub.holders().take(LOOKED_THROUGH).filter(others).any(|slot| !self.may_read(hub, slot)) {
            self.held_back = None;
            return false;
        }
        let received = self.exempt.and_then(|slot| hub.session(slot)).map_or(0, Session::unparsed);
        let next = Baseline { since: now, received, sent: hub.stats.bytes_out };
        let before = *self.held_back.get_or_insert(next);
        if now < before.since + UNFINISHED_TIME {
            return false;
        }
        let has_drained = next.sent - before.sent >= (hub.memory_limit() / DRAIN_PARTS) as u64;
        let has_grown = received >= before.received + bytes_due(UNFINISHED_TIME, EXEMPT_RATE);
        let has_progressed = has_drained || has_grown;
        self.held_back = has_progressed.then_some(next);
        !has_progressed
    }

    /// Nobody is in the way of those that are not read: one of them is exempt, although that may exceed the limit.
    pub(super) fn exempt_one<S>(&mut self, hub: &Hub<Link<S>>) {
        self.exempt = smallest_that_goes_on(hub);
    }

    /// When the exempt link must have gone on.
    pub(super) fn next(&self) -> Option<Duration> {
        self.held_back.map(|before| before.since + UNFINISHED_TIME)
    }

    /// The session to close for those that are not read: the one with the largest request of which no more has come, or
    /// if unfinished requests do not take much, the one that holds most. `None` if there is room.
    pub(super) fn in_the_way<S>(hub: &mut Hub<Link<S>>) -> Option<usize> {
        let is_stalled = |session: &Session<Link<S>>| is_unfinished(session) && !session.link.is_readable();
        if hub.is_much_unfinished() {
            let mut holders = hub.holders().take(LOOKED_THROUGH);
            return holders.find(|&slot| hub.session(slot).is_some_and(is_stalled));
        }
        if hub.can_finish_a_request() {
            return None;
        }
        let largest = hub.largest_holder();
        let does_not_read =
            |slot: &usize| hub.session(*slot).is_some_and(|session| session.outbox().bound() > session.unparsed());
        largest.into_iter().chain(hub.holders().take(LOOKED_THROUGH)).find(does_not_read)
    }

    /// Whether it is to be logged that sessions are closed: once in a while is enough.
    pub(super) fn warns(&mut self, now: Duration) -> bool {
        let warns = self.warned_at.is_none_or(|at| now >= at + WARN_EVERY);
        if warns {
            self.warned_at = Some(now);
        }
        warns
    }

    /// The exempt link.
    #[cfg(test)]
    pub(super) fn exempt(&self) -> Option<usize> {
        self.exempt
    }
}

/// Whether a session has sent a part of a request.
fn is_unfinished<S>(session: &Session<Link<S>>) -> bool {
    session.is_open() && session.unparsed() > 0 && !session.has_backlog() && !session.waits_beyond_turn()
}

/// Of the sessions whose unfinished request goes on, the one that holds least.
fn smallest_that_goes_on<S>(hub: &Hub<Link<S>>) -> Option<usize> {
    hub.holders().rev().take(LOOKED_THROUGH).find(|slot| hub.session(*slot).is_some_and(goes_on))
}

/// Whether more of it may be received now.
fn goes_on<S>(session: &Session<Link<S>>) -> bool {
    is_unfinished(session) && session.link.is_readable()
}

#[cfg(test)]
mod tests {
    use super::super::link::{Condition, Inbound};
    use super::*;
    use crate::hub::{Protocol, RemoteAddr};
    use crate::limits::Limits;
    use crate::wire::{Ids, Request, UserId};

    const SECOND: Duration = Duration::from_secs(1);

    /// A hub with a memory limit of 1 MiB. Each session has sent this many bytes of a frame, and is still sending.
    fn hub_with(sent: &[usize]) -> Hub<Link<()>> {
        let mut hub = Hub::new(Limits { memory: 1 << 20, max_body: 190_000, ..Limits::default() });
        let mut frame = Vec::new();
        let block = UserId(1).0.to_be_bytes();
        let receivers = Ids::new(&block).expect("one id");
        Request::Relay { receivers, body: &[7; 190_000], receipt: false }.encode(1, &mut frame);
        for bytes in sent {
            let link = Link::new((), Condition::Normal);
            let slot = hub.accept(link, RemoteAddr::Unix, Protocol::NATIVE).expect("there is room");
            hub.receive(slot, &frame[..*bytes]);
            hub.note_holding(slot);
            hub.session_mut(slot).expect("it is here").link.inbound = Inbound::Readable;
        }
        hub
    }

    fn check(memory: &mut MemoryPressure, hub: &mut Hub<Link<()>>) {
        assert!(!memory.check(hub, SECOND));
    }

    fn may_read(hub: &Hub<Link<()>>, memory: &MemoryPressure, links: usize) -> Vec<bool> {
        (0..links).map(|slot| memory.may_read(hub, slot)).collect()
    }

    #[test]
    fn without_pressure_all_are_read() {
        let (mut hub, mut memory) = (hub_with(&[50_000, 50_000]), MemoryPressure::default());
        check(&mut memory, &mut hub);
        assert_eq!((memory.exempt(), may_read(&hub, &memory, 2)), (None, vec![true; 2]));
    }

    #[test]
    fn a_request_is_read_while_it_is_smaller_than_what_is_left_and_one_that_is_larger() {
        let (mut hub, mut memory) = (hub_with(&[100_000, 180_000, 50, 70_000]), MemoryPressure::default());
        check(&mut memory, &mut hub);
        assert_eq!(memory.exempt(), Some(2), "the smallest");
        assert_eq!(may_read(&hub, &memory, 4), [true, false, true, true]);
        assert!(memory.may_read(&hub, 9), "a vacant slot is nobody's concern");
    }

    #[test]
    fn one_whose_peer_does_not_go_on_is_in_the_way_if_others_wait() {
        let (mut hub, mut memory) = (hub_with(&[180_000, 180_000, 180_000, 120_000]), MemoryPressure::default());
        check(&mut memory, &mut hub);
        assert_eq!((memory.exempt(), memory.next()), (Some(3), Some(SECOND + UNFINISHED_TIME)));
        hub.session_mut(3).expect("it is here").link.inbound = Inbound::Idle;
        check(&mut memory, &mut hub);
        assert!(memory.check(&mut hub, SECOND + UNFINISHED_TIME));
        assert_eq!(MemoryPressure::in_the_way(&mut hub), Some(3));
    }

    #[test]
    fn one_that_goes_on_is_waited_for() {
        let (mut hub, mut memory) = (hub_with(&[180_000, 180_000, 180_000, 120_000]), MemoryPressure::default());
        check(&mut memory, &mut hub);
        hub.receive(3, &[7; 5_000]);
        assert!(!memory.check(&mut hub, SECOND + UNFINISHED_TIME));
        assert_eq!(memory.next(), Some(SECOND + 2 * UNFINISHED_TIME), "measured anew");
    }

    #[test]
    fn the_pressure_ends_with_the_requests_that_made_it() {
        let (mut hub, mut memory) = (hub_with(&[150_000, 180_000]), MemoryPressure::default());
        check(&mut memory, &mut hub);
        hub.depart(1);
        check(&mut memory, &mut hub);
        assert_eq!((memory.exempt(), may_read(&hub, &memory, 2)), (None, vec![true; 2]));
    }

    #[test]
    fn evictions_are_logged_once_in_a_while() {
        let mut memory = MemoryPressure::default();
        assert!(memory.warns(SECOND) && !memory.warns(SECOND) && memory.warns(SECOND + WARN_EVERY));
    }
}
