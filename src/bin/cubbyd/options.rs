//! The daemon's command line: its options, and what they ask for.

use cubby::Limits;
use getopts::{Matches, Options};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Where it listens when not told.
const DEFAULT_ADDRESS: &str = "127.0.0.1:7070";

/// How often the event log is flushed at least, when not told.
const DEFAULT_FLUSH_SECS: u64 = 5;

/// The longest time between two flushes that may be asked for: a day.
const MAX_FLUSH_SECS: u64 = 86_400;

/// What the command line asked for.
pub struct Config {
    pub addresses: Vec<String>,
    pub limits: Limits,
    /// The event log's file, and how often it is flushed at least.
    pub event_log: Option<(PathBuf, Duration)>,
    pub log: Option<log::LevelFilter>,
    /// Whether `--max-connections` was given, rather than to be derived from the descriptor limit.
    pub fixed_connections: bool,
}

/// Every option, with its help.
pub fn options() -> Options {
    let mut options = Options::new();
    options
        .optmulti("l", "listen", "listen there; may be repeated (default 127.0.0.1:7070)", "HOST:PORT|unix:PATH")
        .optopt("", "max-connections", "clients at once (default: as many as descriptors allow)", "N")
        .optopt("", "max-body", "bytes in one relayed body, as in 512K or 1M (default 1M)", "BYTES")
        .optopt("", "max-receivers", "receivers of one relay (default 255)", "N")
        .optopt("", "max-rooms", "rooms in the hub (default 65536)", "N")
        .optopt("", "rooms-per-session", "rooms that one session may be in (default 256)", "N")
        .optopt("", "history", "events that a room remembers (default 1024)", "N")
        .optopt("", "history-bytes", "bytes of their bodies (default 1M)", "BYTES")
        .optopt("", "history-secs", "how long a room that nobody is in remembers them (default 3600)", "SECS")
        .optopt("", "event-log", "append each event of every room there, as a line of JSON", "FILE")
        .optopt("", "flush-secs", "how often the event log is written at least (default 5)", "SECS")
        .optflagmulti("v", "verbose", "log each connection; the same as --log debug")
        .optopt("", "log", "off, error, warn, info (default), debug or trace; RUST_LOG does as well", "LEVEL")
        .optflag("h", "help", "print this help")
        .optflag("V", "version", "print the version");
    options
}

/// What the options ask for, or what is wrong with them.
pub fn config(matches: &Matches) -> Result<Config, String> {
    if let Some(argument) = matches.free.first() {
        return Err(format!("unexpected argument {argument:?}"));
    }
    let mut limits = Limits::default();
    let fixed_connections = matches.opt_present("max-connections");
    set(&mut limits.max_connections, number(matches, "max-connections")?);
    if let Some(bytes) = size(matches, "max-body")? {
        limits.set_max_body(bytes);
    }
    set(&mut limits.max_receivers, number(matches, "max-receivers")?);
    set(&mut limits.max_rooms, number(matches, "max-rooms")?);
    set(&mut limits.rooms_per_session, number(matches, "rooms-per-session")?);
    set(&mut limits.history, number(matches, "history")?);
    set(&mut limits.history_bytes, size(matches, "history-bytes")?.map(|bytes| bytes as usize));
    set(&mut limits.history_time, number(matches, "history-secs")?.map(Duration::from_secs));
    limits.check().map_err(|error| format!("--{error}"))?;
    let mut addresses = matches.opt_strs("listen");
    if addresses.is_empty() {
        addresses.push(DEFAULT_ADDRESS.to_owned());
    }
    for address in &addresses {
        address.parse::<cubby::Address>().map_err(|error| format!("--listen: {error}"))?;
    }
    Ok(Config { addresses, limits, event_log: event_log(matches)?, log: log_level(matches)?, fixed_connections })
}

fn event_log(matches: &Matches) -> Result<Option<(PathBuf, Duration)>, String> {
    let secs = number(matches, "flush-secs")?;
    if secs.is_some_and(|secs| !(1..=MAX_FLUSH_SECS).contains(&secs)) {
        return Err(format!("--flush-secs must be from 1 to {MAX_FLUSH_SECS}"));
    }
    match matches.opt_str("event-log") {
        Some(file) if file.is_empty() => Err("--event-log: the file's name is empty".to_owned()),
        Some(file) => Ok(Some((file.into(), Duration::from_secs(secs.unwrap_or(DEFAULT_FLUSH_SECS))))),
        None if secs.is_some() => Err("--flush-secs goes with --event-log".to_owned()),
        None => Ok(None),
    }
}

fn set<T>(limit: &mut T, asked: Option<T>) {
    if let Some(asked) = asked {
        *limit = asked;
    }
}

fn number<T: FromStr>(matches: &Matches, option: &str) -> Result<Option<T>, String> {
    let parse = |text: String| text.parse().map_err(|_| format!("--{option}: {text:?} is not a number that will do"));
    matches.opt_str(option).map(parse).transpose()
}

/// A number of bytes, with K, M or G for powers of 1024.
fn size(matches: &Matches, option: &str) -> Result<Option<u32>, String> {
    let parse = |text: String| {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let shift = match &text[digits.len()..] {
            "" => Some(0),
            "K" | "k" => Some(10),
            "M" | "m" => Some(20),
            "G" | "g" => Some(30),
            _ => None,
        };
        let bytes = digits.parse::<u32>().ok().zip(shift).and_then(|(number, shift)| number.checked_mul(1 << shift));
        bytes.ok_or_else(|| format!("--{option}: {text:?} is not a size that will do, as in 65536, 512K or 1M"))
    };
    matches.opt_str(option).map(parse).transpose()
}

fn log_level(matches: &Matches) -> Result<Option<log::LevelFilter>, String> {
    if let Some(level) = matches.opt_str("log") {
        let wrong = |_| format!("--log: {level:?} is none of off, error, warn, info, debug, trace");
        return level.parse().map(Some).map_err(wrong);
    }
    Ok(matches.opt_present("verbose").then_some(log::LevelFilter::Debug))
}
