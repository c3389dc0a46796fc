//! What links are watched for, and what becomes of those whose time has come: who is silent, who is slow to finish a
//! frame, who asks too often, who waits in a circle, who does not read, who takes long to leave.

use super::link::{HOOKS, Link, Stage};
use super::{Loop, Os};
use crate::deadlines::{Deadlines, Hook, Hooks};
use crate::hub::{Hub, User};
use crate::limits::{CIRCLE, FRAME_PACE, LAST_LINGER, Limits, PACE_REST};
use crate::marks::{Mark, mark};
use crate::wire::ErrorCode;
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
    /// All was sent to it, or it was too slow before, and it has not ended yet.
    Linger,
    /// The same, while the hub shuts down.
    LastLinger,
}

/// The kinds of hooks, as places in [`Link::hooks`].
const HEARD: usize = 0;
const SAID: usize = 1;
const READING: usize = 2;
const WRITING: usize = 3;

/// Every list and its kind of hook, in order.
const LISTS: [(Watch, usize); 10] = [
    (Watch::Silence, HEARD),
    (Watch::Asked, HEARD),
    (Watch::Quiet, SAID),
    (Watch::FirstFrame, READING),
    (Watch::Frame, READING),
    (Watch::Pace, READING),
    (Watch::Circle, READING),
    (Watch::Stall, WRITING),
    (Watch::Linger, WRITING),
    (Watch::LastLinger, WRITING),
];

impl Watch {
    fn kind(self) -> usize {
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
            Watch::Linger => Deadlines::exact(kind, limits.linger),
            Watch::LastLinger => Deadlines::exact(kind, limits.linger.min(LAST_LINGER)),
        }))
    }

    /// When to look at the first of all.
    pub fn next(&self) -> Option<Duration> {
        self.0.iter().filter_map(Deadlines::next).min()
    }

    fn of(&mut self, watch: Watch) -> &mut Deadlines {
        &mut self.0[watch as usize]
    }
}

/// Bytes that must flow in this time at so many a second.
fn owed_in(time: Duration, pace: usize) -> usize {
    let bytes = pace as u128 * time.as_millis() / 1000;
    usize::try_from(bytes).unwrap_or(usize::MAX).max(1)
}

