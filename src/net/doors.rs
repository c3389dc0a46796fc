//! Links that speak HTTP or WebSocket: what has come of each and is no request yet, and what is asked of the hub for
//! it. The bytes themselves are understood in [`door`](crate::web).
//!
//! ```text
//!   take_in_by_door ──┐          ┌── a guest: serve_guest ── answer ──> look up, work, upgrade
//!   (what was read)   ├ pass_door┤
//!   take_up ──────────┘          └── a user:  hear ── understand ──> requests, fed to the hub at once
//!   (what had waited)
//! ```

use super::{Loop, Os};
use crate::hub::{SharedEvent, User};
use crate::json::{EventJson, json_line};
use crate::limits::{JSON_COST, READ_BUFFER, SPARSE};
use crate::web::answers::{Object, put_member};
use crate::web::asks::{most_json, put_fatal, put_frame, put_request};
use crate::web::http::{self, Call, Document, Found, Look, Refusal, Rules, What};
use crate::web::margin::Aside;
use crate::web::messages::{self, Message, Messages, Other, Violation};
use crate::web::upgrade::Upgrade;
use crate::web::{Dialect, metrics};
use crate::wire::{ErrorCode, Fault, HEADER_LEN};

/// What the operator allows those who come by the door.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Origins whose pages may ask, beside the hub's own.
    pub origins: Vec<String>,
    /// Rooms may be looked into from other machines.
    pub http_read: bool,
}

/// What has come of each link that speaks no native frames.
#[derive(Debug, Default)]
pub(super) struct Doors {
    /// By slot.
    inbound: Vec<Option<Box<Inbound>>>,
    /// The requests that the messages of one read ask for. Room that is kept: empty once they are carried out.
    requests: Vec<u8>,
    /// One response. Room that is kept: empty once it is queued.
    said: Vec<u8>,
    pub policy: Policy,
}

/// What has come of one link.
#[derive(Debug)]
enum Inbound {
    /// Of HTTP requests.
    Http(Calls),
    /// Of messages.
    Messages(Messages),
}

/// What has come of HTTP requests.
#[derive(Debug, Default)]
struct Calls {
    unread: Vec<u8>,
    /// Their sender waited to be told to send a body, and was.
    told_to_go_on: bool,
    /// Some may be whole, but wait for those before them.
    wait: bool,
}

impl Inbound {
    fn kept(&self) -> usize {
        match self {
            Inbound::Http(calls) => calls.unread.len(),
            Inbound::Messages(messages) => messages.kept(),
        }
    }
}

impl Doors {
    fn take(&mut self, slot: usize) -> Option<Box<Inbound>> {
        self.inbound.get_mut(slot)?.take()
    }

    fn put(&mut self, slot: usize, inbound: Box<Inbound>) {
        if self.inbound.len() <= slot {
            self.inbound.resize_with(slot + 1, || None);
        }
        self.inbound[slot] = Some(inbound);
    }
}

impl<O: Os> Loop<O> {
    /// The same loop, where those who come by the door may do this.
    pub fn with_policy(mut self, policy: Policy) -> Loop<O> {
        self.doors.policy = policy;
        self
    }

    /// Takes in what was just received from a link that does not speak native frames.
    pub(super) fn take_in_by_door(&mut self, slot: usize, count: usize) {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.pass_door(slot, &mut buffer[..count]);
        self.buffer = buffer;
    }

    /// Takes up the requests of a guest that had to wait, where it need not any more.
    pub(super) fn take_up(&mut self, slot: usize) {
        let inbound = self.doors.inbound.get(slot).and_then(Option::as_deref);
        if matches!(inbound, Some(Inbound::Http(calls)) if calls.wait) {
            self.pass_door(slot, &mut []);
        }
    }

    /// Forgets what has come of a link.
    pub(super) fn close_door(&mut self, slot: usize) {
        self.doors.take(slot);
    }

    /// Forgets it where the user has departed: it is counted no more, so it must not be kept while the link lingers.
    pub(super) fn close_door_of_departed(&mut self, slot: usize) {
        if !self.hub.user(slot).is_some_and(User::is_present) {
            self.close_door(slot);
        }
    }

    fn pass_door(&mut self, slot: usize, input: &mut [u8]) {
        // Whoever has departed has heard the last word: not even a ping is answered behind that.
        if !self.hub.user(slot).is_some_and(User::is_present) {
            return;
        }
        let mut inbound = self.doors.take(slot).unwrap_or_else(|| Box::new(Inbound::Http(Calls::default())));
        match &mut *inbound {
            Inbound::Http(calls) => {
                calls.unread.extend_from_slice(input);
                if let Some(messages) = self.serve_guest(slot, calls) {
                    *inbound = Inbound::Messages(messages);
                }
            }
            Inbound::Messages(messages) => self.hear(slot, messages, input),
        }
        if self.hub.user(slot).is_some_and(User::is_present) {
            self.hub.keep_outside(slot, inbound.kept());
            self.doors.put(slot, inbound);
        }
    }

