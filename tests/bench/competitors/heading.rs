//! The lines above the table: the machine, the servers and their configurations, the method.

use crate::competitor::Competitor;
use crate::measure::Chosen;
use std::path::Path;
use std::{fs, thread};

/// What is the same for all servers, and what is not.
const METHOD: [&str; 3] = [
    "the generator polls without a pause, so no server has to wake it; sharing its processor costs a server",
    "it looks at the front of a large body, and has the kernel discard the rest, whichever server sent it",
    "the others publish to topics; so does Cubby in the room, but its fan-out and its pairs are relays to ids",
];

/// Prints the machine and the method.
pub fn print(chosen: &Chosen) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version = kernel.split(['-', '\n']).next().unwrap_or_default();
    println!("{}: {cores} processors, {}, Linux {version}, loopback", jiff::Zoned::now().date(), model());
    // Other load on the machine is noise, above all in the tail of the latency.
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load average before: {}", load.split(' ').next().unwrap_or_default());
    println!("the generator on the last processor, {}", chosen.place.words());
    let (rounds, secs) = (chosen.options.rounds, chosen.options.time.as_secs_f64());
    println!("{rounds} rounds in turns, medians; {secs:.1} s each; the storm once");
    METHOD.iter().for_each(|line| println!("{line}"));
}

/// The processor's name.
fn model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split(": ").nth(1)).unwrap_or("an unnamed processor").to_owned()
}

/// Prints a server's version, configuration and program.
pub fn print_competitor(competitor: Competitor, program: &Path, version: &str) {
    let configuration = match competitor.configuration() {
        "" => "default configuration".to_owned(),
        lines => lines.replace('\n', "; "),
    };
    println!("- {}: {version}; {configuration}; {}", competitor.key(), program.display());
}
