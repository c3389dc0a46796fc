//! `cargo bench --bench doors`: what it costs to come in by the door, beside native members and beside other WebSocket
//! servers that do the same work. `-- --help` says what can be chosen.
//!
//! One generator in this process, on a processor of its own; a fresh server for each measurement. They take turns, A B
//! C A B C, and what is printed are the medians of the rounds. The other servers are small programs beside this file,
//! each on a library that is well known; what these need is got by npm and pip into a temporary directory where it is
//! not there, and what can not be got is left out, and said to be. It ends with 1 where Cubby does not do what is
//! asked, or a measurement failed.

mod cases;
#[path = "../peers/crowd.rs"]
#[allow(dead_code, reason = "there is no storm here")]
mod crowd;
mod entrant;
#[path = "../../../src/bin/cubby/bench/load/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the client uses the rest of it")]
mod load;
#[path = "../peers/pin.rs"]
#[allow(dead_code, reason = "servers have one place here")]
mod pin;
#[path = "../peers/sample.rs"]
mod sample;
#[path = "../peers/server.rs"]
mod server;
mod table;
#[path = "../peers/used.rs"]
mod used;

use crate::load::{Extent, Pace, Plan, Sizes};
use cases::{BODY, CASES, CROWD, Case, Work};
use crowd::Crowd;
use cubby::Address;
use entrant::{ALL, Entrant, Kit};
use pin::{Layout, Spot};
use sample::Sample;
use server::Server;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;
use table::Samples;
use used::Used;

/// What is asked for where nothing is.
const DEFAULT_ROUNDS: usize = 5;
const DEFAULT_SECS: f64 = 1.0;

/// How long messages are sent before any counts.
const WARM_UP: Duration = Duration::from_millis(300);

/// How long a server rests before its memory is looked at.
const REST: Duration = Duration::from_secs(2);

/// What was asked for.
struct Options {
    rounds: usize,
    time: Duration,
    cases: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = match parse(&arguments) {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("doors: {what}; see `cargo bench --bench doors -- --help`");
            return ExitCode::from(2);
        }
    };
    match compare(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("doors: {what}");
            ExitCode::FAILURE
        }
    }
}

/// `None` where help was asked for, and given.
fn parse(arguments: &[String]) -> Result<Option<Options>, String> {
    let mut options = getopts::Options::new();
    options.optopt("", "case", "these alone, by commas (all)", "CASES");
    options.optopt("", "rounds", &format!("of each case ({DEFAULT_ROUNDS})"), "N");
    options.optopt("", "secs", &format!("of a measurement of traffic ({DEFAULT_SECS})"), "SECS");
    options.optflag("h", "help", "print this");
    // What cargo says to every benchmark.
    options.optflag("", "bench", "");
    let given = options.parse(arguments).map_err(|error| error.to_string())?;
    if given.opt_present("help") {
        print!("{}", options.usage("Usage: cargo bench --bench doors -- [OPTIONS]    compares ways of coming in"));
        println!("\nCases: {}", CASES.map(|case| case.key).join(", "));
        return Ok(None);
    }
    if let Some(free) = given.free.first() {
        return Err(format!("{free} belongs to no option"));
    }
    let list = given.opt_str("case").unwrap_or_default();
    let cases: Vec<String> = list.split(',').filter(|key| !key.is_empty()).map(str::to_owned).collect();
    if let Some(unknown) = cases.iter().find(|key| CASES.iter().all(|case| case.key != **key)) {
        return Err(format!("there is no case {unknown}"));
    }
    let rounds = given.opt_get_default("rounds", DEFAULT_ROUNDS).map_err(|error| error.to_string())?;
    let secs = given.opt_get_default("secs", DEFAULT_SECS).map_err(|error| error.to_string())?;
    let time = Duration::try_from_secs_f64(secs).map_err(|error| error.to_string())?;
    if rounds == 0 || time.is_zero() {
        return Err("nothing is measured in no round, or no time".to_owned());
    }
    Ok(Some(Options { rounds, time, cases }))
}

