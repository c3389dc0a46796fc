//! A blocking byte stream of frames: TCP, a unix socket, or WebSocket.

use super::io::time_left;
#[cfg(feature = "ws")]
use super::websocket::WebSocket;
use crate::address::Address;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How long a connection is idle before the system asks the other end, and how long it waits to ask again.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);

/// How long bytes that were sent may stay without an acknowledgement, or without being taken, before the system gives
/// the connection up. A hub may pause reading for 10 s with each request; nothing is to be waited for much longer.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNACKNOWLEDGED_FOR: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    #[cfg(feature = "ws")]
    Ws(Box<WebSocket>),
}

impl Stream {
    /// Connects within `timeout`, all steps together.
    pub fn connect(address: &Address, timeout: Duration) -> io::Result<Stream> {
        let deadline = Instant::now().checked_add(timeout);
        match address {
            Address::Unix(path) => {
                let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
                socket.connect_timeout(&socket2::SockAddr::unix(path)?, timeout)?;
                Ok(Stream::Unix(socket.into()))
            }
            Address::Tcp(_) => tcp(address, deadline).map(Stream::Tcp),
            #[cfg(feature = "ws")]
            Address::Ws { host_and_port, path } => {
                let socket = tcp(address, deadline)?;
                Ok(Stream::Ws(WebSocket::open(socket, host_and_port, path, deadline)?.into()))
            }
            #[cfg(not(feature = "ws"))]
            Address::Ws { .. } => {
                let what = "this program was built without WebSocket: build it with the feature `ws`, or use the hub's \
                            native address, HOST:PORT";
                Err(io::Error::new(io::ErrorKind::Unsupported, what))
            }
        }
    }

    pub fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.set_read_timeout(timeout),
            Stream::Unix(stream) => stream.set_read_timeout(timeout),
            #[cfg(feature = "ws")]
            Stream::Ws(socket) => {
                socket.set_read_timeout(timeout);
                Ok(())
            }
        }
    }

    pub fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.set_write_timeout(Some(timeout)),
            Stream::Unix(stream) => stream.set_write_timeout(Some(timeout)),
            #[cfg(feature = "ws")]
            Stream::Ws(socket) => socket.set_write_timeout(timeout),
        }
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
            #[cfg(feature = "ws")]
            Stream::Ws(socket) => socket.as_fd(),
        }
    }

    /// Whether the next read returns bytes that were already received, so that it does not block.
    pub fn has_unread(&self) -> bool {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => false,
            #[cfg(feature = "ws")]
            Stream::Ws(socket) => socket.has_unread(),
        }
    }

    /// Reads without blocking; `WouldBlock` if there is nothing to read.
    pub fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                let read = stream.read(buffer);
                stream.set_nonblocking(false)?;
                read
            }
            Stream::Unix(stream) => {
                stream.set_nonblocking(true)?;
                let read = stream.read(buffer);
                stream.set_nonblocking(false)?;
                read
            }
            #[cfg(feature = "ws")]
            Stream::Ws(socket) => socket.read_now(buffer),
        }
    }

    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
            #[cfg(feature = "ws")]
            Stream::Ws(socket) => socket.read(buffer),
        }
    }

    /// Writes a part of a frame and returns its length. The first call must pass the whole frame, each further call the
    /// rest of it.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
            #[cfg(feature = "ws")]
            Stream::Ws(socket) => socket.write(bytes),
        }
    }
}

/// Sends small frames at once, and has the system notice a dead line as well: also if this program only polls, or waits
/// to write.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    socket
        .set_tcp_keepalive(&socket2::TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_AFTER))?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_FOR))?;
    Ok(())
}

/// Connects to the first of a host's addresses that accepts the connection.
fn tcp(address: &Address, deadline: Option<Instant>) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in address.resolve()? {
        let connected = match time_left(deadline)? {
            Some(left) => TcpStream::connect_timeout(&address, left),
            None => TcpStream::connect(address),
        };
        match connected {
            Ok(stream) => return prepare(&stream).map(|()| stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
