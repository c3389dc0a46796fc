//! The native protocol: relays to named receivers, or rooms.

use crate::bench::load::{Driver, Incoming, Part};
use byteorder::{BigEndian, ByteOrder};
use cubby::wire::{Answer, DELIVER_HEAD, EventRef, EventType, HEADER_LEN, Header, Ids, Kind, Request, UserId};

/// How messages reach the receivers of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Routing {
    Relay,
    Rooms,
}

/// A room of the connection.
#[derive(Debug)]
struct Room {
    name: String,
    /// The id of its newest event; 0 before the first.
    newest: u64,
}

/// A connection that speaks the native protocol.
#[derive(Debug)]
pub struct Native {
    routing: Routing,
    is_subscriber: bool,
    /// The number of its first room. The numbers of the others follow.
    first_room: u32,
    rooms: Vec<Room>,
    user: u64,
    max_receivers: u16,
    /// The RELAY requests that together reach all receivers, without their bodies.
    relays: Vec<Vec<u8>>,
}

impl Native {
    /// Each message is relayed to the ids of its group's subscribers.
    pub fn relay() -> Native {
        Native::new(Routing::Relay)
    }

    /// Each group is a room, `bench-0` and so on.
    pub fn rooms() -> Native {
        Native::new(Routing::Rooms)
    }

    fn new(routing: Routing) -> Native {
        let (rooms, relays) = (Vec::new(), Vec::new());
        Native { routing, is_subscriber: false, first_room: 0, rooms, user: 0, max_receivers: 255, relays }
    }

    /// Adds a room. A subscriber joins it.
    fn enter(&mut self, part: Part, out: &mut Vec<u8>) {
        let group = part.group();
        if self.routing == Routing::Relay {
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
                let index = number.map_or(u32::MAX, |number| number.wrapping_sub(self.first_room));
                rooms
                    .get_mut(index as usize)
                    .ok_or_else(|| format!("received an event of room {:?}, which was not joined", event.room))
            }
        }
    }

    /// Decodes an event of a room. If others were missed before it, that is reported first, and the event is not
    /// consumed yet.
    fn event<'a>(&mut self, frame: &'a [u8]) -> Result<(usize, Incoming<'a>), String> {
        let event = EventRef::from_frame(frame).ok_or("an event does not fit into its frame")?;
        let room = self.room(&event)?;
        if event.id <= room.newest {
            return Err(format!("event {} of room {} came after event {}", event.id, event.room, room.newest));
        }
        let missed = event.id - room.newest - 1;
        if room.newest > 0 && missed > 0 {
            room.newest += missed;
            return Ok((0, Incoming::Missed(missed)));
        }
        room.newest = event.id;
        let is_message = event.what == EventType::Message;
        Ok((frame.len(), if is_message { Incoming::Body(event.body) } else { Incoming::Other }))
    }

    /// Decodes anything else.
    fn answer(&mut self, header: Header, frame: &[u8], out: &mut Vec<u8>) -> Result<Incoming<'static>, String> {
        let answer = Answer::decode(header, &frame[HEADER_LEN..]).map_err(|fault| fault.text.into_owned())?;
        Ok(match answer {
            Answer::Welcome { user, max_receivers, .. } => {
                self.user = user.0;
                self.max_receivers = max_receivers.max(1);
                let joins = self.routing == Routing::Rooms && self.is_subscriber;
                if joins { Incoming::Other } else { Incoming::Ready(user.0) }
            }
            Answer::Joined { .. } => Incoming::Ready(self.user),
            Answer::Beat { .. } => {
                Request::Alive.encode(0, out);
                Incoming::Other
            }
            Answer::Error { code, text, .. } | Answer::Closing { code, text } => {
                Incoming::Refused(format!("error {code}: {text}"))
            }
            Answer::Identity(_)
            | Answer::List { .. }
            | Answer::Receipt(_)
            | Answer::SendReceipt(_)
            | Answer::Left
            | Answer::Published(_)
            | Answer::HistoryEnd { .. }
            | Answer::Who { .. }
            | Answer::Pong(_)
            | Answer::Stats(_)
            | Answer::Deliver { .. }
            | Answer::Mail { .. }
            | Answer::Event { .. } => Incoming::Other,
        })
    }
}

