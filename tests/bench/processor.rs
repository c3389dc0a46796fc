//! The processor time of a daemon, from the kernel's accounting.

use crate::support::Daemon;

/// The processor time that the daemon's one thread has used, in seconds.
pub fn processor_secs(daemon: &Daemon) -> f64 {
    let schedstat = daemon.proc_file("schedstat");
    let nanos = schedstat.split_whitespace().next().expect("the time on the processor");
    nanos.parse::<f64>().expect("nanoseconds") / 1e9
}
