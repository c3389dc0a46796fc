//! HTTP responses: a document, a refusal, or an answer of the hub.

use super::refusal::Refusal;
use crate::hub::RequestContext;
use crate::web::json::object::Object;
use crate::web::json::response::error_text;
use crate::web::metrics;
use crate::web::page::{self, File};
use crate::wire::{Answer, ErrorCode};
use std::borrow::Cow;
use std::io::Write;

/// The header of documents that change all the time.
const NO_STORE: &str = "Cache-Control: no-store\r\n";

/// What a response holds.
#[derive(Debug)]
pub struct Document {
    status: u16,
    /// The type of the body, if there may be one.
    content_type: Option<&'static str>,
    /// Further headers, each with its line's end.
    headers: Cow<'static, str>,
    body: Cow<'static, [u8]>,
}

/// How a response is written, beside what it says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Format<'c> {
    /// It answers a HEAD, so it has no body.
    pub is_head: bool,
    /// The connection ends with it.
    pub closes: bool,
    /// Header lines that say whose pages may read it.
    pub cors: &'c str,
}

impl Document {
    /// A JSON object that is not to be cached.
    pub fn json(status: u16, body: Vec<u8>) -> Document {
        Document { status, content_type: Some("application/json"), headers: NO_STORE.into(), body: body.into() }
    }

    /// The page of metrics.
    pub fn metrics(text: String) -> Document {
        let body = text.into_bytes().into();
        Document { status: 200, content_type: Some(metrics::CONTENT_TYPE), headers: NO_STORE.into(), body }
    }

    /// A file of the page.
    pub fn file(file: &'static File) -> Document {
        let File { content_type, bytes, .. } = *file;
        Document { status: 200, content_type: Some(content_type), headers: page::HEADERS.into(), body: bytes.into() }
    }

    /// The answer to an OPTIONS, in header lines alone.
    pub fn description(lines: String) -> Document {
        Document { status: 200, content_type: None, headers: lines.into(), body: Cow::Borrowed(&[]) }
    }

    /// About how many bytes were composed for it, those included that were left out in the end.
    pub fn bytes_made(&self) -> usize {
        match &self.body {
            Cow::Borrowed(_) => 0,
            Cow::Owned(body) => body.capacity(),
        }
    }

    /// Appends the response.
    pub fn put(&self, format: Format<'_>, out: &mut Vec<u8>) {
        let (Document { status, content_type, headers, body }, Format { is_head, closes, cors }) = (self, format);
        let connection = if closes { "Connection: close\r\n" } else { "" };
        let (reason, len) = (reason(*status), body.len());
        let content_type = content_type.map(|name| format!("Content-Type: {name}\r\n")).unwrap_or_default();
        write!(
            out,
            "HTTP/1.1 {status} {reason}\r\n{content_type}Content-Length: {len}\r\n{connection}\
             {headers}{cors}X-Content-Type-Options: nosniff\r\n\r\n"
        )
        .expect("writing to a vector does not fail");
        out.extend_from_slice(if is_head { &[] } else { body });
    }
}

/// Appends the response to a request that is refused. `closes`: the connection ends with it.
pub fn put_refusal(refusal: &Refusal, closes: bool, out: &mut Vec<u8>) {
    let Refusal { status, ref text, header, is_head, ref cors, .. } = *refusal;
    let document = Document { headers: header.into(), ..Document::json(status, error_body(status, None, text)) };
    document.put(Format { is_head, closes, cors: cors.lines() }, out);
}

fn error_body(status: u16, code: Option<ErrorCode>, text: &str) -> Vec<u8> {
    let mut body = Vec::new();
    let code = code.map(|code| code as u16);
    Object::begin(&mut body).number("status", status).number_if_any("code", code).text("error", text).end();
    body
}

/// Appends the response for an answer of the hub. Appends nothing for an answer that no POST causes.
pub fn encode(context: &RequestContext<'_>, answer: &Answer<'_>, out: &mut Vec<u8>) {
    let RequestContext { closes, headers: cors, tag: _, room: _ } = *context;
    let format = Format { is_head: false, closes, cors };
    let mut body = Vec::new();
    let result = Object::begin(&mut body);
    match *answer {
        Answer::Receipt(statuses) | Answer::SendReceipt(statuses) => result.statuses(statuses).end(),
        Answer::Published(id) => result.number("id", id).end(),
        Answer::Error { code, fatal, text, .. } => {
            return put_error(code, text, Format { closes: closes || fatal, ..format }, out);
        }
        Answer::Closing { code, text } => return put_error(code, text, Format { closes: true, ..format }, out),
        Answer::Welcome { .. }
        | Answer::Identity(_)
        | Answer::List { .. }
        | Answer::Joined { .. }
        | Answer::Left
        | Answer::HistoryEnd { .. }
        | Answer::Who { .. }
        | Answer::Pong(_)
        | Answer::Stats(_)
        | Answer::Deliver { .. }
        | Answer::Mail { .. }
        | Answer::Event { .. }
        | Answer::Beat { .. } => return,
    }
    Document::json(200, body).put(format, out);
}

fn put_error(code: ErrorCode, text: &str, format: Format<'_>, out: &mut Vec<u8>) {
    let status = status_of(code);
    Document::json(status, error_body(status, Some(code), &error_text(code, text))).put(format, out);
}

/// The status of the response to an error of the hub.
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
        503 => "Service Unavailable",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ERROR_CODES;

    fn response(closes: bool, answer: &Answer<'_>) -> String {
        let mut out = Vec::new();
        encode(&RequestContext { closes, ..RequestContext::default() }, answer, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_caller_is_told_the_result_of_its_request() {
        for (answer, body) in [
            (Answer::Receipt(&[0, 1]), r#"{"statuses":["queued","unknown"]}"#),
            (Answer::SendReceipt(&[2]), r#"{"statuses":["refused"]}"#),
            (Answer::Published(18), r#"{"id":18}"#),
        ] {
            for closes in [false, true] {
                let response = response(closes, &answer);
                assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with(body), "{response}");
                assert_eq!(response.contains("Connection: close\r\n"), closes);
            }
        }
    }

    #[test]
    fn the_connection_ends_with_a_fatal_error_and_with_closing() {
        let (code, kind, text) = (ErrorCode::LimitReached, 9, "no room");
        let error = |fatal| response(false, &Answer::Error { code, kind, fatal, text });
        assert!(error(false).ends_with(r#"{"status":429,"code":8,"error":"limit reached: no room"}"#));
        assert!(!error(false).contains("Connection: close") && error(true).contains("Connection: close"));
        assert!(response(false, &Answer::Closing { code, text }).contains("Connection: close"));
    }

    #[test]
    fn every_status_has_a_reason() {
        let of_errors = ERROR_CODES.iter().map(|row| status_of(row.0));
        for status in of_errors.chain([200, 400, 403, 404, 405, 411, 413, 426, 431, 503]) {
            assert_ne!(reason(status), "Status", "{status}");
        }
    }
}
