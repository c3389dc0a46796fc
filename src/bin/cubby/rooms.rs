//! The commands about rooms, except the chat.

use crate::call::Call;
use crate::cursor::{Cursor, Position, Resume};
use crate::failure::Failure;
use crate::output::Output;
use crate::retry::keep_connected;
use crate::settings::Settings;
use crate::{body, show};
use cubby::json::{EventJson, json_line};
use cubby::{Client, Event, Joined, Pages, Push, canonical_name};
use serde_json::json;
use std::borrow::Cow;
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
    let mut rooms: Vec<Cow<'_, str>> = Vec::new();
    for room in call.arguments.iter().map(|room| canonical_name(room)) {
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
                printer.print_in_order(client, &event)?;
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
        let joined = client.join(room)?;
        let cursor = match self.cursors.get(room) {
            Some(cursor) => self.resume(client, room, *cursor, &joined)?,
            None if self.history == 0 => Cursor::joined_at(&joined),
            None => {
                let wanted = Cursor::before(&joined, joined.newest.saturating_sub(self.history));
                before_first(&client.history(room, wanted.shown(), 1)?.events, &joined)
            }
        };
        self.cursors.insert(room.to_owned(), cursor);
        if cursor == Cursor::joined_at(&joined) { Ok(()) } else { self.catch_up(client, room, joined.newest) }
    }

    /// Where to go on after the connection was lost. Says what is missing, or what begins anew.
    fn resume(&self, client: &mut Client, room: &str, cursor: Cursor, joined: &Joined) -> Result<Cursor, Failure> {
        let first = client.history(room, cursor.shown(), 1)?.events;
        Ok(match cursor.resume(joined, &first) {
            Resume::Continues => cursor,
            Resume::Forgotten => {
                self.note_forgotten(room);
                before_first(&first, joined)
            }
            Resume::Restarted => {
                let name = show::safe(room);
                self.output.note(&format!("r/{name} begins anew: its history was lost, as in a restart of the hub"));
                Cursor::before(joined, 1)
            }
        })
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

    /// Prints an event, and before it those that are missing: the hub drops events for a client that is too slow.
    fn print_in_order(&mut self, client: &mut Client, event: &Event) -> Result<(), Failure> {
        if self.cursors.get(&event.room).is_some_and(|cursor| cursor.position(event) == Position::Gap) {
            self.catch_up(client, &event.room, event.id.saturating_sub(1))?;
        }
        self.print(event);
        Ok(())
    }

    fn note_forgotten(&self, room: &str) {
        self.output.note(&format!("r/{} no longer remembers all events that were missed", show::safe(room)));
    }

    fn print(&mut self, event: &Event) {
        let position = self.cursors.get(&event.room).map_or(Position::Old, |cursor| cursor.position(event));
        match position {
            Position::Old => return,
            Position::Next => {}
            Position::Gap => self.note_forgotten(&event.room),
        }
        if let Some(cursor) = self.cursors.get_mut(&event.room) {
            cursor.advance(event);
        }
        self.output.result(match self.settings.json {
            true => json_line(&EventJson::with_unix_ms(&event.view())),
            false => show::event(event),
        });
    }
}

/// The cursor before the first of these events; if the room remembers none, before the one of joining.
fn before_first(events: &[Event], joined: &Joined) -> Cursor {
    Cursor::before(joined, events.first().map_or(joined.newest, |first| first.id))
}
