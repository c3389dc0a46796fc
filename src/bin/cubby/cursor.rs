//! How far the events of a room were shown, and what follows from that for an event that arrives. It knows neither the
//! hub nor the screen.

use cubby::{Event, Joined};

/// A position in the events of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The life of the room in which the ids count.
    epoch: u64,
    /// All events up to this id were shown, or happened before this session joined.
    shown: u64,
}

/// Where an event is, seen from a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// It was shown already.
    Old,
    /// It is the next one.
    Next,
    /// Other events are missing before it.
    Gap,
}

/// How the events of a room continue after the connection was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Nothing is missing.
    Continues,
    /// The room has forgotten some of the missed events.
    Forgotten,
    /// The room was created again, and its ids begin again.
    Restarted,
}

impl Cursor {
    /// The cursor of a session that has just joined: the event of that comes next.
    pub fn joined_at(joined: &Joined) -> Cursor {
        Cursor::before(joined, joined.newest)
    }

    /// The cursor of a session that has just joined, if the event with this id is to be shown next.
    pub fn before(joined: &Joined, id: u64) -> Cursor {
        Cursor { epoch: joined.epoch, shown: id.saturating_sub(1) }
    }

    /// Moves behind an event that was shown.
    pub fn advance(&mut self, event: &Event) {
        self.shown = event.id;
    }

    /// The id up to which all events were shown.
    pub fn shown(&self) -> u64 {
        self.shown
    }

    pub fn position(&self, event: &Event) -> Position {
        match event.id.checked_sub(self.shown) {
            None | Some(0) => Position::Old,
            Some(1) => Position::Next,
            Some(_) => Position::Gap,
        }
    }

    /// How the room continues for a session that has joined again, if these are the first events that it remembers
    /// after those that were [shown](Cursor::shown).
    pub fn resume(&self, joined: &Joined, events: &[Event]) -> Resume {
        if joined.epoch != self.epoch {
            return Resume::Restarted;
        }
        let is_next = events.first().is_some_and(|first| self.position(first) == Position::Next);
        if is_next { Resume::Continues } else { Resume::Forgotten }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cubby::{EventType, UserId};

    fn event(id: u64) -> Event {
        let (room, name) = ("lobby".to_owned(), "ann".to_owned());
        Event { what: EventType::Message, id, unix_ms: 0, session: UserId(9), room, name, body: Vec::new() }
    }

    fn joined(epoch: u64, newest: u64) -> Joined {
        Joined { sessions: 1, newest, epoch }
    }

    #[test]
    fn an_event_is_old_next_or_after_a_gap() {
        let mut cursor = Cursor::before(&joined(1, 9), 3);
        cursor.advance(&event(5));
        let position = |id| cursor.position(&event(id));
        assert_eq!(
            (position(0), position(5), position(6), position(7), position(u64::MAX)),
            (Position::Old, Position::Old, Position::Next, Position::Gap, Position::Gap)
        );
        assert_eq!(Cursor::joined_at(&joined(1, 5)).position(&event(5)), Position::Next, "the event of joining");
    }

    #[test]
    fn a_room_continues_in_the_same_epoch_if_it_remembers_the_next_event() {
        let cursor = Cursor::joined_at(&joined(1, 6));
        assert_eq!(cursor.resume(&joined(1, 7), &[event(6), event(7)]), Resume::Continues);
        assert_eq!(cursor.resume(&joined(1, 9), &[event(9)]), Resume::Forgotten);
        assert_eq!(cursor.resume(&joined(1, 9), &[]), Resume::Forgotten, "nothing is remembered at all");
    }

    #[test]
    fn a_room_of_another_epoch_begins_anew_whatever_its_ids_are() {
        let cursor = Cursor::joined_at(&joined(1, 6));
        for (newest, events) in [(2, vec![]), (6, vec![event(6)]), (9, vec![event(6), event(7)])] {
            assert_eq!(cursor.resume(&joined(2, newest), &events), Resume::Restarted, "{newest}");
        }
    }
}
