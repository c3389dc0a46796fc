//! Lists with names in them, still as bytes: those whom a SEND names, and those whom a WHO reply shows.

use super::UserId;
use super::field::{Fields, Misfit, put_str8};
use std::fmt;

/// A list of names, each a str8, still as bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Names<'a> {
    count: u16,
    bytes: &'a [u8],
}

impl<'a> Names<'a> {
    /// Those in `bytes`, or `None` where they are no whole number of names, not text, or over 65,535.
    pub fn new(bytes: &'a [u8]) -> Option<Names<'a>> {
        let mut fields = Fields(bytes);
        let mut count = 0u16;
        while !fields.is_empty() {
            fields.str8("name").ok()?;
            count = count.checked_add(1)?;
        }
        Some(Names { count, bytes })
    }

    /// Reads `count` names from the front of `fields`.
    pub(super) fn read(count: u16, fields: &mut Fields<'a>) -> Result<Names<'a>, Misfit> {
        let all = fields.0;
        (0..count).try_for_each(|_| fields.str8("list of names").map(drop))?;
        Ok(Names { count, bytes: &all[..all.len() - fields.0.len()] })
    }

    /// Appends names to `out` as a list. One over 255 bytes is cut between characters.
    pub fn encode<'n>(names: impl IntoIterator<Item = &'n str>, out: &mut Vec<u8>) {
        names.into_iter().for_each(|name| put_str8(out, name));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count.into()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Each name, in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut fields = Fields(self.bytes);
        std::iter::from_fn(move || fields.str8("name").ok())
    }

    /// The list itself.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Sessions and what each calls itself, still as bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Members<'a>(&'a [u8]);

impl<'a> Members<'a> {
    /// Those in `bytes`, which must be whole: a user id and a str8 each.
    pub(super) fn read(fields: &mut Fields<'a>) -> Result<Members<'a>, Misfit> {
        let bytes = fields.0;
        while !fields.is_empty() {
            read_member(fields)?;
        }
        Ok(Members(bytes))
    }

    /// Those in `bytes`, or `None` where they are not whole.
    pub fn new(bytes: &'a [u8]) -> Option<Members<'a>> {
        Members::read(&mut Fields(bytes)).ok()
    }

    /// Appends one member to `out`.
    pub fn encode(user: UserId, name: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&user.0.to_be_bytes());
        put_str8(out, name);
    }

    /// Each member, in order: its id, and its name, which is empty where it has none.
    pub fn iter(&self) -> impl Iterator<Item = (UserId, &'a str)> + use<'a> {
        let mut fields = Fields(self.0);
        std::iter::from_fn(move || read_member(&mut fields).ok())
    }

    /// The list itself.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

fn read_member<'a>(fields: &mut Fields<'a>) -> Result<(UserId, &'a str), Misfit> {
    Ok((fields.id("member's id")?, fields.str8("member's name")?))
}

impl fmt::Debug for Members<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        let mut bytes = Vec::new();
        Names::encode(["ann", "", "李"], &mut bytes);
        let names = Names::new(&bytes).expect("three names");
        assert_eq!((names.len(), names.iter().collect::<Vec<_>>()), (3, vec!["ann", "", "李"]));
        assert_eq!(Names::new(&bytes[..bytes.len() - 1]), None);
    }

    #[test]
    fn only_the_names_counted_are_read() {
        let mut fields = Fields(&[1, b'a', 1, b'b', 9]);
        let names = Names::read(2, &mut fields).expect("two names");
        assert_eq!((names.as_bytes(), fields.rest()), (&[1, b'a', 1, b'b'][..], &[9][..]));
    }

    #[test]
    fn members_go_there_and_back() {
        let mut bytes = Vec::new();
        Members::encode(UserId(7), "ann", &mut bytes);
        Members::encode(UserId(9), "", &mut bytes);
        let members = Members::new(&bytes).expect("two members");
        assert_eq!(members.iter().collect::<Vec<_>>(), [(UserId(7), "ann"), (UserId(9), "")]);
        assert_eq!(Members::new(&bytes[1..]), None);
    }
}