fn counted(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl<O: Os> Loop<O> {
    /// Begins to watch a link that has just come in.
    pub(super) fn watch_newcomer(&mut self, slot: usize) {
        self.watch_unless_off(slot, Watch::Silence);
        self.watch_unless_off(slot, Watch::Quiet);
    }

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
    fn watch_unless_off(&mut self, slot: usize, watch: Watch) {
        if !self.watches.of(watch).after().is_zero() {
            self.watch(slot, watch);
        }
    }

    fn unwatch(&mut self, slot: usize, kind: usize) {
        if let Some(watch) = self.hub.user_mut(slot).and_then(|user| user.link.watched[kind].take()) {
            self.watches.of(watch).remove(&mut self.hub, slot as u32, self.now);
        }
    }

    /// A user that was full is so no more.
    pub(super) fn no_longer_full(&mut self, slot: usize) {
        if self.hub.user(slot).is_some_and(User::is_present) {
            self.unwatch(slot, WRITING);
        }
    }

    /// Takes a link off all lists.
    pub(super) fn unwatch_all(&mut self, slot: usize) {
        (0..HOOKS).for_each(|kind| self.unwatch(slot, kind));
    }

    /// Bytes came from a link, or it waits no more and may be read again.
    pub(super) fn heard(&mut self, slot: usize) {
        let Some(user) = self.hub.user_mut(slot) else { return };
        user.link.asked = false;
        match user.link.watched[HEARD] {
            Some(Watch::Silence) => self.watches.of(Watch::Silence).renew(&mut self.hub, slot as u32, self.now),
            Some(_) => self.watch(slot, Watch::Silence),
            None => {}
        }
    }

    /// Bytes went to a link.
    pub(super) fn said(&mut self, slot: usize) {
        if self.hub.user(slot).is_some_and(|user| user.link.watched[SAID].is_some()) {
            self.watches.of(Watch::Quiet).renew(&mut self.hub, slot as u32, self.now);
        }
    }

    /// After a link was read, or its user began to wait or to be full: watches how its reading goes on. `finished` says
    /// whether a frame was, so that an unfinished one is another than before.
    pub(super) fn watch_reading(&mut self, slot: usize, finished: bool) {
        let Some(user) = self.hub.user(slot) else { return };
        let (watched, kept) = (user.link.watched[READING], user.half_received());
        let wanted = match user {
            user if !user.is_present() => None,
            user if user.is_paced() => Some(Watch::Pace),
            user if user.is_waiting() => Some(Watch::Circle).filter(|_| user.is_held_up() && user.is_full()),
            _ if kept == 0 => None,
            user => Some(if user.has_spoken() { Watch::Frame } else { Watch::FirstFrame }),
        };
        let is_other = finished && matches!(wanted, Some(Watch::FirstFrame | Watch::Frame));
        if watched != wanted || is_other {
            self.unwatch(slot, READING);
            if let Some(watch) = wanted {
                self.begin_to_watch_reading(slot, watch, kept);
            }
        }
    }

    fn begin_to_watch_reading(&mut self, slot: usize, watch: Watch, kept: usize) {
        if let Some(user) = self.hub.user_mut(slot) {
            user.link.kept_then = counted(kept);
            self.watch_unless_off(slot, watch);
        }
    }

    /// Looks at those whose silence, reading or waiting has lasted long enough.
    pub(super) fn expire_reading(&mut self) {
        // Those whose edges wait in the system are not silent.
        if !self.more_edges {
            self.expire(Watch::Silence, Self::ask);
            self.expire(Watch::Asked, Self::close_silent);
            self.expire(Watch::FirstFrame, Self::close_unless_it_grew);
            self.expire(Watch::Frame, Self::close_unless_it_grew);
        }
        self.expire(Watch::Quiet, |net, slot, _| {
            net.beat(slot);
            net.watch(slot, Watch::Quiet);
        });
        self.expire(Watch::Pace, |net, slot, _| {
            if net.hub.may_not_ask_yet(slot) {
                mark(Mark::PacedStill);
                net.watch(slot, Watch::Pace);
            }
        });
        self.expire(Watch::Circle, |net, slot, _| net.hub.break_circle(slot));
    }

    /// Looks at those who have taken long to take what is queued for them, or to end.
    pub(super) fn expire_writing(&mut self) {
        for watch in [Watch::Stall, Watch::Linger, Watch::LastLinger] {
            self.expire(watch, Self::close_stalled);
        }
    }

    /// Calls `then` for each that this list gives up; those who have departed meanwhile only where it is about writing.
    fn expire(&mut self, watch: Watch, then: impl Fn(&mut Self, usize, Watch)) {
        while let Some(slot) = self.watches.of(watch).pop(&mut self.hub, self.now) {
            let slot = slot as usize;
            let Some(user) = self.hub.user_mut(slot) else { continue };
            user.link.watched[watch.kind()] = None;
            if user.is_present() || watch.kind() == WRITING {
                then(self, slot, watch);
            }
        }
    }

    /// Whether the hub has not read all that may have come from a link, so that it is not to blame.
    fn is_unread(&self, slot: usize, watch: Watch) -> bool {
        let user = self.hub.user(slot);
        let time = self.watches.0[watch as usize].after();
        user.is_some_and(|user| user.is_waiting() || user.link.readable)
            || self.squeezed.is_some()
            || self.squeezed_until.is_some_and(|until| self.now < until + time)
    }

    /// Begins anew with a link that is silent, where it may be the hub that did not listen; says whether that was so.
    fn spare_unread(&mut self, slot: usize, watch: Watch) -> bool {
        let unread = self.is_unread(slot, watch);
        if unread {
            mark(Mark::SilentButUnread);
            self.watch(slot, Watch::Silence);
        }
        unread
    }

    /// Asks a link that was silent for long whether it lives, where it was not asked by another beat before.
    fn ask(&mut self, slot: usize, watch: Watch) {
        if self.spare_unread(slot, watch) {
            return;
        }
        if self.hub.user(slot).is_some_and(|user| !user.link.asked) && !self.hub.limits().heartbeat.is_zero() {
            mark(Mark::AskedWhetherItLives);
            self.beat(slot);
        }
        self.watch(slot, Watch::Asked);
    }

    fn beat(&mut self, slot: usize) {
        self.hub.beat(slot);
        if let Some(user) = self.hub.user_mut(slot) {
            user.link.asked = true;
        }
    }

    fn close_silent(&mut self, slot: usize, watch: Watch) {
        if self.spare_unread(slot, watch) {
            return;
        }
        mark(Mark::SilentClosed);
        let text = format!("nothing was heard from this client for {:?}", self.hub.limits().idle);
        self.hub.dismiss(slot, ErrorCode::Idle, &text);
    }

    fn close_unless_it_grew(&mut self, slot: usize, watch: Watch) {
        let Some(user) = self.hub.user(slot) else { return };
        let time = self.watches.0[watch as usize].after();
        let kept = user.half_received();
        let grown = kept.saturating_sub(user.link.kept_then as usize);
        // What a link could not send while all had to wait is not its fault; but what it did not send is.
        if user.link.readable || grown >= owed_in(time, FRAME_PACE) {
            mark(Mark::FrameGrew);
            return self.begin_to_watch_reading(slot, watch, kept);
        }
        mark(Mark::FrameTooSlow);
        log::info!("{} is closed: {kept} bytes of a frame, and the rest did not come", user.label());
        let text = format!("a frame was not complete within {time:?} of its first byte");
        self.hub.dismiss(slot, ErrorCode::Idle, &text);
    }

    fn close_stalled(&mut self, slot: usize, _: Watch) {
        let Some(user) = self.hub.user(slot) else { return };
        if !user.is_present() {
            self.close_unless_it_took_some(slot);
        } else if user.is_full() {
            self.close_too_slow(slot);
        }
    }

    /// Closes a user that does not read what is queued for it.
    pub(super) fn close_too_slow(&mut self, slot: usize) {
        let Some(user) = self.hub.user_mut(slot) else { return };
        log::info!("{} is closed: it took too little of {} bytes", user.label(), user.outbox().queued());
        mark(Mark::TooSlow);
        user.link.stage = Stage::TooSlow;
        self.hub.dismiss(slot, ErrorCode::TooSlow, "this client did not read what was queued for it");
    }

    /// The time of a link on its way out is over. It gets as much again where it took some of what is queued for it.
    fn close_unless_it_took_some(&mut self, slot: usize) {
        let Some(user) = self.hub.user(slot) else { return };
        let (queued, watch) = (user.outbox().queued(), self.last_watch(user.link.stage));
        let taken = user.link.queued_then.saturating_sub(counted(queued)) as usize;
        let time = self.watches.0[watch as usize].after();
        if queued > 0 && taken >= owed_in(time, crate::limits::CLOSING_PACE) {
            mark(Mark::TookSome);
            return self.watch(slot, watch);
        }
        mark(if queued > 0 { Mark::ClosedWithUnsent } else { Mark::LingerOver });
        log::debug!("{} is closed with {queued} bytes not taken", user.label());
        self.doom(slot);
    }

    /// For what a link on its way out is watched. One that was too slow before has had its time.
    pub(super) fn last_watch(&self, stage: Stage) -> Watch {
        match stage {
            Stage::Open => Watch::Stall,
            _ if self.drained_by.is_some() && stage == Stage::Shut => Watch::LastLinger,
            _ => Watch::Linger,
        }
    }
}
