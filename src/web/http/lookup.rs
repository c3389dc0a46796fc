//! What an HTTP caller may read, and the documents in the responses.

use super::call::Lookup;
use super::refusal::Refusal;
use super::response::Document;
use crate::hub::{Hub, Session};
use crate::json::{EventJson, put_json_line};
use crate::limits::SCAN_COST;
use crate::limits::http::DOCUMENT_COST;
use crate::web::json::object::{Object, put_id, put_member};
use crate::web::metrics;
use crate::wire::EventRef;

/// What decides whether a caller may read a room.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// Its request came through a proxy.
    pub is_forwarded: bool,
    /// Callers on other machines may read rooms.
    pub http_read: bool,
}

/// The document that the caller in `slot` asks for. What it takes to compose it is charged to this turn.
///
/// # Errors
///
/// 403 if it may not read the room, 404 if there is no such room.
pub fn look_up<L>(hub: &mut Hub<L>, slot: usize, lookup: Lookup, access: Access) -> Result<Document, Refusal> {
    let document = match lookup {
        Lookup::File(file) => return Ok(Document::file(file)),
        Lookup::Metrics => Document::metrics(metrics::text(&hub.stats())),
        Lookup::Health if hub.is_closing() => Document::json(503, object(|object| object.text("status", "draining"))),
        Lookup::Health => Document::json(200, object(|object| object.text("status", "ok"))),
        Lookup::List { after } => Document::json(200, users(hub, slot, after)),
        Lookup::Members { room, after } => {
            check_access(hub, slot, access, &room)?;
            Document::json(200, members(hub, &room, after))
        }
        Lookup::History { room, after, limit } => {
            check_access(hub, slot, access, &room)?;
            Document::json(200, history(hub, &room, after, limit))
        }
    };
    hub.charge_work(DOCUMENT_COST * document.bytes_made());
    Ok(document)
}

fn object(write: impl FnOnce(Object<'_>) -> Object<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    write(Object::begin(&mut body)).end();
    body
}

/// The users with an id above `after`.
fn users<L>(hub: &mut Hub<L>, slot: usize, after: u64) -> Vec<u8> {
    let ids = hub.others(slot);
    hub.charge_work(SCAN_COST * ids.len());
    let ids = ids.into_iter().filter(|id| id.0 > after);
    object(|object| object.page("userIds", ids, most_bytes(hub), put_id))
}

/// The members of a room with an id above `after`.
fn members<L>(hub: &mut Hub<L>, room: &str, after: u64) -> Vec<u8> {
    let members = hub.members_of(room);
    hub.charge_work(SCAN_COST * members.len());
    let members = members.into_iter().filter(|(id, _)| id.0 > after);
    object(|object| object.page("members", members, most_bytes(hub), |out, (id, name)| put_member(out, (id, &name))))
}

/// The events that a room remembers with an id above `after`.
fn history<L>(hub: &Hub<L>, room: &str, after: u64, limit: usize) -> Vec<u8> {
    let events = hub.events_of(room, after).take(limit);
    object(|object| object.page("events", events, most_bytes(hub), put_event))
}

/// The most bytes of a document, unless one item alone has more: as for HISTORY in the native protocol, what a turn may
/// put into one queue.
fn most_bytes<L>(hub: &Hub<L>) -> usize {
    hub.limits().queue / 2
}

fn put_event(out: &mut Vec<u8>, event: EventRef<'_>) {
    put_json_line(&EventJson::with_unix_ms(&event), out);
}

/// A caller on this machine may read rooms, unless a proxy has forwarded its request.
fn check_access<L>(hub: &Hub<L>, slot: usize, access: Access, room: &str) -> Result<(), Refusal> {
    let is_local = hub.session(slot).is_some_and(Session::is_local) && !access.is_forwarded;
    if !is_local && !access.http_read {
        let text = "rooms are only shown on the hub's own machine, unless the hub runs with --http-read";
        return Err(Refusal::new(403, text));
    }
    if !hub.has_room(room) {
        return Err(Refusal::new(404, format!("there is no room {room:?}")));
    }
    Ok(())
}
