//! Making the connections of a run, and waiting until the hub has let them in.

use super::dialect::{Dialect, Part};
use super::ear::Heed;
use super::engine::Engine;
use super::link::{Link, Role};
use super::plan::{LoadError, Pace, Phase, Plan, Progress};
use super::poll::Socket;
use super::stream::Stream;
use super::window::Publisher;
use cubby::Address;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a connection may take to be made.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a hub may let nobody in while some wait for it.
pub(super) const GREETING_TIMEOUT: Duration = Duration::from_secs(10);

/// What is said of a hub that did not in that time.
pub(super) const NO_ANSWER: &str = "it has not answered for 10 s; is it a hub, and not stopped?";

/// Connections that wait to be let in while further ones are made: a hub's backlog may be as short as a hundred.
const GREETED_AT_ONCE: usize = 64;

/// How long one wait for the hub's greetings is, at the most.
const STEP: Duration = Duration::from_millis(100);

/// Descriptors that are no connections: the standard three, the poll, and what the host has.
const OWN_DESCRIPTORS: u64 = 32;

/// That the plan can be carried out at all, and that there are descriptors enough.
pub(super) fn check(plan: &Plan) -> Result<(), LoadError> {
    let wrong = |what: &str| Err(LoadError::Plan(what.to_owned()));
    let pace = match plan.pace {
        Pace::Window(window) => window > 0,
        Pace::Rate(rate) => rate.is_finite() && rate > 0.0,
    };
    if plan.groups == 0 || plan.publishers == 0 || plan.subscribers == 0 || plan.sharing == 0 {
        return wrong("there must be a group, a publisher and a subscriber at the least");
    }
    if !pace {
        return wrong("the window or the rate must be more than 0");
    }
    if u64::from(plan.groups) * u64::from(plan.publishers) > u64::from(u32::MAX / 2) {
        return wrong("there are too many publishers");
    }
    need_descriptors(plan.connections())
}

/// Raises the limit of descriptors as far as `connections` need.
pub(super) fn need_descriptors(connections: u64) -> Result<(), LoadError> {
    let needed = connections + OWN_DESCRIPTORS;
    // Where the limit can not be told, connecting will show it.
    let most = rlimit::increase_nofile_limit(needed).unwrap_or(u64::MAX);
    if most < needed { Err(LoadError::Descriptors { needed, most }) } else { Ok(()) }
}

/// Makes one connection.
pub(super) fn connect(address: &Address, made: usize) -> Result<Stream, LoadError> {
    let failed = |source| LoadError::Connect { address: address.clone(), made, source };
    Stream::connect(address, CONNECT_TIMEOUT).map_err(failed)
}

impl Plan {
    /// Connections that serve groups together, of one kind.
    fn shares(&self) -> u64 {
        self.groups.div_ceil(self.sharing).into()
    }

    /// Connections that are made before the run begins.
    fn at_once(&self) -> u64 {
        let each = u64::from(self.publishers) + u64::from(self.subscribers);
        self.shares() * each + u64::from(self.slow) + u64::from(self.idle) + self.leavers_ahead()
    }

    /// Connections that there may be at the same time.
    fn connections(&self) -> u64 {
        self.at_once() + self.visitors_most()
    }
}

