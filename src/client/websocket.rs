//! A blocking WebSocket connection that its owner uses as a stream of native frames. It owns the bytes of messages that
//! are received but not read, or written but not sent. The framing itself (RFC 6455) is not here.

use super::handshake::{self, Reply};
use super::io::{MAX_PAYLOAD, READ_BYTES, is_timeout, time_left};
use crate::json::base64;
use crate::wire::HEADER_LEN;
use crate::wire::websocket::{self as framing, Message, MessageReader, Side};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// The longest message accepted from a hub, in bytes: one frame.
const MAX_MESSAGE: usize = MAX_PAYLOAD as usize + HEADER_LEN;

/// How much is read of the body of an HTTP error: what a hub writes there is much shorter.
const MAX_ERROR_BODY: usize = 16 * 1024;

/// A connection after the handshake.
#[derive(Debug)]
pub struct WebSocket {
    socket: TcpStream,
    messages: MessageReader,
    /// The buffer for received bytes; empty between two calls.
    buffer: Box<[u8]>,
    /// Native frames that were received in messages; those from `unread` on are not read yet.
    frames: Vec<u8>,
    unread: usize,
    /// When a read times out.
    deadline: Option<Instant>,
    /// Encoded messages; the first `sent` bytes of them are sent.
    outbound: Vec<u8>,
    sent: usize,
    /// How many bytes of the current frame `write` has not yet reported as written.
    due: usize,
    /// The pong, or the answer to a close message, that must be sent as soon as no message is partly sent.
    pending_reply: Option<(u8, Vec<u8>)>,
    /// The hub has closed its side.
    is_over: bool,
    random: Random,
}

/// Unpredictable numbers for masks and keys. The keys of a [`RandomState`] come from the system's source of randomness,
/// and its hash of a counter cannot be predicted without them. So this needs no further crate.
#[derive(Debug, Default)]
struct Random {
    state: RandomState,
    drawn: u64,
}

impl Random {
    fn next(&mut self) -> [u8; 8] {
        self.drawn += 1;
        self.state.hash_one(self.drawn).to_ne_bytes()
    }

    fn mask(&mut self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.next();
        [a, b, c, d]
    }
}

impl WebSocket {
    /// Performs the handshake on a new connection, until `deadline`.
    ///
    /// # Errors
    ///
    /// The system's error; or why the server refuses or is not a hub, and what to do about it.
    pub fn open(
        socket: TcpStream,
        host_and_port: &str,
        path: &str,
        deadline: Option<Instant>,
    ) -> io::Result<WebSocket> {
        let mut opened = WebSocket {
            socket,
            messages: MessageReader::new(Side::Server),
            buffer: vec![0; READ_BYTES].into(),
            frames: Vec::new(),
            unread: 0,
            deadline,
            outbound: Vec::new(),
            sent: 0,
            due: 0,
            pending_reply: None,
            is_over: false,
            random: Random::default(),
        };
        let key = base64(&[opened.random.next(), opened.random.next()].concat());
        let host = host_and_port.strip_suffix(":80").unwrap_or(host_and_port);
        let mut request = Vec::new();
        handshake::put_request(host, path, &key, &mut request);
        opened.socket.set_write_timeout(time_left(deadline).map_err(name_timeout)?)?;
        opened.socket.write_all(&request)?;
        opened.await_handshake(&key)?;
        Ok(opened)
    }

    /// Waits for the response to the handshake. Messages may arrive together with it.
    fn await_handshake(&mut self, key: &str) -> io::Result<()> {
        let mut len = 0;
        loop {
            match handshake::read_reply(&self.buffer[..len], key).map_err(io::Error::other)? {
                Reply::More => {}
                Reply::Agreed(head_len) => {
                    self.buffer.copy_within(head_len..len, 0);
                    return self.decode(len - head_len);
                }
                Reply::Other { status, reason, body_at, body_len } => {
                    let end = body_at + body_len.unwrap_or(MAX_ERROR_BODY).min(MAX_ERROR_BODY);
                    while len < end && self.read_more(&mut len).is_ok_and(|count| count > 0) {}
                    return Err(refusal(status, &reason, &self.buffer[body_at..len.min(end)]));
                }
            }
            if self.read_more(&mut len)? == 0 {
                return Err(io::Error::other("it closed the connection without a response; does it speak HTTP?"));
            }
        }
    }

    /// Reads to the place behind the first `len` bytes of the buffer, and adds the number of bytes to `len`.
    fn read_more(&mut self, len: &mut usize) -> io::Result<usize> {
        self.apply_deadline()?;
        let count = match self.socket.read(&mut self.buffer[*len..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return self.read_more(len),
            other => other.map_err(name_timeout)?,
        };
        *len += count;
        Ok(count)
    }

    pub fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    }

    pub fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.socket.set_write_timeout(Some(timeout))
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether a read returns bytes that were already received.
    pub fn has_unread(&self) -> bool {
        self.unread < self.frames.len()
    }

