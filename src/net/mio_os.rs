//! The real [`Os`]: sockets and readiness by mio, which no other file of the loop names.

use super::bind::bind_all;
use super::os::{Edge, Os};
use crate::address::Address;
use crate::error::SetupError;
use crate::hub::{Protocol, RemoteAddr, Role};
use crate::limits::SLOT_BITS;
use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, SockAddr, SockRef, Socket as RawSocket, Type};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, IoSlice, Read};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Edges taken from the kernel in one call. Further edges stay in the kernel until the next turn.
const EVENTS: usize = 1024;

/// Tokens from here on are listeners. Those below are slots.
const FIRST_LISTENER: usize = 1 << SLOT_BITS;

/// The readiness to watch for: both directions and, if the system supports it, urgent data.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ALL: Interest = Interest::READABLE.add(Interest::WRITABLE).add(Interest::PRIORITY);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const ALL: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// The token of wakers and of the host's descriptors, which only request a turn.
const WOKEN: Token = Token(usize::MAX);

/// A connection of either family.
#[derive(Debug)]
pub enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Unix { listener: UnixListener, _file: SocketFile },
}

/// The file of a Unix socket. It is removed with its listener, unless it belongs to another socket by then.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<SocketFile> {
        Ok(SocketFile { path: path.to_owned(), identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity)
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            log::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Ends a wait from another thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<mio::Waker>);

impl Waker {
    /// Makes the current or the next wait return with [`Edge::Woken`].
    ///
    /// # Errors
    ///
    /// The system's error. The wait may then continue.
    pub fn wake(&self) -> io::Result<()> {
        self.0.wake()
    }
}

/// The operating system, for one loop.
#[derive(Debug)]
pub struct MioOs {
    poll: Poll,
    events: Events,
    /// Each with its protocol; `None` after it has stopped listening.
    listeners: Vec<(Protocol, Option<Listener>)>,
    /// Descriptors of the host that end a wait when they become readable.
    wake_descriptors: Vec<OwnedFd>,
    waker: Waker,
    /// The descriptor in reserve, to be used when the process has no other left.
    spare: Option<OwnedFd>,
    began: Instant,
}

impl MioOs {
    /// An operating system that listens nowhere yet.
    ///
    /// # Errors
    ///
    /// If the system has no poll descriptor left.
    pub fn new() -> io::Result<MioOs> {
        let poll = Poll::new()?;
        let waker = Waker(Arc::new(mio::Waker::new(poll.registry(), WOKEN)?));
        let events = Events::with_capacity(EVENTS);
        let (listeners, wake_descriptors) = (Vec::new(), Vec::new());
        let mut os = MioOs { poll, events, listeners, wake_descriptors, waker, spare: None, began: Instant::now() };
        os.regain_spare();
        Ok(os)
    }

    /// Listens on these addresses, each for its protocol. Returns the addresses that were really bound for each of
    /// them: a host may have several, and the system may have chosen the port.
    ///
    /// # Errors
    ///
    /// [`SetupError::Listen`] with the error of the system, for the first address that can not be used.
    pub fn listen(&mut self, asked: &[(Address, Protocol)]) -> Result<Vec<Vec<Address>>, SetupError> {
        let failed = |address: &Address, source| SetupError::Listen { address: address.to_string(), source };
        let resolve = |(address, _): &(Address, _)| address.resolve().map_err(|error| failed(address, error));
        let resolved: Vec<Vec<SocketAddr>> = asked.iter().map(resolve).collect::<Result<_, _>>()?;
        let of_v4 = resolved.iter().flatten().filter(|address| address.is_ipv4()).map(SocketAddr::port);
        let ports_of_v4: Vec<u16> = of_v4.filter(|&port| port != 0).collect();
        let mut bound = Vec::new();
        for ((address, protocol), found) in asked.iter().zip(resolved) {
            let listening = match address {
                Address::Tcp(_) => self.listen_tcp(&found, &ports_of_v4, *protocol),
                Address::Unix(path) => self.listen_unix(path, *protocol),
                Address::Ws { .. } => {
                    let what = "a hub listens on HOST:PORT, also for WebSocket; only a client connects to ws://";
                    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
                }
            };
            bound.push(listening.map_err(|error| failed(address, error))?);
        }
        Ok(bound)
    }

    /// The token of the next listener.
    fn next_token(&self) -> Token {
        Token(FIRST_LISTENER + self.listeners.len())
    }

    fn listen_tcp(
        &mut self,
        addresses: &[SocketAddr],
        ports_of_v4: &[u16],
        protocol: Protocol,
    ) -> io::Result<Vec<Address>> {
        let mut bound = Vec::new();
        for listener in bind_all(addresses, ports_of_v4)? {
            let mut listener = TcpListener::from_std(listener);
            bound.push(Address::Tcp(listener.local_addr()?.to_string()));
            self.poll.registry().register(&mut listener, self.next_token(), Interest::READABLE)?;
            self.listeners.push((protocol, Some(Listener::Tcp(listener))));
        }
        Ok(bound)
    }

