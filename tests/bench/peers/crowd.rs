//! Connections that are held while memory is looked at, and a storm of traffic through all of them. What the load
//! engine measures is not measured here: this is blocking, one after the other.

use crate::load::{Dialect, Heard, Part};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Far beyond what any answer takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes of bodies in the storm: small ones, and some that are larger than a read.
const STORM_SIZES: [usize; 4] = [64, 1000, 64, 100_000];

/// Groups of one who publishes and so many who hear, all connected.
pub struct Crowd {
    groups: Vec<(Member, Vec<Member>)>,
}

/// One connection.
struct Member {
    socket: TcpStream,
    dialect: Box<dyn Dialect>,
    /// What has come and was not understood yet.
    input: Vec<u8>,
}

impl Crowd {
    pub fn gather(
        port: u16,
        groups: u32,
        hearers: u32,
        dialect: impl Fn() -> Box<dyn Dialect>,
    ) -> Result<Crowd, String> {
        let groups = (0..groups).map(|group| {
            let mut ids = Vec::new();
            let mut join = |part| {
                let (member, id) = Member::join(port, dialect(), part)?;
                ids.push(id);
                Ok::<_, String>(member)
            };
            let hearers = (0..hearers).map(|_| join(Part::Subscriber(group))).collect::<Result<Vec<_>, _>>()?;
            let mut publisher = join(Part::Publisher(group))?;
            publisher.dialect.aim(&ids[..hearers.len()]);
            Ok((publisher, hearers))
        });
        Ok(Crowd { groups: groups.collect::<Result<_, String>>()? })
    }

    /// In each group, so many messages of several sizes, one at a time.
    pub fn storm(&mut self, rounds: usize) -> Result<(), String> {
        let mut out = Vec::new();
        for size in STORM_SIZES.into_iter().cycle().take(rounds) {
            let body = vec![7; size];
            for (publisher, hearers) in &mut self.groups {
                out.clear();
                publisher.dialect.publish(&body, &mut out);
                publisher.socket.write_all(&out).map_err(|error| format!("can not publish: {error}"))?;
                hearers.iter_mut().try_for_each(|hearer| hearer.hear(size))?;
            }
        }
        Ok(())
    }
}

impl Member {
    /// One that is in, and its id.
    fn join(port: u16, dialect: Box<dyn Dialect>, part: Part) -> Result<(Member, u64), String> {
        let failed = |error| format!("can not connect: {error}");
        let socket = TcpStream::connect(("127.0.0.1", port)).map_err(failed)?;
        socket.set_nodelay(true).map_err(failed)?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        let mut member = Member { socket, dialect, input: Vec::new() };
        let mut greeting = Vec::new();
        member.dialect.greet(part, &mut greeting);
        member.socket.write_all(&greeting).map_err(failed)?;
        let id = member.until(|heard| match heard {
            Heard::Ready(id) => Some(id),
            _ => None,
        })?;
        Ok((member, id))
    }

    /// Waits for a body of this size.
    fn hear(&mut self, size: usize) -> Result<(), String> {
        self.until(|heard| matches!(heard, Heard::Body(body) if body.len() == size).then_some(()))
    }

    /// Reads until something is heard that is wanted.
    fn until<T>(&mut self, mut wanted: impl FnMut(Heard<'_>) -> Option<T>) -> Result<T, String> {
        let mut out = Vec::new();
        loop {
            let mut found = None;
            let mut at = 0;
            while let (None, Some((length, heard))) = (&found, self.dialect.next(&self.input[at..], &mut out)?) {
                if let Heard::Refused(why) = heard {
                    return Err(why);
                }
                at += length;
                found = wanted(heard);
            }
            self.input.drain(..at);
            self.socket.write_all(&out).map_err(|error| format!("can not answer: {error}"))?;
            out.clear();
            if let Some(found) = found {
                // Ten thousand of these are held at once.
                self.input.shrink_to_fit();
                return Ok(found);
            }
            self.receive()?;
        }
    }

    fn receive(&mut self) -> Result<(), String> {
        let mut buffer = [0; 64 * 1024];
        match self.socket.read(&mut buffer) {
            Ok(0) => Err("the hub closes the connection".to_owned()),
            Ok(count) => {
                self.input.extend_from_slice(&buffer[..count]);
                Ok(())
            }
            Err(error) => Err(format!("nothing comes: {error}")),
        }
    }
}
