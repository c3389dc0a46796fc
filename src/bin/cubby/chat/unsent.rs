//! The commands that wait until the hub is back, and the one message of which it is not known whether the hub got it.
//! Nothing is sent a second time that others would then read twice.

use super::command::Command;
use cubby::{Event, UserId};
use std::collections::{BTreeMap, VecDeque};

/// Commands that wait for the hub.
#[derive(Default)]
pub struct Unsent {
    /// They were typed while the hub was away. The first may have been sent before, without a reply, if it does no harm
    /// to send it again.
    queue: VecDeque<Command>,
    in_doubt: Option<InDoubt>,
    /// The id of this session's last confirmed message on this connection, by room.
    confirmed: BTreeMap<String, u64>,
}

/// A message that was sent to a room without a reply.
struct InDoubt {
    room: String,
    text: String,
    /// The id of this session's last confirmed message in the room.
    confirmed: u64,
}

impl Unsent {
    /// How many commands wait, with the message in doubt.
    pub fn len(&self) -> usize {
        self.queue.len() + usize::from(self.in_doubt.is_some())
    }

    /// How many bytes of text wait.
    pub fn bytes(&self) -> usize {
        self.queue.iter().map(Command::text_len).sum()
    }

    /// Adds a command that was typed while the hub is away.
    pub fn add(&mut self, command: Command) {
        self.queue.push_back(command);
    }

    /// Takes the next command, to be carried out now.
    pub fn next(&mut self) -> Option<Command> {
        self.queue.pop_front()
    }

    /// Keeps a command during which the connection was lost, if it may be sent again. The message to a room may still
    /// be found among the events that were missed. If neither holds, the command is returned.
    pub fn keep_interrupted(&mut self, command: Command) -> Option<Command> {
        match command {
            Command::Say { room, text } => {
                let confirmed = self.confirmed.get(&room).copied().unwrap_or_default();
                self.in_doubt = Some(InDoubt { room, text, confirmed });
            }
            Command::To { .. } => return Some(command),
            Command::Sub(_)
            | Command::Unsub(_)
            | Command::Attach(_)
            | Command::Who(_)
            | Command::List
            | Command::History(..)
            | Command::Local(_)
            | Command::Quit => self.queue.push_front(command),
        }
        None
    }

    /// The hub has confirmed a message of this session.
    pub fn confirm(&mut self, room: &str, id: u64) {
        self.confirmed.insert(room.to_owned(), id);
    }

    /// The room was left.
    pub fn forget_room(&mut self, room: &str) {
        self.confirmed.remove(room);
    }

    /// The connection was lost, so nothing on it can be confirmed any more.
    pub fn connection_lost(&mut self) {
        self.confirmed.clear();
    }

    /// Takes the text of the message in doubt: all missed events were seen, and it was not among them. It may still be
    /// on its way through the old line, or the room may have forgotten it, so it is not sent again.
    pub fn take_in_doubt(&mut self) -> Option<String> {
        self.in_doubt.take().map(|in_doubt| in_doubt.text)
    }

    /// Drops the message in doubt if this missed event shows that the hub got it. `former` is the id that this session
    /// had on the lost connection.
    pub fn recognize(&mut self, event: &Event, former: Option<UserId>) {
        self.in_doubt.take_if(|InDoubt { room, text, confirmed }| {
            let is_it = *room == event.room && text.as_bytes() == event.body && former == Some(event.session);
            is_it && *confirmed < event.id
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cubby::EventType;

    fn say(text: &str) -> Command {
        Command::Say { room: "lobby".to_owned(), text: text.to_owned() }
    }

    fn event(id: u64, session: u64, body: &str) -> Event {
        let (room, name, session) = ("lobby".to_owned(), "ann".to_owned(), UserId(session));
        Event { what: EventType::Message, id, unix_ms: 0, session, room, name, body: body.into() }
    }

    #[test]
    fn a_message_that_the_hub_got_is_not_sent_again() {
        let mut unsent = Unsent::default();
        unsent.confirm("lobby", 5);
        assert_eq!(unsent.keep_interrupted(say("ok")), None);
        unsent.connection_lost();
        unsent.add(say("ok"));
        let former = Some(UserId(9));
        for other in [event(6, 8, "ok"), event(6, 9, "no"), event(5, 9, "ok")] {
            unsent.recognize(&other, former);
            assert_eq!(unsent.len(), 2, "{other:?}");
        }
        unsent.recognize(&event(6, 9, "ok"), former);
        assert_eq!(unsent.len(), 1);
        unsent.recognize(&event(7, 9, "ok"), former);
        assert_eq!((unsent.len(), unsent.take_in_doubt()), (1, None));
        assert_eq!(unsent.next(), Some(say("ok")), "it was typed twice, so it is sent twice");
    }

    #[test]
    fn a_message_that_the_hub_may_not_have_got_is_named_and_not_sent_again() {
        let mut unsent = Unsent::default();
        assert_eq!(unsent.keep_interrupted(say("ok")), None);
        assert_eq!(unsent.take_in_doubt().as_deref(), Some("ok"));
        assert_eq!((unsent.len(), unsent.next()), (0, None));
    }

    #[test]
    fn only_what_does_no_harm_twice_is_kept_to_be_sent_again() {
        let mut unsent = Unsent::default();
        let to = Command::To { names: vec!["ann".to_owned()], text: "ok".to_owned() };
        assert_eq!(unsent.keep_interrupted(to.clone()), Some(to));
        assert_eq!(unsent.keep_interrupted(Command::List), None);
        assert_eq!(unsent.next(), Some(Command::List));
    }
}
