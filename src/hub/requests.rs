//! How requests are executed: taken out of the bytes that a session sent, or handed over as values.
//!
//! ```text
//!   receive ─> execute_frames ─> execute_frame ─┐              ┌─> Done
//!   resume ──┘  (one after       (decode)       ├─> dispatch ──┼─> Blocked (the session waits, the request is kept)
//!               the other)           execute ───┘  (the match) └─> Deliver ─> deliver
//!                             (from a gateway)
//! ```

use super::Hub;
use super::batch::begins_alike;
use super::budget::Cost;
use super::codec::RequestContext;
use super::long_request::LongWork;
use super::payload::Body;
use super::relay::Step;
use super::session::{Backlog, Phase, Session};
use crate::limits::{SPARSE, STATS_COST};
use crate::marks::{Mark, mark};
use crate::name::{canonical_name, name_fault};
use crate::wire::{Answer, Decoder, ErrorCode, Fault, Frame, HEADER_LEN, Kind, Request, SERVER, UserId, VERSION};

/// How [`Hub::execute`] executes a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Execution {
    /// The request was executed before, and was [`Blocked`](Outcome::Blocked).
    pub waited: bool,
    /// Another request of the session follows at once, so that the two may be delivered together.
    pub more: bool,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a request that is blocked has to be executed again"]
pub enum Outcome {
    /// It was executed, or has failed and was answered with an error.
    Done,
    /// Nothing was done, because a receiver is full. It is to be executed again when the session is resumed.
    Blocked,
}

impl<L> Hub<L> {
    /// Takes in bytes from a native session, and executes the whole frames among them in place.
    ///
    /// The beginning of an unfinished frame is kept. So is a request that has to wait, with all that follows it, until
    /// the session is [resumed](Hub::resume). The session must [accept requests](Session::accepts_requests) and have no
    /// backlog.
    pub fn receive(&mut self, slot: usize, mut input: &[u8]) {
        if let Some(blocked) = self.execute_frames(slot, &mut input, false) {
            let mut kept = blocked.into_bytes().into_owned();
            kept.reserve_exact(input.len());
            kept.extend_from_slice(input);
            self.keep_backlog(slot, kept, Backlog::FrontWaited);
        } else if self.sessions.get(slot).is_some_and(Session::is_waiting) {
            mark(Mark::HeldUnread);
            self.keep_backlog(slot, input.to_vec(), Backlog::Unread);
        }
    }

