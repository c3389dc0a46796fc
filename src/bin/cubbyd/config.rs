//! What the daemon is asked to do: the values that options set, what follows if they are not given, and which of them
//! do not fit together.

use crate::values::{bytes, number};
use cubby::{Address, Builder, IfFull, Limits, Server, SetupError};
use std::path::PathBuf;
use std::time::Duration;

/// Where the daemon listens if the command line names no address.
const DEFAULT_ADDRESS: &str = "127.0.0.1:7070";

/// Where it then listens for HTTP and WebSocket.
#[cfg(feature = "ws")]
const DEFAULT_HTTP_ADDRESS: &str = "127.0.0.1:8080";

/// How often the event log is flushed by default.
const DEFAULT_FLUSH_SECS: u64 = 5;

/// The longest time between two flushes: a day.
const MAX_FLUSH_SECS: u64 = 86_400;

/// A limit that follows from the memory that there is, is never lower than this.
const MIN_MEMORY: usize = 1 << 20;

/// What the command line asks for.
#[derive(Default)]
pub struct Config {
    pub addresses: Vec<String>,
    #[cfg(feature = "ws")]
    pub http: Http,
    pub limits: Limits,
    /// The event log's file.
    pub event_log: Option<PathBuf>,
    flush_secs: Option<u64>,
    /// The log level; if there is none, the environment decides.
    pub log: Option<log::LevelFilter>,
    /// The limits that the command line sets. If it does not, they follow from the machine.
    pub has_max_connections: bool,
    has_memory: bool,
    has_history_total: bool,
}

/// What the command line asks for about HTTP and WebSocket.
#[cfg(feature = "ws")]
#[derive(Default)]
pub struct Http {
    pub addresses: Vec<String>,
    pub origins: Vec<String>,
    /// Whether other machines may read rooms.
    pub read: bool,
}

impl Config {
    /// Fills in what was not given and checks that everything fits together. `available`: bytes of memory that this
    /// process may have, if that is known.
    pub fn complete(&mut self, available: Option<u64>) -> Result<(), String> {
        if let Some(available) = available {
            self.fit_memory(usize::try_from(available).unwrap_or(usize::MAX));
        }
        self.limits.check().map_err(|error| format!("--{error}"))?;
        if self.flush_secs.is_some() && self.event_log.is_none() {
            return Err("--flush-secs needs --event-log".to_owned());
        }
        #[cfg(feature = "ws")]
        let has_address = !self.addresses.is_empty() || !self.http.addresses.is_empty();
        #[cfg(not(feature = "ws"))]
        let has_address = !self.addresses.is_empty();
        if !has_address {
            self.addresses.push(DEFAULT_ADDRESS.to_owned());
            #[cfg(feature = "ws")]
            self.http.addresses.push(DEFAULT_HTTP_ADDRESS.to_owned());
        }
        Ok(())
    }

    /// Lowers the limits of memory that were not given to a quarter of what is available. If one of them was given, the
    /// other one takes no more than half of what that leaves. The rest is for the sockets and for the process itself.
    fn fit_memory(&mut self, available: usize) {
        let Limits { memory, history_total, .. } = self.limits;
        let fit = |limit: usize, other: usize| {
            limit.min(available / 4).min(available.saturating_sub(other) / 2).max(MIN_MEMORY).min(limit)
        };
        if !self.has_memory {
            self.limits.memory = fit(memory, if self.has_history_total { history_total } else { 0 });
        }
        if !self.has_history_total {
            // The hub takes what one request of any size needs, even if that is more than its limit.
            self.limits.history_total = fit(history_total, self.limits.memory.max(self.limits.least_memory()));
        }
    }

    /// Says so if what was given is more than the memory that is available.
    pub fn memory_warning(&self, available: Option<u64>) -> Option<String> {
        let Limits { memory, history_total, .. } = self.limits;
        let (asked, available) = ((memory as u64).saturating_add(history_total as u64), available?);
        let (asked_mib, available_mib) = (asked >> 20, available >> 20);
        (asked > available).then(|| {
            format!(
                "--memory and --history-total allow {asked_mib} MiB, but this process may have {available_mib} MiB; \
                 lower them, or the system may end it"
            )
        })
    }

    /// How often the event log is flushed at least.
    pub fn flush_every(&self) -> Duration {
        Duration::from_secs(self.flush_secs.unwrap_or(DEFAULT_FLUSH_SECS))
    }

    /// Sets the server up, or says what failed and which option it concerns.
    pub fn bind(&self) -> Result<Server, String> {
        let builder = Server::builder().limits(self.limits.clone());
        let builder = self.addresses.iter().fold(builder, Builder::listen);
        #[cfg(feature = "ws")]
        let builder = self.http.origins.iter().fold(builder, Builder::origin).http_read(self.http.read);
        #[cfg(feature = "ws")]
        let builder = self.http.addresses.iter().fold(builder, Builder::listen_http);
        builder.bind().map_err(|error| match &error {
            SetupError::Listen { address, .. } if self.addresses.contains(address) => format!("--listen: {error}"),
            SetupError::Listen { .. } => format!("--ws: {error}"),
            _ => error.to_string(),
        })
    }
}

