//! What each command does that is about rooms, but for the chat.

use crate::show;
use crate::users::{Failure, Session, read_body};
use cubby::{Event, EventJson, Push};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

/// Says a file, or standard input, in a room.
pub fn publish(session: &Session, room: &str, file: Option<&Path>) -> Result<(), Failure> {
    let mut client = session.connect()?;
    let body = read_body(file, client.welcome().max_body)?;
    let id = client.publish(room, &body)?;
    if session.json {
        show::json(&json!({"type": "published", "room": room, "id": id}))
    } else {
        show::line(&format!("published {} bytes as event {id}", body.len()))
    }
}

/// Prints who is in a room. Only members may ask, so it comes in for a moment, and does not count itself.
pub fn who(session: &Session, room: &str) -> Result<(), Failure> {
    let mut client = session.connect()?;
    client.join(room)?;
    let own = client.welcome().user;
    let members: Vec<_> = client.who(room)?.into_iter().filter(|(id, _)| *id != own).collect();
    client.leave(room)?;
    if session.json {
        let members: Vec<_> =
            members.iter().map(|(id, name)| json!({"userId": id.to_string(), "name": name})).collect();
        return show::json(&json!({"type": "who", "room": room, "members": members}));
    }
    members.iter().try_for_each(|(id, name)| show::line(format!("{id} {}", show::safe(name)).trim_end()))
}

/// Prints the last events of rooms, so many of each, then what happens there until the hub goes away.
pub fn subscribe(session: &Session, rooms: &[String], history: u64) -> Result<(), Failure> {
    let mut client = session.connect()?;
    let mut printer = Printer { session, printed: BTreeMap::new() };
    for room in rooms {
        let before = client.join(room)?.newest.saturating_sub(1);
        let past = if history == 0 { Vec::new() } else { client.events_after(room, before.saturating_sub(history))? };
        past.into_iter().try_for_each(|event| printer.print(event))?;
    }
    while let Some(push) = client.next(None)? {
        if let Push::Event(event) = push {
            printer.print(event)?;
        }
    }
    Ok(())
}

/// Prints events, each once: one may come live and be remembered too.
struct Printer<'a> {
    session: &'a Session,
    /// By room, the newest event that was printed.
    printed: BTreeMap<String, u64>,
}

impl Printer<'_> {
    fn print(&mut self, event: Event) -> Result<(), Failure> {
        if self.printed.get(&event.room).is_some_and(|&id| id >= event.id) {
            return Ok(());
        }
        if self.session.json {
            show::json(&EventJson::with_unix_ms(&event.view()))?;
        } else {
            show::line(&show::event(&event))?;
        }
        self.printed.insert(event.room, event.id);
        Ok(())
    }
}
