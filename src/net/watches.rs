//! The lists of links that are watched, and for what. What becomes of those whose time has come stands in `watch`.

use super::link::{HOOKS, Link};
use super::{Loop, Os};
use crate::deadlines::{Deadlines, Hook, Hooks};
use crate::hub::Hub;
use crate::limits::{CIRCLE, LAST_LINGER, LAST_WORDS, Limits, PACE_REST};
use std::time::Duration;

/// For what a link is watched. Each has a list of its own, for all in a list have the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Watch {
    /// Nothing is heard from it.
    Silence,
    /// The same, and it was asked whether it lives.
    Asked,
    /// Nothing is said to it.
    Quiet,
    /// It has begun its very first frame.
    FirstFrame,
    /// It has begun a frame.
    Frame,
    /// It asked more often than it may.
    Pace,
    /// It waits for somebody who is full, and is full itself.
    Circle,
    /// It is full, or has departed, and does not take what is queued for it.
    Stall,
    /// It was too slow, and does not take what is queued for it even so.
    LastWords,
    /// All was sent to it, and it has not ended yet.
    Linger,
    /// The same, while the hub shuts down.
    LastLinger,
}

/// The kinds of hooks, as places in [`Link::hooks`].
pub(super) const HEARD: usize = 0;
pub(super) const SAID: usize = 1;
pub(super) const READING: usize = 2;
pub(super) const WRITING: usize = 3;

/// Every list and its kind of hook, in order.
const LISTS: [(Watch, usize); 11] = [
    (Watch::Silence, HEARD),
    (Watch::Asked, HEARD),
    (Watch::Quiet, SAID),
    (Watch::FirstFrame, READING),
    (Watch::Frame, READING),
    (Watch::Pace, READING),
    (Watch::Circle, READING),
    (Watch::Stall, WRITING),
    (Watch::LastWords, WRITING),
    (Watch::Linger, WRITING),
    (Watch::LastLinger, WRITING),
];

impl Watch {
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
pub struct Watches([Deadlines; LISTS.len()]);

impl Watches {
    pub fn new(limits: &Limits) -> Watches {
        let pace = Duration::from_secs(1) / limits.rate.max(1);
        Watches(LISTS.map(|(watch, kind)| match watch {
            Watch::Silence | Watch::Asked => Deadlines::slack(kind, limits.idle / 2),
            Watch::Quiet => Deadlines::slack(kind, limits.heartbeat),
            Watch::FirstFrame => Deadlines::exact(kind, limits.first_frame_time()),
            Watch::Frame => Deadlines::exact(kind, limits.frame_time),
            Watch::Pace => Deadlines::exact(kind, pace.max(PACE_REST)),
            Watch::Circle => Deadlines::exact(kind, CIRCLE.min(limits.stall / 2)),
            Watch::Stall => Deadlines::exact(kind, limits.stall),
            Watch::LastWords => Deadlines::exact(kind, LAST_WORDS.min(limits.stall)),
            Watch::Linger => Deadlines::exact(kind, limits.linger),
            Watch::LastLinger => Deadlines::exact(kind, limits.linger.min(LAST_LINGER)),
        }))
    }

    /// When to look at the first of all.
    pub fn next(&self) -> Option<Duration> {
        self.0.iter().filter_map(Deadlines::next).min()
    }

    pub fn of(&mut self, watch: Watch) -> &mut Deadlines {
        &mut self.0[watch as usize]
    }

    /// After how long those in a list are due.
    pub fn time_of(&self, watch: Watch) -> Duration {
        self.0[watch as usize].after()
    }
}

/// So many bytes, as a link notes them.
pub(super) fn counted(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl<O: Os> Loop<O> {
    /// Watches a link for this from now on, instead of for anything else of the same kind.
    pub(super) fn watch(&mut self, slot: usize, watch: Watch) {
        self.unwatch(slot, watch.kind());
        if let Some(user) = self.hub.user_mut(slot) {
            user.link.watched[watch.kind()] = Some(watch);
            user.link.queued_then = counted(user.outbox().queued());
            self.watches.of(watch).push(&mut self.hub, slot as u32, self.now);
        }
    }

    /// The same, where the time for it is not set to zero, which turns it off.
    pub(super) fn watch_unless_off(&mut self, slot: usize, watch: Watch) {
        if !self.watches.time_of(watch).is_zero() {
            self.watch(slot, watch);
        }
    }

    pub(super) fn unwatch(&mut self, slot: usize, kind: usize) {
        if let Some(watch) = self.hub.user_mut(slot).and_then(|user| user.link.watched[kind].take()) {
            self.watches.of(watch).remove(&mut self.hub, slot as u32, self.now);
        }
    }

    /// Takes a link off all lists.
    pub(super) fn unwatch_all(&mut self, slot: usize) {
        (0..HOOKS).for_each(|kind| self.unwatch(slot, kind));
    }

    /// Calls `then` for each that this list gives up; those who have departed meanwhile only where it is about writing.
    pub(super) fn expire(&mut self, watch: Watch, then: impl Fn(&mut Self, usize, Watch)) {
        while let Some(slot) = self.watches.of(watch).pop(&mut self.hub, self.now) {
            let slot = slot as usize;
            let Some(user) = self.hub.user_mut(slot) else { continue };
            user.link.watched[watch.kind()] = None;
            if user.is_present() || watch.kind() == WRITING {
                then(self, slot, watch);
            }
        }
    }
}
