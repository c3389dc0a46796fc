//! The input of a connection that was not executed yet: a request that the hub has blocked, and the bytes behind it.

use crate::hub::{Execution, Hub, Outcome, RequestContext, Session};
use crate::limits::SPARSE;
use crate::wire::{HEADER_LEN, Header, Request};

/// Whether the next request of a session may be executed.
pub fn accepts_requests<L>(hub: &Hub<L>, slot: usize) -> bool {
    hub.session(slot).is_some_and(Session::accepts_requests)
}

/// Has an HTTP caller depart whose connection ends with its response, unless a fatal error has ended it already.
pub fn leave<L>(hub: &mut Hub<L>, slot: usize) {
    if hub.session(slot).is_some_and(Session::is_open) {
        hub.leave(slot);
    }
}

/// Executes a request that has just been read; `more` input is at hand. Returns it if the hub has blocked it.
pub fn execute<L>(
    hub: &mut Hub<L>,
    slot: usize,
    context: &RequestContext<'_>,
    request: &Request<'_>,
    more: bool,
) -> Option<BlockedRequest> {
    match hub.execute(slot, context, request, Execution { waited: false, more }) {
        Outcome::Done => None,
        Outcome::Blocked => Some(BlockedRequest::new(context, request)),
    }
}

/// The room that a request names; empty if it names none.
pub fn room_of<'r>(request: &Request<'r>) -> &'r str {
    match *request {
        Request::Join { room }
        | Request::Leave { room }
        | Request::Publish { room, .. }
        | Request::History { room, .. }
        | Request::Who { room } => room,
        Request::Hello { .. }
        | Request::Identity
        | Request::List
        | Request::Relay { .. }
        | Request::Send { .. }
        | Request::Ack(_)
        | Request::Ping(_)
        | Request::Bye
        | Request::Alive
        | Request::Stats => "",
    }
}

/// A request that the hub has blocked, as an owned copy: its frame, which is cheap to read again, and its context.
#[derive(Debug)]
pub struct BlockedRequest {
    frame: Vec<u8>,
    tag: Option<u16>,
    closes: bool,
}

impl BlockedRequest {
    fn new(context: &RequestContext<'_>, request: &Request<'_>) -> BlockedRequest {
        let mut frame = Vec::with_capacity(HEADER_LEN + request.payload_len());
        request.encode(context.tag.unwrap_or_default(), &mut frame);
        BlockedRequest { frame, tag: context.tag, closes: context.closes }
    }

    /// Executes the request once more; `more` input is at hand behind it.
    fn retry<L>(&self, hub: &mut Hub<L>, slot: usize, more: bool) -> Outcome {
        let header = Header::decode(&self.frame).expect("the frame was encoded from a request");
        let request = Request::decode(header, &self.frame[HEADER_LEN..]).expect("the frame was encoded from a request");
        let context = RequestContext { tag: self.tag, room: room_of(&request), closes: self.closes };
        let outcome = hub.execute(slot, &context, &request, Execution { waited: true, more });
        if outcome == Outcome::Done && self.closes {
            leave(hub, slot);
        }
        outcome
    }
}

/// How far some input was carried out.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes that need not be kept.
    pub done: usize,
    /// The request that the hub has blocked. It is one of these bytes' last.
    pub blocked: Option<BlockedRequest>,
}

/// What is kept of a connection's input.
#[derive(Debug, Default)]
pub struct Backlog {
    /// It came before all of `input`.
    blocked: Option<BlockedRequest>,
    input: Vec<u8>,
}

impl Backlog {
    /// Bytes that it keeps.
    pub fn len(&self) -> usize {
        self.input.len() + self.blocked.as_ref().map_or(0, |blocked| blocked.frame.len())
    }

    /// Whether it keeps nothing.
    pub fn is_empty(&self) -> bool {
        self.input.is_empty() && self.blocked.is_none()
    }

    /// Carries out what it keeps and then `input`, as far as the session accepts requests, and keeps the rest. `serve`
    /// carries out what lies at the front of some bytes.
    pub fn serve<L>(
        &mut self,
        hub: &mut Hub<L>,
        slot: usize,
        input: &mut [u8],
        serve: impl FnOnce(&mut Hub<L>, &mut [u8]) -> Progress,
    ) {
        if self.is_empty() {
            let progress = serve(hub, input);
            self.input.extend_from_slice(&input[progress.done..]);
            self.blocked = progress.blocked;
        } else {
            self.input.extend_from_slice(input);
            self.serve_kept(hub, slot, serve);
        }
    }

    fn serve_kept<L>(&mut self, hub: &mut Hub<L>, slot: usize, serve: impl FnOnce(&mut Hub<L>, &mut [u8]) -> Progress) {
        if let Some(blocked) = &self.blocked {
            if !accepts_requests(hub, slot) || blocked.retry(hub, slot, !self.input.is_empty()) == Outcome::Blocked {
                return;
            }
            self.blocked = None;
        }
        let progress = serve(hub, &mut self.input);
        self.input.drain(..progress.done);
        self.input.shrink_to(SPARSE * self.input.len());
        self.blocked = progress.blocked;
    }
}
