//! The lists of links that are watched, and for what. What becomes of those whose time has come stands in `expire`.

use super::link::{HOOKS, Link};
use super::{Loop, Os};
use crate::deadlines::{Deadlines, Hook, Hooks};
use crate::hub::Hub;
use crate::limits::{CIRCLE, LAST_LINGER, LAST_WORDS, Limits, PACE_REST};
use std::time::Duration;

/// For what a link is watched. Each has a list of its own, for all in a list have the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Timeout {
    /// Nothing is heard from it.
    InboundIdle,
    /// The same, and it was asked whether it lives.
    Probed,
    /// Nothing is said to it.
    OutboundIdle,
    /// It has begun its very first frame.
    FirstFrame,
    /// It has begun a frame.
    Frame,
    /// It asked more often than it may.
    RateLimit,
    /// It waits for somebody who is full, and is full itself.
    Deadlock,
    /// It is full, or has departed, and does not take what is queued for it.
    Stall,
    /// It was too slow, and does not take what is queued for it even so.
    FinalStall,
    /// All was sent to it, and it has not ended yet.
    Linger,
    /// The same, while the hub shuts down.
    ShutdownLinger,
}

/// The kinds of hooks, as places in [`Link::hooks`].
pub(super) const INBOUND: usize = 0;
pub(super) const OUTBOUND: usize = 1;
pub(super) const READING: usize = 2;
pub(super) const WRITING: usize = 3;

/// Every list and its kind of hook, in order.
const LISTS: [(Timeout, usize); 11] = [
    (Timeout::InboundIdle, INBOUND),
    (Timeout::Probed, INBOUND),
    (Timeout::OutboundIdle, OUTBOUND),
    (Timeout::FirstFrame, READING),
    (Timeout::Frame, READING),
    (Timeout::RateLimit, READING),
    (Timeout::Deadlock, READING),
    (Timeout::Stall, WRITING),
    (Timeout::FinalStall, WRITING),
    (Timeout::Linger, WRITING),
    (Timeout::ShutdownLinger, WRITING),
];

impl Timeout {
    pub fn kind(self) -> usize {
        LISTS[self as usize].1
    }
}

impl<S> Hooks for Hub<Link<S>> {
    fn hook(&mut self, kind: usize, slot: u32) -> &mut Hook {
        let user =
            self.user_mut(slot as usize).expect("whoever is watched is here: a link is taken off before it goes");
        &mut user.link.hooks[kind]
    }
}

/// The lists of all that are watched.
#[derive(Debug)]
pub struct Timeouts([Deadlines; LISTS.len()]);

impl Timeouts {
    pub fn new(limits: &Limits) -> Timeouts {
        let pace = Duration::from_secs(1) / limits.rate.max(1);
        Timeouts(LISTS.map(|(watch, kind)| match watch {
            Timeout::InboundIdle | Timeout::Probed => Deadlines::slack(kind, limits.idle / 2),
            Timeout::OutboundIdle => Deadlines::slack(kind, limits.heartbeat),
            Timeout::FirstFrame => Deadlines::exact(kind, limits.first_frame_time()),
            Timeout::Frame => Deadlines::exact(kind, limits.frame_time),
            Timeout::RateLimit => Deadlines::exact(kind, pace.max(PACE_REST)),
            Timeout::Deadlock => Deadlines::exact(kind, CIRCLE.min(limits.stall / 2)),
            Timeout::Stall => Deadlines::exact(kind, limits.stall),
            Timeout::FinalStall => Deadlines::exact(kind, LAST_WORDS.min(limits.stall)),
            Timeout::Linger => Deadlines::exact(kind, limits.linger),
            Timeout::ShutdownLinger => Deadlines::exact(kind, limits.linger.min(LAST_LINGER)),
        }))
    }

    /// When to look at the first of all.
    pub fn next(&self) -> Option<Duration> {
        self.0.iter().filter_map(Deadlines::next).min()
    }

    pub fn of(&mut self, watch: Timeout) -> &mut Deadlines {
        &mut self.0[watch as usize]
    }

    /// After how long those in a list are due.
    pub fn time_of(&self, watch: Timeout) -> Duration {
        self.0[watch as usize].after()
    }
}

/// So many bytes, as a link notes them.
pub(super) fn counted(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl<O: Os> Loop<O> {
    /// Timeouts a link for this from now on, instead of for anything else of the same kind.
    pub(super) fn start_timeout(&mut self, slot: usize, watch: Timeout) {
        self.stop_timeout(slot, watch.kind());
        if let Some(user) = self.hub.user_mut(slot) {
            user.link.watched[watch.kind()] = Some(watch);
            user.link.queued_then = counted(user.outbox().queued());
            self.timeouts.of(watch).push(&mut self.hub, slot as u32, self.now);
        }
    }

    /// The same, where the time for it is not set to zero, which turns it off.
    pub(super) fn start_timeout_unless_off(&mut self, slot: usize, watch: Timeout) {
        if !self.timeouts.time_of(watch).is_zero() {
            self.start_timeout(slot, watch);
        }
    }

    pub(super) fn stop_timeout(&mut self, slot: usize, kind: usize) {
        if let Some(watch) = self.hub.user_mut(slot).and_then(|user| user.link.watched[kind].take()) {
            self.timeouts.of(watch).remove(&mut self.hub, slot as u32, self.now);
        }
    }

    /// Takes a link off all lists.
    pub(super) fn stop_all_timeouts(&mut self, slot: usize) {
        (0..HOOKS).for_each(|kind| self.stop_timeout(slot, kind));
    }

    /// Calls `then` for each that this list gives up; those who have departed meanwhile only where it is about writing.
    pub(super) fn expire(&mut self, watch: Timeout, then: impl Fn(&mut Self, usize, Timeout)) {
        while let Some(slot) = self.timeouts.of(watch).pop(&mut self.hub, self.now) {
            let slot = slot as usize;
            let Some(user) = self.hub.user_mut(slot) else { continue };
            user.link.watched[watch.kind()] = None;
            if user.is_present() || watch.kind() == WRITING {
                then(self, slot, watch);
            }
        }
    }
}
