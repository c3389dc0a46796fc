//! Memory pressure: which links are read while the hub is at its memory limit, and whether enough memory becomes free.
//!
//! If partial requests use half of the memory limit, only one of them may grow, so that small requests still have room.
//! If all of the limit is used, no link is read. In both cases one link is exempt: otherwise many links that have each
//! sent a part of a large request could block one another for ever. If that does not help, a session to close is chosen
//! here, and closed in `evict`.

use super::link::Link;
use super::timeouts::bytes_due;
use crate::hub::{Hub, Session};
use crate::limits::{FRAME_RATE, RATE_LIMIT_REST, READ_BUFFER};
use crate::marks::{Mark, mark};
use std::time::Duration;

/// The state of memory pressure.
#[derive(Debug, Default)]
pub(super) struct MemoryPressure {
    /// Under pressure, the state from which progress is measured; `None` otherwise.
    baseline: Option<Baseline>,
    /// The link that is read even under pressure.
    exempt: Option<usize>,
}

/// The state when the pressure began, or at the last check for progress.
#[derive(Debug)]
struct Baseline {
    since: Duration,
    /// Sent bytes that had freed memory by then.
    drained: u64,
    /// The exempt link, and how much of its frame had arrived.
    exempt: Option<(usize, usize)>,
}

/// Whether the hub is at a limit of memory.
pub(super) fn is_under_pressure<S>(hub: &Hub<Link<S>>) -> bool {
    hub.is_over_memory() || hub.is_crowded_by_input()
}

impl MemoryPressure {
    /// Whether a link may be read now, and the requests of its session carried out.
    pub(super) fn may_read<S>(&self, hub: &Hub<Link<S>>, slot: usize) -> bool {
        if !is_under_pressure(hub) {
            return true;
        }
        let Some(session) = hub.session(slot).filter(|session| session.is_open()) else { return true };
        let grows = session.unparsed() >= READ_BUFFER && !session.has_backlog();
        // If more is held than the exempt frame can account for, further requests of this session would be held as
        // well.
        let is_exempt = self.exempt == Some(slot) && (session.has_backlog() || !hub.is_beyond_finishing());
        is_exempt || !hub.is_over_memory() && !grows
    }

    /// When to check for progress, if there is pressure.
    pub(super) fn next<S>(&self, hub: &Hub<Link<S>>) -> Option<Duration> {
        self.baseline.as_ref().map(|baseline| baseline.since + hub.limits().stall.max(RATE_LIMIT_REST))
    }

    /// Checks for pressure at the end of a turn, and chooses the exempt link. Returns whether there was too little
    /// progress for too long. The caller then closes sessions and calls [`restart`](Self::restart).
    pub(super) fn check<S>(&mut self, hub: &mut Hub<Link<S>>, now: Duration) -> bool {
        hub.note_held();
        if !is_under_pressure(hub) {
            *self = MemoryPressure::default();
            return false;
        }
        self.choose_exempt(hub);
        match self.next(hub) {
            None => {
                mark(Mark::UnderPressure);
                hub.stats.squeezes += 1;
                log::debug!("memory pressure: {} B are held, and some sessions are not read for now", hub.held());
                self.restart(hub, now);
            }
            Some(at) if at > now => {}
            Some(_) if self.has_progressed(hub) => self.restart(hub, now),
            Some(_) => return true,
        }
        false
    }

    /// Measures progress from here.
    pub(super) fn restart<S>(&mut self, hub: &Hub<Link<S>>, now: Duration) {
        let exempt = self.exempt.map(|slot| (slot, half_received(hub, slot)));
        self.baseline = Some(Baseline { since: now, drained: hub.drained(), exempt });
    }

    /// Whether there was enough progress to keep waiting. At the memory limit, a quarter of it must have been sent. If
    /// only partial requests use their half, the exempt link must have received more of its frame, or another link must
    /// be exempt now.
    fn has_progressed<S>(&self, hub: &Hub<Link<S>>) -> bool {
        let Some(before) = &self.baseline else { return true };
        if hub.is_over_memory() {
            return hub.drained() - before.drained >= hub.limits().memory as u64 / 4;
        }
        let Some((slot, then)) = before.exempt else { return self.exempt.is_some() };
        let now = half_received(hub, slot);
        self.exempt != Some(slot) || now < then || now - then >= bytes_due(hub.limits().stall, FRAME_RATE)
    }

    /// Keeps the exempt link while it can make progress with its frame, and otherwise chooses another. While its peer
    /// sends nothing, a session with complete requests may be exempt instead.
    fn choose_exempt<S>(&mut self, hub: &mut Hub<Link<S>>) {
        let beyond = hub.is_beyond_finishing();
        let is_unfinished = |session: &Session<Link<S>>| may_finish(session) && !session.has_backlog() && !beyond;
        let kept = self.exempt.filter(|&slot| hub.session(slot).is_some_and(is_unfinished));
        if kept.and_then(|slot| hub.session(slot)).is_some_and(|session| session.link.is_readable()) {
            return;
        }
        self.exempt = next_exempt(hub, kept.is_none()).or(kept);
        if let Some(slot) = self.exempt {
            mark(Mark::Exempt);
            hub.end_postponement_of(slot);
        }
    }

    /// The exempt link.
    #[cfg(test)]
    pub(super) fn exempt(&self) -> Option<usize> {
        self.exempt
    }
}

