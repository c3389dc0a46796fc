//! The chat's side of the network: asks the hub what a person typed, shows what comes, and finds its way back when the
//! hub goes away, so that nothing is missed or shown twice. How far each room was shown is `place`'s to know.

use super::Attached;
use super::command::{Command, HELP};
use super::cursor::{Next, Place, Return};
use super::screen::Screen;
use crate::users::Session;
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

/// What comes that is shown before it is the turn of what is typed.
const PUSHES: usize = 64;

/// Lines kept while the hub is away. Whoever types more, waits.
const KEPT: usize = 256;

pub struct Talk {
    session: Session,
    /// `None` while the hub is away.
    client: Option<Client>,
    screen: Screen,
    /// The rooms that this session is in, or will be when the hub is back.
    rooms: BTreeMap<String, Place>,
    attached: Attached,
    /// How many of the attachments that were typed have come here.
    attachments: u64,
    lines: Receiver<Command>,
    /// Readable when something is in `lines`.
    wake: UnixStream,
    /// Typed while the hub was away, or what it did not confirm before it went.
    waiting: VecDeque<Command>,
    /// Where the first of `waiting` is the latter: the newest of one's own words in its room that was confirmed.
    in_flight: Option<u64>,
    /// Whom one was before the connection broke, until all rooms are caught up with.
    before: Option<UserId>,
    /// The newest of one's own words that was confirmed, by room; of this connection.
    confirmed: BTreeMap<String, u64>,
    /// How long the next attempt to find the hub waits.
    pause: Duration,
    /// When the hub was found last, and lost.
    found: Instant,
    lost_at: Instant,
    /// When to give up what waits, once no more will be typed.
    until: Option<Instant>,
}

impl Talk {
    pub fn new(
        session: Session,
        client: Client,
        screen: Screen,
        attached: Attached,
        lines: Receiver<Command>,
        wake: UnixStream,
    ) -> Talk {
        Talk {
            session,
            client: Some(client),
            screen,
            rooms: BTreeMap::new(),
            attached,
            attachments: 0,
            lines,
            wake,
            waiting: VecDeque::new(),
            in_flight: None,
            before: None,
            confirmed: BTreeMap::new(),
            pause: FIRST_WAIT,
            found: Instant::now(),
            lost_at: Instant::now(),
            until: None,
        }
    }

    /// Talks until the person leaves. Returns how much of what was typed never reached a hub.
    pub fn run(mut self) -> usize {
        loop {
            match self.while_connected() {
                Ok(()) => return 0,
                Err(error) => self.lost(&error),
            }
            if !self.find_again() {
                return self.waiting.len() + self.lines.try_iter().filter(|line| *line != Command::Quit).count();
            }
        }
    }

