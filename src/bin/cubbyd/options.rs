//! The daemon's command line: its options, and what they ask for.

use cubby::{IfFull, Limits, OptionRow};
use getopts::{Matches, Options};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Where it listens when not told.
const DEFAULT_ADDRESS: &str = "127.0.0.1:7070";

/// Where it listens for HTTP and WebSocket when it is told of no address at all.
#[cfg(feature = "ws")]
const DEFAULT_HTTP_ADDRESS: &str = "127.0.0.1:8080";

/// How often the event log is flushed at least, when not told.
const DEFAULT_FLUSH_SECS: u64 = 5;

/// The longest time between two flushes that may be asked for: a day.
const MAX_FLUSH_SECS: u64 = 86_400;

/// The least memory that is taken where none was asked for, however small the machine is.
const MIN_MEMORY: usize = 1 << 20;

/// What the command line asked for.
pub struct Config {
    pub addresses: Vec<String>,
    #[cfg(feature = "ws")]
    pub http: Http,
    pub limits: Limits,
    /// The event log's file, and how often it is flushed at least.
    pub event_log: Option<(PathBuf, Duration)>,
    pub log: Option<log::LevelFilter>,
    /// Whether `--max-connections` was given, rather than to be derived from the descriptor limit.
    pub fixed_connections: bool,
}

/// What it was asked of HTTP and WebSocket.
#[cfg(feature = "ws")]
pub struct Http {
    pub addresses: Vec<String>,
    pub origins: Vec<String>,
    /// Rooms may be looked into from other machines.
    pub read: bool,
}

/// Every option.
const OPTIONS: &[OptionRow] = &[
    ("l", "listen", "ADDRESS", "HOST:PORT or unix:PATH; repeatable (127.0.0.1:7070)"),
    #[cfg(feature = "ws")]
    ("w", "ws", "HOST:PORT", "for browsers, scripts; repeatable (127.0.0.1:8080)"),
    #[cfg(feature = "ws")]
    ("", "origin", "ORIGIN", "whose pages may ask as well; repeatable"),
    #[cfg(feature = "ws")]
    ("", "http-read", "", "show rooms over HTTP, and not just to loopback"),
    ("", "max-connections", "N", ""),
    ("", "max-per-address", "N", "clients at once (65536, 0: any)"),
    ("", "rate", "N", "requests a second of one client (0: no limit)"),
    ("", "max-body", "BYTES", ""),
    ("", "max-receivers", "N", "in one body, of one relay (1M, 255)"),
    ("", "queue", "BYTES", "unread by one client before it is full (4M)"),
    ("", "when-full", "POLICY", "then wait, refuse, or close that client (wait)"),
    ("", "stall-secs", "SECS", "full for so long, it is closed (10)"),
    ("", "memory", "BYTES", "queued, half received (256M, a quarter of the host)"),
    ("", "heartbeat-secs", "SECS", "nothing said for so long, a beat is; 0: none (30)"),
    ("", "idle-secs", "SECS", "nothing heard so long, it is closed; 0: never (90)"),
    ("", "frame-secs", "SECS", "for a frame, if not at 16 KiB/s; 0: any time (30)"),
    ("", "drain-secs", "SECS", "at the end, to send what is queued (5)"),
    ("", "max-rooms", "N", ""),
    ("", "rooms-per-session", "N", "in all, of one client (65536, 256)"),
    ("", "history", "N", ""),
    ("", "history-bytes", "BYTES", "that a room remembers (1024, 1M)"),
    ("", "history-total", "BYTES", "all rooms remember (256M, a quarter of the host)"),
    ("", "history-secs", "SECS", "how long an empty room remembers them (3600)"),
    ("", "event-log", "FILE", ""),
    ("", "flush-secs", "SECS", "append events there as JSON (5)"),
    ("v", "verbose", "", ""),
    ("", "log", "LEVEL", "error, warn, info, debug (-v), trace or off (info)"),
    ("h", "help", "", ""),
    ("V", "version", "", "print this, or the version"),
];

/// Every option, to be parsed.
pub fn options() -> Options {
    let mut options = Options::new();
    for &(short, long, takes, _) in OPTIONS {
        match (long, takes) {
            ("listen" | "ws" | "origin", _) => options.optmulti(short, long, "", takes),
            ("verbose", _) => options.optflagmulti(short, long, ""),
            (_, "") => options.optflag(short, long, ""),
            _ => options.optopt(short, long, "", takes),
        };
    }
    options
}

