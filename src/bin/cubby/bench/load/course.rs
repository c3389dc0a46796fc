//! The course of a run: warm-up, run, and the wait for what is under way; and who sends what, and when.

use super::clock::nanos;
use super::dialect::Dialect;
use super::engine::Engine;
use super::plan::{Extent, LoadError, Outcome, Pace, Phase, Progress};
use super::processor::thread_time;
use super::schedule::Schedule;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Bytes that are put together before they are sent.
const CHUNK: usize = 256 * 1024;

/// How often progress is told.
const TICK_NS: u64 = 100_000_000;

/// What the kernel's clock can wait for. A shorter time is waited for by asking again and again.
const GRAIN_NS: u64 = 1_000_000;

/// How long messages are waited for at the most after the run, however slowly they come.
const SETTLING: Duration = Duration::from_secs(60);

/// The same after a run that was stopped, or whose publishers are gone: what they sent last may never be heard.
const SETTLING_CUT: Duration = Duration::from_secs(1);

/// One part of the course.
struct Leg {
    phase: Phase,
    began_ns: u64,
    /// When it is over at the latest.
    end_ns: u64,
    told_ns: u64,
    /// Messages of it, where it is measured by them.
    messages: Option<u64>,
}

impl<D: Dialect, F: FnMut() -> D> Engine<'_, D, F> {
    /// The whole course, once the connections are made.
    pub fn run(mut self, progress: &mut dyn FnMut(&Progress)) -> Result<Outcome, LoadError> {
        self.assemble(progress)?;
        if !self.plan.warm_up.is_zero() {
            self.leg(Phase::WarmingUp, Extent::Time(self.plan.warm_up), progress)?;
        }
        let outcome = &mut self.hall.outcome;
        *outcome = Outcome { errors: outcome.errors, first_error: outcome.first_error.take(), ..Outcome::default() };
        let (waited, processor) = (self.waited, thread_time());
        // Where the hub came to a stand in the warm-up, or it was stopped there, there is nothing to count.
        let elapsed_ns = if self.hall.under_way == 0 && !self.is_stopped() {
            let (began_ns, end_ns) = self.leg(Phase::Running, self.plan.extent, progress)?;
            self.hall.heard_ns.max(end_ns).saturating_sub(began_ns)
        } else {
            self.hall.outcome.stopped = self.is_stopped();
            0
        };
        let processor = thread_time().saturating_sub(processor).saturating_sub(self.waited - waited);
        self.count_missing();
        self.tell(Phase::Done, 1.0, progress);
        let mut outcome = self.hall.outcome;
        outcome.elapsed = Duration::from_nanos(elapsed_ns);
        outcome.processor = processor;
        Ok(outcome)
    }

    /// Sends for so long or so much, then waits for what is under way: when it began, and when its sending was over.
    fn leg(
        &mut self,
        phase: Phase,
        extent: Extent,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<(u64, u64), LoadError> {
        let began_ns = self.clock.now_ns();
        let (end_ns, messages) = match extent {
            Extent::Time(time) => (began_ns + nanos(time), None),
            Extent::Messages(count) => (u64::MAX, Some(count)),
        };
        let mut leg = Leg { phase, began_ns, end_ns, told_ns: 0, messages };
        self.began_ns = began_ns;
        self.deal(extent, began_ns);
        if phase == Phase::Running {
            self.open_doors(began_ns);
        }
        self.go(&mut leg, progress)?;
        let over_ns = self.clock.now_ns();
        // Whose time came in the last turn.
        self.visit(over_ns);
        self.close_doors();
        self.hall.outcome.stopped = self.is_stopped() && self.active > 0 && over_ns < end_ns;
        let settling = if self.is_stopped() { SETTLING_CUT } else { SETTLING };
        if self.is_stopped() || matches!(self.plan.pace, Pace::Window(_)) {
            (0..self.hall.publishers.len()).for_each(|number| self.retire(number as u32));
        }
        let end_settling_ns = over_ns + nanos(settling);
        let mut leg = Leg { phase: Phase::Settling, began_ns, end_ns: end_settling_ns, told_ns: 0, messages: None };
        self.go(&mut leg, progress)?;
        // By messages it is over with the last delivery, by time with the time.
        Ok((began_ns, if messages.is_some() { 0 } else { over_ns.min(end_ns) }))
    }

    /// Turns until the leg is over.
    fn go(&mut self, leg: &mut Leg, progress: &mut dyn FnMut(&Progress)) -> Result<(), LoadError> {
        let mut now_ns = self.clock.now_ns();
        self.tell(leg.phase, 0.0, progress);
        leg.told_ns = now_ns;
        while now_ns < leg.end_ns && !self.is_over(leg) && !self.is_stuck(now_ns) {
            if self.is_stopped() {
                // What is under way is waited for a little while yet.
                let more_ns = if leg.phase == Phase::Settling { nanos(SETTLING_CUT) } else { 0 };
                leg.end_ns = leg.end_ns.min(now_ns + more_ns);
            }
            if now_ns >= leg.told_ns + TICK_NS {
                leg.told_ns = now_ns;
                self.tell(leg.phase, self.share(leg, now_ns), progress);
            }
            let timeout = self.timeout(leg, now_ns);
            let sent = self.dealt;
            self.refill(now_ns);
            self.visit(now_ns);
            self.flush();
            let any = self.turn(timeout)?;
            now_ns = self.clock.now_ns();
            self.note_waiting(timeout.is_zero() && !any && self.dealt == sent);
        }
        Ok(())
    }

    /// Notes whether the last turn did nothing but ask for the time. What several of these in a row take is not counted
    /// as work; but for the first one, for the sake of those turns that do work.
    fn note_waiting(&mut self, waits: bool) {
        let now = waits.then(thread_time);
        if let (Some(before), Some(now)) = (std::mem::replace(&mut self.waiting_since, now), now) {
            self.waited += now.saturating_sub(before);
        }
    }

    fn is_stopped(&self) -> bool {
        self.plan.stop.load(Ordering::Relaxed)
    }

    /// Whether nothing is left to be sent; and, once that is all that is waited for, to be heard.
    fn is_over(&self, leg: &Leg) -> bool {
        self.active == 0 && (self.hall.under_way == 0 || leg.phase != Phase::Settling)
    }

    /// Whether nothing was heard for too long. That is an error, told once.
    fn is_stuck(&mut self, now_ns: u64) -> bool {
        let cut = self.is_stopped() || self.publisher_lost && self.active == 0;
        let patience = if cut { SETTLING_CUT.min(self.plan.patience) } else { self.plan.patience };
        let since_ns = self.hall.heard_ns.max(self.roused_ns);
        let stuck = self.hall.under_way > 0 && now_ns.saturating_sub(since_ns) > nanos(patience);
        if stuck && !self.publisher_lost && !std::mem::replace(&mut self.was_stuck, true) {
            let (secs, count) = (patience.as_secs_f64(), self.hall.under_way);
            self.hall.outcome.wrong(|| format!("nothing was heard for {secs} s, with {count} messages under way"));
        }
        stuck
    }

    /// How long the next wait may be.
    fn timeout(&self, leg: &Leg, now_ns: u64) -> Duration {
        let tick_ns = (leg.told_ns + TICK_NS).min(leg.end_ns);
        let next_ns = self.next_visit().map_or(tick_ns, |visit_ns| tick_ns.min(visit_ns.max(now_ns + GRAIN_NS)));
        let wait_ns = match self.schedule.next() {
            _ if self.plan.spins => 0,
            Some(due_ns) if due_ns < now_ns + GRAIN_NS => 0,
            Some(due_ns) => next_ns.min(due_ns - GRAIN_NS + 1).saturating_sub(now_ns),
            None => next_ns.saturating_sub(now_ns).max(GRAIN_NS),
        };
        Duration::from_nanos(wait_ns)
    }

    /// Gives each publisher its part of what is to be sent.
    fn deal(&mut self, extent: Extent, now_ns: u64) {
        let all = match (extent, self.plan.pace) {
            (Extent::Messages(count), _) => count,
            (Extent::Time(_), Pace::Window(_)) => u64::MAX,
            (Extent::Time(time), Pace::Rate(rate)) => (rate * time.as_secs_f64()).ceil() as u64,
        };
        let count = self.hall.publishers.len() as u64;
        self.schedule = match self.plan.pace {
            Pace::Rate(rate) => Schedule::new(now_ns, rate, all),
            Pace::Window(_) => Schedule::default(),
        };
        self.active = 0;
        for number in 0..self.hall.publishers.len() as u32 {
            let publisher = &mut self.hall.publishers[number as usize];
            let is_live = self.live[publisher.group as usize] > 0 && self.links.contains(publisher.slot);
            publisher.left = if is_live { all.saturating_sub(number.into()).div_ceil(count) } else { 0 };
            (publisher.first, publisher.due) = (publisher.next(), 0);
            self.active += usize::from(publisher.left > 0);
            self.hall.list(number);
        }
    }

    /// Lets all send that may.
    fn refill(&mut self, now_ns: u64) {
        let count = self.hall.publishers.len() as u64;
        for number in self.schedule.take_due(now_ns) {
            let number = (number % count) as u32;
            self.hall.publishers[number as usize].due += 1;
            self.hall.list(number);
        }
        let mut listed = std::mem::take(&mut self.hall.refill);
        listed.retain(|number| self.publish(*number, now_ns));
        listed.append(&mut self.hall.refill);
        self.hall.refill = listed;
    }

    /// Lets one publisher send what it may; true where the connection took not all of it.
    fn publish(&mut self, number: u32, now_ns: u64) -> bool {
        let publisher = &mut self.hall.publishers[number as usize];
        let may = match self.plan.pace {
            Pace::Window(window) => u64::from(window.saturating_sub(publisher.under_way())),
            Pace::Rate(_) => publisher.due,
        };
        let (slot, count) = (publisher.slot, may.min(publisher.left));
        for _ in 0..count {
            // Where sending fails, it fails again when all are flushed, which tells.
            if self.links[slot].unsent() >= CHUNK
                && (self.links[slot].flush().is_err() || self.links[slot].unsent() >= CHUNK)
            {
                self.soil(slot);
                return true;
            }
            self.put(number, now_ns);
        }
        self.hall.publishers[number as usize].listed = false;
        if count > 0 {
            self.soil(slot);
        }
        false
    }

    /// Appends a publisher's next message to what its connection sends.
    fn put(&mut self, number: u32, now_ns: u64) {
        let all = self.hall.publishers.len() as u64;
        let publisher = &mut self.hall.publishers[number as usize];
        let sent_ns = match self.plan.pace {
            Pace::Window(_) => now_ns,
            Pace::Rate(_) => self.schedule.time_of(publisher.turn() * all + u64::from(number)),
        };
        publisher.stamp(number, sent_ns).write(&mut self.body);
        let body = &self.body[..self.plan.sizes.of(self.dealt)];
        let link = &mut self.links[publisher.slot];
        link.dialect.publish_in(publisher.group, body, &mut link.out);
        publisher.send(self.live[publisher.group as usize]);
        publisher.due = publisher.due.saturating_sub(1);
        publisher.left -= 1;
        self.active -= usize::from(publisher.left == 0);
        self.dealt += 1;
        self.hall.outcome.messages += 1;
        if self.hall.under_way == 0 {
            self.roused_ns = now_ns;
        }
        self.hall.under_way += 1;
    }

    /// What was never heard, nor even sent though its time had come, is missed.
    fn count_missing(&mut self) {
        for (_, link) in &self.links {
            for (publisher, next) in link.heed.awaited() {
                let sent = self.hall.publishers[publisher as usize].next();
                self.hall.outcome.missed += u64::from(sent.wrapping_sub(next));
            }
        }
        for publisher in &self.hall.publishers {
            self.hall.outcome.missed += publisher.due * u64::from(self.live[publisher.group as usize]);
        }
    }

    /// How much of a leg is done.
    fn share(&self, leg: &Leg, now_ns: u64) -> f64 {
        let (done, all) = match leg.messages {
            Some(all) => (self.hall.outcome.messages, all),
            None => (now_ns - leg.began_ns, leg.end_ns - leg.began_ns),
        };
        if all == 0 { 1.0 } else { done as f64 / all as f64 }
    }

    /// Tells how far it has come.
    pub fn tell(&self, phase: Phase, share: f64, progress: &mut dyn FnMut(&Progress)) {
        let Outcome { messages, deliveries, errors, .. } = self.hall.outcome;
        let elapsed = Duration::from_nanos(self.clock.now_ns().saturating_sub(self.began_ns));
        progress(&Progress { phase, share: share.min(1.0), elapsed, messages, deliveries, errors });
    }
}
