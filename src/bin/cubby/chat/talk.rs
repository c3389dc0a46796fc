//! The chat's side of the network: asks the hub what a person typed, shows what comes, and finds its way back when the
//! hub goes away, so that nothing is missed or shown twice.

use super::command::{Command, HELP};
use super::screen::Screen;
use crate::commands::Session;
use cubby::{Client, ClientError, Event, EventType, Push, Status, UserId};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

/// How long the first attempt to find the hub again waits; each further one twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How long an attempt may take, so that what is typed meanwhile is not left lying for long.
const ATTEMPT: Duration = Duration::from_secs(5);

/// The last event of a room that was shown: by more than its number, for a hub that was started anew counts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    id: u64,
    unix_ms: u64,
    session: UserId,
}

impl Seen {
    fn of(event: &Event) -> Seen {
        Seen { id: event.id, unix_ms: event.unix_ms, session: event.session }
    }
}

pub struct Talk {
    session: Session,
    /// `None` while the hub is away.
    client: Option<Client>,
    screen: Screen,
    /// The rooms that this session is in, or will be when the hub is back.
    rooms: BTreeMap<String, Option<Seen>>,
    lines: Receiver<Command>,
    /// Readable when something is in `lines`.
    wake: UnixStream,
    /// Typed while the hub was away, or what it did not confirm before it went.
    waiting: VecDeque<Command>,
    /// The ids that this chat had so far.
    own: Vec<UserId>,
    /// When to give up what waits, once no more will be typed.
    until: Option<Instant>,
}

impl Talk {
    pub fn new(session: Session, client: Client, screen: Screen, lines: Receiver<Command>, wake: UnixStream) -> Talk {
        let own = vec![client.welcome().user];
        let (rooms, waiting) = (BTreeMap::new(), VecDeque::new());
        Talk { session, client: Some(client), screen, rooms, lines, wake, waiting, own, until: None }
    }

    /// Talks until the person leaves. Returns how much of what was typed never reached a hub.
    pub fn run(mut self) -> usize {
        loop {
            match self.while_connected() {
                Ok(()) => return 0,
                Err(error) => self.lost(&error),
            }
            if !self.find_again() {
                return self.waiting.len();
            }
        }
    }

    /// Shows what comes and does what is typed, until the person leaves or the hub does.
    fn while_connected(&mut self) -> Result<(), ClientError> {
        while let Some(command) = self.waiting.pop_front() {
            self.carry_out(command)?;
        }
        loop {
            self.show_pushes()?;
            match self.lines.try_recv() {
                _ if self.until.is_some() => return self.say_goodbye(),
                Ok(Command::Quit) | Err(TryRecvError::Disconnected) => return self.say_goodbye(),
                Ok(command) => self.carry_out(command)?,
                Err(TryRecvError::Empty) => self.wait()?,
            }
        }
    }

    /// Waits until the hub says something or something is typed.
    fn wait(&mut self) -> Result<(), ClientError> {
        let client = self.client.as_ref().ok_or(ClientError::Closed)?;
        let mut watched =
            [PollFd::new(client.as_fd(), PollFlags::POLLIN), PollFd::new(self.wake.as_fd(), PollFlags::POLLIN)];
        // Interrupted or not: both are looked at next.
        let _ = poll(&mut watched, PollTimeout::NONE);
        let typed = watched[1].any().unwrap_or(true);
        if typed {
            let _ = self.wake.read(&mut [0; 64]);
        }
        Ok(())
    }

    /// What was said before one's leaving has come when the hub answers once more.
    fn say_goodbye(&mut self) -> Result<(), ClientError> {
        self.client()?.identity()?;
        self.show_pushes()
    }

    fn client(&mut self) -> Result<&mut Client, ClientError> {
        self.client.as_mut().ok_or(ClientError::Closed)
    }

    fn show_pushes(&mut self) -> Result<(), ClientError> {
        while let Some(push) = self.client()?.next(Some(Duration::ZERO))? {
            match push {
                Push::Event(event) => self.event(event)?,
                other => self.screen.incoming(&other),
            }
        }
        Ok(())
    }

    /// Shows an event, after those that are missing before it; but none twice.
    fn event(&mut self, event: Event) -> Result<(), ClientError> {
        // One of a room that was left by now concerns nobody.
        let Some(seen) = self.rooms.get(&event.room).copied() else { return Ok(()) };
        if let Some(seen) = seen.filter(|seen| seen.id + 1 < event.id) {
            for missed in
                self.client()?.events_after(&event.room, seen.id)?.iter().filter(|missed| missed.id < event.id)
            {
                self.show(missed);
            }
        }
        if seen.is_none_or(|seen| seen.id < event.id) {
            self.show(&event);
        }
        Ok(())
    }

