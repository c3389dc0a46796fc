//! The handshake by which an HTTP connection becomes a WebSocket: the hub's side of it, and a client's.

use super::Dialect;
use super::http::{Headers, Refusal};
use crate::json::base64;
use crate::limits::{MOST_HEAD, MOST_HEADERS};
use std::io::Write;

/// What is appended to a key before it is hashed: RFC 6455, section 1.3.
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Bytes of a key in base64.
const KEY_LEN: usize = 24;

/// The subprotocols, and what is spoken in each.
pub const PROTOCOLS: [(&str, Dialect); 2] = [(NATIVE, Dialect::Binary), ("cubby.json.v1", Dialect::Json)];

/// The subprotocol in which each binary message is one of the hub's own frames.
const NATIVE: &str = "cubby.v1";

/// A handshake that will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// What is spoken from here on.
    pub dialect: Dialect,
    /// The subprotocol, where one was asked for.
    protocol: Option<&'static str>,
    /// What proves that the handshake was understood.
    accept: String,
}

/// Reads a handshake.
///
/// # Errors
///
/// 426 where no WebSocket is asked for, or another version; 400 where something is missing.
pub fn read(headers: Headers<'_>) -> Result<Upgrade, Refusal> {
    if !headers.has("Upgrade", "websocket") || !headers.has("Connection", "upgrade") {
        let header = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
        return Err(Refusal { header, ..Refusal::new(426, "this is where WebSockets connect") });
    }
    if headers.one("Sec-WebSocket-Version")? != Some("13") {
        let header = "Sec-WebSocket-Version: 13\r\n";
        return Err(Refusal { header, ..Refusal::new(426, "the Sec-WebSocket-Version must be 13") });
    }
    let key = headers.one("Sec-WebSocket-Key")?.filter(|key| key.len() == KEY_LEN);
    let key = key.ok_or_else(|| Refusal::new(400, "the Sec-WebSocket-Key must be 16 bytes in base64"))?;
    let (protocol, dialect) = choose(headers)?;
    Ok(Upgrade { dialect, protocol, accept: accept(key) })
}

/// The first of the subprotocols asked for that is spoken here, or JSON where none was asked for.
fn choose(headers: Headers<'_>) -> Result<(Option<&'static str>, Dialect), Refusal> {
    let mut asked = headers.items("Sec-WebSocket-Protocol").filter(|name| !name.is_empty()).peekable();
    if asked.peek().is_none() {
        return Ok((None, Dialect::Json));
    }
    let known = asked.find_map(|name| PROTOCOLS.iter().find(|row| row.0 == name));
    let unknown = || Refusal::new(400, "the subprotocols spoken here are cubby.v1 and cubby.json.v1");
    known.map(|(name, dialect)| (Some(*name), *dialect)).ok_or_else(unknown)
}

/// What a server answers to a key.
pub fn accept(key: &str) -> String {
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key.as_bytes());
    hash.update(MAGIC.as_bytes());
    base64(&hash.digest().bytes())
}

impl Upgrade {
    /// Appends the response.
    pub fn put_answer(&self, out: &mut Vec<u8>) {
        let protocol = self.protocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).unwrap_or_default();
        write!(
            out,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n{protocol}\r\n",
            self.accept
        )
        .expect("a vector takes all that is written to it");
    }
}

/// Bytes of such a response at the front of what a link is to hear, where there is one.
pub fn answer_len(front: &[u8]) -> Option<usize> {
    let end = b"\r\n\r\n";
    let is_answer = front.starts_with(b"HTTP/");
    is_answer.then(|| front.windows(end.len()).position(|bytes| bytes == end).map_or(front.len(), |at| at + end.len()))
}

/// Appends the handshake of a client that will speak in the hub's own frames.
pub fn put_request(host: &str, path: &str, key: &str, out: &mut Vec<u8>) {
    write!(
        out,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {NATIVE}\r\n\r\n"
    )
    .expect("a vector takes all that is written to it");
}

/// What a server answers to a client's handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Not all of it has come.
    More,
    /// Messages follow behind so many bytes.
    Agreed(usize),
    /// Something else.
    Other {
        /// The status, and its name.
        status: u16,
        reason: String,
        /// Where its body begins, and how many bytes that has, if it is said.
        body_at: usize,
        body_len: Option<usize>,
    },
}

/// The answer to the handshake with this key that stands at the front of `bytes`.
///
/// # Errors
///
/// Why it is none, for a person.
pub fn read_reply(bytes: &[u8], key: &str) -> Result<Reply, &'static str> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let head_len = match response.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) if bytes.len() < MOST_HEAD => return Ok(Reply::More),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Err("what answers there sends headers without end");
        }
        Err(_) => {
            return Err("what answers there speaks no HTTP; a hub's native address is written without ws://");
        }
    };
    let headers = Headers(response.headers);
    let one = |name| headers.one(name).ok().flatten();
    let status = response.code.unwrap_or_default();
    if status != 101 {
        let reason = response.reason.unwrap_or_default().to_owned();
        let body_len = one("Content-Length").and_then(|len| len.parse().ok());
        return Ok(Reply::Other { status, reason, body_at: head_len, body_len });
    }
    let is_proven = one("Sec-WebSocket-Accept") == Some(&accept(key));
    if !headers.has("Upgrade", "websocket") || !headers.has("Connection", "upgrade") || !is_proven {
        return Err("what answers there does not know how to become a WebSocket");
    }
    if one("Sec-WebSocket-Protocol") != Some(NATIVE) || headers.items("Sec-WebSocket-Extensions").next().is_some() {
        return Err("a WebSocket is there, but it does not speak cubby.v1, so it is no Cubby hub's");
    }
    Ok(Reply::Agreed(head_len))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn reply(head: &str) -> Result<Reply, &'static str> {
        read_reply(head.replace('\n', "\r\n").as_bytes(), KEY)
    }

    #[test]
    fn the_hub_agrees_to_what_a_client_asks_and_the_client_to_what_it_answers() {
        let (mut asked, mut answer) = (Vec::new(), Vec::new());
        put_request("hub.example:8080", "/ws", KEY, &mut asked);
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        assert_eq!(request.parse(&asked), Ok(httparse::Status::Complete(asked.len())));
        let upgrade = read(Headers(request.headers)).expect("all that it takes");
        assert_eq!(upgrade.dialect, Dialect::Binary);
        upgrade.put_answer(&mut answer);
        let len = answer.len();
        answer.extend_from_slice(b"the first message");
        assert_eq!(read_reply(&answer, KEY), Ok(Reply::Agreed(len)));
        for cut in 0..len {
            assert_eq!(read_reply(&answer[..cut], KEY), Ok(Reply::More));
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
        let endless = "HTTP/1.1 101 Yes\n".to_owned() + &"X: y\n".repeat(MOST_HEADERS + 1);
        assert!(reply(&endless).is_err_and(|why| why.contains("without end")));
        let long = "HTTP/1.1 101 Yes\nX: ".to_owned() + &"y".repeat(MOST_HEAD);
        assert!(reply(&long).is_err_and(|why| why.contains("without end")));
    }
}
