//! HTTP/1.1, as much of it as a hub needs: one request off the front of some bytes, and what is answered.
//!
//! A request for the hub's work becomes a request of the hub's own, which asks for a receipt; the receipt becomes the
//! response. What is only looked up is named by a [`What`], and looked up by whoever has the hub at hand.

use super::answers::{Object, put_result, said};
use super::margin::{Asked, FLAG};
use super::metrics;
use super::page::{self, File};
use super::upgrade::{self, Upgrade};
use crate::limits::{MOST_HEAD, MOST_HEADERS};
use crate::wire::{Answer, Bounds, ErrorCode, Ids, Names, Request, UserId};
use std::borrow::Cow;
use std::io::Write;
use std::str::FromStr;

/// What callers may do here, as far as a request alone shows it.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// What the hub takes.
    pub bounds: Bounds,
    /// Origins that may ask, beside the hub's own.
    pub origins: &'a [String],
}

/// What a request asks for.
#[derive(Debug)]
pub enum What {
    /// To see something.
    Look(Look),
    /// Something that the hub does: requests of its own, of which the first is answered.
    Work(Vec<u8>),
    /// To speak WebSocket from here on.
    Upgrade(Upgrade),
}

/// What a request wants to see.
#[derive(Debug)]
pub enum Look {
    /// A file of the page.
    File(&'static File),
    /// Whether the hub serves.
    Health,
    /// What the hub has counted.
    Metrics,
    /// Who is here.
    List,
    /// Who is in a room.
    Members(String),
    /// What a room remembers.
    History {
        room: String,
        /// Only events with a greater id than this.
        after: u64,
        /// So many at most.
        limit: usize,
    },
}

/// One whole request.
#[derive(Debug)]
pub struct Call {
    pub what: What,
    /// The answer goes without its body: a HEAD.
    pub is_head: bool,
    /// The connection ends with the answer.
    pub closes: bool,
    /// It came through a proxy, so that nobody can tell from where.
    pub is_forwarded: bool,
}

/// Why a request is not done.
#[derive(Debug)]
pub struct Refusal {
    /// The status of the response.
    pub status: u16,
    /// What was wrong, for a person.
    pub text: Cow<'static, str>,
    /// A header more, with its line's end.
    pub header: &'static str,
    /// Where the next request begins: nowhere, if nobody can tell.
    pub next_at: Option<usize>,
    /// It answers a HEAD.
    pub is_head: bool,
}

impl Refusal {
    /// One after which nobody can tell where the next request begins.
    pub fn new(status: u16, text: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { status, text: text.into(), header: "", next_at: None, is_head: false }
    }
}

/// What some bytes hold.
#[derive(Debug)]
pub enum Found {
    /// A request, and how many bytes it is.
    Call(Call, usize),
    /// Not a whole one yet. Whoever sends it may wait to be told to go on.
    More { waits: bool },
}

/// The request at the front of `bytes`.
///
/// # Errors
///
/// Why it is not one that is done here; as soon as that can be told.
pub fn next(bytes: &[u8], rules: Rules<'_>) -> Result<Found, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let head_len = match request.parse(bytes) {
        Ok(httparse::Status::Complete(len)) if len <= MOST_HEAD => len,
        Ok(httparse::Status::Partial) if bytes.len() < MOST_HEAD => return Ok(Found::More { waits: false }),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Refusal::new(431, format!("a request may have {MOST_HEADERS} headers")));
        }
        Err(error) => return Err(Refusal::new(400, format!("this is no HTTP request: {error}"))),
        Ok(_) => return Err(Refusal::new(431, format!("a request's headers may have {MOST_HEAD} bytes"))),
    };
    Head::new(&request)?.next(&bytes[head_len..], head_len, rules)
}

/// The headers of a request, or of a response.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'h>(pub(super) &'h [httparse::Header<'h>]);

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
struct Head<'h> {
    method: &'h str,
    path: &'h str,
    query: &'h str,
    headers: Headers<'h>,
    closes: bool,
    /// Its sender waits to be told to send the body. One in HTTP/1.0 knows no such thing.
    waits: bool,
    /// Bytes of the body; `None` where that is not said.
    body_len: Option<usize>,
}

