//! JSON objects as they are written: members are appended to a buffer, and no tree of values is built.

use crate::wire::{Status, UserId};
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Display;
use std::io::Write;

/// What `expect` says of the writes below.
const INFALLIBLE: &str = "writing to a vector does not fail";

/// An object that is being written. It is complete after [`end`](Object::end).
#[derive(Debug)]
#[must_use = "an object is incomplete before `end`"]
pub struct Object<'o>(&'o mut Vec<u8>);

impl<'o> Object<'o> {
    /// Begins an object at the end of `out`.
    pub fn begin(out: &'o mut Vec<u8>) -> Object<'o> {
        out.push(b'{');
        Object(out)
    }

    /// Ends the object.
    pub fn end(self) {
        self.0.push(b'}');
    }

    /// Appends a member whose value is JSON already.
    pub fn literal(self, key: &str, json: impl Display) -> Object<'o> {
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
        write!(self.0, "\"{key}\":{json}").expect(INFALLIBLE);
        self
    }

    /// Appends a number.
    pub fn number(self, key: &str, value: impl Into<u64>) -> Object<'o> {
        self.literal(key, value.into())
    }

    /// Appends a number, unless it is absent.
    pub fn number_if_any(self, key: &str, value: Option<impl Into<u64>>) -> Object<'o> {
        match value {
            Some(value) => self.number(key, value),
            None => self,
        }
    }

    /// Appends `true` or `false`.
    pub fn flag(self, key: &str, value: bool) -> Object<'o> {
        self.literal(key, value)
    }

    /// Appends an id as a decimal string, because a u64 does not fit the numbers of many JSON readers.
    pub fn id(self, key: &str, id: UserId) -> Object<'o> {
        self.decimal(key, id.0)
    }

    /// The same for any number of this size.
    pub fn decimal(self, key: &str, number: u64) -> Object<'o> {
        self.literal(key, format_args!("\"{number}\""))
    }

    /// Appends a text.
    pub fn text(self, key: &str, text: &str) -> Object<'o> {
        let object = self.literal(key, "");
        serde_json::to_writer(&mut *object.0, text).expect(INFALLIBLE);
        object
    }

    /// Appends a body: `body` if it is text, else `bodyBase64`.
    pub fn body(self, body: &[u8]) -> Object<'o> {
        match str::from_utf8(body) {
            Ok(text) => self.text("body", text),
            Err(_) => self.literal("bodyBase64", format_args!("\"{}\"", Base64Display::new(body, &STANDARD))),
        }
    }

    /// Appends a list. `write` appends each item.
    pub fn list<T>(
        self,
        key: &str,
        items: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut Vec<u8>, T),
    ) -> Object<'o> {
        let object = self.literal(key, "[");
        for (i, item) in items.enumerate() {
            if i > 0 {
                object.0.push(b',');
            }
            write(object.0, item);
        }
        object.0.push(b']');
        object
    }

    /// Appends a list that ends before the object has more than `most` bytes, but not before its first item. If items
    /// are left out, the member `more` says so.
    pub fn page<T>(
        self,
        key: &str,
        items: impl Iterator<Item = T>,
        most: usize,
        mut write: impl FnMut(&mut Vec<u8>, T),
    ) -> Object<'o> {
        let object = self.literal(key, "[");
        let (start, mut more) = (object.0.len(), false);
        for item in items {
            let before = object.0.len();
            if before > start {
                object.0.push(b',');
            }
            write(object.0, item);
            if before > start && object.0.len() > most {
                object.0.truncate(before);
                more = true;
                break;
            }
        }
        object.0.push(b']');
        if more { object.flag("more", true) } else { object }
    }

    /// Appends a list of ids.
    pub fn ids(self, key: &str, ids: impl Iterator<Item = UserId>) -> Object<'o> {
        self.list(key, ids, put_id)
    }

    /// Appends the statuses of a receipt by name.
    pub fn statuses(self, statuses: &[u8]) -> Object<'o> {
        let names = statuses.iter().filter_map(|&byte| Status::of(byte)).map(Status::name);
        self.list("statuses", names, |out, name| write!(out, "\"{name}\"").expect(INFALLIBLE))
    }

    /// Appends the members of a room: the id and the name of each. A name may be empty.
    pub fn members<'m>(self, members: impl Iterator<Item = (UserId, &'m str)>) -> Object<'o> {
        self.list("members", members, put_member)
    }
}

/// Appends an id, as a string.
pub fn put_id(out: &mut Vec<u8>, id: UserId) {
    write!(out, "\"{id}\"").expect(INFALLIBLE);
}

/// Appends a member of a room. Its name may be empty.
pub fn put_member(out: &mut Vec<u8>, (id, name): (UserId, &str)) {
    Object::begin(out).id("userId", id).text("name", name).end();
}