fn compare(options: &Options) -> Result<(), String> {
    let layout = Layout::new().map_err(|error| format!("can not choose processors: {error}"))?;
    let kit = Kit::new()?;
    let entrants = present(&kit)?;
    layout.enter().map_err(|error| format!("can not choose a processor: {error}"))?;
    rlimit::increase_nofile_limit(u64::MAX).map_err(|error| format!("the descriptor limit: {error}"))?;
    let chosen = |case: &&Case| options.cases.is_empty() || options.cases.iter().any(|key| key == case.key);
    let mut results = Vec::new();
    let mut failures = Vec::new();
    for case in CASES.iter().filter(chosen) {
        let mut samples = Samples::new();
        // Memory does not waver.
        let rounds = if matches!(case.work, Work::Idle) { 1 } else { options.rounds };
        for (round, entrant) in (1..=rounds).flat_map(|round| entrants.iter().map(move |entrant| (round, *entrant))) {
            let what = format!("{}, round {round}, {}", case.key, entrant.key());
            let sample = measure(entrant, case.work, options.time, &layout, &kit);
            match &sample {
                Ok(sample) => eprintln!("{what}: {}{}", sample.brief(), reason(sample)),
                Err(why) => failures.push(format!("* {what}: {why}")),
            }
            samples.entry(entrant).or_default().push(sample.ok());
        }
        results.push((case, samples));
    }
    let unreached = table::print(&results, &entrants);
    failures.iter().for_each(|failure| println!("{failure}"));
    if unreached + failures.len() == 0 {
        return Ok(());
    }
    Err(format!("{unreached} rows are not as asked, {} measurements failed", failures.len()))
}

/// Why messages were lost, where any were.
fn reason(sample: &Sample) -> String {
    sample.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default()
}

/// Those that can be had, and what is said of each.
fn present(kit: &Kit) -> Result<Vec<Entrant>, String> {
    let mut found = Vec::new();
    for entrant in ALL {
        match entrant.prepare(kit) {
            Ok(version) => {
                println!("- {}: {version}", entrant.key());
                found.push(entrant);
            }
            Err(why) if entrant.is_rival() => println!("- {}: left out: {why}", entrant.key()),
            Err(why) => return Err(why),
        }
    }
    Ok(found)
}

fn measure(entrant: Entrant, work: Work, time: Duration, layout: &Layout, kit: &Kit) -> Result<Sample, String> {
    let server = Server::start(layout, Spot::First, |port, _| entrant.command(port, kit))?;
    match work {
        Work::Room { members, window } => room(entrant, &server, members, window, time),
        Work::Idle => idle(entrant, &server),
    }
}

fn room(entrant: Entrant, server: &Server, members: u32, window: u32, time: Duration) -> Result<Sample, String> {
    let plan = Plan {
        address: Address::Tcp(format!("127.0.0.1:{}", server.port)),
        subscribers: members,
        sizes: Sizes::one(BODY),
        pace: Pace::Window(window),
        extent: Extent::Time(time),
        warm_up: WARM_UP,
        spins: true,
        ..Plan::default()
    };
    let mut used = Used::default();
    let outcome = entrant.run(&plan, &mut |progress| used.note(progress, server))?;
    used.sample(&outcome, server)
}

/// The memory of a crowd that is only there.
fn idle(entrant: Entrant, server: &Server) -> Result<Sample, String> {
    thread::sleep(REST);
    let before = server.memory("VmRSS");
    let crowd = Crowd::gather(server.port, CROWD, 0, || entrant.dialect())?;
    thread::sleep(REST);
    let bytes_each = (server.memory("VmRSS") - before) / f64::from(CROWD);
    drop(crowd);
    Ok(Sample { bytes_each, ..Sample::NOTHING })
}