impl<'h> Head<'h> {
    fn new(request: &'h httparse::Request<'_, 'h>) -> Result<Head<'h>, Refusal> {
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
    fn next(&self, body: &[u8], head_len: usize, rules: Rules<'_>) -> Result<Found, Refusal> {
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
        let len = match self.body_len {
            Some(len) if len > rules.bounds.max_body as usize => {
                return Err(Refusal::new(413, format!("a body may have {} bytes", rules.bounds.max_body)));
            }
            Some(len) => len,
            None if route.is_post() => return Err(Refusal::new(411, "a POST must have a Content-Length")),
            None => 0,
        };
        if len > 0 && !route.is_post() {
            return Err(Refusal::new(400, format!("a {} has no body here", self.method)));
        }
        let Some(body) = body.get(..len) else {
            return Ok(Found::More { waits: self.waits });
        };
        let next_at = Some(head_len + len).filter(|_| !self.closes);
        let what = route.what(self, body).map_err(|refusal| Refusal { next_at, ..refused(refusal) })?;
        let forwarding = ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"];
        let is_forwarded = forwarding.iter().any(|name| self.headers.is_there(name));
        Ok(Found::Call(Call { what, is_head, closes: self.closes, is_forwarded }, head_len + len))
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
    fn keys<const N: usize>(&self, names: [&str; N]) -> Result<[Option<&'h str>; N], Refusal> {
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

/// Where a path leads.
enum Route {
    File(&'static File),
    Health,
    Metrics,
    List,
    Ws,
    Relay,
    Send,
    Room(String),
    Members(String),
    History(String),
}

impl Route {
    fn find(path: &str) -> Result<Route, Refusal> {
        if let Some(file) = page::FILES.iter().find(|file| file.path == path) {
            return Ok(Route::File(file));
        }
        let parts: Vec<&str> = path.split('/').collect();
        Ok(match parts[..] {
            ["", "health"] => Route::Health,
            ["", "metrics"] => Route::Metrics,
            ["", "list"] => Route::List,
            ["", "ws"] => Route::Ws,
            ["", "relay"] => Route::Relay,
            ["", "send"] => Route::Send,
            ["", "rooms", room] => Route::Room(decode(room, false)?),
            ["", "rooms", room, "members"] => Route::Members(decode(room, false)?),
            ["", "rooms", room, "history"] => Route::History(decode(room, false)?),
            _ => return Err(Refusal::new(404, format!("there is nothing at {path}"))),
        })
    }

    fn is_post(&self) -> bool {
        matches!(self, Route::Relay | Route::Send | Route::Room(_))
    }

    fn allows(&self, method: &str) -> bool {
        method == self.method() || method == "HEAD" && !self.is_post() && !matches!(self, Route::Ws)
    }

    fn method(&self) -> &'static str {
        if self.is_post() { "POST" } else { "GET" }
    }

    fn allow(&self) -> &'static str {
        match self {
            Route::Ws => "Allow: GET\r\n",
            _ if self.is_post() => "Allow: POST\r\n",
            _ => "Allow: GET, HEAD\r\n",
        }
    }

    fn what(self, head: &Head<'_>, body: &[u8]) -> Result<What, Refusal> {
        let without_keys = |look| head.keys([]).map(|[]| What::Look(look));
        match self {
            // A page's own script reads what stands behind the question mark.
            Route::File(file) => Ok(What::Look(Look::File(file))),
            Route::Health => Ok(What::Look(Look::Health)),
            Route::Metrics => Ok(What::Look(Look::Metrics)),
            Route::List => without_keys(Look::List),
            Route::Members(room) => without_keys(Look::Members(room)),
            Route::Ws if head.closes => {
                Err(Refusal::new(400, "a WebSocket begins on a connection of HTTP/1.1 that is not to end"))
            }
            Route::Ws => upgrade::read(head.headers).map(What::Upgrade),
            Route::History(room) => {
                let [after, limit] = head.keys(["after", "limit"])?;
                let after = number("after", after)?.unwrap_or(0);
                Ok(What::Look(Look::History { room, after, limit: limit_of(limit)? }))
            }
            Route::Room(room) => {
                let [] = head.keys([])?;
                Ok(work(&Request::Publish { room: &room, body, receipt: true, no_echo: false }, head.closes))
            }
            Route::Relay => {
                let [to] = head.keys(["to"])?;
                let ids = listed(to, "ID")?.map(|id| whole_number(id).map(UserId).ok_or_else(|| no_id(id)));
                let ids: Vec<UserId> = ids.collect::<Result<_, _>>()?;
                let mut block = Vec::new();
                Ids::encode(&ids, &mut block);
                let receivers = Ids::new(&block).expect("whole ids");
                Ok(work(&Request::Relay { receivers, body, receipt: true }, head.closes))
            }
            Route::Send => {
                let [to] = head.keys(["to"])?;
                let names: Vec<String> =
                    listed(to, "NAME")?.map(|name| decode(name, true)).collect::<Result<_, _>>()?;
                let mut block = Vec::new();
                Names::encode(names.iter().map(|name| &name[..]), &mut block);
                let names = Names::new(&block).expect("whole names");
                Ok(work(&Request::Send { names, body, receipt: true, store: false }, head.closes))
            }
        }
    }
}

fn no_id(text: &str) -> Refusal {
    Refusal::new(400, format!("{text:?} is no user id: a number"))
}

/// The items of the key `to`.
fn listed<'q>(to: Option<&'q str>, what: &str) -> Result<std::str::Split<'q, char>, Refusal> {
    let missing = || Refusal::new(400, format!("say to whom, as in ?to={what} or ?to={what},{what}"));
    to.filter(|to| !to.is_empty()).map(|to| to.split(',')).ok_or_else(missing)
}

/// A number in digits alone: no sign stands before it.
fn whole_number<N: FromStr>(text: &str) -> Option<N> {
    Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).and_then(|text| text.parse().ok())
}

fn number(key: &str, value: Option<&str>) -> Result<Option<u64>, Refusal> {
    let no_number = |text| Refusal::new(400, format!("{key}={text} is no number"));
    let parse = |text| whole_number(text).ok_or_else(|| no_number(text));
    value.map(parse).transpose()
}

fn limit_of(value: Option<&str>) -> Result<usize, Refusal> {
    Ok(number("limit", value)?.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)))
}

