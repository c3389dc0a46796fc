//! The thread that owns the connection: it carries out commands and shows each event once and in order, until the
//! person leaves. What the commands do is in `requests`, and what happens if the hub goes away in `reconnect`.

use super::command::Command;
use super::input::Commands;
use super::outage::Outage;
use super::screen::Screen;
use super::unsent::Unsent;
use crate::cursor::{Cursor, Position};
use crate::settings::Settings;
use cubby::{Client, ClientError, Event, EventType, Pages, Push, UserId};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::time::Duration;

/// How many pushes are shown before the next command has its turn.
const PUSHES: usize = 64;

/// One chat. It outlives its connection.
pub struct Session {
    pub(super) settings: Settings,
    /// `None` while the hub is away.
    pub(super) client: Option<Client>,
    pub(super) screen: Screen,
    /// The rooms that this session is in, or will join again when the hub is back.
    pub(super) rooms: BTreeMap<String, Cursor>,
    pub(super) commands: Commands,
    pub(super) unsent: Unsent,
    /// The id on the lost connection, until all missed events are shown.
    pub(super) former_id: Option<UserId>,
    pub(super) outage: Outage,
}

/// How a chat has ended.
pub struct Ending {
    /// How many of the typed lines were not sent.
    pub unsent: usize,
    /// Why the hub does not let this client in again.
    pub refused: Option<ClientError>,
    /// It may still have something to show.
    pub screen: Screen,
}

impl Session {
    pub fn new(settings: Settings, client: Client, screen: Screen, commands: Commands) -> Session {
        Session {
            settings,
            client: Some(client),
            screen,
            rooms: BTreeMap::new(),
            commands,
            unsent: Unsent::default(),
            former_id: None,
            outage: Outage::new(),
        }
    }

    /// Runs until the person leaves, or the hub does not let this client in again.
    pub fn run(mut self) -> Ending {
        loop {
            match self.run_connected() {
                Ok(()) => return Ending { unsent: 0, refused: None, screen: self.screen },
                Err(error) => self.connection_lost(&error),
            }
            let refused = match self.reconnect() {
                Ok(true) => continue,
                Ok(false) => None,
                Err(error) => Some(error),
            };
            let unsent = self.unsent.len() + self.commands.drain();
            self.say_what_is_in_doubt();
            return Ending { unsent, refused, screen: self.screen };
        }
    }

    /// Shows pushes and carries out commands, until the person leaves or the connection is lost.
    fn run_connected(&mut self) -> Result<(), ClientError> {
        while let Some(command) = self.unsent.next() {
            self.carry_out(command)?;
        }
        loop {
            let may_have_more = self.show_pushes(PUSHES)?;
            match self.commands.next() {
                _ if self.outage.is_input_over() => return self.say_goodbye(),
                Some(Command::Quit) => return self.say_goodbye(),
                Some(command) => self.carry_out(command)?,
                None if may_have_more => {}
                None => self.wait()?,
            }
        }
    }

