//! The handshake by which an HTTP connection becomes a WebSocket (RFC 6455, section 4.2): the server's side.

use super::headers::Headers;
use super::refusal::Refusal;
use crate::hub::Encoding;
use crate::web::encoding::{DEFAULT, SUBPROTOCOLS};
use crate::wire::websocket::accept_key;
use std::io::Write;

/// Bytes of a key in base64.
const KEY_LEN: usize = 24;

/// A handshake that is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The encoding of the messages that follow.
    pub encoding: Encoding,
    /// The subprotocol, if the client asked for one.
    subprotocol: Option<&'static str>,
    /// The value that proves that the handshake was understood.
    accept: String,
}

impl Handshake {
    /// Reads the headers of a handshake.
    ///
    /// # Errors
    ///
    /// 426 if they ask for no WebSocket, or for another version; 400 if something is missing.
    pub fn read(headers: Headers<'_>) -> Result<Handshake, Refusal> {
        if !headers.has("Upgrade", "websocket") || !headers.has("Connection", "upgrade") {
            let header = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
            return Err(Refusal { header, ..Refusal::new(426, "only WebSockets connect here") });
        }
        if headers.one("Sec-WebSocket-Version")? != Some("13") {
            let header = "Sec-WebSocket-Version: 13\r\n";
            return Err(Refusal { header, ..Refusal::new(426, "the Sec-WebSocket-Version must be 13") });
        }
        let key = headers.one("Sec-WebSocket-Key")?.filter(|key| key.len() == KEY_LEN);
        let key = key.ok_or_else(|| Refusal::new(400, "the Sec-WebSocket-Key must be 16 bytes in base64"))?;
        let (subprotocol, encoding) = choose(headers)?;
        Ok(Handshake { encoding, subprotocol, accept: accept_key(key) })
    }

    /// Appends the response.
    pub fn put_response(&self, out: &mut Vec<u8>) {
        let line = |name| format!("Sec-WebSocket-Protocol: {name}\r\n");
        let subprotocol = self.subprotocol.map(line).unwrap_or_default();
        write!(
            out,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n{subprotocol}\r\n",
            self.accept
        )
        .expect("writing to a vector does not fail");
    }
}

/// The first known one of the subprotocols that the client offers, and its encoding.
fn choose(headers: Headers<'_>) -> Result<(Option<&'static str>, Encoding), Refusal> {
    let mut offered = headers.items("Sec-WebSocket-Protocol").filter(|name| !name.is_empty()).peekable();
    if offered.peek().is_none() {
        return Ok((None, DEFAULT));
    }
    let known = offered.find_map(|name| SUBPROTOCOLS.iter().find(|row| row.0 == name));
    let unknown = || Refusal::new(400, "this hub knows the subprotocols cubby.v1 and cubby.json.v1");
    known.map(|(name, encoding)| (Some(*name), *encoding)).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::http::MAX_HEADERS;
    use crate::web::encoding::{BINARY, JSON};

    const UPGRADE: &str = "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                           Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    /// The outcome of a handshake with further headers.
    fn read(headers: &str) -> Result<Handshake, u16> {
        let text = format!("{UPGRADE}{headers}\r\n");
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        assert_eq!(request.parse(text.as_bytes()), Ok(httparse::Status::Complete(text.len())));
        Handshake::read(Headers(request.headers)).map_err(|refusal| refusal.status)
    }

    #[test]
    fn the_response_names_the_subprotocol_that_chooses_the_encoding() {
        for (headers, encoding, name) in [
            ("", JSON, None),
            ("Sec-WebSocket-Protocol: cubby.v1\r\n", BINARY, Some("cubby.v1")),
            ("Sec-WebSocket-Protocol: mqtt, cubby.json.v1, cubby.v1\r\n", JSON, Some("cubby.json.v1")),
        ] {
            let handshake = read(headers).expect("nothing is missing");
            assert_eq!(handshake.encoding, encoding);
            let mut response = Vec::new();
            handshake.put_response(&mut response);
            let response = String::from_utf8(response).expect("text");
            assert!(response.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{response}");
            let named = response.split("Sec-WebSocket-Protocol: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            assert_eq!(named, name);
            assert!(response.ends_with("\r\n\r\n"));
        }
        assert_eq!(read("Sec-WebSocket-Protocol: mqtt\r\n"), Err(400));
    }
}
