//! The protocol of NATS, as far as a load generator speaks it: core PUB and SUB, a subject for each group. It owns no
//! socket.

use crate::load::{Dialect, Heard, Part};
use std::io::Write;

/// What every line ends with.
const END: &[u8] = b"\r\n";

/// Bytes of a body that the generator wants to see of one that is not whole.
const GLIMPSE: usize = 16;

/// One client of a NATS server.
#[derive(Default)]
pub struct Nats {
    /// All of a PUB before the length of the body.
    head: Vec<u8>,
    /// Whether a body was shown by its front, so that its END is heard by itself.
    end_to_come: bool,
}

impl Dialect for Nats {
    fn greet(&mut self, part: Part, out: &mut Vec<u8>) {
        let (Part::Publisher(group) | Part::Subscriber(group)) = part;
        self.head = format!("PUB g{group} ").into_bytes();
        out.extend_from_slice(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":false}\r\n");
        if let Part::Subscriber(group) = part {
            out.extend_from_slice(format!("SUB g{group} 1\r\n").as_bytes());
        }
        // Its answer says that what stands before it is done.
        out.extend_from_slice(b"PING\r\n");
    }

    fn publish(&mut self, body: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        write!(out, "{}\r\n", body.len()).expect("memory takes all");
        out.extend_from_slice(body);
        out.extend_from_slice(END);
    }

    #[inline]
    fn next<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Result<Option<(usize, Heard<'a>)>, String> {
        let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line = input[..end].strip_suffix(b"\r").ok_or("a line that does not end with CR LF")?;
        let start = end + 1;
        let heard = match line {
            [b'M', b'S', b'G', b' ', ..] => {
                let length = length(line)?;
                let whole = start + length + END.len();
                return Ok((input.len() >= whole).then(|| (whole, Heard::Body(&input[start..start + length]))));
            }
            b"" if self.end_to_come => {
                self.end_to_come = false;
                Heard::Other
            }
            b"PONG" => Heard::Ready(0),
            b"PING" => {
                out.extend_from_slice(b"PONG\r\n");
                Heard::Other
            }
            [b'-', b'E', b'R', b'R', why @ ..] => Heard::Refused(String::from_utf8_lossy(why).trim().to_owned()),
            [b'I', b'N', b'F', b'O', ..] | b"+OK" => Heard::Other,
            _ => return Err(format!("{:?} is no line to come", String::from_utf8_lossy(line))),
        };
        Ok(Some((start, heard)))
    }

    fn glimpse<'a>(&mut self, front: &'a [u8]) -> Option<(usize, &'a [u8])> {
        let end = front.iter().position(|byte| *byte == b'\n')?;
        let line = front[..end].strip_suffix(b"\r").filter(|line| line.starts_with(b"MSG "))?;
        let body = &front[end + 1..];
        let length = length(line).ok()?;
        // The generator takes what follows the front for the body alone, so it ends there.
        self.end_to_come = (GLIMPSE..length).contains(&body.len());
        self.end_to_come.then_some((end + 1 + length, body))
    }
}

/// The last field of a MSG: the length of its body.
#[inline]
fn length(line: &[u8]) -> Result<usize, String> {
    let digits = line.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&digits) {
        return Err("a message without a length".to_owned());
    }
    Ok(line[line.len() - digits..].iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0')))
}