/// Text with each `%` and its two digits as the byte that they mean, and perhaps each `+` as a space.
fn decode(text: &str, plus_is_space: bool) -> Result<String, Refusal> {
    let refusal = || Refusal::new(400, format!("{text:?} is not percent-encoded UTF-8"));
    let digit = |byte: Option<&u8>| byte.and_then(|&byte| char::from(byte).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'%' => match (digit(rest.next()), digit(rest.next())) {
                (Some(high), Some(low)) => (high << 4 | low) as u8,
                _ => return Err(refusal()),
            },
            b'+' if plus_is_space => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| refusal())
}

/// A request of the hub's own, and a goodbye behind it where the connection is to end.
fn work(request: &Request<'_>, closes: bool) -> What {
    let mut frames = Vec::new();
    request.encode(0, &mut frames);
    if closes {
        frames[1] |= FLAG;
        Request::Bye.encode(0, &mut frames);
    }
    What::Work(frames)
}

/// What a response holds.
#[derive(Debug)]
pub struct Document {
    pub status: u16,
    pub content_type: &'static str,
    /// Headers more, each with its line's end.
    pub headers: &'static str,
    pub body: Cow<'static, [u8]>,
}

/// Said with what is looked up: it is another a moment later.
const OF_THIS_MOMENT: &str = "Cache-Control: no-store\r\n";

impl Document {
    /// One in JSON that is of this moment.
    pub fn json(status: u16, body: Vec<u8>) -> Document {
        Document { status, content_type: "application/json", headers: OF_THIS_MOMENT, body: body.into() }
    }

    /// What the hub has counted up to this moment.
    pub fn metrics(text: String) -> Document {
        let body = text.into_bytes().into();
        Document { status: 200, content_type: metrics::CONTENT_TYPE, headers: OF_THIS_MOMENT, body }
    }

    /// A file of the page.
    pub fn file(file: &'static File) -> Document {
        let File { content_type, bytes, .. } = *file;
        Document { status: 200, content_type, headers: page::HEADERS, body: bytes.into() }
    }

    /// Appends the response; without its body where it answers a HEAD. The connection may end with it.
    pub fn put(&self, is_head: bool, closes: bool, out: &mut Vec<u8>) {
        let Document { status, content_type, headers, body } = self;
        let connection = if closes { "Connection: close\r\n" } else { "" };
        let (reason, len) = (reason(*status), body.len());
        write!(
            out,
            "HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {len}\r\n{connection}\
             {headers}X-Content-Type-Options: nosniff\r\n\r\n"
        )
        .expect("a vector takes all that is written to it");
        out.extend_from_slice(if is_head { &[] } else { body });
    }
}

