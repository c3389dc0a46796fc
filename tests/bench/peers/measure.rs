//! One measurement: a fresh server, a piece of work, what came of it. And all rounds of a case.

use crate::cases::{COMERS, CROWD, Case, FAN_OUT, Load, QUIET, REST, Rate, STORM_HEARERS, STORM_MESSAGES, Work};
use crate::driver::Driver;
use crate::load::{Extent, Pace, Plan, Sizes};
use crate::options::Options;
use crate::peer::Peer;
use crate::pin::Layout;
use crate::sample::{Sample, median};
use crate::server::Server;
use crate::shape;
use crate::table::{Entrant, Samples};
use crate::used::Used;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How long messages are sent before any counts.
const WARM_UP: Duration = Duration::from_millis(200);

/// How long an idle server takes to get to rest after its start.
const SETTLE: Duration = Duration::from_millis(300);

/// All that is compared, and what was found out so far.
pub struct Bench<'a> {
    options: &'a Options,
    layout: Layout,
    hubs: Vec<(Peer, PathBuf)>,
    /// Messages a second of the fan-out in a closed loop, for the rates of the open one.
    maxima: BTreeMap<Peer, f64>,
    /// The measurements that failed, and why.
    pub failures: Vec<String>,
}

impl Bench<'_> {
    /// Finds the hubs, and says which and where from.
    pub fn new(options: &Options) -> Result<Bench<'_>, String> {
        let layout = Layout::new().map_err(|error| format!("can not choose processors: {error}"))?;
        layout.enter().map_err(|error| format!("can not choose a processor: {error}"))?;
        rlimit::increase_nofile_limit(u64::MAX).map_err(|error| format!("the descriptor limit: {error}"))?;
        let mut hubs = Vec::new();
        for &peer in &options.only {
            match peer.find() {
                Ok(program) => {
                    shape::print_peer(peer, &program, &peer.version(&program));
                    hubs.push((peer, program));
                }
                Err(why) if peer.is_rival() => println!("- {}: left out: {why}", peer.key()),
                Err(why) => return Err(format!("{}: {why}", peer.key())),
            }
        }
        Ok(Bench { options, layout, hubs, maxima: BTreeMap::new(), failures: Vec::new() })
    }

    /// A case in all rounds: A B C A B C.
    pub fn rounds(&mut self, case: &'static Case) -> Samples {
        if matches!(case.work, Work::Tail(_)) && self.maxima.is_empty() {
            self.rounds(FAN_OUT);
        }
        let mut samples = Samples::new();
        // Memory does not waver, and the quiet after a storm is long.
        let rounds = if matches!(case.work, Work::Storm) { 1 } else { self.options.rounds };
        for round in 1..=rounds {
            for (entrant, program) in self.entrants(case.work) {
                let what = format!("{}, round {round}, {entrant}", case.key);
                match self.measure(entrant, &program, case.work) {
                    Ok(Some(sample)) => {
                        eprintln!("{what}: {}", sample.brief());
                        samples.entry(entrant).or_default().push(sample);
                    }
                    Ok(None) => {}
                    Err(why) => self.failures.push(format!("* {what}: {why}")),
                }
            }
        }
        if std::ptr::eq(case, FAN_OUT) {
            for (Entrant { peer, .. }, samples) in &samples {
                // Of one that is measured in two places the better, for both: its rows are of one rate.
                let maximum = self.maxima.entry(*peer).or_insert(0.0);
                *maximum = maximum
                    .max(median(samples.iter().filter(|sample| sample.is_whole()).map(|sample| sample.messages)));
            }
        }
        samples
    }

    /// All that take part in a round, in turn. Two places are for work that takes time; a crowd's memory is looked at
    /// in one, for there Cubby is asked for so many bytes, whatever the peers have.
    fn entrants(&self, work: Work) -> Vec<(Entrant, PathBuf)> {
        let takes_time = !matches!(work, Work::Idle | Work::Storm);
        let all = self.hubs.iter().flat_map(|(peer, program)| {
            let spots = self.options.place.spots(peer.has_threads() && takes_time);
            spots.iter().map(|spot| (Entrant { peer: *peer, spot: *spot }, program.clone()))
        });
        all.collect()
    }

    /// `None` where this is no work for this hub.
    fn measure(&self, entrant: Entrant, program: &Path, work: Work) -> Result<Option<Sample>, String> {
        let Entrant { peer, spot } = entrant;
        let rate = match work {
            Work::Tail(rate) => match self.rate(peer, rate) {
                None => return Ok(None),
                rate => rate,
            },
            _ => None,
        };
        let server = Server::start(&self.layout, spot, |port, dir| peer.command(program, port, dir))?;
        let driver = Driver { peer, server: &server };
        match (work, FAN_OUT.work) {
            (Work::Load(load), _) => self.traffic(driver, load, Pace::Window(load.window)),
            (Work::Tail(_), Work::Load(load)) => self.traffic(driver, load, Pace::Rate(rate.unwrap_or(1.0))),
            (Work::Idle, _) => idle(driver),
            (Work::Storm, _) => storm(driver),
            (Work::ComeAndGo, _) => come_and_go(driver),
            (Work::Tail(_), _) => Err("the fan-out is no traffic".to_owned()),
        }
        .map(Some)
    }

    fn rate(&self, peer: Peer, rate: Rate) -> Option<f64> {
        // There is none where no round of the fan-out was whole.
        let mut maxima = self.maxima.iter().filter(|(_, maximum)| **maximum > 0.0);
        match rate {
            Rate::HalfOfOwn => maxima.find(|(its, _)| **its == peer).map(|(_, maximum)| maximum / 2.0),
            Rate::HalfOfSlowest if peer == Peer::Mosquitto => None,
            Rate::HalfOfSlowest => {
                let others = maxima.filter(|(peer, _)| **peer != Peer::Mosquitto);
                others.map(|(_, maximum)| maximum / 2.0).reduce(f64::min)
            }
        }
    }

    fn traffic(&self, driver: Driver<'_>, load: Load, pace: Pace) -> Result<Sample, String> {
        let plan = Plan {
            address: driver.address(),
            groups: load.groups,
            subscribers: load.hearers,
            sizes: Sizes::one(load.size),
            pace,
            extent: Extent::Time(self.options.time),
            warm_up: WARM_UP,
            spins: true,
            ..Plan::default()
        };
        let mut used = Used::default();
        let outcome = driver.run(&plan, load.rooms, &mut |progress| used.note(progress, driver.server))?;
        used.sample(&outcome, driver.server)
    }
}

