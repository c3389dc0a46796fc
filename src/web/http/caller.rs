//! An HTTP caller: its requests are answered one after the other, until it becomes a WebSocket.

use super::call::{Action, Call, Post};
use super::handshake::Handshake;
use super::lookup::{Access, look_up};
use super::parse::{Parsed, Rules, parse};
use super::refusal::Refusal;
use super::response::{Document, Format, put_refusal};
use crate::hub::{Hub, RequestContext};
use crate::limits::http::{HEAD_PARSE_COST, MAX_HEAD_LEN};
use crate::web::backlog::{Backlog, BlockedRequest, Progress, accepts_requests, execute, leave, room_of};
use crate::web::policy::Policy;
use crate::web::websocket::WebSocket;

/// The response to a sender that waits for permission to send the body.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The state of an HTTP caller between two reads.
#[derive(Debug, Default)]
pub struct Caller {
    backlog: Backlog,
    /// The sender of the request at the front was sent `100 Continue`.
    was_sent_continue: bool,
}

/// What happens after a request.
enum Next {
    /// The rest of a request must arrive, of which this many bytes are missing at most.
    Input { missing: usize },
    /// The next request is answered.
    Request,
    /// The hub has blocked the request.
    Wait(BlockedRequest),
    /// WebSocket messages follow.
    WebSocket,
}

impl Caller {
    /// Bytes of requests that it keeps.
    pub fn kept(&self) -> usize {
        self.backlog.len()
    }

    /// Bytes of memory that it takes.
    pub fn held(&self) -> usize {
        size_of::<Caller>() + self.backlog.held()
    }

    /// Whether it is in the state of a new caller.
    pub fn is_idle(&self) -> bool {
        self.backlog.is_empty() && !self.was_sent_continue
    }

    /// Answers the kept requests and then those in `input`. Returns a WebSocket if the caller has become one.
    pub fn receive<L>(
        &mut self,
        hub: &mut Hub<L>,
        slot: usize,
        policy: &Policy,
        input: &mut [u8],
    ) -> Option<WebSocket> {
        let Caller { backlog, was_sent_continue } = self;
        let mut upgraded = None;
        backlog.serve(hub, slot, input, |hub, input| {
            let (done, next) = answer_all(hub, slot, policy, was_sent_continue, input);
            match next {
                Next::Input { missing } => Progress { missing, ..Progress::of(done) },
                Next::Request => Progress::of(done),
                Next::Wait(blocked) => Progress { blocked: Some(blocked), ..Progress::of(done) },
                Next::WebSocket => {
                    let mut socket = WebSocket::new();
                    socket.receive(hub, slot, &mut input[done..]);
                    upgraded = Some(socket);
                    Progress::of(input.len())
                }
            }
        });
        upgraded
    }
}

/// Answers the requests at the front of `input`. Returns their length in bytes, and what happens next.
fn answer_all<L>(
    hub: &mut Hub<L>,
    slot: usize,
    policy: &Policy,
    was_sent_continue: &mut bool,
    input: &[u8],
) -> (usize, Next) {
    let mut done = 0;
    while accepts_requests(hub, slot) && done < input.len() {
        let rules = Rules { bounds: hub.limits().bounds(), origins: &policy.origins };
        hub.charge_work(HEAD_PARSE_COST.0 + HEAD_PARSE_COST.1 * (input.len() - done).min(MAX_HEAD_LEN));
        match parse(&input[done..], rules) {
            Ok(Parsed::Incomplete { expects_continue, missing, cors }) => {
                hub.note_headers(slot, cors.lines());
                if expects_continue && !std::mem::replace(was_sent_continue, true) {
                    hub.push_bytes(slot, CONTINUE);
                }
                return (done, Next::Input { missing });
            }
            Ok(Parsed::Call(call, len)) => {
                done += len;
                *was_sent_continue = false;
                let cors = call.cors.clone();
                match answer(hub, slot, policy, call) {
                    Next::Request => hub.note_headers(slot, ""),
                    next @ Next::Wait(_) => {
                        hub.note_headers(slot, cors.lines());
                        return (done, next);
                    }
                    next @ (Next::WebSocket | Next::Input { .. }) => {
                        hub.note_headers(slot, "");
                        return (done, next);
                    }
                }
            }
            Err(refusal) => {
                *was_sent_continue = false;
                hub.note_headers(slot, "");
                refuse(hub, slot, refusal.next_at.is_none() || hub.is_spare(slot), &refusal);
                done += refusal.next_at.unwrap_or(input.len() - done);
            }
        }
    }
    (done, Next::Request)
}

