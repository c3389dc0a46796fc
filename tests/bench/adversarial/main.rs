//! `cargo bench --bench adversarial`: what hostile and broken clients cost the daemon and those beside them.
//!
//! Each case of the table attacks a fresh daemon with its default options, or with those that the case names, while
//! innocents ask for little and take down how long they wait. The exit code is 1 if an aim is missed. `-- --help` lists
//! the cases. Those without a row, from the first version of this benchmark, print what they found.

#[path = "../processor.rs"]
mod processor;
#[path = "../../support/mod.rs"]
mod support;

mod broken;
mod client;
#[path = "../harness/mod.rs"]
mod harness;
mod hub;
mod innocents;
mod memory;
mod more;
mod names;
mod non_readers;
mod rooms;
mod row;
mod scene;
mod web;
mod work;

use row::Row;
use scene::{Case, Scene};
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Duration;

/// How long each attack lasts.
const SECS: f64 = 4.0;

/// What was asked for.
struct Chosen {
    cases: Vec<String>,
    time: Duration,
    json: bool,
}

fn main() -> ExitCode {
    match parse() {
        Ok(Some(chosen)) if run(&chosen) => ExitCode::SUCCESS,
        Ok(Some(_)) => ExitCode::FAILURE,
        Ok(None) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("adversarial: {what}; see `cargo bench --bench adversarial -- --help`");
            ExitCode::from(2)
        }
    }
}

/// Every case of the table, in its order.
fn cases() -> impl Iterator<Item = &'static Case> {
    let groups: [&[Case]; 8] = [
        &scene::QUIET,
        &non_readers::CASES,
        &work::CASES,
        &names::CASES,
        &rooms::CASES,
        &memory::CASES,
        &web::CASES,
        &more::CASES,
    ];
    groups.into_iter().flatten()
}

/// What was asked for; `None` if that was the help, which is printed.
fn parse() -> Result<Option<Chosen>, String> {
    let mut options = getopts::Options::new();
    options.optopt("", "case", "only these cases, separated by commas (all)", "CASES");
    options.optopt("", "secs", &format!("how long each attack lasts ({SECS})"), "SECS");
    options.optflag("", "json", "print one JSON object for each case of the table");
    options.optflag("h", "help", "print this");
    // Cargo passes this to every benchmark.
    options.optflag("", "bench", "");
    let matches = options.parse(std::env::args().skip(1)).map_err(|error| error.to_string())?;
    if matches.opt_present("help") {
        print!("{}", options.usage("Usage: cargo bench --bench adversarial -- [OPTIONS]    attacks the hub"));
        println!("\nCases of the table:");
        cases().for_each(|case| println!("  {:<14} {} {}", case.key, case.what, case.options.join(" ")));
        println!("\nCases that print what they found:\n  {}", broken::CASES.map(|(key, _)| key).join(", "));
        return Ok(None);
    }
    if let Some(free) = matches.free.first() {
        return Err(format!("unexpected argument {free:?}"));
    }
    let chosen = harness::options::list(&matches, "case");
    let known: Vec<&str> = cases().map(|case| case.key).chain(broken::CASES.map(|(key, _)| key)).collect();
    if let Some(unknown) = chosen.iter().find(|key| !known.contains(&key.as_str())) {
        return Err(format!("there is no case {unknown}; choose from {}", known.join(", ")));
    }
    let secs = matches.opt_get_default("secs", SECS).map_err(|error| error.to_string())?;
    let time = Duration::try_from_secs_f64(secs).map_err(|error| error.to_string())?;
    Ok(Some(Chosen { cases: chosen, time, json: matches.opt_present("json") }))
}

/// Runs what was asked for, and returns whether all aims are reached.
fn run(chosen: &Chosen) -> bool {
    let is_wanted = |key: &str| chosen.cases.is_empty() || chosen.cases.iter().any(|wanted| wanted == key);
    let wanted: Vec<&'static Case> = cases().filter(|case| is_wanted(case.key)).collect();
    if !chosen.json && !wanted.is_empty() {
        println!("{}", row::HEAD);
    }
    let mut missed = 0;
    for case in wanted {
        let row = row_of(case, chosen.time);
        missed += usize::from(!row.misses.is_empty());
        if chosen.json { println!("{}", row.json()) } else { println!("{}", row.markdown()) }
    }
    if !chosen.json {
        broken::CASES.iter().filter(|(key, _)| is_wanted(key)).for_each(|(_, run)| run());
    }
    missed == 0
}

/// Runs one case. If the hub ends in it, that is a row as well.
fn row_of(case: &'static Case, time: Duration) -> Row {
    // Some need 16,000. If there are fewer, their rows say so.
    support::need_descriptors(1000);
    let run = || {
        let mut scene = Scene::new(case, time);
        match (case.attack)(&mut scene) {
            Ok(()) => Row::of(case, scene),
            Err(error) => Row::failed(case, &error.to_string()),
        }
    };
    catch_unwind(run).unwrap_or_else(|_| Row::failed(case, "see above"))
}
