//! One connection to a hub: sends requests, matches replies to them by tag, answers heartbeats, and queues the pushes
//! that arrive meanwhile. It does not know what the requests mean.

use super::error::ClientError;
use super::io::{MAX_PAYLOAD, READ_BYTES, is_timeout};
use super::push::Push;
use super::stream::Stream;
use crate::address::Address;
use crate::wire::{Answer, Decoder, ErrorCode, Fault, Frame, Header, Kind, KindRow, Request};
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// How long a write may block before the client reads what the hub has sent: the hub may be waiting for that.
const WRITE_STEP: Duration = Duration::from_millis(20);

/// Frames read each time a write is blocked, so that writing continues even if frames never stop coming.
const READS_PER_STEP: usize = 100;

/// How long the client looks for the hub's explanation after a write has failed.
const EXPLANATION_WAIT: Duration = Duration::from_secs(1);

/// A connection, its partly read input, and the pushes nobody has taken yet.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    decoder: Decoder,
    /// Received bytes; the range `unread` is not decoded yet.
    buffer: Box<[u8]>,
    unread: Range<usize>,
    pushes: VecDeque<Push>,
    last_tag: u16,
    /// How long to wait for each reply.
    timeout: Duration,
    /// A frame is partly written, so no other frame may be sent now.
    is_writing: bool,
}