/// Appends what a request that is not done is told; without its body where it answers a HEAD. The connection may end
/// with it.
pub fn put_refusal(refusal: &Refusal, is_head: bool, closes: bool, out: &mut Vec<u8>) {
    let body = error_body(refusal.status, None, &refusal.text);
    let document = Document { headers: refusal.header, ..Document::json(refusal.status, body) };
    document.put(is_head, closes, out);
}

fn error_body(status: u16, code: Option<ErrorCode>, text: &str) -> Vec<u8> {
    let mut body = Vec::new();
    let mut object = Object::begin(&mut body);
    object.number("status", status.into());
    if let Some(code) = code {
        object.number("code", code as u64);
    }
    object.text("error", text);
    object.end();
    body
}

/// Appends the response that the hub's answer to a request is. What is no answer has no place there, and is left out.
pub fn put_answer(asked: &Asked, answer: &Answer<'_>, out: &mut Vec<u8>) {
    let mut body = Vec::new();
    let (status, closes) = match *answer {
        Answer::Receipt(_) | Answer::SendReceipt(_) | Answer::Published(_) => {
            put_result(answer, &mut body);
            (200, asked.flagged)
        }
        Answer::Error { code, fatal, text, .. } => {
            body = error_body(status_of(code), Some(code), &said(code.name(), text));
            (status_of(code), asked.flagged || fatal)
        }
        Answer::Closing { code, text } => {
            body = error_body(status_of(code), Some(code), &said(code.name(), text));
            (status_of(code), true)
        }
        _ => return,
    };
    Document::json(status, body).put(false, closes, out);
}

