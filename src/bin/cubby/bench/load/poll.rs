//! The generator's sockets and their readiness: its only file that uses mio.

use super::stream::Stream;
use mio::net::{TcpStream, UnixStream};
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::time::Duration;

/// Events that one poll returns at most: as many as in the hub's own loop.
const EVENTS: usize = 1024;

/// A non-blocking connection of either family.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// What the kernel reports about one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub slot: usize,
    pub readable: bool,
    pub writable: bool,
    /// The other side has finished sending.
    pub closed: bool,
}

/// The connections that the kernel watches.
#[derive(Debug)]
pub(super) struct Poller {
    poll: Poll,
    events: Events,
}

impl Poller {
    pub fn new() -> io::Result<Poller> {
        Ok(Poller { poll: Poll::new()?, events: Events::with_capacity(EVENTS) })
    }

    /// Reports events of `socket` under this slot from now on.
    pub fn watch(&self, socket: &mut Socket, slot: usize) -> io::Result<()> {
        let (registry, both) = (self.poll.registry(), Interest::READABLE.add(Interest::WRITABLE));
        match socket {
            Socket::Tcp(stream) => registry.register(stream, Token(slot), both),
            Socket::Unix(stream) => registry.register(stream, Token(slot), both),
        }
    }

    /// Waits for events or a signal, for `timeout` at most, and replaces the content of `edges` by the events.
    pub fn wait(&mut self, timeout: Duration, edges: &mut Vec<Edge>) -> io::Result<()> {
        edges.clear();
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        edges.extend(self.events.iter().map(|event| Edge {
            slot: event.token().0,
            readable: event.is_readable() || event.is_read_closed() || event.is_error(),
            writable: event.is_writable() || event.is_write_closed() || event.is_error(),
            closed: event.is_read_closed() || event.is_error(),
        }));
        Ok(())
    }
}

impl Socket {
    /// Takes over an established connection.
    pub fn new(stream: Stream) -> io::Result<Socket> {
        Ok(match stream {
            Stream::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                Socket::Tcp(TcpStream::from_std(stream))
            }
            Stream::Unix(stream) => {
                stream.set_nonblocking(true)?;
                Socket::Unix(UnixStream::from_std(stream))
            }
        })
    }

    /// Reads what is there, or returns `WouldBlock`.
    pub fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        uninterrupted(|| match self {
            Socket::Tcp(stream) => stream.read(buffer),
            Socket::Unix(stream) => stream.read(buffer),
        })
    }

    /// Has the kernel discard incoming bytes, `room.len()` at most, without a copy. Returns `None` if it can not do so.
    pub fn discard(&self, room: &mut [MaybeUninit<u8>]) -> Option<io::Result<usize>> {
        match self {
            Socket::Tcp(stream) if cfg!(target_os = "linux") => {
                Some(uninterrupted(|| SockRef::from(stream).recv_with_flags(room, libc::MSG_TRUNC)))
            }
            _ => None,
        }
    }

    /// Sends as much as the kernel takes, or returns `WouldBlock`.
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let socket = match self {
            Socket::Tcp(stream) => SockRef::from(stream),
            Socket::Unix(stream) => SockRef::from(stream),
        };
        uninterrupted(|| socket.send_with_flags(bytes, libc::MSG_NOSIGNAL))
    }
}

/// Repeats a call that a signal interrupted.
fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
