//! The native protocol: relays to named receivers, or rooms.

use super::dialect::{Dialect, Heard, Part};
use crate::wire::{Answer, EventRef, EventType, HEADER_LEN, Header, Ids, Kind, Request, UserId};
use byteorder::{BigEndian, ByteOrder};

/// Bytes of a DELIVER before its body.
const DELIVER_HEAD: usize = HEADER_LEN + 8;

/// How messages reach their receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Relay,
    Rooms,
}

/// A room of the connection.
#[derive(Debug)]
struct Room {
    name: String,
    /// The newest event heard of; 0 before the first.
    newest: u64,
}

/// One connection that speaks the native protocol.
#[derive(Debug)]
pub struct Native {
    way: Way,
    is_subscriber: bool,
    /// The number of the first of its rooms. The others follow.
    first_room: u32,
    rooms: Vec<Room>,
    user: u64,
    max_receivers: u16,
    /// A RELAY for each part of the receivers, less its body.
    relays: Vec<Vec<u8>>,
}

impl Native {
    /// Each message is relayed to the ids of its group's subscribers.
    pub fn relay() -> Native {
        Native::new(Way::Relay)
    }

    /// Each group is a room, `bench-0` and so on.
    pub fn rooms() -> Native {
        Native::new(Way::Rooms)
    }

    fn new(way: Way) -> Native {
        let (rooms, relays) = (Vec::new(), Vec::new());
        Native { way, is_subscriber: false, first_room: 0, rooms, user: 0, max_receivers: 255, relays }
    }

    /// Notes a room, and asks to come in where it is to be heard.
    fn enter(&mut self, part: Part, out: &mut Vec<u8>) {
        let (Part::Publisher(group) | Part::Subscriber(group)) = part;
        if self.way == Way::Relay {
            return;
        }
        if self.rooms.is_empty() {
            self.first_room = group;
        }
        let name = format!("bench-{group}");
        if self.is_subscriber {
            Request::Join { room: &name }.encode(0, out);
        }
        self.rooms.push(Room { name, newest: 0 });
    }

    /// The room of an event.
    fn room(&mut self, event: &EventRef<'_>) -> Result<&mut Room, String> {
        match &mut self.rooms[..] {
            [only] => Ok(only),
            rooms => {
                let number = event.room.strip_prefix("bench-").and_then(|number| number.parse::<u32>().ok());
                let place = number.map_or(u32::MAX, |number| number.wrapping_sub(self.first_room));
                rooms.get_mut(place as usize).ok_or_else(|| format!("an event of the room {:?} came", event.room))
            }
        }
    }

    /// What an event of a room says. Where it comes after others that were missed, that is said first, and the event
    /// is not taken yet.
    fn event<'a>(&mut self, frame: &'a [u8]) -> Result<(usize, Heard<'a>), String> {
        let event = EventRef::from_frame(frame).ok_or("an event does not fit its frame")?;
        let room = self.room(&event)?;
        if event.id <= room.newest {
            return Err(format!("event {} of {} came after event {}", event.id, event.room, room.newest));
        }
        let missed = event.id - room.newest - 1;
        if room.newest > 0 && missed > 0 {
            room.newest += missed;
            return Ok((0, Heard::Missed(missed)));
        }
        room.newest = event.id;
        let is_message = event.what == EventType::Message;
        Ok((frame.len(), if is_message { Heard::Body(event.body) } else { Heard::Other }))
    }

    /// What anything else says.
    fn answer(&mut self, header: Header, frame: &[u8], out: &mut Vec<u8>) -> Result<Heard<'static>, String> {
        let answer = Answer::decode(header, &frame[HEADER_LEN..]).map_err(|fault| fault.text.into_owned())?;
        Ok(match answer {
            Answer::Welcome { user, max_receivers, .. } => {
                self.user = user.0;
                self.max_receivers = max_receivers.max(1);
                let joins = self.way == Way::Rooms && self.is_subscriber;
                if joins { Heard::Other } else { Heard::Ready(user.0) }
            }
            Answer::Joined { .. } => Heard::Ready(self.user),
            Answer::Beat { .. } => {
                Request::Alive.encode(0, out);
                Heard::Other
            }
            Answer::Error { code, text, .. } | Answer::Closing { code, text } => {
                Heard::Refused(format!("error {code}: {text}"))
            }
            _ => Heard::Other,
        })
    }
}

