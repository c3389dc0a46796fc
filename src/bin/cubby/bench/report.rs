//! The report of a run, as a table and as JSON.

use super::load::{Extent, Outcome, Pace, Plan};
use super::units;
use super::watch::Usage;
use super::work::{Case, Work};
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

/// The quantiles of the latency that are shown.
const QUANTILES: [(&str, f64); 5] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// The generator is the bottleneck if it used its processor for this share of the time, and the hub for less than that.
const BUSY: f64 = 0.9;
const NOT_BUSY: f64 = 0.8;

/// A run, its outcome, and what it cost the hub.
pub struct Report {
    /// The run in words.
    pub work: String,
    pub protocol: &'static str,
    pub case: Case,
    /// The number of messages or sessions, if the run was measured by that.
    pub asked: Option<u64>,
    pub outcome: Outcome,
    pub hub: Usage,
}

impl Report {
    pub fn new(work: &Work, outcome: Outcome, hub: Usage) -> Report {
        let asked = match (work.case, work.plan.extent) {
            (Case::Churn(count), _) => Some(count.into()),
            (Case::Relay | Case::Rooms, Extent::Messages(count)) => Some(count),
            (Case::Hold, _) | (_, Extent::Time(_)) => None,
        };
        Report { work: describe(work), protocol: work.endpoint.protocol.name(), case: work.case, asked, outcome, hub }
    }

    /// What of the run was not done, in words.
    pub fn shortfall(&self) -> Option<String> {
        let (done, what) = match self.case {
            Case::Churn(_) => (self.outcome.sessions, "sessions"),
            Case::Relay | Case::Rooms | Case::Hold => (self.outcome.messages, "messages"),
        };
        let asked = self.asked.filter(|asked| done < *asked)?;
        Some(format!("stopped after {done} of {asked} {what}"))
    }

    pub fn sessions_per_second(&self) -> f64 {
        self.per_second(self.outcome.sessions)
    }

    fn per_second(&self, count: u64) -> f64 {
        let secs = self.outcome.elapsed.as_secs_f64();
        if secs > 0.0 { count as f64 / secs } else { 0.0 }
    }

    pub fn messages_per_second(&self) -> f64 {
        self.per_second(self.outcome.messages)
    }

    pub fn deliveries_per_second(&self) -> f64 {
        self.per_second(self.outcome.deliveries)
    }

    pub fn bytes_per_second(&self) -> f64 {
        self.per_second(self.outcome.bytes)
    }

    /// A latency in ns, if anything was received.
    pub fn latency(&self, quantile: f64) -> Option<f64> {
        let latency = &self.outcome.latency;
        (!latency.is_empty()).then(|| latency.value_at_quantile(quantile) as f64)
    }

    fn share(&self, processor: Duration) -> f64 {
        let secs = self.outcome.elapsed.as_secs_f64();
        if secs > 0.0 { processor.as_secs_f64() / secs } else { 0.0 }
    }

    /// The hub's processor time for each delivery, or for each session of a churn, in ns.
    pub fn hub_nanos(&self) -> Option<f64> {
        nanos_each(self.hub.processor?, self.outcome.deliveries + self.outcome.sessions)
    }

    /// The hub's memory for each connection, in bytes.
    pub fn memory_each(&self) -> Option<f64> {
        let memory = self.hub.memory.filter(|_| self.outcome.connections > 0)?;
        Some((memory.now as f64 - memory.before as f64) / self.outcome.connections as f64)
    }

    /// Whether the generator was the bottleneck, if that is known.
    fn was_the_limit(&self) -> Option<bool> {
        if self.share(self.outcome.processor) < BUSY {
            return Some(false);
        }
        self.hub.processor.map(|processor| self.share(processor) < NOT_BUSY)
    }

