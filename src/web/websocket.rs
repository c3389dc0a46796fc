//! A user's WebSocket: its messages are executed one after the other, as long as its session accepts requests.

use super::backlog::{Backlog, BlockedRequest, Progress, accepts_requests, execute, room_of};
use super::binary;
use super::encoding::{BINARY, JSON};
use super::json::compact::Compactor;
use super::json::request::{JsonRequest, max_kept_len, max_message_len};
use super::json::scan::Text;
use crate::hub::{Encoding, Hub, RequestContext, Session};
use crate::limits::http::{COMPACT_FROM, FRAME_COST, JSON_COMPACT_COST, JSON_PARSE_COST, LABEL_WITHIN};
use crate::wire::websocket::{self as framing, Message, MessageReader, ProtocolError, Side};
use crate::wire::{Bounds, ErrorCode, Fault, HEADER_LEN};

/// The status code that stands for a close frame without one (RFC 6455, section 7.1.5). It is never sent.
const NO_STATUS: u16 = 1005;

/// The status code of an orderly end.
const NORMAL_CLOSURE: u16 = 1000;

/// The state of a WebSocket between two reads.
#[derive(Debug)]
pub struct WebSocket {
    reader: MessageReader,
    /// Boxed, because few connections have one.
    kept: Option<Box<Kept>>,
}

/// What is kept of messages beside what the reader keeps.
#[derive(Debug, Default)]
struct Kept {
    backlog: Backlog,
    /// How much of the unfinished text is compacted.
    compactor: Compactor,
}

const _: () = assert!(size_of::<WebSocket>() <= 24, "an idle WebSocket keeps next to nothing");

impl WebSocket {
    /// A WebSocket on which nothing has been received yet.
    pub fn new() -> WebSocket {
        WebSocket { reader: MessageReader::new(Side::Client), kept: None }
    }

    /// Bytes that have arrived of messages that are not executed yet.
    pub fn kept(&self) -> usize {
        let Some(kept) = self.kept.as_deref() else { return self.reader.kept() };
        self.reader.kept() + kept.backlog.len() + kept.compactor.removed()
    }

    /// Bytes of memory that these take.
    pub fn held(&self) -> usize {
        self.reader.held() + self.kept.as_deref().map_or(0, |kept| size_of::<Kept>() + kept.backlog.held())
    }

    /// Executes the kept messages and then those in `input`.
    pub fn receive<L>(&mut self, hub: &mut Hub<L>, slot: usize, input: &mut [u8]) {
        let Kept { mut backlog, mut compactor } = self.kept.take().map_or_else(Kept::default, |kept| *kept);
        let mut incoming = Incoming { reader: &mut self.reader, compactor: &mut compactor };
        backlog.serve(hub, slot, input, |hub, input| serve(&mut incoming, hub, slot, input));
        if !backlog.is_empty() || compactor.done() > 0 {
            self.kept = Some(Box::new(Kept { backlog, compactor }));
        }
    }
}

/// What takes messages out of the input.
struct Incoming<'w> {
    reader: &'w mut MessageReader,
    compactor: &'w mut Compactor,
}

/// Executes the messages at the front of `input`.
fn serve<L>(incoming: &mut Incoming<'_>, hub: &mut Hub<L>, slot: usize, input: &mut [u8]) -> Progress {
    let Some(encoding) = hub.session(slot).map(Session::encoding) else { return Progress::of(0) };
    let limit = max_len(encoding, &hub.limits().bounds());
    let len = input.len();
    let (mut rest, mut blocked) = (input, None);
    while blocked.is_none() && accepts_requests(hub, slot) {
        match incoming.reader.next(&mut rest, limit) {
            Ok(Some(Message::Text(text))) if encoding == JSON => {
                let (text, compacted) = std::mem::take(incoming.compactor).finish(text);
                blocked = execute_json(hub, slot, Text { text: &text, compacted }, !rest.is_empty());
            }
            Ok(Some(message)) => blocked = carry_out(hub, slot, encoding, &message, !rest.is_empty()),
            Ok(None) => {
                match encoding {
                    JSON => compact(hub, slot, incoming),
                    _ => refuse_early(hub, slot, encoding, incoming.reader),
                }
                break;
            }
            Err(error) => close_for(hub, slot, error, limit),
        }
    }
    hub.charge_work(FRAME_COST * incoming.reader.take_frame_count());
    Progress { blocked, ..Progress::of(len - rest.len()) }
}

/// The most bytes that a message may have.
fn max_len(encoding: Encoding, bounds: &Bounds) -> usize {
    if encoding == JSON {
        return max_message_len(bounds);
    }
    usize::try_from(bounds.most_payload()).unwrap_or(usize::MAX).saturating_add(HEADER_LEN)
}

