//! Sessions that join and leave beside the traffic: when, how many, and which are present. `run` opens and closes them.

use super::plan::{Extent, Plan};
use super::schedule::Schedule;
use std::collections::VecDeque;
use std::time::Duration;

/// A run of a number of messages is taken to be this long. Once it is over, no session joins or leaves any more.
const CHURN_TIME: Duration = Duration::from_secs(60);

/// The sessions that joined, and the times of the next ones.
#[derive(Debug, Default)]
pub(super) struct Churn {
    /// The slots of those that joined, oldest first. Some may have lost their connections since.
    pub present: VecDeque<usize>,
    pub joining: Schedule,
    pub leaving: Schedule,
}

impl Churn {
    /// Begins at `now_ns`, at the plan's rates.
    pub fn start(&mut self, plan: &Plan, now_ns: u64) {
        let schedule = |rate| match rate {
            0 => Schedule::default(),
            rate => Schedule::new(now_ns, f64::from(rate), plan.churn_count(rate)),
        };
        (self.joining, self.leaving) = (schedule(plan.joiners), schedule(plan.leavers));
    }

    /// Stops: nobody joins or leaves any more.
    pub fn stop(&mut self) {
        (self.joining, self.leaving) = Default::default();
    }

    /// When a session joins or leaves next.
    pub fn next(&self) -> Option<u64> {
        self.joining.next().into_iter().chain(self.leaving.next()).min()
    }
}

impl Plan {
    /// How many sessions join or leave in a run, at this rate.
    fn churn_count(&self, rate: u32) -> u64 {
        let time = match self.extent {
            Extent::Time(time) => time,
            Extent::Messages(_) => CHURN_TIME,
        };
        (f64::from(rate) * time.as_secs_f64()).ceil() as u64
    }

    /// Sessions that must be present before the run, so that enough of them can leave.
    pub(super) fn leavers_ahead(&self) -> u64 {
        self.churn_count(self.leavers.saturating_sub(self.joiners)) + u64::from(self.leavers.min(1))
    }

    /// The most sessions that may have joined and not left.
    pub(super) fn joiners_max(&self) -> u64 {
        self.churn_count(self.joiners.saturating_sub(self.leavers)) + u64::from(self.joiners)
    }
}
