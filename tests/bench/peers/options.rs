//! The command line of the comparison.

use crate::cases::{CASES, Case};
use crate::peer::{ALL, Peer};
use crate::pin::Place;
use std::time::Duration;

/// What was asked for.
pub struct Options {
    pub rounds: usize,
    /// How long a measurement of traffic is.
    pub time: Duration,
    pub place: Place,
    cases: Vec<String>,
    pub only: Vec<Peer>,
}

/// What is asked for where nothing is.
const DEFAULT_ROUNDS: usize = 5;
const DEFAULT_SECS: f64 = 1.0;

impl Options {
    /// The cases chosen, in the order of the table.
    pub fn cases(&self) -> impl Iterator<Item = &'static Case> {
        CASES.iter().filter(|case| self.cases.is_empty() || self.cases.iter().any(|key| key == case.key))
    }
}

/// `None` where help was asked for, and given.
pub fn parse(arguments: &[String]) -> Result<Option<Options>, String> {
    let options = options();
    let given = options.parse(arguments).map_err(|error| error.to_string())?;
    if given.opt_present("help") {
        print!("{}", options.usage("Usage: cargo bench --bench peers -- [OPTIONS]    compares Cubby with other hubs"));
        println!("\nCases: {}\nHubs: {}", keys(&CASES.map(|case| case.key)), keys(&ALL.map(Peer::key)));
        return Ok(None);
    }
    if let Some(free) = given.free.first() {
        return Err(format!("{free} belongs to no option"));
    }
    let list = |name| given.opt_str(name).map(|list| list.split(',').map(str::to_owned).collect::<Vec<_>>());
    let cases = list("case").unwrap_or_default();
    if let Some(unknown) = cases.iter().find(|key| CASES.iter().all(|case| case.key != **key)) {
        return Err(format!("there is no case {unknown}"));
    }
    let named = |key: String| ALL.into_iter().find(|peer| peer.key() == key).ok_or(format!("there is no hub {key}"));
    let only: Option<Vec<Peer>> = list("only").map(|keys| keys.into_iter().map(named).collect()).transpose()?;
    let only = ALL.into_iter().filter(|peer| only.as_ref().is_none_or(|only| only.contains(peer))).collect();
    let rounds = given.opt_get_default("rounds", DEFAULT_ROUNDS).map_err(|error| error.to_string())?;
    let secs = given.opt_get_default("secs", DEFAULT_SECS).map_err(|error| error.to_string())?;
    let time = Duration::try_from_secs_f64(secs).map_err(|error| error.to_string())?;
    if rounds == 0 || time.is_zero() {
        return Err("nothing is measured in no round, or no time".to_owned());
    }
    let place = Place::of(&given.opt_str("place").unwrap_or("apart".to_owned()))?;
    Ok(Some(Options { rounds, time, place, cases, only }))
}

fn options() -> getopts::Options {
    let mut options = getopts::Options::new();
    options.optopt("", "case", "these rows alone, by commas (all)", "CASES");
    options.optopt("", "only", "these hubs alone, by commas (all that are found)", "HUBS");
    options.optopt("", "rounds", &format!("of each case ({DEFAULT_ROUNDS})"), "N");
    options.optopt("", "secs", &format!("of a measurement of traffic ({DEFAULT_SECS})"), "SECS");
    options.optopt(
        "",
        "place",
        "where servers run: apart from the generator, NATS beside it as well; first; any (apart)",
        "PLACE",
    );
    options.optflag("h", "help", "print this");
    // What cargo says to every benchmark.
    options.optflag("", "bench", "");
    options
}

fn keys(keys: &[&str]) -> String {
    keys.join(", ")
}
