//! Which faults there are, how likely each is for a seed, and the limits that the hub of a seed keeps.

use cubby::{IfFull, Limits};
use fastrand::Rng;
use std::time::Duration;

/// All that can go wrong. Each can be turned off by itself, to see whether a failure needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// Bytes arrive in pieces, down to one; where reads may be cut short, they are.
    Pieces,
    /// A send takes less than there is room for.
    CutWrite,
    /// A call is interrupted by a signal.
    Signal,
    /// Bytes take their time to arrive.
    Lag,
    /// Edges that mean nothing, also for slots that nobody lives in.
    Stale,
    /// A wait can not take all edges at once.
    FewEdges,
    /// A wait ends for no reason.
    EarlyWait,
    /// A connection breaks.
    Reset,
    /// A client ends its side, perhaps in the middle of a frame.
    End,
    /// A client goes away without a word.
    Vanish,
    /// Descriptors are few.
    FewDescriptors,
    /// Accepting fails for a moment.
    BadAccept,
    /// The system can watch no more.
    BadWatch,
    /// The descriptor in reserve, once given up, can not be had again for a while.
    NoSpare,
    /// The wall clock jumps.
    ClockJump,
    /// The sockets' own buffers are tiny.
    SmallSockets,
    /// Urgent data comes, so that reads may be cut short.
    Urgent,
    /// Clients that stop reading.
    Stall,
    /// Clients that read a few bytes at a time.
    Drip,
    /// Clients that send anything.
    Garbage,
    /// Clients that know the protocol and do not keep it.
    Lie,
    /// Clients that come and go.
    Churn,
    /// The host program speaks, and closes rooms.
    Host,
    /// Most connections break at the same moment.
    Outage,
}

/// Every fault, and the most that it may be drawn to, of 65,536.
pub const FAULTS: [(Fault, u32); 24] = [
    (Fault::Pieces, 40_000),
    (Fault::CutWrite, 30_000),
    (Fault::Signal, 15_000),
    (Fault::Lag, 30_000),
    (Fault::Stale, 15_000),
    (Fault::FewEdges, 40_000),
    (Fault::EarlyWait, 10_000),
    (Fault::Reset, 600),
    (Fault::End, 600),
    (Fault::Vanish, 400),
    (Fault::FewDescriptors, 65_536),
    (Fault::BadAccept, 20_000),
    (Fault::BadWatch, 3_000),
    (Fault::NoSpare, 65_536),
    (Fault::ClockJump, 2_000),
    (Fault::SmallSockets, 65_536),
    (Fault::Urgent, 1_000),
    (Fault::Stall, 30_000),
    (Fault::Drip, 20_000),
    (Fault::Garbage, 12_000),
    (Fault::Lie, 12_000),
    (Fault::Churn, 20_000),
    (Fault::Host, 3_000),
    (Fault::Outage, 200),
];

/// How likely each fault is in one run.
#[derive(Clone, Debug)]
pub struct Faults([u32; FAULTS.len()]);

impl Faults {
    /// Draws each, then leaves out those whose bit in `off` is set: the others stay as they were. An outage is drawn by
    /// itself: it was thought of later, and without it older seeds draw what they always did.
    pub fn draw(seed: u64, rng: &mut Rng, off: u32) -> Faults {
        let mut chances = [0; FAULTS.len()];
        let mut later = Rng::with_seed(!seed);
        for (chance, (fault, most)) in chances.iter_mut().zip(FAULTS) {
            let rng = if fault == Fault::Outage { &mut later } else { &mut *rng };
            let drawn = match rng.u8(..4) {
                0 => 0,
                1 => rng.u32(..=most / 16),
                _ => rng.u32(..=most),
            };
            *chance = if off >> fault as u8 & 1 == 1 { 0 } else { drawn };
        }
        Faults(chances)
    }

    /// No faults any more.
    pub fn none() -> Faults {
        Faults([0; FAULTS.len()])
    }

    /// Whether this fault may ever strike.
    pub fn can_strike(&self, fault: Fault) -> bool {
        self.0[fault as usize] > 0
    }

    /// Whether this fault strikes now.
    pub fn strikes(&self, rng: &mut Rng, fault: Fault) -> bool {
        let chance = self.0[fault as usize];
        chance > 0 && rng.u32(..65_536) < chance
    }

    /// The names of those that can strike.
    pub fn names(off: u32) -> String {
        let left = FAULTS.iter().filter(|(fault, _)| off >> *fault as u8 & 1 == 0);
        left.map(|(fault, _)| format!("{fault:?}")).collect::<Vec<_>>().join(" ")
    }
}

fn millis(rng: &mut Rng, least: u64, most: u64) -> Duration {
    Duration::from_millis(rng.u64(least..=most))
}

/// Limits so small that what is rare elsewhere happens all the time here.
pub fn draw_limits(rng: &mut Rng, actors: usize) -> Limits {
    let mut limits = Limits::default();
    limits.max_body = [64, 300, 2_000, 16_000][rng.usize(..4)];
    limits.queue = (limits.max_body as usize).max([1, 4, 16, 64][rng.usize(..4)] * 1024);
    limits.max_receivers = [1, 3, 20, 255][rng.usize(..4)];
    limits.max_connections = if rng.u8(..3) == 0 { rng.usize(actors / 2..=actors) } else { actors + 1 }.max(1);
    limits.share_from = [16, 100, 1_000, 4_096][rng.usize(..4)];
    limits.fan_out = [200, 4_096, 65_536, 8 << 20][rng.usize(..4)];
    limits.max_rooms = [1, 3, 6, 1_000][rng.usize(..4)];
    limits.rooms_per_session = [1, 2, 100][rng.usize(..3)];
    limits.history = [0, 1, 10, 200][rng.usize(..4)];
    limits.history_bytes = [0, 1_000, 1 << 20][rng.usize(..3)];
    limits.history_total = [1_000, 20_000, 1 << 20][rng.usize(..3)];
    limits.history_time = if rng.u8(..4) == 0 { Duration::ZERO } else { millis(rng, 1, 1_000) };
    let stall = [5, 50, 3_000][rng.usize(..3)];
    limits.stall = millis(rng, 2, stall);
    limits.linger = millis(rng, 2, stall);
    limits.drain = millis(rng, 50, 1_000);
    limits.max_per_address = if rng.bool() { 0 } else { rng.usize(1..10) };
    limits.rate = [0, 0, 20, 1_000][rng.usize(..4)];
    limits.if_full = [IfFull::Wait, IfFull::Wait, IfFull::Refuse, IfFull::Close][rng.usize(..4)];
    limits.memory = [64 * 1024, 64 * 1024, 100 * 1024, 256 << 20][rng.usize(..4)];
    let silent = [0, 30, 300][rng.usize(..3)];
    limits.heartbeat = millis(rng, silent / 2, silent);
    if (1..100).contains(&limits.rate) && !limits.heartbeat.is_zero() {
        // The answers to beats alone must not use up the pace.
        limits.heartbeat = limits.heartbeat.max(Duration::from_secs(2) / limits.rate);
    }
    limits.idle = [Duration::ZERO, millis(rng, 120, 400)][rng.usize(..2)];
    let slow = [20, 200][rng.usize(..2)];
    limits.frame_time = [Duration::ZERO, millis(rng, 5, slow)][rng.usize(..2)];
    limits
}
