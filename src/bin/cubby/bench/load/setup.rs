//! Makes the connections of a run, and waits until the hub has accepted them.

use super::checker::Expected;
use super::connection::{Connection, Role};
use super::driver::{Driver, Part};
use super::engine::Engine;
use super::plan::{LoadError, Pace, Phase, Plan, Progress};
use super::poll::Socket;
use super::stream::Stream;
use super::window::Publisher;
use cubby::Address;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long the system may take to make a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the hub may accept none of the sessions that wait for it.
pub(super) const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// The error after that time.
pub(super) const NO_ANSWER: &str = "no answer for 10 s; is it a hub of this protocol, and not stopped?";

/// Sessions that may wait for the hub while further ones connect: its backlog may be as short as 100.
const CONNECTING_MAX: usize = 64;

/// How long one wait for the hub is, at most.
const STEP: Duration = Duration::from_millis(100);

/// Descriptors that are no connections: the standard three, the poll, and what the process may hold besides.
const OWN_DESCRIPTORS: u64 = 32;

/// Checks that the plan can be carried out and that there are enough descriptors.
pub(super) fn check(plan: &Plan) -> Result<(), LoadError> {
    let wrong = |what: &str| Err(LoadError::Plan(what.to_owned()));
    let pace = match plan.pace {
        Pace::Window(window) => window > 0,
        Pace::Rate(rate) => rate.is_finite() && rate > 0.0,
    };
    let traffic = plan.groups > 0 && plan.publishers > 0 && plan.subscribers > 0 && plan.sharing > 0;
    if !traffic && !plan.is_idle() {
        return wrong("a run needs at least one group, one publisher and one subscriber");
    }
    if !pace {
        return wrong("the window or the rate must be above 0");
    }
    if u64::from(plan.groups) * u64::from(plan.publishers) > u64::from(u32::MAX / 2) {
        return wrong("there are too many publishers");
    }
    need_descriptors(plan.connections())
}

/// Raises the descriptor limit as far as this number of connections needs.
pub(super) fn need_descriptors(connections: u64) -> Result<(), LoadError> {
    let needed = connections + OWN_DESCRIPTORS;
    // If the limit is unknown, connecting will show it.
    let most = rlimit::increase_nofile_limit(needed).unwrap_or(u64::MAX);
    if most < needed { Err(LoadError::Descriptors { needed, most }) } else { Ok(()) }
}

/// Makes one connection, after `made` others.
pub(super) fn connect(address: &Address, made: usize) -> Result<Stream, LoadError> {
    let failed = |source| LoadError::Connect { address: address.clone(), made, source };
    Stream::connect(address, CONNECT_TIMEOUT).map_err(failed)
}

impl Plan {
    /// Connections of one kind that together serve all groups.
    fn shares(&self) -> u64 {
        self.groups.div_ceil(self.sharing).into()
    }

    /// Connections that are made before the run begins.
    fn connections_ahead(&self) -> u64 {
        let each = u64::from(self.publishers) + u64::from(self.subscribers);
        self.shares() * each + u64::from(self.slow) + u64::from(self.idle) + self.leavers_ahead()
    }

    /// The most connections that there may be at the same time.
    fn connections(&self) -> u64 {
        self.connections_ahead() + self.joiners_max()
    }
}

