//! The table: medians of the rounds, ratios, and whether what is asked of Cubby is reached. It measures nothing.

use crate::cases::{Aim, Case, Row, Unit};
use crate::peer::{ALL, Peer};
use crate::pin::Spot;
use crate::sample::Sample;
use std::collections::BTreeMap;
use std::fmt;

/// A hub in one of the places where it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entrant {
    pub peer: Peer,
    pub spot: Spot,
}

impl fmt::Display for Entrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.peer.key(), self.spot.words())
    }
}

/// What each did, round by round.
pub type Samples = BTreeMap<Entrant, Vec<Sample>>;

const HEAD: &str = "\
| case | Mosquitto | NATS | Redis | wire | Cubby | ratio to the best peer (rounds) | asked | reached |
|---|---:|---:|---:|---:|---:|---:|---|---|";

/// Prints the whole table in Markdown, and below it where messages were lost.
pub fn print(results: &[(&'static Case, Samples)]) {
    println!("{HEAD}");
    for (case, samples) in results {
        case.rows.iter().for_each(|row| println!("{}", line(row, samples)));
    }
    println!();
    for (case, samples) in results {
        for (entrant, samples) in samples {
            let lost: u64 = samples.iter().map(|sample| sample.lost).sum();
            if lost > 0 {
                let why = samples.iter().find_map(|sample| sample.why.as_deref()).unwrap_or("they did not come");
                println!("* {}, {entrant}: {lost} lost, so its figures are worth nothing: {why}", case.key);
            }
        }
    }
}

fn line(row: &Row, samples: &Samples) -> String {
    let cells: Vec<String> = ALL.iter().map(|peer| cell(row, *peer, samples)).collect();
    let (ratio, reached) = match ratio(row, samples) {
        Some(ratio) => (ratio.shown(), if ratio.reached { "yes" } else { "**no**" }),
        None => ("–".to_owned(), "–"),
    };
    let reached = if matches!(row.aim, Aim::Nothing { .. }) { "" } else { reached };
    format!("| {} | {} | {ratio} | {} | {reached} |", row.title, cells.join(" | "), asked(row))
}

/// A hub's median; of one that was measured in two places the better one.
fn cell(row: &Row, peer: Peer, samples: &Samples) -> String {
    let its_own = |entrant: &Entrant| entrant.peer == peer;
    let lost = samples.iter().any(|(entrant, samples)| its_own(entrant) && samples.iter().any(|one| one.lost > 0));
    let figure = best(row, samples, its_own, |samples| Some(median(samples.iter().map(row.of))));
    figure.map_or("–".to_owned(), |figure| shown(row.unit, figure) + if lost { "*" } else { "" })
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

fn asked(row: &Row) -> String {
    match row.aim {
        Aim::AtLeast(times) => format!("≥ {times} × the best"),
        Aim::AtMost(times) => format!("≤ {times} × the best"),
        Aim::AtMostTheWire(times) => format!("≤ {times} × the wire"),
        Aim::Within(most) => format!("≤ {}", shown(row.unit, most)),
        Aim::Nothing { .. } => String::new(),
    }
}

/// Cubby's figure in relation to the best of the peers'.
struct Ratio {
    of_medians: f64,
    least: f64,
    most: f64,
    reached: bool,
}

impl Ratio {
    fn shown(&self) -> String {
        let Ratio { of_medians, least, most, .. } = self;
        if of_medians.is_nan() { "–".to_owned() } else { format!("{of_medians:.2} ({least:.2}..{most:.2})") }
    }
}

/// `None` where Cubby was not measured, or nothing that it can be compared with.
fn ratio(row: &Row, samples: &Samples) -> Option<Ratio> {
    let (_, cubby) = samples.iter().find(|(entrant, _)| entrant.peer == Peer::Cubby)?;
    let own = median(cubby.iter().map(row.of));
    let rivals = |entrant: &Entrant| is_compared(row, entrant.peer);
    let best = |figure: &dyn Fn(&[Sample]) -> Option<f64>| best(row, samples, rivals, figure);
    let best_of_medians = best(&|samples| Some(median(samples.iter().map(row.of))));
    let of_round = |(round, own): (usize, &Sample)| {
        Some((row.of)(own) / best(&|samples: &[Sample]| samples.get(round).map(row.of))?)
    };
    let rounds: Vec<f64> = cubby.iter().enumerate().filter_map(of_round).collect();
    let of_medians = best_of_medians.map_or(f64::NAN, |best| own / best);
    let reached = match row.aim {
        Aim::AtLeast(times) => of_medians >= times,
        Aim::AtMost(times) | Aim::AtMostTheWire(times) => of_medians <= times,
        Aim::Within(most) => own <= most,
        Aim::Nothing { .. } => true,
    };
    let comparable = best_of_medians.is_some() || matches!(row.aim, Aim::Within(_));
    let (least, most) =
        (rounds.iter().copied().fold(f64::NAN, f64::min), rounds.iter().copied().fold(f64::NAN, f64::max));
    comparable.then_some(Ratio { of_medians, least, most, reached })
}

/// Whether Cubby is compared with it in this row.
fn is_compared(row: &Row, peer: Peer) -> bool {
    if matches!(row.aim, Aim::AtMostTheWire(_)) { peer == Peer::Wire } else { peer.is_rival() }
}

/// The best figure among those that are meant.
fn best(
    row: &Row,
    samples: &Samples,
    meant: impl Fn(&Entrant) -> bool,
    figure: impl Fn(&[Sample]) -> Option<f64>,
) -> Option<f64> {
    let figures = samples.iter().filter(|(entrant, _)| meant(entrant)).filter_map(|(_, samples)| figure(samples));
    if row.aim.wants_more() { figures.reduce(f64::max) } else { figures.reduce(f64::min) }
}

/// The one in the middle; of an even number the upper.
pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