    /// Does what a guest asks, as long as it need not wait. Where it becomes a user, what it says from then on.
    fn serve_guest(&mut self, slot: usize, calls: &mut Calls) -> Option<Messages> {
        let mut done = 0;
        let mut upgraded = None;
        while self.is_free(slot) && done < calls.unread.len() && upgraded.is_none() {
            let rules = Rules { bounds: self.hub.limits().bounds(), origins: &self.doors.policy.origins };
            match http::next(&calls.unread[done..], rules) {
                Ok(Found::More { waits }) => {
                    if waits && !std::mem::replace(&mut calls.told_to_go_on, true) {
                        self.hub.say_as_is(slot, b"HTTP/1.1 100 Continue\r\n\r\n");
                    }
                    break;
                }
                Ok(Found::Call(call, len)) => {
                    done += len;
                    upgraded = self.answer(slot, call);
                }
                Err(refusal) => done += self.refuse(slot, &refusal).unwrap_or(calls.unread.len() - done),
            }
            calls.told_to_go_on = false;
        }
        if let Some(messages) = &mut upgraded {
            self.hear(slot, messages, &mut calls.unread[done..]);
        }
        calls.unread.drain(..done);
        calls.unread.shrink_to(SPARSE * calls.unread.len());
        calls.wait = !self.is_free(slot);
        upgraded
    }

    /// Whether a guest's next request may be done.
    fn is_free(&self, slot: usize) -> bool {
        self.hub.user(slot).is_some_and(|user| user.is_present() && !user.is_waiting())
    }

    /// Tells a guest why its request is not done. Returns where the next one begins; where nobody can tell, it departs.
    fn refuse(&mut self, slot: usize, refusal: &Refusal) -> Option<usize> {
        let closes = refusal.next_at.is_none();
        self.respond(slot, closes, |out| http::put_refusal(refusal, refusal.is_head, closes, out));
        refusal.next_at
    }

    /// Answers a guest with what `put` appends. It departs where the connection is to end with that.
    fn respond(&mut self, slot: usize, closes: bool, put: impl FnOnce(&mut Vec<u8>)) {
        let mut said = std::mem::take(&mut self.doors.said);
        put(&mut said);
        self.hub.answer_guest(slot, &said, closes);
        said.clear();
        said.shrink_to(READ_BUFFER);
        self.doors.said = said;
    }

    /// Does what a guest asks. Where it becomes a user by that, what it says from then on.
    fn answer(&mut self, slot: usize, call: Call) -> Option<Messages> {
        let Call { what, is_head, closes, is_forwarded } = call;
        match what {
            What::Work(_) | What::Upgrade(_) if self.hub.is_closing() => {
                self.refuse(slot, &Refusal::new(503, "the hub is shutting down"));
            }
            What::Look(look) => match self.look_up(slot, look, is_forwarded) {
                Ok(document) => {
                    self.hub.spend_unsent(if is_head { document.body.len() } else { 0 });
                    self.respond(slot, closes, |out| document.put(is_head, closes, out));
                }
                Err(refusal) => self.respond(slot, closes, |out| http::put_refusal(&refusal, is_head, closes, out)),
            },
            What::Work(frames) => self.hub.work_for_guest(slot, &frames),
            What::Upgrade(upgrade) => return self.upgrade(slot, &upgrade, is_forwarded),
        }
        None
    }

    /// Makes a guest a user, where there is an id for it.
    fn upgrade(&mut self, slot: usize, upgrade: &Upgrade, is_forwarded: bool) -> Option<Messages> {
        if !self.hub.admit(slot, upgrade.dialect, is_forwarded) {
            return None;
        }
        let mut said = Vec::new();
        upgrade.put_answer(&mut said);
        self.hub.say_as_is(slot, &said);
        Some(Messages::new(Other::Client))
    }