    fn listen_unix(&mut self, path: &Path, protocol: Protocol) -> io::Result<Vec<Address>> {
        let mut listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_if_stale(path)?;
                UnixListener::bind(path)?
            }
            other => other?,
        };
        let _file = SocketFile::new(path)?;
        self.poll.registry().register(&mut listener, self.next_token(), Interest::READABLE)?;
        self.listeners.push((protocol, Some(Listener::Unix { listener, _file })));
        Ok(vec![Address::Unix(path.to_owned())])
    }

    /// Ends a wait whenever `descriptor` becomes readable. The host reads it; it is closed when this is dropped.
    ///
    /// # Errors
    ///
    /// If the system cannot watch it.
    pub fn wake_on(&mut self, descriptor: OwnedFd) -> io::Result<()> {
        self.poll.registry().register(&mut SourceFd(&descriptor.as_raw_fd()), WOKEN, Interest::READABLE)?;
        self.wake_descriptors.push(descriptor);
        Ok(())
    }

    /// A handle that ends a wait from another thread.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }
}

impl AsFd for MioOs {
    /// The poll descriptor. It is readable when a wait would return at once.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poll.registry().as_fd()
    }
}

/// Removes a socket file on which no process listens any more.
fn remove_if_stale(path: &Path) -> io::Result<()> {
    if !std::fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the path exists and is not a socket"));
    }
    // Not blocking: a socket with a full backlog is in use as well.
    let probe = RawSocket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            log::info!("replacing the stale socket {}", path.display());
            std::fs::remove_file(path)
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

// One more session costs this much, beside the kernel's part: see the benchmark `figures`.
#[cfg(all(target_pointer_width = "64", not(debug_assertions)))]
const _: () =
    assert!(size_of::<crate::hub::Session<super::link::Link<Socket>>>() <= 256, "a session is four cache lines");

impl Os for MioOs {
    type Socket = Socket;

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn seed(&self) -> u64 {
        RandomState::new().build_hasher().finish()
    }

    fn unix_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn wait(&mut self, timeout: Option<Duration>, edges: &mut Vec<Edge>) -> io::Result<bool> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(false),
            other => other?,
        }
        let before = edges.len();
        edges.extend(self.events.iter().map(|event| match event.token() {
            WOKEN => Edge::Woken,
            Token(listener) if listener >= FIRST_LISTENER => Edge::Accept { listener: listener - FIRST_LISTENER },
            Token(slot) => Edge::Socket {
                slot,
                readable: event.is_readable() || event.is_read_closed() || event.is_error(),
                writable: event.is_writable() || event.is_write_closed() || event.is_error(),
                unusual: event.is_read_closed() || event.is_error() || event.is_priority(),
                broken: event.is_error(),
            },
        }));
        Ok(edges.len() - before == EVENTS)
    }

    fn accept(&mut self, listener: usize) -> io::Result<(Socket, RemoteAddr)> {
        match self.listeners.get(listener).and_then(|(_, listener)| listener.as_ref()) {
            Some(Listener::Tcp(listener)) => {
                listener.accept().map(|(stream, from)| (Socket::Tcp(stream), RemoteAddr::Ip(from.ip())))
            }
            Some(Listener::Unix { listener, .. }) => {
                listener.accept().map(|(stream, _)| (Socket::Unix(stream), RemoteAddr::Unix))
            }
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn protocol(&self, listener: usize) -> Protocol {
        self.listeners.get(listener).map_or(Protocol::NATIVE, |(protocol, _)| *protocol)
    }

    fn spend_spare(&mut self) -> bool {
        self.spare.take().is_some()
    }

    fn regain_spare(&mut self) {
        if self.spare.is_none() {
            self.spare = self.as_fd().try_clone_to_owned().ok();
        }
    }

    fn watch(&mut self, socket: &mut Socket, slot: usize) -> io::Result<()> {
        match socket {
            Socket::Tcp(stream) => self.poll.registry().register(stream, Token(slot), ALL),
            Socket::Unix(stream) => self.poll.registry().register(stream, Token(slot), ALL),
        }
    }

    fn is_unusual(&self, socket: &Socket) -> bool {
        // A descriptor that was passed along with the bytes ends a read.
        matches!(socket, Socket::Unix(_))
    }

    fn receive(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> io::Result<usize> {
        match socket {
            Socket::Tcp(stream) => stream.read(buffer),
            Socket::Unix(stream) => stream.read(buffer),
        }
    }

    fn send(&mut self, socket: &mut Socket, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let socket = match socket {
            Socket::Tcp(stream) => SockRef::from(&*stream),
            Socket::Unix(stream) => SockRef::from(&*stream),
        };
        // The host program may have left SIGPIPE at its default, which would end the process when a peer is gone.
        match slices {
            [slice] => socket.send_with_flags(slice, libc::MSG_NOSIGNAL),
            _ => socket.send_vectored_with_flags(slices, libc::MSG_NOSIGNAL),
        }
    }

    fn shut_down(&mut self, socket: &mut Socket) {
        // It fails only if the connection is already over.
        let _ = match socket {
            Socket::Tcp(stream) => stream.shutdown(std::net::Shutdown::Write),
            Socket::Unix(stream) => stream.shutdown(std::net::Shutdown::Write),
        };
    }

    fn stop_listening(&mut self) {
        let for_users = self.listeners.iter_mut().filter(|(protocol, _)| protocol.role != Role::HttpCaller);
        for_users.for_each(|(_, listener)| *listener = None);
    }
}
