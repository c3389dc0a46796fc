//! The drivers of all protocols, and the choice of the right one for a run.

#[cfg(feature = "ws")]
mod framing;
mod mqtt;
mod native;
mod nats;
mod raw;
mod redis;
#[cfg(test)]
mod tests;
#[cfg(feature = "ws")]
mod websocket;

use super::load::{self, Driver, LoadError, Outcome, Progress};
use super::protocol::Protocol;
use super::work::{Case, Work};
use mqtt::Mqtt;
use native::Native;
use nats::Nats;
use raw::Raw;
use redis::Redis;
#[cfg(feature = "ws")]
use websocket::{WebBinary, WebJson};

#[cfg(test)]
pub use native::Native as NativeDriver;

/// Characters of a line that an error text shows.
const EXCERPT: usize = 60;

/// A line in an error text, cut if it is long.
fn excerpt(line: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(line).chars().take(EXCERPT).collect();
    format!("{text:?}{}", if line.len() > EXCERPT { "..." } else { "" })
}

impl Work {
    /// Carries out the run with the drivers of its protocol.
    pub fn run(&self, progress: &mut dyn FnMut(&Progress)) -> Result<Outcome, LoadError> {
        match self.endpoint.protocol {
            Protocol::Native if self.case == Case::Rooms => self.run_with(Native::rooms, progress),
            Protocol::Native => self.run_with(Native::relay, progress),
            #[cfg(feature = "ws")]
            Protocol::Ws => self.run_with(|| WebBinary::new(&self.endpoint.path), progress),
            #[cfg(feature = "ws")]
            Protocol::Json => self.run_with(|| WebJson::new(&self.endpoint.path), progress),
            #[cfg(not(feature = "ws"))]
            Protocol::Ws | Protocol::Json => Err(LoadError::Plan("there is no WebSocket in this program".to_owned())),
            Protocol::Nats => self.run_with(Nats::default, progress),
            Protocol::Redis => self.run_with(Redis::default, progress),
            Protocol::Mqtt => self.run_with(Mqtt::default, progress),
            Protocol::Raw => self.run_with(Raw::default, progress),
        }
    }

    fn run_with<D: Driver>(
        &self,
        driver: impl FnMut() -> D,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Outcome, LoadError> {
        match self.case {
            Case::Relay | Case::Rooms | Case::Hold => load::run(&self.plan, driver, progress),
            Case::Churn(count) => load::connect_and_leave(&self.plan, count.into(), driver, progress),
        }
    }
}
