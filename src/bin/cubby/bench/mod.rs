//! `cubby bench`: puts load on a running hub and shows what came of it. The load itself is `load`; here are the
//! command line, the progress and the report.

mod bar;
mod figure;
mod hub;
#[allow(dead_code, unused_imports, reason = "the benchmarks use the rest of it")]
mod load;
mod options;
mod report;
mod sweep;

use crate::bench::load::{Extent, LoadError, Native, Phase, Progress, run};
use crate::commands::Failure;
use crate::show;
use bar::Bar;
use hub::Watch;
use options::{Bench, Sweep, Way, What, Work};
use report::{Report, describe};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How long a hub may breathe between two runs of a sweep: what it holds for those who left is given back.
const PAUSE: Duration = Duration::from_millis(500);

/// Exit code of a run that a second signal ended at once.
const INTERRUPTED: i32 = 130;

/// Does what these arguments ask for.
pub fn bench(arguments: &[String]) -> Result<(), Failure> {
    let bench = options::parse(arguments).map_err(Failure::BenchUsage)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The first one ends the run, a second one the program: this order, for each asks whether the other came.
        signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED, stop.clone())
            .and_then(|_| signal_hook::flag::register(signal, stop.clone()))
            .map_err(|error| Failure::Other(format!("can not take signals: {error}")))?;
    }
    match &bench.what {
        What::Text(text) => show::line(text),
        What::One(work) => one(&bench, work, &stop),
        What::Many(sweep) => many(&bench, sweep, &stop),
    }
}

fn one(bench: &Bench, work: &Work, stop: &Arc<AtomicBool>) -> Result<(), Failure> {
    if !bench.json {
        show::line(&describe(work))?;
    }
    let report = measure(bench, work, stop, String::new())?;
    if bench.json {
        show::json(&report.json())?;
    } else {
        show::line(&report.table())?;
    }
    blame([&report])
}

fn many(bench: &Bench, sweep: &Sweep, stop: &Arc<AtomicBool>) -> Result<(), Failure> {
    if let (false, Some((_, first))) = (bench.json, sweep.runs.first()) {
        show::line(&format!("{}; {} varies", describe(first), sweep.option))?;
    }
    let mut runs: Vec<sweep::Run> = Vec::new();
    for (value, work) in &sweep.runs {
        if !runs.is_empty() {
            thread::sleep(PAUSE);
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let label = format!("{} {value}: ", sweep.option);
        let came = match measure(bench, work, stop, label.clone()) {
            // Those before it are worth to be shown.
            Err(Failure::Other(what) | Failure::BenchUsage(what)) if !runs.is_empty() => {
                show::complain(&format!("{label}{}", show::safe(&what)));
                Err(what)
            }
            came => Ok(came?),
        };
        runs.push((value.clone(), came));
    }
    if bench.json {
        show::json(&sweep::json(&sweep.option, &runs))?;
    } else {
        show::line(&sweep::table(&sweep.option, &runs))?;
        if let Some(limit) = sweep::reports(&runs).find_map(Report::limit) {
            show::line(&format!("\nin some run {limit}"))?;
        }
    }
    blame(sweep::reports(&runs))?;
    let (all, failed) = (sweep.runs.len(), runs.iter().filter(|(_, came)| came.is_err()).count());
    match runs.len() {
        _ if failed > 0 => Err(Failure::Other(format!("{failed} of {all} runs failed"))),
        done if done < all => Err(Failure::Other(format!("stopped after {done} of {all} runs"))),
        _ => Ok(()),
    }
}

/// One run: what came of it.
fn measure(bench: &Bench, work: &Work, stop: &Arc<AtomicBool>, label: String) -> Result<Report, Failure> {
    let mut watch = Watch::new(&bench.hub, bench.pid).map_err(Failure::Other)?;
    let (mut bar, mut phase, mut usage) = (Bar::new(label, bench.json), Phase::Connecting, None);
    let mut progress = |progress: &Progress| {
        match progress.phase {
            Phase::Running if phase != Phase::Running => watch.begin(),
            Phase::Done => usage = Some(watch.end()),
            _ => {}
        }
        phase = progress.phase;
        bar.show(progress);
    };
    let plan = crate::bench::load::Plan { stop: stop.clone(), ..work.plan.clone() };
    let outcome = match work.way {
        Way::Relay => run(&plan, Native::relay, &mut progress),
        Way::Rooms => run(&plan, Native::rooms, &mut progress),
    };
    bar.clear();
    let outcome = outcome.map_err(failure)?;
    let asked = match plan.extent {
        Extent::Messages(count) => Some(count),
        Extent::Time(_) => None,
    };
    Ok(Report { work: describe(work), asked, outcome, hub: usage.unwrap_or_default() })
}

fn failure(error: LoadError) -> Failure {
    match error {
        LoadError::Plan(what) => Failure::BenchUsage(what),
        LoadError::Connect { ref source, made: 0, .. } => {
            let absent = matches!(source.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound);
            let advice =
                if absent { "; is it running? start one with `cubbyd`, or name another with --hub" } else { "" };
            Failure::Other(format!("{error}{advice}"))
        }
        other => Failure::Other(other.to_string()),
    }
}

/// A run with errors, or that missed something or was cut short of its messages, did not do all that was asked for.
fn blame<'r>(reports: impl IntoIterator<Item = &'r Report>) -> Result<(), Failure> {
    let (mut count, mut first, mut missed, mut short) = (0, None, 0, None);
    for Report { outcome, asked, .. } in reports {
        count += outcome.errors;
        first = first.or(outcome.first_error.as_deref());
        missed += outcome.missed;
        short = short.or(asked.map(|asked| (outcome.messages, asked)).filter(|(sent, asked)| sent < asked));
    }
    let what = match (first, short) {
        (Some(what), _) => show::safe(&format!("{count} errors; the first: {what}")),
        (None, _) if missed > 0 => format!("{missed} deliveries were missed"),
        (None, Some((sent, asked))) => format!("stopped after {sent} of {asked} messages"),
        (None, None) => return Ok(()),
    };
    Err(Failure::Other(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blamed(report: &Report) -> Option<String> {
        match blame([report]) {
            Ok(()) => None,
            Err(Failure::Other(what)) => Some(what),
            Err(_) => panic!("no other failure"),
        }
    }

    #[test]
    fn what_was_missed_or_not_sent_is_a_failure_without_an_error_as_well() {
        let mut report = report::tests::silent();
        assert_eq!(blamed(&report), None);
        report.outcome.stopped = true;
        assert_eq!(blamed(&report), None, "a time may be cut");
        report.asked = Some(9);
        assert_eq!(blamed(&report).as_deref(), Some("stopped after 0 of 9 messages"));
        report.outcome.missed = 5;
        assert_eq!(blamed(&report).as_deref(), Some("5 deliveries were missed"));
        (report.outcome.errors, report.outcome.first_error) = (2, Some("no".to_owned()));
        assert_eq!(blamed(&report).as_deref(), Some("2 errors; the first: no"));
    }
}
