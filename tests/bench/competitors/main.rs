//! `cargo bench --bench competitors`: Cubby beside Mosquitto, NATS and Redis, each driven over its own protocol with
//! the same work, and beside a bare byte repeater, which shows the kernel's part. `-- --help` lists the options.
//!
//! `cubby bench` is the generator, on a processor of its own. Each measurement has a fresh server. The servers take
//! turns, A B C A B C, and the table shows the medians of the rounds. The exit code is 1 if Cubby misses a target, a
//! measurement failed, or messages were lost. A server that is not installed is left out.

mod cases;
mod competitor;
#[path = "../harness/mod.rs"]
mod harness;
mod heading;
mod measure;
mod repeater;
mod table;

use cases::CASES;
use competitor::{ALL, Competitor};
use harness::options::{self, list};
use harness::pin::Place;
use measure::{Bench, Chosen};
use std::process::ExitCode;
use table::Faults;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match &arguments[..] {
        [argument, port] if argument == competitor::REPEATER => repeat(port),
        arguments => match parse(arguments) {
            Ok(Some(chosen)) => compare(&chosen),
            Ok(None) => Ok(()),
            Err(what) => {
                eprintln!("competitors: {what}; see `cargo bench --bench competitors -- --help`");
                return ExitCode::from(2);
            }
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("competitors: {what}");
            ExitCode::FAILURE
        }
    }
}

/// What was asked for; `None` if that was the help, which is printed.
fn parse(arguments: &[String]) -> Result<Option<Chosen>, String> {
    let mut options = options::options();
    options.optopt("", "only", "only these servers, separated by commas (all that are found)", "SERVERS");
    let places = "where servers run: apart from the generator, and NATS also beside it; first; any (apart)";
    options.optopt("", "place", places, "PLACE");
    let matches = options.parse(arguments).map_err(|error| error.to_string())?;
    if matches.opt_present("help") {
        let usage = "Usage: cargo bench --bench competitors -- [OPTIONS]    compares Cubby with other servers";
        print!("{}", options.usage(usage));
        let (cases, servers) = (CASES.each_ref().map(|case| case.key).join(", "), ALL.map(Competitor::key).join(", "));
        println!("\nCases: {cases}\nServers: {servers}");
        return Ok(None);
    }
    let only = list(&matches, "only");
    if let Some(unknown) = only.iter().find(|key| ALL.iter().all(|competitor| competitor.key() != **key)) {
        return Err(format!("there is no server {unknown}"));
    }
    let wanted = |competitor: &Competitor| only.is_empty() || only.iter().any(|key| key == competitor.key());
    Ok(Some(Chosen {
        options: options::read(&matches, &CASES.each_ref().map(|case| case.key))?,
        place: Place::of(&matches.opt_str("place").unwrap_or("apart".to_owned()))?,
        competitors: ALL.into_iter().filter(wanted).collect(),
    }))
}

fn repeat(port: &str) -> Result<(), String> {
    let port = port.parse().map_err(|_| format!("{port} is no port"))?;
    repeater::repeat(port).map_err(|error| format!("can not repeat: {error}"))
}

fn compare(chosen: &Chosen) -> Result<(), String> {
    heading::print(chosen);
    let mut bench = Bench::new(chosen)?;
    let mut results = Vec::new();
    for case in CASES.iter().filter(|case| chosen.options.wants(case.key)) {
        results.push((case, bench.rounds(case)));
    }
    println!();
    let Faults { missed_targets, lossy } = table::print(&results);
    bench.failures.iter().for_each(|failure| println!("{failure}"));
    let faults = [
        (missed_targets, "rows miss their target"),
        (bench.failures.len(), "measurements failed"),
        (lossy, "measurements lost messages"),
    ];
    let faults: Vec<String> =
        faults.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(format!("{}; the table and the lines below it say which", faults.join(", ")))
    }
}