impl Driver for Native {
    fn open(&mut self, part: Part, out: &mut Vec<u8>) {
        self.is_subscriber = matches!(part, Part::Subscriber(_));
        Request::Hello { name: "", token: "" }.encode(0, out);
        self.enter(part, out);
    }

    fn add_group(&mut self, part: Part, out: &mut Vec<u8>) -> bool {
        self.enter(part, out);
        self.routing == Routing::Rooms && self.is_subscriber
    }

    fn set_receivers(&mut self, receivers: &[u64]) {
        if self.routing == Routing::Rooms {
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
        match self.routing {
            Routing::Relay => self.relays.iter().for_each(|relay| put_relay(relay, body, out)),
            Routing::Rooms => self.publish_in(self.first_room, body, out),
        }
    }

    fn publish_in(&mut self, group: u32, body: &[u8], out: &mut Vec<u8>) {
        if self.routing == Routing::Relay {
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

    fn next<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Result<Option<(usize, Incoming<'a>)>, String> {
        let Some(header) = Header::decode(input) else { return Ok(None) };
        let Some(frame) = input.get(..header.frame_len()) else { return Ok(None) };
        // The frames that arrive by the million are decoded no further than necessary.
        if header.kind == Kind::Deliver as u8 && frame.len() >= DELIVER_HEAD {
            return Ok(Some((frame.len(), Incoming::Body(&frame[DELIVER_HEAD..]))));
        }
        if header.kind == Kind::Event as u8 {
            return self.event(frame).map(Some);
        }
        Ok(Some((frame.len(), self.answer(header, frame, out)?)))
    }

    fn decode_front<'a>(&mut self, front: &'a [u8]) -> Option<(usize, &'a [u8])> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A WELCOME for user 9, from a hub that takes two receivers in one RELAY.
    const WELCOME: &[u8] = b"\x81\0\0\0\0\0\0\x1a\x01\0\0\0\0\0\0\0\x09\0\x10\0\0\0\x02\0\x1e\0\x07cubby/0";

    /// Decodes what a hub sends, and returns what is answered.
    fn told<'a>(native: &mut Native, mut input: &'a [u8]) -> (Vec<Incoming<'a>>, Vec<u8>) {
        let (mut all, mut out) = (Vec::new(), Vec::new());
        while let Some((len, heard)) = native.next(input, &mut out).expect("it is decoded") {
            all.push(heard);
            input = &input[len..];
        }
        assert!(input.is_empty(), "all was complete");
        (all, out)
    }

    fn greeted(mut native: Native, part: Part) -> (Native, Vec<u8>) {
        let mut out = Vec::new();
        native.open(part, &mut out);
        (native, out)
    }

    /// An EVENT of a room: a message by user 9.
    fn event(id: u8, room: &[u8], body: &[u8]) -> Vec<u8> {
        let length = 27 + room.len() + body.len();
        let head = [0xC9, 0, 0, 0, 0, 0, 0, length as u8, 1, 0, 0, 0, 0, 0, 0, 0, id];
        [&head[..], &[0; 15], &[9, room.len() as u8], room, &[0], body].concat()
    }

    #[test]
    fn a_relay_names_as_many_receivers_as_the_hub_takes() {
        let (mut native, hello) = greeted(Native::relay(), Part::Publisher(3));
        assert_eq!(hello, b"\x01\0\0\0\0\0\0\x04\x01\0\0\0");
        assert_eq!(told(&mut native, WELCOME), (vec![Incoming::Ready(9)], vec![]));
        native.set_receivers(&[5, 6, 7]);
        let mut out = Vec::new();
        native.publish(b"hi", &mut out);
        let first = b"\x04\0\0\0\0\0\0\x14\0\x02\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x06hi";
        let second = b"\x04\0\0\0\0\0\0\x0c\0\x01\0\0\0\0\0\0\0\x07hi";
        assert_eq!(out, [&first[..], second].concat());
        out.clear();
        native.leave(&mut out);
        assert_eq!(out, b"\x0d\0\0\0\0\0\0\0");
    }

    #[test]
    fn a_delivery_is_its_body_and_a_beat_is_answered() {
        let (mut native, _) = greeted(Native::relay(), Part::Subscriber(0));
        let bytes = b"\xc4\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0\x09hi\xcc\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\x01";
        let (heard, out) = told(&mut native, bytes);
        assert_eq!((&heard[..], &out[..]), (&[Incoming::Body(b"hi"), Incoming::Other][..], &b"\x0e\0\0\0\0\0\0\0"[..]));
        for cut in 0..18 {
            assert_eq!(native.next(&bytes[..cut], &mut Vec::new()), Ok(None), "{cut} bytes are incomplete");
        }
    }

    #[test]
    fn subscribers_join_a_room_and_publishers_publish_in_it() {
        let (mut native, out) = greeted(Native::rooms(), Part::Subscriber(7));
        assert_eq!(out, b"\x01\0\0\0\0\0\0\x04\x01\0\0\0\x07\0\0\0\0\0\0\x08\x07bench-7");
        let joined = b"\x87\0\0\0\0\0\0\x14\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x05";
        assert_eq!(told(&mut native, &[WELCOME, joined].concat()).0, [Incoming::Other, Incoming::Ready(9)]);
        let (mut native, _) = greeted(Native::rooms(), Part::Publisher(7));
        assert!(!native.add_group(Part::Publisher(8), &mut Vec::new()), "there will be no answer");
        assert_eq!(told(&mut native, WELCOME).0, [Incoming::Ready(9)]);
        let mut out = Vec::new();
        native.publish(b"hi", &mut out);
        native.publish_in(8, b"ho", &mut out);
        assert_eq!(out, b"\x09\0\0\0\0\0\0\x0a\x07bench-7hi\x09\0\0\0\0\0\0\x0a\x07bench-8ho");
    }

    #[test]
    fn a_gap_in_the_numbers_of_a_room_is_missed() {
        let (mut native, _) = greeted(Native::rooms(), Part::Subscriber(7));
        assert!(native.add_group(Part::Subscriber(8), &mut Vec::new()), "there will be an answer");
        let bytes = [event(5, b"bench-7", b"a"), event(9, b"bench-7", b"b"), event(2, b"bench-8", b"c")].concat();
        let (heard, _) = told(&mut native, &bytes);
        assert_eq!(heard, [Incoming::Body(b"a"), Incoming::Missed(3), Incoming::Body(b"b"), Incoming::Body(b"c")]);
        for (bytes, what) in [(event(9, b"bench-7", b"d"), "came after"), (event(1, b"bench-9", b"e"), "bench-9")] {
            let said = native.next(&bytes, &mut Vec::new()).expect_err("it is not decoded");
            assert!(said.contains(what), "{said}");
        }
    }

    #[test]
    fn an_error_is_a_refusal_with_its_text() {
        let (mut native, _) = greeted(Native::relay(), Part::Publisher(0));
        let bytes = b"\xff\0\0\0\0\0\0\x06\0\x08\x04\x02no\xcd\0\0\0\0\0\0\x07\0\x0c\x04slow";
        let (heard, _) = told(&mut native, bytes);
        let words = ["error 8 (limit reached): no", "error 12 (too slow): slow"];
        assert_eq!(heard, words.map(|words| Incoming::Refused(words.to_owned())));
        let said = native.next(b"\x82\0\0\0\0\0\0\0", &mut Vec::new()).expect_err("an id is missing");
        assert!(said.contains("user id"), "{said}");
    }

    #[test]
    fn the_front_of_a_large_message_is_decoded() {
        let (mut native, _) = greeted(Native::rooms(), Part::Subscriber(7));
        let front = b"\xc4\0\0\0\0\x10\0\x08\0\0\0\0\0\0\0\x09front";
        assert_eq!(native.decode_front(front), Some((0x10_0010, &b"front"[..])));
        assert_eq!(native.decode_front(b"\xff\0\0\0\0\0\0\x06\0"), None);
        told(&mut native, &event(5, b"bench-7", b"a"));
        let (after_next, next) = (event(7, b"bench-7", b"large"), event(6, b"bench-7", b"large"));
        assert_eq!(native.decode_front(&after_next), None, "the loss is reported first");
        assert_eq!(native.decode_front(&next), Some((next.len(), &b"large"[..])));
        assert_eq!(told(&mut native, &after_next).0, [Incoming::Body(b"large")], "the one before was not missed");
    }
}
