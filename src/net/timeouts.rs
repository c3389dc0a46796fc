//! The timeouts of links: a list for each timeout, and each link's timers, which are its entries in these lists. What
//! happens when a timeout expires is in `expire`.
//!
//! Knows no session and no socket: [`TimerSlots`] finds the timers of a link.

use crate::deadlines::{Deadlines, Hook, Hooks};
use crate::limits::{DEADLOCK_TIME, FINAL_STALL, Limits, RATE_LIMIT_REST, SHUTDOWN_LINGER, SPARE_TIME};
use std::time::Duration;

/// What a link can time out from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Timeout {
    /// Nothing is received. The peer is probed when half of the idle time is over.
    InboundIdle,
    /// Nothing is received after the probe.
    Probed,
    /// An HTTP caller beyond the limit of connections has not asked for what such a caller may know.
    Spare,
    /// Nothing is sent. A heartbeat is then due.
    OutboundIdle,
    /// The first frame of the connection is not complete.
    FirstFrame,
    /// A later frame is not complete.
    Frame,
    /// The session is over its rate limit, and its link is not read until this expires.
    RateLimit,
    /// The session waits for a full receiver and is full itself: the two may be waiting for each other.
    Deadlock,
    /// A request of the session waits for full receivers.
    Receiver,
    /// The peer does not read the answers to its own requests, and its next request waits for that.
    Unread,
    /// The session is full or has departed, and its peer does not read what is queued.
    Stall,
    /// The same after the session was closed as too slow: the time to read the error.
    FinalStall,
    /// All is sent and our side is shut, but the peer has not ended its side.
    Linger,
    /// The same while the hub shuts down.
    ShutdownLinger,
}

/// A link has one timer of each kind, so at most one timeout of a kind runs for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum TimerKind {
    /// How long nothing is received.
    Inbound,
    /// How long nothing is sent.
    Outbound,
    /// The timeouts of reading: an unfinished frame, and the reasons why requests wait.
    Reading,
    /// The timeouts of writing, until the end of the connection.
    Writing,
}

/// How many kinds there are.
const KINDS: usize = 4;

/// A timeout, its kind of timer, what kind of list it has, and its time.
type Row = (Timeout, TimerKind, fn(usize, Duration) -> Deadlines, fn(&Limits) -> Duration);

/// Every timeout, in the order of [`Timeout`].
#[rustfmt::skip]
const TABLE: [Row; 14] = [
    (Timeout::InboundIdle, TimerKind::Inbound, Deadlines::slack, |limits| limits.idle / 2),
    (Timeout::Probed, TimerKind::Inbound, Deadlines::slack, |limits| limits.idle / 2),
    (Timeout::Spare, TimerKind::Inbound, Deadlines::exact, |_| SPARE_TIME),
    (Timeout::OutboundIdle, TimerKind::Outbound, Deadlines::slack, |limits| limits.heartbeat),
    (Timeout::FirstFrame, TimerKind::Reading, Deadlines::exact, Limits::first_frame_time),
    (Timeout::Frame, TimerKind::Reading, Deadlines::exact, |limits| limits.frame_time),
    (Timeout::RateLimit, TimerKind::Reading, Deadlines::exact, time_of_a_request),
    (Timeout::Deadlock, TimerKind::Reading, Deadlines::exact, |limits| DEADLOCK_TIME.min(limits.stall / 2)),
    (Timeout::Receiver, TimerKind::Reading, Deadlines::exact, |limits| limits.stall),
    (Timeout::Unread, TimerKind::Reading, Deadlines::exact, |limits| limits.idle),
    (Timeout::Stall, TimerKind::Writing, Deadlines::exact, |limits| limits.stall),
    (Timeout::FinalStall, TimerKind::Writing, Deadlines::exact, |limits| FINAL_STALL.min(limits.stall)),
    (Timeout::Linger, TimerKind::Writing, Deadlines::exact, |limits| limits.linger),
    (Timeout::ShutdownLinger, TimerKind::Writing, Deadlines::exact, |limits| SHUTDOWN_LINGER.min(limits.linger)),
];

