//! The commands that wait until the hub is back, and the one message of which it is not known whether the hub got it.

use super::command::Command;
use cubby::{Event, UserId};
use std::collections::{BTreeMap, VecDeque};

/// Commands that wait for the hub.
#[derive(Default)]
pub struct Unsent {
    /// They were typed while the hub was away. The first may have been sent before, without a reply.
    queue: VecDeque<Command>,
    /// If the first of them is a message that was sent without a reply: the id of this session's last confirmed message
    /// in its room.
    in_doubt: Option<u64>,
    /// The id of this session's last confirmed message on this connection, by room.
    confirmed: BTreeMap<String, u64>,
}

impl Unsent {
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Adds a command that was typed while the hub is away.
    pub fn add(&mut self, command: Command) {
        self.queue.push_back(command);
    }

    /// Takes the next command, to be carried out now.
    pub fn next(&mut self) -> Option<Command> {
        self.queue.pop_front()
    }

    /// Keeps a command during which the connection was lost.
    pub fn keep_interrupted(&mut self, command: Command) {
        self.in_doubt = if let Command::Say { room, .. } = &command {
            Some(self.confirmed.get(room).copied().unwrap_or_default())
        } else {
            None
        };
        self.queue.push_front(command);
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

    /// All missed events were seen: if the message in doubt was not among them, the hub did not get it.
    pub fn caught_up(&mut self) {
        self.in_doubt = None;
    }

    /// Drops the message in doubt if this missed event shows that the hub got it. `former` is the id that this session
    /// had on the lost connection.
    pub fn recognize(&mut self, event: &Event, former: Option<UserId>) {
        let Some(Command::Say { room, text }) = self.queue.front() else { return };
        let is_it = *room == event.room && text.as_bytes() == event.body && former == Some(event.session);
        if is_it && self.in_doubt.is_some_and(|confirmed| confirmed < event.id) {
            self.queue.pop_front();
            self.in_doubt = None;
        }
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
        unsent.keep_interrupted(say("ok"));
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
        assert_eq!(unsent.len(), 1, "it was typed twice, so it is sent twice");
    }

    #[test]
    fn a_message_that_the_hub_did_not_get_is_sent() {
        let mut unsent = Unsent::default();
        unsent.keep_interrupted(say("ok"));
        unsent.caught_up();
        unsent.recognize(&event(1, 9, "ok"), Some(UserId(9)));
        assert_eq!(unsent.next(), Some(say("ok")));
    }
}
