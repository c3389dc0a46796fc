//! What stands before a request's body: its headers, how long the body is, and who may ask.

use super::route::Route;
use super::{Call, Found, Refusal, Rules};
use std::str::FromStr;

/// The headers of a request, or of a response.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'h>(pub(in crate::web) &'h [httparse::Header<'h>]);

impl<'h> Headers<'h> {
    fn all(self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.0.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }

    /// The value of a header that may be there once.
    ///
    /// # Errors
    ///
    /// Where it is there again, or is not ASCII.
    pub fn one(self, name: &'static str) -> Result<Option<&'h str>, Refusal> {
        let mut all = self.all(name);
        let Some(value) = all.next() else { return Ok(None) };
        let text = str::from_utf8(value).ok().filter(|text| text.is_ascii());
        match (text, all.next()) {
            (Some(text), None) => Ok(Some(text.trim())),
            (None, _) => Err(Refusal::new(400, format!("the header {name} is not ASCII"))),
            (_, Some(_)) => Err(Refusal::new(400, format!("the header {name} is there more than once"))),
        }
    }

    /// Each item of a header that is a list, in order, whether in one line or several.
    pub fn items(self, name: &'static str) -> impl Iterator<Item = &'h str> {
        self.all(name).filter_map(|value| str::from_utf8(value).ok()).flat_map(|value| value.split(',')).map(str::trim)
    }

    /// Whether a header that is a list has an item, in whatever case.
    pub fn has(self, name: &'static str, item: &str) -> bool {
        self.items(name).any(|other| other.eq_ignore_ascii_case(item))
    }

    fn is_there(self, name: &str) -> bool {
        self.all(name).next().is_some()
    }
}

/// The head of a request.
pub struct Head<'h> {
    method: &'h str,
    path: &'h str,
    query: &'h str,
    pub headers: Headers<'h>,
    pub closes: bool,
    /// Its sender waits to be told to send the body. One in HTTP/1.0 knows no such thing.
    waits: bool,
    /// Bytes of the body; `None` where that is not said.
    body_len: Option<usize>,
}

impl<'h> Head<'h> {
    pub fn new(request: &'h httparse::Request<'_, 'h>) -> Result<Head<'h>, Refusal> {
        let headers = Headers(request.headers);
        let target = origin_form(request.path.unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let is_named = headers.one("Host")?.is_some();
        if !is_named && request.version == Some(1) {
            return Err(Refusal::new(400, "a request in HTTP/1.1 must have the header Host"));
        }
        if headers.is_there("Transfer-Encoding") {
            return Err(Refusal::new(411, "a body must have a Content-Length here, and no Transfer-Encoding"));
        }
        let length = headers.one("Content-Length")?;
        let body_len = length.map(whole_number);
        let no_number = || Refusal::new(400, "the Content-Length is no number that will do");
        let body_len = body_len.map(|len| len.ok_or_else(no_number)).transpose()?;
        let closes = request.version != Some(1) || headers.has("Connection", "close");
        let waits = request.version == Some(1) && headers.has("Expect", "100-continue");
        Ok(Head { method: request.method.unwrap_or_default(), path, query, headers, closes, waits, body_len })
    }

    /// The request with this head, where its body is whole; `body` is what has come behind the head.
    pub fn next(&self, body: &[u8], head_len: usize, rules: Rules<'_>) -> Result<Found, Refusal> {
        // Where there is no body, the next request begins behind the head, whatever becomes of this one.
        let next_at = Some(head_len).filter(|_| self.body_len.unwrap_or(0) == 0 && !self.closes);
        let is_head = self.method == "HEAD";
        let refused = |refusal: Refusal| Refusal { next_at, is_head, ..refusal };
        self.check_origin(rules).map_err(refused)?;
        let route = Route::find(self.path).map_err(refused)?;
        if !route.allows(self.method) {
            let text = format!("{} is not asked with {}; use {}", self.path, self.method, route.method());
            return Err(refused(Refusal { header: route.allow(), ..Refusal::new(405, text) }));
        }
        let len = self.len_of_body(&route, rules)?;
        let Some(body) = body.get(..len) else { return Ok(Found::More { waits: self.waits }) };
        let next_at = Some(head_len + len).filter(|_| !self.closes);
        let what = route.what(self, body).map_err(|refusal| Refusal { next_at, ..refused(refusal) })?;
        let call = Call { what, is_head, closes: self.closes, is_forwarded: self.is_forwarded() };
        Ok(Found::Call(call, head_len + len))
    }

    fn len_of_body(&self, route: &Route, rules: Rules<'_>) -> Result<usize, Refusal> {
        match self.body_len {
            Some(len) if len > rules.bounds.max_body as usize => {
                Err(Refusal::new(413, format!("a body may have {} bytes", rules.bounds.max_body)))
            }
            Some(1..) if !route.is_post() => Err(Refusal::new(400, format!("a {} has no body here", self.method))),
            None if route.is_post() => Err(Refusal::new(411, "a POST must have a Content-Length")),
            len => Ok(len.unwrap_or(0)),
        }
    }

    /// Whether a proxy speaks for somebody.
    fn is_forwarded(&self) -> bool {
        ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"].iter().any(|name| self.headers.is_there(name))
    }

    /// A browser says which page asks. It must be one of this hub's own, or of an origin that the operator has named.
    fn check_origin(&self, rules: Rules<'_>) -> Result<(), Refusal> {
        let Some(origin) = self.headers.one("Origin")? else { return Ok(()) };
        let host = self.headers.one("Host")?.unwrap_or_default();
        let own = origin.split_once("://").is_some_and(|(_, origin)| origin.eq_ignore_ascii_case(host));
        if own || rules.origins.iter().any(|named| named.eq_ignore_ascii_case(origin)) {
            return Ok(());
        }
        let origin: String = origin.chars().take(200).collect();
        let text = format!("a page of {origin} may not ask here; its operator may allow it with --origin {origin}");
        Err(Refusal::new(403, text))
    }

    /// The values of a query's keys, in the order of `names`, each decoded but for its commas.
    pub fn keys<const N: usize>(&self, names: [&str; N]) -> Result<[Option<&'h str>; N], Refusal> {
        let mut values = [None; N];
        for pair in self.query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match names.iter().position(|name| *name == key) {
                Some(place) if values[place].is_none() => values[place] = Some(value),
                Some(_) => return Err(Refusal::new(400, format!("the key {key} is there more than once"))),
                None => return Err(Refusal::new(400, format!("{} has no key {key:?}", self.path))),
            }
        }
        Ok(values)
    }
}

/// The path and query of a target. A client may name the host before them, as it would where it asks a proxy.
fn origin_form(target: &str) -> &str {
    let is_http = |scheme: &str| ["http", "https"].iter().any(|known| known.eq_ignore_ascii_case(scheme));
    match target.split_once("://").filter(|(scheme, _)| is_http(scheme)) {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    }
}

/// A number in digits alone: no sign stands before it.
pub fn whole_number<N: FromStr>(text: &str) -> Option<N> {
    Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).and_then(|text| text.parse().ok())
}
