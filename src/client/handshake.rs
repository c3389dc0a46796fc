//! The handshake of a WebSocket, the client's side: it asks for native frames in binary messages.

use crate::limits::http::{MAX_HEAD_LEN, MAX_HEADERS};
use crate::wire::websocket::accept_key;
use std::io::Write;

/// The subprotocol in which each binary message is a native frame.
const SUBPROTOCOL: &str = "cubby.v1";

/// Appends the request of a handshake. The zone of an IPv6 host is left out, because it means something on this machine
/// alone (RFC 6874).
pub fn put_request(host: &str, path: &str, key: &str, out: &mut Vec<u8>) {
    let (front, behind) = host.split_once('%').unwrap_or((host, ""));
    let port = behind.find(']').map_or("", |end| &behind[end..]);
    write!(
        out,
        "GET {path} HTTP/1.1\r\nHost: {front}{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
    )
    .expect("writing to a vector does not fail");
}

/// What a server answers to a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The answer is not complete yet.
    More,
    /// The server agrees. The answer has this many bytes, and messages follow.
    Agreed(usize),
    /// Another HTTP response.
    Other {
        /// The status, and its name.
        status: u16,
        reason: String,
        /// Where its body begins, and how many bytes that has, if the response says so.
        body_at: usize,
        body_len: Option<usize>,
    },
}

/// The answer at the front of `bytes` to the handshake with this key.
///
/// # Errors
///
/// Why it is not one, for a person to read.
pub fn read_reply(bytes: &[u8], key: &str) -> Result<Reply, &'static str> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let head_len = match response.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD_LEN => return Ok(Reply::More),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Err("the server sends headers without end");
        }
        Err(_) => {
            return Err("the server speaks no HTTP; write a hub's native address without ws://");
        }
    };
    let status = response.code.unwrap_or_default();
    if status != 101 {
        let reason = response.reason.unwrap_or_default().to_owned();
        let body_len = items(response.headers, "Content-Length").next().and_then(|len| len.parse().ok());
        return Ok(Reply::Other { status, reason, body_at: head_len, body_len });
    }
    check_agreed(response.headers, key).map(|()| Reply::Agreed(head_len))
}

fn check_agreed(headers: &[httparse::Header<'_>], key: &str) -> Result<(), &'static str> {
    let has = |name, item: &str| items(headers, name).any(|other| other.eq_ignore_ascii_case(item));
    let is_only = |name, item: &str| items(headers, name).eq([item]);
    let is_proven = is_only("Sec-WebSocket-Accept", &accept_key(key));
    if !has("Upgrade", "websocket") || !has("Connection", "upgrade") || !is_proven {
        return Err("the server does not know how to become a WebSocket");
    }
    if !is_only("Sec-WebSocket-Protocol", SUBPROTOCOL) || items(headers, "Sec-WebSocket-Extensions").next().is_some() {
        return Err("the server has a WebSocket, but it does not speak cubby.v1, so it is not a Cubby hub");
    }
    Ok(())
}

/// The items of the header lines with this name.
fn items<'h>(headers: &'h [httparse::Header<'h>], name: &str) -> impl Iterator<Item = &'h str> {
    let lines = headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
    lines.filter_map(|header| str::from_utf8(header.value).ok()).flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn reply(head: &str) -> Result<Reply, &'static str> {
        read_reply(head.replace('\n', "\r\n").as_bytes(), KEY)
    }

    #[test]
    fn the_host_is_named_without_its_zone() {
        for (host, named) in [
            ("hub:8080", "hub:8080"),
            ("[::1]", "[::1]"),
            ("[fe80::1%eth0]:8080", "[fe80::1]:8080"),
            ("[fe80::1%2]", "[fe80::1]"),
        ] {
            let mut out = Vec::new();
            put_request(host, "/ws", KEY, &mut out);
            let text = String::from_utf8(out).expect("text");
            assert!(text.contains(&format!("\r\nHost: {named}\r\n")), "{text}");
        }
    }

    #[test]
    fn an_answer_that_does_not_prove_itself_is_none() {
        let agreed = "HTTP/1.1 101 Yes\nUpgrade: WebSocket\nConnection: keep-alive, Upgrade\n\
                      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\nSec-WebSocket-Protocol: cubby.v1\n\n";
        assert!(matches!(reply(agreed), Ok(Reply::Agreed(_))));
        for (right, wrong) in [
            ("Upgrade: WebSocket", "Upgrade: h2c"),
            ("keep-alive, Upgrade", "keep-alive"),
            ("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ("Protocol: cubby.v1", "Protocol: cubby.json.v1"),
            ("Sec-WebSocket-Protocol: cubby.v1\n", ""),
            ("cubby.v1\n", "cubby.v1\nSec-WebSocket-Extensions: permessage-deflate\n"),
        ] {
            assert!(reply(&agreed.replace(right, wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_answer_to_a_handshake_is_told_apart() {
        let other = reply("HTTP/1.1 404 Not Found\nContent-Length: 12\n\nnothing here");
        let (status, reason) = (404, "Not Found".to_owned());
        assert_eq!(other, Ok(Reply::Other { status, reason, body_at: 46, body_len: Some(12) }));
        assert!(reply("SSH-2.0-OpenSSH_9.2\n").is_err_and(|why| why.contains("speaks no HTTP")));
        let endless = "HTTP/1.1 101 Yes\n".to_owned() + &"X: y\n".repeat(MAX_HEADERS + 1);
        assert!(reply(&endless).is_err_and(|why| why.contains("without end")));
        let long = "HTTP/1.1 101 Yes\nX: ".to_owned() + &"y".repeat(MAX_HEAD_LEN);
        assert!(reply(&long).is_err_and(|why| why.contains("without end")));
    }
}
