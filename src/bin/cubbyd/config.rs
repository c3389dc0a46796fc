//! What the daemon is asked to do: the values that options set, what follows if they are not given, and which of them
//! do not fit together.

use crate::values::{bytes, number, quarter_of_memory_below};
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
    /// Fills in what was not given and checks that everything fits together.
    pub fn complete(&mut self) -> Result<(), String> {
        if !self.has_memory {
            self.limits.memory = quarter_of_memory_below(self.limits.memory).unwrap_or(self.limits.memory);
        }
        if !self.has_history_total {
            let total = self.limits.history_total;
            self.limits.history_total = quarter_of_memory_below(total).unwrap_or(total);
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
