//! Reads a text in JSON from front to back, without a tree of values. A string without escapes is borrowed; one with
//! escapes is decoded into one buffer of exactly its size. So reading a text takes no more memory than its strings.

use super::escape::{self, Escape};
use std::borrow::Cow;
use std::fmt::Display;

/// How deep arrays and objects may be nested in a value that is skipped.
const MAX_DEPTH: usize = 127;

/// A text in JSON.
#[derive(Clone, Copy, Debug)]
pub struct Text<'t> {
    /// The text.
    pub text: &'t str,
    /// Bytes at its front that were [compacted](super::compact): strings there may have bare control characters.
    pub compacted: usize,
}

impl<'t> From<&'t str> for Text<'t> {
    fn from(text: &'t str) -> Text<'t> {
        Text { text, compacted: 0 }
    }
}

/// Reads a text. Each error is for a person to read, and ends with its line and column.
#[derive(Debug)]
pub struct Scanner<'t> {
    source: Text<'t>,
    /// Where the next token begins, or the space before it.
    at: usize,
}

impl<'t> Scanner<'t> {
    /// A scanner at the front of a text.
    pub fn new(source: Text<'t>) -> Scanner<'t> {
        Scanner { source, at: 0 }
    }

    fn bytes(&self) -> &'t [u8] {
        self.source.text.as_bytes()
    }

    /// The first byte of the next token; `None` at the end of the text.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes().get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// An error at the next token, or at the end of the text.
    pub fn unexpected<T>(&mut self, expected: impl Display) -> Result<T, String> {
        match self.peek() {
            Some(_) => self.error_at(self.at + 1, format_args!("expected {expected}")),
            None => self.error_at(self.at, format_args!("the text ends, expected {expected}")),
        }
    }

    /// An error in the token that was read last.
    pub fn error<T>(&self, why: impl Display) -> Result<T, String> {
        self.error_at(self.at, why)
    }

    fn error_at<T>(&self, end: usize, why: impl Display) -> Result<T, String> {
        let before = &self.bytes()[..end];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let column = end - before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        Err(format!("{why} at line {line} column {column}"))
    }

    fn expect(&mut self, byte: u8, name: &str) -> Result<(), String> {
        if self.peek() != Some(byte) {
            return self.unexpected(name);
        }
        self.at += 1;
        Ok(())
    }

    /// An object. `member` reads what follows each key: the [colon](Scanner::colon) and the value.
    pub fn object(
        &mut self,
        mut member: impl FnMut(&mut Scanner<'t>, Cow<'t, str>) -> Result<(), String>,
    ) -> Result<(), String> {
        self.expect(b'{', "an object")?;
        self.items(b'}', "a comma or }", |scanner| {
            if scanner.peek() != Some(b'"') {
                return scanner.unexpected("a key in double quotes");
            }
            let key = scanner.string()?;
            member(scanner, key)
        })
    }

    /// The colon between a key and its value.
    pub fn colon(&mut self) -> Result<(), String> {
        self.expect(b':', "a colon")
    }

    /// A list. `item` reads each item.
    pub fn list(&mut self, item: impl FnMut(&mut Scanner<'t>) -> Result<(), String>) -> Result<(), String> {
        self.expect(b'[', "a list")?;
        self.items(b']', "a comma or ]", item)
    }

    fn items(
        &mut self,
        end: u8,
        separator: &str,
        mut item: impl FnMut(&mut Scanner<'t>) -> Result<(), String>,
    ) -> Result<(), String> {
        if self.peek() == Some(end) {
            self.at += 1;
            return Ok(());
        }
        loop {
            item(self)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(byte) if byte == end => {
                    self.at += 1;
                    return Ok(());
                }
                Some(_) | None => return self.unexpected(separator),
            }
        }
    }

    /// A string.
    pub fn string(&mut self) -> Result<Cow<'t, str>, String> {
        self.expect(b'"', "a string")?;
        let (start, mut saved) = (self.at, 0);
        loop {
            match self.skip_plain() {
                Some(b'"') => break,
                Some(b'\\') => match escape::read(&self.bytes()[self.at..]) {
                    Escape::Char(c, len) => {
                        saved += len - c.len_utf8();
                        self.at += len;
                    }
                    Escape::Unfinished | Escape::Invalid => return self.unexpected("a whole escape of JSON"),
                },
                Some(_) => return self.error_at(self.at + 1, "a string has a control character that is not escaped"),
                None => return self.unexpected("the end of a string"),
            }
        }
        let raw = &self.source.text[start..self.at];
        self.at += 1;
        Ok(if saved == 0 { raw.into() } else { unescaped(raw, raw.len() - saved).into() })
    }

