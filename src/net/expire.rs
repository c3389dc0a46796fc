//! What becomes of links whose time has come: those who are silent, slow to finish a frame, ask too often, wait in a
//! circle, do not read, or take long to leave. The lists themselves stand in `timeouts`.

use super::link::Stage;
use super::timeouts::{INBOUND, OUTBOUND, READING, Timeout, WRITING, counted};
use super::{Loop, Os};
use crate::hub::User;
use crate::limits::{BEHIND, CLOSING_PACE, FRAME_PACE};
use crate::marks::{Mark, mark};
use crate::wire::ErrorCode;
use std::time::Duration;

/// Bytes that must flow in this time at so many a second.
pub(super) fn bytes_due(time: Duration, pace: usize) -> usize {
    let bytes = pace as u128 * time.as_millis() / 1000;
    usize::try_from(bytes).unwrap_or(usize::MAX).max(1)
}

impl<O: Os> Loop<O> {
    /// Begins to watch a link that has just come in.
    pub(super) fn start_timeouts_of_new(&mut self, slot: usize) {
        self.start_timeout_unless_off(slot, Timeout::InboundIdle);
        self.start_timeout_unless_off(slot, Timeout::OutboundIdle);
    }

    /// A user that was full is so no more.
    pub(super) fn no_longer_full(&mut self, slot: usize) {
        if self.hub.user(slot).is_some_and(User::is_present) {
            self.stop_timeout(slot, WRITING);
            self.update_reading_timeout(slot, false);
        }
    }

    /// Bytes came from a link, or it waits no more and may be read again.
    pub(super) fn note_received(&mut self, slot: usize) {
        let Some(user) = self.hub.user_mut(slot) else { return };
        user.link.probed = false;
        match user.link.watched[INBOUND] {
            Some(Timeout::InboundIdle) => {
                self.timeouts.of(Timeout::InboundIdle).renew(&mut self.hub, slot as u32, self.now)
            }
            Some(_) => self.start_timeout(slot, Timeout::InboundIdle),
            None => {}
        }
    }

    /// Bytes went to a link.
    pub(super) fn note_sent(&mut self, slot: usize) {
        if self.hub.user(slot).is_some_and(|user| user.link.watched[OUTBOUND].is_some()) {
            self.timeouts.of(Timeout::OutboundIdle).renew(&mut self.hub, slot as u32, self.now);
        }
    }

    /// After a link was read, or its user began to wait or to be full: watches how its reading goes on. `finished` says
    /// whether a frame was, so that an unfinished one is another than before.
    pub(super) fn update_reading_timeout(&mut self, slot: usize, finished: bool) {
        let Some(user) = self.hub.user(slot) else { return };
        let (watched, kept) = (user.link.watched[READING], user.half_received());
        let wanted = match user {
            user if !user.is_present() => None,
            user if user.is_paced() => Some(Timeout::RateLimit),
            user if user.is_waiting() => Some(Timeout::Deadlock).filter(|_| user.is_held_up() && user.is_full()),
            _ if kept == 0 => None,
            user => Some(if user.has_spoken() { Timeout::Frame } else { Timeout::FirstFrame }),
        };
        let is_other = finished && matches!(wanted, Some(Timeout::FirstFrame | Timeout::Frame));
        if watched != wanted || is_other {
            self.stop_timeout(slot, READING);
            if let Some(watch) = wanted {
                self.start_reading_timeout(slot, watch, kept);
            }
        }
    }

    fn start_reading_timeout(&mut self, slot: usize, watch: Timeout, kept: usize) {
        if let Some(user) = self.hub.user_mut(slot) {
            user.link.kept_then = counted(kept);
            self.start_timeout_unless_off(slot, watch);
        }
    }

    /// Looks at those whose silence, reading or waiting has lasted long enough.
    pub(super) fn expire_reading(&mut self) {
        if !self.is_behind() {
            self.expire(Timeout::InboundIdle, Self::ask);
            self.expire(Timeout::Probed, Self::close_silent);
            self.expire(Timeout::FirstFrame, Self::close_unless_it_grew);
            self.expire(Timeout::Frame, Self::close_unless_it_grew);
        }
        self.expire(Timeout::OutboundIdle, |net, slot, _| {
            // What is on its way to it already will do.
            if net.hub.user(slot).is_some_and(|user| user.outbox().queued() == 0) {
                net.heartbeat(slot);
            }
            net.start_timeout(slot, Timeout::OutboundIdle);
        });
        self.expire(Timeout::RateLimit, |net, slot, _| {
            if net.hub.may_not_ask_yet(slot) {
                mark(Mark::PacedStill);
                net.start_timeout(slot, Timeout::RateLimit);
            }
        });
        self.expire(Timeout::Deadlock, |net, slot, _| net.hub.break_circle(slot));
    }