    /// What a guest wants to see.
    fn look_up(&self, slot: usize, look: Look, is_forwarded: bool) -> Result<Document, Refusal> {
        Ok(match look {
            Look::File(file) => Document::file(file),
            Look::Health if self.hub.is_closing() => Document::json(503, br#"{"status":"draining"}"#.to_vec()),
            Look::Health => Document::json(200, br#"{"status":"ok"}"#.to_vec()),
            Look::Metrics => Document::metrics(metrics::text(&self.hub.stats())),
            Look::Members(room) => {
                self.may_look(slot, is_forwarded, &room)?;
                let members = self.hub.members_of(&room);
                Document::json(200, list_json("members", &members, |out, (id, name)| put_member(out, *id, name)))
            }
            Look::History { room, after, limit } => {
                self.may_look(slot, is_forwarded, &room)?;
                let events = self.hub.history_of(&room, after, limit);
                let put = |out: &mut Vec<u8>, event: &SharedEvent| {
                    out.extend_from_slice(json_line(&EventJson::with_unix_ms(&event.view())).as_bytes());
                };
                Document::json(200, list_json("events", &events, put))
            }
            Look::List => {
                let ids = self.hub.others(slot);
                Document::json(200, list_json("userIds", &ids, |out, id| out.extend(format!("\"{id}\"").bytes())))
            }
        })
    }

    /// Whether a guest may look into a room: one on this machine may, unless a proxy speaks for somebody.
    fn may_look(&self, slot: usize, is_forwarded: bool, room: &str) -> Result<(), Refusal> {
        let is_local = self.hub.user(slot).is_some_and(User::is_local) && !is_forwarded;
        if !is_local && !self.doors.policy.http_read {
            let text = "rooms are shown to this machine alone, unless the hub runs with --http-read";
            return Err(Refusal::new(403, text));
        }
        if !self.hub.has_room(room) {
            return Err(Refusal::new(404, format!("there is no room {room:?}")));
        }
        Ok(())
    }

    /// Takes in what a user said in messages, and carries out what is asked by it.
    fn hear(&mut self, slot: usize, messages: &mut Messages, mut input: &mut [u8]) {
        let Some(dialect) = self.hub.user(slot).map(User::dialect) else { return };
        let mut requests = std::mem::take(&mut self.doors.requests);
        let limit = self.most_message(dialect);
        let mut is_over = false;
        while !is_over {
            match messages.next(&mut input, limit) {
                Ok(None) => break,
                Ok(Some(Message::Ping(payload))) => self.pong(slot, &payload),
                Ok(Some(Message::Pong)) => {}
                Ok(Some(message)) => is_over = self.understand(dialect, &message, &mut requests),
                Err(violation) => {
                    put_violation(violation, limit, &mut requests);
                    is_over = true;
                }
            }
        }
        if let Some(front) = messages.unfinished_binary().filter(|_| !is_over) {
            self.judge(dialect, front, &mut requests);
        }
        self.hub.feed(slot, &requests);
        requests.clear();
        requests.shrink_to(READ_BUFFER);
        self.doors.requests = requests;
    }

    /// Bytes that a message may have.
    fn most_message(&self, dialect: Dialect) -> usize {
        let bounds = self.hub.limits().bounds();
        match dialect {
            Dialect::Json => most_json(&bounds),
            _ => usize::try_from(bounds.most_payload()).unwrap_or(usize::MAX).saturating_add(HEADER_LEN),
        }
    }

    /// Puts what a message asks into requests. Says whether it is the last one.
    fn understand(&mut self, dialect: Dialect, message: &Message<'_>, requests: &mut Vec<u8>) -> bool {
        match message {
            Message::Text(text) if dialect == Dialect::Json => {
                self.hub.spend_on_reading(JSON_COST.0 + JSON_COST.1 * text.len());
                put_request(text, &self.hub.limits().bounds(), requests);
                false
            }
            Message::Binary(frame) if dialect == Dialect::Binary => {
                put_frame(frame, requests);
                false
            }
            Message::Close(code) => {
                put_last(*code, "", false, requests);
                true
            }
            _ => {
                let (not, only) = if dialect == Dialect::Json { ("binary", "text") } else { ("text", "binary") };
                let text = format!("a {not} message, where the subprotocol has {only} messages only");
                put_fatal(Fault::new(ErrorCode::Malformed, 0, 0, text), requests);
                true
            }
        }
    }

    /// Refuses a frame in an unfinished message as soon as its front shows that it will not do.
    fn judge(&self, dialect: Dialect, front: &[u8], requests: &mut Vec<u8>) {
        if dialect == Dialect::Binary
            && let Err(fault) = self.hub.limits().bounds().admit(front)
        {
            put_fatal(fault, requests);
        }
    }

    /// Gives back what a ping brought. One who does not read gets none: a pong for the last ping would do, and there
    /// are many.
    fn pong(&mut self, slot: usize, payload: &[u8]) {
        if self.hub.user(slot).is_some_and(|user| !user.is_full()) {
            let mut said = Vec::new();
            messages::put(messages::PONG, payload, &mut said);
            self.hub.say_as_is(slot, &said);
        }
    }
}

/// Has a user depart once all it has asked before is carried out; a close frame is the last that it hears.
fn put_last(code: u16, reason: &str, blamed: bool, requests: &mut Vec<u8>) {
    let mut bytes = Vec::new();
    let code = if code == NO_CODE { 1000 } else { code };
    messages::put_close(code, reason, &mut bytes);
    Aside::Last { bytes: &bytes, blamed }.encode(0, requests);
}

/// What stands for the code of a close frame that has none.
const NO_CODE: u16 = 1005;

fn put_violation(violation: Violation, limit: usize, requests: &mut Vec<u8>) {
    if violation == Violation::TooLarge {
        let text = format!("a message is over the limit of {limit} bytes");
        return put_fatal(Fault::new(ErrorCode::TooLarge, 0, 0, text), requests);
    }
    put_last(violation.code(), violation.text(), true, requests);
}

/// An object with one list in it.
fn list_json<T>(key: &str, items: &[T], put: impl FnMut(&mut Vec<u8>, &T)) -> Vec<u8> {
    let mut body = Vec::new();
    let mut object = Object::begin(&mut body);
    object.list(key, items.iter(), put);
    object.end();
    body
}