impl<D: Driver, F: FnMut() -> D> Engine<'_, D, F> {
    /// Makes the connections that the plan has from the beginning, and waits until all are ready.
    pub fn connect_all(&mut self, progress: &mut dyn FnMut(&Progress)) -> Result<(), LoadError> {
        let (plan, step) = (self.plan, self.plan.sharing as usize);
        let shares = || (0..plan.groups).step_by(step).map(|first| (first, plan.sharing.min(plan.groups - first)));
        for index in 0..plan.subscribers {
            for groups in shares() {
                self.admit(Role::Subscriber, groups, index, progress)?;
            }
        }
        for number in 0..plan.slow {
            self.admit(Role::Slow, (number % plan.groups, 1), 0, progress)?;
        }
        let mut publishers: Vec<_> = Vec::new();
        for groups in shares() {
            let slots: Result<Vec<_>, _> =
                (0..plan.publishers).map(|index| self.admit(Role::Publisher, groups, index, progress)).collect();
            let slots = slots?;
            for group in groups.0..groups.0 + groups.1 {
                publishers.extend(slots.iter().map(|slot| Publisher::new(*slot, group)));
            }
        }
        for _ in 0..plan.idle {
            self.admit(Role::Idle, (0, 0), 0, progress)?;
        }
        for number in 0..plan.leavers_ahead() {
            let group = (number % u64::from(plan.groups)) as u32;
            let slot = self.admit(Role::Joiner, (group, 1), 0, progress)?;
            self.churn.present.push_back(slot);
        }
        self.wait_until_ready(0, progress)?;
        self.totals.publishers = publishers;
        self.set_receivers();
        Ok(())
    }

    /// Makes one more connection, once few enough are not ready.
    fn admit(
        &mut self,
        role: Role,
        groups: (u32, u32),
        index: u32,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<usize, LoadError> {
        self.wait_until_ready(CONNECTING_MAX - 1, progress)?;
        let slot = self.open(role, groups, index)?;
        self.flush();
        Ok(slot)
    }

    /// Makes a connection, and has its driver open the session.
    pub fn open(&mut self, role: Role, groups: (u32, u32), index: u32) -> Result<usize, LoadError> {
        let stream = connect(&self.address, self.connections.len())?;
        if let Stream::Tcp(stream) = &stream
            && let Ok(peer) = stream.peer_addr()
        {
            // The next connections need no name service.
            self.address = Address::Tcp(peer.to_string());
        }
        let failed = |source: io::Error| LoadError::Connect {
            address: self.plan.address.clone(),
            made: self.connections.len(),
            source,
        };
        let mut socket = Socket::new(stream).map_err(failed)?;
        self.poller.watch(&mut socket, self.connections.vacant_key()).map_err(failed)?;
        let (first, count) = (groups.0 * self.plan.publishers, groups.1 * self.plan.publishers);
        let expected = match role {
            Role::Subscriber => Expected::all(first, count),
            Role::Joiner => Expected::from_now(first, count),
            Role::Publisher | Role::Slow | Role::Leaver | Role::Idle => Expected::default(),
        };
        let mut connection = Connection::new(socket, (self.driver)(), role, groups, index, expected);
        connection.open();
        self.totals.connecting += 1;
        let slot = self.connections.insert(connection);
        self.mark_dirty(slot);
        Ok(slot)
    }

    /// Waits until at most `most` connections are not ready.
    fn wait_until_ready(&mut self, most: usize, progress: &mut dyn FnMut(&Progress)) -> Result<(), LoadError> {
        let (all, mut since_ns) = (self.plan.connections_ahead() as usize, self.clock.now_ns());
        let mut fewest = usize::MAX;
        while self.totals.connecting > most {
            if self.plan.stop.load(Ordering::Relaxed) {
                return Err(LoadError::Stopped);
            }
            self.turn(STEP)?;
            self.flush();
            let now_ns = self.clock.now_ns();
            let ready = self.connections.len().saturating_sub(self.totals.connecting);
            if self.totals.connecting < fewest {
                (fewest, since_ns) = (self.totals.connecting, now_ns);
            }
            let silent = Duration::from_nanos(now_ns - since_ns) > READY_TIMEOUT;
            let why = self.totals.outcome.first_error.take();
            if let Some(why) = why.or_else(|| silent.then(|| NO_ANSWER.to_owned())) {
                return Err(LoadError::NotReady { ready, of: all, why });
            }
            self.report(Phase::Connecting, ready as f64 / all as f64, progress);
        }
        Ok(())
    }

    /// Gives the publishers the ids of the subscribers of their group.
    fn set_receivers(&mut self) {
        if self.plan.sharing > 1 {
            return;
        }
        let mut receivers = vec![Vec::new(); self.plan.groups as usize];
        let receives = |role| matches!(role, Role::Subscriber | Role::Slow);
        for (_, connection) in self.connections.iter().filter(|(_, connection)| receives(connection.role)) {
            receivers[connection.groups.0 as usize].push(connection.id);
        }
        for (_, connection) in self.connections.iter_mut().filter(|(_, other)| other.role == Role::Publisher) {
            connection.driver.set_receivers(&receivers[connection.groups.0 as usize]);
        }
    }
}

impl<D: Driver> Connection<D> {
    /// Opens the session, in all its groups.
    fn open(&mut self) {
        let part = |group| match self.role {
            Role::Publisher | Role::Idle => Part::Publisher(group),
            Role::Subscriber | Role::Slow | Role::Joiner | Role::Leaver => Part::Subscriber(group),
        };
        let (first, count) = self.groups;
        self.driver.open(part(first), &mut self.out);
        self.acks_expected = 1;
        for group in (first..first + count).skip(1) {
            self.acks_expected += u32::from(self.driver.add_group(part(group), &mut self.out));
        }
    }
}