    /// Shows what comes and does what is typed, until the person leaves or the hub does.
    fn while_connected(&mut self) -> Result<(), ClientError> {
        while let Some(command) = self.waiting.pop_front() {
            self.carry_out(command)?;
        }
        loop {
            let more_comes = self.show_pushes(PUSHES)?;
            match self.typed() {
                _ if self.until.is_some() => return self.say_goodbye(),
                Ok(Command::Quit) | Err(TryRecvError::Disconnected) => return self.say_goodbye(),
                Ok(command) => self.carry_out(command)?,
                Err(TryRecvError::Empty) if more_comes => {}
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
        self.show_pushes(usize::MAX).map(drop)
    }

    /// What was typed next.
    fn typed(&mut self) -> Result<Command, TryRecvError> {
        let typed = self.lines.try_recv();
        self.count_attachment(typed.as_ref().ok());
        typed
    }

    fn count_attachment(&mut self, typed: Option<&Command>) {
        self.attachments += u64::from(matches!(typed, Some(Command::Attach(_))));
    }

    fn client(&mut self) -> Result<&mut Client, ClientError> {
        self.client.as_mut().ok_or(ClientError::Closed)
    }

    /// Shows what has come, so much of it at most; whether there may be more.
    fn show_pushes(&mut self, most: usize) -> Result<bool, ClientError> {
        for _ in 0..most {
            let Some(push) = self.client()?.next(Some(Duration::ZERO))? else { return Ok(false) };
            match push {
                Push::Event(event) => self.event(&event)?,
                other => self.screen.incoming(&other),
            }
        }
        Ok(true)
    }

    /// Shows an event, after those that are missing before it; but none twice. One of a room that was left by now
    /// concerns nobody.
    fn event(&mut self, event: &Event) -> Result<(), ClientError> {
        if self.next(event) == Next::Gap {
            self.unless_refused(|talk| talk.fill_gap(event))?;
        }
        if self.next(event) != Next::Old {
            self.show(event);
        }
        Ok(())
    }

    fn next(&self, event: &Event) -> Next {
        self.rooms.get(&event.room).map_or(Next::Old, |place| place.next(event))
    }

    /// Asks for what is missing before an event, and shows it; what the room has forgotten is said.
    fn fill_gap(&mut self, event: &Event) -> Result<(), ClientError> {
        let shown = self.rooms.get(&event.room).map_or(0, Place::shown);
        let missed = self.client()?.events_after(&event.room, shown)?;
        if missed.first().is_none_or(|first| self.next(first) != Next::Due) {
            self.screen.note(&format!("r/{} no longer remembers all that was missed", event.room));
        }
        missed.iter().filter(|missed| missed.id < event.id).for_each(|missed| self.show(missed));
        Ok(())
    }

    /// Shows an event that comes next in its room.
    fn show(&mut self, event: &Event) {
        if event.what == EventType::Close {
            self.forget(&event.room);
        } else {
            self.rooms.insert(event.room.clone(), Place::after(event));
        }
        if event.what == EventType::Message && self.is_own(event.session) {
            self.confirm(event);
            self.screen.own(event);
        } else {
            self.screen.incoming(&Push::Event(event.clone()));
        }
    }

    fn is_own(&self, session: UserId) -> bool {
        let now = self.client.as_ref().map(|client| client.welcome().user);
        [now, self.before].contains(&Some(session))
    }

    /// The line that was not confirmed when the connection broke waits no more, if this is it.
    fn confirm(&mut self, event: &Event) {
        let Some(Command::Say { room, text }) = self.waiting.front() else { return };
        let is_it = *room == event.room && text.as_bytes() == event.body && self.before == Some(event.session);
        if is_it && self.in_flight.is_some_and(|confirmed| confirmed < event.id) {
            self.waiting.pop_front();
            self.in_flight = None;
        }
    }

    /// A room is left, for whatever reason: nothing that is typed goes there any more.
    fn forget(&mut self, room: &str) {
        self.rooms.remove(room);
        self.confirmed.remove(room);
        self.attached.detach(room, self.attachments);
    }

    /// Does what was typed. What was lost with the hub waits for it.
    fn carry_out(&mut self, command: Command) -> Result<(), ClientError> {
        let outcome = self.unless_refused(|talk| talk.ask(&command));
        if outcome.is_err() {
            self.in_flight = match &command {
                Command::Say { room, .. } => Some(self.confirmed.get(room).copied().unwrap_or_default()),
                _ => None,
            };
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
            Command::Say { room, text } => self.say(room, text),
            Command::Sub(rooms) => rooms.iter().try_for_each(|room| self.unless_refused(|talk| talk.sub(room))),
            Command::Unsub(rooms) => rooms.iter().try_for_each(|room| self.unless_refused(|talk| talk.unsub(room))),
            Command::Attach(room) if self.rooms.contains_key(room) => Ok(()),
            Command::Attach(room) => self.sub(room).inspect_err(|error| {
                if is_of_the_request(error) {
                    self.attached.detach(room, self.attachments);
                }
            }),
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
            Command::Rooms => self.screen.answer(self.rooms.keys().map(|room| format!("r/{room}"))),
            Command::Help => self.screen.answer(HELP.lines().map(str::to_owned)),
            Command::Wrong(what) => self.screen.note(what),
            _ => {}
        }
    }

    /// Says something in a room; never in one that was left, or not come into.
    fn say(&mut self, room: &str, text: &str) -> Result<(), ClientError> {
        if !self.rooms.contains_key(room) {
            self.screen.note(&format!("not in r/{room}, so this was not said: {text}"));
            return Ok(());
        }
        let id = self.client()?.publish(room, text.as_bytes())?;
        self.confirmed.insert(room.to_owned(), id);
        Ok(())
    }

    fn sub(&mut self, room: &str) -> Result<(), ClientError> {
        if self.rooms.contains_key(room) {
            self.screen.note(&format!("already in r/{room}"));
            return Ok(());
        }
        let newest = self.client()?.join(room)?.newest;
        self.rooms.insert(room.to_owned(), Place::at_the_door(newest));
        Ok(())
    }

    fn unsub(&mut self, room: &str) -> Result<(), ClientError> {
        self.client()?.leave(room)?;
        self.forget(room);
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
        let events = self.client()?.events_after(&room, newest.saturating_sub(count.into()))?;
        events.iter().for_each(|event| self.screen.again(event));
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

    /// The hub is gone: what it still said is shown, as far as nothing is missing before it.
    fn lost(&mut self, error: &ClientError) {
        while let Some(client) = &mut self.client {
            self.before.get_or_insert(client.welcome().user);
            match client.next(Some(Duration::ZERO)) {
                Ok(Some(Push::Event(event))) if self.next(&event) == Next::Due => self.show(&event),
                // A later one is asked for when the hub is back.
                Ok(Some(Push::Event(_))) => {}
                Ok(Some(push)) => self.screen.incoming(&push),
                Ok(None) | Err(_) => self.client = None,
            }
        }
        self.confirmed.clear();
        self.lost_at = Instant::now();
        self.screen.note(&format!("{error}; trying to find it again, and keeping what is typed until then"));
    }

    /// Waits for the hub, ever longer. Whether it was found again before the person left for good.
    fn find_again(&mut self) -> bool {
        if self.found.elapsed() > LONGEST_WAIT {
            self.pause = FIRST_WAIT;
        }
        loop {
            if !self.keep_lines_for(jittered(self.pause)) {
                return false;
            }
            self.pause = (2 * self.pause).min(LONGEST_WAIT);
            let timeout = self.session.timeout.min(ATTEMPT);
            let Ok(mut client) = Client::connect_as(&self.session.hub, &self.session.name, timeout) else { continue };
            client.set_timeout(self.session.timeout);
            self.client = Some(client);
            self.found = Instant::now();
            self.screen.note("the hub is back");
            match self.rejoin() {
                Ok(()) => return true,
                Err(error) => self.lost(&error),
            }
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
            if self.waiting.len() >= KEPT && !self.screen.is_terminal && self.lost_at.elapsed() > self.session.timeout {
                // Its end may be typed already, behind more than is kept.
                self.until = Some(Instant::now());
                continue;
            }
            let may_type = self.until.is_none() && self.waiting.len() < KEPT;
            let typed = if may_type { self.lines.recv_timeout(left) } else { rest(left) };
            self.count_attachment(typed.as_ref().ok());
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

    /// How long what waits is kept once no more is typed: a person who leaves does not wait, a script does.
    fn patience(&self) -> Instant {
        Instant::now() + if self.screen.is_terminal { Duration::ZERO } else { self.session.timeout }
    }

    /// Comes into all rooms again, and shows what happened there meanwhile.
    fn rejoin(&mut self) -> Result<(), ClientError> {
        for (room, place) in self.rooms.clone() {
            match self.catch_up(&room, place) {
                Err(error) if is_of_the_request(&error) => {
                    self.forget(&room);
                    self.screen.note(&format!("r/{room} is left: {error}"));
                }
                other => other?,
            }
        }
        (self.in_flight, self.before) = (None, None);
        Ok(())
    }

    fn catch_up(&mut self, room: &str, place: Place) -> Result<(), ClientError> {
        let newest = self.client()?.join(room)?.newest;
        let mut events = self.client()?.events_after(room, place.ask_after())?;
        let before = self.before;
        match place.returned(&events, newest) {
            Return::GoesOn => {}
            Return::Forgotten => self.screen.note(&format!("r/{room} no longer remembers all that was said meanwhile")),
            Return::Anew => {
                self.screen
                    .note(&format!("r/{room} begins anew: what it remembered is lost, as when a hub is restarted"));
                self.rooms.insert(room.to_owned(), Place::at_the_door(1));
                events = self.client()?.events_after(room, 0)?;
                // Whoever has that id in this story, it may be somebody else.
                self.before = None;
            }
        }
        for event in events.iter().filter(|event| event.id <= newest) {
            if self.next(event) != Next::Old {
                self.show(event);
            }
        }
        self.before = before;
        // Where the room remembers nothing, its story goes on with one's own coming, which is told live.
        let at_the_door = Place::at_the_door(newest);
        let place = self.rooms.entry(room.to_owned()).or_insert(at_the_door);
        if place.shown() < at_the_door.shown() {
            *place = at_the_door;
        }
        Ok(())
    }
}

fn rest(time: Duration) -> Result<Command, RecvTimeoutError> {
    std::thread::sleep(time);
    Err(RecvTimeoutError::Timeout)
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
