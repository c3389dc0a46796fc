//! Prints the table: medians of the rounds, ratios, and whether Cubby reaches its targets.

use crate::cases::{Case, IDLE_BYTES, Row, Target, Unit, Work};
use crate::competitor::{ALL, Competitor};
use crate::harness::pin::Spot;
use crate::harness::sample::{Sample, median};
use std::collections::BTreeMap;
use std::fmt;

/// A server in one of the places where it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entrant {
    pub competitor: Competitor,
    pub spot: Spot,
}

impl fmt::Display for Entrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.competitor.key(), self.spot.words())
    }
}

/// The samples of each, round by round.
pub type Samples = BTreeMap<Entrant, Vec<Sample>>;

const HEAD: &str = "\
| case | Mosquitto | NATS | Redis | wire | Cubby | ratio to the best competitor (rounds) | target | reached |
|---|---:|---:|---:|---:|---:|---:|---|---|";

/// What makes a comparison fail.
#[derive(Default)]
pub struct Faults {
    /// Rows in which Cubby misses its target.
    pub missed_targets: usize,
    /// Measurements in which messages were lost, by any server.
    pub lossy: usize,
}

/// Prints the table in Markdown, and below it the cases in which messages were lost.
pub fn print(results: &[(&'static Case, Samples)]) -> Faults {
    let mut faults = Faults::default();
    println!("{HEAD}");
    let idle_bytes = idle_bytes(results);
    for (case, samples) in results {
        for row in case.rows {
            let ratio = ratio(row, samples, idle_bytes);
            println!("{}", line(row, samples, ratio.as_ref(), idle_bytes));
            faults.missed_targets += usize::from(ratio.is_some_and(|ratio| !ratio.reached));
        }
    }
    println!();
    results.iter().filter_map(|(case, samples)| generator_note(case, samples)).for_each(|note| println!("{note}"));
    for (case, samples) in results {
        for (entrant, samples) in samples {
            let lossy = samples.iter().filter(|sample| !sample.is_whole()).count();
            if lossy > 0 {
                let lost: u64 = samples.iter().map(|sample| sample.lost).sum();
                let why = samples.iter().find_map(|sample| sample.why.as_deref()).unwrap_or("they did not arrive");
                println!("* {}, {entrant}: {lost} lost in {lossy} rounds, which do not count: {why}", case.key);
            }
            faults.lossy += lossy;
        }
    }
    faults
}

/// Names the servers that use less processor time than the generator: their rates are bounded by the generator.
fn generator_note(case: &Case, samples: &Samples) -> Option<String> {
    let figures = samples.iter().map(|(entrant, samples)| {
        let of = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure));
        (entrant, of(|sample| sample.generator_micros), of(|sample| sample.micros_a_delivery))
    });
    let bounded = figures.filter(|(_, generator, server)| generator > server);
    let bounded: Vec<String> =
        bounded.map(|(entrant, generator, server)| format!("{entrant} {generator:.3} to {server:.3}")).collect();
    let all = bounded.join(", ");
    (!bounded.is_empty())
        .then(|| format!("* {}: the generator uses more µs a delivery than the server: {all}", case.key))
}

fn line(row: &Row, samples: &Samples, ratio: Option<&Ratio>, idle_bytes: f64) -> String {
    let cells: Vec<String> = ALL.iter().map(|competitor| cell(row, *competitor, samples)).collect();
    let (ratio, reached) = match ratio {
        Some(ratio) => (ratio.shown(), ratio.verdict()),
        None => ("–".to_owned(), "–".to_owned()),
    };
    let reached = if matches!(row.target, Target::Nothing { .. }) { String::new() } else { reached };
    format!("| {} | {} | {ratio} | {} | {reached} |", row.title, cells.join(" | "), target(row, idle_bytes))
}

/// A server's median. If it was measured in two places, the better one.
fn cell(row: &Row, competitor: Competitor, samples: &Samples) -> String {
    let its_own = |entrant: &Entrant| entrant.competitor == competitor;
    let lost =
        samples.iter().any(|(entrant, samples)| its_own(entrant) && samples.iter().any(|sample| !sample.is_whole()));
    let figure = best(row, samples, its_own, |samples| whole_median(row, samples));
    figure.map_or_else(
        || if lost { "lost*".to_owned() } else { "–".to_owned() },
        |figure| shown(row.unit, figure) + if lost { "*" } else { "" },
    )
}

fn shown(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Millions if value < 1e5 => format!("{:.3} M", value / 1e6),
        Unit::Millions => format!("{:.2} M", value / 1e6),
        Unit::Micros if value < 1.0 => format!("{value:.3}"),
        Unit::Micros if value < 10.0 => format!("{value:.2}"),
        Unit::Micros => format!("{value:.0}"),
        Unit::Gigabytes => format!("{:.2}", value / 1e9),
        Unit::Megabytes => format!("{:.1} MB", value / 1e6),
        Unit::Bytes if value < 1000.0 => format!("{value:.0} B"),
        Unit::Bytes => format!("{:.1} KB", value / 1000.0),
    }
}

