//! Long requests: those that look at many sessions or events are executed in slices.
//!
//! LIST, WHO and HISTORY are answered one slice at a time, of some [`SLICE`](crate::limits::SLICE) bytes. If the turn's
//! budget for long requests is spent, or others wait for theirs, the request waits in a queue and has its next slice
//! when it is its turn; so however much a few sessions ask for, others are answered in the same turn. If the session
//! has not read its answers, the request leaves the queue until it has: a long answer needs no more memory than a
//! [window](Hub::has_answer_room) of it.
//!
//! While a request of it is not complete, a session's further requests wait.

use super::budget::Cost;
use super::codec::RequestContext;
use super::long_request::{LongRequest, LongWork, Slice, least};
use super::session_id::slot_of;
use super::waits::Reason;
use super::{Hub, Session};
use crate::limits::{LIST_FRAME_IDS, SCAN_COST};
use crate::marks::{Mark, mark};
use crate::wire::{Answer, Ids, UserId};
use std::collections::VecDeque;

/// The sessions with a long request that may have its next slice, in the order in which they take turns.
pub(super) type LongRequests = VecDeque<UserId>;

impl<L> Hub<L> {
    /// Begins a long request: executes as much of it as the budget allows at once, unless others wait.
    pub(super) fn begin_long_request(&mut self, slot: usize, context: &RequestContext<'_>, mut work: LongWork) {
        self.flush_batch();
        if self.long_requests.is_empty() && self.run_long_request(slot, context, &mut work) == Slice::Last {
            return;
        }
        mark(Mark::LongRequestSliced);
        let session = &mut self.sessions[slot];
        session.waits.block(Reason::LongRequest);
        session.seldom().long_request =
            Some(Box::new(LongRequest { work, tag: context.tag, room: context.room.into() }));
        self.queue_long_request(slot);
    }

    /// Puts a long request into the queue, unless its session has to read first.
    fn queue_long_request(&mut self, slot: usize) {
        if self.wait_for_own_reader(slot) {
            return;
        }
        self.stats.slices += 1;
        self.long_requests.push_back(self.sessions[slot].id);
    }

    /// Executes long requests in turns, as far as the budget allows.
    pub fn serve_long_requests(&mut self) {
        while !self.budget.is_spent_on_long_requests()
            && !self.is_over_memory()
            && let Some(id) = self.long_requests.pop_front()
        {
            let slot = slot_of(id);
            let session = self.sessions.get_mut(slot).filter(|session| session.id == id);
            if let Some(request) = session.and_then(Session::take_long_request) {
                self.serve_long_request(slot, request);
            }
        }
    }

    fn serve_long_request(&mut self, slot: usize, mut request: Box<LongRequest>) {
        let LongRequest { work, tag, room } = &mut *request;
        let context = RequestContext { tag: *tag, room, ..RequestContext::default() };
        match self.long_slice(slot, &context, work) {
            Slice::Last => self.sessions.unblock(slot, Reason::LongRequest),
            Slice::More => {
                self.sessions[slot].seldom().long_request = Some(request);
                self.queue_long_request(slot);
            }
        }
    }

    /// Whether long requests wait for their next slice.
    pub fn owes_slices(&self) -> bool {
        !self.long_requests.is_empty()
    }

    /// A session has read what it had not: its long request goes on, if it has one.
    pub(super) fn resume_long_request(&mut self, slot: usize) {
        let session = &self.sessions[slot];
        if session.has_long_request() {
            self.long_requests.push_back(session.id);
        }
    }

    /// Executes slices of one request until the budget is spent or its session has to read.
    fn run_long_request(&mut self, slot: usize, context: &RequestContext<'_>, work: &mut LongWork) -> Slice {
        while !self.budget.is_spent_on_long_requests() && self.has_answer_room(slot) {
            if self.long_slice(slot, context, work) == Slice::Last {
                return Slice::Last;
            }
        }
        Slice::More
    }

    /// Executes one slice.
    fn long_slice(&mut self, slot: usize, context: &RequestContext<'_>, work: &mut LongWork) -> Slice {
        let (slice, cost) = match work {
            LongWork::List(after, until) => self.list_slice(slot, context, after, *until),
            LongWork::Who(cursor) => self.who_slice(slot, context, cursor),
            LongWork::History(replay) => self.replay_slice(slot, context, replay),
        };
        self.budget.long_requests += cost;
        slice
    }

    /// Sends one frame of LIST: the next users above `after`.
    fn list_slice(
        &mut self,
        slot: usize,
        context: &RequestContext<'_>,
        after: &mut UserId,
        until: UserId,
    ) -> (Slice, Cost) {
        let mut ids = std::mem::take(&mut self.scratch.ids);
        let wanted = |id: &UserId| *id > *after && *id <= until;
        let more = least(&mut ids, LIST_FRAME_IDS, self.sessions.others(slot).filter(wanted));
        let mut block = Vec::with_capacity(size_of_val(&ids[..]));
        Ids::encode(&ids, &mut block);
        let users = Ids::new(&block).expect("a block of whole ids");
        self.reply(slot, context, &Answer::List { users, more });
        let cost = Cost::work(self.sessions.len() * SCAN_COST + 4 * block.len());
        *after = ids.last().copied().unwrap_or(until);
        self.scratch.ids = ids;
        (if more { Slice::More } else { Slice::Last }, cost)
    }
}
