//! The phases of a run: warm-up, run, settling, rest. Decides what is sent when, and when a phase is over.

use super::clock::nanos;
use super::connection::Role;
use super::driver::Driver;
use super::engine::Engine;
use super::plan::{Extent, LoadError, Outcome, Pace, Phase, Progress};
use super::processor::thread_time;
use super::schedule::Schedule;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Bytes that are collected before they are sent.
const CHUNK: usize = 256 * 1024;

/// How often progress is reported.
const TICK_NS: u64 = 100_000_000;

/// The precision of the kernel's timeouts. The generator polls until a shorter time has passed.
const GRAIN_NS: u64 = 1_000_000;

/// How long messages are awaited after a run, at most, however slowly they arrive.
const SETTLING: Duration = Duration::from_secs(60);

/// The same after a run that was stopped, or that lost its publishers: their last messages may never have been sent.
const SETTLING_CUT: Duration = Duration::from_secs(1);

/// How far a phase has come.
struct Stage {
    phase: Phase,
    began_ns: u64,
    /// When it is over at the latest.
    end_ns: u64,
    reported_ns: u64,
    /// Its number of messages, if it is measured by that.
    messages: Option<u64>,
}

impl Stage {
    fn new(phase: Phase, began_ns: u64, time: Duration) -> Stage {
        let end_ns = began_ns.saturating_add(nanos(time));
        Stage { phase, began_ns, end_ns, reported_ns: 0, messages: None }
    }
}

