//! The generator's clock.

use std::time::{Duration, Instant};

/// Counts nanoseconds from the generator's start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    pub fn now_ns(&self) -> u64 {
        nanos(self.0.elapsed())
    }
}

/// A time in nanoseconds, limited to what fits: some centuries.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
