//! What a run is to do, and what came of it.

use super::sizes::Sizes;
use cubby::Address;
use hdrhistogram::Histogram;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The longest latency that is told apart, in ns: an hour. What takes longer counts as that.
pub(super) const MOST_NS: u64 = 3_600_000_000_000;

/// What a run is to do. The default is one publisher, one subscriber, and 64 bytes, for five seconds.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the hub is.
    pub address: Address,
    /// Sets of receivers, rooms or topics.
    pub groups: u32,
    /// Publishers of each group.
    pub publishers: u32,
    /// Subscribers of each group.
    pub subscribers: u32,
    /// Bytes of a body.
    pub sizes: Sizes,
    /// When messages are sent.
    pub pace: Pace,
    /// When the run is over.
    pub extent: Extent,
    /// How long messages are sent before any is counted.
    pub warm_up: Duration,
    /// Groups that one connection serves, at the most: with [`Dialect::also`](super::Dialect::also) one may be in many.
    pub sharing: u32,
    /// Connections that are only there.
    pub idle: u32,
    /// Subscribers that never read, beside the others. Nobody waits for them, and what they miss does not count.
    pub slow: u32,
    /// Sessions that come in a second, each as a further subscriber of a group.
    pub joiners: u32,
    /// Sessions that leave a second. Where more leave than come, as many as are needed are there before.
    pub leavers: u32,
    /// How long nothing may be heard while messages are under way, before they count as missed: longer than a hub
    /// bears with a receiver that does not read.
    pub patience: Duration,
    /// Whether it asks again and again rather than sleep. It needs a processor of its own then, but no hub pays for
    /// waking it, which costs more than most of them do and depends on what else the machine has to do.
    pub spins: bool,
    /// Ends the run early, once true.
    pub stop: Arc<AtomicBool>,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            address: Address::Tcp("127.0.0.1:7070".to_owned()),
            groups: 1,
            publishers: 1,
            subscribers: 1,
            sizes: Sizes::one(64),
            pace: Pace::Window(64),
            extent: Extent::Time(Duration::from_secs(5)),
            warm_up: Duration::ZERO,
            sharing: 1,
            idle: 0,
            slow: 0,
            joiners: 0,
            leavers: 0,
            patience: Duration::from_secs(12),
            spins: false,
            stop: Arc::default(),
        }
    }
}

/// When messages are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Closed loop: a publisher has so many messages under way that its slowest subscriber has not heard.
    Window(u32),
    /// Open loop: messages a second of all publishers together, whatever becomes of them. Latency counts from the time
    /// at which a message should have been sent, so that a stall is not hidden.
    Rate(f64),
}

/// When a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// After so many messages of all publishers together.
    Messages(u64),
    /// After so long.
    Time(Duration),
}

/// What came of a run. The warm-up is in none of it but the errors.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// From the first message to the last delivery, or to the end of the time.
    pub elapsed: Duration,
    /// Messages sent.
    pub messages: u64,
    /// Bodies heard.
    pub deliveries: u64,
    /// Bytes of these bodies.
    pub bytes: u64,
    /// From sending to hearing, in ns: one record a delivery.
    pub latency: Histogram<u64>,
    /// Whatever should not have happened: refusals, connections that broke, messages that came twice, in the wrong
    /// order, to the wrong group, or were lost in silence.
    pub errors: u64,
    /// Deliveries that never came, whether the hub said so or not.
    pub missed: u64,
    /// The first of the errors, in words.
    pub first_error: Option<String>,
    /// What the generator itself used of the processor, less what it spent waiting for the next time to send.
    pub processor: Duration,
    /// Sessions that came in, and that left, during the run.
    pub visits: (u64, u64),
    /// Whether it was stopped before all was sent or the time was over.
    pub stopped: bool,
}

impl Default for Outcome {
    /// That of a run in which nothing has happened yet.
    fn default() -> Outcome {
        Outcome {
            elapsed: Duration::ZERO,
            messages: 0,
            deliveries: 0,
            bytes: 0,
            latency: Histogram::new_with_bounds(1, MOST_NS, 3).expect("from a nanosecond to an hour, three digits"),
            errors: 0,
            missed: 0,
            first_error: None,
            processor: Duration::ZERO,
            visits: (0, 0),
            stopped: false,
        }
    }
}

/// What the generator is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Connections are made.
    Connecting,
    /// Messages are sent, and not counted.
    WarmingUp,
    /// Messages are sent and counted.
    Running,
    /// After either of these: no more are sent, and those under way are waited for.
    Settling,
    /// All is over, and the connections still stand.
    Done,
}

/// How far a run has come. It is told at each change of phase, and a few times a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// How much of it is done, from 0 to 1.
    pub share: f64,
    /// Since the run began to count.
    pub elapsed: Duration,
    /// Messages sent.
    pub messages: u64,
    /// Bodies heard.
    pub deliveries: u64,
    /// Errors so far.
    pub errors: u64,
}

/// Why there is nothing to report.
#[derive(Debug)]
pub enum LoadError {
    /// Nothing of this kind can be run.
    Plan(String),
    /// So many descriptors are needed, and this process may have fewer.
    Descriptors {
        /// How many are needed.
        needed: u64,
        /// How many there may be.
        most: u64,
    },
    /// A connection could not be made.
    Connect {
        /// To this hub.
        address: Address,
        /// After so many.
        made: usize,
        /// What the system said.
        source: io::Error,
    },
    /// The hub did not let all connections in.
    Greeting {
        /// So many are in.
        ready: usize,
        /// Of so many.
        of: usize,
        /// Why the next one is not.
        why: String,
    },
    /// It was stopped before it began.
    Stopped,
    /// The system does not let the generator wait.
    Poll(io::Error),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Plan(why) => f.write_str(why),
            LoadError::Descriptors { needed, most } => write!(
                f,
                "this takes {needed} descriptors, and {most} are allowed; ask for fewer connections, or raise the \
                 limit (ulimit -Hn)"
            ),
            LoadError::Connect { address, made, source } => {
                write!(f, "can not connect to {address}")?;
                if *made > 0 {
                    write!(f, ", after {made} connections")?;
                }
                write!(f, ": {source}")
            }
            LoadError::Greeting { ready, of, why } => {
                write!(f, "the hub let {ready} of {of} connections in, then: {why}")
            }
            LoadError::Stopped => f.write_str("stopped before it began"),
            LoadError::Poll(source) => write!(f, "can not wait for the connections: {source}"),
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LoadError::Connect { source, .. } | LoadError::Poll(source) => Some(source),
            _ => None,
        }
    }
}
