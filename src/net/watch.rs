//! What becomes of links whose time has come: those who are silent, slow to finish a frame, ask too often, wait in a
//! circle, do not read, or take long to leave. The lists themselves stand in `watches`.

use super::link::Stage;
use super::watches::{HEARD, READING, SAID, WRITING, Watch, counted};
use super::{Loop, Os};
use crate::hub::User;
use crate::limits::{BEHIND, CLOSING_PACE, FRAME_PACE};
use crate::marks::{Mark, mark};
use crate::wire::ErrorCode;
use std::time::Duration;

/// Bytes that must flow in this time at so many a second.
pub(super) fn owed_in(time: Duration, pace: usize) -> usize {
    let bytes = pace as u128 * time.as_millis() / 1000;
    usize::try_from(bytes).unwrap_or(usize::MAX).max(1)
}

impl<O: Os> Loop<O> {
    /// Begins to watch a link that has just come in.
    pub(super) fn watch_newcomer(&mut self, slot: usize) {
        self.watch_unless_off(slot, Watch::Silence);
        self.watch_unless_off(slot, Watch::Quiet);
    }

    /// A user that was full is so no more.
    pub(super) fn no_longer_full(&mut self, slot: usize) {
        if self.hub.user(slot).is_some_and(User::is_present) {
            self.unwatch(slot, WRITING);
            self.watch_reading(slot, false);
        }
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
        if !self.is_behind() {
            self.expire(Watch::Silence, Self::ask);
            self.expire(Watch::Asked, Self::close_silent);
            self.expire(Watch::FirstFrame, Self::close_unless_it_grew);
            self.expire(Watch::Frame, Self::close_unless_it_grew);
        }
        self.expire(Watch::Quiet, |net, slot, _| {
            // What is on its way to it already will do.
            if net.hub.user(slot).is_some_and(|user| user.outbox().queued() == 0) {
                net.beat(slot);
            }
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
        if !self.is_behind() {
            for watch in [Watch::Stall, Watch::LastWords, Watch::Linger, Watch::LastLinger] {
                self.expire(watch, Self::close_stalled);
            }
        }
    }

    /// Whether edges wait in the system that may show somebody to be neither silent nor slow.
    fn is_behind(&self) -> bool {
        (1..BEHIND).contains(&self.behind)
    }

    /// Whether the hub has not read all that may have come from a link, so that it is not to blame.
    fn is_unread(&self, slot: usize) -> bool {
        self.hub.user(slot).is_some_and(|user| user.is_waiting() || user.link.readable)
    }

    /// Begins anew with a link that is silent, where it may be the hub that did not listen; says whether that was so.
    fn spare_unread(&mut self, slot: usize) -> bool {
        let unread = self.is_unread(slot);
        if unread {
            mark(Mark::SilentButUnread);
            self.watch(slot, Watch::Silence);
        }
        unread
    }

    /// A link is held back, though something has come from it: its frame is timed anew when it is read again.
    pub(super) fn hold_back(&mut self, slot: usize) {
        let watched = self.hub.user(slot).and_then(|user| user.link.watched[READING]);
        if matches!(watched, Some(Watch::FirstFrame | Watch::Frame)) {
            self.unwatch(slot, READING);
        }
    }

    /// Asks a link that was silent for long whether it lives, where it was not asked by another beat before.
    fn ask(&mut self, slot: usize, _: Watch) {
        if self.spare_unread(slot) {
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

    fn close_silent(&mut self, slot: usize, _: Watch) {
        if self.spare_unread(slot) {
            return;
        }
        mark(Mark::SilentClosed);
        let text = format!("nothing was heard from this client for {:?}", self.hub.limits().idle);
        self.hub.dismiss(slot, ErrorCode::Idle, &text);
    }

    fn close_unless_it_grew(&mut self, slot: usize, watch: Watch) {
        let Some(user) = self.hub.user(slot) else { return };
        let time = self.watches.time_of(watch);
        let kept = user.half_received();
        let grown = kept.saturating_sub(user.link.kept_then as usize);
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
        self.close_as_burden(slot, "this client did not read what was queued for it");
    }

    /// Closes a user for which too much is held, and says why.
    pub(super) fn close_as_burden(&mut self, slot: usize, why: &str) {
        let Some(user) = self.hub.user_mut(slot) else { return };
        log::info!("{} is closed with {} bytes queued: {why}", user.label(), user.outbox().queued());
        mark(Mark::TooSlow);
        user.link.stage = Stage::TooSlow;
        self.hub.dismiss(slot, ErrorCode::TooSlow, why);
    }

    /// The time of a link on its way out is over. It gets as much again where it took some of what is queued for it.
    fn close_unless_it_took_some(&mut self, slot: usize) {
        let Some(user) = self.hub.user(slot) else { return };
        let (queued, watch) = (user.outbox().queued(), self.last_watch(user.link.stage));
        let taken = user.link.queued_then.saturating_sub(counted(queued)) as usize;
        let time = self.watches.time_of(watch);
        if queued > 0 && taken >= owed_in(time, CLOSING_PACE) {
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
            Stage::TooSlow => Watch::LastWords,
            _ if self.drained_by.is_some() => Watch::LastLinger,
            _ => Watch::Linger,
        }
    }
}
