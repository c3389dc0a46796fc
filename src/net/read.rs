//! Reading: receives from each link in the read queue, and hands the bytes to the hub.

use super::link::{Condition, Inbound, Link, Stage};
use super::timeouts::{Timeout, TimerKind};
use super::{Loop, Os};
use crate::hub::{Gateway, Phase, Session};
use crate::limits::{READ_BUDGET, SERVE_TIME, UNFLUSHED_TURNS};
use crate::marks::{Mark, mark};
use std::io;

/// The result of one call of [`Loop::receive`].
enum Received {
    /// This many bytes, in the buffer.
    Bytes(usize),
    /// Nothing is there for now.
    Nothing,
    /// The stream is at its end.
    End,
    /// The connection is broken.
    Broken,
}

impl<O: Os, G: Gateway> Loop<O, G> {
    /// Serves each link in the queue, those that need not wait any more, and then in turns those that have spent their
    /// share or cost much before, until the budget of this turn is spent or its time is over. Links that may not be
    /// read under memory pressure stay in the queue, in front of new ones. So do all remaining links once the turn is
    /// spent. While the last turn has left links to flush, only sessions that cost little are served, so that no more
    /// is queued than is sent.
    pub(super) fn read_ready(&mut self) {
        self.serve_until = None;
        for slot in std::mem::take(&mut self.hub.effects_mut().resumed) {
            self.queue_to_read(slot);
        }
        let mut ready = self.read_queue.begin_turn();
        let mut waiting = ready.len() + self.hub.effects().postponed.len();
        // Those that have had a share get half of the budget whatever comes, at least in every other turn.
        let may_be_heavy = self.turns_unflushed.is_multiple_of(UNFLUSHED_TURNS);
        let is_postponed_first = may_be_heavy && !self.read_queue.is_first && waiting > ready.len();
        self.read_queue.is_first = false;
        while is_postponed_first
            && !self.hub.is_turn_half_spent()
            && let Some(slot) = self.hub.end_postponement()
        {
            self.serve_share(slot, waiting);
        }
        ready.retain(|&slot| {
            let is_held_back = !self.memory.may_read(&self.hub, slot);
            let stays = is_held_back || self.hub.is_turn_spent();
            if is_held_back {
                self.pause_frame_timeout(slot);
            } else if stays {
                self.read_queue.is_first = is_postponed_first;
            } else if !self.postpone_if_heavy(slot) {
                self.serve_share(slot, waiting);
            }
            self.close_if_broken(slot);
            waiting -= 1;
            stays
        });
        self.read_queue.put_back(ready);
        while may_be_heavy
            && !self.hub.is_turn_spent()
            && let Some(slot) = self.hub.end_postponement()
        {
            self.serve_share(slot, self.hub.effects().postponed.len() + 1);
        }
    }

    /// Serves a link until it has nothing more or has spent its share of this turn. So many links wait, this one
    /// included.
    fn serve_share(&mut self, slot: usize, waiting: usize) {
        self.hub.begin_share(waiting);
        self.serve(slot);
        self.hub.end_share(slot);
        if self.hub.is_clock_due() {
            self.check_clock();
        }
    }

    /// Ends the serving of sessions for this turn if it has lasted long enough since the clock was first read.
    fn check_clock(&mut self) {
        let now = self.os.now();
        if now >= *self.serve_until.get_or_insert(now + SERVE_TIME) {
            self.hub.end_turn_by_clock();
        }
    }

    /// Takes a link out of the read queue, if its session cost much when it was last served: it waits with those that
    /// have spent their share. Returns whether it does.
    fn postpone_if_heavy(&mut self, slot: usize) -> bool {
        let is_postponed = self.hub.postpone_if_heavy(slot);
        if is_postponed && let Some(session) = self.hub.session_mut(slot) {
            session.link.in_read_queue = false;
        }
        is_postponed
    }

    /// Puts a link in the queue of those to read.
    pub(super) fn queue_to_read(&mut self, slot: usize) {
        if let Some(session) = self.hub.session_mut(slot) {
            self.read_queue.push(slot, &mut session.link);
        }
    }

    /// Executes the requests that a session sent before it had to wait, then reads its link.
    fn serve(&mut self, slot: usize) {
        let frames = self.hub.frames_received();
        let Some(session) = self.hub.session_mut(slot) else { return };
        session.link.in_read_queue = false;
        if session.has_backlog() && !session.is_waiting() {
            let is_native = session.encoding().is_native();
            self.note_received(slot);
            if is_native {
                self.hub.resume(slot);
            } else {
                self.gateway.resume(&mut self.hub, slot);
                self.hub.finish_input();
            }
        }
        self.read(slot);
        self.hub.note_holding(slot);
        self.update_reading_timeout(slot, self.hub.frames_received() > frames);
    }

    /// Reads one link until it has nothing more, its session must wait, or its budget is used up.
    fn read(&mut self, slot: usize) {
        let mut taken = 0;
        while self.hub.session(slot).is_some_and(can_read) {
            if taken >= READ_BUDGET && !self.read_queue.may_exceed_budget(self.hub.effects().dirty.len()) {
                mark(Mark::ReadBudget);
                return self.queue_to_read(slot);
            }
            let most = self.memory.may_receive(&self.hub, slot);
            if most == 0 {
                return self.queue_to_read(slot);
            }
            match self.receive(slot, most) {
                Received::Bytes(count) => {
                    self.hub.stats.bytes_in += count as u64;
                    self.hub.charge_received(count);
                    self.note_received(slot);
                    self.hand_to_hub(slot, count);
                    taken += count;
                    self.read_queue.count_extra(if taken > READ_BUDGET { count } else { 0 });
                }
                Received::Nothing => return,
                Received::End => return self.end(slot),
                Received::Broken => return self.close_broken(slot),
            }
        }
    }

