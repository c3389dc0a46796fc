//! The commands about rooms, except the chat.

use crate::call::Call;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::{body, show};
use cubby::{Event, EventJson, Push};
use serde_json::json;
use std::collections::BTreeMap;

/// Publishes a file, or standard input, in a room.
pub fn publish(call: &Call) -> Result<(), Failure> {
    let Call { settings, arguments, .. } = call;
    let room = &arguments[0];
    let mut client = settings.connect()?;
    let body = body::read(call.path("file"), client.welcome().max_body)?;
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
    let mut client = settings.connect()?;
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

/// Prints each event once, even if it is both in the history and pushed.
struct Printer<'a> {
    settings: &'a Settings,
    /// The id of the newest event that was printed, by room.
    printed: BTreeMap<String, u64>,
}

impl Printer<'_> {
    fn print(&mut self, event: Event) -> Result<(), Failure> {
        if self.printed.get(&event.room).is_some_and(|&id| id >= event.id) {
            return Ok(());
        }
        if self.settings.json {
            show::json(&EventJson::with_unix_ms(&event.view()))?;
        } else {
            show::line(&show::event(&event))?;
        }
        self.printed.insert(event.room, event.id);
        Ok(())
    }
}
