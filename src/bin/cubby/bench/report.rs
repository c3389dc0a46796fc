//! What came of a run, as a table and as JSON.

use super::figure;
use super::hub::Usage;
use super::options::{Way, Work};
use crate::bench::load::{Extent, Outcome, Pace, Plan};
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

/// The quantiles that are shown.
const QUANTILES: [(&str, f64); 5] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// The part of the time that a thread works which makes it the limit, and what a hub is at most then.
const BUSY: f64 = 0.9;
const NOT_BUSY: f64 = 0.8;

/// What a run was, what came of it, and what it took of the hub.
pub struct Report {
    pub work: String,
    /// Messages that were to be sent, where the run is measured by them.
    pub asked: Option<u64>,
    pub outcome: Outcome,
    pub hub: Usage,
}

impl Report {
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

    /// A latency in ns, where anything was heard.
    pub fn latency(&self, quantile: f64) -> Option<f64> {
        let latency = &self.outcome.latency;
        (!latency.is_empty()).then(|| latency.value_at_quantile(quantile) as f64)
    }

    fn per_delivery(&self, processor: Duration) -> Option<f64> {
        (self.outcome.deliveries > 0).then(|| processor.as_nanos() as f64 / self.outcome.deliveries as f64)
    }

    fn share(&self, processor: Duration) -> f64 {
        let secs = self.outcome.elapsed.as_secs_f64();
        if secs > 0.0 { processor.as_secs_f64() / secs } else { 0.0 }
    }

    /// The hub's processor time for a delivery, in ns.
    pub fn hub_nanos(&self) -> Option<f64> {
        self.hub.processor.and_then(|processor| self.per_delivery(processor))
    }

    /// The generator's own, in ns.
    pub fn own_nanos(&self) -> Option<f64> {
        self.per_delivery(self.outcome.processor)
    }

    /// Whether the generator was the limit, where that can be told.
    fn was_the_limit(&self) -> Option<bool> {
        if self.share(self.outcome.processor) < BUSY {
            return Some(false);
        }
        self.hub.processor.map(|processor| self.share(processor) < NOT_BUSY)
    }

    /// The same in words, where it was or may have been.
    pub fn limit(&self) -> Option<&'static str> {
        match self.was_the_limit() {
            Some(false) => None,
            Some(true) => {
                Some("the generator was busy all the time and the hub was not: the hub can do more than this")
            }
            None => Some("the generator was busy all the time, and may have been the limit: --pid would tell"),
        }
    }

    /// The table.
    pub fn table(&self) -> String {
        let Outcome { messages, deliveries, bytes, errors, missed, .. } = self.outcome;
        let mut text = String::new();
        let mut row = |name: &str, what: String| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name:<13}{what}");
        };
        row("messages", format!("{:>9}/s   {messages} in all", figure::count(self.messages_per_second())));
        row("deliveries", format!("{:>9}/s   {deliveries} in all", figure::count(self.deliveries_per_second())));
        let (rate, all) = (figure::bytes(self.bytes_per_second()), figure::bytes(bytes as f64));
        row("bodies", format!("{rate:>9}/s   {all} in all"));
        row("latency", self.latencies());
        row("hub", self.hub_words());
        if let Some((now, most)) = self.hub.memory {
            let (now, most) = (figure::bytes(now as f64), figure::bytes(most as f64));
            row("hub's memory", format!("{now:>9}     {most} at the most"));
        }
        row("generator", self.processor_words(self.outcome.processor));
        row("missed", format!("{missed:>9}"));
        row("errors", format!("{errors:>9}"));
        let (came, left) = self.outcome.visits;
        if came + left > 0 {
            row("visitors", format!("{came:>9} came, {left} left"));
        }
        if self.outcome.stopped {
            row("stopped", "          before its end; the figures are of the part before".to_owned());
        }
        if let Some(limit) = self.limit() {
            row("", limit.to_owned());
        }
        text.truncate(text.trim_end().len());
        text
    }

    fn latencies(&self) -> String {
        let words = |(name, at)| format!("{name} {}", self.latency(at).map_or_else(|| "-".to_owned(), figure::nanos));
        QUANTILES.map(words).join("  ")
    }

    fn processor_words(&self, processor: Duration) -> String {
        let each = self.per_delivery(processor).map_or_else(|| "-".to_owned(), figure::nanos);
        format!("{each:>9} of processor a delivery, {:.0} % of one", self.share(processor) * 100.0)
    }

    fn hub_words(&self) -> String {
        match (self.hub.processor, self.hub.most_held) {
            (Some(processor), _) => self.processor_words(processor),
            (None, Some(held)) => {
                let held = figure::bytes(held as f64);
                format!("{held:>9} of messages held at the most (--pid PID shows more)")
            }
            (None, None) => "        - (what it uses is told on its own machine alone)".to_owned(),
        }
    }

    /// One object.
    pub fn json(&self) -> Value {
        let outcome = &self.outcome;
        let latency: serde_json::Map<String, Value> =
            QUANTILES.iter().map(|(name, at)| ((*name).to_owned(), self.latency(*at).into())).collect();
        let memory = |pick: fn((u64, u64)) -> u64| self.hub.memory.map(pick);
        json!({
            "type": "bench",
            "work": self.work,
            "secs": outcome.elapsed.as_secs_f64(),
            "messages": outcome.messages,
            "messagesPerSecond": self.messages_per_second(),
            "deliveries": outcome.deliveries,
            "deliveriesPerSecond": self.deliveries_per_second(),
            "bytes": outcome.bytes,
            "bytesPerSecond": self.bytes_per_second(),
            "latencyNs": latency,
            "hub": {
                "processorNsPerDelivery": self.hub_nanos(),
                "processorShare": self.hub.processor.map(|processor| self.share(processor)),
                "memoryBytes": memory(|(now, _)| now),
                "mostMemoryBytes": memory(|(_, most)| most),
                "mostHeldBytes": self.hub.most_held,
            },
            "generator": {
                "processorNsPerDelivery": self.own_nanos(),
                "processorShare": self.share(outcome.processor),
                "wasTheLimit": self.was_the_limit(),
            },
            "missed": outcome.missed,
            "errors": outcome.errors,
            "firstError": outcome.first_error,
            "came": outcome.visits.0,
            "left": outcome.visits.1,
            "stopped": outcome.stopped,
        })
    }
}

