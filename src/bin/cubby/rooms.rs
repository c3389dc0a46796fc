//! The commands about rooms, except the chat.

use crate::call::Call;
use crate::cursor::{Cursor, Position, Resume};
use crate::failure::Failure;
use crate::output::Output;
use crate::retry::keep_connected;
use crate::settings::Settings;
use crate::{body, show};
use cubby::json::{EventJson, json_line};
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

/// Prints the last events of each room, as many as `--history` says, then new events. If the connection is lost, it
/// connects again, joins the rooms again, and prints what happened there meanwhile.
pub fn subscribe(call: &Call) -> Result<(), Failure> {
    let mut rooms: Vec<&String> = Vec::new();
    for room in &call.arguments {
        if !rooms.contains(&room) {
            rooms.push(room);
        }
    }
    let history = call.number("history")?.unwrap_or_default();
    let output = Output::standard();
    let mut printer = Printer { settings: &call.settings, output: &output, history, cursors: BTreeMap::new() };
    keep_connected(&call.settings, !call.flag("no-retry"), &output, |client| {
        rooms.iter().try_for_each(|room| printer.join(client, room))?;
        loop {
            if let Some(Push::Event(event)) = client.next(None)? {
                printer.print(&event);
            }
        }
    })
}

/// Prints each event of the rooms once, even if it is both in the history and pushed.
struct Printer<'a> {
    settings: &'a Settings,
    output: &'a Output,
    /// How many past events of a room to print first.
    history: u64,
    /// For each of the rooms: the events that were printed, or that are older than what is to be printed.
    cursors: BTreeMap<String, Cursor>,
}

impl Printer<'_> {
    /// Joins a room and prints its last events, or, if this session was in it before, those that were missed.
    fn join(&mut self, client: &mut Client, room: &str) -> Result<(), Failure> {
        let newest = client.join(room)?.newest;
        match self.cursors.get(room).copied() {
            Some(cursor) => self.resume(client, room, cursor, newest)?,
            None => {
                self.cursors.insert(room.to_owned(), Cursor::joined_at(newest.saturating_sub(self.history)));
                if self.history == 0 {
                    return Ok(());
                }
            }
        }
        self.catch_up(client, room, newest)
    }

    /// Says what is missing, or what begins anew, since the connection was lost.
    fn resume(&mut self, client: &mut Client, room: &str, cursor: Cursor, newest: u64) -> Result<(), Failure> {
        let first = client.history(room, cursor.resume_after(), 1)?.events;
        let name = show::safe(room);
        match cursor.resume(&first, newest) {
            Resume::Continues => {}
            Resume::Forgotten => {
                self.output.note(&format!("r/{name} no longer remembers all events that were missed"));
            }
            Resume::Restarted => {
                self.output.note(&format!("r/{name} begins anew: its history was lost, as in a restart of the hub"));
                self.cursors.insert(room.to_owned(), Cursor::joined_at(1));
            }
        }
        Ok(())
    }

    /// Prints the history up to the event `newest`, page by page as fast as it is read. Meanwhile the hub hears that
    /// this client is there.
    fn catch_up(&mut self, client: &mut Client, room: &str, newest: u64) -> Result<(), Failure> {
        let printed = self.cursors.get(room).map_or(newest, Cursor::shown);
        let mut pages = Pages::new(room, printed, newest);
        while let Some(events) = pages.next(client)? {
            events.iter().for_each(|event| self.print(event));
            self.output.wait_for_room(|| Ok(client.identity().map(drop)?))?;
        }
        Ok(())
    }

    fn print(&mut self, event: &Event) {
        let Some(cursor) = self.cursors.get_mut(&event.room) else { return };
        if cursor.position(event) == Position::Old {
            return;
        }
        *cursor = Cursor::after(event);
        self.output.result(match self.settings.json {
            true => json_line(&EventJson::with_unix_ms(&event.view())),
            false => show::event(event),
        });
    }
}
