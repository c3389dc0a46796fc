//! The part of MQTT 3.1.1 that a load generator needs: clean sessions, `QoS` 0, a topic for each group.

use crate::bench::load::{Driver, FRONT_MIN, Incoming, Part};
use std::sync::atomic::{AtomicU32, Ordering};

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;
const DISCONNECT: u8 = 0xE0;

/// The code of a SUBACK that grants no `QoS`.
const SUBSCRIPTION_FAILED: u8 = 0x80;

/// One client of a broker.
#[derive(Default)]
pub struct Mqtt {
    /// The topic after its length, as PUBLISH and SUBSCRIBE carry it.
    topic: Vec<u8>,
    /// Whether it is ready with a SUBACK rather than with a CONNACK.
    subscribes: bool,
}

impl Driver for Mqtt {
    fn open(&mut self, part: Part, out: &mut Vec<u8>) {
        // A client identifier of our own is shorter than one that the broker invents.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let client = format!("c{:06}", NEXT.fetch_add(1, Ordering::Relaxed));
        let group = part.group();
        self.topic = text(&format!("g{group}"));
        self.subscribes = matches!(part, Part::Subscriber(_));
        // Level 4; a clean session; no keep-alive.
        packet(CONNECT, &[&text("MQTT")[..], &[4, 0x02, 0, 0], &text(&client)], out);
        if self.subscribes {
            packet(SUBSCRIBE, &[&[0, 1], &self.topic, &[0]], out);
        }
    }

    fn publish(&mut self, body: &[u8], out: &mut Vec<u8>) {
        packet(PUBLISH, &[&self.topic, body], out);
    }

    #[inline]
    fn next<'a>(&mut self, input: &'a [u8], _out: &mut Vec<u8>) -> Result<Option<(usize, Incoming<'a>)>, String> {
        let Some((head_len, length)) = head(input)? else { return Ok(None) };
        let whole = head_len + length;
        let Some(packet) = input.get(head_len..whole) else { return Ok(None) };
        let heard = match (input[0], packet) {
            (PUBLISH, [high, low, rest @ ..]) => {
                let topic_len = usize::from(u16::from_be_bytes([*high, *low]));
                Incoming::Body(rest.get(topic_len..).ok_or("a topic is longer than its packet")?)
            }
            (CONNACK, [_, 0]) if self.subscribes => Incoming::Other,
            (CONNACK, [_, 0]) => Incoming::Ready(0),
            (CONNACK, [_, code]) => Incoming::Refused(format!("the broker refuses the connection with code {code}")),
            (SUBACK, [_, _, SUBSCRIPTION_FAILED]) => {
                Incoming::Refused("the broker refuses the subscription".to_owned())
            }
            (SUBACK, [_, _, _]) => Incoming::Ready(0),
            (kind, _) => {
                return Err(format!("unexpected packet of {length} bytes that begins with {kind:#04x}"));
            }
        };
        Ok(Some((whole, heard)))
    }

    fn leave(&mut self, out: &mut Vec<u8>) {
        packet(DISCONNECT, &[], out);
    }

    fn decode_front<'a>(&mut self, front: &'a [u8]) -> Option<(usize, &'a [u8])> {
        let (head_len, length) = head(front).ok().flatten()?;
        let body = front.get(head_len + self.topic.len()..)?;
        (front[0] == PUBLISH && body.len() >= FRONT_MIN).then_some((head_len + length, body))
    }
}

/// The length of a packet's head, and of what follows it. `None` if the head is incomplete.
#[inline]
fn head(input: &[u8]) -> Result<Option<(usize, usize)>, String> {
    let mut length = 0;
    for (at, byte) in input.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((at + 2, length)));
        }
    }
    if input.len() < 5 { Ok(None) } else { Err("a packet's length has more than four bytes".to_owned()) }
}

/// Appends a packet: its first byte, its length in groups of seven bits, and its parts.
fn packet(first: u8, parts: &[&[u8]], out: &mut Vec<u8>) {
    out.push(first);
    let mut length: usize = parts.iter().map(|part| part.len()).sum();
    while length > 0x7F {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// Text after its length.
fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("names here are short");
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}
