//! Clients that expect nothing: the hub may be slow, may refuse them or close them. Every wait has a bound.

use crate::support::*;
use mio::net::TcpStream as PolledStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long anybody waits for an answer. A hub that takes longer counts as one that took so long.
pub const BOUND: Duration = Duration::from_secs(10);

/// The receive buffer and the segment size of a connection whose kernel buffers should hold little: a send buffer grows
/// with the segments, and those of the loopback are so large that a kernel holds megabytes for each.
const SMALL_BUFFER: usize = 4096;
const SMALL_SEGMENT: u32 = 536;

/// One native client.
pub struct Client(pub BufReader<TcpStream>);

impl Client {
    pub fn connect(address: &str) -> io::Result<Client> {
        Client::with(connect(address, false)?)
    }

    /// The same, with small buffers in the kernel.
    pub fn connect_small(address: &str) -> io::Result<Client> {
        let stream = connect(address, true)?;
        SockRef::from(&stream).set_recv_buffer_size(SMALL_BUFFER)?;
        Client::with(stream)
    }

    fn with(stream: TcpStream) -> io::Result<Client> {
        stream.set_read_timeout(Some(BOUND))?;
        stream.set_write_timeout(Some(BOUND))?;
        Ok(Client(BufReader::new(stream)))
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    pub fn receive(&mut self) -> io::Result<Frame> {
        let mut header = [0; 8];
        self.0.read_exact(&mut header)?;
        let [kind, flags, tag_high, tag_low, length @ ..] = header;
        let mut payload = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut payload)?;
        Ok(Frame { kind, flags, tag: u16::from_be_bytes([tag_high, tag_low]), payload })
    }

    /// Sends a request and waits for the last frame of its reply, past all pushes.
    ///
    /// # Errors
    ///
    /// An ERROR or a CLOSING is an error, and so is a wait beyond [`BOUND`].
    pub fn ask(&mut self, request: &[u8], reply: u8) -> io::Result<Frame> {
        self.send(request)?;
        self.wait_for(reply)
    }

    /// Waits for the last frame of a reply.
    pub fn wait_for(&mut self, reply: u8) -> io::Result<Frame> {
        let deadline = Instant::now() + BOUND;
        while Instant::now() < deadline {
            let answer = self.receive()?;
            if answer.kind == reply && (answer.flags & MORE == 0 || reply == RECEIPT_OF_SEND) {
                return Ok(answer);
            }
            if matches!(answer.kind, ERROR | CLOSING) {
                return Err(io::Error::other(format!("the hub answers {answer:?}")));
            }
        }
        Err(ErrorKind::TimedOut.into())
    }

    /// Takes a name.
    pub fn hello(&mut self, name: &str) -> io::Result<()> {
        self.ask(&hello(name), 0x81).map(drop)
    }

    /// Its own id.
    pub fn id(&mut self) -> io::Result<u64> {
        let reply = self.ask(&frame(IDENTITY, 0, 0, []), 0x82)?;
        reply.payload.try_into().map(u64::from_be_bytes).map_err(|_| ErrorKind::InvalidData.into())
    }

    /// Fills the history of a room with `count` events of `len` bytes.
    pub fn fill(&mut self, room: &str, count: usize, len: usize) -> io::Result<()> {
        let event = frame(PUBLISH, 0, 0, publish(room, &vec![b'x'; len]));
        self.send(&event.repeat(count - 1))?;
        self.ask(&frame(PUBLISH, RECEIPT, 0, publish(room, b"last")), 0x89).map(drop)
    }
}

/// The flag of all frames of a long reply but the last.
const MORE: u8 = 0x01;

/// The kind of the reply to SEND.
pub const RECEIPT_OF_SEND: u8 = 0x85;

/// The bytes of a HELLO.
pub fn hello(name: &str) -> Vec<u8> {
    frame(HELLO, 0, 0, [&[1], &str8(name)[..], &[0, 0]].concat())
}

/// The bytes of a JOIN.
pub fn join(room: &str) -> Vec<u8> {
    frame(JOIN, 0, 0, str8(room))
}

/// Connects, with small segments if the kernel should hold little.
fn connect(address: &str, is_small: bool) -> io::Result<TcpStream> {
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if is_small {
        socket.set_tcp_mss(SMALL_SEGMENT)?;
    }
    socket.connect_timeout(&address.into(), BOUND)?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}

