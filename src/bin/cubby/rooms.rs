//! The commands about rooms, except the chat.

use crate::call::Call;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::{body, show};
use cubby::json::EventJson;
use cubby::{Client, Event, Pages, Push};
use serde_json::json;
use std::collections::BTreeMap;

/// Publishes a file, or standard input, in a room.
pub fn publish(call: &Call) -> Result<(), Failure> {
    let Call { settings, arguments, .. } = call;
    let room = &arguments[0];
    let mut client = settings.connect_briefly()?;
    let body = body::read(call, &mut client)?;
    let id = client.publish(room, &body)?;
    if settings.json {
        show::json(&json!({"type": "published", "room": room, "id": id}))
    } else {
        show::line(&format!("published {} bytes as event {id}", body.len()))
    }
}

/// Prints the members of a room. Only members may ask, so this joins for a moment and leaves itself out.
pub fn who(call: &Call) -> Result<(), Failure> {
    let Call { settings, arguments, .. } = call;
    let room = &arguments[0];
    let mut client = settings.connect_briefly()?;
    client.join(room)?;
    let own = client.welcome().user;
    let members: Vec<_> = client.who(room)?.into_iter().filter(|(id, _)| *id != own).collect();
    client.leave(room)?;
    if settings.json {
        let members: Vec<_> =
            members.iter().map(|(id, name)| json!({"userId": id.to_string(), "name": name})).collect();
        return show::json(&json!({"type": "who", "room": room, "members": members}));
    }
    members.iter().try_for_each(|(id, name)| show::line(format!("{id} {}", show::safe(name)).trim_end()))
}

/// Prints the last events of each room, as many as `--history` says, then new events until the hub closes the
/// connection.
pub fn subscribe(call: &Call) -> Result<(), Failure> {
    let Call { settings, arguments: rooms, .. } = call;
    let history: u64 = call.number("history")?.unwrap_or_default();
    let mut client = settings.connect()?;
    let mut printer = Printer { settings, printed: BTreeMap::new() };
    for room in rooms {
        let room = &*cubby::canonical_name(room);
        let newest = client.join(room)?.newest;
        printer.printed.entry(room.to_owned()).or_insert(newest.saturating_sub(history.saturating_add(1)));
        if history > 0 {
            printer.catch_up(&mut client, room, newest)?;
        }
    }
    while let Some(push) = client.next(None)? {
        if let Push::Event(event) = push {
            printer.print(&event)?;
        }
    }
    Ok(())
}

/// Prints each event of the rooms once, even if it is both in the history and pushed.
struct Printer<'a> {
    settings: &'a Settings,
    /// For each of the rooms: the id of the newest event that was printed, or that is older than what is to be printed.
    printed: BTreeMap<String, u64>,
}

impl Printer<'_> {
    /// Prints the history up to the event `newest`, page by page as it comes.
    fn catch_up(&mut self, client: &mut Client, room: &str, newest: u64) -> Result<(), Failure> {
        let printed = self.printed.get(room).copied().unwrap_or(newest);
        let mut pages = Pages::new(room, printed, newest);
        while let Some(events) = pages.next(client)? {
            events.iter().try_for_each(|event| self.print(event))?;
        }
        Ok(())
    }

    fn print(&mut self, event: &Event) -> Result<(), Failure> {
        let Some(printed) = self.printed.get_mut(&event.room).filter(|printed| **printed < event.id) else {
            return Ok(());
        };
        *printed = event.id;
        if self.settings.json {
            show::json(&EventJson::with_unix_ms(&event.view()))
        } else {
            show::line(&show::event(event))
        }
    }
}
