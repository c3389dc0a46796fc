//! The daemon: options, logger, signals, run.
#![forbid(unsafe_code)]

use cubby::{Limits, Server, SetupError};
use getopts::{Matches, Options};
use rlimit::Resource;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::str::FromStr;

/// Where it listens when not told.
const DEFAULT_ADDRESS: &str = "127.0.0.1:7070";

/// Descriptors that are no connections: the standard three, the poll, its waker, signals, listeners.
const OWN_DESCRIPTORS: u64 = 16;

/// Descriptors kept for those who are only told that the hub is full; an eighth of all, where there are few.
const SPARE_DESCRIPTORS: u64 = 64;

/// What the command line asked for.
struct Config {
    addresses: Vec<String>,
    limits: Limits,
    log: Option<log::LevelFilter>,
    /// Whether `--max-connections` was given, rather than to be derived from the descriptor limit.
    fixed_connections: bool,
}

fn main() -> ExitCode {
    let options = options();
    let arguments: Result<Vec<String>, OsString> = std::env::args_os().skip(1).map(OsString::into_string).collect();
    let matches = match arguments.map(|arguments| options.parse(arguments)) {
        Ok(Ok(matches)) => matches,
        Ok(Err(error)) => return wrong_usage(&error.to_string()),
        Err(argument) => return wrong_usage(&format!("{argument:?} is not UTF-8")),
    };
    if matches.opt_present("help") {
        return print(&options.usage("Usage: cubbyd [OPTIONS]\n\nRuns a Cubby message hub in the foreground."));
    }
    if matches.opt_present("version") {
        return print(concat!("cubbyd ", env!("CARGO_PKG_VERSION"), "\n"));
    }
    match config(&matches) {
        Err(what) => wrong_usage(&what),
        Ok(config) => serve(config),
    }
}

fn options() -> Options {
    let mut options = Options::new();
    options
        .optmulti("l", "listen", "listen there; may be repeated (default 127.0.0.1:7070)", "HOST:PORT|unix:PATH")
        .optopt("", "max-connections", "clients at once (default: as many as descriptors allow)", "N")
        .optopt("", "max-body", "bytes in one relayed body, as in 512K or 1M (default 1M)", "BYTES")
        .optopt("", "max-receivers", "receivers of one relay (default 255)", "N")
        .optflagmulti("v", "verbose", "log each connection; the same as --log debug")
        .optopt("", "log", "off, error, warn, info (default), debug or trace; RUST_LOG does as well", "LEVEL")
        .optflag("h", "help", "print this help")
        .optflag("V", "version", "print the version");
    options
}

fn config(matches: &Matches) -> Result<Config, String> {
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
    limits.check().map_err(|error| format!("--{error}"))?;
    let mut addresses = matches.opt_strs("listen");
    if addresses.is_empty() {
        addresses.push(DEFAULT_ADDRESS.to_owned());
    }
    for address in &addresses {
        address.parse::<cubby::Address>().map_err(|error| format!("--listen: {error}"))?;
    }
    Ok(Config { addresses, limits, log: log_level(matches)?, fixed_connections })
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

fn serve(mut config: Config) -> ExitCode {
    start_logger(config.log);
    let descriptors = raise_descriptor_limit();
    let room = descriptors.saturating_sub(OWN_DESCRIPTORS + SPARE_DESCRIPTORS.min(descriptors / 8)).max(1);
    let asked = config.limits.max_connections;
    if !config.fixed_connections {
        config.limits.max_connections = asked.min(room as usize);
    } else if asked as u64 > room {
        log::warn!("--max-connections {asked} is more than the {room} that the descriptor limit has room for");
    }
    log::info!("at most {} connections", config.limits.max_connections);
    let outcome = start(&config).and_then(|(mut server, mut signals)| {
        announce(&server);
        run(&mut server, &mut signals).map_err(|error| format!("the poll failed: {error}"))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            complain(&what);
            ExitCode::FAILURE
        }
    }
}

fn start_logger(level: Option<log::LevelFilter>) {
    match level {
        Some(level) => env_logger::Builder::new().filter_level(level).init(),
        None => env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init(),
    }
}

/// Raises the soft limit of descriptors to the hard one; returns what it is then.
fn raise_descriptor_limit() -> u64 {
    let (soft, hard) = match Resource::NOFILE.get() {
        Ok(limits) => limits,
        Err(error) => {
            log::warn!("can not read the descriptor limit: {error}");
            return 1024;
        }
    };
    if let Err(error) = Resource::NOFILE.set(hard, hard) {
        log::warn!("descriptor limit: soft {soft}, hard {hard}; can not raise the soft one: {error}");
        return soft;
    }
    log::info!("descriptor limit: soft {soft}, hard {hard}; soft is {hard} now");
    hard
}

type Signals = SignalDelivery<UnixStream, SignalOnly>;

fn start(config: &Config) -> Result<(Server, Signals), String> {
    let builder = Server::builder().limits(config.limits.clone());
    let builder = config.addresses.iter().fold(builder, cubby::Builder::listen);
    let mut server = builder.bind().map_err(|error: SetupError| error.to_string())?;
    let signals = catch_signals(&mut server).map_err(|error| format!("can not catch signals: {error}"))?;
    Ok((server, signals))
}

/// From here on a signal gives the server a turn, and `run` looks at it after.
fn catch_signals(server: &mut Server) -> io::Result<Signals> {
    let (caught, raised) = UnixStream::pair()?;
    server.wake_on(caught.try_clone()?)?;
    SignalDelivery::with_pipe(caught, raised, SignalOnly, [SIGTERM, SIGINT, SIGUSR1])
}

fn announce(server: &Server) {
    let mut stdout = io::stdout().lock();
    for address in server.addresses() {
        // Whoever started it need not listen.
        let _ = writeln!(stdout, "listening on {address}");
    }
    let _ = stdout.flush();
}

fn run(server: &mut Server, signals: &mut Signals) -> io::Result<()> {
    let mut stopping = false;
    while server.turn(None)? {
        if !server.was_woken() {
            continue;
        }
        for signal in signals.pending() {
            match signal {
                SIGUSR1 => log::info!("statistics: {}", server.stats()),
                _ if stopping => std::process::exit(128 + signal),
                _ => {
                    log::info!("stopping; a second signal stops at once");
                    stopping = true;
                    server.stop();
                }
            }
        }
    }
    log::info!("stopped: {}", server.stats());
    Ok(())
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("can not write to standard output: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn wrong_usage(what: &str) -> ExitCode {
    complain(&format!("{what}; see cubbyd --help"));
    ExitCode::from(2)
}

/// Says something on standard error. Where nobody reads that, there is nobody to tell.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "cubbyd: {}", cubby::escape_unfit(text));
}
