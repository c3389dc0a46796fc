//! Prints the table: medians of the rounds, ratios, and whether Cubby's JSON reaches its targets.

use crate::cases::{Case, Row, Target};
use crate::entrant::Entrant;
use crate::harness::sample::{Sample, median};
use std::collections::BTreeMap;

/// The samples of each, round by round. A measurement that failed is `None`.
pub type Samples = BTreeMap<Entrant, Vec<Option<Sample>>>;

/// The figures of one, round by round; none for a round in which messages were lost.
fn figures<'a>(row: &'a Row, samples: &'a Samples, entrant: Entrant) -> impl Iterator<Item = Option<f64>> + 'a {
    let rounds = samples.get(&entrant).map(Vec::as_slice).unwrap_or_default();
    rounds.iter().map(|sample| sample.as_ref().filter(|sample| sample.is_whole()).map(row.of))
}

/// The ratio of JSON's figure to another one's: the median of the rounds, the least, the most.
fn ratio(row: &Row, samples: &Samples, other: Entrant) -> Option<[f64; 3]> {
    let pairs = figures(row, samples, Entrant::Json).zip(figures(row, samples, other));
    let ratios: Vec<f64> = pairs.filter_map(|(own, its)| Some(own? / its?)).collect();
    let (least, most) = (ratios.iter().copied().reduce(f64::min)?, ratios.iter().copied().reduce(f64::max)?);
    Some([median(ratios.into_iter()), least, most])
}

/// Prints the table of these columns in Markdown, and returns how many rows miss their target.
pub fn print(results: &[(&'static Case, Samples)], columns: &[Entrant]) -> usize {
    let keys: Vec<&str> = columns.iter().map(|entrant| entrant.key()).collect();
    println!("| case | {} | JSON's ratio (rounds) | target | reached |", keys.join(" | "));
    println!("|---|{}---|---|---|", "---:|".repeat(columns.len()));
    let mut missed = 0;
    for (case, samples) in results {
        for row in case.rows {
            let (ratios, target, reached) = judged(row, samples, columns);
            let reached = reached.map_or("", |reached| if reached { "yes" } else { "**no**" });
            missed += usize::from(reached == "**no**");
            let cells: Vec<String> = columns.iter().map(|entrant| cell(row, samples, *entrant)).collect();
            println!("| {} | {} | {ratios} | {target} | {reached} |", row.title, cells.join(" | "));
        }
    }
    missed
}

fn cell(row: &Row, samples: &Samples, entrant: Entrant) -> String {
    let whole: Vec<f64> = figures(row, samples, entrant).flatten().collect();
    if whole.is_empty() {
        return "–".to_owned();
    }
    let median = median(whole.into_iter());
    if median < 100.0 { format!("{median:.3}") } else { format!("{median:.0}") }
}

/// The ratios that matter in a row, its target, and whether it is reached, if it has one.
fn judged(row: &Row, samples: &Samples, columns: &[Entrant]) -> (String, String, Option<bool>) {
    let against = |others: &[Entrant], meets: &dyn Fn(f64) -> bool| {
        let all: Vec<_> = others.iter().filter_map(|other| Some((other, ratio(row, samples, *other)?))).collect();
        let words = all
            .iter()
            .map(|(other, [median, least, most])| format!("{median:.2} to {} ({least:.2}..{most:.2})", other.key()));
        (words.collect::<Vec<_>>().join(", "), !all.is_empty() && all.iter().all(|(_, [median, ..])| meets(*median)))
    };
    let rivals: Vec<Entrant> = columns.iter().copied().filter(|entrant| entrant.is_rival()).collect();
    match row.target {
        Target::TimesNative(times) => {
            let (words, reached) = against(&[Entrant::Native], &|ratio| ratio <= times);
            (words, format!("≤ {times} × native"), Some(reached))
        }
        Target::More(times) => {
            let (words, reached) = against(&rivals, &|ratio| ratio >= times);
            (words, format!("≥ {times} × each"), Some(reached).filter(|_| !rivals.is_empty()))
        }
        Target::Less(times) => {
            let (words, reached) = against(&rivals, &|ratio| ratio <= 1.0 / times);
            (words, format!("≤ 1/{times} of each"), Some(reached).filter(|_| !rivals.is_empty()))
        }
        Target::Within(most) => {
            let own = median(figures(row, samples, Entrant::Json).flatten());
            (String::new(), format!("≤ {most}"), Some(own <= most))
        }
        Target::Shown => {
            let others: Vec<Entrant> = columns.iter().copied().filter(|entrant| *entrant != Entrant::Json).collect();
            (against(&others, &|_| true).0, String::new(), None)
        }
    }
}
