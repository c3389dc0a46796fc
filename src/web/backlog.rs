//! The input of a connection that is not executed yet: a request that the hub has blocked, and the bytes after it.

use crate::hub::{Execution, Hub, Outcome, RequestContext, Session};
use crate::limits::SPARSE;
use crate::wire::websocket::append;
use crate::wire::{HEADER_LEN, Header, Request};

/// Whether the next request of a session may be executed.
pub fn accepts_requests<L>(hub: &Hub<L>, slot: usize) -> bool {
    hub.session(slot).is_some_and(Session::accepts_requests)
}

/// Makes an HTTP caller depart if its connection ends with this response, unless a fatal error has ended it already.
pub fn leave<L>(hub: &mut Hub<L>, slot: usize) {
    if hub.session(slot).is_some_and(Session::is_open) {
        hub.leave(slot);
    }
}

/// Executes a request that has just been read. `more`: further input has arrived. Returns the request if the hub has
/// blocked it.
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
    /// See [`RequestContext::headers`].
    headers: Box<str>,
}

impl BlockedRequest {
    fn new(context: &RequestContext<'_>, request: &Request<'_>) -> BlockedRequest {
        let mut frame = Vec::with_capacity(HEADER_LEN + request.payload_len());
        request.encode(context.tag.unwrap_or_default(), &mut frame);
        BlockedRequest { frame, tag: context.tag, closes: context.closes, headers: context.headers.into() }
    }

    /// Executes the request again. `more`: further input has arrived after it.
    fn retry<L>(&self, hub: &mut Hub<L>, slot: usize, more: bool) -> Outcome {
        let header = Header::decode(&self.frame).expect("the frame was encoded from a request");
        let request = Request::decode(header, &self.frame[HEADER_LEN..]).expect("the frame was encoded from a request");
        let BlockedRequest { tag, closes, headers, .. } = self;
        let context = RequestContext { tag: *tag, room: room_of(&request), closes: *closes, headers };
        let outcome = hub.execute(slot, &context, &request, Execution { waited: true, more });
        if outcome == Outcome::Done && self.closes {
            leave(hub, slot);
        }
        outcome
    }
}

/// How much of some input was executed.
#[derive(Debug)]
pub struct Progress {
    /// Bytes that need not be kept.
    pub done: usize,
    /// The request that the hub has blocked. It is the last one in these bytes.
    pub blocked: Option<BlockedRequest>,
    /// The most bytes that are missing of the unfinished request at the end; `usize::MAX` if that is unknown.
    pub missing: usize,
}

impl Progress {
    /// These bytes are done.
    pub fn of(done: usize) -> Progress {
        Progress { done, blocked: None, missing: usize::MAX }
    }
}

/// The input that is kept for a connection.
#[derive(Debug, Default)]
pub struct Backlog {
    /// It arrived before all of `input`.
    blocked: Option<BlockedRequest>,
    input: Vec<u8>,
    /// The most bytes that are missing of the unfinished request at the end of `input`.
    missing: usize,
}

impl Backlog {
    /// Bytes that it keeps.
    pub fn len(&self) -> usize {
        self.input.len() + self.blocked.as_ref().map_or(0, |blocked| blocked.frame.len())
    }

    /// Bytes of memory that it takes.
    pub fn held(&self) -> usize {
        self.input.capacity()
            + self.blocked.as_ref().map_or(0, |blocked| blocked.frame.capacity() + blocked.headers.len())
    }

    /// Whether it keeps nothing.
    pub fn is_empty(&self) -> bool {
        self.input.is_empty() && self.blocked.is_none()
    }

    /// Executes the kept input and then `input`, as long as the session accepts requests, and keeps the rest. `serve`
    /// executes the requests at the front of some bytes.
    pub fn serve<L>(
        &mut self,
        hub: &mut Hub<L>,
        slot: usize,
        input: &mut [u8],
        serve: impl FnOnce(&mut Hub<L>, &mut [u8]) -> Progress,
    ) {
        if self.is_empty() {
            let Progress { done, blocked, missing } = serve(hub, input);
            self.input.reserve_exact(input.len() - done);
            self.input.extend_from_slice(&input[done..]);
            (self.blocked, self.missing) = (blocked, missing);
        } else {
            append(&mut self.input, input, self.missing.saturating_sub(input.len()));
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
        (self.blocked, self.missing) = (progress.blocked, progress.missing);
    }
}