impl Dialect for Native {
    fn greet(&mut self, part: Part, out: &mut Vec<u8>) {
        self.is_subscriber = matches!(part, Part::Subscriber(_));
        Request::Hello { name: "", token: "" }.encode(0, out);
        self.enter(part, out);
    }

    fn also(&mut self, part: Part, out: &mut Vec<u8>) -> bool {
        self.enter(part, out);
        self.way == Way::Rooms && self.is_subscriber
    }

    fn aim(&mut self, receivers: &[u64]) {
        if self.way == Way::Rooms {
            return;
        }
        let parts = receivers.chunks(self.max_receivers.into());
        self.relays = parts
            .map(|part| {
                let (mut ids, mut relay) = (Vec::new(), Vec::new());
                Ids::encode(&part.iter().copied().map(UserId).collect::<Vec<_>>(), &mut ids);
                let receivers = Ids::new(&ids).expect("it was just encoded");
                Request::Relay { receivers, body: &[], receipt: false }.encode(0, &mut relay);
                relay
            })
            .collect();
    }

    fn publish(&mut self, body: &[u8], out: &mut Vec<u8>) {
        match self.way {
            Way::Relay => self.relays.iter().for_each(|relay| put_relay(relay, body, out)),
            Way::Rooms => self.publish_in(self.first_room, body, out),
        }
    }

    fn publish_in(&mut self, group: u32, body: &[u8], out: &mut Vec<u8>) {
        if self.way == Way::Relay {
            return self.publish(body, out);
        }
        if let Some(Room { name, .. }) = self.rooms.get(group.wrapping_sub(self.first_room) as usize) {
            Request::Publish { room: name, body, receipt: false, no_echo: false }.encode(0, out);
        }
    }

    fn leave(&mut self, out: &mut Vec<u8>) {
        if self.is_subscriber {
            self.rooms.iter().for_each(|room| Request::Leave { room: &room.name }.encode(0, out));
        }
        Request::Bye.encode(0, out);
    }

    fn next<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Result<Option<(usize, Heard<'a>)>, String> {
        let Some(header) = Header::decode(input) else { return Ok(None) };
        let Some(frame) = input.get(..header.frame_len()) else { return Ok(None) };
        // What comes by the million is not decoded further than it must be.
        if header.kind == Kind::Deliver as u8 && frame.len() >= DELIVER_HEAD {
            return Ok(Some((frame.len(), Heard::Body(&frame[DELIVER_HEAD..]))));
        }
        if header.kind == Kind::Event as u8 {
            return self.event(frame).map(Some);
        }
        Ok(Some((frame.len(), self.answer(header, frame, out)?)))
    }

    fn glimpse<'a>(&mut self, front: &'a [u8]) -> Option<(usize, &'a [u8])> {
        let header = Header::decode(front)?;
        if header.kind == Kind::Deliver as u8 {
            return Some((header.frame_len(), front.get(DELIVER_HEAD..)?));
        }
        if header.kind != Kind::Event as u8 {
            return None;
        }
        let event = EventRef::from_frame(front).filter(|event| event.what == EventType::Message)?;
        let room = self.room(&event).ok().filter(|room| room.newest + 1 == event.id)?;
        room.newest = event.id;
        Some((header.frame_len(), event.body))
    }
}

/// Appends a RELAY with this body.
fn put_relay(relay: &[u8], body: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(relay);
    out.extend_from_slice(body);
    let length = u32::try_from(relay.len() - HEADER_LEN + body.len()).expect("bodies are far below 4 GiB");
    BigEndian::write_u32(&mut out[start + 4..start + HEADER_LEN], length);
}