    /// Waits until something arrives or is typed, or the hub must be asked whether it is still there.
    fn wait(&mut self) -> Result<(), ClientError> {
        let client = self.client.as_ref().ok_or(ClientError::Closed)?;
        let mut polled =
            [PollFd::new(client.as_fd(), PollFlags::POLLIN), PollFd::new(self.commands.as_fd(), PollFlags::POLLIN)];
        // A millisecond more, or the poll would end just before the hub's silence is too long, again and again.
        let timeout = client.poll_timeout() + Duration::from_millis(1);
        // If the poll was interrupted, the caller looks at both and polls again.
        let _ = poll(&mut polled, PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX));
        if polled[1].any().unwrap_or(true) {
            self.commands.clear_wake();
        }
        Ok(())
    }

    /// Shows everything that happened before leaving: it has arrived when the hub replies once more. What arrives later
    /// is left, or a busy room could keep the person for ever.
    fn say_goodbye(&mut self) -> Result<(), ClientError> {
        self.client()?.identity()?;
        let arrived = self.client()?.queued();
        self.show_pushes(arrived).map(drop)
    }

    pub(super) fn client(&mut self) -> Result<&mut Client, ClientError> {
        self.client.as_mut().ok_or(ClientError::Closed)
    }

    /// Shows at most `most` of the pushes that have arrived. Returns whether there may be more.
    fn show_pushes(&mut self, most: usize) -> Result<bool, ClientError> {
        for _ in 0..most {
            let Some(push) = self.client()?.next(Some(Duration::ZERO))? else { return Ok(false) };
            match push {
                Push::Event(event) => self.show_in_order(&event)?,
                other => self.screen.incoming(&other),
            }
        }
        Ok(true)
    }

    /// Shows an event, and before it those that are missing, but none twice. Events of rooms that were left are
    /// ignored.
    fn show_in_order(&mut self, event: &Event) -> Result<(), ClientError> {
        if self.position(event) == Position::Gap {
            self.unless_refused(|session| session.fill_gap(event))?;
        }
        if self.position(event) != Position::Old {
            self.show(event);
        }
        Ok(())
    }

    pub(super) fn position(&self, event: &Event) -> Position {
        self.rooms.get(&event.room).map_or(Position::Old, |cursor| cursor.position(event))
    }

    /// Requests and shows the events that are missing before `event`, and says so if the room has forgotten any.
    fn fill_gap(&mut self, event: &Event) -> Result<(), ClientError> {
        let shown = self.rooms.get(&event.room).map_or(0, Cursor::shown);
        let first = self.client()?.history(&event.room, shown, 1)?.events;
        if first.first().is_none_or(|first| self.position(first) != Position::Next) {
            self.screen.note(&format!("r/{} no longer remembers all events that were missed", event.room));
        }
        self.show_missed(&event.room, event.id.saturating_sub(1))
    }

    /// Shows the events of a room that were not shown yet, up to `last`.
    pub(super) fn show_missed(&mut self, room: &str, last: u64) -> Result<(), ClientError> {
        let mut pages = Pages::new(room, self.rooms.get(room).map_or(last, Cursor::shown), last);
        while let Some(events) = pages.next(self.client()?)? {
            for event in &events {
                if self.position(event) != Position::Old {
                    self.show(event);
                }
            }
        }
        Ok(())
    }

    /// Shows an event and advances the cursor of its room.
    pub(super) fn show(&mut self, event: &Event) {
        if event.what == EventType::Close {
            self.forget_room(&event.room);
        } else if let Some(cursor) = self.rooms.get_mut(&event.room) {
            cursor.advance(event);
        }
        if event.what == EventType::Message && self.is_own(event.session) {
            self.unsent.recognize(event, self.former_id);
            self.screen.own(event);
        } else {
            self.screen.incoming(&Push::Event(event.clone()));
        }
    }

    fn is_own(&self, session: UserId) -> bool {
        let current = self.client.as_ref().map(|client| client.welcome().user);
        [current, self.former_id].contains(&Some(session))
    }

    /// Forgets a room that was left or closed. Lines no longer go there.
    pub(super) fn forget_room(&mut self, room: &str) {
        self.rooms.remove(room);
        self.unsent.forget_room(room);
        self.commands.detach(room);
    }

    /// Runs a request. If the hub refuses it, this says so and the chat goes on.
    pub(super) fn unless_refused(
        &mut self,
        request: impl FnOnce(&mut Session) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        match request(self) {
            Err(error) if is_refusal(&error) => {
                self.screen.note(&error.to_string());
                Ok(())
            }
            other => other,
        }
    }
}

/// Whether only the request failed, so that the connection can still be used.
pub fn is_refusal(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Refused { fatal: false, .. }
            | ClientError::TooLarge { .. }
            | ClientError::Receivers { .. }
            | ClientError::NameTooLong { .. }
    )
}
