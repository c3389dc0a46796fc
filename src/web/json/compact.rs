//! Makes the unfinished text of a message shorter while it arrives: escapes become the characters that they stand for,
//! and the space between tokens becomes one space. A body of control characters, which takes six times its length in
//! JSON, is so kept in its own length.
//!
//! In the result, strings have bare control characters, and `\"` and `\\` only as escapes. What is no JSON cannot
//! become JSON by this: a control character or an invalid escape ends the text, and what follows is not kept.

use super::escape::{self, Escape};
use std::borrow::Cow;

/// How much of a text is compacted.
#[derive(Debug, Default)]
pub struct Compactor {
    /// Bytes at the front of the text that are compacted.
    done: usize,
    /// Bytes by which the text has become shorter.
    removed: usize,
    /// What is compacted ends within a string.
    in_string: bool,
    /// What follows them is no JSON, whatever comes, and this is all that is kept of the text.
    end: Option<usize>,
}

impl Compactor {
    /// Bytes at the front of the text that are compacted.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Bytes by which the text has become shorter.
    pub fn removed(&self) -> usize {
        self.removed
    }

    /// Compacts the rest of a text that has arrived, if the front is. Returns it, and how much of it is compacted.
    pub fn finish(mut self, text: Cow<'_, str>) -> (Cow<'_, str>, usize) {
        if self.done == 0 {
            return (text, 0);
        }
        let mut bytes = text.into_owned().into_bytes();
        self.compact(&mut bytes);
        (String::from_utf8(bytes).expect("characters were replaced by characters").into(), self.done)
    }

    /// Compacts what has been appended to a text, but for an unfinished escape at its end.
    pub fn compact(&mut self, text: &mut Vec<u8>) {
        let before = text.len();
        let mut read = self.done;
        let mut out = Output { text, len: self.done };
        while self.end.is_none() && read < out.text.len() {
            let taken = if self.in_string { self.in_string(&mut out, read) } else { self.between(&mut out, read) };
            if taken == 0 {
                break;
            }
            read += taken;
        }
        self.done = out.len;
        let Output { text, len } = out;
        match self.end {
            Some(end) => text.truncate(end),
            None => drop(text.drain(len..read)),
        }
        self.removed += before - text.len();
    }

    /// Compacts a piece outside of strings. Returns its length.
    fn between(&mut self, out: &mut Output<'_>, read: usize) -> usize {
        let is_space = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let byte = out.text[read];
        self.in_string = byte == b'"';
        if !is_space(byte) || !out.text[..out.len].last().is_some_and(|&last| is_space(last)) {
            out.push(&[byte]);
        }
        1
    }

    /// Compacts a piece of a string. Returns its length; 0 if more bytes are needed, or if it is no JSON.
    fn in_string(&mut self, out: &mut Output<'_>, read: usize) -> usize {
        let is_special = |&byte: &u8| byte == b'"' || byte == b'\\' || byte < b' ';
        let rest = &out.text[read..];
        let plain = rest.iter().position(is_special).unwrap_or(rest.len());
        if plain > 0 {
            out.shift(read, plain);
            return plain;
        }
        match rest[0] {
            b'"' => {
                self.in_string = false;
                out.push(b"\"");
                1
            }
            b'\\' => self.escape(out, read),
            control => self.give_up(out, &[control]),
        }
    }

    fn escape(&mut self, out: &mut Output<'_>, read: usize) -> usize {
        match escape::read(&out.text[read..]) {
            Escape::Char(c @ ('"' | '\\'), len) => {
                out.push(&[b'\\', c as u8]);
                len
            }
            Escape::Char(c, len) => {
                out.push(c.encode_utf8(&mut [0; 4]).as_bytes());
                len
            }
            Escape::Unfinished => 0,
            Escape::Invalid => self.give_up(out, b"\\ "),
        }
    }

    /// Replaces the rest by ASCII that is wrong in the same way, for the error.
    fn give_up(&mut self, out: &mut Output<'_>, wrong: &[u8]) -> usize {
        out.text.truncate(out.len);
        out.text.extend_from_slice(wrong);
        self.end = Some(out.text.len());
        0
    }
}

/// The front of a text, which is written over what has been read of it.
struct Output<'a> {
    text: &'a mut Vec<u8>,
    len: usize,
}

impl Output<'_> {
    /// Appends bytes, which must take no more room than those that they replace.
    fn push(&mut self, bytes: &[u8]) {
        self.text[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Appends `len` bytes that stand further behind.
    fn shift(&mut self, from: usize, len: usize) {
        self.text.copy_within(from..from + len, self.len);
        self.len += len;
    }
}

#[cfg(test)]
mod tests;
