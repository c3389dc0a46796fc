//! What is answered: a document, a refusal, or what the hub said.

use super::Refusal;
use crate::web::answers::{Object, put_result, said};
use crate::web::margin::Asked;
use crate::web::metrics;
use crate::web::page::{self, File};
use crate::wire::{Answer, ErrorCode};
use std::borrow::Cow;
use std::io::Write;

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
