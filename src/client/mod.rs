//! A blocking client, for Rust programs and for the command line. Over `wire`, and `door` for WebSocket; it knows no
//! hub.

mod error;
mod push;
mod rooms;
pub(crate) mod stream;
#[cfg(feature = "ws")]
mod websocket;

pub use error::ClientError;
pub use push::{Delivery, Mail, Push};
pub use rooms::{History, Joined};

use crate::address::Address;
use crate::wire::{
    Answer, Decoder, ErrorCode, Fault, Frame, Header, Ids, Kind, KindRow, MAX_BODY, Request, Status, UserId,
};
use rooms::one_each;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};
use stream::{Stream, is_timeout};

/// How long a hub may take to let a client in, or to answer it, where nothing else was said. Well over the time that a
/// hub lets one slow receiver hold up those who write to it.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a write may block before what the hub has to say is read meanwhile.
const WRITE_STEP: Duration = Duration::from_millis(20);

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// The longest payload taken from a hub: no hub may send more than a body, and what stands before it in an event.
const MAX_PAYLOAD: u32 = MAX_BODY + 1024;

/// What the hub said of itself when the client connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The client's own id.
    pub user: UserId,
    /// Bytes that a body may have.
    pub max_body: u32,
    /// Receivers that one relay may name.
    pub max_receivers: u16,
    /// How often the hub says something at least; zero: not at all.
    pub heartbeat: Duration,
    /// What the hub is, as in `cubby/0.1.0`.
    pub server: String,
}

/// One connection to a hub.
///
/// Pushes that arrive while it writes or waits for an answer are kept for [`next`](Client::next), in order and
/// however many: call it often where much comes. A beat, by which a hub asks whether its client lives, is answered
/// whenever the client reads; so do call it every minute even where nothing comes, for a hub closes those who are
/// silent for longer (90 s by default). After an error of the connection (any but [`Refused`](ClientError::Refused)
/// that is not fatal, and those where nothing was sent) it is of no further use: connect anew.
///
/// ```no_run
/// use cubby::{Client, Push};
///
/// # fn main() -> Result<(), cubby::ClientError> {
/// let mut client = Client::connect("127.0.0.1:7070")?;
/// let everyone_else = client.list()?;
/// if !everyone_else.is_empty() {
///     client.relay(&everyone_else, b"hello")?;
/// }
/// client.join("lobby")?;
/// client.publish("lobby", b"good morning")?;
/// while let Some(push) = client.next(None)? {
///     match push {
///         Push::Event(event) => println!("[r/{}] {}: {:?}", event.room, event.name, event.what),
///         Push::Delivery(delivery) => println!("{}: {} bytes", delivery.sender, delivery.body.len()),
///         _ => {}
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Client {
    stream: Stream,
    decoder: Decoder,
    /// What is received into; `unread` says which part is not decoded yet.
    buffer: Box<[u8]>,
    unread: std::ops::Range<usize>,
    pushes: VecDeque<Push>,
    last_tag: u16,
    timeout: Duration,
    /// A frame is being written: nothing else must be.
    is_writing: bool,
    welcome: Welcome,
}

impl Client {
    /// Connects to `HOST:PORT`, `unix:PATH` or, by WebSocket, `ws://HOST:PORT/PATH` (where the port may be left out, if
    /// it is 80, and the path, if it is `/ws`), waiting [`DEFAULT_TIMEOUT`] for this and for each answer.
    ///
    /// # Errors
    ///
    /// Where the address is none, nobody listens there, or who does is no hub.
    pub fn connect(address: &str) -> Result<Client, ClientError> {
        Client::connect_as(address, "", DEFAULT_TIMEOUT)
    }

    /// Connects under a name (which may be empty), waiting `timeout` for this and for each answer.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Client::connect), and [`ClientError::Refused`] where the hub does not take the name.
    pub fn connect_as(address: &str, name: &str, timeout: Duration) -> Result<Client, ClientError> {
        let address: Address = address.parse().map_err(ClientError::Address)?;
        let stream = Stream::connect(&address, timeout)
            .and_then(|stream| stream.set_write_timeout(WRITE_STEP).map(|()| stream))
            .map_err(|source| ClientError::Connect { address: address.to_string(), source })?;
        let welcome = Welcome {
            user: UserId(0),
            max_body: 0,
            max_receivers: 0,
            heartbeat: Duration::ZERO,
            server: String::new(),
        };
        let mut client = Client {
            stream,
            decoder: Decoder::default(),
            buffer: vec![0; READ_BYTES].into(),
            unread: 0..0,
            pushes: VecDeque::new(),
            last_tag: 0,
            timeout,
            is_writing: false,
            welcome,
        };
        client.welcome = client.ask(Request::Hello { name, token: "" }, |answer| match answer {
            Answer::Welcome { user, max_body, max_receivers, heartbeat_secs, server, .. } => {
                let heartbeat = Duration::from_secs(heartbeat_secs.into());
                Some(Welcome { user, max_body, max_receivers, heartbeat, server: server.to_owned() })
            }
            _ => None,
        })?;
        Ok(client)
    }

