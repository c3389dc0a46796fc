//! What the byte repeater is spoken to in: a greeting that says who one is, then bodies after their lengths, which the
//! repeater does not look at. It owns no socket.

use crate::load::{Dialect, Heard, Part};

/// The first byte of a greeting; the number of the group follows it.
pub const PUBLISHER: u8 = b'P';
/// The same of those who hear.
pub const SUBSCRIBER: u8 = b'S';
/// Bytes of a greeting.
pub const GREETING_LEN: usize = 5;
/// What the repeater says to it.
pub const WELCOME: u8 = b'!';

/// Bytes of a body that the generator wants to see of one that is not whole.
const GLIMPSE: usize = 16;

/// One client of the repeater.
#[derive(Default)]
pub struct Wire {
    is_in: bool,
}

impl Dialect for Wire {
    fn greet(&mut self, part: Part, out: &mut Vec<u8>) {
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
    fn next<'a>(&mut self, input: &'a [u8], _out: &mut Vec<u8>) -> Result<Option<(usize, Heard<'a>)>, String> {
        if !self.is_in {
            return match input.first() {
                None => Ok(None),
                Some(&WELCOME) => {
                    self.is_in = true;
                    Ok(Some((1, Heard::Ready(0))))
                }
                Some(other) => Err(format!("{other:#04x} is no welcome")),
            };
        }
        let Some((length, rest)) = input.split_first_chunk() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        Ok(rest.get(..length).map(|body| (4 + length, Heard::Body(body))))
    }

    fn glimpse<'a>(&mut self, front: &'a [u8]) -> Option<(usize, &'a [u8])> {
        let (length, body) = front.split_first_chunk()?;
        (self.is_in && body.len() >= GLIMPSE).then_some((4 + u32::from_be_bytes(*length) as usize, body))
    }
}
