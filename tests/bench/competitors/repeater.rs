//! The byte repeater, in a process of its own: one read, one write to each receiver, no protocol after the greeting.
//! Its cost is the kernel's part of a hub's cost. `cubby bench --protocol raw` drives it.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};

/// The first byte of a greeting. The number of the group follows.
const PUBLISHER: u8 = b'P';
const SUBSCRIBER: u8 = b'S';

/// Bytes of a greeting, and the answer to it.
const GREETING_LEN: usize = 5;
const WELCOME: u8 = b'!';

const LISTENER: Token = Token(usize::MAX);

/// Bytes of the buffer for all reads: as many as the hub's.
const READ_BUFFER: usize = 64 * 1024;

/// The repeater and its clients.
struct Repeater {
    poll: Poll,
    listener: TcpListener,
    /// Clients that have not greeted, and publishers, by their tokens.
    readers: HashMap<Token, Reader>,
    next_token: usize,
    /// Receivers by group. They say nothing more. Writes to them may block, so there is no queue: the load must be one
    /// that the receivers read.
    receivers: Vec<Vec<std::net::TcpStream>>,
    buffer: Vec<u8>,
}

struct Reader {
    socket: TcpStream,
    /// The group to which it publishes, once it has greeted.
    group: Option<usize>,
}

/// Listens on this port and repeats until the process is killed.
pub fn repeat(port: u16) -> io::Result<()> {
    let (poll, listener) = (Poll::new()?, TcpListener::bind(([127, 0, 0, 1], port).into())?);
    let mut repeater = Repeater {
        poll,
        listener,
        readers: HashMap::new(),
        next_token: 0,
        receivers: Vec::new(),
        buffer: vec![0; READ_BUFFER],
    };
    repeater.poll.registry().register(&mut repeater.listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    loop {
        match repeater.poll.poll(&mut events, None) {
            // A profiler interrupts the wait.
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            match event.token() {
                LISTENER => repeater.accept()?,
                token => repeater.read(token)?,
            }
        }
    }
}

impl Repeater {
    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            socket.set_nodelay(true)?;
            let token = Token(self.next_token);
            self.next_token += 1;
            self.poll.registry().register(&mut socket, token, Interest::READABLE)?;
            self.readers.insert(token, Reader { socket, group: None });
        }
    }

    /// Reads until the socket is empty, and repeats each read. A short read has emptied it.
    fn read(&mut self, token: Token) -> io::Result<()> {
        while let Some(reader) = self.readers.get_mut(&token) {
            let count = match reader.socket.read(&mut self.buffer) {
                Ok(count) if count > 0 => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                _ => {
                    self.readers.remove(&token);
                    return Ok(());
                }
            };
            match reader.group {
                Some(group) => {
                    let bytes = &self.buffer[..count];
                    self.receivers[group].retain_mut(|receiver| receiver.write_all(bytes).is_ok());
                }
                None => self.greeted(token, count)?,
            }
            if count < READ_BUFFER {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes a greeting. It is short and sent alone, so it arrives in one read.
    fn greeted(&mut self, token: Token, count: usize) -> io::Result<()> {
        let greeting = &self.buffer[..count];
        let valid = count == GREETING_LEN && [PUBLISHER, SUBSCRIBER].contains(&greeting[0]);
        let Some(mut reader) = self.readers.remove(&token).filter(|_| valid) else { return Ok(()) };
        let group = u32::from_be_bytes(greeting[1..].try_into().expect("four bytes")) as usize;
        self.receivers.resize_with(self.receivers.len().max(group + 1), Vec::new);
        if greeting[0] == PUBLISHER {
            reader.socket.write_all(&[WELCOME])?;
            self.readers.insert(token, Reader { group: Some(group), ..reader });
            return Ok(());
        }
        self.poll.registry().deregister(&mut reader.socket)?;
        let mut receiver = std::net::TcpStream::from(reader.socket);
        receiver.set_nonblocking(false)?;
        receiver.write_all(&[WELCOME])?;
        self.receivers[group].push(receiver);
        Ok(())
    }
}