    /// Looks at those who have taken long to take what is queued for them, or to end.
    pub(super) fn expire_writing(&mut self) {
        if !self.is_behind() {
            for watch in [Timeout::Stall, Timeout::FinalStall, Timeout::Linger, Timeout::ShutdownLinger] {
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
            self.start_timeout(slot, Timeout::InboundIdle);
        }
        unread
    }

    /// A link is held back, though something has come from it: its frame is timed anew when it is read again.
    pub(super) fn pause_frame_timeout(&mut self, slot: usize) {
        let watched = self.hub.user(slot).and_then(|user| user.link.watched[READING]);
        if matches!(watched, Some(Timeout::FirstFrame | Timeout::Frame)) {
            self.stop_timeout(slot, READING);
        }
    }

    /// Asks a link that was silent for long whether it lives, where it was not asked by another beat before.
    fn ask(&mut self, slot: usize, _: Timeout) {
        if self.spare_unread(slot) {
            return;
        }
        if self.hub.user(slot).is_some_and(|user| !user.link.probed) && !self.hub.limits().heartbeat.is_zero() {
            mark(Mark::AskedWhetherItLives);
            self.heartbeat(slot);
        }
        self.start_timeout(slot, Timeout::Probed);
    }

    fn heartbeat(&mut self, slot: usize) {
        self.hub.beat(slot);
        if let Some(user) = self.hub.user_mut(slot) {
            user.link.probed = true;
        }
    }

    fn close_silent(&mut self, slot: usize, _: Timeout) {
        if self.spare_unread(slot) {
            return;
        }
        mark(Mark::SilentClosed);
        let text = format!("nothing was heard from this client for {:?}", self.hub.limits().idle);
        self.hub.dismiss(slot, ErrorCode::Idle, &text);
    }

    fn close_unless_it_grew(&mut self, slot: usize, watch: Timeout) {
        let Some(user) = self.hub.user(slot) else { return };
        let time = self.timeouts.time_of(watch);
        let kept = user.half_received();
        let grown = kept.saturating_sub(user.link.kept_then as usize);
        if user.link.readable || grown >= bytes_due(time, FRAME_PACE) {
            mark(Mark::FrameGrew);
            return self.start_reading_timeout(slot, watch, kept);
        }
        mark(Mark::FrameTooSlow);
        log::info!("{} is closed: {kept} bytes of a frame, and the rest did not come", user.label());
        let text = format!("a frame was not complete within {time:?} of its first byte");
        self.hub.dismiss(slot, ErrorCode::Idle, &text);
    }

    fn close_stalled(&mut self, slot: usize, _: Timeout) {
        let Some(user) = self.hub.user(slot) else { return };
        if !user.is_present() {
            self.close_unless_it_took_some(slot);
        } else if user.is_full() {
            self.close_too_slow(slot);
        }
    }

    /// Closes a user that does not read what is queued for it.
    pub(super) fn close_too_slow(&mut self, slot: usize) {
        self.close_holder(slot, "this client did not read what was queued for it");
    }

    /// Closes a user for which too much is held, and says why.
    pub(super) fn close_holder(&mut self, slot: usize, why: &str) {
        let Some(user) = self.hub.user_mut(slot) else { return };
        log::info!("{} is closed with {} bytes queued: {why}", user.label(), user.outbox().queued());
        mark(Mark::TooSlow);
        user.link.stage = Stage::TooSlow;
        self.hub.dismiss(slot, ErrorCode::TooSlow, why);
    }

    /// The time of a link on its way out is over. It gets as much again where it took some of what is queued for it.
    fn close_unless_it_took_some(&mut self, slot: usize) {
        let Some(user) = self.hub.user(slot) else { return };
        let (queued, watch) = (user.outbox().queued(), self.closing_timeout(user.link.stage));
        let taken = user.link.queued_then.saturating_sub(counted(queued)) as usize;
        let time = self.timeouts.time_of(watch);
        if queued > 0 && taken >= bytes_due(time, CLOSING_PACE) {
            mark(Mark::TookSome);
            return self.start_timeout(slot, watch);
        }
        mark(if queued > 0 { Mark::ClosedWithUnsent } else { Mark::LingerOver });
        log::debug!("{} is closed with {queued} bytes not taken", user.label());
        self.mark_closing(slot);
    }

    /// For what a link on its way out is watched. One that was too slow before has had its time.
    pub(super) fn closing_timeout(&self, stage: Stage) -> Timeout {
        match stage {
            Stage::Open => Timeout::Stall,
            Stage::TooSlow => Timeout::FinalStall,
            _ if self.drain_deadline.is_some() => Timeout::ShutdownLinger,
            _ => Timeout::Linger,
        }
    }
}
