//! The daemon: reads the command line, starts the logger, the event log and the hub, and handles signals.

mod allocator;
#[path = "../common/mod.rs"]
mod common;
mod config;
mod event_log;
mod logger;
mod machine;
mod options;
mod values;

use config::Config;
use cubby::{Limits, Server};
use event_log::EventLog;
use options::Task;
use rlimit::Resource;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

/// Descriptors that are not connections: the standard three, the poll, its waker, signals, listeners.
const OWN_DESCRIPTORS: u64 = 16;

/// Descriptors reserved for clients that are only told that the hub is full; or an eighth of all, if that is less.
const SPARE_DESCRIPTORS: u64 = 64;

fn main() -> ExitCode {
    match common::arguments().and_then(|arguments| options::parse(&arguments)) {
        Ok(Task::Serve(config)) => serve(*config),
        Ok(Task::Print(text)) => print(&text),
        Err(what) => {
            complain(&format!("{what} (see cubbyd --help)"));
            ExitCode::from(2)
        }
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("cannot write to standard output: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn complain(text: &str) {
    common::complain("cubbyd", text);
}

fn serve(mut config: Config) -> ExitCode {
    logger::start(config.log);
    #[cfg(feature = "ws")]
    config::warnings(&config).into_iter().for_each(|warning| log::warn!("{warning}"));
    let descriptors = machine::Machine::this().descriptors().unwrap_or(u64::MAX);
    fit_connections(&mut config, raise_descriptor_limit().min(descriptors));
    let available = machine::memory();
    config.memory_warning(available).into_iter().for_each(|warning| log::warn!("{warning}"));
    let Limits { max_connections, memory, history_total, .. } = config.limits;
    log::info!(
        "limits: {max_connections} connections, {} MiB of unsent and partial data, {} MiB of history; memory that this \
         process may have: {}",
        memory >> 20,
        history_total >> 20,
        available.map_or("unknown".to_owned(), |bytes| format!("{} MiB", bytes >> 20))
    );
    let outcome = start(&config).and_then(|(mut server, mut signals, event_log)| {
        announce(&server);
        let outcome = run(&mut server, &mut signals, event_log.as_ref());
        // The server owns the listener that feeds the event log, so the log ends after it.
        drop(server);
        if let Some(event_log) = event_log {
            event_log.end();
        }
        outcome.map_err(|error| format!("polling failed: {error}"))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            complain(&what);
            ExitCode::FAILURE
        }
    }
}

/// Raises the soft limit of descriptors to the hard one and returns the new soft limit.
fn raise_descriptor_limit() -> u64 {
    let (soft, hard) = match Resource::NOFILE.get() {
        Ok(limits) => limits,
        Err(error) => {
            log::warn!("cannot read the descriptor limit: {error}");
            return 1024;
        }
    };
    if let Err(error) = Resource::NOFILE.set(hard, hard) {
        log::warn!("descriptor limit: soft {soft}, hard {hard}; cannot raise the soft limit: {error}");
        return soft;
    }
    log::info!("descriptor limit: soft {soft}, hard {hard}; raised the soft limit to {hard}");
    hard
}

/// Lowers the connection limit to what the descriptors allow, unless the command line sets it.
fn fit_connections(config: &mut Config, descriptors: u64) {
    let possible = descriptors.saturating_sub(OWN_DESCRIPTORS + SPARE_DESCRIPTORS.min(descriptors / 8)).max(1);
    let limit = &mut config.limits.max_connections;
    if !config.has_max_connections {
        *limit = (*limit).min(possible as usize);
    } else if *limit as u64 > possible {
        log::warn!("--max-connections {limit} is more than the {possible} that the descriptor limit allows");
    }
}

type Signals = SignalDelivery<UnixStream, SignalOnly>;

fn start(config: &Config) -> Result<(Server, Signals, Option<EventLog>), String> {
    let mut server = config.bind()?;
    let signals = catch_signals(&mut server).map_err(|error| format!("cannot catch signals: {error}"))?;
    let event_log = match &config.event_log {
        Some(path) => Some(start_event_log(&mut server, path, config)?),
        None => None,
    };
    Ok((server, signals, event_log))
}

/// From now on a signal ends the server's wait, and `run` then reads the signal.
fn catch_signals(server: &mut Server) -> io::Result<Signals> {
    let (caught, raised) = UnixStream::pair()?;
    server.wake_on(caught.try_clone()?)?;
    SignalDelivery::with_pipe(caught, raised, SignalOnly, [SIGTERM, SIGINT, SIGHUP, SIGUSR1])
}

fn start_event_log(server: &mut Server, path: &Path, config: &Config) -> Result<EventLog, String> {
    let started = EventLog::start(path, config.flush_every(), config.limits.memory);
    let (event_log, listener) = started.map_err(|what| format!("--event-log: {what}"))?;
    server.listen_to_all(listener);
    Ok(event_log)
}

fn announce(server: &Server) {
    let mut stdout = io::stdout().lock();
    for address in server.addresses() {
        // It does not matter if nobody reads this.
        let _ = writeln!(stdout, "listening on {address}");
    }
    #[cfg(feature = "ws")]
    for address in server.http_addresses() {
        let _ = writeln!(stdout, "listening on http://{address}");
    }
    let _ = stdout.flush();
}

fn run(server: &mut Server, signals: &mut Signals, event_log: Option<&EventLog>) -> io::Result<()> {
    let mut is_stopping = false;
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
                SIGHUP => event_log.map_or_else(|| log::info!("there is no event log to reopen"), EventLog::flush),
                _ if is_stopping => std::process::exit(128 + signal),
                _ => {
                    log::info!("stopping; a second signal stops at once");
                    is_stopping = true;
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