/// The status that says what an error of the hub does.
fn status_of(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::TooLarge => 413,
        ErrorCode::NotSignedIn => 403,
        ErrorCode::NotInRoom => 404,
        ErrorCode::LimitReached | ErrorCode::RateLimited => 429,
        ErrorCode::Idle => 408,
        ErrorCode::GoingAway | ErrorCode::TooSlow | ErrorCode::TooManyConnections => 503,
        ErrorCode::Malformed
        | ErrorCode::UnknownKind
        | ErrorCode::TooManyReceivers
        | ErrorCode::BadName
        | ErrorCode::Version => 400,
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{HEADER_LEN, Header};
    use proptest::prelude::*;

    const RULES: Rules<'_> = Rules { bounds: Bounds { max_body: 100, max_receivers: 3 }, origins: &[] };

    /// A request and how many bytes it is, or the status that it gets.
    fn call(bytes: &[u8]) -> Result<Option<(Call, usize)>, u16> {
        match next(bytes, RULES) {
            Ok(Found::Call(call, len)) => Ok(Some((call, len))),
            Ok(Found::More { .. }) => Ok(None),
            Err(refusal) => Err(refusal.status),
        }
    }

    fn asked(line: &str, headers: &str, body: &str) -> Vec<u8> {
        format!("{line} HTTP/1.1\r\nHost: hub\r\n{headers}\r\n{body}").into_bytes()
    }

    fn post(target: &str, body: &str) -> Vec<u8> {
        asked(&format!("POST {target}"), &format!("Content-Length: {}\r\n", body.len()), body)
    }

    /// The requests of the hub's own that a post becomes.
    fn work_of(bytes: &[u8]) -> Vec<u8> {
        match call(bytes) {
            Ok(Some((Call { what: What::Work(frames), .. }, _))) => frames,
            other => panic!("{other:?}"),
        }
    }

    fn encoded(request: &Request<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        request.encode(0, &mut out);
        out
    }

    const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    #[test]
    fn a_request_is_found_as_soon_as_it_is_whole_and_not_before() {
        for request in [
            asked("GET /health", "", ""),
            asked("HEAD /rooms/lobby/history?after=3&limit=5", "Accept: */*\r\n", ""),
            asked("GET /ws", UPGRADE, ""),
            post("/rooms/lobby", "hello\r\n\r\n"),
            post("/relay?to=7,9", ""),
        ] {
            let whole = call(&request).expect("it will do").expect("it is whole");
            assert_eq!(whole.1, request.len());
            for cut in 0..request.len() {
                assert!(matches!(call(&request[..cut]), Ok(None)), "cut at {cut}");
            }
            let more = [&request[..], b"GET /"].concat();
            assert_eq!(format!("{:?}", call(&more)), format!("{:?}", Ok::<_, u16>(Some(whole))));
        }
    }

    proptest! {
        #[test]
        fn what_is_found_at_the_front_of_some_bytes_is_found_in_all_of_them(
            method in "GET|HEAD|POST|PUT|G E",
            path in "[/a-z%?=&,0-9]{0,12}|/rooms/(%4|%41|é){1,2}|/relay\\?to=[0-9,]{0,4}",
            headers in "((Host|Origin|Content-Length|Connection|Expect|X):( ?[0-9a-z:/-]{0,10})\r?\n){0,4}",
            body in ".{0,20}", cut in any::<prop::sample::Index>(),
        ) {
            let bytes = asked(&format!("{method} {path}"), &headers, &body);
            let front = call(&bytes[..cut.index(bytes.len() + 1)]);
            if !matches!(front, Ok(None)) {
                prop_assert_eq!(format!("{:?}", front), format!("{:?}", call(&bytes)));
            }
        }

        #[test]
        fn what_is_percent_encoded_is_read_back(text in ".{0,30}", plain in any::<bool>()) {
            let encode = |byte: u8| match byte {
                b'a'..=b'z' if plain => char::from(byte).to_string(),
                byte if plain => format!("%{byte:02x}"),
                byte => format!("%{byte:02X}"),
            };
            let encoded: String = text.bytes().map(encode).collect();
            prop_assert_eq!(decode(&encoded, true).ok(), Some(text));
        }
    }

    #[test]
    fn a_percent_sign_without_its_digits_is_refused() {
        for text in ["%", "%4", "a%4", "%g1", "%4g", "%+1", "%C3", "%FF", "%%41"] {
            assert_eq!(decode(text, true).map_err(|refusal| refusal.status), Err(400), "{text}");
        }
        assert_eq!(decode("a+b%2B%25", true).ok().as_deref(), Some("a b+%"));
        assert_eq!(decode("a+b", false).ok().as_deref(), Some("a+b"));
    }

    #[test]
    fn a_post_becomes_a_request_of_the_hub_s_own_that_asks_for_a_receipt() {
        let publish = Request::Publish { room: "a/é", body: b"hi", receipt: true, no_echo: false };
        assert_eq!(work_of(&post("/rooms/a%2F%c3%a9", "hi")), encoded(&publish));
        let ids = [0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9];
        let relay = Request::Relay { receivers: Ids::new(&ids).expect("two"), body: b"hi", receipt: true };
        assert_eq!(work_of(&post("/relay?to=7,9", "hi")), encoded(&relay));
        let names = Names::new(b"\x03ann\x05b c,d").expect("two");
        let send = Request::Send { names, body: b"", receipt: true, store: false };
        assert_eq!(work_of(&post("/send?to=ann,b+c%2Cd", "")), encoded(&send));
    }

    #[test]
    fn where_the_connection_is_to_end_a_goodbye_stands_behind_the_work() {
        let request = asked("POST /rooms/lobby", "Content-Length: 2\r\nConnection: close\r\n", "hi");
        let frames = work_of(&request);
        let header = Header::decode(&frames).expect("a header");
        assert_eq!(header.flags & FLAG, FLAG);
        assert_eq!(frames[header.frame_len()..], encoded(&Request::Bye));
        assert_eq!(frames.len(), header.frame_len() + HEADER_LEN);
    }

    #[test]
    fn the_next_request_begins_behind_a_refused_one_where_that_can_be_told() {
        let next_at = |bytes: &[u8]| next(bytes, RULES).expect_err("refused").next_at;
        let nowhere = asked("GET /nowhere", "", "");
        assert_eq!(next_at(&[&nowhere[..], b"GET /"].concat()), Some(nowhere.len()));
        let wrong = post("/relay?to=ann", "hi");
        assert_eq!(next_at(&[&wrong[..], b"GET /"].concat()), Some(wrong.len()), "its body has come");
        assert_eq!(next_at(&post("/nowhere", "hi")), None, "its body may be anything");
        assert_eq!(next_at(&asked("GET /nowhere", "Connection: close\r\n", "")), None);
        assert_eq!(next_at(b"\x16\x03\x01\x02\x00\x01"), None);
    }

    #[test]
    fn a_body_over_the_limit_is_refused_before_it_comes() {
        let announced = |len: &str| call(&asked("POST /rooms/a", &format!("Content-Length: {len}\r\n"), "")).err();
        assert_eq!([announced("100"), announced("101")], [None, Some(413)]);
        assert_eq!([announced("99999999999999999999"), announced("+1"), announced("")], [Some(400); 3]);
    }
}