    /// Receives from a link once, at most so many bytes.
    fn receive(&mut self, slot: usize, most: usize) -> Received {
        let Some(session) = self.hub.session_mut(slot) else { return Received::Broken };
        let room = most.min(self.buffer.len());
        let buffer = &mut self.buffer[..room];
        loop {
            return match self.os.receive(&mut session.link.socket, buffer) {
                Ok(0) => Received::End,
                Ok(count) => {
                    // A short read has emptied the socket, which saves the call that would say so. If something else
                    // cut it short (see `Edge`), no further edge comes for what is left.
                    if count < buffer.len() && session.link.condition == Condition::Normal {
                        session.link.inbound = Inbound::Idle;
                    }
                    Received::Bytes(count)
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    mark(Mark::ReadInterrupted);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    session.link.inbound = Inbound::Idle;
                    Received::Nothing
                }
                Err(error) => {
                    mark(Mark::BrokeWhileReading);
                    log::debug!("lost {}: {error}", session.label());
                    Received::Broken
                }
            };
        }
    }

    /// Hands what was just received to the hub, through the gateway if the session is not native.
    fn hand_to_hub(&mut self, slot: usize, count: usize) {
        if self.hub.session(slot).is_some_and(|session| session.encoding().is_native()) {
            return self.hub.receive(slot, &self.buffer[..count]);
        }
        self.gateway.receive(&mut self.hub, slot, &mut self.buffer[..count]);
        self.hub.finish_input();
    }

    /// The peer has ended its side. It still gets the answers, then the link is closed.
    fn end(&mut self, slot: usize) {
        let Some(session) = self.hub.session_mut(slot) else { return };
        session.link.inbound = Inbound::Ended;
        if session.unparsed() > 0 {
            mark(Mark::EndInAFrame);
            log::debug!("{} ended its stream {} B into a frame", session.label(), session.unparsed());
        }
        self.hub.stats.left += u64::from(session.is_open());
        self.hub.depart(slot);
        self.shut_if_sent(slot);
    }

    /// Bytes arrived on a link, or its session was resumed: the link is not idle.
    fn note_received(&mut self, slot: usize) {
        let Some(session) = self.hub.session_mut(slot) else { return };
        session.link.probed = false;
        let running = session.link.timers.running(TimerKind::Inbound);
        if running == Some(Timeout::InboundIdle) {
            self.timeouts.renew(&mut self.hub, slot, Timeout::InboundIdle, self.now);
        } else if running == Some(Timeout::Probed) {
            self.start_timeout(slot, Timeout::InboundIdle);
        }
    }

    /// Starts or stops the timeout of reading, after a link was read, or after its session began or stopped waiting or
    /// being full. `is_new`: a frame was completed, so the unfinished frame is a different one than before.
    pub(super) fn update_reading_timeout(&mut self, slot: usize, is_new: bool) {
        let Some(session) = self.hub.session(slot) else { return };
        let (wanted, running) = (reading_timeout(session), session.link.timers.running(TimerKind::Reading));
        let restarts = is_new && (is_of_a_frame(wanted) || wanted == Some(Timeout::Receiver));
        if wanted == running && !restarts {
            return;
        }
        match wanted {
            Some(timeout) => self.start_timeout(slot, timeout),
            None => self.stop_timeout(slot, TimerKind::Reading),
        }
    }

    /// A link is not read although input may have arrived. When it is read again, its frame gets the full time again.
    fn pause_frame_timeout(&mut self, slot: usize) {
        let running = self.hub.session(slot).and_then(|session| session.link.timers.running(TimerKind::Reading));
        if is_of_a_frame(running) {
            self.stop_timeout(slot, TimerKind::Reading);
        }
    }
}

/// Whether there may be something to receive from a link, and its session does not wait. The link of a session that has
/// departed is read as well: its input is discarded.
fn can_read<S>(session: &Session<Link<S>>) -> bool {
    let link = &session.link;
    link.is_readable() && link.stage != Stage::Closing && !session.is_waiting()
}

/// The timeout of reading that a session should have now.
fn reading_timeout<S>(session: &Session<Link<S>>) -> Option<Timeout> {
    if !session.is_open() {
        None
    } else if session.is_rate_limited() {
        Some(Timeout::RateLimit)
    } else if session.waits_for_receiver() {
        Some(if session.is_full() { Timeout::Deadlock } else { Timeout::Receiver })
    } else if session.waits_for_reader() {
        Some(Timeout::Unread)
    } else if session.is_waiting() || session.unparsed() == 0 {
        None
    } else {
        Some(if session.phase() == Phase::Active { Timeout::Frame } else { Timeout::FirstFrame })
    }
}

fn is_of_a_frame(timeout: Option<Timeout>) -> bool {
    matches!(timeout, Some(Timeout::FirstFrame | Timeout::Frame))
}
