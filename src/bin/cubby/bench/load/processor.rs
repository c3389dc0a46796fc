//! Processor time of the generator's own thread and of any process.

use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use std::io;
use std::time::Duration;

/// The processor time that the calling thread has used; zero if the system does not tell.
pub(super) fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// The processor time that all threads of a process have used, including those that have ended.
///
/// # Errors
///
/// If there is no such process on this machine, or the system does not tell.
pub fn process_time(pid: u32) -> io::Result<Duration> {
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(pid.cast_signed()))?;
    Ok(clock.now()?.into())
}

/// The processor time of turns in which the generator only polled. It is not counted as work.
#[derive(Debug, Default)]
pub(super) struct SpinTime {
    /// The thread's time after the last turn, if that only polled.
    since: Option<Duration>,
    pub total: Duration,
}

impl SpinTime {
    /// Notes whether the last turn only polled. The first of several such turns is not counted, so that turns that do
    /// work need not read the clock.
    pub fn note(&mut self, only_polled: bool) {
        let now = only_polled.then(thread_time);
        if let (Some(before), Some(now)) = (std::mem::replace(&mut self.since, now), now) {
            self.total += now.saturating_sub(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time() {
        let before = thread_time();
        while thread_time() == before {
            std::hint::spin_loop();
        }
        assert!(thread_time() > before);
    }
}