/// Many connections that one thread serves. None of them waits for the hub.
pub struct Crowd {
    pub all: Vec<PolledStream>,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
}

impl Crowd {
    pub fn connect(address: &str, count: usize) -> io::Result<Crowd> {
        Crowd::with(address, count, false)
    }

    /// The same, with small segments, for those who will not read.
    pub fn connect_small(address: &str, count: usize) -> io::Result<Crowd> {
        Crowd::with(address, count, true)
    }

    fn with(address: &str, count: usize, is_small: bool) -> io::Result<Crowd> {
        let (poll, events) = (Poll::new()?, Events::with_capacity(1024));
        let mut crowd = Crowd { all: Vec::with_capacity(count), poll, events, buffer: vec![0; 256 * 1024] };
        for index in 0..count {
            let stream = connect(address, is_small)?;
            stream.set_nonblocking(true)?;
            let mut stream = PolledStream::from_std(stream);
            crowd.poll.registry().register(&mut stream, Token(index), Interest::READABLE)?;
            crowd.all.push(stream);
        }
        Ok(crowd)
    }

    /// Makes the receive buffers of all small.
    pub fn shrink_buffers(&self) -> io::Result<()> {
        self.all.iter().try_for_each(|stream| SockRef::from(stream).set_recv_buffer_size(SMALL_BUFFER))
    }

    /// Each sends its own bytes, as far as the kernel takes them at once. Those whom the hub has closed are passed
    /// over.
    pub fn send(&mut self, bytes: impl Fn(usize) -> Vec<u8>) {
        for (index, stream) in self.all.iter_mut().enumerate() {
            // A few kilobytes fit into the kernel's buffers. If not, the attack is a little smaller.
            let _ = stream.write(&bytes(index));
        }
    }

    /// Each sends what `next` says for its index and the bytes that it has sent, as far as the hub takes them until
    /// then. Returns how many it took of all.
    pub fn send_slowly<'b>(&mut self, until: Instant, next: impl Fn(usize, usize) -> &'b [u8]) -> usize {
        let mut sent = vec![0; self.all.len()];
        while Instant::now() < until {
            for (index, (stream, sent)) in self.all.iter_mut().zip(&mut sent).enumerate() {
                *sent += stream.write(next(index, *sent)).unwrap_or(0);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        sent.iter().sum()
    }

    /// All ask this again and again, as fast as the hub takes it, and read what it answers. Returns the bytes that all
    /// have read until then.
    pub fn flood(&mut self, asks: &[u8], until: Instant) -> usize {
        let mut sent = vec![0; self.all.len()];
        let mut read = 0;
        while Instant::now() < until {
            for (stream, sent) in self.all.iter_mut().zip(&mut sent) {
                *sent += stream.write(&asks[*sent % asks.len()..]).unwrap_or(0);
            }
            read += self.read(Duration::from_millis(2));
        }
        read
    }

    /// Reads what has come, after waiting for it for this time at most. Returns the number of bytes.
    pub fn read(&mut self, wait: Duration) -> usize {
        let mut count = 0;
        if self.poll.poll(&mut self.events, Some(wait)).is_ok() {
            for event in &self.events {
                let stream = &mut self.all[event.token().0];
                while let Ok(read @ 1..) = stream.read(&mut self.buffer) {
                    count += read;
                }
            }
        }
        count
    }

    /// Each reads one byte, if it has come.
    pub fn sip(&mut self) {
        self.all.iter_mut().for_each(|stream| drop(stream.read(&mut [0])));
    }

    /// Reads until nothing has come for a moment, at most for `bound`. Returns whether that was reached.
    pub fn settle(&mut self, bound: Duration) -> bool {
        let deadline = Instant::now() + bound;
        while Instant::now() < deadline {
            if self.read(Duration::from_millis(300)) == 0 {
                return true;
            }
        }
        false
    }

    /// Reads all that comes until somebody says stop.
    pub fn read_until(mut self, stop: &AtomicBool) -> Crowd {
        while !stop.load(Ordering::Relaxed) {
            self.read(Duration::from_millis(20));
        }
        self
    }
}