    /// Reads without blocking; `WouldBlock` if there is nothing to read.
    pub fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.has_unread() && !self.is_over {
            self.socket.set_nonblocking(true)?;
            let received = self.receive();
            self.socket.set_nonblocking(false)?;
            received?;
        }
        if self.has_unread() || self.is_over { Ok(self.take(buffer)) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    /// Reads bytes of native frames. Control messages are handled meanwhile; they do not extend the timeout, even if
    /// nothing else arrives.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.has_unread() && !self.is_over {
            self.apply_deadline()?;
            self.receive()?;
        }
        Ok(self.take(buffer))
    }

    /// Limits the next read of the socket to the time until the deadline.
    fn apply_deadline(&self) -> io::Result<()> {
        self.socket.set_read_timeout(time_left(self.deadline).map_err(name_timeout)?)
    }

    /// Reads from the socket once.
    fn receive(&mut self) -> io::Result<()> {
        let count = self.socket.read(&mut self.buffer)?;
        self.is_over = count == 0;
        self.decode(count)
    }

    /// Decodes the first `count` bytes of the buffer and handles the messages in them.
    fn decode(&mut self, count: usize) -> io::Result<()> {
        let wrong = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        let mut input = &mut self.buffer[..count];
        while !self.is_over
            && let Some(message) =
                self.messages.next(&mut input, MAX_MESSAGE).map_err(|violation| wrong(violation.text()))?
        {
            match message {
                Message::Binary(frame) => self.frames.extend_from_slice(&frame),
                // RFC 6455 requires an answer to the latest ping only.
                Message::Ping(payload) => self.pending_reply = Some((framing::PONG, payload.into_owned())),
                Message::Pong => {}
                Message::Text(_) => return Err(wrong("it sent a text message")),
                Message::Close(_) => {
                    self.pending_reply = Some((framing::CLOSE, Vec::new()));
                    self.is_over = true;
                }
            }
        }
        self.send_pending_reply();
        Ok(())
    }

    /// Sends the pending reply, unless a message is partly sent: nothing may interrupt that. What the socket does not
    /// accept now is sent before the next message.
    fn send_pending_reply(&mut self) {
        if self.outbound.is_empty()
            && let Some((opcode, payload)) = self.pending_reply.take()
        {
            framing::encode_masked(opcode, &payload, self.random.mask(), &mut self.outbound);
            // If the connection broke, the next read returns the error.
            let _ = self.send();
        }
    }

    /// Moves received bytes to the caller's buffer; returns 0 if there are none.
    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let unread = &self.frames[self.unread..];
        let count = unread.len().min(buffer.len());
        buffer[..count].copy_from_slice(&unread[..count]);
        self.unread += count;
        if !self.has_unread() {
            self.frames.clear();
            self.frames.shrink_to(READ_BYTES);
            self.unread = 0;
        }
        count
    }

    /// Writes a part of a frame and returns its length. The first call must pass the whole frame, which becomes one
    /// message; each further call must pass the rest of it.
    pub fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        if self.due == 0 {
            self.send_pending_reply();
            framing::encode_masked(framing::BINARY, frame, self.random.mask(), &mut self.outbound);
            self.due = frame.len();
        }
        debug_assert_eq!(self.due, frame.len(), "the rest of the frame");
        loop {
            self.send()?;
            let left = self.outbound.len() - self.sent;
            if left < self.due {
                let written = self.due - left;
                self.due = left;
                self.send_pending_reply();
                return Ok(written);
            }
        }
    }

    /// Sends some of the encoded messages.
    fn send(&mut self) -> io::Result<()> {
        match self.socket.write(&self.outbound[self.sent..])? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => self.sent += count,
        }
        if self.sent == self.outbound.len() {
            self.outbound.clear();
            self.outbound.shrink_to(READ_BYTES);
            self.sent = 0;
        }
        Ok(())
    }
}

/// Gives a timeout one kind and a clear text, whatever the system calls it.
fn name_timeout(error: io::Error) -> io::Error {
    if is_timeout(&error) { io::Error::new(io::ErrorKind::TimedOut, "it does not answer in time") } else { error }
}

/// Why the server answered the handshake with an HTTP error, in the hub's own words if there are any.
fn refusal(status: u16, reason: &str, body: &[u8]) -> io::Error {
    let body = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    let text = body["error"].as_str().map(|text| format!(" ({text})")).unwrap_or_default();
    let advice = match status {
        200 | 404 => "; a hub's WebSocket is at the path /ws, unless a proxy has it at another",
        300..400 => "; redirects are not followed, so give the address it leads to",
        426 => "; a proxy in between must pass on the headers Upgrade and Connection",
        502..=504 if text.is_empty() => "; this comes from a proxy that does not reach the hub; is it running?",
        _ => "",
    };
    io::Error::other(format!("it answers {status} {reason}{text}{advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_mask_or_key_comes_twice() {
        let (mut one, mut other) = (Random::default(), Random::default());
        let drawn: HashSet<[u8; 8]> = (0..1000).flat_map(|_| [one.next(), other.next()]).collect();
        assert_eq!(drawn.len(), 2000);
    }
}
