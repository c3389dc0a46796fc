//! What happens in a room: the EVENT push, borrowed from its bytes and owned.

use super::field::{Fields, Misfit, put_str8};
use super::header::put_frame;
use super::id::ID_LEN;
use super::{HEADER_LEN, Kind, UserId};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EventType {
    /// Somebody said something.
    Message = 1,
    /// A name's first session came in.
    Join = 2,
    /// A further session of a name that was there came in.
    Add = 3,
    /// A session left, and others of its name stay.
    Remove = 4,
    /// A name's last session left.
    Leave = 5,
    /// The room was closed, and nobody is in it any more.
    Close = 6,
}

impl EventType {
    /// The type of a byte on the wire, where there is one.
    pub fn of(byte: u8) -> Option<EventType> {
        use EventType::*;
        [Message, Join, Add, Remove, Leave, Close].get(usize::from(byte).checked_sub(1)?).copied()
    }

    /// Its name, as JSON says it.
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

/// An event of a room, its fields borrowed from the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRef<'a> {
    /// What happened.
    pub what: EventType,
    /// Its number in the room: from 1, without a gap.
    pub id: u64,
    /// When, by the hub's clock: milliseconds since 1970.
    pub unix_ms: u64,
    /// The session that did it.
    pub session: UserId,
    /// Where.
    pub room: &'a str,
    /// What the session called itself; empty where it had no name.
    pub name: &'a str,
    /// What was said; empty unless it is a message.
    pub body: &'a [u8],
}

/// Bytes of an EVENT's payload beside its texts and body: type, id, time, session and two counts.
const FIXED_LEN: usize = 1 + 8 + 8 + ID_LEN + 1 + 1;

impl<'a> EventRef<'a> {
    pub(super) fn read(fields: &mut Fields<'a>) -> Result<EventRef<'a>, Misfit> {
        Ok(EventRef {
            what: EventType::of(fields.u8("type")?).ok_or(Misfit::NoSuch("type"))?,
            id: fields.u64("event id")?,
            unix_ms: fields.u64("time")?,
            session: fields.id("session")?,
            room: fields.str8("room")?,
            name: fields.str8("name")?,
            body: fields.rest(),
        })
    }

    pub(super) fn put_payload(&self, out: &mut Vec<u8>) {
        out.push(self.what as u8);
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&self.unix_ms.to_be_bytes());
        out.extend_from_slice(&self.session.0.to_be_bytes());
        put_str8(out, self.room);
        put_str8(out, self.name);
        out.extend_from_slice(self.body);
    }

    /// The whole frame, as it goes to those who are in the room when it happens; its memory is no larger than it is.
    ///
    /// # Panics
    ///
    /// Where the payload is over 4 GiB; the hub's limits keep it far below.
    pub fn to_frame(&self) -> Vec<u8> {
        let texts = self.room.len() + self.name.len();
        let mut frame = Vec::with_capacity(HEADER_LEN + FIXED_LEN + texts + self.body.len());
        put_frame(&mut frame, Kind::Event as u8, 0, 0, |out| self.put_payload(out));
        frame
    }

    /// The event of such a frame, live or replayed; `None` where the bytes are none.
    pub fn from_frame(frame: &'a [u8]) -> Option<EventRef<'a>> {
        EventRef::read(&mut Fields(frame.get(HEADER_LEN..)?)).ok()
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
    /// Its number in the room: from 1, without a gap.
    pub id: u64,
    /// When, by the hub's clock: milliseconds since 1970.
    pub unix_ms: u64,
    /// The session that did it.
    pub session: UserId,
    /// Where.
    pub room: String,
    /// What the session called itself; empty where it had no name.
    pub name: String,
    /// What was said; empty unless it is a message.
    pub body: Vec<u8>,
}

impl Event {
    /// The same, borrowed.
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
