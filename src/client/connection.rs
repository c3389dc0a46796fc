//! One connection to a hub: sends requests, matches replies to them by tag, answers heartbeats, and queues the pushes
//! that arrive meanwhile. It does not know what the requests mean.

use super::error::ClientError;
use super::io::{MAX_PAYLOAD, MAX_REPLY, MAX_REPLY_PAYLOAD, READ_BYTES, is_timeout, time_left};
use super::liveness::{Liveness, Silence};
use super::push::{Push, Pushes};
use super::stream::Stream;
use crate::address::Address;
use crate::wire::{Answer, Decoder, ErrorCode, Fault, Frame, Header, Kind, KindRow, Request};
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
    pushes: Pushes,
    last_tag: u16,
    /// How long to wait for each reply.
    timeout: Duration,
    /// When to wait no longer, whatever is asked and however much arrives.
    end: Option<Instant>,
    /// A frame is partly written, so no other frame may be sent now.
    is_writing: bool,
    /// Whether the hub is still there. No wait for it is longer than its silence may last.
    liveness: Liveness,
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
            pushes: Pushes::default(),
            last_tag: 0,
            timeout,
            end: None,
            is_writing: false,
            liveness: Liveness::new(Duration::ZERO),
        })
    }

    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    pub fn set_end(&mut self, end: Option<Instant>) {
        self.end = end;
    }

    /// Sets the heartbeat of the hub, which it tells only after the connection is open.
    pub fn set_heartbeat(&mut self, heartbeat: Duration) {
        self.liveness = Liveness::new(heartbeat);
    }

    /// How long the hub may still be silent before this connection must be read or must ask it.
    pub fn silence_left(&self) -> Duration {
        match self.liveness.check(Instant::now()) {
            Silence::Usual(left) => left,
            Silence::Ask | Silence::Lost(_) => Duration::ZERO,
        }
    }

    /// How many pushes are queued.
    pub fn queued(&self) -> usize {
        self.pushes.len()
    }

    /// Sends a request and waits for its reply, which is one frame. `read` returns `None` for a reply that does not fit
    /// the request; that is an error.
    pub fn ask<T>(
        &mut self,
        request: Request<'_>,
        mut read: impl FnMut(Answer<'_>) -> Option<T>,
    ) -> Result<T, ClientError> {
        self.ask_all(request, |answer| read(answer).map(Some))
    }

    /// Sends a request and waits for its reply, which may have several frames: while `read` returns `Some(None)`, more
    /// follow. All of them together have the time and the bytes of one reply.
    pub fn ask_all<T>(
        &mut self,
        request: Request<'_>,
        mut read: impl FnMut(Answer<'_>) -> Option<Option<T>>,
    ) -> Result<T, ClientError> {
        let tag = self.send(request)?;
        let deadline = self.deadline();
        let mut bytes = 0;
        loop {
            let reply = self.receive(deadline, |header, answer| {
                (header.tag == tag).then(|| (header.length, read(answer).ok_or(answer.kind())))
            })?;
            let Some((length, value)) = reply else { continue };
            let wrong =
                |kind: Kind| ClientError::NoHub(format!("it replied with {}, which was not asked for", kind.name()));
            if let Some(value) = value.map_err(wrong)? {
                return Ok(value);
            }
            // A single frame may be larger: an event with a body that the hub allows.
            let is_first = bytes == 0;
            bytes += length as usize;
            if bytes > MAX_REPLY && !is_first {
                return Err(ClientError::TooMuch { what: "in one reply", max: MAX_REPLY });
            }
        }
    }

    /// Sends a request and returns its tag.
    fn send(&mut self, request: Request<'_>) -> Result<u16, ClientError> {
        // Pushes have tag 0, so requests never use it.
        self.last_tag = self.last_tag.checked_add(1).unwrap_or(1);
        let mut frame = Vec::new();
        request.encode(self.last_tag, &mut frame);
        self.write(&frame)?;
        Ok(self.last_tag)
    }

    /// The next push, waiting at most `timeout` for it (`None`: for ever). `None` if none came in time.
    pub fn next_push(&mut self, timeout: Option<Duration>) -> Result<Option<Push>, ClientError> {
        if timeout == Some(Duration::ZERO) {
            return self.next_push_now();
        }
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        while self.pushes.len() == 0 {
            match self.receive(deadline, |_, _| Some(())) {
                Err(ClientError::TimedOut) => return Ok(None),
                other => other?,
            };
        }
        Ok(self.pushes.pop())
    }

    /// The next push that has arrived. Frames of other kinds can not keep it reading for ever.
    fn next_push_now(&mut self) -> Result<Option<Push>, ClientError> {
        for _ in 0..READS_PER_STEP {
            if self.pushes.len() == 0 && self.unread.is_empty() && !self.fill_now()? {
                return self.watch().map(|_| None);
            }
            while self.pushes.len() == 0 && !self.unread.is_empty() {
                // Of a frame that has arrived in part, the rest may have arrived as well.
                match self.receive(Some(Instant::now()), |_, _| Some(())) {
                    Ok(_) | Err(ClientError::TimedOut) => {}
                    Err(error) => return Err(error),
                }
            }
            if let Some(push) = self.pushes.pop() {
                return Ok(Some(push));
            }
        }
        Ok(None)
    }

    /// When the next reply is late; `None` if the clock cannot express it.
    fn deadline(&self) -> Option<Instant> {
        let late = Instant::now().checked_add(self.timeout);
        late.into_iter().chain(self.end).min()
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
                    if !bytes.is_empty() {
                        time_left(self.end).map_err(|_| ClientError::TimedOut)?;
                    }
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
    /// error. Any other frame goes to `read` with its header, and the result of `read` is returned.
    fn receive<T>(
        &mut self,
        deadline: Option<Instant>,
        read: impl FnOnce(Header, Answer<'_>) -> Option<T>,
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

    /// Waits for bytes and reads them into the buffer, which must be decoded completely. If the hub is silent for too
    /// long, it is asked whether it is still there.
    fn fill(&mut self, deadline: Option<Instant>) -> Result<(), ClientError> {
        while self.unread.is_empty() {
            // Bytes that are already in this process take no time.
            if !self.stream.has_unread() {
                let left = time_left(deadline).map_err(|_| ClientError::TimedOut)?;
                let Some(silence) = self.watch()? else { continue };
                self.stream.set_read_timeout(Some(left.unwrap_or(silence).min(silence))).map_err(ClientError::Io)?;
            }
            let read = match self.stream.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => self.filled(read),
            };
            match read {
                // It was the hub's silence that lasted too long, or the deadline has passed: see above.
                Err(ClientError::TimedOut) => {}
                other => return other,
            }
        }
        Ok(())
    }

    /// How long the hub may be silent from now on; `None` if something has arrived. If the hub has been silent for two
    /// heartbeats, this asks it.
    fn watch(&mut self) -> Result<Option<Duration>, ClientError> {
        match self.liveness.check(Instant::now()) {
            Silence::Usual(left) => Ok(Some(left)),
            // Nothing may come between the parts of a frame. Their own time to be written is limited as well.
            Silence::Ask | Silence::Lost(_) if self.is_writing => Ok(Some(WRITE_STEP)),
            Silence::Ask => {
                self.liveness.asked();
                let mut frame = Vec::new();
                // Requests of callers never have the tag 0, so nobody takes the answer for the one to their own.
                Request::Ping(&[]).encode(0, &mut frame);
                self.write(&frame)?;
                Ok(None)
            }
            // The answer may have arrived while this program did something else.
            Silence::Lost(silent) => {
                if self.fill_now()? {
                    Ok(None)
                } else {
                    Err(ClientError::Silent { silent })
                }
            }
        }
    }

    /// Reads what the system holds, without waiting. Returns whether that was anything.
    fn fill_now(&mut self) -> Result<bool, ClientError> {
        let read = self.stream.read_now(&mut self.buffer);
        match self.filled(read) {
            Ok(()) => Ok(true),
            Err(ClientError::TimedOut) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn filled(&mut self, read: io::Result<usize>) -> Result<(), ClientError> {
        match read {
            Ok(0) => Err(ClientError::Closed),
            Ok(count) => {
                self.liveness.heard();
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
        Some(header) if header.length > max_payload(header.kind) => {
            let text = format!("it announced a payload of {} bytes", header.length);
            Err(Fault::new(ErrorCode::TooLarge, header.kind, header.tag, text))
        }
        header => Ok(header),
    }
}

/// The longest payload of a frame from a hub. Only pushes have bodies.
fn max_payload(kind: u8) -> u32 {
    let has_body = [Kind::Deliver, Kind::Mail, Kind::Event].iter().any(|with_body| *with_body as u8 == kind);
    if has_body { MAX_PAYLOAD } else { MAX_REPLY_PAYLOAD }
}

fn queue_or_read<T>(
    pushes: &mut Pushes,
    frame: &Frame<'_>,
    read: impl FnOnce(Header, Answer<'_>) -> Option<T>,
) -> Result<Option<T>, ClientError> {
    match Answer::decode(frame.header, frame.payload()) {
        Ok(Answer::Closing { code, text }) => Err(ClientError::Closing { code, text: text.to_owned() }),
        Ok(Answer::Error { code, fatal, text, .. }) => Err(ClientError::Refused { code, fatal, text: text.to_owned() }),
        Ok(answer) => match Push::of(&answer) {
            Some(push) => {
                pushes.push(push)?;
                Ok(None)
            }
            None => Ok(read(frame.header, answer)),
        },
        // A newer hub may send pushes that this client does not know. They are skipped; an unknown reply is an error.
        Err(_) if is_unknown_push(frame.header.kind) => Ok(None),
        Err(fault) => Err(ClientError::NoHub(fault.text.into())),
    }
}

fn is_unknown_push(kind: u8) -> bool {
    (0xC0..0xFF).contains(&kind) && KindRow::of(kind).is_none()
}