/// Executes one message. `more`: further input has arrived. Returns the request if the hub has blocked it.
fn carry_out<L>(
    hub: &mut Hub<L>,
    slot: usize,
    encoding: Encoding,
    message: &Message<'_>,
    more: bool,
) -> Option<BlockedRequest> {
    match message {
        Message::Binary(frame) if encoding == BINARY => return execute_frame(hub, slot, frame, more),
        Message::Text(_) => refuse_message(hub, slot, "text", "binary"),
        Message::Binary(_) => refuse_message(hub, slot, "binary", "text"),
        Message::Ping(payload) => pong(hub, slot, payload),
        Message::Pong => {}
        Message::Close(status) => {
            let status = if *status == NO_STATUS { NORMAL_CLOSURE } else { *status };
            hub.close_connection(slot, &close_frame(status, ""), false);
        }
    }
    None
}

fn execute_json<L>(hub: &mut Hub<L>, slot: usize, text: Text<'_>, more: bool) -> Option<BlockedRequest> {
    hub.charge_work(JSON_PARSE_COST.0 + JSON_PARSE_COST.1 * text.text.len());
    match JsonRequest::parse(text, &hub.limits().bounds()) {
        Ok(json) => {
            let request = json.request();
            let context = RequestContext { tag: json.tag(), room: room_of(&request), ..RequestContext::default() };
            execute(hub, slot, &context, &request, more)
        }
        Err(error) => {
            // Its tag and its type were looked for once more.
            hub.charge_work(JSON_PARSE_COST.1 * text.text.len().min(LABEL_WITHIN));
            let context = RequestContext { tag: error.tag, ..RequestContext::default() };
            if error.is_fatal {
                hub.fail(slot, &context, &error.fault);
            } else {
                hub.reject(slot, &context, &error.fault);
            }
            None
        }
    }
}

fn execute_frame<L>(hub: &mut Hub<L>, slot: usize, frame: &[u8], more: bool) -> Option<BlockedRequest> {
    match binary::decode(frame, &hub.limits().bounds()) {
        Ok((tag, request)) => execute(hub, slot, &RequestContext::tagged(tag), &request, more),
        Err(fault) => {
            hub.fail(slot, &RequestContext::tagged(fault.tag), &fault);
            None
        }
    }
}

/// Refuses a message of the kind that its subprotocol does not have.
fn refuse_message<L>(hub: &mut Hub<L>, slot: usize, kind: &str, expected: &str) {
    let text = format!("a {kind} message; this subprotocol has {expected} messages only");
    hub.fail(slot, &RequestContext::default(), &Fault::new(ErrorCode::Malformed, 0, 0, text));
}

/// Makes a long text shorter while it arrives. It is refused if it is too long even so.
fn compact<L>(hub: &mut Hub<L>, slot: usize, Incoming { reader, compactor }: &mut Incoming<'_>) {
    let arrived = reader.unfinished_text();
    if arrived < COMPACT_FROM {
        return;
    }
    hub.charge_work(JSON_COMPACT_COST * (arrived - compactor.done()));
    reader.shorten_text(|text| compactor.compact(text));
    let most = max_kept_len(&hub.limits().bounds());
    if reader.unfinished_text() > most {
        close_for(hub, slot, ProtocolError::TooLarge, most);
    }
}

/// Refuses the native frame in an unfinished binary message as soon as its first bytes show that it is wrong.
fn refuse_early<L>(hub: &mut Hub<L>, slot: usize, encoding: Encoding, reader: &MessageReader) {
    if encoding == BINARY
        && let Some(front) = reader.unfinished_binary()
        && let Err(fault) = hub.limits().bounds().admit(front)
    {
        hub.fail(slot, &RequestContext::tagged(fault.tag), &fault);
    }
}

/// Ends a connection that breaks the WebSocket protocol, or whose message is too long.
fn close_for<L>(hub: &mut Hub<L>, slot: usize, error: ProtocolError, limit: usize) {
    match error {
        ProtocolError::TooLarge => {
            let text = format!("a message is over the limit of {limit} bytes");
            hub.fail(slot, &RequestContext::default(), &Fault::new(ErrorCode::TooLarge, 0, 0, text));
        }
        ProtocolError::Invalid(_) | ProtocolError::NotUtf8 => {
            hub.close_connection(slot, &close_frame(error.code(), error.text()), true);
        }
    }
}

fn close_frame(status: u16, reason: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    framing::encode_close(status, reason, &mut frame);
    frame
}

/// Answers a ping, unless the session is full: then its peer does not read, and RFC 6455 requires a pong for the last
/// ping only.
fn pong<L>(hub: &mut Hub<L>, slot: usize, payload: &[u8]) {
    if hub.session(slot).is_some_and(|session| !session.is_full()) {
        let mut frame = Vec::new();
        framing::encode(framing::PONG, payload, &mut frame);
        hub.answer_control(slot, &frame);
    }
}