    /// Skips to what ends or interrupts the plain text of a string, and returns that byte.
    fn skip_plain(&mut self) -> Option<u8> {
        let (bytes, compacted) = (self.bytes(), self.source.compacted);
        if let Some(front) = bytes.get(self.at..compacted) {
            let special = front.iter().position(|&byte| byte == b'"' || byte == b'\\');
            self.at = special.map_or(compacted, |special| self.at + special);
            if special.is_some() {
                return Some(bytes[self.at]);
            }
        }
        let is_special = |&byte: &u8| byte == b'"' || byte == b'\\' || byte < b' ';
        let rest = &bytes[self.at..];
        self.at += rest.iter().position(is_special).unwrap_or(rest.len());
        bytes.get(self.at).copied()
    }

    /// A number that is not negative, has no fraction and fits.
    pub fn number(&mut self) -> Result<u64, String> {
        let Some(first @ b'0'..=b'9') = self.peek() else { return self.unexpected("a number from 0 on") };
        let (start, mut number) = (self.at, Some(0_u64));
        while let Some(digit @ b'0'..=b'9') = self.bytes().get(self.at) {
            number = number.and_then(|number| number.checked_mul(10)?.checked_add((digit - b'0').into()));
            self.at += 1;
        }
        if first == b'0' && self.at > start + 1 {
            return self.error_at(start + 2, "a number begins with 0");
        }
        if let Some(b'.' | b'e' | b'E') = self.bytes().get(self.at) {
            return self.error_at(self.at + 1, "expected a whole number");
        }
        number.map_or_else(|| self.error("a number is too large"), Ok)
    }

    /// `true` or `false`.
    pub fn flag(&mut self) -> Result<bool, String> {
        self.peek();
        for (word, value) in [("true", true), ("false", false)] {
            if self.takes(word) {
                return Ok(value);
            }
        }
        self.unexpected("true or false")
    }

    /// Takes a word if it is here.
    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.bytes()[self.at..].starts_with(word.as_bytes());
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    /// Takes `null` if it comes next.
    pub fn takes_null(&mut self) -> bool {
        self.peek();
        self.takes("null")
    }

    /// Skips a value of any type.
    pub fn skip(&mut self) -> Result<(), String> {
        self.skip_within(MAX_DEPTH)
    }

    fn skip_within(&mut self, depth: usize) -> Result<(), String> {
        let Some(inner) = depth.checked_sub(1) else { return self.error("the values are nested too deep") };
        match self.peek() {
            Some(b'{') => self.object(|scanner, _| scanner.colon().and_then(|()| scanner.skip_within(inner))),
            Some(b'[') => self.list(|scanner| scanner.skip_within(inner)),
            Some(b'"') => self.string().map(drop),
            Some(b't' | b'f') => self.flag().map(drop),
            Some(b'n') if self.takes_null() => Ok(()),
            Some(b'-' | b'0'..=b'9') => self.skip_number(),
            Some(_) | None => self.unexpected("a value"),
        }
    }

    /// Skips a number of any form.
    fn skip_number(&mut self) -> Result<(), String> {
        self.takes("-");
        if !self.takes("0") {
            self.skip_digits()?;
        }
        if self.takes(".") {
            self.skip_digits()?;
        }
        if self.takes("e") || self.takes("E") {
            let _has_sign = self.takes("+") || self.takes("-");
            self.skip_digits()?;
        }
        Ok(())
    }

    fn skip_digits(&mut self) -> Result<(), String> {
        let len = self.bytes()[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if len == 0 {
            return self.unexpected("a digit");
        }
        self.at += len;
        Ok(())
    }

    /// Checks that nothing follows.
    pub fn end(&mut self) -> Result<(), String> {
        if self.peek().is_some() { self.unexpected("nothing after the object") } else { Ok(()) }
    }
}

/// The text of a string whose escapes are known to be valid, and stand for `len` bytes with the rest.
fn unescaped(raw: &str, len: usize) -> String {
    let (mut text, mut rest) = (String::with_capacity(len), raw);
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let Escape::Char(c, escape_len) = escape::read(&rest.as_bytes()[at..]) else {
            unreachable!("the scanner has read the escape");
        };
        text.push(c);
        rest = &rest[at + escape_len..];
    }
    text.push_str(rest);
    debug_assert_eq!((text.len(), text.capacity() >= len), (len, true));
    text
}

#[cfg(test)]
mod tests;