const _: () = {
    let mut row = 0;
    while row < TABLE.len() {
        assert!(TABLE[row].0 as usize == row, "the table is in the order of the timeouts");
        row += 1;
    }
};

/// How long a session at its rate limit pauses: until one more request is allowed, but long enough to be worth a turn.
fn time_of_a_request(limits: &Limits) -> Duration {
    (Duration::from_secs(1) / limits.rate.max(1)).max(RATE_LIMIT_REST)
}

impl Timeout {
    pub(super) fn kind(self) -> TimerKind {
        TABLE[self as usize].1
    }
}

/// The timers of one link.
#[derive(Debug)]
pub(super) struct Timers {
    /// The link's places in the lists, by kind.
    hooks: [Hook; KINDS],
    /// In which list each of them is.
    running: [Option<Timeout>; KINDS],
}

impl Timers {
    /// No timeout runs.
    pub(super) fn new() -> Timers {
        Timers { hooks: [Hook::new(); KINDS], running: [None; KINDS] }
    }

    /// The timeout of this kind that runs.
    pub(super) fn running(&self, kind: TimerKind) -> Option<Timeout> {
        self.running[kind as usize]
    }
}

/// Finds the timers of a link by its slot.
pub(super) trait TimerSlots {
    /// `None` if the slot is vacant.
    fn timers(&mut self, slot: usize) -> Option<&mut Timers>;
}

impl<T: TimerSlots> Hooks for T {
    fn hook(&mut self, kind: usize, slot: u32) -> &mut Hook {
        let timers = self.timers(slot as usize).expect("all timeouts of a link are stopped before it is removed");
        &mut timers.hooks[kind]
    }
}

/// The list of each timeout.
#[derive(Debug)]
pub(super) struct Timeouts([Deadlines; TABLE.len()]);

impl Timeouts {
    pub(super) fn new(limits: &Limits) -> Timeouts {
        Timeouts(TABLE.map(|(_, kind, list, time)| list(kind as usize, time(limits))))
    }

    /// When the next one may expire.
    pub(super) fn next(&self) -> Option<Duration> {
        self.0.iter().filter_map(Deadlines::next).min()
    }

    /// How long this timeout is.
    pub(super) fn time_of(&self, timeout: Timeout) -> Duration {
        self.0[timeout as usize].after()
    }

    /// Starts a timeout, in place of the one of the same kind that ran. A time of zero turns a timeout off, except
    /// those of [`TimerKind::Writing`], which then expire at once.
    pub(super) fn start(&mut self, links: &mut impl TimerSlots, slot: usize, timeout: Timeout, now: Duration) {
        let kind = timeout.kind();
        self.stop(links, slot, kind, now);
        if self.time_of(timeout).is_zero() && kind != TimerKind::Writing {
            return;
        }
        if let Some(timers) = links.timers(slot) {
            timers.running[kind as usize] = Some(timeout);
            self.list(timeout).push(links, slot as u32, now);
        }
    }

    /// Restarts a running timeout. This costs little, however often it is called.
    pub(super) fn renew(&mut self, links: &mut impl TimerSlots, slot: usize, timeout: Timeout, now: Duration) {
        self.list(timeout).renew(links, slot as u32, now);
    }

    /// Stops the timeout of this kind, if one runs.
    pub(super) fn stop(&mut self, links: &mut impl TimerSlots, slot: usize, kind: TimerKind, now: Duration) {
        if let Some(timeout) = links.timers(slot).and_then(|timers| timers.running[kind as usize].take()) {
            self.list(timeout).remove(links, slot as u32, now);
        }
    }

    /// Stops all timeouts of a link.
    pub(super) fn stop_all(&mut self, links: &mut impl TimerSlots, slot: usize, now: Duration) {
        for kind in [TimerKind::Inbound, TimerKind::Outbound, TimerKind::Reading, TimerKind::Writing] {
            self.stop(links, slot, kind, now);
        }
    }

    /// Removes and returns the next link for which this timeout has expired.
    pub(super) fn pop(&mut self, links: &mut impl TimerSlots, timeout: Timeout, now: Duration) -> Option<usize> {
        let slot = self.list(timeout).pop(links, now)? as usize;
        if let Some(timers) = links.timers(slot) {
            timers.running[timeout.kind() as usize] = None;
        }
        Some(slot)
    }

