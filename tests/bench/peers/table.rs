//! The table: medians of the rounds, ratios, and whether what is asked of Cubby is reached. It measures nothing.

use crate::cases::{Aim, Case, IDLE_BYTES, Row, Unit, Work};
use crate::peer::{ALL, Peer};
use crate::pin::Spot;
use crate::sample::{Sample, median};
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

/// What makes a comparison fail.
#[derive(Default)]
pub struct Faults {
    /// Rows in which Cubby does not do what is asked.
    pub unreached: usize,
    /// Measurements in which messages were lost, whoever lost them.
    pub lossy: usize,
}

/// Prints the whole table in Markdown, and below it where messages were lost.
pub fn print(results: &[(&'static Case, Samples)]) -> Faults {
    let mut faults = Faults::default();
    println!("{HEAD}");
    let idle_bytes = idle_bytes(results);
    for (case, samples) in results {
        for row in case.rows {
            let ratio = ratio(row, samples, idle_bytes);
            println!("{}", line(row, samples, ratio.as_ref(), idle_bytes));
            faults.unreached += usize::from(ratio.is_some_and(|ratio| !ratio.reached));
        }
    }
    println!();
    results.iter().filter_map(|(case, samples)| generator_note(case, samples)).for_each(|note| println!("{note}"));
    for (case, samples) in results {
        for (entrant, samples) in samples {
            let lossy = samples.iter().filter(|sample| !sample.is_whole()).count();
            if lossy > 0 {
                let lost: u64 = samples.iter().map(|sample| sample.lost).sum();
                let why = samples.iter().find_map(|sample| sample.why.as_deref()).unwrap_or("they did not come");
                println!("* {}, {entrant}: {lost} lost in {lossy} rounds, which do not count: {why}", case.key);
            }
            faults.lossy += lossy;
        }
    }
    faults
}

/// Says for whom the generator costs more than the hub: what such a hub does in a second the generator bounds.
fn generator_note(case: &Case, samples: &Samples) -> Option<String> {
    let figures = samples.iter().map(|(entrant, samples)| {
        let of = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure));
        (entrant, of(|sample| sample.generator_micros), of(|sample| sample.micros_a_delivery))
    });
    let dear = figures.filter(|(_, generator, hub)| generator > hub);
    let dear: Vec<String> =
        dear.map(|(entrant, generator, hub)| format!("{entrant} {generator:.3} to {hub:.3}")).collect();
    let all = dear.join(", ");
    (!dear.is_empty()).then(|| format!("* {}: the generator costs more µs a delivery than the hub: {all}", case.key))
}

fn line(row: &Row, samples: &Samples, ratio: Option<&Ratio>, idle_bytes: f64) -> String {
    let cells: Vec<String> = ALL.iter().map(|peer| cell(row, *peer, samples)).collect();
    let (ratio, reached) = match ratio {
        Some(ratio) => (ratio.shown(), ratio.verdict()),
        None => ("–".to_owned(), "–".to_owned()),
    };
    let reached = if matches!(row.aim, Aim::Nothing { .. }) { String::new() } else { reached };
    format!("| {} | {} | {ratio} | {} | {reached} |", row.title, cells.join(" | "), asked(row, idle_bytes))
}