impl<D: Dialect, F: FnMut() -> D> Engine<'_, D, F> {
    /// Makes all connections that the plan has from the beginning, and waits until they are in.
    pub fn assemble(&mut self, progress: &mut dyn FnMut(&Progress)) -> Result<(), LoadError> {
        let (plan, step) = (self.plan, self.plan.sharing as usize);
        let shares = || (0..plan.groups).step_by(step).map(|first| (first, plan.sharing.min(plan.groups - first)));
        for place in 0..plan.subscribers {
            for groups in shares() {
                self.admit(Role::Subscriber, groups, place, progress)?;
            }
        }
        for number in 0..plan.slow {
            self.admit(Role::Slow, (number % plan.groups, 1), 0, progress)?;
        }
        let mut publishers: Vec<_> = Vec::new();
        for groups in shares() {
            let slots: Result<Vec<_>, _> =
                (0..plan.publishers).map(|place| self.admit(Role::Publisher, groups, place, progress)).collect();
            for group in groups.0..groups.0 + groups.1 {
                publishers.extend(slots.as_deref().unwrap_or_default().iter().map(|slot| Publisher::new(*slot, group)));
            }
            slots?;
        }
        for _ in 0..plan.idle {
            self.admit(Role::Idle, (0, 0), 0, progress)?;
        }
        for number in 0..plan.leavers_ahead() {
            let slot = self.admit(Role::Visitor, ((number % u64::from(plan.groups)) as u32, 1), 0, progress)?;
            self.visits.note(slot);
        }
        self.welcome(0, progress)?;
        self.hall.publishers = publishers;
        self.aim();
        Ok(())
    }

    /// Makes one more connection, once few enough wait to be let in.
    fn admit(
        &mut self,
        role: Role,
        groups: (u32, u32),
        place: u32,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<usize, LoadError> {
        self.welcome(GREETED_AT_ONCE - 1, progress)?;
        let slot = self.open(role, groups, place)?;
        self.flush();
        Ok(slot)
    }

    /// Makes a connection and greets the hub.
    pub fn open(&mut self, role: Role, groups: (u32, u32), place: u32) -> Result<usize, LoadError> {
        let stream = connect(&self.address, self.links.len())?;
        if let Stream::Tcp(stream) = &stream
            && let Ok(peer) = stream.peer_addr()
        {
            // So its name is looked up once.
            self.address = Address::Tcp(peer.to_string());
        }
        let failed = |source: io::Error| LoadError::Connect {
            address: self.plan.address.clone(),
            made: self.links.len(),
            source,
        };
        let mut socket = Socket::new(stream).map_err(failed)?;
        self.poller.watch(&mut socket, self.links.vacant_key()).map_err(failed)?;
        let (first, count) = (groups.0 * self.plan.publishers, groups.1 * self.plan.publishers);
        let heed = match role {
            Role::Subscriber => Heed::all(first, count),
            Role::Visitor => Heed::from_now(first, count),
            _ => Heed::default(),
        };
        let mut link = Link::new(socket, (self.dialect)(), role, groups, place, heed);
        link.greet();
        self.hall.arriving += 1;
        let slot = self.links.insert(link);
        self.soil(slot);
        Ok(slot)
    }

    /// Waits until no more than so many wait to be let in.
    fn welcome(&mut self, most: usize, progress: &mut dyn FnMut(&Progress)) -> Result<(), LoadError> {
        let (all, mut since_ns, mut fewest) = (self.plan.at_once() as usize, self.clock.now_ns(), usize::MAX);
        while self.hall.arriving > most {
            if self.plan.stop.load(Ordering::Relaxed) {
                return Err(LoadError::Stopped);
            }
            self.turn(STEP)?;
            self.flush();
            let (now_ns, ready) = (self.clock.now_ns(), self.links.len().saturating_sub(self.hall.arriving));
            if self.hall.arriving < fewest {
                (fewest, since_ns) = (self.hall.arriving, now_ns);
            }
            let silent = Duration::from_nanos(now_ns - since_ns) > GREETING_TIMEOUT;
            let why = self.hall.outcome.first_error.take();
            if let Some(why) = why.or_else(|| silent.then(|| NO_ANSWER.to_owned())) {
                return Err(LoadError::Greeting { ready, of: all, why });
            }
            self.tell(Phase::Connecting, ready as f64 / all as f64, progress);
        }
        Ok(())
    }

    /// Tells each publisher of one group who hears it.
    fn aim(&mut self) {
        if self.plan.sharing > 1 {
            return;
        }
        let mut receivers = vec![Vec::new(); self.plan.groups as usize];
        for (_, link) in self.links.iter().filter(|(_, link)| matches!(link.role, Role::Subscriber | Role::Slow)) {
            receivers[link.groups.0 as usize].push(link.id);
        }
        for (_, link) in self.links.iter_mut().filter(|(_, link)| link.role == Role::Publisher) {
            link.dialect.aim(&receivers[link.groups.0 as usize]);
        }
    }
}

impl<D: Dialect> Link<D> {
    /// Says what comes first.
    fn greet(&mut self) {
        let part = |group| match self.role {
            Role::Publisher | Role::Idle => Part::Publisher(group),
            _ => Part::Subscriber(group),
        };
        let (first, count) = self.groups;
        self.dialect.greet(part(first), &mut self.out);
        self.awaited = 1;
        for group in (first..first + count).skip(1) {
            self.awaited += u32::from(self.dialect.also(part(group), &mut self.out));
        }
    }
}
