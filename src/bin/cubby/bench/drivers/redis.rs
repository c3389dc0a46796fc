//! The part of RESP 2, the protocol of Redis and Valkey, that a load generator needs: PUBLISH and SUBSCRIBE, a channel
//! for each group.

use crate::bench::load::{Driver, FRONT_MIN, Incoming, Part};
use std::io::Write;

/// The end of every part.
const END: &[u8] = b"\r\n";

/// One client of a Redis server.
#[derive(Default)]
pub struct Redis {
    /// A PUBLISH up to the length of its body.
    publish: Vec<u8>,
    /// A message up to the digits of its length.
    message: Vec<u8>,
    /// The answer to SUBSCRIBE up to its number.
    subscribed: Vec<u8>,
    /// Whether the END of a body, whose front was decoded, is still to come.
    end_to_come: bool,
}

impl Driver for Redis {
    fn open(&mut self, part: Part, out: &mut Vec<u8>) {
        let group = part.group();
        let channel = format!("g{group}");
        let channel = format!("${}\r\n{channel}\r\n", channel.len());
        self.publish = format!("*3\r\n$7\r\nPUBLISH\r\n{channel}$").into_bytes();
        self.message = format!("*3\r\n$7\r\nmessage\r\n{channel}$").into_bytes();
        self.subscribed = format!("*3\r\n$9\r\nsubscribe\r\n{channel}:").into_bytes();
        match part {
            Part::Subscriber(_) => out.extend_from_slice(format!("*2\r\n$9\r\nSUBSCRIBE\r\n{channel}").as_bytes()),
            Part::Publisher(_) => out.extend_from_slice(b"*1\r\n$4\r\nPING\r\n"),
        }
    }

    fn publish(&mut self, body: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.publish);
        write!(out, "{}\r\n", body.len()).expect("memory takes all");
        out.extend_from_slice(body);
        out.extend_from_slice(END);
    }

    #[inline]
    fn next<'a>(&mut self, input: &'a [u8], _out: &mut Vec<u8>) -> Result<Option<(usize, Incoming<'a>)>, String> {
        if input.starts_with(&self.message) {
            let Some((length, start)) = length(self.message.len(), input)? else { return Ok(None) };
            let whole = start + length + END.len();
            return Ok((input.len() >= whole).then(|| (whole, Incoming::Body(&input[start..start + length]))));
        }
        if input.first() == Some(&b'*') {
            return self.answer_to_subscribe(input);
        }
        let Some((line, start)) = line(0, input) else { return Ok(None) };
        let heard = match line {
            b"" if self.end_to_come => {
                self.end_to_come = false;
                Incoming::Other
            }
            // How many received a message that was published.
            [b':', ..] => Incoming::Other,
            b"+PONG" => Incoming::Ready(0),
            [b'-', why @ ..] => Incoming::Refused(String::from_utf8_lossy(why).into_owned()),
            _ => return Err(format!("{} is no line of it", super::excerpt(line))),
        };
        Ok(Some((start, heard)))
    }

    fn decode_front<'a>(&mut self, front: &'a [u8]) -> Option<(usize, &'a [u8])> {
        let is_message = front.starts_with(&self.message);
        let (length, start) = is_message.then(|| length(self.message.len(), front).ok().flatten()).flatten()?;
        let body = &front[start..];
        // The generator discards the rest of the body. Its END comes to `next`, alone.
        self.end_to_come = (FRONT_MIN..length).contains(&body.len());
        self.end_to_come.then_some((start + length, body))
    }
}

impl Redis {
    /// Decodes an array that is no message, or is incomplete.
    fn answer_to_subscribe<'a>(&self, input: &[u8]) -> Result<Option<(usize, Incoming<'a>)>, String> {
        if input.starts_with(&self.subscribed) {
            return Ok(line(self.subscribed.len(), input).map(|(_, start)| (start, Incoming::Ready(0))));
        }
        let may_come = [&self.message, &self.subscribed].into_iter().any(|head| head.starts_with(input));
        if may_come { Ok(None) } else { Err("an array is neither a message nor an answer".to_owned()) }
    }
}

/// The length of a body, which is at `at`, and where the body begins.
#[inline]
fn length(at: usize, input: &[u8]) -> Result<Option<(usize, usize)>, String> {
    let Some((digits, start)) = line(at, input) else { return Ok(None) };
    if !(1..=9).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return Err("a message has no length".to_owned());
    }
    Ok(Some((digits.iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0')), start)))
}

/// The line that begins at `at`, without its END, and where the next one begins.
#[inline]
fn line(at: usize, input: &[u8]) -> Option<(&[u8], usize)> {
    let length = input[at..].windows(2).position(|pair| pair == END)?;
    Some((&input[at..at + length], at + length + END.len()))
}
