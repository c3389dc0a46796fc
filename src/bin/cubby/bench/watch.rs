//! What the hub uses during a run: measured by the id of its process, or as the hub itself reports it.

use super::load::{Phase, process_time};
use super::protocol::Endpoint;
use cubby::Client;
use std::fs;
use std::time::Duration;

/// How long a hub may take to send its statistics.
const STATS_TIMEOUT: Duration = Duration::from_secs(2);

/// Measures the hub's process over a run.
pub struct Watch<'h> {
    endpoint: &'h Endpoint,
    pid: Option<u32>,
    /// Its processor time when the run began.
    began: Option<Duration>,
    usage: Usage,
}

/// What the hub used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Processor time of all its threads during the run, until the last delivery.
    pub processor: Option<Duration>,
    /// The same while the connections rested.
    pub resting: Option<Duration>,
    /// Its memory.
    pub memory: Option<Memory>,
    /// The most bytes of messages that it has held, as it reports itself.
    pub most_held: Option<u64>,
}

/// Bytes of memory of a process.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Before the generator connected.
    pub before: u64,
    /// At the end, while the connections were open.
    pub now: u64,
    /// The most that it has ever had.
    pub peak: u64,
}

impl<'h> Watch<'h> {
    /// Measures the process with this id, if there is one, from now on.
    pub fn new(endpoint: &'h Endpoint, pid: Option<u32>) -> Result<Watch<'h>, String> {
        if let Some(pid) = pid.filter(|pid| process_time(*pid).is_err()) {
            return Err(format!(
                "--pid: the processor time of process {pid} can not be read; is it the hub's, and on this machine?"
            ));
        }
        let memory = pid.and_then(memory).map(|(now, peak)| Memory { before: now, now, peak });
        Ok(Watch { endpoint, pid, began: None, usage: Usage { memory, ..Usage::default() } })
    }

    /// To be called when a phase begins.
    pub fn note(&mut self, phase: Phase) {
        let time = || self.pid.and_then(|pid| process_time(pid).ok());
        let used = |since: Option<Duration>| Some(time()?.saturating_sub(since?));
        match phase {
            Phase::Running => self.began = time(),
            Phase::Resting => {
                self.usage.processor = used(self.began);
                self.began = time();
            }
            Phase::Done if self.usage.processor.is_some() => self.usage.resting = used(self.began),
            Phase::Done => self.usage.processor = used(self.began),
            Phase::Connecting | Phase::WarmingUp | Phase::Settling => {}
        }
    }

    /// To be called at the end, while the connections are open.
    pub fn end(&mut self) -> Usage {
        match self.pid {
            Some(pid) => {
                if let (Some(memory), Some((now, peak))) = (&mut self.usage.memory, memory(pid)) {
                    (memory.now, memory.peak) = (now, peak);
                }
            }
            None if self.endpoint.protocol.is_native() => self.usage.most_held = most_held(&self.endpoint.given),
            None => {}
        }
        self.usage
    }
}

/// Bytes of memory of a process: now, and the most so far.
fn memory(pid: u32) -> Option<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
        line.and_then(|kilobytes| kilobytes.parse::<u64>().ok()).map(|kilobytes| kilobytes * 1024)
    };
    field("VmRSS:").zip(field("VmHWM:"))
}

/// The most bytes that the hub has held, if it tells: it does so on its own machine only.
fn most_held(address: &str) -> Option<u64> {
    let json = Client::connect_as(address, "", STATS_TIMEOUT).ok()?.stats().ok()?;
    serde_json::from_str::<serde_json::Value>(&json).ok()?["most-held"].as_u64()
}