/// A hub's median; of one that was measured in two places the better one.
fn cell(row: &Row, peer: Peer, samples: &Samples) -> String {
    let its_own = |entrant: &Entrant| entrant.peer == peer;
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

fn asked(row: &Row, idle_bytes: f64) -> String {
    match row.aim {
        Aim::AtLeast(times) => format!("≥ {times} × the best"),
        Aim::AtMost(times) => format!("≤ {times} × the best"),
        Aim::AtMostTheWire(times) => {
            format!("≤ {times} × the wire: no worse, with {:.0} % for noise", (times - 1.0) * 100.0)
        }
        Aim::Within(most) => format!("≤ {}", shown(row.unit, most)),
        Aim::WithinIdle(times) => format!("≤ {times} × the idle {}", shown(row.unit, idle_bytes)),
        Aim::Nothing { .. } => String::new(),
    }
}

/// Cubby's figure in relation to the best of the peers'.
struct Ratio {
    of_medians: f64,
    least: f64,
    most: f64,
    reached: bool,
    /// In how many of the rounds it was, and how many there were.
    rounds: (usize, usize),
}

impl Ratio {
    /// Where it was not reached, how often it was: the machine's noise shows in that.
    fn verdict(&self) -> String {
        let (reached, all) = self.rounds;
        if self.reached { "yes".to_owned() } else { format!("**no**: in {reached} of {all} rounds") }
    }

    fn shown(&self) -> String {
        let Ratio { of_medians, least, most, .. } = self;
        if of_medians.is_nan() { "–".to_owned() } else { format!("{of_medians:.2} ({least:.2}..{most:.2})") }
    }
}

/// `None` where Cubby was not measured, or nothing that it can be compared with. Where it lost messages, nothing is
/// reached.
fn ratio(row: &Row, samples: &Samples, idle_bytes: f64) -> Option<Ratio> {
    let (_, cubby) = samples.iter().find(|(entrant, _)| entrant.peer == Peer::Cubby)?;
    let own = whole_median(row, cubby).unwrap_or(f64::NAN);
    let is_whole = cubby.iter().all(Sample::is_whole);
    let rivals = |entrant: &Entrant| is_compared(row, entrant.peer);
    let best = |figure: &dyn Fn(&[Sample]) -> Option<f64>| best(row, samples, rivals, figure);
    let best_of_medians = best(&|samples| whole_median(row, samples));
    let of_round = |(round, own): (usize, &Sample)| {
        let best = best(&|samples: &[Sample]| samples.get(round).filter(|sample| sample.is_whole()).map(row.of))?;
        own.is_whole().then(|| ((row.of)(own) / best, (row.of)(own)))
    };
    let rounds: Vec<(f64, f64)> = cubby.iter().enumerate().filter_map(of_round).collect();
    let of_medians = best_of_medians.map_or(f64::NAN, |best| own / best);
    let comparable = best_of_medians.is_some() || matches!(row.aim, Aim::Within(_) | Aim::WithinIdle(_));
    let ratios = || rounds.iter().map(|(ratio, _)| *ratio);
    let (least, most) = (ratios().fold(f64::NAN, f64::min), ratios().fold(f64::NAN, f64::max));
    let meets = |ratio, own| meets(row.aim, ratio, own, idle_bytes);
    let reached = (is_whole || matches!(row.aim, Aim::Nothing { .. })) && meets(of_medians, own);
    let rounds = (rounds.iter().filter(|(ratio, own)| meets(*ratio, *own)).count(), rounds.len());
    comparable.then_some(Ratio { of_medians, least, most, reached, rounds })
}

/// Whether a figure of Cubby's own, and its ratio to the best, are what is asked.
fn meets(aim: Aim, ratio: f64, own: f64, idle_bytes: f64) -> bool {
    match aim {
        Aim::Nothing { .. } => true,
        Aim::AtLeast(times) => ratio >= times,
        Aim::AtMost(times) | Aim::AtMostTheWire(times) => ratio <= times,
        Aim::Within(most) => own <= most,
        Aim::WithinIdle(times) => own <= times * idle_bytes,
    }
}

/// What Cubby has for an idle connection; where that was not measured, what it is asked for.
fn idle_bytes(results: &[(&'static Case, Samples)]) -> f64 {
    let idle = results.iter().find(|(case, _)| matches!(case.work, Work::Idle));
    let cubby = idle.and_then(|(_, samples)| samples.iter().find(|(entrant, _)| entrant.peer == Peer::Cubby));
    cubby.map_or(IDLE_BYTES, |(_, samples)| median(samples.iter().map(|sample| sample.bytes_each)))
}

/// The median of the rounds in which nothing was lost.
fn whole_median(row: &Row, samples: &[Sample]) -> Option<f64> {
    let whole: Vec<f64> = samples.iter().filter(|sample| sample.is_whole()).map(row.of).collect();
    (!whole.is_empty()).then(|| median(whole.into_iter()))
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
