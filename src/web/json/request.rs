//! Requests in JSON: one object each. A text becomes a [`JsonRequest`], which owns what the [`Request`] borrows.

use super::keys::{Keys, MAX_ERROR_TEXT, quoted};
use super::scan::{Scanner, Text};
use crate::limits::http::ALWAYS_KEPT;
use crate::wire::{Bounds, ErrorCode, Fault, Ids, Kind, Names, Request};
use std::borrow::Cow;
use std::fmt::Display;

/// How many bytes one byte of a body or a name may take: `\u0000`.
const MAX_ESCAPED: usize = 6;

/// How many bytes one byte of a body may take in a compacted text: `\"`.
const MAX_COMPACTED: usize = 2;

/// How many bytes are kept of the end of a long error text. The end gives the line and column of the mistake.
const ERROR_TEXT_END: usize = 64;

/// One row of [`REQUEST_TYPES`].
struct RequestType {
    /// The value of the key `type`.
    name: &'static str,
    kind: Kind,
    /// The keys beside `type` and `tag`. Those that end in `!` are required.
    keys: &'static [&'static str],
    /// Makes the request, all of whose keys have been checked.
    build: for<'r> fn(&'r JsonRequest<'_>) -> Request<'r>,
}

/// Every request that can be made in JSON, in the order of the kinds: all but STATS.
const REQUEST_TYPES: [RequestType; 14] = [
    RequestType {
        name: "hello",
        kind: Kind::Hello,
        keys: &["name", "token"],
        build: |json| Request::Hello { name: text(&json.keys.name), token: text(&json.keys.token) },
    },
    RequestType { name: "identity", kind: Kind::Identity, keys: &[], build: |_| Request::Identity },
    RequestType { name: "list", kind: Kind::List, keys: &[], build: |_| Request::List },
    RequestType {
        name: "relay",
        kind: Kind::Relay,
        keys: &["to!", "body", "bodyBase64", "receipt"],
        build: |json| Request::Relay { receivers: json.ids(), body: json.body(), receipt: flag(json.keys.receipt) },
    },
    RequestType {
        name: "send",
        kind: Kind::Send,
        keys: &["names!", "body", "bodyBase64", "receipt", "store"],
        build: |json| Request::Send {
            names: json.names(),
            body: json.body(),
            receipt: flag(json.keys.receipt),
            store: flag(json.keys.store),
        },
    },
    RequestType {
        name: "ack",
        kind: Kind::Ack,
        keys: &["mailId!"],
        build: |json| Request::Ack(json.keys.mail_id.as_ref().map_or(0, |id| id.0)),
    },
    RequestType { name: "join", kind: Kind::Join, keys: &["room!"], build: |json| Request::Join { room: json.room() } },
    RequestType {
        name: "leave",
        kind: Kind::Leave,
        keys: &["room!"],
        build: |json| Request::Leave { room: json.room() },
    },
    RequestType {
        name: "publish",
        kind: Kind::Publish,
        keys: &["room!", "body", "bodyBase64", "receipt", "noEcho"],
        build: |json| Request::Publish {
            room: json.room(),
            body: json.body(),
            receipt: flag(json.keys.receipt),
            no_echo: flag(json.keys.no_echo),
        },
    },
    RequestType {
        name: "history",
        kind: Kind::History,
        keys: &["room!", "after", "limit"],
        build: |json| Request::History {
            room: json.room(),
            after: json.keys.after.unwrap_or(0),
            limit: json.keys.limit.unwrap_or(u32::MAX),
        },
    },
    RequestType { name: "who", kind: Kind::Who, keys: &["room!"], build: |json| Request::Who { room: json.room() } },
    RequestType {
        name: "ping",
        kind: Kind::Ping,
        keys: &["body", "bodyBase64"],
        build: |json| Request::Ping(json.body()),
    },
    RequestType { name: "bye", kind: Kind::Bye, keys: &[], build: |_| Request::Bye },
    RequestType { name: "alive", kind: Kind::Alive, keys: &[], build: |_| Request::Alive },
];

impl RequestType {
    fn named(name: &str) -> Option<&'static RequestType> {
        const TYPES: &[RequestType] = &REQUEST_TYPES;
        TYPES.iter().find(|row| row.name == name)
    }
}

fn text<'k>(key: &'k Option<Cow<'_, str>>) -> &'k str {
    key.as_deref().unwrap_or_default()
}

fn flag(key: Option<bool>) -> bool {
    key == Some(true)
}

/// Why a text is refused as a request.
#[derive(Debug, PartialEq, Eq)]
pub struct RequestError {
    /// The tag of the request, if one can be read.
    pub tag: Option<u16>,
    /// What is wrong.
    pub fault: Fault,
    /// Whether the connection ends with it. Unlike an invalid native frame, an invalid text does not end it, because
    /// the start of the next message is known.
    pub is_fatal: bool,
}

