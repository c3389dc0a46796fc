//! Sessions behind a gateway: HTTP callers, and what gateways report and charge.

use super::Hub;
use super::budget::Cost;
use super::codec::RequestContext;
use super::session::Backlog;
use crate::limits::HTTP_IDS_A_SECOND;
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

impl<L> Hub<L> {
    /// Begins a request of an HTTP caller, which is then [executed](Hub::execute) under an id of its own. If there are
    /// so many requests that ids could run out one day, the requests of one connection share an id.
    pub fn begin_http_request(&mut self, slot: usize) {
        if self.ids_lent.take(self.clock.now.as_secs()) {
            self.sessions.renew_id(slot);
        }
        self.count_http_request();
    }

    /// Sends a response that the gateway composed to an HTTP caller. If the connection `closes` with that, the caller
    /// departs; otherwise the response counts as a request executed.
    pub fn respond(&mut self, slot: usize, bytes: &[u8], closes: bool) {
        self.push_bytes(slot, bytes);
        self.budget.requests += Cost::of(1, bytes.len(), bytes.len());
        self.count_http_request();
        if closes {
            self.leave(slot);
        } else {
            self.after_request(slot);
        }
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

    /// Charges the parsing of a request, which took as long as copying this many bytes.
    pub fn charge_parsing(&mut self, bytes: usize) {
        self.budget.requests += Cost::work(bytes);
    }

    /// Notes how many bytes of input a gateway keeps for a session, and whether whole requests are among them that
    /// wait.
    pub fn set_unparsed(&mut self, slot: usize, bytes: usize, has_backlog: bool) {
        let Some(session) = self.sessions.get_mut(slot).filter(|session| session.is_open()) else { return };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.unparsed = self.unparsed - session.kept_by_gateway as usize + bytes as usize;
        session.kept_by_gateway = bytes;
        session.backlog = if has_backlog { Backlog::Unread } else { Backlog::Empty };
    }
}
