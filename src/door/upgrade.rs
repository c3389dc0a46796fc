//! The handshake by which an HTTP connection becomes a WebSocket.

use super::Dialect;
use super::http::{Headers, Refusal};
use crate::json::base64;
use std::io::Write;

/// What is appended to a key before it is hashed: RFC 6455, section 1.3.
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Bytes of a key in base64.
const KEY_LEN: usize = 24;

/// The subprotocols, and what is spoken in each.
pub const PROTOCOLS: [(&str, Dialect); 2] = [("cubby.v1", Dialect::Binary), ("cubby.json.v1", Dialect::Json)];

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
