//! `cubby bench`: puts load on a running hub or broker, and reports rates, latencies and costs. `load` makes the load
//! and `drivers` speaks the protocols; here are the command, its progress and its report.

mod drivers;
mod load;
mod options;
mod progress;
mod protocol;
mod report;
mod sweep;
mod units;
mod watch;
mod work;

use crate::failure::Failure;
use crate::show;
use load::{LoadError, Phase, Plan, Progress};
use progress::Bar;
use report::Report;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use watch::Watch;
use work::{Bench, Request, Sweep, Work};

/// The pause between two runs of a sweep, in which the hub can release what it holds for the sessions that left.
const PAUSE: Duration = Duration::from_millis(500);

/// Exit code of a run that a second signal ended at once.
const INTERRUPTED: i32 = 130;

/// Runs the command with these arguments.
pub fn bench(arguments: &[String]) -> Result<(), Failure> {
    let request = work::parse(arguments).map_err(Failure::BenchUsage)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The first signal ends the run, a second one the program. They must be registered in this order, because the
        // shutdown asks whether the flag was set before.
        signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED, stop.clone())
            .and_then(|_| signal_hook::flag::register(signal, stop.clone()))
            .map_err(|error| Failure::Other(format!("can not handle signals: {error}")))?;
    }
    match request {
        Request::Text(text) => show::line(&text),
        Request::One(bench, mut work) => one(&bench, &mut work, &stop),
        Request::Many(bench, mut sweep) => many(&bench, &mut sweep, &stop),
    }
}

fn one(bench: &Bench, work: &mut Work, stop: &Arc<AtomicBool>) -> Result<(), Failure> {
    if !bench.json {
        show::line(&report::describe(work))?;
    }
    let report = measure(bench, work, stop, String::new())?;
    if bench.json {
        show::json(&report.json())?;
    } else {
        show::line(&report.table())?;
    }
    fail_on_errors([&report])
}

fn many(bench: &Bench, sweep: &mut Sweep, stop: &Arc<AtomicBool>) -> Result<(), Failure> {
    if let (false, Some((_, first))) = (bench.json, sweep.runs.first()) {
        show::line(&format!("{}; {} varies", report::describe(first), sweep.option))?;
    }
    let mut runs: Vec<sweep::Run> = Vec::new();
    for (value, work) in &mut sweep.runs {
        if !runs.is_empty() {
            thread::sleep(PAUSE);
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let label = format!("{} {value}: ", sweep.option);
        let outcome = match measure(bench, work, stop, label.clone()) {
            // The runs before are still worth showing.
            Err(Failure::Other(what) | Failure::BenchUsage(what)) if !runs.is_empty() => {
                show::complain(&format!("{label}{}", show::safe(&what)));
                Err(what)
            }
            outcome => Ok(outcome?),
        };
        runs.push((value.clone(), outcome));
    }
    if bench.json {
        show::json(&sweep::json(&sweep.option, &runs))?;
    } else {
        show::line(&sweep::table(&sweep.option, &runs))?;
        if let Some(limit) = sweep::reports(&runs).find_map(Report::limit) {
            show::line(&format!("\nin at least one run {limit}"))?;
        }
    }
    fail_on_errors(sweep::reports(&runs))?;
    let (all, failed) = (sweep.runs.len(), runs.iter().filter(|(_, outcome)| outcome.is_err()).count());
    match runs.len() {
        _ if failed > 0 => Err(Failure::Other(format!("{failed} of {all} runs failed"))),
        done if done < all => Err(Failure::Other(format!("stopped after {done} of {all} runs"))),
        _ => Ok(()),
    }
}

/// Carries out one run, and reports its outcome.
fn measure(bench: &Bench, work: &mut Work, stop: &Arc<AtomicBool>, label: String) -> Result<Report, Failure> {
    let mut watch = Watch::new(&bench.endpoint, bench.pid).map_err(Failure::Other)?;
    let (mut bar, mut phase, mut usage) = (Bar::new(label, bench.json), None, None);
    let mut progress = |progress: &Progress| {
        if phase.replace(progress.phase) != Some(progress.phase) {
            watch.note(progress.phase);
        }
        if progress.phase == Phase::Done {
            usage = Some(watch.end());
        }
        bar.show(progress);
    };
    work.plan = Plan { stop: stop.clone(), ..work.plan.clone() };
    let outcome = work.run(&mut progress);
    bar.clear();
    let outcome = outcome.map_err(|error| failure(bench, error))?;
    Ok(Report::new(work, outcome, usage.unwrap_or_default()))
}

fn failure(bench: &Bench, error: LoadError) -> Failure {
    match error {
        LoadError::Plan(what) => Failure::BenchUsage(what),
        LoadError::Connect { ref source, made: 0, .. }
            if matches!(source.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) =>
        {
            Failure::Other(format!("{error}; {}", bench.endpoint.protocol.advice()))
        }
        LoadError::Connect { .. }
        | LoadError::Descriptors { .. }
        | LoadError::NotReady { .. }
        | LoadError::Stopped
        | LoadError::Poll(_) => Failure::Other(error.to_string()),
    }
}

/// Fails if a run had errors, missed deliveries, or did not send or open all that was asked for.
fn fail_on_errors<'r>(reports: impl IntoIterator<Item = &'r Report>) -> Result<(), Failure> {
    let (mut count, mut first, mut missed, mut short) = (0, None, 0, None);
    for report in reports {
        count += report.outcome.errors;
        first = first.or(report.outcome.first_error.as_deref());
        missed += report.outcome.missed;
        short = short.or(report.shortfall());
    }
    let what = match (first, short) {
        (Some(what), _) if count == 1 => show::safe(&format!("1 error: {what}")),
        (Some(what), _) => show::safe(&format!("{count} errors; the first: {what}")),
        (None, _) if missed > 0 => format!("{missed} deliveries were missed"),
        (None, Some(short)) => short,
        (None, None) => return Ok(()),
    };
    Err(Failure::Other(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure_of(report: &Report) -> Option<String> {
        match fail_on_errors([report]) {
            Ok(()) => None,
            Err(Failure::Other(what)) => Some(what),
            Err(_) => panic!("no other failure"),
        }
    }

    #[test]
    fn missed_or_unsent_messages_are_a_failure_even_without_an_error() {
        let mut report = report::tests::silent();
        assert_eq!(failure_of(&report), None);
        report.outcome.stopped = true;
        assert_eq!(failure_of(&report), None, "a run of a time may be cut short");
        report.asked = Some(9);
        assert_eq!(failure_of(&report).as_deref(), Some("stopped after 0 of 9 messages"));
        report.outcome.missed = 5;
        assert_eq!(failure_of(&report).as_deref(), Some("5 deliveries were missed"));
        (report.outcome.errors, report.outcome.first_error) = (2, Some("no".to_owned()));
        assert_eq!(failure_of(&report).as_deref(), Some("2 errors; the first: no"));
    }
}
