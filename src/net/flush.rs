//! Sending what is queued.

use super::link::{Link, Stage};
use super::timeouts::{Timeout, TimerKind};
use super::{Loop, Os};
use crate::hub::{Gateway, Outbox, Session};
use crate::limits::{FLUSH_BYTES, FLUSH_TIME, FLUSHES};
use crate::marks::{Mark, mark};
use std::io::{self, IoSlice};

/// The most segments of an outbox that one send offers. The next send takes the others; few outboxes ever have this
/// many.
const SLICES: usize = 16;

impl<O: Os, G: Gateway> Loop<O, G> {
    /// Flushes each dirty link once, as many as one turn has time for. Those with answers come first, so that a reply
    /// need not wait until a room of thousands is told, but take at most three quarters of the time.
    pub(super) fn flush_dirty(&mut self) {
        self.hub.effects_mut().begin_flush();
        let (began, mut checked_at) = (self.os.now(), self.hub.stats.bytes_out);
        self.turns_unflushed = self.turns_unflushed.saturating_add(1);
        for number in 1.. {
            let Some(slot) = self.hub.effects_mut().next_dirty(number % 4 != 0) else { break };
            self.flush(slot);
            let sent = self.hub.stats.bytes_out;
            if number % FLUSHES == 0 || sent - checked_at >= FLUSH_BYTES {
                checked_at = sent;
                if self.os.now() >= began + FLUSH_TIME {
                    return mark(Mark::FlushedInPart);
                }
            }
        }
        self.turns_unflushed = 0;
    }

    /// Sends what is queued for a session, as far as the system takes it.
    pub(super) fn flush(&mut self, slot: usize) {
        self.hub.mark_flushed(slot);
        while let Some(session) = self.hub.session_mut(slot).filter(|session| can_send(session)) {
            let (outbox, link) = session.outbox_and_link();
            let (offered, outcome) = match outbox.as_run() {
                Some(run) => (run.len(), self.os.send(&mut link.socket, &[IoSlice::new(run)])),
                None => send_pieces(&mut self.os, outbox, link),
            };
            match outcome {
                Ok(taken) => {
                    link.writable = taken == offered;
                    if taken < offered {
                        mark(Mark::PartlySent);
                    }
                    if link.timers.running(TimerKind::Outbound).is_some() {
                        self.timeouts.renew(&mut self.hub, slot, Timeout::OutboundIdle, self.now);
                    }
                    if self.hub.sent(slot, taken) {
                        self.end_stall(slot);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => mark(Mark::SendInterrupted),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    mark(Mark::NothingSent);
                    link.writable = false;
                }
                Err(error) => {
                    mark(Mark::BrokeWhileSending);
                    log::debug!("lost {}: {error}", session.label());
                    return self.close_broken(slot);
                }
            }
        }
        self.hub.note_unsent(slot);
        self.shut_if_sent(slot);
    }

    /// A session is no longer full.
    fn end_stall(&mut self, slot: usize) {
        if self.hub.session(slot).is_some_and(Session::is_open) {
            self.stop_timeout(slot, TimerKind::Writing);
            self.update_reading_timeout(slot, false);
        }
    }
}

/// Whether something is queued for a session that can be sent now.
fn can_send<S>(session: &Session<Link<S>>) -> bool {
    session.link.writable && session.outbox().queued() > 0 && session.link.stage != Stage::Closing
}

/// Offers the oldest segments of an outbox in one send. Returns the number of bytes offered, and the result of the
/// send.
fn send_pieces<O: Os>(os: &mut O, outbox: &Outbox, link: &mut Link<O::Socket>) -> (usize, io::Result<usize>) {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let count = outbox.fill(&mut slices);
    let offered = slices[..count].iter().map(|slice| slice.len()).sum();
    (offered, os.send(&mut link.socket, &slices[..count]))
}