/// What `--help` prints: no more than a screen.
pub fn help() -> String {
    cubby::usage("Usage: cubbyd [OPTIONS]    runs a Cubby message hub (defaults in parentheses)", OPTIONS)
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
    set(&mut limits.max_per_address, number(matches, "max-per-address")?);
    set(&mut limits.rate, number(matches, "rate")?);
    pressure(&mut limits, matches)?;
    set(&mut limits.max_rooms, number(matches, "max-rooms")?);
    set(&mut limits.rooms_per_session, number(matches, "rooms-per-session")?);
    set(&mut limits.history, number(matches, "history")?);
    set(&mut limits.history_bytes, size(matches, "history-bytes")?);
    let history_total = size(matches, "history-total")?.or(quarter_of_the_host(limits.history_total));
    set(&mut limits.history_total, history_total);
    set(&mut limits.history_time, secs(matches, "history-secs")?);
    set(&mut limits.heartbeat, secs(matches, "heartbeat-secs")?);
    set(&mut limits.idle, secs(matches, "idle-secs")?);
    set(&mut limits.frame_time, secs(matches, "frame-secs")?);
    set(&mut limits.drain, secs(matches, "drain-secs")?);
    limits.check().map_err(|error| format!("--{error}"))?;
    let mut addresses = matches.opt_strs("listen");
    #[cfg(feature = "ws")]
    let http = http(matches, addresses.is_empty())?;
    #[cfg(feature = "ws")]
    let is_silent = addresses.is_empty() && !matches.opt_present("ws");
    #[cfg(not(feature = "ws"))]
    let is_silent = addresses.is_empty();
    if is_silent {
        addresses.push(DEFAULT_ADDRESS.to_owned());
    }
    for address in &addresses {
        match address.parse() {
            Ok(cubby::Address::Ws { .. }) => {
                return Err(format!("--listen: {address:?} is where clients connect; --ws HOST:PORT listens for them"));
            }
            Ok(_) => {}
            Err(error) => return Err(format!("--listen: {error}")),
        }
    }
    Ok(Config {
        addresses,
        #[cfg(feature = "ws")]
        http,
        limits,
        event_log: event_log(matches)?,
        log: log_level(matches)?,
        fixed_connections,
    })
}

/// What is asked of HTTP and WebSocket. They have a default address only where no address is given `at_all`.
#[cfg(feature = "ws")]
fn http(matches: &Matches, at_all: bool) -> Result<Http, String> {
    let mut addresses = matches.opt_strs("ws");
    if addresses.is_empty() && at_all {
        addresses.push(DEFAULT_HTTP_ADDRESS.to_owned());
    }
    for address in &addresses {
        match address.parse() {
            Ok(cubby::Address::Tcp(_)) => {}
            Ok(_) => return Err(format!("--ws: {address:?} is no HOST:PORT")),
            Err(error) => return Err(format!("--ws: {error}")),
        }
    }
    let origins = matches.opt_strs("origin");
    let is_origin = |origin: &&String| {
        origin
            .split_once("://")
            .is_some_and(|(scheme, host)| !scheme.is_empty() && !host.is_empty() && !host.contains('/'))
    };
    if let Some(origin) = origins.iter().find(|origin| !is_origin(origin)) {
        return Err(format!("--origin: {origin:?} is no origin, as in https://example.org or http://127.0.0.1:3000"));
    }
    Ok(Http { addresses, origins, read: matches.opt_present("http-read") })
}

/// What is asked of the limits for those who do not read.
fn pressure(limits: &mut Limits, matches: &Matches) -> Result<(), String> {
    set(&mut limits.queue, size(matches, "queue")?);
    set(&mut limits.stall, secs(matches, "stall-secs")?);
    let memory = size(matches, "memory")?.or(quarter_of_the_host(limits.memory));
    set(&mut limits.memory, memory);
    limits.if_full = match matches.opt_str("when-full").as_deref() {
        None | Some("wait") => IfFull::Wait,
        Some("refuse") => IfFull::Refuse,
        Some("close") => IfFull::Close,
        Some(other) => return Err(format!("--when-full: {other:?} is none of wait, refuse, close")),
    };
    Ok(())
}

/// A quarter of what this machine may have, or the container that this is, where that is less.
fn quarter_of_the_host(most: usize) -> Option<usize> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    let machine = total.and_then(|kilobytes| kilobytes.parse::<u64>().ok()).map(|kilobytes| kilobytes * 1024);
    // "max" is no number, and no limit.
    let container = std::fs::read_to_string("/sys/fs/cgroup/memory.max").unwrap_or_default();
    let least = machine.into_iter().chain(container.trim().parse().ok()).min()?;
    usize::try_from(least / 4).ok().filter(|quarter| *quarter < most).map(|quarter| quarter.max(MIN_MEMORY))
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

fn secs(matches: &Matches, option: &str) -> Result<Option<Duration>, String> {
    Ok(number(matches, option)?.map(Duration::from_secs))
}

/// A number of bytes, with K, M or G for powers of 1024.
fn size<T: TryFrom<u64>>(matches: &Matches, option: &str) -> Result<Option<T>, String> {
    let parse = |text: String| {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let shift = match &text[digits.len()..] {
            "" => Some(0),
            "K" | "k" => Some(10),
            "M" | "m" => Some(20),
            "G" | "g" => Some(30),
            _ => None,
        };
        let bytes = digits.parse::<u64>().ok().zip(shift).and_then(|(number, shift)| number.checked_mul(1 << shift));
        let bytes = bytes.and_then(|bytes| T::try_from(bytes).ok());
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
