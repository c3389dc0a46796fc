//! What happens when a timeout expires. The files for admitting, reading, flushing and closing start and stop the
//! timeouts; their lengths are in `timeouts`.

use super::link::Link;
use super::timeouts::{Timeout, TimerKind, bytes_due};
use super::{Loop, Os};
use crate::hub::{Gateway, RequestContext, Session};
use crate::limits::{CLOSING_RATE, EXPIRIES, FRAME_RATE};
use crate::marks::{Mark, mark};
use crate::wire::ErrorCode;

impl<O: Os, G: Gateway> Loop<O, G> {
    /// Starts a timeout of a link, in place of a running one of the same kind, and notes the state from which progress
    /// is measured.
    pub(super) fn start_timeout(&mut self, slot: usize, timeout: Timeout) {
        let Some(session) = self.hub.session_mut(slot) else { return };
        session.link.queued_before = saturated(session.outbox().queued());
        if timeout.kind() == TimerKind::Reading {
            let progress = if timeout == Timeout::Unread { session.unread_answers() } else { session.unparsed() };
            session.link.progress_before = saturated(progress);
        }
        self.timeouts.start(&mut self.hub, slot, timeout, self.now);
    }

    /// Stops the timeout of this kind of a link, if one runs.
    pub(super) fn stop_timeout(&mut self, slot: usize, kind: TimerKind) {
        self.timeouts.stop(&mut self.hub, slot, kind, self.now);
    }

    /// Handles the timeouts that have expired by now, of all but writing.
    pub(super) fn expire_reading(&mut self) {
        if !self.readiness.is_behind() {
            self.expire(&[Timeout::InboundIdle, Timeout::Probed, Timeout::Spare, Timeout::FirstFrame, Timeout::Frame]);
        }
        self.expire(&[Timeout::OutboundIdle, Timeout::RateLimit, Timeout::Deadlock, Timeout::Receiver]);
    }

    /// Handles the timeouts of writing that have expired by now.
    pub(super) fn expire_writing(&mut self) {
        if !self.readiness.is_behind() {
            self.expire(&[
                Timeout::Unread,
                Timeout::Stall,
                Timeout::FinalStall,
                Timeout::Linger,
                Timeout::ShutdownLinger,
            ]);
        }
    }

    /// Handles these timeouts if they have expired. For a departed session only timeouts of writing matter.
    fn expire(&mut self, timeouts: &[Timeout]) {
        for &timeout in timeouts {
            let is_of_writing = timeout.kind() == TimerKind::Writing;
            for _ in 0..EXPIRIES {
                let Some(slot) = self.timeouts.pop(&mut self.hub, timeout, self.now) else { break };
                if is_of_writing || self.hub.session(slot).is_some_and(Session::is_open) {
                    self.handle_expired(slot, timeout);
                }
            }
        }
    }

    fn handle_expired(&mut self, slot: usize, timeout: Timeout) {
        match timeout {
            Timeout::InboundIdle => self.probe(slot),
            Timeout::Probed => self.close_idle(slot),
            Timeout::Spare => self.end_spare(slot),
            Timeout::OutboundIdle => self.send_heartbeat(slot),
            Timeout::FirstFrame | Timeout::Frame => self.close_unless_frame_grew(slot, timeout),
            Timeout::RateLimit => self.check_rate(slot),
            Timeout::Deadlock | Timeout::Receiver => self.hub.give_up_on_receiver(slot),
            Timeout::Unread => self.close_unless_answers_read(slot),
            Timeout::Stall | Timeout::FinalStall | Timeout::Linger | Timeout::ShutdownLinger => {
                self.close_stalled(slot);
            }
        }
    }

    /// Sends a heartbeat to a peer that has been silent for half of the idle time, unless it has not answered the last
    /// one yet.
    fn probe(&mut self, slot: usize) {
        if self.spare_unread(slot) {
            return;
        }
        let was_probed = self.hub.session(slot).is_some_and(|session| session.link.probed);
        if !was_probed && !self.hub.limits().heartbeat.is_zero() {
            mark(Mark::Probed);
            self.heartbeat(slot);
        }
        self.start_timeout(slot, Timeout::Probed);
    }