    fn show(&mut self, event: &Event) {
        if event.what == EventType::Close {
            self.rooms.remove(&event.room);
        } else {
            self.rooms.insert(event.room.clone(), Some(Seen::of(event)));
        }
        if event.what == EventType::Message && self.own.contains(&event.session) {
            self.confirm(event);
            self.screen.own(event);
        } else {
            self.screen.incoming(&Push::Event(event.clone()));
        }
    }

    /// What waits because the hub went away before it confirmed it was said after all.
    fn confirm(&mut self, event: &Event) {
        let said = |command: &Command| matches!(command, Command::Say { room, text } if *room == event.room && text.as_bytes() == event.body);
        if self.waiting.front().is_some_and(said) {
            self.waiting.pop_front();
        }
    }

    /// Does what was typed. What the hub refuses is said; what was lost with the hub waits for it.
    fn carry_out(&mut self, command: Command) -> Result<(), ClientError> {
        let outcome = self.unless_refused(|talk| talk.ask(&command));
        if outcome.is_err() {
            self.waiting.push_front(command);
        }
        outcome
    }

    /// Does something; where the hub refuses it, that is said and all.
    fn unless_refused(&mut self, ask: impl FnOnce(&mut Talk) -> Result<(), ClientError>) -> Result<(), ClientError> {
        match ask(self) {
            Err(error) if is_of_the_request(&error) => {
                self.screen.note(&error.to_string());
                Ok(())
            }
            other => other,
        }
    }

    fn ask(&mut self, command: &Command) -> Result<(), ClientError> {
        match command {
            Command::Say { room, text } => self.client()?.publish(room, text.as_bytes()).map(drop),
            Command::Sub(rooms) => rooms.iter().try_for_each(|room| self.unless_refused(|talk| talk.sub(room))),
            Command::Unsub(rooms) => rooms.iter().try_for_each(|room| self.unless_refused(|talk| talk.unsub(room))),
            Command::Attach(room) if self.rooms.contains_key(room) => Ok(()),
            Command::Attach(room) => self.sub(room),
            Command::Who(room) => self.who(room.as_deref()),
            Command::List => self.list(),
            Command::History(room, count) => self.history(room.as_deref(), *count),
            Command::To { names, text } => self.to(names, text),
            Command::Rooms | Command::Help | Command::Wrong(_) | Command::Detach | Command::Quit => {
                self.answer_alone(command);
                Ok(())
            }
        }
    }

    /// Does what takes no hub.
    fn answer_alone(&mut self, command: &Command) {
        match command {
            Command::Rooms if self.rooms.is_empty() => self.screen.note("in no room; sub ROOM comes into one"),
            Command::Rooms => {
                let rooms: Vec<String> = self.rooms.keys().map(|room| format!("r/{room}")).collect();
                self.screen.answer(&rooms.join("\n"));
            }
            Command::Help => self.screen.answer(HELP),
            Command::Wrong(what) => self.screen.note(what),
            _ => {}
        }
    }

    fn sub(&mut self, room: &str) -> Result<(), ClientError> {
        if self.rooms.contains_key(room) {
            self.screen.note(&format!("already in r/{room}"));
            return Ok(());
        }
        self.client()?.join(room)?;
        self.rooms.insert(room.to_owned(), None);
        Ok(())
    }

    fn unsub(&mut self, room: &str) -> Result<(), ClientError> {
        self.client()?.leave(room)?;
        self.rooms.remove(room);
        self.screen.note(&format!("left r/{room}"));
        Ok(())
    }

    /// The room named, or the only one.
    fn which(&mut self, room: Option<&str>) -> Option<String> {
        let only = self.rooms.keys().next().filter(|_| self.rooms.len() == 1);
        let which = room.or(only.map(String::as_str)).map(str::to_owned);
        if which.is_none() {
            self.screen.note(&format!("which room? this session is in {}", self.rooms.len()));
        }
        which
    }

    fn who(&mut self, room: Option<&str>) -> Result<(), ClientError> {
        let Some(room) = self.which(room) else { return Ok(()) };
        let members = self.client()?.who(&room)?;
        let lines: Vec<String> = members.iter().map(|(id, name)| format!("{id} {name}")).collect();
        self.screen.answer(lines.join("\n").as_str());
        Ok(())
    }

    fn list(&mut self) -> Result<(), ClientError> {
        let ids: Vec<String> = self.client()?.list()?.iter().map(UserId::to_string).collect();
        match &ids[..] {
            [] => self.screen.note("nobody else is here"),
            _ => self.screen.answer(&ids.join("\n")),
        }
        Ok(())
    }

    fn history(&mut self, room: Option<&str>, count: u32) -> Result<(), ClientError> {
        let Some(room) = self.which(room) else { return Ok(()) };
        let newest = self.client()?.history(&room, u64::MAX, 0)?.newest;
        let events = self.client()?.events_after(&room, newest.saturating_sub(count.into()))?;
        events.iter().take(count as usize).for_each(|event| self.screen.again(event));
        Ok(())
    }

