//! The daemon under attack: how it is started, what its options allow it to hold, and what it and the kernel say of it.

use crate::client::Client;
use crate::support::{Daemon, STATS, frame};
use serde_json::Value;
use std::io;
use std::process::Command;
use std::thread;

/// The defaults of `--memory` and `--history-total`, if a quarter of the machine's memory is not less.
const MEMORY: u64 = 256 << 20;
const HISTORY_TOTAL: u64 = 256 << 20;

/// What an idle connection may cost beside what the options name: see `footprint`.
pub const CONNECTION: u64 = 300;

/// A running daemon.
pub struct Hub {
    pub daemon: Daemon,
    /// Bytes that its options allow it to hold.
    pub allowed: u64,
    /// Bytes that it had in memory before anybody came.
    pub base: u64,
}

impl Hub {
    /// Starts the daemon, or the one that `CUBBY_BENCH_CUBBYD` names, with these options.
    pub fn start(options: &[&str]) -> Hub {
        let program = std::env::var("CUBBY_BENCH_CUBBYD").unwrap_or(env!("CARGO_BIN_EXE_cubbyd").to_owned());
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0", "--ws", "127.0.0.1:0"]).args(options).env_remove("RUST_LOG");
        let mut daemon = Daemon::run(command, 2);
        // A pipe that nobody empties would hold up the daemon.
        let mut said = daemon.stderr();
        thread::spawn(move || io::copy(&mut said, &mut io::sink()));
        let base = daemon.status("VmRSS") * 1024;
        Hub { daemon, allowed: allowed(options), base }
    }

    /// Where it speaks its own protocol.
    pub fn native(&self) -> &str {
        &self.daemon.addresses[0]
    }

    /// Where it speaks HTTP.
    pub fn web(&self) -> &str {
        self.daemon.addresses[1].trim_start_matches("http://")
    }

    pub fn connect(&self) -> io::Result<Client> {
        Client::connect(self.native())
    }

    /// Bytes in memory now.
    pub fn memory(&self) -> u64 {
        self.daemon.status("VmRSS") * 1024
    }

    /// The most bytes that it ever had in memory.
    pub fn peak(&self) -> u64 {
        self.daemon.status("VmHWM") * 1024
    }

    /// Its counters.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub fn counters(&self) -> io::Result<Counters> {
        let reply = self.connect()?.ask(&frame(STATS, 0, 0, []), 0x8F)?;
        Ok(Counters(serde_json::from_slice(&reply.payload)?))
    }
}

/// The sum of what `--memory` (which grows with `--max-body`) and `--history-total` allow.
fn allowed(options: &[&str]) -> u64 {
    let value = |name: &str| {
        let text = options.iter().skip_while(|option| **option != name).nth(1)?;
        let mebibytes: u64 = text.trim_end_matches('M').parse().expect("the benchmarks say it in M");
        Some(mebibytes << 20)
    };
    let memory = value("--memory").unwrap_or(MEMORY).max(value("--max-body").unwrap_or(0) * 4);
    memory + value("--history-total").unwrap_or(HISTORY_TOTAL)
}

/// The answer to STATS.
pub struct Counters(Value);

impl Counters {
    /// The longest turn in microseconds; `None` from a hub that is too old to say.
    pub fn longest_turn(&self) -> Option<u64> {
        self.0["longest-turn-us"].as_u64()
    }

    /// The number of turns that took this many microseconds or more.
    pub fn turns_from(&self, micros: u64) -> u64 {
        self.turn_times().iter().filter(|(bound, _)| *bound == 0 || *bound > micros).map(|(_, count)| count).sum()
    }

    /// Turns by the upper bound of their time in microseconds; 0 if there is none.
    fn turn_times(&self) -> Vec<(u64, u64)> {
        let bound = |name: &str| name.trim_start_matches("under-").trim_end_matches("-us").parse().unwrap_or(0);
        let times = self.0["turn-times"].as_object();
        times.into_iter().flatten().map(|(name, count)| (bound(name), count.as_u64().unwrap_or(0))).collect()
    }

    /// Rooms that sessions have joined, each for itself.
    pub fn joined(&self) -> u64 {
        self.0["frames-out"]["JOIN reply"]["frames"].as_u64().unwrap_or(0)
    }

    /// Sessions that are connected.
    pub fn users(&self) -> u64 {
        self.0["users"].as_u64().unwrap_or(0)
    }

    /// Bytes that idle connections may have taken.
    pub fn connections(&self) -> u64 {
        self.0["most-users"].as_u64().unwrap_or(0) * CONNECTION
    }
}
