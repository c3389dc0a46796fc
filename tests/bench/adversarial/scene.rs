//! One case: a hub, an attack, the innocents beside it, and what is right for them.

use crate::client::{BOUND, Client};
use crate::hub::Hub;
use crate::innocents::{Innocent, PINGERS, Waits};
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// One case of the benchmark.
pub struct Case {
    pub key: &'static str,
    /// What the attackers do.
    pub what: &'static str,
    /// Options of the daemon beside its defaults.
    pub options: &'static [&'static str],
    /// The longest time that an innocent may wait for the answer to a PING.
    pub longest: Duration,
    /// The longest turn that is right.
    pub turn: Duration,
    pub attack: fn(&mut Scene) -> io::Result<()>,
}

/// The longest wait that is right in most cases, and the one beside thousands who do not read.
pub const SHORT: Duration = Duration::from_millis(250);
pub const LONG: Duration = Duration::from_millis(500);

/// The longest turn that is right in most cases: a bound of the hub's counters.
pub const TURN: Duration = Duration::from_micros(16_384);

impl Case {
    /// A case with the default options and the usual aim.
    pub const fn new(key: &'static str, what: &'static str, attack: fn(&mut Scene) -> io::Result<()>) -> Case {
        Case { key, what, options: &[], longest: SHORT, turn: TURN, attack }
    }
}

/// No attack: what the innocents and the machine show by themselves.
pub const QUIET: [Case; 1] = [Case::new("0-quiet", "nobody attacks", |scene| scene.attack(|_, _| Ok(())))];

/// A case that runs.
pub struct Scene {
    pub hub: Hub,
    /// How long the attack lasts.
    pub time: Duration,
    /// The innocents beside those that send a PING.
    pub innocents: Vec<Innocent>,
    /// The waits of those who send a PING, and then of the other innocents.
    pub waits: Vec<(Innocent, Waits)>,
    /// What else the case found.
    pub notes: Vec<String>,
    /// What is not as it should be, beside times and memory.
    pub faults: Vec<String>,
    longest: Duration,
}

impl Scene {
    /// Starts the hub of a case.
    pub fn new(case: &Case, time: Duration) -> Scene {
        let hub = Hub::start(case.options);
        let (innocents, waits, notes, faults) = Default::default();
        Scene { hub, time, innocents, waits, notes, faults, longest: case.longest }
    }

    /// Attacks until the moment that the attack is told, with the innocents beside it. What the attack returns lives
    /// until the innocents have their answers: attackers among it do not leave before.
    pub fn attack<T>(&mut self, attack: impl FnOnce(&Hub, Instant) -> io::Result<T>) -> io::Result<T> {
        let mut all = vec![Innocent::pings(self.longest); PINGERS];
        all.append(&mut self.innocents);
        let clients: Vec<Client> = all.iter().map(|_| self.hub.connect()).collect::<io::Result<_>>()?;
        let hub = &self.hub;
        let until = Instant::now() + self.time;
        let (waits, done) = thread::scope(|scope| {
            let running = all
                .iter()
                .zip(clients)
                .map(|(innocent, client)| scope.spawn(move || innocent.run(client, hub.native(), until)));
            let running: Vec<_> = running.collect();
            let done = attack(hub, until);
            thread::sleep(until.saturating_duration_since(Instant::now()));
            let waits: Vec<Waits> = running.into_iter().map(|thread| thread.join().expect("it ends")).collect();
            (waits, done)
        });
        let mut pings = Waits::default();
        waits[..PINGERS].iter().for_each(|waits| pings.add(waits));
        self.waits = vec![(all[0].clone(), pings)];
        self.waits.extend(all.into_iter().zip(waits).skip(PINGERS));
        done
    }

    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub fn fault(&mut self, fault: impl Into<String>) {
        self.faults.push(fault.into());
    }
}

/// How long a case may take to set itself up.
pub const SET_UP: Duration = BOUND;
