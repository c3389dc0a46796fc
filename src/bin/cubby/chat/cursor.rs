//! How far the story of a room was shown, and what that means for an event that comes. Knows no hub and no screen.

use cubby::{Event, UserId};

/// One event, by more than its number: a hub that was started anew counts anew.
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

/// Where one is in the story of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// All up to this id was shown, or came before one's time.
    shown: u64,
    /// The event with that id, where it was shown.
    last: Option<Mark>,
}

/// What an event is to someone at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Shown already.
    Old,
    /// The next one.
    Due,
    /// One after others that are missing.
    Gap,
}

/// How a room's story goes on after one was away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// Where it was left.
    GoesOn,
    /// It goes on, but some of it is forgotten.
    Forgotten,
    /// It is another story: the room was made anew.
    Anew,
}

impl Place {
    /// The place of someone whose own coming is the event with this id.
    pub fn at_the_door(newest: u64) -> Place {
        Place { shown: newest.saturating_sub(1), last: None }
    }

    /// All up to this id is shown.
    pub fn shown(&self) -> u64 {
        self.shown
    }

    /// What an event is here.
    pub fn next(&self, event: &Event) -> Next {
        match event.id.checked_sub(self.shown) {
            None | Some(0) => Next::Old,
            Some(1) => Next::Due,
            Some(_) => Next::Gap,
        }
    }

    /// The place after an event was shown.
    pub fn after(event: &Event) -> Place {
        Place { shown: event.id, last: Some(Mark::of(event)) }
    }

    /// The id after which to ask for events after one was away: so that the last one shown comes again, to be known by.
    pub fn ask_after(&self) -> u64 {
        if self.last.is_some() { self.shown.saturating_sub(1) } else { self.shown }
    }

    /// What became of the story, by the events that came when asked so, and by the newest id: that of one's own coming
    /// back.
    pub fn returned(&self, events: &[Event], newest: u64) -> Return {
        let first = events.first();
        let there = first.filter(|first| first.id == self.shown).map(Mark::of);
        match self.last {
            _ if newest <= self.shown => Return::Anew,
            Some(last) if there == Some(last) => Return::GoesOn,
            Some(_) if there.is_some() => Return::Anew,
            None if first.is_some_and(|first| self.next(first) == Next::Due) => Return::GoesOn,
            _ => Return::Forgotten,
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
    fn an_event_is_old_due_or_after_a_gap() {
        let place = Place::after(&event(5, 0));
        let next = |id| place.next(&event(id, 0));
        assert_eq!(
            (next(0), next(5), next(6), next(7), next(u64::MAX)),
            (Next::Old, Next::Old, Next::Due, Next::Gap, Next::Gap)
        );
        assert_eq!(Place::at_the_door(5).next(&event(5, 0)), Next::Due, "one's own coming");
    }

    #[test]
    fn a_story_goes_on_where_the_last_event_is_still_the_same() {
        let place = Place::after(&event(5, 100));
        assert_eq!(place.ask_after(), 4);
        assert_eq!(place.returned(&[event(5, 100), event(6, 200)], 6), Return::GoesOn);
        assert_eq!(place.returned(&[event(5, 999), event(6, 999)], 6), Return::Anew, "another fifth event");
        assert_eq!(place.returned(&[], 2), Return::Anew, "it never came so far");
        assert_eq!(place.returned(&[event(9, 200)], 9), Return::Forgotten);
        assert_eq!(place.returned(&[], 9), Return::Forgotten, "nothing is remembered at all");
    }

    #[test]
    fn who_left_at_the_door_misses_nothing_either() {
        let place = Place::at_the_door(5);
        assert_eq!((place.ask_after(), place.returned(&[event(5, 0), event(6, 0)], 6)), (4, Return::GoesOn));
        assert_eq!(place.returned(&[event(7, 0)], 7), Return::Forgotten);
        assert_eq!(place.returned(&[event(1, 0)], 1), Return::Anew);
    }
}
