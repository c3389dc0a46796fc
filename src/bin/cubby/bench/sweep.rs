//! The runs of a sweep side by side: a table that shows how the figures scale, and a chart.

use super::report::Report;
use super::units;
use super::work::Case;
use serde_json::{Value, json};
use std::fmt::Write;

/// Characters of the longest bar.
const BAR: usize = 50;

/// One run of a sweep: the value, and the report or the error.
pub type Run = (String, Result<Report, String>);

/// The reports of the runs that did not fail.
pub fn reports(runs: &[Run]) -> impl Iterator<Item = &Report> {
    runs.iter().filter_map(|(_, outcome)| outcome.as_ref().ok())
}

/// Characters of each of them.
const CELL: usize = 8;

/// The table, and the charts below it.
pub fn table(option: &str, runs: &[Run]) -> String {
    let width = runs.iter().map(|(value, _)| value.len()).chain([option.len()]).max().unwrap_or_default();
    let mut text = format!("{option:>width$}");
    let first = reports(runs).next().map(cells).unwrap_or_default();
    first.iter().for_each(|(head, _)| text.push_str(&format!("{head:>CELL$}")));
    for (value, outcome) in runs {
        text.push_str(&format!("\n{value:>width$}"));
        match outcome {
            Ok(report) => {
                cells(report).iter().for_each(|(_, cell)| text.push_str(&format!("{cell:>CELL$}")));
                text.push_str(if report.outcome.stopped { "  stopped" } else { "" });
            }
            Err(_) => text.push_str(&format!("{:>CELL$}", "failed")),
        }
    }
    chart(&mut text, "deliveries a second", width, runs, |report| Some(report.deliveries_per_second()), units::count);
    chart(&mut text, "sessions a second", width, runs, |report| Some(report.sessions_per_second()), units::count);
    let is_churn = reports(runs).any(|report| matches!(report.case, Case::Churn(_)));
    let name = format!("processor time of the hub for each {}", if is_churn { "session" } else { "delivery" });
    chart(&mut text, &name, width, runs, Report::hub_nanos, units::nanos);
    text
}

/// The columns after the value, each with its head.
fn cells(report: &Report) -> Vec<(&'static str, String)> {
    let or_none = |figure: Option<String>| figure.unwrap_or_else(|| "-".to_owned());
    let memory = ("memory", or_none(report.hub.memory.map(|memory| units::bytes(memory.now as f64))));
    let hub = ("hub", or_none(report.hub_nanos().map(units::nanos)));
    let missed = ("missed", units::count(report.outcome.missed as f64));
    let errors = ("errors", units::count(report.outcome.errors as f64));
    match report.case {
        Case::Relay | Case::Rooms => vec![
            ("sent/s", units::count(report.messages_per_second())),
            ("recv/s", units::count(report.deliveries_per_second())),
            ("bytes/s", units::bytes(report.bytes_per_second())),
            ("p50", or_none(report.latency(0.5).map(units::nanos))),
            ("p99", or_none(report.latency(0.99).map(units::nanos))),
            hub,
            memory,
            missed,
            errors,
        ],
        Case::Hold => vec![memory, ("each", or_none(report.memory_each().map(units::bytes))), errors],
        Case::Churn(_) => vec![("come/s", units::count(report.sessions_per_second())), hub, memory, errors],
    }
}

/// Appends a bar for each run whose figure is known.
fn chart(
    text: &mut String,
    name: &str,
    width: usize,
    runs: &[Run],
    figure: impl Fn(&Report) -> Option<f64>,
    show: impl Fn(f64) -> String,
) {
    let figures: Vec<Option<f64>> = runs.iter().map(|(_, outcome)| figure(outcome.as_ref().ok()?)).collect();
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

/// One object that holds all runs.
pub fn json(option: &str, runs: &[Run]) -> Value {
    let run = |(value, outcome): &Run| {
        let mut run = outcome.as_ref().map_or_else(|why| json!({ "error": why }), Report::json);
        run["value"] = value.as_str().into();
        run
    };
    json!({"type": "sweep", "option": option, "runs": runs.iter().map(run).collect::<Vec<Value>>()})
}
