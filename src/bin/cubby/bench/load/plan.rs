//! What a run is to do, and its outcome.

use super::sizes::Sizes;
use cubby::Address;
use hdrhistogram::Histogram;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The longest latency that is recorded, in ns: an hour. Longer ones count as that.
pub(super) const MOST_NS: u64 = 3_600_000_000_000;

/// What a run is to do. The default is one publisher, one subscriber, and bodies of 64 bytes, for five seconds.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The hub's address.
    pub address: Address,
    /// Sets of receivers, rooms or topics. Without any, the run only holds idle connections.
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
    /// How long the connections are held without traffic at the end.
    pub rest: Duration,
    /// The most groups that one connection serves. More than one needs
    /// [`Driver::add_group`](super::Driver::add_group).
    pub sharing: u32,
    /// Connections that only stay connected.
    pub idle: u32,
    /// Further subscribers that never read. No publisher waits for them, and what they miss does not count.
    pub slow: u32,
    /// Sessions that join a second, each as a further subscriber of a group.
    pub joiners: u32,
    /// Sessions that leave a second. If more leave than join, the difference connects before the run.
    pub leavers: u32,
    /// If nothing is received for this long, the messages in flight count as missed. Longer than a hub waits for a
    /// receiver that does not read.
    pub patience: Duration,
    /// Whether the generator polls without a pause rather than sleep. It then needs a processor of its own. Waking a
    /// sleeping generator costs a hub more than most of its own work does, and depends on what else the machine does.
    pub spins: bool,
    /// Ends the run early, once true.
    pub stop: Arc<AtomicBool>,
}

impl Plan {
    /// Whether the run only holds idle connections.
    pub fn is_idle(&self) -> bool {
        self.groups == 0 && self.idle > 0 && self.slow + self.joiners + self.leavers == 0
    }
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
            rest: Duration::ZERO,
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
    /// Closed loop: a publisher has at most this many messages in flight that its slowest subscriber has not received.
    Window(u32),
    /// Open loop: messages a second of all publishers together, whatever the hub does. Latency counts from the time at
    /// which a message should have been sent, so that a stall is not hidden.
    Rate(f64),
}

/// When a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// After this number of messages of all publishers together.
    Messages(u64),
    /// After this time.
    Time(Duration),
}

/// The outcome of a run. Only the errors include the warm-up.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// From the first message to the last delivery, or to the end of the time.
    pub elapsed: Duration,
    /// Messages sent.
    pub messages: u64,
    /// Bodies received.
    pub deliveries: u64,
    /// Bytes of these bodies.
    pub bytes: u64,
    /// From sending to receiving, in ns: one record for each delivery.
    pub latency: Histogram<u64>,
    /// Whatever should not have happened: refusals, connections that broke, messages that came twice, out of order, to
    /// the wrong group, or that were lost without a report.
    pub errors: u64,
    /// Deliveries that never came, whether the hub reported that or not.
    pub missed: u64,
    /// The text of the first error.
    pub first_error: Option<String>,
    /// The processor time that the generator itself used, without the polling for the next time to send.
    pub processor: Duration,
    /// Connections that were open at the end.
    pub connections: u64,
    /// Sessions that joined during the run.
    pub joined: u64,
    /// Sessions that left during the run.
    pub left: u64,
    /// Sessions that connected and left one after another, if that was the run.
    pub sessions: u64,
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
            connections: 0,
            joined: 0,
            left: 0,
            sessions: 0,
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
    /// After either of these: no more are sent, and those in flight are awaited.
    Settling,
    /// The connections are held without traffic.
    Resting,
    /// All is over, and the connections are still open.
    Done,
}

/// How far a run has come. It is reported at each change of phase, and a few times a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// How much of it is done, from 0 to 1.
    pub share: f64,
    /// Since the beginning of the phase that sends.
    pub elapsed: Duration,
    /// Messages sent.
    pub messages: u64,
    /// Bodies received.
    pub deliveries: u64,
    /// Errors so far.
    pub errors: u64,
}

/// Why a run could not be carried out.
#[derive(Debug)]
pub enum LoadError {
    /// The plan makes no sense.
    Plan(String),
    /// This process may not have as many descriptors as the plan needs.
    Descriptors {
        /// How many are needed.
        needed: u64,
        /// How many are allowed.
        most: u64,
    },
    /// A connection could not be made.
    Connect {
        /// To this hub.
        address: Address,
        /// After this number of connections.
        made: usize,
        /// The system's error.
        source: io::Error,
    },
    /// The hub did not accept all sessions.
    NotReady {
        /// This number was accepted.
        ready: usize,
        /// Of this number.
        of: usize,
        /// Why the next one was not.
        why: String,
    },
    /// It was stopped before it began.
    Stopped,
    /// The system's poll failed.
    Poll(io::Error),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Plan(why) => f.write_str(why),
            LoadError::Descriptors { needed, most } => write!(
                f,
                "this run needs {needed} descriptors, and the limit is {most}; use fewer connections, or raise the \
                 limit (ulimit -Hn)"
            ),
            LoadError::Connect { address, made, source } => {
                write!(f, "can not connect to {address}")?;
                if *made > 0 {
                    write!(f, ", after {made} connections")?;
                }
                write!(f, ": {source}")
            }
            LoadError::NotReady { ready, of, why } => {
                write!(f, "the hub accepted {ready} of {of} sessions, then: {why}")
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
            LoadError::Plan(_) | LoadError::Descriptors { .. } | LoadError::NotReady { .. } | LoadError::Stopped => {
                None
            }
        }
    }
}