    fn close_idle(&mut self, slot: usize) {
        if self.spare_unread(slot) {
            return;
        }
        mark(Mark::IdleClosed);
        let text = format!("nothing was received from this client for {:?}", self.hub.limits().idle);
        self.hub.close(slot, ErrorCode::Idle, &text);
    }

    /// The time of an HTTP caller beyond the limit of connections is over: it is told that the hub is full, unless
    /// there is room by now.
    fn end_spare(&mut self, slot: usize) {
        if self.hub.admit_spare(slot, &RequestContext::default()) {
            self.start_timeout(slot, Timeout::InboundIdle);
        }
    }

    /// If input may have arrived that the hub has not read, the link may not be idle: restarts the timeout and returns
    /// true.
    fn spare_unread(&mut self, slot: usize) -> bool {
        let is_unread = |session: &Session<Link<_>>| session.is_waiting() || session.link.is_readable();
        let spared = self.hub.session(slot).is_some_and(is_unread);
        if spared {
            mark(Mark::IdleButUnread);
            self.start_timeout(slot, Timeout::InboundIdle);
        }
        spared
    }

    /// Sends a heartbeat to a peer to which nothing was sent for the heartbeat time, unless something is queued anyway.
    fn send_heartbeat(&mut self, slot: usize) {
        if self.hub.session(slot).is_some_and(|session| session.outbox().queued() == 0) {
            self.heartbeat(slot);
        }
        self.start_timeout(slot, Timeout::OutboundIdle);
    }

    fn heartbeat(&mut self, slot: usize) {
        self.hub.heartbeat(slot);
        if let Some(session) = self.hub.session_mut(slot) {
            session.link.probed = true;
        }
    }

    /// A frame was not completed in time. It gets the same time again if enough of it arrived meanwhile, or if input
    /// may have arrived that was not read yet.
    fn close_unless_frame_grew(&mut self, slot: usize, timeout: Timeout) {
        let Some(session) = self.hub.session(slot) else { return };
        let (time, kept) = (self.timeouts.time_of(timeout), session.unparsed());
        let grown = kept.saturating_sub(session.link.progress_before as usize);
        if session.link.is_readable() || grown >= bytes_due(time, FRAME_RATE) {
            mark(Mark::FrameGrew);
            return self.start_timeout(slot, timeout);
        }
        mark(Mark::FrameTooSlow);
        log::info!("closing {}: {kept} B of a frame came, and not the rest", session.label());
        let text = format!("a frame was not complete within {time:?} of its first byte");
        self.hub.close(slot, ErrorCode::Idle, &text);
    }

    /// Checks whether a session that was over its rate limit may go on.
    fn check_rate(&mut self, slot: usize) {
        if self.hub.is_still_rate_limited(slot) {
            mark(Mark::StillRateLimited);
            self.start_timeout(slot, Timeout::RateLimit);
        }
    }

    /// A peer had time to read answers that its next request waits for. It gets the same time again if it has read
    /// some.
    fn close_unless_answers_read(&mut self, slot: usize) {
        let Some(session) = self.hub.session(slot).filter(|session| session.waits_for_reader()) else { return };
        if saturated(session.unread_answers()) < session.link.progress_before {
            return self.start_timeout(slot, Timeout::Unread);
        }
        self.close_too_slow(slot);
    }

    fn close_stalled(&mut self, slot: usize) {
        let Some(session) = self.hub.session(slot) else { return };
        if !session.is_open() {
            self.close_unless_peer_read(slot);
        } else if session.is_full() {
            self.close_too_slow(slot);
        }
    }

    /// The timeout of a departed session's link has expired. It is restarted if the peer has read enough of the queue.
    fn close_unless_peer_read(&mut self, slot: usize) {
        let Some(session) = self.hub.session(slot) else { return };
        let (queued, timeout) = (session.outbox().queued(), self.closing_timeout(session.link.stage));
        let taken = session.link.queued_before.saturating_sub(saturated(queued)) as usize;
        if queued > 0 && taken >= bytes_due(self.timeouts.time_of(timeout), CLOSING_RATE) {
            mark(Mark::PeerReadSome);
            return self.start_timeout(slot, timeout);
        }
        mark(if queued > 0 { Mark::ClosedWithUnsent } else { Mark::LingerOver });
        log::debug!("{} is closed with {queued} B unsent", session.label());
        self.mark_closing(slot);
    }
}

/// A number of bytes, as a link notes it.
fn saturated(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