pub fn listen(config: &mut Config, text: &str) -> Result<(), String> {
    match text.parse() {
        Ok(Address::Tcp(_) | Address::Unix(_)) => {
            config.addresses.push(text.to_owned());
            Ok(())
        }
        Ok(Address::Ws { .. }) => {
            Err(format!("{text:?} is an address for clients; to listen for them, use --ws HOST:PORT"))
        }
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(feature = "ws")]
pub fn listen_http(config: &mut Config, text: &str) -> Result<(), String> {
    match text.parse() {
        Ok(Address::Tcp(_)) => {
            config.http.addresses.push(text.to_owned());
            Ok(())
        }
        Ok(Address::Unix(_) | Address::Ws { .. }) => Err(format!("{text:?} is not HOST:PORT")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(feature = "ws")]
pub fn origin(config: &mut Config, text: &str) -> Result<(), String> {
    if !cubby::is_origin(text) {
        return Err(format!("{text:?} is not an origin, as in https://example.org, http://127.0.0.1:3000 or null"));
    }
    config.http.origins.push(text.to_owned());
    Ok(())
}

/// What the operator should know about the options, though they are valid.
#[cfg(feature = "ws")]
pub fn warnings(config: &Config) -> Option<&'static str> {
    config.http.origins.iter().any(|origin| origin == "null").then_some(
        "--origin null: any file that a browser opens, and any page in a sandbox of any site, may use this hub; name \
         the sites instead",
    )
}

pub fn max_connections(config: &mut Config, text: &str) -> Result<(), String> {
    (config.limits.max_connections, config.has_max_connections) = (number(text)?, true);
    Ok(())
}

pub fn rate(config: &mut Config, text: &str) -> Result<(), String> {
    config.limits.rate = number(text)?;
    Ok(())
}

pub fn max_body(config: &mut Config, text: &str) -> Result<(), String> {
    config.limits.set_max_body(bytes(text)?);
    Ok(())
}

pub fn max_receivers(config: &mut Config, text: &str) -> Result<(), String> {
    config.limits.max_receivers = number(text)?;
    Ok(())
}

pub fn when_full(config: &mut Config, text: &str) -> Result<(), String> {
    config.limits.if_full = match text {
        "wait" => IfFull::Wait,
        "refuse" => IfFull::Refuse,
        "close" => IfFull::Close,
        _ => return Err(format!("{text:?} is none of wait, refuse, close")),
    };
    Ok(())
}

pub fn memory(config: &mut Config, text: &str) -> Result<(), String> {
    (config.limits.memory, config.has_memory) = (bytes(text)?, true);
    Ok(())
}

pub fn history_total(config: &mut Config, text: &str) -> Result<(), String> {
    (config.limits.history_total, config.has_history_total) = (bytes(text)?, true);
    Ok(())
}

pub fn event_log(config: &mut Config, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("the file's name is empty".to_owned());
    }
    config.event_log = Some(text.into());
    Ok(())
}

pub fn flush_secs(config: &mut Config, text: &str) -> Result<(), String> {
    let secs = number(text)?;
    if !(1..=MAX_FLUSH_SECS).contains(&secs) {
        return Err(format!("it must be from 1 to {MAX_FLUSH_SECS}"));
    }
    config.flush_secs = Some(secs);
    Ok(())
}

pub fn log_level(config: &mut Config, text: &str) -> Result<(), String> {
    let wrong = |_| format!("{text:?} is none of off, error, warn, info, debug, trace");
    config.log = Some(text.parse().map_err(wrong)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    /// The limits of memory in MiB, with these of them given, if so much is available.
    fn fitted(memory: Option<usize>, history: Option<usize>, available: usize) -> (usize, usize) {
        let mut config =
            Config { has_memory: memory.is_some(), has_history_total: history.is_some(), ..Config::default() };
        config.limits.memory = memory.map_or(config.limits.memory, |mib| mib * MIB);
        config.limits.history_total = history.map_or(config.limits.history_total, |mib| mib * MIB);
        assert_eq!(config.complete(Some((available * MIB) as u64)), Ok(()));
        (config.limits.memory / MIB, config.limits.history_total / MIB)
    }

    #[test]
    fn the_limits_of_memory_leave_room_in_what_is_available() {
        assert_eq!(fitted(None, None, 4096), (256, 256));
        assert_eq!(fitted(None, None, 64), (16, 16));
        assert_eq!(fitted(None, None, 8), (2, 1), "receiving a request of any size takes four MiB");
        assert_eq!(fitted(None, None, 0), (1, 1));
        assert_eq!(fitted(Some(48), None, 64), (48, 8));
        assert_eq!(fitted(None, Some(60), 64), (2, 60));
        assert_eq!(fitted(Some(300), None, 64), (300, 1));
        assert_eq!(fitted(Some(300), Some(400), 64), (300, 400), "both are as they were given");
    }

    #[test]
    fn limits_that_are_more_than_what_is_available_are_told() {
        let mut config = Config::default();
        config.limits.memory = 300 * MIB;
        let warned = |available: Option<usize>| config.memory_warning(available.map(|mib| (mib * MIB) as u64));
        assert!(warned(Some(64)).is_some_and(|text| text.contains("556 MiB") && text.contains("64 MiB")));
        assert_eq!((warned(Some(4096)), warned(None)), (None, None));
    }
}
