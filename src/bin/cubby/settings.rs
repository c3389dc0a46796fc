//! The settings that all commands share, and the connection made with them.

use crate::failure::Failure;
use cubby::Client;
use std::env::VarError;
use std::time::{Duration, Instant};

/// The hub's address if neither the command line nor the environment names one.
const DEFAULT_HUB: &str = "127.0.0.1:7070";

/// The settings that all commands share.
#[derive(Clone)]
pub struct Settings {
    /// The hub's address.
    pub hub: String,
    /// How long a command may wait for the hub, or, in those that go on until they are ended, each request.
    pub timeout: Duration,
    /// Whether to print JSON.
    pub json: bool,
    /// The name to connect with; may be empty.
    pub name: String,
}

impl Settings {
    /// Connects for a command that goes on until it is ended: each of its requests may take as long as `timeout`.
    pub fn connect(&self) -> Result<Client, Failure> {
        Ok(Client::connect_as(&self.hub, &self.name, self.timeout)?)
    }

    /// Connects for a command that ends by itself: all of it, from now on, may take as long as `timeout`. So a hub that
    /// goes on and on with its reply can not make it run for ever.
    pub fn connect_briefly(&self) -> Result<Client, Failure> {
        let deadline = self.deadline();
        let mut client = self.connect()?;
        client.set_deadline(deadline);
        Ok(client)
    }

    /// When the time of a command that begins now is over; `None` if the clock cannot express it.
    pub fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.timeout)
    }
}

/// The hub's address: from the option, or else from the environment, or else the default.
pub fn hub_address(option: Option<String>) -> Result<String, String> {
    match (option, std::env::var("CUBBY_HUB")) {
        (Some(hub), _) if hub.is_empty() => Err("--hub: the address is empty".to_owned()),
        (Some(hub), _) => Ok(hub),
        (None, Ok(hub)) if !hub.is_empty() => Ok(hub),
        (None, Err(VarError::NotUnicode(hub))) => Err(format!("CUBBY_HUB: {hub:?} is not UTF-8")),
        (None, Ok(_) | Err(VarError::NotPresent)) => Ok(DEFAULT_HUB.to_owned()),
    }
}

/// The time to wait for the hub, from the value of `--timeout`.
pub fn timeout(option: Option<String>) -> Result<Duration, String> {
    let Some(text) = option else { return Ok(cubby::DEFAULT_TIMEOUT) };
    let secs = text.parse().ok().filter(|secs| (1..=86_400).contains(secs));
    secs.map(Duration::from_secs)
        .ok_or_else(|| format!("--timeout: {text:?} is not a number of seconds from 1 to 86400"))
}
