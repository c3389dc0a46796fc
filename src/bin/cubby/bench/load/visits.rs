//! Those who come and go beside the traffic.

use super::dialect::Dialect;
use super::engine::Engine;
use super::link::Role;
use super::plan::{Extent, Plan};
use super::schedule::Schedule;
use std::collections::VecDeque;
use std::time::Duration;

/// How long a run by messages is taken to be where sessions come and go: what it takes longer, nobody does.
const VISITS_TIME: Duration = Duration::from_secs(60);

/// Who came, and who comes and goes when.
#[derive(Debug, Default)]
pub(super) struct Visits {
    /// Those who are in, oldest first. Some may have gone since.
    here: VecDeque<usize>,
    coming: Schedule,
    going: Schedule,
}

impl Visits {
    pub fn note(&mut self, slot: usize) {
        self.here.push_back(slot);
    }
}

impl Plan {
    /// For how long sessions come and go.
    fn visits_time(&self) -> Duration {
        match self.extent {
            Extent::Time(time) => time,
            Extent::Messages(_) => VISITS_TIME,
        }
    }

    fn over_time(&self, rate: u32) -> u64 {
        (f64::from(rate) * self.visits_time().as_secs_f64()).ceil() as u64
    }

    /// Sessions that must be there before the run, so that as many can leave as are to.
    pub(super) fn leavers_ahead(&self) -> u64 {
        self.over_time(self.leavers.saturating_sub(self.joiners)) + u64::from(self.leavers.min(1))
    }

    /// Sessions that may have come at the same time.
    pub(super) fn visitors_most(&self) -> u64 {
        self.over_time(self.joiners.saturating_sub(self.leavers)) + u64::from(self.joiners)
    }
}

impl<D: Dialect, F: FnMut() -> D> Engine<'_, D, F> {
    /// From now on they come and go.
    pub fn open_doors(&mut self, now_ns: u64) {
        let plan = self.plan;
        let schedule = |rate| if rate == 0 { (1.0, 0) } else { (f64::from(rate), plan.over_time(rate)) };
        let ((come, comers), (go, goers)) = (schedule(plan.joiners), schedule(plan.leavers));
        self.visits.coming = Schedule::new(now_ns, come, comers);
        self.visits.going = Schedule::new(now_ns, go, goers);
    }

    /// From now on nobody does.
    pub fn close_doors(&mut self) {
        (self.visits.coming, self.visits.going) = Default::default();
    }

    /// Those come and go whose time it is.
    pub fn visit(&mut self, now_ns: u64) {
        for number in self.visits.coming.take_due(now_ns) {
            let group = (number % u64::from(self.plan.groups)) as u32;
            match self.open(Role::Visitor, (group, 1), 0) {
                Ok(slot) => {
                    self.visits.note(slot);
                    self.hall.outcome.visits.0 += 1;
                }
                Err(error) => self.hall.outcome.wrong(|| error.to_string()),
            }
        }
        for _ in self.visits.going.take_due(now_ns) {
            self.see_off();
        }
    }

    /// The oldest visitor who is still there leaves.
    fn see_off(&mut self) {
        while let Some(slot) = self.visits.here.pop_front() {
            // Whose connection broke may have left its slot to another.
            let Some(link) = self.links.get_mut(slot).filter(|link| link.role == Role::Visitor) else { continue };
            link.dialect.leave(&mut link.out);
            link.role = Role::Leaver;
            self.hall.outcome.visits.1 += 1;
            return self.soil(slot);
        }
    }

    /// When somebody comes or goes next.
    pub fn next_visit(&self) -> Option<u64> {
        self.visits.coming.next().into_iter().chain(self.visits.going.next()).min()
    }
}
