//! What each command of the chat does.

use super::command::{Command, Local, help};
use super::session::{Session, is_refusal};
use crate::cursor::Cursor;
use cubby::{ClientError, Pages, Status, UserId};

impl Session {
    /// Carries out a command. If the connection is lost meanwhile, the command is kept until the hub is back. It is not
    /// kept if its own reply was too much, for it would be so again, or if others could receive it twice.
    pub(super) fn carry_out(&mut self, command: Command) -> Result<(), ClientError> {
        let outcome = self.unless_refused(|session| session.request(&command));
        let is_question = matches!(command, Command::Who(_) | Command::List | Command::History(..));
        let is_too_much = matches!(outcome, Err(ClientError::TooMuch { .. }));
        if outcome.is_err()
            && !(is_question && is_too_much)
            && let Some(Command::To { names, text }) = self.unsent.keep_interrupted(command)
        {
            self.screen.note(&format!("this may not have arrived at {}: {text}", names.join(", ")));
        }
        outcome
    }

    fn request(&mut self, command: &Command) -> Result<(), ClientError> {
        match command {
            Command::Say { room, text } => self.say(room, text),
            Command::Sub(rooms) => rooms.iter().try_for_each(|room| self.unless_refused(|session| session.sub(room))),
            Command::Unsub(rooms) => {
                rooms.iter().try_for_each(|room| self.unless_refused(|session| session.unsub(room)))
            }
            Command::Attach(room) => self.attach(room),
            Command::Who(room) => self.who(room.as_deref()),
            Command::List => self.list(),
            Command::History(room, count) => self.history(room.as_deref(), *count),
            Command::To { names, text } => self.to(names, text),
            Command::Local(local) => {
                self.run_local(local);
                Ok(())
            }
            Command::Quit => Ok(()),
        }
    }

    /// Carries out a command that needs no hub.
    pub(super) fn run_local(&mut self, local: &Local) {
        match local {
            Local::Rooms if self.rooms.is_empty() => self.screen.note("you are in no room; sub ROOM joins one"),
            Local::Rooms => self.screen.answer(self.rooms.keys().map(|room| format!("r/{room}"))),
            Local::Help => self.screen.answer(help()),
            Local::Wrong(what) => self.screen.note(what),
            // The room was detached when this was typed.
            Local::Detach => {}
        }
    }

    /// Publishes a text in a room, but only if this session is still in it.
    fn say(&mut self, room: &str, text: &str) -> Result<(), ClientError> {
        if !self.rooms.contains_key(room) {
            self.screen.note(&format!("not in r/{room}, so this was not said: {text}"));
            return Ok(());
        }
        let id = self.client()?.publish(room, text.as_bytes())?;
        self.unsent.confirm(room, id);
        Ok(())
    }

    fn sub(&mut self, room: &str) -> Result<(), ClientError> {
        if self.rooms.contains_key(room) {
            self.screen.note(&format!("already in r/{room}"));
            return Ok(());
        }
        let joined = self.client()?.join(room)?;
        self.rooms.insert(room.to_owned(), Cursor::joined_at(&joined));
        Ok(())
    }

    fn unsub(&mut self, room: &str) -> Result<(), ClientError> {
        self.client()?.leave(room)?;
        self.forget_room(room);
        self.screen.note(&format!("left r/{room}"));
        Ok(())
    }

    /// Joins a room to which lines go already; if the hub refuses, lines no longer go there.
    fn attach(&mut self, room: &str) -> Result<(), ClientError> {
        if self.rooms.contains_key(room) {
            return Ok(());
        }
        self.sub(room).inspect_err(|error| {
            if is_refusal(error) {
                self.commands.detach(room);
            }
        })
    }

    /// The given room, or else the only one. If there is none or several, this asks which.
    fn which(&mut self, room: Option<&str>) -> Option<String> {
        let only = self.rooms.keys().next().filter(|_| self.rooms.len() == 1);
        let which = room.or(only.map(String::as_str)).map(str::to_owned);
        if which.is_none() {
            self.screen.note(&format!("which room? (rooms that you are in: {})", self.rooms.len()));
        }
        which
    }

    fn who(&mut self, room: Option<&str>) -> Result<(), ClientError> {
        let Some(room) = self.which(room) else { return Ok(()) };
        let members = self.client()?.who(&room)?;
        self.screen.answer(members.iter().map(|(id, name)| format!("{id} {name}")));
        Ok(())
    }

    fn list(&mut self) -> Result<(), ClientError> {
        let ids = self.client()?.list()?;
        if ids.is_empty() {
            self.screen.note("nobody else is here");
        }
        self.screen.answer(ids.iter().map(UserId::to_string));
        Ok(())
    }

    fn history(&mut self, room: Option<&str>, count: u32) -> Result<(), ClientError> {
        let Some(room) = self.which(room) else { return Ok(()) };
        let newest = self.client()?.history(&room, u64::MAX, 0)?.newest;
        let mut pages = Pages::new(&room, newest.saturating_sub(count.into()), newest);
        while let Some(events) = pages.next(self.client()?)? {
            events.iter().for_each(|event| self.screen.again(event));
        }
        Ok(())
    }

    fn to(&mut self, names: &[String], text: &str) -> Result<(), ClientError> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let statuses = self.client()?.send(&names, text.as_bytes())?;
        for (name, status) in names.iter().zip(statuses) {
            match status {
                Status::Queued => {}
                Status::Unknown => self.screen.note(&format!("nobody here is called {name}")),
                Status::Refused => {
                    self.screen
                        .note(&format!("{name} was not reached: too much waits there to be read; try again later"));
                }
                Status::Stored => self.screen.note(&format!("stored for {name}, who is to get it later")),
                Status::Forwarded => {
                    self.screen.note(&format!("handed to the hub of {name}, which has not confirmed it yet"));
                }
            }
        }
        Ok(())
    }
}