    /// What the hub said of itself when this client connected, and the id it gave.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Waits so long for each answer from now on.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Asks the hub for this client's own id.
    ///
    /// # Errors
    ///
    /// Where the connection broke or no answer came in time.
    pub fn identity(&mut self) -> Result<UserId, ClientError> {
        self.ask(Request::Identity, |answer| match answer {
            Answer::Identity(user) => Some(user),
            _ => None,
        })
    }

    /// Asks for what the hub has counted, as [`Stats::to_json`](crate::Stats::to_json) puts it.
    ///
    /// # Errors
    ///
    /// Where the hub is on another machine and its address no unix socket, the connection broke, or no answer came in
    /// time.
    pub fn stats(&mut self) -> Result<String, ClientError> {
        self.ask(Request::Stats, |answer| match answer {
            Answer::Stats(json) => Some(json.to_owned()),
            _ => None,
        })
    }

    /// Asks who else is here: ids, ascending, in the order they came.
    ///
    /// # Errors
    ///
    /// Where the connection broke or no answer came in time.
    pub fn list(&mut self) -> Result<Vec<UserId>, ClientError> {
        let mut all = Vec::new();
        let tag = self.send_request(Request::List)?;
        loop {
            let more = self.answer(tag, |answer| match answer {
                Answer::List { users, more } => {
                    all.extend(users.iter());
                    Some(more)
                }
                _ => None,
            })?;
            if !more {
                return Ok(all);
            }
        }
    }

    /// Relays a body to users; each distinct one gets it once. Returns a status for each, in the order named.
    ///
    /// # Errors
    ///
    /// Where the body or the number of receivers is over what the hub announced (nothing is sent then), the connection
    /// broke, or no answer came in time.
    pub fn relay(&mut self, receivers: &[UserId], body: &[u8]) -> Result<Vec<Status>, ClientError> {
        self.check_body(body)?;
        self.check_receivers(receivers.len())?;
        let mut block = Vec::new();
        Ids::encode(receivers, &mut block);
        let ids = Ids::new(&block).expect("a block of whole ids");
        let statuses = self.ask(Request::Relay { receivers: ids, body, receipt: true }, |answer| match answer {
            Answer::Receipt(bytes) => bytes.iter().map(|&byte| Status::of(byte)).collect(),
            _ => None::<Vec<Status>>,
        })?;
        one_each(statuses, receivers.len())
    }

    fn check_body(&self, body: &[u8]) -> Result<(), ClientError> {
        let max = self.welcome.max_body;
        if body.len() > max as usize { Err(ClientError::TooLarge { len: body.len(), max }) } else { Ok(()) }
    }

    fn check_receivers(&self, count: usize) -> Result<(), ClientError> {
        let max = self.welcome.max_receivers;
        if (1..=usize::from(max)).contains(&count) { Ok(()) } else { Err(ClientError::Receivers { count, max }) }
    }

    /// The next push (what others relayed or sent here, what happened in rooms), waiting at most `timeout` for it
    /// (`None`: as long as it takes). `None` where none came in time.
    ///
    /// With `Some(Duration::ZERO)` it waits for nothing, and gives what has come.
    ///
    /// # Errors
    ///
    /// Where the connection broke or the hub closed it; a hub that says why is [`ClientError::Closing`].
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Option<Push>, ClientError> {
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

    fn ask<T>(&mut self, request: Request<'_>, read: impl FnMut(Answer<'_>) -> Option<T>) -> Result<T, ClientError> {
        let tag = self.send_request(request)?;
        self.answer(tag, read)
    }

    fn send_request(&mut self, request: Request<'_>) -> Result<u16, ClientError> {
        // Tag 0 stands in pushes.
        self.last_tag = self.last_tag.checked_add(1).unwrap_or(1);
        let mut frame = Vec::new();
        request.encode(self.last_tag, &mut frame);
        self.write(&frame)?;
        Ok(self.last_tag)
    }