    /// The same in words, if it was or may have been.
    pub fn limit(&self) -> Option<&'static str> {
        match self.was_the_limit() {
            Some(false) => None,
            Some(true) => {
                Some("the generator was busy all the time and the hub was not: the hub can do more than this")
            }
            None => Some("the generator was busy all the time, and may have been the bottleneck; --pid tells"),
        }
    }

    /// The report as a table.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let mut row = |name: &str, what: String| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name:<13}{what}");
        };
        match self.case {
            Case::Relay | Case::Rooms => self.traffic_rows(&mut row),
            Case::Hold => row("connections", format!("{:>9}", self.outcome.connections)),
            Case::Churn(_) => self.churn_rows(&mut row),
        }
        if let Some(memory) = self.hub.memory {
            let (now, peak) = (units::bytes(memory.now as f64), units::bytes(memory.peak as f64));
            let each = self.memory_each().map_or_else(String::new, |each| {
                format!(", {} more for each connection", units::bytes(each.round().max(0.0)))
            });
            row("hub's memory", format!("{now:>9}     {peak} at most{each}"));
        }
        if let Some(resting) = self.hub.resting {
            row("at rest", format!("{:>9} of the hub's processor", units::nanos(resting.as_nanos() as f64)));
        }
        if matches!(self.case, Case::Relay | Case::Rooms) {
            row("generator", self.processor_words(self.outcome.processor));
        }
        row("missed", format!("{:>9}", self.outcome.missed));
        row("errors", format!("{:>9}", self.outcome.errors));
        let Outcome { joined, left, stopped, .. } = self.outcome;
        if joined + left > 0 {
            row("churn", format!("{joined:>9} joined, {left} left"));
        }
        if stopped {
            row("stopped", "          early; the figures cover the time before".to_owned());
        }
        if let Some(limit) = self.limit().filter(|_| matches!(self.case, Case::Relay | Case::Rooms)) {
            row("", limit.to_owned());
        }
        text.truncate(text.trim_end().len());
        text
    }

    fn traffic_rows(&self, row: &mut dyn FnMut(&str, String)) {
        let Outcome { messages, deliveries, bytes, .. } = self.outcome;
        row("messages", format!("{:>9}/s   {messages} in all", units::count(self.messages_per_second())));
        row("deliveries", format!("{:>9}/s   {deliveries} in all", units::count(self.deliveries_per_second())));
        let (rate, all) = (units::bytes(self.bytes_per_second()), units::bytes(bytes as f64));
        row("bodies", format!("{rate:>9}/s   {all} in all"));
        let quantile = |(name, at)| format!("{name} {}", self.latency(at).map_or_else(|| "-".to_owned(), units::nanos));
        row("latency", QUANTILES.map(quantile).join("  "));
        row("hub", self.hub_words());
    }

    fn churn_rows(&self, row: &mut dyn FnMut(&str, String)) {
        let sessions = self.outcome.sessions;
        row("sessions", format!("{:>9}/s   {sessions} in all", units::count(self.sessions_per_second())));
        if let Some(nanos) = self.hub_nanos() {
            row("hub", format!("{:>9} of processor time for each session", units::nanos(nanos)));
        }
    }

    fn processor_words(&self, processor: Duration) -> String {
        let each = nanos_each(processor, self.outcome.deliveries).map_or_else(|| "-".to_owned(), units::nanos);
        format!("{each:>9} of processor time for each delivery, {:.0} % of one", self.share(processor) * 100.0)
    }

    fn hub_words(&self) -> String {
        match (self.hub.processor, self.hub.most_held) {
            (Some(processor), _) => self.processor_words(processor),
            (None, Some(held)) => {
                let held = units::bytes(held as f64);
                format!("{held:>9} of messages held at most (--pid PID shows more)")
            }
            (None, None) => "        - (--pid PID shows what it uses, on its own machine)".to_owned(),
        }
    }

    /// The report as one object.
    pub fn json(&self) -> Value {
        let outcome = &self.outcome;
        let latency: serde_json::Map<String, Value> =
            QUANTILES.iter().map(|(name, at)| ((*name).to_owned(), self.latency(*at).into())).collect();
        let each = |count| self.hub.processor.and_then(|processor| nanos_each(processor, count));
        json!({
            "type": "bench",
            "work": self.work,
            "protocol": self.protocol,
            "secs": outcome.elapsed.as_secs_f64(),
            "messages": outcome.messages,
            "messagesPerSecond": self.messages_per_second(),
            "deliveries": outcome.deliveries,
            "deliveriesPerSecond": self.deliveries_per_second(),
            "bytes": outcome.bytes,
            "bytesPerSecond": self.bytes_per_second(),
            "latencyNs": latency,
            "connections": outcome.connections,
            "sessions": outcome.sessions,
            "sessionsPerSecond": self.sessions_per_second(),
            "hub": {
                "processorNs": self.hub.processor.map(|time| time.as_nanos() as u64),
                "processorNsPerMessage": each(outcome.messages),
                "processorNsPerDelivery": each(outcome.deliveries),
                "processorNsPerSession": each(outcome.sessions),
                "processorShare": self.hub.processor.map(|processor| self.share(processor)),
                "restingProcessorNs": self.hub.resting.map(|time| time.as_nanos() as u64),
                "memoryBeforeBytes": self.hub.memory.map(|memory| memory.before),
                "memoryBytes": self.hub.memory.map(|memory| memory.now),
                "mostMemoryBytes": self.hub.memory.map(|memory| memory.peak),
                "memoryBytesPerConnection": self.memory_each(),
                "mostHeldBytes": self.hub.most_held,
            },
            "generator": {
                "processorNsPerDelivery": nanos_each(outcome.processor, outcome.deliveries),
                "processorShare": self.share(outcome.processor),
                "wasTheLimit": self.was_the_limit(),
            },
            "missed": outcome.missed,
            "errors": outcome.errors,
            "firstError": outcome.first_error,
            "came": outcome.joined,
            "left": outcome.left,
            "stopped": outcome.stopped,
        })
    }
}

