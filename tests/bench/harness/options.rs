//! The options that the comparisons share: which cases, how many rounds, how long.

use getopts::Matches;
use std::time::Duration;

/// The defaults.
const ROUNDS: usize = 5;
const SECS: f64 = 1.0;

/// What was asked for.
pub struct Options {
    pub rounds: usize,
    /// How long each measurement of traffic is.
    pub time: Duration,
    /// The keys of the cases; empty for all.
    cases: Vec<String>,
}

impl Options {
    /// Whether the case of this key was asked for.
    pub fn wants(&self, key: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|wanted| wanted == key)
    }
}

/// The options for getopts. A benchmark adds its own.
pub fn options() -> getopts::Options {
    let mut options = getopts::Options::new();
    options.optopt("", "case", "only these cases, separated by commas (all)", "CASES");
    options.optopt("", "rounds", &format!("rounds of each case ({ROUNDS})"), "N");
    options.optopt("", "secs", &format!("length of each measurement of traffic ({SECS})"), "SECS");
    options.optflag("h", "help", "print this");
    // Cargo passes this to every benchmark.
    options.optflag("", "bench", "");
    options
}

/// The values of an option that are separated by commas.
pub fn list(matches: &Matches, name: &str) -> Vec<String> {
    let list = matches.opt_str(name).unwrap_or_default();
    list.split(',').filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

/// Reads the shared options. `known` are the keys of the cases that exist.
pub fn read(matches: &Matches, known: &[&str]) -> Result<Options, String> {
    if let Some(free) = matches.free.first() {
        return Err(format!("unexpected argument {free:?}"));
    }
    let cases = list(matches, "case");
    if let Some(unknown) = cases.iter().find(|key| !known.contains(&key.as_str())) {
        return Err(format!("there is no case {unknown}; choose from {}", known.join(", ")));
    }
    let rounds = matches.opt_get_default("rounds", ROUNDS).map_err(|error| error.to_string())?;
    let secs = matches.opt_get_default("secs", SECS).map_err(|error| error.to_string())?;
    let time = Duration::try_from_secs_f64(secs).map_err(|error| error.to_string())?;
    if rounds == 0 || time.is_zero() {
        return Err("--rounds and --secs must be above 0".to_owned());
    }
    Ok(Options { rounds, time, cases })
}
