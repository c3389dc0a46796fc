//! Many runs beside each other: a table of how the figures scale, and a chart.

use super::figure;
use super::report::Report;
use serde_json::{Value, json};
use std::fmt::Write;

/// Columns of the longest bar.
const BAR: usize = 50;

/// One run of a sweep: the value, and what came of it or why nothing did.
pub type Run = (String, Result<Report, String>);

/// What came of those runs that did not fail.
pub fn reports(runs: &[Run]) -> impl Iterator<Item = &Report> {
    runs.iter().filter_map(|(_, came)| came.as_ref().ok())
}

/// The columns behind the value.
const HEADS: [&str; 9] = ["sent/s", "heard/s", "bytes/s", "p50", "p99", "hub", "memory", "missed", "errors"];

/// Columns of each of them.
const CELL: usize = 8;

/// The table, with the charts under it.
pub fn table(option: &str, runs: &[Run]) -> String {
    let width = runs.iter().map(|(value, _)| value.len()).chain([option.len()]).max().unwrap_or_default();
    let mut text = format!("{option:>width$}");
    HEADS.iter().for_each(|head| text.push_str(&format!("{head:>CELL$}")));
    for (value, came) in runs {
        text.push_str(&format!("\n{value:>width$}"));
        match came {
            Ok(report) => {
                cells(report).iter().for_each(|cell| text.push_str(&format!("{cell:>CELL$}")));
                text.push_str(if report.outcome.stopped { "  stopped" } else { "" });
            }
            Err(_) => text.push_str(&format!("{:>CELL$}", "failed")),
        }
    }
    chart(&mut text, "heard a second", width, runs, |report| Some(report.deliveries_per_second()), figure::count);
    chart(&mut text, "hub: its processor time for a delivery", width, runs, Report::hub_nanos, figure::nanos);
    text
}

fn cells(report: &Report) -> [String; 9] {
    let or_none = |figure: Option<String>| figure.unwrap_or_else(|| "-".to_owned());
    let memory = report.hub.memory.map(|(now, _)| figure::bytes(now as f64));
    let count = |count: u64| figure::count(count as f64);
    [
        figure::count(report.messages_per_second()),
        figure::count(report.deliveries_per_second()),
        figure::bytes(report.bytes_per_second()),
        or_none(report.latency(0.5).map(figure::nanos)),
        or_none(report.latency(0.99).map(figure::nanos)),
        or_none(report.hub_nanos().map(figure::nanos)),
        or_none(memory),
        count(report.outcome.missed),
        count(report.outcome.errors),
    ]
}

/// Appends a bar for each run, where the figure is known.
fn chart(
    text: &mut String,
    name: &str,
    width: usize,
    runs: &[Run],
    figure: impl Fn(&Report) -> Option<f64>,
    show: impl Fn(f64) -> String,
) {
    let figures: Vec<Option<f64>> = runs.iter().map(|(_, came)| figure(came.as_ref().ok()?)).collect();
    let most = figures.iter().flatten().copied().fold(0.0, f64::max);
    if most <= 0.0 {
        return;
    }
    // Writing to a string does not fail.
    let _ = write!(text, "\n\n{name}");
    for ((value, _), figure) in runs.iter().zip(figures) {
        let Some(figure) = figure else { continue };
        let bar = "#".repeat((figure / most * BAR as f64).round() as usize);
        let _ = write!(text, "\n{value:>width$}  {bar} {}", show(figure));
    }
}

/// One object with all runs in it.
pub fn json(option: &str, runs: &[Run]) -> Value {
    let run = |(value, came): &Run| {
        let mut run = came.as_ref().map_or_else(|why| json!({ "error": why }), Report::json);
        run["value"] = value.as_str().into();
        run
    };
    json!({"type": "sweep", "option": option, "runs": runs.iter().map(run).collect::<Vec<Value>>()})
}
