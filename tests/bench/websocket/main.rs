//! `cargo bench --bench websocket`: what WebSocket and JSON cost, beside native members of a room and beside other
//! WebSocket servers that do the same work. `-- --help` lists the options.
//!
//! `cubby bench` is the generator, on a processor of its own. Each measurement has a fresh server. The servers take
//! turns, A B C A B C, and the table shows the medians of the rounds. The other servers are the small programs beside
//! this file, each on a well-known library, which npm or pip installs into a temporary directory if it is missing. A
//! server whose library can not be installed is left out. The exit code is 1 if Cubby misses a target or a measurement
//! failed.

mod cases;
mod entrant;
#[path = "../harness/mod.rs"]
mod harness;
mod table;

use cases::{BODY, CASES, CROWD, Case, Work};
use entrant::{ALL, Entrant, Packages};
use harness::options::{self, Options};
use harness::pin::{Layout, Spot};
use harness::sample::Sample;
use harness::server::Server;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;
use table::Samples;

/// How long a server rests before its memory is measured, and how long the connections are held then.
const REST: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = match parse(&arguments) {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("websocket: {what}; see `cargo bench --bench websocket -- --help`");
            return ExitCode::from(2);
        }
    };
    match compare(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("websocket: {what}");
            ExitCode::FAILURE
        }
    }
}

/// What was asked for; `None` if that was the help, which is printed.
fn parse(arguments: &[String]) -> Result<Option<Options>, String> {
    let options = options::options();
    let matches = options.parse(arguments).map_err(|error| error.to_string())?;
    let keys = CASES.map(|case| case.key);
    if matches.opt_present("help") {
        let usage = "Usage: cargo bench --bench websocket -- [OPTIONS]    compares protocols and servers";
        print!("{}", options.usage(usage));
        println!("\nCases: {}", keys.join(", "));
        return Ok(None);
    }
    options::read(&matches, &keys).map(Some)
}

fn compare(options: &Options) -> Result<(), String> {
    let layout = Layout::new().map_err(|error| format!("can not choose processors: {error}"))?;
    let packages = Packages::new()?;
    let entrants = present(&packages)?;
    layout.enter().map_err(|error| format!("can not choose a processor: {error}"))?;
    rlimit::increase_nofile_limit(u64::MAX).map_err(|error| format!("the descriptor limit: {error}"))?;
    let mut results = Vec::new();
    let mut failures = Vec::new();
    for case in CASES.iter().filter(|case| options.wants(case.key)) {
        let mut samples = Samples::new();
        // One round is enough: memory does not vary.
        let rounds = if matches!(case.work, Work::Idle) { 1 } else { options.rounds };
        for (round, entrant) in (1..=rounds).flat_map(|round| entrants.iter().map(move |entrant| (round, *entrant))) {
            let what = format!("{}, round {round}, {}", case.key, entrant.key());
            let sample = measure(entrant, case, options.time, &layout, &packages);
            match &sample {
                Ok(sample) => eprintln!("{what}: {}", sample.brief()),
                Err(why) => failures.push(format!("* {what}: {why}")),
            }
            samples.entry(entrant).or_default().push(sample.ok());
        }
        results.push((case, samples));
    }
    let missed_targets = table::print(&results, &entrants);
    failures.iter().for_each(|failure| println!("{failure}"));
    if missed_targets + failures.len() == 0 {
        return Ok(());
    }
    Err(format!("{missed_targets} rows miss their target, {} measurements failed", failures.len()))
}

/// The servers that can be had. Prints the version of each.
fn present(packages: &Packages) -> Result<Vec<Entrant>, String> {
    let mut found = Vec::new();
    for entrant in ALL {
        match entrant.prepare(packages) {
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

fn measure(
    entrant: Entrant,
    case: &Case,
    time: Duration,
    layout: &Layout,
    packages: &Packages,
) -> Result<Sample, String> {
    let server = Server::start(layout, Spot::First, |port, _| entrant.command(port, packages))?;
    let target = server.target(entrant.protocol());
    match case.work {
        Work::Room { members, window } => {
            let secs = time.as_secs_f64();
            let report = target.bench_line(&format!(
                "--rooms 1 --subscribers {members} --size {BODY} --window {window} --secs {secs} --spin"
            ))?;
            Sample::of_traffic(&report)
        }
        Work::Idle => {
            thread::sleep(REST);
            let held = target.bench_line(&format!("--hold {CROWD} --rest {}", REST.as_secs()))?;
            Ok(Sample::of_memory(&held))
        }
    }
}
