//! How far the events of a room were shown, and what follows from that for an event that arrives. It knows neither the
//! hub nor the screen.

use cubby::{Event, UserId};

/// Identifies an event by more than its id, because a hub that was restarted begins with the same ids again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    id: u64,
    unix_ms: u64,
    session: UserId,
}

impl Mark {
    fn of(event: &Event) -> Mark {
        Mark { id: event.id, unix_ms: event.unix_ms, session: event.session }
    }
}

/// A position in the events of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// All events up to this id were shown, or happened before this session joined.
    shown: u64,
    /// The event with this id, if it was shown.
    last: Option<Mark>,
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
    /// The cursor of a session that has just joined, if the event of that has this id.
    pub fn joined_at(newest: u64) -> Cursor {
        Cursor { shown: newest.saturating_sub(1), last: None }
    }

    /// The cursor after an event was shown.
    pub fn after(event: &Event) -> Cursor {
        Cursor { shown: event.id, last: Some(Mark::of(event)) }
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

    /// The id after which to request events when the connection is back. The last event that was shown is requested
    /// again, to see whether it is still the same.
    pub fn resume_after(&self) -> u64 {
        if self.last.is_some() { self.shown.saturating_sub(1) } else { self.shown }
    }

    /// How the room continues, if these events are the reply to that request, and `newest` is the id of the event of
    /// joining again.
    pub fn resume(&self, events: &[Event], newest: u64) -> Resume {
        let first = events.first();
        let there = first.filter(|first| first.id == self.shown).map(Mark::of);
        match self.last {
            _ if newest <= self.shown => Resume::Restarted,
            Some(last) if there == Some(last) => Resume::Continues,
            Some(_) if there.is_some() => Resume::Restarted,
            None if first.is_some_and(|first| self.position(first) == Position::Next) => Resume::Continues,
            _ => Resume::Forgotten,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cubby::EventType;

    fn event(id: u64, unix_ms: u64) -> Event {
        let (room, name) = ("lobby".to_owned(), "ann".to_owned());
        Event { what: EventType::Message, id, unix_ms, session: UserId(9), room, name, body: Vec::new() }
    }

    #[test]
    fn an_event_is_old_next_or_after_a_gap() {
        let cursor = Cursor::after(&event(5, 0));
        let position = |id| cursor.position(&event(id, 0));
        assert_eq!(
            (position(0), position(5), position(6), position(7), position(u64::MAX)),
            (Position::Old, Position::Old, Position::Next, Position::Gap, Position::Gap)
        );
        assert_eq!(Cursor::joined_at(5).position(&event(5, 0)), Position::Next, "the event of joining");
    }

    #[test]
    fn a_room_continues_if_the_last_event_is_still_the_same() {
        let cursor = Cursor::after(&event(5, 100));
        assert_eq!(cursor.resume_after(), 4);
        assert_eq!(cursor.resume(&[event(5, 100), event(6, 200)], 6), Resume::Continues);
        assert_eq!(cursor.resume(&[event(5, 999), event(6, 999)], 6), Resume::Restarted, "another fifth event");
        assert_eq!(cursor.resume(&[], 2), Resume::Restarted, "it never had five events");
        assert_eq!(cursor.resume(&[event(9, 200)], 9), Resume::Forgotten);
        assert_eq!(cursor.resume(&[], 9), Resume::Forgotten, "nothing is remembered at all");
    }

    #[test]
    fn a_session_that_was_lost_right_after_joining_misses_nothing_either() {
        let cursor = Cursor::joined_at(5);
        assert_eq!((cursor.resume_after(), cursor.resume(&[event(5, 0), event(6, 0)], 6)), (4, Resume::Continues));
        assert_eq!(cursor.resume(&[event(7, 0)], 7), Resume::Forgotten);
        assert_eq!(cursor.resume(&[event(1, 0)], 1), Resume::Restarted);
    }
}