/// Refuses a request; `closes`: the connection ends with that.
fn refuse<L>(hub: &mut Hub<L>, slot: usize, closes: bool, refusal: &Refusal) {
    hub.respond(slot, closes, |out| put_refusal(refusal, closes, out));
}

fn answer<L>(hub: &mut Hub<L>, slot: usize, policy: &Policy, call: Call<'_>) -> Next {
    let Call { action, is_head, closes, is_forwarded, cors } = call;
    let context = RequestContext { headers: cors.lines(), ..RequestContext::default() };
    if !action.is_watching() && !hub.admit_spare(slot, &context) {
        return Next::Request;
    }
    // Whoever watches a full hub gives its place to the next one.
    let closes = closes || hub.is_spare(slot);
    let format = Format { is_head, closes, cors: cors.lines() };
    match action {
        Action::Execute(_) | Action::Upgrade(_) | Action::Describe { is_preflight: false, .. } if hub.is_closing() => {
            let refusal = Refusal { cors, ..Refusal::new(503, "the hub is shutting down") };
            refuse(hub, slot, true, &refusal);
        }
        Action::Describe { lines, .. } => {
            hub.respond(slot, closes, |out| Document::description(lines).put(format, out));
        }
        Action::LookUp(lookup) => {
            let access = Access { is_forwarded, http_read: policy.http_read };
            match look_up(hub, slot, lookup, access) {
                Ok(document) => hub.respond(slot, closes, |out| document.put(format, out)),
                Err(refusal) => refuse(hub, slot, closes, &Refusal { is_head, cors, ..refusal }),
            }
        }
        Action::Execute(post) => {
            if let Some(blocked) = execute_post(hub, slot, &post, format) {
                return Next::Wait(blocked);
            }
        }
        Action::Upgrade(handshake) => {
            if upgrade(hub, slot, &handshake, is_forwarded) {
                return Next::WebSocket;
            }
        }
    }
    Next::Request
}

/// Executes a request under an id of its own. The hub's receipt is the response.
fn execute_post<L>(hub: &mut Hub<L>, slot: usize, post: &Post<'_>, format: Format<'_>) -> Option<BlockedRequest> {
    let Format { closes, cors: headers, is_head: _ } = format;
    hub.begin_http_request(slot);
    let request = post.request();
    let context = RequestContext { tag: None, room: room_of(&request), closes, headers };
    if let Err(fault) = hub.limits().bounds().admit_request(&request, 0) {
        hub.fail(slot, &context, &fault);
        return None;
    }
    let blocked = execute(hub, slot, &context, &request, false);
    if closes && blocked.is_none() {
        leave(hub, slot);
    }
    blocked
}

/// Makes the caller a user that speaks WebSocket. Returns false if the hub has no id for it and has told it so.
fn upgrade<L>(hub: &mut Hub<L>, slot: usize, handshake: &Handshake, is_forwarded: bool) -> bool {
    let is_upgraded = hub.upgrade(slot, handshake.encoding, is_forwarded);
    if is_upgraded {
        let mut response = Vec::new();
        handshake.put_response(&mut response);
        hub.push_bytes(slot, &response);
    }
    is_upgraded
}