/// Chooses a session with complete requests, or, if `partial`, the one that has sent the most of a frame and is still
/// sending. Chooses none if so much is held already that several frames, finished one after the other, could exceed the
/// limit by too much. Complete requests are executed even then if they are what uses the memory.
fn next_exempt<S>(hub: &Hub<Link<S>>, partial: bool) -> Option<usize> {
    let far = hub.is_far_over_memory();
    if far {
        mark(Mark::FarOverMemory);
    }
    let (partial, whole) = (partial && !far, !far || hub.is_clogged_by_input());
    let candidates = sessions(hub).filter(|(_, session)| {
        may_finish(session) && (if session.has_backlog() { whole } else { partial && session.link.is_readable() })
    });
    candidates.max_by_key(|(_, session)| session.unparsed()).map(|(slot, _)| slot)
}

/// The session to close: the one that holds the most. If only partial requests use their half of the limit, the one
/// with the largest partial request among those that make no progress.
pub(super) fn largest_holder<S>(hub: &Hub<Link<S>>) -> Option<usize> {
    if hub.is_over_memory() {
        return hub.largest_holder();
    }
    let unfinished = sessions(hub).filter(|(_, session)| may_finish(session) && !session.has_backlog());
    unfinished.max_by_key(|(_, session)| (!session.link.is_readable(), session.unparsed())).map(|(slot, _)| slot)
}

fn sessions<S>(hub: &Hub<Link<S>>) -> impl Iterator<Item = (usize, &Session<Link<S>>)> {
    hub.slots().filter_map(|slot| Some((slot, hub.session(slot)?)))
}

fn half_received<S>(hub: &Hub<Link<S>>, slot: usize) -> usize {
    hub.session(slot).map_or(0, Session::unparsed)
}

/// Whether a session has unexecuted input and does not wait for a receiver.
fn may_finish<S>(session: &Session<Link<S>>) -> bool {
    session.is_open() && session.unparsed() > 0 && !session.waits_for_receiver() && !session.is_rate_limited()
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
        let mut hub = Hub::new(Limits { memory: 1 << 20, ..Limits::default() });
        let mut frame = Vec::new();
        let block = UserId(1).0.to_be_bytes();
        let receivers = Ids::new(&block).expect("one id");
        Request::Relay { receivers, body: &[7; 1 << 20], receipt: false }.encode(1, &mut frame);
        for bytes in sent {
            let link = Link::new((), Condition::Normal);
            let slot = hub.accept(link, RemoteAddr::Unix, Protocol::NATIVE).expect("there is room");
            hub.receive(slot, &frame[..*bytes]);
            hub.session_mut(slot).expect("it is here").link.inbound = Inbound::Readable;
        }
        hub
    }

    #[test]
    fn without_pressure_all_are_read_and_nothing_is_due() {
        let (mut hub, mut memory) = (hub_with(&[100_000, 100_000]), MemoryPressure::default());
        assert!(!memory.check(&mut hub, SECOND));
        assert!(memory.next(&hub).is_none() && memory.may_read(&hub, 0) && memory.may_read(&hub, 1));
    }

    #[test]
    fn when_partial_requests_fill_their_half_one_of_them_grows_and_small_ones_go_on() {
        let (mut hub, mut memory) = (hub_with(&[300_000, 400_000, 50]), MemoryPressure::default());
        assert!(!memory.check(&mut hub, SECOND));
        assert_eq!((memory.exempt(), hub.stats.squeezes), (Some(1), 1));
        assert_eq!([0, 1, 2].map(|slot| memory.may_read(&hub, slot)), [false, true, true]);
        assert!(memory.may_read(&hub, 9), "a vacant slot is nobody's concern");
    }

    #[test]
    fn at_the_limit_only_the_exempt_link_is_read() {
        let (mut hub, mut memory) = (hub_with(&[500_000, 600_000, 50]), MemoryPressure::default());
        memory.check(&mut hub, SECOND);
        assert_eq!([0, 1, 2].map(|slot| memory.may_read(&hub, slot)), [false, true, false]);
        assert_eq!(largest_holder(&hub), Some(1));
    }

    #[test]
    fn without_progress_somebody_is_to_be_closed_and_of_partial_requests_one_that_does_not_go_on() {
        let (mut hub, mut memory) = (hub_with(&[300_000, 400_000]), MemoryPressure::default());
        memory.check(&mut hub, SECOND);
        let at = memory.next(&hub).expect("there is pressure");
        assert_eq!(at, SECOND + hub.limits().stall);
        assert!(!memory.check(&mut hub, at - Duration::from_millis(1)) && memory.check(&mut hub, at));
        hub.session_mut(0).expect("it is here").link.inbound = Inbound::Idle;
        assert_eq!(largest_holder(&hub), Some(0));
    }

    #[test]
    fn a_frame_that_goes_on_is_waited_for() {
        let (mut hub, mut memory) = (hub_with(&[300_000, 400_000]), MemoryPressure::default());
        memory.check(&mut hub, SECOND);
        hub.receive(1, &[7; 200_000]);
        let at = memory.next(&hub).expect("there is pressure");
        assert!(!memory.check(&mut hub, at));
        assert_eq!(memory.next(&hub), Some(at + hub.limits().stall), "progress is measured anew");
    }

    #[test]
    fn the_pressure_ends_with_the_requests_that_made_it() {
        let (mut hub, mut memory) = (hub_with(&[300_000, 400_000]), MemoryPressure::default());
        memory.check(&mut hub, SECOND);
        hub.depart(1);
        assert!(!memory.check(&mut hub, 100 * SECOND));
        assert_eq!((memory.next(&hub), memory.exempt()), (None, None));
    }
}