    fn to(&mut self, names: &[String], text: &str) -> Result<(), ClientError> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let statuses = self.client()?.send(&names, text.as_bytes())?;
        for (name, _) in names.iter().zip(statuses).filter(|(_, status)| *status == Status::Unknown) {
            self.screen.note(&format!("nobody here is called {name}"));
        }
        Ok(())
    }

    /// The hub is gone: what it still said is shown.
    fn lost(&mut self, error: &ClientError) {
        while let Some(client) = &mut self.client {
            match client.next(Some(Duration::ZERO)) {
                Ok(Some(Push::Event(event))) => {
                    if self.rooms.get(&event.room).is_some_and(|seen| seen.is_none_or(|seen| seen.id < event.id)) {
                        self.show(&event);
                    }
                }
                Ok(Some(push)) => self.screen.incoming(&push),
                Ok(None) | Err(_) => self.client = None,
            }
        }
        self.screen.note(&format!("{error}; trying to find it again, and keeping what is typed until then"));
    }

    /// Waits for the hub, ever longer. Whether it was found again before the person left for good.
    fn find_again(&mut self) -> bool {
        let mut wait = FIRST_WAIT;
        loop {
            if !self.keep_lines_for(jittered(wait)) {
                return false;
            }
            let timeout = self.session.timeout.min(ATTEMPT);
            if let Ok(client) = Client::connect_as(&self.session.hub, &self.session.name, timeout) {
                self.own.push(client.welcome().user);
                self.client = Some(client);
                self.screen.note("the hub is back");
                match self.rejoin() {
                    Ok(()) => return true,
                    Err(error) => self.lost(&error),
                }
            }
            wait = (2 * wait).min(LONGEST_WAIT);
        }
    }

    /// Keeps what is typed for so long. Whether there is any sense in going on.
    fn keep_lines_for(&mut self, wait: Duration) -> bool {
        let end = Instant::now() + wait;
        loop {
            if self.until.is_some_and(|until| Instant::now() >= until || self.waiting.is_empty()) {
                return false;
            }
            let left = end.saturating_duration_since(Instant::now());
            let typed = if self.until.is_none() { self.lines.recv_timeout(left) } else { self.rest(left) };
            match typed {
                Ok(Command::Quit) | Err(RecvTimeoutError::Disconnected) => self.until = Some(self.patience()),
                Ok(command @ (Command::Rooms | Command::Help | Command::Wrong(_) | Command::Detach)) => {
                    self.answer_alone(&command);
                }
                Ok(command) => self.waiting.push_back(command),
                Err(RecvTimeoutError::Timeout) => return true,
            }
        }
    }

    fn rest(&self, time: Duration) -> Result<Command, RecvTimeoutError> {
        std::thread::sleep(time);
        Err(RecvTimeoutError::Timeout)
    }

    /// How long what waits is kept once no more is typed: a person who leaves does not wait, a script does.
    fn patience(&self) -> Instant {
        Instant::now() + if self.screen.is_terminal { Duration::ZERO } else { self.session.timeout }
    }

    /// Comes into all rooms again, and shows what happened there meanwhile.
    fn rejoin(&mut self) -> Result<(), ClientError> {
        for (room, seen) in self.rooms.clone() {
            match self.catch_up(&room, seen) {
                Err(error) if is_of_the_request(&error) => {
                    self.rooms.remove(&room);
                    self.screen.note(&format!("r/{room} is left: {error}"));
                }
                other => other?,
            }
        }
        Ok(())
    }

    fn catch_up(&mut self, room: &str, seen: Option<Seen>) -> Result<(), ClientError> {
        let newest = self.client()?.join(room)?.newest;
        let Some(seen) = seen else { return Ok(()) };
        let mut events = self.client()?.events_after(room, seen.id - 1)?;
        let there = events.first().filter(|first| first.id == seen.id).map(Seen::of);
        if there == Some(seen) {
            events.remove(0);
        } else if there.is_some() || newest <= seen.id {
            self.screen
                .note(&format!("r/{room} begins anew: the hub was started again, and what it remembered is lost"));
            self.rooms.insert(room.to_owned(), None);
            events = self.client()?.events_after(room, 0)?;
        } else {
            self.screen.note(&format!("r/{room} no longer remembers all that was said meanwhile"));
        }
        events.iter().for_each(|event| self.show(event));
        Ok(())
    }
}

/// Whether only the request failed, and the connection is as good as before.
fn is_of_the_request(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Refused { fatal: false, .. }
            | ClientError::TooLarge { .. }
            | ClientError::Receivers { .. }
            | ClientError::NameTooLong { .. }
    )
}

/// From half of `wait` to all of it, so that those who lost the same hub do not come back in one crowd.
fn jittered(wait: Duration) -> Duration {
    // A fresh hasher's keys are random enough for this.
    let random = RandomState::new().hash_one(()) % 1000;
    wait / 2 + wait / 2 * random as u32 / 1000
}
