//! The byte repeater, a process of its own: one read, a write to each who hears, no protocol beyond the greeting. What
//! it costs is the kernel's part of what a hub costs.

use crate::wire::{GREETING_LEN, PUBLISHER, SUBSCRIBER, WELCOME};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};

const LISTENER: Token = Token(usize::MAX);

/// Bytes of the one buffer that all is read into: as many as a hub's.
const READ_BUFFER: usize = 64 * 1024;

/// Who is there.
struct Repeater {
    poll: Poll,
    listener: TcpListener,
    /// Those who have not said anything, and those who publish; the token is the key.
    readers: HashMap<Token, Reader>,
    next_token: usize,
    /// Those who hear, by group. They say nothing more, and are written to in blocking mode: the load is a closed loop,
    /// so that there is no end of room, and no queue to keep.
    hearers: Vec<Vec<std::net::TcpStream>>,
    buffer: Vec<u8>,
}

struct Reader {
    socket: TcpStream,
    /// The group that it publishes to, once it has greeted.
    group: Option<usize>,
}

/// Repeats on this port, until the process is killed.
pub fn repeat(port: u16) -> io::Result<()> {
    let (poll, listener) = (Poll::new()?, TcpListener::bind(([127, 0, 0, 1], port).into())?);
    let mut repeater = Repeater {
        poll,
        listener,
        readers: HashMap::new(),
        next_token: 0,
        hearers: Vec::new(),
        buffer: vec![0; READ_BUFFER],
    };
    repeater.poll.registry().register(&mut repeater.listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    loop {
        match repeater.poll.poll(&mut events, None) {
            // A profiler interrupts.
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

    /// Reads all that is there, and repeats each read. A short one has emptied the socket.
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
                    self.hearers[group].retain_mut(|hearer| hearer.write_all(bytes).is_ok());
                }
                None => self.greeted(token, count)?,
            }
            if count < READ_BUFFER {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes a greeting, which has come in one piece, for it is short and alone.
    fn greeted(&mut self, token: Token, count: usize) -> io::Result<()> {
        let greeting = &self.buffer[..count];
        let valid = count == GREETING_LEN && [PUBLISHER, SUBSCRIBER].contains(&greeting[0]);
        let Some(mut reader) = self.readers.remove(&token).filter(|_| valid) else { return Ok(()) };
        let group = u32::from_be_bytes(greeting[1..].try_into().expect("four bytes")) as usize;
        self.hearers.resize_with(self.hearers.len().max(group + 1), Vec::new);
        if greeting[0] == PUBLISHER {
            reader.socket.write_all(&[WELCOME])?;
            self.readers.insert(token, Reader { group: Some(group), ..reader });
            return Ok(());
        }
        self.poll.registry().deregister(&mut reader.socket)?;
        let mut hearer = std::net::TcpStream::from(reader.socket);
        hearer.set_nonblocking(false)?;
        hearer.write_all(&[WELCOME])?;
        self.hearers[group].push(hearer);
        Ok(())
    }
}