impl RequestError {
    fn malformed(text: Text<'_>, why: impl Into<Cow<'static, str>>) -> RequestError {
        let Keys { tag, r#type: name, .. } = Keys::read_label(text).unwrap_or_default();
        let kind = name.and_then(|name| RequestType::named(&name)).map_or(0, |row| row.kind as u8);
        let fault = Fault::new(ErrorCode::Malformed, kind, tag.unwrap_or_default(), shorten(why.into()));
        RequestError { tag, fault, is_fatal: false }
    }

    /// The error of a request with a list of receivers that was not read to its end, nor what follows it.
    fn countless(keys: &Keys<'_>, bounds: &Bounds) -> RequestError {
        let kind = if keys.to.is_some() { Kind::Relay } else { Kind::Send };
        let why = too_many(kind, format_args!("more than {}", u16::MAX), bounds);
        let fault = Fault::new(ErrorCode::TooManyReceivers, kind as u8, keys.tag.unwrap_or_default(), why);
        RequestError { tag: keys.tag, fault, is_fatal: false }
    }
}

/// What is wrong with a number of receivers.
fn too_many(kind: Kind, count: impl Display, bounds: &Bounds) -> String {
    format!("{} names {count} receivers; name 1 to {}", kind.name(), bounds.max_receivers)
}

/// An error text without its middle if it is long: a request may have megabytes, and the text may quote it.
fn shorten(why: Cow<'static, str>) -> Cow<'static, str> {
    if why.len() <= MAX_ERROR_TEXT {
        return why;
    }
    let gap = "...";
    let front = why.floor_char_boundary(MAX_ERROR_TEXT - ERROR_TEXT_END - gap.len());
    let end = why.ceil_char_boundary(why.len() - ERROR_TEXT_END);
    [&why[..front], gap, &why[end..]].concat().into()
}

/// A request in JSON that the hub may carry out: its keys and its size have been checked.
pub struct JsonRequest<'t> {
    request_type: &'static RequestType,
    keys: Keys<'t>,
    /// The bytes of `bodyBase64`.
    decoded_body: Option<Vec<u8>>,
    /// The ids or the names of its receivers.
    receivers: Vec<u8>,
}

impl<'t> JsonRequest<'t> {
    /// Reads the request that a text message holds.
    ///
    /// # Errors
    ///
    /// Error 1 if it is not a valid request, 4 if it names too many receivers, 3 if it is too large. Only error 3 is
    /// fatal.
    pub fn parse(text: impl Into<Text<'t>>, bounds: &Bounds) -> Result<JsonRequest<'t>, RequestError> {
        let text = text.into();
        if Scanner::new(text).peek() != Some(b'{') {
            let why = "a request is a JSON object, as in {\"type\":\"identity\"}";
            return Err(RequestError::malformed("".into(), why));
        }
        let malformed = |why: String| RequestError::malformed(text, why);
        let keys = Keys::read(text).map_err(malformed)?;
        if keys.has_countless_receivers() {
            return Err(RequestError::countless(&keys, bounds));
        }
        let Some(name) = keys.r#type.as_deref() else {
            return Err(malformed("the key \"type\" is missing; it names the request".to_owned()));
        };
        let Some(request_type) = RequestType::named(name) else {
            return Err(malformed(format!("there is no type {:?}", quoted(name))));
        };
        let decoded_body = keys.check(name, request_type.keys).and_then(|()| keys.decode_body()).map_err(malformed)?;
        let mut request = JsonRequest { request_type, keys, decoded_body, receivers: Vec::new() };
        request.check_receivers(bounds)?;
        request.receivers = request.keys.receiver_block();
        request.check_size(bounds)?;
        Ok(request)
    }

    fn check_receivers(&self, bounds: &Bounds) -> Result<(), RequestError> {
        let count = self.keys.receivers();
        if count <= bounds.max_receivers.into() {
            return Ok(());
        }
        Err(self.refused(ErrorCode::TooManyReceivers, too_many(self.request_type.kind, count, bounds)))
    }

    fn check_size(&self, bounds: &Bounds) -> Result<(), RequestError> {
        let len = self.body().len();
        if len > bounds.max_body as usize {
            let name = self.request_type.kind.name();
            let why = format!("{name}: a body of {len} bytes is over the limit of {}", bounds.max_body);
            return Err(self.refused(ErrorCode::TooLarge, why));
        }
        let tag = self.keys.tag;
        let admitted = bounds.admit_request(&self.request(), tag.unwrap_or_default());
        admitted.map_err(|fault| RequestError { tag, fault, is_fatal: true })
    }

    fn refused(&self, code: ErrorCode, why: String) -> RequestError {
        let (kind, tag) = (self.request_type.kind as u8, self.keys.tag);
        let fault = Fault::new(code, kind, tag.unwrap_or_default(), why);
        RequestError { tag, fault, is_fatal: code.is_fatal() }
    }

    /// The tag, if the request has one.
    pub fn tag(&self) -> Option<u16> {
        self.keys.tag
    }

    /// The request itself.
    pub fn request(&self) -> Request<'_> {
        (self.request_type.build)(self)
    }

    fn body(&self) -> &[u8] {
        self.decoded_body.as_deref().unwrap_or(text(&self.keys.body).as_bytes())
    }

    fn room(&self) -> &str {
        text(&self.keys.room)
    }

    fn ids(&self) -> Ids<'_> {
        Ids::new(&self.receivers).expect("the block was encoded from ids")
    }

    fn names(&self) -> Names<'_> {
        Names::new(&self.receivers).expect("the block was encoded from names")
    }
}

/// The most bytes that a message in JSON may have: enough for any request that the hub accepts.
pub fn max_message_len(bounds: &Bounds) -> usize {
    usize::try_from(bounds.most_payload()).unwrap_or(usize::MAX).saturating_mul(MAX_ESCAPED)
}

/// The most bytes that are kept of a message while it arrives, [compacted](super::compact): a body may take twice its
/// length, and what else a request has is as small as in whole messages.
pub fn max_kept_len(bounds: &Bounds) -> usize {
    let (all, body) = (max_message_len(bounds), bounds.max_body as usize);
    all.saturating_sub(body.saturating_mul(MAX_ESCAPED - MAX_COMPACTED)).max(all.min(ALWAYS_KEPT))
}

#[cfg(test)]
mod tests;
