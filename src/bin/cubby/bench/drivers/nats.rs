//! The part of the NATS protocol that a load generator needs: core PUB and SUB, a subject for each group.

use crate::bench::load::{Driver, FRONT_MIN, Incoming, Part};
use std::io::Write;

/// The end of every line.
const END: &[u8] = b"\r\n";

/// One client of a NATS server.
#[derive(Default)]
pub struct Nats {
    /// A PUB up to the length of its body.
    head: Vec<u8>,
    /// Whether the END of a body, whose front was decoded, is still to come.
    end_to_come: bool,
}

impl Driver for Nats {
    fn open(&mut self, part: Part, out: &mut Vec<u8>) {
        let group = part.group();
        self.head = format!("PUB g{group} ").into_bytes();
        out.extend_from_slice(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":false}\r\n");
        if let Part::Subscriber(group) = part {
            out.extend_from_slice(format!("SUB g{group} 1\r\n").as_bytes());
        }
        // The answer shows that the commands before it are done.
        out.extend_from_slice(b"PING\r\n");
    }

    fn publish(&mut self, body: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        write!(out, "{}\r\n", body.len()).expect("memory takes all");
        out.extend_from_slice(body);
        out.extend_from_slice(END);
    }

    #[inline]
    fn next<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Result<Option<(usize, Incoming<'a>)>, String> {
        let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line = input[..end].strip_suffix(b"\r").ok_or("a line does not end with CR LF")?;
        let start = end + 1;
        let heard = match line {
            [b'M', b'S', b'G', b' ', ..] => {
                let length = length(line)?;
                let whole = start + length + END.len();
                return Ok((input.len() >= whole).then(|| (whole, Incoming::Body(&input[start..start + length]))));
            }
            b"" if self.end_to_come => {
                self.end_to_come = false;
                Incoming::Other
            }
            b"PONG" => Incoming::Ready(0),
            b"PING" => {
                out.extend_from_slice(b"PONG\r\n");
                Incoming::Other
            }
            [b'-', b'E', b'R', b'R', why @ ..] => Incoming::Refused(String::from_utf8_lossy(why).trim().to_owned()),
            [b'I', b'N', b'F', b'O', ..] | b"+OK" => Incoming::Other,
            _ => return Err(format!("{} is no line of it", super::excerpt(line))),
        };
        Ok(Some((start, heard)))
    }

    fn decode_front<'a>(&mut self, front: &'a [u8]) -> Option<(usize, &'a [u8])> {
        let end = front.iter().position(|byte| *byte == b'\n')?;
        let line = front[..end].strip_suffix(b"\r").filter(|line| line.starts_with(b"MSG "))?;
        let body = &front[end + 1..];
        let length = length(line).ok()?;
        // The generator discards the rest of the body. Its END comes to `next`, alone.
        self.end_to_come = (FRONT_MIN..length).contains(&body.len());
        self.end_to_come.then_some((end + 1 + length, body))
    }
}

/// The last field of a MSG: the length of its body.
#[inline]
fn length(line: &[u8]) -> Result<usize, String> {
    let digits = line.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&digits) {
        return Err("a message has no length".to_owned());
    }
    Ok(line[line.len() - digits..].iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0')))
}
