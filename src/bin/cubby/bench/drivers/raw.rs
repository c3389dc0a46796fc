//! The protocol of the byte repeater that the benchmarks compare with: a greeting, then bodies after their lengths,
//! which the repeater does not look at. The repeater itself is `tests/bench/competitors/repeater.rs`.

use crate::bench::load::{Driver, FRONT_MIN, Incoming, Part};

/// The first byte of a publisher's greeting. The number of the group follows it.
const PUBLISHER: u8 = b'P';
/// The first byte of a subscriber's greeting.
const SUBSCRIBER: u8 = b'S';
/// The repeater's answer.
const WELCOME: u8 = b'!';

/// One client of the repeater.
#[derive(Default)]
pub struct Raw {
    is_ready: bool,
}

impl Driver for Raw {
    fn open(&mut self, part: Part, out: &mut Vec<u8>) {
        let (first, group) = match part {
            Part::Publisher(group) => (PUBLISHER, group),
            Part::Subscriber(group) => (SUBSCRIBER, group),
        };
        out.push(first);
        out.extend_from_slice(&group.to_be_bytes());
    }

    fn publish(&mut self, body: &[u8], out: &mut Vec<u8>) {
        let length = u32::try_from(body.len()).expect("bodies here are short");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(body);
    }

    #[inline]
    fn next<'a>(&mut self, input: &'a [u8], _out: &mut Vec<u8>) -> Result<Option<(usize, Incoming<'a>)>, String> {
        if !self.is_ready {
            return match input.first() {
                None => Ok(None),
                Some(&WELCOME) => {
                    self.is_ready = true;
                    Ok(Some((1, Incoming::Ready(0))))
                }
                Some(other) => Err(format!("{other:#04x} is not the answer to a greeting")),
            };
        }
        let Some((length, rest)) = input.split_first_chunk() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        Ok(rest.get(..length).map(|body| (4 + length, Incoming::Body(body))))
    }

    fn decode_front<'a>(&mut self, front: &'a [u8]) -> Option<(usize, &'a [u8])> {
        let (length, body) = front.split_first_chunk()?;
        (self.is_ready && body.len() >= FRONT_MIN).then_some((4 + u32::from_be_bytes(*length) as usize, body))
    }
}
