//! Sessions behind a gateway: HTTP callers, and what gateways report and charge.

use super::Hub;
use super::budget::Cost;
use super::codec::RequestContext;
use super::session::{AtGateway, Backlog};
use crate::limits::{CONTROL_COST, HTTP_IDS_A_SECOND};
use crate::wire::{Answer, Fault};

/// The number of HTTP requests that got an id of their own in this second.
#[derive(Debug, Default)]
pub(super) struct IdsLent {
    second: u64,
    count: u32,
}

impl IdsLent {
    /// Counts one more request in this second. Returns whether it may have an id of its own.
    fn take(&mut self, second: u64) -> bool {
        if self.second != second {
            *self = IdsLent { second, count: 0 };
        }
        self.count += 1;
        self.count <= HTTP_IDS_A_SECOND
    }
}

/// What a gateway keeps of the input of one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptInput {
    /// Bytes that have arrived. They show whether a request goes on.
    pub bytes: usize,
    /// Bytes of memory that it takes to keep what is needed of them, with the room that buffers have beyond it.
    pub held: usize,
    /// Whether whole requests are among the input that wait.
    pub has_requests: bool,
}

impl<L> Hub<L> {
    /// Begins a request of an HTTP caller, which is then [executed](Hub::execute) under an id of its own. If there are
    /// so many requests that ids could run out one day, the requests of one connection share an id.
    pub fn begin_http_request(&mut self, slot: usize) {
        if self.ids_lent.take(self.clock.now.as_secs()) {
            self.sessions.renew_id(slot);
        }
        self.count_http_request();
    }

    /// Notes the further headers of the response to the request of an HTTP caller that has begun and is unfinished or
    /// waits: the hub may have to close the connection before it is executed.
    pub fn note_headers(&mut self, slot: usize, headers: &str) {
        if let Some(session) = self.sessions.get_mut(slot) {
            session.set_headers(headers);
        }
    }

    /// Sends an HTTP caller a response that `write` appends to its outbox. If the connection `closes` with that, the
    /// caller departs; otherwise the response counts as a request executed.
    pub fn respond(&mut self, slot: usize, closes: bool, write: impl FnOnce(&mut Vec<u8>)) {
        self.push_with(slot, write);
        self.count_http_request();
        if closes {
            self.leave(slot);
        } else {
            self.after_request(slot);
        }
    }

    /// Sends a session what answers a control frame of its encoding, such as a pong, unless it has not read many of its
    /// answers: it needs the last one alone. It counts as a request executed.
    pub fn answer_control(&mut self, slot: usize, bytes: &[u8]) {
        if self.has_room_to_spare(slot) {
            self.push_bytes(slot, bytes);
        }
        self.budget.requests += Cost::work(CONTROL_COST);
        self.after_request(slot);
    }

    /// Counts a request over HTTP.
    pub(super) fn count_http_request(&mut self) {
        self.frames_received += 1;
        self.stats.http_requests += 1;
    }

    /// Sends an error, which is not fatal, for input that is no valid request, if the gateway can still parse what
    /// follows.
    pub fn reject(&mut self, slot: usize, context: &RequestContext<'_>, fault: &Fault) {
        let Fault { code, kind, text, .. } = fault;
        self.frames_received += 1;
        self.stats.faults += 1;
        let before = self.sessions[slot].outbox.queued();
        self.reply(slot, context, &Answer::Error { code: *code, kind: *kind, fatal: false, text });
        // Finding the fault takes long, and a single byte can cause it.
        let len = self.sessions[slot].outbox.queued() - before;
        self.budget.requests += Cost::of(1, len, len);
        self.after_request(slot);
    }

    /// Charges bytes that were composed but not sent: the body of a response to HEAD.
    pub fn charge_unsent(&mut self, bytes: usize) {
        self.budget.requests += Cost::of(1, bytes, bytes);
    }

    /// Charges work of a gateway that took as long as copying this many bytes: to parse a request, to compose a
    /// document.
    pub fn charge_work(&mut self, bytes: usize) {
        self.budget.requests += Cost::work(bytes);
    }

    /// Notes what a gateway keeps of a session's input.
    pub fn set_unparsed(&mut self, slot: usize, kept: KeptInput) {
        let Some(session) = self.sessions.get_mut(slot).filter(|session| session.is_open()) else { return };
        let saturated = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let now = AtGateway { bytes: saturated(kept.bytes), held: saturated(kept.held) };
        let before = std::mem::replace(&mut session.at_gateway, now);
        session.backlog = if kept.has_requests { Backlog::Unread } else { Backlog::Empty };
        self.unparsed = self.unparsed - before.held as usize + now.held as usize;
    }
}
