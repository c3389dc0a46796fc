//! The paths, the methods of each, and what a request to each wants.

use super::call::{Action, Lookup, Post, Target};
use super::handshake::Handshake;
use super::head::Head;
use super::query::{decode, number, receivers, whole_number};
use super::refusal::Refusal;
use crate::name_list::ListedName;
use crate::web::page::{self, File};
use crate::wire::{Ids, Names, UserId};

/// The parts of the longest path, with the empty one before its first slash.
const MAX_PARTS: usize = 4;

/// A known path.
pub enum Route {
    File(&'static File),
    Health,
    Metrics,
    List,
    WebSocket,
    Relay,
    Send,
    Room(String),
    Members(String),
    History(String),
}

/// The methods of a route.
pub struct Methods {
    /// The first one is the one that error texts recommend.
    names: &'static [&'static str],
    /// The header that lists them, with its line's end.
    pub header: &'static str,
}

const READ: Methods = Methods { names: &["GET", "HEAD", OPTIONS], header: "Allow: GET, HEAD, OPTIONS\r\n" };
const CONNECT: Methods = Methods { names: &["GET", OPTIONS], header: "Allow: GET, OPTIONS\r\n" };
const WRITE: Methods = Methods { names: &["POST", OPTIONS], header: "Allow: POST, OPTIONS\r\n" };

/// The methods of the hub as a whole, which an OPTIONS asks for by a path of `*`.
const ANY: Methods =
    Methods { names: &["GET", "HEAD", "POST", OPTIONS], header: "Allow: GET, HEAD, POST, OPTIONS\r\n" };

/// Every path takes it: browsers ask by it what a page may do, and load balancers whether the hub is there.
pub const OPTIONS: &str = "OPTIONS";

impl Methods {
    /// Whether this method is allowed.
    pub fn include(&self, method: &str) -> bool {
        self.names.contains(&method)
    }

    /// The method that error texts recommend.
    pub fn usual(&self) -> &'static str {
        self.names[0]
    }

    /// Those that a path has; all of the hub's for `*`.
    ///
    /// # Errors
    ///
    /// As [`Route::find`].
    pub fn of(path: &str) -> Result<Methods, Refusal> {
        if path == "*" { Ok(ANY) } else { Ok(Route::find(path)?.methods()) }
    }

    /// Their names, for a header.
    pub fn list(&self) -> String {
        self.names.join(", ")
    }
}

impl Route {
    /// Finds the route of a path.
    ///
    /// # Errors
    ///
    /// 404 if there is none, 400 if a room in it is not percent-encoded.
    pub fn find(path: &str) -> Result<Route, Refusal> {
        if let Some(file) = page::FILES.iter().find(|file| file.path == path) {
            return Ok(Route::File(file));
        }
        // One more part than any path has: a path may be many KiB of slashes.
        let parts: Vec<&str> = path.splitn(MAX_PARTS + 1, '/').collect();
        Ok(match parts[..] {
            ["", "health"] => Route::Health,
            ["", "metrics"] => Route::Metrics,
            ["", "list"] => Route::List,
            ["", "ws"] => Route::WebSocket,
            ["", "relay"] => Route::Relay,
            ["", "send"] => Route::Send,
            ["", "rooms", room] => Route::Room(decode(room, false)?),
            ["", "rooms", room, "members"] => Route::Members(decode(room, false)?),
            ["", "rooms", room, "history"] => Route::History(decode(room, false)?),
            _ => return Err(Refusal::new(404, format!("there is nothing at {path}"))),
        })
    }

    /// Its methods.
    pub fn methods(&self) -> Methods {
        match self {
            Route::File(_) | Route::Health | Route::Metrics | Route::List | Route::Members(_) | Route::History(_) => {
                READ
            }
            Route::WebSocket => CONNECT,
            Route::Relay | Route::Send | Route::Room(_) => WRITE,
        }
    }

    /// Whether a request to it has a body.
    pub fn has_body(&self) -> bool {
        self.methods().include("POST")
    }

    /// What a request with this head and body wants.
    ///
    /// # Errors
    ///
    /// 400 if the query or the handshake is wrong, 426 if the request to `/ws` is no handshake.
    pub fn action<'b>(self, head: &Head<'_>, body: &'b [u8]) -> Result<Action<'b>, Refusal> {
        match self {
            // A script of the page itself reads the query.
            Route::File(file) => Ok(Action::LookUp(Lookup::File(file))),
            Route::Health => Ok(Action::LookUp(Lookup::Health)),
            Route::Metrics => Ok(Action::LookUp(Lookup::Metrics)),
            Route::List => Ok(Action::LookUp(Lookup::List { after: after(head)? })),
            Route::Members(room) => Ok(Action::LookUp(Lookup::Members { room, after: after(head)? })),
            Route::History(room) => history(head, room).map(Action::LookUp),
            Route::WebSocket if head.closes => {
                Err(Refusal::new(400, "a WebSocket needs a connection of HTTP/1.1 that stays open"))
            }
            Route::WebSocket => Handshake::read(head.headers).map(Action::Upgrade),
            Route::Room(room) => {
                let [] = head.keys([])?;
                Ok(Action::Execute(Post { target: Target::Room(room), body }))
            }
            Route::Relay => Ok(Action::Execute(Post { target: users(head)?, body })),
            Route::Send => Ok(Action::Execute(Post { target: names(head)?, body })),
        }
    }
}

/// The key `after` of a request that has no other.
fn after(head: &Head<'_>) -> Result<u64, Refusal> {
    let [after] = head.keys(["after"])?;
    Ok(number("after", after)?.unwrap_or(0))
}

fn history(head: &Head<'_>, room: String) -> Result<Lookup, Refusal> {
    let [after, limit] = head.keys(["after", "limit"])?;
    let after = number("after", after)?.unwrap_or(0);
    let limit = number("limit", limit)?.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(Lookup::History { room, after, limit })
}

fn users(head: &Head<'_>) -> Result<Target, Refusal> {
    let [to] = head.keys(["to"])?;
    let invalid = |id: &str| Refusal::new(400, format!("{id:?} is no user id; an id is a number"));
    let id = |id: &ListedName<'_>| whole_number(&id.name).map(UserId).ok_or_else(|| invalid(&id.name));
    let ids: Vec<UserId> = receivers(to, "ID")?.iter().map(id).collect::<Result<_, _>>()?;
    let mut block = Vec::new();
    Ids::encode(&ids, &mut block);
    Ok(Target::Users(block))
}

fn names(head: &Head<'_>) -> Result<Target, Refusal> {
    let [to] = head.keys(["to"])?;
    let name = |listed: &ListedName<'_>| decode(&listed.name, true);
    let names: Vec<String> = receivers(to, "NAME")?.iter().map(name).collect::<Result<_, _>>()?;
    let mut block = Vec::new();
    Names::encode(names.iter().map(|name| &name[..]), &mut block);
    Ok(Target::Names(block))
}
