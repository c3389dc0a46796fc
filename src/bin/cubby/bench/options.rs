//! The options of `cubby bench`: one table, from which the parser, the help and the checks of combinations come. What
//! the values mean for a run is in `work`.

use crate::common::{nearest, wrong_option};
use getopts::{Matches, Options};

/// Columns before the help of an option.
const HELP_AT: usize = 30;

/// One option.
struct Row {
    short: &'static str,
    long: &'static str,
    /// What it takes; a flag takes nothing.
    takes: &'static str,
    help: &'static str,
    /// Whether a sweep may vary it.
    varies: bool,
    /// Whether the help shows it on one line with the next.
    joined: bool,
    /// Options that it can not be combined with.
    not_with: &'static [&'static str],
    /// The option without which it means nothing.
    only_with: &'static str,
}

const fn row(short: &'static str, long: &'static str, takes: &'static str, help: &'static str) -> Row {
    Row { short, long, takes, help, varies: false, joined: false, not_with: &[], only_with: "" }
}

impl Row {
    const fn varies(self) -> Row {
        Row { varies: true, ..self }
    }

    const fn joined(self) -> Row {
        Row { joined: true, ..self }
    }

    const fn not_with(self, not_with: &'static [&'static str]) -> Row {
        Row { not_with, ..self }
    }

    const fn only_with(self, only_with: &'static str) -> Row {
        Row { only_with, ..self }
    }
}

/// The options that only mean something if messages are sent.
const TRAFFIC: &[&str] = &[
    "relay",
    "groups",
    "pairs",
    "rooms",
    "publishers",
    "size",
    "window",
    "rate",
    "secs",
    "messages",
    "idle",
    "slow",
    "joiners",
    "leavers",
    "spin",
];

/// Every option.
const OPTIONS: [Row; 27] = [
    row("P", "protocol", "NAME", "native, ws, json, nats, redis, mqtt, raw (native)"),
    row("r", "relay", "N", "one sends to N receivers (100)").varies().joined().not_with(&["pairs", "rooms"]),
    row("", "groups", "N", "N such groups (1)").varies().not_with(&["pairs", "rooms"]),
    row("", "pairs", "N", "or N publishers send to one receiver each").varies().not_with(&["rooms", "publishers"]),
    row("", "rooms", "N", "or in N rooms (topics), each of which has").varies(),
    row("", "subscribers", "N", "this number of receivers (10)").varies().only_with("rooms"),
    row("", "publishers", "N", "publishers in each group or room (1)").varies(),
    row("", "rooms-per-session", "N", "of a receiver (1; 255 if over 10,000 sessions)").varies().only_with("rooms"),
    row("", "hold", "N", "no traffic: N sessions only stay connected").varies().not_with(TRAFFIC),
    row("", "churn", "N", "no traffic: N sessions come and go in sequence").varies().not_with(TRAFFIC),
    row("", "size", "BYTES", "of a body: 64, 4K, or a mix 64:80,1K:15 (64)").varies(),
    row("", "window", "N", "closed loop: N in flight of each publisher (64)").varies().not_with(&["rate"]),
    row("", "rate", "N", "open loop: N messages a second in all").varies(),
    row("", "secs", "S", "run for S seconds (8)").varies().joined().not_with(&["messages"]),
    row("", "messages", "N", "until N messages are sent").varies(),
    row("", "rest", "S", "then hold the connections for S seconds (0)").varies().not_with(&["churn"]),
    row("", "idle", "N", "idle connections").varies().joined(),
    row("", "slow", "N", "receivers that never read").varies(),
    row("", "joiners", "N", "sessions that join a second").varies().joined(),
    row("", "leavers", "N", "that leave").varies(),
    row("H", "hub", "ADDRESS", "HOST:PORT or unix:PATH (the protocol's port)"),
    row("p", "pid", "PID", "the hub's process: measure its time and memory"),
    row("", "spin", "", "poll without a pause, on a processor of its own"),
    row("s", "sweep", "NAME=A,B..", "one run for each value of an option: size=16,64"),
    row("j", "json", "", "print one JSON object"),
    row("h", "help", "", "print this").joined(),
    row("V", "version", "", "or the version"),
];

/// The help: no more than a screen.
pub fn help() -> String {
    let mut text = "Usage: cubby bench [OPTIONS]    loads a running hub (defaults in parentheses)\n".to_owned();
    let (mut names, mut helps) = (String::new(), String::new());
    for row in &OPTIONS {
        let short = if row.short.is_empty() { String::new() } else { format!("-{}, ", row.short) };
        match names.is_empty() {
            true => names = format!("  {short:4}--{} {}", row.long, row.takes),
            false => names = format!("{}, {short}--{} {}", names.trim_end(), row.long, row.takes),
        }
        helps.push_str(row.help);
        if row.joined {
            helps.push_str("; ");
        } else {
            text.push_str(&format!("\n{names:HELP_AT$} {helps}"));
            names.clear();
            helps.clear();
        }
    }
    text
}

/// Parses the arguments, or says what is wrong with an option.
pub fn parse(arguments: &[String]) -> Result<Matches, String> {
    let mut options = Options::new();
    for Row { short, long, takes, .. } in &OPTIONS {
        match *takes {
            "" => options.optflag(short, long, ""),
            _ => options.optopt(short, long, "", takes),
        };
    }
    let matches = options.parse(arguments).map_err(|fail| wrong_option(&fail, OPTIONS.iter().map(|row| row.long)))?;
    match matches.free.first() {
        Some(argument) if !matches.opt_present("help") => Err(format!("unexpected argument {argument:?}")),
        _ => Ok(matches),
    }
}

/// Checks that the options for which `has` is true can be combined.
pub fn check(has: impl Fn(&str) -> bool) -> Result<(), String> {
    for row in OPTIONS.iter().filter(|row| has(row.long)) {
        // The order in which the table has them.
        if let Some(other) = row.not_with.iter().find(|other| has(other)) {
            let index = |long: &str| OPTIONS.iter().position(|row| row.long == long);
            let (one, other) = if index(row.long) < index(other) { (row.long, *other) } else { (*other, row.long) };
            return Err(format!("--{one} and --{other} contradict each other"));
        }
        if !row.only_with.is_empty() && !has(row.only_with) {
            return Err(format!("--{} needs --{}", row.long, row.only_with));
        }
    }
    Ok(())
}

/// Checks that a sweep may vary this option.
pub fn check_varies(option: &str) -> Result<(), String> {
    let variable: Vec<&str> = OPTIONS.iter().filter(|row| row.varies).map(|row| row.long).collect();
    if variable.contains(&option) {
        return Ok(());
    }
    let hint =
        nearest(option, variable.iter().copied()).map_or_else(String::new, |known| format!("; did you mean {known}?"));
    Err(format!("--sweep: {option:?} is no option that can be varied{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_fits_a_screen() {
        let help = help();
        assert!(help.lines().count() <= 24, "{help}");
        help.lines().for_each(|line| assert!(line.chars().count() <= 80, "{line}"));
    }

    #[test]
    fn a_row_names_only_options_that_exist() {
        let exists = |name: &&str| OPTIONS.iter().any(|row| row.long == *name);
        for row in &OPTIONS {
            assert!(row.not_with.iter().all(exists), "{}", row.long);
            assert!(row.only_with.is_empty() || exists(&row.only_with), "{}", row.long);
        }
    }
}
