//! A native client over TCP, in literal bytes.

use super::*;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

/// A native client in literal bytes.
pub struct Raw(pub TcpStream);

impl Raw {
    pub fn connect(address: &str) -> Raw {
        let stream = TcpStream::connect(address).expect("the hub accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_nodelay(true).expect("no delay");
        Raw(stream)
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the hub reads");
    }

    pub fn receive(&mut self) -> Frame {
        let mut header = [0; 8];
        self.0.read_exact(&mut header).expect("a frame comes");
        let length = u32::from_be_bytes(header[4..].try_into().expect("four bytes"));
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).expect("the whole frame comes");
        Frame { kind: header[0], flags: header[1], tag: u16::from_be_bytes([header[2], header[3]]), payload }
    }

    pub fn ask(&mut self, kind: u8, flags: u8, tag: u16, payload: impl AsRef<[u8]>) -> Frame {
        self.send(&frame(kind, flags, tag, payload));
        self.receive()
    }

    /// Takes this name.
    pub fn hello(&mut self, name: &str) {
        let reply = self.ask(HELLO, 0, 76, [&[1], &str8(name)[..], &[0, 0]].concat());
        assert_eq!((reply.kind, reply.tag), (0x81, 76), "{reply:?}");
    }

    /// Joins a room. Returns the number of sessions in it, and the newest id, which is that of its own join.
    pub fn join(&mut self, room: &str) -> (u32, u64) {
        let (sessions, newest) = self.ask_to_join(room);
        let own = self.event();
        assert_eq!((own.id, &own.room[..]), (newest, room));
        assert!(own.what == JOINED || own.what == ADDED, "{own:?}");
        (sessions, newest)
    }

    /// The reply to JOIN, whether or not an event follows.
    pub fn ask_to_join(&mut self, room: &str) -> (u32, u64) {
        let reply = self.ask(JOIN, 0, 75, str8(room));
        assert_eq!((reply.kind, reply.flags, reply.tag, reply.payload.len()), (0x87, 0, 75, 20), "{reply:?}");
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
        (number(&reply.payload[..4]) as u32, number(&reply.payload[4..12]))
    }

    /// Sends a request, and returns the next frame of this kind. Others are passed over.
    pub fn ask_until(&mut self, request: u8, payload: impl AsRef<[u8]>, kind: u8) -> Frame {
        self.send(&frame(request, 0, 1, payload));
        loop {
            let answer = self.receive();
            if answer.kind == kind {
                return answer;
            }
        }
    }

    /// The next frame, which must be a live event.
    pub fn event(&mut self) -> Event {
        let frame = self.receive();
        assert_eq!((frame.flags, frame.tag), (0, 0), "{frame:?}");
        Event::of(&frame)
    }

    /// Publishes in a room, and returns the event's id.
    pub fn publish(&mut self, room: &str, body: &[u8]) -> u64 {
        let reply = self.ask(PUBLISH, RECEIPT, 74, publish(room, body));
        assert_eq!((reply.kind, reply.flags, reply.tag), (0x89, 0, 74), "{reply:?}");
        u64::from_be_bytes(reply.payload.try_into().expect("an id"))
    }

    /// A room's history: the events, and from the reply the oldest id, the newest id, and the number of events.
    pub fn history(&mut self, room: &str, after: u64, limit: u32) -> (Vec<Event>, [u64; 3]) {
        self.send(&frame(HISTORY, 0, 73, history(room, after, limit)));
        let mut events = Vec::new();
        loop {
            let answer = self.receive();
            assert_eq!(answer.tag, 73, "{answer:?}");
            if answer.kind == EVENT {
                assert_eq!(answer.flags, REPLAY);
                events.push(Event::of(&answer));
                continue;
            }
            assert_eq!((answer.kind, answer.flags, answer.payload.len()), (0x8A, 0, 28), "{answer:?}");
            let number = |at: usize| u64::from_be_bytes(answer.payload[at..at + 8].try_into().expect("eight bytes"));
            let sent = u32::from_be_bytes(answer.payload[16..20].try_into().expect("four bytes"));
            return (events, [number(0), number(8), sent.into()]);
        }
    }

    /// The members of a room: ids and names.
    pub fn who(&mut self, room: &str) -> Vec<(u64, String)> {
        self.send(&frame(WHO, 0, 72, str8(room)));
        let mut members = Vec::new();
        loop {
            let reply = self.receive();
            assert_eq!((reply.kind, reply.tag), (0x8B, 72), "{reply:?}");
            let mut rest = &reply.payload[..];
            while !rest.is_empty() {
                let (name, after) = rest[9..].split_at(rest[8].into());
                members.push((u64::from_be_bytes(rest[..8].try_into().expect("an id")), text(name).to_owned()));
                rest = after;
            }
            if reply.flags == 0 {
                return members;
            }
            assert!(members.len().is_multiple_of(512), "only full frames have MORE");
        }
    }

    /// Its own id, as IDENTITY says.
    pub fn id(&mut self) -> u64 {
        let reply = self.ask(IDENTITY, 0, 77, []);
        assert_eq!((reply.kind, reply.flags, reply.tag), (0x82, 0, 77));
        u64::from_be_bytes(reply.payload.try_into().expect("an id"))
    }

    /// Waits until the hub has executed all earlier requests, skipping the events that arrive meanwhile.
    pub fn id_after_events(&mut self) {
        self.send(&frame(IDENTITY, 0, 79, []));
        while self.receive().kind != 0x82 {}
    }

    /// The ids in the reply to LIST, in one frame or several.
    pub fn list(&mut self) -> Vec<u64> {
        self.send(&frame(LIST, 0, 78, []));
        let mut ids = Vec::new();
        loop {
            let reply = self.receive();
            assert_eq!((reply.kind, reply.tag), (0x83, 78));
            ids.extend(reply.payload.chunks(8).map(|id| u64::from_be_bytes(id.try_into().expect("an id"))));
            if reply.flags == 0 {
                return ids;
            }
        }
    }

    pub fn half_close(&self) {
        self.0.shutdown(Shutdown::Write).expect("it is open");
    }

    /// Expects the end of the stream, with nothing before it.
    pub fn expect_end(&mut self) {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).expect("an orderly end");
        assert!(rest.is_empty(), "nothing stands after the last frame: {rest:?}");
    }

    /// The hub's counters.
    pub fn stats(&mut self) -> serde_json::Value {
        let reply = self.ask(STATS, 0, 71, []);
        assert_eq!((reply.kind, reply.flags, reply.tag), (0x8F, 0, 71), "{reply:?}");
        serde_json::from_slice(&reply.payload).expect("one JSON object")
    }

    /// Expects CLOSING and then the end of the stream, and returns the error's code.
    pub fn expect_closing(&mut self) -> u16 {
        let last = self.receive();
        let code =
            if last.kind == CLOSING { u16::from_be_bytes([last.payload[0], last.payload[1]]) } else { last.error().0 };
        self.expect_end();
        code
    }

    /// Waits until the hub no longer lists this id.
    pub fn wait_until_gone(&mut self, id: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.list().contains(&id) {
            assert!(Instant::now() < deadline, "{id} is still listed");
        }
    }
}
