//! The daemon: logger, event log, signals, run.

mod allocator;
mod event_log;
mod options;

use cubby::{Limits, Server, SetupError};
use event_log::EventLog;
use options::Config;
use rlimit::Resource;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Descriptors that are no connections: the standard three, the poll, its waker, signals, listeners.
const OWN_DESCRIPTORS: u64 = 16;

/// Descriptors kept for those who are only told that the hub is full; an eighth of all, where there are few.
const SPARE_DESCRIPTORS: u64 = 64;

fn main() -> ExitCode {
    let options = options::options();
    let arguments: Result<Vec<String>, OsString> = std::env::args_os().skip(1).map(OsString::into_string).collect();
    let matches = match arguments.map(|arguments| options.parse(arguments)) {
        Ok(Ok(matches)) => matches,
        Ok(Err(error)) => return wrong_usage(&error.to_string()),
        Err(argument) => return wrong_usage(&format!("{argument:?} is not UTF-8")),
    };
    if matches.opt_present("help") {
        return print(&options::help());
    }
    if matches.opt_present("version") {
        return print(concat!("cubbyd ", env!("CARGO_PKG_VERSION"), "\n"));
    }
    match options::config(&matches) {
        Err(what) => wrong_usage(&what),
        Ok(config) => serve(config),
    }
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
    let Limits { max_connections, memory, history_total, .. } = config.limits;
    log::info!(
        "at most {max_connections} connections, {} MiB queued, {} MiB remembered",
        memory >> 20,
        history_total >> 20
    );
    let outcome = start(&config).and_then(|(mut server, mut signals, event_log)| {
        announce(&server);
        let outcome = run(&mut server, &mut signals, event_log.as_ref());
        // With the server goes the listener, and with that the log ends.
        drop(server);
        if let Some(event_log) = event_log {
            event_log.end();
        }
        outcome.map_err(|error| format!("the poll failed: {error}"))
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

fn start(config: &Config) -> Result<(Server, Signals, Option<EventLog>), String> {
    let builder = Server::builder().limits(config.limits.clone());
    let builder = config.addresses.iter().fold(builder, cubby::Builder::listen);
    #[cfg(feature = "ws")]
    let builder = config.http.origins.iter().fold(builder, cubby::Builder::origin).http_read(config.http.read);
    #[cfg(feature = "ws")]
    let builder = config.http.addresses.iter().fold(builder, cubby::Builder::listen_http);
    let mut server = builder.bind().map_err(|error| explain(&error, config))?;
    let signals = catch_signals(&mut server).map_err(|error| format!("can not catch signals: {error}"))?;
    let event_log = match &config.event_log {
        Some((path, flush_every)) => Some(start_event_log(&mut server, path, *flush_every)?),
        None => None,
    };
    Ok((server, signals, event_log))
}

/// What went wrong, and which option helps where it is about an address for HTTP.
fn explain(error: &SetupError, config: &Config) -> String {
    #[cfg(feature = "ws")]
    if matches!(error, SetupError::Listen { address, .. } if config.http.addresses.contains(address)) {
        return error.to_string().replace("--listen", "--ws");
    }
    #[cfg(not(feature = "ws"))]
    let _ = config;
    error.to_string()
}

fn start_event_log(server: &mut Server, path: &Path, flush_every: Duration) -> Result<EventLog, String> {
    let failed =
        |error| format!("can not write the event log {}: {error}; choose a file with --event-log", path.display());
    let (event_log, listener) = EventLog::start(path, flush_every).map_err(failed)?;
    server.listen_to_all(listener);
    Ok(event_log)
}

/// From here on a signal gives the server a turn, and `run` looks at it after.
fn catch_signals(server: &mut Server) -> io::Result<Signals> {
    let (caught, raised) = UnixStream::pair()?;
    server.wake_on(caught.try_clone()?)?;
    SignalDelivery::with_pipe(caught, raised, SignalOnly, [SIGTERM, SIGINT, SIGHUP, SIGUSR1])
}

fn announce(server: &Server) {
    let mut stdout = io::stdout().lock();
    for address in server.addresses() {
        // Whoever started it need not listen.
        let _ = writeln!(stdout, "listening on {address}");
    }
    #[cfg(feature = "ws")]
    for address in server.http_addresses() {
        let _ = writeln!(stdout, "listening on http://{address}");
    }
    let _ = stdout.flush();
}

fn run(server: &mut Server, signals: &mut Signals, event_log: Option<&EventLog>) -> io::Result<()> {
    let mut stopping = false;
    while server.turn(None)? {
        if server.has_eased() {
            allocator::give_back();
        }
        if !server.was_woken() {
            continue;
        }
        for signal in signals.pending() {
            match signal {
                SIGUSR1 => log_statistics(server, event_log),
                SIGHUP => event_log.map_or_else(|| log::info!("there is no event log to open anew"), EventLog::flush),
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

fn log_statistics(server: &Server, event_log: Option<&EventLog>) {
    let stats = server.stats();
    log::info!("statistics: {stats}");
    log::info!("all counters: {}", stats.to_json());
    if let Some([lines, failures, dropped]) = event_log.map(EventLog::counts) {
        log::info!("event log: lines {lines} failures {failures} dropped {dropped}");
    }
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