fn target(row: &Row, idle_bytes: f64) -> String {
    match row.target {
        Target::AtLeast(times) => format!("≥ {times} × the best"),
        Target::AtMost(times) => format!("≤ {times} × the best"),
        Target::AtMostTheWire(times) => {
            format!("≤ {times} × the wire: no worse, and {:.0} % for noise", (times - 1.0) * 100.0)
        }
        Target::Within(most) => format!("≤ {}", shown(row.unit, most)),
        Target::WithinIdle(times) => format!("≤ {times} × the idle {}", shown(row.unit, idle_bytes)),
        Target::Nothing { .. } => String::new(),
    }
}

/// Cubby's figure divided by the competitors' best.
struct Ratio {
    of_medians: f64,
    least: f64,
    most: f64,
    reached: bool,
    /// The rounds in which it was reached, and all rounds.
    rounds: (usize, usize),
}

impl Ratio {
    /// Whether it was reached. If not, in how many rounds it was, which shows the machine's noise.
    fn verdict(&self) -> String {
        let (reached, all) = self.rounds;
        if self.reached { "yes".to_owned() } else { format!("**no**: in {reached} of {all} rounds") }
    }

    fn shown(&self) -> String {
        let Ratio { of_medians, least, most, .. } = self;
        if of_medians.is_nan() { "–".to_owned() } else { format!("{of_medians:.2} ({least:.2}..{most:.2})") }
    }
}

/// `None` if Cubby was not measured, or nothing that it can be compared with. If it lost messages, no target is
/// reached.
fn ratio(row: &Row, samples: &Samples, idle_bytes: f64) -> Option<Ratio> {
    let (_, cubby) = samples.iter().find(|(entrant, _)| entrant.competitor == Competitor::Cubby)?;
    let own = whole_median(row, cubby).unwrap_or(f64::NAN);
    let is_whole = cubby.iter().all(Sample::is_whole);
    let rivals = |entrant: &Entrant| is_compared(row, entrant.competitor);
    let best = |figure: &dyn Fn(&[Sample]) -> Option<f64>| best(row, samples, rivals, figure);
    let best_of_medians = best(&|samples| whole_median(row, samples));
    let of_round = |(round, own): (usize, &Sample)| {
        let best = best(&|samples: &[Sample]| samples.get(round).filter(|sample| sample.is_whole()).map(row.of))?;
        own.is_whole().then(|| ((row.of)(own) / best, (row.of)(own)))
    };
    let rounds: Vec<(f64, f64)> = cubby.iter().enumerate().filter_map(of_round).collect();
    let of_medians = best_of_medians.map_or(f64::NAN, |best| own / best);
    let comparable = best_of_medians.is_some() || matches!(row.target, Target::Within(_) | Target::WithinIdle(_));
    let ratios = || rounds.iter().map(|(ratio, _)| *ratio);
    let (least, most) = (ratios().fold(f64::NAN, f64::min), ratios().fold(f64::NAN, f64::max));
    let meets = |ratio, own| meets(row.target, ratio, own, idle_bytes);
    let reached = (is_whole || matches!(row.target, Target::Nothing { .. })) && meets(of_medians, own);
    let rounds = (rounds.iter().filter(|(ratio, own)| meets(*ratio, *own)).count(), rounds.len());
    comparable.then_some(Ratio { of_medians, least, most, reached, rounds })
}

/// Whether Cubby's figure, and its ratio to the best, reach the target.
fn meets(target: Target, ratio: f64, own: f64, idle_bytes: f64) -> bool {
    match target {
        Target::Nothing { .. } => true,
        Target::AtLeast(times) => ratio >= times,
        Target::AtMost(times) | Target::AtMostTheWire(times) => ratio <= times,
        Target::Within(most) => own <= most,
        Target::WithinIdle(times) => own <= times * idle_bytes,
    }
}

/// Cubby's bytes for an idle connection. If that was not measured, the target.
fn idle_bytes(results: &[(&'static Case, Samples)]) -> f64 {
    let idle = results.iter().find(|(case, _)| matches!(case.work, Work::Idle));
    let cubby =
        idle.and_then(|(_, samples)| samples.iter().find(|(entrant, _)| entrant.competitor == Competitor::Cubby));
    cubby.map_or(IDLE_BYTES, |(_, samples)| median(samples.iter().map(|sample| sample.bytes_each)))
}

/// The median of the rounds in which nothing was lost.
fn whole_median(row: &Row, samples: &[Sample]) -> Option<f64> {
    let whole: Vec<f64> = samples.iter().filter(|sample| sample.is_whole()).map(row.of).collect();
    (!whole.is_empty()).then(|| median(whole.into_iter()))
}

/// Whether Cubby is compared with it in this row.
fn is_compared(row: &Row, competitor: Competitor) -> bool {
    if matches!(row.target, Target::AtMostTheWire(_)) { competitor == Competitor::Wire } else { competitor.is_rival() }
}

/// The best figure of the servers that `meant` selects.
fn best(
    row: &Row,
    samples: &Samples,
    meant: impl Fn(&Entrant) -> bool,
    figure: impl Fn(&[Sample]) -> Option<f64>,
) -> Option<f64> {
    let figures = samples.iter().filter(|(entrant, _)| meant(entrant)).filter_map(|(_, samples)| figure(samples));
    if row.target.wants_more() { figures.reduce(f64::max) } else { figures.reduce(f64::min) }
}
