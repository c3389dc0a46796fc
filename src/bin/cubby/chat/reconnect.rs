//! What the chat does if the hub goes away: it keeps what is typed, tries to connect again, and shows what was missed,
//! so that nothing is lost or shown twice.

use super::command::Command;
use super::session::{Session, is_refusal};
use crate::cursor::{Cursor, Position, Resume};
use crate::retry::is_final;
use cubby::{Client, ClientError, Push};
use std::time::{Duration, Instant};

/// How long one attempt may take. Meanwhile nothing that is typed is looked at.
const ATTEMPT: Duration = Duration::from_secs(5);

/// How many commands are kept while the hub is away. If there are more, reading lines pauses.
const KEPT: usize = 256;

/// How many bytes of text are kept, likewise.
const KEPT_BYTES: usize = 4 << 20;

impl Session {
    /// Shows what the hub sent before the connection was lost, up to the first gap.
    pub(super) fn connection_lost(&mut self, error: &ClientError) {
        // Not what still arrives, if the hub was only too slow: a busy room could keep us from reconnecting.
        if let Some(client) = &self.client {
            self.former_id.get_or_insert(client.welcome().user);
        }
        let arrived = self.client.as_ref().map_or(0, Client::queued);
        for _ in 0..arrived {
            let Some(client) = &mut self.client else { break };
            match client.next(Some(Duration::ZERO)) {
                Ok(Some(Push::Event(event))) if self.position(&event) == Position::Next => self.show(&event),
                // Later events are requested when the hub is back.
                Ok(Some(Push::Event(_))) => {}
                Ok(Some(push)) => self.screen.incoming(&push),
                Ok(None) | Err(_) => break,
            }
        }
        self.client = None;
        self.unsent.connection_lost();
        self.outage.lost();
        self.screen.note(&format!("{error}; trying to reconnect, and keeping what you type until then"));
    }

    /// Connects again, with growing pauses between attempts. Returns `false` if the person left before, and an error if
    /// the hub would refuse this client again and again.
    pub(super) fn reconnect(&mut self) -> Result<bool, ClientError> {
        self.outage.pauses.lost();
        loop {
            let pause = self.outage.pauses.next();
            if !self.keep_commands_for(pause) {
                return Ok(false);
            }
            let timeout = self.settings.timeout.min(ATTEMPT);
            let attempt = Client::connect_as(&self.settings.hub, &self.settings.name, timeout);
            let mut client = match attempt {
                Ok(client) => client,
                Err(error) if is_final(&error) => {
                    if self.screen.is_terminal {
                        self.screen.note(&format!("{error}; press Enter to leave"));
                    }
                    return Err(error);
                }
                Err(_) => continue,
            };
            client.set_timeout(self.settings.timeout);
            self.client = Some(client);
            self.outage.pauses.connected();
            self.screen.note("the hub is back");
            match self.rejoin() {
                Ok(()) => return Ok(true),
                Err(error) => self.connection_lost(&error),
            }
        }
    }

    /// Keeps what is typed during a pause. Returns `false` if there is no reason to go on.
    fn keep_commands_for(&mut self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        loop {
            if self.outage.is_hopeless() || (self.outage.is_input_over() && self.unsent.len() == 0) {
                return false;
            }
            let is_full = self.unsent.len() >= KEPT || self.unsent.bytes() >= KEPT_BYTES;
            if is_full && !self.screen.is_terminal && self.outage.duration() > self.settings.timeout {
                // The end of the script may be behind more lines than are kept, so do not wait for it.
                self.outage.give_up_after(Duration::ZERO);
                continue;
            }
            let left = end.saturating_duration_since(Instant::now());
            if is_full || self.outage.is_input_over() {
                std::thread::sleep(left);
                return true;
            }
            let Some(command) = self.commands.next_within(left) else { return true };
            match command {
                Command::Quit => self.outage.give_up_after(self.patience()),
                Command::Local(local) => self.run_local(&local),
                Command::Say { .. }
                | Command::Sub(_)
                | Command::Unsub(_)
                | Command::Attach(_)
                | Command::Who(_)
                | Command::List
                | Command::History(..)
                | Command::To { .. } => self.unsent.add(command),
            }
        }
    }

    /// How long to keep trying once nothing more is typed: a person who leaves does not wait, a script does.
    fn patience(&self) -> Duration {
        if self.screen.is_terminal { Duration::ZERO } else { self.settings.timeout }
    }

    /// Names the message of which it is not known whether the hub got it. It is not sent again: it could be read twice.
    pub(super) fn say_what_is_in_doubt(&mut self) {
        if let Some(text) = self.unsent.take_in_doubt() {
            self.screen.note(&format!("this may not have arrived: {text}"));
        }
    }

    /// Joins all rooms again and shows what happened there meanwhile.
    fn rejoin(&mut self) -> Result<(), ClientError> {
        for (room, cursor) in self.rooms.clone() {
            match self.catch_up(&room, cursor) {
                Err(error) if is_refusal(&error) => {
                    self.forget_room(&room);
                    self.screen.note(&format!("cannot join r/{room} again: {error}"));
                }
                other => other?,
            }
        }
        self.say_what_is_in_doubt();
        self.former_id = None;
        Ok(())
    }

    /// Joins a room again and shows the events after `cursor`.
    fn catch_up(&mut self, room: &str, cursor: Cursor) -> Result<(), ClientError> {
        let joined = self.client()?.join(room)?;
        let first = self.client()?.history(room, cursor.shown(), 1)?.events;
        let former_id = self.former_id;
        match cursor.resume(&joined, &first) {
            Resume::Continues => {}
            Resume::Forgotten => {
                self.screen.note(&format!("r/{room} no longer remembers all events that were missed"));
            }
            Resume::Restarted => {
                self.screen.note(&format!("r/{room} begins anew: its history was lost, as in a restart of the hub"));
                self.rooms.insert(room.to_owned(), Cursor::before(&joined, 1));
                // The restarted hub may have given the former id to another session.
                self.former_id = None;
            }
        }
        self.show_missed(room, joined.newest)?;
        self.former_id = former_id;
        // If the room remembers nothing, the next event is the one of joining, which is pushed.
        let joined = Cursor::joined_at(&joined);
        let cursor = self.rooms.entry(room.to_owned()).or_insert(joined);
        if cursor.shown() < joined.shown() {
            *cursor = joined;
        }
        Ok(())
    }
}
