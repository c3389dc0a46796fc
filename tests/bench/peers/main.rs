//! `cargo bench --bench peers`: Cubby beside Mosquitto, NATS and Redis, each driven over its own protocol with the same
//! work, and beside a bare byte repeater, which is the kernel's floor. `-- --help` says what can be chosen.
//!
//! One generator in this process, on a processor of its own; a fresh server for each measurement. The hubs take turns,
//! A B C A B C, and what is printed are the medians of the rounds. It ends with 1 where Cubby does not do what is
//! asked, where a measurement failed, and where messages were lost; a hub that is not found is left out.

mod cases;
mod crowd;
mod driver;
#[path = "../../../src/bin/cubby/bench/load/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the client uses the rest of it")]
mod load;
mod measure;
mod mqtt;
mod nats;
mod options;
mod peer;
mod pin;
mod redis;
mod repeater;
mod sample;
mod server;
mod shape;
mod table;
mod used;
mod wire;

use measure::Bench;
use options::Options;
use std::process::ExitCode;
use table::Faults;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match &arguments[..] {
        [argument, port] if argument == peer::REPEATER => repeat(port),
        arguments => match options::parse(arguments) {
            Ok(Some(options)) => compare(options),
            Ok(None) => Ok(()),
            Err(what) => {
                eprintln!("peers: {what}; see `cargo bench --bench peers -- --help`");
                return ExitCode::from(2);
            }
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("peers: {what}");
            ExitCode::FAILURE
        }
    }
}

fn repeat(port: &str) -> Result<(), String> {
    let port = port.parse().map_err(|_| format!("{port} is no port"))?;
    repeater::repeat(port).map_err(|error| format!("can not repeat: {error}"))
}

fn compare(options: Options) -> Result<(), String> {
    shape::print(&options);
    let mut bench = Bench::new(&options)?;
    let mut results = Vec::new();
    for case in options.cases() {
        results.push((case, bench.rounds(case)));
    }
    println!();
    let Faults { unreached, lossy } = table::print(&results);
    bench.failures.iter().for_each(|failure| println!("{failure}"));
    let faults = [
        (unreached, "rows are not as asked"),
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
