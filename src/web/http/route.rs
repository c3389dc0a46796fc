//! Where a path leads, and what a request there asks for.

use super::head::{Head, whole_number};
use super::{Look, Refusal, What};
use crate::web::margin::FLAG;
use crate::web::page::{self, File};
use crate::web::upgrade;
use crate::wire::{Ids, Names, Request, UserId};

/// Where a path leads.
pub enum Route {
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
    pub fn find(path: &str) -> Result<Route, Refusal> {
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

    pub fn is_post(&self) -> bool {
        matches!(self, Route::Relay | Route::Send | Route::Room(_))
    }

    pub fn allows(&self, method: &str) -> bool {
        method == self.method() || method == "HEAD" && !self.is_post() && !matches!(self, Route::Ws)
    }

    pub fn method(&self) -> &'static str {
        if self.is_post() { "POST" } else { "GET" }
    }

    pub fn allow(&self) -> &'static str {
        match self {
            Route::Ws => "Allow: GET\r\n",
            _ if self.is_post() => "Allow: POST\r\n",
            _ => "Allow: GET, HEAD\r\n",
        }
    }

    pub fn what(self, head: &Head<'_>, body: &[u8]) -> Result<What, Refusal> {
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
            Route::Relay => relay(head, body),
            Route::Send => send(head, body),
        }
    }
}

fn relay(head: &Head<'_>, body: &[u8]) -> Result<What, Refusal> {
    let [to] = head.keys(["to"])?;
    let ids = listed(to, "ID")?.map(|id| whole_number(id).map(UserId).ok_or_else(|| no_id(id)));
    let ids: Vec<UserId> = ids.collect::<Result<_, _>>()?;
    let mut block = Vec::new();
    Ids::encode(&ids, &mut block);
    let receivers = Ids::new(&block).expect("whole ids");
    Ok(work(&Request::Relay { receivers, body, receipt: true }, head.closes))
}

fn send(head: &Head<'_>, body: &[u8]) -> Result<What, Refusal> {
    let [to] = head.keys(["to"])?;
    let names: Vec<String> = listed(to, "NAME")?.map(|name| decode(name, true)).collect::<Result<_, _>>()?;
    let mut block = Vec::new();
    Names::encode(names.iter().map(|name| &name[..]), &mut block);
    let names = Names::new(&block).expect("whole names");
    Ok(work(&Request::Send { names, body, receipt: true, store: false }, head.closes))
}

fn no_id(text: &str) -> Refusal {
    Refusal::new(400, format!("{text:?} is no user id: a number"))
}

/// The items of the key `to`.
fn listed<'q>(to: Option<&'q str>, what: &str) -> Result<std::str::Split<'q, char>, Refusal> {
    let missing = || Refusal::new(400, format!("say to whom, as in ?to={what} or ?to={what},{what}"));
    to.filter(|to| !to.is_empty()).map(|to| to.split(',')).ok_or_else(missing)
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
pub fn decode(text: &str, plus_is_space: bool) -> Result<String, Refusal> {
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
