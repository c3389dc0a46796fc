//! A blocking connection by WebSocket: to its owner a stream of the hub's own frames like any other. Owns what has come
//! of messages and was not read, and what is not sent of them; how they are put into bytes stands in
//! [`door`](crate::web).

use super::MAX_PAYLOAD;
use super::stream::is_timeout;
use crate::json::base64;
use crate::web::messages::{self, Message, Messages, Other};
use crate::web::upgrade::{self, Reply};
use crate::wire::HEADER_LEN;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Bytes read at once, and kept for further ones.
const READ_BYTES: usize = 64 * 1024;

/// Bytes of the longest message taken from a hub: one frame.
const MOST_MESSAGE: usize = MAX_PAYLOAD as usize + HEADER_LEN;

/// Bytes that are read of the body of an answer that is none: what a hub says there is far shorter.
const MOST_SAID: usize = 16 * 1024;

/// A connection after its handshake.
#[derive(Debug)]
pub struct WebSocket {
    socket: TcpStream,
    messages: Messages,
    /// What is received into; empty between two calls.
    buffer: Box<[u8]>,
    /// Frames that were taken out of messages, from `unread` on not read yet.
    frames: Vec<u8>,
    unread: usize,
    /// When a read comes back without anything.
    deadline: Option<Instant>,
    /// Messages that go out, sent up to `sent`.
    outbound: Vec<u8>,
    sent: usize,
    /// Bytes of the frame in the last of them that its owner was not told to be written.
    due: usize,
    /// What the hub is owed: a pong, or a close frame for its own.
    owed: Option<(u8, Vec<u8>)>,
    /// The hub says nothing any more.
    is_over: bool,
    random: Random,
}

