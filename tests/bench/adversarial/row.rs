//! The row of a case: its figures, what is right, and whether they are.

use crate::client::BOUND;
use crate::hub::Hub;
use crate::innocents::{Innocent, Waits};
use crate::scene::{Case, Scene, TURN};
use serde_json::{Value, json};
use std::time::Duration;

/// The wait in milliseconds that 99 of 100 requests may have.
const P99: f64 = 30.0;

/// The memory that is right, by what the options allow.
const MEMORY_FACTOR: f64 = 1.25;

pub const HEAD: &str = "\
| case | p50 ms | p99 ms | longest ms | late ms | longest turn ms | turns over 16 ms | peak MB | base MB | allowed MB \
| verdict |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|";

/// What a case has come to.
pub struct Row {
    key: &'static str,
    value: Value,
    longest_text: String,
    /// What is not as it should be.
    pub misses: Vec<String>,
    /// What else there is to say.
    notes: Vec<String>,
}

impl Row {
    /// Reads the figures of a case that has run.
    pub fn of(case: &'static Case, scene: Scene) -> Row {
        let longest_text = scene.waits[0].1.longest_text();
        let mut row = Row {
            key: case.key,
            value: json!({"case": case.key}),
            longest_text,
            misses: scene.faults,
            notes: scene.notes,
        };
        row.hub(&scene.hub, case.turn);
        for (index, (innocent, waits)) in scene.waits.iter().enumerate() {
            row.waits(innocent, waits);
            if index == 0 && waits.quantile(0.99) > P99 {
                row.misses.push(format!("{} p99", innocent.what));
            }
            if index > 0 {
                row.notes.push(format!("{}: {}", innocent.what, waits.line()));
            }
        }
        row
    }

    /// What the hub and the kernel say of it.
    fn hub(&mut self, hub: &Hub, longest: Duration) {
        let peak = hub.peak();
        let (mut turn, mut slow, mut connections) = (None, None, 0);
        match hub.counters() {
            Ok(counters) => {
                (turn, slow) = (counters.longest_turn(), Some(counters.turns_from(TURN.as_micros() as u64)));
                connections = counters.connections();
            }
            Err(error) => self.misses.push(format!("no answer to STATS in {} s: {error}", BOUND.as_secs())),
        }
        if turn.is_some_and(|turn| u128::from(turn) > longest.as_micros()) {
            self.misses.push("turn".to_owned());
        }
        if peak > (hub.allowed as f64 * MEMORY_FACTOR) as u64 + hub.base + connections {
            self.misses.push("memory".to_owned());
        }
        let figures = [("longestTurnUs", turn), ("turnsOver16Ms", slow), ("peakBytes", Some(peak))];
        let bytes = [("baseBytes", hub.base), ("connectionBytes", connections), ("allowedBytes", hub.allowed)];
        let bytes = bytes.map(|(name, bytes)| (name, Some(bytes)));
        figures.into_iter().chain(bytes).for_each(|(name, figure)| self.value[name] = json!(figure));
    }

    /// How long innocents waited for one kind of answer.
    fn waits(&mut self, innocent: &Innocent, waits: &Waits) {
        self.value[innocent.what] = json!({
            "p50Ms": waits.quantile(0.5), "p99Ms": waits.quantile(0.99), "longestMs": waits.longest(),
            "lateMs": millis(waits.late), "requests": waits.count(),
            "unanswered": waits.unanswered, "refused": waits.refused,
        });
        if waits.longest() > millis(innocent.aim) {
            self.misses.push(format!("{} longest", innocent.what));
        }
        if waits.unanswered > 0 {
            self.misses.push(format!("{} {} without answer", waits.unanswered, innocent.what));
        }
        if let Some(why) = &waits.why {
            self.misses.push(format!("{} {} refused: {why}", waits.refused, innocent.what));
        }
    }

    /// The row of a case that did not come about.
    pub fn failed(case: &'static Case, why: &str) -> Row {
        let misses = vec![format!("the case failed: {why}")];
        Row { key: case.key, value: json!({"case": case.key}), longest_text: "–".to_owned(), misses, notes: vec![] }
    }

    /// A line of a Markdown table, and the notes below it.
    pub fn markdown(&self) -> String {
        let number = |value: &Value, unit: f64| value.as_f64().map(|number| number / unit);
        let text = |number: Option<f64>| number.map_or("–".to_owned(), |number| format!("{number:.1}"));
        let ping = |name: &str| text(number(&self.value["PING"][name], 1.0));
        let bytes = |name: &str| text(number(&self.value[name], 1e6));
        let turn = match self.value["longestTurnUs"].as_u64() {
            None => "–".to_owned(),
            Some(micros) => format!("{:.1}", micros as f64 / 1e3),
        };
        let slow = self.value["turnsOver16Ms"].as_u64().map_or("–".to_owned(), |count| count.to_string());
        let verdict = if self.misses.is_empty() { "as aimed".to_owned() } else { self.misses.join("; ") };
        let notes: String = self.notes.iter().map(|note| format!("; {note}")).collect();
        format!(
            "| {} | {} | {} | {} | {} | {turn} | {slow} | {} | {} | {} | {verdict}{notes} |",
            self.key,
            ping("p50Ms"),
            ping("p99Ms"),
            self.longest_text,
            ping("lateMs"),
            bytes("peakBytes"),
            bytes("baseBytes"),
            bytes("allowedBytes"),
        )
    }

    /// The same as one JSON object.
    pub fn json(&self) -> Value {
        let mut value = self.value.clone();
        value["misses"] = json!(self.misses);
        value["notes"] = json!(self.notes);
        value
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
