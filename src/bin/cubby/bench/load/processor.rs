//! What the generator's own thread, and any process, has used of the processor.

use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use std::io;
use std::time::Duration;

/// The calling thread's time on the processor so far; zero where the system does not tell.
pub(super) fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// What all threads of a process have used of the processor so far, those that are over included.
///
/// # Errors
///
/// Where there is no such process here, or the system does not tell.
pub fn process_time(pid: u32) -> io::Result<Duration> {
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(pid.cast_signed()))?;
    Ok(clock.now()?.into())
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