    /// Executes the backlog of a native session that need not wait any more. Requests that have to wait again are not
    /// copied, because many sessions may be resumed for each one that makes progress.
    pub fn resume(&mut self, slot: usize) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        if !session.has_backlog() || session.is_waiting() {
            return;
        }
        mark(Mark::Resumed);
        let waited = std::mem::replace(&mut session.backlog, Backlog::Empty) == Backlog::FrontWaited;
        let mut kept = session.decoder.release();
        self.unparsed -= kept.len();
        let mut input = &kept[..];
        let blocked = self.execute_frames(slot, &mut input, waited).map_or(0, |frame| frame.header.frame_len());
        let executed = kept.len() - input.len() - blocked;
        if self.sessions.get(slot).is_some_and(Session::is_waiting) {
            mark(Mark::ResumedAndWaits);
            kept.drain(..executed);
            if kept.capacity() > SPARSE * kept.len() {
                kept.shrink_to_fit();
            }
            let backlog = if blocked > 0 { Backlog::FrontWaited } else { Backlog::Unread };
            self.keep_backlog(slot, kept, backlog);
        }
    }

    fn keep_backlog(&mut self, slot: usize, kept: Vec<u8>, backlog: Backlog) {
        self.unparsed += kept.len();
        let session = &mut self.sessions[slot];
        session.backlog = backlog;
        session.decoder = Decoder::holding(kept);
    }

    /// Executes the whole frames at the front of `input` until the session departs or has to wait. Returns the frame
    /// that has to wait, if it was not executed.
    fn execute_frames<'a>(&mut self, slot: usize, input: &mut &'a [u8], mut waited: bool) -> Option<Frame<'a>> {
        let bounds = self.limits.bounds();
        let mut blocked = None;
        while blocked.is_none() && self.sessions.get(slot).is_some_and(Session::accepts_requests) {
            let joined = self.join_batch(slot, input);
            if joined > 0 {
                *input = &input[joined..];
                continue;
            }
            let session = &mut self.sessions[slot];
            let before = session.decoder.kept();
            let next = session.decoder.next(input, |front| bounds.admit(front));
            self.unparsed = self.unparsed - before + session.decoder.kept();
            match next {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    session.phase = Phase::Active;
                    self.fan_out.batch.is_expected = begins_alike(&frame, input);
                    blocked = self.execute_frame(slot, frame, waited);
                    waited = false;
                }
                Err(fault) => {
                    self.fail(slot, &RequestContext::tagged(fault.tag), &fault);
                    // Fatal or not, the session must end: it is unknown where the next frame begins.
                    self.depart(slot);
                }
            }
        }
        self.finish_input();
        blocked
    }

    /// Executes one frame of a session that accepts requests. Returns it if it has to wait. Otherwise the session may
    /// have departed or have to wait afterwards.
    #[inline]
    fn execute_frame<'a>(&mut self, slot: usize, frame: Frame<'a>, waited: bool) -> Option<Frame<'a>> {
        let (header, len) = (frame.header, frame.header.frame_len());
        let context = RequestContext::tagged(header.tag);
        self.frames_received += u64::from(!waited);
        match Request::decode(header, frame.payload()) {
            Ok(request) => match self.dispatch(slot, &context, &request, waited) {
                Step::Done => {}
                Step::Blocked => return Some(frame),
                Step::Deliver(delivery) => {
                    let body = Body::at_end_of(frame.into_bytes(), delivery.body_len);
                    self.deliver(slot, &context, delivery, body);
                }
            },
            Err(fault) => self.fail(slot, &context, &fault),
        }
        if let Some(kind) = Kind::of_request(header.kind) {
            self.stats.frames.count(kind, 1, len);
        }
        if waited {
            self.end_wait(slot);
        }
        self.after_request(slot);
        None
    }

    /// Executes a request that a [`Gateway`](super::Gateway) has parsed. The session must [accept
    /// requests](Session::accepts_requests). Afterwards it may have departed or have to wait.
    pub fn execute(
        &mut self,
        slot: usize,
        context: &RequestContext<'_>,
        request: &Request<'_>,
        execution: Execution,
    ) -> Outcome {
        self.fan_out.batch.is_expected = execution.more;
        self.frames_received += u64::from(!execution.waited);
        if self.joins_batch(slot, request) {
            self.count_request(slot, request);
            return Outcome::Done;
        }
        match self.dispatch(slot, context, request, execution.waited) {
            Step::Done => {}
            Step::Blocked => return Outcome::Blocked,
            Step::Deliver(delivery) => self.deliver(slot, context, delivery, request.body().into()),
        }
        if execution.waited {
            self.end_wait(slot);
        }
        self.count_request(slot, request);
        Outcome::Done
    }

    /// Whether the request is a RELAY that joined the open batch.
    fn joins_batch(&mut self, slot: usize, request: &Request<'_>) -> bool {
        let Request::Relay { receivers, body, receipt: false } = *request else { return false };
        self.join_batch_of_users(self.sessions[slot].id, receivers, body)
    }

    fn count_request(&mut self, slot: usize, request: &Request<'_>) {
        self.stats.frames.count(request.kind(), 1, HEADER_LEN + request.payload_len());
        self.after_request(slot);
    }

    /// Ends the input of one read: nothing more will join the open batch.
    pub fn finish_input(&mut self) {
        self.fan_out.batch.is_expected = false;
        self.flush_batch();
    }

    /// After a request was executed: charges it, and decides whether the next one has to wait.
    pub(super) fn after_request(&mut self, slot: usize) {
        self.budget.charge_requests(1);
        self.wait_for_own_reader(slot);
        self.charge_rate(slot);
        self.postpone_if_spent(slot);
    }

    /// Does what a request asks. Each kind has a function.
    #[inline]
    fn dispatch(&mut self, slot: usize, context: &RequestContext<'_>, request: &Request<'_>, waited: bool) -> Step {
        match *request {
            Request::Relay { receivers, body, receipt } => {
                return self.relay(slot, context, (receivers, body.len(), receipt), waited);
            }
            // Nothing is stored: a name without a session is unknown, STORE or not.
            Request::Send { names, body, receipt, store: _ } => {
                return self.send(slot, context, (names, body.len(), receipt), waited);
            }
            Request::Publish { room, body, receipt, no_echo } => {
                self.publish(slot, context, room, body, receipt, no_echo);
            }
            Request::Join { room } => self.join(slot, context, room),
            Request::Leave { room } => self.leave_room(slot, context, room),
            Request::History { room, after, limit } => self.history(slot, context, room, after, limit),
            Request::Who { room } => self.who(slot, context, room),
            Request::Hello { name, .. } => self.hello(slot, context, name),
            Request::Identity => self.reply(slot, context, &Answer::Identity(self.sessions[slot].id)),
            Request::List => {
                self.begin_long_request(slot, context, LongWork::List(UserId(0), self.sessions.newest_id()));
            }
            Request::Ping(body) => self.reply(slot, context, &Answer::Pong(body)),
            Request::Bye => self.leave(slot),
            Request::Stats => self.tell_stats(slot, context),
            Request::Alive | Request::Ack(_) => {}
        }
        Step::Done
    }

    /// HELLO: names a session. A session that changes its name leaves its rooms under the old name, as one that
    /// departs, but receives the events of leaving.
    fn hello(&mut self, slot: usize, context: &RequestContext<'_>, name: &str) {
        if let Some(why) = name_fault(name).filter(|_| !name.is_empty()) {
            return self.fail_request(slot, context, Kind::Hello, ErrorCode::BadName, format!("HELLO: {why}"));
        }
        let name = &*canonical_name(name);
        let answer = Answer::Welcome {
            version: VERSION,
            user: self.sessions[slot].id,
            max_body: self.limits.max_body,
            max_receivers: self.limits.max_receivers,
            heartbeat_secs: self.limits.heartbeat.as_secs().try_into().unwrap_or(u16::MAX),
            name,
            server: SERVER,
        };
        self.reply(slot, context, &answer);
        let session = &self.sessions[slot];
        log::debug!("{} said HELLO", session.label());
        if session.name.as_deref().unwrap_or_default() == name {
            return;
        }
        self.flush_batch();
        if !self.sessions[slot].rooms.is_empty() {
            self.sessions[slot].seldom().has_left_by_name = true;
        }
        self.defer_departure(slot);
        self.set_name(slot, name);
        self.announce_departures();
    }

    /// STATS: replies with the counters, only to clients on this machine.
    fn tell_stats(&mut self, slot: usize, context: &RequestContext<'_>) {
        self.flush_batch();
        if self.sessions[slot].is_local() {
            let json = self.stats().to_json();
            self.budget.requests += Cost::of(1, json.len(), STATS_COST);
            return self.reply(slot, context, &Answer::Stats(&json));
        }
        self.stats.faults += 1;
        let text = "STATS is answered only to clients on the hub's own machine";
        let (code, kind) = (ErrorCode::NotSignedIn, Kind::Stats as u8);
        self.reply(slot, context, &Answer::Error { code, kind, fatal: false, text });
    }

    /// The ids of all users but the one in `slot`, ascending.
    pub fn others(&self, slot: usize) -> Vec<UserId> {
        let mut ids: Vec<UserId> = self.sessions.others(slot).collect();
        ids.sort_unstable();
        ids
    }

    /// Appends an answer to a session's outbox.
    pub(super) fn reply(&mut self, slot: usize, context: &RequestContext<'_>, answer: &Answer<'_>) {
        self.flush_batch();
        if let Some(len) = self.sessions.answer(slot, |session| self.fan_out.encode(session, context, answer)) {
            self.stats.frames.count(answer.kind(), 1, len);
        }
    }

    /// Appends a push to the outbox of one session.
    pub(super) fn push(&mut self, slot: usize, answer: &Answer<'_>) {
        self.flush_batch();
        let context = RequestContext::default();
        if let Some(len) = self.sessions.append(slot, |session| self.fan_out.encode(session, &context, answer)) {
            self.stats.frames.count(answer.kind(), 1, len);
        }
    }

    /// Appends bytes that are in the session's own encoding already, and no answer of the hub. If its peer does not
    /// read them, its requests wait.
    pub fn push_bytes(&mut self, slot: usize, bytes: &[u8]) {
        self.push_with(slot, |run| run.extend_from_slice(bytes));
    }

    /// The same for bytes that `write` appends.
    pub(super) fn push_with(&mut self, slot: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.flush_batch();
        let pool = &mut self.fan_out.pool;
        if let Some(len) = self.sessions.answer(slot, |session| session.outbox.append(pool, write)) {
            self.budget.requests += Cost::of(1, len, len);
            self.wait_for_own_reader(slot);
        }
    }

    /// Sends a session the error of its request, and makes it depart if the error is fatal.
    pub fn fail(&mut self, slot: usize, context: &RequestContext<'_>, fault: &Fault) {
        self.stats.faults += 1;
        self.reply(slot, context, &Answer::from(fault));
        if fault.code.is_fatal() {
            self.close_with(slot, fault.code);
        }
    }

    /// The same for a request of a known kind.
    pub(super) fn fail_request(
        &mut self,
        slot: usize,
        context: &RequestContext<'_>,
        kind: Kind,
        code: ErrorCode,
        text: String,
    ) {
        self.fail(slot, context, &Fault::new(code, kind as u8, context.tag.unwrap_or_default(), text));
    }
}