impl<D: Driver, F: FnMut() -> D> Engine<'_, D, F> {
    /// Runs all phases, from connecting on.
    pub fn run(mut self, progress: &mut dyn FnMut(&Progress)) -> Result<Outcome, LoadError> {
        self.connect_all(progress)?;
        if !self.plan.warm_up.is_zero() && self.plan.groups > 0 {
            self.send_and_settle(Phase::WarmingUp, Extent::Time(self.plan.warm_up), progress)?;
        }
        let outcome = &mut self.totals.outcome;
        *outcome = Outcome { errors: outcome.errors, first_error: outcome.first_error.take(), ..Outcome::default() };
        let (spun, processor) = (self.spin.total, thread_time());
        // If the hub stalled in the warm-up, or the run was stopped there, there is nothing to count.
        let elapsed_ns = if self.totals.in_flight == 0 && !self.is_stopped() {
            let (began_ns, end_ns) = self.send_and_settle(Phase::Running, self.plan.extent, progress)?;
            self.totals.read_ns.max(end_ns).saturating_sub(began_ns)
        } else {
            self.totals.outcome.stopped = self.is_stopped();
            0
        };
        let processor = thread_time().saturating_sub(processor).saturating_sub(self.spin.total - spun);
        if !self.plan.rest.is_zero() {
            let stage = Stage::new(Phase::Resting, self.clock.now_ns(), self.plan.rest);
            self.pass(stage, progress)?;
        }
        self.count_missing();
        self.report(Phase::Done, 1.0, progress);
        let mut outcome = self.totals.outcome;
        outcome.elapsed = Duration::from_nanos(elapsed_ns);
        outcome.processor = processor;
        outcome.connections = self.connections.len() as u64;
        Ok(outcome)
    }

    /// Sends for the whole extent, then waits for the messages in flight. Returns when the sending began and ended.
    fn send_and_settle(
        &mut self,
        phase: Phase,
        extent: Extent,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<(u64, u64), LoadError> {
        let began_ns = self.clock.now_ns();
        let stage = match extent {
            Extent::Time(time) => Stage::new(phase, began_ns, time),
            Extent::Messages(count) => Stage { messages: Some(count), ..Stage::new(phase, began_ns, Duration::MAX) },
        };
        let (end_ns, messages) = (stage.end_ns, stage.messages);
        self.began_ns = began_ns;
        self.share_out(extent, began_ns);
        if phase == Phase::Running {
            self.churn.start(self.plan, began_ns);
        }
        self.pass(stage, progress)?;
        let over_ns = self.clock.now_ns();
        // Some sessions may have become due in the last turn.
        self.run_churn(over_ns);
        self.churn.stop();
        self.totals.outcome.stopped = self.is_stopped() && self.output.active > 0 && over_ns < end_ns;
        let settling = if self.is_stopped() { SETTLING_CUT } else { SETTLING };
        if self.is_stopped() || matches!(self.plan.pace, Pace::Window(_)) {
            (0..self.totals.publishers.len()).for_each(|number| self.retire(number as u32));
        }
        self.pass(Stage { began_ns, ..Stage::new(Phase::Settling, over_ns, settling) }, progress)?;
        // A run of messages is over with the last delivery, a run of a time with that time.
        Ok((began_ns, if messages.is_some() { 0 } else { over_ns.min(end_ns) }))
    }

    /// Turns until the phase is over.
    fn pass(&mut self, mut stage: Stage, progress: &mut dyn FnMut(&Progress)) -> Result<(), LoadError> {
        let mut now_ns = self.clock.now_ns();
        self.report(stage.phase, 0.0, progress);
        stage.reported_ns = now_ns;
        while now_ns < stage.end_ns && !self.is_over(&stage) && !self.is_stalled(now_ns) {
            if self.is_stopped() {
                // Messages in flight get a little more time.
                let more_ns = if stage.phase == Phase::Settling { nanos(SETTLING_CUT) } else { 0 };
                stage.end_ns = stage.end_ns.min(now_ns + more_ns);
            }
            if now_ns >= stage.reported_ns + TICK_NS {
                stage.reported_ns = now_ns;
                self.report(stage.phase, self.share(&stage, now_ns), progress);
            }
            let timeout = self.timeout(&stage, now_ns);
            let sent = self.output.sent;
            self.refill(now_ns);
            self.run_churn(now_ns);
            self.flush();
            let any = self.turn(timeout)?;
            now_ns = self.clock.now_ns();
            self.spin.note(timeout.is_zero() && !any && self.output.sent == sent);
        }
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        self.plan.stop.load(Ordering::Relaxed)
    }

    /// Whether the phase's work is done: all is sent, and, while settling, received. Only time ends a rest.
    fn is_over(&self, stage: &Stage) -> bool {
        let all_sent = self.output.active == 0;
        match stage.phase {
            Phase::Resting => false,
            Phase::Settling => all_sent && self.totals.in_flight == 0,
            Phase::Connecting | Phase::WarmingUp | Phase::Running | Phase::Done => all_sent,
        }
    }

    /// Whether nothing was received for too long although messages are in flight. That is an error, counted once.
    fn is_stalled(&mut self, now_ns: u64) -> bool {
        let cut = self.is_stopped() || self.stall.publisher_lost && self.output.active == 0;
        let patience = if cut { SETTLING_CUT.min(self.plan.patience) } else { self.plan.patience };
        let since_ns = self.totals.read_ns.max(self.stall.busy_since_ns);
        let stalled = self.totals.in_flight > 0 && now_ns.saturating_sub(since_ns) > nanos(patience);
        if stalled && !self.stall.publisher_lost && !std::mem::replace(&mut self.stall.counted, true) {
            let (secs, count) = (patience.as_secs_f64(), self.totals.in_flight);
            self.totals.outcome.wrong(|| format!("nothing was received for {secs} s, with {count} messages in flight"));
        }
        stalled
    }

    /// How long the next wait may be.
    fn timeout(&self, stage: &Stage, now_ns: u64) -> Duration {
        let tick_ns = (stage.reported_ns + TICK_NS).min(stage.end_ns);
        let next_ns = self.churn.next().map_or(tick_ns, |churn_ns| tick_ns.min(churn_ns.max(now_ns + GRAIN_NS)));
        let wait_ns = match self.output.schedule.next() {
            _ if self.plan.spins && stage.phase != Phase::Resting => 0,
            Some(due_ns) if due_ns < now_ns + GRAIN_NS => 0,
            Some(due_ns) => next_ns.min(due_ns - GRAIN_NS + 1).saturating_sub(now_ns),
            None => next_ns.saturating_sub(now_ns).max(GRAIN_NS),
        };
        Duration::from_nanos(wait_ns)
    }

    /// Shares the messages of a phase out among the publishers.
    fn share_out(&mut self, extent: Extent, now_ns: u64) {
        let all = match (extent, self.plan.pace) {
            (Extent::Messages(count), _) => count,
            (Extent::Time(_), Pace::Window(_)) => u64::MAX,
            (Extent::Time(time), Pace::Rate(rate)) => (rate * time.as_secs_f64()).ceil() as u64,
        };
        let count = self.totals.publishers.len() as u64;
        self.output.schedule = match self.plan.pace {
            Pace::Rate(rate) => Schedule::new(now_ns, rate, if count == 0 { 0 } else { all }),
            Pace::Window(_) => Schedule::default(),
        };
        self.output.active = 0;
        for number in 0..self.totals.publishers.len() as u32 {
            let publisher = &mut self.totals.publishers[number as usize];
            let is_live = self.live[publisher.group as usize] > 0 && self.connections.contains(publisher.slot);
            publisher.left = if is_live { all.saturating_sub(number.into()).div_ceil(count) } else { 0 };
            (publisher.first, publisher.due) = (publisher.next(), 0);
            self.output.active += usize::from(publisher.left > 0);
            self.totals.list(number);
        }
    }

    /// Lets all publishers send that may.
    fn refill(&mut self, now_ns: u64) {
        let count = self.totals.publishers.len() as u64;
        for number in self.output.schedule.take_due(now_ns) {
            let number = (number % count) as u32;
            self.totals.publishers[number as usize].due += 1;
            self.totals.list(number);
        }
        let mut listed = std::mem::take(&mut self.totals.refill);
        listed.retain(|number| self.publish(*number, now_ns));
        listed.append(&mut self.totals.refill);
        self.totals.refill = listed;
    }

    /// Lets one publisher send what it may. Returns whether its connection did not take all of that.
    fn publish(&mut self, number: u32, now_ns: u64) -> bool {
        let publisher = &mut self.totals.publishers[number as usize];
        let may = match self.plan.pace {
            Pace::Window(window) => u64::from(window.saturating_sub(publisher.in_flight())),
            Pace::Rate(_) => publisher.due,
        };
        let (slot, count) = (publisher.slot, may.min(publisher.left));
        for _ in 0..count {
            // If sending fails here, it fails again in `flush`, which handles the error.
            if self.connections[slot].unsent() >= CHUNK
                && (self.connections[slot].flush().is_err() || self.connections[slot].unsent() >= CHUNK)
            {
                self.mark_dirty(slot);
                return true;
            }
            self.put(number, now_ns);
        }
        self.totals.publishers[number as usize].listed = false;
        if count > 0 {
            self.mark_dirty(slot);
        }
        false
    }

    /// Appends a publisher's next message to the output of its connection.
    fn put(&mut self, number: u32, now_ns: u64) {
        let all = self.totals.publishers.len() as u64;
        let publisher = &mut self.totals.publishers[number as usize];
        let sent_ns = match self.plan.pace {
            Pace::Window(_) => now_ns,
            Pace::Rate(_) => self.output.schedule.time_of(publisher.round() * all + u64::from(number)),
        };
        publisher.stamp(number, sent_ns).write(&mut self.output.body);
        let body = &self.output.body[..self.plan.sizes.of(self.output.sent)];
        let connection = &mut self.connections[publisher.slot];
        connection.driver.publish_in(publisher.group, body, &mut connection.out);
        publisher.send(self.live[publisher.group as usize]);
        publisher.due = publisher.due.saturating_sub(1);
        publisher.left -= 1;
        self.output.active -= usize::from(publisher.left == 0);
        self.output.sent += 1;
        self.totals.outcome.messages += 1;
        if self.totals.in_flight == 0 {
            self.stall.busy_since_ns = now_ns;
        }
        self.totals.in_flight += 1;
    }

    /// Lets the sessions join and leave that are due.
    fn run_churn(&mut self, now_ns: u64) {
        for number in self.churn.joining.take_due(now_ns) {
            let group = (number % u64::from(self.plan.groups)) as u32;
            match self.open(Role::Joiner, (group, 1), 0) {
                Ok(slot) => {
                    self.churn.present.push_back(slot);
                    self.totals.outcome.joined += 1;
                }
                Err(error) => self.totals.outcome.wrong(|| error.to_string()),
            }
        }
        for _ in self.churn.leaving.take_due(now_ns) {
            self.leave_oldest();
        }
    }

    /// Lets the joiner leave that has been present for longest.
    fn leave_oldest(&mut self) {
        while let Some(slot) = self.churn.present.pop_front() {
            // If its connection broke, another may have its slot.
            let joiner = self.connections.get_mut(slot).filter(|connection| connection.role == Role::Joiner);
            let Some(joiner) = joiner else { continue };
            joiner.driver.leave(&mut joiner.out);
            joiner.role = Role::Leaver;
            self.totals.outcome.left += 1;
            return self.mark_dirty(slot);
        }
    }

    /// Counts as missed what was never received, or not even sent although it was due.
    fn count_missing(&mut self) {
        for (_, connection) in &self.connections {
            for (publisher, next) in connection.expected.pending() {
                let sent = self.totals.publishers[publisher as usize].next();
                self.totals.outcome.missed += u64::from(sent.wrapping_sub(next));
            }
        }
        for publisher in &self.totals.publishers {
            self.totals.outcome.missed += publisher.due * u64::from(self.live[publisher.group as usize]);
        }
    }

    /// How much of a phase is done.
    fn share(&self, stage: &Stage, now_ns: u64) -> f64 {
        let (done, all) = match stage.messages {
            Some(all) => (self.totals.outcome.messages, all),
            None => (now_ns - stage.began_ns, stage.end_ns - stage.began_ns),
        };
        if all == 0 { 1.0 } else { done as f64 / all as f64 }
    }

    /// Reports how far the run has come.
    pub fn report(&self, phase: Phase, share: f64, progress: &mut dyn FnMut(&Progress)) {
        let Outcome { messages, deliveries, errors, .. } = self.totals.outcome;
        let elapsed = Duration::from_nanos(self.clock.now_ns().saturating_sub(self.began_ns));
        progress(&Progress { phase, share: share.min(1.0), elapsed, messages, deliveries, errors });
    }
}
