//! What the hub's process uses: by its process id, or what the hub says of itself.

use crate::bench::load::process_time;
use cubby::Client;
use std::fs;
use std::time::Duration;

/// How long a hub may take to tell its statistics.
const STATS_TIMEOUT: Duration = Duration::from_secs(2);

/// Watches the hub's process over a run.
pub struct Watch<'h> {
    address: &'h str,
    pid: Option<u32>,
    /// Its processor time when the run began.
    before: Option<Duration>,
}

/// What it used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Of the processor, by all its threads, during the run.
    pub processor: Option<Duration>,
    /// Bytes of memory at the end, and at the most so far.
    pub memory: Option<(u64, u64)>,
    /// Bytes of messages that it held at the most so far, as it says itself.
    pub most_held: Option<u64>,
}

impl<'h> Watch<'h> {
    /// Watches the process with this id, if there is one.
    pub fn new(address: &'h str, pid: Option<u32>) -> Result<Watch<'h>, String> {
        match pid {
            Some(pid) if process_time(pid).is_err() => {
                Err(format!("--pid: the processor time of process {pid} can not be read; is it the hub's, and here?"))
            }
            _ => Ok(Watch { address, pid, before: None }),
        }
    }

    /// The run begins.
    pub fn begin(&mut self) {
        self.before = self.pid.and_then(|pid| process_time(pid).ok());
    }

    /// The run is over.
    pub fn end(&self) -> Usage {
        let Some(pid) = self.pid else {
            return Usage { most_held: most_held(self.address), ..Usage::default() };
        };
        let used = |before| process_time(pid).ok().map(|now| now.saturating_sub(before));
        Usage { processor: self.before.and_then(used), memory: memory(pid), most_held: None }
    }
}

/// Bytes of memory of a process: now, and at the most.
fn memory(pid: u32) -> Option<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
        line.and_then(|kilobytes| kilobytes.parse::<u64>().ok()).map(|kilobytes| kilobytes * 1024)
    };
    field("VmRSS:").zip(field("VmHWM:"))
}

/// What the hub says that it held at the most; nothing from another machine's, which does not tell.
fn most_held(address: &str) -> Option<u64> {
    let json = Client::connect_as(address, "", STATS_TIMEOUT).ok()?.stats().ok()?;
    serde_json::from_str::<serde_json::Value>(&json).ok()?["most-held"].as_u64()
}