/// The memory of a crowd that is only there.
fn idle(driver: Driver<'_>) -> Result<Sample, String> {
    thread::sleep(SETTLE);
    let before = driver.server.memory("VmRSS");
    let crowd = driver.gather(CROWD, 0)?;
    thread::sleep(REST);
    let bytes_each = (driver.server.memory("VmRSS") - before) / f64::from(CROWD);
    drop(crowd);
    Ok(Sample { bytes_each, ..Sample::NOTHING })
}

/// The memory of a crowd that has been busy.
fn storm(driver: Driver<'_>) -> Result<Sample, String> {
    thread::sleep(SETTLE);
    let before = driver.server.memory("VmRSS");
    let mut crowd = driver.gather(CROWD / (STORM_HEARERS + 1), STORM_HEARERS)?;
    crowd.storm(STORM_MESSAGES)?;
    thread::sleep(QUIET);
    let bytes_each = (driver.server.memory("VmRSS") - before) / f64::from(CROWD);
    drop(crowd);
    Ok(Sample { bytes_each, peak: driver.server.memory("VmHWM"), ..Sample::NOTHING })
}

fn come_and_go(driver: Driver<'_>) -> Result<Sample, String> {
    // The first ones grow what is kept.
    driver.come_and_go(COMERS / 10)?;
    let before = driver.server.processor_secs()?;
    let time = driver.come_and_go(COMERS)?;
    let busy = driver.server.processor_secs()? - before;
    let (messages, micros_a_message) = (f64::from(COMERS) / time.as_secs_f64(), busy / f64::from(COMERS) * 1e6);
    Ok(Sample { messages, micros_a_message, ..Sample::NOTHING })
}
