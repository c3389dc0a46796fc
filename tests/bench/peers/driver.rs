//! Which language each hub is spoken to in.

use crate::crowd::Crowd;
use crate::load::{self, Dialect, LoadError, Native, Outcome, Plan, Progress};
use crate::mqtt::Mqtt;
use crate::nats::Nats;
use crate::peer::Peer;
use crate::redis::Redis;
use crate::server::Server;
use crate::wire::Wire;
use cubby::Address;
use std::time::Duration;

/// One server, and what it is.
#[derive(Clone, Copy)]
pub struct Driver<'a> {
    pub peer: Peer,
    pub server: &'a Server,
}

impl Driver<'_> {
    pub fn address(&self) -> Address {
        Address::Tcp(format!("127.0.0.1:{}", self.server.port))
    }

    /// Runs a plan; through rooms or by relays, where that is a choice.
    pub fn run(&self, plan: &Plan, rooms: bool, progress: &mut dyn FnMut(&Progress)) -> Result<Outcome, String> {
        match self.peer {
            Peer::Mosquitto => load::run(plan, Mqtt::default, progress),
            Peer::Nats => load::run(plan, Nats::default, progress),
            Peer::Redis => load::run(plan, Redis::default, progress),
            Peer::Wire => load::run(plan, Wire::default, progress),
            Peer::Cubby if rooms => load::run(plan, Native::rooms, progress),
            Peer::Cubby => load::run(plan, Native::relay, progress),
        }
        .map_err(in_words)
    }

    /// So many who connect, are greeted and leave, one after the other: the time that it takes.
    pub fn come_and_go(&self, count: u32) -> Result<Duration, String> {
        let address = self.address();
        match self.peer {
            Peer::Mosquitto => load::come_and_go(&address, count, Mqtt::default),
            Peer::Nats => load::come_and_go(&address, count, Nats::default),
            Peer::Redis => load::come_and_go(&address, count, Redis::default),
            Peer::Wire => load::come_and_go(&address, count, Wire::default),
            Peer::Cubby => load::come_and_go(&address, count, Native::relay),
        }
        .map_err(in_words)
    }

    /// So many groups, of one who publishes and so many who hear.
    pub fn gather(&self, groups: u32, hearers: u32) -> Result<Crowd, String> {
        Crowd::gather(self.server.port, groups, hearers, || self.dialect())
    }

    fn dialect(&self) -> Box<dyn Dialect> {
        match self.peer {
            Peer::Mosquitto => Box::new(Mqtt::default()),
            Peer::Nats => Box::new(Nats::default()),
            Peer::Redis => Box::new(Redis::default()),
            Peer::Wire => Box::new(Wire::default()),
            Peer::Cubby => Box::new(Native::relay()),
        }
    }
}

fn in_words(error: LoadError) -> String {
    error.to_string()
}
