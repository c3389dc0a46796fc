//! How an event is published: it gets its id, is encoded once, is added to the history, is put into the outbox of every
//! member, and is passed to the host's listeners.

use super::members::Author;
use crate::hub::budget::Cost;
use crate::hub::codec::RequestContext;
use crate::hub::payload::{Payload, SharedFrame};
use crate::hub::{Hub, SharedEvent};
use crate::limits::{MAX_COPIED_EVENT, MIN_SHARED_EVENT, SCAN_COST};
use crate::name::name_fault;
use crate::wire::{Answer, ErrorCode, EventRef, EventType, Kind};

/// An event that was published.
#[derive(Debug)]
pub(in crate::hub) struct Emitted {
    pub id: u64,
    /// What it cost to put it into the outboxes.
    pub cost: Cost,
}

impl<L> Hub<L> {
    /// PUBLISH: a message to all members of a room.
    pub(in crate::hub) fn publish(
        &mut self,
        slot: usize,
        context: &RequestContext<'_>,
        room: &str,
        body: &[u8],
        receipt: bool,
        no_echo: bool,
    ) {
        let key = match self.room_to_publish_in(Some(slot), room) {
            Ok(key) => key,
            Err((code, text)) => {
                return self.fail_request(slot, context, Kind::Publish, code, format!("PUBLISH: {text}"));
            }
        };
        if receipt {
            let id = self.rooms.at(key).newest + 1;
            self.reply(slot, context, &Answer::Published(id));
        }
        self.publish_in(key, self.author(slot), body, no_echo.then_some(slot));
    }

    /// The room with this name, which is made if there is none yet, for a session or for the host.
    pub(in crate::hub) fn room_to_publish_in(
        &mut self,
        slot: Option<usize>,
        room: &str,
    ) -> Result<u32, (ErrorCode, String)> {
        if let Some(key) = self.rooms.find(room) {
            return Ok(key);
        }
        match name_fault(room) {
            Some(why) => Err((ErrorCode::BadName, why.to_owned())),
            None => self.make_room_to_publish(slot, room).map_err(|text| (ErrorCode::LimitReached, text)),
        }
    }

    /// Publishes a message in a room, which may have no members. Returns its id.
    pub(in crate::hub) fn publish_in(&mut self, key: u32, author: Author, body: &[u8], except: Option<usize>) -> u64 {
        let emitted = self.emit(key, EventType::Message, &author, body, except);
        self.budget.requests += emitted.cost;
        self.remove_if_deserted(key);
        emitted.id
    }

    /// Publishes an event in a room, to all members but `except`. If it is copied to them, as all events without a body
    /// are, its frame stays in the scratch memory until the next event.
    pub(in crate::hub) fn emit(
        &mut self,
        key: u32,
        what: EventType,
        author: &Author,
        body: &[u8],
        except: Option<usize>,
    ) -> Emitted {
        self.stats.events += 1;
        let is_shared = self.is_shared_event(key, body.len());
        let room = self.rooms.at_mut(key);
        room.newest += 1;
        let (id, name) = (room.newest, author.name.as_deref().unwrap_or_default());
        let (unix_ms, session) = (self.clock.unix_ms, author.session);
        let event = EventRef { what, id, unix_ms, session, room: &room.name, name, body };
        let shared = is_shared.then(|| SharedFrame::from_bytes(event.to_frame()));
        let mut frame = std::mem::take(&mut self.scratch.event);
        frame.clear();
        if !is_shared {
            event.put_frame(&mut frame);
        }
        let payload = shared.as_ref().map_or(Payload::Copied(&frame), Payload::Shared);
        let forgotten = self.rooms.remember(key, payload, body.len(), &self.limits, self.clock.now);
        if forgotten > 0 {
            self.stats.rooms -= forgotten;
            self.note_structure();
        }
        let cost = self.tell_members(key, what, payload, except);
        if !self.listeners.is_empty() {
            self.listeners.hear(&SharedEvent::new(payload.to_shared()));
        }
        self.scratch.event = frame;
        Emitted { id, cost }
    }

    /// Whether an event with a body of this length is held once, and pointed to by all that receive or remember it.
    #[inline]
    fn is_shared_event(&self, key: u32, body_len: usize) -> bool {
        let copied = || self.rooms.at(key).members.slots().len() * body_len;
        body_len >= self.limits.share_from || body_len >= MIN_SHARED_EVENT && copied() > MAX_COPIED_EVENT
    }

    /// Puts an event into the outbox of each member but `except`. A member whose queue is full misses it, and can see
    /// the gap in the ids. Returns the cost.
    #[inline]
    fn tell_members(&mut self, key: u32, what: EventType, payload: Payload<'_>, except: Option<usize>) -> Cost {
        if self.is_closing {
            return Cost::NONE;
        }
        let (len, is_copied) = (payload.as_bytes().len(), matches!(payload, Payload::Copied(_)));
        if is_copied && self.join_batch_of_room(key, except, payload.as_bytes()) {
            return Cost::NONE;
        }
        self.flush_batch();
        let slots = self.rooms.at_mut(key).members.lend_slots();
        let posted = self.fan_out.post(&mut self.sessions, &slots, except, payload, true);
        self.rooms.at_mut(key).members.return_slots(slots);
        self.stats.frames.count(Kind::Event, posted.told, len);
        self.stats.events_missed += posted.missed;
        // Only messages: other events change who is in the room.
        if is_copied && posted.missed == 0 && what == EventType::Message {
            self.open_batch_for_room(key, except);
        }
        let missed = Cost::work(posted.missed as usize * SCAN_COST);
        Cost::of(posted.told as usize, len, payload.cost()) + posted.cost + missed
    }
}
