//! The events of a room: the EVENT push, as a borrowed and as an owned value.

use super::field::{FieldError, FieldReader, put_str8};
use super::header::put_frame;
use super::id::ID_LEN;
use super::{HEADER_LEN, Kind, UserId};

/// What an event reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EventType {
    /// A message was published.
    Message = 1,
    /// The first session of a name joined the room.
    Join = 2,
    /// Another session of a name that is already in the room joined it.
    Add = 3,
    /// A session left the room, and others of its name stay.
    Remove = 4,
    /// The last session of a name left the room.
    Leave = 5,
    /// The room was closed, and has no members any more.
    Close = 6,
}

impl EventType {
    /// The type with this byte on the wire, if there is one.
    pub fn of(byte: u8) -> Option<EventType> {
        use EventType::*;
        [Message, Join, Add, Remove, Leave, Close].get(usize::from(byte).checked_sub(1)?).copied()
    }

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            EventType::Message => "message",
            EventType::Join => "join",
            EventType::Add => "add",
            EventType::Remove => "remove",
            EventType::Leave => "leave",
            EventType::Close => "close",
        }
    }
}

/// An event of a room. Its fields are borrowed from the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRef<'a> {
    /// What happened.
    pub what: EventType,
    /// Its number in the room. Numbers start at 1 and have no gaps.
    pub id: u64,
    /// The time by the hub's clock, in milliseconds since 1970.
    pub unix_ms: u64,
    /// The session that caused it.
    pub session: UserId,
    /// The room.
    pub room: &'a str,
    /// The name of that session; empty if it has none.
    pub name: &'a str,
    /// The message; empty for all other types.
    pub body: &'a [u8],
}

/// Bytes of an EVENT's payload without its texts and its body: type, id, time, session and two counts.
const FIXED_LEN: usize = 1 + 8 + 8 + ID_LEN + 1 + 1;

impl<'a> EventRef<'a> {
    pub(super) fn read(fields: &mut FieldReader<'a>) -> Result<EventRef<'a>, FieldError> {
        Ok(EventRef {
            what: EventType::of(fields.u8("type")?).ok_or(FieldError::UnknownValue("type"))?,
            id: fields.u64("event id")?,
            unix_ms: fields.u64("time")?,
            session: fields.id("session")?,
            room: fields.str8("room")?,
            name: fields.str8("name")?,
            body: fields.rest(),
        })
    }

    #[inline]
    pub(super) fn put_payload(&self, out: &mut Vec<u8>) {
        out.push(self.what as u8);
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&self.unix_ms.to_be_bytes());
        out.extend_from_slice(&self.session.0.to_be_bytes());
        put_str8(out, self.room);
        put_str8(out, self.name);
        out.extend_from_slice(self.body);
    }

    /// The whole frame of the live event, in a vector with no spare capacity.
    ///
    /// # Panics
    ///
    /// If the payload is over 4 GiB. The hub's limits are far below.
    #[inline]
    pub fn to_frame(&self) -> Vec<u8> {
        let texts = self.room.len() + self.name.len();
        let mut frame = Vec::with_capacity(HEADER_LEN + FIXED_LEN + texts + self.body.len());
        self.put_frame(&mut frame);
        frame
    }

    /// Appends the same frame.
    ///
    /// # Panics
    ///
    /// As [`to_frame`](EventRef::to_frame).
    #[inline]
    pub fn put_frame(&self, out: &mut Vec<u8>) {
        put_frame(out, Kind::Event, 0, 0, |out| self.put_payload(out));
    }

    /// The event of a whole EVENT frame, live or replayed; `None` if its payload is no event.
    pub fn from_frame(frame: &'a [u8]) -> Option<EventRef<'a>> {
        EventRef::read(&mut FieldReader(frame.get(HEADER_LEN..)?)).ok()
    }

    /// A copy that owns its fields.
    pub fn to_event(&self) -> Event {
        Event {
            what: self.what,
            id: self.id,
            unix_ms: self.unix_ms,
            session: self.session,
            room: self.room.to_owned(),
            name: self.name.to_owned(),
            body: self.body.to_owned(),
        }
    }
}

/// An event of a room that owns its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub what: EventType,
    /// Its number in the room. Numbers start at 1 and have no gaps.
    pub id: u64,
    /// The time by the hub's clock, in milliseconds since 1970.
    pub unix_ms: u64,
    /// The session that caused it.
    pub session: UserId,
    /// The room.
    pub room: String,
    /// The name of that session; empty if it has none.
    pub name: String,
    /// The message; empty for all other types.
    pub body: Vec<u8>,
}

impl Event {
    /// The same event, borrowed.
    pub fn view(&self) -> EventRef<'_> {
        EventRef {
            what: self.what,
            id: self.id,
            unix_ms: self.unix_ms,
            session: self.session,
            room: &self.room,
            name: &self.name,
            body: &self.body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_go_there_and_back() {
        for byte in 1..=6 {
            assert_eq!(EventType::of(byte).map(|what| what as u8), Some(byte));
        }
        assert_eq!((EventType::of(0), EventType::of(7)), (None, None));
    }

    #[test]
    fn an_event_is_its_frame_and_no_byte_more() {
        let event = EventRef {
            what: EventType::Message,
            id: 7,
            unix_ms: 1_700_000_000_123,
            session: UserId(9),
            room: "lobby",
            name: "ann",
            body: b"hi",
        };
        let frame = event.to_frame();
        assert_eq!(frame.len(), frame.capacity());
        assert_eq!(EventRef::from_frame(&frame), Some(event));
        assert_eq!(event.to_event().view(), event);
        assert_eq!(EventRef::from_frame(&frame[..20]), None);
    }
}
