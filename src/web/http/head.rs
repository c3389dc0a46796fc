//! The head of a request: its method, its target, its headers, and the length of the body.

use super::headers::Headers;
use super::origin;
use super::query::{self, whole_number};
use super::refusal::Refusal;

/// The head of a request.
pub struct Head<'h> {
    pub method: &'h str,
    pub path: &'h str,
    query: &'h str,
    pub headers: Headers<'h>,
    /// Whether the connection ends with the response.
    pub closes: bool,
    /// Whether the sender waits for `100 Continue` before it sends the body. HTTP/1.0 does not have that.
    pub expects_continue: bool,
    /// The length of the body in bytes, if the head gives it.
    pub body_len: Option<usize>,
}

impl<'h> Head<'h> {
    /// Reads a head.
    ///
    /// # Errors
    ///
    /// 400 or 411 if the request is not valid HTTP, or does not tell the length of its body.
    pub fn read(request: &'h httparse::Request<'_, 'h>) -> Result<Head<'h>, Refusal> {
        let headers = Headers(request.headers);
        let target = origin_form(request.path.unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let is_1_1 = request.version == Some(1);
        if headers.one("Host")?.is_none() && is_1_1 {
            return Err(Refusal::new(400, "a request in HTTP/1.1 must have the header Host"));
        }
        if headers.contains("Transfer-Encoding") {
            return Err(Refusal::new(411, "a body must have a Content-Length here, and no Transfer-Encoding"));
        }
        let body_len = match headers.one("Content-Length")? {
            None => None,
            Some(length) => {
                let invalid = || Refusal::new(400, "the Content-Length is not a number of bytes");
                Some(whole_number(length).ok_or_else(invalid)?)
            }
        };
        let closes = !is_1_1 || headers.has("Connection", "close");
        let expects_continue = is_1_1 && headers.has("Expect", "100-continue");
        let method = request.method.unwrap_or_default();
        Ok(Head { method, path, query, headers, closes, expects_continue, body_len })
    }

    /// Whether a proxy has forwarded the request.
    pub fn is_forwarded(&self) -> bool {
        ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"].iter().any(|name| self.headers.contains(name))
    }

    /// The values of the keys `names` in the query, in their order; not decoded yet.
    ///
    /// # Errors
    ///
    /// 400 if the query has a key twice, or another key.
    pub fn keys<const N: usize>(&self, names: [&str; N]) -> Result<[Option<&'h str>; N], Refusal> {
        query::keys(self.path, self.query, names)
    }

    /// Checks the origin that a browser names. It must be the hub's own, or one of `allowed`. If the request names no
    /// host, no origin is the hub's own. Nothing is executed before this check.
    ///
    /// # Errors
    ///
    /// 403 if it is another.
    pub fn check_origin(&self, allowed: &[String]) -> Result<(), Refusal> {
        let Some(origin) = self.headers.one("Origin")? else { return Ok(()) };
        let host = self.headers.one("Host")?.unwrap_or_default();
        if origin::is_own(origin, host) || origin::is_among(allowed, origin) {
            return Ok(());
        }
        let origin: String = origin.chars().take(200).collect();
        let text = format!("pages of {origin} may not use this hub; its operator may allow it with --origin {origin}");
        Err(Refusal::new(403, text))
    }
}

/// The path and query of a target. A client may name the host before them, as it does to a proxy.
fn origin_form(target: &str) -> &str {
    let is_http = |scheme: &str| ["http", "https"].iter().any(|known| known.eq_ignore_ascii_case(scheme));
    match target.split_once("://").filter(|(scheme, _)| is_http(scheme)) {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    }
}