/// Nanoseconds for each of `count` things, if there were any.
fn nanos_each(time: Duration, count: u64) -> Option<f64> {
    (count > 0).then(|| time.as_nanos() as f64 / count as f64)
}

/// What a run does, in words.
pub fn describe(work: &Work) -> String {
    let Plan { groups, publishers, subscribers, .. } = work.plan;
    let is_native = work.endpoint.protocol.is_native();
    let mut text = if is_native { String::new() } else { format!("{}: ", work.endpoint.protocol.name()) };
    let case = match work.case {
        Case::Relay if groups > 1 && subscribers == 1 => format!("{groups} pairs"),
        Case::Relay if groups > 1 => format!("{groups} groups, {publishers} to {subscribers} in each"),
        Case::Relay if is_native => format!("relay, {publishers} to {subscribers}"),
        Case::Relay => format!("{publishers} to {subscribers}"),
        Case::Rooms if groups == 1 => format!("a room, {publishers} to {subscribers}"),
        Case::Rooms => format!("{groups} rooms, {publishers} to {subscribers} in each"),
        Case::Hold => format!("{} sessions that only stay connected", work.plan.idle),
        Case::Churn(count) => format!("{count} sessions that come and go one by one"),
    };
    text.push_str(&case);
    let mut add = |what: String| {
        let _ = write!(text, ", {what}");
    };
    if matches!(work.case, Case::Relay | Case::Rooms) {
        describe_traffic(&work.plan, &mut add);
    }
    if !work.plan.rest.is_zero() {
        add(format!("then {} s of rest", work.plan.rest.as_secs_f64()));
    }
    text
}

fn describe_traffic(plan: &Plan, add: &mut dyn FnMut(String)) {
    if plan.sharing > 1 {
        add(format!("up to {} rooms a session", plan.sharing));
    }
    add(format!("{} B", plan.sizes));
    match plan.pace {
        Pace::Window(window) => add(format!("window {window}")),
        Pace::Rate(rate) => add(format!("{rate} messages/s")),
    }
    match plan.extent {
        Extent::Time(time) => add(format!("{} s", time.as_secs_f64())),
        Extent::Messages(count) => add(format!("{count} messages")),
    }
    let Plan { idle, slow, joiners, leavers, .. } = *plan;
    for (count, what) in [(idle, "idle"), (slow, "slow"), (joiners, "joiners/s"), (leavers, "leavers/s")] {
        if count > 0 {
            add(format!("{count} {what}"));
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A run of a second in which nothing was received.
    pub fn silent() -> Report {
        let outcome = Outcome { elapsed: Duration::from_secs(1), ..Outcome::default() };
        let (work, protocol, case) = (String::new(), "native", Case::Relay);
        Report { work, protocol, case, asked: None, outcome, hub: Usage::default() }
    }

    #[test]
    fn a_run_that_was_stopped_says_so() {
        let mut report = silent();
        assert!(!report.table().contains("stopped") && report.json()["stopped"] == false);
        report.outcome.stopped = true;
        assert!(report.table().contains("\nstopped ") && report.json()["stopped"] == true);
    }

    #[test]
    fn without_deliveries_there_is_no_latency() {
        let mut report = silent();
        assert!(report.table().contains("\nlatency      p50 -  p90 -  p99 -  p99.9 -  max -\n"), "{}", report.table());
        let latency = |report: &Report| report.json()["latencyNs"].clone();
        assert_eq!(latency(&report), json!({"p50": null, "p90": null, "p99": null, "p99.9": null, "max": null}));
        report.outcome.latency.record(5).expect("it is within the bounds");
        assert!(report.table().contains("p50 5 ns") && report.table().contains("max 5 ns"), "{}", report.table());
        assert_eq!(latency(&report)["max"], 5.0);
    }

    #[test]
    fn whether_the_generator_was_the_bottleneck_is_reported_if_known() {
        let mut report = silent();
        let told = |report: &Report| report.json()["generator"]["wasTheLimit"].clone();
        assert_eq!((told(&report), report.limit()), (false.into(), None));
        report.outcome.processor = Duration::from_secs(1);
        assert_eq!(told(&report), Value::Null);
        assert!(report.limit().is_some_and(|words| words.contains("may have been")));
        for (millis, was) in [(100, true), (950, false)] {
            report.hub.processor = Some(Duration::from_millis(millis));
            assert_eq!((told(&report), report.limit().is_some()), (was.into(), was));
        }
    }
}
