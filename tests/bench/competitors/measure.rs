//! One measurement: a fresh server, a piece of work, a sample. And all rounds of a case.

use crate::cases::Work;
use crate::cases::{
    COMERS, CROWD, Case, FAN_OUT, Load, QUIET, REST, Rate, STORM_MESSAGES, STORM_RECEIVERS, STORM_SIZES,
};
use crate::competitor::Competitor;
use crate::harness::generator::Target;
use crate::harness::options::Options;
use crate::harness::pin::{Layout, Place};
use crate::harness::sample::{Sample, median};
use crate::harness::server::Server;
use crate::heading;
use crate::table::{Entrant, Samples};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How long a server takes after its start until it is idle.
const SETTLE: Duration = Duration::from_millis(300);

/// What was asked for.
pub struct Chosen {
    pub options: Options,
    pub place: Place,
    pub competitors: Vec<Competitor>,
}

/// The servers that are compared, and what was found out so far.
pub struct Bench<'a> {
    chosen: &'a Chosen,
    layout: Layout,
    found: Vec<(Competitor, PathBuf)>,
    /// Messages a second of the fan-out in a closed loop, for the rates of the open loop.
    maxima: BTreeMap<Competitor, f64>,
    /// The measurements that failed, and why.
    pub failures: Vec<String>,
}

/// When messages are sent.
enum Pace {
    Window(u32),
    /// Messages a second.
    Rate(f64),
}

impl Bench<'_> {
    /// Finds the servers, and prints which were found where.
    pub fn new(chosen: &Chosen) -> Result<Bench<'_>, String> {
        let layout = Layout::new().map_err(|error| format!("can not choose processors: {error}"))?;
        layout.enter().map_err(|error| format!("can not choose a processor: {error}"))?;
        rlimit::increase_nofile_limit(u64::MAX).map_err(|error| format!("the descriptor limit: {error}"))?;
        let mut found = Vec::new();
        for &competitor in &chosen.competitors {
            match competitor.find() {
                Ok(program) => {
                    heading::print_competitor(competitor, &program, &competitor.version(&program));
                    found.push((competitor, program));
                }
                Err(why) if competitor.is_rival() => println!("- {}: left out: {why}", competitor.key()),
                Err(why) => return Err(format!("{}: {why}", competitor.key())),
            }
        }
        Ok(Bench { chosen, layout, found, maxima: BTreeMap::new(), failures: Vec::new() })
    }

    /// Measures a case in all rounds: A B C A B C.
    pub fn rounds(&mut self, case: &'static Case) -> Samples {
        if matches!(case.work, Work::Tail(_)) && self.maxima.is_empty() {
            self.rounds(FAN_OUT);
        }
        let mut samples = Samples::new();
        // One round is enough: memory does not vary, and the quiet after a storm is long.
        let rounds = if matches!(case.work, Work::Storm) { 1 } else { self.chosen.options.rounds };
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
            self.note_maxima(&samples);
        }
        samples
    }

    /// Keeps the rates of the fan-out. A server that is measured in two places has the better one for both, so that its
    /// rows are of one rate.
    fn note_maxima(&mut self, samples: &Samples) {
        for (Entrant { competitor, .. }, samples) in samples {
            let whole = samples.iter().filter(|sample| sample.is_whole()).map(|sample| sample.messages);
            let maximum = self.maxima.entry(*competitor).or_insert(0.0);
            *maximum = maximum.max(median(whole));
        }
    }

    /// The servers of a round, in turn. Two places are for work that takes time. A crowd's memory is measured in one,
    /// because its targets do not depend on the competitors.
    fn entrants(&self, work: Work) -> Vec<(Entrant, PathBuf)> {
        let takes_time = !matches!(work, Work::Idle | Work::Storm);
        let all = self.found.iter().flat_map(|(competitor, program)| {
            let spots = self.chosen.place.spots(competitor.has_threads() && takes_time);
            spots.iter().map(|spot| (Entrant { competitor: *competitor, spot: *spot }, program.clone()))
        });
        all.collect()
    }

    /// One measurement; `None` if this work is not for this server.
    fn measure(&self, entrant: Entrant, program: &Path, work: Work) -> Result<Option<Sample>, String> {
        let Entrant { competitor, spot } = entrant;
        let pace = match work {
            Work::Tail(rate) => match self.rate(competitor, rate) {
                None => return Ok(None),
                Some(rate) => Pace::Rate(rate),
            },
            Work::Load(load) => Pace::Window(load.window),
            Work::Idle | Work::Storm | Work::Churn => Pace::Window(1),
        };
        let server = Server::start(&self.layout, spot, |port, dir| competitor.command(program, port, dir))?;
        let target = server.target(competitor.protocol());
        thread::sleep(SETTLE);
        match (work, FAN_OUT.work) {
            (Work::Load(load), _) | (Work::Tail(_), Work::Load(load)) => self.traffic(target, load, &pace),
            (Work::Idle, _) => {
                let held = target.bench_line(&format!("--hold {CROWD} --rest {}", REST.as_secs()))?;
                Ok(Sample::of_memory(&held))
            }
            (Work::Storm, _) => storm(target),
            (Work::Churn, _) => Ok(Sample::of_churn(&target.bench_line(&format!("--churn {COMERS}"))?)),
            (Work::Tail(_), _) => Err("the fan-out is no traffic".to_owned()),
        }
        .map(Some)
    }

    fn rate(&self, competitor: Competitor, rate: Rate) -> Option<f64> {
        // There is none if no round of the fan-out was whole.
        let mut maxima = self.maxima.iter().filter(|(_, maximum)| **maximum > 0.0);
        match rate {
            Rate::HalfOfOwn => maxima.find(|(its, _)| **its == competitor).map(|(_, maximum)| maximum / 2.0),
            Rate::HalfOfSlowest if competitor == Competitor::Mosquitto => None,
            Rate::HalfOfSlowest => {
                let others = maxima.filter(|(competitor, _)| **competitor != Competitor::Mosquitto);
                others.map(|(_, maximum)| maximum / 2.0).reduce(f64::min)
            }
        }
    }

    fn traffic(&self, target: Target<'_>, load: Load, pace: &Pace) -> Result<Sample, String> {
        let Load { groups, receivers, size, rooms, .. } = load;
        let groups = if rooms {
            format!("--rooms {groups} --subscribers {receivers}")
        } else {
            format!("--relay {receivers} --groups {groups}")
        };
        let pace = match pace {
            Pace::Window(window) => format!("--window {window}"),
            Pace::Rate(rate) => format!("--rate {rate:.3}"),
        };
        let secs = self.chosen.options.time.as_secs_f64();
        let report = target.bench_line(&format!("{groups} --size {size} {pace} --secs {secs} --spin"))?;
        Sample::of_traffic(&report)
    }
}

/// The memory of a crowd that has been busy.
fn storm(target: Target<'_>) -> Result<Sample, String> {
    let groups = CROWD / (STORM_RECEIVERS + 1);
    let (messages, rest) = (groups as usize * STORM_MESSAGES, QUIET.as_secs());
    let report = target.bench_line(&format!(
        "--relay {STORM_RECEIVERS} --groups {groups} --size {STORM_SIZES} --window 1 --messages {messages} \
         --rest {rest}"
    ))?;
    Ok(Sample::of_memory(&report))
}
