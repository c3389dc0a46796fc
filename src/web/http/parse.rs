//! Parses one request at the front of some bytes. A wrong request is refused as early as possible.

use super::call::{Action, Call};
use super::cors::{self, Cors};
use super::head::Head;
use super::headers::Headers;
use super::refusal::Refusal;
use super::route::{Methods, OPTIONS, Route};
use crate::limits::http::{MAX_HEAD_LEN, MAX_HEADERS};
use crate::wire::Bounds;

/// What decides whether a request is accepted.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The hub's limits.
    pub bounds: Bounds,
    /// Origins whose pages are accepted, beside the hub's own.
    pub origins: &'a [String],
}

/// What is at the front of some bytes.
#[derive(Debug)]
pub enum Parsed<'b> {
    /// A request, and its length in bytes.
    Call(Call<'b>, usize),
    /// The beginning of a request.
    Incomplete {
        /// Whether the sender waits for `100 Continue` before it sends the body.
        expects_continue: bool,
        /// Bytes of the body that have not arrived; `usize::MAX` if its length is not known yet.
        missing: usize,
        /// Whose pages may read the response, as far as the head has arrived.
        cors: Cors,
    },
}

/// The request at the front of `bytes`.
///
/// # Errors
///
/// Why it is refused. A page of an origin that the operator has named may read that too.
pub fn parse<'b>(bytes: &'b [u8], rules: Rules<'_>) -> Result<Parsed<'b>, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let unparsed = |refusal| Err(Refusal { cors: Cors::of_unparsed(bytes, rules.origins), ..refusal });
    let head_len = match request.parse(bytes) {
        Ok(httparse::Status::Complete(len)) if len <= MAX_HEAD_LEN => len,
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD_LEN => {
            let cors = Cors::of_unparsed(bytes, rules.origins);
            return Ok(Parsed::Incomplete { expects_continue: false, missing: usize::MAX, cors });
        }
        Err(httparse::Error::TooManyHeaders) => {
            return unparsed(Refusal::new(431, format!("a request may have {MAX_HEADERS} headers")));
        }
        Err(error) => return unparsed(Refusal::new(400, format!("this is no HTTP request: {error}"))),
        Ok(_) => {
            let text = format!("the headers of a request may have {MAX_HEAD_LEN} bytes; send fewer cookies");
            return unparsed(Refusal::new(431, text));
        }
    };
    let cors = Cors::new(Headers(request.headers).one("Origin").ok().flatten(), rules.origins);
    let parsed = Head::read(&request).and_then(|head| parse_call(&head, &cors, head_len, &bytes[head_len..], rules));
    parsed.map_err(|refusal| Refusal { cors, ..refusal })
}

/// The request with this head; `input` is what follows it.
fn parse_call<'b>(
    head: &Head<'_>,
    cors: &Cors,
    head_len: usize,
    input: &'b [u8],
    rules: Rules<'_>,
) -> Result<Parsed<'b>, Refusal> {
    // Without a body the next request begins behind the head, even if this one is refused.
    let next_at = Some(head_len).filter(|_| head.body_len.unwrap_or(0) == 0 && !head.closes);
    let is_head = head.method == "HEAD";
    let refused = |refusal: Refusal| Refusal { next_at, is_head, ..refusal };
    head.check_origin(rules.origins).map_err(refused)?;
    let (closes, is_forwarded) = (head.closes, head.is_forwarded());
    let call = |action| Call { action, is_head, closes, is_forwarded, cors: cors.clone() };
    if head.method == OPTIONS {
        body_len(head, false, rules)?;
        return Ok(Parsed::Call(call(describe(head).map_err(refused)?), head_len));
    }
    let route = Route::find(head.path).map_err(refused)?;
    let methods = route.methods();
    if !methods.include(head.method) {
        let text = format!("{} does not take {}; use {}", head.path, head.method, methods.usual());
        return Err(refused(Refusal { header: methods.header, ..Refusal::new(405, text) }));
    }
    let len = body_len(head, route.has_body(), rules)?;
    let Some(body) = input.get(..len) else {
        let (expects_continue, cors) = (head.expects_continue, cors.clone());
        return Ok(Parsed::Incomplete { expects_continue, missing: len - input.len(), cors });
    };
    let next_at = Some(head_len + len).filter(|_| !head.closes);
    let action = route.action(head, body).map_err(|refusal| Refusal { next_at, ..refused(refusal) })?;
    Ok(Parsed::Call(call(action), head_len + len))
}

/// The answer to an OPTIONS.
fn describe(head: &Head<'_>) -> Result<Action<'static>, Refusal> {
    let methods = Methods::of(head.path)?;
    let mut lines = methods.header.to_owned();
    let is_preflight = head.headers.contains("Access-Control-Request-Method");
    if is_preflight {
        lines += &cors::preflight(&methods.list(), head.headers.items("Access-Control-Request-Headers"));
    }
    Ok(Action::Describe { lines, is_preflight })
}

fn body_len(head: &Head<'_>, has_body: bool, rules: Rules<'_>) -> Result<usize, Refusal> {
    match head.body_len {
        Some(len) if len > rules.bounds.max_body as usize => {
            Err(Refusal::new(413, format!("a body may have {} bytes", rules.bounds.max_body)))
        }
        Some(1..) if !has_body => Err(Refusal::new(400, format!("a {} has no body here", head.method))),
        None if has_body => Err(Refusal::new(411, "a POST must have a Content-Length")),
        len => Ok(len.unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests;
