//! What a daemon has used of the processor, as the kernel accounts for it.

use crate::support::Daemon;

/// What the daemon's one thread has used of the processor.
pub fn processor_secs(daemon: &Daemon) -> f64 {
    let schedstat = daemon.proc_file("schedstat");
    let nanos = schedstat.split_whitespace().next().expect("the time on the processor");
    nanos.parse::<f64>().expect("nanoseconds") / 1e9
}
