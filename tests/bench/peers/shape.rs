//! On what machine, with which hubs in which configurations: what stands above the table.

use crate::options::Options;
use crate::peer::Peer;
use std::path::Path;
use std::{fs, thread};

/// What is done alike for all, and what is not.
const METHOD: [&str; 3] = [
    "the generator polls without a pause, so no hub has to wake it; a hub that shares its processor pays for that",
    "of a body that comes in pieces it looks at the front and has the kernel throw the rest away, whoever sent it",
    "the peers publish to topics; so does Cubby in the room, but its fan-out and its pairs are relays to ids",
];

/// Prints the machine's shape and how it is measured.
pub fn print(options: &Options) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version = kernel.split(['-', '\n']).next().unwrap_or_default();
    println!("{}: {cores} processors, {}, Linux {version}, loopback", jiff::Zoned::now().date(), model());
    // What others do at the same time is the noise, in the tail above all.
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load average before: {}", load.split(' ').next().unwrap_or_default());
    println!("the generator on the last processor, {}", options.place.words());
    println!("{} rounds in turns, medians; {:.1} s each; the storm once", options.rounds, options.time.as_secs_f64());
    METHOD.iter().for_each(|line| println!("{line}"));
}

/// What the processor calls itself.
fn model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split(": ").nth(1)).unwrap_or("a processor without a name").to_owned()
}

/// Prints what is compared, in which version and configuration, and what runs.
pub fn print_peer(peer: Peer, program: &Path, version: &str) {
    let configuration = match peer.configuration() {
        "" => "as it comes".to_owned(),
        lines => lines.replace('\n', "; "),
    };
    println!("- {}: {version}; {configuration}; {}", peer.key(), program.display());
}
