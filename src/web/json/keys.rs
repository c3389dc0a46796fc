//! The keys of requests in JSON: what each may hold, and which of them a request has.

use super::scan::{Scanner, Text};
use crate::limits::http::LABEL_WITHIN;
use crate::wire::{Ids, Names, UserId};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// The most bytes of an error text: what a native error has room for.
pub const MAX_ERROR_TEXT: usize = u8::MAX as usize;

/// Every key that a request may have.
#[derive(Debug, Default)]
pub struct Keys<'t> {
    pub r#type: Option<Cow<'t, str>>,
    pub tag: Option<u16>,
    pub name: Option<Cow<'t, str>>,
    pub token: Option<Cow<'t, str>>,
    pub to: Option<List<UserId>>,
    pub names: Option<List<Cow<'t, str>>>,
    pub body: Option<Cow<'t, str>>,
    pub body_base64: Option<Cow<'t, str>>,
    pub receipt: Option<bool>,
    pub store: Option<bool>,
    pub mail_id: Option<UserId>,
    pub room: Option<Cow<'t, str>>,
    pub no_echo: Option<bool>,
    pub after: Option<u64>,
    pub limit: Option<u32>,
}

impl<'t> Keys<'t> {
    /// Reads an object. A key whose value is `null` counts as left out. What follows a list with [more than
    /// enough](Keys::has_countless_receivers) items is not read.
    ///
    /// # Errors
    ///
    /// Why the text is not an object with such keys, for a person to read.
    pub fn read(text: Text<'t>) -> Result<Keys<'t>, String> {
        let (mut keys, mut scanner) = (Keys::default(), Scanner::new(text));
        let read = scanner.object(|scanner, key| keys.read_value(scanner, &key)).and_then(|()| scanner.end());
        if !keys.has_countless_receivers() {
            read?;
        }
        Ok(keys)
    }

    fn read_value(&mut self, scanner: &mut Scanner<'t>, key: &str) -> Result<(), String> {
        match key {
            "type" => put(scanner, &mut self.r#type, key, Scanner::string),
            "tag" => put(scanner, &mut self.tag, key, number),
            "name" => put(scanner, &mut self.name, key, Scanner::string),
            "token" => put(scanner, &mut self.token, key, Scanner::string),
            "to" => put(scanner, &mut self.to, key, |scanner| List::read(scanner, id)),
            "names" => put(scanner, &mut self.names, key, |scanner| List::read(scanner, Scanner::string)),
            "body" => put(scanner, &mut self.body, key, Scanner::string),
            "bodyBase64" => put(scanner, &mut self.body_base64, key, Scanner::string),
            "receipt" => put(scanner, &mut self.receipt, key, Scanner::flag),
            "store" => put(scanner, &mut self.store, key, Scanner::flag),
            "mailId" => put(scanner, &mut self.mail_id, key, id),
            "room" => put(scanner, &mut self.room, key, Scanner::string),
            "noEcho" => put(scanner, &mut self.no_echo, key, Scanner::flag),
            "after" => put(scanner, &mut self.after, key, Scanner::number),
            "limit" => put(scanner, &mut self.limit, key, number),
            other => scanner.error(format_args!("unknown field `{}`", quoted(other))),
        }
    }

    /// Reads the tag and the type of an object whatever else it has, so that an error can carry them. Does not look
    /// further once it has both, nor further than [`LABEL_WITHIN`], because the text may be long.
    ///
    /// # Errors
    ///
    /// If the text is no object, or these two have no fitting values, before both are found.
    pub fn read_label(text: Text<'t>) -> Result<Keys<'t>, String> {
        let front = &text.text[..text.text.floor_char_boundary(LABEL_WITHIN)];
        let is_whole = front.len() == text.text.len();
        let (mut keys, mut scanner) = (Keys::default(), Scanner::new(Text { text: front, ..text }));
        let read = scanner.object(|scanner, key| {
            match &key[..] {
                "type" | "tag" => keys.read_value(scanner, &key)?,
                _ => scanner.colon().and_then(|()| scanner.skip())?,
            }
            let has_both = keys.r#type.is_some() && keys.tag.is_some();
            if has_both { Err(String::new()) } else { Ok(()) }
        });
        if is_whole && (keys.r#type.is_none() || keys.tag.is_none()) {
            read.and_then(|()| scanner.end())?;
        }
        Ok(keys)
    }

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

    /// The number of receivers that the request names.
    pub fn receivers(&self) -> usize {
        let of_ids = self.to.as_ref().map_or(0, |to| to.0.len());
        let of_names = self.names.as_ref().map_or(0, |names| names.0.len());
        of_ids.max(of_names)
    }

    /// Whether it names more than any request may. Then there may be more of them than were read.
    pub fn has_countless_receivers(&self) -> bool {
        self.receivers() > u16::MAX.into()
    }

    /// The receivers as the block of ids or names that a native request has.
    pub fn receiver_block(&self) -> Vec<u8> {
        let mut block = Vec::new();
        if let Some(to) = &self.to {
            Ids::encode(&to.0, &mut block);
        }
        if let Some(names) = &self.names {
            Names::encode(names.0.iter().map(|name| &name[..]), &mut block);
        }
        block
    }
}

/// Puts the value of a key where it belongs.
fn put<'t, T>(
    scanner: &mut Scanner<'t>,
    place: &mut Option<T>,
    key: &str,
    read: impl FnOnce(&mut Scanner<'t>) -> Result<T, String>,
) -> Result<(), String> {
    if place.is_some() {
        return scanner.error(format_args!("duplicate field `{key}`"));
    }
    scanner.colon()?;
    if !scanner.takes_null() {
        *place = Some(read(scanner)?);
    }
    Ok(())
}

/// A number that fits into its type.
fn number<N: TryFrom<u64>>(scanner: &mut Scanner<'_>) -> Result<N, String> {
    N::try_from(scanner.number()?).or_else(|_| scanner.error("a number is too large"))
}

/// The id of a user or a mail: a decimal string, or a number.
fn id(scanner: &mut Scanner<'_>) -> Result<UserId, String> {
    if scanner.peek() != Some(b'"') {
        return scanner.number().map(UserId);
    }
    let text = scanner.string()?;
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(id) if is_decimal => Ok(UserId(id)),
        _ => {
            let expected = "an id: a decimal string or a number, from 0 to 2^64 - 1";
            scanner.error(format_args!("{:?} is not {expected}", quoted(&text)))
        }
    }
}

/// A list. It ends with the first item that is more than a native request can name: a message has room for millions,
/// and to read them takes longer than all else that a turn may do.
#[derive(Debug)]
pub struct List<T>(Vec<T>);

impl<T> List<T> {
    fn read<'t>(
        scanner: &mut Scanner<'t>,
        item: impl Fn(&mut Scanner<'t>) -> Result<T, String>,
    ) -> Result<List<T>, String> {
        let (mut items, most) = (Vec::new(), usize::from(u16::MAX));
        let read = scanner.list(|scanner| {
            items.push(item(scanner)?);
            if items.len() > most { Err(String::new()) } else { Ok(()) }
        });
        if items.len() <= most {
            read?;
        }
        Ok(List(items))
    }
}

/// The front of a text, as long as an error text may quote it.
pub fn quoted(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_ERROR_TEXT)]
}
