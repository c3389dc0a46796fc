//! The daemon's command line. Each option is one row of `OPTIONS`: its names, its value, its default, its help, and how
//! it is applied.

use crate::common::{OptionRow, usage, wrong_option};
use crate::config::{self, Config};
use crate::machine;
use crate::values::{bytes, number};
use Apply::{Bytes, Count, Flag, Flags, Print, Secs, Value, Values};
use cubby::Limits;
use getopts::{Matches, Options};
use std::time::Duration;

/// What the command line asks the daemon to do.
pub enum Task {
    Serve(Box<Config>),
    Print(String),
}

/// One option.
struct Row {
    short: &'static str,
    long: &'static str,
    /// The name of its value; empty for a flag.
    value: &'static str,
    /// Its default, as `--help` shows it; empty if there is none.
    default: &'static str,
    /// What it does; empty if it shares the line and the text of the next option.
    help: &'static str,
    apply: Apply,
}

/// How an option is applied.
enum Apply {
    /// A flag that is given once.
    #[cfg_attr(not(feature = "ws"), expect(dead_code, reason = "only options of the feature `ws` are such flags"))]
    Flag(fn(&mut Config)),
    /// A flag that may be repeated.
    Flags(fn(&mut Config)),
    /// A flag that prints a text, and the daemon does nothing else.
    Print(fn() -> String),
    /// A limit that is a number.
    Count(fn(&mut Limits) -> &mut usize),
    /// A limit that is a number of bytes.
    Bytes(fn(&mut Limits) -> &mut usize),
    /// A limit that is a number of seconds.
    Secs(fn(&mut Limits) -> &mut Duration),
    /// Another value.
    Value(fn(&mut Config, &str) -> Result<(), String>),
    /// A value that may be repeated.
    Values(fn(&mut Config, &str) -> Result<(), String>),
}

const fn row(
    short: &'static str,
    long: &'static str,
    value: &'static str,
    default: &'static str,
    help: &'static str,
    apply: Apply,
) -> Row {
    Row { short, long, value, default, help, apply }
}

/// All options, in the order in which they are listed and applied. Adding one takes a row here and a section of
/// `deploy/REFERENCE.md`; but keep the list on a screen of 24 lines.
const OPTIONS: &[Row] = &[
    row("l", "listen", "ADDRESS", "127.0.0.1:7070", "HOST:PORT or unix:PATH; repeatable", Values(config::listen)),
    #[cfg(feature = "ws")]
    row("w", "ws", "HOST:PORT", "127.0.0.1:8080", "HTTP and WebSocket; repeatable", Values(config::listen_http)),
    #[cfg(feature = "ws")]
    row("", "origin", "ORIGIN", "", "let web pages from this origin connect; repeatable", Values(config::origin)),
    #[cfg(feature = "ws")]
    row("", "http-read", "", "", "let other machines read rooms over HTTP", Flag(|config| config.http.read = true)),
    row("", "max-connections", "N", "65536", "", Value(config::max_connections)),
    row("", "max-per-address", "N", "0: no limit", "clients", Count(|l| &mut l.max_per_address)),
    row("", "rate", "N", "0: no limit", "requests per second of a client", Value(config::rate)),
    // Before `queue` and `memory`, which it raises.
    row("", "max-body", "BYTES", "1M", "", Value(config::max_body)),
    row("", "max-receivers", "N", "255", "limits on one message", Value(config::max_receivers)),
    row("", "queue", "BYTES", "4M", "a client with more unsent bytes is full", Bytes(|l| &mut l.queue)),
    row("", "when-full", "POLICY", "wait", "then wait, refuse, or close that client", Value(config::when_full)),
    row("", "stall-secs", "SECS", "10", "close a client that is full for this long", Secs(|l| &mut l.stall)),
    row("", "memory", "BYTES", "256M, at most 1/4 of RAM", "unsent and partial data", Value(config::memory)),
    row("", "heartbeat-secs", "SECS", "30", "heartbeat after this much silence; 0: never", Secs(|l| &mut l.heartbeat)),
    row("", "idle-secs", "SECS", "90", "close a client silent for this long; 0: never", Secs(|l| &mut l.idle)),
    row(
        "",
        "frame-secs",
        "SECS",
        "30",
        "close a client whose frame takes longer than this, unless it arrives at 16 KiB/s; 0: never",
        Secs(|l| &mut l.frame_time),
    ),
    row("", "drain-secs", "SECS", "5", "time to send what is queued at shutdown", Secs(|l| &mut l.drain)),
    row("", "max-rooms", "N", "65536", "", Count(|l| &mut l.max_rooms)),
    row("", "rooms-per-session", "N", "256", "limits on rooms", Count(|l| &mut l.rooms_per_session)),
    row("", "history", "N", "1024", "", Count(|l| &mut l.history)),
    row("", "history-bytes", "BYTES", "1M", "that a room remembers", Bytes(|l| &mut l.history_bytes)),
    row("", "history-total", "BYTES", "256M, at most 1/4 of RAM", "history of all rooms", Value(config::history_total)),
    row("", "history-secs", "SECS", "3600", "how long an empty room remembers events", Secs(|l| &mut l.history_time)),
    row("", "event-log", "FILE", "", "", Value(config::event_log)),
    row("", "flush-secs", "SECS", "5", "log events as JSON, flushed every", Value(config::flush_secs)),
    row("v", "verbose", "", "", "", Flags(|config| config.log = Some(log::LevelFilter::Debug))),
    row("", "log", "LEVEL", "info", "error, warn, info, debug (-v), trace or off", Value(config::log_level)),
    row("h", "help", "", "", "", Print(help)),
    row("V", "version", "", "", "print this, or the version; see deploy/REFERENCE.md", Print(version)),
];

