//! The keys of requests in JSON: what each may hold, and which of them a request has.

use crate::wire::{Ids, Names, UserId};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// The most bytes of an error text: what a native error has room for.
pub const MAX_ERROR_TEXT: usize = u8::MAX as usize;

/// Every key that a request may have.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Keys<'t> {
    #[serde(borrow)]
    pub r#type: Option<Cow<'t, str>>,
    pub tag: Option<u16>,
    #[serde(borrow)]
    pub name: Option<Cow<'t, str>>,
    #[serde(borrow)]
    pub token: Option<Cow<'t, str>>,
    pub to: Option<List<Id>>,
    #[serde(borrow)]
    pub names: Option<List<Cow<'t, str>>>,
    #[serde(borrow)]
    pub body: Option<Cow<'t, str>>,
    #[serde(borrow)]
    pub body_base64: Option<Cow<'t, str>>,
    pub receipt: Option<bool>,
    pub store: Option<bool>,
    pub mail_id: Option<Id>,
    #[serde(borrow)]
    pub room: Option<Cow<'t, str>>,
    pub no_echo: Option<bool>,
    pub after: Option<u64>,
    pub limit: Option<u32>,
}

impl Keys<'_> {
    /// Each key that only some requests may have, and whether this request has it.
    fn given(&self) -> [(&'static str, bool); 13] {
        [
            ("name", self.name.is_some()),
            ("token", self.token.is_some()),
            ("to", self.to.is_some()),
            ("names", self.names.is_some()),
            ("body", self.body.is_some()),
            ("bodyBase64", self.body_base64.is_some()),
            ("receipt", self.receipt.is_some()),
            ("store", self.store.is_some()),
            ("mailId", self.mail_id.is_some()),
            ("room", self.room.is_some()),
            ("noEcho", self.no_echo.is_some()),
            ("after", self.after.is_some()),
            ("limit", self.limit.is_some()),
        ]
    }

    /// Checks that a request of the type `name` has no other keys than `keys`, and all of those that end in `!` there.
    ///
    /// # Errors
    ///
    /// The first key that is wrong, for a person to read.
    pub fn check(&self, name: &str, keys: &[&str]) -> Result<(), String> {
        let is_allowed = |key: &str| keys.iter().any(|allowed| allowed.trim_end_matches('!') == key);
        let given = self.given();
        if let Some((key, _)) = given.iter().find(|(key, is_given)| *is_given && !is_allowed(key)) {
            return Err(format!("{name:?} has no key {key:?}"));
        }
        let is_missing = |key: &&str| given.iter().any(|(given, is_given)| given == key && !is_given);
        match keys.iter().filter_map(|key| key.strip_suffix('!')).find(is_missing) {
            Some(key) => Err(format!("{name:?} needs the key {key:?}")),
            None => Ok(()),
        }
    }

    /// The bytes of `bodyBase64`, if the request has it.
    ///
    /// # Errors
    ///
    /// Why these are no bytes, for a person to read.
    pub fn decode_body(&self) -> Result<Option<Vec<u8>>, String> {
        match (&self.body, &self.body_base64) {
            (Some(_), Some(_)) => Err("the keys \"body\" and \"bodyBase64\" are both there; give one".to_owned()),
            (_, None) => Ok(None),
            (None, Some(text)) => match STANDARD.decode(text.as_bytes()) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) => Err(format!("\"bodyBase64\" is no base64: {error}")),
            },
        }
    }

    /// The number of receivers that the request names, which may be more than were kept.
    pub fn receivers(&self) -> usize {
        let of_ids = self.to.as_ref().map_or(0, |to| to.total);
        let of_names = self.names.as_ref().map_or(0, |names| names.total);
        of_ids.max(of_names)
    }

    /// The receivers as the block of ids or names that a native request has.
    pub fn receiver_block(&self) -> Vec<u8> {
        let mut block = Vec::new();
        if let Some(to) = &self.to {
            let ids: Vec<UserId> = to.items.iter().map(|id| id.0).collect();
            Ids::encode(&ids, &mut block);
        }
        if let Some(names) = &self.names {
            Names::encode(names.items.iter().map(|name| &name[..]), &mut block);
        }
        block
    }
}

/// A list. It counts all its items, but keeps at most as many as a native request can name: a message has room for
/// millions, and each takes more memory here than there.
#[derive(Debug)]
pub struct List<T> {
    items: Vec<T>,
    total: usize,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<List<T>, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<List<T>, A::Error> {
                let mut list = List { items: Vec::new(), total: 0 };
                while let Some(item) = elements.next_element()? {
                    if list.total < u16::MAX.into() {
                        list.items.push(item);
                    }
                    list.total += 1;
                }
                Ok(list)
            }
        }
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

/// The id of a user or a mail: a decimal string, or a number.
#[derive(Debug)]
pub struct Id(pub UserId);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        struct IdVisitor;
        impl Visitor<'_> for IdVisitor {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id: a decimal string or a number, from 0 to 2^64 - 1")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Id, E> {
                Ok(Id(UserId(number)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
                let id = text.parse().ok().filter(|_| is_decimal);
                id.map(Id).ok_or_else(|| E::invalid_value(de::Unexpected::Str(quoted(text)), &self))
            }
        }
        deserializer.deserialize_any(IdVisitor)
    }
}

/// The front of a text, as long as an error text may quote it.
pub fn quoted(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_ERROR_TEXT)]
}