/// What a run does, in words.
pub fn describe(work: &Work) -> String {
    let Plan { groups, publishers, subscribers, .. } = work.plan;
    let mut text = match work.way {
        Way::Relay if groups > 1 => format!("{groups} pairs"),
        Way::Relay => format!("relay, {publishers} to {subscribers}"),
        Way::Rooms => format!("{groups} rooms, {publishers} to {subscribers} in each"),
    };
    let mut add = |what: String| {
        let _ = write!(text, ", {what}");
    };
    if work.plan.sharing > 1 {
        add(format!("up to {} rooms a session", work.plan.sharing));
    }
    add(format!("{} B", work.plan.sizes));
    match work.plan.pace {
        Pace::Window(window) => add(format!("window {window}")),
        Pace::Rate(rate) => add(format!("{rate} messages/s")),
    }
    match work.plan.extent {
        Extent::Time(time) => add(format!("{} s", time.as_secs_f64())),
        Extent::Messages(count) => add(format!("{count} messages")),
    }
    let Plan { idle, slow, joiners, leavers, .. } = work.plan;
    for (count, what) in [(idle, "idle"), (slow, "slow"), (joiners, "joiners/s"), (leavers, "leavers/s")] {
        if count > 0 {
            add(format!("{count} {what}"));
        }
    }
    text
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A run of a second in which nothing was heard.
    pub fn silent() -> Report {
        let outcome = Outcome { elapsed: Duration::from_secs(1), ..Outcome::default() };
        Report { work: String::new(), asked: None, outcome, hub: Usage::default() }
    }

    #[test]
    fn a_run_that_was_stopped_says_so() {
        let mut report = silent();
        assert!(!report.table().contains("stopped") && report.json()["stopped"] == false);
        report.outcome.stopped = true;
        assert!(report.table().contains("\nstopped ") && report.json()["stopped"] == true);
    }

    #[test]
    fn what_was_never_heard_has_no_latency() {
        let mut report = silent();
        assert!(report.table().contains("\nlatency      p50 -  p90 -  p99 -  p99.9 -  max -\n"), "{}", report.table());
        let latency = |report: &Report| report.json()["latencyNs"].clone();
        assert_eq!(latency(&report), json!({"p50": null, "p90": null, "p99": null, "p99.9": null, "max": null}));
        report.outcome.latency.record(5).expect("it is within the bounds");
        assert!(report.table().contains("p50 5 ns") && report.table().contains("max 5 ns"), "{}", report.table());
        assert_eq!(latency(&report)["max"], 5.0);
    }

    #[test]
    fn whether_the_generator_was_the_limit_is_told_where_it_is_known() {
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