fn help() -> String {
    let mut defaults = Vec::new();
    let mut line_help = |row: &Row| {
        defaults.extend(Some(row.default).filter(|default| !default.is_empty()));
        if row.help.is_empty() || defaults.is_empty() {
            return row.help.to_owned();
        }
        format!("{} ({})", row.help, std::mem::take(&mut defaults).join(", "))
    };
    let helps: Vec<String> = OPTIONS.iter().map(&mut line_help).collect();
    let rows: Vec<OptionRow<'_>> =
        OPTIONS.iter().zip(&helps).map(|(row, help)| (row.short, row.long, row.value, help.as_str())).collect();
    usage("Usage: cubbyd [OPTIONS]    runs a Cubby message hub (defaults in parentheses)", &rows)
}

fn version() -> String {
    concat!("cubbyd ", env!("CARGO_PKG_VERSION"), "\n").to_owned()
}

/// What these arguments ask for, or what is wrong with them.
pub fn parse(arguments: &[String]) -> Result<Task, String> {
    let matches = options().parse(arguments).map_err(|fail| wrong_option(&fail, OPTIONS.iter().map(|row| row.long)))?;
    let text = |row: &Row| match row.apply {
        Print(text) if matches.opt_present(row.long) => Some(text()),
        Print(_) | Flag(_) | Flags(_) | Count(_) | Bytes(_) | Secs(_) | Value(_) | Values(_) => None,
    };
    if let Some(text) = OPTIONS.iter().find_map(text) {
        return Ok(Task::Print(text));
    }
    if let Some(argument) = matches.free.first() {
        return Err(format!("unexpected argument {argument:?}"));
    }
    let mut config = Config::default();
    for row in OPTIONS {
        apply(row, &matches, &mut config).map_err(|what| format!("--{}: {what}", row.long))?;
    }
    config.complete(machine::memory())?;
    Ok(Task::Serve(config.into()))
}

/// The options as the parser wants them.
fn options() -> Options {
    let mut options = Options::new();
    for row in OPTIONS {
        match row.apply {
            Flag(_) | Print(_) => options.optflag(row.short, row.long, ""),
            Flags(_) => options.optflagmulti(row.short, row.long, ""),
            Count(_) | Bytes(_) | Secs(_) | Value(_) => options.optopt(row.short, row.long, "", row.value),
            Values(_) => options.optmulti(row.short, row.long, "", row.value),
        };
    }
    options
}

/// Applies an option if it is given.
fn apply(row: &Row, matches: &Matches, config: &mut Config) -> Result<(), String> {
    if !matches.opt_present(row.long) {
        return Ok(());
    }
    if let Flag(set) | Flags(set) = row.apply {
        set(config);
        return Ok(());
    }
    matches.opt_strs(row.long).iter().try_for_each(|text| match row.apply {
        Count(limit) => number(text).map(|number| *limit(&mut config.limits) = number),
        Bytes(limit) => bytes(text).map(|bytes| *limit(&mut config.limits) = bytes),
        Secs(limit) => number(text).map(|secs| *limit(&mut config.limits) = Duration::from_secs(secs)),
        Value(set) | Values(set) => set(config, text),
        Flag(_) | Flags(_) | Print(_) => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_shows_the_defaults_that_the_library_has() {
        for row in OPTIONS {
            let mut config = Config::default();
            let default = row.default.split([',', ':']).next().unwrap_or_default();
            let outcome = match row.apply {
                Count(limit) => number(default).map(|number| *limit(&mut config.limits) = number),
                Bytes(limit) => bytes(default).map(|bytes| *limit(&mut config.limits) = bytes),
                Secs(limit) => number(default).map(|secs| *limit(&mut config.limits) = Duration::from_secs(secs)),
                Value(set) if !default.is_empty() => set(&mut config, default),
                Value(_) | Values(_) | Flag(_) | Flags(_) | Print(_) => Ok(()),
            };
            assert_eq!((outcome, &config.limits), (Ok(()), &Limits::default()), "--{}", row.long);
            assert_eq!(config.flush_every(), Config::default().flush_every(), "--{}", row.long);
        }
    }

    #[test]
    fn the_reference_has_a_section_for_each_option_with_its_default() {
        let page = include_str!("../../../deploy/REFERENCE.md");
        let sections: Vec<(&str, &str)> =
            page.split("\n### `").skip(1).filter_map(|part| part.split_once("`\n\n")).collect();
        let mut rest = sections.iter();
        for row in OPTIONS {
            let short = if row.short.is_empty() { String::new() } else { format!("-{}, ", row.short) };
            let heading = format!("{short}--{} {}", row.long, row.value);
            let (_, text) = rest.find(|section| section.0 == heading.trim_end()).expect(row.long);
            let default = row.default.split([',', ' ']).next().unwrap_or_default().trim_end_matches(':');
            let shown = text.strip_prefix("Default: `").and_then(|text| text.split('`').next()).unwrap_or_default();
            assert_eq!(shown, default, "--{}", row.long);
        }
        #[cfg(feature = "ws")]
        assert_eq!(sections.len(), OPTIONS.len(), "the page has no section of an option that is gone");
    }

    #[test]
    fn no_name_is_given_twice() {
        for names in
            [OPTIONS.iter().map(|row| row.long).collect::<Vec<_>>(), OPTIONS.iter().map(|row| row.short).collect()]
        {
            let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
            let distinct: std::collections::BTreeSet<_> = names.iter().collect();
            assert_eq!(names.len(), distinct.len(), "{names:?}");
        }
    }
}