/// Numbers that nobody else can foretell. The keys of a [`RandomState`] are drawn from the system's source of
/// randomness, and what it makes of a count can not be told without them; so this takes no crate of its own.
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
    /// Shakes hands over a connection that was just made, for so long at the most.
    ///
    /// # Errors
    ///
    /// What the system said, or why what answers is no hub, or refuses: what to do stands there, too.
    pub fn open(socket: TcpStream, host_and_port: &str, path: &str, timeout: Duration) -> io::Result<WebSocket> {
        let mut opened = WebSocket {
            socket,
            messages: Messages::new(Other::Server),
            buffer: vec![0; READ_BYTES].into(),
            frames: Vec::new(),
            unread: 0,
            deadline: Instant::now().checked_add(timeout),
            outbound: Vec::new(),
            sent: 0,
            due: 0,
            owed: None,
            is_over: false,
            random: Random::default(),
        };
        let key = base64(&[opened.random.next(), opened.random.next()].concat());
        let host = host_and_port.strip_suffix(":80").unwrap_or(host_and_port);
        let mut request = Vec::new();
        upgrade::put_request(host, path, &key, &mut request);
        opened.socket.set_write_timeout(Some(timeout))?;
        opened.socket.write_all(&request)?;
        opened.hear_reply(&key)?;
        Ok(opened)
    }

    /// Waits for the answer to the handshake. Messages may have come with it.
    fn hear_reply(&mut self, key: &str) -> io::Result<()> {
        let mut len = 0;
        loop {
            match upgrade::read_reply(&self.buffer[..len], key).map_err(io::Error::other)? {
                Reply::More => {}
                Reply::Agreed(head_len) => {
                    self.buffer.copy_within(head_len..len, 0);
                    return self.hear(len - head_len);
                }
                Reply::Other { status, reason, body_at, body_len } => {
                    let end = body_at + body_len.unwrap_or(MOST_SAID).min(MOST_SAID);
                    while len < end && self.read_more(&mut len).is_ok_and(|count| count > 0) {}
                    return Err(refused(status, &reason, &self.buffer[body_at..len.min(end)]));
                }
            }
            if self.read_more(&mut len)? == 0 {
                return Err(io::Error::other("it ends the connection in place of an answer; does it speak HTTP?"));
            }
        }
    }

    /// Reads behind the first `len` bytes of the buffer, and counts what came to them.
    fn read_more(&mut self, len: &mut usize) -> io::Result<usize> {
        self.await_until_deadline()?;
        let count = match self.socket.read(&mut self.buffer[*len..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return self.read_more(len),
            other => other.map_err(in_time)?,
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

    /// Whether a read gives something without the system's help.
    pub fn has_unread(&self) -> bool {
        self.unread < self.frames.len()
    }

    /// Reads what is there; `WouldBlock` where nothing is.
    pub fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.has_unread() && !self.is_over {
            self.socket.set_nonblocking(true)?;
            let heard = self.take_in();
            self.socket.set_nonblocking(false)?;
            heard?;
        }
        if self.has_unread() || self.is_over {
            Ok(self.take_out(buffer))
        } else {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }

    /// Reads bytes of frames. What else comes in messages is heeded meanwhile, without end where nothing else comes; a
    /// time-out is kept all the same.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.has_unread() && !self.is_over {
            self.await_until_deadline()?;
            self.take_in()?;
        }
        Ok(self.take_out(buffer))
    }

    /// Has the next read of the socket wait until the deadline.
    fn await_until_deadline(&self) -> io::Result<()> {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(in_time(io::ErrorKind::WouldBlock.into()));
        }
        self.socket.set_read_timeout(left)
    }

    /// Reads from the socket once.
    fn take_in(&mut self) -> io::Result<()> {
        let count = self.socket.read(&mut self.buffer)?;
        self.is_over = count == 0;
        self.hear(count)
    }

    /// Heeds what the first `count` bytes of the buffer hold.
    fn hear(&mut self, count: usize) -> io::Result<()> {
        let wrong = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        let mut input = &mut self.buffer[..count];
        while !self.is_over
            && let Some(message) =
                self.messages.next(&mut input, MOST_MESSAGE).map_err(|violation| wrong(violation.text()))?
        {
            match message {
                Message::Binary(frame) => self.frames.extend_from_slice(&frame),
                // Only the last ping need be answered.
                Message::Ping(payload) => self.owed = Some((messages::PONG, payload.into_owned())),
                Message::Pong => {}
                Message::Text(_) => return Err(wrong("a text message")),
                Message::Close(_) => {
                    self.owed = Some((messages::CLOSE, Vec::new()));
                    self.is_over = true;
                }
            }
        }
        self.pay();
        Ok(())
    }

    /// Says what the hub is owed, unless a message is on its way: nothing may stand within that. What the socket does
    /// not take at once goes before the next message.
    fn pay(&mut self) {
        if self.outbound.is_empty()
            && let Some((opcode, payload)) = self.owed.take()
        {
            messages::put_masked(opcode, &payload, self.random.mask(), &mut self.outbound);
            // Where the connection broke, reading tells.
            let _ = self.send();
        }
    }

    /// Gives bytes of frames; none where there are none left.
    fn take_out(&mut self, buffer: &mut [u8]) -> usize {
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

    /// Writes bytes of a frame. The first call must have the whole frame, which becomes a message; those after it what
    /// is left.
    pub fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        if self.due == 0 {
            self.pay();
            messages::put_masked(messages::BINARY, frame, self.random.mask(), &mut self.outbound);
            self.due = frame.len();
        }
        debug_assert_eq!(self.due, frame.len(), "what is left of the frame");
        loop {
            self.send()?;
            let left = self.outbound.len() - self.sent;
            if left < self.due {
                let written = self.due - left;
                self.due = left;
                self.pay();
                return Ok(written);
            }
        }
    }

    /// Sends some of what goes out.
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

/// What a time-out is called, whichever name the system has for it.
fn in_time(error: io::Error) -> io::Error {
    if is_timeout(&error) { io::Error::new(io::ErrorKind::TimedOut, "it does not answer in time") } else { error }
}

/// Why there is no WebSocket, where HTTP was answered: in the hub's own words, if it said any.
fn refused(status: u16, reason: &str, body: &[u8]) -> io::Error {
    let said = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    let said = said["error"].as_str().map(|text| format!(" ({text})")).unwrap_or_default();
    let advice = match status {
        200 | 404 => "; a hub's WebSocket is at the path /ws, and behind a proxy where that has it",
        300..400 => "; give the address where it leads, for it is not followed there",
        426 => "; a proxy in between must pass on the headers Upgrade and Connection",
        502..=504 if said.is_empty() => "; that is a proxy, which does not reach the hub; is it running?",
        _ => "",
    };
    io::Error::other(format!("it answers {status} {reason}{said}{advice}"))
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
