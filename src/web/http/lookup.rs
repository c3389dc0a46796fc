//! What an HTTP caller may read, and the documents in the responses.

use super::call::Lookup;
use super::refusal::Refusal;
use super::response::Document;
use crate::hub::{Hub, Session, SharedEvent};
use crate::json::{EventJson, json_line};
use crate::web::json::object::Object;
use crate::web::metrics;

/// What decides whether a caller may read a room.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// Its request came through a proxy.
    pub is_forwarded: bool,
    /// Callers on other machines may read rooms.
    pub http_read: bool,
}

/// The document that the caller in `slot` asks for.
///
/// # Errors
///
/// 403 if it may not read the room, 404 if there is no such room.
pub fn look_up<L>(hub: &Hub<L>, slot: usize, lookup: Lookup, access: Access) -> Result<Document, Refusal> {
    let mut body = Vec::new();
    let object = Object::begin(&mut body);
    match lookup {
        Lookup::File(file) => return Ok(Document::file(file)),
        Lookup::Metrics => return Ok(Document::metrics(metrics::text(&hub.stats()))),
        Lookup::Health if hub.is_closing() => {
            object.text("status", "draining").end();
            return Ok(Document::json(503, body));
        }
        Lookup::Health => object.text("status", "ok").end(),
        Lookup::List => object.ids("userIds", hub.others(slot).into_iter()).end(),
        Lookup::Members(room) => {
            check_access(hub, slot, access, &room)?;
            let members = hub.members_of(&room);
            object.members(members.iter().map(|(id, name)| (*id, &name[..]))).end();
        }
        Lookup::History { room, after, limit } => {
            check_access(hub, slot, access, &room)?;
            let events = hub.history_of(&room, after, limit);
            object.list("events", events.iter(), put_event).end();
        }
    }
    Ok(Document::json(200, body))
}

fn put_event(out: &mut Vec<u8>, event: &SharedEvent) {
    out.extend_from_slice(json_line(&EventJson::with_unix_ms(&event.view())).as_bytes());
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