    /// Writes all of it. While the hub does not take it, reads what the hub has to say: it may be waiting for just
    /// that.
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
                // A hub that has closed said why before it did.
                Err(error) => return Err(self.last_words().unwrap_or(ClientError::Io(error))),
            }
        }
        Ok(())
    }

    /// Keeps the pushes that have come, some at a time, so that writing goes on also where they never end.
    fn receive_what_is_there(&mut self) -> Result<(), ClientError> {
        for _ in 0..100 {
            match self.receive(Some(Instant::now() + Duration::from_millis(1)), |_, _| Some(())) {
                Ok(_) => {}
                Err(ClientError::TimedOut) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// When an answer is late; `None` where that is beyond all clocks.
    fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.timeout)
    }

    /// What the hub said before it stopped reading, where it said anything.
    fn last_words(&mut self) -> Option<ClientError> {
        let deadline = Some(Instant::now() + Duration::from_secs(1));
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

    /// Waits for the answer with this tag. One that `read` can not read is no hub's.
    fn answer<T>(&mut self, tag: u16, mut read: impl FnMut(Answer<'_>) -> Option<T>) -> Result<T, ClientError> {
        let deadline = self.deadline();
        loop {
            let answer =
                self.receive(
                    deadline,
                    |answer_tag, answer| {
                        if answer_tag == tag { Some(read(answer).ok_or(answer.kind())) } else { None }
                    },
                )?;
            match answer {
                Some(Ok(value)) => return Ok(value),
                Some(Err(kind)) => return Err(ClientError::NoHub(format!("a {} out of turn", kind.name()))),
                None => {}
            }
        }
    }

    /// Answers a beat. In the middle of a frame there is no need: the hub hears the rest of it, or does not read and
    /// then does not take the silence amiss.
    fn say_alive(&mut self) -> Result<(), ClientError> {
        if self.is_writing {
            return Ok(());
        }
        let mut frame = Vec::new();
        Request::Alive.encode(0, &mut frame);
        self.write(&frame)
    }

    /// Receives one frame. Pushes are kept, beats are answered, what ends the connection is an error, all else goes to
    /// `read` with its tag, and what that returns is returned.
    fn receive<T>(
        &mut self,
        deadline: Option<Instant>,
        read: impl FnOnce(u16, Answer<'_>) -> Option<T>,
    ) -> Result<Option<T>, ClientError> {
        loop {
            let mut input = &self.buffer[self.unread.clone()];
            let frame = self.decoder.next(&mut input, admit).map_err(|fault| ClientError::NoHub(fault.text.into()))?;
            self.unread.start = self.unread.end - input.len();
            match frame {
                Some(frame) if frame.header.kind == Kind::Beat as u8 => self.say_alive()?,
                Some(frame) => return keep_or_read(&mut self.pushes, &frame, read),
                None => self.fill(deadline)?,
            }
        }
    }

    /// Receives some bytes into the buffer, all of which was decoded.
    fn fill(&mut self, deadline: Option<Instant>) -> Result<(), ClientError> {
        // What is at hand takes no time.
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

    /// Receives what the system has, if it has anything.
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

impl AsFd for Client {
    /// The connection, for a poll of the caller's own: readable when [`next`](Client::next) may have something. Frames
    /// that have come already do not show there: before waiting, call `next(Some(Duration::ZERO))` until it gives
    /// `None`.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// What the decoder asks of the front of a frame from a hub.
fn admit(front: &[u8]) -> Result<Option<Header>, Fault> {
    if let Some(&kind) = front.first().filter(|&&kind| kind & 0x80 == 0) {
        let text = match kind {
            b'H' => "it speaks HTTP, and the address of a hub that does begins with ws://".to_owned(),
            _ => format!("it begins with the byte {kind:#04x}"),
        };
        return Err(Fault::new(ErrorCode::UnknownKind, kind, 0, text));
    }
    match Header::decode(front) {
        Some(header) if header.length > MAX_PAYLOAD => {
            let text = format!("it announces {} bytes", header.length);
            Err(Fault::new(ErrorCode::TooLarge, header.kind, header.tag, text))
        }
        header => Ok(header),
    }
}

fn keep_or_read<T>(
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
        // A push that this client does not know yet is passed over; anything else it should know.
        Err(_) if is_unknown_push(frame.header.kind) => Ok(None),
        Err(fault) => Err(ClientError::NoHub(fault.text.into())),
    }
}

fn is_unknown_push(kind: u8) -> bool {
    (0xC0..0xFF).contains(&kind) && KindRow::of(kind).is_none()
}