    fn list(&mut self, timeout: Timeout) -> &mut Deadlines {
        &mut self.0[timeout as usize]
    }
}

/// The bytes that must flow in this time, at least one.
pub(super) fn bytes_due(time: Duration, bytes_per_second: usize) -> usize {
    let bytes = bytes_per_second as u128 * time.as_millis() / 1000;
    usize::try_from(bytes).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_TIME;

    const SECOND: Duration = Duration::from_secs(1);

    impl TimerSlots for Vec<Timers> {
        fn timers(&mut self, slot: usize) -> Option<&mut Timers> {
            self.get_mut(slot)
        }
    }

    fn links(count: usize) -> Vec<Timers> {
        std::iter::repeat_with(Timers::new).take(count).collect()
    }

    #[test]
    fn a_timeout_replaces_the_one_of_its_kind_and_no_other() {
        let (mut timeouts, mut links) = (Timeouts::new(&Limits::default()), links(1));
        for timeout in [Timeout::InboundIdle, Timeout::FirstFrame, Timeout::Frame, Timeout::Stall] {
            timeouts.start(&mut links, 0, timeout, SECOND);
        }
        let kinds = [TimerKind::Inbound, TimerKind::Outbound, TimerKind::Reading, TimerKind::Writing];
        let running = kinds.map(|kind| links[0].running(kind));
        assert_eq!(running, [Some(Timeout::InboundIdle), None, Some(Timeout::Frame), Some(Timeout::Stall)]);
        assert_eq!(timeouts.next(), Some(SECOND + Limits::default().stall));
        timeouts.stop_all(&mut links, 0, SECOND);
        assert_eq!((timeouts.next(), kinds.map(|kind| links[0].running(kind))), (None, [None; 4]));
    }

    #[test]
    fn one_that_has_expired_runs_no_more() {
        let (mut timeouts, mut links) = (Timeouts::new(&Limits::default()), links(2));
        timeouts.start(&mut links, 0, Timeout::Stall, SECOND);
        timeouts.start(&mut links, 1, Timeout::Stall, 2 * SECOND);
        let at = SECOND + timeouts.time_of(Timeout::Stall);
        assert_eq!(timeouts.pop(&mut links, Timeout::Linger, at), None);
        assert_eq!(timeouts.pop(&mut links, Timeout::Stall, at), Some(0));
        assert_eq!(timeouts.pop(&mut links, Timeout::Stall, at), None);
        assert_eq!([0, 1].map(|slot: usize| links[slot].running(TimerKind::Writing)), [None, Some(Timeout::Stall)]);
    }

    #[test]
    fn a_time_of_zero_is_off_when_reading_and_over_at_once_when_writing() {
        let limits = Limits { frame_time: Duration::ZERO, stall: Duration::ZERO, ..Limits::default() };
        let (mut timeouts, mut links) = (Timeouts::new(&limits), links(1));
        timeouts.start(&mut links, 0, Timeout::RateLimit, SECOND);
        timeouts.start(&mut links, 0, Timeout::Frame, SECOND);
        assert_eq!((timeouts.next(), links[0].running(TimerKind::Reading)), (None, None));
        timeouts.start(&mut links, 0, Timeout::Stall, SECOND);
        assert_eq!(timeouts.pop(&mut links, Timeout::Stall, SECOND), Some(0));
    }

    #[test]
    fn nothing_is_started_for_a_vacant_slot() {
        let (mut timeouts, mut links) = (Timeouts::new(&Limits::default()), links(0));
        timeouts.start(&mut links, 3, Timeout::Linger, SECOND);
        timeouts.stop_all(&mut links, 3, SECOND);
        assert_eq!(timeouts.next(), None);
    }

    #[test]
    fn what_is_due_grows_with_the_time_and_is_never_nothing() {
        assert_eq!(bytes_due(Duration::ZERO, 16), 1);
        assert_eq!(bytes_due(Duration::from_millis(2500), 16), 40);
        assert_eq!(bytes_due(MAX_TIME, usize::MAX), usize::MAX);
    }
}