impl Connection {
    /// Connects, waiting at most `timeout` for this and for each reply.
    pub fn open(address: &Address, timeout: Duration) -> Result<Connection, ClientError> {
        let stream = Stream::connect(address, timeout)
            .and_then(|stream| stream.set_write_timeout(WRITE_STEP).map(|()| stream))
            .map_err(|source| ClientError::Connect { address: address.to_string(), source })?;
        Ok(Connection {
            stream,
            decoder: Decoder::default(),
            buffer: vec![0; READ_BYTES].into(),
            unread: 0..0,
            pushes: VecDeque::new(),
            last_tag: 0,
            timeout,
            is_writing: false,
        })
    }

    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Sends a request and waits for its reply, as [`reply`](Connection::reply) does.
    pub fn ask<T>(
        &mut self,
        request: Request<'_>,
        read: impl FnMut(Answer<'_>) -> Option<T>,
    ) -> Result<T, ClientError> {
        let tag = self.send(request)?;
        self.reply(tag, read)
    }

    /// Sends a request and returns its tag.
    pub fn send(&mut self, request: Request<'_>) -> Result<u16, ClientError> {
        // Pushes have tag 0, so requests never use it.
        self.last_tag = self.last_tag.checked_add(1).unwrap_or(1);
        let mut frame = Vec::new();
        request.encode(self.last_tag, &mut frame);
        self.write(&frame)?;
        Ok(self.last_tag)
    }

    /// Waits for the reply with this tag. `read` returns `None` for a reply that does not fit the request; that is an
    /// error.
    pub fn reply<T>(&mut self, tag: u16, mut read: impl FnMut(Answer<'_>) -> Option<T>) -> Result<T, ClientError> {
        let deadline = self.deadline();
        loop {
            let reply = self
                .receive(deadline, |reply_tag, answer| (reply_tag == tag).then(|| read(answer).ok_or(answer.kind())))?;
            match reply {
                Some(Ok(value)) => return Ok(value),
                Some(Err(kind)) => {
                    return Err(ClientError::NoHub(format!(
                        "it replied with {}, which was not asked for",
                        kind.name()
                    )));
                }
                None => {}
            }
        }
    }

    /// The next push, waiting at most `timeout` for it (`None`: for ever). `None` if none came in time.
    pub fn next_push(&mut self, timeout: Option<Duration>) -> Result<Option<Push>, ClientError> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        if timeout == Some(Duration::ZERO) && self.pushes.is_empty() && self.unread.is_empty() {
            self.fill_now()?;
        }
        while self.pushes.is_empty() {
            match self.receive(deadline, |_, _| Some(())) {
                Err(ClientError::TimedOut) => return Ok(None),
                other => other?,
            };
        }
        Ok(self.pushes.pop_front())
    }

    /// When the next reply is late; `None` if the clock cannot express it.
    fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.timeout)
    }

    /// Writes whole frames. While the hub does not read, the client reads: the hub may be waiting for that.
    fn write(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.is_writing = true;
        let written = self.write_all(bytes);
        self.is_writing = false;
        written
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), ClientError> {
        let mut deadline = self.deadline();
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(written) => {
                    bytes = &bytes[written..];
                    deadline = self.deadline();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => {
                    if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        return Err(ClientError::TimedOut);
                    }
                    self.receive_what_is_there()?;
                }
                // If the hub has closed the connection, it sent the reason before.
                Err(error) => return Err(self.explanation().unwrap_or(ClientError::Io(error))),
            }
        }
        Ok(())
    }

    /// Receives some of the frames that have arrived, and queues the pushes among them.
    fn receive_what_is_there(&mut self) -> Result<(), ClientError> {
        for _ in 0..READS_PER_STEP {
            match self.receive(Some(Instant::now() + Duration::from_millis(1)), |_, _| Some(())) {
                Ok(_) => {}
                Err(ClientError::TimedOut) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Why the hub closed the connection, if it sent a reason.
    fn explanation(&mut self) -> Option<ClientError> {
        let deadline = Some(Instant::now() + EXPLANATION_WAIT);
        loop {
            match self.receive(deadline, |_, _| Some(())) {
                Ok(_) => {}
                Err(error @ (ClientError::Refused { fatal: true, .. } | ClientError::Closing { .. })) => {
                    return Some(error);
                }
                Err(ClientError::Refused { .. }) => {}
                Err(_) => return None,
            }
        }
    }

    /// Receives one frame. Pushes are queued, heartbeats are answered, and a frame that ends the connection is an
    /// error. Any other frame goes to `read` with its tag, and the result of `read` is returned.
    fn receive<T>(
        &mut self,
        deadline: Option<Instant>,
        read: impl FnOnce(u16, Answer<'_>) -> Option<T>,
    ) -> Result<Option<T>, ClientError> {
        loop {
            let mut input = &self.buffer[self.unread.clone()];
            let frame = self.decoder.next(&mut input, check_front);
            let frame = frame.map_err(|fault| ClientError::NoHub(fault.text.into()))?;
            self.unread.start = self.unread.end - input.len();
            match frame {
                Some(frame) if frame.header.kind == Kind::Beat as u8 => self.answer_heartbeat()?,
                Some(frame) => return queue_or_read(&mut self.pushes, &frame, read),
                None => self.fill(deadline)?,
            }
        }
    }

    /// Tells the hub that this client is alive. This is not needed while a frame is partly written: either the hub
    /// receives the rest of it, or the hub is not reading, and then it does not expect to hear anything.
    fn answer_heartbeat(&mut self) -> Result<(), ClientError> {
        if self.is_writing {
            return Ok(());
        }
        let mut frame = Vec::new();
        Request::Alive.encode(0, &mut frame);
        self.write(&frame)
    }

    /// Waits for bytes and reads them into the buffer, which must be decoded completely.
    fn fill(&mut self, deadline: Option<Instant>) -> Result<(), ClientError> {
        // Bytes that are already in this process take no time.
        if !self.stream.has_unread() {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(ClientError::TimedOut);
            }
            self.stream.set_read_timeout(left).map_err(ClientError::Io)?;
        }
        let read = loop {
            match self.stream.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.filled(read)
    }

    /// Reads what the system holds, without waiting.
    fn fill_now(&mut self) -> Result<(), ClientError> {
        let read = self.stream.read_now(&mut self.buffer);
        match self.filled(read) {
            Err(ClientError::TimedOut) => Ok(()),
            other => other,
        }
    }

    fn filled(&mut self, read: io::Result<usize>) -> Result<(), ClientError> {
        match read {
            Ok(0) => Err(ClientError::Closed),
            Ok(count) => {
                self.unread = 0..count;
                Ok(())
            }
            Err(error) if is_timeout(&error) => Err(ClientError::TimedOut),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(ClientError::NoHub(error.to_string())),
            Err(error) => Err(ClientError::Io(error)),
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Checks the first bytes of a frame from a hub, for the decoder.
fn check_front(front: &[u8]) -> Result<Option<Header>, Fault> {
    if let Some(&kind) = front.first().filter(|&&kind| kind & 0x80 == 0) {
        let text = match kind {
            b'H' => "it speaks HTTP; the address of a hub's WebSocket begins with ws://".to_owned(),
            _ => format!("it begins with the byte {kind:#04x}"),
        };
        return Err(Fault::new(ErrorCode::UnknownKind, kind, 0, text));
    }
    match Header::decode(front) {
        Some(header) if header.length > MAX_PAYLOAD => {
            let text = format!("it announced a payload of {} bytes", header.length);
            Err(Fault::new(ErrorCode::TooLarge, header.kind, header.tag, text))
        }
        header => Ok(header),
    }
}

fn queue_or_read<T>(
    pushes: &mut VecDeque<Push>,
    frame: &Frame<'_>,
    read: impl FnOnce(u16, Answer<'_>) -> Option<T>,
) -> Result<Option<T>, ClientError> {
    match Answer::decode(frame.header, frame.payload()) {
        Ok(Answer::Closing { code, text }) => Err(ClientError::Closing { code, text: text.to_owned() }),
        Ok(Answer::Error { code, fatal, text, .. }) => Err(ClientError::Refused { code, fatal, text: text.to_owned() }),
        Ok(answer) => match Push::of(&answer) {
            Some(push) => {
                pushes.push_back(push);
                Ok(None)
            }
            None => Ok(read(frame.header.tag, answer)),
        },
        // A newer hub may send pushes that this client does not know. They are skipped; an unknown reply is an error.
        Err(_) if is_unknown_push(frame.header.kind) => Ok(None),
        Err(fault) => Err(ClientError::NoHub(fault.text.into())),
    }
}

fn is_unknown_push(kind: u8) -> bool {
    (0xC0..0xFF).contains(&kind) && KindRow::of(kind).is_none()
}
