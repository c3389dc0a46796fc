//! Lists of names, as the bytes of the frame: the receivers of a SEND, and the members in a WHO reply.

use super::UserId;
use super::field::{FieldError, FieldReader, put_str8};
use std::fmt;

/// A list of names, each a str8, as the bytes of the frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Names<'a> {
    count: u16,
    bytes: &'a [u8],
}

impl<'a> Names<'a> {
    /// The names in `bytes`; `None` if the last name is cut short, one is not UTF-8, or there are over 65,535.
    pub fn new(bytes: &'a [u8]) -> Option<Names<'a>> {
        let mut fields = FieldReader(bytes);
        let mut count = 0u16;
        while !fields.is_empty() {
            fields.str8("name").ok()?;
            count = count.checked_add(1)?;
        }
        Some(Names { count, bytes })
    }

    /// Reads `count` names from the front of `fields`.
    #[inline]
    pub(super) fn read(count: u16, fields: &mut FieldReader<'a>) -> Result<Names<'a>, FieldError> {
        let all = fields.0;
        (0..count).try_for_each(|_| fields.str8("list of names").map(drop))?;
        Ok(Names { count, bytes: &all[..all.len() - fields.0.len()] })
    }

    /// Appends names to `out` as a list. A name over 255 bytes is cut between characters.
    pub fn encode<'n>(names: impl IntoIterator<Item = &'n str>, out: &mut Vec<u8>) {
        names.into_iter().for_each(|name| put_str8(out, name));
    }

    /// The number of names.
    #[inline]
    pub fn len(&self) -> usize {
        self.count.into()
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Each name, in order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut fields = FieldReader(self.bytes);
        std::iter::from_fn(move || fields.str8("name").ok())
    }

    /// The bytes of the list.
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Sessions with their names, as the bytes of the frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Members<'a>(&'a [u8]);

impl<'a> Members<'a> {
    /// Reads members to the end of `fields`: a user id and a str8 each.
    pub(super) fn read(fields: &mut FieldReader<'a>) -> Result<Members<'a>, FieldError> {
        let bytes = fields.0;
        while !fields.is_empty() {
            read_member(fields)?;
        }
        Ok(Members(bytes))
    }

    /// The members in `bytes`; `None` if the last one is cut short, or if a name is not UTF-8.
    pub fn new(bytes: &'a [u8]) -> Option<Members<'a>> {
        Members::read(&mut FieldReader(bytes)).ok()
    }

    /// Appends one member to `out`.
    pub fn encode(user: UserId, name: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&user.0.to_be_bytes());
        put_str8(out, name);
    }

    /// Each member, in order: its id, and its name, which is empty if it has none.
    pub fn iter(&self) -> impl Iterator<Item = (UserId, &'a str)> + use<'a> {
        let mut fields = FieldReader(self.0);
        std::iter::from_fn(move || read_member(&mut fields).ok())
    }

    /// The bytes of the list.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

fn read_member<'a>(fields: &mut FieldReader<'a>) -> Result<(UserId, &'a str), FieldError> {
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
    fn as_many_names_are_read_as_were_counted() {
        let mut fields = FieldReader(&[1, b'a', 1, b'b', 9]);
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
